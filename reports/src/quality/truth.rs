//! How well the linkage agrees with the truth, which is known of invented deliveries only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::words;
use crate::Language;
use crate::grid::{Grid, Side};
use crate::number::count;

/// The linkage beside the truth.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TruthQuality {
    /// Ways to link: all records, then those that carry both ids, by the rules and by either id alone.
    pub methods: Vec<MethodQuality>,
    /// Persons in truth who are several, by cause.
    pub split: BTreeMap<String, u64>,
    /// Linked persons who are several in truth, by cause.
    pub merged: BTreeMap<String, u64>,
}

/// One way to link.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MethodQuality {
    /// The way.
    pub method: String,
    /// Claims.
    pub claims: u64,
    /// Persons in truth.
    pub true_persons: u64,
    /// Persons as linked.
    pub linked_persons: u64,
    /// Of the pairs of claims linked as one person, the share that are.
    pub precision: f64,
    /// Of the pairs of claims of one person, the share that are linked.
    pub recall: f64,
    /// Persons in truth whose claims lie in more than one linked person.
    pub split_persons: u64,
    /// Linked persons with claims of more than one person in truth.
    pub merged_persons: u64,
}

/// One way to link, for readers: its names, and its figures.
#[derive(Debug)]
pub(super) struct MethodRow<'q> {
    pub(super) ja: &'q str,
    pub(super) en: &'q str,
    /// Precision, recall, persons as linked and in truth, split, merged.
    pub(super) figures: [String; 6],
}

/// Persons who went wrong by one cause: its names, split and merged.
#[derive(Debug)]
pub(super) struct CauseRow<'q> {
    pub(super) ja: &'q str,
    pub(super) en: &'q str,
    pub(super) figures: [String; 2],
}

/// The ways to link.
pub(super) fn methods(truth: &TruthQuality) -> Vec<MethodRow<'_>> {
    truth.methods.iter().map(method_row).collect()
}

fn method_row(method: &MethodQuality) -> MethodRow<'_> {
    let (ja, en) = words::method(&method.method);
    let figures = [
        percent(method.precision),
        percent(method.recall),
        count(method.linked_persons),
        count(method.true_persons),
        count(method.split_persons),
        count(method.merged_persons),
    ];
    MethodRow { ja, en, figures }
}

/// What went wrong, by cause.
pub(super) fn causes(truth: &TruthQuality) -> Vec<CauseRow<'_>> {
    let mut causes: Vec<&String> = truth.split.keys().chain(truth.merged.keys()).collect();
    causes.sort();
    causes.dedup();
    causes.into_iter().map(|cause| cause_row(truth, cause)).collect()
}

fn cause_row<'q>(truth: &TruthQuality, cause: &'q str) -> CauseRow<'q> {
    let (ja, en) = words::cause(cause);
    let of = |persons: &BTreeMap<String, u64>| count(persons.get(cause).copied().unwrap_or(0));
    CauseRow { ja, en, figures: [of(&truth.split), of(&truth.merged)] }
}

/// The section for a terminal.
pub(super) fn text(truth: &TruthQuality, language: Language) -> String {
    let number = |ja, en| (language.pick(ja, en), Side::Right);
    let mut grid = Grid::new([
        (language.pick("真値との比較", "beside the truth"), Side::Left),
        number("適合率", "precision"),
        number("再現率", "recall"),
        number("連結後の人数", "persons"),
        number("真の人数", "in truth"),
        number("分かれた人", "split"),
        number("混ざった人", "merged"),
    ]);
    for MethodRow { ja, en, figures } in methods(truth) {
        let [precision, recall, linked, persons, split, merged] = figures;
        grid.row([language.pick(ja, en).to_owned(), precision, recall, linked, persons, split, merged]);
    }
    let mut wrong = Grid::new([
        (language.pick("誤りの原因", "cause"), Side::Left),
        number("分かれた人", "split"),
        number("混ざった人", "merged"),
    ]);
    for CauseRow { ja, en, figures: [split, merged] } in causes(truth) {
        wrong.row([language.pick(ja, en).to_owned(), split, merged]);
    }
    let has_causes = !(truth.split.is_empty() && truth.merged.is_empty());
    if has_causes { format!("{}\n{}", grid.text(), wrong.text()) } else { grid.text() }
}

/// A share in per cent to four places, as false links of a good linkage need.
fn percent(share: f64) -> String {
    format!("{:.4} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{MethodQuality, TruthQuality, text};
    use crate::Language;
    use crate::quality::tests::sample;

    fn truth() -> TruthQuality {
        let method = |method: &str, precision, recall, linked_persons| MethodQuality {
            method: method.to_owned(),
            claims: 20_000,
            true_persons: 1_200,
            linked_persons,
            precision,
            recall,
            split_persons: 3,
            merged_persons: 1,
        };
        TruthQuality {
            methods: vec![method("all", 0.75, 0.5, 1_203), method("id1", 0.25, 0.5, 2_400)],
            split: [("name-change".to_owned(), 3)].into(),
            merged: [("twins".to_owned(), 1)].into(),
        }
    }

    #[test]
    fn the_truth_reads_in_english() {
        expect![[r#"
            beside the truth   precision     recall  persons  in truth  split  merged
            ─────────────────  ─────────  ─────────  ───────  ────────  ─────  ──────
            misu, all records  75.0000 %  50.0000 %    1,203     1,200      3       1
            ID1 alone          25.0000 %  50.0000 %    2,400     1,200      3       1

            cause             split  merged
            ────────────────  ─────  ──────
            the name changed      3       0
            twins                 0       1
        "#]]
        .assert_eq(&text(&truth(), Language::English));
    }

    #[test]
    fn a_report_with_the_truth_reads_back_and_has_its_section_on_the_page() {
        let mut quality = sample();
        quality.truth = Some(truth());
        let json = serde_json::to_string(&quality).unwrap();
        assert_eq!(serde_json::from_str::<crate::quality::Quality>(&json).unwrap(), quality);
        let page = crate::quality::page(&quality).unwrap();
        for shown in ["真値との比較", "75.0000 %", "ID1 alone", "twins"] {
            assert!(page.contains(shown), "{shown}");
        }
        assert!(!crate::quality::page(&sample()).unwrap().contains("真値との比較"));
    }
}
