//! Names, places and family events.

use serde::Deserialize;

use super::ModelError;

/// Surnames and given names.
#[derive(Debug, Deserialize)]
pub(crate) struct Names {
    pub(crate) surnames: Vec<Surname>,
    pub(crate) era: Vec<Era>,
}

/// A surname.
#[derive(Debug, Deserialize)]
pub(crate) struct Surname {
    pub(crate) name: String,
    pub(crate) kana: String,
    pub(crate) weight: f64,
    /// The older form of its characters that some families write.
    pub(crate) old: Option<String>,
}

/// Given names that are usual from a year of birth on, as (kanji, katakana).
#[derive(Debug, Deserialize)]
pub(crate) struct Era {
    pub(crate) from: i32,
    pub(crate) men: Vec<(String, String)>,
    pub(crate) women: Vec<(String, String)>,
}

impl Names {
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let short = |list| Err(ModelError::TooShort { file: "names.toml", list });
        if self.surnames.is_empty() {
            return short("surnames");
        }
        if self.era.is_empty() || self.era.iter().any(|era| era.men.is_empty() || era.women.is_empty()) {
            return short("era");
        }
        Ok(())
    }
}

/// Prefectures, municipalities and the words that names of facilities are made of.
#[derive(Debug, Deserialize)]
pub(crate) struct Places {
    pub(crate) merged: MergedModel,
    pub(crate) prefecture: Vec<PrefectureModel>,
    pub(crate) facility_names: FacilityNames,
}

/// A municipality that another one took over, which got a new name then.
#[derive(Debug, Deserialize)]
pub(crate) struct MergedModel {
    pub(crate) code: String,
    pub(crate) name: String,
    /// The code of the one that took it over.
    pub(crate) into: String,
    /// What that one was called before.
    pub(crate) former: String,
    pub(crate) inhabitants: u32,
}

/// A prefecture and what it has.
#[derive(Debug, Deserialize)]
pub(crate) struct PrefectureModel {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) area_number: String,
    pub(crate) dpc_hospitals: u32,
    pub(crate) hospitals: u32,
    pub(crate) clinics: u32,
    pub(crate) care_offices: u32,
    pub(crate) municipalities: Vec<MunicipalityModel>,
}

/// A municipality.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct MunicipalityModel {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) inhabitants: u32,
    pub(crate) area: String,
}

/// Words that names of facilities are made of.
#[derive(Debug, Deserialize)]
pub(crate) struct FacilityNames {
    pub(crate) hospital_kinds: Vec<String>,
    pub(crate) clinic_words: Vec<String>,
    pub(crate) towns: Vec<String>,
}

impl Places {
    pub(super) fn check(&self) -> Result<(), ModelError> {
        let short = |list| Err(ModelError::TooShort { file: "places.toml", list });
        let lacks = |p: &PrefectureModel| p.dpc_hospitals * p.hospitals * p.clinics * p.care_offices == 0;
        if self.prefecture.is_empty() || self.prefecture.iter().any(lacks) {
            return short("prefecture");
        }
        if self.prefecture.iter().any(|p| p.municipalities.is_empty()) {
            return short("municipalities");
        }
        let words = &self.facility_names;
        if words.hospital_kinds.is_empty() || words.clinic_words.is_empty() || words.towns.is_empty() {
            return short("facility_names");
        }
        Ok(())
    }
}

/// Ages, sexes and family events.
#[derive(Debug, Deserialize)]
pub(crate) struct Population {
    pub(crate) pyramid: BothSexes<20>,
    pub(crate) mortality: BothSexes<20>,
    pub(crate) couples: BothSexes<7>,
    pub(crate) births: Births,
    pub(crate) events: FamilyEvents,
    pub(crate) employed: BothSexes<6>,
}

/// A figure by band of age for men and women.
#[derive(Debug, Deserialize)]
pub(crate) struct BothSexes<const N: usize> {
    #[serde(deserialize_with = "exactly")]
    pub(crate) men: [f64; N],
    #[serde(deserialize_with = "exactly")]
    pub(crate) women: [f64; N],
}

fn exactly<'de, D: serde::Deserializer<'de>, const N: usize>(deserializer: D) -> Result<[f64; N], D::Error> {
    let values = Vec::<f64>::deserialize(deserializer)?;
    let count = values.len();
    values.try_into().map_err(|_| serde::de::Error::invalid_length(count, &"one figure for each band"))
}

/// Births and twins.
#[derive(Debug, Deserialize)]
pub(crate) struct Births {
    pub(crate) per_thousand: Vec<f64>,
    pub(crate) twins_per_thousand: f64,
    pub(crate) same_sex_percent: f64,
}

/// What happens in a year, in 1,000.
#[derive(Debug, Deserialize)]
pub(crate) struct FamilyEvents {
    pub(crate) marriages_of_single_adults: f64,
    pub(crate) moves_of_households: f64,
    pub(crate) moves_to_another_prefecture_percent: f64,
    pub(crate) job_changes: f64,
    pub(crate) job_losses: f64,
    pub(crate) jobs_found: f64,
}

impl FamilyEvents {
    /// Lets this share of the moves and changes of jobs happen.
    pub(crate) fn slow_down(&mut self, share: f64) {
        for rate in
            [&mut self.moves_of_households, &mut self.job_changes, &mut self.job_losses, &mut self.jobs_found]
        {
            *rate *= share;
        }
    }
}
