//! The part of the page that shows what rows are like: what deserves a look, drift, faults, codes, empty values,
//! coverage.

use std::collections::BTreeMap;

use super::profile::{
    AgeCoverage, CodeCheck, DeliveryProfile, PrefectureCoverage, Profile, Remark, RemarkKind, TableMonth,
};
use super::trend::{self, Trend};
use super::words;
use crate::number::{count, share};

/// Remarks that the page shows; the others stand in the JSON.
const REMARKS: usize = 30;

/// What the page shows of a profile.
#[derive(Debug)]
pub(super) struct Rows<'q> {
    pub(super) remarks: Vec<RemarkRow<'q>>,
    pub(super) more_remarks: usize,
    pub(super) trends: Vec<Trend<'q>>,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) faults: Vec<FaultRow<'q>>,
    pub(super) schemes: Vec<&'q str>,
    pub(super) deliveries: Vec<DeliveryRow<'q>>,
    pub(super) codes: Vec<CodeRow<'q>>,
    pub(super) has_strange_codes: bool,
    pub(super) tables: Vec<TableRows<'q>>,
    pub(super) databases: Vec<(&'q str, &'q str)>,
    pub(super) prefectures: Vec<PrefectureRow<'q>>,
    pub(super) month: Option<&'q str>,
    pub(super) ages: Vec<AgeRow>,
}

/// Something that deserves a look, in words.
#[derive(Debug)]
pub(super) struct RemarkRow<'q> {
    pub(super) month: &'q str,
    /// The table and column, or the database.
    pub(super) place: String,
    pub(super) ja: String,
    pub(super) en: String,
}

/// One kind of fault.
#[derive(Debug)]
pub(super) struct FaultRow<'q> {
    pub(super) kind: &'q str,
    pub(super) ja: &'q str,
    pub(super) en: &'q str,
    pub(super) found: String,
    pub(super) consequences: String,
}

/// One delivery.
#[derive(Debug)]
pub(super) struct DeliveryRow<'q> {
    pub(super) name: &'q str,
    /// Records, records read before, rows of other months, faults.
    pub(super) numbers: [String; 4],
    /// The share of identities with a key, by scheme.
    pub(super) hashes: Vec<String>,
}

/// One column with codes.
#[derive(Debug)]
pub(super) struct CodeRow<'q> {
    pub(super) column: String,
    pub(super) system: &'q str,
    /// Rows with a code, unknown ones with their share, expired ones.
    pub(super) numbers: [String; 4],
    pub(super) is_remarkable: bool,
}

/// One table and the share of empty values in its columns.
#[derive(Debug)]
pub(super) struct TableRows<'q> {
    pub(super) table: &'q str,
    pub(super) rows: String,
    /// Column, empty rows, share, and the share as a width from 0 to 100.
    pub(super) columns: Vec<(&'q str, String, String, u64)>,
}

/// One prefecture.
#[derive(Debug)]
pub(super) struct PrefectureRow<'q> {
    pub(super) ja: &'q str,
    pub(super) en: &'q str,
    pub(super) population: String,
    /// Persons and their share of the population, by database.
    pub(super) persons: Vec<(String, String)>,
}

/// One age band: men to the left, women to the right.
#[derive(Debug)]
pub(super) struct AgeRow {
    pub(super) band: String,
    pub(super) y: u64,
    pub(super) text_y: u64,
    /// For men and women: where the bar begins, its width, and what it says.
    pub(super) bars: [(u64, u64, String); 2],
    /// For men and women: persons and their share of the population.
    pub(super) figures: [(String, String); 2],
}

/// What the page shows of `profile`.
pub(super) fn rows(profile: &Profile) -> Rows<'_> {
    let remarks: Vec<RemarkRow<'_>> = profile.remarks.iter().map(remark).take(REMARKS).collect();
    let codes = codes(&profile.deliveries);
    let (databases, prefectures) = prefectures(&profile.coverage.prefectures);
    Rows {
        more_remarks: profile.remarks.len() - remarks.len(),
        remarks,
        trends: trends(profile),
        width: trend::WIDTH,
        height: trend::HEIGHT,
        faults: faults(&profile.deliveries),
        schemes: schemes(&profile.deliveries).into_iter().collect(),
        deliveries: deliveries(&profile.deliveries),
        has_strange_codes: codes.iter().any(|row| row.is_remarkable),
        codes,
        tables: tables(&profile.deliveries),
        databases,
        prefectures,
        month: profile.coverage.month.as_deref(),
        ages: ages(&profile.coverage.ages),
    }
}

