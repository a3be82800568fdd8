//! LIFE: the users that care offices have registered (利用者情報), a CSV whose heading names its columns.
//!
//! Of some users only, so that the files are there and few. Who died in the month has a day of death.

use catalog_model::Month;

use super::Forms;
use super::care_claim::by_office;
use super::delivery::DeliveryWriter;
use super::draft::{Draft, DraftLine, Grouper};
use super::identity::{Written, register_kana};
use crate::SynthError;
use crate::billing::{Books, CareClaim};
use crate::calendar::Calendar;
use crate::health::LEVELS;
use crate::truth::Ledger;
use crate::world::{NameForm, Office};
use crate::writer::{FamilyTemplates, Line, WriteError};

const WESTERN: Calendar = Calendar::Western;
/// Of so many persons one is registered.
const PERSONS_PER_USER: usize = 8;

/// Writes the registrations of a month.
pub(super) fn write(
    books: Books<'_>,
    forms: &Forms,
    writer: &mut DeliveryWriter<'_>,
    month: Month,
) -> Result<(), SynthError> {
    let users = (1..books.population.persons.len()).step_by(PERSONS_PER_USER);
    for (office, claims) in by_office(books, users, 1, month) {
        let Some(office) = books.world.offices.get(office) else { continue };
        let draft = draft((books, &forms.service_users), office, &claims, &mut writer.ledger)?;
        writer.plain_file(draft)?;
    }
    Ok(())
}

fn draft<'t>(
    (books, forms): (Books<'_>, &'t FamilyTemplates),
    office: &Office,
    claims: &[CareClaim<'_>],
    ledger: &mut Ledger,
) -> Result<Draft<'t>, SynthError> {
    let mut draft = Draft::new(format!("life/SERVICE_USER_INFO_{}.csv", office.number), forms.family());
    let template = forms.record("row")?;
    let names: Vec<&str> = template.slots().iter().map(|slot| slot.key.as_str()).collect();
    for text in ["SERVICE_USER_INFO".to_owned(), names.join(",")] {
        draft.header.push(DraftLine { template, bytes: text.into_bytes(), fault: None });
    }
    for claim in claims {
        let Some(person) = Written::new(books, claim.person, claim.month) else { continue };
        let mut group = Grouper::new(ledger, claim.person, claim.month);
        let mut line = Line::new(template);
        user(&mut line, office, claim, &person)?;
        group.push(line)?;
        draft.groups.push(group.finish(0));
    }
    Ok(draft)
}

fn user(
    line: &mut Line<'_>,
    office: &Office,
    claim: &CareClaim<'_>,
    person: &Written<'_>,
) -> Result<(), WriteError> {
    let (insurer_no, insured_no) = person.care_numbers();
    let name = person.name_as(NameForm::Full, false);
    let (last, first) = name.split_once('　').unwrap_or((name.as_str(), ""));
    let kana = register_kana(person);
    let (last_kana, first_kana) = kana.split_once(' ').unwrap_or((kana.as_str(), ""));
    let month = claim.month;
    let number = format!("R{:02}{:02}{:08}", month.year() % 100, month.month(), claim.person);
    line.set("care_facility_id", &office.number)?
        .set("service_code", claim.lines.first().map_or("", |line| line.service.kind.as_str()))?
        .set("external_system_management_number", &number)?
        .set("insurer_no", &insurer_no)?
        .set("insured_no", &insured_no)?
        .set("last_name", last)?
        .set("first_name", first)?
        .set("last_name_kana", last_kana)?
        .set("first_name_kana", first_kana)?
        .set("gender", person.person.sex.code())?
        .date("care_period_start", claim.certification.from, WESTERN)?
        .date("care_period_end", claim.certification.to, WESTERN)?
        .set("care_level", LEVELS.get(claim.certification.level).copied().unwrap_or(""))?;
    if let Some(day) = person.person.health.death.filter(|day| day.month() == month) {
        line.date("death_date", day, WESTERN)?;
    }
    Ok(())
}
