//! Who acts: a person of the house with the roles that hold today.

use catalog_store::{Meta, PersonRecord};
use governance::{Actor, Role};
use time::OffsetDateTime;
use time::macros::{format_description, offset};

use super::GovernError;

/// The person with the roles that hold today: nobody who is shut out, no researcher without valid training.
///
/// # Errors
///
/// There is no such person, or the database cannot be read.
pub fn actor(meta: &Meta, user: &str, now: OffsetDateTime) -> Result<Actor, GovernError> {
    let person = meta.persons()?.into_iter().find(|person| person.user == user);
    let person = person.filter(|person| person.is_active).ok_or_else(|| {
        GovernError::no("no-person", format!("there is no person {user}"), "登録されていない利用者です")
    })?;
    let is_trained = is_trained(&person, now);
    let roles = person.roles.split_whitespace().filter_map(Role::parse);
    Ok(Actor::new(user, roles.filter(|role| *role != Role::Researcher || is_trained)))
}

/// As [`actor`]; somebody who is not entered reads as anybody does.
pub(super) fn reader(meta: &Meta, user: &str, now: OffsetDateTime) -> Result<Actor, GovernError> {
    match actor(meta, user, now) {
        Err(GovernError::No { .. }) => Ok(Actor::new(user, [Role::Public])),
        found => found,
    }
}

/// The day ends at midnight in Japan.
fn is_trained(person: &PersonRecord, now: OffsetDateTime) -> bool {
    let today = now.to_offset(offset!(+9)).date();
    let day = time::Date::parse(&person.trained_until, format_description!("[year]-[month]-[day]"));
    day.is_ok_and(|day| today <= day)
}
