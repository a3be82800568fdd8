//! Notebooks: SQL and text that a researcher keeps in a project, and what the guard says of them.

use serde::{Deserialize, Serialize};

/// Something asked of a project's notebooks by one of its researchers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotebookRequest {
    /// The user.
    pub user: String,
    /// The project.
    pub project: String,
    /// What is asked.
    pub act: NotebookAct,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "act")]
pub enum NotebookAct {
    /// Which are there: one's own, and those of others that they share.
    List,
    /// One of these.
    Open {
        /// Its id.
        id: String,
    },
    /// Keep one's own, new or changed.
    Keep {
        /// The notebook as it is to be; `version` is the one that was changed, 0 where it is new.
        notebook: Notebook,
    },
    /// Remove one's own.
    Remove {
        /// Its id.
        id: String,
    },
}

/// A notebook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notebook {
    /// Its id, made by whoever made it: lower-case letters, digits and hyphens.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Who made it; the guard sees to it.
    #[serde(default)]
    pub owner: String,
    /// Whether others of the project may read it.
    #[serde(default)]
    pub is_shared: bool,
    /// How often it was kept.
    #[serde(default)]
    pub version: u64,
    /// Its cells from top to bottom.
    pub cells: Vec<NotebookCell>,
}

/// A cell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotebookCell {
    /// Its id within the notebook.
    pub id: String,
    /// What it holds.
    pub kind: NotebookCellKind,
    /// Its text.
    pub text: String,
}

/// What a cell holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NotebookCellKind {
    /// A question.
    Sql,
    /// Words.
    Text,
}

/// A notebook in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotebookEntry {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub title: String,
    /// Who made it.
    pub owner: String,
    /// Whether others of the project may read it.
    pub is_shared: bool,
}

/// What the guard says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "notebook")]
pub enum NotebookReply {
    /// The notebooks.
    List {
        /// By title.
        entries: Vec<NotebookEntry>,
    },
    /// One notebook.
    One(Notebook),
    /// It is kept.
    Kept {
        /// The version that it has now.
        version: u64,
    },
    /// It is removed.
    Removed,
    /// Somebody kept another version meanwhile; nothing was changed.
    Changed,
    /// There is none that this user may see.
    NotFound,
    /// It is not of a form that is kept: too large, or with an id that is none.
    Unfit,
    /// The user has no permit in the project.
    Denied,
}
