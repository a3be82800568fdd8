//! The dossier of one project.

use std::collections::BTreeSet;

use audit::Kind;
use catalog_model::Tier;
use policies::Application;
use reports::board::project::{Dossier, Move, PermitFacts, Question};

use super::questions::{Asked, questions};
use super::span::{day, minute};
use super::{Desk, ReportError, Span, leaving, period, said, usage};

/// Everything about one project.
///
/// # Errors
///
/// Neither a permit nor the record knows the project.
pub fn dossier(desk: &Desk, span: &Span, project: &str) -> Result<Dossier, ReportError> {
    let application = desk.policies.application(project);
    let is_known = desk.entries.iter().any(|entry| entry.project() == Some(project));
    if application.is_none() && !is_known {
        return Err(ReportError::Unknown { what: "project", name: project.to_owned() });
    }
    let all = questions(&desk.entries);
    let (from, to) = span.words();
    let outside: BTreeSet<&str> = desk
        .entries
        .iter()
        .filter(|entry| entry.kind() == Kind::OutsidePlan && entry.project() == Some(project))
        .filter_map(audit::Entry::subject)
        .collect();
    Ok(Dossier {
        project: project.to_owned(),
        from,
        to,
        permit: application.map(|application| facts(desk, application)),
        moves: moves(desk, project),
        questions: all
            .iter()
            .filter(|asked| asked.project() == project && span.holds(asked.at()))
            .map(|asked| question(asked, outside.contains(asked.id())))
            .collect(),
        provisions: leaving::provisions(desk, span, Some(project)),
        usage: application.map(|one| usage::of_project(desk, span, one, &all)).unwrap_or_default(),
    })
}

fn facts(desk: &Desk, application: &Application) -> PermitFacts {
    let approval = application.approval();
    PermitFacts {
        title_ja: application.title().ja.clone(),
        title_en: application.title().en.clone(),
        purpose_ja: application.purpose().ja.clone(),
        purpose_en: application.purpose().en.clone(),
        state: period::state(application, desk.now).to_owned(),
        tier: match application.tier() {
            Tier::Pseudonymized => "pseudonymized（仮名化）".to_owned(),
            Tier::Anonymized => "anonymized（匿名化）".to_owned(),
        },
        rules: application.rules().to_owned(),
        snapshot: approval.snapshot.as_str().to_owned(),
        months: (approval.period.from.to_string(), approval.period.to.to_string()),
        valid: (day(approval.valid_from), day(approval.valid_until)),
        people: application
            .people()
            .iter()
            .map(|person| (person.user.clone(), format!("{:?}", person.role).to_lowercase()))
            .collect(),
    }
}

/// The moves of its application and the ends of its permits, as the record tells them.
fn moves(desk: &Desk, project: &str) -> Vec<Move> {
    let kinds = [
        Kind::ApplicationMoved,
        Kind::PermitRegistered,
        Kind::PermitWithdrawn,
        Kind::UseHalted,
        Kind::UseResumed,
        Kind::ProjectDestroyed,
    ];
    let is_its = |entry: &&audit::Entry| {
        kinds.contains(&entry.kind())
            && (entry.project() == Some(project) || entry.subject() == Some(project))
    };
    let what = |entry: &audit::Entry| {
        let words = [said(entry, "action"), said(entry, "from"), said(entry, "to")];
        match words {
            ["", ..] => entry.kind().as_str().to_owned(),
            [action, "", _] => format!("{}: {action}", entry.kind()),
            [action, from, to] => format!("{}: {action} ({from} → {to})", entry.kind()),
        }
    };
    desk.entries
        .iter()
        .filter(is_its)
        .map(|entry| Move { at: minute(entry.at()), by: entry.who().to_owned(), what: what(entry) })
        .collect()
}

fn question(asked: &Asked<'_>, is_outside_plan: bool) -> Question {
    let (cells, hidden) = asked.cells();
    Question {
        id: asked.id().to_owned(),
        at: minute(asked.at()),
        by: asked.entry.who().to_owned(),
        outcome: asked.outcome().to_owned(),
        why: if is_outside_plan { Kind::OutsidePlan.as_str() } else { asked.why() }.to_owned(),
        cells,
        hidden,
        tables: asked.tables().into_iter().map(str::to_owned).collect(),
    }
}
