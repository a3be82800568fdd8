//! Questions as the record tells them: opened and closed, or refused and denied before they ran.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Entry, Kind};
use time::OffsetDateTime;

use super::{number, said};

/// One question.
#[derive(Clone, Debug)]
pub(crate) struct Asked<'e> {
    /// The entry that opened it, or that refused it.
    pub(crate) entry: &'e Entry,
    /// The entry that closed it.
    pub(crate) closed: Option<&'e Entry>,
    /// Hidden values by rule, of a release that was made and not repeated.
    pub(crate) hidden_by: Vec<(String, u64)>,
}

impl<'e> Asked<'e> {
    /// Its id; empty where it never ran.
    pub(crate) fn id(&self) -> &'e str {
        if self.entry.kind() == Kind::QueryOpened { self.entry.subject().unwrap_or_default() } else { "" }
    }

    /// Its project.
    pub(crate) fn project(&self) -> &'e str {
        self.entry.project().unwrap_or_default()
    }

    /// When it was asked.
    pub(crate) const fn at(&self) -> OffsetDateTime {
        self.entry.at()
    }

    /// How it ended.
    pub(crate) fn outcome(&self) -> &'e str {
        match (self.entry.kind(), self.closed) {
            (Kind::QueryRefused, _) => "refused",
            (Kind::QueryDenied, _) => "denied",
            (_, None) => "open",
            (_, Some(closed)) => said(closed, "outcome"),
        }
    }

    /// The rule, policy, reason or fault.
    pub(crate) fn why(&self) -> &'e str {
        let rule = said(self.entry, "rule");
        let of = |closed: &'e Entry| {
            let reason = said(closed, "reason");
            if reason.is_empty() { said(closed, "fault") } else { reason }
        };
        if rule.is_empty() { self.closed.map(of).unwrap_or_default() } else { rule }
    }

    /// Released cells and hidden values.
    pub(crate) fn cells(&self) -> (u64, u64) {
        self.closed.map_or((0, 0), |closed| (number(closed, "cells"), number(closed, "suppressed")))
    }

    /// Milliseconds from its opening to its end.
    pub(crate) fn milliseconds(&self) -> u64 {
        let took = self.closed.map(|closed| (closed.at() - self.at()).whole_milliseconds());
        took.and_then(|took| u64::try_from(took).ok()).unwrap_or(0)
    }

    /// The columns that it read, as `table.column`.
    pub(crate) fn columns(&self) -> impl Iterator<Item = &'e str> + use<'e> {
        said(self.entry, "columns").split_whitespace()
    }

    /// The tables that it read.
    pub(crate) fn tables(&self) -> BTreeSet<&'e str> {
        self.columns().filter_map(|column| column.split('.').next()).collect()
    }
}

/// The questions of all entries, in the order in which they were asked.
pub(crate) fn questions(entries: &[Entry]) -> Vec<Asked<'_>> {
    let mut asked: Vec<Asked<'_>> = Vec::new();
    let mut open: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        let subject = entry.subject().unwrap_or_default();
        match entry.kind() {
            Kind::QueryOpened => {
                open.insert(subject, asked.len());
                asked.push(Asked { entry, closed: None, hidden_by: Vec::new() });
            }
            Kind::QueryRefused | Kind::QueryDenied => {
                asked.push(Asked { entry, closed: None, hidden_by: Vec::new() });
            }
            Kind::QueryClosed => {
                if let Some(one) = open.get(subject).and_then(|at| asked.get_mut(*at)) {
                    one.closed = Some(entry);
                }
            }
            Kind::LedgerKept => {
                if let Some(one) = open.get(subject).and_then(|at| asked.get_mut(*at)) {
                    one.hidden_by = hidden(said(entry, "hidden"));
                }
            }
            _ => {}
        }
    }
    asked
}

/// `persons 4, margins 2` as rules with numbers.
fn hidden(text: &str) -> Vec<(String, u64)> {
    let part = |part: &str| {
        let (rule, number) = part.trim().rsplit_once(' ')?;
        Some((rule.to_owned(), number.parse().ok()?))
    };
    text.split(',').filter_map(part).filter(|(_, number)| *number > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::hidden;

    #[test]
    fn rules_are_read_with_their_numbers() {
        assert_eq!(
            hidden("persons 4, margins 0, class 2"),
            [("persons".to_owned(), 4), ("class".to_owned(), 2)]
        );
        assert!(hidden("").is_empty());
    }
}
