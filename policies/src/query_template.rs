//! A query that the review board approved once, with typed parameters and declared domains.
//!
//! A binding is an ordinary query afterwards: it is vetted, recorded, budgeted and protected like any other, and an
//! approval lowers no threshold. What was approved is pinned: the digest covers the text, the parameters with their
//! domains, and the plan that the text gives with the parameters' examples.
//!
//! Values are put in as literals that are built from their type, never as text of the asker's own.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Catalogue, Date, Month, Names};
use serde::{Deserialize, Serialize};

use crate::fault::{FileFault, FileProblem, Reading};

/// A query with parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueryTemplate {
    /// The template's name.
    pub template: String,
    /// The project that may use it.
    pub project: String,
    /// What it is for.
    pub title: Names,
    /// The query, with `$name` where a parameter stands.
    pub sql: String,
    /// The parameters by name.
    #[serde(rename = "parameter")]
    pub parameters: BTreeMap<String, Parameter>,
    /// The board's decision; none before it.
    pub approval: Option<TemplateApproval>,
}

/// What the board decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateApproval {
    /// The digest of what was approved.
    pub plan: String,
    /// Who decided.
    pub by: String,
}

/// A parameter: its type with its declared domain, and an example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// The values that it may have.
    pub domain: ParameterDomain,
    /// A value of the domain, with which the text is approved.
    pub example: String,
}

/// The values that a parameter may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum ParameterDomain {
    /// Days from the first to the second, as `2024-04-01`.
    Days(String, String),
    /// Months from the first to the second, as `2024-04`; the query gets the first day.
    Months(String, String),
    /// Whole numbers from the first to the second.
    Numbers(i64, i64),
    /// One of these texts.
    Choice(Vec<String>),
    /// Codes of this code system, separated by commas: at most so many. The query gets a list in brackets.
    Codes(String, usize),
}

/// Why a template cannot be bound.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BindingFault {
    /// A parameter has no value.
    #[error("the parameter {0} is missing")]
    Missing(String),
    /// A value is given for a parameter that the template does not have.
    #[error("the template has no parameter {0}")]
    Unknown(String),
    /// The value lies outside the parameter's declared domain.
    #[error("the value of {0} lies outside its declared domain")]
    Outside(String),
}

impl QueryTemplate {
    /// Reads a template.
    ///
    /// # Errors
    ///
    /// The text is not a template, or its query and its parameters do not belong together.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileFault> {
        let reading = Reading(file);
        let template: Self = reading.toml(text)?;
        reading.name("template", &template.template)?;
        reading.name("project", &template.project)?;
        let is_odd = |sql: &str| sql.contains("--") || sql.contains("/*") || sql.contains('"');
        if template.sql.trim().is_empty() || is_odd(&template.sql) {
            let message = "a template's query has no comments and no quoted names".to_owned();
            return Err(reading.fault("sql", FileProblem::Form(message)));
        }
        let pieces = pieces(&template.sql)
            .ok_or_else(|| reading.fault("sql", FileProblem::Form("a $ within a text".to_owned())))?;
        let used: BTreeSet<&str> = pieces.iter().filter_map(Piece::name).collect();
        if let Some(name) = used.iter().find(|name| !template.parameters.contains_key(**name)) {
            return Err(reading.fault("sql", FileProblem::Unknown((*name).to_owned())));
        }
        if let Some(name) = template.parameters.keys().find(|name| !used.contains(name.as_str())) {
            return Err(reading.fault(&format!("parameter.{name}"), FileProblem::Unknown(name.clone())));
        }
        Ok(template)
    }

    /// The file that [`QueryTemplate::parse`] reads.
    ///
    /// # Errors
    ///
    /// It cannot be written as TOML, which would be a defect.
    pub fn to_toml(&self) -> Result<String, FileFault> {
        toml::to_string(self)
            .map_err(|error| Reading(&self.template).fault("file", FileProblem::Form(error.to_string())))
    }

    /// The query with these values.
    ///
    /// # Errors
    ///
    /// A value is missing, not known, or outside its domain.
    pub fn bind(
        &self,
        values: &BTreeMap<String, String>,
        catalogue: &Catalogue,
    ) -> Result<String, BindingFault> {
        if let Some(name) = values.keys().find(|name| !self.parameters.contains_key(*name)) {
            return Err(BindingFault::Unknown(name.clone()));
        }
        let mut literals = BTreeMap::new();
        for (name, parameter) in &self.parameters {
            let value = values.get(name).ok_or_else(|| BindingFault::Missing(name.clone()))?;
            let literal = parameter.domain.literal(value, catalogue);
            literals.insert(name.as_str(), literal.ok_or_else(|| BindingFault::Outside(name.clone()))?);
        }
        let text = |piece: &Piece<'_>| match piece {
            Piece::Text(text) => (*text).to_owned(),
            Piece::Parameter(name) => literals.get(name).cloned().unwrap_or_default(),
        };
        Ok(pieces(&self.sql).unwrap_or_default().iter().map(text).collect())
    }

    /// The query with the parameters' examples.
    ///
    /// # Errors
    ///
    /// An example lies outside its parameter's domain.
    pub fn bind_examples(&self, catalogue: &Catalogue) -> Result<String, BindingFault> {
        let examples = self.parameters.iter().map(|(name, of)| (name.clone(), of.example.clone()));
        self.bind(&examples.collect(), catalogue)
    }

    /// The digest of what is approved, given the plan of the query with the examples.
    pub fn digest(&self, plan: &str) -> String {
        let mut hasher = blake3::Hasher::new_derive_key("misu 2026-11 query template");
        let parameters = format!("{:?}", self.parameters);
        for part in [&self.template, &self.project, &self.sql, &parameters, plan] {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        }
        hasher.finalize().to_hex().to_string()
    }
}

