//! Outputs that people look at: held before they go out, or drawn and looked at afterwards.
//!
//! An output's id is its project and the query that made its table, so that the same question of the same project
//! finds the same case. The evidence pack is answered over the socket only, and each view is recorded before it is
//! answered.

use std::collections::BTreeSet;

use audit::{Event, Kind};
use catalog_store::CaseRecord;
use engine_protocol::{
    AllowedMove, Attachment, BrokenRule, CaseKind, CaseLine, CaseView, EarlierRelease, EvidencePack, Fact,
    Fields, Governed, Happened, Label, Waits, Word,
};
use governance::output::{Action, Mark, Output, State, TARGET_DAYS};
use governance::{Actor, Illegal, Role};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::field::{self, Given};
use super::retained::{Retained, RetainedFiles};
use super::stored::{self, Asked, Step, instant};
use super::{GovernError, Office, applications};
use crate::airlock;
use crate::output_rules::Broken;

const KIND: CaseKind = CaseKind::Output;
/// Earlier releases that a pack names.
const EARLIER: usize = 20;
/// Who opens what nobody asked for.
const OPENER: &str = "guard";

/// What an output is about.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct About {
    project: String,
    /// The query that made the table.
    query: String,
    asker: String,
    people: BTreeSet<String>,
    /// The table went out by itself.
    is_out: bool,
    /// It is none of the tables that the application planned.
    #[serde(default)]
    is_outside_plan: bool,
    /// The rule "in principle" that the question breaks, for which it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    broken: Option<BrokenRule>,
}

struct Loaded {
    case: CaseRecord,
    about: About,
    output: Output,
}

fn replay(case: CaseRecord) -> Result<Loaded, GovernError> {
    let about = serde_json::from_str::<About>(&case.about);
    let about = about.map_err(|_| GovernError::Bug("a stored output is read"))?;
    let people = about.people.iter().cloned();
    let begun =
        if about.is_out { Output::out(&about.query, people) } else { Output::held(&about.query, people) };
    let output = begun.replayed(stored::moves(&case)?);
    Ok(Loaded { case, about, output })
}

fn load(office: &Office<'_>, id: &str, reader: &Actor) -> Result<Loaded, GovernError> {
    let case = office.stored(KIND, id)?.ok_or_else(|| GovernError::missing("output", id))?;
    let loaded = replay(case)?;
    if may_read(&loaded, reader) { Ok(loaded) } else { Err(GovernError::missing("output", id)) }
}

fn may_read(loaded: &Loaded, reader: &Actor) -> bool {
    loaded.output.people().contains(reader.user())
        || [Role::Reviewer, Role::DataOfficer, Role::Auditor].iter().any(|role| reader.is(*role))
}

/// The id of the case of a project about the table that a query made.
fn id(project: &str, query: &str) -> String {
    format!("{project}-{query}")
}

/// How an answer stands with people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Nobody looks at it, or it was let out.
    Free,
    /// It is held; the case's id.
    Held(String),
    /// It was called back, or people decided that it stays inside.
    Inside,
}

/// How the answer that a query made stands for a project; nothing where no case was ever opened.
pub(crate) fn standing(
    office: &Office<'_>,
    project: &str,
    query: &str,
) -> Result<Option<Standing>, GovernError> {
    let Some(case) = office.stored(KIND, &id(project, query))? else { return Ok(None) };
    let loaded = replay(case)?;
    Ok(Some(match loaded.output.state() {
        State::Released => Standing::Free,
        State::Revoked | State::Rejected | State::Withdrawn => Standing::Inside,
        _ if loaded.about.is_out => Standing::Free,
        _ => Standing::Held(loaded.case.id),
    }))
}

/// Opens the case of an answer that waits for people, and gives its id.
pub(crate) fn held(
    office: &Office<'_>,
    kept: &Retained,
    asked: &airlock::Asked<'_>,
) -> Result<String, GovernError> {
    open(office, about(kept, asked, false), OPENER)
}

/// Opens the case of a release that is out and is looked at afterwards.
pub(crate) fn open_for_people(
    office: &Office<'_>,
    kept: &Retained,
    asked: &airlock::Asked<'_>,
) -> Result<String, GovernError> {
    open(office, about(kept, asked, true), OPENER)
}

/// What a case of whoever asks is about; its people are found when it is opened.
fn about(kept: &Retained, asked: &airlock::Asked<'_>, is_out: bool) -> About {
    About {
        asker: asked.user.to_owned(),
        is_outside_plan: !asked.is_planned,
        broken: asked.broken.map(Broken::told),
        ..About::of(kept, is_out)
    }
}

