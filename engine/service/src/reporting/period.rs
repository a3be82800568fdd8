//! The figures of a period.

use std::collections::BTreeMap;

use audit::Kind;
use policies::Application;
use reports::board::period::{Deliveries, Key, Linkage, People, Period, Project};
use time::OffsetDateTime;

use super::questions::{Asked, questions};
use super::reviews::reviews;
use super::span::day;
use super::{Desk, ReportError, Span, leaving, said, scored};

/// The figures of a period; the checklist is scored on the way.
///
/// # Errors
///
/// The metadata, the snapshots or the keys' index cannot be read.
pub fn period(desk: &Desk, span: &Span) -> Result<Period, ReportError> {
    let (from, to) = span.words();
    let all = questions(&desk.entries);
    let asked: Vec<&Asked<'_>> = all.iter().filter(|asked| span.holds(asked.at())).collect();
    let mut period = Period {
        from,
        to,
        is_demo: desk.environment.config().demo_seed.is_some(),
        people: people(desk, &asked)?,
        projects: projects(desk, &asked),
        applications: applications(desk),
        entries: desk.within(span).count() as u64,
        all_entries: desk.entries.len() as u64,
        keys: keys(desk)?,
        deliveries: deliveries(desk)?,
        linkage: linkage(desk),
        reviews: reviews(desk, span),
        provisions: leaving::provisions(desk, span, None),
        erased: leaving::erasures(desk, span),
        checklist: scored(desk, None)?,
        ..Period::default()
    };
    if let Some((_, head)) = desk.environment.snapshots()?.head()? {
        period.persons = head.body.persons;
        period.rows = head.body.tables.values().map(|table| table.rows).sum();
        period.covers = Some((head.body.period.from.to_string(), head.body.period.to.to_string()));
        period.snapshot = Some(head.id.as_str().to_owned());
    }
    ask(&mut period, span, &asked);
    events(&mut period, desk, span);
    Ok(period)
}

fn count(map: &mut BTreeMap<String, u64>, word: &str) {
    *map.entry(word.to_owned()).or_default() += 1;
}

