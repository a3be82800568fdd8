//! Stopping what one asked: by a word, by going away, by a deadline. The worker ends, the record says why, and the next
//! question is answered as if nothing had been.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_store::Passphrase;
use engine_protocol::{
    Call, Caller, ClientReply, ClientRequest, Question, RunName, RunStage, RunningAct, RunningAsk,
    RunningReply, read_json, write_json,
};
use engine_service::{Guard, WorkerProgram, serve_once};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::demo::{program, untouched};
use crate::halting::{NEVER, closed};
use crate::journeys::copy;

const SQL: &str = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex";
const USER: &str = "demo-researcher";

/// A guard whose worker never answers, until [`House::mend`].
struct House {
    env: PathBuf,
    worker: PathBuf,
    guard: Arc<Guard>,
    _folder: TempDir,
}

impl House {
    fn new(turns: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (env, worker) = (folder.path().join("env"), folder.path().join("misu-worker"));
        copy(&untouched(), &env);
        let config = env.join("misu.toml");
        std::fs::write(&config, std::fs::read_to_string(&config).unwrap() + turns).unwrap();
        std::fs::write(&worker, NEVER).unwrap();
        std::fs::set_permissions(&worker, std::fs::Permissions::from_mode(0o755)).unwrap();
        let program = WorkerProgram::beside(&folder.path().join("misu-guard")).unwrap();
        let guard = Guard::open(&env, program, OffsetDateTime::now_utc).unwrap();
        let guard = Arc::new(guard.unlocked_by(Passphrase::find(&|_| None).unwrap()));
        Self { env, worker, guard, _folder: folder }
    }

    /// Puts the real worker in the place of the one that never answers.
    fn mend(&self) {
        std::fs::remove_file(&self.worker).unwrap();
        symlink(program("misu-worker"), &self.worker).unwrap();
    }

    /// A connection of the environment's owner to the guard.
    fn connect(&self) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let guard = Arc::clone(&self.guard);
        std::thread::spawn(move || drop(serve_once(&guard, &theirs, &theirs)));
        ours
    }

    fn about(&self, user: &str, name: &str, act: RunningAct) -> RunningReply {
        let (user, name) = (user.to_owned(), RunName::parse(name).unwrap());
        let ask = RunningAsk { user, project: "demo".to_owned(), name, act };
        match self.guard.answer(&ClientRequest::Running(ask)) {
            ClientReply::Running(reply) => reply,
            other => panic!("{other:?}"),
        }
    }

    /// Workers that never answer and were started.
    fn begun(&self) -> u64 {
        std::fs::metadata(self.worker.with_extension("begun")).map_or(0, |begun| begun.len())
    }

    /// Asks under a word, and comes back when a worker reads. Its process runs by then: one that is started later would
    /// be the real one where the house was mended meanwhile.
    fn ask(&self, sql: &str, name: &str) -> UnixStream {
        let before = self.begun();
        let mut connection = self.connect();
        let name_of = RunName::parse(name).unwrap();
        let call = Call { name: Some(name_of), ..Call::new(Caller::Owner, query(sql)) };
        write_json(&mut connection, &call).unwrap();
        let begun = Instant::now();
        let reads = RunningReply::At { stage: RunStage::Reading };
        while self.about(USER, name, RunningAct::Stage) != reads || self.begun() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "it does not run");
            std::thread::yield_now();
        }
        connection
    }

    /// Waits until a question of this word runs no more.
    fn ended(&self, name: &str) {
        let begun = Instant::now();
        while self.about(USER, name, RunningAct::Stage) != RunningReply::NotRunning {
            assert!(begun.elapsed() < Duration::from_secs(10), "it goes on");
            std::thread::yield_now();
        }
    }

    fn released(&self) {
        let reply = self.guard.answer(&query(SQL));
        assert!(matches!(reply, ClientReply::Released(_)), "{reply:?}");
    }
}

fn query(sql: &str) -> ClientRequest {
    let text = |text: &str| text.to_owned();
    ClientRequest::Query(Question { user: text(USER), project: text("demo"), sql: text(sql) })
}