fn open(office: &Office<'_>, about: About, by: &str) -> Result<String, GovernError> {
    let (project, query) = (about.project.clone(), about.query.clone());
    let id = id(&project, &query);
    let mut people: BTreeSet<String> = applications::people(office, &project)?.into_iter().collect();
    people.extend(office.members(&project)?);
    people.insert(about.asker.clone());
    let action = if about.is_out { "draw" } else { "hold" };
    let event = Event::new(Kind::OutputMoved, by).project(project).subject(id.as_str());
    let event = event.with("action", action).with("query", query);
    let event = match &about.broken {
        Some(broken) => event.with("rule", broken.rule.as_str()),
        None => event,
    };
    let about = About { people, ..about };
    let text = serde_json::to_string(&about).map_err(|_| GovernError::Bug("an output can be written"))?;
    office.log.record(event)?;
    // A case that is there already is the one.
    office.begin((KIND, &id), by, text)?;
    Ok(id)
}

impl About {
    /// About a kept release of whoever asked first, as planned and within every rule.
    fn of(kept: &Retained, is_out: bool) -> Self {
        Self {
            project: kept.project.clone(),
            query: kept.query.clone(),
            asker: kept.asker.clone(),
            people: BTreeSet::new(),
            is_out,
            is_outside_plan: false,
            broken: None,
        }
    }
}

impl Office<'_> {
    /// The people whom the registered permit of a project names.
    fn members(&self, project: &str) -> Result<Vec<String>, GovernError> {
        let (catalogue, _) = self.environment.catalogue()?;
        let policies = self.permits.policies(&catalogue)?;
        let people = policies.application(project).map(policies::Application::people).unwrap_or_default();
        Ok(people.iter().map(|person| person.user.clone()).collect())
    }
}

pub(super) fn list(office: &Office<'_>, reader: &Actor) -> Result<Vec<CaseLine>, GovernError> {
    let mut lines = Vec::new();
    for case in office.meta.cases(KIND.as_str())? {
        let loaded = replay(case)?;
        if may_read(&loaded, reader) {
            lines.push(line(&loaded, reader, office.now));
        }
    }
    Ok(lines)
}

pub(super) fn show(office: &Office<'_>, id: &str, reader: &Actor) -> Result<Governed, GovernError> {
    let loaded = load(office, id, reader)?;
    let view = Event::new(Kind::View, reader.user()).project(loaded.about.project.as_str());
    office.log.record(view.subject(format!("output {id}")))?;
    Ok(governed(&loaded, reader, office.now))
}

fn line(loaded: &Loaded, reader: &Actor, now: OffsetDateTime) -> CaseLine {
    let output = &loaded.output;
    let state = output.state();
    let may = Mark::ALL.into_iter().filter(|mark| output.may(reader, *mark).is_ok());
    let is_own = output.people().contains(reader.user());
    let recalled = (is_own && state == State::Revoked).then(|| {
        Label::new(
            "この出力は回収されました。手元の写しを消去してください",
            "this output was called back: destroy every copy of it",
        )
    });
    let title = format!("{} {}", loaded.about.project, loaded.about.query);
    CaseLine {
        project: Some(loaded.about.project.clone()),
        title: Label::new(title.as_str(), title.as_str()),
        people: output.people().iter().cloned().collect(),
        may: may.map(|mark| mark.as_str().to_owned()).collect(),
        notices: recalled.into_iter().collect(),
        waits: waits(loaded, now),
        ..stored::line(
            KIND,
            &loaded.case,
            output.moves(),
            Word::new(state.as_str(), state.ja(), &state.as_str().replace('-', " ")),
        )
    }
}

/// How long it has waited for its reviewers, where it does; a drawn release waits from the beginning.
fn waits(loaded: &Loaded, now: OffsetDateTime) -> Option<Waits> {
    if !loaded.output.waits() {
        return None;
    }
    let begun = || OffsetDateTime::parse(&loaded.case.at, &Rfc3339).ok();
    let since = loaded.output.handed_in().or_else(begun)?;
    let days = u64::try_from((now - since).whole_days()).unwrap_or(0);
    Some(Waits { since: instant(since), days, target: TARGET_DAYS })
}

fn governed(loaded: &Loaded, reader: &Actor, now: OffsetDateTime) -> Governed {
    let output = &loaded.output;
    let allowed = |mark: &Mark| output.may(reader, *mark).is_ok();
    Governed::Case(Box::new(CaseView {
        line: line(loaded, reader, now),
        by: loaded.about.asker.clone(),
        number: output.moves().len() as u64,
        facts: facts(loaded),
        history: output.moves().iter().map(happened).collect(),
        opinions: output.opinions(reader).into_iter().map(field::opinion_view).collect(),
        given: output.given() as u64,
        duties: Vec::new(),
        moves: Mark::ALL.into_iter().filter(allowed).map(allowed_move).collect(),
        has_evidence: output.may_see_evidence(reader),
    }))
}

