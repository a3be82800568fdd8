//! The corpus of accepted queries, each executed over the demo's data and held against an independent oracle.
//!
//! A case in `queries/*.slt` is a title (`# 日本語 — English`), `query` and the SQL, and where DuckDB needs other words
//! for the same question, `oracle` and its SQL. A line `# list NAME SYSTEM CODE…` keeps a list of codes for all cases.
//! Vetting and disclosure run here, the real worker beside, over the stored files with the keys that the guard would
//! give it; the oracle (`oracle/oracle.py`) reads copies of the same files in clear with DuckDB and works out by itself
//! which cells must be hidden. It knows the rules on persons; those on contributors have their own tests in
//! `engine/disclosure`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use arrow::datatypes::DataType;
use catalog_model::{Catalogue, CellRules, Grant, Period, SnapshotId, Thresholds, Tier, Workspace};
use catalog_store::Environment;
use classified::Protected;
use engine_disclosure::{PublicFigures, Setting, Shape};
use engine_protocol::{
    CellValue, ClientReply, ClientRequest, Evidence, Limits, Post, PostColumn, PostExpr, Question,
    WorkerReply, WorkerRequest,
};
use engine_service::WorkerProgram;
use engine_vet::{KeyKind, Scope, VettedPlan, vet_in};
use serde_json::json;

use crate::refusals::keep_list;

pub(crate) const THRESHOLDS: Thresholds = Thresholds { persons: 10, zero_shown: true };

/// The rules on persons alone.
const RULES: CellRules = CellRules { dominance: None, estimate: None, ..CellRules::general(10, true) };

/// How tables are released here: by themselves, under the rules on persons.
pub(crate) const SETTING: Setting<'_> =
    Setting { rules: &RULES, query: "q", snapshot: "s", pack: "r", secret: None, past: None };

/// One query of the corpus.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The chapter: the file's stem.
    pub(crate) file: String,
    pub(crate) title: String,
    pub(crate) sql: String,
    pub(crate) oracle: Option<String>,
}

/// The cases of all files, in order.
pub(crate) fn corpus() -> Vec<Case> {
    files().iter().flat_map(|file| cases(file)).collect()
}

/// The lists of codes that the cases name.
fn lists() -> Workspace {
    let mut workspace = Workspace::default();
    for file in files() {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().for_each(|line| keep_list(line, &mut workspace));
    }
    workspace
}

fn files() -> Vec<PathBuf> {
    let folder = std::env::current_dir().unwrap().join("queries");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn cases(file: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(file).unwrap();
    let stem = file.file_stem().unwrap().to_string_lossy().into_owned();
    let mut cases: Vec<Case> = Vec::new();
    let mut title = String::new();
    for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
        let titles = block.lines().filter(|line| !line.starts_with("# list "));
        for line in titles.filter_map(|line| line.strip_prefix("# ")) {
            title = line.to_owned();
        }
        let body: Vec<&str> = block.lines().filter(|line| !line.starts_with('#')).collect();
        match body.split_first() {
            Some((&"query", sql)) => cases.push(Case {
                file: stem.clone(),
                title: title.clone(),
                sql: sql.join("\n"),
                oracle: None,
            }),
            Some((&"oracle", sql)) => cases.last_mut().unwrap().oracle = Some(sql.join("\n")),
            Some((other, _)) => panic!("{}: {other} is neither query nor oracle", file.display()),
            None => {}
        }
    }
    cases
}

/// A grant of every table over a wide period: nothing is cut away that the oracle would count.
pub(crate) fn grant(catalogue: &Catalogue) -> Grant {
    let tables = catalogue
        .tables
        .values()
        .map(|table| (table.table.clone(), table.columns.iter().map(|column| column.name.clone()).collect()));
    Grant {
        project: "corpus".to_owned(),
        snapshot: SnapshotId::from_digest(&[0; 32]),
        tier: Tier::Pseudonymized,
        period: Period { from: "2022-04".parse().unwrap(), to: "2026-03".parse().unwrap() },
        tables: tables.collect(),
        thresholds: THRESHOLDS,
    }
}

