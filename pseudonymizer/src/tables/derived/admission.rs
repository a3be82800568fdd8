//! Admissions (入院エピソード): one row for each stay of inpatient receipts.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{BooleanArray, Date32Array, Int32Array, Int64Array, StringArray, UInt64Array};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, UInt64Type};

use super::Context;
use super::rows::{Cell, Rows};
use super::sources::{Reading, Source, days_of, each_person, is_true, text, value};
use super::stays::{Receipts, Stay, stays};
use crate::tables::files::FileError;

/// 転帰区分 that say what became of the main disease, and of the patient.
const DIED: &str = "3";
const CURED: &str = "2";
const STOPPED: &str = "4";
/// DPC転帰区分 that say death.
const DPC_DIED: [&str; 2] = ["6", "7"];
/// 傷病名区分 of a DPC receipt: the main disease, then the one that took the most resources.
const DPC_MAIN: [&str; 2] = ["11", "22"];

/// Writes the admissions of a bucket.
pub(super) fn derive(
    context: &Context<'_>,
    reading: &Reading<'_>,
    transfer_days: u32,
    rows: &mut Rows,
) -> Result<(), FileError> {
    let tables = Tables::read(reading)?;
    let transfer_days = i32::try_from(transfer_days).unwrap_or(i32::MAX);
    let persons =
        [&tables.receipts.source.persons, &tables.diagnoses.source.persons, &tables.groups.source.persons];
    each_person(persons, |person, [receipts, diagnoses, groups]| {
        let inpatients = tables.receipts.inpatients(receipts);
        if inpatients.is_empty() {
            return;
        }
        let of_person = OfPerson {
            tables: &tables,
            diagnoses: by_receipt(&tables.diagnoses.receipts, diagnoses),
            groups: by_receipt(&tables.groups.receipts, groups),
        };
        let stays = stays(inpatients);
        let facts: Vec<Facts<'_>> = stays.iter().map(|stay| of_person.facts(context, stay)).collect();
        for (stay, fact) in stays.iter().zip(&facts) {
            let follows = |before: &Facts<'_>, after: &Facts<'_>| {
                let gap = before.end.map(|end| after.start.saturating_sub(end));
                before.facility != after.facility && gap.is_some_and(|gap| (0..=transfer_days).contains(&gap))
            };
            let is_in = facts.iter().any(|other| follows(other, fact));
            let is_out = facts.iter().any(|other| follows(fact, other));
            of_person.write(person, stay, fact, (is_in, is_out), rows);
        }
    });
    Ok(())
}

/// The rows of a person by the number of their receipt.
fn by_receipt(receipts: &UInt64Array, rows: Range<usize>) -> BTreeMap<u64, Vec<usize>> {
    let mut by_receipt: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for row in rows {
        if let Some(receipt) = value(receipts, row) {
            by_receipt.entry(receipt).or_default().push(row);
        }
    }
    by_receipt
}

struct Tables {
    receipts: Receipts,
    prefectures: StringArray,
    insurers: StringArray,
    bed_days: Int64Array,
    points: Int64Array,
    visit_days: Int32Array,
    summed: BooleanArray,
    diagnoses: Diagnoses,
    groups: Groups,
}

struct Diagnoses {
    source: Source,
    receipts: UInt64Array,
    codes: StringArray,
    icd10: StringArray,
    recorded_icd10: StringArray,
    outcomes: StringArray,
    main: BooleanArray,
    suspected: BooleanArray,
    classes: StringArray,
}

struct Groups {
    source: Source,
    receipts: UInt64Array,
    codes: StringArray,
    dpc6: StringArray,
    discharged: Date32Array,
    outcomes: StringArray,
}

