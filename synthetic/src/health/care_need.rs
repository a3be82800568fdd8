//! Long-term care: who is certified, at which level, and how it goes on.

use catalog_model::{Date, Month};

use super::course::Course;
use crate::model::by_old_age;

/// 要介護状態区分コード of the levels, from 要支援1 to 要介護5.
pub(crate) const LEVELS: [&str; 7] = ["12", "13", "21", "22", "23", "24", "25"];
const WORST: usize = LEVELS.len() - 1;

/// A certification of care need.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Certification {
    pub(crate) applied: Date,
    pub(crate) from: Date,
    pub(crate) to: Date,
    /// A place in [`LEVELS`].
    pub(crate) level: usize,
    /// The one before.
    pub(crate) previous: Option<Previous>,
    pub(crate) application: Application,
}

/// The certification before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Previous {
    pub(crate) level: usize,
    pub(crate) from: Date,
    pub(crate) to: Date,
}

/// 申請区分（申請時）.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Application {
    New = 1,
    Renewal = 2,
    Change = 3,
}

impl Certification {
    fn new(applied: Date, level: usize) -> Self {
        let to = applied.month().plus(11).last_day();
        Self { applied, from: applied, to, level, previous: None, application: Application::New }
    }

    const fn as_previous(&self) -> Option<Previous> {
        Some(Previous { level: self.level, from: self.from, to: self.to })
    }
}

impl Course<'_> {
    /// Certifications from before the period.
    pub(super) fn recall_care(&mut self, today: Date) {
        let model = &self.setting.model.care.certified;
        if !self.dice.percent(by_old_age(&model.percent, self.years(today))) {
            return;
        }
        let level = self.dice.weighted(model.levels.iter().copied());
        let applied = today.plus_days(-self.dice.between(20, 330));
        self.health.certifications.push(Certification::new(applied, level));
    }

    /// A month of somebody who may come to need care, or need more.
    pub(super) fn need_care(&mut self, month: Month) {
        self.renew(month);
        let model = &self.setting.model.care.entering;
        let yearly = by_old_age(&model.per_thousand, self.years(month.first_day()));
        if yearly <= 0.0 || !self.health.certifications.is_empty() {
            return;
        }
        let hazard = yearly / 12_000.0 * self.risk(&model.risk);
        if self.dice.chance(hazard) {
            let applied = self.day_in(month);
            self.enter_care(applied, &model.levels);
        }
    }

    /// A first certification, or a change of the level where there is one.
    pub(super) fn enter_care(&mut self, applied: Date, levels: &[f64]) {
        let drawn = self.dice.weighted(levels.iter().copied());
        let Some(last) = self.health.certifications.last().copied() else {
            self.health.certifications.push(Certification::new(applied, drawn));
            return;
        };
        let applied = applied.max(last.applied.plus_days(40));
        let level = drawn.max((last.level + 1).min(WORST));
        self.health.certifications.push(Certification {
            previous: last.as_previous(),
            application: Application::Change,
            ..Certification::new(applied, level)
        });
    }

    fn renew(&mut self, month: Month) {
        let Some(last) = self.health.certifications.last().copied() else { return };
        if last.to > month.last_day() {
            return;
        }
        let model = &self.setting.model.care.renewal;
        let level = match self.dice.weighted([model.same, model.worse, model.better].into_iter()) {
            0 => last.level,
            1 => (last.level + 1).min(WORST),
            _ => last.level.saturating_sub(1),
        };
        let from = last.to.plus_days(1);
        self.health.certifications.push(Certification {
            applied: last.to.plus_days(-self.dice.between(25, 55)),
            from,
            to: from.month().plus(23).last_day(),
            level,
            previous: last.as_previous(),
            application: Application::Renewal,
        });
    }
}