/// A remark in words.
pub(super) fn remark(remark: &Remark) -> RemarkRow<'_> {
    let (found, beside) = (remark.found, remark.beside);
    let thousandths = |number: u64| format!("{}.{} %", number / 10, number % 10);
    let (ja, en) = match remark.kind {
        RemarkKind::MissingMonth => ("納品がありません".to_owned(), "no delivery for this month".to_owned()),
        RemarkKind::Rows => (
            format!("{}行（前月まで最大3か月の平均 {}行）", count(found), count(beside)),
            format!("{} rows; {} on average of up to three months before", count(found), count(beside)),
        ),
        RemarkKind::Nulls => (
            format!("空欄 {}（前月まで最大3か月の平均 {}）", thousandths(found), thousandths(beside)),
            format!(
                "{} empty; {} on average of up to three months before",
                thousandths(found),
                thousandths(beside)
            ),
        ),
        RemarkKind::UnknownCodes => (
            format!("マスターにないコード {}行（{}行中）", count(found), count(beside)),
            format!("{} of {} rows have a code that the master does not have", count(found), count(beside)),
        ),
        RemarkKind::ExpiredCodes => (
            format!("その月に有効でないコード {}行（{}行中）", count(found), count(beside)),
            format!("{} of {} rows have a code that was not in force", count(found), count(beside)),
        ),
    };
    let items = [remark.table.as_str(), remark.column.as_str()];
    let items: Vec<&str> = items.into_iter().filter(|item| !item.is_empty()).collect();
    let place =
        if items.is_empty() { words::database(&remark.database).0.to_owned() } else { items.join(".") };
    RemarkRow { month: &remark.month, place, ja, en }
}

fn trends(profile: &Profile) -> Vec<Trend<'_>> {
    let mut tables: BTreeMap<(&str, &str), Vec<&TableMonth>> = BTreeMap::new();
    for month in &profile.drift {
        tables.entry((&month.database, &month.table)).or_default().push(month);
    }
    let is_remarked = |month: &TableMonth| {
        let about = |remark: &&Remark| remark.table == month.table && remark.month == month.month;
        profile.remarks.iter().filter(about).any(|remark| remark.kind == RemarkKind::Rows)
    };
    tables.values().filter_map(|months| trend::trend(months, is_remarked)).collect()
}

fn faults(deliveries: &[DeliveryProfile]) -> Vec<FaultRow<'_>> {
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for (kind, faults) in deliveries.iter().flat_map(|delivery| &delivery.faults) {
        let sum = kinds.entry(kind).or_default();
        *sum = (sum.0 + faults.found, sum.1 + faults.consequences);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
    let row = |(kind, (found, consequences))| {
        let (ja, en) = words::fault(kind);
        FaultRow { kind, ja, en, found: count(found), consequences: count(consequences) }
    };
    kinds.into_iter().map(row).collect()
}

fn schemes(deliveries: &[DeliveryProfile]) -> std::collections::BTreeSet<&str> {
    let schemes = deliveries.iter().flat_map(|delivery| &delivery.hashes.schemes);
    schemes.filter(|scheme| scheme.identities > 0).map(|scheme| scheme.scheme.as_str()).collect()
}

fn deliveries(deliveries: &[DeliveryProfile]) -> Vec<DeliveryRow<'_>> {
    let names = schemes(deliveries);
    let about_persons = deliveries.iter().filter(|delivery| delivery.database != "public");
    about_persons
        .map(|delivery| {
            let others = delivery.tables.values().map(|table| table.other_months).sum();
            let found = delivery.faults.values().map(|fault| fault.found).sum();
            let hashes = names.iter().map(|name| {
                let scheme = delivery.hashes.schemes.iter().find(|scheme| scheme.scheme == *name);
                match scheme.map_or(0, |scheme| scheme.identities) {
                    0 => "–".to_owned(),
                    number => share(number, delivery.hashes.identities),
                }
            });
            DeliveryRow {
                name: &delivery.name,
                numbers: [delivery.records, delivery.repeated, others, found].map(count),
                hashes: hashes.collect(),
            }
        })
        .collect()
}

fn codes(deliveries: &[DeliveryProfile]) -> Vec<CodeRow<'_>> {
    let mut columns: BTreeMap<(&str, &str), (&str, CodeCheck)> = BTreeMap::new();
    for (table, profile) in deliveries.iter().flat_map(|delivery| &delivery.tables) {
        for column in &profile.columns {
            let Some(check) = &column.codes else { continue };
            let (_, sum) = columns
                .entry((table.as_str(), column.column.as_str()))
                .or_insert_with(|| (check.system.as_str(), CodeCheck::default()));
            sum.checked += check.checked;
            sum.unknown += check.unknown;
            sum.expired += check.expired;
        }
    }
    let row = |((table, column), (system, sum)): ((&str, &str), (_, CodeCheck))| CodeRow {
        column: format!("{table}.{column}"),
        system,
        numbers: [
            count(sum.checked),
            count(sum.unknown),
            share(sum.unknown, sum.checked),
            count(sum.expired),
        ],
        is_remarkable: sum.unknown > 0 || sum.expired > 0,
    };
    columns.into_iter().map(row).collect()
}

