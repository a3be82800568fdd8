//! Sessions: begun by signing in, ended by signing out, by idleness, and in any case after some hours.

use audit::{Event, Kind};
use catalog_store::SessionRecord;
use engine_protocol::{Caller, IdentityReply, SecretWord};

use super::{By, words};
use crate::guard::{Guard, GuardError};

/// Sessions of one user; a further one ends the one that was used least lately.
const OF_ONE: usize = 8;
/// A session's last use is noted again after so many seconds, so that not every question is a write.
const NOTED: i64 = 30;
/// What an invitation is for that begins a session without a second factor, in demo environments only.
pub(crate) const LINK: &str = "link";

/// The session of this word, if it is alive; it is used by being found.
pub(super) fn find(guard: &Guard, word: &SecretWord) -> Result<Option<SessionRecord>, GuardError> {
    let Some(digest) = words::digest(word) else { return Ok(None) };
    let Some(session) = guard.meta.session(&digest)? else { return Ok(None) };
    let now = guard.seconds();
    if !is_alive(guard, &session, now) {
        guard.meta.end_session(&digest)?;
        return Ok(None);
    }
    if now.saturating_sub(session.used) >= NOTED {
        guard.meta.use_session(&digest, now)?;
    }
    Ok(Some(session))
}

fn is_alive(guard: &Guard, session: &SessionRecord, now: i64) -> bool {
    let rules = guard.sign_in();
    now.saturating_sub(session.used) < rules.idle_seconds()
        && now.saturating_sub(session.began) < rules.longest_seconds()
}

/// Begins a session of a user who has shown who they are.
pub(super) fn begin(guard: &Guard, user: &str, method: &str) -> Result<IdentityReply, GuardError> {
    let word = words::word()?;
    let digest = words::digest(&word).ok_or(GuardError::Bug("a word of ours has a digest"))?;
    let (now, rules) = (guard.seconds(), guard.sign_in());
    guard.meta.sweep_sessions(now - rules.longest_seconds(), now - rules.idle_seconds(), now)?;
    for old in guard.meta.sessions_of(user)?.into_iter().skip(OF_ONE - 1) {
        guard.meta.end_session(&old.digest)?;
    }
    guard.log.record(Event::new(Kind::SessionBegun, user).with("method", method))?;
    let session = SessionRecord {
        digest,
        user: user.to_owned(),
        method: method.to_owned(),
        began: now,
        used: now,
        project: String::new(),
    };
    guard.meta.begin_session(&session)?;
    let asker = super::find(guard, &Caller::Session { word: word.clone() })?;
    Ok(match asker {
        Some(asker) if matches!(asker.by, By::Session(_)) => {
            IdentityReply::SignedIn { word, me: asker.me(guard) }
        }
        // Shut out between the two looks.
        _ => IdentityReply::Refused,
    })
}

/// Begins a session with a one-time word of a demo environment.
pub(super) fn by_link(guard: &Guard, word: &SecretWord) -> Result<IdentityReply, GuardError> {
    let found = words::digest(word).filter(|_| guard.environment.config().demo_seed.is_some());
    let invitation = found.map(|digest| guard.meta.invitation(&digest)).transpose()?.flatten();
    let invitation = invitation.filter(|found| found.purpose == LINK && guard.seconds() < found.ends);
    if let Some(invitation) = invitation
        && guard.meta.spend_invitation(&invitation.digest)?
    {
        return begin(guard, &invitation.user, LINK);
    }
    guard.log.record(Event::new(Kind::SignInFailed, "guard").with("method", LINK))?;
    Ok(IdentityReply::Refused)
}

/// Ends a session.
pub(super) fn end(guard: &Guard, session: &SessionRecord) -> Result<IdentityReply, GuardError> {
    guard.meta.end_session(&session.digest)?;
    guard.log.record(Event::new(Kind::SessionEnded, &session.user).with("sessions", 1_u64))?;
    Ok(IdentityReply::Done)
}

/// Ends every session of a user.
pub(super) fn end_all(guard: &Guard, user: &str) -> Result<IdentityReply, GuardError> {
    let ended = guard.meta.end_sessions_of(user)?;
    guard.log.record(Event::new(Kind::SessionEnded, user).with("sessions", ended))?;
    Ok(IdentityReply::Done)
}
