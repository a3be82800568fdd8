//! Accounts of people who sign in here: a password and a second factor, begun by an invitation of an operator.
//!
//! A person who is not there, a wrong password, a wrong code, a code that served before and a name that failed too
//! often get one answer, after the same work. An attempt is counted before it is looked at, so that many at once
//! cannot outrun the count, and attempts are looked at one after the other, so that they cannot take the guard's
//! processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use audit::{Event, Kind};
use catalog_store::{AccountRecord, InvitationRecord, hex};
use engine_protocol::{IdentityReply, SecretWord};

use super::factors::{self, Factor};
use super::{Standing, passwords, sessions, words};
use crate::guard::{Guard, GuardError};

/// What an invitation is for that begins an account.
pub(super) const ENROL: &str = "enrol";
/// How a session is called that began with password and code.
const PASSWORD: &str = "password";
/// Attempts that may wait for their turn.
const WAITING: usize = 8;
/// Failures are forgotten after so long, in seconds.
const FORGOTTEN: i64 = 24 * 60 * 60;
/// The longest user id that is looked at, in bytes.
const LONGEST_USER: usize = 200;

/// The turns of those who sign in.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    turn: Mutex<()>,
    waiting: AtomicUsize,
}

impl Turns {
    /// Does the work when its turn comes; nothing where too many wait.
    fn take<T>(&self, work: impl FnOnce() -> T) -> Option<T> {
        let waiting = self.waiting.fetch_add(1, Ordering::SeqCst);
        let done = (waiting < WAITING).then(|| {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            work()
        });
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        done
    }
}

/// Begins a session with a password and a code.
pub(super) fn sign_in(
    guard: &Guard,
    user: &str,
    password: &SecretWord,
    code: &SecretWord,
) -> Result<IdentityReply, GuardError> {
    match checked(guard, user, password, code)? {
        Checked::Later => Ok(IdentityReply::Later),
        Checked::No => Ok(IdentityReply::Refused),
        Checked::Yes(account) => sessions::begin(guard, &account.user, PASSWORD),
    }
}

/// Whether password and code are somebody's.
enum Checked {
    Yes(Box<AccountRecord>),
    No,
    Later,
}

fn checked(
    guard: &Guard,
    user: &str,
    password: &SecretWord,
    code: &SecretWord,
) -> Result<Checked, GuardError> {
    match guard.turns.take(|| check(guard, user, password, code)) {
        None => Ok(Checked::Later),
        Some(found) => Ok(found?.map_or(Checked::No, |account| Checked::Yes(Box::new(account)))),
    }
}

/// The account whose password and code these are. The same work is done whoever is named.
fn check(
    guard: &Guard,
    user: &str,
    password: &SecretWord,
    code: &SecretWord,
) -> Result<Option<AccountRecord>, GuardError> {
    let (now, rules) = (guard.seconds(), guard.sign_in());
    let user = user.trim();
    let name = hex(&blake3::derive_key("misu 2026-11 name of a sign-in", user.as_bytes()));
    let (failures, last) = guard.meta.failures(&name)?;
    let waits = now < last.saturating_add(rules.wait_seconds(failures));
    if !waits {
        guard.meta.fail(&name, now)?;
    }
    let account = guard.meta.account(user)?.filter(|_| user.len() <= LONGEST_USER);
    let factor = match &account {
        Some(account) => Factor::open(guard, user, &account.factor)?,
        None => {
            let nobodys = Factor::nobodys();
            nobodys.seal(guard, "nobody")?;
            Some(nobodys)
        }
    };
    let kept = account.as_ref().map(|account| account.password.as_str());
    let is_password = passwords::verify(password.as_str(), kept, rules);
    let step = factor.and_then(|factor| factor.step(code.as_str(), now));
    let recovery = factors::recovery_digest(code.as_str());
    let may_act = Standing::of(&guard.meta, user, guard.now())?.is_some();
    if let Some(account) = account.filter(|account| account.is_active && may_act && is_password && !waits) {
        let is_spent = match (step, recovery) {
            (Some(step), _) => guard.meta.spend_step(user, step)?,
            (None, Some(digest)) => guard.meta.spend_recovery_code(user, &digest)?,
            (None, None) => false,
        };
        if is_spent {
            guard.meta.forget_failures(&name, now.saturating_sub(FORGOTTEN))?;
            return Ok(Some(account));
        }
    }
    // What was typed as a name may be a secret typed into the wrong field: it does not go into the record.
    let who = if kept_user(guard, user)? { user } else { "unknown" };
    guard.log.record(Event::new(Kind::SignInFailed, who).with("method", PASSWORD).with("waits", waits))?;
    Ok(None)
}

fn kept_user(guard: &Guard, user: &str) -> Result<bool, GuardError> {
    Ok(guard.meta.account(user)?.is_some())
}

/// Shows what an authenticator program needs, to whoever has the invitation; asked again, there is another secret.
pub(super) fn enrolment(guard: &Guard, invitation: &SecretWord) -> Result<IdentityReply, GuardError> {
    let Some(invitation) = invited(guard, invitation)? else { return Ok(IdentityReply::Refused) };
    let factor = Factor::random()?;
    guard.meta.hold(&invitation.digest, &factor.seal(guard, &invitation.user)?)?;
    let shown = factor.shown(&invitation.user);
    let (secret, address) = shown.ok_or(GuardError::Bug("a user id can stand in an authenticator"))?;
    Ok(IdentityReply::Enrolment {
        user: invitation.user,
        secret: SecretWord::new(secret),
        address: SecretWord::new(address),
    })
}

