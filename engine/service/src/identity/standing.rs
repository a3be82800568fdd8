//! A person's standing: whether they may act at all, in which roles today, and whether their training is valid.

use std::collections::BTreeSet;

use catalog_store::{Meta, MetaError, PersonRecord};
use governance::{Actor, Role};
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

use crate::guard::{Guard, GuardError};

/// A person of the house who may act.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The user id.
    pub user: String,
    /// The roles that hold today: nobody is a researcher without valid training.
    pub roles: BTreeSet<Role>,
    /// The last day of the training, as `2026-11-21`, where there was one.
    pub trained_until: Option<String>,
    /// Whether it is valid today.
    pub is_trained: bool,
}

impl Standing {
    /// How a user stands at this time; nothing where nobody of this name was entered, or they were shut out.
    ///
    /// # Errors
    ///
    /// The metadata database gave an error.
    pub fn of(meta: &Meta, user: &str, now: OffsetDateTime) -> Result<Option<Self>, MetaError> {
        let person = meta.persons()?.into_iter().find(|person| person.user == user && person.is_active);
        Ok(person.map(|person| Self::of_person(person, now)))
    }

    fn of_person(person: PersonRecord, now: OffsetDateTime) -> Self {
        let is_trained = is_trained(&person.trained_until, now);
        let roles =
            Role::listed(&person.roles).filter(|role| *role != Role::Researcher || is_trained).collect();
        let trained_until = Some(person.trained_until).filter(|day| !day.is_empty());
        Self { user: person.user, roles, trained_until, is_trained }
    }

    /// The person as the state machines of governance know them.
    pub fn actor(&self) -> Actor {
        Actor::new(&self.user, self.roles.iter().copied())
    }
}

fn is_trained(until: &str, now: OffsetDateTime) -> bool {
    // The day ends at midnight in Japan.
    let Ok(japan) = UtcOffset::from_hms(9, 0, 0) else { return false };
    let Some(now) = now.checked_to_offset(japan) else { return false };
    Date::parse(until, format_description!("[year]-[month]-[day]")).is_ok_and(|last| now.date() <= last)
}

/// Why somebody asks no questions although a permit may name them: the rule's name and what is said.
pub(crate) struct Bar {
    /// The rule.
    pub(crate) rule: &'static str,
    /// In English.
    pub(crate) message: &'static str,
    /// In Japanese.
    pub(crate) message_ja: &'static str,
}

const NOBODY: Bar = Bar {
    rule: "person",
    message: "nobody of this name may ask questions here; the operator enters people",
    message_ja: "この名前の利用者は登録されていないか、利用を止められています",
};
const NO_ROLE: Bar = Bar {
    rule: "role",
    message: "only a researcher asks questions of the data",
    message_ja: "データに問えるのは研究者だけです",
};
const UNTRAINED: Bar = Bar {
    rule: "training",
    message: "the training is not valid today; renew it before asking",
    message_ja: "研修の有効期限が切れているか、研修を受けていません。更新してから問い直してください",
};

/// What stands between a user and asking questions now, beside the permit; nothing where nothing does.
pub(crate) fn bar(guard: &Guard, user: &str) -> Result<Option<Bar>, GuardError> {
    let person = guard.meta.persons()?.into_iter().find(|person| person.user == user && person.is_active);
    let Some(person) = person else { return Ok(Some(NOBODY)) };
    let is_researcher = Role::listed(&person.roles).any(|role| role == Role::Researcher);
    let standing = Standing::of_person(person, guard.now());
    Ok(match (is_researcher, standing.is_trained) {
        (false, _) => Some(NO_ROLE),
        (true, false) => Some(UNTRAINED),
        (true, true) => None,
    })
}

#[cfg(test)]
mod tests {
    use catalog_store::PersonRecord;
    use governance::Role;
    use time::macros::datetime;

    use super::{Standing, is_trained};

    #[test]
    fn training_ends_at_midnight_in_japan() {
        assert!(is_trained("2026-11-21", datetime!(2026-11-21 14:59:59 UTC)));
        assert!(!is_trained("2026-11-21", datetime!(2026-11-21 15:00:00 UTC)));
        for no_day in ["", "2026-11", "tomorrow"] {
            assert!(!is_trained(no_day, datetime!(2026-11-21 0:00 UTC)), "{no_day}");
        }
    }

    #[test]
    fn a_researcher_without_training_is_none() {
        let person = |until: &str| PersonRecord {
            user: "u".to_owned(),
            organisation: String::new(),
            roles: "researcher reviewer emperor".to_owned(),
            trained_until: until.to_owned(),
            is_active: true,
        };
        let roles = |until: &str| {
            let standing = Standing::of_person(person(until), datetime!(2026-11-21 0:00 UTC));
            standing.roles.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(roles("2027-03-31"), [Role::Researcher, Role::Reviewer]);
        assert_eq!(roles(""), [Role::Reviewer]);
    }
}
