//! 様式1: the discharge abstract in long form, one line an item.
//!
//! Which items a stay has follows from why it was: 入院時のJCS and the Rankin scale with strokes, stages with cancers.

use catalog_model::{Date, Month};

use super::dpc::Hospital;
use super::draft::{Draft, Grouper};
use super::identity::Written;
use crate::SynthError;
use crate::billing::StayMonth;
use crate::calendar::{self, Calendar};
use crate::dice::{Dice, Stream, whole};
use crate::health::Stay;
use crate::model::{Admission, Department};
use crate::people::Sex;
use crate::truth::Ledger;
use crate::writer::{FamilyTemplates, Line, WriteError};

/// The forms of the stays that ended in a hospital in a month.
pub(super) fn draft<'t>(
    hospital: &Hospital<'_>,
    forms: &'t FamilyTemplates,
    stays: &[&StayMonth<'_>],
    ledger: &mut Ledger,
) -> Result<Draft<'t>, SynthError> {
    let mut draft = hospital.file("FF1", forms);
    for stay in stays {
        let (Some(patient), Some(admission)) = (hospital.patient(stay), hospital.admission(stay.stay)) else {
            continue;
        };
        let id = patient.data_id(hospital.facility);
        let days = u64::from(stay.stay.admitted.days().unsigned_abs());
        let mut form = Form {
            hospital,
            forms,
            stay: stay.stay,
            admission,
            id,
            dice: Dice::new(hospital.books.seed, Stream::Forms, (1 << 60) | patient.index as u64, days),
            group: Grouper::new(ledger, patient.index, hospital.month),
        };
        form.fill(&patient)?;
        draft.groups.push(form.group.finish(0));
    }
    Ok(draft)
}

struct Form<'f, 'a, 'l, 't> {
    hospital: &'f Hospital<'a>,
    forms: &'t FamilyTemplates,
    stay: &'f Stay,
    admission: &'f Admission,
    id: String,
    dice: Dice,
    group: Grouper<'l, 't>,
}

fn day(date: Date) -> String {
    calendar::day(date, Calendar::Western)
}

impl Form<'_, '_, '_, '_> {
    fn fill(&mut self, patient: &Written<'_>) -> Result<(), WriteError> {
        let birth = day(patient.person.birth);
        let (sex, postcode) = (patient.person.sex, patient.postcode());
        self.item("A000010", 0, &[(1, &birth), (2, sex.code()), (3, &postcode)])?;
        self.admission_and_discharge()?;
        self.body(patient)?;
        self.diseases(patient)?;
        self.operation()?;
        self.function(patient.person.age_on(self.stay.admitted))?;
        self.severity()
    }

    /// Writes one item with its payloads by number.
    fn item(&mut self, code: &str, seq: u32, payloads: &[(u32, &str)]) -> Result<(), WriteError> {
        let mut line = Line::new(self.forms.record(code)?);
        line.set("facility_code", self.hospital.code)?
            .set("data_id", &self.id)?
            .date("admission_date", self.stay.admitted, Calendar::Western)?
            .set("occurrence_no", "0")?
            .set("integrated_no", "0")?
            .number("seq", seq)?;
        for (number, value) in payloads {
            line.set(&format!("payload_{number}"), value)?;
        }
        self.group.push(line)
    }

    fn admission_and_discharge(&mut self) -> Result<(), WriteError> {
        let stay = self.stay;
        let (admitted, discharged) = (day(stay.admitted), day(stay.discharged));
        let is_emergency = stay.is_emergency;
        let route = if is_emergency && self.dice.percent(9.0) { "2" } else { "1" };
        let flag = |applies: bool| if applies { "1" } else { "0" };
        let class = match (is_emergency, stay.by_ambulance) {
            (false, _) => "100",
            (true, false) => "200",
            (true, true) => "301",
        };
        self.item(
            "A000020",
            0,
            &[
                (1, &admitted),
                (2, route),
                (3, flag(!is_emergency)),
                (4, flag(!is_emergency)),
                (5, class),
                (6, flag(stay.by_ambulance)),
                (7, "0"),
                (8, "0"),
                (9, "0"),
            ],
        )?;
        let outcome = self.outcome();
        // 退院先: 1 home with own outpatients, 4 another hospital, 9 died.
        let to = if stay.died {
            "9"
        } else if self.dice.percent(self.admission.rehabilitation_percent) {
            "4"
        } else {
            "1"
        };
        let within_a_day = if stay.died && stay.nights() <= 1 { "1" } else { "0" };
        self.item("A000030", 0, &[(1, &discharged), (2, to), (3, outcome), (4, within_a_day), (5, "0")])?;
        self.item("A000031", 0, &[(1, &admitted), (2, &discharged)])?;
        let department = self.admission.department.clone();
        self.item("A000040", 0, &[(2, &department), (3, "0")])?;
        self.item("A000050", 0, &[(2, "1"), (3, "0"), (4, "0")])
    }

