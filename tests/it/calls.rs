//! Who asks: a guard on its socket, and somebody in the gateway's place who says whatever they like.
//!
//! The guard believes nobody's word about who they are. What passes through a gateway that was taken over (sessions,
//! tokens) can be used there; nothing else can.

use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use engine_protocol::{
    Call, Caller, ClientReply, ClientRequest, IdentityAsk, IdentityReply, Me, Question, SecretWord,
    TokenWish, VerdictKind, read_json, write_json,
};
use tempfile::TempDir;

use crate::demo::{DEMO, program};
use crate::journeys::copy;

const MOST: u32 = 64 << 20;
const SQL: &str = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex";

/// A guard that serves an environment of its own, and a connection to it.
pub(crate) struct House {
    pub(crate) env: PathBuf,
    pub(crate) socket: PathBuf,
    guard: Child,
    connection: UnixStream,
    _folder: TempDir,
}

impl House {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = folder.path().join("env");
        copy(Path::new(&DEMO.env()), &env);
        let socket = folder.path().join("guard.sock");
        let (guard, connection) = serve(&env, &socket);
        Self { env, socket, guard, connection, _folder: folder }
    }

    /// Ends the guard and starts it anew, as after a crash.
    pub(crate) fn restart(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        (self.guard, self.connection) = serve(&self.env, &self.socket);
    }

    pub(crate) fn ask(&mut self, by: Caller, request: ClientRequest) -> ClientReply {
        write_json(&mut self.connection, &Call::new(by, request)).unwrap();
        read_json(&mut self.connection, MOST).unwrap()
    }

    pub(crate) fn identity(&mut self, by: Caller, ask: IdentityAsk) -> ClientReply {
        self.ask(by, ClientRequest::Identity(ask))
    }

    /// Who somebody is; nothing where the guard does not know them.
    pub(crate) fn me(&mut self, by: Caller) -> Option<Me> {
        match self.identity(by, IdentityAsk::Me) {
            ClientReply::Identity(IdentityReply::Me(me)) => Some(me),
            ClientReply::NotKnown => None,
            other => panic!("{other:?}"),
        }
    }

    /// A command of the environment's owner.
    pub(crate) fn misu(&self, arguments: &[&str]) -> Output {
        let env = self.env.display().to_string();
        let output =
            Command::new(program("misu")).args(arguments).args(["--env", &env]).env("LC_ALL", "C").output();
        output.unwrap()
    }

    /// What a command prints.
    pub(crate) fn said(&self, arguments: &[&str]) -> String {
        let output = self.misu(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Signs a person of the demo in.
    pub(crate) fn sign_in(&mut self, user: &str) -> Caller {
        let word = SecretWord::new(self.said(&["account", "link", user]));
        match self.identity(Caller::Nobody, IdentityAsk::Link { word }) {
            ClientReply::Identity(IdentityReply::SignedIn { word, me }) => {
                assert_eq!(me.user, user);
                Caller::Session { word }
            }
            other => panic!("{other:?}"),
        }
    }
}

impl Drop for House {
    fn drop(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

fn serve(env: &Path, socket: &Path) -> (Child, UnixStream) {
    let mut guard = Command::new(program("misu-guard"))
        .args(["serve", "--end-with-parent", "--env"])
        .arg(env)
        .arg("--socket")
        .arg(socket)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(guard.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("listening"), "{line}");
    (guard, UnixStream::connect(socket).unwrap())
}

pub(crate) fn question(user: &str, project: &str) -> Question {
    Question { user: user.to_owned(), project: project.to_owned(), sql: SQL.to_owned() }
}

fn query(user: &str, project: &str) -> ClientRequest {
    ClientRequest::Query(question(user, project))
}

fn last_entry(env: &Path, kind: &str) -> serde_json::Value {
    let log = std::fs::read_to_string(env.join("audit/log.jsonl")).unwrap();
    let entries = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    entries.rev().find(|entry| entry["kind"] == kind).unwrap()
}

#[test]
fn somebody_in_the_gateways_place_can_use_what_passes_through_it_and_nothing_else() {
    let mut house = House::new();
    // Without a session, or with a made-up one, nothing is answered; naming a user does not help.
    let made_up = SecretWord::new("0".repeat(64));
    for by in [
        Caller::Nobody,
        Caller::Owner,
        Caller::Session { word: made_up.clone() },
        Caller::Token { word: made_up },
    ] {
        for request in [
            query("demo-researcher", "demo"),
            ClientRequest::Vet(question("demo-researcher", "demo")),
            ClientRequest::Estimate(question("demo-researcher", "demo")),
            ClientRequest::Identity(IdentityAsk::Tokens),
        ] {
            assert_eq!(house.ask(by.clone(), request), ClientReply::NotKnown, "{by:?}");
        }
    }
    assert!(matches!(house.ask(Caller::Nobody, ClientRequest::Catalogue), ClientReply::Catalogue(_)));
    // With the session of one user, the question is that user's, whomever it names.
    let auditor = house.sign_in("demo-auditor");
    assert_eq!(house.ask(auditor, query("demo-researcher", "demo")), ClientReply::NotKnown);
    let researcher = house.sign_in("demo-researcher");
    let reply = house.ask(researcher.clone(), query("demo-operator", "demo"));
    assert!(matches!(reply, ClientReply::Released(_)), "{reply:?}");
    assert_eq!(last_entry(&house.env, "query-opened")["who"], "demo-researcher");
    assert_eq!(house.ask(researcher, query("demo-researcher", "other")), ClientReply::NotKnown);
}

#[test]
fn a_session_outlives_the_guard_and_ends_everywhere_at_once() {
    let mut house = House::new();
    let word = SecretWord::new(house.said(&["account", "link", "demo-researcher"]));
    let link = || IdentityAsk::Link { word: word.clone() };
    assert!(matches!(
        house.identity(Caller::Nobody, link()),
        ClientReply::Identity(IdentityReply::SignedIn { .. })
    ));
    assert_eq!(
        house.identity(Caller::Nobody, link()),
        ClientReply::Identity(IdentityReply::Refused),
        "it served"
    );
    let (one, two) = (house.sign_in("demo-researcher"), house.sign_in("demo-researcher"));
    house.restart();
    let me = house.me(one.clone()).unwrap();
    assert_eq!((me.project.as_deref(), me.roles.join(" ").as_str()), (Some("demo"), "researcher"));
    house.identity(one.clone(), IdentityAsk::SignOut);
    assert!(house.me(one).is_none() && house.me(two.clone()).is_some());
    house.identity(two.clone(), IdentityAsk::SignOutEverywhere);
    assert!(house.me(two).is_none());
    // No word lies in the environment.
    let database = std::fs::read(house.env.join("meta.sqlite")).unwrap();
    assert!(!database.windows(64).any(|window| window == word.as_str().as_bytes()));
}

#[test]
fn a_token_serves_its_project_until_it_is_revoked() {
    let mut house = House::new();
    let issue = ["token", "issue", "--as", "demo-operator", "demo-researcher", "--project"];
    let by = Caller::Token { word: SecretWord::new(house.said(&[&issue[..], &["demo"]].concat())) };
    assert!(!house.misu(&[&issue[..], &["other"]].concat()).status.success());
    assert!(matches!(house.ask(by.clone(), query("", "demo")), ClientReply::Released(_)));
    assert_eq!(house.ask(by.clone(), query("", "other")), ClientReply::NotKnown);
    // A token asks questions; it makes no other token and ends no session.
    let wish = TokenWish { name: String::new(), project: "demo".to_owned(), days: 1 };
    for ask in [IdentityAsk::IssueToken(wish.clone()), IdentityAsk::Tokens, IdentityAsk::SignOutEverywhere] {
        assert_eq!(house.identity(by.clone(), ask), ClientReply::NotKnown);
    }
    let session = house.sign_in("demo-researcher");
    let ClientReply::Identity(IdentityReply::Tokens { tokens }) =
        house.identity(session.clone(), IdentityAsk::Tokens)
    else {
        panic!("no list");
    };
    assert_eq!(tokens.len(), 1);
    let id = tokens[0].id.clone();
    let stranger = house.sign_in("demo-auditor");
    let revoke = IdentityAsk::RevokeToken { id };
    assert_eq!(
        house.identity(stranger, revoke.clone()),
        ClientReply::Identity(IdentityReply::Refused),
        "not theirs"
    );
    assert_eq!(house.identity(session.clone(), revoke), ClientReply::Identity(IdentityReply::Done));
    assert_eq!(house.ask(by, query("", "demo")), ClientReply::NotKnown);
    let foreign = IdentityAsk::IssueToken(TokenWish { project: "other".to_owned(), ..wish });
    assert_eq!(house.identity(session, foreign), ClientReply::Identity(IdentityReply::Refused));
}

#[test]
fn training_that_ran_out_and_people_who_were_shut_out_are_denied() {
    let mut house = House::new();
    let session = house.sign_in("demo-researcher");
    let set = |house: &House, more: &[&str]| {
        let set = ["people", "set", "--as", "demo-operator", "demo-researcher", "--role", "researcher"];
        house.said(&[&set[..], more].concat());
    };
    set(&house, &["--trained-until", "2020-03-31"]);
    let ClientReply::Verdict(verdict) = house.ask(session.clone(), query("", "demo")) else {
        panic!("answered");
    };
    assert_eq!((verdict.verdict, verdict.rule.as_deref()), (VerdictKind::Denied, Some("training")));
    assert_eq!(last_entry(&house.env, "query-denied")["body"]["rule"], "training");
    assert!(!house.me(session.clone()).unwrap().is_trained);
    // The owner of the environment names the user, and the same rule holds.
    let output = house.misu(&["query", "--user", "demo-researcher", SQL]);
    assert_eq!(output.status.code(), Some(4));
    set(&house, &["--trained-until", "2099-03-31"]);
    assert!(matches!(house.ask(session.clone(), query("", "demo")), ClientReply::Released(_)));
    set(&house, &["--trained-until", "2099-03-31", "--shut-out"]);
    assert_eq!(house.ask(session.clone(), query("", "demo")), ClientReply::NotKnown);
    assert!(house.me(session).is_none());
    assert_eq!(house.misu(&["query", "--user", "demo-researcher", SQL]).status.code(), Some(4));
}
