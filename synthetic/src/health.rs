//! The health of a person over the period: what they live with, when they are in hospital, what care they need, when
//! they die.
//!
//! Diseases that come with age come when the percentage for the person's age and sex passes a number that the person
//! was born with; so the share of patients at each age is that of the tables, whatever the period. Acute events are
//! drawn month by month.

mod care_need;
mod course;
mod past;
mod wards;

use catalog_model::{Date, Month};

pub(crate) use care_need::{Application, Certification, LEVELS};
pub(crate) use wards::{Reason, Stay, Ward, deliver};

use crate::dice::Dice;
use crate::model::{Model, PregnancyModel, Treatment};
use crate::people::{Person, Setting, Sex};
use course::Course;

/// What there is to know about a person's health.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    pub(crate) conditions: Vec<Condition>,
    pub(crate) stays: Vec<Stay>,
    pub(crate) certifications: Vec<Certification>,
    pub(crate) pregnancies: Vec<Pregnancy>,
    pub(crate) death: Option<Date>,
}

/// A disease that somebody lives with.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    /// Its place among the model's treatments.
    pub(crate) treatment: usize,
    pub(crate) onset: Date,
    pub(crate) end: Option<Date>,
    /// Which of the treatment's drugs the person takes, by bit.
    pub(crate) drugs: u32,
    /// The months between visits.
    pub(crate) every: i32,
    /// Whether a public programme pays a part.
    pub(crate) in_programme: bool,
}

impl Condition {
    /// The model's treatment.
    pub(crate) fn treatment<'m>(&self, model: &'m Model) -> Option<&'m Treatment> {
        model.treatments.get(self.treatment)
    }

    /// Says whether the person has it on some day of the month.
    pub(crate) fn is_active(&self, month: Month) -> bool {
        self.onset <= month.last_day() && self.end.is_none_or(|end| end >= month.first_day())
    }
}

/// A pregnancy that ends in the period.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pregnancy {
    pub(crate) due: Date,
    /// Whether doctors are seen for complications.
    pub(crate) is_complicated: bool,
    /// Whether the delivery is one that the insurance pays.
    pub(crate) is_insured: bool,
}

impl Pregnancy {
    /// A pregnancy with or without complications.
    pub(crate) fn draw(model: &PregnancyModel, due: Date, dice: &mut Dice) -> Self {
        Self {
            due,
            is_complicated: dice.percent(model.complication_percent),
            is_insured: dice.percent(model.delivery_percent),
        }
    }
}

impl Health {
    /// The stay that a day lies in, if any.
    pub(crate) fn stay_on(&self, day: Date) -> Option<&Stay> {
        self.stays.iter().find(|stay| stay.admitted <= day && day <= stay.discharged)
    }

    /// The day from which the person is on dialysis.
    pub(crate) fn dialysis_from(&self, model: &Model) -> Option<Date> {
        let dialysed = |condition: &&Condition| condition.treatment(model).is_some_and(|t| t.dialysis);
        self.conditions.iter().filter(dialysed).map(|condition| condition.onset).min()
    }

    /// The certification that holds on a day.
    pub(crate) fn certification_on(&self, day: Date) -> Option<&Certification> {
        self.certifications.iter().rev().find(|certification| certification.from <= day)
    }
}

/// Gives the founders their health: a past and the months of the period. Two threads share the work.
pub(crate) fn begin(setting: Setting<'_>, persons: &mut [Person]) {
    let half = persons.len().div_ceil(2).max(1);
    std::thread::scope(|scope| {
        for (part, chunk) in persons.chunks_mut(half).enumerate() {
            scope.spawn(move || {
                for (offset, person) in chunk.iter_mut().enumerate() {
                    let index = part * half + offset;
                    let mut course = Course::new(setting, index, person.sex, person.birth);
                    course.recall();
                    person.health = course.run();
                }
            });
        }
    });
}

/// The health of a child born in the period.
pub(crate) fn of_newborn(setting: Setting<'_>, index: usize, sex: Sex, birth: Date) -> Health {
    Course::new(setting, index, sex, birth).run()
}
