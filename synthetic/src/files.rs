//! How what is billed is written: one module for each family of files, and the delivery that they make up.

mod care_claim;
mod care_plan;
mod certification;
mod checkup;
mod delivery;
mod dental;
mod dpc;
mod draft;
mod form1;
mod identity;
mod life;
mod nursing;
mod pharmacy;
mod public;
mod receipts;

pub(crate) use delivery::{Counts, DeliveryWriter};
pub(crate) use draft::{Draft, DraftLine, Group, Planted};
pub(crate) use identity::{Written, register_kana};

use catalog_model::{Catalogue, Month};

use crate::SynthError;
use crate::billing::Books;
use crate::truth::Ledger;
use crate::writer::FamilyTemplates;

/// The templates of every family.
#[derive(Debug)]
pub(crate) struct Forms {
    pub(crate) receipts: FamilyTemplates,
    pub(crate) dpc_receipts: FamilyTemplates,
    pub(crate) payer_receipts: FamilyTemplates,
    pub(crate) pharmacy_receipts: FamilyTemplates,
    pub(crate) dental_receipts: FamilyTemplates,
    pub(crate) form1: FamilyTemplates,
    pub(crate) form4: FamilyTemplates,
    pub(crate) acts: FamilyTemplates,
    pub(crate) charges: FamilyTemplates,
    pub(crate) identities: FamilyTemplates,
    pub(crate) nursing: FamilyTemplates,
    pub(crate) care_claims: FamilyTemplates,
    pub(crate) certifications: FamilyTemplates,
    pub(crate) service_users: FamilyTemplates,
    pub(crate) municipalities: FamilyTemplates,
    pub(crate) inhabitants: FamilyTemplates,
    pub(crate) medical_areas: FamilyTemplates,
}

impl Forms {
    /// Compiles the layouts.
    pub(crate) fn new(catalogue: &Catalogue) -> Result<Self, SynthError> {
        let family = |name: &str| FamilyTemplates::new(catalogue, name);
        Ok(Self {
            receipts: family("ndb-medical")?,
            dpc_receipts: family("ndb-dpc")?,
            payer_receipts: family("ndb-medical-payer")?,
            pharmacy_receipts: family("ndb-pharmacy")?,
            dental_receipts: family("ndb-dental")?,
            form1: family("dpc-ff1")?,
            form4: family("dpc-ff4")?,
            acts: family("dpc-efn")?,
            charges: family("dpc-dn")?,
            identities: family("dpc-k-assumed")?,
            nursing: family("dpc-hn")?,
            // Every item of a data line stands in quotes, but not its kind and number (介護伝送ソフト).
            care_claims: family("care-claim")?
                .quoted_from(2, &["bill", "basic", "detail", "total", "plan", "management"]),
            certifications: family("care-certification")?,
            service_users: family("life-service-user")?,
            municipalities: family("public-municipality")?,
            inhabitants: family("public-population")?,
            medical_areas: family("public-medical-area")?,
        })
    }
}

/// A database whose deliveries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Public,
    Ndb,
    Dpc,
    Care,
}

impl Database {
    /// Its name in the catalogue.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Ndb => "ndb",
            Self::Dpc => "dpc",
            Self::Care => "care",
        }
    }

    /// Who hands its deliveries over.
    const fn holder(self) -> &'static str {
        match self {
            Self::Public => "総務省の統計の形（架空）",
            Self::Ndb => "審査支払機関（架空）",
            Self::Dpc => "DPC調査事務局（架空）",
            Self::Care => "国民健康保険団体連合会（架空）",
        }
    }
}

/// Writes one delivery.
pub(crate) fn deliver(
    books: Books<'_>,
    forms: &Forms,
    writer: DeliveryWriter<'_>,
    database: Database,
    month: Month,
) -> Result<(Ledger, Counts), SynthError> {
    match database {
        Database::Public => public::write(books, forms, writer, month),
        Database::Ndb => receipts::write(books, forms, writer, month),
        Database::Dpc => dpc::write(books, forms, writer, month),
        Database::Care => {
            let mut writer = writer;
            care_claim::write(books, forms, &mut writer, month)?;
            care_plan::write(books, forms, &mut writer, month)?;
            life::write(books, forms, &mut writer, month)?;
            certification::write(books, forms, &mut writer, month)?;
            writer.close()
        }
    }
}
