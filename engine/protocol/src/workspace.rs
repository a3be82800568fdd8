//! Lists of codes and registered cohorts of a project.
//!
//! Tables and views are made and dropped by statements, which go the way of every question; this is what SQL has no
//! words for.

use serde::{Deserialize, Serialize};

/// An act on what a project keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceAsk {
    /// The user.
    pub user: String,
    /// The project.
    pub project: String,
    /// What is asked.
    pub act: WorkspaceAct,
}

/// What is asked of what a project keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkspaceAct {
    /// Keeps a list of codes, as the newest version under its name.
    AddCodes {
        /// The list's name.
        name: String,
        /// The code system.
        system: String,
        /// The codes.
        codes: Vec<String>,
    },
    /// Registers a kept table as a cohort for review.
    RegisterCohort {
        /// The table's name.
        name: String,
    },
    /// What the project keeps.
    List,
}

/// The answer to an act on what a project keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "workspace")]
pub enum WorkspaceReply {
    /// It was done.
    Done {
        /// What was done.
        message: String,
        /// The same in Japanese.
        message_ja: String,
    },
    /// It cannot be done as it was asked.
    Refused {
        /// Why not.
        message: String,
        /// The same in Japanese.
        message_ja: String,
    },
    /// What the project keeps.
    Listing {
        /// Tables, views and lists.
        kept: Vec<KeptItem>,
    },
}

/// Something that a project keeps, without any figure of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptItem {
    /// `table`, `view` or `list`.
    pub kind: String,
    /// Its name in SQL.
    pub name: String,
    /// Columns of a table, the SELECT of a view; of a version of a list its system, codes, and who added it when.
    pub what: String,
    /// Who made it; nobody is named for a view.
    pub by: String,
    /// The day until which it is kept, where it ends.
    pub until: Option<String>,
    /// Who registered it as a cohort, if anybody did.
    pub registered: Option<String>,
}
