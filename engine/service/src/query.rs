//! One question: vetted, run, protected, recorded.

use std::sync::PoisonError;

use audit::{Closed, Digest, Event, Kind, Opened, Outcome, QueryRequest};
use catalog_model::{Binding, SnapshotId, SnapshotManifest};
use catalog_store::Space;
use engine_disclosure::{Depth, Release};
use engine_protocol::{ClientReply, Governed, Question, ReleasedTable, RunStage, Verdict, VerdictKind};
use engine_vet::{MetadataTable, NotVetted, Scope, Statement, VettedPlan, vet_statement};
use policies::{Action, Denied, Permit, Policies, Request};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::airlock::{self, Asked, Way};
use crate::cases::Retained;
use crate::exclusions::{self, Exclusion};
use crate::guard::{Guard, GuardError};
use crate::identity::{self, Bar};
use crate::output_rules::Broken;
use crate::recent::Recent;
use crate::running::{self, Run};
use crate::verdicts::{
    HALTED, barred_verdict, columns, denied_rule, denied_verdict, halted_verdict, no, not_vetted_verdict,
    statement_verdict, vetted_verdict,
};
use crate::working::{self, Inside};
use crate::{anonymity, budget, certificate, computing, erased, metadata, output_rules, past, releasing};

/// Why an answer stays inside that was computed for its audit: it passed, and whoever asks the question gets it.
pub(crate) const AUDITED: &str = "audited";

/// What vetting says of a question, without running it.
pub(crate) fn verdict(guard: &Guard, question: &Question) -> Result<Verdict, GuardError> {
    Ok(judge(guard, question)?.verdict())
}

/// What vetting says of a question, and what it would cost.
pub(crate) fn estimate(guard: &Guard, question: &Question) -> Result<ClientReply, GuardError> {
    Ok(match judge(guard, question)? {
        Judged::Vetted(vetted) => {
            let grant = vetted.permit.grant();
            let budget = budget::of(&vetted.plan, &vetted.manifest.body, grant, guard.limits);
            ClientReply::Estimate { verdict: vetted.verdict(), budget: Some(budget) }
        }
        Judged::Inside(inside) => {
            ClientReply::Estimate { verdict: statement_verdict(&inside.statement), budget: None }
        }
        Judged::Metadata(table, _) => {
            ClientReply::Estimate { verdict: metadata::verdict(&table), budget: None }
        }
        Judged::Barred(bar) => ClientReply::Estimate { verdict: barred_verdict(&bar), budget: None },
        Judged::Denied(denied) => ClientReply::Estimate { verdict: denied_verdict(&denied), budget: None },
        Judged::Broken(verdict) | Judged::Erased(verdict) => {
            ClientReply::Estimate { verdict: *verdict, budget: None }
        }
        Judged::NotVetted(not_vetted) => {
            ClientReply::Estimate { verdict: not_vetted_verdict(&not_vetted), budget: None }
        }
    })
}

/// Refuses a question by a rule of the service's own, and records it.
pub(crate) fn refuse(
    guard: &Guard,
    question: &Question,
    rule: &str,
    (message, ja): (String, &str),
) -> Result<ClientReply, GuardError> {
    record_no(guard, question, Kind::QueryRefused, rule)?;
    Ok(ClientReply::Verdict(no(
        VerdictKind::Refused,
        rule.to_owned(),
        (message, Some(ja.to_owned())),
        None,
        None,
    )))
}

/// A question that runs, or how it is answered without that.
enum Begun {
    Runs(Box<Vetted>),
    Answered(Box<ClientReply>),
}

