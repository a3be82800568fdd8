//! Who is signed in, and what stands on each one's workbench. In memory only: a restart signs everybody out.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_protocol::{ReleasedTable, Verdict};

use crate::gateway::{NoRandomness, Sources};
use crate::guard::AskError;
use crate::secret;
use crate::users::User;

/// A session that is not used for so long has ended.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends after so long in any case.
pub(crate) const LONGEST: Duration = Duration::from_secs(8 * 60 * 60);
/// Sessions of one user; a further one ends the oldest.
const OF_ONE: usize = 8;
/// Cells that all kept answers together may have; beyond, the oldest answers are let go.
const KEPT_CELLS: usize = 4_000_000;

/// Which session: the digest of the cookie's word, so that the memory does not hold the word.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionKey([u8; 32]);

/// A signed-in user on one page.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    pub(crate) session: SessionKey,
    pub(crate) user: User,
    /// The word that this session's forms carry.
    pub(crate) form_word: String,
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

/// All sessions.
#[derive(Debug, Default)]
pub(crate) struct Sessions(Mutex<HashMap<SessionKey, Session>>);

#[derive(Debug)]
struct Session {
    user: User,
    form_word: String,
    began: Duration,
    used: Duration,
    bench: Bench,
}

impl Sessions {
    /// Begins a session and gives the word for its cookie.
    pub(crate) fn begin(
        &self,
        user: &User,
        now: Duration,
        sources: &Sources,
    ) -> Result<String, NoRandomness> {
        let (word, form_word) = (secret::word(sources)?, secret::word(sources)?);
        let session =
            Session { user: user.clone(), form_word, began: now, used: now, bench: Bench::default() };
        let mut all = self.lock();
        all.retain(|_, session| session.is_alive(now));
        while all.values().filter(|session| session.user == *user).count() >= OF_ONE {
            let of_user = all.iter().filter(|(_, session)| session.user == *user);
            let Some(oldest) = of_user.min_by_key(|(_, session)| session.used).map(|(key, _)| *key) else {
                break;
            };
            all.remove(&oldest);
        }
        all.insert(SessionKey(secret::fingerprint(&word)), session);
        Ok(word)
    }

    /// The visitor with this cookie's word, if the session is still alive.
    pub(crate) fn find(&self, word: &str, now: Duration) -> Option<Visitor> {
        let key = SessionKey(secret::fingerprint(word));
        let mut all = self.lock();
        let session = all.get_mut(&key)?;
        if !session.is_alive(now) {
            all.remove(&key);
            return None;
        }
        session.used = now;
        Some(Visitor { session: key, user: session.user.clone(), form_word: session.form_word.clone() })
    }

    /// Ends a session.
    pub(crate) fn end(&self, key: SessionKey) {
        self.lock().remove(&key);
    }

    /// What stands on the workbench.
    pub(crate) fn bench(&self, key: SessionKey) -> Bench {
        self.lock().get(&key).map(|session| session.bench.clone()).unwrap_or_default()
    }

    /// Puts a question on the workbench; says no where one is still running.
    #[must_use]
    pub(crate) fn start(&self, key: SessionKey, sql: &str, now: Duration) -> bool {
        let mut all = self.lock();
        let Some(session) = all.get_mut(&key) else { return false };
        if matches!(session.bench.state, State::Running { .. }) {
            return false;
        }
        session.bench = Bench { sql: sql.to_owned(), state: State::Running { since: now } };
        true
    }

    /// Puts the answer on the workbench, if the session is still there.
    pub(crate) fn finish(&self, key: SessionKey, answer: Answer, now: Duration) {
        let mut all = self.lock();
        if let Some(session) = all.get_mut(&key) {
            session.bench.state = State::Done { at: now, answer: Arc::new(answer) };
            let_go(&mut all, KEPT_CELLS);
        }
    }

    // A panic while the lock is held leaves the map whole: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_alive(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) < IDLE && now.saturating_sub(self.began) < LONGEST
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
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};
    use std::time::Duration;

    use engine_protocol::{CellValue, ReleasedTable};

    use super::{Answer, Sessions, State, let_go};
    use crate::gateway::Sources;
    use crate::users::User;

    fn sources() -> Sources {
        let next = AtomicU8::new(0);
        Sources {
            clock: Arc::new(|| Duration::ZERO),
            random: Arc::new(move |bytes| {
                bytes.fill(next.fetch_add(1, Ordering::SeqCst));
                Ok(())
            }),
        }
    }

    fn user(user: &str) -> User {
        User { user: user.to_owned(), project: "p".to_owned() }
    }

    const fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(minutes * 60)
    }

    #[test]
    fn a_session_ends_when_it_is_idle_and_after_a_day_of_work() {
        let (sessions, sources) = (Sessions::default(), sources());
        let word = sessions.begin(&user("u"), minutes(0), &sources).unwrap();
        assert!(sessions.find(&word, minutes(29)).is_some());
        assert!(sessions.find(&word, minutes(59)).is_none());
        assert!(sessions.find(&word, minutes(1)).is_none(), "it does not come back");
        let word = sessions.begin(&user("u"), minutes(0), &sources).unwrap();
        assert!((1..24).all(|step| sessions.find(&word, minutes(step * 20)).is_some()));
        assert!(sessions.find(&word, minutes(480)).is_none());
    }

    #[test]
    fn a_further_session_of_one_user_ends_the_oldest() {
        let (sessions, sources) = (Sessions::default(), sources());
        let other = sessions.begin(&user("other"), minutes(0), &sources).unwrap();
        let words: Vec<String> =
            (0..9).map(|at| sessions.begin(&user("u"), minutes(at), &sources).unwrap()).collect();
        let alive = words.iter().filter(|word| sessions.find(word, minutes(10)).is_some()).count();
        assert_eq!(alive, 8);
        assert!(sessions.find(&words[0], minutes(10)).is_none());
        assert!(sessions.find(&other, minutes(10)).is_some());
    }

    #[test]
    fn one_question_at_a_time_and_its_answer_stays() {
        let (sessions, sources) = (Sessions::default(), sources());
        let word = sessions.begin(&user("u"), minutes(0), &sources).unwrap();
        let key = sessions.find(&word, minutes(0)).unwrap().session;
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
    fn the_oldest_answers_are_let_go_for_want_of_memory() {
        let (sessions, sources) = (Sessions::default(), sources());
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
            let word = sessions.begin(&user("u"), minutes(at), &sources).unwrap();
            let key = sessions.find(&word, minutes(at)).unwrap().session;
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
