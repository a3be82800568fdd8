//! How well linkage and faults agree with the truth, which is known of invented deliveries only.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::profile::FaultCount;
use super::{Quality, words};
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
    /// The faults that were planted, by kind.
    #[serde(default)]
    pub planted: BTreeMap<String, u64>,
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

/// One kind of fault: its names, how many were planted and found, and the lines that went with them.
#[derive(Debug)]
pub(super) struct PlantedRow<'q> {
    pub(super) kind: &'q str,
    pub(super) ja: &'q str,
    pub(super) en: &'q str,
    pub(super) figures: [String; 3],
    /// Whether as many were found as were planted.
    pub(super) agrees: bool,
}

/// Planted faults beside those that were found, by kind; none where nobody says what was planted or rows were not
/// counted.
pub(super) fn planted(quality: &Quality) -> Vec<PlantedRow<'_>> {
    let (Some(truth), Some(profile)) = (&quality.truth, &quality.profile) else { return Vec::new() };
    if truth.planted.is_empty() {
        return Vec::new();
    }
    let mut kinds: BTreeMap<&str, (u64, FaultCount)> = BTreeMap::new();
    for (kind, planted) in &truth.planted {
        kinds.entry(kind).or_default().0 += planted;
    }
    for (kind, faults) in profile.deliveries.iter().flat_map(|delivery| &delivery.faults) {
        let sum = &mut kinds.entry(kind).or_default().1;
        sum.found += faults.found;
        sum.consequences += faults.consequences;
    }
    kinds.into_iter().map(|(kind, (planted, faults))| planted_row(kind, planted, faults)).collect()
}

fn planted_row(kind: &str, planted: u64, faults: FaultCount) -> PlantedRow<'_> {
    let (ja, en) = words::fault(kind);
    let figures = [planted, faults.found, faults.consequences].map(count);
    PlantedRow { kind, ja, en, figures, agrees: planted == faults.found }
}

/// The section of the faults for a terminal.
pub(super) fn planted_text(quality: &Quality, language: Language) -> String {
    let rows = planted(quality);
    if rows.is_empty() {
        return String::new();
    }
    let number = |ja, en| (language.pick(ja, en), Side::Right);
    let mut grid = Grid::new([
        (language.pick("植えた誤りの種別", "planted faults"), Side::Left),
        number("植えた件", "planted"),
        number("見つけた件", "found"),
        number("巻き添えの行", "went with it"),
        (language.pick("一致", "agrees"), Side::Left),
    ]);
    for PlantedRow { kind, figures: [planted, found, consequences], agrees, .. } in rows {
        let agrees = if agrees { language.pick("一致", "yes") } else { language.pick("不一致", "NO") };
        grid.row([kind.to_owned(), planted, found, consequences, agrees.to_owned()]);
    }
    grid.text()
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

    use super::{MethodQuality, TruthQuality, planted_text, text};
    use crate::Language;
    use crate::quality::profile::{DeliveryProfile, FaultCount, Profile};
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
            planted: [("code".to_owned(), 2), ("date".to_owned(), 3)].into(),
        }
    }

    #[test]
    fn planted_faults_stand_beside_those_that_were_found() {
        let mut quality = sample();
        quality.truth = Some(truth());
        assert_eq!(planted_text(&quality, Language::English), "");
        let faults = [("code", 2, 9), ("date", 1, 0), ("orphan", 1, 4)]
            .map(|(kind, found, consequences)| (kind.to_owned(), FaultCount { found, consequences }));
        let delivery = DeliveryProfile { faults: faults.into(), ..DeliveryProfile::default() };
        quality.profile = Some(Profile { deliveries: vec![delivery], ..Profile::default() });
        expect![[r#"
            planted faults  planted  found  went with it  agrees
            ──────────────  ───────  ─────  ────────────  ──────
            code                  2      2             9  yes
            date                  3      1             0  NO
            orphan                0      1             4  NO
        "#]]
        .assert_eq(&planted_text(&quality, Language::English));
        let page = crate::quality::page(&quality).unwrap();
        assert!(page.contains("植えた誤りと見つけた誤り") && page.contains("a day that does not exist"));
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
