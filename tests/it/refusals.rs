//! Statements that are refused or denied: the rule, the place and the proposal, without any data.
//!
//! A case in `refusals/*.txt` is a statement ending in `;`, followed by what vetting says on lines that begin with `--`.
//! `UPDATE_EXPECT=1` writes the expectations anew. In `workspace.txt` a statement that keeps something keeps it for those
//! below; a line `# list NAME SYSTEM CODE…` keeps a list of codes. A line `# dimension SYSTEM KIND` says what the codes
//! of a system are as a dimension, where the catalogue has no such column yet. From a line `# table NAME` on the
//! permit covers one more table.

use catalog_model::{
    Catalogue, CodeList, Grant, Period, SnapshotId, Thresholds, Tier, Workspace, WorkspaceView,
};
use engine_protocol::{Verdict, VerdictKind};
use engine_service::{Judging, offline_verdict, offline_verdict_in};
use engine_vet::{Scope, Statement, vet_statement};
use expect_test::expect_file;
use policies::RulePacks;

/// The granted tables, by name: a refusal lists them, and a new table of the catalogue must not change the cases.
const GRANTED: [&str; 23] = [
    "care_certification",
    "care_claim",
    "care_need_interval",
    "care_service",
    "care_total",
    "death",
    "dpc_charge",
    "dpc_insurance_mix",
    "dpc_stay",
    "dpc_stay_item",
    "dpc_stay_receipt",
    "municipality",
    "ndb_admission",
    "ndb_comment",
    "ndb_diagnosis",
    "ndb_drug",
    "ndb_drug_episode",
    "ndb_procedure",
    "ndb_receipt",
    "ndb_run",
    "ndb_service_date",
    "person",
    "population",
];

/// The rule pack that the permit names.
const PACK: &str = "general-2026";

/// A grant of some tables, without one column.
fn grant(catalogue: &Catalogue) -> Grant {
    let granted = catalogue.tables.values().filter(|table| GRANTED.contains(&table.table.as_str()));
    let tables = granted.map(|table| {
        let columns = table.columns.iter().map(|column| column.name.clone());
        (table.table.clone(), columns.filter(|name| name != "copay_amount").collect())
    });
    Grant {
        project: "demo".to_owned(),
        snapshot: SnapshotId::from_digest(&[0; 32]),
        tier: Tier::Pseudonymized,
        period: Period { from: "2023-04".parse().unwrap(), to: "2025-03".parse().unwrap() },
        tables: tables.collect(),
        thresholds: Thresholds { persons: 10, zero_shown: true },
    }
}

/// Keeps what a vetted statement keeps, and drops what it drops.
fn keep(statement: &str, catalogue: &Catalogue, grant: &Grant, workspace: &mut Workspace) {
    match vet_statement(statement, Scope { catalogue, grant }, workspace).unwrap() {
        Statement::Query(_) => {}
        Statement::Table(rows) => {
            let id = format!("{:02}", workspace.tables.len());
            workspace.tables.insert(rows.name().to_owned(), rows.table(id));
        }
        Statement::View(view) => workspace.views.push(WorkspaceView { name: view.name, sql: view.sql }),
        Statement::DropTable(name) => drop(workspace.tables.remove(&name).unwrap()),
        Statement::DropView(name) => workspace.views.retain(|view| view.name != name),
    }
}

/// Keeps the list of a line `# list NAME SYSTEM CODE…`.
pub(crate) fn keep_list(line: &str, workspace: &mut Workspace) {
    let Some(list) = line.strip_prefix("# list ") else { return };
    let mut words = list.split(' ').map(str::to_owned);
    let (name, system) = (words.next().unwrap(), words.next().unwrap());
    workspace.lists.insert(name, CodeList { system, codes: words.collect() });
}

/// Makes the codes of a line `# dimension SYSTEM KIND` a dimension.
fn declare(line: &str, catalogue: &mut Catalogue) {
    let Some((system, kind)) = line.strip_prefix("# dimension ").and_then(|of| of.split_once(' ')) else {
        return;
    };
    catalogue.codes.get_mut(system).unwrap().dimension = Some(kind.to_owned());
}

/// Covers the table of a line `# table NAME`.
fn cover(line: &str, catalogue: &Catalogue, grant: &mut Grant) {
    let Some(name) = line.strip_prefix("# table ") else { return };
    let columns = catalogue.tables[name].columns.iter().map(|column| column.name.clone());
    grant.tables.insert(name.to_owned(), columns.collect());
}

