//! The lease of an environment: who writes in it, since when, and whether that program still lives.
//!
//! The lock on a file keeps two programs of one machine apart and ends with the process that holds it. The lease in
//! the metadata database says who it is, and keeps programs of two machines apart by a heartbeat. It decides nothing
//! about the work itself: what a dead holder left is taken up by whoever runs next.
//!
//! A holder may only seem dead: a machine that slept wakes in the midst of its work. So every commit of a writer holds
//! its lease against the one that stands, where it can in the same transaction.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::database::{Transaction, query};
use crate::environment::{Environment, EnvironmentError, Lock};
use crate::meta::{LOST, Meta, MetaError, run, signed, unsigned};

/// How often the holder shows that it lives.
const BEAT: Duration = Duration::from_secs(5);
/// A holder on another machine that was silent for so many seconds is taken for dead.
const SILENCE: u64 = 60;

/// Who writes in an environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// What it does: `ingest`, `pipeline monthly` …
    pub what: String,
    /// The machine.
    pub host: String,
    /// The process.
    pub pid: u32,
    /// Since when, as RFC 3339 text.
    pub since: String,
    boot: String,
    started: u64,
    beat: u64,
}

/// The right to write in an environment: the lock and the lease, kept alive until it is dropped.
#[derive(Debug)]
#[must_use = "the environment is free again as soon as the writer is dropped"]
pub struct Writer {
    _lock: Lock,
    meta: Meta,
    token: String,
    is_lost: Arc<AtomicBool>,
    is_over: Arc<AtomicBool>,
    heart: Option<JoinHandle<()>>,
    lease: Lease,
}

/// The lease that a process took of an environment, if it did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lease(Arc<Mutex<Option<String>>>);

impl Lease {
    pub(crate) fn token(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, token: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = token;
    }
}

impl Environment {
    /// Takes the environment for one writer that does `what`; `now` is recorded, `clock` gives seconds of the epoch.
    ///
    /// # Errors
    ///
    /// Another program writes, and the error names it; or the metadata database gave an error.
    pub fn writer(&self, what: &str, now: &str, clock: fn() -> u64) -> Result<Writer, EnvironmentError> {
        let meta = self.meta()?;
        let lock = self.lock().map_err(|error| match (&error, meta.holder()) {
            (EnvironmentError::Busy(_), Ok(Some(holder))) => EnvironmentError::Held(Box::new(holder)),
            _ => error,
        })?;
        let own = Holder::own(what, now, clock());
        let before = meta.holder()?;
        if let Some(holder) = before.as_ref().filter(|holder| !holder.is_dead(&own)) {
            return Err(EnvironmentError::Held(Box::new(holder.clone())));
        }
        let token = own.token();
        if !meta.take_lease(&own, before.as_ref())? {
            return Err(EnvironmentError::Busy(self.root().to_owned()));
        }
        let lease = self.lease();
        lease.put(Some(token.clone()));
        Ok(Writer::start(lock, meta, (token, lease), clock))
    }

    /// Says that what is about to be committed is not committed beside another's work: the lease that this process took
    /// is still the one that stands. Without a writer there is nothing to lose.
    ///
    /// # Errors
    ///
    /// Another program took the environment, or the metadata database gave an error.
    pub fn still_held(&self) -> Result<(), EnvironmentError> {
        match self.lease().token() {
            Some(_) => Ok(self.meta()?.still_held()?),
            None => Ok(()),
        }
    }
}

impl Writer {
    fn start(lock: Lock, meta: Meta, (token, lease): (String, Lease), clock: fn() -> u64) -> Self {
        let (is_lost, is_over) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (lost, over, store, name) =
            (Arc::clone(&is_lost), Arc::clone(&is_over), meta.clone(), token.clone());
        let heart = std::thread::spawn(move || {
            loop {
                std::thread::park_timeout(BEAT);
                if over.load(Ordering::Acquire) {
                    break;
                }
                // A database that is busy for a moment is asked again at the next beat.
                if let Ok(false) = store.beat(&name, clock()) {
                    lost.store(true, Ordering::Release);
                    break;
                }
            }
        });
        Self { _lock: lock, meta, token, is_lost, is_over, heart: Some(heart), lease }
    }

