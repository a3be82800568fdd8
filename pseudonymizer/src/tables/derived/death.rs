//! Deaths, from every record that implies one: one row a person, with what says so and how exact the day is.
//!
//! A recorded day counts before the last day of service of a month, and that before a month alone; of equals the record
//! whose kind stands first below. Records that go on for months afterwards contradict a death and are said, not acted on.

use std::collections::BTreeMap;
use std::ops::Range;

use arrow::array::{Date32Array, Int32Array, StringArray, UInt32Array, UInt64Array};
use arrow::datatypes::{Date32Type, Int32Type, UInt32Type, UInt64Type};
use catalog_model::{Date, Month};

use super::rows::{Cell, Rows};
use super::sources::{Reading, Source, days_of, each_person, text, value};
use super::stays::Receipts;
use crate::tables::files::FileError;

/// 転帰区分 死亡.
const DIED: &str = "3";

/// What the table's TOML says.
pub(super) struct Rule<'r> {
    pub(super) care_codes: &'r [String],
    pub(super) dpc_codes: &'r [String],
    pub(super) after: u32,
}

/// How exactly a day is known, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Known {
    Date,
    LastDay,
    Month,
}

/// What says that a person died, the most trusted first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Saying {
    DpcStay,
    DpcReceipt,
    Life,
    CareClaim,
    Receipt,
}

/// A record that says that a person died.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Evidence {
    known: Known,
    saying: Saying,
    day: i32,
    facility: Option<u32>,
}

impl Evidence {
    fn new(saying: Saying, day: Option<i32>, month: i32, facility: Option<u32>) -> Self {
        let (known, day) = match day {
            Some(day) => (Known::Date, day),
            None => (Known::Month, Date::from_days(month).month().last_day().days()),
        };
        Self { known, saying, day, facility }
    }

    const fn known(&self) -> &'static str {
        match self.known {
            Known::Date => "date",
            Known::LastDay => "last_day",
            Known::Month => "month",
        }
    }

    const fn source(&self) -> &'static str {
        match self.saying {
            Saying::DpcStay => "dpc_stay",
            Saying::DpcReceipt => "dpc_receipt",
            Saying::Life => "life",
            Saying::CareClaim => "care_claim",
            Saying::Receipt => "receipt",
        }
    }
}

/// Writes the deaths of a bucket.
pub(super) fn derive(reading: &Reading<'_>, rule: &Rule<'_>, rows: &mut Rows) -> Result<(), FileError> {
    let tables = Tables::read(reading)?;
    let persons = [
        &tables.receipts.source.persons,
        &tables.diagnoses.persons,
        &tables.groups.persons,
        &tables.stays.persons,
        &tables.claims.persons,
        &tables.users.persons,
    ];
    each_person(persons, |person, [receipts, diagnoses, groups, stays, claims, users]| {
        let mut found = Vec::new();
        tables.of_receipts(receipts.clone(), diagnoses, groups, rule, &mut found);
        tables.of_stays(stays, rule, &mut found);
        tables.of_claims(claims.clone(), rule, &mut found);
        let days = users.filter_map(|row| value(&tables.death_dates, row));
        found.extend(days.map(|day| Evidence::new(Saying::Life, Some(day), day, None)));
        let days = || found.iter().map(|evidence| evidence.day);
        let (Some(best), Some(first), Some(last)) = (found.iter().min(), days().min(), days().max()) else {
            return;
        };
        let month = Date::from_days(best.day).month();
        let latest = tables.latest_month(receipts, claims);
        let limit = month.plus(i32::try_from(rule.after).unwrap_or(i32::MAX / 24));
        rows.push(
            person,
            &[
                Cell::facility(best.facility),
                Cell::Day(month.first_day().days()),
                Cell::Day(best.day),
                Cell::Text(best.known()),
                Cell::Text(best.source()),
                Cell::count(found.len()),
                Cell::Int(i64::from(last) - i64::from(first)),
                Cell::Flag(latest.is_some_and(|latest| latest >= limit)),
            ],
        );
    });
    Ok(())
}

struct Tables {
    receipts: Receipts,
    visit_days: Int32Array,
    diagnoses: Source,
    diagnosis_receipts: UInt64Array,
    diagnosis_outcomes: StringArray,
    groups: Source,
    group_receipts: UInt64Array,
    group_outcomes: StringArray,
    group_discharges: Date32Array,
    stays: Source,
    stay_facilities: UInt32Array,
    stay_outcomes: StringArray,
    stay_discharges: Date32Array,
    claims: Source,
    claim_months: Date32Array,
    discharges: Date32Array,
    states: StringArray,
    stops: Date32Array,
    stop_reasons: StringArray,
    users: Source,
    death_dates: Date32Array,
}

