//! How good the linkage is, where the truth is known: pairwise precision and recall over claims.
//!
//! Only for synthetic deliveries: the truth lies in `records.csv` (delivery, file, line, truth_id), one row for the
//! first line of each receipt, stay, claim or certification.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use arrow::array::Array as _;
use catalog_store::{Environment, EnvironmentError, MetaError};
use serde::{Deserialize, Serialize};

use super::link::{self, LinkError};
use crate::tables::{FileError, open};

/// How good the linkage is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Claims whose person is known in truth and in the linkage.
    pub claims: u64,
    /// Persons in truth among them.
    pub true_persons: u64,
    /// Persons in the linkage among them.
    pub linked_persons: u64,
    /// Of the pairs of claims linked as one person, the share that are.
    pub precision: f64,
    /// Of the pairs of claims of one person, the share that are linked.
    pub recall: f64,
    /// Persons in truth whose claims lie in more than one linked person.
    pub split_persons: u64,
    /// Linked persons with claims of more than one person in truth.
    pub merged_persons: u64,
}

/// Why the linkage cannot be evaluated.
#[derive(Debug, thiserror::Error)]
pub enum EvaluationError {
    /// The truth cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A line of the truth is not of the expected form.
    #[error("{path}, line {line}: not of the form delivery,file,line,truth_id")]
    Form {
        /// The file.
        path: PathBuf,
        /// The line.
        line: usize,
    },
    /// The link table cannot be used.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// A table file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
}

/// Compares the current linking with the truth in `truth`.
///
/// # Errors
///
/// The truth or the link table cannot be read.
pub fn evaluate(environment: &Environment, truth: &Path) -> Result<Evaluation, EvaluationError> {
    let truth = read_truth(&truth.join("records.csv"))?;
    let parts = link::parts(environment)?;
    let links = link::current(environment, &parts)?;
    let offsets = link::offsets(environment, &parts)?;
    let deliveries = environment.meta()?.deliveries()?;
    let mut pairs: Vec<(u64, u32)> = Vec::new();
    for (part, offset) in parts.iter().zip(offsets) {
        let Some(delivery) = deliveries.iter().find(|delivery| delivery.id == part.delivery) else {
            continue;
        };
        let Some(of_delivery) = truth.get(&delivery.name) else { continue };
        let path = environment
            .room("store")
            .join("staging")
            .join(&part.folder)
            .join(format!("{:05}", part.number))
            .join("claims.parquet");
        for batch in open(&path, 65_536)? {
            let batch = batch.map_err(|source| FileError::Arrow { path: path.clone(), source })?;
            let files = link::numbers(&batch, "file", &path)?;
            let lines = link::numbers(&batch, "line", &path)?;
            let identities = link::numbers(&batch, "identity", &path)?;
            for row in (0..batch.num_rows()).filter(|row| identities.is_valid(*row)) {
                let file = delivery.files.get(files.value(row) as usize).map(|file| file.path.as_str());
                let person = file.and_then(|file| of_delivery.get(&(file.to_owned(), lines.value(row))));
                let cluster = links.of_mention.get(offset + identities.value(row) as usize);
                pairs.extend(person.zip(cluster).map(|(person, cluster)| (*person, *cluster)));
            }
        }
    }
    Ok(compare(&pairs))
}

type Truth = HashMap<String, HashMap<(String, u32), u64>>;

fn read_truth(path: &Path) -> Result<Truth, EvaluationError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| EvaluationError::Read { path: path.to_owned(), source })?;
    let mut truth = Truth::new();
    let mut persons: HashMap<&str, u64> = HashMap::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let form = || EvaluationError::Form { path: path.to_owned(), line: number + 1 };
        let mut fields = line.split(',');
        let (Some(delivery), Some(file), Some(at), Some(person)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(form());
        };
        let at = at.parse().map_err(|_| form())?;
        let next = persons.len() as u64;
        let person = *persons.entry(person).or_insert(next);
        truth.entry(delivery.to_owned()).or_default().insert((file.to_owned(), at), person);
    }
    Ok(truth)
}

/// Pairwise comparison of two groupings of the same claims.
fn compare(pairs: &[(u64, u32)]) -> Evaluation {
    let mut cells: HashMap<(u64, u32), u64> = HashMap::new();
    for pair in pairs {
        *cells.entry(*pair).or_default() += 1;
    }
    // Claims, and the number of groups of the other side that they fall into.
    let mut persons: HashMap<u64, (u64, u64)> = HashMap::new();
    let mut clusters: HashMap<u32, (u64, u64)> = HashMap::new();
    for ((person, cluster), claims) in &cells {
        let of_person = persons.entry(*person).or_default();
        *of_person = (of_person.0 + claims, of_person.1 + 1);
        let of_cluster = clusters.entry(*cluster).or_default();
        *of_cluster = (of_cluster.0 + claims, of_cluster.1 + 1);
    }
    let choose = |claims: u64| u128::from(claims) * u128::from(claims.saturating_sub(1)) / 2;
    let both: u128 = cells.values().map(|claims| choose(*claims)).sum();
    let linked: u128 = clusters.values().map(|(claims, _)| choose(*claims)).sum();
    let true_pairs: u128 = persons.values().map(|(claims, _)| choose(*claims)).sum();
    Evaluation {
        claims: pairs.len() as u64,
        true_persons: persons.len() as u64,
        linked_persons: clusters.len() as u64,
        precision: share(both, linked),
        recall: share(both, true_pairs),
        split_persons: persons.values().filter(|(_, clusters)| *clusters > 1).count() as u64,
        merged_persons: clusters.values().filter(|(_, persons)| *persons > 1).count() as u64,
    }
}

fn share(part: u128, whole: u128) -> f64 {
    // Pair counts stay far below the 53 bits of a float's mantissa for any delivery of this world.
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn precision_and_recall_count_pairs_of_claims() {
        // Person 1 has three claims, two of them in cluster 0; person 2 has one claim, wrongly in cluster 0.
        let found = compare(&[(1, 0), (1, 0), (1, 1), (2, 0)]);
        assert!((found.precision - 1.0 / 3.0).abs() < 1e-12);
        assert!((found.recall - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!((found.split_persons, found.merged_persons), (1, 1));
        assert!((compare(&[(1, 5), (2, 6)]).precision - 1.0).abs() < 1e-12);
    }
}
