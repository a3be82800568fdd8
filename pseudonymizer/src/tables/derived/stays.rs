//! Which inpatient receipts of a person are one stay.
//!
//! The receipts of one stay carry one 入院年月日, whatever the month and whoever pays, so facility and admission date
//! are what makes them one. A month without a receipt between two that have one does not end a stay: receipts are late,
//! or returned. A transfer begins with an admission date at another facility.

use std::ops::Range;

use arrow::array::{StringArray, UInt32Array, UInt64Array};
use arrow::datatypes::{Date32Type, UInt32Type, UInt64Type};
use catalog_model::{Date, Month};

use super::sources::{Reading, Source, text, value};
use crate::tables::files::FileError;

/// An inpatient receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inpatient {
    pub(super) row: usize,
    pub(super) id: u64,
    pub(super) facility: Option<u32>,
    pub(super) month: Month,
    pub(super) admitted: Option<i32>,
}

/// Receipts of one stay, by month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stay {
    pub(super) facility: Option<u32>,
    pub(super) admitted: Option<i32>,
    pub(super) receipts: Vec<Inpatient>,
}

impl Stay {
    /// The number of the admission: that of its first receipt, which no other stay has.
    pub(super) fn number(&self) -> u64 {
        self.receipts.iter().map(|receipt| receipt.id).min().unwrap_or(u64::MAX)
    }

    /// The first and the last month that was billed.
    pub(super) fn months(&self) -> Option<(Month, Month)> {
        let months = || self.receipts.iter().map(|receipt| receipt.month);
        months().min().zip(months().max())
    }

    /// The first day: the admission date, else the first day of the first month.
    pub(super) fn start(&self) -> i32 {
        let first = || self.months().map_or(i32::MAX, |(first, _)| first.first_day().days());
        self.admitted.unwrap_or_else(first)
    }
}

/// Groups a person's inpatient receipts, by first day.
pub(super) fn stays(mut receipts: Vec<Inpatient>) -> Vec<Stay> {
    // Dated receipts first, so that one without a date finds the stays of its month.
    receipts.sort_unstable_by_key(|receipt| (receipt.month, receipt.admitted.is_none(), receipt.id));
    let mut stays: Vec<Stay> = Vec::new();
    for receipt in receipts {
        let fits = |stay: &&mut Stay| match receipt.admitted {
            Some(day) => stay.admitted == Some(day),
            None => stay.months().is_some_and(|(_, last)| last.plus(1) >= receipt.month),
        };
        let known = stays
            .iter_mut()
            .filter(|stay| stay.facility == receipt.facility)
            .filter(fits)
            .max_by_key(|stay| (stay.months().map(|(_, last)| last), stay.admitted));
        match known {
            Some(stay) => stay.receipts.push(receipt),
            None => stays.push(Stay {
                facility: receipt.facility,
                admitted: receipt.admitted,
                receipts: vec![receipt],
            }),
        }
    }
    stays.sort_by_key(|stay| (stay.start(), stay.number()));
    stays
}

/// The receipts of a bucket.
pub(super) struct Receipts {
    pub(super) source: Source,
    pub(super) ids: UInt64Array,
    pub(super) facilities: UInt32Array,
    pub(super) months: arrow::array::Date32Array,
    pub(super) admitted: arrow::array::Date32Array,
    pub(super) forms: StringArray,
    settings: StringArray,
}

impl Receipts {
    pub(super) fn read(reading: &Reading<'_>) -> Result<Self, FileError> {
        let source = reading.table("ndb_receipt")?;
        Ok(Self {
            ids: source.numbers::<UInt64Type>("receipt_id")?,
            facilities: source.numbers::<UInt32Type>("facility_id")?,
            months: source.numbers::<Date32Type>("service_month")?,
            admitted: source.numbers::<Date32Type>("admission_date")?,
            forms: source.texts("receipt_form")?,
            settings: source.texts("setting")?,
            source,
        })
    }

    /// The inpatient receipts among a person's rows.
    pub(super) fn inpatients(&self, rows: Range<usize>) -> Vec<Inpatient> {
        rows.filter(|row| text(&self.settings, *row) == Some("inpatient"))
            .filter_map(|row| {
                Some(Inpatient {
                    row,
                    id: value(&self.ids, row)?,
                    facility: value(&self.facilities, row),
                    month: Date::from_days(value(&self.months, row)?).month(),
                    admitted: value(&self.admitted, row),
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog_model::Month;
    use proptest::prelude::*;

    use super::{Inpatient, Stay, stays};

    fn receipts() -> impl Strategy<Value = Vec<Inpatient>> {
        let receipt = (prop::option::of(0_u32..2), 24_280_i32..24_290, prop::option::of(0_i32..3));
        prop::collection::vec(receipt, 0..12).prop_map(|receipts| {
            let receipt = |(row, (facility, month, admitted))| Inpatient {
                row,
                id: row as u64,
                facility,
                month: Month::from_index(month),
                admitted,
            };
            receipts.into_iter().enumerate().map(receipt).collect()
        })
    }

    proptest! {
        #[test]
        fn every_receipt_is_in_one_stay_and_dated_ones_are_together_exactly_if_place_and_date_are_equal(
            receipts in receipts(),
        ) {
            let stays = stays(receipts.clone());
            let mut rows: Vec<usize> =
                stays.iter().flat_map(|stay| stay.receipts.iter().map(|receipt| receipt.row)).collect();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..receipts.len()).collect::<Vec<_>>());
            let of = |receipt: &Inpatient| {
                stays.iter().position(|stay| stay.receipts.contains(receipt)).unwrap()
            };
            for one in receipts.iter().filter(|receipt| receipt.admitted.is_some()) {
                for two in receipts.iter().filter(|receipt| receipt.admitted.is_some()) {
                    let is_same = (one.facility, one.admitted) == (two.facility, two.admitted);
                    prop_assert_eq!(of(one) == of(two), is_same);
                }
            }
            prop_assert!(stays.iter().all(|stay| stay.receipts.iter().all(|r| r.facility == stay.facility)));
            let numbers: BTreeSet<u64> = stays.iter().map(Stay::number).collect();
            prop_assert_eq!(numbers.len(), stays.len());
        }

        #[test]
        fn the_order_of_receipts_does_not_matter(
            (first, second) in receipts().prop_flat_map(|r| (Just(r.clone()), Just(r).prop_shuffle())),
        ) {
            prop_assert_eq!(stays(first), stays(second));
        }
    }
}