    /// Says whether another machine took the lease because this program was silent for too long.
    pub fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        if let Some(heart) = self.heart.take() {
            heart.thread().unpark();
            let _ = heart.join();
        }
        self.lease.put(None);
        // A lease that stays behind is recognised as a dead process's.
        let _ = self.meta.end_lease(&self.token);
    }
}

impl Holder {
    fn own(what: &str, now: &str, beat: u64) -> Self {
        let pid = std::process::id();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        Self {
            what: what.to_owned(),
            host: read("/proc/sys/kernel/hostname"),
            pid,
            since: now.to_owned(),
            boot: read("/proc/sys/kernel/random/boot_id"),
            started: started(pid).unwrap_or(0),
            beat,
        }
    }

    /// Whether this holder is certainly gone, seen from `other`.
    fn is_dead(&self, other: &Self) -> bool {
        if self.boot == other.boot && !self.boot.is_empty() {
            // The lock, which is ours by now, would be held by a living process of this machine.
            return true;
        }
        self.beat.saturating_add(SILENCE) < other.beat
    }

    fn token(&self) -> String {
        format!("{}/{}/{}", self.boot, self.pid, self.started)
    }
}

/// When a process began, in ticks since the machine did: a number used again is another process.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

impl Meta {
    /// Begins statements that change what the environment holds; where this process took it, they count only as long as
    /// no other did.
    pub(crate) async fn begin(&self) -> Result<Transaction, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        if let Some(token) = &self.lease {
            // Writing the row keeps whoever would take the lease waiting until this ends.
            let held = query("update lease set beat = beat where token = ?").bind(token);
            if held.execute(&mut transaction).await?.rows_affected() != 1 {
                return Err(sqlx::Error::Protocol(LOST.to_owned()));
            }
        }
        Ok(transaction)
    }

    fn still_held(&self) -> Result<(), MetaError> {
        run("look at the lease", async { self.begin().await?.commit().await })
    }

    /// Who holds the lease, dead or alive.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn holder(&self) -> Result<Option<Holder>, MetaError> {
        run("read the lease", async {
            let Some(row) = query("select * from lease").fetch_optional(&self.pool).await? else {
                return Ok(None);
            };
            Ok(Some(Holder {
                what: row.try_get("what")?,
                host: row.try_get("host")?,
                pid: row.try_get("pid")?,
                since: row.try_get("since")?,
                boot: row.try_get("boot")?,
                started: unsigned(row.try_get("started")?),
                beat: unsigned(row.try_get("beat")?),
            }))
        })
    }

    /// Takes the lease if it is still as it was seen.
    fn take_lease(&self, own: &Holder, before: Option<&Holder>) -> Result<bool, MetaError> {
        run("take the lease", async {
            let mut transaction = self.pool.begin().await?;
            if let Some(before) = before {
                query("delete from lease where token = ? and beat = ?")
                    .bind(before.token())
                    .bind(signed(before.beat))
                    .execute(&mut transaction)
                    .await?;
            }
            let taken = query("insert into lease values (1, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing")
                .bind(own.token())
                .bind(&own.what)
                .bind(&own.host)
                .bind(&own.boot)
                .bind(own.pid)
                .bind(signed(own.started))
                .bind(&own.since)
                .bind(signed(own.beat))
                .execute(&mut transaction)
                .await?;
            transaction.commit().await?;
            Ok(taken.rows_affected() == 1)
        })
    }

    fn beat(&self, token: &str, beat: u64) -> Result<bool, MetaError> {
        run("renew the lease", async {
            let renewed = query("update lease set beat = ? where token = ?")
                .bind(signed(beat))
                .bind(token)
                .execute(&self.pool)
                .await?;
            Ok(renewed.rows_affected() == 1)
        })
    }

    fn end_lease(&self, token: &str) -> Result<(), MetaError> {
        run("end the lease", async {
            query("delete from lease where token = ?").bind(token).execute(&self.pool).await
        })
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::Holder;
    use crate::stores::{environments, everywhere};
    use crate::{EnvironmentError, MetaError, Standing, State};

    const NOW: &str = "2026-11-21T00:00:00Z";

    fn elsewhere(beat: u64) -> Holder {
        Holder {
            host: "other".to_owned(),
            boot: "other-boot".to_owned(),
            ..Holder::own("publish", NOW, beat)
        }
    }

    #[test]
    fn a_second_writer_is_told_who_writes_and_since_when() {
        environments(|environment| {
            let held = environment.writer("pipeline monthly", NOW, || 100).unwrap();
            let Err(EnvironmentError::Held(holder)) = environment.writer("ingest", NOW, || 101) else {
                panic!()
            };
            assert_eq!((holder.what.as_str(), holder.since.as_str()), ("pipeline monthly", NOW));
            assert!(EnvironmentError::Held(holder).to_string().contains(&format!("since {NOW}")));
            drop(held);
            let free = environment.writer("ingest", NOW, || 102).unwrap();
            assert!(!free.is_lost());
        });
    }

    #[test]
    fn a_dead_process_of_this_machine_is_taken_over_at_once() {
        environments(|environment| {
            let dead = Holder { pid: 4_000_000_000, started: 1, ..Holder::own("ingest", NOW, 100) };
            assert!(environment.meta().unwrap().take_lease(&dead, None).unwrap());
            drop(environment.writer("link", NOW, || 101).unwrap());
            assert_eq!(environment.meta().unwrap().holder().unwrap(), None);
        });
    }

    #[test]
    fn another_machine_is_taken_over_after_its_heart_stopped() {
        environments(|environment| {
            assert!(environment.meta().unwrap().take_lease(&elsewhere(100), None).unwrap());
            assert!(matches!(environment.writer("link", NOW, || 160), Err(EnvironmentError::Held(_))));
            drop(environment.writer("link", NOW, || 161).unwrap());
        });
    }

    #[test]
    fn a_holder_that_another_took_for_dead_commits_nothing_more() {
        environments(|environment| {
            let writer = environment.writer("publish", NOW, || 100).unwrap();
            let meta = environment.meta().unwrap();
            let run = meta.begin_run("monthly", "x", NOW).unwrap();
            environment.still_held().unwrap();
            // It slept, and another machine found it silent.
            assert!(meta.take_lease(&elsewhere(1_000), meta.holder().unwrap().as_ref()).unwrap());
            assert!(matches!(meta.begin_run("monthly", "x", NOW), Err(MetaError::Lost)));
            assert!(matches!(meta.end_run(run.id, State::Done, "", NOW), Err(MetaError::Lost)));
            assert!(matches!(meta.set_standing("a", &Standing::Held), Err(MetaError::Lost)));
            assert!(matches!(environment.still_held(), Err(EnvironmentError::Meta(MetaError::Lost))));
            let runs = meta.runs().unwrap();
            assert!(runs.len() == 1 && runs[0].state == State::Running);
            drop(writer);
            assert_eq!(meta.holder().unwrap().unwrap().host, "other");
            environment.still_held().unwrap();
        });
    }

    #[test]
    fn of_two_that_saw_the_same_dead_holder_one_takes_the_lease() {
        everywhere(|meta| {
            assert!(meta.take_lease(&elsewhere(1), None).unwrap());
            let seen = meta.holder().unwrap();
            let (one, two) =
                (Holder::own("one", NOW, 100), Holder { pid: 1, ..Holder::own("two", NOW, 100) });
            assert!(meta.take_lease(&one, seen.as_ref()).unwrap());
            assert!(!meta.take_lease(&two, seen.as_ref()).unwrap());
        });
    }
}
