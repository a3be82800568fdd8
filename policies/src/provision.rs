//! What an application says of rows that are provided outside: which columns of which tables, and which projects may
//! match theirs.
//!
//! Only anonymized data are handed over; where an application says nothing, nothing is.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::Tier;
use serde::{Deserialize, Serialize};

use crate::fault::{FileFault, FileProblem, Reading};

/// The section `[provision]` of an application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RowProvision {
    /// The project's own tables whose rows may be provided, by name, each with its columns. The person's is not among
    /// them: a pseudonym stands in its place.
    pub tables: BTreeMap<String, BTreeSet<String>>,
    /// The projects whose rows may be matched with these; none where nobody's may.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joint: Option<JointProvision>,
}

/// Projects that may match their rows: it holds where the permit of each says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JointProvision {
    /// The name under which it was approved.
    pub name: String,
    /// The projects, the application's own among them.
    pub projects: BTreeSet<String>,
}

impl RowProvision {
    pub(crate) fn check(&self, reading: Reading<'_>, (project, tier): (&str, Tier)) -> Result<(), FileFault> {
        let form = |key: &str, text: String| reading.fault(key, FileProblem::Form(text));
        if tier != Tier::Anonymized {
            return Err(form("provision", "only anonymized rows are handed over".to_owned()));
        }
        if self.tables.is_empty() {
            return Err(reading.fault("provision.tables", FileProblem::Empty));
        }
        for (table, columns) in &self.tables {
            reading.name("provision.tables", table)?;
            let key = format!("provision.tables.{table}");
            if columns.is_empty() {
                return Err(reading.fault(&key, FileProblem::Empty));
            }
            columns.iter().try_for_each(|column| reading.name(&key, column))?;
        }
        let Some(joint) = &self.joint else { return Ok(()) };
        reading.name("provision.joint.name", &joint.name)?;
        let key = "provision.joint.projects";
        joint.projects.iter().try_for_each(|other| reading.name(key, other))?;
        if joint.projects.len() < 2 || !joint.projects.contains(project) {
            return Err(form(key, format!("names {project} and at least one other")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Application;

    const OTHER: &str = include_str!("../tests/applications/other.toml");

    fn read(tier: &str, section: &str) -> Result<Application, String> {
        let text = OTHER.replace("tier = \"anonymized\"", &format!("tier = \"{tier}\""));
        Application::parse("a.toml", &format!("{text}\n{section}")).map_err(|fault| fault.to_string())
    }

    #[test]
    fn rows_are_provided_where_an_anonymized_application_says_which() {
        assert_eq!(read("anonymized", "").unwrap().provision(), None);
        let joint = "[provision]\ntables = { cohort = [\"sex\"] }\n[provision.joint]\nname = \"j\"\n\
                     projects = [\"other\", \"p\"]";
        let (without_own, alone) = (joint.replace("\"other\", ", ""), joint.replace(", \"p\"", ""));
        let application = read("anonymized", joint).unwrap();
        let again = Application::parse("a.toml", &application.to_toml().unwrap()).unwrap();
        assert_eq!(again.provision(), application.provision());
        assert_eq!(again.provision().unwrap().joint.as_ref().unwrap().projects.len(), 2);
        for (tier, section, expected) in [
            ("pseudonymized", joint, "a.toml: provision: only anonymized rows"),
            ("anonymized", "[provision]\ntables = {}", "a.toml: provision.tables: empty"),
            (
                "anonymized",
                "[provision]\ntables = { \"../x\" = [\"sex\"] }",
                "a.toml: provision.tables: \"../x\"",
            ),
            ("anonymized", "[provision]\ntables = { t = [] }", "a.toml: provision.tables.t: empty"),
            (
                "anonymized",
                "[provision]\ntables = { t = [\"a, b\"] }",
                "a.toml: provision.tables.t: \"a, b\"",
            ),
            ("anonymized", without_own.as_str(), "a.toml: provision.joint.projects: names other"),
            ("anonymized", alone.as_str(), "a.toml: provision.joint.projects: names other"),
        ] {
            let fault = read(tier, section).unwrap_err();
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
