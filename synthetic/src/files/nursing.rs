//! The H file (重症度、医療・看護必要度): what nurses note of a patient on a day.
//!
//! Of some stays and a few days each, so that the files are there and few.

use super::dpc::Hospital;
use super::draft::{Draft, Grouper};
use crate::SynthError;
use crate::billing::{StayMonth, bits, date_of};
use crate::calendar::Calendar;
use crate::dice::{Dice, Stream};
use crate::truth::Ledger;
use crate::writer::{FamilyTemplates, Line};

const WESTERN: Calendar = Calendar::Western;
/// Of so many patients one is written, for so many days.
const PATIENTS_PER_FILE: usize = 6;
const DAYS: usize = 3;
/// Items with the number of their payloads.
const ITEMS: [(&str, u32); 2] = [("ASS0013", 8), ("ASS0021", 7)];

/// The H file of a hospital in a month; nothing where no patient of it is written.
pub(super) fn draft<'t>(
    hospital: &Hospital<'_>,
    forms: &'t FamilyTemplates,
    stays: &[StayMonth<'_>],
    ledger: &mut Ledger,
) -> Result<Option<Draft<'t>>, SynthError> {
    let mut draft = hospital.file("Hn", forms);
    for stay in stays.iter().filter(|stay| stay.receipt.person.is_multiple_of(PATIENTS_PER_FILE)) {
        let Some(patient) = hospital.patient(stay) else { continue };
        let when = u64::from(hospital.month.index().unsigned_abs());
        let mut dice = Dice::new(hospital.books.seed, Stream::Forms, (1 << 60) | patient.index as u64, when);
        for bit in bits(stay.receipt.days).take(DAYS) {
            for (item, payloads) in ITEMS {
                let mut line = Line::new(forms.record(item)?);
                line.set("facility_code", hospital.code)?
                    .set("ward_code", "W01")?
                    .set("data_id", &patient.data_id(hospital.facility))?
                    .set("discharge_date", &hospital.discharge(stay.stay))?
                    .date("admission_date", stay.stay.admitted, WESTERN)?
                    .date("assessed_date", date_of(hospital.month, bit), WESTERN)?
                    .set("version", "20200401")?
                    .set("seq", "0")?;
                for payload in 1..=payloads {
                    line.set(&format!("payload_{payload}"), &dice.below(2).to_string())?;
                }
                let mut group = Grouper::new(ledger, patient.index, hospital.month);
                group.push(line)?;
                draft.groups.push(group.finish(0));
            }
        }
    }
    Ok((!draft.groups.is_empty()).then_some(draft))
}
