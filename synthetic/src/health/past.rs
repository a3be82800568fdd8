//! What a founder brings along: diseases, certifications and long stays from before the period.

use super::course::Course;
use super::wards::{Reason, Stay, Ward};
use crate::model::Onset;

// The longest that a disease is remembered, in days.
const YEARS_BACK: i32 = 12 * 365;

impl Course<'_> {
    /// Fills in the time before the period.
    pub(super) fn recall(&mut self) {
        let today = self.setting.period.from.first_day();
        let age = self.age(today);
        let lived = (today.days() - self.birth.days()).max(1);
        for treatment in 0..self.setting.model.treatments.len() {
            let Some(model) = self.setting.model.treatments.get(treatment) else { continue };
            let has = match &model.onset {
                Onset::ByAge { .. } => self.is_due(treatment, age),
                Onset::From { disease, at_start, .. } => self.has(disease) && self.dice.percent(*at_start),
            };
            if has {
                let days = self.dice.between(1, YEARS_BACK.min(lived));
                self.begin_disease(treatment, today.plus_days(-days));
            }
        }
        self.recall_care(today);
        self.recall_long_stay(age);
    }

    fn recall_long_stay(&mut self, age: f64) {
        let today = self.setting.period.from.first_day();
        let model = &self.setting.model.care.long_stay;
        if !self.dice.percent(model.percent.at(age)) {
            return;
        }
        let disease = self.dice.below(u32::try_from(model.diseases.len()).unwrap_or(0)) as usize;
        if let Some(code) = model.diseases.get(disease) {
            let onset = today.plus_days(-self.dice.between(700, 2000));
            self.begin_code(code, onset.max(self.birth));
        }
        self.health.stays.push(Stay {
            reason: Reason::LongStay(disease),
            ward: Ward::LongTerm,
            admitted: today.plus_days(-self.dice.between(30, 600)).max(self.birth),
            discharged: self.setting.period.to.plus(6).last_day(),
            died: false,
            operated: None,
            is_emergency: false,
            by_ambulance: false,
        });
    }

    /// The yearly share of those in wards for long stays who die there, as a month's hazard.
    pub(super) fn long_stay_hazard(&self, month: catalog_model::Month) -> f64 {
        let stays = self.health.stay_on(month.first_day()).is_some_and(|stay| stay.ward == Ward::LongTerm);
        if stays { self.setting.model.care.long_stay.dies_yearly_percent / 1200.0 } else { 0.0 }
    }
}
