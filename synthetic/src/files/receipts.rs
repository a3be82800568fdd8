//! Medical and DPC receipts (UKE): one file for each facility, billing month and payer organisation.
//!
//! Receipts of service month M stand in the delivery of M, and their billing month is M + 1, as facilities bill until
//! the tenth of the month after. A few facilities bill a part a month late: those stand in the delivery of M + 1 with
//! the billing month M + 2. The first hospital of the DPC survey bills its inpatients with DPC receipts; the others bill
//! them in the medical form, so that both are there. The files of a few facilities come as their payers hand them on.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use catalog_model::Month;

use super::Forms;
use super::delivery::{Counts, DeliveryWriter, Totals};
use super::dpc::dpc_code;
use super::draft::{Draft, DraftLine, Grouper};
use super::identity::{Written, full_width};
use super::{checkup, dental, pharmacy};
use crate::SynthError;
use crate::billing::{Books, Diagnosis, Item, Receipt, Run, bits, outpatient_receipts, stay_months};
use crate::calendar::Calendar;
use crate::dice::{Dice, Stream};
use crate::health::Reason;
use crate::people::{Card, Relation};
use crate::slips::{Errors, Shown};
use crate::truth::Ledger;
use crate::world::{Facility, FacilityKind, InsurerKind};
use crate::writer::{FamilyTemplates, Line, WriteError};

// Percent of receipts that carry each record or field: what the ministry's reports name, rounded.
const ELIGIBILITY_RECORD: f64 = 95.0;
const KANA_NAME: f64 = 97.0;
const COMMENT: f64 = 6.0;
const PHONE_IN_COMMENT: f64 = 8.0;
const NARRATIVE: f64 = 12.0;
// Percent of the receipts of a late facility that come a month late.
const LATE: f64 = 25.0;
// Of so many facilities one is written as its payers hand it on.
const FACILITIES_PER_PAYER_FILE: usize = 40;
// The class of service of the charge for the bed, which DPC bundles.
const LODGING: u8 = 90;

/// Writes the receipts of a service month.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    mut writer: DeliveryWriter<'_>,
    month: Month,
) -> Result<(Ledger, Counts), SynthError> {
    for ((facility, payer), receipts) in collect(books, month)? {
        let index = facility;
        let Some(facility) = books.world.facilities.get(index) else { continue };
        let claim_month = month.plus(1);
        let file =
            |forms, form| File { books, forms, facility, payer, claim_month, form, lines: Cell::new(0) };
        let (bundled, receipts): (Vec<_>, Vec<_>) =
            receipts.into_iter().partition(|receipt| is_bundled(books, receipt));
        let of_payer = index % FACILITIES_PER_PAYER_FILE == 1 && facility.kind == FacilityKind::Clinic;
        let (templates, form) =
            if of_payer { (&forms.payer_receipts, Form::Payer) } else { (&forms.receipts, Form::Medical) };
        for (receipts, file) in
            [(receipts, file(templates, form)), (bundled, file(&forms.dpc_receipts, Form::Dpc))]
        {
            if !receipts.is_empty() {
                let draft = file.draft(&receipts, &mut writer.ledger)?;
                writer.file(draft, |draft, totals| file.close(draft, &totals))?;
                pharmacy::write(
                    (books, &forms.pharmacy_receipts),
                    &receipts,
                    (facility, payer),
                    &mut writer,
                )?;
            }
        }
    }
    dental::write(books, &forms.dental_receipts, &mut writer, month)?;
    checkup::write(books, &mut writer, month)?;
    writer.close()
}

/// Whether a stay is billed by a DPC receipt.
fn is_bundled(books: Books<'_>, receipt: &Receipt<'_>) -> bool {
    let first = books.world.facilities.iter().position(|facility| facility.kind == FacilityKind::Dpc);
    receipt.admitted.is_some() && Some(receipt.facility) == first
}

/// The form that a file of receipts has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Medical,
    Dpc,
    /// The medical form behind three columns, as payers hand it on.
    Payer,
}

