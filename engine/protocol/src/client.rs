//! What gateway and command ask the guard, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::analysis::{AnalysisAsk, AnalysisReply};
use crate::figures::{FigureReply, FigureWish};
use crate::governing::{GovernRequest, Governed};
use crate::identity::{IdentityAsk, IdentityReply};
use crate::notebook::{NotebookReply, NotebookRequest};
use crate::operating::{OperatingAsk, OperatingReply};
use crate::public::{Opening, OpeningReply, PublicAsk, PublicReply};
use crate::reporting::{ReportAsk, ReportReply};
use crate::running::{RunningAsk, RunningReply};
use crate::template::{TemplateView, TemplatesAsk};
use crate::workspace::{WorkspaceAsk, WorkspaceReply};

/// A request to the guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "ask")]
pub enum ClientRequest {
    /// Would this query run?
    Vet(Question),
    /// Run this query.
    Query(Question),
    /// Run an approved template with these values.
    Template(TemplateQuestion),
    /// Which templates are approved for the project?
    Templates(TemplatesAsk),
    /// Would this query run, and how much would it read and show?
    Estimate(Question),
    /// Which tables and columns are there, as anybody may know?
    Catalogue,
    /// Sessions, accounts and tokens of whoever asks.
    Identity(IdentityAsk),
    /// Applications, output reviews, incidents, halts.
    Govern(GovernRequest),
    /// Something of a project's notebooks.
    Notebook(NotebookRequest),
    /// Something that anybody may ask.
    Public(PublicAsk),
    /// Make a released table open to anybody.
    Open(Opening),
    /// Show a released table as the figure of a column of the catalogue.
    Figure(FigureWish),
    /// How does the environment stand?
    Operating(OperatingAsk),
    /// Reports for the board and for operators.
    Report(ReportAsk),
    /// Lists of codes and cohorts of a project.
    Workspace(WorkspaceAsk),
    /// How far a question of the asker's is, or that it be stopped.
    Running(RunningAsk),
    /// Runs of a project's analyses.
    Analysis(AnalysisAsk),
}

impl ClientRequest {
    /// Says whether anybody may ask it, without saying who they are.
    pub const fn is_public(&self) -> bool {
        match self {
            Self::Catalogue | Self::Public(_) => true,
            Self::Identity(ask) => ask.is_public(),
            Self::Vet(_)
            | Self::Query(_)
            | Self::Template(_)
            | Self::Templates(_)
            | Self::Estimate(_)
            | Self::Govern(_)
            | Self::Workspace(_)
            | Self::Running(_)
            | Self::Analysis(_)
            | Self::Notebook(_)
            | Self::Open(_)
            | Self::Figure(_)
            | Self::Report(_)
            | Self::Operating(_) => false,
        }
    }

    /// The project for which it is asked, where it is asked for one.
    pub fn project(&self) -> Option<&str> {
        match self {
            Self::Vet(question) | Self::Query(question) | Self::Estimate(question) => Some(&question.project),
            Self::Template(asked) => Some(&asked.project),
            Self::Templates(asked) => Some(&asked.project),
            Self::Notebook(asked) => Some(&asked.project),
            Self::Workspace(asked) => Some(&asked.project),
            Self::Running(asked) => Some(&asked.project),
            Self::Analysis(asked) => Some(&asked.project),
            // A case is read and moved by whoever its rules let; they look at the person.
            Self::Catalogue
            | Self::Identity(_)
            | Self::Govern(_)
            | Self::Public(_)
            | Self::Open(_)
            | Self::Figure(_)
            | Self::Report(_)
            | Self::Operating(_) => None,
        }
    }

