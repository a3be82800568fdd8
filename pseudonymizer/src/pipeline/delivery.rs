//! A delivery on disk: its list of files, checked before a byte of content is used.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use catalog_model::{Catalogue, DELIVERY_FILE, DeliveredFile, DeliveryManifest};
use rayon::iter::{IntoParallelRefIterator as _, ParallelIterator as _};
use ring::digest::{Context, SHA256};

use super::sealed::is_sealed;
use crate::formats::{self, PackageError, Program, ProgramError};

/// A delivery whose files are there and have the sizes and digests that its list says.
#[derive(Debug)]
pub struct Delivery {
    pub(super) manifest: DeliveryManifest,
    pub(super) id: String,
    /// The compiled layout of each family in the delivery.
    pub(super) programs: BTreeMap<String, Program>,
    pub(super) files: Vec<ScannedFile>,
}

/// Why a delivery is not taken in; nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// The folder has no list of files.
    #[error("{0} has no delivery.toml")]
    NoManifest(PathBuf),
    /// The list cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The list is not of the expected form.
    #[error("{path}: {problem}")]
    Form {
        /// The list.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A listed path leaves the folder.
    #[error("{DELIVERY_FILE}: the path {0} does not stay in the delivery's folder")]
    Path(String),
    /// A listed file is not there.
    #[error("{0} is listed and not there")]
    Missing(String),
    /// A file has another size than listed.
    #[error("{path} has {found} bytes, {DELIVERY_FILE} says {listed}")]
    Size {
        /// The file.
        path: String,
        /// Its size.
        found: u64,
        /// The size in the list.
        listed: u64,
    },
    /// A file has another digest than listed.
    #[error("{0} is not the file that {DELIVERY_FILE} lists: its SHA-256 differs")]
    Digest(String),
    /// A file changed while it was looked over, or since.
    #[error("{0} changed while it was being read")]
    Changed(String),
    /// A package could harm its reader, or is not what it seems.
    #[error("{path}: refused as a package")]
    Package {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: PackageError,
    },
    /// A layout is unknown.
    #[error("{path}: {source}")]
    Layout {
        /// The file.
        path: String,
        /// What is wrong with the layout.
        source: ProgramError,
    },
}

/// What one look over a file's bytes tells.
#[derive(Debug)]
pub(super) struct ScannedFile {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    /// Line ends in each block of [`BLOCK`] bytes.
    pub(super) block_lines: Vec<u64>,
    /// Whether the last line has no end.
    pub(super) is_open: bool,
    /// Offsets of lines that look like a header record.
    pub(super) headers: Vec<u64>,
    /// What the file was when it was looked over.
    pub(super) stamp: Stamp,
}

impl ScannedFile {
    /// The lines that a reader must meet, one without an end at the file's end among them.
    pub(super) fn lines(&self) -> u64 {
        self.block_lines.iter().sum::<u64>() + u64::from(self.is_open)
    }

    /// Notes the line ends of the next block, and the lines in it that look like a header record.
    fn look_over(&mut self, block: &Block, headers: &[Vec<u8>]) {
        let content = block.content();
        self.block_lines.push(memchr::memchr_iter(b'\n', content).count() as u64);
        self.is_open = content.last() != Some(&b'\n');
        for needle in headers {
            for at in memchr::memmem::find_iter(block.window(), needle) {
                // The needle begins with the line end before, so the line itself begins one byte later.
                let offset = self.bytes + at as u64 + 1 - block.carried as u64;
                if self.headers.last() != Some(&offset) {
                    self.headers.push(offset);
                }
            }
        }
        self.bytes += content.len() as u64;
    }
}

/// Which file it is and when it was last changed: a file with the same stamp as before is taken for unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    file: (u64, u64),
    bytes: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &File) -> std::io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            file: (found.dev(), found.ino()),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
            changed: (found.ctime(), found.ctime_nsec()),
        })
    }
}

pub(super) const BLOCK: usize = 1 << 20;