fn facts(loaded: &Loaded) -> Vec<Fact> {
    let fact = |ja: &str, en: &str, text: &str| Fact { name: Label::new(ja, en), text: text.to_owned() };
    let about = &loaded.about;
    let why = if about.is_out {
        "提供後の抽出審査 / out already, looked at afterwards"
    } else {
        "提供前の審査 / before it goes out"
    };
    let mut facts = vec![
        fact("研究課題", "project", &about.project),
        fact("問い合わせ", "query", &about.query),
        fact("審査の時期", "when it is looked at", why),
    ];
    if about.is_outside_plan {
        facts.push(fact(
            "計画との照合",
            "compared with the plan",
            "申出の予定する表のどれにも当たらない / none of the tables that the application planned",
        ));
    }
    if let Some(BrokenRule { rule, says }) = &about.broken {
        let text = format!("{rule}\n{}\n{}", says.ja, says.en);
        facts.push(fact("原則の規則", "rule in principle that it breaks", &text));
    }
    facts.extend(context(&loaded.output));
    let names: Vec<&str> = loaded.output.attachments().keys().map(String::as_str).collect();
    if !names.is_empty() {
        facts.push(fact("添付", "attached", &names.join("\n")));
    }
    facts
}

fn context(output: &Output) -> Vec<Fact> {
    let fact = |ja: &str, en: &str, text: &str| Fact { name: Label::new(ja, en), text: text.to_owned() };
    let both = output.description().map(|(context, controls)| {
        vec![
            fact("何のための出力か", "what it is for", context),
            fact("秘匿のためにしたこと", "what was done against disclosure", controls),
        ]
    });
    both.unwrap_or_default()
}

/// What was done, with its reason; what a reviewer said stands with the opinions.
fn happened(made: &governance::Move<Action>) -> Happened {
    let text = match &made.action {
        Action::Return { reason }
        | Action::Reject { reason }
        | Action::Appeal { reason }
        | Action::Revoke { reason } => reason.clone(),
        Action::Declare { interest } => interest.clone(),
        Action::Attach { name, .. } => name.clone(),
        Action::Describe { .. }
        | Action::Submit
        | Action::Withdraw
        | Action::Review { .. }
        | Action::Approve
        | Action::Release => String::new(),
    };
    let mark = made.action.mark();
    let action = stored::words(mark.as_str(), mark.ja());
    Happened { who: made.who.clone(), at: instant(made.at), action, text }
}

fn allowed_move(mark: Mark) -> AllowedMove {
    let fields = match mark {
        Mark::Describe => vec![
            field::text("context", "何のための出力か", "what it is for"),
            field::text("controls", "秘匿のためにしたこと", "what was done against disclosure"),
        ],
        Mark::Attach => vec![
            field::helped(
                field::text("name", "ファイル名", "the file's name"),
                "csv、tsv、txt、sql のいずれか。",
                "One of csv, tsv, txt, sql.",
            ),
            field::text("text", "ファイルの内容", "the file's text"),
        ],
        Mark::Declare => vec![field::text("interest", "利害関係の内容", "the interest")],
        Mark::Review => field::opinion(),
        Mark::Return | Mark::Reject | Mark::Appeal | Mark::Revoke => vec![field::reason()],
        Mark::Submit | Mark::Withdraw | Mark::Approve | Mark::Release => Vec::new(),
    };
    field::allowed((mark.as_str(), mark.ja()), fields)
}

/// With which fields a data officer opens the case of a release that is out.
pub(super) fn form(reader: &Actor) -> Governed {
    let fields = vec![
        field::text("project", "研究課題", "project"),
        field::text("query", "問い合わせの番号", "the query's id"),
    ];
    Governed::Begin { may: reader.is(Role::DataOfficer), fields }
}

/// Opens the case of a release that is out, so that it can be looked at and called back.
pub(super) fn begin(office: &Office<'_>, actor: &Actor, fields: &Fields) -> Result<Governed, GovernError> {
    if !actor.is(Role::DataOfficer) {
        return Err(Illegal::Role(Role::DataOfficer).into());
    }
    let given = Given(fields);
    let (project, query) = (given.text("project"), given.text("query"));
    let kept = RetainedFiles::new(office.environment).find(&project, &query)?;
    let kept = kept.ok_or_else(|| GovernError::missing("release", &query))?;
    if office.stored(KIND, &id(&project, &query))?.is_none() {
        open(office, About::of(&kept, true), actor.user())?;
    }
    Ok(governed(&load(office, &id(&project, &query), actor)?, actor, office.now))
}

