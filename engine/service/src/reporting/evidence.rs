//! The evidence of one release: what the board may see of it.

use std::collections::BTreeSet;

use audit::Tree;
use engine_protocol::ReleasedTable;
use reports::board::release::Evidence;

use super::questions::{Asked, questions};
use super::span::minute;
use super::{Desk, ReportError, said};
use crate::cases::RetainedFiles;
use crate::certificate;

/// The evidence of the query with this id.
///
/// # Errors
///
/// The record does not know the query, or the copy that is kept of its release cannot be opened.
pub fn evidence(desk: &Desk, query: &str) -> Result<Evidence, ReportError> {
    let all = questions(&desk.entries);
    let found = all.iter().find(|asked| asked.id() == query && !query.is_empty());
    let asked = found.ok_or_else(|| ReportError::Unknown { what: "query", name: query.to_owned() })?;
    let (cells, hidden) = asked.cells();
    let digest = |name: &str| (name.to_owned(), said(asked.entry, name).to_owned());
    let mut digests: Vec<(String, String)> =
        ["sql", "plan", "rules", "policies", "exclusion"].map(digest).into_iter().collect();
    digests.extend(asked.closed.map(|closed| ("answer".to_owned(), said(closed, "digest").to_owned())));
    let kept = RetainedFiles::new(&desk.environment).find(asked.project(), query)?;
    let sealed_copy = match &kept {
        Some(kept) => certificate::is_as_signed(&desk.environment, kept)?,
        None => None,
    };
    Ok(Evidence {
        query: query.to_owned(),
        project: asked.project().to_owned(),
        by: asked.entry.who().to_owned(),
        opened: minute(asked.at()),
        closed: asked.closed.map(|closed| minute(closed.at())).unwrap_or_default(),
        outcome: asked.outcome().to_owned(),
        why: asked.why().to_owned(),
        snapshot: said(asked.entry, "snapshot").to_owned(),
        digests: digests.into_iter().filter(|(_, digest)| !digest.is_empty()).collect(),
        columns: asked.columns().map(str::to_owned).collect(),
        cells,
        hidden,
        hidden_by: asked.hidden_by.clone(),
        sealed_copy,
        earlier: earlier(&all, asked),
        // Only what went out is shown: a table that is held back stays with its reviewers.
        table: kept.filter(|_| asked.outcome() == "released").map(|kept| rows(&kept.table)),
        proof: Vec::new(),
        entry: asked.closed.unwrap_or(asked.entry).seq(),
    })
}

/// The evidence with the proof that its entry stands in the last checkpoint.
///
/// # Errors
///
/// There is no checkpoint over the entry.
pub fn proven(desk: &Desk, evidence: Evidence) -> Result<Evidence, ReportError> {
    let proof = Tree::at(&desk.environment.room("audit")).inclusion(evidence.entry)?;
    Ok(Evidence { proof: proof.hashes.iter().map(ToString::to_string).collect(), ..evidence })
}

/// Earlier releases on the same snapshot that read some of the same columns beside the person's number.
fn earlier(all: &[Asked<'_>], asked: &Asked<'_>) -> Vec<(String, String, u64)> {
    let is_telling = |column: &&str| !column.ends_with(".person_id");
    let own: BTreeSet<&str> = asked.columns().filter(is_telling).collect();
    let snapshot = said(asked.entry, "snapshot");
    let before = all.iter().take_while(|other| other.id() != asked.id());
    before
        .filter(|other| other.outcome() == "released" && said(other.entry, "snapshot") == snapshot)
        .filter_map(|other| {
            let shared = other.columns().filter(|column| own.contains(column)).count() as u64;
            (shared > 0).then(|| (other.id().to_owned(), other.project().to_owned(), shared))
        })
        .collect()
}

fn rows(table: &ReleasedTable) -> (Vec<String>, Vec<Vec<String>>) {
    let flat = reports::table::rows(table);
    let mut lines = flat.into_iter();
    (lines.next().unwrap_or_default(), lines.collect())
}
