//! Control groups for workers, where the configuration names folders that the guard may divide: version 2, or one
//! folder for each hierarchy of version 1.
//!
//! They are a second bound beside the worker's own limits: what counts here is memory that is used, not address space.
//! A folder that cannot be used starts no worker; a guard that was told to use control groups does not do without.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Tasks that a worker may have: its threads, and room.
const TASKS: u64 = 128;

/// The control groups of one worker; they are removed with this value, which must outlive the process.
#[derive(Debug)]
pub(crate) struct Groups(Vec<PathBuf>);

impl Groups {
    /// Makes a group below each folder, limits it to `memory` bytes, and puts the process into it.
    pub(crate) fn around(folders: &[PathBuf], process: u32, memory: u64) -> io::Result<Self> {
        let mut groups = Self(Vec::new());
        for folder in folders {
            let group = folder.join(format!("worker-{process}"));
            make(&group)?;
            groups.0.push(group.clone());
            limit(&group, memory)?;
            fs::write(group.join("cgroup.procs"), process.to_string())?;
        }
        Ok(groups)
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        for group in &self.0 {
            // The kernel removes a group's files with it. One that stays is empty, and in nobody's way.
            let _ = fs::remove_dir(group);
        }
    }
}

/// Makes the folder of a group. One that a former guard left behind has nobody in it; another cannot be removed.
fn make(group: &Path) -> io::Result<()> {
    match fs::create_dir(group) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_dir(group)?;
            fs::create_dir(group)
        }
        made => made,
    }
}

/// Writes the limits that the group's hierarchy has; a group without any is none.
fn limit(group: &Path, memory: u64) -> io::Result<()> {
    // In this order: of version 1, memory with swap may not be less than memory.
    let limits = [
        ("memory.max", memory),
        ("memory.swap.max", 0),
        ("memory.limit_in_bytes", memory),
        ("memory.memsw.limit_in_bytes", memory),
        ("pids.max", TASKS),
    ];
    // What a kernel without accounts of swap has not.
    let beside = ["memory.swap.max", "memory.memsw.limit_in_bytes"];
    let mut is_limited = false;
    for (file, value) in limits {
        let path = group.join(file);
        if path.try_exists()? {
            fs::write(path, value.to_string())?;
            is_limited = is_limited || !beside.contains(&file);
        }
    }
    if is_limited { Ok(()) } else { Err(io::Error::other("the folder has no controllers to limit")) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Groups, limit, make};

    #[test]
    fn the_limits_that_a_hierarchy_has_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        for name in ["memory.max", "memory.swap.max", "pids.max"] {
            fs::write(file(name), "max").unwrap();
        }
        limit(folder.path(), 77).unwrap();
        let said = |name: &str| fs::read_to_string(file(name)).unwrap();
        assert_eq!([said("memory.max"), said("memory.swap.max"), said("pids.max")], ["77", "0", "128"]);
        assert!(!file("memory.limit_in_bytes").exists());
    }

    #[test]
    fn each_hierarchy_of_version_1_has_its_own() {
        let [memory, tasks] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        for name in ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] {
            fs::write(memory.path().join(name), "9223372036854771712").unwrap();
        }
        fs::write(tasks.path().join("pids.max"), "max").unwrap();
        limit(memory.path(), 77).unwrap();
        limit(tasks.path(), 77).unwrap();
        let said = |folder: &tempfile::TempDir, name: &str| fs::read_to_string(folder.path().join(name));
        for name in ["memory.limit_in_bytes", "memory.memsw.limit_in_bytes"] {
            assert_eq!(said(&memory, name).unwrap(), "77");
        }
        assert_eq!(said(&tasks, "pids.max").unwrap(), "128");
        fs::remove_file(memory.path().join("memory.limit_in_bytes")).unwrap();
        assert!(limit(memory.path(), 77).is_err(), "swap alone bounds nothing");
    }

    #[test]
    fn a_group_that_was_left_behind_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join("worker-1");
        make(&group).unwrap();
        make(&group).unwrap();
        assert!(group.is_dir());
        // As the kernel does where somebody is in it.
        fs::write(group.join("cgroup.procs"), "1").unwrap();
        assert!(make(&group).is_err());
    }

    #[test]
    fn a_folder_that_limits_nothing_is_no_control_group() {
        let folder = tempfile::tempdir().unwrap();
        let folders = [folder.path().to_owned()];
        assert!(Groups::around(&folders, 1, 77).is_err());
        assert!(!folder.path().join("worker-1").exists(), "what was begun is taken away");
        assert!(Groups::around(&[folder.path().join("nothing")], 1, 77).is_err());
        assert!(Groups::around(&[], 1, 77).is_ok());
    }
}
