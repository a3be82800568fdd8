//! What happened to a person, for the truth: births, deaths, diseases, stays, certifications, marriages, jobs, moves.

use catalog_model::{Date, Period};

use crate::health::{Application, LEVELS, Reason, Ward};
use crate::model::Model;
use crate::people::Person;

/// The events of a person's life up to the end of the period, in order, as (kind, day).
///
/// Changes that the model knows by month only stand on its first day.
pub(crate) fn of(model: &Model, period: Period, person: &Person) -> Vec<(String, Date)> {
    let mut events = Vec::new();
    family(person, period, &mut events);
    health(model, person, &mut events);
    let end = period.to.last_day().min(person.health.death.unwrap_or(Date::from_days(i32::MAX)));
    events.retain(|(_, day)| *day <= end);
    events.sort_by(|a, b| (a.1, &a.0).cmp(&(b.1, &b.0)));
    events
}

fn family(person: &Person, period: Period, events: &mut Vec<(String, Date)>) {
    if person.birth >= period.from.first_day() {
        events.push(("birth".to_owned(), person.birth));
    }
    if let Some(death) = person.health.death {
        events.push(("death".to_owned(), death));
    }
    let mut change = |kind: &str, months: Vec<catalog_model::Month>| {
        events.extend(months.into_iter().map(|month| (kind.to_owned(), month.first_day())));
    };
    change("name change", person.names.changes().iter().map(|(month, _)| *month).collect());
    change("household change", person.households.changes().iter().map(|(month, _)| *month).collect());
    change("job change", person.jobs.changes().iter().map(|(month, _)| *month).collect());
    change("insurance change", person.cards.changes().iter().map(|(month, _)| *month).collect());
    change("move", person.doctors.changes().iter().map(|(month, _)| *month).collect());
    for pregnancy in &person.health.pregnancies {
        events.push(("delivery".to_owned(), pregnancy.due));
    }
    let (year, month, day) = person.birth.ymd();
    let birthday = Date::from_ymd(year + 75, month, day).or_else(|| Date::from_ymd(year + 75, 3, 1));
    if let Some(birthday) = birthday.filter(|birthday| *birthday >= period.from.first_day()) {
        events.push(("75th birthday".to_owned(), birthday));
    }
}

fn health(model: &Model, person: &Person, events: &mut Vec<(String, Date)>) {
    for condition in &person.health.conditions {
        if let Some(treatment) = condition.treatment(model) {
            events.push((format!("onset {}", treatment.code.0), condition.onset));
            if treatment.dialysis {
                events.push(("dialysis".to_owned(), condition.onset));
            }
        }
    }
    for stay in &person.health.stays {
        let why = match stay.reason {
            Reason::Acute(index) => {
                model.admissions.get(index).map_or("", |admission| admission.dpc6.as_str())
            }
            Reason::Rehabilitation(_) => "rehabilitation",
            Reason::LongStay(_) => "long stay",
        };
        let place = if stay.ward == Ward::Dpc { "DPC admission" } else { "admission" };
        events.push((format!("{place} {why}"), stay.admitted));
        events.push((format!("discharge {why}"), stay.discharged));
    }
    for certification in &person.health.certifications {
        let level = LEVELS.get(certification.level).copied().unwrap_or("");
        let kind = match certification.application {
            Application::New => "certification",
            Application::Renewal => "certification renewed",
            Application::Change => "certification changed",
        };
        events.push((format!("{kind} {level}"), certification.applied));
    }
}