impl Delivery {
    /// Opens the delivery in `folder` and checks every file against the list.
    ///
    /// # Errors
    ///
    /// Something is missing, changed or unknown; the delivery is rejected as a whole.
    pub fn open(folder: &Path, catalogue: &Catalogue) -> Result<Self, Rejection> {
        let list = folder.join(DELIVERY_FILE);
        if !list.is_file() {
            return Err(Rejection::NoManifest(folder.to_owned()));
        }
        let text = std::fs::read_to_string(&list)
            .map_err(|source| Rejection::Read { path: list.clone(), source })?;
        let manifest: DeliveryManifest = toml::from_str(&text)
            .map_err(|error| Rejection::Form { path: list, problem: error.message().to_owned() })?;
        let id = identify(&manifest);
        let mut programs = BTreeMap::new();
        for file in &manifest.files {
            if !programs.contains_key(&file.family) {
                let program = Program::compile(catalogue, &file.family)
                    .map_err(|source| Rejection::Layout { path: file.path.clone(), source })?;
                programs.insert(file.family.clone(), program);
            }
        }
        let scan = |file: &DeliveredFile| {
            let program = programs.get(&file.family);
            check(folder, file, program)
        };
        // The first rejection in the order of the list is told, whichever thread is first.
        let files = manifest.files.par_iter().map(scan).collect::<Vec<_>>();
        let files = files.into_iter().collect::<Result<_, _>>()?;
        Ok(Self { manifest, id, programs, files })
    }

    /// Reads only the list of files and gives the delivery's id, without looking at the files.
    ///
    /// # Errors
    ///
    /// The list is missing or not of the expected form.
    pub fn identify(folder: &Path) -> Result<String, Rejection> {
        Ok(identify(&Self::read_list(folder)?))
    }

    /// Reads only the list of files, whose paths all stay in the folder.
    pub(super) fn read_list(folder: &Path) -> Result<DeliveryManifest, Rejection> {
        let list = folder.join(DELIVERY_FILE);
        let text = std::fs::read_to_string(&list).map_err(|_| Rejection::NoManifest(folder.to_owned()))?;
        let manifest: DeliveryManifest = toml::from_str(&text)
            .map_err(|error| Rejection::Form { path: list, problem: error.message().to_owned() })?;
        manifest.files.iter().try_for_each(|file| inside(folder, &file.path).map(drop))?;
        Ok(manifest)
    }

    /// The delivery's id: a digest of what its list says about the files.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The list of files.
    pub const fn manifest(&self) -> &DeliveryManifest {
        &self.manifest
    }
}

/// The folder itself where it is a delivery, sealed or not; else the deliveries that lie in it, in the order of their
/// names.
///
/// # Errors
///
/// The folder cannot be listed.
pub fn deliveries_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let is_delivery = |folder: &Path| folder.join(DELIVERY_FILE).is_file() || is_sealed(folder);
    if is_delivery(folder) {
        return Ok(vec![folder.to_owned()]);
    }
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if is_delivery(&path) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

pub(super) fn identify(manifest: &DeliveryManifest) -> String {
    let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 delivery id");
    for part in [&manifest.delivery.database, &manifest.delivery.holder] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
    }
    for file in &manifest.files {
        for part in [&file.path, &file.family, &file.sha256] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
    }
    hasher.finalize().to_hex().chars().take(32).collect()
}

/// Looks one listed file over and checks that it is the listed one.
fn check(folder: &Path, listed: &DeliveredFile, program: Option<&Program>) -> Result<ScannedFile, Rejection> {
    let path = inside(folder, &listed.path)?;
    let found = std::fs::metadata(&path).map_err(|_| Rejection::Missing(listed.path.clone()))?.len();
    if found != listed.bytes {
        return Err(Rejection::Size { path: listed.path.clone(), found, listed: listed.bytes });
    }
    let read = |source| Rejection::Read { path: path.clone(), source };
    let mut file = File::open(&path).map_err(read)?;
    let stamp = Stamp::of(&file).map_err(read)?;
    let needles = program.map(Program::header_needles).unwrap_or_default();
    let (mut scanned, digest) = scan(&mut file, &path, stamp, &needles).map_err(read)?;
    if let Some(program) = program.filter(|program| program.has_other_ends()) {
        file.rewind().map_err(read)?;
        (scanned.block_lines, scanned.is_open) = (vec![count(program, &mut file).map_err(read)?], false);
    }
    let package = match program.filter(|program| program.is_package() && digest == listed.sha256) {
        Some(program) => {
            file.rewind().map_err(read)?;
            formats::inspect(program, &mut file)
        }
        None => Ok(()),
    };
    if Stamp::of(&file).map_err(read)? != scanned.stamp {
        return Err(Rejection::Changed(listed.path.clone()));
    }
    if digest != listed.sha256 {
        return Err(Rejection::Digest(listed.path.clone()));
    }
    package.map_err(|source| Rejection::Package { path: listed.path.clone(), source })?;
    Ok(scanned)
}

