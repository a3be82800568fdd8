//! The checklist of trusted environments, in our words, with what shows that each line is kept.

use catalog_model::Names;
use serde::Deserialize;

use crate::fault::{FileFault, FileProblem, Reading};

/// The shipped checklist.
const FILE: (&str, &str) = ("checklist.toml", include_str!("../checklist.toml"));

/// The checklist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checklist {
    /// Its lines in order.
    #[serde(rename = "line")]
    pub lines: Vec<ChecklistLine>,
}

/// One line of the checklist.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChecklistLine {
    /// Its id.
    pub id: String,
    /// `M`, `J`, `R` or `O`.
    pub level: String,
    /// Which of the five safes it belongs to; `discovery` where to none.
    pub safe: String,
    /// What is asked, in Japanese.
    pub ja: String,
    /// What is asked, in English.
    pub en: String,
    /// Tests that fail where it is no longer kept, as `file::name`.
    #[serde(default)]
    pub tests: Vec<String>,
    /// What is looked at in the running environment.
    pub probe: Option<String>,
    /// Why it does not apply.
    pub not_applicable: Option<Names>,
}

impl Checklist {
    /// The shipped checklist.
    ///
    /// # Errors
    ///
    /// It is not of the expected form, or an id, a level or a safe is not one.
    pub fn shipped() -> Result<Self, FileFault> {
        Self::parse(FILE.0, FILE.1)
    }

    fn parse(file: &str, text: &str) -> Result<Self, FileFault> {
        let reading = Reading(file);
        let checklist: Self = reading.toml(text)?;
        let safes = ["projects", "people", "data", "settings", "outputs", "discovery"];
        for (at, line) in checklist.lines.iter().enumerate() {
            let fault = |problem| Err(reading.fault(&format!("line.{}", line.id), problem));
            if checklist.lines.iter().take(at).any(|other| other.id == line.id) {
                return fault(FileProblem::Twice(line.id.clone()));
            }
            for (word, known) in [(&line.level, &["M", "J", "R", "O"][..]), (&line.safe, &safes[..])] {
                if !known.contains(&word.as_str()) {
                    return fault(FileProblem::Unknown(word.clone()));
                }
            }
            if line.ja.is_empty() || line.en.is_empty() {
                return fault(FileProblem::Empty);
            }
        }
        Ok(checklist)
    }
}

#[cfg(test)]
mod tests {
    use super::Checklist;

    #[test]
    fn the_shipped_checklist_has_each_line_once() {
        assert_eq!(Checklist::shipped().unwrap().lines.len(), 113);
    }

    #[test]
    fn a_line_that_is_none_is_named() {
        let text = |id: &str, level: &str| {
            format!(
                "[[line]]\nid = \"{id}\"\nlevel = \"{level}\"\nsafe = \"data\"\nja = \"項\"\nen = \"line\"\n"
            )
        };
        assert!(Checklist::parse("f", &(text("A1", "M") + &text("A2", "R"))).is_ok());
        let twice = Checklist::parse("f", &(text("A1", "M") + &text("A1", "R"))).unwrap_err();
        assert_eq!(twice.to_string(), "f: line.A1: A1 is named twice");
        assert!(Checklist::parse("f", &text("A1", "X")).unwrap_err().to_string().contains("refers to X"));
    }
}
