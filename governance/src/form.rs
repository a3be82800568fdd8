//! Application forms as data: which questions there are, and which answers a form must have before it is submitted.
//!
//! The questions are one TOML file, Japanese first; a new edition is a new file. What an answer means for permits
//! (people, tables, period) is read elsewhere from the same answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// An edition of the form.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormSchema {
    /// The edition, a date.
    pub edition: String,
    /// Where its questions come from.
    pub source: String,
    /// The questions, in order.
    #[serde(rename = "question")]
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Its name.
    pub id: String,
    /// The question, Japanese.
    pub ja: String,
    /// The question, English.
    pub en: String,
    /// What helps to answer it, Japanese.
    #[serde(default)]
    pub help_ja: String,
    /// What helps to answer it, English.
    #[serde(default)]
    pub help_en: String,
    /// What an answer is.
    pub kind: AnswerKind,
    /// Whether a form without it is incomplete.
    #[serde(default = "yes")]
    pub required: bool,
    /// The question is asked only where another has this answer.
    #[serde(default)]
    pub only_if: Option<Condition>,
}

/// When a question is asked.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// The other question.
    pub question: String,
    /// Its answer.
    pub is: String,
}

/// What an answer is.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerKind {
    /// Text of at least so many letters.
    Text {
        /// Letters.
        least: usize,
    },
    /// One of these words.
    Choice(Vec<String>),
    /// Entries, at least one.
    List,
    /// A day, `2026-11-21`.
    Day,
    /// `true`: something that must be affirmed.
    Pledge,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// A pledge.
    Flag(bool),
    /// A text, a choice or a day.
    Text(String),
    /// Entries.
    List(Vec<String>),
}

impl Answer {
    /// The answer for a reader, entries one on a line.
    pub fn text(&self) -> String {
        match self {
            Self::Flag(true) => "はい / yes".to_owned(),
            Self::Flag(false) => "いいえ / no".to_owned(),
            Self::Text(text) => text.clone(),
            Self::List(entries) => entries.join("\n"),
        }
    }
}

/// A form's answers by question.
pub type Answers = BTreeMap<String, Answer>;

const fn yes() -> bool {
    true
}

impl FormSchema {
    /// Reads an edition.
    ///
    /// # Errors
    ///
    /// Says what of the text is not a form, or which question is there twice or refers to one that is not.
    pub fn parse(text: &str) -> Result<Self, String> {
        let schema: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for (at, question) in schema.questions.iter().enumerate() {
            let before = schema.questions.iter().take(at);
            if before.clone().any(|other| other.id == question.id) {
                return Err(format!("question {} is there twice", question.id));
            }
            if let Some(condition) = &question.only_if
                && !before.clone().any(|other| other.id == condition.question)
            {
                return Err(format!("question {} depends on one that does not come before it", question.id));
            }
        }
        Ok(schema)
    }

    /// What is missing or wrong in a form's answers, in the order of the questions; nothing where it is complete.
    pub fn missing(&self, answers: &Answers) -> Vec<String> {
        let asked = self.questions.iter().filter(|question| is_asked(question, answers));
        let mut missing: Vec<String> = asked.filter_map(|question| lack(question, answers)).collect();
        let unknown = answers.keys().filter(|id| !self.questions.iter().any(|question| question.id == **id));
        missing.extend(unknown.map(|id| format!("{id}: no such question")));
        missing
    }
}

fn is_asked(question: &Question, answers: &Answers) -> bool {
    question.only_if.as_ref().is_none_or(|condition| match answers.get(&condition.question) {
        Some(Answer::Text(text)) => *text == condition.is,
        Some(Answer::Flag(flag)) => flag.to_string() == condition.is,
        Some(Answer::List(_)) | None => false,
    })
}

