//! One question: vetted, run, protected, recorded.

use std::collections::BTreeMap;

use audit::{Closed, Digest, Event, Kind, Opened, Outcome, QueryRequest};
use catalog_model::{Catalogue, FileEntry, Grant, SnapshotManifest};
use classified::Protected;
use engine_disclosure::{Release, Withheld};
use engine_protocol::{
    BucketSlice, ClientReply, Evidence, Question, ReleasedTable, Verdict, VerdictKind, WorkerReply,
    WorkerRequest,
};
use engine_vet::{NotVetted, Scope, VettedPlan, vet};
use policies::{Action, Denied, Permit, Policies, Request};

use crate::exclusions::{self, Exclusion};
use crate::guard::{Guard, GuardError};
use crate::shape::shape;

/// What vetting says of a question, without running it.
pub(crate) fn verdict(guard: &Guard, question: &Question) -> Result<Verdict, GuardError> {
    Ok(match judge(guard, question)? {
        Judged::Vetted(vetted) => vetted_verdict(&vetted.plan),
        Judged::Denied(denied) => denied_verdict(&denied),
        Judged::NotVetted(not_vetted) => not_vetted_verdict(&not_vetted),
    })
}

/// Runs a question and releases its protected table, or says why not.
pub(crate) fn answer(guard: &Guard, question: &Question) -> Result<ClientReply, GuardError> {
    let vetted = match judge(guard, question)? {
        Judged::Vetted(vetted) => vetted,
        Judged::Denied(denied) => {
            record_no(guard, question, Kind::QueryDenied, &denied_rule(&denied))?;
            return Ok(ClientReply::Verdict(denied_verdict(&denied)));
        }
        Judged::NotVetted(not_vetted) => {
            let kind = if matches!(not_vetted, NotVetted::Denied(_)) {
                Kind::QueryDenied
            } else {
                Kind::QueryRefused
            };
            let verdict = not_vetted_verdict(&not_vetted);
            record_no(guard, question, kind, verdict.rule.as_deref().unwrap_or_default())?;
            return Ok(ClientReply::Verdict(verdict));
        }
    };
    let opened = open(guard, question, &vetted)?;
    let query = opened.query().to_string();
    match run(guard, &vetted, &opened, &query) {
        Ok((table, outcome)) => Ok(hand_out(Some(table), &opened.close(outcome)?)),
        Err(outcome) => Ok(hand_out(None, &opened.close(*outcome)?)),
    }
}

/// An answer goes out against the receipt that its outcome stands in the record.
fn hand_out(table: Option<ReleasedTable>, _receipt: &Closed) -> ClientReply {
    table.map_or(ClientReply::Withheld, ClientReply::Released)
}

/// A question that may run, with everything that says so.
struct Vetted {
    permit: Permit,
    policies: std::sync::Arc<Policies>,
    manifest: SnapshotManifest,
    plan: VettedPlan,
    exclusion: Exclusion,
}

enum Judged {
    Vetted(Box<Vetted>),
    Denied(Denied),
    NotVetted(NotVetted),
}

fn judge(guard: &Guard, question: &Question) -> Result<Judged, GuardError> {
    let policies = guard.permits.policies(&guard.catalogue)?;
    let request = match policies.application(&question.project) {
        Some(application) => Request {
            user: question.user.clone(),
            project: question.project.clone(),
            purpose: application.purpose().code.clone(),
            now: guard.now(),
            snapshot: application.approval().snapshot.clone(),
        },
        // A project that is not there is denied by the policies like one that the user is not in.
        None => Request {
            user: question.user.clone(),
            project: question.project.clone(),
            purpose: String::new(),
            now: guard.now(),
            snapshot: catalog_model::SnapshotId::from_digest(&[0; 32]),
        },
    };
    let permit = match policies.permit(&request, &guard.catalogue) {
        Ok(permit) => permit,
        Err(denied) => return Ok(Judged::Denied(denied)),
    };
    let manifest = guard.environment.snapshots()?.find(&permit.grant().snapshot)?;
    let scope = Scope { catalogue: &guard.catalogue, grant: permit.grant() };
    Ok(match vet(&question.sql, scope) {
        Ok(plan) => {
            let room = guard.environment.room("exclusions");
            let exclusion = exclusions::read(&room, &manifest.id).map_err(GuardError::Exclusion)?;
            Judged::Vetted(Box::new(Vetted { permit, policies, manifest, plan, exclusion }))
        }
        Err(not_vetted) => Judged::NotVetted(not_vetted),
    })
}

