//! Approved templates of a project, as those who may use them see them.

use serde::{Deserialize, Serialize};

/// Which templates may be used?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplatesAsk {
    /// The user.
    pub user: String,
    /// The project.
    pub project: String,
}

/// An approved template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateView {
    /// Its name.
    pub name: String,
    /// What it is for, in Japanese and English.
    pub title: (String, String),
    /// The query, with `$name` where a parameter stands.
    pub sql: String,
    /// The parameters.
    pub parameters: Vec<ParameterView>,
    /// Who approved it.
    pub by: String,
}

/// A parameter of a template.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterView {
    /// Its name.
    pub name: String,
    /// `days`, `months`, `numbers`, `choice` or `codes`.
    pub kind: String,
    /// The first and the last value; of codes, their system and how many there may be; empty for a choice.
    pub range: Option<(String, String)>,
    /// The values of a choice.
    pub choices: Vec<String>,
    /// A value of the domain.
    pub example: String,
}
