//! Diseases, admissions and long-term care.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::codes::{DiseaseCode, DrugCode, ProcedureCode};
use super::{Model, ModelError};

/// A figure at the ages 0, 10, … 90, with straight lines between.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub(crate) struct ByAge(Vec<f64>);

impl ByAge {
    /// The figure at an age in years.
    pub(crate) fn at(&self, age: f64) -> f64 {
        let knot = (age / 10.0).clamp(0.0, 9.0);
        let mut below = 0.0;
        for (index, pair) in self.0.windows(2).enumerate() {
            if let [low, high] = pair {
                let into = knot - index as f64;
                if into <= 1.0 {
                    return low + (high - low) * into;
                }
                below = *high;
            }
        }
        below
    }
}

/// The figure of an age band of five years from 65-69 to 95 and over; nothing below 65.
pub(crate) fn by_old_age(figures: &[f64], age: i32) -> f64 {
    if age < 65 {
        return 0.0;
    }
    let band = usize::try_from((age - 65) / 5).unwrap_or(0).min(figures.len().saturating_sub(1));
    figures.get(band).copied().unwrap_or(0.0)
}

#[derive(Debug, Deserialize)]
pub(super) struct Outpatients {
    chronic: Vec<Chronic>,
    progress: Vec<Progress>,
    episode: Vec<Episode>,
    pub(super) suspected: Vec<DiseaseCode>,
}

#[derive(Debug, Deserialize)]
struct Chronic {
    men: ByAge,
    women: ByAge,
    #[serde(default)]
    metabolic: bool,
    #[serde(flatten)]
    treatment: TreatmentModel,
}

#[derive(Debug, Deserialize)]
struct Progress {
    from: DiseaseCode,
    at_start: f64,
    yearly: f64,
    #[serde(default)]
    dialysis: bool,
    #[serde(flatten)]
    treatment: TreatmentModel,
}

#[derive(Debug, Deserialize)]
struct TreatmentModel {
    code: DiseaseCode,
    place: Place,
    drugs: Vec<(DrugCode, f64)>,
    tests: Vec<(ProcedureCode, i32)>,
    #[serde(default)]
    management: bool,
    public_law: Option<String>,
    #[serde(default)]
    public_percent: f64,
    #[serde(default)]
    care_percent: f64,
    #[serde(default = "one")]
    mortality: f64,
}

const fn one() -> f64 {
    1.0
}

/// Where a disease is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Place {
    Clinic,
    Specialist,
    Hospital,
}

/// Something that people live with, how it comes and how it is treated.
#[derive(Debug)]
pub(crate) struct Treatment {
    pub(crate) code: DiseaseCode,
    pub(crate) onset: Onset,
    pub(crate) place: Place,
    pub(crate) drugs: Vec<(DrugCode, f64)>,
    /// Tests and after how many months each is repeated.
    pub(crate) tests: Vec<(ProcedureCode, i32)>,
    /// Whether the fee for managing chronic diseases is billed.
    pub(crate) management: bool,
    /// A public programme by its law number, and the percent of patients who are in it.
    pub(crate) public: Option<(String, f64)>,
    /// The percent of new patients of 65 and over who enter long-term care within a year.
    pub(crate) care_percent: f64,
    /// The factor on mortality.
    pub(crate) mortality: f64,
    /// Whether dialysis begins with it.
    pub(crate) dialysis: bool,
}

/// How a disease comes.
#[derive(Debug)]
pub(crate) enum Onset {
    /// By age: the percent who have it.
    ByAge { men: ByAge, women: ByAge, metabolic: bool },
    /// From another disease: the percent of its patients who have it at the start, and who get it in a year.
    From { disease: DiseaseCode, at_start: f64, yearly: f64 },
}

impl Outpatients {
    /// Treatments and episodes.
    pub(super) fn into_parts(self) -> (Vec<Treatment>, Vec<Episode>) {
        let chronic = self.chronic.into_iter().map(|chronic| {
            let onset = Onset::ByAge { men: chronic.men, women: chronic.women, metabolic: chronic.metabolic };
            chronic.treatment.with(onset, false)
        });
        let progress = self.progress.into_iter().map(|step| {
            let onset = Onset::From { disease: step.from, at_start: step.at_start, yearly: step.yearly };
            step.treatment.with(onset, step.dialysis)
        });
        (chronic.chain(progress).collect(), self.episode)
    }
}

