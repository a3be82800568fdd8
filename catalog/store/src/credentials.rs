//! Passwords, second factors and recovery codes, as the metadata database keeps them, and who failed how often.
//!
//! A password is a slow hash, a recovery code a digest, a second factor's secret is sealed by the guard before it
//! comes here. What serves once is spent in one statement, so that of two programs one is told. Times are seconds since 1970.

use crate::database::{Row, Transaction, query};
use crate::meta::{Meta, MetaError, run};

/// The account of a person who signs in here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// The user id.
    pub user: String,
    /// The password's hash with its parameters and salt.
    pub password: String,
    /// The sealed secret of the second factor.
    pub factor: String,
    /// The last step of the second factor that was used; it and earlier ones serve no more.
    pub last_step: i64,
    /// When the password was set.
    pub changed: i64,
    /// Whether the account lets in.
    pub is_active: bool,
}

impl Meta {
    /// Puts an account down in place of one of the same user, with its recovery codes' digests: all or nothing.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_account(&self, account: &AccountRecord, codes: &[String]) -> Result<(), MetaError> {
        run("write an account", async {
            let mut transaction = self.pool.begin().await?;
            let text = "insert into account (account, password, factor, last_step, changed, active)
                values (?1, ?2, ?3, ?4, ?5, ?6)
                on conflict (account) do update set password = excluded.password, factor = excluded.factor,
                  last_step = excluded.last_step, changed = excluded.changed, active = excluded.active";
            query(text)
                .bind(&account.user)
                .bind(&account.password)
                .bind(&account.factor)
                .bind(account.last_step)
                .bind(account.changed)
                .bind(i64::from(account.is_active))
                .execute(&mut transaction)
                .await?;
            replace_codes(&mut transaction, &account.user, codes).await?;
            transaction.commit().await
        })
    }

    /// Takes another password for an account.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_password(&self, user: &str, password: &str, at: i64) -> Result<(), MetaError> {
        run("change a password", async {
            query("update account set password = ?2, changed = ?3 where account = ?1")
                .bind(user)
                .bind(password)
                .bind(at)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }

    /// Puts recovery codes in the place of those that are left: all or nothing.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_recovery_codes(&self, user: &str, codes: &[String]) -> Result<(), MetaError> {
        run("write recovery codes", async {
            let mut transaction = self.pool.begin().await?;
            replace_codes(&mut transaction, user, codes).await?;
            transaction.commit().await
        })
    }

    /// The account of a user.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn account(&self, user: &str) -> Result<Option<AccountRecord>, MetaError> {
        Ok(self.accounts()?.into_iter().find(|account| account.user == user))
    }

    /// Every account, by user id.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn accounts(&self) -> Result<Vec<AccountRecord>, MetaError> {
        run("list accounts", async {
            let rows = query("select * from account order by account").fetch_all(&self.pool).await?;
            rows.iter().map(account).collect()
        })
    }

    /// Spends a step of a second factor; says whether it was later than every one before.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn spend_step(&self, user: &str, step: i64) -> Result<bool, MetaError> {
        run("spend a step of a second factor", async {
            let done = query("update account set last_step = ?2 where account = ?1 and last_step < ?2")
                .bind(user)
                .bind(step)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// Spends a recovery code; says whether it was there.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn spend_recovery_code(&self, user: &str, digest: &str) -> Result<bool, MetaError> {
        run("spend a recovery code", async {
            let done = query("delete from recovery_code where account = ?1 and digest = ?2")
                .bind(user)
                .bind(digest)
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// How many recovery codes a user has left.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn recovery_codes(&self, user: &str) -> Result<u64, MetaError> {
        run("count recovery codes", async {
            let rows = query("select digest from recovery_code where account = ?1")
                .bind(user)
                .fetch_all(&self.pool)
                .await?;
            Ok(rows.len() as u64)
        })
    }

    /// Lets an account in, or no more; says whether there is one.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn set_account_active(&self, user: &str, is_active: bool) -> Result<bool, MetaError> {
        run("change an account", async {
            let done = query("update account set active = ?2 where account = ?1")
                .bind(user)
                .bind(i64::from(is_active))
                .execute(&self.pool)
                .await?;
            Ok(done.rows_affected() == 1)
        })
    }

    /// How often somebody failed to sign in under a name since they last succeeded, and when last.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn failures(&self, name: &str) -> Result<(i64, i64), MetaError> {
        run("look for failed sign-ins", async {
            let row = query("select failures, last from sign_in_failure where name = ?1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await?;
            row.map_or(Ok((0, 0)), |row| Ok((row.try_get("failures")?, row.try_get("last")?)))
        })
    }

    /// Notes one failure more under a name.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn fail(&self, name: &str, at: i64) -> Result<(), MetaError> {
        run("note a failed sign-in", async {
            let text = "insert into sign_in_failure (name, failures, last) values (?1, 1, ?2)
                on conflict (name) do update set failures = sign_in_failure.failures + 1, last = excluded.last";
            query(text).bind(name).bind(at).execute(&self.pool).await
        })
        .map(drop)
    }

    /// Forgets the failures under a name, and those that are older than `before`.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn forget_failures(&self, name: &str, before: i64) -> Result<(), MetaError> {
        run("forget failed sign-ins", async {
            query("delete from sign_in_failure where name = ?1 or last < ?2")
                .bind(name)
                .bind(before)
                .execute(&self.pool)
                .await
        })
        .map(drop)
    }
}

