//! Names the code that reads deliveries, so that a part that another build left is not taken for one of this build.

use std::path::{Path, PathBuf};

/// Where what decides on a part's rows is written down: reading, keying and staging, and the layouts' form.
const SOURCES: [&str; 2] = ["src", "../catalog/model/src"];

fn main() {
    let mut files = Vec::new();
    for folder in SOURCES {
        collect(Path::new(folder), &mut files);
    }
    files.sort();
    let mut digest = Fnv::new();
    for file in &files {
        match std::fs::read(file) {
            Ok(content) => {
                digest.add(file.to_string_lossy().as_bytes());
                digest.add(&content);
            }
            Err(error) => println!("cargo::error=cannot read {}: {error}", file.display()),
        }
    }
    println!("cargo::rustc-env=READER={:016x}", digest.0);
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// FNV-1a: nobody chooses the sources to collide, so a small sum does.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, bytes: &[u8]) {
        for byte in (bytes.len() as u64).to_le_bytes().iter().chain(bytes) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
