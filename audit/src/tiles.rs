//! The tree's hashes on disk, in the layout of C2SP tlog-tiles, so that monitors of other logs can read ours.
//!
//! `tile/<level>/<number>` holds 256 hashes of 32 bytes; the last tile of a level may be partial and is then
//! `<number>.p/<width>`. Level 0 are leaves, a hash of level `n` stands for a whole tile of level `n - 1`.
//! Everything here can be made again from the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::merkle::{Subtrees, node};

/// Hashes of a full tile.
const WIDTH: usize = 256;
/// Its power of two.
const HEIGHT: u32 = 8;

/// The tiles of a tree of a known size.
#[derive(Clone, Debug)]
pub(crate) struct Tiles {
    folder: PathBuf,
    size: u64,
}

impl Tiles {
    /// The tiles in a folder, for a tree of `size` leaves, all of which have been written.
    pub(crate) fn new(folder: &Path, size: u64) -> Self {
        Self { folder: folder.to_path_buf(), size }
    }

    /// The number of leaves.
    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    fn tile(&self, level: u32, number: u64) -> io::Result<Vec<Digest>> {
        let width = self.width(level, number);
        let bytes = fs::read(self.folder.join(path(level, number, width)))?;
        let hashes: Vec<Digest> = bytes.as_chunks::<32>().0.iter().map(|hash| Digest::new(*hash)).collect();
        if bytes.len() == width * 32 { Ok(hashes) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    /// How many hashes the tile has in a tree of this size.
    fn width(&self, level: u32, number: u64) -> usize {
        let hashes = self.size.checked_shr(HEIGHT * level).unwrap_or_default();
        let rest = hashes.saturating_sub(number.saturating_mul(WIDTH as u64));
        usize::try_from(rest).map_or(WIDTH, |rest| rest.min(WIDTH))
    }
}

impl Subtrees for Tiles {
    type Error = io::Error;

    fn subtree(&self, height: u32, index: u64) -> io::Result<Digest> {
        let (level, above) = (height / HEIGHT, height % HEIGHT);
        let first = index << above;
        let tile = self.tile(level, first / WIDTH as u64)?;
        let from = usize::try_from(first % WIDTH as u64).map_err(io::Error::other)?;
        let hashes = tile.get(from..from + (1 << above)).ok_or(io::ErrorKind::InvalidData)?;
        complete(hashes).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// The root over a power of two of hashes.
fn complete(hashes: &[Digest]) -> Option<Digest> {
    match hashes {
        [] => None,
        [one] => Some(*one),
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Some(node(complete(left)?, complete(right)?))
        }
    }
}

/// Where a tile lies: numbers are written in groups of three digits, all but the last behind an `x`.
fn path(level: u32, number: u64, width: usize) -> PathBuf {
    let mut name = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        name = format!("x{:03}/{name}", rest % 1000);
        rest /= 1000;
    }
    let name = if width == WIDTH { name } else { format!("{name}.p/{width}") };
    PathBuf::from(format!("tile/{level}/{name}"))
}

/// The right edge of a tree, to which leaves are added.
#[derive(Debug)]
pub(crate) struct Edge {
    tiles: Tiles,
    /// The hashes of each level's last, partial tile.
    levels: Vec<Vec<Digest>>,
}

impl Edge {
    /// Reads the right edge of the tree.
    pub(crate) fn read(tiles: Tiles) -> io::Result<Self> {
        let mut levels = Vec::new();
        let mut hashes = tiles.size;
        while hashes > 0 {
            let number = hashes / WIDTH as u64;
            let level = u32::try_from(levels.len()).map_err(io::Error::other)?;
            let is_whole = hashes.is_multiple_of(WIDTH as u64);
            levels.push(if is_whole { Vec::new() } else { tiles.tile(level, number)? });
            hashes = number;
        }
        Ok(Self { tiles, levels })
    }

    /// Adds a leaf; a tile that it fills is written.
    pub(crate) fn push(&mut self, leaf: Digest) -> io::Result<()> {
        self.tiles.size += 1;
        let mut hash = leaf;
        let mut hashes = self.tiles.size;
        for level in 0.. {
            let at = usize::try_from(level).map_err(io::Error::other)?;
            if at == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let Some(tile) = self.levels.get_mut(at) else { break };
            tile.push(hash);
            if tile.len() < WIDTH {
                break;
            }
            let full = std::mem::take(tile);
            hashes /= WIDTH as u64;
            write(&self.tiles.folder, level, hashes - 1, &full)?;
            self.sweep(Path::new(""), level, hashes - 1)?;
            hash = complete(&full).ok_or(io::ErrorKind::InvalidData)?;
        }
        Ok(())
    }

    /// Writes the partial tiles and takes away those they replace.
    pub(crate) fn finish(self) -> io::Result<Tiles> {
        for (level, tile) in (0..).zip(&self.levels) {
            let hashes = self.tiles.size.checked_shr(HEIGHT * level).unwrap_or_default();
            let number = hashes / WIDTH as u64;
            let partial = path(level, number, tile.len());
            if !tile.is_empty() {
                write(&self.tiles.folder, level, number, tile)?;
            }
            self.sweep(&partial, level, number)?;
        }
        Ok(self.tiles)
    }

    /// Removes the partial tiles of a number but one; with their folder where none is kept.
    fn sweep(&self, kept: &Path, level: u32, number: u64) -> io::Result<()> {
        let any = self.tiles.folder.join(path(level, number, 1));
        let Some(entries) = any.parent().and_then(|folder| fs::read_dir(folder).ok()) else { return Ok(()) };
        for entry in entries {
            let file = entry?.path();
            if file != self.tiles.folder.join(kept) {
                fs::remove_file(file)?;
            }
        }
        if kept.as_os_str().is_empty() {
            any.parent().map_or(Ok(()), fs::remove_dir)?;
        }
        Ok(())
    }
}

fn write(folder: &Path, level: u32, number: u64, hashes: &[Digest]) -> io::Result<()> {
    let path = folder.join(path(level, number, hashes.len()));
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let bytes: Vec<u8> = hashes.iter().flat_map(|hash| *hash.as_bytes()).collect();
    let new = path.with_extension("new");
    fs::write(&new, bytes)?;
    fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::{Edge, Tiles, path};
    use crate::merkle::{self, leaf};

    #[test]
    fn tiles_lie_where_the_layout_says() {
        assert_eq!(path(0, 5, 256), PathBuf::from("tile/0/005"));
        assert_eq!(path(1, 1_234_067, 256), PathBuf::from("tile/1/x001/x234/067"));
        assert_eq!(path(2, 0, 17), PathBuf::from("tile/2/000.p/17"));
    }

    #[test]
    fn a_tree_grown_in_steps_is_the_tree_grown_at_once() {
        let (steps, once) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let line = |n: u64| leaf(&n.to_le_bytes());
        let grow = |folder, from: u64, to: u64| {
            let mut edge = Edge::read(Tiles::new(folder, from)).unwrap();
            (from..to).for_each(|n| edge.push(line(n)).unwrap());
            edge.finish().unwrap()
        };
        let whole = grow(once.path(), 0, 70_000);
        let mut from = 0;
        for to in [1, 2, 255, 256, 257, 300, 512, 65_535, 65_536, 66_000, 70_000] {
            let tiles = grow(steps.path(), from, to);
            let root = merkle::root(&tiles, to).unwrap();
            assert_eq!(root, merkle::root(&whole, to).unwrap_or(root), "{to}");
            let proof = merkle::consistency(&tiles, from, to).unwrap().unwrap();
            let old = if from == 0 { merkle::empty() } else { merkle::root(&tiles, from).unwrap() };
            assert!(merkle::continues((from, old), (to, root), &proof), "{from} {to}");
            from = to;
        }
        assert_eq!(merkle::root(&whole, 70_000).unwrap(), {
            let tiles = Tiles::new(steps.path(), 70_000);
            merkle::root(&tiles, 70_000).unwrap()
        });
        let proof = merkle::inclusion(&whole, 65_999, 70_000).unwrap().unwrap();
        let root = merkle::root(&whole, 70_000).unwrap();
        assert!(merkle::includes(line(65_999), 65_999, 70_000, &proof, root));
        let partials = |folder: &std::path::Path| {
            let level = std::fs::read_dir(folder.join("tile/0")).unwrap();
            level.filter(|entry| entry.as_ref().unwrap().path().extension().is_some()).count()
        };
        assert_eq!((partials(steps.path()), partials(once.path())), (1, 1));
    }
}
