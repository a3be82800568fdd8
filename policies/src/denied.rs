//! Why the policies said no, written for the researcher who asked.

use std::fmt;

use catalog_model::Names;

use crate::request::{Action, Request, Use};

/// A request that the policies deny. It is not the question's fault, and not a fault of ours unless
/// [`Denied::bug`] says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied(Box<Denial>);

// Boxed: a denial is rare, and the way of a permit should not carry its size.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Denial {
    user: String,
    project: String,
    asked: Asked,
    reasons: Vec<Reason>,
    bug: Option<String>,
}

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To do something for the project.
    Act(Action),
    /// To use a column.
    Use {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// What for.
        used: Use,
    },
}

/// A policy that decided, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// The policy's id, as it stands in the record; `default` where no policy permits.
    pub policy: String,
    /// The reason, in both languages.
    pub text: Names,
}

impl Denied {
    pub(crate) fn new(request: &Request, asked: Asked, reasons: Vec<Reason>) -> Self {
        let (user, project) = (request.user.clone(), request.project.clone());
        Self(Box::new(Denial { user, project, asked, reasons, bug: None }))
    }

    /// A denial because we could not decide: closed is the safe side.
    pub(crate) fn by_bug(request: &Request, asked: Asked, bug: impl fmt::Display) -> Self {
        let mut denied = Self::new(request, asked, Vec::new());
        denied.0.bug = Some(bug.to_string());
        denied
    }

    /// Who asked.
    pub fn user(&self) -> &str {
        &self.0.user
    }

    /// For which project.
    pub fn project(&self) -> &str {
        &self.0.project
    }

    /// What was asked.
    pub fn asked(&self) -> &Asked {
        &self.0.asked
    }

    /// The policies that decided, by id.
    pub fn reasons(&self) -> &[Reason] {
        &self.0.reasons
    }

    /// What went wrong on our side, where nothing was decided.
    pub fn bug(&self) -> Option<&str> {
        self.0.bug.as_deref()
    }
}

impl Reason {
    /// No policy permits it.
    pub(crate) fn by_default() -> Self {
        let en = "the project's application does not name it".to_owned();
        Self {
            policy: "default".to_owned(), text: Names { ja: "申出書に記載がありません".to_owned(), en }
        }
    }

    /// There is no such column.
    pub(crate) fn no_column() -> Self {
        let en = "the catalogue has no such column".to_owned();
        Self {
            policy: "default".to_owned(), text: Names { ja: "カタログにない列です".to_owned(), en }
        }
    }

    /// There is no such project.
    pub(crate) fn no_project() -> Self {
        let en = "no project of this name is registered".to_owned();
        Self {
            policy: "default".to_owned(),
            text: Names {
                ja: "この名前のプロジェクトは登録されていません".to_owned(), en
            },
        }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Act(action) => action.fmt(f),
            Self::Use { table, column, used } => write!(f, "{used} {table}.{column}"),
        }
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} may not {} for project {}", self.user(), self.asked(), self.project())?;
        if let Some(bug) = self.bug() {
            return write!(f, ": the policies could not be evaluated: {bug}");
        }
        for (n, reason) in self.reasons().iter().enumerate() {
            let joint = if n == 0 { ": " } else { "; " };
            write!(f, "{joint}{} ({})", reason.text.en, reason.policy)?;
        }
        Ok(())
    }
}

impl std::error::Error for Denied {}
