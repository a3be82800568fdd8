//! What stands on each session's workbench. In memory only: a restart clears it. Who is signed in, the guard knows.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_protocol::{ReleasedTable, Verdict};

use crate::guard::AskError;
use crate::secret;

/// What a session has on its workbench is let go when nobody looked at it for so long.
const IDLE: Duration = Duration::from_secs(60 * 60);
/// Cells that all kept answers together may have; beyond, the oldest answers are let go.
const KEPT_CELLS: usize = 4_000_000;

/// Which session: the digest of the cookie's word, so that the memory does not hold the word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey([u8; 32]);

impl SessionKey {
    /// The key of the session, or token, with this word.
    pub(crate) fn of(word: &str) -> Self {
        Self(secret::fingerprint(word))
    }
}

/// What stands on a workbench.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bench {
    /// The text asked last.
    pub(crate) sql: String,
    pub(crate) state: State,
}

/// How far the question asked last is.
#[derive(Clone, Debug, Default)]
pub(crate) enum State {
    /// Nothing was asked yet.
    #[default]
    Blank,
    /// The guard is working.
    Running {
        /// Since when.
        since: Duration,
    },
    /// The guard answered.
    Done {
        /// When.
        at: Duration,
        answer: Arc<Answer>,
    },
    /// The answer was let go for want of memory.
    LetGo,
}

/// How a question ended.
#[derive(Debug)]
pub(crate) enum Answer {
    Verdict(Verdict),
    Released(ReleasedTable),
    Withheld,
    Fault(String),
    Nothing(AskError),
}

/// The workbenches of all sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<SessionKey, Session>>);

#[derive(Debug)]
struct Session {
    used: Duration,
    bench: Bench,
}

impl Sessions {
    /// Clears the workbench of a session that ended.
    pub(crate) fn end(&self, key: SessionKey) {
        self.lock().remove(&key);
    }

    /// What stands on the workbench.
    pub(crate) fn bench(&self, key: SessionKey) -> Bench {
        self.lock().get(&key).map(|session| session.bench.clone()).unwrap_or_default()
    }

    /// Notes that a workbench is looked at.
    pub(crate) fn look(&self, key: SessionKey, now: Duration) {
        if let Some(session) = self.lock().get_mut(&key) {
            session.used = now;
        }
    }

    /// Puts a question on the workbench; says no where one is still running.
    #[must_use]
    pub(crate) fn start(&self, key: SessionKey, sql: &str, now: Duration) -> bool {
        let mut all = self.lock();
        all.retain(|_, session| session.is_wanted(now));
        let session = all.entry(key).or_insert(Session { used: now, bench: Bench::default() });
        if matches!(session.bench.state, State::Running { .. }) {
            return false;
        }
        session.bench = Bench { sql: sql.to_owned(), state: State::Running { since: now } };
        session.used = now;
        true
    }

    /// Puts the answer on the workbench, if the session is still there.
    pub(crate) fn finish(&self, key: SessionKey, answer: Answer, now: Duration) {
        let mut all = self.lock();
        if let Some(session) = all.get_mut(&key) {
            session.bench.state = State::Done { at: now, answer: Arc::new(answer) };
            session.used = now;
            let_go(&mut all, KEPT_CELLS);
        }
    }

    // A panic while the lock is held leaves the map whole: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_wanted(&self, now: Duration) -> bool {
        matches!(self.bench.state, State::Running { .. }) || now.saturating_sub(self.used) < IDLE
    }

    /// When the answer came and how many cells it keeps; nothing where it keeps none.
    fn kept(&self) -> Option<(Duration, usize)> {
        let State::Done { at, answer } = &self.bench.state else { return None };
        let Answer::Released(table) = &**answer else { return None };
        Some((*at, table.rows.len() * table.columns.len()))
    }
}

/// Lets the oldest answers go until the others have at most `most` cells; the newest one stays.
fn let_go(all: &mut HashMap<SessionKey, Session>, most: usize) {
    let mut kept: Vec<(Duration, usize, SessionKey)> =
        all.iter().filter_map(|(key, session)| session.kept().map(|(at, cells)| (at, cells, *key))).collect();
    kept.sort_unstable_by_key(|(at, _, _)| std::cmp::Reverse(*at));
    let mut sum = 0_usize;
    for (number, (_, cells, key)) in kept.into_iter().enumerate() {
        sum = sum.saturating_add(cells);
        if number > 0
            && sum > most
            && let Some(session) = all.get_mut(&key)
        {
            session.bench.state = State::LetGo;
        }
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine_protocol::{CellValue, ReleasedTable};

    use super::{Answer, SessionKey, Sessions, State, let_go};

    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    #[test]
    fn one_question_at_a_time_and_its_answer_stays() {
        let (sessions, key) = (Sessions::default(), SessionKey::of("one"));
        assert!(sessions.start(key, "SELECT 1", minutes(1)));
        assert!(!sessions.start(key, "SELECT 2", minutes(1)));
        sessions.finish(key, Answer::Withheld, minutes(2));
        let bench = sessions.bench(key);
        assert_eq!(bench.sql, "SELECT 1");
        assert!(matches!(bench.state, State::Done { .. }));
        sessions.end(key);
        sessions.finish(key, Answer::Withheld, minutes(3));
        assert!(sessions.bench(key).sql.is_empty());
    }

    #[test]
    fn a_workbench_that_nobody_looks_at_is_cleared() {
        let sessions = Sessions::default();
        let keys = ["one", "two", "three"].map(SessionKey::of);
        for key in keys {
            assert!(sessions.start(key, "SELECT 1", minutes(0)));
        }
        sessions.finish(keys[0], Answer::Withheld, minutes(0));
        sessions.finish(keys[1], Answer::Withheld, minutes(0));
        sessions.look(keys[1], minutes(50));
        assert!(sessions.start(SessionKey::of("four"), "SELECT 1", minutes(61)));
        let kept = keys.map(|key| !sessions.bench(key).sql.is_empty());
        assert_eq!(kept, [false, true, true], "what runs stays");
    }

    #[test]
    fn the_oldest_answers_are_let_go_for_want_of_memory() {
        let sessions = Sessions::default();
        let table = |rows: usize| ReleasedTable {
            query: String::new(),
            snapshot: String::new(),
            columns: Vec::new(),
            rows: vec![vec![CellValue::Empty]; rows],
            suppressed: 0,
            threshold: 10,
            rules: String::new(),
            certificate: None,
        };
        let mut keys = Vec::new();
        for at in 0..3 {
            let key = SessionKey::of(&at.to_string());
            let mut table = table(10);
            table.columns = vec![engine_protocol::TableColumn {
                name: "n".to_owned(),
                kind: engine_protocol::TableColumnKind::Rows,
                unit: None,
            }];
            assert!(sessions.start(key, "", minutes(at)));
            sessions.finish(key, Answer::Released(table), minutes(at));
            keys.push(key);
        }
        let_go(&mut sessions.lock(), 25);
        let states: Vec<bool> =
            keys.iter().map(|key| matches!(sessions.bench(*key).state, State::LetGo)).collect();
        assert_eq!(states, [true, false, false]);
        let_go(&mut sessions.lock(), 1);
        assert!(matches!(sessions.bench(keys[2]).state, State::Done { .. }), "the newest stays");
    }
}
