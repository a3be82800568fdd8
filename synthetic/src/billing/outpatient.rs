//! Outpatients: who goes where in a month, and what the doctor bills.

use std::collections::BTreeMap;

use catalog_model::{Date, Month};

use super::receipt::{Diagnosis, Receipt, Run};
use super::{Books, bits, date_of, free_days};
use crate::dice::{Dice, Stream};
use crate::health::Condition;
use crate::model::{Disease, Drug, Episode, ModelError, Place, Route, Treatment};
use crate::people::{Person, Sex};

// Percent of patients who do not come when they should.
/// Of so many persons one is followed to the pharmacy, so that pharmacies' files are there and few.
const FOLLOWED_TO_PHARMACY: usize = 8;
const STAYS_AWAY: f64 = 6.0;
// Percent of receipts with a disease that was only suspected (modifier 8002).
const SUSPECTED: f64 = 5.0;
// Days of medicine for each month until the next visit.
const DAYS_A_MONTH: u32 = 28;

/// The receipts of a person's visits in a month.
pub(crate) fn outpatient_receipts<'m>(
    books: Books<'m>,
    index: usize,
    month: Month,
) -> Result<Vec<Receipt<'m>>, ModelError> {
    let Some(person) = books.population.persons.get(index).filter(|person| person.lives_in(month)) else {
        return Ok(Vec::new());
    };
    let free = free_days(person, month);
    if free.count_ones() < 8 {
        return Ok(Vec::new());
    }
    let dice = Dice::new(books.seed, Stream::Visits, index as u64, month.index().unsigned_abs().into());
    let mut desk = Desk { books, person, index, month, free, dice, receipts: BTreeMap::new() };
    for place in [Place::Clinic, Place::Specialist, Place::Hospital] {
        desk.regular_visit(place)?;
    }
    desk.episodes()?;
    desk.dialysis()?;
    desk.pregnancy()?;
    let mut receipts: Vec<Receipt<'m>> = desk.receipts.into_values().collect();
    receipts.iter_mut().for_each(Receipt::sort);
    Ok(receipts)
}

struct Desk<'m> {
    books: Books<'m>,
    person: &'m Person,
    index: usize,
    month: Month,
    free: u32,
    dice: Dice,
    // By facility: one receipt a month, whatever people come for.
    receipts: BTreeMap<usize, Receipt<'m>>,
}

impl<'m> Desk<'m> {
    fn facility(&self, place: Place) -> usize {
        let doctors = self.person.doctors.at(self.month);
        match place {
            Place::Clinic => doctors.clinic,
            Place::Specialist => doctors.specialist,
            Place::Hospital => doctors.hospital,
        }
    }

    fn dispenses(&self, facility: usize) -> bool {
        self.books.world.facilities.get(facility).is_some_and(|facility| facility.style.dispenses)
    }

    /// A day on which the person can come.
    fn day(&mut self) -> u32 {
        let count = self.free.count_ones();
        let chosen = self.dice.below(count) as usize;
        bits(self.free).nth(chosen).map_or(0, |bit| 1 << bit)
    }

