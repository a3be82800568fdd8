//! The dossier of one project: its application, who decided what when, what it asked, what it was given.

use serde::{Deserialize, Serialize};

use super::document::{Document, Part};
use super::leaving::{self, Leaving};
use super::usage::ProjectUsage;
use super::words;
use crate::Language;
use crate::number::count;

/// Everything about one project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dossier {
    /// The project.
    pub project: String,
    /// The first day that is reported on.
    pub from: String,
    /// The last day.
    pub to: String,
    /// The permit, if there is one.
    pub permit: Option<PermitFacts>,
    /// The moves of its application.
    pub moves: Vec<Move>,
    /// Its questions, in order.
    pub questions: Vec<Question>,
    /// Its rows that left.
    #[serde(default)]
    pub provisions: Vec<Leaving>,
    /// Its columns.
    pub usage: ProjectUsage,
}

/// What a permit says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermitFacts {
    /// The title in Japanese.
    pub title_ja: String,
    /// The title in English.
    pub title_en: String,
    /// The purpose in Japanese.
    pub purpose_ja: String,
    /// The purpose in English.
    pub purpose_en: String,
    /// `active`, `expired`, `withdrawn`, `not-yet`.
    pub state: String,
    /// Pseudonymized or anonymized.
    pub tier: String,
    /// The rule pack.
    pub rules: String,
    /// The snapshot.
    pub snapshot: String,
    /// Months that may be seen.
    pub months: (String, String),
    /// The first and the last day.
    pub valid: (String, String),
    /// Persons, each with the role.
    pub people: Vec<(String, String)>,
}

/// A move of its application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// When.
    pub at: String,
    /// Who.
    pub by: String,
    /// What.
    pub what: String,
}

/// One question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Its id where it ran.
    pub id: String,
    /// When, as day and minute in Japan.
    pub at: String,
    /// Who asked.
    pub by: String,
    /// How it ended.
    pub outcome: String,
    /// The rule, policy or reason, where it was not released.
    pub why: String,
    /// Released cells.
    pub cells: u64,
    /// Hidden values.
    pub hidden: u64,
    /// The tables that it read.
    pub tables: Vec<String>,
}

impl Dossier {
    /// The report in words.
    pub fn document(&self, language: Language) -> Document {
        let w = |ja, en| language.pick(ja, en);
        let subtitle = match &self.permit {
            Some(permit) => {
                format!("{} {}", self.project, language.pick(&permit.title_ja, &permit.title_en))
            }
            None => self.project.clone(),
        };
        let mut document = Document::new(language, w("課題調書", "Project dossier"), subtitle);
        document.footer = format!("misu {} {}", w("課題調書", "project dossier"), self.project);
        document.fact(w("対象期間", "Period"), format!("{} {} {}", self.from, w("〜", "to"), self.to));
        if let Some(permit) = &self.permit {
            permit.facts(&mut document, language);
        }
        let moves = self.moves.iter().map(|one| vec![one.at.clone(), one.by.clone(), one.what.clone()]);
        document.section(
            w("申出と決定の経過", "Application and decisions"),
            vec![Part::table(
                w("経過", "moves"),
                &[w("日時", "when"), w("者", "who"), w("動き*", "what*")],
                moves.collect(),
            )],
        );
        document.section(
            w("照会", "Questions"),
            vec![Part::table(
                w("照会", "questions"),
                &[
                    w("番号", "id"),
                    w("日時", "when"),
                    w("者", "who"),
                    w("結果", "outcome"),
                    w("規則・理由", "rule or reason"),
                    w("セル#", "cells#"),
                    w("秘匿#", "hidden#"),
                    w("読んだ表*", "tables read*"),
                ],
                self.questions.iter().map(|question| question.row(language)).collect(),
            )],
        );
        document.section(
            w("行データの提供", "Rows provided"),
            vec![leaving::provisions(&self.provisions, language)],
        );
        if self.permit.is_some() {
            document.section(
                w("許可された列と使われた列", "Columns granted and read"),
                self.usage.parts(language),
            );
        }
        document
    }
}

impl PermitFacts {
    fn facts(&self, document: &mut Document, language: Language) {
        let w = |ja, en| language.pick(ja, en);
        document.fact(w("目的", "Purpose"), language.pick(&self.purpose_ja, &self.purpose_en));
        document.fact(w("状態", "State"), words::state(&self.state, language));
        document.fact(w("許可期間", "Valid"), format!("{} {} {}", self.valid.0, w("〜", "to"), self.valid.1));
        document.fact(w("提供区分", "Tier"), self.tier.clone());
        document.fact(w("出力規則", "Rule pack"), self.rules.clone());
        document
            .fact(w("診療年月", "Months"), format!("{} {} {}", self.months.0, w("〜", "to"), self.months.1));
        document.fact(w("スナップショット", "Snapshot"), self.snapshot.clone());
        let people: Vec<String> = self.people.iter().map(|(user, role)| format!("{user} ({role})")).collect();
        document.fact(w("記名者", "People"), people.join(", "));
    }
}

impl Question {
    fn row(&self, language: Language) -> Vec<String> {
        let number = |value: u64| if self.outcome == "released" { count(value) } else { String::new() };
        vec![
            self.id.clone(),
            self.at.clone(),
            self.by.clone(),
            words::outcome(&self.outcome, language),
            self.why.clone(),
            number(self.cells),
            number(self.hidden),
            self.tables.join(", "),
        ]
    }
}