impl Tables {
    fn read(reading: &Reading<'_>) -> Result<Self, FileError> {
        let receipts = Receipts::read(reading)?;
        let source = &receipts.source;
        Ok(Self {
            prefectures: source.texts("prefecture")?,
            insurers: source.texts("insurer_kind")?,
            bed_days: source.numbers::<Int64Type>("service_days")?,
            points: source.numbers::<Int64Type>("total_points")?,
            visit_days: source.numbers::<Int32Type>("visit_days")?,
            summed: source.flags("is_summed")?,
            diagnoses: Diagnoses::read(reading.table("ndb_diagnosis")?)?,
            groups: Groups::read(reading.table("ndb_dpc_group")?)?,
            receipts,
        })
    }
}

impl Diagnoses {
    fn read(source: Source) -> Result<Self, FileError> {
        Ok(Self {
            receipts: source.numbers::<UInt64Type>("receipt_id")?,
            codes: source.texts("disease_code")?,
            icd10: source.texts("icd10")?,
            recorded_icd10: source.texts("dpc_icd10")?,
            outcomes: source.texts("outcome")?,
            main: source.flags("is_main")?,
            suspected: source.flags("is_suspected")?,
            classes: source.texts("dpc_disease_class")?,
            source,
        })
    }
}

impl Groups {
    fn read(source: Source) -> Result<Self, FileError> {
        Ok(Self {
            receipts: source.numbers::<UInt64Type>("receipt_id")?,
            codes: source.texts("dpc_code")?,
            dpc6: source.texts("dpc6")?,
            discharged: source.numbers::<Date32Type>("discharge_date")?,
            outcomes: source.texts("outcome")?,
            source,
        })
    }
}

struct OfPerson<'t> {
    tables: &'t Tables,
    diagnoses: BTreeMap<u64, Vec<usize>>,
    groups: BTreeMap<u64, Vec<usize>>,
}

/// What is known of a stay.
struct Facts<'t> {
    facility: Option<u32>,
    start: i32,
    /// None while it is open.
    end: Option<i32>,
    end_known: Option<&'static str>,
    main: Option<usize>,
    group: Option<usize>,
    outcome: Option<&'t str>,
}

