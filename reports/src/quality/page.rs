//! The quality report as one HTML page that needs nothing else: no script, no file, no network.

use askama::Template;

use super::chart::{self, Chart};
use super::rows::{self, Rows};
use super::summary::{self, Lines};
use super::truth::{self, CauseRow, MethodRow, PlantedRow};
use super::{LineAccount, Quality, words};
use crate::number::{count, share};

/// Why the page cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the quality page")]
pub struct PageError(#[from] askama::Error);

/// The report as a page, Japanese with English beside it.
///
/// # Errors
///
/// The page cannot be made.
pub fn page(quality: &Quality) -> Result<String, PageError> {
    let months = summary::by_month(quality);
    let page = Page {
        snapshot: quality.snapshot.as_deref(),
        rows: quality.profile.as_ref().map(rows::rows),
        period: summary::period(quality),
        persons: count(quality.persons),
        deliveries: count(quality.deliveries.len() as u64),
        closes: summary::closes(quality),
        figures: figures(&quality.total),
        chart: chart::chart(&months),
        width: chart::WIDTH,
        height: chart::HEIGHT,
        left: chart::LEFT,
        right: chart::RIGHT,
        months: rows(quality),
        quarantined: reasons(&quality.total).collect(),
        dropped: summary::ranked(&quality.total.dropped)
            .into_iter()
            .map(|(why, lines)| (why, count(lines)))
            .collect(),
        mentions: count(quality.linkage.mentions),
        linked: count(quality.linkage.persons),
        schemes: schemes(quality),
        rules: rules(quality),
        conflicts: conflicts(quality),
        sizes: summary::sizes(&quality.linkage),
        truth: quality.truth.as_ref().map(|truth| (truth::methods(truth), truth::causes(truth))),
        planted: truth::planted(quality),
        perhaps: [quality.linkage.estimate.perhaps_merged, quality.linkage.estimate.perhaps_split].map(count),
        tables: quality.tables.iter().map(|(name, rows)| (name.as_str(), count(*rows))).collect(),
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "quality.html")]
struct Page<'q> {
    snapshot: Option<&'q str>,
    rows: Option<Rows<'q>>,
    period: Option<(&'q str, &'q str)>,
    persons: String,
    deliveries: String,
    closes: bool,
    figures: [Figure; 4],
    chart: Chart,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    months: Vec<MonthRow<'q>>,
    quarantined: Vec<ReasonRow<'q>>,
    dropped: Vec<(&'q str, String)>,
    mentions: String,
    linked: String,
    schemes: Vec<[String; 6]>,
    rules: Vec<[String; 5]>,
    conflicts: Vec<[String; 4]>,
    sizes: Vec<[String; 2]>,
    truth: Option<(Vec<MethodRow<'q>>, Vec<CauseRow<'q>>)>,
    planted: Vec<PlantedRow<'q>>,
    perhaps: [String; 2],
    tables: Vec<(&'q str, String)>,
}

/// One of the figures at the top.
struct Figure {
    kind: &'static str,
    ja: &'static str,
    en: &'static str,
    lines: String,
    share: String,
}

/// One database and month.
struct MonthRow<'q> {
    ja: &'q str,
    en: &'q str,
    month: &'q str,
    numbers: [String; 5],
    closes: bool,
}

/// One kind of fault.
struct ReasonRow<'q> {
    kind: &'q str,
    ja: &'q str,
    en: &'q str,
    lines: String,
}

fn figures(total: &LineAccount) -> [Figure; 4] {
    let lines = Lines::of(total);
    let figure = |kind, ja, en, number: u64| Figure {
        kind,
        ja,
        en,
        lines: count(number),
        share: share(number, lines.read),
    };
    [
        figure("read", "読込", "read", lines.read),
        figure("stored", "格納", "stored", lines.stored),
        figure("dropped", "除外（分類による）", "dropped by class", lines.dropped),
        figure("quarantined", "隔離", "in quarantine", lines.quarantined),
    ]
}

fn rows(quality: &Quality) -> Vec<MonthRow<'_>> {
    let mut rows = Vec::new();
    for ((database, month), cell) in summary::by_database_and_month(quality) {
        let Lines { read, stored, dropped, quarantined } = cell.lines;
        let numbers = [cell.deliveries, read, stored, dropped, quarantined].map(count);
        let (ja, en) = words::database(database);
        rows.push(MonthRow { ja, en, month, numbers, closes: cell.closes });
    }
    rows
}

fn reasons(total: &LineAccount) -> impl Iterator<Item = ReasonRow<'_>> {
    summary::ranked(&total.quarantined).into_iter().map(|(kind, lines)| {
        let (ja, en) = words::fault(kind);
        ReasonRow { kind, ja, en, lines: count(lines) }
    })
}

