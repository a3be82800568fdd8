//! From the worker's evidence to a kept release: protected under the packs' rules, beside the ledger, and noted.

use std::sync::PoisonError;

use audit::{Digest, Event, Kind, Opened, Outcome};
use catalog_model::{CellRules, OutputRules, RoundingMode};
use catalog_store::KeyRole;
use engine_disclosure::{Depth, LedgerEntry, Past, Release, Setting, Shape, Withheld};
use engine_protocol::ReleasedTable;

use crate::cases::RetainedFiles;
use crate::computing::Computed;
use crate::guard::{Guard, GuardError};
use crate::ledger_file::Held;
use crate::query::{Answered, Ran, Vetted, retained};
use crate::recent::Recent;
use crate::shape::shape;
use crate::{output_rules, past};

/// Why an answer is withheld that was not audited with all earlier ones of its family.
pub(crate) const BEYOND: &str = "beyond-audit";

/// The answer that the same question got before.
pub(crate) fn again(answer: &[u8]) -> Result<Answered, GuardError> {
    let table: ReleasedTable =
        serde_json::from_slice(answer).map_err(|_| GuardError::Bug("the ledger keeps tables"))?;
    let digest = Digest::parse(blake3::hash(answer).to_hex().as_str()).unwrap_or(Digest::ZERO);
    let cells = table.rows.len() as u64;
    let suppressed = table.suppressed;
    Ok(Answered { table, outcome: Outcome::Released { cells, suppressed, digest }, copy: None })
}

/// The answer that the ledger has for a question, once the record knows how long the ledger is.
///
/// A crash between the ledger's entry and the record leaves the record behind. The answer goes out now, so from now on a
/// ledger without it must be seen to be an old copy.
pub(crate) fn kept(
    guard: &Guard,
    opened: &Opened,
    held: &Held<'_>,
    question: &str,
) -> Result<Option<Vec<u8>>, GuardError> {
    let (entries, head) = held.head();
    // What a crash left unsettled is decided by what the ledger has.
    RetainedFiles::new(&guard.environment).settle(entries)?;
    let Some(answer) = held.ledger().answer(question) else { return Ok(None) };
    if guard.recent(Recent::noted)?.entries < entries {
        let event = Event::new(Kind::LedgerKept, "guard").subject(opened.query().to_string());
        guard.log.record(event.with("entries", entries).with("head", head))?;
    }
    Ok(Some(answer.to_vec()))
}

/// Protects what the worker found beside what was released before, keeps it, and notes it in the record.
pub(crate) fn release(
    guard: &Guard,
    vetted: &Vetted,
    opened: &Opened,
    computed: Computed,
    (query, question, depth): (&str, String, Depth),
) -> Result<Ran, GuardError> {
    let mut ledger = guard.ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let mut held = ledger.hold(&guard.environment, &guard.recent(Recent::noted)?)?;
    // Somebody may have asked the same in the meantime.
    if let Some(answer) = kept(guard, opened, &held, &question)? {
        return again(&answer).map(Ok);
    }
    let (rules, packs) = rules(guard, vetted);
    let is_drawn = rules.rounding.is_some_and(|rounding| rounding.mode == RoundingMode::Random);
    let secret = is_drawn.then(|| rounding_secret(guard)).transpose()?;
    let least = output_rules::least(&vetted.plan, &guard.catalogue, &dimension_rules(guard, vetted));
    let persons = Some(vetted.manifest.body.persons);
    let Computed { evidence, public } = computed;
    let shape = Shape { least, persons, public, ..shape(&vetted.plan) };
    let says = past::Says::of(&vetted.plan, &past::people(vetted.permit.grant(), &vetted.exclusion));
    let released = {
        let past = Past { depth, ..says.past(held.ledger(), vetted.manifest.id.as_str()) };
        let setting = Setting {
            rules: &rules,
            query,
            snapshot: vetted.manifest.id.as_str(),
            pack: &packs,
            secret: secret.as_ref(),
            past: Some(&past),
        };
        engine_disclosure::release(&evidence, &shape, setting)
    };
    let withheld = |reason: &str| Ok(Err(Box::new(Outcome::Withheld { reason: reason.to_owned() })));
    let mut release = match released {
        Ok(release) => release,
        Err(Withheld::Evidence(_)) => {
            return Ok(Err(Box::new(Outcome::Failed { fault: "worker-evidence".to_owned() })));
        }
        Err(Withheld::TooLarge(_)) => return withheld("too-large"),
        Err(Withheld::Unprotected(_)) => return withheld("unprotected"),
        Err(Withheld::Beyond) => return withheld(BEYOND),
        Err(Withheld::Rounding) => return Err(GuardError::Bug("random rounding has a secret")),
        Err(Withheld::Ledger) => {
            alert(guard, vetted, opened)?;
            return withheld("ledger");
        }
    };
    if release.reasons.contains_key("ledger") {
        alert(guard, vetted, opened)?;
    }
    let cohorts = std::mem::take(&mut release.cohorts);
    let reasons = reasons(&release);
    let beyond = release.beyond.unwrap_or_default();
    let head = held.head();
    // The copy is kept before the ledger knows of the release: nothing is out of which there is no copy.
    let copy = retained(guard, vetted, (opened, release.table.get()), Some((&release, head)));
    let files = RetainedFiles::new(&guard.environment);
    files.prepare(&copy)?;
    let (table, outcome, answer) = finish(release)?;
    let entry = LedgerEntry {
        question,
        project: vetted.permit.grant().project.clone(),
        snapshot: vetted.manifest.id.as_str().to_owned(),
        family: says.family().to_owned(),
        answer,
        cohorts,
    };
    let known = held.keep(&guard.environment, entry, says.rows())?;
    let (entries, head) = held.head();
    files.settle_own(entries, &copy)?;
    // The record notes how long the ledger is: one that is shorter later has forgotten something.
    let event = Event::new(Kind::LedgerKept, "guard").subject(opened.query().to_string());
    let event = event.project(vetted.permit.grant().project.clone());
    let event = event.with("family", known.family).with("rows", known.rows);
    let event = event.with("exclusion", vetted.exclusion.exclusion.as_str());
    let event = event.with("not_nearly", beyond.nearly).with("not_exactly", beyond.exactly);
    guard.log.record(event.with("entries", entries).with("head", head).with("hidden", reasons))?;
    Ok(Ok(Answered { table, outcome, copy: Some(copy) }))
}