fn open(guard: &Guard, question: &Question, vetted: &Vetted) -> Result<Opened, GuardError> {
    let plan = Digest::parse(vetted.plan.hash()).ok_or(GuardError::Bug("a plan's hash has 64 digits"))?;
    let columns: Vec<String> = columns(&vetted.plan);
    let request = QueryRequest::new(&question.user, &question.project, vetted.manifest.id.as_str(), plan)
        .with("columns", columns.join(" "))
        .with("rules", vetted.permit.rule_digest())
        .with("policies", vetted.permit.policy_digest())
        .with("exclusion", vetted.exclusion.exclusion.as_str())
        .with("sql", sql_digest(&question.sql));
    Ok(guard.log.open_query(request)?)
}

/// From the vetted plan to the released table; otherwise the outcome that is recorded. The asker is told no more than
/// that nothing can be released.
fn run(
    guard: &Guard,
    vetted: &Vetted,
    _opened: &Opened,
    query: &str,
) -> Result<(ReleasedTable, Outcome), Box<Outcome>> {
    let evidence = evidence(guard, vetted)?;
    let again = Request { now: guard.now(), ..vetted.permit.request().clone() };
    if vetted.policies.may(&again, Action::Release).is_err() {
        return Err(Box::new(Outcome::Stopped { reason: "permit-ended".to_owned() }));
    }
    let grant = vetted.permit.grant();
    let released = engine_disclosure::release(
        &evidence,
        &shape(&vetted.plan),
        grant.thresholds,
        query,
        vetted.manifest.id.as_str(),
        vetted.permit.rule_pack(),
    );
    match released {
        Ok(release) => Ok(finish(release)),
        Err(Withheld::Evidence(_)) => Err(Box::new(Outcome::Failed { fault: "worker-evidence".to_owned() })),
        Err(Withheld::TooLarge(_)) => Err(Box::new(Outcome::Withheld { reason: "too-large".to_owned() })),
    }
}

fn finish(release: Release) -> (ReleasedTable, Outcome) {
    let (cells, suppressed) = (release.cells, release.primary + release.secondary);
    let table = release.table.into_inner();
    let bytes = serde_json::to_vec(&table).unwrap_or_default();
    let digest = Digest::parse(blake3::hash(&bytes).to_hex().as_str()).unwrap_or(Digest::ZERO);
    (table, Outcome::Released { cells, suppressed, digest })
}

fn evidence(guard: &Guard, vetted: &Vetted) -> Result<Protected<Evidence>, Box<Outcome>> {
    let failed = |fault: &str| Box::new(Outcome::Failed { fault: fault.to_owned() });
    let request = WorkerRequest {
        sql: vetted.plan.sql().to_owned(),
        grant: vetted.permit.grant().clone(),
        catalogue: guard.catalogue_files.clone(),
        plan_hash: vetted.plan.hash().to_owned(),
        excluded: vetted.exclusion.persons.clone(),
        buckets: slices(guard, vetted),
        limits: guard.limits,
    };
    match guard.worker.run(&request) {
        Ok(WorkerReply::Evidence(evidence)) => Ok(Protected::new(evidence)),
        Ok(WorkerReply::Failed(fault)) => Err(failed(fault.as_str())),
        Err(error) => Err(failed(error.as_str())),
    }
}

