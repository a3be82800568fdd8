//! The quality report: what became of every delivered line, and how well identities are covered and linked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use catalog_model::SnapshotManifest;
use catalog_store::{Account, DeliveryRecord, Environment, EnvironmentError, MetaError};
use reports::quality::{
    DeliveryQuality, FileQuality, LineAccount, LinkageEstimate, LinkageQuality, MethodQuality, Quality,
    RuleQuality, SchemeQuality, TruthQuality,
};

use super::evaluate::Evaluation;
use super::link::{LinkError, Linked, link};
use super::publish::{DUPLICATE, DuplicateLines};
use super::store::read_json;
use crate::linkage::{Agreement, Cause, ConflictKind, Rule};

/// Why there is no quality report.
#[derive(Debug, thiserror::Error)]
pub enum QualityError {
    /// The environment cannot be used.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The metadata database cannot be used.
    #[error(transparent)]
    Meta(#[from] MetaError),
    /// The link table cannot be used.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The store cannot be used.
    #[error(transparent)]
    Snapshot(#[from] catalog_store::SnapshotError),
    /// A report file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
}

/// Reports on the environment's deliveries and on a snapshot, the latest where none is named.
///
/// # Errors
///
/// Nothing is linked yet, or a file cannot be read.
pub fn quality(
    environment: &Environment,
    snapshot: Option<&SnapshotManifest>,
) -> Result<Quality, QualityError> {
    let head = match snapshot {
        Some(snapshot) => Some(snapshot.clone()),
        None => environment.snapshots()?.head()?.map(|(_, manifest)| manifest),
    };
    let duplicates: Vec<DuplicateLines> = match &head {
        None => Vec::new(),
        Some(head) => {
            let path = environment.room("reports").join(format!("duplicates-{}.json", head.id));
            read_json(&path).map_err(|source| QualityError::Read { path, source })?
        }
    };
    let mut total = Account::default();
    let mut deliveries = Vec::new();
    for mut delivery in environment.meta()?.deliveries()? {
        book_duplicates(&mut delivery, &duplicates);
        let mut sum = Account::default();
        delivery.files.iter().for_each(|file| sum.add(&file.account));
        total.add(&sum);
        deliveries.push(delivery_quality(delivery, &sum));
    }
    deliveries.sort_by(|one, two| (&one.month, &one.name).cmp(&(&two.month, &two.name)));
    Ok(Quality {
        persons: head.as_ref().map_or(0, |head| head.body.persons),
        tables: head
            .iter()
            .flat_map(|head| &head.body.tables)
            .map(|(name, table)| (name.clone(), table.rows))
            .collect(),
        snapshot: head.map(|head| head.id.to_string()),
        total: line_account(&total),
        deliveries,
        linkage: linkage_quality(link(environment)?),
        truth: None,
        profile: None,
    })
}

/// Moves the lines of receipts that were read before from stored to quarantined.
fn book_duplicates(delivery: &mut DeliveryRecord, duplicates: &[DuplicateLines]) {
    for duplicate in duplicates.iter().filter(|duplicate| duplicate.delivery == delivery.id) {
        let Some(file) = delivery.files.get_mut(duplicate.file as usize) else { continue };
        let lines = u64::from(duplicate.lines).min(file.account.stored);
        file.account.stored -= lines;
        *file.account.quarantined.entry(DUPLICATE).or_default() += lines;
    }
}

fn delivery_quality(delivery: DeliveryRecord, sum: &Account) -> DeliveryQuality {
    let files = delivery.files.into_iter().map(|file| FileQuality {
        path: file.path,
        family: file.family,
        account: line_account(&file.account),
    });
    DeliveryQuality {
        name: delivery.name,
        database: delivery.database,
        month: delivery.month,
        total: line_account(sum),
        files: files.collect(),
    }
}

fn linkage_quality(linked: Linked) -> LinkageQuality {
    let schemes = linked.schemes.into_iter().map(|evidence| SchemeQuality {
        scheme: evidence.scheme,
        mentions: evidence.mentions,
        keys: evidence.keys,
        shared: evidence.shared,
        persons: evidence.persons,
        several: evidence.several,
    });
    let rules = linked.rules.iter().map(|(rule, evidence)| RuleQuality {
        rule: rule.as_str().to_owned(),
        joins: evidence.joins,
        persons: evidence.persons,
    });
    let apart = |kind| linked.conflicts.get(&kind).copied().unwrap_or(0);
    // A change of name on one card, and a given name with a place, are the weakest evidence that joins; a key that
    // several persons hold is the strongest that does not.
    let joined = |rule| linked.rules.get(&rule).map_or(0, |evidence| evidence.persons);
    let estimate = LinkageEstimate {
        perhaps_merged: [Rule::CardInSequence, Rule::GivenName].map(joined).iter().sum(),
        perhaps_split: [ConflictKind::Twins, ConflictKind::Namesakes, ConflictKind::Ambiguous]
            .map(apart)
            .iter()
            .sum(),
    };
    LinkageQuality {
        run: linked.run,
        mentions: linked.mentions,
        persons: linked.persons,
        schemes: schemes.collect(),
        profiles: linked.profiles,
        rules: rules.collect(),
        conflicts: linked.conflicts.iter().map(|(kind, keys)| (kind.as_str().to_owned(), *keys)).collect(),
        sizes: linked.sizes,
        estimate,
    }
}

/// The linkage beside the truth, as the report shows it.
pub fn truth_quality(evaluation: &Evaluation) -> TruthQuality {
    let of = |method: &str, found: &Agreement| MethodQuality {
        method: method.to_owned(),
        claims: found.claims,
        true_persons: found.true_persons,
        linked_persons: found.linked_persons,
        precision: found.precision,
        recall: found.recall,
        split_persons: found.split_persons,
        merged_persons: found.merged_persons,
    };
    let methods = evaluation.methods.iter().map(|(method, found)| of(method.as_str(), found));
    let causes = |persons: &BTreeMap<Cause, u64>| {
        persons.iter().map(|(cause, persons)| (cause.as_str().to_owned(), *persons)).collect()
    };
    TruthQuality {
        methods: std::iter::once(of("all", &evaluation.all)).chain(methods).collect(),
        split: causes(&evaluation.causes.split),
        merged: causes(&evaluation.causes.merged),
        planted: evaluation.planted.clone(),
    }
}

fn line_account(account: &Account) -> LineAccount {
    LineAccount {
        read: account.read,
        stored: account.stored,
        dropped: account.dropped.clone(),
        quarantined: account
            .quarantined
            .iter()
            .map(|(kind, lines)| (kind.as_str().to_owned(), *lines))
            .collect(),
        closes: account.closes(),
    }
}