impl ParameterDomain {
    /// The value as a literal of SQL; none where it lies outside.
    fn literal(&self, value: &str, catalogue: &Catalogue) -> Option<String> {
        match self {
            Self::Days(from, to) => {
                let (day, from, to) = (Date::parse(value)?, Date::parse(from)?, Date::parse(to)?);
                (from..=to).contains(&day).then(|| format!("DATE '{day}'"))
            }
            Self::Months(from, to) => {
                let month = |text: &str| text.parse::<Month>().ok();
                let (month, from, to) = (month(value)?, month(from)?, month(to)?);
                (from..=to).contains(&month).then(|| format!("DATE '{}'", month.first_day()))
            }
            Self::Numbers(low, high) => {
                let number: i64 = value.parse().ok()?;
                (*low..=*high).contains(&number).then(|| number.to_string())
            }
            Self::Choice(values) => values.iter().any(|known| known == value).then(|| quoted(value)),
            Self::Codes(system, most) => {
                let system = catalogue.codes.get(system)?;
                let codes: BTreeSet<&str> = value.split(',').map(str::trim).collect();
                let is_known = codes.iter().all(|code| system.get(code).is_some());
                let list: Vec<String> = codes.iter().map(|code| quoted(code)).collect();
                (is_known && codes.len() <= *most).then(|| format!("({})", list.join(", ")))
            }
        }
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A piece of a template's query.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    Parameter(&'a str),
}

impl<'a> Piece<'a> {
    const fn name(&self) -> Option<&'a str> {
        match self {
            Self::Text(_) => None,
            Self::Parameter(name) => Some(name),
        }
    }
}

/// The query cut at its parameters; none where a `$` stands within a text or without a name.
fn pieces(sql: &str) -> Option<Vec<Piece<'_>>> {
    let mut pieces = Vec::new();
    let mut quotes = 0;
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('$') {
        quotes += before.matches('\'').count();
        let length = after.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(after.len());
        let (name, next) = after.split_at_checked(length)?;
        if name.is_empty() || quotes % 2 == 1 {
            return None;
        }
        pieces.extend([Piece::Text(before), Piece::Parameter(name)]);
        rest = next;
    }
    pieces.push(Piece::Text(rest));
    Some(pieces)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::Catalogue;

    use super::{BindingFault, QueryTemplate};

    const TEXT: &str = r#"
