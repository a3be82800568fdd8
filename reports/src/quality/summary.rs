//! Sums over a quality report: by database and month, by month, by reason.

use std::collections::{BTreeMap, BTreeSet};

use super::{LineAccount, LinkageQuality, Quality};
use crate::number::count;

/// What became of lines, without the reasons.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lines {
    pub(super) read: u64,
    pub(super) stored: u64,
    pub(super) dropped: u64,
    pub(super) quarantined: u64,
}

/// The deliveries of one database for one month.
#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) deliveries: u64,
    pub(super) lines: Lines,
    /// Whether every delivery's account closes.
    pub(super) closes: bool,
}

impl Lines {
    /// The sums of an account.
    pub(super) fn of(account: &LineAccount) -> Self {
        Self {
            read: account.read,
            stored: account.stored,
            dropped: account.dropped.values().sum(),
            quarantined: account.quarantined.values().sum(),
        }
    }

    fn add(&mut self, other: Self) {
        self.read += other.read;
        self.stored += other.stored;
        self.dropped += other.dropped;
        self.quarantined += other.quarantined;
    }
}

/// What became of lines, by database and month.
pub(super) fn by_database_and_month(quality: &Quality) -> BTreeMap<(&str, &str), Cell> {
    let mut cells: BTreeMap<(&str, &str), Cell> = BTreeMap::new();
    for delivery in &quality.deliveries {
        let key = (delivery.database.as_str(), delivery.month.as_str());
        let cell = cells.entry(key).or_insert_with(|| Cell { closes: true, ..Cell::default() });
        cell.deliveries += 1;
        cell.lines.add(Lines::of(&delivery.total));
        cell.closes &= delivery.total.closes;
    }
    cells
}

/// Persons by the number of their key sets: 1, 2, 3 to 5, 6 to 10, more.
pub(super) fn sizes(linkage: &LinkageQuality) -> Vec<[String; 2]> {
    let bands = [(1, 1), (2, 2), (3, 5), (6, 10), (11, u32::MAX)];
    let row = |(low, high): (u32, u32)| {
        let label = match (low, high) {
            (low, high) if low == high => low.to_string(),
            (low, u32::MAX) => format!("{low}–"),
            _ => format!("{low}–{high}"),
        };
        [label, count(linkage.sizes.range(low..=high).map(|(_, persons)| persons).sum())]
    };
    bands.into_iter().map(row).collect()
}

/// What became of lines, by month.
pub(super) fn by_month(quality: &Quality) -> BTreeMap<&str, Lines> {
    let mut months: BTreeMap<&str, Lines> = BTreeMap::new();
    for delivery in &quality.deliveries {
        months.entry(delivery.month.as_str()).or_default().add(Lines::of(&delivery.total));
    }
    months
}

/// The first and the last month that was delivered.
pub(super) fn period(quality: &Quality) -> Option<(&str, &str)> {
    let months: BTreeSet<&str> = quality.deliveries.iter().map(|delivery| delivery.month.as_str()).collect();
    months.first().copied().zip(months.last().copied())
}

/// Reasons with their lines, the most frequent first.
pub(super) fn ranked(reasons: &BTreeMap<String, u64>) -> Vec<(&str, u64)> {
    let mut ranked: Vec<(&str, u64)> =
        reasons.iter().map(|(reason, lines)| (reason.as_str(), *lines)).collect();
    ranked.sort_by_key(|(_, lines)| std::cmp::Reverse(*lines));
    ranked
}

/// Whether the accounts of all deliveries and of all their files close.
pub(super) fn closes(quality: &Quality) -> bool {
    let deliveries = quality.deliveries.iter();
    let files = deliveries.flat_map(|delivery| delivery.files.iter().map(|file| &file.account));
    let accounts = quality.deliveries.iter().map(|delivery| &delivery.total).chain(files);
    quality.total.closes && accounts.into_iter().all(|account| account.closes)
}
