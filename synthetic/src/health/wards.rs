//! Stays in hospital: why, where, how long, and what follows.

use catalog_model::{Date, Month};

use super::Pregnancy;
use super::course::Course;
use crate::dice::{Dice, whole};
use crate::model::Admission;
use crate::people::{Person, Setting, Sex};

/// A stay in hospital.
#[derive(Clone, Debug)]
pub(crate) struct Stay {
    pub(crate) reason: Reason,
    pub(crate) ward: Ward,
    pub(crate) admitted: Date,
    pub(crate) discharged: Date,
    pub(crate) died: bool,
    pub(crate) operated: Option<Date>,
    pub(crate) is_emergency: bool,
    pub(crate) by_ambulance: bool,
}

/// Why somebody is in hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// One of the model's admissions.
    Acute(usize),
    /// Rehabilitation after it.
    Rehabilitation(usize),
    /// A long stay with one of the diseases of such wards.
    LongStay(usize),
}

/// Where somebody is in hospital.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ward {
    /// A hospital of the DPC survey.
    Dpc,
    /// A general ward elsewhere.
    General,
    Rehabilitation,
    LongTerm,
}

impl Stay {
    /// The nights.
    pub(crate) const fn nights(&self) -> i32 {
        self.discharged.days() - self.admitted.days()
    }

    /// The days of the month on which the person is in hospital, as bits 0 to 30.
    pub(crate) fn days_in(&self, month: Month) -> u32 {
        let first = month.first_day();
        (0..month.days())
            .filter(|day| {
                let date = first.plus_days(i32::try_from(*day).unwrap_or(0));
                self.admitted <= date && date <= self.discharged
            })
            .fold(0, |days, day| days | 1 << day)
    }
}

impl Course<'_> {
    pub(super) fn be_admitted(&mut self, month: Month) {
        for (index, admission) in self.setting.model.admissions.iter().enumerate() {
            if self.health.death.is_some() || !self.is_struck(admission, month) {
                continue;
            }
            let day = self.day_in(month);
            if self.is_free(day) {
                self.admit(index, admission, day);
                return;
            }
        }
    }

    fn is_struck(&mut self, admission: &Admission, month: Month) -> bool {
        if admission.on_delivery || admission.needs.as_ref().is_some_and(|disease| !self.has(disease)) {
            return false;
        }
        let table = if self.sex == Sex::Man { &admission.men } else { &admission.women };
        let yearly = table.at(self.age(month.first_day()));
        let season = month_weight(&admission.season, month);
        let hazard = yearly / 12_000.0 * season * self.risk(&admission.risk);
        self.dice.chance(hazard)
    }

    fn is_free(&self, day: Date) -> bool {
        self.health.stays.iter().all(|stay| day > stay.discharged.plus_days(1))
    }

    /// Dialysis begins in hospital.
    pub(super) fn admit_for_dialysis(&mut self, day: Date) {
        let found =
            self.setting.model.admissions.iter().enumerate().find(|(_, admission)| admission.on_dialysis);
        if let Some((index, admission)) = found
            && self.is_free(day)
        {
            self.admit(index, admission, day);
        }
    }

    fn admit(&mut self, index: usize, admission: &Admission, day: Date) {
        let years = self.years(day);
        let mut stay = new_stay(admission, index, (day, years), &mut self.dice);
        let dies = match years {
            ..65 => admission.dies[0],
            65..75 => admission.dies[1],
            75..85 => admission.dies[2],
            _ => admission.dies[3],
        };
        if self.dice.percent(dies) {
            stay.died = true;
            self.health.death = Some(stay.discharged);
        }
        let (discharged, died) = (stay.discharged, stay.died);
        self.health.stays.push(stay);
        for (disease, percent) in &admission.leads_to {
            if self.dice.percent(*percent) {
                self.begin_code(disease, day);
            }
        }
        if !died {
            self.recover(index, admission, discharged);
        }
    }

    fn recover(&mut self, index: usize, admission: &Admission, discharged: Date) {
        let mut home = discharged;
        if self.dice.percent(admission.rehabilitation_percent) {
            let (shortest, longest) = admission.rehabilitation_days;
            home = discharged.plus_days(self.dice.between(shortest, longest));
            self.health.stays.push(Stay {
                reason: Reason::Rehabilitation(index),
                ward: Ward::Rehabilitation,
                admitted: discharged,
                discharged: home,
                died: false,
                operated: None,
                is_emergency: false,
                by_ambulance: false,
            });
        }
        if admission.ends_disease {
            let ended = |code: &crate::model::DiseaseCode| *code == admission.disease;
            for condition in &mut self.health.conditions {
                if self.setting.model.treatments.get(condition.treatment).is_some_and(|t| ended(&t.code)) {
                    condition.end = condition.end.or(Some(discharged.plus_days(20)));
                }
            }
        }
        if self.years(home) >= 65 && self.dice.percent(admission.care_percent) {
            let applied = home.plus_days(self.dice.between(-12, 30));
            self.enter_care(applied, &admission.care_levels);
        }
    }
}

