//! Sessions, API tokens and one-time words, as the metadata database keeps them: digests only, never a word.
//!
//! Times are seconds since 1970. Who may do what with these rows is
//! the guard's to judge; here they are put down, found and taken away, each change in one statement, so that two
//! programs cannot both spend what serves once.

use crate::database::{Row, query};
use crate::meta::{Meta, MetaError, run};

/// A session that began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRecord {
    /// The digest of its word.
    pub digest: String,
    /// Whose it is.
    pub user: String,
    /// How the person came in.
    pub method: String,
    /// When it began.
    pub began: i64,
    /// When it was used last, to half a minute.
    pub used: i64,
    /// The chosen project; empty where none is.
    pub project: String,
}

/// An API token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    /// Its id, which is no secret.
    pub id: String,
    /// The digest of its word.
    pub digest: String,
    /// Whose it is.
    pub user: String,
    /// What it is for.
    pub name: String,
    /// The project that it serves.
    pub project: String,
    /// When it was made.
    pub made: i64,
    /// From when on it no longer serves.
    pub ends: i64,
    /// Whether it was revoked.
    pub is_revoked: bool,
}

/// A word that serves once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationRecord {
    /// The digest of the word.
    pub digest: String,
    /// For whom it is.
    pub user: String,
    /// What it is for.
    pub purpose: String,
    /// From when on it no longer serves.
    pub ends: i64,
    /// What is held for its use, sealed by the guard; empty where nothing is.
    pub held: String,
}

impl Meta {
    /// Puts a session down.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn begin_session(&self, session: &SessionRecord) -> Result<(), MetaError> {
        run("begin a session", async {
            let text = "insert into session (digest, account, method, began, used, project)
                values (?1, ?2, ?3, ?4, ?5, ?6)";
            query(text)
                .bind(&session.digest)
                .bind(&session.user)
                .bind(&session.method)
                .bind(session.began)
                .bind(session.used)
                .bind(&session.project)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// The session with this digest.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn session(&self, digest: &str) -> Result<Option<SessionRecord>, MetaError> {
        run("look for a session", async {
            let row = query("select * from session where digest = ?1")
                .bind(digest)
                .fetch_optional(&self.pool)
                .await?;
            row.as_ref().map(session).transpose()
        })
    }

    /// The sessions of a user, the one that was used last first.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn sessions_of(&self, user: &str) -> Result<Vec<SessionRecord>, MetaError> {
        run("list sessions", async {
            let rows = query("select * from session where account = ?1 order by used desc, digest")
                .bind(user)
                .fetch_all(&self.pool)
                .await?;
            rows.iter().map(session).collect()
        })
    }

