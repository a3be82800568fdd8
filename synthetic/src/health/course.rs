//! One person's health, month by month.

use catalog_model::{Date, Month};

use super::{Condition, Health};
use crate::dice::{Dice, Stream};
use crate::model::{DiseaseCode, Onset};
use crate::people::{Setting, Sex};

// Deaths that follow from no disease of the model: the rest of the life table.
const OTHER_DEATHS: f64 = 0.42;
// How strongly somebody is inclined to the metabolic diseases, which go together: (percent of people, factor).
const METABOLIC: [(f64, f64); 3] = [(55.0, 0.55), (30.0, 1.2), (15.0, 2.0)];
// Percent of patients who come every month, every second, every third.
const VISIT_EVERY: [f64; 3] = [30.0, 40.0, 30.0];

/// A person's health in the making.
#[derive(Debug)]
pub(super) struct Course<'a> {
    pub(super) setting: Setting<'a>,
    pub(super) sex: Sex,
    pub(super) birth: Date,
    pub(super) dice: Dice,
    pub(super) health: Health,
    // One number for each treatment: the disease comes when its share at the person's age passes it.
    thresholds: Vec<f64>,
    metabolic: f64,
}

impl<'a> Course<'a> {
    /// A person without a past.
    pub(super) fn new(setting: Setting<'a>, index: usize, sex: Sex, birth: Date) -> Self {
        let mut dice = Dice::new(setting.seed, Stream::Health, index as u64, 0);
        let thresholds = setting.model.treatments.iter().map(|_| dice.unit()).collect();
        let class = dice.weighted(METABOLIC.iter().map(|(percent, _)| *percent));
        let metabolic = METABOLIC.get(class).map_or(1.0, |(_, factor)| *factor);
        Self { setting, sex, birth, dice, health: Health::default(), thresholds, metabolic }
    }

    /// Lives through the period and gives back what came of it.
    pub(super) fn run(mut self) -> Health {
        for month in self.setting.period.months() {
            if self.birth > month.last_day() {
                continue;
            }
            self.fall_ill(month);
            self.worsen(month);
            self.be_admitted(month);
            self.need_care(month);
            self.die(month);
            if self.health.death.is_some() {
                break;
            }
        }
        self.finish()
    }

    /// Age in years and parts of a year.
    pub(super) fn age(&self, on: Date) -> f64 {
        f64::from(on.days() - self.birth.days()).max(0.0) / 365.25
    }

    /// Completed years.
    pub(super) fn years(&self, on: Date) -> i32 {
        self.birth.years_until(on).max(0)
    }

    pub(super) fn has(&self, disease: &DiseaseCode) -> bool {
        let treatments = &self.setting.model.treatments;
        self.health.conditions.iter().any(|condition| {
            condition.end.is_none() && treatments.get(condition.treatment).is_some_and(|t| t.code == *disease)
        })
    }

