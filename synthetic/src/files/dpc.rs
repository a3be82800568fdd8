//! The DPC survey's files: what each of its hospitals sends for a month.
//!
//! 様式1 and 様式4 hold the stays that end in the month; EF, D and K files hold what was done in it, so a stay over two
//! months stands in both, the first time without a day of discharge.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Date, Month};

use super::Forms;
use super::delivery::{Counts, DeliveryWriter};
use super::draft::{Draft, Grouper};
use super::form1;
use super::identity::Written;
use super::nursing;
use super::receipts::decimal;
use crate::SynthError;
use crate::billing::{Books, Item, Run, StayMonth, bits, date_of, facility_of, stay_months};
use crate::calendar::Calendar;
use crate::dice::whole;
use crate::health::{Reason, Stay, Ward};
use crate::model::Admission;
use crate::truth::Ledger;
use crate::world::Facility;
use crate::writer::{FamilyTemplates, Line, WriteError};

const WESTERN: Calendar = Calendar::Western;
const NO_DATE: &str = "00000000";

/// Writes a month of the survey.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    mut writer: DeliveryWriter<'_>,
    month: Month,
) -> Result<(Ledger, Counts), SynthError> {
    for (facility, stays) in collect(books, month)? {
        let Some(facility) = books.world.facilities.get(facility) else { continue };
        let code = facility.dpc_code(books.world);
        let hospital = Hospital { books, facility, code: &code, month };
        let ended: Vec<&StayMonth<'_>> =
            stays.iter().filter(|stay| stay.stay.discharged.month() == month).collect();
        if !ended.is_empty() {
            let draft = form1::draft(&hospital, &forms.form1, &ended, &mut writer.ledger)?;
            writer.plain_file(draft)?;
            let draft = hospital.form4(&forms.form4, &ended, &mut writer.ledger)?;
            writer.plain_file(draft)?;
        }
        for draft in [
            hospital.acts(&forms.acts, &stays, &mut writer.ledger)?,
            hospital.charges(&forms.charges, &stays, &mut writer.ledger)?,
            hospital.identities(&forms.identities, &stays, &mut writer.ledger)?,
        ] {
            writer.plain_file(draft)?;
        }
        if let Some(draft) = nursing::draft(&hospital, &forms.nursing, &stays, &mut writer.ledger)? {
            writer.plain_file(draft)?;
        }
    }
    writer.close()
}

/// The stays in hospitals of the survey that lie in the month, by hospital.
fn collect(books: Books<'_>, month: Month) -> Result<BTreeMap<usize, Vec<StayMonth<'_>>>, SynthError> {
    let mut stays: BTreeMap<usize, Vec<StayMonth<'_>>> = BTreeMap::new();
    for (index, person) in books.population.persons.iter().enumerate() {
        if !person.health.stays.iter().any(|stay| stay.ward == Ward::Dpc) {
            continue;
        }
        for stay in stay_months(books, index, month)? {
            if stay.stay.ward == Ward::Dpc {
                stays.entry(facility_of(person, stay.stay)).or_default().push(stay);
            }
        }
    }
    Ok(stays)
}

/// A hospital in a month.
pub(super) struct Hospital<'a> {
    pub(super) books: Books<'a>,
    pub(super) facility: &'a Facility,
    pub(super) code: &'a str,
    pub(super) month: Month,
}

impl<'a> Hospital<'a> {
    /// The person of a stay, as known when it began.
    pub(super) fn patient(&self, stay: &StayMonth<'_>) -> Option<Written<'a>> {
        Written::new(self.books, stay.receipt.person, self.month)
    }

    /// Why the person is in hospital.
    pub(super) fn admission(&self, stay: &Stay) -> Option<&'a Admission> {
        match stay.reason {
            Reason::Acute(index) => self.books.model.admissions.get(index),
            Reason::Rehabilitation(_) | Reason::LongStay(_) => None,
        }
    }

