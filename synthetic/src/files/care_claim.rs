//! Claims for long-term care at home: one file for each office and month.
//!
//! Claims of service month M stand in the delivery of M; their processing month is M + 1.

use std::collections::BTreeMap;

use catalog_model::Month;

use super::Forms;
use super::delivery::{DeliveryWriter, Totals};
use super::draft::{Draft, DraftLine, Group, Grouper};
use super::identity::Written;
use crate::SynthError;
use crate::billing::{Books, CareClaim, ServiceLine, claims};
use crate::calendar::Calendar;
use crate::health::LEVELS;
use crate::truth::Ledger;
use crate::world::Office;
use crate::writer::{FamilyTemplates, Line, WriteError};

const WESTERN: Calendar = Calendar::Western;

/// Writes the claims of a service month.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    writer: &mut DeliveryWriter<'_>,
    month: Month,
) -> Result<(), SynthError> {
    for (office, claims) in by_office(books, 0..books.population.persons.len(), usize::MAX, month) {
        let Some(office) = books.world.offices.get(office) else { continue };
        let file = File { books, forms: &forms.care_claims, office, month };
        let draft = file.draft(&claims, &mut writer.ledger)?;
        let place = (office, "711", month);
        writer.file(draft, |draft, totals| close(draft, &totals, &forms.care_claims, place))?;
    }
    Ok(())
}

/// What offices claim for persons in a month, at most `each` claims of a person, by office.
pub(super) fn by_office<'b>(
    books: Books<'b>,
    persons: impl IntoIterator<Item = usize>,
    each: usize,
    month: Month,
) -> BTreeMap<usize, Vec<CareClaim<'b>>> {
    let mut by_office: BTreeMap<usize, Vec<CareClaim<'_>>> = BTreeMap::new();
    for claim in persons.into_iter().flat_map(|index| claims(books, index, month).into_iter().take(each)) {
        by_office.entry(claim.office).or_default().push(claim);
    }
    by_office
}

/// Puts the control line and the end line around the lines that an office sends as data of a kind.
pub(super) fn close<'t>(
    draft: &mut Draft<'t>,
    totals: &Totals,
    forms: &'t FamilyTemplates,
    (office, data_kind, month): (&Office, &str, Month),
) -> Result<(), WriteError> {
    let mut control = Line::new(forms.record("control")?);
    control
        .number("line_no", 1_u32)?
        .set("volume_no", "0")?
        .number("record_count", totals.lines)?
        .set("data_kind", data_kind)?
        .set("welfare_office_no", "0")?
        .set("insurer_no", "000000")?
        .set("office_no", &office.number)?
        .set("prefecture_code", "00")?
        .set("medium", "1")?
        .month("processing_month", month.plus(1), WESTERN)?
        .set("file_no", "0")?;
    draft.header.push(DraftLine::of(control)?);
    let mut end = Line::new(forms.record("end")?);
    end.number("line_no", totals.lines + 2)?;
    draft.trailer.push(DraftLine::of(end)?);
    Ok(())
}

struct File<'a, 't> {
    books: Books<'a>,
    forms: &'t FamilyTemplates,
    office: &'a Office,
    month: Month,
}

/// What a claim asks for.
#[derive(Clone, Copy, Debug, Default)]
struct Amounts {
    units: u32,
    cost: u32,
    claimed: u32,
}

impl Amounts {
    fn of(units: u32, office: &Office, benefit_percent: u32) -> Self {
        let cost = units * office.yen_per_hundred_units / 100;
        Self { units, cost, claimed: cost * benefit_percent / 100 }
    }

    const fn copay(self) -> u32 {
        self.cost - self.claimed
    }
}