fn answer(mut connection: UnixStream) -> ClientReply {
    read_json(&mut connection, 1 << 20).unwrap()
}

fn said(outcome: &str, reason: &str) -> (String, String) {
    (outcome.to_owned(), reason.to_owned())
}

/// Folders of kept tables: those that a project's room has.
fn tables(room: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(room) else { return 0 };
    entries.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count()
}

#[test]
fn whoever_asked_stops_a_question_and_nobody_else_does() {
    let house = House::new("\n[turns]\nat_once = 2\n");
    let connection = house.ask(SQL, "mine");
    // A second one, of another word, goes on.
    let other = house.ask(SQL, "other");
    assert_eq!(house.about("demo-auditor", "mine", RunningAct::Cancel), RunningReply::NotRunning);
    assert_eq!(house.about(USER, "nobodys", RunningAct::Cancel), RunningReply::NotRunning);
    assert_eq!(house.about(USER, "mine", RunningAct::Cancel), RunningReply::Stopping);
    let begun = Instant::now();
    assert_eq!(answer(connection), ClientReply::Stopped);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(closed(&house.env), said("stopped", "cancelled"));
    assert_eq!(house.about(USER, "mine", RunningAct::Stage), RunningReply::NotRunning);
    let still = RunningReply::At { stage: RunStage::Reading };
    assert_eq!(house.about(USER, "other", RunningAct::Stage), still);
    house.mend();
    house.released();
    house.about(USER, "other", RunningAct::Cancel);
    assert_eq!(answer(other), ClientReply::Stopped);
}

#[test]
fn an_asker_who_goes_away_stops_what_they_asked() {
    let house = House::new("");
    drop(house.ask(SQL, "mine"));
    house.ended("mine");
    assert_eq!(closed(&house.env), said("stopped", "asker-gone"));
    house.mend();
    house.released();
}

#[test]
fn rows_that_were_to_be_kept_are_not_there_after_a_stop() {
    let house = House::new("");
    let room = house.env.join("workspaces/demo");
    let make = "CREATE TABLE ws.cohort AS SELECT person_id, sex FROM person";
    let connection = house.ask(make, "mine");
    house.about(USER, "mine", RunningAct::Cancel);
    assert_eq!(answer(connection), ClientReply::Stopped);
    assert_eq!(closed(&house.env), said("stopped", "cancelled"));
    assert_eq!(tables(&room), 0);
    house.mend();
    let reply = house.guard.answer(&query(make));
    assert!(matches!(reply, ClientReply::Released(_)), "the name is free: {reply:?}");
    assert_eq!(tables(&room), 1);
}

#[test]
fn a_question_that_waits_for_its_turn_is_stopped_there() {
    let house = House::new("\n[turns]\nat_once = 1\n");
    let first = house.ask(SQL, "first");
    let mut second = house.connect();
    let name = Some(RunName::parse("second").unwrap());
    write_json(&mut second, &Call { name, ..Call::new(Caller::Owner, query(SQL)) }).unwrap();
    let waits = RunningReply::At { stage: RunStage::Waiting };
    let begun = Instant::now();
    while house.about(USER, "second", RunningAct::Stage) != waits {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not wait");
        std::thread::yield_now();
    }
    house.about(USER, "second", RunningAct::Cancel);
    assert_eq!(answer(second), ClientReply::Stopped);
    assert_eq!(closed(&house.env), said("stopped", "cancelled"));
    house.about(USER, "first", RunningAct::Cancel);
    assert_eq!(answer(first), ClientReply::Stopped);
}

#[test]
fn a_question_that_is_late_is_withheld_and_the_next_one_is_answered() {
    let house = House::new("\n[turns]\nshort_seconds = 1\n");
    assert_eq!(answer(house.ask(SQL, "late")), ClientReply::Withheld);
    assert_eq!(closed(&house.env).0, "failed");
    house.mend();
    house.released();
}