    /// The request as this user makes it, whomever it named before.
    #[must_use]
    pub fn asked_by(mut self, user: &str) -> Self {
        match &mut self {
            Self::Vet(question) | Self::Query(question) | Self::Estimate(question) => {
                user.clone_into(&mut question.user);
            }
            Self::Template(asked) => user.clone_into(&mut asked.user),
            Self::Templates(asked) => user.clone_into(&mut asked.user),
            Self::Workspace(asked) => user.clone_into(&mut asked.user),
            Self::Running(asked) => user.clone_into(&mut asked.user),
            Self::Analysis(asked) => user.clone_into(&mut asked.user),
            Self::Govern(asked) => user.clone_into(&mut asked.user),
            Self::Notebook(asked) => user.clone_into(&mut asked.user),
            Self::Open(wish) => user.clone_into(&mut wish.user),
            Self::Figure(wish) => user.clone_into(&mut wish.user),
            Self::Operating(asked) => user.clone_into(&mut asked.user),
            Self::Report(asked) => user.clone_into(&mut asked.user),
            // Answered for whoever asks, whom the guard knows by then.
            Self::Catalogue | Self::Identity(_) | Self::Public(_) => {}
        }
        self
    }
}

/// An approved template with values for its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateQuestion {
    /// The user.
    pub user: String,
    /// The project.
    pub project: String,
    /// The template's name.
    pub template: String,
    /// Values by parameter.
    pub parameters: BTreeMap<String, String>,
}

/// A query with who asks it and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The user.
    pub user: String,
    /// The project.
    pub project: String,
    /// The text.
    pub sql: String,
}

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "answer")]
pub enum ClientReply {
    /// What vetting said; the only answer to a query that is refused or denied.
    Verdict(Verdict),
    /// What vetting said, with what the query would cost where it may run.
    Estimate {
        /// The verdict.
        verdict: Verdict,
        /// What it would cost.
        #[serde(skip_serializing_if = "Option::is_none")]
        budget: Option<Budget>,
    },
    /// A protected table.
    Released(ReleasedTable),
    /// Nothing can be released. Every reason looks the same from outside.
    Withheld,
    /// The asker had it stopped before it was decided; nothing is released.
    Stopped,
    /// About a question that runs.
    Running(RunningReply),
    /// The tables and columns.
    Catalogue(CatalogueView),
    /// About whoever asks.
    Identity(IdentityReply),
    /// Nobody whom the guard knows may ask this: a session or token that is unknown, has ended or was revoked, a
    /// person who was shut out, and a project that is not theirs look the same.
    NotKnown,
    /// What governance says.
    Governed(Governed),
    /// What became of a notebook.
    Notebook(NotebookReply),
    /// What anybody may know.
    Public(PublicReply),
    /// How the environment stands.
    Operating(OperatingReply),
    /// A report.
    Report(ReportReply),
    /// What became of the wish to make a table open.
    Opening {
        /// That.
        reply: OpeningReply,
    },
    /// What became of the wish to show a figure.
    Figure {
        /// That.
        reply: FigureReply,
    },
    /// What a project keeps, or what was done with it.
    Workspace(WorkspaceReply),
    /// The templates that may be used.
    Templates {
        /// The templates, by name.
        templates: Vec<TemplateView>,
    },
    /// What became of an analysis.
    Analysis(AnalysisReply),
    /// A fault of ours; the text names no value.
    Fault {
        /// What went wrong.
        message: String,
    },
}

/// What vetting said. A vetted question with a rule breaks that rule, which holds "in principle": it may run, and people
/// look at its answer before it goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// Vetted, refused or denied.
    pub verdict: VerdictKind,
    /// The rule that a query breaks, or the policy that denies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What is wrong, in plain words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What is wrong, in plain Japanese.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_ja: Option<String>,
    /// Where in the text, as byte offsets from and to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub span: Option<(usize, usize)>,
    /// The nearest allowed form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The tables that the query reads.
    pub tables: Vec<String>,
    /// The columns that it touches, as `table.column`.
    pub columns: Vec<String>,
}

impl Verdict {
    /// Whether the query may run, and people look at its answer before it goes out, because of a rule "in principle".
    pub fn goes_to_people(&self) -> bool {
        self.verdict == VerdictKind::Vetted && self.rule.is_some()
    }
}