/// The files of each bucket that the plan can reach: its tables, and the fiscal years of the permit's period.
fn slices(guard: &Guard, vetted: &Vetted) -> Vec<BucketSlice> {
    let store = guard.environment.room("store");
    let period = vetted.permit.grant().period;
    let years = period.from.fiscal_year()..=period.to.fiscal_year();
    let is_reachable = |file: &FileEntry| file.year.is_none_or(|year| years.contains(&year));
    let mut slices: BTreeMap<u32, BucketSlice> =
        (0..vetted.manifest.body.buckets).map(|bucket| (bucket, BucketSlice::default())).collect();
    for table in vetted.plan.used().keys() {
        let files =
            vetted.manifest.body.tables.get(table).map(|entry| entry.files.as_slice()).unwrap_or_default();
        for file in files.iter().filter(|file| is_reachable(file)) {
            let slice = file.bucket.and_then(|bucket| slices.get_mut(&bucket));
            if let Some(slice) = slice {
                let path = store.join(&file.path).to_string_lossy().into_owned();
                slice.tables.entry(table.clone()).or_default().push(path);
            }
        }
    }
    slices.into_values().collect()
}

fn record_no(guard: &Guard, question: &Question, kind: Kind, rule: &str) -> Result<(), GuardError> {
    let event = Event::new(kind, question.user.clone()).project(question.project.clone());
    guard.log.record(event.with("rule", rule).with("sql", sql_digest(&question.sql)))?;
    Ok(())
}

/// The text itself stays out of the record: its literals can point at people.
fn sql_digest(sql: &str) -> String {
    blake3::hash(sql.as_bytes()).to_hex().to_string()
}

fn columns(plan: &VettedPlan) -> Vec<String> {
    let of_table = |(table, columns): (&String, &std::collections::BTreeSet<String>)| {
        columns.iter().map(|column| format!("{table}.{column}")).collect::<Vec<_>>()
    };
    plan.used().iter().flat_map(of_table).collect()
}

fn vetted_verdict(plan: &VettedPlan) -> Verdict {
    Verdict {
        verdict: VerdictKind::Vetted,
        rule: None,
        message: None,
        message_ja: None,
        span: None,
        suggestion: None,
        tables: plan.used().keys().cloned().collect(),
        columns: columns(plan),
    }
}

fn denied_rule(denied: &Denied) -> String {
    denied.reasons().first().map(|reason| reason.policy.clone()).unwrap_or_default()
}

fn denied_verdict(denied: &Denied) -> Verdict {
    no(VerdictKind::Denied, denied_rule(denied), (denied.to_string(), None), None, None)
}

fn not_vetted_verdict(not_vetted: &NotVetted) -> Verdict {
    match not_vetted {
        NotVetted::Refused(refusal) => no(
            VerdictKind::Refused,
            refusal.rule().as_str().to_owned(),
            (refusal.message().to_owned(), Some(refusal.message_ja().to_owned())),
            refusal.span(),
            refusal.suggestion().map(str::to_owned),
        ),
        NotVetted::Denied(denial) => {
            let ja = format!("許可は {} を含んでいません", denial.what);
            no(
                VerdictKind::Denied,
                "not-granted".to_owned(),
                (denial.to_string(), Some(ja)),
                denial.span,
                None,
            )
        }
    }
}

fn no(
    verdict: VerdictKind,
    rule: String,
    (message, message_ja): (String, Option<String>),
    span: Option<(usize, usize)>,
    suggestion: Option<String>,
) -> Verdict {
    let (rule, message) = (Some(rule), Some(message));
    Verdict { verdict, rule, message, message_ja, span, suggestion, tables: Vec::new(), columns: Vec::new() }
}

/// What vetting says of a text under a grant, without an environment: the same judgement as the guard's.
pub fn offline_verdict(sql: &str, catalogue: &Catalogue, grant: &Grant) -> Verdict {
    match vet(sql, Scope { catalogue, grant }) {
        Ok(plan) => vetted_verdict(&plan),
        Err(not_vetted) => not_vetted_verdict(&not_vetted),
    }
}
