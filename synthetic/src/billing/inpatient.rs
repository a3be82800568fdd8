//! Inpatients: what a stay costs in a month. The receipt and the DPC files are both written from it.

use catalog_model::Month;

use super::receipt::{Diagnosis, Item, Receipt, Run, points_of};
use super::{Books, bits, date_of, facility_of};
use crate::calendar::is_weekday;
use crate::dice::{Dice, Stream};
use crate::health::{Condition, Reason, Stay, Ward};
use crate::model::{Admission, Department, Disease, Drug, ModelError, Procedure, Route};
use crate::people::Person;

/// A stay's part in a month.
#[derive(Clone, Debug)]
pub(crate) struct StayMonth<'m> {
    pub(crate) stay: &'m Stay,
    pub(crate) receipt: Receipt<'m>,
}

/// The stays of a person that lie in a month.
pub(crate) fn stay_months<'m>(
    books: Books<'m>,
    index: usize,
    month: Month,
) -> Result<Vec<StayMonth<'m>>, ModelError> {
    let Some(person) = books.population.persons.get(index) else { return Ok(Vec::new()) };
    let stays = person.health.stays.iter().enumerate();
    stays
        .filter(|(_, stay)| stay.admitted <= month.last_day() && stay.discharged >= month.first_day())
        .map(|(number, stay)| {
            let id = (index * 64 + number) as u64;
            let dice = Dice::new(books.seed, Stream::Wards, id, month.index().unsigned_abs().into());
            let mut receipt = Receipt::new(index, facility_of(person, stay), month);
            receipt.admitted = Some(stay.admitted);
            receipt.is_long_term = stay.ward == Ward::LongTerm;
            receipt.days = stay.days_in(month);
            let mut chart = Chart { books, person, stay, month, dice, receipt };
            chart.fill()?;
            Ok(StayMonth { stay, receipt: chart.receipt })
        })
        .collect()
}

struct Chart<'m> {
    books: Books<'m>,
    person: &'m Person,
    stay: &'m Stay,
    month: Month,
    dice: Dice,
    receipt: Receipt<'m>,
}

impl<'m> Chart<'m> {
    fn fill(&mut self) -> Result<(), ModelError> {
        self.diagnose()?;
        self.lodge()?;
        match self.stay.reason {
            Reason::Acute(index) => {
                if let Some(admission) = self.books.model.admissions.get(index) {
                    self.treat(admission)?;
                }
            }
            Reason::Rehabilitation(_) => {
                self.rehabilitate(6)?;
                self.give_own_drugs()?;
            }
            Reason::LongStay(_) => self.give_own_drugs()?,
        }
        self.dialyse()?;
        self.receipt.sort();
        Ok(())
    }

    fn diagnose(&mut self) -> Result<(), ModelError> {
        let model = self.books.model;
        let ends = self.stay.discharged.month() == self.month;
        let outcome = match (ends, self.stay.died) {
            (true, true) => "3",
            (true, false) => "4",
            (false, _) => "1",
        };
        let (disease, text) = self.main_disease()?;
        let start = self.stay.admitted;
        self.receipt.diagnoses.push(Diagnosis { disease, text, start, outcome, is_suspected: false });
        let others = if self.stay.died && ends { "3" } else { "1" };
        for condition in self.person.health.conditions.iter().filter(|c| c.is_active(self.month)).take(5) {
            let Some(treatment) = condition.treatment(model) else { continue };
            let other = model.codes.disease(&treatment.code)?;
            if other.code != disease.code {
                let start = condition.onset;
                self.receipt.diagnoses.push(Diagnosis {
                    disease: other,
                    text: None,
                    start,
                    outcome: others,
                    is_suspected: false,
                });
            }
        }
        Ok(())
    }

    fn main_disease(&self) -> Result<(&'m Disease, Option<&'m str>), ModelError> {
        let model = self.books.model;
        match self.stay.reason {
            Reason::Acute(index) | Reason::Rehabilitation(index) => {
                let admission = model.admissions.get(index);
                let code = admission.map_or(&model.care.dialysis.disease, |admission| &admission.disease);
                let text = admission.and_then(|admission| admission.text.as_deref());
                Ok((model.codes.disease(code)?, text))
            }
            Reason::LongStay(index) => {
                let code = model.care.long_stay.diseases.get(index).unwrap_or(&model.care.dialysis.disease);
                Ok((model.codes.disease(code)?, None))
            }
        }
    }

