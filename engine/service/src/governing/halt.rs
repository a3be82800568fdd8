//! `misu-guard halt` and `resume`: one project, or all, stopped at once.

use std::io::{Write as _, stdout};

use clap::Args;
use engine_protocol::{Govern, Governed};

use super::Acting;
use super::case::ask;
use crate::Failure;

/// What is stopped or goes on.
#[derive(Args)]
pub(crate) struct Stop {
    #[command(flatten)]
    acting: Acting,
    /// One project.
    #[arg(long, required_unless_present = "all", conflicts_with = "all")]
    project: Option<String>,
    /// Every project.
    #[arg(long)]
    all: bool,
    /// Why.
    #[arg(long)]
    reason: String,
}

impl Stop {
    pub(crate) fn halt(self) -> Result<(), Failure> {
        say(ask(&self.acting, Govern::Halt { project: self.project, reason: self.reason })?)
    }

    pub(crate) fn resume(self) -> Result<(), Failure> {
        say(ask(&self.acting, Govern::Resume { project: self.project, reason: self.reason })?)
    }
}

fn say(answer: Governed) -> Result<(), Failure> {
    let Governed::Halted { halts, .. } = answer else { return Err("the answer is no list of halts".into()) };
    if halts.is_empty() {
        writeln!(stdout(), "nothing is halted")?;
    }
    for halt in halts {
        let what = halt.project.as_deref().unwrap_or("every project");
        writeln!(stdout(), "halted: {what} by {} ({})", halt.who, halt.reason)?;
    }
    Ok(())
}