/// Judges a question that is to be run; one that may not is recorded.
fn begin(guard: &Guard, question: &Question, running: &Run<'_>) -> Result<Begun, GuardError> {
    if guard.halts.is_halted(&question.project) {
        record_no(guard, question, Kind::QueryDenied, HALTED)?;
        return Ok(Begun::Answered(Box::new(ClientReply::Verdict(halted_verdict()))));
    }
    let reply = match judge(guard, question)? {
        Judged::Vetted(mut vetted) => {
            let (grant, exclusion) = (vetted.permit.grant(), vetted.exclusion);
            vetted.exclusion = anonymity::without_small_classes(guard, grant, &vetted.manifest, exclusion)?;
            return Ok(Begun::Runs(vetted));
        }
        Judged::Inside(inside) => {
            let inside = without_small_classes(guard, inside)?;
            working::act(guard, question, &inside, running)?
        }
        Judged::Metadata(table, snapshot) => ClientReply::Released(metadata::table(&table, &snapshot)),
        Judged::Barred(bar) => {
            record_no(guard, question, Kind::QueryDenied, bar.rule)?;
            ClientReply::Verdict(barred_verdict(&bar))
        }
        Judged::Denied(denied) => {
            record_no(guard, question, Kind::QueryDenied, &denied_rule(&denied))?;
            ClientReply::Verdict(denied_verdict(&denied))
        }
        Judged::Erased(verdict) => {
            record_no(guard, question, Kind::QueryDenied, erased::ERASED)?;
            ClientReply::Verdict(*verdict)
        }
        Judged::Broken(verdict) => {
            record_no(guard, question, Kind::QueryRefused, verdict.rule.as_deref().unwrap_or_default())?;
            ClientReply::Verdict(*verdict)
        }
        Judged::NotVetted(not_vetted) => {
            let is_denied = matches!(not_vetted, NotVetted::Denied(_));
            let kind = if is_denied { Kind::QueryDenied } else { Kind::QueryRefused };
            let verdict = not_vetted_verdict(&not_vetted);
            record_no(guard, question, kind, verdict.rule.as_deref().unwrap_or_default())?;
            ClientReply::Verdict(verdict)
        }
    };
    Ok(Begun::Answered(Box::new(reply)))
}

/// Runs a question and releases its protected table, or says why not.
pub(crate) fn answer(
    guard: &Guard,
    question: &Question,
    running: &Run<'_>,
) -> Result<ClientReply, GuardError> {
    let vetted = match begin(guard, question, running)? {
        Begun::Runs(vetted) => vetted,
        Begun::Answered(reply) => return Ok(*reply),
    };
    let asked = asked(guard, &vetted, question)?;
    let opened = guard.log.open_query(request_of(guard, question, &vetted)?)?;
    if airlock::is_locked(guard, asked)? {
        return Ok(hand_out(None, &opened.close(stays("denials"))?));
    }
    let query = opened.query().to_string();
    let ran = run(guard, &vetted, (&opened, &query), running, Depth::OnLine)?;
    let Answered { table, outcome, copy } = match ran {
        Ok(answered) => answered,
        Err(outcome) => {
            let reply = running::reply(&outcome);
            let _receipt = opened.close(*outcome)?;
            return Ok(reply);
        }
    };
    if let Some(verdict) = erased_since(guard, &vetted)? {
        let _receipt = opened.close(stays(erased::ERASED))?;
        return Ok(ClientReply::Verdict(verdict));
    }
    running.is_at(RunStage::Recording);
    let make = || retained(guard, &vetted, (&opened, &table), None);
    let kept = || airlock::kept(guard, (asked.project, asked.user), &table, make);
    let kept = copy.map_or_else(kept, Ok)?;
    match airlock::way(guard, asked, &kept)? {
        Way::Out => {
            let closed = opened.close(outcome)?;
            Ok(hand_out(Some(certificate::certified(guard, &kept, table, &closed)?), &closed))
        }
        Way::Inside(reason) => Ok(hand_out(None, &opened.close(stays(reason))?)),
        Way::Held(output) => {
            let _receipt = opened.close(stays("review"))?;
            Ok(ClientReply::Governed(Governed::Held { output }))
        }
    }
}

/// Why an answer goes out no more: what it was computed from was erased while it ran.
fn erased_since(guard: &Guard, vetted: &Vetted) -> Result<Option<Verdict>, GuardError> {
    let grant = vetted.permit.grant();
    Ok(erased::of_tables(guard, (&*vetted.manifest, grant), vetted.plan.used())?)
}