    /// Notes that a session was used.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn use_session(&self, digest: &str, at: i64) -> Result<(), MetaError> {
        run("note that a session was used", async {
            query("update session set used = ?2 where digest = ?1")
                .bind(digest)
                .bind(at)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// Takes a project for a session.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn choose_project(&self, digest: &str, project: &str) -> Result<(), MetaError> {
        run("choose a project", async {
            query("update session set project = ?2 where digest = ?1")
                .bind(digest)
                .bind(project)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// Ends a session.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn end_session(&self, digest: &str) -> Result<(), MetaError> {
        run("end a session", async {
            query("delete from session where digest = ?1").bind(digest).execute(&self.pool).await
        })
        .map(drop)
    }

    /// Ends every session of a user; gives their number.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn end_sessions_of(&self, user: &str) -> Result<u64, MetaError> {
        run("end sessions", async {
            let done = query("delete from session where account = ?1").bind(user).execute(&self.pool).await?;
            Ok(done.rows_affected())
        })
    }

    /// Sweeps away sessions that began, or were used last, before these times, and one-time words that have ended.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn sweep_sessions(&self, began: i64, used: i64, now: i64) -> Result<(), MetaError> {
        run("sweep sessions", async {
            query("delete from session where began <= ?1 or used <= ?2")
                .bind(began)
                .bind(used)
                .execute(&self.pool)
                .await?;
            query("delete from invitation where ends <= ?1").bind(now).execute(&self.pool).await
        })
        .map(drop)
    }

    /// Puts an API token down.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn add_token(&self, token: &TokenRecord) -> Result<(), MetaError> {
        run("issue a token", async {
            let text = "insert into api_token (id, digest, account, name, project, made, ends, revoked)
                values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            query(text)
                .bind(&token.id)
                .bind(&token.digest)
                .bind(&token.user)
                .bind(&token.name)
                .bind(&token.project)
                .bind(token.made)
                .bind(token.ends)
                .bind(i64::from(token.is_revoked))
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// The token with this digest.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn token(&self, digest: &str) -> Result<Option<TokenRecord>, MetaError> {
        run("look for a token", async {
            let row = query("select * from api_token where digest = ?1")
                .bind(digest)
                .fetch_optional(&self.pool)
                .await?;
            row.as_ref().map(token).transpose()
        })
    }

    /// Every token, the newest first; of one user where one is named.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn tokens(&self, user: Option<&str>) -> Result<Vec<TokenRecord>, MetaError> {
        run("list tokens", async {
            let rows = query("select * from api_token order by made desc, id").fetch_all(&self.pool).await?;
            let mut tokens = rows.iter().map(token).collect::<Result<Vec<_>, _>>()?;
            tokens.retain(|token| user.is_none_or(|user| token.user == user));
            Ok(tokens)
        })
    }

    /// Makes a token useless; says whether there was one of this id that still served.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn revoke_token(&self, id: &str) -> Result<bool, MetaError> {
        run("revoke a token", async {
            let done = query("update api_token set revoked = 1 where id = ?1 and revoked = 0")
                .bind(id)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// Makes every token of a project useless; gives their number.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn revoke_tokens_of_project(&self, project: &str) -> Result<u64, MetaError> {
        run("revoke a project's tokens", async {
            let done = query("update api_token set revoked = 1 where project = ?1 and revoked = 0")
                .bind(project)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected())
        })
    }

    /// Puts a one-time word down.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn invite(&self, invitation: &InvitationRecord) -> Result<(), MetaError> {
        run("write an invitation", async {
            let text =
                "insert into invitation (digest, account, purpose, ends, held) values (?1, ?2, ?3, ?4, ?5)";
            query(text)
                .bind(&invitation.digest)
                .bind(&invitation.user)
                .bind(&invitation.purpose)
                .bind(invitation.ends)
                .bind(&invitation.held)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// The invitation with this digest.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn invitation(&self, digest: &str) -> Result<Option<InvitationRecord>, MetaError> {
        run("look for an invitation", async {
            let row = query("select * from invitation where digest = ?1")
                .bind(digest)
                .fetch_optional(&self.pool)
                .await?;
            row.as_ref().map(invitation).transpose()
        })
    }

    /// Holds something for the use of an invitation.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn hold(&self, digest: &str, held: &str) -> Result<(), MetaError> {
        run("hold something for an invitation", async {
            query("update invitation set held = ?2 where digest = ?1")
                .bind(digest)
                .bind(held)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// Takes back the one-time words of a user.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn uninvite(&self, user: &str) -> Result<(), MetaError> {
        run("take invitations back", async {
            query("delete from invitation where account = ?1").bind(user).execute(&self.pool).await
        })
        .map(drop)
    }

    /// Spends a one-time word; says whether this call did.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn spend_invitation(&self, digest: &str) -> Result<bool, MetaError> {
        run("spend an invitation", async {
            let done =
                query("delete from invitation where digest = ?1").bind(digest).execute(&self.pool).await?;
            Ok(done.rows_affected() == 1)
        })
    }
}

fn session(row: &Row) -> Result<SessionRecord, sqlx::Error> {
    Ok(SessionRecord {
        digest: row.try_get("digest")?,
        user: row.try_get("account")?,
        method: row.try_get("method")?,
        began: row.try_get("began")?,
        used: row.try_get("used")?,
        project: row.try_get("project")?,
    })
}

fn token(row: &Row) -> Result<TokenRecord, sqlx::Error> {
    Ok(TokenRecord {
        id: row.try_get("id")?,
        digest: row.try_get("digest")?,
        user: row.try_get("account")?,
        name: row.try_get("name")?,
        project: row.try_get("project")?,
        made: row.try_get("made")?,
        ends: row.try_get("ends")?,
        is_revoked: row.try_get::<i64>("revoked")? != 0,
    })
}

fn invitation(row: &Row) -> Result<InvitationRecord, sqlx::Error> {
    Ok(InvitationRecord {
        digest: row.try_get("digest")?,
        user: row.try_get("account")?,
        purpose: row.try_get("purpose")?,
        ends: row.try_get("ends")?,
        held: row.try_get("held")?,
    })
}

#[cfg(test)]
mod tests {
    use super::{InvitationRecord, SessionRecord, TokenRecord};
    use crate::stores::everywhere;

    fn session(digest: &str, user: &str, at: i64) -> SessionRecord {
        let text = str::to_owned;
        SessionRecord {
            digest: text(digest),
            user: text(user),
            method: text("link"),
            began: at,
            used: at,
            project: String::new(),
        }
    }

    #[test]
    fn a_session_is_found_used_and_ended() {
        everywhere(|meta| {
            for (digest, user, at) in [("a", "one", 10), ("b", "one", 20), ("c", "two", 30)] {
                meta.begin_session(&session(digest, user, at)).unwrap();
            }
            assert!(meta.begin_session(&session("a", "two", 40)).is_err(), "a digest is somebody's");
            meta.use_session("a", 25).unwrap();
            meta.choose_project("a", "p").unwrap();
            let found = meta.sessions_of("one").unwrap();
            assert_eq!(found.iter().map(|found| found.digest.as_str()).collect::<Vec<_>>(), ["a", "b"]);
            assert_eq!((found[0].used, found[0].project.as_str()), (25, "p"));
            meta.sweep_sessions(0, 20, 0).unwrap();
            assert_eq!(meta.session("b").unwrap(), None);
            assert_eq!(meta.end_sessions_of("one").unwrap(), 1);
            meta.end_session("c").unwrap();
            assert_eq!(meta.session("c").unwrap(), None);
        });
    }

    #[test]
    fn a_token_is_listed_and_revoked_once() {
        everywhere(|meta| {
            let text = str::to_owned;
            let token = |id: &str, project: &str| TokenRecord {
                id: text(id),
                digest: format!("digest of {id}"),
                user: text("one"),
                name: text("notebook"),
                project: text(project),
                made: 1,
                ends: 2,
                is_revoked: false,
            };
            for (id, project) in [("t1", "p"), ("t2", "p"), ("t3", "q")] {
                meta.add_token(&token(id, project)).unwrap();
            }
            assert_eq!(meta.token("digest of t1").unwrap(), Some(token("t1", "p")));
            assert!(meta.revoke_token("t1").unwrap() && !meta.revoke_token("t1").unwrap());
            assert_eq!(meta.revoke_tokens_of_project("p").unwrap(), 1);
            let revoked: Vec<bool> =
                meta.tokens(Some("one")).unwrap().iter().map(|token| token.is_revoked).collect();
            assert_eq!(revoked, [true, true, false]);
            assert!(meta.tokens(Some("two")).unwrap().is_empty());
        });
    }

    #[test]
    fn a_word_that_serves_once_serves_once() {
        everywhere(|meta| {
            let text = str::to_owned;
            let one = InvitationRecord {
                digest: text("d"),
                user: text("u"),
                purpose: text("link"),
                ends: 9,
                held: String::new(),
            };
            meta.invite(&one).unwrap();
            assert_eq!(meta.invitation("d").unwrap(), Some(one));
            assert!(meta.spend_invitation("d").unwrap() && !meta.spend_invitation("d").unwrap());
            assert_eq!(meta.invitation("d").unwrap(), None);
        });
    }
}
