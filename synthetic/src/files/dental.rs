//! Dental receipts (歯科): a visit to the dentist now and then, one file for each dentist, month and payer organisation.
//!
//! A dentist stands beside each clinic, under a code of its own. One of a few persons goes there in a month, so that the
//! files are there and few.

use std::collections::BTreeMap;

use catalog_model::Month;

use super::delivery::{DeliveryWriter, Totals};
use super::draft::{Draft, DraftLine, Grouper};
use super::identity::Written;
use super::receipts::{own_share, receipt_type};
use crate::SynthError;
use crate::billing::{Books, Receipt, bits, date_of, free_days};
use crate::dice::{Dice, Stream};
use crate::truth::Ledger;
use crate::world::Facility;
use crate::writer::{FamilyTemplates, Line, WriteError};

/// Of so many persons one goes to the dentist in a month.
const PERSONS_PER_VISIT: usize = 90;
/// What is done there, in invented codes: class of service, code, points.
const VISIT: [(&str, &str, u32); 2] = [("11", "399900010", 264), ("40", "399900020", 172)];
/// 齲蝕, in an invented code.
const CARIES: &str = "9990900";

/// A visit: who, on which day, at which tooth.
struct Visit<'m> {
    receipt: Receipt<'m>,
    day: u32,
    tooth: String,
}

/// Writes the dental receipts of a service month.
pub(super) fn write(
    books: Books<'_>,
    forms: &FamilyTemplates,
    writer: &mut DeliveryWriter<'_>,
    month: Month,
) -> Result<(), SynthError> {
    let mut piles: BTreeMap<(usize, u8), Vec<Visit<'_>>> = BTreeMap::new();
    let turn = month.index().unsigned_abs() as usize;
    for index in
        (0..books.population.persons.len()).filter(|index| (index + turn).is_multiple_of(PERSONS_PER_VISIT))
    {
        if let Some((payer, visit)) = visit(books, index, month) {
            piles.entry((visit.receipt.facility, payer)).or_default().push(visit);
        }
    }
    for ((facility, payer), visits) in piles {
        let Some(facility) = books.world.facilities.get(facility) else { continue };
        let code = format!("91{}", facility.code.get(2..).unwrap_or(""));
        let prefecture = books.world.prefecture(facility.prefecture).map_or("", |place| place.code.as_str());
        let dentist = Dentist { books, forms, facility, payer, prefecture, code: &code, month };
        let draft = dentist.draft(&visits, &mut writer.ledger)?;
        writer.file(draft, |draft, totals| dentist.close(draft, &totals))?;
    }
    Ok(())
}

fn visit<'m>(books: Books<'m>, index: usize, month: Month) -> Option<(u8, Visit<'m>)> {
    let person = books.population.persons.get(index).filter(|person| person.lives_in(month))?;
    let when = u64::from(month.index().unsigned_abs());
    let mut dice = Dice::new(books.seed, Stream::Writing, (1 << 61) | index as u64, when);
    let free: Vec<u32> = bits(free_days(person, month)).collect();
    let day = *dice.pick(&free)?;
    let written = Written::new(books, index, month)?;
    let is_federation = written.insurer().is_some_and(|insurer| insurer.is_paid_by_federation());
    let mut receipt = Receipt::new(index, person.doctors.at(month).clinic, month);
    receipt.days = 1 << day;
    let tooth = format!("10{}{}00", 1 + dice.below(4), 1 + dice.below(8));
    Some((if is_federation { 2 } else { 1 }, Visit { receipt, day, tooth }))
}

struct Dentist<'a, 't> {
    books: Books<'a>,
    forms: &'t FamilyTemplates,
    facility: &'a Facility,
    payer: u8,
    prefecture: &'a str,
    code: &'a str,
    month: Month,
}

impl<'t> Dentist<'_, 't> {
    fn draft(&self, visits: &[Visit<'_>], ledger: &mut Ledger) -> Result<Draft<'t>, SynthError> {
        let path = format!("{}{}/RECEIPTS_{}.UKE", self.prefecture, self.code, self.payer);
        let mut draft = Draft::new(path, self.forms.family());
        draft.states_points = true;
        for record in ["UK", "IR"] {
            draft.header.push(self.head(record)?);
        }
        for (number, visit) in (1_u32..).zip(visits) {
            let Some(person) = Written::new(self.books, visit.receipt.person, self.month) else { continue };
            let mut lines = Grouper::new(ledger, visit.receipt.person, self.month);
            self.receipt(number, visit, &person, &mut lines)?;
            draft.groups.push(lines.finish(VISIT.iter().map(|(_, _, points)| u64::from(*points)).sum()));
        }
        Ok(draft)
    }

    fn line(&self, record: &str) -> Result<Line<'t>, WriteError> {
        Ok(Line::new(self.forms.record(record)?))
    }

    fn head(&self, record: &str) -> Result<DraftLine<'t>, WriteError> {
        let mut line = self.line(record)?;
        line.number("review_payer_code", self.payer)?
            .set("prefecture_code", self.prefecture)?
            .set("fee_table_code", "3")?
            .set("facility_code", self.code)?
            .month("claim_month", self.month.plus(1), self.facility.style.calendar)?;
        if record == "UK" {
            line.set("volume_no", "00")?;
        }
        DraftLine::of(line)
    }

    fn receipt(
        &self,
        number: u32,
        visit: &Visit<'_>,
        person: &Written<'_>,
        lines: &mut Grouper<'_, 't>,
    ) -> Result<(), WriteError> {
        let (style, calendar) = (&self.facility.style, self.facility.style.calendar);
        let day = date_of(self.month, visit.day);
        let kind = receipt_type(&visit.receipt, person);
        let mut line = self.line("RE")?;
        line.number("receipt_no", number)?
            .set("receipt_type", &format!("3{}", kind.get(1..).unwrap_or("")))?
            .month("service_month", self.month, calendar)?
            .set("patient_name", &person.name(style))?
            .set("sex", person.person.sex.code())?
            .date("birth_date", person.person.birth, calendar)?
            .date("start_date", day, calendar)?
            .set("chart_no", &person.chart_no(self.facility))?
            .set("patient_name_kana", &person.kana(style.kana))?;
        lines.push(line)?;
        let card = person.card();
        let points: u32 = VISIT.iter().map(|(_, _, points)| points).sum();
        let mut line = self.line("HO")?;
        line.set("insurer_no", &person.insurer().map_or(String::new(), |insurer| insurer.padded_number()))?
            .set("insured_symbol", &card.symbol)?
            .set("insured_number", &card.number)?
            .set("service_days", "1")?
            .number("total_points", points)?
            .number("copay_amount", (points * own_share(&visit.receipt, person) / 10 + 5) / 10 * 10)?;
        lines.push(line)?;
        let mut line = self.line("HS")?;
        line.date("start_date", day, calendar)?
            .set("outcome", "1")?
            .set("teeth", &visit.tooth)?
            .set("disease_code", CARIES)?
            .set("main_disease", "01")?;
        lines.push(line)?;
        for (class, code, points) in VISIT {
            let mut line = self.line("SS")?;
            line.set("service_class", class)?
                .set("burden_class", "1")?
                .set("procedure_code", code)?
                .number("points", points)?
                .set("times", "1")?
                .set_nth("day", visit.day as usize, "1")?;
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