/// Asks a question whose answer nobody gets: what it tells of stands beside everything that is asked from then on. The
/// query's id, or the reply where it could not be done.
///
/// What was found beside earlier answers is the board's to know. To the asker every table looks the same.
pub(crate) fn compare(
    guard: &Guard,
    question: &Question,
    running: &Run<'_>,
) -> Result<Result<String, ClientReply>, GuardError> {
    let vetted = match begin(guard, question, running)? {
        Begun::Runs(vetted) => vetted,
        Begun::Answered(reply) => return Ok(Err(*reply)),
    };
    let asked = asked(guard, &vetted, question)?;
    let opened = guard.log.open_query(request_of(guard, question, &vetted)?.with("registers", true))?;
    if airlock::is_locked(guard, asked)? {
        return Ok(Err(hand_out(None, &opened.close(stays("denials"))?)));
    }
    if airlock::is_full(guard, asked)? {
        return Ok(Err(hand_out(None, &opened.close(stays("quota"))?)));
    }
    let query = opened.query().to_string();
    let ran = run(guard, &vetted, (&opened, &query), running, Depth::OnLine)?;
    running.is_at(RunStage::Recording);
    let outcome = ran.map_or_else(|outcome| *outcome, |_| stays("registered"));
    let told = match &outcome {
        Outcome::Stopped { .. } | Outcome::Failed { .. } => Err(running::reply(&outcome)),
        Outcome::Released { .. } | Outcome::Kept { .. } | Outcome::Withheld { .. } => Ok(query),
    };
    let _receipt = opened.close(outcome)?;
    Ok(told)
}

/// Audits the answer to a question beside all earlier ones of its family, where an officer ordered it for the query
/// `of`. One that passes is kept, so that the same question gets it from then on; nobody is handed anything here. How it
/// ended; otherwise why the question may not be asked now.
pub(crate) fn ordered(
    guard: &Guard,
    (officer, of): (&str, &str),
    question: &Question,
    running: &Run<'_>,
) -> Result<Result<Outcome, Verdict>, GuardError> {
    let asked = Question { user: officer.to_owned(), ..question.clone() };
    if guard.halts.is_halted(&question.project) {
        record_no(guard, &asked, Kind::QueryDenied, HALTED)?;
        return Ok(Err(halted_verdict()));
    }
    let mut vetted = match judge(guard, question)? {
        Judged::Vetted(vetted) => vetted,
        other => {
            let verdict = other.verdict();
            record_no(guard, &asked, Kind::QueryDenied, verdict.rule.as_deref().unwrap_or_default())?;
            return Ok(Err(verdict));
        }
    };
    let (grant, exclusion) = (vetted.permit.grant(), vetted.exclusion);
    vetted.exclusion = anonymity::without_small_classes(guard, grant, &vetted.manifest, exclusion)?;
    let request = request_of(guard, &asked, &vetted)?.with("audits", of).with("for", question.user.as_str());
    let opened = guard.log.open_query(request)?;
    let query = opened.query().to_string();
    let ran = run(guard, &vetted, (&opened, &query), running, Depth::OffLine)?;
    let outcome = ran.map_or_else(|outcome| *outcome, |_| stays(AUDITED));
    let _receipt = opened.close(outcome.clone())?;
    Ok(Ok(outcome))
}

/// That an answer stays inside, for this reason.
fn stays(reason: &str) -> Outcome {
    Outcome::Withheld { reason: reason.to_owned() }
}

/// A statement on one of the tables that the project keeps, whatever it keeps besides, which may run now; otherwise why
/// not.
pub(crate) fn inside(
    guard: &Guard,
    question: &Question,
    table: &str,
) -> Result<Result<Box<Inside>, Box<Verdict>>, GuardError> {
    if guard.halts.is_halted(&question.project) {
        return Ok(Err(Box::new(halted_verdict())));
    }
    let alone = |space: &mut Space| {
        space.tables.retain(|name, _| name == table);
        space.views.clear();
    };
    Ok(match judge_over(guard, question, &alone)? {
        Judged::Inside(inside) => Ok(without_small_classes(guard, inside)?),
        other => Err(Box::new(other.verdict())),
    })
}

fn without_small_classes(guard: &Guard, mut inside: Box<Inside>) -> Result<Box<Inside>, GuardError> {
    let (grant, exclusion) = (inside.permit.grant(), inside.exclusion);
    inside.exclusion = anonymity::without_small_classes(guard, grant, &inside.manifest, exclusion)?;
    Ok(inside)
}

/// Who asks, and how the permit lets releases go out.
fn asked<'a>(guard: &Guard, vetted: &'a Vetted, question: &'a Question) -> Result<Asked<'a>, GuardError> {
    let application = vetted.policies.application(&question.project);
    let outputs = application.ok_or(GuardError::Bug("a permit has its application"))?.outputs();
    let told: Vec<String> = columns(&airlock::telling(&guard.catalogue, vetted.plan.used()));
    let is_planned = outputs.is_planned(&told.iter().map(String::as_str).collect::<Vec<_>>());
    let broken = vetted.broken.as_ref();
    Ok(Asked { project: &question.project, user: &question.user, outputs, is_planned, broken })
}

