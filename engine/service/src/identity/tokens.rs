//! API tokens: opaque, of one user for one project until one day, revoked by their owner or an operator.

use audit::{Event, Kind};
use catalog_store::TokenRecord;
use engine_protocol::{IdentityReply, SecretWord, TokenView, TokenWish};

use super::words;
use crate::guard::{Guard, GuardError};

/// What a token's word begins with, so that one that lies where it should not is recognised.
const PREFIX: &str = "misu_";
/// The longest life of a token.
const MOST_DAYS: u16 = 366;
const DAY: i64 = 24 * 60 * 60;
/// The longest name of a token, in bytes.
const LONGEST_NAME: usize = 200;
/// Tokens of one user that serve at the same time.
const OF_ONE: usize = 32;

/// The token of this word, if it serves.
pub(super) fn find(guard: &Guard, word: &SecretWord) -> Result<Option<TokenRecord>, GuardError> {
    let Some(digest) = words::digest(word) else { return Ok(None) };
    let now = guard.seconds();
    Ok(guard.meta.token(&digest)?.filter(|token| serves(token, now)))
}

fn serves(token: &TokenRecord, now: i64) -> bool {
    !token.is_revoked && now < token.ends
}

/// Makes a token; nothing where the wish cannot be granted.
pub(crate) fn issue(
    guard: &Guard,
    user: &str,
    wish: &TokenWish,
) -> Result<Option<(SecretWord, TokenRecord)>, GuardError> {
    let now = guard.seconds();
    let is_named = wish.name.len() <= LONGEST_NAME && !wish.name.chars().any(char::is_control);
    let held = guard.meta.tokens(Some(user))?.iter().filter(|token| serves(token, now)).count();
    if !is_named || !(1..=MOST_DAYS).contains(&wish.days) || held >= OF_ONE {
        return Ok(None);
    }
    let word = SecretWord::new(format!("{PREFIX}{}", words::word()?.as_str()));
    let digest = words::digest(&word).ok_or(GuardError::Bug("a word of ours has a digest"))?;
    // The id is cut from a second random word, so that it tells nothing of the first.
    let id: String = words::word()?.as_str().chars().take(16).collect();
    let token = TokenRecord {
        id,
        digest,
        user: user.to_owned(),
        name: wish.name.clone(),
        project: wish.project.clone(),
        made: now,
        ends: now.saturating_add(i64::from(wish.days) * DAY),
        is_revoked: false,
    };
    let event = Event::new(Kind::TokenIssued, user).project(&wish.project).subject(&token.id);
    guard.log.record(event.with("days", u64::from(wish.days)))?;
    guard.meta.add_token(&token)?;
    Ok(Some((word, token)))
}

/// Makes a token of this user useless.
pub(super) fn revoke(guard: &Guard, user: &str, id: &str) -> Result<IdentityReply, GuardError> {
    let is_theirs = guard.meta.tokens(Some(user))?.iter().any(|token| token.id == id);
    if !is_theirs || !guard.meta.revoke_token(id)? {
        return Ok(IdentityReply::Refused);
    }
    guard.log.record(Event::new(Kind::TokenRevoked, user).subject(id))?;
    Ok(IdentityReply::Done)
}

/// A token as people see it.
pub(crate) fn view(token: TokenRecord) -> TokenView {
    let TokenRecord { id, user, name, project, made, ends, is_revoked, .. } = token;
    TokenView { id, user, name, project, made, ends, is_revoked }
}
