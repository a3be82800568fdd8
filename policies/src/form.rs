//! An application as people write it: one TOML file, checked as far as it can be without a catalogue.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Names, Period, Tier};
use governance::form::Answers;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fault::{FileFault, FileProblem, Reading};
use crate::instant::Instant;
use crate::outputs::Outputs;
use crate::provision::RowProvision;
use crate::rules::threshold;

/// An application as it is applied for; [`Form::approve`] makes an [`crate::Application`] of it.
#[derive(Clone, Debug)]
pub struct Form {
    pub(crate) file: String,
    pub(crate) written: Written,
}

/// What the data are used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// The word by which a request names the purpose.
    pub code: String,
    /// The text, Japanese.
    pub ja: String,
    /// The text, English.
    pub en: String,
}

/// A person whom the application names (取扱者).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The user id.
    pub user: String,
    /// What the person is in the project.
    pub role: Role,
}

/// What a person is in a project. Both may ask; the lead answers for the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// 研究代表者: answers for the project.
    Lead,
    /// 取扱者: works with the data.
    Researcher,
}

/// The columns of a table that are applied for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Columns {
    /// Every column of the table's definition, written `"*"`.
    All,
    /// The columns named.
    Named(BTreeSet<String>),
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    pub(crate) project: String,
    pub(crate) tier: Tier,
    pub(crate) rules: String,
    pub(crate) title: Names,
    pub(crate) purpose: Purpose,
    #[serde(rename = "person")]
    pub(crate) people: Vec<Person>,
    pub(crate) tables: BTreeMap<String, Columns>,
    #[serde(default)]
    pub(crate) thresholds: Stricter,
    /// How its releases go out.
    #[serde(default, skip_serializing_if = "Outputs::is_default")]
    pub(crate) outputs: Outputs,
    /// Whose rows may be provided outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) provision: Option<RowProvision>,
    /// What the form's questions are answered with; read by people, not by policies.
    #[serde(default, skip_serializing_if = "Answers::is_empty")]
    pub(crate) answers: Answers,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approval: Option<WrittenApproval>,
}

/// Thresholds of the application's own; they can only make the rule pack's stricter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Stricter {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) persons: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) zero_shown: Option<bool>,
}

/// The section that the board's decision adds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenApproval {
    pub(crate) snapshot: String,
    pub(crate) valid_from: Instant,
    pub(crate) valid_until: Instant,
    pub(crate) period: Period,
}

impl Form {
    /// Reads a form; an approval that stands in the file is left to [`crate::Application::parse`].
    ///
    /// # Errors
    ///
    /// Where the text is not a form, or a name could not stand in a policy.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileFault> {
        let reading = Reading(file);
        let written: Written = reading.toml(text)?;
        written.check(reading)?;
        Ok(Self { file: file.to_owned(), written })
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.written.project
    }

    /// The project's title.
    pub const fn title(&self) -> &Names {
        &self.written.title
    }

    /// The persons whom it names.
    pub fn people(&self) -> &[Person] {
        &self.written.people
    }

    /// What the form's questions are answered with.
    pub const fn answers(&self) -> &Answers {
        &self.written.answers
    }
}

impl Written {
    fn check(&self, reading: Reading<'_>) -> Result<(), FileFault> {
        reading.name("project", &self.project)?;
        reading.name("rules", &self.rules)?;
        reading.name("purpose.code", &self.purpose.code)?;
        for (key, text) in [
            ("title.ja", &self.title.ja),
            ("title.en", &self.title.en),
            ("purpose.ja", &self.purpose.ja),
            ("purpose.en", &self.purpose.en),
        ] {
            reading.text(key, text)?;
        }
        if let Some(persons) = self.thresholds.persons {
            threshold(reading, "thresholds.persons", persons)?;
        }
        self.outputs.check(reading)?;
        if let Some(provision) = &self.provision {
            provision.check(reading, (&self.project, self.tier))?;
        }
        self.check_people(reading)?;
        self.check_tables(reading)
    }

    fn check_people(&self, reading: Reading<'_>) -> Result<(), FileFault> {
        if self.people.is_empty() {
            return Err(reading.fault("person", FileProblem::Empty));
        }
        let mut users = BTreeSet::new();
        for person in &self.people {
            reading.text("person.user", &person.user)?;
            if !users.insert(&person.user) {
                return Err(reading.fault("person.user", FileProblem::Twice(person.user.clone())));
            }
        }
        Ok(())
    }

    // Table and column names become policy text: a name that is not plain must not get that far.
    fn check_tables(&self, reading: Reading<'_>) -> Result<(), FileFault> {
        if self.tables.is_empty() {
            return Err(reading.fault("tables", FileProblem::Empty));
        }
        for (table, columns) in &self.tables {
            reading.name("tables", table)?;
            let Columns::Named(columns) = columns else { continue };
            let key = format!("tables.{table}");
            if columns.is_empty() {
                return Err(reading.fault(&key, FileProblem::Empty));
            }
            columns.iter().try_for_each(|column| reading.name(&key, column))?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Columns {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "columns are \"*\" or a list of names")]
        enum Written {
            Word(String),
            Names(BTreeSet<String>),
        }
        match Written::deserialize(deserializer)? {
            Written::Word(word) if word == "*" => Ok(Self::All),
            Written::Word(_) => Err(serde::de::Error::custom("columns are \"*\" or a list of names")),
            Written::Names(names) => Ok(Self::Named(names)),
        }
    }
}

impl Serialize for Columns {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::All => serializer.serialize_str("*"),
            Self::Named(names) => names.serialize(serializer),
        }
    }
}