/// Begins an account, and with it a session.
pub(super) fn enrol(
    guard: &Guard,
    invitation: &SecretWord,
    password: &SecretWord,
    code: &SecretWord,
) -> Result<IdentityReply, GuardError> {
    let Some(invitation) = invited(guard, invitation)? else { return Ok(IdentityReply::Refused) };
    let (user, now) = (invitation.user, guard.seconds());
    if !passwords::is_acceptable(password.as_str(), &user) {
        return Ok(IdentityReply::Weak);
    }
    let factor = Factor::open(guard, &user, &invitation.held)?;
    let step = factor.and_then(|factor| factor.step(code.as_str(), now));
    let Some(step) = step else { return Ok(IdentityReply::Refused) };
    let hash = guard.turns.take(|| passwords::hash(password.as_str(), guard.sign_in()));
    let Some(hash) = hash.transpose()? else { return Ok(IdentityReply::Later) };
    if !guard.meta.spend_invitation(&invitation.digest)? {
        return Ok(IdentityReply::Refused);
    }
    let (codes, digests) = factors::recovery_codes()?;
    let event = Event::new(Kind::AccountChanged, &user).subject(&user).with("change", "enrolled");
    guard.log.record(event)?;
    guard.meta.uninvite(&user)?;
    guard.meta.end_sessions_of(&user)?;
    let account = AccountRecord {
        user: user.clone(),
        password: hash,
        factor: invitation.held,
        last_step: step,
        changed: now,
        is_active: true,
    };
    guard.meta.set_account(&account, &digests)?;
    Ok(match sessions::begin(guard, &user, PASSWORD)? {
        IdentityReply::SignedIn { word, me } => {
            IdentityReply::Enrolled { word, me, codes: codes.into_iter().map(SecretWord::new).collect() }
        }
        other => other,
    })
}

/// An invitation to an account that serves, of a person who may act.
fn invited(guard: &Guard, word: &SecretWord) -> Result<Option<InvitationRecord>, GuardError> {
    let found = words::digest(word).map(|digest| guard.meta.invitation(&digest)).transpose()?.flatten();
    let found = found.filter(|found| found.purpose == ENROL && guard.seconds() < found.ends);
    let Some(invitation) = found else {
        guard.log.record(Event::new(Kind::SignInFailed, "unknown").with("method", ENROL))?;
        return Ok(None);
    };
    Ok(Standing::of(&guard.meta, &invitation.user, guard.now())?.map(|_| invitation))
}

/// Takes another password; every session of the person ends and a new one begins.
pub(super) fn change_password(
    guard: &Guard,
    user: &str,
    (old, new): (&SecretWord, &SecretWord),
    code: &SecretWord,
) -> Result<IdentityReply, GuardError> {
    if !passwords::is_acceptable(new.as_str(), user) {
        return Ok(IdentityReply::Weak);
    }
    match checked(guard, user, old, code)? {
        Checked::Later => Ok(IdentityReply::Later),
        Checked::No => Ok(IdentityReply::Refused),
        Checked::Yes(_) => {
            let hash = passwords::hash(new.as_str(), guard.sign_in())?;
            let event = Event::new(Kind::AccountChanged, user).subject(user).with("change", "password");
            guard.log.record(event)?;
            guard.meta.set_password(user, &hash, guard.seconds())?;
            guard.meta.end_sessions_of(user)?;
            sessions::begin(guard, user, PASSWORD)
        }
    }
}

/// Makes new recovery codes in place of the ones that are left.
pub(super) fn renew_recovery_codes(
    guard: &Guard,
    user: &str,
    password: &SecretWord,
    code: &SecretWord,
) -> Result<IdentityReply, GuardError> {
    match checked(guard, user, password, code)? {
        Checked::Later => Ok(IdentityReply::Later),
        Checked::No => Ok(IdentityReply::Refused),
        Checked::Yes(_) => {
            let (codes, digests) = factors::recovery_codes()?;
            let event = Event::new(Kind::AccountChanged, user).subject(user).with("change", "recovery-codes");
            guard.log.record(event)?;
            guard.meta.set_recovery_codes(user, &digests)?;
            Ok(IdentityReply::RecoveryCodes { codes: codes.into_iter().map(SecretWord::new).collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::{Turns, WAITING};

    #[test]
    fn so_many_wait_and_no_more() {
        let turns = Arc::new(Turns::default());
        let (begun, has_begun) = channel();
        let (go, may_go) = channel::<()>();
        let first = {
            let turns = Arc::clone(&turns);
            std::thread::spawn(move || {
                turns.take(|| {
                    begun.send(()).unwrap();
                    let _ = may_go.recv();
                })
            })
        };
        has_begun.recv().unwrap();
        let others: Vec<_> = (1..WAITING)
            .map(|_| {
                let turns = Arc::clone(&turns);
                std::thread::spawn(move || turns.take(|| ()).is_some())
            })
            .collect();
        while turns.waiting.load(std::sync::atomic::Ordering::SeqCst) < WAITING {
            std::thread::yield_now();
        }
        assert!(turns.take(|| ()).is_none(), "one more is told to come later");
        drop(go);
        assert!(first.join().unwrap().is_some());
        assert!(others.into_iter().all(|other| other.join().unwrap()));
        assert!(turns.take(|| ()).is_some());
    }
}