/// What random rounding is drawn with: it follows from the ledger's key, so that a cohort is rounded the same way again.
fn rounding_secret(guard: &Guard) -> Result<[u8; 32], GuardError> {
    let key = guard.environment.key(KeyRole::Ledger)?;
    Ok(blake3::derive_key("misu 2026-11 random rounding of a cohort", key.as_bytes()))
}

/// What the cells are held to: the permit's numbers and those of every database that the query reads.
pub(crate) fn rules(guard: &Guard, vetted: &Vetted) -> (CellRules, String) {
    vetted.policies.rules(&vetted.permit, databases(guard, vetted))
}

/// What the table is held to by its dimensions, from the same packs.
fn dimension_rules(guard: &Guard, vetted: &Vetted) -> OutputRules {
    output_rules::rules(&vetted.plan, &guard.catalogue, (vetted.policies.packs(), vetted.permit.rule_pack()))
}

/// The databases that the query reads.
fn databases<'a>(guard: &'a Guard, vetted: &'a Vetted) -> impl Iterator<Item = &'a str> {
    let tables = vetted.plan.lineage().iter().filter_map(|table| guard.catalogue.tables.get(table));
    tables.map(|table| table.database.as_str())
}

/// Tells the steward that an answer was held back beside an earlier one.
fn alert(guard: &Guard, vetted: &Vetted, opened: &Opened) -> Result<(), GuardError> {
    let event = Event::new(Kind::NearCohort, "guard").project(vetted.permit.grant().project.clone());
    guard.log.record(event.subject(opened.query().to_string()))?;
    Ok(())
}

/// Which rules hid how many values, for the board.
fn reasons(release: &Release) -> String {
    let mut reasons: Vec<String> =
        release.reasons.iter().map(|(rule, values)| format!("{rule} {values}")).collect();
    reasons.push(format!("margins {}", release.secondary));
    reasons.join(", ")
}

/// The table, the outcome, and the table as the ledger keeps it.
fn finish(release: Release) -> Result<(ReleasedTable, Outcome, Vec<u8>), GuardError> {
    let (cells, suppressed) = (release.cells, release.primary + release.secondary);
    let table = release.table.into_inner();
    let bytes = serde_json::to_vec(&table).map_err(|_| GuardError::Bug("a table can be written"))?;
    let digest = Digest::parse(blake3::hash(&bytes).to_hex().as_str()).unwrap_or(Digest::ZERO);
    Ok((table, Outcome::Released { cells, suppressed, digest }, bytes))
}