impl TreatmentModel {
    fn with(self, onset: Onset, dialysis: bool) -> Treatment {
        Treatment {
            code: self.code,
            onset,
            place: self.place,
            drugs: self.drugs,
            tests: self.tests,
            management: self.management,
            public: self.public_law.map(|law| (law, self.public_percent)),
            care_percent: self.care_percent,
            mortality: self.mortality,
            dialysis,
        }
    }
}

/// Something that people see a doctor for now and then.
#[derive(Debug, Deserialize)]
pub(crate) struct Episode {
    pub(crate) code: DiseaseCode,
    /// The disease in words, where it has no code.
    pub(crate) text: Option<String>,
    pub(crate) men: ByAge,
    pub(crate) women: ByAge,
    pub(crate) season: Vec<f64>,
    pub(crate) place: Place,
    pub(crate) visits: u32,
    pub(crate) drugs: Vec<(DrugCode, f64)>,
    /// Days of medicine.
    pub(crate) days: u32,
    /// Tests with the percent of visits that have them.
    pub(crate) tests: Vec<(ProcedureCode, f64)>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Admissions {
    pub(super) admission: Vec<Admission>,
}

/// A reason to be taken into hospital.
#[derive(Debug, Deserialize)]
pub(crate) struct Admission {
    pub(crate) dpc6: String,
    pub(crate) disease: DiseaseCode,
    pub(crate) text: Option<String>,
    pub(crate) icd10: Option<String>,
    pub(crate) needs: Option<DiseaseCode>,
    pub(crate) men: ByAge,
    pub(crate) women: ByAge,
    #[serde(default)]
    pub(crate) risk: BTreeMap<DiseaseCode, f64>,
    #[serde(default)]
    pub(crate) season: Vec<f64>,
    pub(crate) stay: (i32, i32),
    pub(crate) dpc_percent: f64,
    pub(crate) emergency_percent: f64,
    pub(crate) ambulance_percent: f64,
    pub(crate) dies: [f64; 4],
    #[serde(default)]
    pub(crate) leads_to: Vec<(DiseaseCode, f64)>,
    #[serde(default)]
    pub(crate) ends_disease: bool,
    #[serde(default)]
    pub(crate) rehabilitation_percent: f64,
    #[serde(default)]
    pub(crate) rehabilitation_days: (i32, i32),
    #[serde(default)]
    pub(crate) care_percent: f64,
    #[serde(default)]
    pub(crate) care_levels: Vec<f64>,
    #[serde(default)]
    pub(crate) on_dialysis: bool,
    #[serde(default)]
    pub(crate) on_delivery: bool,
    pub(crate) operation: Option<Operation>,
    /// Characters 7 to 14 of the DPC code with and without an operation.
    pub(crate) codes: (String, String),
    pub(crate) department: String,
    pub(crate) kind: Department,
    pub(crate) drugs: Vec<(DrugCode, f64)>,
    pub(crate) tests: Vec<ProcedureCode>,
}

/// Which further items form 1 has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Department {
    Stroke,
    Infarction,
    Angina,
    Heart,
    Pneumonia,
    Fracture,
    Cancer,
    Cataract,
    Diabetes,
    Kidney,
    Delivery,
    Other,
}

/// An operation.
#[derive(Debug, Deserialize)]
pub(crate) struct Operation {
    /// The receipt code, where the invented masters have one.
    pub(crate) code: Option<ProcedureCode>,
    pub(crate) k_code: String,
    pub(crate) name: String,
    pub(crate) percent: f64,
}

/// Long-term care, long stays and pregnancy.
#[derive(Debug, Deserialize)]
pub(crate) struct Care {
    pub(crate) certified: Certified,
    pub(crate) entering: Entering,
    pub(crate) renewal: Renewal,
    pub(crate) mortality: CareMortality,
    pub(crate) limit: Limit,
    pub(crate) service: Vec<CareService>,
    pub(crate) long_stay: LongStay,
    pub(crate) pregnancy: PregnancyModel,
    pub(crate) dialysis: Dialysis,
}

