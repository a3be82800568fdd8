//! Turns: so many statements run at once, the others wait; short ones overtake long ones.
//!
//! A statement is short or long by what vetting says that it reads, which follows from its text and the snapshot's row
//! counts, so neither its turn nor its deadline depends on what stands in the data. A long one is overtaken so often
//! and no oftener. Where long ones have every place, a short one runs beside them in a place more: nothing stands idle
//! for a short one that may come, and none waits for the end of a long one.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a waiting statement looks whether it is to be stopped.
const LOOK: Duration = Duration::from_millis(25);
/// So many short statements go before a long one that waited longer.
const MOST_OVERTAKEN: u32 = 16;

/// How long a statement is expected to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Short,
    Long,
}

/// Who waits and who runs.
pub(crate) struct Queue {
    places: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiting: Vec<Turn>,
    running: Vec<Turn>,
}

#[derive(Clone, Debug)]
struct Turn {
    number: u64,
    user: String,
    class: Class,
    overtaken: u32,
}

/// A place among those that run, for as long as this value is there.
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    number: u64,
    /// How many others run or wait.
    pub(crate) others: usize,
}

impl Queue {
    /// A queue for so many at once, at least one.
    pub(crate) fn new(places: usize) -> Self {
        Self { places: places.max(1), state: Mutex::default(), changed: Condvar::new() }
    }

    /// How many run at once.
    pub(crate) const fn places(&self) -> usize {
        self.places
    }

    /// Waits for a place; nothing where `is_stopped` says so first.
    pub(crate) fn wait(&self, user: &str, class: Class, is_stopped: &dyn Fn() -> bool) -> Option<Place<'_>> {
        let mut state = self.lock();
        let number = state.next;
        state.next += 1;
        state.waiting.push(Turn { number, user: user.to_owned(), class, overtaken: 0 });
        loop {
            if state.next_in(self.places) == Some(number) {
                let others = state.enter(number);
                drop(state);
                self.changed.notify_all();
                return Some(Place { queue: self, number, others });
            }
            // Not while the lock is held: whoever looks may read files.
            drop(state);
            let is_over = is_stopped();
            state = self.lock();
            if is_over {
                state.waiting.retain(|turn| turn.number != number);
                drop(state);
                self.changed.notify_all();
                return None;
            }
            if state.next_in(self.places) != Some(number) {
                let waited = self.changed.wait_timeout(state, LOOK);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }

    // A panic while the lock is held leaves the lists whole: every change is one call.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.queue.lock().running.retain(|turn| turn.number != self.number);
        self.queue.changed.notify_all();
    }
}

impl State {
    /// Whose turn it is, if there is a place for anybody who waits.
    ///
    /// A long one that was overtaken often enough comes first, then short ones, then long ones; among equals whoever
    /// has the fewest running, then whoever came first.
    fn next_in(&self, places: usize) -> Option<u64> {
        let is_free = self.running.len() < places;
        let is_long = |turn: &&Turn| turn.class == Class::Long;
        let is_beside = self.running.len() == places && self.running.iter().all(|turn| is_long(&turn));
        let of_user = |user: &str| self.running.iter().filter(|turn| turn.user == user).count();
        let may = self.waiting.iter().filter(|turn| is_free || is_beside && !is_long(turn));
        let first = may.min_by_key(|turn| {
            let is_last = turn.class == Class::Long && turn.overtaken < MOST_OVERTAKEN;
            (is_last, turn.class == Class::Short, of_user(&turn.user), turn.number)
        });
        first.map(|turn| turn.number)
    }

    /// Takes a waiting one among those that run; how many others run or wait.
    fn enter(&mut self, number: u64) -> usize {
        let others = self.running.len() + self.waiting.len() - 1;
        let Some(at) = self.waiting.iter().position(|turn| turn.number == number) else { return others };
        let turn = self.waiting.remove(at);
        if turn.class == Class::Short {
            let overtaken = |other: &&mut Turn| other.class == Class::Long && other.number < number;
            self.waiting.iter_mut().filter(overtaken).for_each(|other| other.overtaken += 1);
        }
        self.running.push(turn);
        others
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::{Class, MOST_OVERTAKEN, Queue, State, Turn};

    /// Turns written as `user:class`, numbered in order.
    fn turns(from: u64, text: &str) -> Vec<Turn> {
        let turn = |(number, word): (u64, &str)| {
            let (user, class) = word.split_once(':').unwrap();
            let class = if class == "long" { Class::Long } else { Class::Short };
            Turn { number, user: user.to_owned(), class, overtaken: 0 }
        };
        (from..).zip(text.split_whitespace()).map(turn).collect()
    }

    #[test]
    fn short_ones_overtake_and_run_beside_long_ones() {
        for (places, running, waiting, expected) in [
            (2, "", "", None),
            (2, "", "a:long b:long", Some(100)),
            (2, "", "a:long b:short", Some(101)),
            (2, "a:short", "a:short b:short", Some(101)),
            (2, "a:long", "b:long", Some(100)),
            (2, "a:long", "b:long a:short", Some(101)),
            (2, "a:long b:long", "c:long", None),
            (2, "a:long b:long", "c:long d:short", Some(101)),
            (2, "a:long b:long c:short", "d:short e:long", None),
            (2, "a:long b:short", "c:short", None),
            (1, "", "a:long", Some(100)),
            (1, "a:long", "b:long c:short", Some(101)),
            (1, "a:short", "b:short", None),
            (3, "a:long b:long c:long", "d:long", None),
        ] {
            let state = State { next: 0, waiting: turns(100, waiting), running: turns(0, running) };
            assert_eq!(state.next_in(places), expected, "{places} {running} | {waiting}");
        }
    }

    #[test]
    fn a_long_one_is_not_overtaken_for_ever() {
        let mut state = State { next: 1, waiting: turns(0, "a:long"), running: Vec::new() };
        for number in 1.. {
            state.waiting.push(Turn { number, ..turns(0, "b:short").remove(0) });
            let next = state.next_in(2).unwrap();
            state.enter(next);
            state.running.clear();
            if next == 0 {
                assert_eq!(number, u64::from(MOST_OVERTAKEN) + 1);
                return;
            }
        }
    }

    #[test]
    fn no_more_than_the_places_run_at_once_and_whoever_is_stopped_leaves() {
        let (queue, at_once, most) = (Queue::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for number in 0..12 {
                let (queue, at_once, most) = (&queue, &at_once, &most);
                scope.spawn(move || {
                    let class = if number % 3 == 0 { Class::Long } else { Class::Short };
                    let place = queue.wait("one", class, &|| false).unwrap();
                    most.fetch_max(at_once.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::yield_now();
                    at_once.fetch_sub(1, Ordering::SeqCst);
                    drop(place);
                });
            }
        });
        assert!(most.load(Ordering::SeqCst) <= 2);
        let places = [(); 2].map(|()| queue.wait("one", Class::Short, &|| false).unwrap());
        let is_asked = AtomicBool::new(false);
        let waited = queue.wait("two", Class::Short, &|| is_asked.swap(true, Ordering::SeqCst));
        assert!(waited.is_none());
        drop(places);
        let place = queue.wait("three", Class::Long, &|| false).unwrap();
        assert_eq!(place.others, 0, "whoever was stopped does not wait any more");
    }
}
