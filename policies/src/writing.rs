//! An application written field by field, as a page asks for it, and read back into its fields.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::Names;
use governance::form::{Answer, Answers};

use crate::fault::{FileFault, FileProblem, Reading};
use crate::form::{Columns, Form, Person, Purpose, Role, Stricter, Written};
use crate::outputs::{Outputs, Planned};
use crate::provision::{JointProvision, RowProvision};

/// The file's name in faults.
const FILE: &str = "application";

/// The fields that permits are made of; every other field is an answer to a question.
const OWN: [&str; 14] = [
    "project",
    "tier",
    "rules",
    "title_ja",
    "title_en",
    "purpose_code",
    "purpose_ja",
    "purpose_en",
    "people",
    "tables",
    "reviewed",
    "planned",
    "provided",
    "matched",
];

impl Form {
    /// The application that these fields write, with its text.
    ///
    /// People are entries `user lead` or `user researcher`; tables are entries `table: column, column` or
    /// `table: *`; planned outputs are entries `title: table.column, table.column`; own tables that are provided outside
    /// are entries `table: column, column` of `provided`, and `matched` is `name: project, project` where others may match theirs.
    ///
    /// # Errors
    ///
    /// As [`Form::parse`], or a field is missing or not of its form.
    pub fn of_fields(fields: &Answers) -> Result<(Self, String), FileFault> {
        let given = Given(fields);
        let tier = toml::Value::String(given.text("tier")?).try_into();
        let written = Written {
            project: given.text("project")?,
            tier: tier.map_err(|_| given.unknown("tier"))?,
            rules: given.text("rules")?,
            title: Names { ja: given.text("title_ja")?, en: given.text("title_en")? },
            purpose: Purpose {
                code: given.text("purpose_code")?,
                ja: given.text("purpose_ja")?,
                en: given.text("purpose_en")?,
            },
            people: given.entries("people").iter().map(|entry| person(entry)).collect::<Result<_, _>>()?,
            tables: given.entries("tables").iter().map(|entry| table(entry)).collect::<Result<_, _>>()?,
            thresholds: Stricter::default(),
            outputs: Outputs::written(
                given.entries("reviewed"),
                given.entries("planned").iter().map(|entry| planned(entry)).collect::<Result<_, _>>()?,
            ),
            provision: given.provision()?,
            answers: fields.iter().filter(|(name, _)| !OWN.contains(&name.as_str())).map(owned).collect(),
            approval: None,
        };
        let text = toml::to_string(&written)
            .map_err(|error| Reading(FILE).fault("application", FileProblem::Form(error.to_string())))?;
        Ok((Self::parse(FILE, &text)?, text))
    }

    /// The fields that write this application.
    pub fn fields(&self) -> Answers {
        let written = &self.written;
        let text = |text: &str| Answer::Text(text.to_owned());
        let tier = toml::Value::try_from(written.tier).ok();
        let tier = tier.as_ref().and_then(toml::Value::as_str).unwrap_or_default();
        let mut fields = written.answers.clone();
        fields.extend(
            [
                ("project", text(&written.project)),
                ("tier", text(tier)),
                ("rules", text(&written.rules)),
                ("title_ja", text(&written.title.ja)),
                ("title_en", text(&written.title.en)),
                ("purpose_code", text(&written.purpose.code)),
                ("purpose_ja", text(&written.purpose.ja)),
                ("purpose_en", text(&written.purpose.en)),
                ("people", Answer::List(written.people.iter().map(person_entry).collect())),
                ("tables", Answer::List(written.tables.iter().map(table_entry).collect())),
                ("reviewed", Answer::List(written.outputs.reviewed.iter().cloned().collect())),
                ("planned", Answer::List(written.outputs.planned.iter().map(planned_entry).collect())),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        if let Some(provision) = &written.provision {
            fields.insert(
                "provided".to_owned(),
                Answer::List(provision.tables.iter().map(provided_entry).collect()),
            );
            fields.extend(
                provision.joint.iter().map(|joint| ("matched".to_owned(), text(&joint_entry(joint)))),
            );
        }
        fields
    }
}

struct Given<'f>(&'f Answers);

impl Given<'_> {
    fn text(&self, name: &'static str) -> Result<String, FileFault> {
        match self.0.get(name) {
            Some(Answer::Text(text)) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
            _ => Err(Reading(FILE).fault(name, FileProblem::Empty)),
        }
    }

    fn entries(&self, name: &str) -> Vec<String> {
        let lines: Vec<&str> = match self.0.get(name) {
            Some(Answer::List(entries)) => entries.iter().map(String::as_str).collect(),
            Some(Answer::Text(text)) => text.lines().collect(),
            _ => Vec::new(),
        };
        lines.into_iter().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    }

    /// What is provided outside; nothing where no table is named.
    fn provision(&self) -> Result<Option<RowProvision>, FileFault> {
        let entries = self.entries("provided");
        let tables = entries.iter().map(|entry| provided(entry)).collect::<Result<BTreeMap<_, _>, _>>()?;
        let joint = self.entries("matched").first().map(|entry| joint(entry)).transpose()?;
        // Matching without rows is a mistake, which the form then names.
        let is_empty = tables.is_empty() && joint.is_none();
        Ok((!is_empty).then_some(RowProvision { tables, joint }))
    }

