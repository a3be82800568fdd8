//! What planning offices send: the fee for the plan of a month (居宅サービス計画費) and how it allots services (給付管理票).
//!
//! Of some users only, so that the files are there and few. The office of the claim stands for the planning office.

use catalog_model::Month;

use super::Forms;
use super::care_claim::{by_office, close};
use super::delivery::DeliveryWriter;
use super::draft::{Draft, Grouper};
use super::identity::Written;
use crate::SynthError;
use crate::billing::{Books, CareClaim, ServiceLine};
use crate::calendar::Calendar;
use crate::health::LEVELS;
use crate::truth::Ledger;
use crate::world::Office;
use crate::writer::{FamilyTemplates, Line, WriteError};

const WESTERN: Calendar = Calendar::Western;
/// Of so many persons one has a plan that is written.
const PERSONS_PER_PLAN: usize = 8;
/// The plan's service and its units, in an invented code.
const PLAN: (&str, u32) = ("439999", 1076);

/// Writes the plans of a service month.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    writer: &mut DeliveryWriter<'_>,
    month: Month,
) -> Result<(), SynthError> {
    let users = (0..books.population.persons.len()).step_by(PERSONS_PER_PLAN);
    for (office, claims) in by_office(books, users, 1, month) {
        let Some(office) = books.world.offices.get(office) else { continue };
        for kind in [Kind::Plan, Kind::Management] {
            let file = File { books, forms: &forms.care_claims, office, month, kind };
            let draft = file.draft(&claims, &mut writer.ledger)?;
            let place = (office, kind.data_kind(), month);
            writer.file(draft, |draft, totals| close(draft, &totals, &forms.care_claims, place))?;
        }
    }
    Ok(())
}

/// Which of the two a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plan,
    Management,
}

impl Kind {
    const fn data_kind(self) -> &'static str {
        match self {
            Self::Plan => "812",
            Self::Management => "821",
        }
    }
}

struct File<'a, 't> {
    books: Books<'a>,
    forms: &'t FamilyTemplates,
    office: &'a Office,
    month: Month,
    kind: Kind,
}

impl<'t> File<'_, 't> {
    fn draft(&self, claims: &[CareClaim<'_>], ledger: &mut Ledger) -> Result<Draft<'t>, SynthError> {
        let path = format!("claims/{}_{}.csv", self.kind.data_kind(), self.office.number);
        let mut draft = Draft::new(path, self.forms.family());
        let mut number = 2_u32;
        for claim in claims {
            let Some(person) = Written::new(self.books, claim.person, claim.month) else { continue };
            let mut group = Grouper::new(ledger, claim.person, claim.month);
            match self.kind {
                Kind::Plan => group.push(self.plan(claim, &person, number)?)?,
                Kind::Management => {
                    for (at, service) in (0_u32..).zip(&claim.lines) {
                        group.push(self.management(claim, &person, (number + at, at + 1), service)?)?;
                    }
                }
            }
            let group = group.finish(0);
            number += u32::try_from(group.lines.len()).unwrap_or(0);
            draft.groups.push(group);
        }
        Ok(draft)
    }

    fn head(
        &self,
        claim: &CareClaim<'_>,
        person: &Written<'_>,
        (record, exchange_id, number): (&str, &str, u32),
    ) -> Result<Line<'t>, WriteError> {
        let (insurer_no, insured_no) = person.care_numbers();
        let mut line = Line::new(self.forms.record(record)?);
        line.number("line_no", number)?
            .set("exchange_id", exchange_id)?
            .month("service_month", self.month, WESTERN)?
            .set("office_no", &self.office.number)?
            .set("insurer_no", &insurer_no)?
            .set("insured_no", &insured_no)?
            .date("birth_date", person.person.birth, WESTERN)?
            .set("sex", person.person.sex.code())?
            .set("care_level", LEVELS.get(claim.certification.level).copied().unwrap_or(""))?;
        Ok(line)
    }

    fn plan(&self, claim: &CareClaim<'_>, person: &Written<'_>, number: u32) -> Result<Line<'t>, WriteError> {
        let mut line = self.head(claim, person, ("plan", "8122", number))?;
        let amount = PLAN.1 * self.office.yen_per_hundred_units / 100;
        line.set("office_class", "1")?
            .number("yen_per_unit", self.office.yen_per_hundred_units)?
            .date("certified_from", claim.certification.from, WESTERN)?
            .date("certified_to", claim.certification.to, WESTERN)?
            .set("plan_line_no", "01")?
            .set("plan_service_code", PLAN.0)?
            .number("plan_units", PLAN.1)?
            .set("times", "1")?
            .number("service_units", PLAN.1)?
            .number("service_units_total", PLAN.1)?
            .number("claim_amount", amount)?;
        Ok(line)
    }

    fn management(
        &self,
        claim: &CareClaim<'_>,
        person: &Written<'_>,
        (number, of_sheet): (u32, u32),
        service: &ServiceLine<'_>,
    ) -> Result<Line<'t>, WriteError> {
        let mut line = self.head(claim, person, ("management", "8222", number))?;
        line.set("action_class", "1")?
            .date("created_on", self.month.plus(1).first_day().plus_days(7), WESTERN)?
            .set("sheet_class", "3")?
            .set("sheet_line_no", &format!("{of_sheet:02}"))?
            .month("limit_from", claim.certification.from.month(), WESTERN)?
            .month("limit_to", claim.certification.to.month(), WESTERN)?
            .set("plan_class", "1")?
            .set("service_office_no", &self.office.number)?
            .set("service_office_class", "1")?
            .set("service_kind", &service.service.kind)?
            .number("planned_amount", service.units())?;
        Ok(line)
    }
}
