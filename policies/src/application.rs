//! Approved applications: the original from which policies and permits are made.

use std::collections::BTreeMap;

use catalog_model::{Catalogue, Names, Period, SnapshotId, Thresholds, Tier};
use time::OffsetDateTime;

use crate::fault::{FileFault, FileProblem, Reading};
use crate::form::{Columns, Form, Person, Purpose, WrittenApproval};
use crate::instant::Instant;
use crate::outputs::Outputs;
use crate::provision::RowProvision;

/// An application that was approved.
#[derive(Clone, Debug)]
pub struct Application {
    form: Form,
    approval: Approval,
}

/// What the board's decision adds to a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// The snapshot that the permit is pinned to.
    pub snapshot: SnapshotId,
    /// The service months that may be seen.
    pub period: Period,
    /// The first moment at which the permit holds.
    pub valid_from: OffsetDateTime,
    /// The first moment at which it no longer holds.
    pub valid_until: OffsetDateTime,
}

impl Form {
    /// The form with the board's decision.
    ///
    /// # Errors
    ///
    /// Where the decision ends before it begins.
    pub fn approve(self, approval: Approval) -> Result<Application, FileFault> {
        let reading = Reading(&self.file);
        if approval.valid_until <= approval.valid_from {
            return Err(reading.fault("approval.valid_until", FileProblem::Backwards));
        }
        if approval.period.to < approval.period.from {
            return Err(reading.fault("approval.period", FileProblem::Backwards));
        }
        Ok(Application { form: self, approval })
    }
}

