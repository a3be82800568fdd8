//! Drug exposure episodes: supplies of one drug that follow each other without a longer gap than the rule allows.
//!
//! A medical receipt says for how many days medicine by mouth was given (回数 of 診療識別 21) and on which days; where
//! it was given out on several days of the month, the days of supply are shared evenly among them. A pharmacy receipt
//! says the day and the quantity of each dispensing. Two strengths of one drug that were supplied on the same day are
//! taken together, so the longer supply counts, not the sum.

use std::collections::{BTreeMap, HashMap};

use arrow::array::{Date32Array, Int32Array, Int64Array, StringArray, UInt64Array};
use arrow::datatypes::{Date32Type, Int32Type, Int64Type, UInt64Type};
use catalog_model::{Date, Derivation};

use super::Context;
use super::rows::{Cell, Rows};
use super::sources::{Reading, Source, days_of, each_person, text, value};
use crate::tables::files::FileError;

/// The longest supply that is believed.
const LONGEST: i64 = 3660;

/// One supply of a drug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Supply {
    day: i32,
    is_dated: bool,
    days: i32,
    /// Its row in the table of drugs.
    row: usize,
}

/// Supplies without a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Episode {
    first: Supply,
    last_day: i32,
    days_supplied: i64,
    supplies: usize,
    is_dated: bool,
}

/// Joins supplies that are sorted by day.
fn episodes(supplies: &[Supply], grace_days: i32, carry_over: bool) -> Vec<Episode> {
    let mut episodes: Vec<Episode> = Vec::new();
    for supply in supplies {
        let alone = supply.day + supply.days - 1;
        match episodes.last_mut().filter(|episode| supply.day <= episode.last_day + grace_days + 1) {
            Some(episode) => {
                let is_early = carry_over && supply.day <= episode.last_day;
                let end = if is_early { episode.last_day + supply.days } else { alone };
                episode.last_day = episode.last_day.max(end);
                episode.days_supplied += i64::from(supply.days);
                episode.supplies += 1;
                episode.is_dated &= supply.is_dated;
            }
            None => episodes.push(Episode {
                first: *supply,
                last_day: alone,
                days_supplied: supply.days.into(),
                supplies: 1,
                is_dated: supply.is_dated,
            }),
        }
    }
    episodes
}

/// Brings a drug's supplies into order; of those that are dated on one day the longest counts.
fn in_order(mut supplies: Vec<Supply>) -> Vec<Supply> {
    supplies.sort_unstable_by_key(|supply| (supply.day, supply.is_dated, -supply.days, supply.row));
    supplies.dedup_by(|next, kept| next.is_dated && kept.is_dated && next.day == kept.day);
    supplies
}

/// Writes the episodes of a bucket.
pub(super) fn derive(
    context: &Context<'_>,
    reading: &Reading<'_>,
    rule: &Derivation,
    rows: &mut Rows,
) -> Result<(), FileError> {
    let Derivation::DrugEpisode { by, prefix, service_classes, dosage_forms, grace_days, carry_over } = rule
    else {
        return Ok(());
    };
    let tables = Tables::read(reading)?;
    let keys = Keys::new(context, by.as_deref(), *prefix);
    let asked = Asked { service_classes, dosage_forms };
    let grace_days = i32::try_from(*grace_days).unwrap_or(i32::MAX / 4);
    let period_end = context.period.to.last_day().days();
    let persons = [&tables.drugs.persons, &tables.dispensings.persons, &tables.prescriptions.persons];
    each_person(persons, |person, [drugs, dispensings, prescriptions]| {
        let runs = Runs::new(&tables, &asked, (drugs.clone(), dispensings, prescriptions));
        let mut by_drug: BTreeMap<&str, Vec<Supply>> = BTreeMap::new();
        for row in drugs {
            let Some(code) = text(&tables.codes, row) else { continue };
            by_drug.entry(keys.of(code)).or_default().extend(runs.supplies(row));
        }
        let mut found: Vec<(&str, Episode)> = Vec::new();
        for (key, supplies) in by_drug {
            let joined = episodes(&in_order(supplies), grace_days, *carry_over);
            found.extend(joined.into_iter().map(|episode| (key, episode)));
        }
        found.sort_by_key(|(key, episode)| (episode.first.day, *key));
        for (key, episode) in found {
            let first = episode.first;
            let days = i64::from(episode.last_day) - i64::from(first.day) + 1;
            let month = Date::from_days(first.day).month().first_day().days();
            let number = rows.number();
            rows.push(
                person,
                &[
                    Cell::Id(number),
                    Cell::Text(key),
                    Cell::text(text(&tables.codes, first.row)),
                    Cell::text(text(&tables.classes, first.row)),
                    Cell::Day(month),
                    Cell::Day(first.day),
                    Cell::Day(episode.last_day),
                    Cell::Int(days),
                    Cell::Int(episode.days_supplied),
                    Cell::count(episode.supplies),
                    Cell::Flag(episode.is_dated),
                    Cell::Flag(episode.last_day.saturating_add(grace_days) >= period_end),
                ],
            );
        }
    });
    Ok(())
}