fn new_stay(admission: &Admission, index: usize, (day, years): (Date, i32), dice: &mut Dice) -> Stay {
    let is_emergency = dice.percent(admission.emergency_percent);
    let nights = nights(admission, years, dice);
    let operated =
        admission.operation.as_ref().filter(|operation| dice.percent(operation.percent)).map(|_| {
            let wait = if is_emergency { dice.between(0, 2) } else { dice.between(0, 1) };
            day.plus_days(wait.min(nights))
        });
    Stay {
        reason: Reason::Acute(index),
        ward: if dice.percent(admission.dpc_percent) { Ward::Dpc } else { Ward::General },
        admitted: day,
        discharged: day.plus_days(nights),
        died: false,
        operated,
        is_emergency,
        by_ambulance: is_emergency && dice.percent(admission.ambulance_percent),
    }
}

// Skewed to the short side, with few stays that are twice as long.
fn nights(admission: &Admission, years: i32, dice: &mut Dice) -> i32 {
    let (shortest, longest) = admission.stay;
    let drawn = dice.unit() * (0.5 + 0.5 * dice.unit());
    let usual = f64::from(shortest) + f64::from(longest - shortest) * drawn;
    let by_age = 1.0 + f64::from(years - 60) * 0.005;
    let tail = if dice.percent(5.0) { 2.0 } else { 1.0 };
    i32::try_from(whole((usual * by_age * tail).max(1.0))).unwrap_or(1)
}

/// The weight of a month among the year's, with a mean of one; one where there is no season.
pub(super) fn month_weight(season: &[f64], month: Month) -> f64 {
    let total: f64 = season.iter().sum();
    let weight = usize::try_from(month.month() - 1).ok().and_then(|at| season.get(at));
    weight.map_or(1.0, |weight| weight * 12.0 / total)
}

/// Ends a pregnancy: an insured delivery is a stay, unless the mother is in hospital already.
pub(crate) fn deliver(setting: Setting<'_>, mother: &mut Person, pregnancy: Pregnancy, dice: &mut Dice) {
    mother.health.pregnancies.push(pregnancy);
    let found = setting.model.admissions.iter().enumerate().find(|(_, admission)| admission.on_delivery);
    let Some((index, admission)) = found.filter(|_| pregnancy.is_insured) else { return };
    let years = mother.age_on(pregnancy.due);
    let stay = new_stay(admission, index, (pregnancy.due, years), dice);
    let overlaps = mother.health.stays.iter().any(|other| {
        other.admitted <= stay.discharged.plus_days(1) && stay.admitted <= other.discharged.plus_days(1)
    });
    let survives = mother.health.death.is_none_or(|death| death > stay.discharged);
    if !overlaps && survives {
        mother.health.stays.push(stay);
        mother.health.stays.sort_by_key(|stay| stay.admitted);
    }
}
