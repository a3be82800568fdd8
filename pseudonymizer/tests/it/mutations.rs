//! Any change of a byte gives rows and faults whose counts add up, never a panic.
#![cfg(test)]

use std::sync::LazyLock;

use catalog_model::Catalogue;
use proptest::prelude::*;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::builtin().unwrap());
static INPUTS: LazyLock<Vec<(String, Vec<u8>)>> = LazyLock::new(inputs);

fn inputs() -> Vec<(String, Vec<u8>)> {
    let root = std::env::current_dir().unwrap().join("tests/cases");
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    let input = |folder: &std::path::PathBuf| {
        let text = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let family = text("family").trim().to_owned();
        let encoding = CATALOGUE.families[&family].framing.encoding;
        let bytes = super::bytes(&text("input"), encoding);
        (family, bytes)
    };
    folders.iter().map(input).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_mutated_file_is_read_to_its_end_and_its_account_closes(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let inputs = &*INPUTS;
        let (family, bytes) = &inputs[which.index(inputs.len())];
        let mut bytes = bytes.clone();
        for (place, byte, how) in changes {
            let at = place.index(bytes.len().max(1));
            match how {
                0 if at < bytes.len() => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 if at < bytes.len() => { bytes.remove(at); }
                _ => {}
            }
        }
        // `read` asserts that the account closes.
        super::read(&CATALOGUE, family, &bytes);
    }
}

#[test]
fn a_file_without_line_ends_is_not_held_whole_and_is_accounted_for() {
    for (family, bytes) in INPUTS.iter().step_by(15) {
        // The second line goes on for twice as long as any record, and then comes the file once more.
        let first = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        let second = bytes[first..].split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap();
        let endless = [&bytes[..first], second, &vec![b'1'; 9 << 20], b"\r\n", bytes].concat();
        super::read(&CATALOGUE, family, &endless);
    }
}
