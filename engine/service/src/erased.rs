//! What was erased answers nothing: a question that reaches a file whose key was destroyed is denied, and told why.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Grant, SnapshotManifest};
use catalog_store::{EnvironmentError, Partition};
use engine_protocol::{Verdict, VerdictKind};
use engine_vet::Statement;

use crate::guard::Guard;
use crate::verdicts::no;

/// The rule by which it is denied.
pub(crate) const ERASED: &str = "erased";

/// Why a statement cannot be answered any more; nothing where it reaches nothing that was erased.
pub(crate) fn verdict(
    guard: &Guard,
    (manifest, grant): (&SnapshotManifest, &Grant),
    statement: &Statement,
) -> Result<Option<Verdict>, EnvironmentError> {
    match reached(statement) {
        Some(used) => of_tables(guard, (manifest, grant), used),
        None => Ok(None),
    }
}

/// As [`verdict`], of what is read. It is asked again before an answer goes out, since a question may run for long.
pub(crate) fn of_tables(
    guard: &Guard,
    (manifest, grant): (&SnapshotManifest, &Grant),
    used: &BTreeMap<String, BTreeSet<String>>,
) -> Result<Option<Verdict>, EnvironmentError> {
    let tables = used.keys().filter_map(|table| manifest.body.tables.get(table));
    let files = tables.flat_map(|table| table.files_in(grant.period));
    Ok(guard.file_keys.erased(files)?.into_iter().next().map(told))
}

/// What a statement reads.
fn reached(statement: &Statement) -> Option<&BTreeMap<String, BTreeSet<String>>> {
    match statement {
        Statement::Query(plan) => Some(plan.used()),
        Statement::Table(rows) => Some(rows.used()),
        Statement::View(_) | Statement::DropTable(_) | Statement::DropView(_) => None,
    }
}

fn told((what, at): (Partition, String)) -> Verdict {
    let message = format!(
        "the data of {what} were erased at {at}; ask for a permit on a later snapshot, or for another period"
    );
    let ja = format!(
        "{what} のデータは {at} に消去されました。後のスナップショット、または別の期間の許可を申請してください"
    );
    no(VerdictKind::Denied, ERASED.to_owned(), (message, Some(ja)), None, None)
}
