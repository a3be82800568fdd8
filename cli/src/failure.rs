//! Why a command failed, and the exit code that says whose fault it is.

use std::path::PathBuf;
use std::process::ExitCode;

use engine_protocol::FrameError;

/// 3: the question was refused.
pub(crate) const REFUSED: u8 = 3;
/// 4: the permit does not cover it.
pub(crate) const DENIED: u8 = 4;
/// 5: nothing can be released.
pub(crate) const WITHHELD: u8 = 5;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A program of ours is not beside this one.
    #[error("there is no program {0}; all programs of misu lie in one directory")]
    Missing(PathBuf),
    /// A program cannot be started.
    #[error("cannot start {program}")]
    Start {
        /// The program.
        program: &'static str,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A program ended with an error, which it told itself.
    #[error("{program} ended with code {code}")]
    Ended {
        /// The program.
        program: &'static str,
        /// Its exit code.
        code: u8,
    },
    /// The guard's answer cannot be read.
    #[error("the guard's answer cannot be read")]
    Guard(#[from] FrameError),
    /// A fault of ours that the guard tells.
    #[error("{0}")]
    Fault(String),
    /// A file cannot be read or written.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// Output of a program of ours is not of the form that it guarantees.
    #[error("{program} printed something that is not {what}")]
    Form {
        /// The program.
        program: &'static str,
        /// What was expected.
        what: &'static str,
    },
    /// The synthetic deliveries cannot be written.
    #[error(transparent)]
    Synthetic(#[from] synthetic::SynthError),
    /// The shipped catalogue has errors.
    #[error("the shipped catalogue has errors: {0}")]
    Catalogue(String),
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] catalog_store::EnvironmentError),
    /// A report cannot be made.
    #[error("the table cannot be written in this format")]
    Table(#[from] reports::table::TableError),
    /// The command cannot be carried out as it was called.
    #[error("{0}")]
    Call(String),
}

impl Failure {
    /// The error with its causes, in one line.
    pub(crate) fn text(&self) -> String {
        let error: &dyn std::error::Error = self;
        let causes = std::iter::successors(error.source(), |error| error.source());
        causes.fold(self.to_string(), |text, cause| format!("{text}: {cause}"))
    }

    /// The exit code.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Ended { code, .. } => ExitCode::from(*code),
            Self::Call(_) => ExitCode::from(2),
            _ => ExitCode::from(1),
        }
    }
}

/// Names a file in an error of the operating system.
pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Failure {
    let path = path.into();
    move |source| Failure::Io { action, path, source }
}