pub(super) fn make(office: &Office<'_>, actor: &Actor, asked: Asked<'_>) -> Result<Governed, GovernError> {
    let mut loaded = load(office, asked.id, actor)?;
    asked.is_of(loaded.output.moves().len())?;
    let action = action(asked.action, Given(asked.fields))?;
    let mark = action.mark();
    let (from, number) = (loaded.output.state(), loaded.output.moves().len() as u64);
    let project = loaded.about.project.clone();
    if mark == Mark::Release && applications::has_ended(office, &project)? {
        let ja = "この研究課題の利用は終了しています";
        return Err(GovernError::no("ended", "the project's use has ended", ja));
    }
    loaded.output.make(actor, office.now, action)?;
    let made = loaded.output.moves().last().ok_or(GovernError::Bug("a move was made"))?;
    let to = loaded.output.state();
    let event = Event::new(Kind::OutputMoved, actor.user()).project(project.as_str()).subject(asked.id);
    let states = (from.as_str(), to.as_str());
    let step = Step { kind: KIND, id: asked.id, event, action: mark.as_str(), states };
    office.keep(step, number, made)?;
    if to == State::Revoked && from != State::Revoked {
        let event = Event::new(Kind::ReleaseRecalled, actor.user()).project(project.as_str());
        let people: Vec<&str> = loaded.output.people().iter().map(String::as_str).collect();
        office.log.record(event.subject(loaded.about.query.as_str()).with("notified", people.join(" ")))?;
    }
    Ok(governed(&loaded, actor, office.now))
}

fn action(word: &str, given: Given<'_>) -> Result<Action, GovernError> {
    let reason = given.text("reason");
    let mark = Mark::ALL.into_iter().find(|mark| mark.as_str() == word);
    Ok(match mark.ok_or_else(|| field::no_such_move(word))? {
        Mark::Describe => {
            Action::Describe { context: given.text("context"), controls: given.text("controls") }
        }
        Mark::Attach => Action::Attach { name: given.text("name"), text: given.whole("text") },
        Mark::Submit => Action::Submit,
        Mark::Withdraw => Action::Withdraw,
        Mark::Declare => Action::Declare { interest: given.text("interest") },
        Mark::Review => Action::Review { vote: given.vote()?, comment: given.text("comment") },
        Mark::Return => Action::Return { reason },
        Mark::Approve => Action::Approve,
        Mark::Reject => Action::Reject { reason },
        Mark::Appeal => Action::Appeal { reason },
        Mark::Release => Action::Release,
        Mark::Revoke => Action::Revoke { reason },
    })
}

/// The evidence pack, for whoever of the board has nothing to do with the project. Recorded before it is answered.
pub(super) fn evidence(office: &Office<'_>, id: &str, reader: &Actor) -> Result<Governed, GovernError> {
    let loaded = load(office, id, reader)?;
    if !loaded.output.may_see_evidence(reader) {
        let ja = "この出力の根拠資料を閲覧できるのは、利害関係のない審査委員等だけです";
        return Err(GovernError::no("evidence", "only the board looks at what stands behind an output", ja));
    }
    let files = RetainedFiles::new(office.environment);
    let kept = files.find(&loaded.about.project, &loaded.about.query)?;
    let kept = kept.ok_or(GovernError::Bug("an output that is reviewed is kept"))?;
    let event = Event::new(Kind::EvidenceViewed, reader.user()).project(loaded.about.project.as_str());
    office.log.record(event.subject(id).with("query", kept.query.as_str()))?;
    Ok(Governed::Evidence(Box::new(pack(&files, &loaded, kept)?)))
}

fn pack(files: &RetainedFiles<'_>, loaded: &Loaded, kept: Retained) -> Result<EvidencePack, GovernError> {
    let mut earlier = Vec::new();
    let queries = files.of_project(&kept.project).into_iter().filter(|query| *query != kept.query);
    for query in queries.take(EARLIER) {
        if let Some(other) = files.find(&kept.project, &query)? {
            let is_related = other.tables.iter().any(|table| kept.tables.contains(table));
            earlier.push(EarlierRelease { query, at: other.at, sql: other.sql, is_related });
        }
    }
    let attached = loaded.output.attachments().iter();
    Ok(EvidencePack {
        broken: loaded.about.broken.clone(),
        output: loaded.case.id.clone(),
        project: kept.project,
        asker: kept.asker,
        sql: kept.sql,
        plan: kept.plan,
        snapshot: kept.table.snapshot.clone(),
        rules: kept.table.rules.clone(),
        table: kept.table,
        cells: kept.cells,
        is_cut: kept.is_cut,
        trace: kept.trace,
        beyond: kept.beyond,
        earlier,
        context: context(&loaded.output),
        attachments: attached
            .map(|(name, text)| Attachment { name: name.clone(), text: text.clone() })
            .collect(),
    })
}
