//! `misu-guard questions`: the texts of what was asked, for auditors, what other rules would say of them, and audits of
//! answers that wait for one.

use std::collections::HashMap;
use std::io::{Write as _, stdout};
use std::path::{Path, PathBuf};

use audit::{Entry, Event, Kind};
use clap::Subcommand;
use engine_protocol::{Verdict, VerdictKind};
use engine_service::{Rules, asked_texts, compare, forget_texts, order_audit, said, waiting_for_audit};
use governance::Role;
use time::Date;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::{Acting, House};
use crate::Failure;

/// What to do with the questions that were asked.
#[derive(Subcommand)]
pub(crate) enum Questions {
    /// Prints who asked what, with the entry of the record; auditors only, and it is recorded.
    List {
        #[command(flatten)]
        acting: Acting,
        /// Of one project.
        #[arg(long)]
        project: Option<String>,
    },
    /// Says which questions would get another verdict under other permits or another catalogue.
    Compare {
        #[command(flatten)]
        acting: Acting,
        /// A folder of approved applications (`PROJECT.toml`) in place of the environment's.
        #[arg(long, required_unless_present = "catalog")]
        policies: Option<PathBuf>,
        /// A folder of catalogue files in place of the environment's.
        #[arg(long)]
        catalog: Option<PathBuf>,
    },
    /// Audits an answer that was withheld because not all earlier ones of its family were audited with it; data officers
    /// only. One that passes is given to whoever asks the question again.
    Audit {
        #[command(flatten)]
        acting: Acting,
        /// The question's id in the record; where it is left out, those that wait are listed.
        query: Option<String>,
    },
    /// Removes the texts of the days before this one; the record keeps their digests, which then say nothing.
    Forget {
        #[command(flatten)]
        acting: Acting,
        /// The first day that is kept, as 2026-11-21.
        #[arg(long)]
        before: String,
    },
}

impl Questions {
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::List { acting, project } => list(&acting, project.as_deref()),
            Self::Compare { acting, policies, catalog } => changes(&acting, policies, catalog.as_deref()),
            Self::Audit { acting, query } => audit(&acting, query.as_deref()),
            Self::Forget { acting, before } => forget(&acting, &before),
        }
    }
}

/// The house, where one of these roles acts.
fn house(acting: &Acting, roles: &[Role]) -> Result<House, Failure> {
    let house = House::open(&acting.env)?;
    let actor = house.actor(&acting.user)?;
    if roles.iter().any(|role| actor.is(*role)) {
        return Ok(house);
    }
    let words: Vec<&str> = roles.iter().map(|role| role.as_str()).collect();
    Err(format!("{} may not: it takes the role {}", acting.user, words.join(" or ")).into())
}

fn list(acting: &Acting, project: Option<&str>) -> Result<(), Failure> {
    let house = house(acting, &[Role::Auditor])?;
    // Recorded first: what somebody looked at stands in the record whether or not it was printed to its end.
    let event = Event::new(Kind::View, acting.user.as_str()).subject("questions");
    house.log.record(event.with("project", project.unwrap_or("all")))?;
    let texts = asked_texts(&house.environment)?;
    let recorded = recorded(&house)?;
    for text in texts.texts.iter().filter(|text| project.is_none_or(|project| text.project == project)) {
        let (seq, at) =
            recorded.get(&text.digest).map_or(("?", "?"), |(seq, at)| (seq.as_str(), at.as_str()));
        writeln!(stdout(), "# {seq} {at} {} for {}\n{}\n", text.user, text.project, text.sql)?;
    }
    if texts.unreadable > 0 {
        writeln!(stdout(), "# {} lines cannot be read", texts.unreadable)?;
    }
    Ok(())
}

/// The number and the time of the entry of each digest.
fn recorded(house: &House) -> Result<HashMap<String, (String, String)>, Failure> {
    let mut found = HashMap::new();
    for entry in Entry::all(house.log.path())? {
        let entry = entry?;
        let digest = said(&entry, "sql");
        if !digest.is_empty() {
            found.insert(digest.to_owned(), (entry.seq().to_string(), entry.at().format(&Rfc3339)?));
        }
    }
    Ok(found)
}

fn changes(acting: &Acting, policies: Option<PathBuf>, catalog: Option<&Path>) -> Result<(), Failure> {
    let house = house(acting, &[Role::Auditor, Role::DataOfficer])?;
    house.log.record(Event::new(Kind::View, acting.user.as_str()).subject("questions-compared"))?;
    let texts = asked_texts(&house.environment)?;
    let before = Rules::open(&house.environment, None, None)?;
    let after = Rules::open(&house.environment, policies, catalog)?;
    let (changes, of) = compare(&house.environment, &texts.texts, house.now, (&before, &after))?;
    let mut out = stdout();
    writeln!(out, "{} of {of} questions would get another verdict", changes.len())?;
    for change in changes {
        let (user, project, times) = (&change.text.user, &change.text.project, change.times);
        writeln!(out, "\n# {user} for {project}, asked {times} times\n{}", change.text.sql)?;
        writeln!(out, "- {}\n+ {}", told(&change.before), told(&change.after))?;
    }
    Ok(())
}

fn told(verdict: &Verdict) -> String {
    let kind = match verdict.verdict {
        VerdictKind::Vetted => {
            let first = verdict.rule.as_ref().map(|rule| format!(", people first by {rule}"));
            return format!("vetted{}: {}", first.unwrap_or_default(), verdict.columns.join(" "));
        }
        VerdictKind::Refused => "refused",
        VerdictKind::Denied => "denied",
    };
    let rule = verdict.rule.as_deref().unwrap_or_default();
    format!("{kind} by {rule}: {}", verdict.message.as_deref().unwrap_or_default())
}

fn audit(acting: &Acting, query: Option<&str>) -> Result<(), Failure> {
    let _house = house(acting, &[Role::DataOfficer])?;
    let guard = crate::open(&acting.env)?;
    if let Some(query) = query {
        order_audit(&guard, &acting.user, query)?;
        return Ok(writeln!(stdout(), "{query} is audited; whoever asks it again gets its answer")?);
    }
    for waits in waiting_for_audit(&guard)? {
        writeln!(stdout(), "{} {} for {}", waits.query, waits.user, waits.project)?;
    }
    Ok(())
}

fn forget(acting: &Acting, before: &str) -> Result<(), Failure> {
    let house = house(acting, &[Role::DataOfficer])?;
    let day = Date::parse(before, format_description!("[year]-[month]-[day]"))
        .map_err(|_| format!("{before} is no day; write it as 2026-11-21"))?;
    let event = Event::new(Kind::QuestionsForgotten, acting.user.as_str()).with("before", before);
    house.log.record(event)?;
    let days = forget_texts(&house.environment, day)?;
    Ok(writeln!(stdout(), "the questions of {days} days are forgotten")?)
}
