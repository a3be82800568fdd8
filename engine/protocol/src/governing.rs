//! Governance over the guard's socket: cases (applications, outputs, incidents), what this person may do with them
//! now, and doing it.
//!
//! A move is a word and its fields; [`AllowedMove`] says which fields a move takes, so that a page or a program can
//! show a form for it without knowing the move. What a reader may not see (the other reviewer's opinion, somebody
//! else's draft) is not in the answer.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Somebody asks something about governance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GovernRequest {
    /// The person who asks and acts.
    pub user: String,
    /// What they ask.
    pub what: Govern,
}

/// What can be asked about governance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "govern")]
pub enum Govern {
    /// What waits for this person, over every kind of case, and notices to them. Answered by [`Governed::Cases`].
    Inbox,
    /// The cases of a kind that this person may read. Answered by [`Governed::Cases`].
    List {
        /// The kind.
        kind: CaseKind,
    },
    /// One case. Answered by [`Governed::Case`].
    Case {
        /// The kind.
        kind: CaseKind,
        /// Its id.
        id: String,
    },
    /// The fields with which a case of this kind is begun. Answered by [`Governed::Begin`].
    Form {
        /// The kind.
        kind: CaseKind,
    },
    /// Begins a case. Answered by [`Governed::Case`].
    Begin {
        /// The kind.
        kind: CaseKind,
        /// The fields of the form.
        fields: Fields,
    },
    /// Makes a move. Answered by [`Governed::Case`] as it is then.
    Move {
        /// The kind.
        kind: CaseKind,
        /// Its id.
        id: String,
        /// The word of the move, as [`AllowedMove::action`] has it.
        action: String,
        /// Its fields.
        #[serde(default)]
        fields: Fields,
        /// [`CaseView::number`] of the case that the person looked at; where it has moved since, nothing is done.
        #[serde(default)]
        seen: Option<u64>,
    },
    /// The evidence pack of an output, for its reviewers. Answered by [`Governed::Evidence`]; each view is recorded.
    Evidence {
        /// The output's id.
        id: String,
    },
    /// Stops one project, or all. Answered by [`Governed::Halted`].
    Halt {
        /// The project; all where it is left out.
        project: Option<String>,
        /// Why.
        reason: String,
    },
    /// Lets one project, or all, go on. Answered by [`Governed::Halted`].
    Resume {
        /// The project; the halt of all where it is left out.
        project: Option<String>,
        /// Why.
        reason: String,
    },
    /// What is halted now. Answered by [`Governed::Halted`].
    Halts,
}

/// What a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseKind {
    /// 申出: an application; its id is its project's.
    Application,
    /// 出力審査: an output that people look at; its id is that of the query.
    Output,
    /// 事故・ヒヤリハット: an incident or near miss.
    Incident,
}

impl CaseKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Application, Self::Output, Self::Incident];

    /// The kind's word, as it is stored and recorded.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Application => "application",
            Self::Output => "output",
            Self::Incident => "incident",
        }
    }
}

/// Values by field.
pub type Fields = BTreeMap<String, FieldValue>;

/// The value of a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// A pledge.
    Flag(bool),
    /// A text, a word, a day or a number.
    Text(String),
    /// Entries.
    List(Vec<String>),
}

impl FieldValue {
    /// The value for a reader, entries one on a line.
    pub fn text(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Text(text) => text.clone(),
            Self::List(entries) => entries.join("\n"),
        }
    }
}

/// The guard's answer about governance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "governed")]
pub enum Governed {
    /// Cases.
    Cases {
        /// One line each.
        cases: Vec<CaseLine>,
    },
    /// One case.
    Case(Box<CaseView>),
    /// With which fields a case is begun.
    Begin {
        /// Whether this person may begin one.
        may: bool,
        /// The fields.
        fields: Vec<FormField>,
    },
    /// An evidence pack.
    Evidence(Box<EvidencePack>),
    /// What is halted.
    Halted {
        /// The halts.
        halts: Vec<Halt>,
        /// Whether this person may halt and resume.
        may: bool,
    },
    /// An answer to a question that people look at before it goes out: the case's id.
    Held {
        /// The output's id.
        output: String,
    },
    /// It is not done, and nothing has changed.
    No {
        /// The rule's word.
        rule: String,
        /// Why not.
        message: String,
        /// Why not, in Japanese.
        message_ja: String,
    },
}

/// A case in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseLine {
    /// What it is.
    pub kind: CaseKind,
    /// Its id.
    pub id: String,
    /// Its project, where it has one.
    pub project: Option<String>,
    /// What it is called.
    pub title: Label,
    /// Where it stands.
    pub state: Word,
    /// When it was begun, as RFC 3339 text.
    pub at: String,
    /// When it was moved last, as RFC 3339 text.
    pub moved: String,
    /// Its people.
    pub people: Vec<String>,
    /// What this person can do to it now: the words of the moves.
    pub may: Vec<String>,
    /// What this person is told about it: a recall, a duty that is overdue.
    pub notices: Vec<Label>,
    /// How long it has waited for its reviewers, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<Waits>,
}

/// How long a case has waited for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waits {
    /// Since when, as RFC 3339 text.
    pub since: String,
    /// Whole days.
    pub days: u64,
    /// Days within which it should be decided.
    pub target: u64,
}

impl Waits {
    /// Whether it waits longer than it should.
    pub const fn is_late(&self) -> bool {
        self.days >= self.target
    }
}

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

impl Label {
    /// A text in both languages.
    pub fn new(ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { ja: ja.into(), en: en.into() }
    }
}

/// A word of ours with its names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// The word.
    pub word: String,
    /// Japanese.
    pub ja: String,
    /// English.
    pub en: String,
}

