//! Medical receipts (UKE): one file for each facility, billing month and payer organisation.
//!
//! Receipts of service month M stand in the delivery of M, and their billing month is M + 1, as facilities bill until
//! the tenth of the month after. A few facilities bill a part a month late: those stand in the delivery of M + 1 with
//! the billing month M + 2. Hospitals of the DPC survey would bill inpatients with DPC receipts, which have no layout
//! yet; until then their stays stand here too, in the medical form.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::Month;

use super::Forms;
use super::delivery::{Counts, DeliveryWriter, Totals};
use super::draft::{Draft, DraftLine, Grouper};
use super::identity::{Written, full_width};
use crate::SynthError;
use crate::billing::{Books, Diagnosis, Item, Receipt, Run, bits, outpatient_receipts, stay_months};
use crate::calendar::Calendar;
use crate::dice::{Dice, Stream};
use crate::people::Relation;
use crate::truth::Ledger;
use crate::world::{Facility, InsurerKind};
use crate::writer::{FamilyTemplates, Line, WriteError};

// Percent of receipts that carry each record or field: what the ministry's reports name, rounded.
const ELIGIBILITY_RECORD: f64 = 95.0;
const KANA_NAME: f64 = 97.0;
const COMMENT: f64 = 6.0;
const PHONE_IN_COMMENT: f64 = 8.0;
const NARRATIVE: f64 = 12.0;
// Percent of the receipts of a late facility that come a month late.
const LATE: f64 = 25.0;

/// Writes the receipts of a service month.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    mut writer: DeliveryWriter<'_>,
    month: Month,
) -> Result<(Ledger, Counts), SynthError> {
    for ((facility, payer), receipts) in collect(books, month)? {
        let Some(facility) = books.world.facilities.get(facility) else { continue };
        let file = File { books, forms: &forms.receipts, facility, payer, claim_month: month.plus(1) };
        let draft = file.draft(&receipts, &mut writer.ledger)?;
        writer.file(draft, |draft, totals| file.close(draft, &totals))?;
    }
    writer.close()
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
}

impl<'t> File<'_, 't> {
    fn calendar(&self) -> Calendar {
        self.facility.style.calendar
    }

    fn prefecture(&self) -> &str {
        self.books.world.prefecture(self.facility.prefecture).map_or("", |place| place.code.as_str())
    }

    fn draft(&self, receipts: &[Receipt<'_>], ledger: &mut Ledger) -> Result<Draft<'t>, SynthError> {
        let path = format!("{}{}/RECEIPTC_{}.UKE", self.prefecture(), self.facility.code, self.payer);
        let mut draft = Draft::new(path, self.forms.family());
        draft.states_points = true;
        draft.header.push(self.institution()?);
        for (number, receipt) in (1_u32..).zip(receipts) {
            let Some(person) = Written::new(self.books, receipt.person, receipt.month) else { continue };
            let mut writing = Writing {
                file: self,
                receipt,
                dice: self.dice(receipt),
                person,
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

    fn institution(&self) -> Result<DraftLine<'t>, WriteError> {
        let mut line = Line::new(self.forms.record("IR")?);
        line.number("review_payer_code", self.payer)?
            .set("prefecture_code", self.prefecture())?
            .set("fee_table_code", "1")?
            .set("facility_code", &self.facility.code)?
            .set("facility_name", &self.facility.name)?
            .month("claim_month", self.claim_month, self.calendar())?
            .set("volume_no", "00")?
            .set("phone", &self.facility.phone)?;
        DraftLine::of(line)
    }

    fn close(&self, draft: &mut Draft<'t>, totals: &Totals) -> Result<(), WriteError> {
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
    lines: Grouper<'l, 't>,
}

impl<'t> Writing<'_, '_, 't> {
    fn receipt(&mut self, number: u32) -> Result<(), WriteError> {
        self.common(number)?;
        self.insurer()?;
        self.public_programme()?;
        self.eligibility()?;
        self.days()?;
        self.copayment()?;
        for (index, diagnosis) in self.receipt.diagnoses.iter().enumerate() {
            self.diagnosis(diagnosis, index == 0)?;
        }
        let mut class = 0;
        for run in &self.receipt.runs {
            self.run(run, run.class != class)?;
            class = run.class;
        }
        self.comment()?;
        self.narrative()
    }

    fn line(&self, record: &str) -> Result<Line<'t>, WriteError> {
        Ok(Line::new(self.file.forms.record(record)?))
    }

    fn common(&mut self, number: u32) -> Result<(), WriteError> {
        let (file, receipt, person) = (self.file, self.receipt, self.person);
        let (style, calendar) = (&file.facility.style, file.calendar());
        let mut line = self.line("RE")?;
        line.number("receipt_no", number)?
            .set("receipt_type", &receipt_type(receipt, &person))?
            .month("service_month", receipt.month, calendar)?
            .set("patient_name", &person.name(style))?
            .set("sex", person.person.sex.code())?
            .date("birth_date", person.person.birth, calendar)?;
        if person.insurer().is_some_and(|insurer| insurer.kind == InsurerKind::National) {
            line.number("benefit_ratio", 100 - own_share(receipt, &person))?;
        }
        if let Some(admitted) = receipt.admitted {
            line.date("admission_date", admitted, calendar)?.number("bed_count", file.facility.beds)?;
            line.set("ward_class", if receipt.is_long_term { "07" } else { "" })?;
        }
        let chart = person.chart_no(file.facility);
        line.set("chart_no", &chart)?;
        if style.chart_in_billing_info {
            line.set("billing_info", &format!("ID:{chart}"))?;
        }
        if self.dice.percent(KANA_NAME) {
            line.set("patient_name_kana", &person.kana(style.kana))?;
        }
        self.lines.push(line)
    }

    fn insurer(&mut self) -> Result<(), WriteError> {
        let (receipt, person) = (self.receipt, self.person);
        let card = person.card();
        let mut line = self.line("HO")?;
        let points = receipt.points();
        // The patient's share, in steps of ten yen.
        let copay = (points * own_share(receipt, &person) / 10 + 5) / 10 * 10;
        line.set("insurer_no", &person.insurer().map_or(String::new(), |insurer| insurer.padded_number()))?
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
        let card = self.person.card();
        let style = &self.file.facility.style;
        let mut line = self.line("SN")?;
        line.set("payer_kind", "1")?.set("check_class", "01")?;
        if style.card_repeated {
            line.set(
                "checked_insurer_no",
                self.person.insurer().map_or("", |insurer| insurer.number.as_str()),
            )?
            .set("checked_symbol", &card.symbol)?
            .set("checked_number", &card.number)?;
        }
        if let Some(branch) = card.branch {
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
fn own_share(receipt: &Receipt<'_>, person: &Written<'_>) -> u32 {
    match person.person.age_on(receipt.month.last_day()) {
        ..6 | 70..75 => 20,
        75.. => 10,
        _ => 30,
    }
}

/// レセプト種別: 1 medical, the insurance, the number of payers, and in or out by kind of patient.
fn receipt_type(receipt: &Receipt<'_>, person: &Written<'_>) -> String {
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
