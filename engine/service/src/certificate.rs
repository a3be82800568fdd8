//! Certificates: signed when a release is closed in the record, kept beside the release, given again with it.

use std::path::PathBuf;

use audit::{Closed, Digest, Event, Kind, SignedStatement, StatementKind};
use catalog_store::{Environment, KeyRole, SecretKey};
use engine_protocol::{BoardCertificate, Certificate, ReleasedTable, certificate_version};
use time::format_description::well_known::Rfc3339;

use crate::cases::{Retained, RetainedFiles};
use crate::guard::{Guard, GuardError};
use crate::ledger_file::LedgerError;
use crate::signing::signer;

/// What keys the salt of the board's copy.
const SALT: &str = "misu 2026-11 salt of a certificate's sealed copy";
/// What keys the reader's name for who was left out.
const LEFT_OUT: &str = "misu 2026-11 who was left out, on a certificate";

/// The table with its certificate. The one that was signed first is given again.
pub(crate) fn certified(
    guard: &Guard,
    kept: &Retained,
    table: ReleasedTable,
    closed: &Closed,
) -> Result<ReleasedTable, GuardError> {
    let path = RetainedFiles::new(&guard.environment).note(&kept.project, &kept.query);
    let note = match std::fs::read_to_string(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let note = sign(guard, kept, closed)?;
            write(&path, &note)?;
            let event = Event::new(Kind::CertificateSigned, "guard").project(kept.project.as_str());
            let digest = Digest::of(&[note.as_bytes()]);
            guard.log.record(event.subject(kept.query.as_str()).with("digest", digest))?;
            note
        }
        Err(source) => return Err(LedgerError::Io { doing: "read", path, source }.into()),
    };
    Ok(ReleasedTable { certificate: Some(note), ..table })
}

fn write(path: &PathBuf, note: &str) -> Result<(), GuardError> {
    let failed = |source| LedgerError::Io { doing: "write", path: path.clone(), source };
    let temporary = path.with_extension("writing");
    std::fs::write(&temporary, note).map_err(failed)?;
    Ok(std::fs::rename(&temporary, path).map_err(failed)?)
}

fn sign(guard: &Guard, kept: &Retained, closed: &Closed) -> Result<String, GuardError> {
    let unwritable = |_| GuardError::Bug("a certificate can be written");
    let board = board(&guard.environment.key(KeyRole::Ledger)?, kept)?;
    let (table, exclusion) = (&kept.table, exclusion(guard, kept)?);
    let (values, hidden) = table.values();
    let digest = |bytes: &[u8]| Digest::of(&[bytes]).to_string();
    let certificate = Certificate {
        // Of a release that an earlier version kept nobody knows who was left out.
        version: certificate_version(exclusion.as_deref(), &kept.lists).unwrap_or(1),
        at: guard.now().format(&Rfc3339).unwrap_or_default(),
        program: concat!("misu ", env!("CARGO_PKG_VERSION")).to_owned(),
        project: kept.project.clone(),
        query: kept.query.clone(),
        question: digest(kept.sql.as_bytes()),
        plan: kept.plan.clone(),
        lists: kept.lists.clone(),
        snapshot: table.snapshot.clone(),
        exclusion,
        rules: table.rules.clone(),
        rules_digest: kept.rule_digest.clone(),
        threshold: table.threshold,
        // Of what nobody asked, nothing is said.
        hidden_interval: kept.hidden_interval.unwrap_or(0),
        may_differ_by_fewer_than: table.threshold,
        values,
        hidden,
        ledger_entries: kept.ledger.0,
        ledger_head: kept.ledger.1.clone(),
        entry: closed.entry().seq(),
        entry_leaf: closed.leaf().to_string(),
        table: digest(&table.certified().map_err(unwritable)?),
        board,
    };
    let json = serde_json::to_string(&certificate).map_err(unwritable)?;
    let signed = SignedStatement::sign(StatementKind::Certificate, &json, &signer(&guard.environment)?);
    Ok(signed.ok_or(GuardError::Bug("a certificate is one line"))?.to_string())
}

/// The reader's name for who was left out. It follows from the ledger's key also where nobody has opted out, so it does
/// not tell whether anybody has.
fn exclusion(guard: &Guard, kept: &Retained) -> Result<Option<String>, GuardError> {
    let Some(left_out) = &kept.left_out else { return Ok(None) };
    let key = guard.environment.key(KeyRole::Ledger)?;
    let key = blake3::derive_key(LEFT_OUT, key.as_bytes());
    let place = format!("{}\n{}", kept.table.snapshot, left_out.exclusion);
    Ok(Some(blake3::keyed_hash(&key, place.as_bytes()).to_hex().to_string()))
}

