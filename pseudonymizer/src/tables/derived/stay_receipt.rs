//! DPC stays of form 1 and the inpatient receipts that billed them: same person, same facility, same admission date.

use arrow::array::{Date32Array, UInt32Array, UInt64Array};
use arrow::datatypes::{Date32Type, UInt32Type, UInt64Type};

use super::rows::{Cell, Rows};
use super::sources::{Reading, each_person, text, value};
use super::stays::{Receipts, Stay, stays};
use crate::tables::files::FileError;

/// A stay of form 1.
#[derive(Clone, Copy, Debug)]
struct DpcStay {
    id: u64,
    facility: u32,
    admitted: i32,
}

/// Writes the links of a bucket.
pub(super) fn derive(reading: &Reading<'_>, tolerance_days: u32, rows: &mut Rows) -> Result<(), FileError> {
    let receipts = Receipts::read(reading)?;
    let source = reading.table("dpc_stay")?;
    let ids: UInt64Array = source.numbers::<UInt64Type>("stay_id")?;
    let facilities: UInt32Array = source.numbers::<UInt32Type>("facility_id")?;
    let admitted: Date32Array = source.numbers::<Date32Type>("admission_date")?;
    let stay = |row: usize| {
        Some(DpcStay {
            id: value(&ids, row)?,
            facility: value(&facilities, row)?,
            admitted: value(&admitted, row)?,
        })
    };
    each_person([&source.persons, &receipts.source.persons], |person, [of_dpc, of_receipts]| {
        if of_dpc.is_empty() || of_receipts.is_empty() {
            return;
        }
        let dpc: Vec<DpcStay> = of_dpc.filter_map(stay).collect();
        let mut links = Vec::new();
        for admission in stays(receipts.inpatients(of_receipts)) {
            let (fitting, apart) = nearest(&dpc, &admission, tolerance_days);
            for dpc in &fitting {
                for receipt in &admission.receipts {
                    links.push((*receipt, *dpc, admission.number(), apart, fitting.len() > 1));
                }
            }
        }
        links.sort_by_key(|(receipt, dpc, ..)| (receipt.month, dpc.id, receipt.id));
        for (receipt, dpc, admission, apart, is_ambiguous) in links {
            rows.push(
                person,
                &[
                    Cell::Id(dpc.id),
                    Cell::Id(receipt.id),
                    Cell::Id(admission),
                    Cell::Id(dpc.facility.into()),
                    Cell::Day(receipt.month.first_day().days()),
                    Cell::text(text(&receipts.forms, receipt.row)),
                    Cell::Int(apart.into()),
                    Cell::Flag(is_ambiguous),
                ],
            );
        }
    });
    Ok(())
}

/// The stays of the same facility whose admission date is the nearest, if it lies near enough.
fn nearest(dpc: &[DpcStay], admission: &Stay, tolerance_days: u32) -> (Vec<DpcStay>, u32) {
    let Some(day) = admission.admitted else { return (Vec::new(), 0) };
    let apart = |stay: &DpcStay| stay.admitted.abs_diff(day);
    let there = || dpc.iter().filter(|stay| Some(stay.facility) == admission.facility);
    let least = there().map(apart).min().filter(|least| *least <= tolerance_days);
    let Some(least) = least else { return (Vec::new(), 0) };
    let mut fitting: Vec<DpcStay> = there().filter(|stay| apart(stay) == least).copied().collect();
    // Forms of the same stay that came twice share its number.
    fitting.sort_by_key(|stay| stay.id);
    fitting.dedup_by_key(|stay| stay.id);
    (fitting, least)
}
