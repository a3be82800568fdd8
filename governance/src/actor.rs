//! Who acts, and in which roles.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a person may be in the house. One person can have several roles; some exclude each other in one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// 研究者: applies and asks.
    Researcher,
    /// 審査委員: reviews applications and outputs.
    Reviewer,
    /// データ管理責任者: decides on behalf of the data's owner.
    DataOfficer,
    /// 運用担当者: runs pipelines and programs.
    Operator,
    /// 監査人: reads the record.
    Auditor,
    /// 公開: anybody, without signing in.
    Public,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Researcher, Self::Reviewer, Self::DataOfficer, Self::Operator, Self::Auditor, Self::Public];

    /// The role's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Researcher => "researcher",
            Self::Reviewer => "reviewer",
            Self::DataOfficer => "data-officer",
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Public => "public",
        }
    }

    /// The role in Japanese.
    pub const fn ja(self) -> &'static str {
        match self {
            Self::Researcher => "研究者",
            Self::Reviewer => "審査委員",
            Self::DataOfficer => "データ管理責任者",
            Self::Operator => "運用担当者",
            Self::Auditor => "監査人",
            Self::Public => "公開",
        }
    }

    /// The role of this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// The roles whose words stand in a text, as a person's entry has them; other words are passed over.
    pub fn listed(words: &str) -> impl Iterator<Item = Self> {
        words.split_whitespace().filter_map(Self::parse)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A person who acts, with the roles that hold at this moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    user: String,
    roles: BTreeSet<Role>,
}

impl Actor {
    /// A person with these roles.
    pub fn new(user: &str, roles: impl IntoIterator<Item = Role>) -> Self {
        Self { user: user.to_owned(), roles: roles.into_iter().collect() }
    }

    /// The person's user id.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// Whether the person has a role.
    pub fn is(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}