    /// An empty file of a form.
    pub(super) fn file<'t>(&self, prefix: &str, forms: &'t FamilyTemplates) -> Draft<'t> {
        let (year, month) = (self.month.year() % 100, self.month.month());
        Draft::new(format!("{prefix}_{}_{year:02}{month:02}.txt", self.code), forms.family())
    }

    fn form4<'t>(
        &self,
        forms: &'t FamilyTemplates,
        stays: &[&StayMonth<'_>],
        ledger: &mut Ledger,
    ) -> Result<Draft<'t>, SynthError> {
        let mut draft = self.file("FF4", forms);
        for stay in stays {
            let Some(patient) = self.patient(stay) else { continue };
            let mut line = Line::new(forms.record("stay")?);
            // One stay in a hundred or so has a part that the insurance does not cover.
            let mix = if stay.receipt.person % 89 == 0 { "2" } else { "1" };
            line.set("facility_code", self.code)?
                .set("data_id", &patient.data_id(self.facility))?
                .date("admission_date", stay.stay.admitted, WESTERN)?
                .date("discharge_date", stay.stay.discharged, WESTERN)?
                .set("insurance_mix", mix)?;
            let mut group = Grouper::new(ledger, patient.index, self.month);
            group.push(line)?;
            draft.groups.push(group.finish(0));
        }
        Ok(draft)
    }

    fn identities<'t>(
        &self,
        forms: &'t FamilyTemplates,
        stays: &[StayMonth<'_>],
        ledger: &mut Ledger,
    ) -> Result<Draft<'t>, SynthError> {
        let mut draft = self.file("Kn", forms);
        let mut seen = BTreeSet::new();
        for stay in stays {
            let Some(patient) = self.patient(stay).filter(|patient| seen.insert(patient.index)) else {
                continue;
            };
            let mut line = Line::new(forms.record("row")?);
            line.set("facility_code", self.code)?
                .set("data_id", &patient.data_id(self.facility))?
                .month("data_month", self.month, WESTERN)?
                .date("birth_date", patient.person.birth, WESTERN)?
                .set("sex", patient.person.sex.code())?
                .set("kana_name", &patient.kana(self.facility.style.kana))?;
            let mut group = Grouper::new(ledger, patient.index, self.month);
            group.push(line)?;
            draft.groups.push(group.finish(0));
        }
        Ok(draft)
    }

    fn acts<'t>(
        &self,
        forms: &'t FamilyTemplates,
        stays: &[StayMonth<'_>],
        ledger: &mut Ledger,
    ) -> Result<Draft<'t>, SynthError> {
        let mut draft = self.file("EFn", forms);
        for stay in stays {
            let Some(patient) = self.patient(stay) else { continue };
            let mut group = Grouper::new(ledger, patient.index, self.month);
            let mut sequence = 0_u32;
            for run in &stay.receipt.runs {
                for bit in bits(run.days) {
                    sequence += 1;
                    let act =
                        Act { hospital: self, stay, patient, run, sequence, day: date_of(self.month, bit) };
                    act.write(forms, &mut group)?;
                }
            }
            draft.groups.push(group.finish(0));
        }
        Ok(draft)
    }

    fn charges<'t>(
        &self,
        forms: &'t FamilyTemplates,
        stays: &[StayMonth<'_>],
        ledger: &mut Ledger,
    ) -> Result<Draft<'t>, SynthError> {
        let mut draft = self.file("Dn", forms);
        for stay in stays {
            let Some(patient) = self.patient(stay) else { continue };
            let mut group = Grouper::new(ledger, patient.index, self.month);
            group.push(self.per_diem(forms, stay, &patient)?)?;
            // What stands beside the per-diem: operations, rehabilitation, meals.
            let beside = stay.receipt.runs.iter().filter(|run| matches!(run.class, 50 | 80 | 97));
            for (sequence, run) in (2_u32..).zip(beside) {
                group.push(self.charge(forms, stay, &patient, (run, sequence))?)?;
            }
            draft.groups.push(group.finish(0));
        }
        Ok(draft)
    }

    fn charge_head<'t>(
        &self,
        forms: &'t FamilyTemplates,
        stay: &StayMonth<'_>,
        patient: &Written<'_>,
    ) -> Result<Line<'t>, WriteError> {
        let mut line = Line::new(forms.record("act")?);
        line.set("facility_code", self.code)?
            .set("data_id", &patient.data_id(self.facility))?
            .set("discharge_date", &self.discharge(stay.stay))?
            .date("admission_date", stay.stay.admitted, WESTERN)?
            .set("insurer_no", &patient.insurer().map_or(String::new(), |insurer| insurer.padded_number()))?
            .set("receipt_type_code", "1117")?
            .set(
                "department",
                self.admission(stay.stay).map_or("", |admission| admission.department.as_str()),
            )?
            .set("ward_class", "0")?
            .set("inpatient_outpatient", "1")?;
        Ok(line)
    }

    fn per_diem<'t>(
        &self,
        forms: &'t FamilyTemplates,
        stay: &StayMonth<'_>,
        patient: &Written<'_>,
    ) -> Result<Line<'t>, WriteError> {
        let days = stay.receipt.days;
        let first = date_of(self.month, days.trailing_zeros());
        let last = date_of(self.month, 31 - days.leading_zeros());
        let mut line = self.charge_head(forms, stay, patient)?;
        line.set("data_category", "93")?
            .set("sequence_no", "0001")?
            .set("act_name", "診断群分類による包括評価")?
            .number("act_points", per_diem(stay.stay, first))?
            .number("act_drug_fee", 0_u32)?
            .number("act_material_fee", 0_u32)?
            .set("yen_point_flag", "0")?
            .number("act_count", days.count_ones())?
            .date("performed_date", first, WESTERN)?
            .date("calc_start_date", first, WESTERN)?
            .date("calc_end_date", last, WESTERN)?
            .date("calc_origin_date", stay.stay.admitted, WESTERN)?
            .set("dpc_code", &self.admission(stay.stay).map_or(String::new(), |a| dpc_code(a, stay.stay)))?
            .set("hospital_coefficient", &format!("1.{:04}", 2000 + self.facility.beds % 97 * 13))?;
        Ok(line)
    }

    fn charge<'t>(
        &self,
        forms: &'t FamilyTemplates,
        stay: &StayMonth<'_>,
        patient: &Written<'_>,
        (run, sequence): (&Run<'_>, u32),
    ) -> Result<Line<'t>, WriteError> {
        let mut line = self.charge_head(forms, stay, patient)?;
        let (code, name) = run.items.first().map_or(("", ""), named);
        line.set("data_category", &format!("{:02}", run.class))?
            .set("sequence_no", &format!("{sequence:04}"))?
            .set("receipt_code", code)?
            .set("act_name", name)?
            .number("act_points", run.points)?
            .number("act_drug_fee", 0_u32)?
            .number("act_material_fee", 0_u32)?
            .set("yen_point_flag", if run.is_in_yen() { "1" } else { "0" })?
            .number("act_count", run.times())?
            .date("performed_date", date_of(self.month, run.days.trailing_zeros()), WESTERN)?;
        Ok(line)
    }

    /// The day of discharge, where it is known when the month is sent in.
    pub(super) fn discharge(&self, stay: &Stay) -> String {
        if stay.discharged.month() == self.month {
            crate::calendar::day(stay.discharged, WESTERN)
        } else {
            NO_DATE.to_owned()
        }
    }
}