    fn receipt(&mut self, facility: usize) -> &mut Receipt<'m> {
        let (person, month) = (self.index, self.month);
        self.receipts.entry(facility).or_insert_with(|| Receipt::new(person, facility, month))
    }

    fn regular_visit(&mut self, place: Place) -> Result<(), ModelError> {
        let model = self.books.model;
        let person = self.person;
        let month = self.month;
        let treated: Vec<(&Condition, &Treatment)> = person
            .health
            .conditions
            .iter()
            .filter(|condition| condition.is_active(month))
            .filter_map(|condition| condition.treatment(model).map(|treatment| (condition, treatment)))
            .filter(|(_, treatment)| treatment.place == place)
            .collect();
        let every = treated.iter().map(|(condition, _)| condition.every).min().unwrap_or(1);
        let is_new = treated.iter().any(|(condition, _)| condition.onset.month() == month);
        let phase = i32::try_from(self.index % 6).unwrap_or(0);
        let is_due = is_new || (month.index() + phase).rem_euclid(every) == 0;
        if treated.is_empty() || !is_due || self.dice.percent(STAYS_AWAY) {
            return Ok(());
        }
        let day = self.day();
        let facility = self.facility(place);
        self.diagnose(facility, &treated)?;
        self.consult(facility, place, day, &treated)?;
        self.prescribe(facility, day, every, &treated)?;
        self.test(facility, day, &treated)
    }

    fn diagnose(
        &mut self,
        facility: usize,
        treated: &[(&'m Condition, &'m Treatment)],
    ) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let is_dead = self.person.health.death.is_some_and(|death| death.month() == self.month);
        for (condition, treatment) in treated {
            let disease = codes.disease(&treatment.code)?;
            let outcome = match condition.end {
                Some(end) if end.month() == self.month => "2",
                _ if is_dead => "3",
                _ => "1",
            };
            let start = condition.onset;
            self.receipt(facility).diagnoses.push(diagnosis(disease, start, outcome));
            if let (Some((law, _)), true) = (&treatment.public, condition.in_programme) {
                self.receipt(facility).public_law = Some(law);
            }
        }
        if self.dice.percent(SUSPECTED) {
            self.suspect(facility)?;
        }
        Ok(())
    }

    // Something is looked for and not found: a researcher who ignores the modifier counts it as a case.
    fn suspect(&mut self, facility: usize) -> Result<(), ModelError> {
        let model = self.books.model;
        let Some(code) = self.dice.pick(&model.suspected) else { return Ok(()) };
        let disease = model.codes.disease(code)?;
        let start = self.month.first_day().plus_days(self.dice.between(0, 20)).max(self.person.birth);
        let receipt = self.receipt(facility);
        if receipt.diagnoses.iter().all(|known| known.disease.code != disease.code) {
            receipt.diagnoses.push(Diagnosis { is_suspected: true, ..diagnosis(disease, start, "4") });
        }
        Ok(())
    }

    fn consult(
        &mut self,
        facility: usize,
        place: Place,
        day: u32,
        treated: &[(&Condition, &Treatment)],
    ) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let is_first = treated.iter().all(|(condition, _)| condition.onset.month() == self.month);
        let is_managed = place == Place::Clinic && treated.iter().any(|(_, treatment)| treatment.management);
        let at_home = place == Place::Clinic && self.is_visited_at_home();
        let used = &codes.used;
        if at_home {
            let run = Run::procedure(codes.procedure(&used.home_visit)?, day, 1);
            self.visit(facility, day, run);
        } else if is_first {
            let run = Run::procedure(codes.procedure(&used.first_visit)?, day, 1);
            self.visit(facility, day, run);
        } else {
            let run = self.revisit(day, place != Place::Hospital)?;
            self.visit(facility, day, run);
        }
        if is_managed && !is_first {
            let run = Run::procedure(codes.procedure(&used.chronic_management)?, day, 1);
            self.receipt(facility).runs.push(run);
        }
        Ok(())
    }

    /// 再診料 and 外来管理加算 are one run: the points of both stand on the second line.
    fn revisit(&mut self, day: u32, with_addition: bool) -> Result<Run<'m>, ModelError> {
        let codes = &self.books.model.codes;
        let mut run = Run::procedure(codes.procedure(&codes.used.revisit)?, day, 1);
        if with_addition {
            let addition = codes.procedure(&codes.used.management_addition)?;
            run.points += addition.points;
            run.items.push(super::Item::Procedure(addition));
        }
        Ok(run)
    }

    fn visit(&mut self, facility: usize, day: u32, run: Run<'m>) {
        let receipt = self.receipt(facility);
        receipt.days |= day;
        receipt.runs.push(run);
    }

    fn is_visited_at_home(&self) -> bool {
        let certification = self.person.health.certification_on(self.month.last_day());
        certification.is_some_and(|certification| certification.level >= 5) && !self.index.is_multiple_of(3)
    }

    fn prescribe(
        &mut self,
        facility: usize,
        day: u32,
        every: i32,
        treated: &[(&'m Condition, &'m Treatment)],
    ) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let mut drugs: Vec<&'m Drug> = Vec::new();
        for (condition, treatment) in treated {
            for (bit, (code, _)) in treatment.drugs.iter().enumerate() {
                let drug = codes.drug(code)?;
                if condition.drugs & 1 << bit != 0 && drugs.iter().all(|known| known.code != drug.code) {
                    drugs.push(drug);
                }
            }
        }
        let days = u32::try_from(every).unwrap_or(1) * DAYS_A_MONTH;
        self.hand_out(facility, day, days, &drugs)
    }

    fn hand_out(
        &mut self,
        facility: usize,
        day: u32,
        days: u32,
        drugs: &[&'m Drug],
    ) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        if drugs.is_empty() {
            return Ok(());
        }
        let by = |route| drugs.iter().copied().filter(move |drug| drug.route == route).collect::<Vec<_>>();
        let (oral, external, injected) = (by(Route::Oral), by(Route::External), by(Route::Injection));
        if !self.dispenses(facility) {
            let run = Run::procedure(codes.procedure(&codes.used.prescription)?, day, 1);
            let is_followed = self.index.is_multiple_of(FOLLOWED_TO_PHARMACY);
            let receipt = self.receipt(facility);
            receipt.runs.push(run);
            if is_followed && !oral.is_empty() {
                receipt.prescribed.push(Run::oral(&oral, day, days));
            }
            return Ok(());
        }
        let receipt = self.receipt(facility);
        if !oral.is_empty() {
            receipt.runs.push(Run::oral(&oral, day, days));
        }
        for drug in external {
            receipt.runs.push(Run::drugs(23, &[drug], (day, 1), f64::from(days)));
        }
        for drug in injected {
            receipt.runs.push(Run::drugs(31, &[drug], (day, 1), 1.0));
        }
        Ok(())
    }

    fn test(
        &mut self,
        facility: usize,
        day: u32,
        treated: &[(&Condition, &Treatment)],
    ) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let phase = i32::try_from(self.index % 12).unwrap_or(0);
        for (_, treatment) in treated {
            for (code, every) in &treatment.tests {
                let procedure = codes.procedure(code)?;
                let months = self.month.index() + phase;
                let is_due =
                    *every <= 1 || months.rem_euclid(*every) < treated.first().map_or(1, |(c, _)| c.every);
                let runs = &mut self.receipt(facility).runs;
                let is_done = runs.iter().any(|run| is_for(run, &procedure.code));
                if is_due && !is_done {
                    runs.push(Run::procedure(procedure, day, 1));
                }
            }
        }
        Ok(())
    }

    fn episodes(&mut self) -> Result<(), ModelError> {
        let model = self.books.model;
        let age = f64::from(self.month.first_day().days() - self.person.birth.days()).max(0.0) / 365.25;
        for episode in &model.episodes {
            let table = if self.person.sex == Sex::Man { &episode.men } else { &episode.women };
            let season = episode.season.get(self.month.month() as usize - 1).copied().unwrap_or(0.0);
            let total: f64 = episode.season.iter().sum();
            if self.dice.chance(table.at(age) / 1000.0 * season / total) {
                self.episode(episode)?;
            }
        }
        Ok(())
    }

    fn episode(&mut self, episode: &'m Episode) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let facility = self.facility(episode.place);
        let first = self.day();
        let disease = codes.disease(&episode.code)?;
        let known = self.receipt(facility).diagnoses.iter().any(|known| known.disease.code == disease.code);
        if known {
            return Ok(());
        }
        let is_patient = self.receipt(facility).days != 0;
        let run = if is_patient {
            self.revisit(first, episode.place != Place::Hospital)?
        } else {
            Run::procedure(codes.procedure(&codes.used.first_visit)?, first, 1)
        };
        self.visit(facility, first, run);
        let again = self.day();
        if episode.visits > 1 && again > first && self.dice.percent(45.0) {
            let run = self.revisit(again, episode.place != Place::Hospital)?;
            self.visit(facility, again, run);
        }
        let start = date_of(self.month, first.trailing_zeros());
        let outcome = if self.dice.percent(62.0) { "2" } else { "1" };
        let text = episode.text.as_deref();
        self.receipt(facility).diagnoses.push(Diagnosis { text, ..diagnosis(disease, start, outcome) });
        let mut drugs = Vec::new();
        for (code, percent) in &episode.drugs {
            if self.dice.percent(*percent) {
                drugs.push(codes.drug(code)?);
            }
        }
        self.hand_out(facility, first, episode.days, &drugs)?;
        for (code, percent) in &episode.tests {
            if self.dice.percent(*percent) {
                let run = Run::procedure(codes.procedure(code)?, first, 1);
                self.receipt(facility).runs.push(run);
            }
        }
        Ok(())
    }

    /// Dialysis three times a week, in the outpatient department.
    fn dialysis(&mut self) -> Result<(), ModelError> {
        let model = self.books.model;
        let Some(from) = self.person.health.dialysis_from(model) else { return Ok(()) };
        let first = from.max(self.month.first_day());
        let days = bits(self.free)
            .filter(|bit| date_of(self.month, *bit) >= first && bit % 7 % 2 == 0)
            .take(model.care.dialysis.sessions as usize)
            .fold(0_u32, |days, bit| days | 1 << bit);
        if days == 0 {
            return Ok(());
        }
        let facility = self.facility(Place::Hospital);
        let codes = &model.codes;
        let session = codes.procedure(&codes.used.dialysis)?;
        self.visit(facility, days, Run::procedure(session, days, 1));
        // The addition holds in the first month.
        if self.month.index() - from.month().index() < 1 {
            let addition = codes.procedure(&codes.used.dialysis_induction)?;
            self.receipt(facility).runs.push(Run::procedure(addition, days, 1));
        }
        let disease = codes.disease(&model.care.dialysis.disease)?;
        let receipt = self.receipt(facility);
        if receipt.diagnoses.iter().all(|known| known.disease.code != disease.code) {
            receipt.diagnoses.insert(0, diagnosis(disease, from, "1"));
        }
        receipt.public_law = Some(&model.care.dialysis.public_law);
        Ok(())
    }

    fn pregnancy(&mut self) -> Result<(), ModelError> {
        let model = self.books.model;
        let codes = &model.codes;
        let person = self.person;
        let ahead = |due: Date| due.month().index() - self.month.index();
        let current = person
            .health
            .pregnancies
            .iter()
            .find(|pregnancy| pregnancy.is_complicated && (0..6).contains(&ahead(pregnancy.due)));
        let Some(pregnancy) = current else { return Ok(()) };
        let day = self.day();
        let facility = self.facility(Place::Hospital);
        let disease = codes.disease(&model.care.pregnancy.disease)?;
        let start = pregnancy.due.plus_days(-220).max(person.birth);
        let run = self.revisit(day, false)?;
        self.visit(facility, day, run);
        let blood = Run::procedure(codes.procedure(&codes.used.blood_count)?, day, 1);
        let receipt = self.receipt(facility);
        receipt.diagnoses.push(diagnosis(disease, start, "1"));
        receipt.runs.push(blood);
        Ok(())
    }
}

fn is_for(run: &Run<'_>, code: &str) -> bool {
    matches!(run.items.first(), Some(super::Item::Procedure(procedure)) if procedure.code == code)
}

fn diagnosis<'m>(disease: &'m Disease, start: Date, outcome: &'static str) -> Diagnosis<'m> {
    Diagnosis { disease, text: None, start, outcome, is_suspected: false }
}