/// What a query would cost, from what is known of the snapshot without looking at data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// Rows that are read, rounded to two digits.
    pub rows: u64,
    /// Bytes of the files that are read, rounded to two digits.
    pub bytes: u64,
    /// Cells of the answer: every combination of the group keys' values, "other" among them.
    pub cells: u64,
    /// At least so many of a hundred rows of the answer are hidden, however the persons are spread; only where one table is read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_percent: Option<u8>,
    /// Whether the answer is within what one query may have.
    pub is_within: bool,
}

/// Vetted, refused or denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictKind {
    /// The query may run.
    Vetted,
    /// The question is at fault.
    Refused,
    /// The permit does not cover it.
    Denied,
}

/// A table that passed disclosure control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleasedTable {
    /// The query's id in the audit record.
    pub query: String,
    /// The snapshot that it was asked of.
    pub snapshot: String,
    /// The columns.
    pub columns: Vec<TableColumn>,
    /// The rows; each has a value for every column.
    pub rows: Vec<Vec<CellValue>>,
    /// How many rows are hidden; why is not said.
    pub suppressed: u64,
    /// The smallest number of persons that a shown row stands for.
    pub threshold: u32,
    /// The rule pack that was applied.
    pub rules: String,
    /// The signed certificate of the release; it is about the table without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// A column of a released table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableColumn {
    /// Its name.
    pub name: String,
    /// What it shows.
    pub kind: TableColumnKind,
    /// The unit of a measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What a column of a released table shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableColumnKind {
    /// A group key.
    Key,
    /// A number of rows.
    Rows,
    /// A number of distinct persons.
    Persons,
    /// A sum.
    Sum,
    /// A mean.
    Average,
    /// A variance or standard deviation.
    Spread,
    /// A median or another quantile.
    Quantile,
    /// Computed from protected values.
    Computed,
}

/// One value of a released table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CellValue {
    /// A value of a group key with its names.
    Key {
        /// The code.
        code: String,
        /// The Japanese name.
        ja: String,
        /// The English name.
        en: String,
    },
    /// Values outside the declared domain, and missing ones.
    Other,
    /// All values of the key together.
    Total,
    /// A whole number.
    Integer(i64),
    /// A decimal number, as text.
    Decimal(String),
    /// A number that cannot be given where nothing is counted (a mean of nothing).
    Empty,
    /// Hidden.
    Suppressed,
}

impl CellValue {
    /// The value as text: codes of keys, `***` for what is hidden.
    pub fn text(&self) -> String {
        match self {
            Self::Key { code, .. } => code.clone(),
            Self::Other => "(other)".to_owned(),
            Self::Total => "(total)".to_owned(),
            Self::Integer(number) => number.to_string(),
            Self::Decimal(text) => text.clone(),
            Self::Empty => String::new(),
            Self::Suppressed => "***".to_owned(),
        }
    }
}

/// The tables and columns of an environment, without any figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueView {
    /// The latest snapshot, if any.
    pub snapshot: Option<String>,
    /// The months that it covers.
    pub period: Option<(String, String)>,
    /// Whether the environment is a demo, whose keys protect nothing.
    pub is_demo: bool,
    /// The tables.
    pub tables: Vec<CatalogueTable>,
}

/// One table of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueTable {
    /// Its name in SQL.
    pub name: String,
    /// The database it belongs to.
    pub database: String,
    /// Its Japanese name.
    pub ja: String,
    /// Its English name.
    pub en: String,
    /// What a row is, in Japanese and English.
    pub row: (String, String),
    /// The document that defines it.
    pub source: String,
    /// Its columns.
    pub columns: Vec<CatalogueColumn>,
}

/// One column of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatalogueColumn {
    /// Its name in SQL.
    pub name: String,
    /// Its Japanese name.
    pub ja: String,
    /// Its English name.
    pub en: String,
    /// Its class.
    pub class: String,
    /// Its SQL type.
    pub kind: String,
    /// Its unit, if it is a measure.
    pub unit: Option<String>,
    /// How it may be used.
    pub usage: String,
    /// What a reader must know.
    pub note: Option<String>,
    /// Its codes with their names, where a code system names them.
    pub codes: Vec<(String, String, String)>,
}