impl<'t> OfPerson<'t> {
    fn facts(&self, context: &Context<'_>, stay: &Stay) -> Facts<'t> {
        let groups = &self.tables.groups;
        let group_rows = || stay.receipts.iter().flat_map(|receipt| self.of(&self.groups, receipt.id));
        let discharged = group_rows().filter_map(|row| value(&groups.discharged, row)).max();
        let main = self.main_disease(stay);
        let outcome = self.outcome(stay, main);
        let last = stay.months().map(|(_, last)| last);
        let month_end = last.map_or(i32::MAX, |last| last.last_day().days());
        let last_day = self.last_day_of_service(stay);
        let is_open = discharged.is_none()
            && outcome != Some("died")
            && last.is_some_and(|last| last >= context.period.to)
            && last_day.is_none_or(|day| day >= month_end);
        let (end, known) = match (discharged, last_day) {
            (Some(day), _) => (day, "date"),
            (None, Some(day)) => (day, "last_day"),
            (None, None) => (month_end, "month"),
        };
        Facts {
            facility: stay.facility,
            start: stay.start(),
            // A discharge before the admission is an error of the record; the stay then ends on its first day.
            end: (!is_open).then_some(end.max(stay.start())),
            end_known: (!is_open).then_some(known),
            main,
            group: group_rows().filter(|row| text(&groups.codes, *row).is_some()).last(),
            outcome: (!is_open).then_some(outcome.unwrap_or("other")),
        }
    }

    fn of<'r>(&self, rows: &'r BTreeMap<u64, Vec<usize>>, receipt: u64) -> impl Iterator<Item = usize> + 'r {
        rows.get(&receipt).into_iter().flatten().copied()
    }

    /// The last day of service in the last month, where the receipts say days.
    fn last_day_of_service(&self, stay: &Stay) -> Option<i32> {
        let (_, last) = stay.months()?;
        let days = stay
            .receipts
            .iter()
            .filter(|receipt| receipt.month == last)
            .filter_map(|receipt| value(&self.tables.visit_days, receipt.row))
            .fold(0, |all, days| all | days);
        days_of(last.first_day().days(), days).next_back()
    }

    /// The main disease of the latest receipt that names one.
    fn main_disease(&self, stay: &Stay) -> Option<usize> {
        let diagnoses = &self.tables.diagnoses;
        stay.receipts.iter().rev().find_map(|receipt| {
            let rows = || self.of(&self.diagnoses, receipt.id);
            let main = |row: &usize| is_true(&diagnoses.main, *row) && !is_true(&diagnoses.suspected, *row);
            let of_class =
                |class: &'static str| rows().find(move |row| text(&diagnoses.classes, *row) == Some(class));
            rows().find(main).or_else(|| DPC_MAIN.into_iter().find_map(of_class))
        })
    }

    fn outcome(&self, stay: &Stay, main: Option<usize>) -> Option<&'static str> {
        let (_, last) = stay.months()?;
        let receipts = || stay.receipts.iter().filter(|receipt| receipt.month == last);
        let outcomes = &self.tables.diagnoses.outcomes;
        let of_diseases = receipts().flat_map(|receipt| self.of(&self.diagnoses, receipt.id));
        let of_groups = receipts().flat_map(|receipt| self.of(&self.groups, receipt.id));
        let is_dead = of_diseases.into_iter().any(|row| text(outcomes, row) == Some(DIED))
            || of_groups
                .into_iter()
                .filter_map(|row| text(&self.tables.groups.outcomes, row))
                .any(|code| DPC_DIED.contains(&code));
        if is_dead {
            return Some("died");
        }
        match text(outcomes, main?)? {
            CURED => Some("cured"),
            STOPPED => Some("stopped"),
            _ => None,
        }
    }

    fn write(&self, person: u32, stay: &Stay, facts: &Facts<'_>, transfers: (bool, bool), rows: &mut Rows) {
        let tables = self.tables;
        let Some((first, last)) = stay.months() else { return };
        let summed =
            || stay.receipts.iter().map(|receipt| receipt.row).filter(|row| is_true(&tables.summed, *row));
        let sum = |of: &Int64Array| summed().filter_map(|row| value(of, row)).reduce(i64::saturating_add);
        let mut payers: Vec<&str> =
            stay.receipts.iter().filter_map(|receipt| text(&tables.insurers, receipt.row)).collect();
        payers.sort_unstable();
        payers.dedup();
        let (diagnoses, groups) = (&tables.diagnoses, &tables.groups);
        let main = |of: &'_ StringArray| facts.main.and_then(|row| text(of, row).map(str::to_owned));
        let icd10 = main(&diagnoses.icd10).or_else(|| main(&diagnoses.recorded_icd10));
        let is_dpc =
            stay.receipts.iter().any(|receipt| text(&tables.receipts.forms, receipt.row) == Some("dpc"));
        let prefecture = stay.receipts.first().and_then(|receipt| text(&tables.prefectures, receipt.row));
        let (is_in, is_out) = transfers;
        rows.push(
            person,
            &[
                Cell::Id(stay.number()),
                Cell::facility(stay.facility),
                Cell::text(prefecture),
                Cell::Day(first.first_day().days()),
                Cell::Day(last.first_day().days()),
                Cell::Day(facts.start),
                Cell::Text(if stay.admitted.is_some() { "date" } else { "month" }),
                Cell::day(facts.end),
                Cell::text(facts.end_known),
                Cell::Flag(facts.end.is_none()),
                Cell::Flag(is_in),
                Cell::Flag(is_out),
                Cell::count(stay.receipts.len()),
                Cell::count(payers.len()),
                Cell::int(facts.end.map(|end| i64::from(end) - i64::from(facts.start))),
                Cell::int(sum(&tables.bed_days)),
                Cell::int(sum(&tables.points)),
                Cell::Flag(is_dpc),
                Cell::text(facts.group.and_then(|row| text(&groups.codes, row))),
                Cell::text(facts.group.and_then(|row| text(&groups.dpc6, row))),
                Cell::text(facts.main.and_then(|row| text(&diagnoses.codes, row))),
                Cell::text(icd10.as_deref()),
                Cell::text(facts.outcome),
            ],
        );
    }
}
