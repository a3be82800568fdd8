//! `misu-guard incident`: the register of incidents and near misses.

use clap::{Subcommand, ValueEnum};
use engine_protocol::{CaseKind, Govern};

use super::Acting;
use super::case::{ask, list, say_state, show, step, texts};
use crate::Failure;

const KIND: CaseKind = CaseKind::Incident;

/// What to do with an incident.
#[derive(Subcommand)]
pub(crate) enum Incidents {
    /// Enters an incident or a near miss.
    Enter {
        #[command(flatten)]
        acting: Acting,
        /// How grave it is.
        #[arg(long, value_enum)]
        grade: Grade,
        /// What it is called.
        #[arg(long)]
        title: String,
        /// What happened.
        #[arg(long)]
        text: String,
        /// The project that it is about.
        #[arg(long, default_value = "")]
        project: String,
    },
    /// Notes what was found or done.
    Note {
        #[command(flatten)]
        acting: Acting,
        /// The incident.
        incident: String,
        /// The text.
        #[arg(long)]
        text: String,
    },
    /// Corrects its grade.
    Grade {
        #[command(flatten)]
        acting: Acting,
        /// The incident.
        incident: String,
        /// The grade.
        #[arg(long, value_enum)]
        grade: Grade,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Does a duty: the notice within 24 hours, the report within 72, the closing report within 30 days.
    Discharge {
        #[command(flatten)]
        acting: Acting,
        /// The incident.
        incident: String,
        /// Which.
        #[arg(long, value_enum)]
        duty: Duty,
        /// To whom it went, and what it said.
        #[arg(long)]
        text: String,
    },
    /// Declares an interest in it: who does takes no part from then on.
    Declare {
        #[command(flatten)]
        acting: Acting,
        /// The incident.
        incident: String,
        /// Which.
        #[arg(long)]
        interest: String,
    },
    /// Closes it.
    Close {
        #[command(flatten)]
        acting: Acting,
        /// The incident.
        incident: String,
        /// What was learnt; it is published.
        #[arg(long)]
        summary: String,
    },
    /// Lists incidents and where they stand.
    List {
        #[command(flatten)]
        acting: Acting,
    },
    /// Shows an incident with its duties and moves.
    Show {
        #[command(flatten)]
        acting: Acting,
        /// The incident.
        incident: String,
    },
}

/// How grave it is.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Grade {
    /// Nothing left, but something could have.
    NearMiss,
    /// Something left, or rules were broken.
    Incident,
}

/// A duty.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Duty {
    /// The first notice.
    Notice,
    /// The report.
    Report,
    /// The closing report.
    Closing,
}

/// The word of a value, as it is typed.
fn word(value: &impl ValueEnum) -> String {
    value.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

impl Incidents {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Enter { acting, grade, title, text, project } => {
                let grade = word(&grade);
                let fields =
                    texts([("grade", &grade), ("title", &title), ("text", &text), ("project", &project)]);
                say_state(&ask(&acting, Govern::Begin { kind: KIND, fields })?)
            }
            Self::Note { acting, incident, text } => {
                step(&acting, (KIND, &incident), "note", texts([("text", &text)]))
            }
            Self::Grade { acting, incident, grade, reason } => {
                let fields = texts([("grade", &word(&grade)), ("reason", &reason)]);
                step(&acting, (KIND, &incident), "grade", fields)
            }
            Self::Discharge { acting, incident, duty, text } => {
                let fields = texts([("duty", &word(&duty)), ("text", &text)]);
                step(&acting, (KIND, &incident), "discharge", fields)
            }
            Self::Declare { acting, incident, interest } => {
                step(&acting, (KIND, &incident), "declare", texts([("interest", &interest)]))
            }
            Self::Close { acting, incident, summary } => {
                step(&acting, (KIND, &incident), "close", texts([("summary", &summary)]))
            }
            Self::List { acting } => list(&acting, KIND),
            Self::Show { acting, incident } => show(&acting, KIND, &incident),
        }
    }
}