/// The 14 characters of a stay's classification.
pub(super) fn dpc_code(admission: &Admission, stay: &Stay) -> String {
    let (operated, plain) = &admission.codes;
    format!("{}{}", admission.dpc6, if stay.operated.is_some() { operated } else { plain })
}

// Points a day fall with the length of stay.
fn per_diem(stay: &Stay, first: Date) -> u32 {
    match first.days() - stay.admitted.days() {
        ..10 => 2950,
        10..25 => 2180,
        _ => 1840,
    }
}

fn named<'i>(item: &Item<'i>) -> (&'i str, &'i str) {
    (item.code(), item.name())
}

/// An act on a day: the line of the act (E, detail 000) and one for each of its items (F, from 001 on).
struct Act<'w, 'a> {
    hospital: &'w Hospital<'a>,
    stay: &'w StayMonth<'w>,
    patient: Written<'a>,
    run: &'w Run<'w>,
    sequence: u32,
    day: Date,
}

impl Act<'_, '_> {
    fn write<'t>(&self, forms: &'t FamilyTemplates, group: &mut Grouper<'_, 't>) -> Result<(), WriteError> {
        group.push(self.act(forms)?)?;
        for (number, item) in (1_u32..).zip(&self.run.items) {
            group.push(self.detail(forms, number, item)?)?;
        }
        Ok(())
    }

    fn head<'t>(&self, forms: &'t FamilyTemplates, detail: u32) -> Result<Line<'t>, WriteError> {
        let hospital = self.hospital;
        let mut line = Line::new(forms.record("act")?);
        line.set("facility_code", hospital.code)?
            .set("data_id", &self.patient.data_id(hospital.facility))?
            .set("discharge_date", &hospital.discharge(self.stay.stay))?
            .date("admission_date", self.stay.stay.admitted, WESTERN)?
            .set("data_category", &format!("{:02}", self.run.class))?
            .set("sequence_no", &format!("{:04}", self.sequence))?
            .set("detail_no", &format!("{detail:03}"))?
            .set(
                "insurer_no",
                &self.patient.insurer().map_or(String::new(), |insurer| insurer.padded_number()),
            )?
            .set("receipt_type_code", "1117")?
            .date("performed_date", self.day, WESTERN)?
            .set("department", hospital.admission(self.stay.stay).map_or("", |a| a.department.as_str()))?
            .set("ward_class", "0")?
            .set("inpatient_outpatient", "1")?
            .set("facility_type", "100")?
            .set("yen_point_flag", if self.run.is_in_yen() { "1" } else { "0" })?;
        Ok(line)
    }

    fn act<'t>(&self, forms: &'t FamilyTemplates) -> Result<Line<'t>, WriteError> {
        let mut line = self.head(forms, 0)?;
        let (code, name) = self.run.items.first().map_or(("", ""), named);
        let is_drug = matches!(self.run.items.first(), Some(Item::Drug(..)));
        let is_material = matches!(self.run.items.first(), Some(Item::Material(_)));
        let fee = |applies: bool| if applies { self.run.points } else { 0 };
        line.set("receipt_code", code)?
            .set("detail_name", name)?
            .number("ffs_actual_points", self.run.points * self.run.each)?
            .set("detail_flags", "000010000000")?
            .number("act_points", self.run.points)?
            .number("act_drug_fee", fee(is_drug))?
            .number("act_material_fee", fee(is_material))?
            .number("act_count", self.run.each)?;
        Ok(line)
    }

    fn detail<'t>(
        &self,
        forms: &'t FamilyTemplates,
        number: u32,
        item: &Item<'_>,
    ) -> Result<Line<'t>, WriteError> {
        let mut line = self.head(forms, number)?;
        let (code, name) = named(item);
        let (quantity, points) = match item {
            Item::Procedure(procedure) => (1.0, procedure.points),
            Item::Drug(drug, units) => (*units, whole(units * drug.yen_per_unit / 10.0)),
            Item::Material(material) => (1.0, material.yen / 10),
        };
        // 包括対象項目: everything but operations, rehabilitation and meals.
        let is_bundled = !matches!(self.run.class, 50 | 80 | 97);
        line.set("receipt_code", code)?
            .set("detail_name", name)?
            .set("quantity", &decimal(quantity))?
            .number("detail_points_or_amount", points)?
            .set("detail_flags", if is_bundled { "010010000000" } else { "000010000000" })?;
        Ok(line)
    }
}
