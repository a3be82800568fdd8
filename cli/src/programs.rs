//! The programs beside this one.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use crate::failure::Failure;

/// A program of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// Reads identities.
    Ingest,
    /// Counts what staged rows are like.
    Quality,
    /// Holds permits and the record.
    Guard,
    /// Runs one query, locked in.
    Worker,
    /// Speaks HTTP.
    Gateway,
}

impl Program {
    /// The program's name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "misu-ingest",
            Self::Quality => "misu-quality",
            Self::Guard => "misu-guard",
            Self::Worker => "misu-worker",
            Self::Gateway => "misu-gateway",
        }
    }

    /// A command that starts it.
    pub(crate) fn command(self) -> Result<Command, Failure> {
        let own =
            std::env::current_exe().map_err(|source| Failure::Start { program: self.name(), source })?;
        let path: PathBuf = own.with_file_name(self.name());
        if path.is_file() { Ok(Command::new(path)) } else { Err(Failure::Missing(path)) }
    }

    /// Runs it to its end with our own streams.
    pub(crate) fn run(self, arguments: &[String]) -> Result<(), Failure> {
        let status = self.command()?.args(arguments).status();
        self.check(status.map_err(|source| Failure::Start { program: self.name(), source })?)
    }

    /// Runs it to its end with our own streams and passes its exit code on, which is an answer.
    pub(crate) fn code(self, arguments: &[String]) -> Result<ExitCode, Failure> {
        let status = self.command()?.args(arguments).status();
        let status = status.map_err(|source| Failure::Start { program: self.name(), source })?;
        let code = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
    }

    /// Runs it to its end and takes what it prints; what it tells goes to our standard error.
    pub(crate) fn output(self, arguments: &[String]) -> Result<Vec<u8>, Failure> {
        let output = self
            .command()?
            .args(arguments)
            .stderr(Stdio::inherit())
            .output()
            .map_err(|source| Failure::Start { program: self.name(), source })?;
        self.check(output.status)?;
        Ok(output.stdout)
    }

    /// Runs it to its end with this on its standard input.
    pub(crate) fn take(self, arguments: &[String], text: &[u8]) -> Result<(), Failure> {
        let start = |source| Failure::Start { program: self.name(), source };
        let mut child = self.command()?.args(arguments).stdin(Stdio::piped()).spawn().map_err(start)?;
        if let Some(mut stdin) = child.stdin.take() {
            // Where it ends before it has read all, its exit code says why.
            let _ = stdin.write_all(text);
        }
        self.check(child.wait().map_err(start)?)
    }

    fn check(self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        // A signal has no code; it is our fault like any other end that nobody planned.
        let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
        Err(Failure::Ended { program: self.name(), code })
    }
}

/// How this program is called from a shell: by its name where the path leads to it, otherwise by where it lies.
pub(crate) fn called() -> String {
    let Ok(this) = std::env::current_exe() else { return "misu".to_owned() };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_found = std::env::split_paths(&path)
        .map(|folder| folder.join("misu"))
        .find(|candidate| candidate.is_file())
        .and_then(|candidate| candidate.canonicalize().ok())
        .is_some_and(|candidate| candidate == this);
    if is_found { "misu".to_owned() } else { this.display().to_string() }
}
