//! The register of incidents and near misses: entered by anybody of the house, or drafted by the guard; what is due
//! and what is overdue.

use audit::{Event, Kind};
use catalog_store::CaseRecord;
use engine_protocol::{
    AllowedMove, CaseKind, CaseLine, CaseView, DutyView, Fact, FieldKind, Fields, FormField, Governed,
    Happened, Label, Word,
};
use governance::incident::{Action, Duty, Grade, Incident, Mark};
use governance::{Actor, Role};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::field::{self, Given};
use super::stored::{self, Asked, Step, instant};
use super::{GovernError, Office};

const KIND: CaseKind = CaseKind::Incident;
/// Who drafts what nobody entered.
const DRAFTER: &str = "guard";

/// What an incident is about, as it was entered.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    title: String,
    text: String,
    grade: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
}

struct Loaded {
    case: CaseRecord,
    about: About,
    incident: Incident,
}

fn replay(case: CaseRecord) -> Result<Loaded, GovernError> {
    let broken = GovernError::Bug("a stored incident is read");
    let about: Option<About> = serde_json::from_str(&case.about).ok();
    let known = OffsetDateTime::parse(&case.at, &Rfc3339).ok();
    let (Some(about), Some(known)) = (about, known) else { return Err(broken) };
    let Some(grade) = Grade::parse(&about.grade) else { return Err(broken) };
    let incident = Incident::replay(known, grade, stored::moves(&case)?);
    Ok(Loaded { case, about, incident })
}

fn load(office: &Office<'_>, id: &str, reader: &Actor) -> Result<Loaded, GovernError> {
    let case = office.stored(KIND, id)?.ok_or_else(|| GovernError::missing("incident", id))?;
    if may_read(&case, reader) { replay(case) } else { Err(GovernError::missing("incident", id)) }
}

/// Who has an office in the house reads the register; who reported something reads that.
fn may_read(case: &CaseRecord, reader: &Actor) -> bool {
    case.by == reader.user() || stored::has_office(reader)
}

pub(super) fn list(office: &Office<'_>, reader: &Actor) -> Result<Vec<CaseLine>, GovernError> {
    let mut lines = Vec::new();
    for case in office.meta.cases(KIND.as_str())? {
        if may_read(&case, reader) {
            lines.push(line(&replay(case)?, reader, office.now));
        }
    }
    Ok(lines)
}

pub(super) fn show(office: &Office<'_>, id: &str, reader: &Actor) -> Result<Governed, GovernError> {
    let loaded = load(office, id, reader)?;
    office.log.record(Event::new(Kind::View, reader.user()).subject(format!("incident {id}")))?;
    Ok(governed(&loaded, reader, office.now))
}

fn line(loaded: &Loaded, reader: &Actor, now: OffsetDateTime) -> CaseLine {
    let incident = &loaded.incident;
    let state = match incident.state() {
        "closed" => Word::new("closed", "終結", "closed"),
        other => Word::new(other, "対応中", "open"),
    };
    let may = Mark::ALL.into_iter().filter(|mark| incident.may(reader, *mark).is_ok());
    let overdue = incident.overdue(now).into_iter().map(|duty| {
        Label::new(format!("{}が期限を過ぎています", duty.ja()), format!("the {} is overdue", duty.as_str()))
    });
    let acts = reader.is(Role::DataOfficer) || reader.is(Role::Operator);
    CaseLine {
        project: loaded.about.project.clone(),
        title: Label::new(&loaded.about.title, &loaded.about.title),
        people: vec![loaded.case.by.clone()],
        may: may.map(|mark| mark.as_str().to_owned()).collect(),
        notices: overdue.filter(|_| acts).collect(),
        ..stored::line(KIND, &loaded.case, incident.moves(), state)
    }
}

fn governed(loaded: &Loaded, reader: &Actor, now: OffsetDateTime) -> Governed {
    let incident = &loaded.incident;
    let fact = |ja: &str, en: &str, text: &str| Fact { name: Label::new(ja, en), text: text.to_owned() };
    let grade = incident.grade();
    let mut facts = vec![
        fact("件名", "title", &loaded.about.title),
        fact("区分", "grade", &format!("{} / {}", grade.ja(), grade.as_str())),
        fact("内容", "what happened", &loaded.about.text),
    ];
    facts.extend(loaded.about.project.as_ref().map(|project| fact("研究課題", "project", project)));
    facts.extend(incident.summary().map(|summary| fact("再発防止の要点", "what was learnt", summary)));
    let allowed = |mark: &Mark| incident.may(reader, *mark).is_ok();
    Governed::Case(Box::new(CaseView {
        line: line(loaded, reader, now),
        by: loaded.case.by.clone(),
        number: incident.moves().len() as u64,
        facts,
        history: incident.moves().iter().map(happened).collect(),
        opinions: Vec::new(),
        given: 0,
        duties: incident.duties().map(|(duty, due)| duty_view(incident, (duty, due), now)).collect(),
        moves: Mark::ALL.into_iter().filter(allowed).map(|mark| allowed_move(mark, incident)).collect(),
        has_evidence: false,
    }))
}

fn duty_view(incident: &Incident, (duty, due): (Duty, OffsetDateTime), now: OffsetDateTime) -> DutyView {
    let done = incident.done(duty);
    DutyView {
        duty: stored::words(duty.as_str(), duty.ja()),
        due: instant(due),
        done: done.map(instant),
        is_overdue: done.is_none() && due < now,
    }
}

fn happened(made: &governance::Move<Action>) -> Happened {
    let text = match &made.action {
        Action::Grade { grade, reason } => format!("{}: {reason}", grade.as_str()),
        Action::Note { text } => text.clone(),
        Action::Discharge { duty, text } => format!("{}: {text}", duty.as_str()),
        Action::Declare { interest } => interest.clone(),
        Action::Close { summary } => summary.clone(),
    };
    let mark = made.action.mark();
    let action = stored::words(mark.as_str(), mark.ja());
    Happened { who: made.who.clone(), at: instant(made.at), action, text }
}

