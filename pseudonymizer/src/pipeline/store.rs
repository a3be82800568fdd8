//! Small files and directories that appear at once.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a file under a temporary name, brings it to disk and gives it its name.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension("writing");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    sync_folder(path)
}

/// Gives a completed directory its name; one that is there from an earlier run stays.
pub(super) fn settle_folder(temporary: &Path, path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return std::fs::remove_dir_all(temporary);
    }
    std::fs::rename(temporary, path)
}

/// Brings everything that was written to the folder's file system to disk: one call before a commit instead of one for
/// every file.
pub(super) fn sync_filesystem(folder: &Path) -> std::io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(folder)?)?)
}

/// Makes an empty directory, removing what a killed run left there.
pub(super) fn fresh_folder(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        std::fs::remove_dir_all(path)?;
    }
    std::fs::create_dir_all(path)
}

/// Writes a value as JSON; it is brought to disk by whoever commits.
pub(super) fn write_json<T: Serialize>(path: &Path, value: &T) -> std::io::Result<()> {
    std::fs::write(path, serde_json::to_vec_pretty(value)?)
}

/// Reads a JSON file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> std::io::Result<T> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        // A name alone lies in the present folder.
        Some(folder) if folder.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::sync_folder;

    #[test]
    fn a_name_alone_lies_in_the_present_folder() {
        for path in ["report.json", "./report.json", "/report.json"] {
            assert!(sync_folder(Path::new(path)).is_ok(), "{path}");
        }
    }
}
