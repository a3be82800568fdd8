//! Lists the shipped catalogue files, so that every program carries them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() {
    // The script runs in its package's folder. Texts are copied, not referred to: a build folder may serve many clones.
    let root = Path::new("..");
    let mut files = Vec::new();
    for room in ["codes", "layouts", "schemes", "tables"] {
        println!("cargo::rerun-if-changed={}", root.join(room).display());
        collect(&root.join(room), &mut files);
    }
    files.sort();
    let mut text = String::from(
        "/// The catalogue files that this build ships, as (path below `catalog/`, text).\n\
         pub const BUILTIN: &[(&str, &str)] = &[\n",
    );
    for file in &files {
        match std::fs::read_to_string(file) {
            Ok(content) => {
                let name = file.strip_prefix(root).unwrap_or(file).display().to_string();
                let _ = writeln!(text, "    ({name:?}, {content:?}),");
            }
            Err(error) => println!("cargo::error=cannot read {}: {error}", file.display()),
        }
    }
    text.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR").unwrap_or_default()).join("builtin.rs");
    if let Err(error) = std::fs::write(&out, text) {
        println!("cargo::error=cannot write {}: {error}", out.display());
    }
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
}