/// By what drugs are one.
struct Keys<'c> {
    attributes: HashMap<&'c str, &'c str>,
}

impl<'c> Keys<'c> {
    fn new(context: &Context<'c>, by: Option<&str>, prefix: Option<usize>) -> Self {
        let codes = context.catalogue.codes.get("drug").map(|system| system.codes.as_slice());
        let attributes = codes.unwrap_or_default().iter().filter_map(|code| {
            let whole = code.attributes.get(by?).filter(|text| !text.is_empty())?;
            let part = prefix.and_then(|length| whole.get(..length)).unwrap_or(whole);
            Some((code.code.as_str(), part))
        });
        Self { attributes: attributes.collect() }
    }

    fn of<'r>(&'r self, code: &'r str) -> &'r str {
        self.attributes.get(code).copied().unwrap_or(code)
    }
}

struct Asked<'r> {
    service_classes: &'r [String],
    dosage_forms: &'r [String],
}

struct Tables {
    drugs: Source,
    receipts: UInt64Array,
    months: Date32Array,
    service_classes: StringArray,
    runs: Int64Array,
    codes: StringArray,
    classes: StringArray,
    times: Int64Array,
    service_days: Int32Array,
    dispensings: Source,
    dispensed: Dispensed,
    prescriptions: Source,
    prescribed: Prescribed,
}

struct Dispensed {
    receipts: UInt64Array,
    runs: Int64Array,
    days: Date32Array,
    quantities: Int64Array,
}

struct Prescribed {
    receipts: UInt64Array,
    runs: Int64Array,
    forms: StringArray,
}

impl Tables {
    fn read(reading: &Reading<'_>) -> Result<Self, FileError> {
        let drugs = reading.table("ndb_drug")?;
        let dispensings = reading.table("ndb_dispensing")?;
        let prescriptions = reading.table("ndb_prescription")?;
        Ok(Self {
            receipts: drugs.numbers::<UInt64Type>("receipt_id")?,
            months: drugs.numbers::<Date32Type>("service_month")?,
            service_classes: drugs.texts("service_class")?,
            runs: drugs.numbers::<Int64Type>("claim_run")?,
            codes: drugs.texts("drug_code")?,
            classes: drugs.texts("drug_class")?,
            times: drugs.numbers::<Int64Type>("times")?,
            service_days: drugs.numbers::<Int32Type>("service_days")?,
            drugs,
            dispensed: Dispensed {
                receipts: dispensings.numbers::<UInt64Type>("receipt_id")?,
                runs: dispensings.numbers::<Int64Type>("claim_run")?,
                days: dispensings.numbers::<Date32Type>("dispensed_date")?,
                quantities: dispensings.numbers::<Int64Type>("quantity")?,
            },
            dispensings,
            prescribed: Prescribed {
                receipts: prescriptions.numbers::<UInt64Type>("receipt_id")?,
                runs: prescriptions.numbers::<Int64Type>("claim_run")?,
                forms: prescriptions.texts("form_code")?,
            },
            prescriptions,
        })
    }
}

type Run = (u64, i64);
type PersonRows = (std::ops::Range<usize>, std::ops::Range<usize>, std::ops::Range<usize>);

/// What the runs of a person's receipts say.
struct Runs<'t> {
    tables: &'t Tables,
    asked: &'t Asked<'t>,
    /// The times of a run, which some senders write on one of its lines alone.
    times: BTreeMap<Run, i64>,
    /// Days and quantities of a run's dispensings, where its form is one that is asked for.
    dispensed: BTreeMap<Run, Vec<(Option<i32>, i64)>>,
}