/// An environment's data and catalogue, and what runs queries over them.
pub(crate) struct Bench {
    environment: Environment,
    catalogue: Catalogue,
    grant: Grant,
    lists: Workspace,
    buckets: Vec<BTreeMap<String, Vec<PathBuf>>>,
    worker: WorkerProgram,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) fn open(env: &Path) -> Self {
        let environment = Environment::open(env).unwrap();
        let files = environment.catalogue_files().unwrap();
        let catalogue =
            Catalogue::parse(files.iter().map(|(path, text)| (path.as_str(), text.as_str()))).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let buckets = crate::files::in_clear(&environment, folder.path());
        let grant = grant(&catalogue);
        let (lists, worker) = (lists(), crate::files::worker());
        Self { environment, catalogue, grant, lists, buckets, worker, _folder: folder }
    }

    pub(crate) fn vet(&self, sql: &str) -> VettedPlan {
        let vetted = vet_in(sql, Scope { catalogue: &self.catalogue, grant: &self.grant }, &self.lists);
        vetted.unwrap_or_else(|error| panic!("{error:?}\n{sql}"))
    }

    /// What a worker is asked for a plan.
    fn request(&self, plan: &VettedPlan) -> WorkerRequest {
        let request = crate::files::request(plan, &self.catalogue, &self.grant);
        WorkerRequest { workspace: self.lists.clone(), ..request }
    }

    /// What a worker says to a plan for which it gets the keys of another grant.
    pub(crate) fn reply_with_keys_of(&self, plan: &VettedPlan, grant: &Grant) -> WorkerReply {
        let request = self.request(plan);
        crate::files::stored_reply((&self.worker, &self.environment, &self.catalogue), plan, grant, request)
    }

    /// What a worker says to a plan's text beside this hash.
    pub(crate) fn reply_with_hash(&self, plan: &VettedPlan, hash: &str) -> WorkerReply {
        let mut request = self.request(plan);
        request.plan_hash = hash.to_owned();
        crate::files::stored_reply(
            (&self.worker, &self.environment, &self.catalogue),
            plan,
            &self.grant,
            request,
        )
    }

    /// What a worker says to a plan within these limits.
    pub(crate) fn reply_within(&self, plan: &VettedPlan, limits: Limits) -> WorkerReply {
        let request = self.request(plan);
        let request = WorkerRequest { limits, ..request };
        crate::files::stored_reply(
            (&self.worker, &self.environment, &self.catalogue),
            plan,
            &self.grant,
            request,
        )
    }

    /// What the snapshot says of its files.
    pub(crate) fn manifest(&self) -> catalog_model::SnapshotManifest {
        self.environment.snapshots().unwrap().head().unwrap().unwrap().1
    }

    /// The grant of everything.
    pub(crate) const fn grant(&self) -> &Grant {
        &self.grant
    }

    pub(crate) fn evidence(&self, plan: &VettedPlan) -> Evidence {
        self.evidence_of(plan, u32::MAX)
    }

    /// The evidence where so many rows of a bucket are held as they stand.
    fn evidence_of(&self, plan: &VettedPlan, single: u32) -> Evidence {
        let mut request = self.request(plan);
        request.limits.single = single;
        crate::files::stored_evidence((&self.worker, &self.environment, &self.catalogue), plan, request)
    }

    /// The figures of public tables that a plan is computed with.
    fn public(&self, plan: &VettedPlan) -> PublicFigures {
        if plan.public().is_none() {
            return PublicFigures::default();
        }
        let request = self.request(plan);
        let at = (&self.worker, &self.environment, &self.catalogue);
        let found = crate::files::stored_public(at, plan, request);
        assert!(!found.is_empty(), "no figures\n{}", plan.sql());
        engine_service::public_figures(plan, found).unwrap()
    }

    /// The case with everything that the oracle needs to judge it.
    fn asked(&self, case: &Case) -> serde_json::Value {
        let plan = self.vet(&case.sql);
        let evidence = self.evidence(&plan);
        assert_eq!(evidence, self.evidence_of(&plan, 0), "rows as they stand and grouped rows\n{}", case.sql);
        let shape = Shape { public: self.public(&plan), ..engine_service::shape(&plan) };
        let atoms = Shape { post: atoms(&shape), ..shape.clone() };
        let keys = shape.keys.len();
        // A case that nobody is in would agree with any oracle.
        let is_about_somebody = evidence.cells.iter().flat_map(|cell| &cell.parts).any(|part| part.rows > 0);
        let cells = text(&evidence, &atoms).into_iter().map(|mut row| {
            let values = row.split_off(keys);
            json!({ "keys": row, "values": values })
        });
        json!({
            "name": format!("{}: {}", case.file, case.title),
            "is_about_somebody": is_about_somebody,
            "sql": case.sql,
            "oracle": case.oracle,
            "keys": plan.shape().keys.iter().map(|key| json!({
                "kind": if key.domain.kind == KeyKind::Date { "date" } else { "text" },
                "codes": key.domain.values.iter().map(|value| &value.code).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
            "cells": cells.collect::<Vec<_>>(),
            "rows": text(&evidence, &shape),
        })
    }

    fn tables(&self) -> BTreeMap<&str, Vec<&Path>> {
        let mut tables: BTreeMap<&str, Vec<&Path>> = BTreeMap::new();
        for (table, files) in self.buckets.iter().flatten() {
            tables.entry(table).or_default().extend(files.iter().map(PathBuf::as_path));
        }
        tables
    }
}

impl Bench {
    /// Tables without a file, with their columns, as DuckDB declares them.
    fn empty(&self) -> BTreeMap<&str, serde_json::Map<String, serde_json::Value>> {
        let there = self.tables();
        let tables = self.catalogue.tables.values().filter(|table| !there.contains_key(table.table.as_str()));
        let columns = |table: &catalog_model::Table| {
            let schema = catalog_model::arrow_schema(table);
            let column = |field: &arrow::datatypes::FieldRef| {
                let kind = match field.data_type() {
                    DataType::Utf8 => "VARCHAR",
                    DataType::Date32 => "DATE",
                    DataType::Boolean => "BOOLEAN",
                    DataType::Decimal128(_, _) => "DECIMAL(18, 5)",
                    _ => "BIGINT",
                };
                (format!("\"{}\"", field.name()), json!(kind))
            };
            schema.fields().iter().map(column).collect()
        };
        tables.map(|table| (table.table.as_str(), columns(table))).collect()
    }
}

/// The post-program that shows every key and every aggregate as it is.
fn atoms(shape: &Shape) -> Post {
    let keys = (0..shape.keys.len()).map(PostExpr::Key);
    let aggregates = (0..shape.aggregates.len()).map(PostExpr::Aggregate);
    let column = |value| PostColumn { name: String::new(), value };
    Post { columns: keys.chain(aggregates).map(column).collect(), ..Post::default() }
}

fn text(evidence: &Evidence, shape: &Shape) -> Vec<Vec<String>> {
    let released = engine_disclosure::release(&Protected::new(evidence.clone()), shape, SETTING);
    let released = released.unwrap_or_else(|error| panic!("{error}\n{shape:?}"));
    released.table.get().rows.iter().map(|row| row.iter().map(CellValue::text).collect()).collect()
}

/// Python with DuckDB, as `tests/install` puts it there.
fn python() -> PathBuf {
    let cache = std::env::var_os("MISU_TEST_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/misu-tests");
    let python = cache.unwrap_or_else(home).join("oracle/bin/python");
    assert!(python.is_file(), "{} is not there; run tests/install", python.display());
    python
}

fn differences(document: &serde_json::Value) -> String {
    let script = std::env::current_dir().unwrap().join("oracle/oracle.py");
    let mut child =
        Command::new(python()).arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(document.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_accepted_query_agrees_with_the_oracle() {
    let env = std::env::var_os("MISU_TEST_ENV").map(PathBuf::from);
    let bench = Bench::open(&env.unwrap_or_else(crate::demo::environment));
    let mut cases = corpus();
    assert!(cases.len() >= 120, "{} queries", cases.len());
    // While working on one chapter: MISU_TEST_QUERIES=09 runs that one.
    let chapter = std::env::var("MISU_TEST_QUERIES").unwrap_or_default();
    cases.retain(|case| case.file.starts_with(&chapter));
    let asked: Vec<_> = cases.iter().map(|case| bench.asked(case)).collect();
    let lists: BTreeMap<_, _> = bench.lists.lists.iter().map(|(name, list)| (name, &list.codes)).collect();
    let document = json!({ "threshold": THRESHOLDS.persons, "tables": bench.tables(), "empty": bench.empty(), "lists": lists, "cases": asked });
    let found = differences(&document);
    assert!(found.is_empty(), "{found}");
    let empty = asked.iter().filter(|case| case["is_about_somebody"] == false);
    let empty: Vec<&str> = empty.map(|case| case["name"].as_str().unwrap()).collect();
    assert!(empty.is_empty(), "nobody is in {empty:#?}");
    // A comparison of hidden cells with hidden cells would prove nothing.
    let values = asked.iter().flat_map(|case| case["cells"].as_array().unwrap());
    let values: Vec<&str> = values
        .flat_map(|cell| cell["values"].as_array().unwrap())
        .map(|value| value.as_str().unwrap())
        .collect();
    let shown = values.iter().filter(|value| !matches!(**value, "***" | "" | "0")).count();
    assert!(shown * 10 > values.len(), "{shown} of {} values are shown", values.len());
}

#[test]
fn a_rate_by_a_public_population_is_released() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    crate::journeys::copy(&crate::demo::untouched(), &env);
    let guard = crate::kept::guard(&env);
    let case = corpus().into_iter().find(|case| case.sql.contains("JOIN municipality")).unwrap();
    let text = |text: &str| text.to_owned();
    let question = Question { user: text("demo-researcher"), project: text("demo"), sql: case.sql };
    let reply = guard.answer(&ClientRequest::Query(question));
    let ClientReply::Released(table) = reply else { panic!("{reply:?}") };
    assert!(table.rows.iter().any(|row| matches!(row[2], CellValue::Decimal(_))), "{table:?}");
    for row in &table.rows {
        let is_hidden = |cell: &CellValue| *cell == CellValue::Suppressed;
        assert_eq!(is_hidden(&row[1]), is_hidden(&row[2]), "what is hidden divides into nothing: {row:?}");
    }
}

/// How often the corpus is vetted: a percentile of one round would be its slowest query.
const ROUNDS: usize = 5;

#[test]
fn vetting_is_quick() {
    let catalogue = Catalogue::builtin().unwrap();
    let (grant, lists) = (grant(&catalogue), lists());
    let scope = Scope { catalogue: &catalogue, grant: &grant };
    let cases = corpus();
    let rounds = (0..ROUNDS).flat_map(|_| &cases);
    let mut times: Vec<_> = rounds
        .map(|case| {
            let begin = std::time::Instant::now();
            let vetted = vet_in(&case.sql, scope, &lists);
            let time = begin.elapsed();
            vetted.unwrap_or_else(|error| panic!("{}: {error:?}\n{}", case.title, case.sql));
            time
        })
        .collect();
    times.sort_unstable();
    let (build, last) = (if cfg!(debug_assertions) { "debug" } else { "release" }, times.len() - 1);
    // Printed, not asserted: a busy machine must not fail the build. What is aimed at is measured by
    // `cargo run --release -p engine-vet --example vetting`.
    println!(
        "vetting, {build}, {} queries {ROUNDS} times: median {:?}, p99 {:?}, slowest {:?}",
        cases.len(),
        times[last / 2],
        times[last * 99 / 100],
        times[last]
    );
}