/// What is kept of a release: the question, the table, and what stood behind it where it was computed just now.
pub(crate) fn retained(
    guard: &Guard,
    vetted: &Vetted,
    (opened, table): (&Opened, &ReleasedTable),
    release: Option<(&Release, (u64, String))>,
) -> Retained {
    let request = vetted.permit.request();
    let behind = release.as_ref().map(|(release, _)| release.behind.inside());
    let trace = release.as_ref().map(|(release, _)| {
        let own = release.reasons.iter().map(|(rule, values)| ((*rule).to_owned(), *values));
        own.chain([("margins".to_owned(), release.secondary)]).collect()
    });
    Retained {
        query: table.query.clone(),
        project: request.project.clone(),
        asker: request.user.clone(),
        at: guard.now().format(&Rfc3339).unwrap_or_default(),
        sql: vetted.plan.sql().to_owned(),
        plan: vetted.plan.hash().to_owned(),
        tables: vetted.plan.used().keys().cloned().collect(),
        lists: vetted.lists(),
        rule_digest: digest_of(vetted, &table.rules),
        table: table.clone(),
        cells: behind.map(|behind| behind.lines.clone()).unwrap_or_default(),
        is_cut: behind.is_none_or(|behind| behind.is_cut),
        trace: trace.unwrap_or_default(),
        hidden_interval: release.as_ref().map(|(release, _)| release.hidden_interval),
        beyond: release.as_ref().and_then(|(release, _)| release.beyond),
        ledger: release.map(|(_, ledger)| ledger).unwrap_or_default(),
        opened: opened.query().to_string(),
        left_out: Some(vetted.exclusion.left_out()),
    }
}

/// The digest of the rule packs of these names; of packs that are gone since, that of the permit's own.
fn digest_of(vetted: &Vetted, packs: &str) -> String {
    let digest = vetted.policies.packs().digest(packs);
    digest.unwrap_or_else(|| vetted.permit.rule_digest().to_owned())
}

/// An answer goes out against the receipt that its outcome stands in the record.
fn hand_out(table: Option<ReleasedTable>, _receipt: &Closed) -> ClientReply {
    table.map_or(ClientReply::Withheld, ClientReply::Released)
}

/// Why whoever asks may ask nothing of the project now; nothing where they may.
pub(crate) fn refused_all(guard: &Guard, user: &str, project: &str) -> Result<Option<Verdict>, GuardError> {
    if guard.halts.is_halted(project) {
        return Ok(Some(halted_verdict()));
    }
    let sql = "SELECT * FROM misu.tables".to_owned();
    let question = Question { user: user.to_owned(), project: project.to_owned(), sql };
    match judge(guard, &question)? {
        Judged::Metadata(_, _) => Ok(None),
        _ => verdict(guard, &question).map(Some),
    }
}

/// A question that may run, with everything that says so.
pub(crate) struct Vetted {
    pub(crate) permit: Permit,
    pub(crate) policies: std::sync::Arc<Policies>,
    pub(crate) manifest: std::sync::Arc<SnapshotManifest>,
    pub(crate) plan: VettedPlan,
    pub(crate) exclusion: Exclusion,
    pub(crate) space: Space,
    /// The rule "in principle" that it breaks; people look at its answer first.
    pub(crate) broken: Option<Broken>,
}

impl Vetted {
    fn verdict(&self) -> Verdict {
        let told = self.broken.as_ref().map(|broken| broken.verdict(&self.plan));
        told.unwrap_or_else(|| vetted_verdict(self.plan.used()))
    }

    /// The lists that it names, each with the version that is meant.
    fn lists(&self) -> Vec<String> {
        self.space.versions(self.plan.used().keys().map(String::as_str))
    }
}

enum Judged {
    Vetted(Box<Vetted>),
    /// A statement that keeps or drops something of the project's own.
    Inside(Box<Inside>),
    /// A question about what may be asked, with its answer.
    Metadata(MetadataTable, SnapshotId),
    /// The person may ask nothing now, whatever the permit says.
    Barred(Bar),
    Denied(Denied),
    /// What it asks for was erased.
    Erased(Box<Verdict>),
    /// The table's dimensions are not those that a rule pack allows, without exception.
    Broken(Box<Verdict>),
    NotVetted(NotVetted),
}