impl Tables {
    fn read(reading: &Reading<'_>) -> Result<Self, FileError> {
        let receipts = Receipts::read(reading)?;
        let diagnoses = reading.table("ndb_diagnosis")?;
        let groups = reading.table("ndb_dpc_group")?;
        let stays = reading.table("dpc_stay")?;
        let claims = reading.table("care_claim")?;
        let users = reading.table("life_service_user")?;
        Ok(Self {
            visit_days: receipts.source.numbers::<Int32Type>("visit_days")?,
            receipts,
            diagnosis_receipts: diagnoses.numbers::<UInt64Type>("receipt_id")?,
            diagnosis_outcomes: diagnoses.texts("outcome")?,
            diagnoses,
            group_receipts: groups.numbers::<UInt64Type>("receipt_id")?,
            group_outcomes: groups.texts("outcome")?,
            group_discharges: groups.numbers::<Date32Type>("discharge_date")?,
            groups,
            stay_facilities: stays.numbers::<UInt32Type>("facility_id")?,
            stay_outcomes: stays.texts("outcome")?,
            stay_discharges: stays.numbers::<Date32Type>("discharge_date")?,
            stays,
            claim_months: claims.numbers::<Date32Type>("service_month")?,
            discharges: claims.numbers::<Date32Type>("discharge_date")?,
            states: claims.texts("state_after_discharge")?,
            stops: claims.numbers::<Date32Type>("stop_date")?,
            stop_reasons: claims.texts("stop_reason")?,
            claims,
            death_dates: users.numbers::<Date32Type>("death_date")?,
            users,
        })
    }

    fn of_receipts(
        &self,
        receipts: Range<usize>,
        diagnoses: Range<usize>,
        groups: Range<usize>,
        rule: &Rule<'_>,
        found: &mut Vec<Evidence>,
    ) {
        let died = diagnoses.filter(|row| text(&self.diagnosis_outcomes, *row) == Some(DIED));
        let mut sayings: BTreeMap<(u64, Saying), Option<i32>> = died
            .filter_map(|row| Some(((value(&self.diagnosis_receipts, row)?, Saying::Receipt), None)))
            .collect();
        for row in groups.filter(|row| is_one_of(&self.group_outcomes, *row, rule.dpc_codes)) {
            if let Some(receipt) = value(&self.group_receipts, row) {
                sayings.insert((receipt, Saying::DpcReceipt), value(&self.group_discharges, row));
            }
        }
        if sayings.is_empty() {
            return;
        }
        for row in receipts {
            let known = value(&self.receipts.ids, row).zip(value(&self.receipts.months, row));
            let Some((id, month)) = known else { continue };
            let facility = value(&self.receipts.facilities, row);
            for (_, said) in sayings.range((id, Saying::DpcStay)..=(id, Saying::Receipt)) {
                found.push(match said {
                    Some(day) => Evidence::new(Saying::DpcReceipt, Some(*day), month, facility),
                    None => self.last_day(row, month, facility),
                });
            }
        }
    }

    /// The last day of service of a receipt, else its month.
    fn last_day(&self, row: usize, month: i32, facility: Option<u32>) -> Evidence {
        let days = value(&self.visit_days, row).unwrap_or(0);
        match days_of(month, days).next_back() {
            Some(day) => Evidence { known: Known::LastDay, saying: Saying::Receipt, day, facility },
            None => Evidence::new(Saying::Receipt, None, month, facility),
        }
    }

    fn of_stays(&self, stays: Range<usize>, rule: &Rule<'_>, found: &mut Vec<Evidence>) {
        let died = stays.filter(|row| is_one_of(&self.stay_outcomes, *row, rule.dpc_codes));
        found.extend(died.filter_map(|row| {
            let day = value(&self.stay_discharges, row)?;
            Some(Evidence::new(Saying::DpcStay, Some(day), day, value(&self.stay_facilities, row)))
        }));
    }

    fn of_claims(&self, claims: Range<usize>, rule: &Rule<'_>, found: &mut Vec<Evidence>) {
        for row in claims {
            let Some(month) = value(&self.claim_months, row) else { continue };
            let days = [(&self.states, &self.discharges), (&self.stop_reasons, &self.stops)];
            let said = days.into_iter().filter(|(codes, _)| is_one_of(codes, row, rule.care_codes));
            let day = said.map(|(_, days)| value(days, row)).reduce(Option::or);
            found.extend(day.map(|day| Evidence::new(Saying::CareClaim, day, month, None)));
        }
    }

    fn latest_month(&self, receipts: Range<usize>, claims: Range<usize>) -> Option<Month> {
        let receipts = receipts.filter_map(|row| value(&self.receipts.months, row));
        let claims = claims.filter_map(|row| value(&self.claim_months, row));
        receipts.chain(claims).max().map(|day| Date::from_days(day).month())
    }
}

fn is_one_of(array: &StringArray, row: usize, codes: &[String]) -> bool {
    text(array, row).is_some_and(|code| codes.iter().any(|known| known == code))
}
