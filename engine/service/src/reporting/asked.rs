//! Reports that are asked for over the socket: who may read them, and what is recorded of it.

use audit::{Event, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine_protocol::{ReportAsk, ReportReply, ReportWhat};
use governance::Role;
use reports::Language;
use reports::board::Document;

use super::{Desk, ReportError, Span, kept_quality, pdf, period, seal};
use crate::guard::{Guard, GuardError};
use crate::identity;

/// Who may read a report on a period.
const BOARD: [Role; 4] = [Role::Reviewer, Role::DataOfficer, Role::Auditor, Role::Operator];
/// Who may read the quality report, in which counts below ten stand.
const STEWARDS: [Role; 2] = [Role::DataOfficer, Role::Operator];

/// Answers a wish to read a report.
pub(crate) fn answer(guard: &Guard, asked: &ReportAsk) -> Result<ReportReply, GuardError> {
    let meta = guard.environment.meta()?;
    let standing = identity::Standing::of(&meta, &asked.user, guard.now())?;
    let roles: &[Role] = if asked.what == ReportWhat::Quality { &STEWARDS } else { &BOARD };
    if !standing.is_some_and(|standing| roles.iter().any(|role| standing.roles.contains(role))) {
        return Ok(ReportReply::NotAllowed);
    }
    let found = match &asked.what {
        ReportWhat::Period { from, to } => figures(guard, &asked.user, (from.as_deref(), to.as_deref())),
        ReportWhat::PeriodPdf { from, to, language } => {
            let language = if language == "en" { Language::English } else { Language::Japanese };
            printed(guard, &asked.user, (from.as_deref(), to.as_deref()), language)
        }
        ReportWhat::Quality => quality(guard, &asked.user),
    };
    match found {
        Err(ReportError::Day) => Ok(ReportReply::NoPeriod),
        found => found.map_err(|error| GuardError::Report(Box::new(error))),
    }
}

fn desk(guard: &Guard) -> Result<Desk, ReportError> {
    Desk::open(guard.environment.clone(), guard.log.clone(), guard.now())
}

fn figures(
    guard: &Guard,
    user: &str,
    (from, to): (Option<&str>, Option<&str>),
) -> Result<ReportReply, ReportError> {
    let span = Span::parse(from, to, guard.now())?;
    guard.log.record(Event::new(Kind::View, user).subject("report period"))?;
    let figures = serde_json::to_string(&period(&desk(guard)?, &span)?).map_err(|_| ReportError::Form)?;
    Ok(ReportReply::Figures { figures })
}

fn printed(
    guard: &Guard,
    user: &str,
    (from, to): (Option<&str>, Option<&str>),
    language: Language,
) -> Result<ReportReply, ReportError> {
    let span = Span::parse(from, to, guard.now())?;
    let desk = desk(guard)?;
    let figures = period(&desk, &span)?;
    let text = serde_json::to_string(&figures).map_err(|_| ReportError::Form)?;
    let seal = seal(&desk, user, "period", text.as_bytes())?;
    let document = Document { seal: Some(seal.worded(language)), ..figures.document(language) };
    Ok(ReportReply::Pdf { base64: STANDARD.encode(pdf(&document)?) })
}

fn quality(guard: &Guard, user: &str) -> Result<ReportReply, ReportError> {
    let Some(figures) = kept_quality(&guard.environment)? else { return Ok(ReportReply::Nothing) };
    guard.log.record(Event::new(Kind::View, user).subject("report quality"))?;
    Ok(ReportReply::Figures { figures })
}