    /// The product of the factors of the diseases that the person has.
    pub(super) fn risk<'b>(&self, factors: impl IntoIterator<Item = (&'b DiseaseCode, &'b f64)>) -> f64 {
        factors.into_iter().filter(|(disease, _)| self.has(disease)).map(|(_, factor)| factor).product()
    }

    /// Says whether the person's number is passed at an age.
    pub(super) fn is_due(&self, treatment: usize, age: f64) -> bool {
        let Some(model) = self.setting.model.treatments.get(treatment) else { return false };
        let Onset::ByAge { men, women, metabolic } = &model.onset else { return false };
        let table = if self.sex == Sex::Man { men } else { women };
        let factor = if *metabolic { self.metabolic } else { 1.0 };
        self.thresholds.get(treatment).is_some_and(|own| *own * 100.0 < table.at(age) * factor)
    }

    /// Begins a disease, unless the person has it already.
    pub(super) fn begin_disease(&mut self, treatment: usize, onset: Date) -> bool {
        let Some(model) = self.setting.model.treatments.get(treatment) else { return false };
        if self.has(&model.code) {
            return false;
        }
        let mut drugs = 0_u32;
        for (bit, (_, percent)) in model.drugs.iter().enumerate() {
            if self.dice.percent(*percent) {
                drugs |= 1 << bit;
            }
        }
        let every = 1 + i32::try_from(self.dice.weighted(VISIT_EVERY.into_iter())).unwrap_or(0);
        let in_programme = model.public.as_ref().is_some_and(|(_, percent)| self.dice.percent(*percent));
        self.health.conditions.push(Condition { treatment, onset, end: None, drugs, every, in_programme });
        true
    }

    /// Begins a disease by its code.
    pub(super) fn begin_code(&mut self, disease: &DiseaseCode, onset: Date) -> bool {
        let treatments = &self.setting.model.treatments;
        let found = treatments.iter().position(|treatment| treatment.code == *disease);
        found.is_some_and(|treatment| self.begin_disease(treatment, onset))
    }

    /// A day of the month on which the person is alive.
    pub(super) fn day_in(&mut self, month: Month) -> Date {
        let first = month.first_day().max(self.birth);
        first.plus_days(self.dice.between(0, month.last_day().days() - first.days()))
    }

    fn fall_ill(&mut self, month: Month) {
        let age = self.age(month.last_day());
        for treatment in 0..self.setting.model.treatments.len() {
            if !self.is_due(treatment, age) {
                continue;
            }
            let Some(model) = self.setting.model.treatments.get(treatment) else { continue };
            if self.has(&model.code) || self.was_ended(treatment) {
                continue;
            }
            let onset = self.day_in(month);
            if self.begin_disease(treatment, onset) && age >= 65.0 && self.dice.percent(model.care_percent) {
                let applied = onset.plus_days(self.dice.between(20, 330));
                self.enter_care(applied, &self.setting.model.care.entering.levels);
            }
        }
    }

    // An operated cataract does not come back because the share of patients rises.
    fn was_ended(&self, treatment: usize) -> bool {
        self.health.conditions.iter().any(|condition| condition.treatment == treatment)
    }

    fn worsen(&mut self, month: Month) {
        for treatment in 0..self.setting.model.treatments.len() {
            let Some(model) = self.setting.model.treatments.get(treatment) else { continue };
            let Onset::From { disease, yearly, .. } = &model.onset else { continue };
            if !self.has(disease) || !self.dice.chance(yearly / 1200.0) {
                continue;
            }
            let onset = self.day_in(month);
            if self.begin_disease(treatment, onset) && model.dialysis {
                self.admit_for_dialysis(onset);
            }
        }
    }

    fn die(&mut self, month: Month) {
        let population = &self.setting.model.population.mortality;
        let table = if self.sex == Sex::Man { &population.men } else { &population.women };
        let band = usize::try_from(self.years(month.first_day()) / 5).unwrap_or(0).min(19);
        let base = table.get(band).copied().unwrap_or(0.0);
        let treatments = &self.setting.model.treatments;
        let diseases: f64 = self
            .health
            .conditions
            .iter()
            .filter(|condition| condition.end.is_none())
            .filter_map(|condition| treatments.get(condition.treatment))
            .map(|treatment| treatment.mortality)
            .product();
        let care = self.health.certification_on(month.first_day()).map_or(1.0, |certification| {
            self.setting.model.care.mortality.by_level.get(certification.level).copied().unwrap_or(1.0)
        });
        let hazard = (base / 12_000.0 * OTHER_DEATHS * diseases * care).min(0.4);
        if self.health.death.is_none() && self.dice.chance(hazard + self.long_stay_hazard(month)) {
            self.health.death = Some(self.day_in(month));
        }
    }

    /// Cuts off what would have come after death, and puts things in order.
    fn finish(mut self) -> Health {
        let health = &mut self.health;
        if let Some(death) = health.death {
            health.conditions.retain(|condition| condition.onset <= death);
            health.certifications.retain(|certification| certification.applied <= death);
            health.stays.retain(|stay| stay.admitted <= death);
            for stay in &mut health.stays {
                if stay.discharged >= death {
                    stay.discharged = death;
                    stay.died = true;
                    stay.operated = stay.operated.filter(|day| *day <= death);
                }
            }
        }
        health.stays.sort_by_key(|stay| stay.admitted);
        health.certifications.sort_by_key(|certification| certification.from);
        self.health
    }
}