type Piles<'m> = BTreeMap<(usize, u8), Vec<Receipt<'m>>>;

/// The receipts of the month that come in time, and the late ones of the month before.
fn collect(books: Books<'_>, month: Month) -> Result<Piles<'_>, SynthError> {
    let late: BTreeSet<usize> = books
        .world
        .facilities
        .iter()
        .enumerate()
        .filter_map(|(index, facility)| facility.style.is_late.then_some(index))
        .collect();
    let mut piles = Piles::new();
    for (index, person) in books.population.persons.iter().enumerate() {
        add(books, index, month, &mut piles, |receipt| !is_late(books, &late, receipt))?;
        let before = month.plus(-1);
        let doctors = person.doctors.at(before);
        let visited = [doctors.clinic, doctors.specialist, doctors.dpc_hospital, doctors.other_hospital];
        if before >= books.population.period.from && visited.iter().any(|facility| late.contains(facility)) {
            add(books, index, before, &mut piles, |receipt| is_late(books, &late, receipt))?;
        }
    }
    Ok(piles)
}

fn add<'m>(
    books: Books<'m>,
    index: usize,
    month: Month,
    piles: &mut Piles<'m>,
    wanted: impl Fn(&Receipt<'_>) -> bool,
) -> Result<(), SynthError> {
    let outpatient = outpatient_receipts(books, index, month)?;
    let inpatient = stay_months(books, index, month)?.into_iter().map(|stay| stay.receipt);
    for receipt in inpatient.chain(outpatient).filter(wanted) {
        let Some(written) = Written::new(books, index, month) else { continue };
        let is_federation = written.insurer().is_some_and(|insurer| insurer.is_paid_by_federation());
        let payer = if is_federation { 2 } else { 1 };
        piles.entry((receipt.facility, payer)).or_default().push(receipt);
    }
    Ok(())
}

fn is_late(books: Books<'_>, late: &BTreeSet<usize>, receipt: &Receipt<'_>) -> bool {
    let id = (receipt.facility as u64) << 40 | receipt.person as u64;
    late.contains(&receipt.facility)
        && Dice::new(books.seed, Stream::Forms, id, receipt.month.index().unsigned_abs().into()).percent(LATE)
}

struct File<'f, 't> {
    books: Books<'f>,
    forms: &'t FamilyTemplates,
    facility: &'f Facility,
    payer: u8,
    claim_month: Month,
    form: Form,
    /// Lines that are written, which a payer's file counts.
    lines: Cell<u32>,
}

impl<'t> File<'_, 't> {
    fn calendar(&self) -> Calendar {
        self.facility.style.calendar
    }

    fn prefecture(&self) -> &str {
        self.books.world.prefecture(self.facility.prefecture).map_or("", |place| place.code.as_str())
    }

    fn draft(&self, receipts: &[Receipt<'_>], ledger: &mut Ledger) -> Result<Draft<'t>, SynthError> {
        let name = match self.form {
            Form::Medical => "RECEIPTC",
            Form::Dpc => "RECEIPTD",
            Form::Payer => "RECODEINFO",
        };
        let path = format!("{}{}/{name}_{}.UKE", self.prefecture(), self.facility.code, self.payer);
        let mut draft = Draft::new(path, self.forms.family());
        draft.states_points = self.form == Form::Medical;
        if self.form != Form::Payer {
            draft.header.push(DraftLine::of(self.institution()?)?);
        }
        for (number, receipt) in (1_u32..).zip(receipts) {
            let Some(person) = Written::new(self.books, receipt.person, receipt.month) else { continue };
            let shown = |errors: &Errors<'_>| {
                errors.shown(self.books, receipt.person, receipt.facility, receipt.month)
            };
            let mut writing = Writing {
                file: self,
                receipt,
                dice: self.dice(receipt),
                person,
                shown: self.books.errors.and_then(shown),
                lines: Grouper::new(ledger, receipt.person, receipt.month),
            };
            writing.receipt(number)?;
            draft.groups.push(writing.lines.finish(receipt.points().into()));
        }
        Ok(draft)
    }

    fn dice(&self, receipt: &Receipt<'_>) -> Dice {
        let id = (receipt.facility as u64) << 40 | (receipt.person as u64) << 8;
        let stay = receipt.admitted.map_or(0, |day| day.days().unsigned_abs());
        let when = u64::from(receipt.month.index().unsigned_abs()) << 32 | u64::from(stay);
        Dice::new(self.books.seed, Stream::Writing, id, when)
    }

    fn line(&self, record: &str) -> Result<Line<'t>, WriteError> {
        let mut line = Line::new(self.forms.record(record)?);
        if self.form == Form::Payer {
            self.lines.set(self.lines.get() + 1);
            let class = if record == "MN" { "8" } else { "1" };
            line.set("data_class", class)?.number("line_no", self.lines.get())?.set("line_branch", "0")?;
        }
        Ok(line)
    }

    fn institution(&self) -> Result<Line<'t>, WriteError> {
        let mut line = self.line("IR")?;
        line.number("review_payer_code", self.payer)?
            .set("prefecture_code", self.prefecture())?
            .set("fee_table_code", "1")?
            .set("facility_code", &self.facility.code)?
            .set("facility_name", &self.facility.name)?
            .month("claim_month", self.claim_month, self.calendar())?
            .set("volume_no", "00")?
            .set("phone", &self.facility.phone)?;
        Ok(line)
    }

    fn close(&self, draft: &mut Draft<'t>, totals: &Totals) -> Result<(), WriteError> {
        if self.form == Form::Payer {
            return Ok(());
        }
        let mut line = Line::new(self.forms.record("GO")?);
        line.number("total_receipts", totals.groups)?
            .number("total_points", totals.points)?
            .set("volume_no", "99")?;
        draft.trailer.push(DraftLine::of(line)?);
        Ok(())
    }
}