fn ask(period: &mut Period, span: &Span, asked: &[&Asked<'_>]) {
    for one in asked {
        let outcome = one.outcome();
        count(&mut period.outcomes, outcome);
        count(period.over_time.entry(span.bar(one.at())).or_default(), outcome);
        match outcome {
            "released" => {
                let (cells, hidden) = one.cells();
                period.cells += cells;
                period.hidden += hidden;
                for (rule, number) in &one.hidden_by {
                    *period.hidden_by.entry(rule.clone()).or_default() += number;
                }
            }
            "refused" => count(&mut period.refused, one.why()),
            "denied" => count(&mut period.denied, one.why()),
            _ => count(&mut period.withheld, if one.why().is_empty() { outcome } else { one.why() }),
        }
    }
}

/// What else was recorded: alerts, incidents, acts on keys, deliveries and snapshots.
fn events(period: &mut Period, desk: &Desk, span: &Span) {
    for entry in desk.within(span) {
        match entry.kind() {
            Kind::NearCohort => count(&mut period.near_cohorts, entry.project().unwrap_or("-")),
            Kind::OutsidePlan => count(&mut period.outside_plan, entry.project().unwrap_or("-")),
            Kind::IncidentMoved => {
                count(&mut period.incidents, &format!("incident-moved: {}", said(entry, "action")));
            }
            Kind::KeyCreated
            | Kind::KeyRotated
            | Kind::KeyDestroyed
            | Kind::KeyExported
            | Kind::KeyActRequested
            | Kind::KeyUsed => count(&mut period.key_acts, entry.kind().as_str()),
            Kind::QueryOpened
            | Kind::QueryClosed
            | Kind::QueryRefused
            | Kind::QueryDenied
            | Kind::LedgerKept => {}
            other => count(&mut period.events, other.as_str()),
        }
    }
}

fn people(desk: &Desk, asked: &[&Asked<'_>]) -> Result<People, ReportError> {
    let persons = desk.meta.persons()?;
    let mut people = People::default();
    let today = day(desk.now);
    for person in &persons {
        if !person.is_active {
            people.shut_out += 1;
            continue;
        }
        people.active += 1;
        people.untrained += u64::from(person.trained_until < today);
        for role in person.roles.split_whitespace() {
            count(&mut people.roles, role);
        }
    }
    let mut users: Vec<&str> = asked.iter().map(|one| one.entry.who()).collect();
    users.sort_unstable();
    users.dedup();
    people.asked = users.len() as u64;
    Ok(people)
}

/// How a permit stands at a moment.
pub(super) fn state(application: &Application, now: OffsetDateTime) -> &'static str {
    let approval = application.approval();
    if now < approval.valid_from {
        "not-yet"
    } else if now < approval.valid_until {
        "active"
    } else {
        "expired"
    }
}

fn projects(desk: &Desk, asked: &[&Asked<'_>]) -> Vec<Project> {
    let mut projects: BTreeMap<String, Project> = BTreeMap::new();
    for name in desk.policies.projects() {
        let Some(application) = desk.policies.application(name) else { continue };
        let project = Project {
            project: name.to_owned(),
            ja: application.title().ja.clone(),
            en: application.title().en.clone(),
            state: state(application, desk.now).to_owned(),
            valid_until: day(application.approval().valid_until),
            named: application.people().len() as u64,
            ..Project::default()
        };
        projects.insert(name.to_owned(), project);
    }
    for one in asked {
        // A project that never had a permit is somebody's mistake, and is counted among the denials only.
        if !projects.contains_key(one.project()) && !is_known(desk, one.project()) {
            continue;
        }
        let project = projects.entry(one.project().to_owned()).or_insert_with(|| Project {
            project: one.project().to_owned(),
            state: "withdrawn".to_owned(),
            ..Project::default()
        });
        count(&mut project.outcomes, one.outcome());
        project.milliseconds += one.milliseconds();
    }
    projects.into_values().collect()
}

fn is_known(desk: &Desk, project: &str) -> bool {
    desk.entries
        .iter()
        .any(|entry| entry.kind() == Kind::PermitRegistered && entry.project() == Some(project))
}

/// Applications by the state that their last move in the record led to.
fn applications(desk: &Desk) -> BTreeMap<String, u64> {
    let moves = desk.entries.iter().filter(|entry| entry.kind() == Kind::ApplicationMoved);
    let mut last: BTreeMap<&str, &str> = BTreeMap::new();
    for entry in moves {
        let id = entry.subject().or(entry.project()).unwrap_or_default();
        let to = said(entry, "to");
        if !to.is_empty() {
            last.insert(id, to);
        }
    }
    let mut states = BTreeMap::new();
    for state in last.into_values() {
        count(&mut states, state);
    }
    states
}

fn keys(desk: &Desk) -> Result<Vec<Key>, ReportError> {
    let index = desk.environment.keys().index().map_err(catalog_store::EnvironmentError::from)?;
    let key = |entry: &catalog_store::KeyEntry| Key {
        role: entry.name(),
        epoch: entry.epoch,
        state: entry.state.as_str().to_owned(),
    };
    Ok(index.keys.iter().map(key).collect())
}

fn deliveries(desk: &Desk) -> Result<Vec<Deliveries>, ReportError> {
    let mut by_database: BTreeMap<String, Deliveries> = BTreeMap::new();
    for delivery in desk.meta.deliveries()? {
        let sum = by_database.entry(delivery.database.clone()).or_default();
        sum.database.clone_from(&delivery.database);
        sum.deliveries += 1;
        for file in &delivery.files {
            sum.read += file.account.read;
            sum.stored += file.account.stored;
            sum.dropped += file.account.dropped_lines();
            sum.quarantined += file.account.quarantined_lines();
        }
    }
    Ok(by_database.into_values().collect())
}

/// What linking found last, where it ran.
pub(super) fn linkage(desk: &Desk) -> Option<Linkage> {
    let room = desk.environment.room("links");
    let run = std::fs::read_to_string(room.join("current")).ok()?;
    let text = std::fs::read_to_string(room.join(format!("run-{}", run.trim())).join("summary.json")).ok()?;
    let summary: serde_json::Value = serde_json::from_str(&text).ok()?;
    let number = |name: &str| summary.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
    let rules = summary.get("rules").and_then(serde_json::Value::as_object).into_iter().flatten();
    let rules = rules.filter_map(|(rule, found)| Some((rule.clone(), found.get("joins")?.as_u64()?)));
    let conflicts = summary.get("conflicts").and_then(serde_json::Value::as_object).into_iter().flatten();
    Some(Linkage {
        mentions: number("mentions"),
        persons: number("persons"),
        rules: rules.collect(),
        conflicts: conflicts.filter_map(|(kind, keys)| Some((kind.clone(), keys.as_u64()?))).collect(),
    })
}
