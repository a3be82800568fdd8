//! `misu-guard output`: the airlock. What stands behind the cells is not printed here: reviewers look at it in the
//! portal, where each view is recorded and nothing is a file.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use engine_protocol::{CaseKind, Govern};

use super::Acting;
use super::application::Opinion;
use super::case::{ask, list, say_state, show, step, texts};
use crate::Failure;

const KIND: CaseKind = CaseKind::Output;

/// What to do with an output. Its id is its project and the query, as `demo-q12`.
#[derive(Subcommand)]
pub(crate) enum Outputs {
    /// Says what it is for and what was done against disclosure; voids opinions given before.
    Describe {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
        /// What it is for.
        #[arg(long)]
        context: String,
        /// What was done against disclosure.
        #[arg(long)]
        controls: String,
    },
    /// Attaches a text file of an allowed kind (csv, tsv, txt, sql); voids opinions given before.
    Attach {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
        /// The file.
        file: PathBuf,
    },
    /// Gives an opinion, blind to the other.
    Review {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
        /// For or against.
        #[arg(long, value_enum)]
        vote: Opinion,
        /// Why.
        #[arg(long)]
        comment: String,
    },
    /// Makes a move that needs no more than a reason.
    Move {
        #[command(flatten)]
        acting: Acting,
        /// What is done.
        #[arg(value_enum)]
        what: Step,
        /// The output.
        output: String,
        /// Why, or what interest there is.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Hands it in.
    Submit {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
    },
    /// Decides that it may go out.
    Approve {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
    },
    /// Lets it out.
    Release {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
    },
    /// Calls it back; its people are told.
    Revoke {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Opens the case of a release that is out, so that it can be looked at and called back.
    Open {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
        /// The query.
        query: String,
    },
    /// Lists outputs and where they stand.
    List {
        #[command(flatten)]
        acting: Acting,
    },
    /// Shows an output with its moves.
    Show {
        #[command(flatten)]
        acting: Acting,
        /// The output.
        output: String,
    },
}

/// A move without content but a reason.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Step {
    /// Takes it back.
    Withdraw,
    /// Sends it back.
    Return,
    /// Declares an interest.
    Declare,
    /// Decides that it stays inside.
    Reject,
    /// Appeals.
    Appeal,
}

impl Step {
    /// The move's word, and the field that the reason goes into.
    const fn word(self) -> (&'static str, &'static str) {
        match self {
            Self::Withdraw => ("withdraw", "reason"),
            Self::Return => ("return", "reason"),
            Self::Declare => ("declare", "interest"),
            Self::Reject => ("reject", "reason"),
            Self::Appeal => ("appeal", "reason"),
        }
    }
}

impl Outputs {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let plain = |acting: &Acting, output: &str, word| step(acting, (KIND, output), word, texts([]));
        match self {
            Self::Describe { acting, output, context, controls } => {
                let fields = texts([("context", &context), ("controls", &controls)]);
                step(&acting, (KIND, &output), "describe", fields)
            }
            Self::Attach { acting, output, file } => attach(&acting, &output, &file),
            Self::Review { acting, output, vote, comment } => {
                let fields = texts([("vote", vote.word()), ("comment", &comment)]);
                step(&acting, (KIND, &output), "review", fields)
            }
            Self::Move { acting, what, output, reason } => {
                let (word, field) = what.word();
                step(&acting, (KIND, &output), word, texts([(field, &reason)]))
            }
            Self::Submit { acting, output } => plain(&acting, &output, "submit"),
            Self::Approve { acting, output } => plain(&acting, &output, "approve"),
            Self::Release { acting, output } => plain(&acting, &output, "release"),
            Self::Revoke { acting, output, reason } => {
                step(&acting, (KIND, &output), "revoke", texts([("reason", &reason)]))
            }
            Self::Open { acting, project, query } => {
                let fields = texts([("project", &project), ("query", &query)]);
                say_state(&ask(&acting, Govern::Begin { kind: KIND, fields })?)
            }
            Self::List { acting } => list(&acting, KIND),
            Self::Show { acting, output } => show(&acting, KIND, &output),
        }
    }
}

/// A file that is not text is refused here; what the text says is judged by governance.
fn attach(acting: &Acting, output: &str, file: &Path) -> Result<(), Failure> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{} cannot be attached: {error}", file.display()))?;
    step(acting, (KIND, output), "attach", texts([("name", &name), ("text", &text)]))
}