struct Writing<'w, 'l, 't> {
    file: &'w File<'w, 't>,
    receipt: &'w Receipt<'w>,
    person: Written<'w>,
    dice: Dice,
    /// How the receipt shows the person, where identities are made wrong.
    shown: Option<Shown>,
    lines: Grouper<'l, 't>,
}

impl<'t> Writing<'_, '_, 't> {
    fn receipt(&mut self, number: u32) -> Result<(), WriteError> {
        if self.file.form == Form::Payer {
            self.management(number)?;
        }
        self.common(number)?;
        self.insurer()?;
        self.public_programme()?;
        self.eligibility()?;
        self.days()?;
        self.copayment()?;
        if self.file.form == Form::Dpc {
            self.bundle()?;
        } else {
            for (index, diagnosis) in self.receipt.diagnoses.iter().enumerate() {
                self.diagnosis(diagnosis, index == 0)?;
            }
        }
        let mut class = 0;
        let is_bundled = |run: &&Run<'_>| self.file.form == Form::Dpc && run.class == LODGING;
        for run in self.receipt.runs.iter().filter(|run| !is_bundled(run)).collect::<Vec<_>>() {
            self.run(run, run.class != class)?;
            class = run.class;
        }
        self.comment()?;
        self.narrative()
    }

    fn line(&self, record: &str) -> Result<Line<'t>, WriteError> {
        self.file.line(record)
    }

    /// What the payers put in front of a receipt: its number with them, and the facility.
    fn management(&mut self, number: u32) -> Result<(), WriteError> {
        let file = self.file;
        let month = file.claim_month;
        let mut line = self.line("MN")?;
        let code = &file.facility.code;
        let (year, of_year) = (month.year() % 100, month.month());
        let management = format!("{year:02}{of_year:02}{code}{}{number:04}", file.payer);
        line.set("receipt_management_no", &management)?;
        self.lines.push(line)?;
        let institution = file.institution()?;
        self.lines.push(institution)
    }

    /// What a DPC receipt says instead of diagnoses and of the charge for the bed: group, diseases, bundled points.
    fn bundle(&mut self) -> Result<(), WriteError> {
        let (receipt, calendar) = (self.receipt, self.file.calendar());
        let stays = &self.person.person.health.stays;
        let stay = stays.iter().find(|stay| Some(stay.admitted) == receipt.admitted);
        let admission = stay.and_then(|stay| match stay.reason {
            Reason::Acute(index) => Some((stay, self.file.books.model.admissions.get(index)?)),
            Reason::Rehabilitation(_) | Reason::LongStay(_) => None,
        });
        if let Some((stay, admission)) = admission {
            let mut line = self.line("BU")?;
            line.set("dpc_code", &dpc_code(admission, stay))?.date(
                "admission_date",
                stay.admitted,
                calendar,
            )?;
            if stay.discharged.month() == receipt.month {
                line.date("discharge_date", stay.discharged, calendar)?
                    .set("outcome", if stay.died { "6" } else { "2" })?;
            }
            self.lines.push(line)?;
        }
        for (diagnosis, class) in receipt.diagnoses.iter().zip(["22", "31", "31", "31"]) {
            let mut line = self.line("SB")?;
            line.set("disease_code", &diagnosis.disease.code)?
                .set("modifier_codes", if diagnosis.is_suspected { "8002" } else { "" })?
                .set("disease_text", diagnosis.text.unwrap_or(""))?
                .set("disease_class", class)?;
            self.lines.push(line)?;
        }
        let mut line = self.line("KK")?;
        line.set("emergency_class", "1")?
            .number("age", receipt.admitted.map_or(0, |day| self.person.person.age_on(day)).unsigned_abs())?;
        self.lines.push(line)?;
        for run in receipt.runs.iter().filter(|run| run.class == LODGING) {
            let mut line = self.line("HH")?;
            line.month("bundle_month", receipt.month, calendar)?
                .set("adjust_class", "1")?
                .set("burden_class", "1")?
                .set("period_class", "1")?
                .number("period_points", run.points)?
                .number("period_days", run.times().min(31))?
                .number("bundle_points", run.points * run.times())?;
            self.lines.push(line)?;
        }
        Ok(())
    }

    fn common(&mut self, number: u32) -> Result<(), WriteError> {
        let (file, receipt, person) = (self.file, self.receipt, self.person);
        let (style, calendar) = (&file.facility.style, file.calendar());
        let mut line = self.line("RE")?;
        line.number("receipt_no", number)?
            .set("receipt_type", &receipt_type(receipt, &person))?
            .month("service_month", receipt.month, calendar)?
            .set("patient_name", &self.shown.as_ref().map_or_else(|| person.name(style), |s| s.name.clone()))?
            .set("sex", person.person.sex.code())?
            .date("birth_date", self.shown.as_ref().map_or(person.person.birth, |s| s.birth), calendar)?;
        if person.insurer().is_some_and(|insurer| insurer.kind == InsurerKind::National) {
            line.number("benefit_ratio", 100 - own_share(receipt, &person))?;
        }
        if let Some(admitted) = receipt.admitted {
            line.date("admission_date", admitted, calendar)?;
            if file.form != Form::Dpc {
                line.number("bed_count", file.facility.beds)?;
            }
            line.set("ward_class", if receipt.is_long_term { "07" } else { "" })?;
        }
        let chart = person.chart_no(file.facility);
        line.set("chart_no", &chart)?;
        if style.chart_in_billing_info {
            line.set("billing_info", &format!("ID:{chart}"))?;
        }
        if self.dice.percent(KANA_NAME) {
            let written = || Some(person.kana(style.kana));
            let kana = self.shown.as_ref().map_or_else(written, |shown| shown.kana.clone());
            line.set("patient_name_kana", &kana.unwrap_or_default())?;
        }
        self.lines.push(line)
    }

    /// The card that was shown.
    fn card(&self) -> &Card {
        self.shown.as_ref().map_or_else(|| self.person.card(), |shown| &shown.card)
    }

    fn insurer(&mut self) -> Result<(), WriteError> {
        let (receipt, person, card) = (self.receipt, self.person, self.card());
        let insurer = self.file.books.world.insurers.get(card.insurer);
        let mut line = self.line("HO")?;
        let points = receipt.points();
        // The patient's share, in steps of ten yen.
        let copay = (points * own_share(receipt, &person) / 10 + 5) / 10 * 10;
        line.set("insurer_no", &insurer.map_or(String::new(), |insurer| insurer.padded_number()))?
            .set("insured_symbol", &self.as_written(&card.symbol))?
            .set("insured_number", &self.as_written(&card.number))?
            .number("service_days", receipt.days.count_ones())?
            .number("total_points", points)?
            .number("copay_amount", copay)?;
        if receipt.meals > 0 {
            line.number("meal_count", receipt.meals)?.number("meal_amount", receipt.meal_yen())?;
        }
        self.lines.push(line)
    }

    fn public_programme(&mut self) -> Result<(), WriteError> {
        let Some(law) = self.receipt.public_law else { return Ok(()) };
        let place = self.file.prefecture();
        let digits = format!("{law}{place}901");
        let check = crate::world::check_digit(&digits);
        let mut line = self.line("KO")?;
        line.set("public_payer_no", &format!("{digits}{check}"))?
            .set("public_recipient_no", &self.person.recipient_no())?
            .number("service_days", self.receipt.days.count_ones())?
            .number("total_points", self.receipt.points())?;
        self.lines.push(line)
    }

    fn eligibility(&mut self) -> Result<(), WriteError> {
        if !self.dice.percent(ELIGIBILITY_RECORD) {
            return Ok(());
        }
        let card = self.card();
        let insurer = self.file.books.world.insurers.get(card.insurer);
        let branch = self.shown.as_ref().map_or(card.branch, |shown| shown.branch);
        let style = &self.file.facility.style;
        let mut line = self.line("SN")?;
        line.set("payer_kind", "1")?.set("check_class", "01")?;
        if style.card_repeated {
            line.set("checked_insurer_no", insurer.map_or("", |insurer| insurer.number.as_str()))?
                .set("checked_symbol", &card.symbol)?
                .set("checked_number", &card.number)?;
        }
        if let Some(branch) = branch {
            let branch = if style.branch_without_zero { branch.to_string() } else { format!("{branch:02}") };
            line.set("branch_no", &branch)?;
        }
        self.lines.push(line)
    }

    fn days(&mut self) -> Result<(), WriteError> {
        let mut line = self.line("JD")?;
        line.set("payer_kind", "1")?;
        for bit in bits(self.receipt.days) {
            line.set_nth("day", bit as usize, "1")?;
        }
        self.lines.push(line)
    }

    fn copayment(&mut self) -> Result<(), WriteError> {
        let mut line = self.line("MF")?;
        line.set("counter_copay_class", "00")?;
        self.lines.push(line)
    }

    fn diagnosis(&mut self, diagnosis: &Diagnosis<'_>, is_main: bool) -> Result<(), WriteError> {
        let mut line = self.line("SY")?;
        line.set("disease_code", &diagnosis.disease.code)?
            .date("start_date", diagnosis.start, self.file.calendar())?
            .set("outcome", diagnosis.outcome)?
            .set("modifier_codes", if diagnosis.is_suspected { "8002" } else { "" })?
            .set("disease_text", diagnosis.text.unwrap_or(""))?
            .set("main_disease", if is_main && !diagnosis.is_suspected { "01" } else { "" })?;
        self.lines.push(line)
    }

    /// The lines of a run: the class of service on the first of its block, the points on the last of the run.
    fn run(&mut self, run: &Run<'_>, begins_class: bool) -> Result<(), WriteError> {
        for (index, item) in run.items.iter().enumerate() {
            let mut line = match item {
                Item::Procedure(procedure) => {
                    let mut line = self.line("SI")?;
                    line.set("procedure_code", &procedure.code)?;
                    line
                }
                Item::Drug(drug, units) => {
                    let mut line = self.line("IY")?;
                    line.set("drug_code", &drug.code)?.set("quantity", &decimal(*units))?;
                    line
                }
                Item::Material(material) => {
                    let mut line = self.line("TO")?;
                    line.set("material_code", &material.code)?
                        .set("quantity", "1")?
                        .number("unit_price", material.yen)?
                        .set("product_name_size", &material.name)?;
                    line
                }
            };
            if begins_class && index == 0 {
                line.set("service_class", &format!("{:02}", run.class))?;
            }
            if index + 1 == run.items.len() {
                line.number("points", run.points)?;
            }
            line.set("burden_class", if self.receipt.public_law.is_some() { "2" } else { "1" })?
                .number("times", run.times())?;
            let each = run.each.to_string();
            for bit in bits(run.days) {
                line.set_nth("day", bit as usize, &each)?;
            }
            self.lines.push(line)?;
        }
        Ok(())
    }

    fn comment(&mut self) -> Result<(), WriteError> {
        if !self.dice.percent(COMMENT) {
            return Ok(());
        }
        let mut line = self.line("CO")?;
        line.set("service_class", "99")?.set("burden_class", "1")?.set("comment_code", "810000001")?;
        // Free text may hold anything; here now and then a telephone number.
        if self.dice.percent(PHONE_IN_COMMENT) {
            let phone = full_width(&self.person.phone());
            line.set("comment_text", &format!("家族へ連絡済　電話　{phone}"))?.mention("phone", &phone);
        } else {
            line.set("comment_text", "検査結果を説明し、次回の受診を指示した。")?;
        }
        self.lines.push(line)
    }

    fn narrative(&mut self) -> Result<(), WriteError> {
        if self.receipt.admitted.is_none() || !self.dice.percent(NARRATIVE) {
            return Ok(());
        }
        let name = self.person.name(&self.file.facility.style);
        let disease =
            self.receipt.diagnoses.first().map_or("", |first| first.text.unwrap_or(&first.disease.name));
        let mut line = self.line("SJ")?;
        line.set("symptom_class", "01")?
            .set("symptom_text", &format!("{name}　様は、{disease}のため入院し、治療を継続している。"))?
            .mention("name", &name);
        self.lines.push(line)
    }

    fn as_written(&self, number: &str) -> String {
        if self.file.facility.style.full_width_numbers { full_width(number) } else { number.to_owned() }
    }
}

