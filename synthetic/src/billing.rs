//! What is billed for a person in a month: receipts of facilities, stays of hospitals, claims of care offices.
//!
//! A month of a person is worked out from what is known of the person and a stream of random numbers of its own, so
//! months can be written in any order. Nothing here knows how a file looks.

mod care;
mod inpatient;
mod outpatient;
mod receipt;

pub(crate) use care::{CareClaim, ServiceLine, claims};
pub(crate) use inpatient::{StayMonth, stay_months};
pub(crate) use outpatient::outpatient_receipts;
pub(crate) use receipt::{Diagnosis, Item, Receipt, Run};

use catalog_model::{Date, Month};

use crate::calendar::is_sunday;
use crate::health::{Stay, Ward};
use crate::model::Model;
use crate::people::{Doctors, Person, Population};
use crate::slips::Errors;
use crate::world::World;

/// What billing is worked out from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Books<'a> {
    pub(crate) model: &'a Model,
    pub(crate) world: &'a World,
    pub(crate) population: &'a Population,
    pub(crate) seed: u64,
    /// What goes wrong when receipts name a person, where anything does.
    pub(crate) errors: Option<&'a Errors<'a>>,
}

/// The facility of a stay.
pub(crate) fn facility_of(person: &Person, stay: &Stay) -> usize {
    let doctors: &Doctors = person.doctors.at(stay.admitted.month());
    match stay.ward {
        Ward::Dpc => doctors.dpc_hospital,
        Ward::General | Ward::Rehabilitation | Ward::LongTerm => doctors.other_hospital,
    }
}

/// The days of a month, as bits 0 to 30, on which a person is alive and not in hospital, Sundays left out.
pub(crate) fn free_days(person: &Person, month: Month) -> u32 {
    let first = month.first_day();
    (0..month.days())
        .filter(|day| {
            let date = first.plus_days(i32::try_from(*day).unwrap_or(0));
            is_alive(person, date) && !is_sunday(date) && person.health.stay_on(date).is_none()
        })
        .fold(0, |days, day| days | 1 << day)
}

fn is_alive(person: &Person, date: Date) -> bool {
    date >= person.birth && person.health.death.is_none_or(|death| date <= death)
}

/// The day of the month that a bit stands for.
pub(crate) fn date_of(month: Month, bit: u32) -> Date {
    month.first_day().plus_days(i32::try_from(bit).unwrap_or(0))
}

/// The set bits, from the lowest.
pub(crate) fn bits(days: u32) -> impl Iterator<Item = u32> + Clone {
    (0..31).filter(move |bit| days & 1 << bit != 0)
}
