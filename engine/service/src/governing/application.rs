//! `misu-guard application`: the one-stop application from draft to the end of use.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use engine_protocol::{CaseKind, FieldValue, Fields, Govern};
use policies::Form;

use super::case::{ask, list, say_state, show, step, texts};
use super::{Acting, House};
use crate::Failure;

const KIND: CaseKind = CaseKind::Application;

/// What to do with an application. Its id is its project's.
#[derive(Subcommand)]
pub(crate) enum Applications {
    /// Begins a draft from a file, or writes a new version of one that is being written.
    Write {
        #[command(flatten)]
        acting: Acting,
        /// The application: TOML with the permit's sections and `[answers]`.
        file: PathBuf,
    },
    /// Makes a move that needs no more than a reason.
    Move {
        #[command(flatten)]
        acting: Acting,
        /// What is done.
        #[arg(value_enum)]
        what: Step,
        /// The project.
        project: String,
        /// Why, or what is to be changed, or what interest there is, or a note for the deletion record.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Finds it complete and hands it to reviewers.
    Accept {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
        /// A reviewer; at least two.
        #[arg(long = "reviewer", required = true)]
        reviewers: Vec<String>,
    },
    /// Gives an opinion.
    Review {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
        /// For or against.
        #[arg(long, value_enum)]
        vote: Opinion,
        /// Why.
        #[arg(long)]
        comment: String,
    },
    /// Decides for it; the permit is made on the latest snapshot.
    Approve {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
        /// A condition of the decision.
        #[arg(long = "condition")]
        conditions: Vec<String>,
        /// Days for which the permit holds.
        #[arg(long, default_value_t = 365)]
        days: u16,
    },
    /// Lists applications and where they stand.
    List {
        #[command(flatten)]
        acting: Acting,
    },
    /// Shows an application with its moves.
    Show {
        #[command(flatten)]
        acting: Acting,
        /// The project.
        project: String,
    },
}

/// A move without content but a reason.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Hands it in.
    Submit,
    /// Takes it back.
    Withdraw,
    /// Sends it back.
    Return,
    /// Declares an interest.
    Declare,
    /// Decides against it.
    Reject,
    /// Appeals.
    Appeal,
    /// Begins an amendment or a renewal.
    Amend,
    /// Stops the use.
    Suspend,
    /// Lets it go on.
    Resume,
    /// Ends the use.
    Close,
    /// Confirms that data and keys are destroyed.
    Finish,
}

/// For or against.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Opinion {
    /// For it.
    For,
    /// For it once something is changed.
    Changes,
    /// Against it.
    Against,
}

impl Step {
    /// The move's word, and the field that the reason goes into.
    const fn word(self) -> (&'static str, &'static str) {
        match self {
            Self::Submit => ("submit", "reason"),
            Self::Withdraw => ("withdraw", "reason"),
            Self::Return => ("return", "reason"),
            Self::Declare => ("declare", "interest"),
            Self::Reject => ("reject", "reason"),
            Self::Appeal => ("appeal", "reason"),
            Self::Amend => ("amend", "reason"),
            Self::Suspend => ("suspend", "reason"),
            Self::Resume => ("resume", "reason"),
            Self::Close => ("close", "reason"),
            Self::Finish => ("finish", "note"),
        }
    }
}

impl Opinion {
    /// The vote's word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::For => "for",
            Self::Changes => "changes",
            Self::Against => "against",
        }
    }
}

impl Applications {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Write { acting, file } => write(&acting, &file),
            Self::Move { acting, what, project, reason } => {
                let (word, field) = what.word();
                step(&acting, (KIND, &project), word, texts([(field, &reason)]))
            }
            Self::Accept { acting, project, reviewers } => {
                let fields = Fields::from([("reviewers".to_owned(), FieldValue::List(reviewers))]);
                step(&acting, (KIND, &project), "accept", fields)
            }
            Self::Review { acting, project, vote, comment } => {
                let fields = texts([("vote", vote.word()), ("comment", &comment)]);
                step(&acting, (KIND, &project), "review", fields)
            }
            Self::Approve { acting, project, conditions, days } => {
                let mut fields = texts([("days", &days.to_string())]);
                fields.insert("conditions".to_owned(), FieldValue::List(conditions));
                step(&acting, (KIND, &project), "approve", fields)
            }
            Self::List { acting } => list(&acting, KIND),
            Self::Show { acting, project } => show(&acting, KIND, &project),
        }
    }
}

/// Begins a draft, or writes a new version of one that is there.
fn write(acting: &Acting, file: &Path) -> Result<(), Failure> {
    let document = std::fs::read_to_string(file)?;
    let form = Form::parse(&file.display().to_string(), &document)?;
    let is_there = House::open(&acting.env)?.meta.case(KIND.as_str(), form.project())?.is_some();
    let fields = texts([("document", &document)]);
    if is_there {
        return step(acting, (KIND, form.project()), "write", fields);
    }
    say_state(&ask(acting, Govern::Begin { kind: KIND, fields })?)
}