/// The percent that the patient pays: by age, as the law has it for ordinary incomes.
pub(super) fn own_share(receipt: &Receipt<'_>, person: &Written<'_>) -> u32 {
    match person.person.age_on(receipt.month.last_day()) {
        ..6 | 70..75 => 20,
        75.. => 10,
        _ => 30,
    }
}

/// レセプト種別: 1 medical, the insurance, the number of payers, and in or out by kind of patient.
pub(super) fn receipt_type(receipt: &Receipt<'_>, person: &Written<'_>) -> String {
    let is_elderly = person.insurer().is_some_and(|insurer| insurer.kind == InsurerKind::Elderly);
    let age = person.person.age_on(receipt.month.last_day());
    let outpatient = match (age, person.card().relation) {
        (..6, _) => 4,
        (70.., _) => 8,
        (_, Relation::Own) => 2,
        (_, Relation::Family) => 6,
    };
    let last = if receipt.admitted.is_some() { outpatient - 1 } else { outpatient };
    let insurance = if is_elderly { 3 } else { 1 };
    let payers = if receipt.public_law.is_some() { 2 } else { 1 };
    format!("1{insurance}{payers}{last}")
}

/// A quantity with at most five places and no zeros at the end.
pub(super) fn decimal(value: f64) -> String {
    let text = format!("{value:.5}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn quantities_have_no_idle_zeros() {
        assert_eq!([1.0, 0.14286, 3.99998, 90.0].map(decimal), ["1", "0.14286", "3.99998", "90"]);
    }
}
