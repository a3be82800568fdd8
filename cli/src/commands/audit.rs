//! `misu audit`: the record, verified without an environment as well.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;
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
    },
}

impl Audit {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        let Self::Verify { env, log } = self;
        let path = log.or_else(|| env.map(|env| env.join("audit").join(audit::LOG_FILE)));
        let path = path.ok_or_else(|| Failure::Call("--env or --log is missing".to_owned()))?;
        match audit::verify_file(&path) {
            Ok(verified) => {
                screen::say(&reports::audit::verified(&verified, screen::language()));
                Ok(ExitCode::SUCCESS)
            }
            Err(error) => {
                screen::say(&reports::audit::broken(&error, screen::language()));
                Ok(ExitCode::FAILURE)
            }
        }
    }
}
