//! A table about what may be asked, in the form of a released table: its texts are keys, and it has no figure.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::SnapshotId;
use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind, Verdict};
use engine_vet::MetadataTable;

use crate::verdicts::vetted_verdict;

/// The table as it goes out. It belongs to no query of the record, since no data is behind it.
pub(crate) fn table(metadata: &MetadataTable, snapshot: &SnapshotId) -> ReleasedTable {
    let column = |name: &String| TableColumn { name: name.clone(), kind: TableColumnKind::Key, unit: None };
    let cell = |text: &String| CellValue::Key { code: text.clone(), ja: text.clone(), en: text.clone() };
    ReleasedTable {
        query: metadata.name.clone(),
        snapshot: snapshot.to_string(),
        columns: metadata.columns.iter().map(column).collect(),
        rows: metadata.rows.iter().map(|row| row.iter().map(cell).collect()).collect(),
        suppressed: 0,
        threshold: 0,
        rules: "metadata".to_owned(),
        certificate: None,
    }
}

/// The verdict: it may run, and reads no table of the data.
pub(crate) fn verdict(metadata: &MetadataTable) -> Verdict {
    vetted_verdict(&BTreeMap::from([(metadata.name.clone(), BTreeSet::new())]))
}