impl Application {
    /// Reads an application with its approval.
    ///
    /// # Errors
    ///
    /// As [`Form::parse`] and [`Form::approve`], or where the approval is missing.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileFault> {
        let mut form = Form::parse(file, text)?;
        let reading = Reading(file);
        let Some(written) = form.written.approval.take() else {
            return Err(reading.fault("approval", FileProblem::NotApproved));
        };
        let Some(snapshot) = SnapshotId::parse(&written.snapshot) else {
            return Err(reading.fault("approval.snapshot", FileProblem::Unknown(written.snapshot)));
        };
        form.approve(Approval {
            snapshot,
            period: written.period,
            valid_from: written.valid_from.0,
            valid_until: written.valid_until.0,
        })
    }

    /// The file that [`Application::parse`] reads.
    ///
    /// # Errors
    ///
    /// Where a time cannot be written as RFC 3339 (a year beyond 9999).
    pub fn to_toml(&self) -> Result<String, FileFault> {
        let mut written = self.form.written.clone();
        written.approval = Some(WrittenApproval {
            snapshot: self.approval.snapshot.as_str().to_owned(),
            valid_from: Instant(self.approval.valid_from),
            valid_until: Instant(self.approval.valid_until),
            period: self.approval.period,
        });
        toml::to_string(&written)
            .map_err(|error| Reading(&self.form.file).fault("approval", FileProblem::Form(error.to_string())))
    }

    /// The project's id.
    pub fn project(&self) -> &str {
        &self.form.written.project
    }

    /// The project's title.
    pub const fn title(&self) -> &Names {
        &self.form.written.title
    }

    /// What the data are used for.
    pub const fn purpose(&self) -> &Purpose {
        &self.form.written.purpose
    }

    /// The persons whom it names.
    pub fn people(&self) -> &[Person] {
        &self.form.written.people
    }

    /// The columns that it names, by table.
    pub const fn tables(&self) -> &BTreeMap<String, Columns> {
        &self.form.written.tables
    }

    /// Pseudonymized or anonymized data.
    pub const fn tier(&self) -> Tier {
        self.form.written.tier
    }

    /// The name of the rule pack that its releases follow.
    pub fn rules(&self) -> &str {
        &self.form.written.rules
    }

    /// How its releases go out.
    pub const fn outputs(&self) -> &Outputs {
        &self.form.written.outputs
    }

    /// Whose rows may be provided outside; none where nothing is.
    pub const fn provision(&self) -> Option<&RowProvision> {
        self.form.written.provision.as_ref()
    }

    /// Whether the permit holds at this moment.
    pub fn is_in_force(&self, now: OffsetDateTime) -> bool {
        (self.approval.valid_from..self.approval.valid_until).contains(&now)
    }

    /// What the board decided.
    pub const fn approval(&self) -> &Approval {
        &self.approval
    }

    /// The rule pack's thresholds, made stricter where the application says so; a looser number has no effect.
    pub(crate) fn thresholds(&self, pack: Thresholds) -> Thresholds {
        let own = self.form.written.thresholds;
        Thresholds {
            persons: own.persons.map_or(pack.persons, |persons| persons.max(pack.persons)),
            zero_shown: pack.zero_shown && own.zero_shown.unwrap_or(true),
        }
    }

    /// Every table and column that the application names and the catalogue does not have.
    pub(crate) fn unknown(&self, catalogue: &Catalogue) -> Vec<FileFault> {
        let reading = Reading(&self.form.file);
        let mut faults = Vec::new();
        for (name, columns) in self.tables() {
            let Some(table) = catalogue.tables.get(name) else {
                faults.push(reading.fault("tables", FileProblem::Unknown(name.clone())));
                continue;
            };
            let Columns::Named(columns) = columns else { continue };
            for column in columns.iter().filter(|column| table.column(column).is_none()) {
                let problem = FileProblem::Unknown(column.clone());
                faults.push(reading.fault(&format!("tables.{name}"), problem));
            }
        }
        faults
    }

    pub(crate) fn fault(&self, key: &str, problem: FileProblem) -> FileFault {
        Reading(&self.form.file).fault(key, problem)
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Thresholds;
    use time::macros::datetime;

    use super::{Application, Form};

    const OTHER: &str = include_str!("../tests/applications/other.toml");

    fn fault(from: &str, to: &str) -> String {
        assert!(OTHER.contains(from), "{from}");
        Application::parse("a.toml", &OTHER.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn faults_name_file_and_key() {
        let cases = [
            ("project = \"other\"", "project = \"Other\"", "a.toml: project: \"Other\" is not made of"),
            (
                "person = [\"person_id\"",
                "person = [\"x\\\"] || true\"",
                "a.toml: tables.person: \"x\\\"] || true\" is not made of",
            ),
            (
                "ndb_comment = \"*\"",
                "ndb_comment = \"all\"",
                "a.toml: line 22: columns are \"*\" or a list of names",
            ),
            ("other-researcher", "demo-researcher", "a.toml: person.user: demo-researcher is named twice"),
            ("コメントの集計", "", "a.toml: purpose.ja: empty"),
            ("コメントの集計", "\\n// 集計", "a.toml: purpose.ja: holds a control character"),
            ("persons = 20", "persons = 1", "a.toml: thresholds.persons: a cell of 1 protects nobody"),
            ("[approval]\nsnapshot", "snapshot", "a.toml: line 26: columns are"),
            ("snapshot = \"ab", "snapshot = \"zz", "a.toml: approval.snapshot: refers to zz"),
            ("2027-04-01T", "2025-04-01T", "a.toml: approval.valid_until: ends before it begins"),
            ("to = \"2024-09\"", "to = \"2024-03\"", "a.toml: approval.period: ends before it begins"),
            ("2027-04-01T00:00:00+09:00", "2027-04-01", "a.toml: line 29: not a time of the form"),
        ];
        for (from, to, expected) in cases {
            let found = fault(from, to);
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn a_form_is_not_an_application() {
        let (file, text) = crate::DEMO_APPLICATION;
        let fault = Application::parse(file, text).unwrap_err();
        assert_eq!(fault.to_string(), "demo/application.toml: approval: not approved");
    }

    #[test]
    fn an_application_is_written_and_read_back() {
        let (file, text) = crate::DEMO_APPLICATION;
        let mut approval = Application::parse("other.toml", OTHER).unwrap().approval().clone();
        approval.valid_from = datetime!(2026-11-21 01:02:03.456 UTC);
        let application = Form::parse(file, text).unwrap().approve(approval).unwrap();
        let read = Application::parse(file, &application.to_toml().unwrap()).unwrap();
        assert_eq!(read.approval(), application.approval());
        assert_eq!(read.form.written, application.form.written);
    }

    #[test]
    fn thresholds_are_only_made_stricter() {
        let pack = |persons, zero_shown| Thresholds { persons, zero_shown };
        let other = Application::parse("other.toml", OTHER).unwrap();
        assert_eq!(other.thresholds(pack(10, true)), pack(20, false));
        assert_eq!(other.thresholds(pack(30, false)), pack(30, false));
        let looser = OTHER.replace("persons = 20, zero_shown = false", "persons = 5, zero_shown = true");
        let looser = Application::parse("other.toml", &looser).unwrap();
        assert_eq!(looser.thresholds(pack(10, false)), pack(10, false));
        let silent = OTHER.replace("thresholds = { persons = 20, zero_shown = false }", "");
        assert_eq!(
            Application::parse("other.toml", &silent).unwrap().thresholds(pack(10, true)),
            pack(10, true)
        );
    }
}