async fn replace_codes(
    transaction: &mut Transaction,
    user: &str,
    codes: &[String],
) -> Result<(), sqlx::Error> {
    query("delete from recovery_code where account = ?1").bind(user).execute(&mut *transaction).await?;
    for code in codes {
        query("insert into recovery_code (account, digest) values (?1, ?2)")
            .bind(user)
            .bind(code)
            .execute(&mut *transaction)
            .await?;
    }
    Ok(())
}

fn account(row: &Row) -> Result<AccountRecord, sqlx::Error> {
    Ok(AccountRecord {
        user: row.try_get("account")?,
        password: row.try_get("password")?,
        factor: row.try_get("factor")?,
        last_step: row.try_get("last_step")?,
        changed: row.try_get("changed")?,
        is_active: row.try_get::<i64>("active")? != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::AccountRecord;
    use crate::stores::everywhere;

    fn account(user: &str) -> AccountRecord {
        AccountRecord {
            user: user.to_owned(),
            password: "hash".to_owned(),
            factor: "sealed".to_owned(),
            last_step: 10,
            changed: 1,
            is_active: true,
        }
    }

    #[test]
    fn what_serves_once_is_spent_once() {
        everywhere(|meta| {
            let codes = ["a".to_owned(), "b".to_owned()];
            meta.set_account(&account("one"), &codes).unwrap();
            meta.set_account(&account("two"), &[]).unwrap();
            assert!(!meta.spend_step("one", 10).unwrap(), "the last one");
            assert!(meta.spend_step("one", 11).unwrap() && !meta.spend_step("one", 11).unwrap());
            assert!(!meta.spend_step("nobody", 12).unwrap());
            assert!(!meta.spend_recovery_code("two", "a").unwrap(), "somebody else's");
            assert!(meta.spend_recovery_code("one", "a").unwrap());
            assert!(!meta.spend_recovery_code("one", "a").unwrap());
            assert_eq!(meta.recovery_codes("one").unwrap(), 1);
            // A new account in the old one's place has its own codes only.
            meta.set_account(&account("one"), &["c".to_owned()]).unwrap();
            assert!(!meta.spend_recovery_code("one", "b").unwrap());
            assert!(meta.set_account_active("one", false).unwrap());
            assert!(!meta.account("one").unwrap().unwrap().is_active);
            assert!(!meta.set_account_active("nobody", false).unwrap());
            assert_eq!(meta.accounts().unwrap().len(), 2);
        });
    }

    #[test]
    fn failures_are_counted_by_name_until_they_are_forgotten() {
        everywhere(|meta| {
            for at in [5, 7] {
                meta.fail("x", at).unwrap();
            }
            meta.fail("y", 2).unwrap();
            assert_eq!(meta.failures("x").unwrap(), (2, 7));
            meta.forget_failures("z", 3).unwrap();
            assert_eq!((meta.failures("y").unwrap(), meta.failures("x").unwrap()), ((0, 0), (2, 7)));
            meta.forget_failures("x", 0).unwrap();
            assert_eq!(meta.failures("x").unwrap(), (0, 0));
        });
    }
}
