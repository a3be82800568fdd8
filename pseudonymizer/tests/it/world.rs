//! Running the program, and writing small deliveries by hand.

use std::path::Path;
use std::process::{Command, Output};

use ring::digest::{SHA256, digest};

/// Runs `misu-ingest`.
pub(crate) fn ingest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_misu-ingest")).args(arguments).output().unwrap()
}

/// Runs `misu-ingest`, which must succeed; what it printed.
pub(crate) fn ok(arguments: &[&str]) -> String {
    let output = ingest(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `misu-ingest`, which must fail; what it said.
pub(crate) fn refused(arguments: &[&str]) -> String {
    let output = ingest(arguments);
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What `misu-ingest` printed, as JSON.
pub(crate) fn json(arguments: &[&str]) -> serde_json::Value {
    serde_json::from_str(&ok(arguments)).unwrap()
}

/// Writes a delivery of April 2023 with the files given as (name, family, bytes).
pub(crate) fn write_delivery(folder: &Path, name: &str, database: &str, files: &[(&str, &str, &[u8])]) {
    std::fs::create_dir_all(folder).unwrap();
    let mut list = format!(
        "[delivery]\nname = \"{name}\"\ndatabase = \"{database}\"\nholder = \"架空の保有者\"\nmonth = \"2023-04\"\n"
    );
    for (path, family, bytes) in files {
        std::fs::write(folder.join(path), bytes).unwrap();
        let sha256: String =
            digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        list.push_str(&format!(
            "\n[[file]]\npath = \"{path}\"\nfamily = \"{family}\"\nbytes = {}\nsha256 = \"{sha256}\"\n",
            bytes.len()
        ));
    }
    std::fs::write(folder.join("delivery.toml"), list).unwrap();
}

/// Runs the step again and again, killing it later each time, until it ends by itself; how often it was killed.
pub(crate) fn killed_until_done(step: &[&str]) -> u64 {
    for attempt in 1_u64.. {
        let mut child = Command::new(env!("CARGO_BIN_EXE_misu-ingest"))
            .args(step)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let begun = std::time::Instant::now();
        let limit = std::time::Duration::from_millis(attempt * attempt * 3);
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                assert!(status.success(), "{step:?}");
                return attempt - 1;
            }
            if begun.elapsed() >= limit {
                break;
            }
            std::thread::yield_now();
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    unreachable!()
}

/// Copies a folder.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { std::fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}
