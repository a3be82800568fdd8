//! A statement's turn: short or long, when it runs, and how much it may use.

use std::collections::BTreeSet;

use catalog_model::{Grant, ManifestBody};
use catalog_store::TurnRules;
use engine_protocol::{Limits, RunStage};

use crate::budget;
use crate::guard::Guard;
use crate::queue::{Class, Place};
use crate::running::Watch;

/// Threads of one statement, on however many processors: each has a stack and a share of the allocator's room.
const MOST_THREADS: u32 = 32;

/// How much one statement may use at most: of a long one, with every thread.
pub(crate) fn most(rules: &TurnRules) -> Limits {
    let threads = u32::try_from(processors()).unwrap_or(1).min(MOST_THREADS);
    let (bytes, memory, single) = (1 << 30, 4 << 30, 8 << 20);
    Limits { cells: 100_000, bytes, seconds: rules.long_seconds, memory, threads, single }
}

/// How many run at once.
pub(crate) fn places(rules: &TurnRules) -> usize {
    if rules.at_once == 0 { processors() } else { usize::try_from(rules.at_once).unwrap_or(1) }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Waits for the turn of a statement that reads these tables; the place, and how much it may use there. Nothing where
/// it is stopped while it waits.
pub(crate) fn wait<'g>(
    guard: &'g Guard,
    watch: &Watch<'_>,
    tables: &BTreeSet<&str>,
    (snapshot, grant): (&ManifestBody, &Grant),
) -> Option<(Place<'g>, Limits)> {
    let rules = &guard.environment.config().turns;
    let rows = budget::rows(tables, snapshot, grant);
    let (class, seconds) = class(rules, rows);
    watch.run().is_at(RunStage::Waiting);
    let place = guard.queue.wait(watch.run().user(), class, &|| watch.reason().is_some())?;
    watch.run().is_at(RunStage::Reading);
    let threads = threads(guard.limits.threads, &place, guard.queue.places());
    Some((place, Limits { seconds, threads, ..guard.limits }))
}

/// Short where few rows are read, as the snapshot's counts say; and the seconds after which it is given up.
fn class(rules: &TurnRules, rows: u64) -> (Class, u32) {
    if rows <= rules.short_rows {
        (Class::Short, rules.short_seconds)
    } else {
        (Class::Long, rules.long_seconds)
    }
}

/// Its share of the threads: all for one alone, one where every place is taken.
fn threads(all: u32, place: &Place<'_>, places: usize) -> u32 {
    let sharing = u32::try_from((place.others + 1).min(places)).unwrap_or(1);
    (all / sharing.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use catalog_store::TurnRules;

    use super::{class, threads};
    use crate::queue::{Class, Queue};

    #[test]
    fn a_statement_is_short_by_the_rows_that_it_reads() {
        let rules = TurnRules { short_rows: 10, short_seconds: 1, long_seconds: 2, ..TurnRules::default() };
        assert_eq!(class(&rules, 10), (Class::Short, 1));
        assert_eq!(class(&rules, 11), (Class::Long, 2));
    }

    #[test]
    fn whoever_is_alone_has_every_thread() {
        let queue = Queue::new(2);
        let one = queue.wait("one", Class::Short, &|| false).unwrap();
        assert_eq!(threads(4, &one, queue.places()), 4);
        let two = queue.wait("two", Class::Short, &|| false).unwrap();
        assert_eq!(threads(4, &two, queue.places()), 2);
        assert_eq!(threads(1, &two, queue.places()), 1);
    }
}
