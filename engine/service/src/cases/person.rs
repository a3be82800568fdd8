//! Who acts: a person of the house with the roles that hold today.

use catalog_store::Meta;
use governance::{Actor, Role};
use time::OffsetDateTime;

use super::GovernError;
use crate::identity::Standing;

/// The person with the roles that hold today: nobody who is shut out, no researcher without valid training.
///
/// # Errors
///
/// There is no such person, or the database cannot be read.
pub fn actor(meta: &Meta, user: &str, now: OffsetDateTime) -> Result<Actor, GovernError> {
    let standing = Standing::of(meta, user, now)?;
    standing.map(|standing| standing.actor()).ok_or_else(|| {
        GovernError::no("no-person", format!("there is no person {user}"), "登録されていない利用者です")
    })
}

/// As [`actor`]; somebody who is not entered reads as anybody does.
pub(super) fn reader(meta: &Meta, user: &str, now: OffsetDateTime) -> Result<Actor, GovernError> {
    match actor(meta, user, now) {
        Err(GovernError::No { .. }) => Ok(Actor::new(user, [Role::Public])),
        found => found,
    }
}
