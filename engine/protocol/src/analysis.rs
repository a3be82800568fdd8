//! Analyses: a file with the steps of a project's work, run one after the other, with what came of each.

use serde::{Deserialize, Serialize};

use crate::client::{ReleasedTable, Verdict};

/// An act on a project's analyses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisAsk {
    /// The user.
    pub user: String,
    /// The project.
    pub project: String,
    /// What is asked.
    pub act: AnalysisAct,
}

/// What is asked of a project's analyses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnalysisAct {
    /// Takes a file in and runs it when its turn comes.
    Submit {
        /// The text of the `analysis.toml`.
        text: String,
    },
    /// The runs of whoever asks, the latest first.
    List,
    /// How far a run is.
    Look {
        /// The run.
        id: String,
    },
    /// Ends a run after the step at hand.
    Stop {
        /// The run.
        id: String,
    },
    /// Goes on with a run that was stopped or interrupted, at the step where it stood.
    Resume {
        /// The run.
        id: String,
    },
    /// What a run gave, with its provenance.
    Outputs {
        /// The run.
        id: String,
    },
}

/// The answer to an act on a project's analyses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "analysis")]
pub enum AnalysisReply {
    /// How a run stands.
    Run(AnalysisRun),
    /// Runs, the latest first.
    List {
        /// The runs.
        runs: Vec<AnalysisRun>,
    },
    /// What a run gave.
    Outputs(Box<AnalysisOutputs>),
    /// The file is no analysis.
    Unfit {
        /// Where in the file: a field, or a line.
        place: String,
        /// What is wrong.
        message: String,
        /// The same in Japanese.
        message_ja: String,
    },
    /// There is no such run of whoever asks.
    NotFound,
    /// As many runs wait as may.
    TooMany,
    /// The permit gives nothing.
    Denied,
}

/// A run of an analysis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisRun {
    /// The run's id.
    pub id: String,
    /// The analysis's name, as its file gives it.
    pub name: String,
    /// Who submitted it.
    pub by: String,
    /// When.
    pub at: String,
    /// The SHA-256 of the file.
    pub digest: String,
    /// How it stands.
    pub state: AnalysisState,
    /// Its steps, in order.
    pub steps: Vec<AnalysisStep>,
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnalysisState {
    /// It waits for its turn.
    Queued,
    /// A step of it runs.
    Running,
    /// Every step has ended.
    Done,
    /// A step could not be done, and those behind it were not begun.
    Failed,
    /// Somebody stopped it.
    Stopped,
    /// The service ended while it ran; it can go on.
    Interrupted,
}

impl AnalysisState {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::Interrupted => "interrupted",
        }
    }

    /// Says whether nothing more happens by itself.
    pub const fn has_ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisStep {
    /// Its name.
    pub name: String,
    /// The statement, with the parameters' values in their places.
    pub sql: String,
    /// What came of it.
    pub came: StepCame,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "came")]
pub enum StepCame {
    /// It was not begun.
    Nothing,
    /// It was begun, at this second since 1970.
    Begun {
        /// When.
        at: i64,
    },
    /// Its rows are kept inside.
    Kept {
        /// The query in the record.
        query: String,
    },
    /// Its table was released.
    Released {
        /// The query in the record.
        query: String,
    },
    /// People look at its table first.
    Held {
        /// The output's case.
        output: String,
    },
    /// Nothing can be released.
    Withheld,
    /// The question is refused or denied.
    No {
        /// Why.
        verdict: Box<Verdict>,
    },
    /// A fault of ours.
    Fault,
}

impl StepCame {
    /// The word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Nothing => "waiting",
            Self::Begun { .. } => "begun",
            Self::Kept { .. } => "kept",
            Self::Released { .. } => "released",
            Self::Held { .. } => "held",
            Self::Withheld => "withheld",
            Self::No { .. } => "no",
            Self::Fault => "fault",
        }
    }
}

/// What a run gave, to be packed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisOutputs {
    /// The run.
    pub run: AnalysisRun,
    /// The project.
    pub project: String,
    /// The file as it was submitted.
    pub text: String,
    /// The program that ran it.
    pub program: String,
    /// The declared outputs that went out, in the file's order.
    pub outputs: Vec<AnalysisOutput>,
}

/// A declared output that went out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnalysisOutput {
    /// The step's name.
    pub step: String,
    /// What the output is called, in Japanese and English.
    pub title: (String, String),
    /// The protected table, with its certificate.
    pub table: ReleasedTable,
}
