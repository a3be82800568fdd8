//! Why a query does not run: the question's fault, or the permit's.

use std::fmt;

/// The rule that a query breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// The text is SQL of a bounded size.
    Size,
    /// The text can be parsed.
    Syntax,
    /// One `SELECT`, nothing else.
    OneSelect,
    /// Tables, columns and functions exist.
    Names,
    /// The result is a table of groups and aggregates.
    Root,
    /// Only plan nodes of the allow-list.
    Node,
    /// Tables of persons are joined by person.
    Join,
    /// Identities are joined and counted, never compared, shown or grouped.
    Identity,
    /// Conditions compare values with values or literals.
    Predicate,
    /// Groups have a declared finite set of values.
    GroupKey,
    /// Aggregates are counts, distinct persons, sums and averages.
    Aggregate,
    /// Functions are ours, with the arguments that they take.
    Function,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 12] = [
        Self::Size,
        Self::Syntax,
        Self::OneSelect,
        Self::Names,
        Self::Root,
        Self::Node,
        Self::Join,
        Self::Identity,
        Self::Predicate,
        Self::GroupKey,
        Self::Aggregate,
        Self::Function,
    ];

    /// The rule's name in messages, audit and documentation.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size",
            Self::Syntax => "syntax",
            Self::OneSelect => "one-select",
            Self::Names => "names",
            Self::Root => "root",
            Self::Node => "node",
            Self::Join => "join",
            Self::Identity => "identity",
            Self::Predicate => "predicate",
            Self::GroupKey => "group-key",
            Self::Aggregate => "aggregate",
            Self::Function => "function",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The question cannot be answered as it is asked. It never depends on data.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    rule: Rule,
    message: String,
    span: Option<(usize, usize)>,
    suggestion: Option<String>,
}

impl Refusal {
    /// A refusal by `rule`.
    pub(crate) fn new(rule: Rule, message: impl Into<String>) -> Self {
        Self { rule, message: message.into(), span: None, suggestion: None }
    }

    /// Points at the place in the text, as byte offsets.
    #[must_use]
    pub(crate) fn at(mut self, span: Option<(usize, usize)>) -> Self {
        self.span = self.span.or(span);
        self
    }

    /// Proposes the nearest allowed form.
    #[must_use]
    pub(crate) fn suggest(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// The rule that was broken.
    pub const fn rule(&self) -> Rule {
        self.rule
    }

    /// What is wrong, in plain words.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where in the text, as byte offsets.
    pub const fn span(&self) -> Option<(usize, usize)> {
        self.span
    }

    /// The nearest allowed form.
    pub fn suggestion(&self) -> Option<&str> {
        self.suggestion.as_deref()
    }
}

/// The permit does not cover a table or column that the question uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the permit does not cover {what}")]
pub struct Denial {
    /// The table, or `table.column`.
    pub what: String,
    /// Where in the text, as byte offsets.
    pub span: Option<(usize, usize)>,
}

/// Why a query does not run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotVetted {
    /// The question is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The permit does not cover it.
    #[error(transparent)]
    Denied(#[from] Denial),
}
