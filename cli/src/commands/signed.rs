//! What the environment's key and the board's key have signed: certificates, deletion records, checkpoints.

use std::fs::File;
use std::io::{BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;

use audit::{
    Event, Kind, Log, NoteSigner, SignedStatement, SignerKind, StatementKind, Tree, VerifierKey,
    verify_checkpoint,
};
use catalog_store::{KeyError, SecretKey};
use engine_protocol::ReleasedTable;
use time::OffsetDateTime;

use super::audit::read;
use crate::failure::{Failure, io};
use crate::screen;

/// Checks a release's certificate, given by itself or carried by the table.
pub(super) fn release(
    (certificate, table): (&Path, &Path),
    key: &str,
    proof: Option<&Path>,
) -> Result<ExitCode, Failure> {
    let no_table = |_| Failure::Call(format!("{} is no released table in JSON", table.display()));
    let released: ReleasedTable = serde_json::from_str(&read(table)?).map_err(no_table)?;
    let note = read(certificate)?;
    let carried = serde_json::from_str::<ReleasedTable>(&note).ok().and_then(|table| table.certificate);
    let proof = proof.map(read).transpose()?;
    let key = parsed(key)?;
    Ok(match reports::certificate::verify(&carried.unwrap_or(note), &released, &key, proof.as_deref()) {
        Ok(certified) => {
            screen::say(&reports::certificate::text(&certified, screen::language()));
            ExitCode::SUCCESS
        }
        Err(fault) => {
            screen::say(&format!("the certificate does not hold: {fault}\n"));
            ExitCode::FAILURE
        }
    })
}

/// Checks a deletion record and prints what it says.
pub(super) fn deletion(record: &Path, key: &str) -> Result<ExitCode, Failure> {
    let key = parsed(key)?;
    let note = read(record)?;
    let found = SignedStatement::parse(StatementKind::Deletion, &note);
    Ok(match found.and_then(|signed| signed.verify(&key).map(|()| signed)) {
        Ok(signed) => {
            screen::say(&format!(
                "the deletion record is signed by {}\n{}",
                key.name(),
                members(signed.json())
            ));
            ExitCode::SUCCESS
        }
        Err(fault) => {
            screen::say(&format!("the deletion record does not hold: {fault}\n"));
            ExitCode::FAILURE
        }
    })
}

/// What a record says, one member on a line.
fn members(json: &str) -> String {
    let read = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(json).unwrap_or_default();
    let line = |(name, value): (&String, &serde_json::Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        format!("{}: {value}\n", name.replace('_', " "))
    };
    read.iter().map(line).collect()
}

/// Signs the last checkpoint as the board, which has seen that the record is the one it speaks of.
pub(super) fn countersign(env: &Path, key: &Path, name: &str) -> Result<ExitCode, Failure> {
    let folder = env.join("audit");
    let tree = Tree::at(&folder);
    let fault = |error: &dyn std::error::Error| Failure::Call(error.to_string());
    let signed = tree.last().map_err(|error| fault(&error))?;
    let signed = signed.ok_or_else(|| Failure::Call("no checkpoint was signed yet".to_owned()))?;
    let log = folder.join(audit::LOG_FILE);
    let file = File::open(&log).map_err(io("read", log))?;
    // The board signs what it has seen: the record itself, not what somebody says of it.
    if let Err(error) = verify_checkpoint(BufReader::new(file), signed.checkpoint()) {
        screen::say(&format!("the record is not that of the checkpoint: {error}\n"));
        return Ok(ExitCode::FAILURE);
    }
    let signer = NoteSigner::new(name, SignerKind::Witness, &board_key(key)?);
    let signer = signer.ok_or_else(|| Failure::Call("a name has no space and no plus".to_owned()))?;
    let now = OffsetDateTime::now_utc();
    let record = Log::open(&folder, OffsetDateTime::now_utc).map_err(|error| fault(&error))?;
    let event = Event::new(Kind::CheckpointCountersigned, name);
    let event = event.with("size", signed.checkpoint().size).with("key", signer.verifier().to_string());
    record.record(event).map_err(|error| fault(&error))?;
    let seen = signed.witness(&signer, u64::try_from(now.unix_timestamp()).unwrap_or_default());
    tree.keep_witnessed(&seen).map_err(|error| fault(&error))?;
    screen::say(&format!("{seen}board's key: {}\n", signer.verifier()));
    Ok(ExitCode::SUCCESS)
}

fn parsed(key: &str) -> Result<VerifierKey, Failure> {
    VerifierKey::parse(key).map_err(|error| Failure::Call(error.to_string()))
}

/// The board's secret key; a new one where the file is not there.
fn board_key(path: &Path) -> Result<[u8; 32], Failure> {
    if !path.exists() {
        let random = |error: KeyError| Failure::Fault(error.to_string());
        let seed = *SecretKey::random().map_err(random)?.as_bytes();
        let digits: String = seed.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut options = File::options();
        let file = options.write(true).create_new(true).mode(0o600).open(path);
        file.and_then(|mut file| writeln!(file, "{digits}")).map_err(io("write", path))?;
        return Ok(seed);
    }
    let text = read(path)?;
    let digest = audit::Digest::parse(text.trim());
    let digest = digest.ok_or_else(|| Failure::Call("a key has 64 hexadecimal digits".to_owned()))?;
    Ok(*digest.as_bytes())
}
