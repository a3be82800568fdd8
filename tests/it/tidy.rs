//! What a reader of the tree may rely on.

use std::path::{Path, PathBuf};

fn files(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with('.') || matches!(name.as_str(), "target" | "node_modules" | "misu-demo") {
            continue;
        }
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn all(extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&crate::root(), extension, &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn every_rust_file_says_what_it_is() {
    for (path, text) in all("rs") {
        assert!(text.starts_with("//! "), "{} does not open with //!", path.display());
    }
}

#[test]
fn no_test_is_ignored_and_nothing_is_left_to_do() {
    // Written apart, so that this file does not find itself.
    let words = [
        concat!("#[", "ignore"),
        concat!("#[", "should_panic"),
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        // A folder noted at build time is another clone's when the build folder is shared.
        concat!("CARGO_MANIFEST", "_DIR"),
    ];
    for (path, text) in all("rs") {
        for word in words {
            assert!(!text.contains(word), "{} has {word}", path.display());
        }
    }
}

#[test]
fn links_in_documents_lead_somewhere() {
    for (path, text) in all("md") {
        for (at, _) in text.match_indices("](") {
            let target = text.get(at + 2..).unwrap().split(')').next().unwrap();
            let target = target.split('#').next().unwrap();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let resolved = path.parent().unwrap().join(target);
            assert!(resolved.exists(), "{} links to {target}", path.display());
        }
    }
}

#[test]
fn decisions_are_dated_and_short() {
    for entry in std::fs::read_dir(crate::root().join("docs/decisions")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(name.as_bytes()[..4].iter().all(u8::is_ascii_digit), "{name} has no number");
        assert!(text.contains("Date: "), "{name} has no date");
        assert!(text.lines().count() <= 60, "{name} is long");
    }
}

#[test]
fn dependencies_are_looked_at_with_every_change() {
    let read = |path: &str| std::fs::read_to_string(crate::root().join(path)).unwrap();
    // What a change must pass is `make test`, and that looks at licences, sources and bans of what is locked.
    assert!(read(".ci/run").lines().any(|line| line == "exec make test"));
    let makefile = read("Makefile");
    let recipe = |target: &str| {
        let (_, rest) = makefile.split_once(&format!("\n{target}:")).unwrap();
        let lines = rest.lines().skip(1).take_while(|line| line.starts_with('\t'));
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    };
    assert!(recipe("test").contains("cargo deny --locked check bans licenses sources"));
    // Advisories take the network, so they have a target of their own, with nothing left out.
    assert_eq!(recipe("deny"), "cargo deny --locked check");
    let rules: toml::Table = toml::from_str(&read("deny.toml")).unwrap();
    assert_eq!(rules["sources"]["unknown-git"].as_str(), Some("deny"));
    assert_eq!(rules["sources"]["unknown-registry"].as_str(), Some("deny"));
    assert_eq!(rules["advisories"]["yanked"].as_str(), Some("deny"));
    assert!(rules["advisories"].get("ignore").is_none(), "no advisory is left out");
    assert!(rules["bans"]["deny"].as_array().unwrap().iter().all(|ban| ban.get("reason").is_some()));
}