impl<'t> File<'_, 't> {
    fn draft(&self, claims: &[CareClaim<'_>], ledger: &mut Ledger) -> Result<Draft<'t>, SynthError> {
        let path = format!("claims/711_{}.csv", self.office.number);
        let mut draft = Draft::new(path, self.forms.family());
        draft.groups.push(Group { person: None, points: 0, lines: vec![self.bill(claims)?] });
        let mut number = 3_u32;
        for claim in claims {
            let Some(person) = Written::new(self.books, claim.person, claim.month) else { continue };
            let mut group = Grouper::new(ledger, claim.person, claim.month);
            self.claim(claim, &person, &mut number, &mut group)?;
            draft.groups.push(group.finish(0));
        }
        Ok(draft)
    }

    /// 介護給付費請求書: what the office asks for in all.
    fn bill(&self, claims: &[CareClaim<'_>]) -> Result<DraftLine<'t>, WriteError> {
        let amounts = claims.iter().map(|claim| self.total(claim));
        let sum = amounts.fold(Amounts::default(), |sum, claim| Amounts {
            units: sum.units + claim.units,
            cost: sum.cost + claim.cost,
            claimed: sum.claimed + claim.claimed,
        });
        let mut line = Line::new(self.forms.record("bill")?);
        line.number("line_no", 2_u32)?
            .month("service_month", self.month, WESTERN)?
            .set("office_no", &self.office.number)?
            .set("payer_class", "1")?
            .set("law_no", "0")?
            .set("bill_class", "01")?
            .number("service_count", claims.len() as u64)?
            .number("service_units", sum.units)?
            .number("service_cost_total", sum.cost)?
            .number("service_insurance_amount", sum.claimed)?
            .number("service_public_amount", 0_u32)?
            .number("service_copay", sum.copay())?;
        DraftLine::of(line)
    }

    fn total(&self, claim: &CareClaim<'_>) -> Amounts {
        let units = claim.lines.iter().map(ServiceLine::units).sum();
        Amounts::of(units, self.office, claim.benefit_percent)
    }

    fn claim(
        &self,
        claim: &CareClaim<'_>,
        person: &Written<'_>,
        number: &mut u32,
        group: &mut Grouper<'_, 't>,
    ) -> Result<(), WriteError> {
        let (insurer_no, insured_no) = person.care_numbers();
        let mut head = |record: &str| -> Result<Line<'t>, WriteError> {
            let mut line = Line::new(self.forms.record(record)?);
            line.number("line_no", *number)?
                .month("service_month", claim.month, WESTERN)?
                .set("office_no", &self.office.number)?
                .set("insurer_no", &insurer_no)?
                .set("insured_no", &insured_no)?;
            *number += 1;
            Ok(line)
        };
        let mut basic = head("basic")?;
        self.basic(claim, person, &mut basic)?;
        group.push(basic)?;
        for service in &claim.lines {
            let mut line = head("detail")?;
            line.set("service_kind", &service.service.kind)?
                .set("service_item", &service.service.item)?
                .number("unit_price_units", service.service.units)?
                .number("days_or_times", service.times)?
                .number("service_units", service.units())?;
            group.push(line)?;
        }
        for service in &claim.lines {
            let mut line = head("total")?;
            self.total_line(claim, service, &mut line)?;
            group.push(line)?;
        }
        Ok(())
    }

    fn basic(
        &self,
        claim: &CareClaim<'_>,
        person: &Written<'_>,
        line: &mut Line<'t>,
    ) -> Result<(), WriteError> {
        let amounts = self.total(claim);
        let certification = &claim.certification;
        line.date("birth_date", person.person.birth, WESTERN)?
            .set("sex", person.person.sex.code())?
            .set("care_level", LEVELS.get(certification.level).copied().unwrap_or(""))?
            .date("certified_from", certification.from, WESTERN)?
            .date("certified_to", certification.to, WESTERN)?
            .set("plan_class", "1")?
            .set("plan_office_no", &self.office.number)?
            .set("benefit_ratio", &format!("{:03}", claim.benefit_percent))?
            .number("insurance_service_units", amounts.units)?
            .number("insurance_claim_amount", amounts.claimed)?
            .number("insurance_copay", amounts.copay())?;
        Ok(())
    }

    fn total_line(
        &self,
        claim: &CareClaim<'_>,
        service: &ServiceLine<'_>,
        line: &mut Line<'t>,
    ) -> Result<(), WriteError> {
        let amounts = Amounts::of(service.units(), self.office, claim.benefit_percent);
        line.set("service_kind", &service.service.kind)?
            .number("actual_days", service.times)?
            .number("planned_units", service.units())?
            .number("units_within_limit", service.units())?
            .number("units_outside_limit", 0_u32)?
            .number("insurance_units_total", service.units())?
            .number("insurance_yen_per_unit", self.office.yen_per_hundred_units)?
            .number("insurance_claim_amount", amounts.claimed)?
            .number("insurance_copay", amounts.copay())?;
        Ok(())
    }
}
