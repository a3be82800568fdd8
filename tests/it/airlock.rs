//! The airlock behind the socket: what reviewers see inside, what a quota and a budget of denied answers do.

use std::path::{Path, PathBuf};

use catalog_store::Passphrase;
use engine_protocol::{
    CaseKind, ClientReply, ClientRequest, EvidencePack, Govern, GovernRequest, Governed, Question,
};
use engine_service::{Guard, WorkerProgram};
use tempfile::TempDir;
use time::OffsetDateTime;

use crate::demo::{program, untouched};
use crate::journeys::copy;

const SQL: &str = "SELECT prefecture, count(DISTINCT person_id) AS persons, avg(total_points) AS points \
                   FROM ndb_receipt GROUP BY prefecture";

/// An environment of its own, whose permit lets releases go out as `outputs` says.
struct House {
    env: PathBuf,
    guard: Guard,
    _folder: TempDir,
}

/// Lets releases go out as these lines say.
fn let_out(env: &Path, outputs: &str) {
    let permit = env.join("policies/demo.toml");
    let text = std::fs::read_to_string(&permit).unwrap();
    let text = text.split("\n[outputs]").next().unwrap();
    std::fs::write(&permit, format!("{text}\n[outputs]\n{outputs}\n")).unwrap();
}

impl House {
    fn new(outputs: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = folder.path().join("env");
        copy(&untouched(), &env);
        let_out(&env, outputs);
        let worker = WorkerProgram::beside(&program("misu-guard")).unwrap();
        let guard = Guard::open(&env, worker, OffsetDateTime::now_utc).unwrap();
        let guard = guard.unlocked_by(Passphrase::find(&|_| None).unwrap());
        Self { env, guard, _folder: folder }
    }

    fn query(&self, sql: &str) -> ClientReply {
        let text = |text: &str| text.to_owned();
        let question = Question { user: text("demo-researcher"), project: text("demo"), sql: text(sql) };
        self.guard.answer(&ClientRequest::Query(question))
    }

    fn govern(&self, user: &str, what: Govern) -> Governed {
        let request = GovernRequest { user: user.to_owned(), what };
        match self.guard.answer(&ClientRequest::Govern(request)) {
            ClientReply::Governed(governed) => governed,
            other => panic!("{other:?}"),
        }
    }

    fn recorded(&self, kind: &str) -> usize {
        let text = std::fs::read_to_string(self.env.join("audit/log.jsonl")).unwrap();
        text.matches(&format!("\"kind\":\"{kind}\"")).count()
    }
}

#[test]
fn reviewers_see_what_stands_behind_and_each_look_is_recorded() {
    let house = House::new("reviewed = [\"average\"]");
    let ClientReply::Governed(Governed::Held { output }) = house.query(SQL) else { panic!("not held") };
    let evidence = || Govern::Evidence { id: output.clone() };
    let Governed::Evidence(pack) = house.govern("demo-reviewer", evidence()) else { panic!("no pack") };
    let EvidencePack { sql, cells, table, trace, .. } = *pack;
    assert!(sql.contains("avg(total_points)") && !table.rows.is_empty() && !trace.is_empty());
    // What is hidden from the reader has its figures and its reason here.
    assert!(cells.iter().any(|cell| cell.persons > 0));
    assert!(cells.iter().filter(|cell| cell.is_hidden).all(|cell| cell.why.is_some()));
    assert!(cells.iter().all(|cell| cell.is_hidden || cell.persons == 0 || cell.persons >= 10));
    assert_eq!(house.recorded("evidence-viewed"), 1);

    let Governed::No { rule, .. } = house.govern("demo-researcher", evidence()) else { panic!("shown") };
    assert_eq!(rule, "evidence");
    assert!(matches!(house.govern("nobody", evidence()), Governed::No { .. }));
    assert_eq!(house.recorded("evidence-viewed"), 1);

    // It waits in the reviewer's inbox only once it is handed in; the author's has it from the beginning.
    let inbox = |user| match house.govern(user, Govern::Inbox) {
        Governed::Cases { cases } => cases.iter().filter(|case| case.id == output).count(),
        other => panic!("{other:?}"),
    };
    assert_eq!((inbox("demo-researcher"), inbox("demo-reviewer")), (1, 0));
    // A move that was made of an older look at the case is not made.
    let stale = Govern::Move {
        kind: CaseKind::Output,
        id: output.clone(),
        action: "withdraw".to_owned(),
        fields: engine_protocol::Fields::new(),
        seen: Some(7),
    };
    let Governed::No { rule, .. } = house.govern("demo-researcher", stale) else { panic!("made") };
    assert_eq!(rule, "moved");
}