impl<'t> Runs<'t> {
    fn new(tables: &'t Tables, asked: &'t Asked<'t>, rows: PersonRows) -> Self {
        let (drugs, dispensings, prescriptions) = rows;
        let mut times: BTreeMap<Run, i64> = BTreeMap::new();
        for row in drugs {
            let run = value(&tables.receipts, row).zip(value(&tables.runs, row));
            if let Some((run, said)) = run.zip(value(&tables.times, row)) {
                let known = times.entry(run).or_default();
                *known = said.max(*known);
            }
        }
        let prescribed = &tables.prescribed;
        let is_asked = |row: &usize| {
            let form = text(&prescribed.forms, *row).map(|form| form.trim_start_matches('0'));
            form.is_some_and(|form| asked.dosage_forms.iter().any(|asked| asked == form))
        };
        let mut dispensed: BTreeMap<Run, Vec<_>> = prescriptions
            .filter(is_asked)
            .filter_map(|row| value(&prescribed.receipts, row).zip(value(&prescribed.runs, row)))
            .map(|run| (run, Vec::new()))
            .collect();
        let known = &tables.dispensed;
        for row in dispensings {
            let run = value(&known.receipts, row).zip(value(&known.runs, row));
            if let Some((run, quantity)) = run.zip(value(&known.quantities, row))
                && let Some(of_run) = dispensed.get_mut(&run)
            {
                of_run.push((value(&known.days, row), quantity));
            }
        }
        Self { tables, asked, times, dispensed }
    }

    /// The supplies that a line of drugs stands for.
    fn supplies(&self, row: usize) -> Vec<Supply> {
        let tables = self.tables;
        let run = value(&tables.receipts, row).zip(value(&tables.runs, row));
        let Some((month, run)) = value(&tables.months, row).zip(run) else { return Vec::new() };
        if let Some(dispensed) = self.dispensed.get(&run) {
            let supply = |(day, days): &(Option<i32>, i64)| supply(*day, month, *days, row);
            return dispensed.iter().filter_map(supply).collect();
        }
        let class = text(&tables.service_classes, row);
        if !class.is_some_and(|class| self.asked.service_classes.iter().any(|asked| asked == class)) {
            return Vec::new();
        }
        let times = value(&tables.times, row).or_else(|| self.times.get(&run).copied()).unwrap_or(0);
        let days = value(&tables.service_days, row).unwrap_or(0);
        let given: Vec<i32> = days_of(month, days).collect();
        if given.is_empty() {
            return supply(None, month, times, row).into_iter().collect();
        }
        let count = i64::try_from(given.len()).unwrap_or(1);
        let share = |at: i64| times / count + i64::from(at < times % count);
        let shares = given.iter().zip(0..).filter_map(|(day, at)| supply(Some(*day), month, share(at), row));
        shares.collect()
    }
}

fn supply(day: Option<i32>, month: i32, days: i64, row: usize) -> Option<Supply> {
    let days = i32::try_from(days.min(LONGEST)).ok().filter(|days| *days > 0)?;
    Some(Supply { day: day.unwrap_or(month), is_dated: day.is_some(), days, row })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Supply, episodes, in_order};

    /// Day by day: the stock grows by what is supplied and shrinks by one a day; a covered day belongs to the episode of
    /// the last covered day unless more than the grace lies between them.
    fn slowly(supplies: &[Supply], grace: i32, carry_over: bool) -> Vec<(i32, i32)> {
        let mut found: Vec<(i32, i32)> = Vec::new();
        let mut stock = 0;
        for day in 0..400 {
            let new: Vec<i32> = supplies.iter().filter(|s| s.day == day).map(|s| s.days).collect();
            for days in new {
                stock = if carry_over { stock + days } else { stock.max(days) };
            }
            if stock > 0 {
                stock -= 1;
                match found.last_mut().filter(|(_, end)| day - *end - 1 <= grace) {
                    Some((_, end)) => *end = day,
                    None => found.push((day, day)),
                }
            }
        }
        found
    }

    fn supplies() -> impl Strategy<Value = Vec<Supply>> {
        let supply = (0_i32..150, 1_i32..35, any::<bool>());
        prop::collection::vec(supply, 0..8).prop_map(|supplies| {
            let supply = |(row, (day, days, is_dated))| Supply { day, is_dated, days, row };
            supplies.into_iter().enumerate().map(supply).collect()
        })
    }

    proptest! {
        #[test]
        fn episodes_are_those_that_counting_day_by_day_finds(
            supplies in supplies(), grace in 0_i32..40, carry_over in any::<bool>(),
        ) {
            let supplies = in_order(supplies);
            let found = episodes(&supplies, grace, carry_over);
            let bounds: Vec<(i32, i32)> = found.iter().map(|e| (e.first.day, e.last_day)).collect();
            prop_assert_eq!(bounds, slowly(&supplies, grace, carry_over));
            let count: usize = found.iter().map(|e| e.supplies).sum();
            prop_assert_eq!(count, supplies.len());
            let days: i64 = found.iter().map(|e| e.days_supplied).sum();
            prop_assert_eq!(days, supplies.iter().map(|s| i64::from(s.days)).sum::<i64>());
        }
    }
}