    /// Bed and meals; no meal on the day of an operation.
    fn lodge(&mut self) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let days = self.receipt.days;
        self.receipt.runs.push(Run::procedure(codes.procedure(&codes.used.basic_fee)?, days, 1));
        let operated = self.stay.operated.filter(|day| day.month() == self.month);
        let fasting = operated.map_or(0, |day| 1 << (day.ymd().2 - 1));
        let fed = days & !fasting;
        if fed != 0 {
            let mut meals = Run::procedure(codes.procedure(&codes.used.meal)?, fed, 3);
            // Meals are billed in yen.
            meals.points *= 10;
            self.receipt.meals = meals.times();
            self.receipt.runs.push(meals);
        }
        Ok(())
    }

    fn treat(&mut self, admission: &'m Admission) -> Result<(), ModelError> {
        self.operate(admission)?;
        self.examine(admission)?;
        let codes = &self.books.model.codes;
        let mut chosen: Vec<&'m Drug> = Vec::new();
        // Drawn from the stay alone, so that a stay over two months keeps its drugs.
        let mut dice = Dice::new(
            self.books.seed,
            Stream::Wards,
            self.receipt.person as u64,
            self.stay.admitted.days().unsigned_abs().into(),
        );
        for (code, percent) in &admission.drugs {
            if dice.percent(*percent) {
                chosen.push(codes.drug(code)?);
            }
        }
        self.give(&chosen);
        if matches!(admission.kind, Department::Stroke | Department::Fracture) {
            self.rehabilitate(3)?;
        }
        Ok(())
    }

    fn operate(&mut self, admission: &'m Admission) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let Some(day) = self.stay.operated.filter(|day| day.month() == self.month) else { return Ok(()) };
        let Some(code) = admission.operation.as_ref().and_then(|operation| operation.code.as_ref()) else {
            return Ok(());
        };
        let day = 1 << (day.ymd().2 - 1);
        self.receipt.runs.push(Run::procedure(codes.procedure(code)?, day, 1));
        if let Some(material) = codes.materials.iter().find(|material| material.with == *code) {
            self.receipt.runs.push(Run {
                class: 50,
                items: vec![Item::Material(material)],
                points: points_of(f64::from(material.yen)),
                days: day,
                each: 1,
            });
        }
        Ok(())
    }

    /// Tests on admission and once a week.
    fn examine(&mut self, admission: &'m Admission) -> Result<(), ModelError> {
        let admitted = self.stay.admitted;
        for code in &admission.tests {
            let procedure: &'m Procedure = self.books.model.codes.procedure(code)?;
            let weekly = if procedure.class == 60 { 7 } else { 14 };
            let days = bits(self.receipt.days)
                .filter(|bit| (date_of(self.month, *bit).days() - admitted.days()) % weekly == 0)
                .fold(0_u32, |days, bit| days | 1 << bit);
            if days != 0 {
                self.receipt.runs.push(Run::procedure(procedure, days, 1));
            }
        }
        Ok(())
    }

    fn give(&mut self, drugs: &[&'m Drug]) {
        const INJECTED_FOR: i32 = 8;
        let admitted = self.stay.admitted;
        let days = self.receipt.days;
        let oral: Vec<&'m Drug> = drugs.iter().copied().filter(|drug| drug.route == Route::Oral).collect();
        if !oral.is_empty() {
            self.receipt.runs.push(Run::oral(&oral, days, 1));
        }
        let first = bits(days)
            .filter(|bit| date_of(self.month, *bit).days() - admitted.days() < INJECTED_FOR)
            .fold(0_u32, |days, bit| days | 1 << bit);
        for drug in drugs.iter().filter(|drug| drug.route == Route::Injection) {
            if first != 0 {
                self.receipt.runs.push(Run::drugs(33, &[drug], (first, 1), 1.0));
            }
        }
        let on_first_day = days & days.wrapping_neg();
        for drug in drugs.iter().filter(|drug| drug.route == Route::External) {
            self.receipt.runs.push(Run::drugs(23, &[drug], (on_first_day, 1), 28.0));
        }
    }

    fn give_own_drugs(&mut self) -> Result<(), ModelError> {
        let model = self.books.model;
        let mut drugs: Vec<&'m Drug> = Vec::new();
        let active = |condition: &&Condition| condition.is_active(self.month);
        for condition in self.person.health.conditions.iter().filter(active) {
            let Some(treatment) = condition.treatment(model) else { continue };
            for (bit, (code, _)) in treatment.drugs.iter().enumerate() {
                let drug = model.codes.drug(code)?;
                if condition.drugs & 1 << bit != 0 && drugs.iter().all(|known| known.code != drug.code) {
                    drugs.push(drug);
                }
            }
        }
        self.give(&drugs);
        Ok(())
    }

    fn rehabilitate(&mut self, units: u32) -> Result<(), ModelError> {
        let codes = &self.books.model.codes;
        let from = self.stay.admitted.plus_days(2);
        let days = bits(self.receipt.days)
            .filter(|bit| {
                let date = date_of(self.month, *bit);
                date >= from && is_weekday(date)
            })
            .fold(0_u32, |days, bit| days | 1 << bit);
        if days != 0 && self.dice.percent(96.0) {
            let procedure = codes.procedure(&codes.used.rehabilitation)?;
            self.receipt.runs.push(Run::procedure(procedure, days, units));
        }
        Ok(())
    }

    fn dialyse(&mut self) -> Result<(), ModelError> {
        let model = self.books.model;
        let Some(from) = self.person.health.dialysis_from(model) else { return Ok(()) };
        let days = bits(self.receipt.days)
            .filter(|bit| date_of(self.month, *bit) >= from && bit % 7 % 2 == 0)
            .fold(0_u32, |days, bit| days | 1 << bit);
        if days == 0 {
            return Ok(());
        }
        let session = model.codes.procedure(&model.codes.used.dialysis)?;
        self.receipt.runs.push(Run::procedure(session, days, 1));
        self.receipt.public_law = Some(&model.care.dialysis.public_law);
        Ok(())
    }
}
