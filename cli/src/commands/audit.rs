//! `misu audit`: the record, verified without an environment as well.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use audit::{SignedCheckpoint, Tree, VerifierKey};
use clap::Subcommand;
use serde_json::json;

use super::signed;
use crate::failure::Failure;
use crate::programs::Program;
use crate::screen;

/// What to do with the record.
#[derive(Subcommand)]
pub(crate) enum Audit {
    /// Checks that nothing was changed, removed or put in; says where if something was.
    Verify {
        /// The environment.
        #[arg(long, required_unless_present = "log")]
        env: Option<PathBuf>,
        /// A copied log instead of an environment's.
        #[arg(long, conflicts_with = "env")]
        log: Option<PathBuf>,
        /// A checkpoint that was handed out: the log must be the one that it was signed over.
        #[arg(long, requires = "key")]
        checkpoint: Option<PathBuf>,
        /// The key that signed the checkpoint, as name+hash+base64 or a file that holds it.
        #[arg(long, requires = "checkpoint")]
        key: Option<String>,
    },
    /// Checks a release's certificate against its table, and its entry against a proof; needs no environment.
    VerifyRelease {
        /// The certificate (`misu query --certificate`), or a table in JSON that carries it.
        certificate: PathBuf,
        /// The table in JSON (`misu query --format json`).
        #[arg(long)]
        table: PathBuf,
        /// The key that signs for the environment, as name+hash+base64 or a file that holds it.
        #[arg(long)]
        key: String,
        /// A proof that the certificate's entry stands in the record (`misu audit prove --entry`).
        #[arg(long)]
        proof: Option<PathBuf>,
    },
    /// Checks the signed record of a project's deletion and prints it; needs no environment.
    VerifyDeletion {
        /// The record.
        record: PathBuf,
        /// The key that signs for the environment, as name+hash+base64 or a file that holds it.
        #[arg(long)]
        key: String,
    },
    /// Adds the review board's signature to the last checkpoint, which is then stored with it.
    Countersign {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// The file with the board's secret key: 64 hexadecimal digits. It is made where it is not there.
        #[arg(long)]
        key: PathBuf,
        /// The board's name in its signature.
        #[arg(long, default_value = "board")]
        name: String,
    },
    /// Signs a checkpoint over the record and prints it.
    Checkpoint {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
    },
    /// Proves that an entry stands in the record of the last checkpoint, or that it continues an earlier one.
    Prove {
        /// The environment.
        #[arg(long)]
        env: PathBuf,
        /// The entry's number.
        #[arg(long, required_unless_present = "since", conflicts_with = "since")]
        entry: Option<u64>,
        /// The size of the earlier checkpoint.
        #[arg(long)]
        since: Option<u64>,
    },
}

impl Audit {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        match self {
            Self::Verify { env, log, checkpoint, key } => {
                let path = log.or_else(|| env.as_deref().map(log_of));
                let path = path.ok_or_else(|| Failure::Call("--env or --log is missing".to_owned()))?;
                let pair = checkpoint.zip(key);
                verify(&path, env.as_deref(), pair.as_ref().map(|(note, key)| (note.as_path(), key.as_str())))
            }
            Self::Checkpoint { env } => {
                let arguments = ["checkpoint".to_owned(), "--env".to_owned(), env.display().to_string()];
                Program::Guard.run(&arguments).map(|()| ExitCode::SUCCESS)
            }
            Self::Prove { env, entry, since } => prove(&env, entry, since),
            Self::VerifyRelease { certificate, table, key, proof } => {
                signed::release((&certificate, &table), &key_of(&key)?, proof.as_deref())
            }
            Self::VerifyDeletion { record, key } => signed::deletion(&record, &key_of(&key)?),
            Self::Countersign { env, key, name } => signed::countersign(&env, &key, &name),
        }
    }
}

fn log_of(env: &Path) -> PathBuf {
    env.join("audit").join(audit::LOG_FILE)
}

fn verify(log: &Path, env: Option<&Path>, pair: Option<(&Path, &str)>) -> Result<ExitCode, Failure> {
    let verified = match audit::verify_file(log) {
        Ok(verified) => verified,
        Err(error) => {
            screen::say(&reports::audit::broken(&error, screen::language()));
            return Ok(ExitCode::FAILURE);
        }
    };
    screen::say(&reports::audit::verified(&verified, screen::language()));
    let found = match (pair, env) {
        (Some((note, key)), _) => Some(checkpoint(log, &read(note)?, &key_of(key)?)),
        (None, Some(env)) => last_checkpoint(log, env)?,
        (None, None) => None,
    };
    let text = match found {
        None => return Ok(ExitCode::SUCCESS),
        Some(Ok(size)) => {
            format!("the checkpoint over {size} entries is signed, and the record is the one it speaks of\n")
        }
        Some(Err(error)) => {
            screen::say(&format!("the checkpoint does not hold: {error}\n"));
            return Ok(ExitCode::FAILURE);
        }
    };
    screen::say(&text);
    Ok(ExitCode::SUCCESS)
}

/// The last checkpoint of an environment with the key beside it; nothing where none was signed yet.
fn last_checkpoint(log: &Path, env: &Path) -> Result<Option<Result<u64, String>>, Failure> {
    let folder = env.join("audit");
    let (note, key) = (folder.join(audit::TREE_FOLDER).join("checkpoint"), folder.join("checkpoint.key"));
    if !note.exists() || !key.exists() {
        return Ok(None);
    }
    let found = checkpoint(log, &read(&note)?, &read(&key)?);
    let changed = || -> Option<u64> {
        Tree::at(&folder).first_changed(BufReader::new(File::open(log).ok()?)).ok().flatten()
    };
    Ok(Some(found.map_err(|error| match changed() {
        Some(seq) => format!("{error}; entry {seq} is the first that was rewritten or is missing"),
        None => error,
    })))
}

fn checkpoint(log: &Path, note: &str, key: &str) -> Result<u64, String> {
    let key = VerifierKey::parse(key).map_err(|error| error.to_string())?;
    let signed = SignedCheckpoint::parse(note).map_err(|error| error.to_string())?;
    signed.verify(&key).map_err(|error| error.to_string())?;
    let file = File::open(log).map_err(|error| error.to_string())?;
    audit::verify_checkpoint(BufReader::new(file), signed.checkpoint()).map_err(|error| error.to_string())?;
    Ok(signed.checkpoint().size)
}

pub(super) fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path)
        .map_err(|error| Failure::Call(format!("cannot read {}: {error}", path.display())))
}

fn key_of(key: &str) -> Result<String, Failure> {
    if VerifierKey::parse(key).is_ok() { Ok(key.to_owned()) } else { read(Path::new(key)) }
}

fn prove(env: &Path, entry: Option<u64>, since: Option<u64>) -> Result<ExitCode, Failure> {
    let tree = Tree::at(&env.join("audit"));
    let no_proof = |error: audit::TreeError| Failure::Call(error.to_string());
    let (hashes, signed) = match (entry, since) {
        (Some(entry), _) => {
            let proof = tree.inclusion(entry).map_err(no_proof)?;
            (proof.hashes, proof.checkpoint)
        }
        (None, Some(since)) => tree.consistency(since).map_err(no_proof)?,
        (None, None) => return Err(Failure::Call("--entry or --since is missing".to_owned())),
    };
    let hashes: Vec<String> = hashes.iter().map(ToString::to_string).collect();
    let proof = json!({ "entry": entry, "since": since, "hashes": hashes, "checkpoint": signed.to_string() });
    screen::say(&format!("{proof}\n"));
    Ok(ExitCode::SUCCESS)
}