/// The digest of the board's copy. Its salt follows from the ledger's key, so that it can be made again and not guessed.
fn board(key: &SecretKey, kept: &Retained) -> Result<String, LedgerError> {
    let key = blake3::derive_key(SALT, key.as_bytes());
    let place = format!("{}\n{}", kept.project, kept.query);
    let copy = BoardCertificate {
        query: kept.query.clone(),
        salt: blake3::keyed_hash(&key, place.as_bytes()).to_hex().to_string(),
        trace: kept.trace.clone(),
        cells: kept.cells.clone(),
        is_cut: kept.is_cut,
        left_out: kept.left_out.clone(),
        beyond: kept.beyond,
    };
    let bytes = serde_json::to_vec(&copy).map_err(|_| LedgerError::Entry)?;
    Ok(Digest::of(&[&bytes]).to_string())
}

/// Whether the sealed copy is the one that the certificate names; nothing where none was signed yet.
pub(crate) fn is_as_signed(environment: &Environment, kept: &Retained) -> Result<Option<bool>, LedgerError> {
    let path = RetainedFiles::new(environment).note(&kept.project, &kept.query);
    let note = match std::fs::read_to_string(&path) {
        Ok(note) => note,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(LedgerError::Io { doing: "read", path, source }),
    };
    let signed = SignedStatement::parse(StatementKind::Certificate, &note).ok();
    let certificate = signed.and_then(|signed| serde_json::from_str::<Certificate>(signed.json()).ok());
    let Some(certificate) = certificate else { return Ok(Some(false)) };
    // The key may have been another when it was signed.
    for key in environment.keys_of(KeyRole::Ledger)? {
        if board(&key, kept)? == certificate.board {
            return Ok(Some(true));
        }
    }
    Ok(Some(false))
}

#[cfg(test)]
mod tests {
    use catalog_store::{Config, Environment, KeyRole};

    use super::{Certificate, Retained, SignedStatement, StatementKind, board, is_as_signed, signer};
    use crate::cases::{RetainedFiles, retained_sample};

    /// A certificate of which only the board's part matters.
    fn note(environment: &Environment, kept: &Retained) -> String {
        let text = String::new;
        let certificate = Certificate {
            version: 1,
            at: text(),
            program: text(),
            project: kept.project.clone(),
            query: kept.query.clone(),
            question: text(),
            plan: text(),
            lists: vec![],
            snapshot: text(),
            exclusion: None,
            rules: text(),
            rules_digest: text(),
            threshold: 10,
            hidden_interval: 8,
            may_differ_by_fewer_than: 10,
            values: 0,
            hidden: 0,
            ledger_entries: 0,
            ledger_head: text(),
            entry: 0,
            entry_leaf: text(),
            table: text(),
            board: board(&environment.key(KeyRole::Ledger).unwrap(), kept).unwrap(),
        };
        let json = serde_json::to_string(&certificate).unwrap();
        let signed = SignedStatement::sign(StatementKind::Certificate, &json, &signer(environment).unwrap());
        signed.unwrap().to_string()
    }

    #[test]
    fn the_boards_copy_is_held_against_what_was_signed() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        let kept = retained_sample("p", "q1");
        let path = RetainedFiles::new(&environment).note("p", "q1");
        assert_eq!(is_as_signed(&environment, &kept).unwrap(), None);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, note(&environment, &kept)).unwrap();
        assert_eq!(is_as_signed(&environment, &kept).unwrap(), Some(true));
        let beyond = Some(engine_protocol::Beyond { nearly: 1, exactly: 0 });
        let changed = Retained { beyond, ..kept.clone() };
        assert_eq!(is_as_signed(&environment, &changed).unwrap(), Some(false));
        let changed = Retained { trace: vec![("few-persons".to_owned(), 3)], ..kept.clone() };
        assert_eq!(is_as_signed(&environment, &changed).unwrap(), Some(false));
        environment.keys().rotate(KeyRole::Ledger).unwrap();
        assert_eq!(is_as_signed(&environment, &kept).unwrap(), Some(true));
        std::fs::write(&path, "no certificate").unwrap();
        assert_eq!(is_as_signed(&environment, &kept).unwrap(), Some(false));
    }
}