fn schemes(quality: &Quality) -> Vec<[String; 6]> {
    let linkage = &quality.linkage;
    let row = |scheme: &super::SchemeQuality| {
        [
            scheme.scheme.clone(),
            count(scheme.mentions),
            share(scheme.mentions, linkage.mentions),
            count(scheme.keys),
            count(scheme.several),
            count(scheme.shared),
        ]
    };
    linkage.schemes.iter().map(row).collect()
}

/// Rules with what they mean, joins and persons.
fn rules(quality: &Quality) -> Vec<[String; 5]> {
    let row = |rule: &super::RuleQuality| {
        let (ja, en) = words::rule(&rule.rule);
        [rule.rule.clone(), ja.to_owned(), en.to_owned(), count(rule.joins), count(rule.persons)]
    };
    quality.linkage.rules.iter().map(row).collect()
}

/// Keys held apart, with what that means.
fn conflicts(quality: &Quality) -> Vec<[String; 4]> {
    let row = |(kind, keys): (&String, &u64)| {
        let (ja, en) = words::conflict(kind);
        [kind.clone(), ja.to_owned(), en.to_owned(), count(*keys)]
    };
    quality.linkage.conflicts.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::page;
    use crate::quality::profile::*;
    use crate::quality::tests::sample;

    fn profile() -> Profile {
        let month = |month: &str, rows, usual: Option<u64>, change| TableMonth {
            database: "ndb".to_owned(),
            table: "T<b>".to_owned(),
            month: month.to_owned(),
            rows,
            usual,
            change,
        };
        let remark = Remark {
            kind: RemarkKind::Rows,
            database: "ndb".to_owned(),
            month: "2024-05".to_owned(),
            table: "T<b>".to_owned(),
            column: String::new(),
            found: 2_000,
            beside: 4_000,
        };
        let codes = CodeCheck { system: "drug".to_owned(), checked: 50, unknown: 25, expired: 0 };
        let column = ColumnProfile { column: "c".to_owned(), nulls: 1, codes: Some(codes) };
        let table = TableProfile { rows: 2_000, other_months: 3, columns: vec![column] };
        let delivery = DeliveryProfile {
            name: "ndb-2024-05".to_owned(),
            database: "ndb".to_owned(),
            month: "2024-05".to_owned(),
            tables: [("T<b>".to_owned(), table)].into(),
            faults: [("code".to_owned(), FaultCount { found: 2, consequences: 9 })].into(),
            ..DeliveryProfile::default()
        };
        let prefecture = PrefectureCoverage {
            database: "ndb".to_owned(),
            code: "27".to_owned(),
            ja: "大阪府".to_owned(),
            en: "Osaka".to_owned(),
            persons: 10,
            population: Some(1_000),
        };
        Profile {
            remarks: vec![remark],
            deliveries: vec![delivery],
            drift: vec![
                month("2024-04", 4_000, None, None),
                month("2024-05", 2_000, Some(4_000), Some(-500)),
            ],
            coverage: Coverage { month: None, prefectures: vec![prefecture], ages: Vec::new() },
        }
    }

    #[test]
    fn the_page_needs_nothing_else_and_runs_nothing() {
        let page = page(&sample()).unwrap();
        for outside in ["<script", "http:", "https:", "url(", "@import", "<link", " onclick", " onload"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("1,210,000"), "{page}");
        assert_eq!(page.matches("<rect").count(), 2 * 3);
    }

    #[test]
    fn text_from_a_delivery_is_escaped() {
        let mut quality = sample();
        quality.deliveries[0].month = "<b>&".to_owned();
        quality.snapshot = Some("\"><i>".to_owned());
        let page = page(&quality).unwrap();
        assert!(!page.contains("<b>") && !page.contains("<i>"), "{page}");
    }

    #[test]
    fn what_rows_are_like_is_shown_and_escaped() {
        let mut quality = sample();
        quality.profile = Some(profile());
        let page = page(&quality).unwrap();
        for shown in [
            "2,000行（前月まで最大3か月の平均 4,000行）",
            "class=\"outside\"",
            "50.0 %",
            "大阪府",
            "T&#60;b&#62;",
        ] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert!(!page.contains("<b>") && !page.contains("NaN"), "{page}");
    }

    #[test]
    fn an_environment_without_deliveries_has_a_page() {
        let mut quality = sample();
        quality.deliveries.clear();
        quality.snapshot = None;
        assert!(page(&quality).unwrap().contains("未公開"));
    }
}
