//! Pharmacy receipts (調剤): what was prescribed at a facility that does not give medicine out itself.
//!
//! One pharmacy stands beside each such facility, under a code of its own. A prescription group (SH) with its drugs (IY)
//! and its dispensings (CZ) stands for a run of the prescriber's.

use super::delivery::{DeliveryWriter, Totals};
use super::draft::{Draft, DraftLine, Grouper};
use super::identity::Written;
use super::receipts::{decimal, own_share, receipt_type};
use crate::SynthError;
use crate::billing::{Books, Item, Receipt, Run, bits, date_of};
use crate::world::Facility;
use crate::writer::{FamilyTemplates, Line, WriteError};

/// Points for one dispensing, and its invented code.
const FEE: (u32, &str) = (24, "499900010");

/// Writes the file of the pharmacy beside a facility, where anybody went there.
pub(super) fn write(
    (books, forms): (Books<'_>, &FamilyTemplates),
    receipts: &[Receipt<'_>],
    (facility, payer): (&Facility, u8),
    writer: &mut DeliveryWriter<'_>,
) -> Result<(), SynthError> {
    let prescribed: Vec<&Receipt<'_>> =
        receipts.iter().filter(|receipt| !receipt.prescribed.is_empty()).collect();
    if prescribed.is_empty() {
        return Ok(());
    }
    let prefecture = books.world.prefecture(facility.prefecture).map_or("", |place| place.code.as_str());
    let code = format!("92{}", facility.code.get(2..).unwrap_or(""));
    let pharmacy = Pharmacy { forms, facility, payer, prefecture, code: &code };
    let mut draft = Draft::new(format!("{prefecture}{code}/RECEIPTY_{payer}.UKE"), forms.family());
    draft.states_points = true;
    for (number, receipt) in (1_u32..).zip(prescribed) {
        if draft.header.is_empty() {
            draft.header.push(pharmacy.head(receipt)?);
        }
        let Some(person) = Written::new(books, receipt.person, receipt.month) else { continue };
        let mut lines = Grouper::new(&mut writer.ledger, receipt.person, receipt.month);
        pharmacy.receipt((number, receipt), &person, &mut lines)?;
        draft.groups.push(lines.finish(points(receipt).into()));
    }
    writer.file(draft, |draft, totals| pharmacy.close(draft, &totals))
}

struct Pharmacy<'a, 't> {
    forms: &'t FamilyTemplates,
    facility: &'a Facility,
    payer: u8,
    prefecture: &'a str,
    code: &'a str,
}

fn of_run(run: &Run<'_>) -> u32 {
    run.days.count_ones() * (run.points * run.each + FEE.0)
}

fn points(receipt: &Receipt<'_>) -> u32 {
    receipt.prescribed.iter().map(of_run).sum()
}

impl<'t> Pharmacy<'_, 't> {
    fn line(&self, record: &str) -> Result<Line<'t>, WriteError> {
        Ok(Line::new(self.forms.record(record)?))
    }

    fn head(&self, receipt: &Receipt<'_>) -> Result<DraftLine<'t>, WriteError> {
        let mut line = self.line("YK")?;
        line.number("review_payer_code", self.payer)?
            .set("prefecture_code", self.prefecture)?
            .set("fee_table_code", "4")?
            .set("facility_code", self.code)?
            .month("claim_month", receipt.month.plus(1), self.facility.style.calendar)?
            .set("volume_no", "00")?;
        DraftLine::of(line)
    }

    fn receipt(
        &self,
        (number, receipt): (u32, &Receipt<'_>),
        person: &Written<'_>,
        lines: &mut Grouper<'_, 't>,
    ) -> Result<(), WriteError> {
        let (style, calendar) = (&self.facility.style, self.facility.style.calendar);
        let kind = receipt_type(receipt, person);
        let mut line = self.line("RE")?;
        line.number("receipt_no", number)?
            .set("receipt_type", &format!("4{}", kind.get(1..).unwrap_or("")))?
            .month("service_month", receipt.month, calendar)?
            .set("patient_name", &person.name(style))?
            .set("sex", person.person.sex.code())?
            .date("birth_date", person.person.birth, calendar)?
            .set("prescriber_prefecture", self.prefecture)?
            .set("prescriber_fee_table", "1")?
            .set("prescriber_code", &self.facility.code)?
            .set("patient_name_kana", &person.kana(style.kana))?;
        lines.push(line)?;
        let card = person.card();
        let total = points(receipt);
        let mut line = self.line("HO")?;
        line.set("insurer_no", &person.insurer().map_or(String::new(), |insurer| insurer.padded_number()))?
            .set("insured_symbol", &card.symbol)?
            .set("insured_number", &card.number)?
            .number("prescriptions", receipt.prescribed.len() as u64)?
            .number("total_points", total)?
            .number("copay_amount", (total * own_share(receipt, person) / 10 + 5) / 10 * 10)?;
        lines.push(line)?;
        for (number, run) in (1_u32..).zip(&receipt.prescribed) {
            self.prescription((number, run), receipt, lines)?;
        }
        Ok(())
    }

    fn prescription(
        &self,
        (number, run): (u32, &Run<'_>),
        receipt: &Receipt<'_>,
        lines: &mut Grouper<'_, 't>,
    ) -> Result<(), WriteError> {
        let mut line = self.line("SH")?;
        line.number("prescription_no", number)?.set("form_code", "1")?.number("unit_points", run.points)?;
        lines.push(line)?;
        for item in &run.items {
            let Item::Drug(drug, units) = item else { continue };
            let mut line = self.line("IY")?;
            line.set("burden_class", "1")?.set("drug_code", &drug.code)?.set("quantity", &decimal(*units))?;
            lines.push(line)?;
        }
        for bit in bits(run.days) {
            let day = date_of(receipt.month, bit);
            let calendar = self.facility.style.calendar;
            let mut line = self.line("CZ")?;
            line.date("prescribed_date", day, calendar)?
                .date("dispensed_date", day, calendar)?
                .set("reception_no", "1")?
                .number("quantity", run.each)?
                .set("fee_burden_class", "1")?
                .set("fee_code", FEE.1)?
                .number("fee_points", FEE.0)?
                .number("drug_points", run.points * run.each)?;
            lines.push(line)?;
        }
        Ok(())
    }

    fn close(&self, draft: &mut Draft<'t>, totals: &Totals) -> Result<(), WriteError> {
        let mut line = self.line("GO")?;
        line.number("total_receipts", totals.groups)?
            .number("total_points", totals.points)?
            .set("volume_no", "99")?;
        draft.trailer.push(DraftLine::of(line)?);
        Ok(())
    }
}
