//! How long outputs wait for their reviewers, as the record tells it.

use std::collections::BTreeMap;

use audit::{Entry, Kind};
use governance::output::TARGET_DAYS;
use reports::board::reviews::Reviews;
use time::OffsetDateTime;

use super::{Desk, Span, said};

/// What waits now, and what was decided in the period.
pub(super) fn reviews(desk: &Desk, span: &Span) -> Reviews {
    count(&desk.entries, span, desk.now)
}

fn count(entries: &[Entry], span: &Span, now: OffsetDateTime) -> Reviews {
    let mut waiting: BTreeMap<&str, OffsetDateTime> = BTreeMap::new();
    let mut took = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind() == Kind::OutputMoved) {
        let output = entry.subject().unwrap_or_default();
        if begins(entry) {
            waiting.insert(output, entry.at());
        } else if ends(entry)
            && let Some(since) = waiting.remove(output)
            && span.holds(entry.at())
        {
            took.push(days(since, entry.at()));
        }
    }
    took.sort_unstable();
    let now: Vec<u64> = waiting.values().map(|since| days(*since, now)).collect();
    let late = |all: &[u64]| all.iter().filter(|days| **days >= TARGET_DAYS).count() as u64;
    Reviews {
        target_days: TARGET_DAYS,
        waiting: now.len() as u64,
        oldest_days: now.iter().max().copied(),
        late: late(&now),
        decided: took.len() as u64,
        median_days: took.get(took.len() / 2).copied(),
        decided_late: late(&took),
    }
}

/// A release is drawn, or its author hands an output in.
fn begins(entry: &Entry) -> bool {
    let is_handed_in =
        said(entry, "to") == "submitted" && ["submit", "appeal"].contains(&said(entry, "action"));
    said(entry, "action") == "draw" || is_handed_in
}

fn ends(entry: &Entry) -> bool {
    ["returned", "approved", "rejected", "released", "revoked", "withdrawn"].contains(&said(entry, "to"))
}

fn days(since: OffsetDateTime, until: OffsetDateTime) -> u64 {
    u64::try_from((until - since).whole_days()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use audit::{Entry, Event, Kind, Log};
    use time::OffsetDateTime;

    use super::{Span, count};

    #[test]
    fn what_waits_and_what_was_decided_is_counted_in_days() {
        let folder = tempfile::tempdir().unwrap();
        let day = Arc::new(AtomicI64::new(0));
        let at = |day: i64| OffsetDateTime::from_unix_timestamp(1_800_000_000 + day * 86_400).unwrap();
        let clock = {
            let day = Arc::clone(&day);
            move || at(day.load(Ordering::SeqCst))
        };
        let log = Log::create(folder.path(), clock).unwrap();
        let moves = [
            (0, "a", "hold", ""),
            (1, "a", "submit", "submitted"),
            (2, "a", "review", "partly-reviewed"),
            (4, "a", "return", "returned"),
            (5, "a", "submit", "submitted"),
            (15, "a", "approve", "approved"),
            (15, "a", "release", "released"),
            (16, "b", "draw", ""),
            (18, "c", "submit", "submitted"),
        ];
        for (when, output, action, to) in moves {
            day.store(when, Ordering::SeqCst);
            let event = Event::new(Kind::OutputMoved, "x").subject(output).with("action", action);
            log.record(if to.is_empty() { event } else { event.with("to", to) }).unwrap();
        }
        let entries: Vec<Entry> = Entry::all(log.path()).unwrap().map(Result::unwrap).collect();
        let days = |day: i64| super::super::span::day(at(day));
        let span = Span::parse(Some(&days(0)), Some(&days(30)), at(25)).unwrap();
        let all = count(&entries, &span, at(25));
        assert_eq!((all.waiting, all.oldest_days, all.late), (2, Some(9), 2));
        assert_eq!((all.decided, all.median_days, all.decided_late), (2, Some(10), 1));
        // What was decided before the period is not of it; what waits, waits now.
        let later = Span::parse(Some(&days(20)), Some(&days(30)), at(25)).unwrap();
        let later = count(&entries, &later, at(25));
        assert_eq!((later.waiting, later.decided, later.median_days), (2, 0, None));
    }
}
