//! `misu-guard people`: who there is, in which roles, trained until when.

use std::io::{Write as _, stdout};

use audit::{Event, Kind};
use catalog_store::PersonRecord;
use clap::Subcommand;
use governance::Role;

use super::{Acting, House};
use crate::Failure;

/// What to do with people.
#[derive(Subcommand)]
pub(crate) enum People {
    /// Enters a person, in place of an earlier entry. The first person is entered by nobody else and is an operator.
    Set {
        #[command(flatten)]
        acting: Acting,
        /// The person's user id.
        person: String,
        /// The organisation.
        #[arg(long, default_value = "")]
        organisation: String,
        /// Roles: researcher, reviewer, data-officer, operator, auditor.
        #[arg(long = "role", value_parser = role)]
        roles: Vec<Role>,
        /// The last day on which the training is valid, as 2026-11-21.
        #[arg(long, value_parser = day)]
        trained_until: Option<String>,
        /// Shuts the person out.
        #[arg(long)]
        shut_out: bool,
    },
    /// Lists people.
    List {
        #[command(flatten)]
        acting: Acting,
    },
}

fn role(word: &str) -> Result<Role, String> {
    let words: Vec<&str> = Role::ALL.iter().map(|role| role.as_str()).collect();
    Role::parse(word)
        .filter(|role| *role != Role::Public)
        .ok_or_else(|| format!("one of {}", words.join(", ")))
}

fn day(text: &str) -> Result<String, String> {
    let format = time::macros::format_description!("[year]-[month]-[day]");
    time::Date::parse(text, format).map(|_| text.to_owned()).map_err(|_| "a day as 2026-11-21".to_owned())
}

impl People {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Set { acting, person, organisation, roles, trained_until, shut_out } => {
                let house = House::open(&acting.env)?;
                may_enter(&house, &acting.user, &person, &roles)?;
                let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
                let record = PersonRecord {
                    user: person,
                    organisation,
                    roles: words.join(" "),
                    trained_until: trained_until.unwrap_or_default(),
                    is_active: !shut_out,
                };
                let event = Event::new(Kind::PersonChanged, &acting.user).subject(record.user.as_str());
                let event = event.with("roles", record.roles.as_str()).with("is_active", record.is_active);
                house.log.record(event.with("trained_until", record.trained_until.as_str()))?;
                Ok(house.meta.set_person(&record)?)
            }
            Self::List { acting } => list(&acting),
        }
    }
}

/// Operators enter people; nobody gives a role to themselves, but for the first of all.
fn may_enter(house: &House, user: &str, person: &str, given: &[Role]) -> Result<(), Failure> {
    if house.meta.persons()?.is_empty() {
        let is_first = user == person && given == [Role::Operator];
        return if is_first { Ok(()) } else { Err("the first person enters themselves, as operator".into()) };
    }
    if !house.actor(user)?.is(Role::Operator) {
        return Err("this takes an operator".into());
    }
    if user == person { Err("nobody changes their own entry".into()) } else { Ok(()) }
}

fn list(acting: &Acting) -> Result<(), Failure> {
    let house = House::open(&acting.env)?;
    let reader = house.actor(&acting.user)?;
    if ![Role::Operator, Role::DataOfficer, Role::Auditor].iter().any(|role| reader.is(*role)) {
        return Err("this takes an operator, a data officer or an auditor".into());
    }
    let view = Event::new(Kind::View, &acting.user).subject("people");
    house.log.record(view)?;
    for person in house.meta.persons()? {
        let words: Vec<&str> = Role::listed(&person.roles).map(Role::as_str).collect();
        let state = if person.is_active { "active" } else { "shut out" };
        let training =
            if person.trained_until.is_empty() { "no training" } else { person.trained_until.as_str() };
        writeln!(
            stdout(),
            "{:20} {state:8} {training:11} {} {}",
            person.user,
            words.join(","),
            person.organisation
        )?;
    }
    Ok(())
}