/// Who holds a certification at the start.
#[derive(Debug, Deserialize)]
pub(crate) struct Certified {
    pub(crate) percent: Vec<f64>,
    pub(crate) levels: Vec<f64>,
}

/// Who gets one.
#[derive(Debug, Deserialize)]
pub(crate) struct Entering {
    pub(crate) per_thousand: Vec<f64>,
    pub(crate) levels: Vec<f64>,
    pub(crate) risk: BTreeMap<DiseaseCode, f64>,
}

/// What a renewal brings, in percent.
#[derive(Debug, Deserialize)]
pub(crate) struct Renewal {
    pub(crate) same: f64,
    pub(crate) worse: f64,
    pub(crate) better: f64,
}

/// The factor on mortality by level.
#[derive(Debug, Deserialize)]
pub(crate) struct CareMortality {
    pub(crate) by_level: Vec<f64>,
}

/// Monthly limits and what is used of them.
#[derive(Debug, Deserialize)]
pub(crate) struct Limit {
    pub(crate) units: Vec<f64>,
    pub(crate) used_percent: Vec<f64>,
    pub(crate) users_percent: f64,
}

/// A service at home.
#[derive(Debug, Deserialize)]
pub(crate) struct CareService {
    pub(crate) kind: String,
    pub(crate) item: String,
    pub(crate) units: u32,
    /// How often it is part of a plan at levels 12-13, 21-22, 23-25.
    pub(crate) weight: [f64; 3],
}

/// Wards for long stays.
#[derive(Debug, Deserialize)]
pub(crate) struct LongStay {
    pub(crate) percent: ByAge,
    pub(crate) diseases: Vec<DiseaseCode>,
    pub(crate) dies_yearly_percent: f64,
}

/// Pregnancy.
#[derive(Debug, Deserialize)]
pub(crate) struct PregnancyModel {
    pub(crate) disease: DiseaseCode,
    pub(crate) complication_percent: f64,
    pub(crate) delivery_percent: f64,
}

/// Dialysis.
#[derive(Debug, Deserialize)]
pub(crate) struct Dialysis {
    pub(crate) disease: DiseaseCode,
    pub(crate) sessions: u32,
    pub(crate) public_law: String,
}

/// Every code is in the catalogue and every table has its figures.
pub(super) fn check(model: &Model) -> Result<(), ModelError> {
    let codes = &model.codes;
    for treatment in &model.treatments {
        codes.disease(&treatment.code)?;
        treatment.drugs.iter().try_for_each(|(code, _)| codes.drug(code).map(drop))?;
        treatment.tests.iter().try_for_each(|(code, _)| codes.procedure(code).map(drop))?;
    }
    for episode in &model.episodes {
        codes.disease(&episode.code)?;
        episode.drugs.iter().try_for_each(|(code, _)| codes.drug(code).map(drop))?;
        episode.tests.iter().try_for_each(|(code, _)| codes.procedure(code).map(drop))?;
        if episode.season.len() != 12 {
            return Err(ModelError::TooShort { file: "outpatients.toml", list: "season" });
        }
    }
    for admission in &model.admissions {
        codes.disease(&admission.disease)?;
        admission.drugs.iter().try_for_each(|(code, _)| codes.drug(code).map(drop))?;
        admission.tests.iter().try_for_each(|code| codes.procedure(code).map(drop))?;
    }
    let care = &model.care;
    let others = [&care.pregnancy.disease, &care.dialysis.disease];
    for code in model.suspected.iter().chain(&care.long_stay.diseases).chain(others) {
        codes.disease(code)?;
    }
    let levels = [&model.care.certified.levels, &model.care.entering.levels, &model.care.limit.units];
    if levels.iter().any(|list| list.len() != 7) {
        return Err(ModelError::TooShort { file: "care.toml", list: "levels" });
    }
    Ok(())
}
