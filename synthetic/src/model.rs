//! What the invented population is like: the tables under `model/`, read and checked against the catalogue.
//!
//! Figures stand in TOML, where somebody who knows the field may correct them; this module gives them types. A code
//! that the catalogue does not have is an error here, so that nothing further on meets one.

mod codes;
mod health;
mod people;

use catalog_model::Catalogue;
use serde::de::DeserializeOwned;

pub(crate) use codes::{Codes, Disease, DiseaseCode, Drug, MaterialUse, Procedure, Route};
pub(crate) use health::{
    Admission, Care, CareService, Department, Episode, Onset, Place, PregnancyModel, Treatment, by_old_age,
};
pub(crate) use people::{Era, Names, Places, Population};

/// A table of the model does not fit.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The text is not of the expected form.
    #[error("model/{file}")]
    Form {
        /// The file.
        file: &'static str,
        /// What the reader says.
        #[source]
        source: toml::de::Error,
    },
    /// A code that the catalogue does not have.
    #[error("model/{file}: the catalogue has no code {code}")]
    UnknownCode {
        /// The file.
        file: &'static str,
        /// The code.
        code: String,
    },
    /// A list that must have an entry has none.
    #[error("model/{file}: {list} is empty or too short")]
    TooShort {
        /// The file.
        file: &'static str,
        /// The list.
        list: &'static str,
    },
}

/// All tables.
#[derive(Debug)]
pub(crate) struct Model {
    pub(crate) names: Names,
    pub(crate) places: Places,
    pub(crate) population: Population,
    pub(crate) codes: Codes,
    /// What people live with; a condition refers to its place in this list.
    pub(crate) treatments: Vec<Treatment>,
    pub(crate) episodes: Vec<Episode>,
    /// What is now and then suspected.
    pub(crate) suspected: Vec<DiseaseCode>,
    pub(crate) admissions: Vec<Admission>,
    pub(crate) care: Care,
}

impl Model {
    /// Reads the shipped tables.
    pub(crate) fn load(catalogue: &Catalogue) -> Result<Self, ModelError> {
        let names: Names = read("names.toml", include_str!("../model/names.toml"))?;
        let places: Places = read("places.toml", include_str!("../model/places.toml"))?;
        let mut outpatients: health::Outpatients =
            read("outpatients.toml", include_str!("../model/outpatients.toml"))?;
        let admissions: health::Admissions =
            read("admissions.toml", include_str!("../model/admissions.toml"))?;
        let suspected = std::mem::take(&mut outpatients.suspected);
        let (treatments, episodes) = outpatients.into_parts();
        let model = Self {
            names,
            places,
            population: read("population.toml", include_str!("../model/population.toml"))?,
            codes: Codes::load(catalogue)?,
            treatments,
            episodes,
            suspected,
            admissions: admissions.admission,
            care: read("care.toml", include_str!("../model/care.toml"))?,
        };
        model.names.check()?;
        model.places.check()?;
        health::check(&model)?;
        Ok(model)
    }
}

fn read<T: DeserializeOwned>(file: &'static str, text: &str) -> Result<T, ModelError> {
    toml::from_str(text).map_err(|source| ModelError::Form { file, source })
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, Encoding};

    use super::Model;
    use crate::writer::encode;

    #[test]
    fn the_shipped_tables_fit_the_catalogue() {
        let model = Model::load(&Catalogue::builtin().unwrap()).unwrap();
        assert!(model.names.surnames.len() >= 150);
        assert_eq!(model.places.prefecture.len(), 4);
        let inhabitants: u32 =
            model.places.prefecture.iter().flat_map(|p| &p.municipalities).map(|m| m.inhabitants).sum();
        assert_eq!(inhabitants, 200_000);
    }

    #[test]
    fn every_name_can_be_written_in_cp932() {
        let model = Model::load(&Catalogue::builtin().unwrap()).unwrap();
        let surnames =
            model.names.surnames.iter().flat_map(|s| [Some(&s.name), s.old.as_ref(), Some(&s.kana)]);
        let given =
            model.names.era.iter().flat_map(|e| e.men.iter().chain(&e.women)).flat_map(|g| [&g.0, &g.1]);
        for text in surnames.flatten().chain(given) {
            assert!(encode(Encoding::Cp932, text).is_some(), "{text}");
        }
    }
}
