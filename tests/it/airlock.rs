//! The airlock behind the socket: what reviewers see inside, what a quota and a budget of denied answers do.

use std::path::{Path, PathBuf};

use engine_protocol::{
    CaseKind, ClientReply, ClientRequest, EvidencePack, Govern, GovernRequest, Governed, Question,
    VerdictKind,
};
use engine_service::Guard;
use tempfile::TempDir;

use crate::demo::untouched;
use crate::journeys::copy;
use crate::kept::guard;

const SQL: &str = "SELECT prefecture, count(DISTINCT person_id) AS persons, avg(total_points) AS points \
                   FROM ndb_receipt GROUP BY prefecture";

/// An environment of its own, whose permit lets releases go out as `outputs` says.
pub(crate) struct House {
    pub(crate) env: PathBuf,
    pub(crate) guard: Guard,
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
    pub(crate) fn new(outputs: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let env = folder.path().join("env");
        copy(&untouched(), &env);
        let_out(&env, outputs);
        let guard = guard(&env);
        Self { env, guard, _folder: folder }
    }

    pub(crate) fn question(sql: &str) -> Question {
        let text = |text: &str| text.to_owned();
        Question { user: text("demo-researcher"), project: text("demo"), sql: text(sql) }
    }

    pub(crate) fn query(&self, sql: &str) -> ClientReply {
        self.guard.answer(&ClientRequest::Query(Self::question(sql)))
    }

    pub(crate) fn govern(&self, user: &str, what: Govern) -> Governed {
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
    let EvidencePack { sql, cells, table, trace, beyond, .. } = *pack;
    assert!(beyond.is_some_and(engine_protocol::Beyond::is_nothing), "nothing was released before");
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

/// Four dimensions of a table of the care database, where its guideline has three "in principle".
const FOUR: &str = "SELECT p.sex, c.care_level, c.service_month, c.form, count(DISTINCT c.person_id) AS persons \
                    FROM care_claim c JOIN person p ON p.person_id = c.person_id \
                    GROUP BY p.sex, c.care_level, c.service_month, c.form";

#[test]
fn a_table_that_breaks_a_rule_in_principle_is_protected_and_goes_to_people() {
    let house = House::new("");
    let refused = house.recorded("query-refused");
    let question = ClientRequest::Vet(House::question(FOUR));
    let ClientReply::Verdict(verdict) = house.guard.answer(&question) else { panic!("no verdict") };
    assert!(verdict.goes_to_people(), "{verdict:?}");
    assert_eq!(verdict.rule.as_deref(), Some("dimensions"));
    // Asked again it finds the same case; nobody can ask their way around it.
    let ClientReply::Governed(Governed::Held { output }) = house.query(FOUR) else { panic!("not held") };
    let again = house.query(FOUR);
    assert_eq!(again, ClientReply::Governed(Governed::Held { output: output.clone() }));
    let shuffled = FOUR.replace("GROUP BY p.sex, c.care_level", "GROUP BY c.care_level, p.sex");
    assert!(matches!(house.query(&shuffled), ClientReply::Governed(Governed::Held { .. })));
    // Being held is no denied answer: the question alone says it.
    assert_eq!(house.recorded("query-refused"), refused);

    let evidence = Govern::Evidence { id: output.clone() };
    let Governed::Evidence(pack) = house.govern("demo-reviewer", evidence) else { panic!("no pack") };
    let broken = pack.broken.as_ref().unwrap();
    assert_eq!(broken.rule, "dimensions");
    assert!(broken.says.en.starts_with("in principle") && broken.says.ja.starts_with("原則"), "{broken:?}");
    // The arithmetic stands: what is shown has ten persons behind it, and people see what is hidden as hidden.
    assert!(pack.table.suppressed > 0);
    assert!(pack.cells.iter().all(|cell| cell.is_hidden || cell.persons == 0 || cell.persons >= 10));
    let log = std::fs::read_to_string(house.env.join("audit/log.jsonl")).unwrap();
    let is_hold = |line: &&str| line.contains("\"kind\":\"output-moved\"") && line.contains(&output);
    assert!(log.lines().find(is_hold).unwrap().contains("\"rule\":\"dimensions\""));
    let what = Govern::Case { kind: CaseKind::Output, id: output };
    let Governed::Case(case) = house.govern("demo-reviewer", what) else { panic!("no case") };
    assert!(case.facts.iter().any(|fact| fact.text.starts_with("dimensions\n")), "{:?}", case.facts);
}

#[test]
fn a_permit_whose_pack_has_no_exception_refuses_what_others_hold() {
    let house = House::new("");
    let permit = house.env.join("policies/demo.toml");
    let text = std::fs::read_to_string(&permit).unwrap();
    std::fs::write(&permit, text.replace("rules = \"general-2026\"", "rules = \"care-2023\"")).unwrap();
    let ClientReply::Verdict(verdict) = house.query(FOUR) else { panic!("not refused") };
    assert_eq!((verdict.verdict, verdict.rule.as_deref()), (VerdictKind::Refused, Some("dimensions")));
}

#[test]
fn a_permit_that_names_it_hides_a_cell_with_everybody_of_its_line() {
    let men =
        "SELECT sex, count(DISTINCT person_id) AS persons FROM person WHERE sex = '1' GROUP BY ROLLUP (sex)";
    let hidden = |pack: &str| {
        let house = House::new("");
        let permit = house.env.join("policies/demo.toml");
        let text = std::fs::read_to_string(&permit).unwrap();
        std::fs::write(&permit, text.replace("rules = \"general-2026\"", &format!("rules = {pack:?}")))
            .unwrap();
        let ClientReply::Released(table) = house.query(men) else { panic!("not released") };
        let log = std::fs::read_to_string(house.env.join("audit/log.jsonl")).unwrap();
        (table.suppressed > 0, log.contains("class-disclosure 1"))
    };
    assert_eq!(hidden("general-2026"), (false, false));
    assert_eq!(hidden("general-2026-class"), (true, true));
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
fn questions_that_differ_in_a_value_alone_alert_the_steward_once() {
    let house = House::new("alike_a_day = 3");
    // Withheld or not is another matter.
    let ask = |sql: &str| {
        assert!(matches!(house.query(sql), ClientReply::Released(_) | ClientReply::Withheld), "{sql}");
    };
    let of = |prefecture: &str| {
        ask(&format!(
            "SELECT count(DISTINCT person_id) AS n FROM ndb_receipt WHERE prefecture = '{prefecture}'"
        ));
    };
    // Other groups of the same rows, and the same question again, are no probing.
    for group in ["setting", "service_month", "setting"] {
        ask(&format!(
            "SELECT {group}, count(DISTINCT person_id) AS n FROM ndb_receipt WHERE prefecture = '13' GROUP BY {group}"
        ));
    }
    of("13");
    of("13");
    assert_eq!(house.recorded("alike-alert"), 0);
    ["27", "14", "01", "40", "47"].into_iter().for_each(of);
    assert_eq!((house.recorded("alike-alert"), house.recorded("denials-locked")), (1, 0));
    assert_eq!(house.recorded("probing-alert"), 0, "what was denied is told by an alert of its own");
    let Governed::Cases { cases } = house.govern("demo-officer", Govern::Inbox) else { panic!("no list") };
    assert!(cases.iter().any(|case| case.kind == CaseKind::Incident && case.people == ["guard"]));
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