fn lack(question: &Question, answers: &Answers) -> Option<String> {
    let problem = match (answers.get(&question.id), &question.kind) {
        (None, _) => {
            if question.required {
                "not answered".to_owned()
            } else {
                return None;
            }
        }
        (Some(Answer::Text(text)), AnswerKind::Text { least }) => {
            let letters = text.trim().chars().count();
            if letters >= *least {
                return None;
            }
            format!("{letters} letters of at least {least}")
        }
        (Some(Answer::Text(text)), AnswerKind::Choice(words)) => {
            if words.contains(text) {
                return None;
            }
            format!("not one of {}", words.join(", "))
        }
        (Some(Answer::List(entries)), AnswerKind::List) => {
            if entries.iter().any(|entry| !entry.trim().is_empty()) {
                return None;
            }
            "empty".to_owned()
        }
        (Some(Answer::Text(text)), AnswerKind::Day) => {
            let format = time::macros::format_description!("[year]-[month]-[day]");
            if time::Date::parse(text, format).is_ok() {
                return None;
            }
            "not a day of the form 2026-11-21".to_owned()
        }
        (Some(Answer::Flag(true)), AnswerKind::Pledge) => return None,
        (Some(Answer::Flag(false)), AnswerKind::Pledge) => "must be affirmed".to_owned(),
        (Some(_), _) => "an answer of another kind".to_owned(),
    };
    Some(format!("{}: {problem}", question.id))
}

#[cfg(test)]
mod tests {
    use super::{Answer, Answers, FormSchema};

    const SCHEMA: &str = r#"
        edition = "2026-11-01"
        source = "a test"
        [[question]]
        id = "benefit"
        ja = "公益性"
        en = "public benefit"
        kind = { text = { least = 5 } }
        [[question]]
        id = "tier"
        ja = "区分"
        en = "tier"
        kind = { choice = ["pseudonymized", "anonymized"] }
        [[question]]
        id = "why_pseudonymized"
        ja = "仮名化情報を要する理由"
        en = "why pseudonymized data"
        kind = { text = { least = 3 } }
        only_if = { question = "tier", is = "pseudonymized" }
        [[question]]
        id = "ends"
        ja = "終了日"
        en = "end"
        kind = "day"
        [[question]]
        id = "no_reidentification"
        ja = "再識別をしないことの誓約"
        en = "pledge not to re-identify"
        kind = "pledge"
    "#;

    #[test]
    fn what_is_missing_is_said_question_by_question() {
        let schema = FormSchema::parse(SCHEMA).unwrap();
        let text = |text: &str| Answer::Text(text.to_owned());
        let mut answers = Answers::from([
            ("tier".to_owned(), text("pseudonymized")),
            ("benefit".to_owned(), text("短い")),
            ("ends".to_owned(), text("2026-02-30")),
            ("no_reidentification".to_owned(), Answer::Flag(false)),
            ("other".to_owned(), text("x")),
        ]);
        assert_eq!(
            schema.missing(&answers),
            [
                "benefit: 2 letters of at least 5",
                "why_pseudonymized: not answered",
                "ends: not a day of the form 2026-11-21",
                "no_reidentification: must be affirmed",
                "other: no such question",
            ]
        );
        answers.remove("other");
        answers.insert("tier".to_owned(), text("anonymized"));
        answers.insert("benefit".to_owned(), text("重症化の予防"));
        answers.insert("ends".to_owned(), text("2027-03-31"));
        answers.insert("no_reidentification".to_owned(), Answer::Flag(true));
        assert_eq!(schema.missing(&answers), [""; 0]);
    }

    #[test]
    fn a_form_with_dangling_questions_is_none() {
        let twice = SCHEMA.replace("id = \"ends\"", "id = \"tier\"");
        assert_eq!(FormSchema::parse(&twice).unwrap_err(), "question tier is there twice");
        let dangling = SCHEMA.replace("question = \"tier\"", "question = \"ends\"");
        assert!(FormSchema::parse(&dangling).unwrap_err().contains("why_pseudonymized depends"));
    }
}