/// The lines of a file that other ends than LF end; such a file is not cut, so where they lie does not matter.
fn count(program: &Program, file: &mut File) -> std::io::Result<u64> {
    let (mut lines, mut count) = (program.lines(file), 0);
    while lines.next_line()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn inside(folder: &Path, path: &str) -> Result<PathBuf, Rejection> {
    let relative = Path::new(path);
    let is_plain = !path.is_empty() && relative.components().all(|part| matches!(part, Component::Normal(_)));
    // A link could lead out although every part of its name stays.
    let is_straight = relative
        .ancestors()
        .filter(|part| !part.as_os_str().is_empty())
        .all(|part| !folder.join(part).symlink_metadata().is_ok_and(|found| found.file_type().is_symlink()));
    if !is_plain || !is_straight {
        return Err(Rejection::Path(path.to_owned()));
    }
    Ok(folder.join(relative))
}

pub(super) fn scan(
    file: &mut File,
    path: &Path,
    stamp: Stamp,
    headers: &[Vec<u8>],
) -> std::io::Result<(ScannedFile, String)> {
    let mut digest = Context::new(&SHA256);
    let mut found = ScannedFile {
        path: path.to_owned(),
        bytes: 0,
        block_lines: Vec::new(),
        is_open: false,
        headers: Vec::new(),
        stamp,
    };
    let overlap = headers.iter().map(Vec::len).max().unwrap_or(0);
    let size = BLOCK.min(usize::try_from(file.metadata()?.len()).map_or(BLOCK, |bytes| bytes.max(1)));
    let (mut present, mut coming) = (Block::new(overlap, size), Block::new(overlap, size));
    present.fill(file)?;
    while present.read > 0 {
        // A digest takes one block after the other and is slower than all the rest, which goes on beside it.
        let (filled, ()) = rayon::join(
            || {
                found.look_over(&present, headers);
                coming.follow(&present);
                coming.fill(file)
            },
            || digest.update(present.content()),
        );
        filled?;
        std::mem::swap(&mut present, &mut coming);
    }
    found.headers.sort_unstable();
    found.headers.dedup();
    Ok((found, digest.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// A block of a file, behind the end of the block before: they overlap by the longest needle, so that none is missed
/// at a border. A file begins like a line does.
struct Block {
    buffer: Vec<u8>,
    /// Where its own bytes begin.
    start: usize,
    /// How many bytes of the block before stand in front of them.
    carried: usize,
    read: usize,
}

impl Block {
    fn new(overlap: usize, size: usize) -> Self {
        let buffer = vec![b'\n'; overlap + size];
        Self { buffer, start: overlap, carried: usize::from(overlap > 0), read: 0 }
    }

    /// Its own bytes.
    fn content(&self) -> &[u8] {
        self.buffer.get(self.start..self.start + self.read).unwrap_or_default()
    }

    /// Its bytes and those in front of them.
    fn window(&self) -> &[u8] {
        self.buffer.get(self.start - self.carried..self.start + self.read).unwrap_or_default()
    }

    /// Takes over the end of the block before.
    fn follow(&mut self, before: &Self) {
        let window = before.window();
        let end = window.get(window.len().saturating_sub(self.start)..).unwrap_or_default();
        self.carried = end.len();
        if let Some(room) = self.buffer.get_mut(self.start - end.len()..self.start) {
            room.copy_from_slice(end);
        }
    }

    /// Reads its own bytes.
    fn fill(&mut self, file: &mut File) -> std::io::Result<()> {
        self.read = read_full(file, self.buffer.get_mut(self.start..).unwrap_or_default())?;
        Ok(())
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let read = file.read(buffer.get_mut(filled..).unwrap_or_default())?;
        if read == 0 {
            break;
        }
        filled += read;
    }
    Ok(filled)
}