impl Word {
    /// A word with its names.
    pub fn new(word: &str, ja: &str, en: &str) -> Self {
        Self { word: word.to_owned(), ja: ja.to_owned(), en: en.to_owned() }
    }
}

/// One case as one person may see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseView {
    /// The case in a line.
    pub line: CaseLine,
    /// Who began it.
    pub by: String,
    /// How many moves it has had; a move names it as [`Govern::Move::seen`].
    pub number: u64,
    /// What it says, in order: a form's answers, a description, a grade.
    pub facts: Vec<Fact>,
    /// What has happened, oldest first.
    pub history: Vec<Happened>,
    /// The opinions that this person may see.
    pub opinions: Vec<OpinionView>,
    /// Opinions that are given, whoever may see them.
    pub given: u64,
    /// What is due by when; incidents alone have duties.
    pub duties: Vec<DutyView>,
    /// What this person may do now, each with its fields.
    pub moves: Vec<AllowedMove>,
    /// Whether there is an evidence pack that this person may look at.
    pub has_evidence: bool,
}

/// One thing that a case says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is about.
    pub name: Label,
    /// What it says.
    pub text: String,
}

/// One move that was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Happened {
    /// Who.
    pub who: String,
    /// When, as RFC 3339 text.
    pub at: String,
    /// What.
    pub action: Word,
    /// The reason or note that it carries; empty where this person may not see it.
    pub text: String,
}

/// An opinion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpinionView {
    /// The reviewer.
    pub who: String,
    /// For, changes or against.
    pub vote: Word,
    /// Why.
    pub comment: String,
}

/// Something that must be done by a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DutyView {
    /// Which.
    pub duty: Word,
    /// By when, as RFC 3339 text.
    pub due: String,
    /// When it was done, as RFC 3339 text.
    pub done: Option<String>,
    /// Whether its time is past and it is not done.
    pub is_overdue: bool,
}

/// A move that a person may make now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllowedMove {
    /// The move's word with its names.
    pub action: Word,
    /// What it takes.
    pub fields: Vec<FormField>,
}

/// One field of a form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormField {
    /// Its name in [`Fields`].
    pub name: String,
    /// What is asked.
    pub label: Label,
    /// What helps to answer; empty where nothing does.
    pub help: Label,
    /// What a value is.
    pub kind: FieldKind,
    /// Whether it must be there.
    pub required: bool,
    /// It is asked only where another field has this value.
    pub only_if: Option<(String, String)>,
    /// What it says now.
    pub value: Option<FieldValue>,
}

/// What the value of a field is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldKind {
    /// Text of at least so many letters.
    Text {
        /// Letters.
        least: usize,
    },
    /// One of these.
    Choice {
        /// The choices.
        of: Vec<Word>,
    },
    /// Entries, one on a line.
    List,
    /// A day, `2026-11-21`.
    Day,
    /// A whole number.
    Number,
    /// Something that must be affirmed.
    Pledge,
}

/// What the reviewers of an output look at, and nobody takes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidencePack {
    /// The output's id.
    pub output: String,
    /// The project.
    pub project: String,
    /// Who asked.
    pub asker: String,
    /// The question.
    pub sql: String,
    /// The digest of the vetted plan.
    pub plan: String,
    /// The snapshot.
    pub snapshot: String,
    /// The rule packs.
    pub rules: String,
    /// The table as it would go out.
    pub table: crate::ReleasedTable,
    /// What stands behind each cell.
    pub cells: Vec<EvidenceLine>,
    /// Whether there are more cells than lines.
    pub is_cut: bool,
    /// How many values each rule hides by itself, and how many hide for the sake of others.
    pub trace: Vec<(String, u64)>,
    /// What the audit beside earlier releases did not take in; none where an earlier build made the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beyond: Option<crate::Beyond>,
    /// Earlier releases of the same project, the latest first: id, when, what.
    pub earlier: Vec<EarlierRelease>,
    /// What its author says of it: context and controls.
    pub context: Vec<Fact>,
    /// What its author attached.
    pub attachments: Vec<Attachment>,
    /// The rule "in principle" that the question breaks, where that is why people look at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken: Option<BrokenRule>,
}

/// A rule "in principle" that a question breaks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenRule {
    /// The rule's name.
    pub rule: String,
    /// What it says of the question.
    pub says: Label,
}

/// What stands behind one cell of an output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EvidenceLine {
    /// The group keys' values.
    pub at: Vec<String>,
    /// Which part of the cell: the whole (0) or one of its conditions.
    pub part: u32,
    /// Rows.
    pub rows: u64,
    /// Distinct persons.
    pub persons: u64,
    /// Distinct facilities, where they are counted.
    pub facilities: Option<u64>,
    /// Distinct insurers, where they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insurers: Option<u64>,
    /// Distinct municipalities, where they are counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub municipalities: Option<u64>,
    /// The largest share of one person in a sum, in thousandths.
    pub largest: Option<u32>,
    /// Whether it is hidden.
    pub is_hidden: bool,
    /// The rule that hides it by itself; `margins` where it is hidden for the sake of others.
    pub why: Option<String>,
}

/// An earlier release of the same project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarlierRelease {
    /// The query's id.
    pub query: String,
    /// When, as RFC 3339 text.
    pub at: String,
    /// The question.
    pub sql: String,
    /// Whether it reads the same tables.
    pub is_related: bool,
}

/// A file that a researcher attached to an output: text of an allowed kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attachment {
    /// The file's name.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A stop of one project or of all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Halt {
    /// The project; all where it is left out.
    pub project: Option<String>,
    /// Who.
    pub who: String,
    /// When, as RFC 3339 text.
    pub at: String,
    /// Why.
    pub reason: String,
}