#[test]
fn a_release_outside_of_the_plan_is_told_of_and_looked_at() {
    let house = House::new(
        "planned = [{ title = \"表1\", columns = [\"ndb_receipt.prefecture\", \"ndb_receipt.total_points\"] }]",
    );
    assert!(matches!(house.query(SQL), ClientReply::Released(_)));
    assert_eq!(house.recorded("outside-plan"), 0);
    let outside = SQL.replace("prefecture", "setting");
    let ClientReply::Released(table) = house.query(&outside) else { panic!("not released") };
    assert!(matches!(house.query(&outside), ClientReply::Released(_)));
    assert_eq!(house.recorded("outside-plan"), 1, "once for one table");
    let inbox = house.govern("demo-reviewer", Govern::Inbox);
    let Governed::Cases { cases } = inbox else { panic!("no list") };
    let case = cases.iter().find(|case| case.id == format!("demo-{}", table.query)).unwrap();
    // It waits from now on, and the page says so.
    let waits = case.waits.as_ref().unwrap();
    assert_eq!((waits.days, waits.target, waits.is_late()), (0, 7, false));
    let what = Govern::Case { kind: CaseKind::Output, id: case.id.clone() };
    let Governed::Case(case) = house.govern("demo-reviewer", what) else { panic!("no case") };
    assert!(case.facts.iter().any(|fact| fact.name.en == "compared with the plan"), "{:?}", case.facts);
}

#[test]
fn a_quota_ends_the_releases_of_a_day() {
    let house = House::new("a_day = 1\ndrawn_one_in = 1");
    // The demo asked questions of its own that day.
    assert_eq!(house.query(SQL), ClientReply::Withheld);
    assert_eq!(house.query(SQL), ClientReply::Withheld);
    assert_eq!(house.recorded("quota-reached"), 1);
    // It was the quota alone: the same question goes out under a wider one.
    let_out(&house.env, "a_day = 1000");
    assert!(matches!(house.query(SQL), ClientReply::Released(_)));
}

#[test]
fn denied_answers_alert_once_and_then_lock_the_project() {
    let house = House::new("");
    let refused = || assert!(matches!(house.query("SELECT person_id FROM person"), ClientReply::Verdict(_)));
    assert!(matches!(house.query(SQL), ClientReply::Released(_)));
    // What the demo and this question have used up already: an answer near an earlier one counts twenty.
    let used = 20 * house.recorded("near-cohort") + house.recorded("query-refused");
    let most = 2 * used + 10;
    let_out(&house.env, &format!("denials_a_day = {most}"));
    (0..4).for_each(|_| refused());
    assert!(matches!(house.query(SQL), ClientReply::Released(_)));
    assert_eq!((house.recorded("probing-alert"), house.recorded("denials-locked")), (0, 0));
    refused();
    for _ in 0..2 {
        assert!(matches!(house.query(SQL), ClientReply::Released(_)));
    }
    assert_eq!((house.recorded("probing-alert"), house.recorded("denials-locked")), (1, 0));
    let Governed::Cases { cases } = house.govern("demo-officer", Govern::Inbox) else { panic!("no list") };
    assert!(cases.iter().any(|case| case.kind == CaseKind::Incident && case.people == ["guard"]));
    (0..used + 5).for_each(|_| refused());
    for _ in 0..2 {
        assert_eq!(house.query(SQL), ClientReply::Withheld);
    }
    assert_eq!((house.recorded("probing-alert"), house.recorded("denials-locked")), (1, 1));
    let resume = Govern::Resume { project: Some("demo".to_owned()), reason: "spoken with".to_owned() };
    assert!(matches!(house.govern("demo-officer", resume), Governed::Halted { .. }));
    assert!(matches!(house.query(SQL), ClientReply::Released(_)));
}
