//! The quarantine as a table: where a line could not be stored and why, never a byte of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use catalog_store::{Environment, EnvironmentError, MetaError};
use serde::Serialize;

use super::publish::{DUPLICATE, DuplicateLines};
use super::store::read_json;

/// One row of the quarantine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Quarantined {
    /// The delivery's name.
    pub delivery: String,
    /// The file in it.
    pub file: String,
    /// The line; of several, the first.
    pub line: u64,
    /// The record type, as far as it could be told.
    pub record: String,
    /// The field, where one is to blame.
    pub field: String,
    /// What is wrong.
    pub kind: String,
    /// How many lines.
    pub count: u64,
}

/// Why the quarantine cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum QuarantineError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The store cannot be used.
    #[error(transparent)]
    Snapshot(#[from] catalog_store::SnapshotError),
    /// No delivery has this name or id.
    #[error("no delivery {0} counts in this environment; `misu delivery list` shows them")]
    Unknown(String),
    /// A list of faults cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The list.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A list of faults is not of the expected form.
    #[error("{path}, line {line}: not of the form file,line,record,field,kind")]
    Form {
        /// The list.
        path: PathBuf,
        /// The line.
        line: usize,
    },
}

/// The quarantine of every delivery that counts, or of the named one. Lines that share file, record type, field and
/// kind make one row, unless `is_each` asks for every line. Repeated receipts and stays, which only publishing finds,
/// are those of the latest snapshot.
///
/// # Errors
///
/// There is no such delivery, or a list of faults cannot be read.
pub fn quarantine(
    environment: &Environment,
    only: Option<&str>,
    is_each: bool,
) -> Result<Vec<Quarantined>, QuarantineError> {
    let deliveries = environment.meta()?.deliveries()?;
    let is_meant = |name: &str, id: &str| only.is_none_or(|only| only == name || only == id);
    if let Some(only) = only
        && !deliveries.iter().any(|delivery| is_meant(&delivery.name, &delivery.id))
    {
        return Err(QuarantineError::Unknown(only.to_owned()));
    }
    let duplicates = duplicates(environment)?;
    let mut rows = Vec::new();
    for delivery in deliveries.iter().filter(|delivery| is_meant(&delivery.name, &delivery.id)) {
        let path = environment.room("quarantine").join(format!("{}.csv", delivery.staged()));
        let text = std::fs::read_to_string(&path)
            .map_err(|source| QuarantineError::Read { path: path.clone(), source })?;
        for (line, number) in text.lines().zip(1..).skip(1) {
            let row = parse(line, &delivery.name)
                .ok_or_else(|| QuarantineError::Form { path: path.clone(), line: number })?;
            // The note that a file ends early stands beside the lines that are in quarantine for it.
            if !(row.kind == "truncated" && row.record.is_empty()) {
                rows.push(row);
            }
        }
        for duplicate in duplicates.iter().filter(|duplicate| duplicate.delivery == delivery.id) {
            let file = delivery.files.get(duplicate.file as usize).map(|file| file.path.clone());
            rows.push(Quarantined {
                delivery: delivery.name.clone(),
                file: file.unwrap_or_default(),
                line: u64::from(duplicate.line),
                record: String::new(),
                field: String::new(),
                kind: DUPLICATE.as_str().to_owned(),
                count: u64::from(duplicate.lines),
            });
        }
    }
    Ok(if is_each { rows } else { gather(rows) })
}

fn duplicates(environment: &Environment) -> Result<Vec<DuplicateLines>, QuarantineError> {
    let Some((_, head)) = environment.snapshots()?.head()? else { return Ok(Vec::new()) };
    let path = environment.room("reports").join(format!("duplicates-{}.json", head.id));
    read_json(&path).map_err(|source| QuarantineError::Read { path, source })
}

fn gather(rows: Vec<Quarantined>) -> Vec<Quarantined> {
    let mut all: BTreeMap<(String, String, String, String, String), Quarantined> = BTreeMap::new();
    for row in rows {
        let key =
            (row.delivery.clone(), row.file.clone(), row.kind.clone(), row.record.clone(), row.field.clone());
        match all.get_mut(&key) {
            Some(known) => {
                known.line = known.line.min(row.line);
                known.count += row.count;
            }
            None => drop(all.insert(key, row)),
        }
    }
    all.into_values().collect()
}

// The file's name may be quoted; what follows it never is.
fn parse(line: &str, delivery: &str) -> Option<Quarantined> {
    let mut fields = line.rsplitn(5, ',');
    let (kind, field, record, number, file) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let file = match file.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) => quoted.replace("\"\"", "\""),
        None => file.to_owned(),
    };
    Some(Quarantined {
        delivery: delivery.to_owned(),
        file,
        line: number.parse().ok()?,
        record: record.to_owned(),
        field: field.to_owned(),
        kind: kind.to_owned(),
        count: 1,
    })
}

#[cfg(test)]
mod tests {
    use super::{gather, parse};

    #[test]
    fn rows_of_one_kind_are_gathered_and_a_quoted_name_is_read_back() {
        let rows: Vec<_> =
            ["\"a,\"\"b\"\".csv\",7,RE,birth_date,date", "\"a,\"\"b\"\".csv\",3,RE,birth_date,date"]
                .iter()
                .map(|line| parse(line, "d").unwrap())
                .collect();
        assert_eq!(rows[0].file, "a,\"b\".csv");
        let gathered = gather(rows);
        assert_eq!((gathered.len(), gathered[0].line, gathered[0].count), (1, 3, 2));
        assert_eq!(parse("a.csv,x,RE,,date", "d"), None);
    }
}