/// Columns with their empty rows.
type Nulls<'q> = Vec<(&'q str, u64)>;

fn tables(deliveries: &[DeliveryProfile]) -> Vec<TableRows<'_>> {
    let mut tables: BTreeMap<&str, (u64, Nulls<'_>)> = BTreeMap::new();
    for (table, profile) in deliveries.iter().flat_map(|delivery| &delivery.tables) {
        let (rows, columns) = tables.entry(table).or_default();
        *rows += profile.rows;
        for column in &profile.columns {
            match columns.iter_mut().find(|(name, _)| *name == column.column) {
                Some((_, nulls)) => *nulls += column.nulls,
                None => columns.push((&column.column, column.nulls)),
            }
        }
    }
    let tables = tables.into_iter().map(|(table, (rows, columns))| {
        let column = |(name, nulls): (_, u64)| {
            let width = (nulls * 100).checked_div(rows).unwrap_or(0);
            (name, count(nulls), share(nulls, rows), width)
        };
        TableRows { table, rows: count(rows), columns: columns.into_iter().map(column).collect() }
    });
    tables.collect()
}

type Names<'q> = Vec<(&'q str, &'q str)>;

fn prefectures(coverage: &[PrefectureCoverage]) -> (Names<'_>, Vec<PrefectureRow<'_>>) {
    let mut databases: Vec<&str> = coverage.iter().map(|row| row.database.as_str()).collect();
    databases.dedup();
    let mut codes: BTreeMap<&str, Vec<&PrefectureCoverage>> = BTreeMap::new();
    for row in coverage {
        codes.entry(&row.code).or_default().push(row);
    }
    let rows = codes.into_values().filter_map(|rows| prefecture(&rows, &databases)).collect();
    (databases.into_iter().map(words::database).collect(), rows)
}

fn prefecture<'q>(rows: &[&'q PrefectureCoverage], databases: &[&str]) -> Option<PrefectureRow<'q>> {
    let first = rows.first()?;
    let persons = databases.iter().map(|database| {
        let persons = rows.iter().find(|row| row.database == *database).map_or(0, |row| row.persons);
        (count(persons), first.population.map_or_else(|| "–".to_owned(), |all| share(persons, all)))
    });
    Some(PrefectureRow {
        ja: if first.ja.is_empty() { &first.code } else { &first.ja },
        en: &first.en,
        population: first.population.map_or_else(|| "–".to_owned(), count),
        persons: persons.collect(),
    })
}

/// The longest bar of the age picture.
const BAR: u64 = 300;
/// The middle of the age picture, where the bands are named.
const MIDDLE: u64 = 380;
const GAP: u64 = 40;
const STEP: u64 = 18;

fn ages(coverage: &[AgeCoverage]) -> Vec<AgeRow> {
    let mut bands: Vec<&str> = Vec::new();
    for age in coverage {
        if !bands.contains(&age.band.as_str()) {
            bands.push(&age.band);
        }
    }
    let most = coverage.iter().map(|age| age.persons).max().unwrap_or(0).max(1);
    let band = |(at, band): (u64, &str)| {
        let of = |sex: &str| coverage.iter().find(|age| age.sex == sex && age.band == band);
        let sides = [("1", "男 / men"), ("2", "女 / women")];
        let bar = |side: usize, (sex, name): (&str, &str)| {
            let persons = of(sex).map_or(0, |age| age.persons);
            let width = persons * BAR / most;
            let x = if side == 0 { MIDDLE - GAP - width } else { MIDDLE + GAP };
            (x, width, format!("{band} {name}: {}", count(persons)))
        };
        let figure = |(sex, _): (&str, &str)| {
            let age = of(sex);
            let persons = age.map_or(0, |age| age.persons);
            let all = age.and_then(|age| age.population);
            (count(persons), all.map_or_else(|| "–".to_owned(), |all| share(persons, all)))
        };
        let [men, women] = sides;
        AgeRow {
            band: band.to_owned(),
            y: at * STEP + 24,
            text_y: at * STEP + 35,
            bars: [bar(0, men), bar(1, women)],
            figures: sides.map(figure),
        }
    };
    // The oldest on top.
    (0_u64..).zip(bands.into_iter().rev()).map(band).collect()
}
