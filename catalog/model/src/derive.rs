//! A family of files made from another: the same records behind a prefix, or with some record types of its own.
//!
//! The payers' form of a receipt is the facility's form behind three columns; a DPC receipt shares two thirds of its
//! record types with a medical one. Such a `file.toml` says what differs. Tables feed from the new family as from the
//! old one, unless they name it themselves.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::layout::{Family, Field, FieldRef, Grouping, Keep, Kept, Part, RecordLayout, Total};
use crate::names::Names;
use crate::table::{Feed, RowOf, Table};

/// A `file.toml` that says `based_on`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Derived {
    pub(crate) family: String,
    database: String,
    name: Names,
    source: String,
    /// The family that it is made from.
    pub(crate) based_on: String,
    /// The record types that it takes; all where none is named. One that it defines itself is never taken.
    #[serde(default)]
    only: Vec<String>,
    /// How many columns stand before each record; `common` names them.
    #[serde(default)]
    prefix: usize,
    /// Headers and trailers of the other family that stand inside each group here.
    #[serde(default)]
    as_body: Vec<String>,
    /// Which lines of the taken record types are content.
    kept: Option<Kept>,
    /// Record types that it takes as they are from a third family.
    pub(crate) borrow: Option<Borrow>,
    group: Option<Grouping>,
    record_key: Option<Vec<FieldRef>>,
    unique_key: Option<Vec<FieldRef>>,
    keep: Option<Keep>,
    month: Option<FieldRef>,
    #[serde(default)]
    common: Vec<Field>,
    #[serde(default, rename = "total")]
    totals: Vec<Total>,
    #[serde(default, rename = "record")]
    pub(crate) records: Vec<RecordLayout>,
}

/// Record types taken as they are from a third family.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Borrow {
    pub(crate) family: String,
    records: Vec<String>,
}

impl Derived {
    /// Makes the family. `base` is complete: its records have its common fields in front.
    pub(crate) fn family(self, base: &Family, lender: Option<&Family>) -> Family {
        let is_taken = |record: &&RecordLayout| {
            let is_wanted = self.only.is_empty() || self.only.iter().any(|key| key == record.key());
            is_wanted && self.records.iter().all(|own| own.tag != record.tag)
        };
        let taken = base.records.iter().filter(is_taken).map(|record| self.taken(record));
        let lent =
            self.borrow.iter().zip(lender).flat_map(|(borrow, lender)| {
                borrow.records.iter().filter_map(|key| lender.record(key)).cloned()
            });
        let own = self.records.iter().cloned().map(|mut record| {
            record.fields.splice(0..0, self.common.iter().cloned());
            record
        });
        let records = taken.chain(own).chain(lent).collect();
        let mut framing = base.framing.clone();
        let positions = framing.tag.iter_mut().chain(framing.refine.values_mut().flatten());
        positions.for_each(|at| *at += self.prefix);
        let group = self.group.unwrap_or_else(|| match &base.group {
            Grouping::Key(positions) => Grouping::Key(positions.iter().map(|at| at + self.prefix).collect()),
            group => group.clone(),
        });
        let common = self.common.into_iter().chain(base.common.iter().map(|field| moved(field, self.prefix)));
        Family {
            family: self.family,
            database: self.database,
            name: self.name,
            source: self.source,
            framing,
            group,
            record_key: self.record_key.unwrap_or_else(|| base.record_key.clone()),
            unique_with: match &self.unique_key {
                Some(_) => Vec::new(),
                None => base.unique_with.clone(),
            },
            unique_key: self.unique_key.unwrap_or_else(|| base.unique_key.clone()),
            keep: self.keep.unwrap_or(base.keep),
            month: self.month.or_else(|| base.month.clone()),
            common: common.collect(),
            totals: self.totals,
            valid: base.valid.clone(),
            closed: base.closed,
            records,
        }
    }

    fn taken(&self, record: &RecordLayout) -> RecordLayout {
        let mut record = record.clone();
        let own = self.common.iter().cloned();
        record.fields = own.chain(record.fields.iter().map(|field| moved(field, self.prefix))).collect();
        record.columns.iter_mut().for_each(|columns| *columns += self.prefix);
        if self.as_body.iter().any(|key| key == record.key()) {
            record.part = Part::Body;
        }
        record.kept = self.kept.clone().or(record.kept);
        record
    }
}

fn moved(field: &Field, prefix: usize) -> Field {
    let mut field = field.clone();
    field.at += prefix;
    field
}

/// Gives the table the base family's feeds for the new family too, unless the table names the new family itself.
pub(crate) fn inherit_feeds(table: &mut Table, base: &str, family: &Family) {
    let name = Some(&family.family);
    if table.feeds.iter().any(|feed| feed.family.as_ref() == name) {
        return;
    }
    let fits = |feed: &&Feed| {
        let has_records = match &feed.row {
            RowOf::Records(records) => records.iter().all(|key| key == "*" || family.record(key).is_some()),
            RowOf::Group | RowOf::Person => true,
        };
        feed.family.as_deref() == Some(base) && has_records
    };
    let inherited: Vec<Feed> = table.feeds.iter().filter(fits).cloned().collect();
    table.feeds.extend(inherited.into_iter().map(|feed| Feed { family: name.cloned(), ..feed }));
}

/// The files that say `based_on`, in an order in which each can be made.
pub(crate) fn in_order(
    mut waiting: BTreeMap<String, Derived>,
    known: &BTreeMap<String, Family>,
) -> (Vec<Derived>, BTreeMap<String, Derived>) {
    let mut ordered: Vec<Derived> = Vec::new();
    loop {
        let is_made = |name: &str| known.contains_key(name) || ordered.iter().any(|made| made.family == name);
        let ready = waiting.iter().find(|(_, derived)| {
            is_made(&derived.based_on) && derived.borrow.as_ref().is_none_or(|from| is_made(&from.family))
        });
        let Some(name) = ready.map(|(name, _)| name.clone()) else { return (ordered, waiting) };
        ordered.extend(waiting.remove(&name));
    }
}
