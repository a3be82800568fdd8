//! Care-need intervals (要介護度の期間): which level was in force when, from every record that states a certification.
//!
//! A later certification replaces an earlier one from its first day, for good: after a change of level (区分変更) the
//! former certification does not come back when the new one ends. Of two that begin on one day, the one that was seen
//! later counts. Who insures is what the first record of the interval's first certification names.

use std::collections::BTreeMap;

use super::Context;
use super::rows::{Cell, Rows};
use super::sources::{Reading, Source, each_person, text, value};
use crate::tables::files::FileError;

use arrow::array::{Date32Array, StringArray, UInt32Array};
use arrow::datatypes::{Date32Type, UInt32Type};

/// A certification as records state it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Certification<'a> {
    level: &'a str,
    from: i32,
    to: i32,
    /// The first and the last month in which a record states it, by their first days.
    seen: (i32, i32),
    is_billed: bool,
    municipality: Option<u32>,
}

/// A period of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Interval<'a> {
    level: &'a str,
    from: i32,
    to: i32,
    first_seen: i32,
    certifications: usize,
    is_billed: bool,
    is_cut: bool,
    municipality: Option<u32>,
}

/// Resolves overlaps and joins successive periods of one level.
fn intervals<'a>(certifications: &[Certification<'a>]) -> Vec<Interval<'a>> {
    let mut order: Vec<&Certification<'a>> =
        certifications.iter().filter(|certification| certification.from <= certification.to).collect();
    order.sort_by_key(|one| (one.from, one.seen.1, one.to, one.level));
    let mut intervals: Vec<Interval<'a>> = Vec::new();
    for (at, one) in order.iter().enumerate() {
        let next = order.get(at + 1).map(|next| next.from);
        if next == Some(one.from) {
            continue;
        }
        let to = next.map_or(one.to, |next| one.to.min(next - 1));
        let interval = Interval {
            level: one.level,
            from: one.from,
            to,
            first_seen: one.seen.0,
            certifications: 1,
            is_billed: one.is_billed,
            is_cut: to < one.to,
            municipality: one.municipality,
        };
        let follows = |last: &&mut Interval<'_>| last.level == interval.level && last.to + 1 == interval.from;
        match intervals.last_mut().filter(follows) {
            Some(last) => {
                last.to = interval.to;
                last.first_seen = last.first_seen.min(interval.first_seen);
                last.certifications += 1;
                last.is_billed |= interval.is_billed;
                last.is_cut = interval.is_cut;
                last.municipality = last.municipality.or(interval.municipality);
            }
            None => intervals.push(interval),
        }
    }
    intervals
}

/// Writes the intervals of a bucket.
pub(super) fn derive(context: &Context<'_>, reading: &Reading<'_>, rows: &mut Rows) -> Result<(), FileError> {
    let claims = reading.table("care_claim")?;
    let applications = reading.table("care_certification")?;
    let billed = Stated::read(&claims, ["service_month", "care_level", "certified_from", "certified_to"])?;
    let previous = Stated::read(
        &applications,
        ["application_month", "previous_care_level", "previous_from", "previous_to"],
    )?;
    let period_end = context.period.to.last_day().days();
    each_person([&claims.persons, &applications.persons], |person, [claims, applications]| {
        let mut found = BTreeMap::new();
        claims.for_each(|row| billed.note(row, true, &mut found));
        applications.for_each(|row| previous.note(row, false, &mut found));
        let certifications: Vec<Certification<'_>> = found.into_values().collect();
        let mut intervals = intervals(&certifications);
        intervals.sort_by_key(|interval| (interval.first_seen, interval.from));
        for interval in intervals {
            let number = rows.number();
            rows.push(
                person,
                &[
                    Cell::Id(number),
                    Cell::Day(interval.first_seen),
                    Cell::Text(interval.level),
                    Cell::Day(interval.from),
                    Cell::Day(interval.to),
                    Cell::Int(i64::from(interval.to) - i64::from(interval.from) + 1),
                    Cell::count(interval.certifications),
                    Cell::Flag(interval.is_billed),
                    Cell::Flag(interval.is_cut),
                    Cell::Flag(interval.from <= period_end && interval.to >= period_end),
                    Cell::facility(interval.municipality),
                ],
            );
        }
    });
    Ok(())
}

/// The columns of a table that state certifications.
struct Stated {
    months: Date32Array,
    levels: StringArray,
    from: Date32Array,
    to: Date32Array,
    /// None where the table does not say who insures.
    municipalities: Option<UInt32Array>,
}

impl Stated {
    fn read(source: &Source, columns: [&str; 4]) -> Result<Self, FileError> {
        let [month, level, from, to] = columns;
        Ok(Self {
            months: source.numbers::<Date32Type>(month)?,
            levels: source.texts(level)?,
            from: source.numbers::<Date32Type>(from)?,
            to: source.numbers::<Date32Type>(to)?,
            municipalities: source.numbers::<UInt32Type>("municipality_id").ok(),
        })
    }

    fn note<'s>(
        &'s self,
        row: usize,
        is_billed: bool,
        found: &mut BTreeMap<(i32, i32, &'s str), Certification<'s>>,
    ) {
        let period = value(&self.from, row).zip(value(&self.to, row));
        let Some(((from, to), level)) = period.zip(text(&self.levels, row)) else { return };
        let Some(month) = value(&self.months, row) else { return };
        let known = found.entry((from, to, level)).or_insert(Certification {
            level,
            from,
            to,
            seen: (month, month),
            is_billed,
            municipality: None,
        });
        known.seen = (known.seen.0.min(month), known.seen.1.max(month));
        known.is_billed |= is_billed;
        let municipality = self.municipalities.as_ref().and_then(|array| value(array, row));
        known.municipality = known.municipality.or(municipality);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Certification, intervals};

    const LEVELS: [&str; 3] = ["12", "21", "25"];

    /// The level in force on a day: of the certifications that have begun, the last one, while it lasts.
    fn slowly<'a>(certifications: &[Certification<'a>], day: i32) -> Option<&'a str> {
        let begun = certifications.iter().filter(|one| one.from <= day && one.from <= one.to);
        let last = begun.max_by_key(|one| (one.from, one.seen.1, one.to, one.level))?;
        (day <= last.to).then_some(last.level)
    }

    fn certifications() -> impl Strategy<Value = Vec<Certification<'static>>> {
        let one = (0_usize..3, 0_i32..60, -3_i32..40, 0_i32..5).prop_map(|(level, from, length, seen)| {
            let level = LEVELS[level];
            let (seen, is_billed, municipality) = ((seen, seen), seen > 2, None);
            Certification { level, from, to: from + length, seen, is_billed, municipality }
        });
        prop::collection::vec(one, 0..7)
    }

    proptest! {
        #[test]
        fn every_day_has_the_level_of_the_last_certification_that_has_begun(found in certifications()) {
            let intervals = intervals(&found);
            for day in -1..120 {
                let there: Vec<&str> =
                    intervals.iter().filter(|i| (i.from..=i.to).contains(&day)).map(|i| i.level).collect();
                let expected: Vec<&str> = slowly(&found, day).into_iter().collect();
                prop_assert_eq!(there, expected, "day {}", day);
            }
            for pair in intervals.windows(2) {
                prop_assert!(pair[0].to + 1 < pair[1].from || pair[0].level != pair[1].level);
            }
        }
    }
}