    fn unknown(&self, name: &'static str) -> FileFault {
        let word = self.text(name).unwrap_or_default();
        Reading(FILE).fault(name, FileProblem::Unknown(word))
    }
}

fn owned((name, answer): (&String, &Answer)) -> (String, Answer) {
    (name.clone(), answer.clone())
}

fn person(entry: &str) -> Result<Person, FileFault> {
    let (user, role) = entry.split_once(char::is_whitespace).unwrap_or((entry, "researcher"));
    let role = match role.trim() {
        "lead" => Role::Lead,
        "researcher" => Role::Researcher,
        other => return Err(Reading(FILE).fault("people", FileProblem::Unknown(other.to_owned()))),
    };
    Ok(Person { user: user.to_owned(), role })
}

fn person_entry(person: &Person) -> String {
    let role = match person.role {
        Role::Lead => "lead",
        Role::Researcher => "researcher",
    };
    format!("{} {role}", person.user)
}

fn table(entry: &str) -> Result<(String, Columns), FileFault> {
    let Some((table, columns)) = entry.split_once(':') else {
        return Err(Reading(FILE).fault("tables", FileProblem::Form(format!("{entry}: no columns"))));
    };
    let named: BTreeSet<String> =
        columns.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let columns = if columns.trim() == "*" { Columns::All } else { Columns::Named(named) };
    Ok((table.trim().to_owned(), columns))
}

fn provided(entry: &str) -> Result<(String, BTreeSet<String>), FileFault> {
    let Some((table, columns)) = entry.split_once([':', '：']) else {
        return Err(Reading(FILE).fault("provided", FileProblem::Form(format!("{entry}: no columns"))));
    };
    let columns = columns.split([',', '、']).map(str::trim).filter(|column| !column.is_empty());
    Ok((table.trim().to_owned(), columns.map(str::to_owned).collect()))
}

fn provided_entry((table, columns): (&String, &BTreeSet<String>)) -> String {
    format!("{table}: {}", columns.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
}

fn planned(entry: &str) -> Result<Planned, FileFault> {
    // A title may have a colon of its own; columns have none.
    let Some((title, columns)) = entry.rsplit_once([':', '：']) else {
        return Err(Reading(FILE).fault("planned", FileProblem::Form(format!("{entry}: no columns"))));
    };
    let columns = columns.split([',', '、']).map(str::trim).filter(|name| !name.is_empty());
    Ok(Planned { title: title.trim().to_owned(), columns: columns.map(str::to_owned).collect() })
}

fn joint(entry: &str) -> Result<JointProvision, FileFault> {
    let Some((name, projects)) = entry.split_once([':', '：']) else {
        return Err(Reading(FILE).fault("matched", FileProblem::Form(format!("{entry}: no projects"))));
    };
    let projects = projects.split([',', '、']).map(str::trim).filter(|project| !project.is_empty());
    Ok(JointProvision { name: name.trim().to_owned(), projects: projects.map(str::to_owned).collect() })
}

fn joint_entry(joint: &JointProvision) -> String {
    let projects: Vec<&str> = joint.projects.iter().map(String::as_str).collect();
    format!("{}: {}", joint.name, projects.join(", "))
}

fn planned_entry(planned: &Planned) -> String {
    let columns: Vec<&str> = planned.columns.iter().map(String::as_str).collect();
    format!("{}: {}", planned.title, columns.join(", "))
}

fn table_entry((table, columns): (&String, &Columns)) -> String {
    match columns {
        Columns::All => format!("{table}: *"),
        Columns::Named(names) => {
            format!("{table}: {}", names.iter().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use governance::form::Answer;

    use crate::Form;

    #[test]
    fn an_application_is_written_field_by_field_and_read_back() {
        let (file, text) = crate::DEMO_APPLICATION;
        let form = Form::parse(file, text).unwrap();
        let (again, text) = Form::of_fields(&form.fields()).unwrap();
        assert_eq!(again.written, form.written);
        assert_eq!(Form::parse("again", &text).unwrap().written, form.written);
        let provided = text.replace("tier = \"pseudonymized\"", "tier = \"anonymized\"")
            + "\n[provision]\ntables = { cohort = [\"sex\"] }\njoint = { name = \"j\", projects = [\"demo\", \"other\"] }\n";
        let form = Form::parse("provided", &provided).unwrap();
        let (again, _) = Form::of_fields(&form.fields()).unwrap();
        assert!(again.written.provision.is_some());
        assert_eq!(again.written, form.written);
    }

    #[test]
    fn a_field_that_could_not_stand_in_a_policy_is_named() {
        let (file, text) = crate::DEMO_APPLICATION;
        let fields = Form::parse(file, text).unwrap().fields();
        let fault = |name: &str, value: &str| {
            let mut fields = fields.clone();
            fields.insert(name.to_owned(), Answer::Text(value.to_owned()));
            Form::of_fields(&fields).unwrap_err().to_string()
        };
        assert_eq!(fault("title_ja", " "), "application: title_ja: empty");
        assert!(fault("tier", "raw").starts_with("application: tier: refers to raw"));
        assert!(fault("people", "a boss").starts_with("application: people: refers to boss"));
        assert!(fault("tables", "person: x\") || true").starts_with("application: tables.person"));
        assert_eq!(fault("provided", "cohort"), "application: provided: cohort: no columns");
        assert!(fault("reviewed", "nothing").starts_with("application: outputs.reviewed"));
    }
}
