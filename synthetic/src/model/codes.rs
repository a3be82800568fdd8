//! Diseases, drugs, procedures and materials: the catalogue's codes and what the model adds to them.

use std::collections::HashMap;

use catalog_model::Catalogue;
use serde::Deserialize;

use super::{ModelError, read};

macro_rules! code {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) String);
    };
}

code!(
    /// 傷病名コード.
    DiseaseCode
);
code!(
    /// 医薬品コード.
    DrugCode
);
code!(
    /// 診療行為コード.
    ProcedureCode
);

/// A disease of the catalogue.
#[derive(Debug)]
pub(crate) struct Disease {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) icd10: String,
}

/// A drug and how it is given.
#[derive(Debug)]
pub(crate) struct Drug {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) units_per_day: f64,
    pub(crate) yen_per_unit: f64,
    pub(crate) route: Route,
}

/// How a drug is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Route {
    Oral,
    External,
    Injection,
}

/// A procedure with its points and its class of service.
#[derive(Debug)]
pub(crate) struct Procedure {
    pub(crate) code: String,
    pub(crate) name: String,
    pub(crate) points: u32,
    pub(crate) class: u8,
}

/// The procedures that have a part to play.
#[derive(Debug, Deserialize)]
pub(crate) struct UsedProcedures {
    pub(crate) first_visit: ProcedureCode,
    pub(crate) revisit: ProcedureCode,
    pub(crate) management_addition: ProcedureCode,
    pub(crate) prescription: ProcedureCode,
    pub(crate) chronic_management: ProcedureCode,
    pub(crate) home_visit: ProcedureCode,
    pub(crate) rehabilitation: ProcedureCode,
    pub(crate) dialysis: ProcedureCode,
    pub(crate) dialysis_induction: ProcedureCode,
    pub(crate) basic_fee: ProcedureCode,
    pub(crate) meal: ProcedureCode,
    pub(crate) blood_count: ProcedureCode,
    pub(crate) hba1c: ProcedureCode,
}

/// A material that goes with a procedure.
#[derive(Debug, Deserialize)]
pub(crate) struct MaterialUse {
    pub(crate) with: ProcedureCode,
    pub(crate) code: String,
    pub(crate) yen: u32,
    pub(crate) name: String,
}

/// All codes that the population uses.
#[derive(Debug)]
pub(crate) struct Codes {
    diseases: HashMap<DiseaseCode, Disease>,
    drugs: HashMap<DrugCode, Drug>,
    procedures: HashMap<ProcedureCode, Procedure>,
    pub(crate) used: UsedProcedures,
    pub(crate) materials: Vec<MaterialUse>,
}

#[derive(Deserialize)]
struct DrugsFile {
    drug: Vec<DrugModel>,
}

#[derive(Deserialize)]
struct DrugModel {
    code: String,
    units_per_day: f64,
    yen_per_unit: f64,
    route: Route,
}

#[derive(Deserialize)]
struct ProceduresFile {
    procedure: Vec<ProcedureModel>,
    material: Vec<MaterialUse>,
    used: UsedProcedures,
}

#[derive(Deserialize)]
struct ProcedureModel {
    code: String,
    class: String,
}

impl Codes {
    pub(super) fn load(catalogue: &Catalogue) -> Result<Self, ModelError> {
        let procedures: ProceduresFile =
            read("procedures.toml", include_str!("../../model/procedures.toml"))?;
        let drugs: DrugsFile = read("drugs.toml", include_str!("../../model/drugs.toml"))?;
        let codes = Self {
            diseases: diseases(catalogue),
            drugs: drugs
                .drug
                .into_iter()
                .map(|drug| joined_drug(catalogue, drug))
                .collect::<Result<_, _>>()?,
            procedures: procedures
                .procedure
                .into_iter()
                .map(|procedure| joined_procedure(catalogue, &procedure))
                .collect::<Result<_, _>>()?,
            used: procedures.used,
            materials: procedures.material,
        };
        let used = &codes.used;
        for code in [
            &used.first_visit,
            &used.revisit,
            &used.management_addition,
            &used.prescription,
            &used.chronic_management,
            &used.home_visit,
            &used.rehabilitation,
            &used.dialysis,
            &used.dialysis_induction,
            &used.basic_fee,
            &used.meal,
            &used.blood_count,
            &used.hba1c,
        ] {
            codes.procedure(code)?;
        }
        Ok(codes)
    }

    /// The disease with this code.
    pub(crate) fn disease(&self, code: &DiseaseCode) -> Result<&Disease, ModelError> {
        self.diseases.get(code).ok_or_else(|| unknown("outpatients.toml", &code.0))
    }

    /// The drug with this code.
    pub(crate) fn drug(&self, code: &DrugCode) -> Result<&Drug, ModelError> {
        self.drugs.get(code).ok_or_else(|| unknown("drugs.toml", &code.0))
    }

    /// The procedure with this code.
    pub(crate) fn procedure(&self, code: &ProcedureCode) -> Result<&Procedure, ModelError> {
        self.procedures.get(code).ok_or_else(|| unknown("procedures.toml", &code.0))
    }
}

fn unknown(file: &'static str, code: &str) -> ModelError {
    ModelError::UnknownCode { file, code: code.to_owned() }
}

fn diseases(catalogue: &Catalogue) -> HashMap<DiseaseCode, Disease> {
    let codes = catalogue.codes.get("disease").map_or(&[][..], |system| &system.codes);
    let disease = |entry: &catalog_model::Code| Disease {
        code: entry.code.clone(),
        name: entry.ja.clone(),
        icd10: entry.attributes.get("icd10").cloned().unwrap_or_default(),
    };
    codes.iter().map(|entry| (DiseaseCode(entry.code.clone()), disease(entry))).collect()
}

fn joined_drug(catalogue: &Catalogue, drug: DrugModel) -> Result<(DrugCode, Drug), ModelError> {
    let entry = catalogue.codes.get("drug").and_then(|system| system.get(&drug.code));
    let entry = entry.ok_or_else(|| unknown("drugs.toml", &drug.code))?;
    let joined = Drug {
        code: drug.code.clone(),
        name: entry.ja.clone(),
        units_per_day: drug.units_per_day,
        yen_per_unit: drug.yen_per_unit,
        route: drug.route,
    };
    Ok((DrugCode(drug.code), joined))
}

fn joined_procedure(
    catalogue: &Catalogue,
    procedure: &ProcedureModel,
) -> Result<(ProcedureCode, Procedure), ModelError> {
    let error = || unknown("procedures.toml", &procedure.code);
    let entry = catalogue.codes.get("procedure").and_then(|system| system.get(&procedure.code));
    let entry = entry.ok_or_else(error)?;
    let points = entry.attributes.get("points").and_then(|points| points.parse().ok());
    let joined = Procedure {
        code: procedure.code.clone(),
        name: entry.ja.clone(),
        points: points.ok_or_else(error)?,
        class: procedure.class.parse().map_err(|_| error())?,
    };
    Ok((ProcedureCode(procedure.code.clone()), joined))
}
