//! The tree behind a log: checkpoints, proofs, and what they find that the chain alone does not.

#![cfg(test)]

use std::fs;
use std::path::Path;

use audit::{
    Event, Kind, LOG_FILE, Log, NoteSigner, SignedCheckpoint, SignerKind, Tree, TreeError, VerifierKey,
    continues, includes, leaf, verify, verify_checkpoint,
};
use time::OffsetDateTime;

const FIXED: fn() -> OffsetDateTime = || OffsetDateTime::UNIX_EPOCH;

fn signer() -> NoteSigner {
    NoteSigner::new("misu.example/log", SignerKind::Log, &[5; 32]).unwrap()
}

fn record(log: &Log, from: u32, to: u32) {
    for n in from..to {
        let _ = log.record(Event::new(Kind::View, "reader").with("page", u64::from(n))).unwrap();
    }
}

fn lines(folder: &Path) -> Vec<u8> {
    fs::read(folder.join(LOG_FILE)).unwrap()
}

#[test]
fn a_checkpoint_grows_with_the_log_and_proves_it() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let tree = Tree::at(folder.path());
    assert_eq!(tree.checkpoint(&signer()).unwrap().checkpoint().size, 0);
    record(&log, 0, 300);
    let old = tree.checkpoint(&signer()).unwrap();
    assert_eq!(tree.checkpoint(&signer()).unwrap(), old);
    record(&log, 300, 701);
    let new = tree.checkpoint(&signer()).unwrap();
    assert_eq!((old.checkpoint().size, new.checkpoint().size), (300, 701));
    verify_checkpoint(&*lines(folder.path()), old.checkpoint()).unwrap();
    verify_checkpoint(&*lines(folder.path()), new.checkpoint()).unwrap();

    let key = VerifierKey::parse(&signer().verifier().to_string()).unwrap();
    let proof = tree.inclusion(417).unwrap();
    proof.checkpoint.verify(&key).unwrap();
    let text = lines(folder.path());
    let line = text.split(|byte| *byte == b'\n').nth(417).unwrap();
    let point = proof.checkpoint.checkpoint();
    assert!(includes(leaf(line), 417, point.size, &proof.hashes, point.root));
    let (hashes, signed) = tree.consistency(300).unwrap();
    let (from, to) = (old.checkpoint(), signed.checkpoint());
    assert!(continues((from.size, from.root), (to.size, to.root), &hashes));
    assert!(matches!(tree.inclusion(701), Err(TreeError::NotThere { size: 701 })));
}

#[test]
fn a_log_cut_off_or_rewritten_from_some_entry_on_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let tree = Tree::at(folder.path());
    record(&log, 0, 50);
    let noted = tree.checkpoint(&signer()).unwrap();
    let whole = lines(folder.path());

    // Forged with the log's own functions from entry 20 on: the chain holds, the root does not.
    let forged = tempfile::tempdir().unwrap();
    let again = Log::create(forged.path(), FIXED).unwrap();
    record(&again, 0, 20);
    record(&again, 21, 51);
    let rewritten = lines(forged.path());
    assert_eq!(verify(&*rewritten).unwrap().entries, 50);
    for log in [&rewritten[..], &whole[..whole.len() / 2]] {
        let found = verify_checkpoint(log, noted.checkpoint());
        assert!(matches!(found, Err(TreeError::Rewritten { size: 50 })));
    }
    assert_eq!(tree.first_changed(&*rewritten).unwrap(), Some(20));
    assert_eq!(tree.first_changed(&*whole).unwrap(), None);

    // Put in place, it gets no further checkpoint, not even where the tree is grown anew.
    fs::write(folder.path().join(LOG_FILE), &rewritten).unwrap();
    fs::remove_file(folder.path().join("tree/position")).unwrap();
    record(&log, 60, 61);
    assert!(matches!(tree.checkpoint(&signer()), Err(TreeError::Rewritten { size: 50 })));
}

#[test]
fn lost_or_torn_tiles_are_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let tree = Tree::at(folder.path());
    record(&log, 0, 260);
    let before = tree.checkpoint(&signer()).unwrap();
    fs::remove_dir_all(folder.path().join("tree/tile/0")).unwrap();
    record(&log, 260, 270);
    let after = tree.checkpoint(&signer()).unwrap();
    verify_checkpoint(&*lines(folder.path()), after.checkpoint()).unwrap();
    let (hashes, _) = tree.consistency(260).unwrap();
    let (from, to) = (before.checkpoint(), after.checkpoint());
    assert!(continues((from.size, from.root), (to.size, to.root), &hashes));
}

#[test]
fn the_boards_signature_is_kept_beside_the_logs() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::create(folder.path(), FIXED).unwrap();
    let tree = Tree::at(folder.path());
    record(&log, 0, 3);
    let board = NoteSigner::new("board.example", SignerKind::Witness, &[6; 32]).unwrap();
    let seen = tree.checkpoint(&signer()).unwrap().witness(&board, 1_700_000_000);
    tree.keep_witnessed(&seen).unwrap();
    let stored = SignedCheckpoint::parse(&fs::read_to_string(folder.path().join("tree/checkpoint")).unwrap());
    assert_eq!(stored.unwrap().verify(board.verifier()), Ok(Some(1_700_000_000)));
    record(&log, 3, 4);
    let _ = tree.checkpoint(&signer()).unwrap();
    assert!(matches!(tree.keep_witnessed(&seen), Err(TreeError::Rewritten { size: 3 })));
}