fn shown(verdict: &Verdict, sql: &str) -> String {
    let mut text = match verdict.verdict {
        VerdictKind::Vetted if verdict.goes_to_people() => {
            let (rule, columns) = (verdict.rule.as_deref().unwrap(), verdict.columns.join(" "));
            format!("-- vetted: {columns}\n-- people first by {rule}: ")
        }
        VerdictKind::Vetted => format!("-- vetted: {}\n", verdict.columns.join(" ")),
        VerdictKind::Refused => format!("-- refused by {}: ", verdict.rule.as_deref().unwrap()),
        VerdictKind::Denied => format!("-- denied by {}: ", verdict.rule.as_deref().unwrap()),
    };
    if let Some(message) = &verdict.message {
        text.push_str(&format!("{message}\n"));
    }
    if let Some(message) = &verdict.message_ja {
        text.push_str(&format!("-- ja: {message}\n"));
    }
    if let Some((from, to)) = verdict.span {
        text.push_str(&format!("-- at: {}\n", sql.get(from..to).unwrap()));
    }
    if let Some(suggestion) = &verdict.suggestion {
        text.push_str(&format!("-- try: {suggestion}\n"));
    }
    text
}

#[test]
fn forbidden_statements_are_refused_with_rule_place_and_proposal() {
    let catalogue = Catalogue::builtin().unwrap();
    let grant = grant(&catalogue);
    let packs = RulePacks::shipped().unwrap();
    let root = std::env::current_dir().unwrap().join("refusals");
    let mut files: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut statements = 0;
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let mut found = String::new();
        let mut sql = String::new();
        let mut workspace = Workspace::default();
        let (mut catalogue, mut grant) = (catalogue.clone(), grant.clone());
        for line in text.lines().filter(|line| !line.starts_with("--")) {
            if line.starts_with('#') || (line.is_empty() && sql.is_empty()) {
                keep_list(line, &mut workspace);
                declare(line, &mut catalogue);
                cover(line, &catalogue, &mut grant);
                found.push_str(&format!("{line}\n"));
                continue;
            }
            sql.push_str(line);
            if let Some(statement) = sql.strip_suffix(';') {
                let judging = Judging { catalogue: &catalogue, grant: &grant, packs: &packs, pack: PACK };
                let verdict = offline_verdict_in(statement, judging, &workspace);
                let stem = file.file_stem().and_then(|stem| stem.to_str()).unwrap();
                let is_vetted = verdict.verdict == VerdictKind::Vetted;
                let is_allowed = is_vetted && !verdict.goes_to_people();
                if stem != "workspace" && is_allowed != (stem == "allowed") {
                    wrong.push(statement.to_owned());
                }
                check_refusal(&verdict, statement, judging);
                if is_vetted && stem == "workspace" {
                    keep(statement, &catalogue, &grant, &mut workspace);
                }
                found.push_str(&format!("{sql}\n{}", shown(&verdict, statement)));
                sql.clear();
                statements += 1;
            } else {
                sql.push('\n');
            }
        }
        expect_file![&file].assert_eq(&found);
    }
    assert!(wrong.is_empty(), "refused but meant to be allowed, or the other way:\n{}", wrong.join(";\n"));
    assert!(statements >= 300, "{statements} statements");
}

/// A refusal says what is wrong in both languages and what would be allowed; a proposal that is a query passes.
fn check_refusal(verdict: &Verdict, statement: &str, judging: Judging<'_>) {
    if verdict.verdict != VerdictKind::Refused {
        return;
    }
    let is_japanese = |text: &str| text.chars().any(|c| c > '\u{3000}');
    assert!(verdict.message_ja.as_deref().is_some_and(is_japanese), "{statement}");
    let is_plain = verdict.message.as_deref().is_some_and(|text| !text.is_empty() && !is_japanese(text));
    assert!(is_plain || statement.chars().any(|c| c > '\u{3000}'), "{statement}");
    let proposal = verdict.suggestion.as_deref().unwrap_or_default();
    if proposal.starts_with("SELECT ") && !proposal.contains('…') {
        let again = offline_verdict(proposal, judging);
        assert_eq!(again.verdict, VerdictKind::Vetted, "{proposal}\n{again:?}");
    }
}

#[test]
fn a_refusal_of_a_long_query_is_quick() {
    let catalogue = Catalogue::builtin().unwrap();
    let grant = grant(&catalogue);
    let lines: String =
        (0..190).map(|at| format!("  AND p.first_month < DATE '2024-{:02}-01'\n", at % 12 + 1)).collect();
    let sql =
        format!("SELECT p.person_id, count(*) FROM person p WHERE p.sex = '1'\n{lines}GROUP BY p.person_id");
    let packs = RulePacks::shipped().unwrap();
    let judging = Judging { catalogue: &catalogue, grant: &grant, packs: &packs, pack: PACK };
    let mut times: Vec<_> = (0..20)
        .map(|_| {
            let begin = std::time::Instant::now();
            let verdict = offline_verdict(&sql, judging);
            let time = begin.elapsed();
            assert_eq!((verdict.verdict, verdict.rule.as_deref()), (VerdictKind::Refused, Some("identity")));
            time
        })
        .collect();
    times.sort_unstable();
    // Printed, not asserted: a busy machine must not fail the build.
    println!("refusal of {} lines: median {:?}, slowest {:?}", sql.lines().count(), times[10], times[19]);
}
