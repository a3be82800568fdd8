//! Who is signed in. In memory only: a restart signs everybody out.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::desk::Owner;
use crate::gateway::{NoRandomness, Sources};
use crate::secret;
use crate::users::User;

/// A session that is not used for so long has ended.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// A session ends after so long in any case.
pub(crate) const LONGEST: Duration = Duration::from_secs(8 * 60 * 60);
/// Sessions of one user; a further one ends the oldest.
const OF_ONE: usize = 8;

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

impl Visitor {
    /// The user.
    pub(crate) fn name(&self) -> &str {
        &self.user.user
    }

    /// The project for which questions are asked.
    pub(crate) fn project(&self) -> &str {
        &self.user.project
    }

    /// Whose desk the visitor sits at.
    pub(crate) fn owner(&self) -> Owner {
        (self.user.user.clone(), self.user.project.clone())
    }
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
        let session = Session { user: user.clone(), form_word, began: now, used: now };
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

    // A panic while the lock is held leaves the map whole: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, HashMap<SessionKey, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn is_alive(&self, now: Duration) -> bool {
        now.saturating_sub(self.used) < IDLE && now.saturating_sub(self.began) < LONGEST
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

    use super::Sessions;
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
}
