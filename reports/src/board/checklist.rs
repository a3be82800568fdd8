//! The checklist as it was scored in a running environment, line by line, and its roll-up by the five safes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::document::{Document, Part, figure};
use crate::Language;
use crate::number::share;

/// A line of the checklist with its score.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    /// The line's id.
    pub id: String,
    /// `M` mandatory, `J` mandatory in Japan, `R` recommended, `O` optional.
    pub level: String,
    /// `projects`, `people`, `data`, `settings` or `outputs`.
    pub safe: String,
    /// What is asked, in Japanese.
    pub ja: String,
    /// What is asked, in English.
    pub en: String,
    /// 0 not met, 1 met, 2 met and seen in this environment; nothing where it does not apply.
    pub score: Option<u8>,
    /// What the score rests on, in Japanese.
    pub why_ja: String,
    /// What the score rests on, in English.
    pub why_en: String,
}

/// Lines added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RollUp {
    /// Points.
    pub points: u64,
    /// The most points that there could be.
    pub most: u64,
    /// Lines that are met.
    pub met: u64,
    /// Lines that apply.
    pub lines: u64,
    /// Mandatory lines that are not met.
    pub mandatory_unmet: u64,
}

impl Scored {
    /// Whether the line must be met.
    pub fn is_mandatory(&self) -> bool {
        matches!(self.level.as_str(), "M" | "J")
    }
}

/// Adds lines up.
pub fn roll_up<'s>(lines: impl IntoIterator<Item = &'s Scored>) -> RollUp {
    let mut sum = RollUp::default();
    for line in lines {
        let Some(score) = line.score else { continue };
        sum.points += u64::from(score);
        sum.most += 2;
        sum.lines += 1;
        sum.met += u64::from(score > 0);
        sum.mandatory_unmet += u64::from(score == 0 && line.is_mandatory());
    }
    sum
}

/// The checklist as a report of its own.
pub fn document(lines: &[Scored], language: Language) -> Document {
    let mut document = Document::new(language, language.pick("評価表", "Checklist"), String::new());
    document.footer = language.pick("misu 評価表", "misu checklist").to_owned();
    document.section(language.pick("得点", "Score"), parts(lines, language));
    document
}

/// The five safes in their order.
const SAFES: [(&str, &str, &str); 5] = [
    ("projects", "安全な課題", "safe projects"),
    ("people", "安全な人", "safe people"),
    ("data", "安全なデータ", "safe data"),
    ("settings", "安全な環境", "safe settings"),
    ("outputs", "安全な成果物", "safe outputs"),
];

/// The score and every line, as parts of a section.
pub(super) fn parts(lines: &[Scored], language: Language) -> Vec<Part> {
    if lines.is_empty() {
        return Vec::new();
    }
    let w = |ja, en| language.pick(ja, en);
    let all = roll_up(lines);
    let mut safes: BTreeMap<&str, Vec<&Scored>> = BTreeMap::new();
    for line in lines {
        safes.entry(&line.safe).or_default().push(line);
    }
    let by_safe = SAFES.iter().map(|(safe, ja, en)| {
        let sum = roll_up(safes.get(safe).into_iter().flatten().copied());
        vec![
            w(ja, en).to_owned(),
            format!("{} / {}", sum.points, sum.most),
            share(sum.points, sum.most),
            format!("{} / {}", sum.met, sum.lines),
            sum.mandatory_unmet.to_string(),
        ]
    });
    let line = |line: &Scored| {
        let score = line.score.map_or_else(|| w("対象外", "N/A").to_owned(), |score| score.to_string());
        vec![
            line.id.clone(),
            line.level.clone(),
            language.pick(&line.ja, &line.en).to_owned(),
            score,
            language.pick(&line.why_ja, &line.why_en).to_owned(),
        ]
    };
    vec![
        Part::text(w(
            "0 は未達または根拠なし、1 は試験で確かめた達成、2 は試験に加えてこの環境でも確かめた達成。根拠の動かない項目は 0 とする。",
            "0: not met, or without evidence. 1: met, kept by a test. 2: met, kept by a test and seen in this environment.",
        )),
        Part::Figures(vec![
            figure(w("得点", "Points"), format!("{} / {}", all.points, all.most)),
            figure(w("達成した項目", "Lines met"), format!("{} / {}", all.met, all.lines)),
            figure(w("必須で未達の項目", "Mandatory lines not met"), all.mandatory_unmet.to_string()),
        ]),
        Part::table(
            w("五つの安全", "five safes"),
            &[
                w("五つの安全*", "five safes*"),
                w("得点#", "points#"),
                w("割合#", "share#"),
                w("達成#", "met#"),
                w("必須で未達#", "mandatory unmet#"),
            ],
            by_safe.collect(),
        ),
        Part::table(
            w("評価表", "checklist"),
            &[
                w("項目", "line"),
                w("水準", "level"),
                w("求め*", "asked for*"),
                w("点#", "score#"),
                w("根拠*", "evidence*"),
            ],
            lines.iter().map(line).collect(),
        ),
    ]
}
