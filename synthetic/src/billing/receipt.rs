//! A receipt before it is written: diagnoses, runs of lines with their points, days.

use catalog_model::{Date, Month};

use crate::dice::whole;
use crate::model::{Disease, Drug, MaterialUse, Procedure};

/// One receipt: one person, facility and month.
#[derive(Clone, Debug)]
pub(crate) struct Receipt<'m> {
    pub(crate) person: usize,
    pub(crate) facility: usize,
    pub(crate) month: Month,
    /// The day of admission, where it is one of an inpatient.
    pub(crate) admitted: Option<Date>,
    pub(crate) is_long_term: bool,
    pub(crate) diagnoses: Vec<Diagnosis<'m>>,
    pub(crate) runs: Vec<Run<'m>>,
    /// Days of visits, or in bed.
    pub(crate) days: u32,
    pub(crate) meals: u32,
    /// A public programme by its law number.
    pub(crate) public_law: Option<&'m str>,
    /// Medicine that a pharmacy gives out, and bills.
    pub(crate) prescribed: Vec<Run<'m>>,
}

/// A diagnosis on a receipt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Diagnosis<'m> {
    pub(crate) disease: &'m Disease,
    /// The words, where the disease has no code.
    pub(crate) text: Option<&'m str>,
    pub(crate) start: Date,
    /// 転帰区分.
    pub(crate) outcome: &'static str,
    pub(crate) is_suspected: bool,
}

/// A run of lines that share times and points (点数・回数算定単位); the points stand on its last line.
#[derive(Clone, Debug)]
pub(crate) struct Run<'m> {
    /// 診療識別.
    pub(crate) class: u8,
    pub(crate) items: Vec<Item<'m>>,
    /// Points of one time; yen for meals.
    pub(crate) points: u32,
    /// The days on which it was done.
    pub(crate) days: u32,
    /// How often on each of them; for medicine, the days that it is for.
    pub(crate) each: u32,
}

/// One line of a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Item<'m> {
    Procedure(&'m Procedure),
    /// A drug with its units a time.
    Drug(&'m Drug, f64),
    Material(&'m MaterialUse),
}

impl<'m> Item<'m> {
    /// Its receipt code.
    pub(crate) fn code(&self) -> &'m str {
        match self {
            Self::Procedure(procedure) => &procedure.code,
            Self::Drug(drug, _) => &drug.code,
            Self::Material(material) => &material.code,
        }
    }

    /// Its name.
    pub(crate) fn name(&self) -> &'m str {
        match self {
            Self::Procedure(procedure) => &procedure.name,
            Self::Drug(drug, _) => &drug.name,
            Self::Material(material) => &material.name,
        }
    }
}

/// The class of service whose points are yen.
const MEALS: u8 = 97;

impl<'m> Run<'m> {
    /// A procedure, so often on each of the days.
    pub(crate) fn procedure(procedure: &'m Procedure, days: u32, each: u32) -> Self {
        Self {
            class: procedure.class,
            items: vec![Item::Procedure(procedure)],
            points: procedure.points,
            days,
            each,
        }
    }

    /// Medicine to be taken in, given out on `day` for `for_days` days.
    pub(crate) fn oral(drugs: &[&'m Drug], day: u32, for_days: u32) -> Self {
        Self::drugs(21, drugs, (day, for_days), 1.0)
    }

    /// Drugs with `scale` days' units a time.
    pub(crate) fn drugs(class: u8, drugs: &[&'m Drug], (days, each): (u32, u32), scale: f64) -> Self {
        let units = |drug: &Drug| drug.units_per_day * scale;
        let yen: f64 = drugs.iter().map(|drug| units(drug) * drug.yen_per_unit).sum();
        let items = drugs.iter().map(|drug| Item::Drug(drug, units(drug))).collect();
        Self { class, items, points: points_of(yen), days, each }
    }

    fn is_same_on_other_days(&self, other: &Self) -> bool {
        let same = |pair: (&Item<'_>, &Item<'_>)| pair.0.code() == pair.1.code();
        self.class == other.class
            && (self.points, self.each) == (other.points, other.each)
            && self.days & other.days == 0
            && self.items.len() == other.items.len()
            && self.items.iter().zip(&other.items).all(same)
    }

    /// How often it was done.
    pub(crate) const fn times(&self) -> u32 {
        self.days.count_ones() * self.each
    }

    /// Says whether its points are yen.
    pub(crate) const fn is_in_yen(&self) -> bool {
        self.class == MEALS
    }
}

/// Points of drugs and materials: up to 15 yen one point, else a tenth, rounded down at exactly a half (五捨五超入).
pub(crate) fn points_of(yen: f64) -> u32 {
    if yen <= 15.0 { 1 } else { whole(yen / 10.0 - 0.000_001).max(1) }
}

impl Receipt<'_> {
    /// A receipt with nothing on it.
    pub(crate) const fn new(person: usize, facility: usize, month: Month) -> Self {
        Self {
            person,
            facility,
            month,
            admitted: None,
            is_long_term: false,
            diagnoses: Vec::new(),
            runs: Vec::new(),
            days: 0,
            meals: 0,
            public_law: None,
            prescribed: Vec::new(),
        }
    }

    /// The sum of points.
    pub(crate) fn points(&self) -> u32 {
        self.runs.iter().filter(|run| !run.is_in_yen()).map(|run| run.points * run.times()).sum()
    }

    /// The yen for meals.
    pub(crate) fn meal_yen(&self) -> u32 {
        self.runs.iter().filter(|run| run.is_in_yen()).map(|run| run.points * run.times()).sum()
    }

    /// Puts the runs into the order of their classes of service; what was done on several days becomes one run.
    pub(crate) fn sort(&mut self) {
        self.runs.sort_by_key(|run| run.class);
        let mut joined: Vec<Run<'_>> = Vec::with_capacity(self.runs.len());
        for run in self.runs.drain(..) {
            match joined.iter_mut().find(|known| known.is_same_on_other_days(&run)) {
                Some(known) => known.days |= run.days,
                None => joined.push(run),
            }
        }
        self.runs = joined;
    }
}

#[cfg(test)]
mod tests {
    use super::points_of;

    #[test]
    fn half_a_point_is_dropped_and_more_than_half_counts() {
        let points = [3.0, 15.0, 15.1, 25.0, 25.1, 108.0].map(points_of);
        assert_eq!(points, [1, 1, 2, 2, 3, 11]);
    }
}