fn grades() -> FormField {
    let of = Grade::ALL.into_iter().map(|grade| stored::words(grade.as_str(), grade.ja())).collect();
    field::of_kind("grade", ("区分", "grade"), FieldKind::Choice { of })
}

fn allowed_move(mark: Mark, incident: &Incident) -> AllowedMove {
    let text = || field::text("text", "内容", "text");
    let fields = match mark {
        Mark::Grade => vec![grades(), field::reason()],
        Mark::Note => vec![text()],
        Mark::Discharge => {
            let of = incident.open().map(|(duty, _)| stored::words(duty.as_str(), duty.ja())).collect();
            let duty = field::of_kind("duty", ("実施した報告", "the duty"), FieldKind::Choice { of });
            vec![duty, text()]
        }
        Mark::Declare => vec![field::text("interest", "利害関係の内容", "the interest")],
        Mark::Close => vec![field::text("summary", "再発防止の要点（公表）", "what was learnt (published)")],
    };
    field::allowed((mark.as_str(), mark.ja()), fields)
}

/// With which fields an incident is entered: by everybody who is somebody here.
pub(super) fn form(reader: &Actor) -> Governed {
    let fields = vec![
        field::text("title", "件名", "title"),
        grades(),
        field::text("text", "何が起きたか", "what happened"),
        field::optional(field::text("project", "研究課題", "project")),
    ];
    Governed::Begin { may: may_begin(reader), fields }
}

fn may_begin(actor: &Actor) -> bool {
    actor.is(Role::Researcher) || stored::has_office(actor)
}

pub(super) fn begin(office: &Office<'_>, actor: &Actor, fields: &Fields) -> Result<Governed, GovernError> {
    if !may_begin(actor) {
        return Err(governance::Illegal::Role(Role::Researcher).into());
    }
    let given = Given(fields);
    let grade = Grade::parse(&given.text("grade")).ok_or_else(|| field::unreadable("grade"))?;
    let project = Some(given.text("project")).filter(|project| !project.is_empty());
    let about = About {
        title: given.text("title"),
        text: given.text("text"),
        grade: grade.as_str().to_owned(),
        project,
    };
    for (name, text) in [("title", &about.title), ("text", &about.text)] {
        if text.is_empty() {
            return Err(field::unreadable(name));
        }
    }
    let id = enter(office, actor.user(), &about)?;
    Ok(governed(&load(office, &id, actor)?, actor, office.now))
}

/// Enters an incident under the next free number, recorded first.
fn enter(office: &Office<'_>, by: &str, about: &About) -> Result<String, GovernError> {
    let text = serde_json::to_string(about).map_err(|_| GovernError::Bug("an incident can be written"))?;
    let mut number = office.meta.cases(KIND.as_str())?.len() + 1;
    loop {
        let id = format!("i{number}");
        let event = Event::new(Kind::IncidentMoved, by).subject(id.as_str());
        let event = about.project.iter().fold(event, |event, project| event.project(project.as_str()));
        if office.stored(KIND, &id)?.is_none() {
            office.log.record(event.with("action", "enter").with("grade", about.grade.as_str()))?;
            if office.begin((KIND, &id), by, text.clone())? {
                return Ok(id);
            }
        }
        number += 1;
    }
}

/// Drafts a near miss that the guard saw, for the steward to judge.
pub(crate) fn draft(
    office: &Office<'_>,
    project: &str,
    (title, text): (&str, String),
) -> Result<String, GovernError> {
    let about = About {
        title: title.to_owned(),
        text,
        grade: Grade::NearMiss.as_str().to_owned(),
        project: Some(project.to_owned()),
    };
    enter(office, DRAFTER, &about)
}

pub(super) fn make(office: &Office<'_>, actor: &Actor, asked: Asked<'_>) -> Result<Governed, GovernError> {
    let mut loaded = load(office, asked.id, actor)?;
    asked.is_of(loaded.incident.moves().len())?;
    let action = action(asked.action, Given(asked.fields))?;
    let (from, number) = (loaded.incident.state(), loaded.incident.moves().len() as u64);
    loaded.incident.make(actor, office.now, action)?;
    let made = loaded.incident.moves().last().ok_or(GovernError::Bug("a move was made"))?;
    let event = Event::new(Kind::IncidentMoved, actor.user()).subject(asked.id);
    let event = loaded.about.project.iter().fold(event, |event, project| event.project(project.as_str()));
    let states = (from, loaded.incident.state());
    let step = Step { kind: KIND, id: asked.id, event, action: made.action.mark().as_str(), states };
    office.keep(step, number, made)?;
    Ok(governed(&loaded, actor, office.now))
}

fn action(word: &str, given: Given<'_>) -> Result<Action, GovernError> {
    let mark = Mark::ALL.into_iter().find(|mark| mark.as_str() == word);
    Ok(match mark.ok_or_else(|| field::no_such_move(word))? {
        Mark::Grade => Action::Grade {
            grade: Grade::parse(&given.text("grade")).ok_or_else(|| field::unreadable("grade"))?,
            reason: given.text("reason"),
        },
        Mark::Note => Action::Note { text: given.text("text") },
        Mark::Discharge => Action::Discharge {
            duty: Duty::parse(&given.text("duty")).ok_or_else(|| field::unreadable("duty"))?,
            text: given.text("text"),
        },
        Mark::Declare => Action::Declare { interest: given.text("interest") },
        Mark::Close => Action::Close { summary: given.text("summary") },
    })
}