impl Judged {
    fn verdict(self) -> Verdict {
        match self {
            Self::Vetted(vetted) => vetted.verdict(),
            Self::Inside(inside) => statement_verdict(&inside.statement),
            Self::Metadata(table, _) => metadata::verdict(&table),
            Self::Barred(bar) => barred_verdict(&bar),
            Self::Denied(denied) => denied_verdict(&denied),
            Self::Broken(verdict) | Self::Erased(verdict) => *verdict,
            Self::NotVetted(not_vetted) => not_vetted_verdict(&not_vetted),
        }
    }
}

fn judge(guard: &Guard, question: &Question) -> Result<Judged, GuardError> {
    judge_over(guard, question, &|_| ())
}

/// Judges a question over what is left of the project's own tables and views.
fn judge_over(guard: &Guard, question: &Question, left: &dyn Fn(&mut Space)) -> Result<Judged, GuardError> {
    if let Some(bar) = identity::bar(guard, &question.user)? {
        return Ok(Judged::Barred(bar));
    }
    let policies = guard.permits.policies(&guard.catalogue)?;
    let request = request(&policies, question, guard.now());
    let permit = match guard.permits.permit(&policies, &request, &guard.catalogue) {
        Ok(permit) => permit,
        Err(denied) => return Ok(Judged::Denied(denied)),
    };
    let manifest = guard.manifests.find(&guard.environment.snapshots()?, &permit.grant().snapshot)?;
    let scope = Scope { catalogue: &guard.catalogue, grant: permit.grant() };
    let mut space = guard.workspaces.read(&question.project)?;
    left(&mut space);
    let workspace = space.workspace(guard.now().unix_timestamp());
    if let Some(answer) = engine_vet::metadata(&question.sql, scope, &workspace) {
        return Ok(match answer {
            Ok(table) => Judged::Metadata(table, permit.grant().snapshot.clone()),
            Err(refusal) => Judged::NotVetted(refusal.into()),
        });
    }
    let statement = match vet_statement(&question.sql, scope, &workspace) {
        Ok(statement) => statement,
        Err(NotVetted::NoStack) => return Err(GuardError::NoStack),
        Err(not_vetted) => return Ok(Judged::NotVetted(not_vetted)),
    };
    if let Some(verdict) = erased::verdict(guard, (&*manifest, permit.grant()), &statement)? {
        return Ok(Judged::Erased(Box::new(verdict)));
    }
    let room = guard.environment.room("exclusions");
    let exclusion = exclusions::read(&room, &manifest.id).map_err(GuardError::Exclusion)?;
    Ok(match statement {
        Statement::Query(plan) => {
            let (plan, packs) = (*plan, (policies.packs(), permit.rule_pack()));
            let rules = output_rules::rules(&plan, &guard.catalogue, packs);
            match output_rules::broken(&plan, &guard.catalogue, &rules) {
                Some(broken) if broken.binding == Binding::Absolute => {
                    Judged::Broken(Box::new(broken.verdict(&plan)))
                }
                broken => Judged::Vetted(Box::new(Vetted {
                    permit,
                    policies,
                    manifest,
                    plan,
                    exclusion,
                    space,
                    broken,
                })),
            }
        }
        statement => Judged::Inside(Box::new(Inside { permit, manifest, statement, exclusion, space })),
    })
}

/// What the policies are asked.
pub(crate) fn request(policies: &Policies, question: &Question, now: OffsetDateTime) -> Request {
    match policies.application(&question.project) {
        Some(application) => Request {
            user: question.user.clone(),
            project: question.project.clone(),
            purpose: application.purpose().code.clone(),
            now,
            snapshot: application.approval().snapshot.clone(),
        },
        // A project that is not there is denied by the policies like one that the user is not in.
        None => Request {
            user: question.user.clone(),
            project: question.project.clone(),
            purpose: String::new(),
            now,
            snapshot: SnapshotId::from_digest(&[0; 32]),
        },
    }
}

/// The permit of whoever asks, where the policies give one.
pub(crate) fn permit(guard: &Guard, question: &Question) -> Result<Option<Permit>, GuardError> {
    let policies = guard.permits.policies(&guard.catalogue)?;
    let request = request(&policies, question, guard.now());
    Ok(guard.permits.permit(&policies, &request, &guard.catalogue).ok())
}