template = "care-of-a-disease"
project = "demo"
title = { ja = "傷病の受診者", en = "patients with a disease" }
sql = """
SELECT d.prefecture, count(DISTINCT d.person_id) AS persons FROM ndb_diagnosis d
WHERE d.disease_code IN $diseases AND d.service_month >= $since AND d.setting = $setting AND d.start_date < $until
GROUP BY d.prefecture"""

[parameter.diseases]
domain = { codes = ["disease", 2] }
example = "9990030"

[parameter.since]
domain = { months = ["2023-04", "2025-03"] }
example = "2023-04"

[parameter.setting]
domain = { choice = ["inpatient", "o'clock"] }
example = "inpatient"

[parameter.until]
domain = { days = ["2023-04-01", "2025-03-31"] }
example = "2024-01-01"
"#;

    fn bind(changes: &[(&str, &str)]) -> Result<String, BindingFault> {
        let template = QueryTemplate::parse("t.toml", TEXT).unwrap();
        let examples = template.parameters.iter().map(|(name, of)| (name.clone(), of.example.clone()));
        let mut values: BTreeMap<String, String> = examples.collect();
        for (name, value) in changes {
            values.insert((*name).to_owned(), (*value).to_owned());
        }
        template.bind(&values, &Catalogue::builtin().unwrap())
    }

    #[test]
    fn values_become_literals_of_their_type() {
        let sql = bind(&[("diseases", "9990030, 9990031"), ("setting", "o'clock")]).unwrap();
        let expected = "IN ('9990030', '9990031') AND d.service_month >= DATE '2023-04-01' AND d.setting = \
                        'o''clock' AND d.start_date < DATE '2024-01-01'\nGROUP BY";
        assert!(sql.contains(expected), "{sql}");
    }

    #[test]
    fn values_outside_the_domain_are_not_bound() {
        for (name, value) in [
            ("diseases", "9990030, 9990031, 9990010"),
            ("diseases", "E11"),
            ("diseases", "9990030') OR ('1' = '1"),
            ("diseases", ""),
            ("since", "2023-03"),
            ("since", "2023-04-01"),
            ("since", "2024-04' OR '1'='1"),
            ("setting", "outpatient"),
            ("until", "2025-04-01"),
            ("until", "2024-02-30"),
        ] {
            assert_eq!(bind(&[(name, value)]), Err(BindingFault::Outside(name.to_owned())), "{value}");
        }
        assert_eq!(bind(&[("else", "1")]), Err(BindingFault::Unknown("else".to_owned())));
        let template = QueryTemplate::parse("t.toml", TEXT).unwrap();
        let missing = template.bind(&BTreeMap::new(), &Catalogue::builtin().unwrap());
        assert_eq!(missing, Err(BindingFault::Missing("diseases".to_owned())));
    }

    #[test]
    fn a_text_and_its_parameters_belong_together() {
        for (from, to) in [
            ("$since", "$sinze"),
            ("= $setting", "= '$setting'"),
            ("GROUP BY", "-- $\nGROUP BY"),
            ("AND d.setting = $setting", ""),
            ("$until", "$"),
        ] {
            assert!(TEXT.contains(from));
            assert!(QueryTemplate::parse("t.toml", &TEXT.replacen(from, to, 1)).is_err(), "{to}");
        }
    }

    #[test]
    fn the_digest_covers_text_domains_and_plan() {
        let template = QueryTemplate::parse("t.toml", TEXT).unwrap();
        let digest = |text: String, plan: &str| QueryTemplate::parse("t.toml", &text).unwrap().digest(plan);
        let first = digest(TEXT.to_owned(), "plan");
        assert_eq!(first, template.digest("plan"));
        assert_ne!(first, template.digest("other plan"));
        assert_ne!(first, digest(TEXT.replace("\"disease\", 2", "\"disease\", 3"), "plan"));
        assert_ne!(first, digest(TEXT.replace("d.start_date <", "d.start_date <="), "plan"));
        let written = template.to_toml().unwrap();
        assert_eq!(QueryTemplate::parse("t.toml", &written).unwrap(), template);
    }
}