    fn outcome(&mut self) -> &'static str {
        if self.stay.died {
            return if self.dice.percent(88.0) { "6" } else { "7" };
        }
        match self.dice.weighted([14.0, 72.0, 4.0, 8.0, 2.0].into_iter()) {
            0 => "1",
            1 => "2",
            2 => "3",
            3 => "4",
            _ => "5",
        }
    }

    fn body(&mut self, patient: &Written<'_>) -> Result<(), WriteError> {
        // A person's height and weight are the same at every stay, but for what a stay takes.
        let mut own = Dice::new(self.hospital.books.seed, Stream::Forms, 1 << 61, patient.index as u64);
        let age = patient.person.age_on(self.stay.admitted);
        let adult = if patient.person.sex == Sex::Man { 168.0 } else { 155.0 };
        let grown = (f64::from(age.min(16)) / 16.0 * 0.7 + 0.3).min(1.0);
        let height = (adult - f64::from((age - 60).max(0)) * 0.15 + spread(&mut own, 12.0)) * grown;
        let index = 22.5 + spread(&mut own, 6.0) - f64::from((age - 75).max(0)) * 0.06;
        let weight = (index * grown.max(0.72) * height / 100.0 * height / 100.0).max(2.5);
        let lost = f64::from(self.stay.nights().min(60)) * 0.02 * own.unit();
        let (height, before) = (whole(height).to_string(), format!("{weight:.1}"));
        let after = if self.stay.died { "000".to_owned() } else { format!("{:.1}", weight - lost) };
        self.item("A001010", 0, &[(2, &height), (3, &before), (4, &after)])?;
        let smoking = if own.percent(38.0) { (own.below(60) * 20).to_string() } else { "0".to_owned() };
        self.item("A001020", 0, &[(2, &smoking)])
    }

    fn diseases(&mut self, patient: &Written<'_>) -> Result<(), WriteError> {
        let model = self.hospital.books.model;
        let admission = self.admission;
        let Ok(disease) = model.codes.disease(&admission.disease) else { return Ok(()) };
        let icd10 = admission.icd10.as_deref().unwrap_or(&disease.icd10);
        let name = admission.text.as_deref().unwrap_or(&disease.name);
        for item in ["A006010", "A006020", "A006030"] {
            self.item(item, 0, &[(2, icd10), (4, &disease.code), (9, name)])?;
        }
        let month: Month = self.stay.admitted.month();
        let others = patient
            .person
            .health
            .conditions
            .iter()
            .filter(|condition| condition.is_active(month) && condition.onset < self.stay.admitted);
        let mut seq = 0;
        for treatment in others.filter_map(|condition| condition.treatment(model)) {
            let Ok(other) = model.codes.disease(&treatment.code) else { continue };
            // 入院時併存症: at most ten.
            if other.code != disease.code && seq < 10 {
                seq += 1;
                self.item("A006040", seq, &[(2, &other.icd10), (4, &other.code), (9, &other.name)])?;
            }
        }
        if self.stay.nights() > 10 && self.dice.percent(8.0) {
            self.complication()?;
        }
        Ok(())
    }

    // 入院後発症疾患: the pneumonia or the urinary tract infection of a long stay.
    fn complication(&mut self) -> Result<(), WriteError> {
        let kind = if self.dice.percent(60.0) { Department::Pneumonia } else { Department::Other };
        let model = self.hospital.books.model;
        let found = model
            .admissions
            .iter()
            .find(|other| other.kind == kind && other.text.is_none() && other.dpc6 != self.admission.dpc6);
        let Some(disease) = found.and_then(|other| model.codes.disease(&other.disease).ok()) else {
            return Ok(());
        };
        self.item("A006050", 1, &[(2, &disease.icd10), (4, &disease.code), (9, &disease.name)])
    }

    fn operation(&mut self) -> Result<(), WriteError> {
        let admission = self.admission;
        let (Some(date), Some(operation)) = (self.stay.operated, &admission.operation) else { return Ok(()) };
        let date = day(date);
        // 麻酔: 1 general, 7 local.
        let anaesthesia = match admission.kind {
            Department::Cataract | Department::Infarction | Department::Angina | Department::Stroke => "7",
            _ => "1",
        };
        self.item(
            "A007010",
            1,
            &[
                (1, &date),
                (2, "1"),
                (3, &operation.k_code),
                (4, "1"),
                (5, "3"),
                (6, anaesthesia),
                (7, "1"),
                (9, &operation.name),
            ],
        )
    }

    /// Activities of daily living: ten digits, worse with age and with what strikes the brain or the hip.
    fn function(&mut self, age: i32) -> Result<(), WriteError> {
        let struck = matches!(self.admission.kind, Department::Stroke | Department::Fracture);
        let frail = f64::from((age - 70).max(0)) * 1.6 + if struck { 42.0 } else { 4.0 };
        let mut score = |percent: f64| -> String {
            (0..10).map(|_| if self.dice.percent(percent) { '1' } else { '2' }).collect()
        };
        let (before, after) = (score(frail), score(frail * 0.55));
        self.item("ADL0010", 0, &[(2, &before)])?;
        if !self.stay.died {
            self.item("ADL0020", 0, &[(2, &after)])?;
        }
        let coma = if struck && self.dice.percent(30.0) { "10" } else { "0" };
        self.item("JCS0010", 0, &[(2, coma)])
    }

    fn severity(&mut self) -> Result<(), WriteError> {
        match self.admission.kind {
            Department::Stroke => {
                let before = self.dice.weighted([60.0, 16.0, 10.0, 8.0, 6.0].into_iter()).to_string();
                let after = if self.stay.died {
                    6
                } else {
                    self.dice.weighted([12.0, 22.0, 18.0, 18.0, 20.0, 10.0].into_iter())
                };
                self.item("M010010", 0, &[(2, &before), (3, "1")])?;
                self.item("M010020", 0, &[(2, &after.to_string())])
            }
            Department::Infarction => {
                let killip = (1 + self.dice.weighted([66.0, 18.0, 9.0, 7.0].into_iter())).to_string();
                self.item("M050030", 0, &[(2, &killip)])
            }
            Department::Angina => self.item("M050020", 0, &[(2, "2")]),
            Department::Pneumonia => {
                let score = self.dice.weighted([20.0, 45.0, 25.0, 10.0].into_iter()).to_string();
                self.item("M040020", 0, &[(2, &score), (3, "0")])
            }
            Department::Cancer => {
                let stage = self.dice.weighted([0.0, 38.0, 26.0, 22.0, 14.0].into_iter()).to_string();
                self.item("CAN0010", 0, &[(3, "0")])?;
                self.item("CAN0020", 0, &[(3, &stage), (4, "0"), (5, "0"), (6, "8")])
            }
            Department::Delivery => {
                let blood = (300 + self.dice.below(90) * 10).to_string();
                self.item("A002010", 0, &[(2, "1"), (3, "38")])?;
                self.item("M120010", 0, &[(2, "1"), (3, &blood)])
            }
            Department::Heart
            | Department::Fracture
            | Department::Cataract
            | Department::Diabetes
            | Department::Kidney
            | Department::Other => Ok(()),
        }
    }
}

/// A deviation of at most `width` to either side, small ones more often.
fn spread(dice: &mut Dice, width: f64) -> f64 {
    (dice.unit() + dice.unit() + dice.unit() - 1.5) / 1.5 * width
}