fn request_of(guard: &Guard, question: &Question, vetted: &Vetted) -> Result<QueryRequest, GuardError> {
    let (sql, plan) = committed(guard, question, vetted.plan.hash())?;
    let columns: Vec<String> = columns(vetted.plan.used());
    let request = QueryRequest::new(&question.user, &question.project, vetted.manifest.id.as_str(), plan)
        .with("columns", columns.join(" "))
        .with("rules", digest_of(vetted, &releasing::rules(guard, vetted).1))
        .with("policies", vetted.permit.policy_digest())
        .with("exclusion", vetted.exclusion.exclusion.as_str())
        .with("sql", sql);
    Ok(with_lists(request, &vetted.lists()))
}

/// The request with the versions of the lists that it names, if it names any.
pub(crate) fn with_lists(request: QueryRequest, lists: &[String]) -> QueryRequest {
    if lists.is_empty() { request } else { request.with("lists", lists.join(" ")) }
}

/// A released table with its outcome.
pub(crate) struct Answered {
    pub(crate) table: ReleasedTable,
    pub(crate) outcome: Outcome,
    /// The copy that is kept of it, where it was made just now.
    pub(crate) copy: Option<Retained>,
}

/// What was released, or the outcome alone.
pub(crate) type Ran = Result<Answered, Box<Outcome>>;

/// From the vetted plan to the released table; otherwise the outcome that is recorded. The asker is told no more than
/// that nothing can be released.
///
/// The ledger is held from the comparison to the entry, so that two answers cannot miss each other.
fn run(
    guard: &Guard,
    vetted: &Vetted,
    (opened, query): (&Opened, &str),
    running: &Run<'_>,
    depth: Depth,
) -> Result<Ran, GuardError> {
    let question =
        past::question(&vetted.plan, &vetted.permit, &releasing::rules(guard, vetted).0, &vetted.exclusion);
    let kept = {
        let mut ledger = guard.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        let held = ledger.hold(&guard.environment, &guard.recent(Recent::noted)?)?;
        releasing::kept(guard, opened, &held, &question)?
    };
    let computed = match &kept {
        Some(_) => None,
        None => match computing::compute(guard, vetted, query, running) {
            Ok(computed) => Some(computed),
            Err(outcome) => return Ok(Err(outcome)),
        },
    };
    running.is_at(RunStage::Protecting);
    if let Some(reason) = running.stopped().or_else(|| stopped(guard, vetted)) {
        return Ok(Err(Box::new(Outcome::Stopped { reason: reason.to_owned() })));
    }
    match (kept, computed) {
        (Some(answer), _) => releasing::again(&answer).map(Ok),
        (None, Some(computed)) => {
            releasing::release(guard, vetted, opened, computed, (query, question, depth))
        }
        (None, None) => Err(GuardError::Bug("an answer is kept or computed")),
    }
}

/// Why a query that was let run is stopped, if it is: a halt, or a permit that is not in force any more. The permits
/// are read again, as they are now; what cannot be read permits nothing.
pub(crate) fn stopped(guard: &Guard, vetted: &Vetted) -> Option<&'static str> {
    if guard.halts.is_halted(&vetted.permit.request().project) {
        return Some(HALTED);
    }
    let again = Request { now: guard.now(), ..vetted.permit.request().clone() };
    if !identity::bar(guard, &again.user).is_ok_and(|bar| bar.is_none()) {
        return Some("person-barred");
    }
    let policies = guard.permits.policies(&guard.catalogue);
    let may = policies.is_ok_and(|policies| policies.may(&again, Action::Release).is_ok());
    (!may).then_some("permit-ended")
}

pub(crate) fn record_no(
    guard: &Guard,
    question: &Question,
    kind: Kind,
    rule: &str,
) -> Result<(), GuardError> {
    let event = Event::new(kind, question.user.clone()).project(question.project.clone());
    guard.log.record(event.with("rule", rule).with("sql", text(guard, question)?))?;
    Ok(())
}

/// Keeps the text of a question for auditors; what the record has in its place.
pub(crate) fn text(guard: &Guard, question: &Question) -> Result<String, GuardError> {
    let asked = (&*question.user, &*question.project, &*question.sql);
    Ok(guard.texts.keep(asked, None, guard.now())?.text)
}

/// Keeps the question's text and its plan's hash for auditors; the digests of both for the record.
pub(crate) fn committed(
    guard: &Guard,
    question: &Question,
    plan: &str,
) -> Result<(String, Digest), GuardError> {
    let asked = (&*question.user, &*question.project, &*question.sql);
    let committed = guard.texts.keep(asked, Some(plan), guard.now())?;
    let plan = committed.plan.ok_or(GuardError::Bug("a plan's hash is kept with its question"))?;
    Ok((committed.text, Digest::new(plan)))
}
