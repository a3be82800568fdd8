//! How long vetting takes over both corpora, as a table for `benches/README.md`. Nothing is asserted: a machine may be
//! busy.
//!
//! `cargo run --release -p engine-vet --example vetting [ROUNDS]`, from the root of the tree. Every round asks every
//! text once, after one round that is not measured. `refusals/workspace.txt` is left out: what is refused there depends
//! on the statements before it.

use std::collections::BTreeSet;
use std::error::Error;
use std::hint::black_box;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use catalog_model::{Catalogue, CodeList, Grant, Period, SnapshotId, Table, Thresholds, Tier, Workspace};
use datafusion_sql::parser::DFParser;
use engine_vet::{Scope, is_planned, vet_in};

type Failure = Box<dyn Error>;

const ROUNDS: usize = 50;
/// How deep a text is nested.
const DEPTH: usize = 11;

fn main() -> Result<(), Failure> {
    let rounds = std::env::args().nth(1).map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let catalogue = Catalogue::builtin().map_err(|faults| format!("{faults:?}"))?;
    let grant = grant(&catalogue)?;
    let scope = Scope { catalogue: &catalogue, grant: &grant };
    let (mut accepted, lists) = accepted()?;
    accepted.extend(nested());
    let vetted = |sql: &str| vet_in(sql, scope, &lists).is_ok();
    let refused: Vec<String> = refused()?.into_iter().filter(|sql| !vetted(sql)).collect();
    if let Some(sql) = accepted.iter().find(|sql| !vetted(sql)) {
        return Err(format!("not vetted: {sql}").into());
    }
    let plan = |sql: &str| is_planned(sql, scope, &lists);
    let parse = |sql: &str| DFParser::parse_sql(sql).is_ok();
    let asked = Times::of(&accepted, rounds, (&plan, &vetted));
    let denied = Times::of(&refused, rounds, (&parse, &vetted));
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "| {build}, {rounds} rounds | texts | median | p99 | slowest |\n| --- | --- | --- | --- | --- |"
    )?;
    for (what, texts, times) in [
        ("DataFusion alone: parse and plan", &accepted, asked.alone),
        ("vetting", &accepted, asked.ours),
        ("vetting beyond that", &accepted, asked.beyond),
        ("DataFusion alone: parse what is refused", &refused, denied.alone),
        ("refusing", &refused, denied.ours),
        ("refusing beyond that", &refused, denied.beyond),
    ] {
        writeln!(out, "| {what} | {} | {} |", texts.len(), figures(times))?;
    }
    writeln!(out, "\nslowest to vet:\n{}\n\nslowest to refuse:\n{}", asked.slowest, denied.slowest)?;
    Ok(())
}

/// What was measured over a corpus.
#[derive(Default)]
struct Times {
    alone: Vec<Duration>,
    ours: Vec<Duration>,
    /// Ours less the other, text by text.
    beyond: Vec<Duration>,
    /// The text that took longest of all.
    slowest: String,
}

/// Something that is done with a text.
type Act<'a> = &'a dyn Fn(&str) -> bool;

impl Times {
    fn of(texts: &[String], rounds: usize, (alone, ours): (Act<'_>, Act<'_>)) -> Self {
        let mut times = Self::default();
        for round in 0..=rounds {
            for text in texts {
                let (alone, ours) = (time(alone, text), time(ours, text));
                if round > 0 {
                    times.add(text, alone, ours);
                }
            }
        }
        times
    }

    fn add(&mut self, text: &str, alone: Duration, ours: Duration) {
        if self.ours.iter().all(|known| *known < ours) {
            text.clone_into(&mut self.slowest);
        }
        self.alone.push(alone);
        self.ours.push(ours);
        self.beyond.push(ours.saturating_sub(alone));
    }
}

fn time(act: Act<'_>, text: &str) -> Duration {
    let begin = Instant::now();
    black_box(act(black_box(text)));
    begin.elapsed()
}

/// Median, ninety-ninth percentile and slowest, as cells of a table.
fn figures(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    let at = |place: usize| times.get(place).map_or_else(String::new, |time| format!("{time:.2?}"));
    [at(last / 2), at(last * 99 / 100), at(last)].join(" | ")
}

/// The accepted queries and the lists of codes that they name.
fn accepted() -> Result<(Vec<String>, Workspace), Failure> {
    let (mut queries, mut lists) = (Vec::new(), Workspace::default());
    for text in texts("tests/queries", "slt")? {
        for line in text.lines().filter_map(|line| line.strip_prefix("# list ")) {
            let mut words = line.split(' ').map(str::to_owned);
            if let (Some(name), Some(system)) = (words.next(), words.next()) {
                lists.lists.insert(name, CodeList { system, codes: words.collect() });
            }
        }
        queries.extend(text.split("\n\n").filter_map(|block| {
            let lines: Vec<&str> = block.trim().lines().filter(|line| !line.starts_with('#')).collect();
            let (first, sql) = lines.split_first()?;
            (*first == "query").then(|| sql.join("\n"))
        }));
    }
    Ok((queries, lists))
}

/// Texts that are as deep as the parser takes them: none may take long.
fn nested() -> [String; 3] {
    let within = |innermost: &str, around: &dyn Fn(String) -> String| {
        (0..DEPTH).fold(innermost.to_owned(), |inner, _| around(inner))
    };
    let calls = within("sex", &|inner| format!("coalesce({inner}, '1')"));
    let cases =
        within("sex", &|inner| format!("CASE {inner} WHEN '1' THEN '2' WHEN '2' THEN '1' ELSE '3' END"));
    let age = "age(birth_date, DATE '2024-04-01')";
    let ages = within("1", &|inner| format!("CASE WHEN {age} = {inner} THEN 1 ELSE 2 END"));
    let by = |key: String| format!("SELECT {key} AS k, count(*) AS n FROM person GROUP BY k");
    [by(calls), by(cases), format!("SELECT count(*) AS n FROM person WHERE {ages} = 1")]
}

/// The statements of the refusal corpus, those among them that are let through included.
fn refused() -> Result<Vec<String>, Failure> {
    let mut statements = Vec::new();
    for text in texts("tests/refusals", "txt")? {
        let lines = text.lines().filter(|line| !line.starts_with("--") && !line.starts_with('#'));
        let text = lines.collect::<Vec<_>>().join("\n");
        statements.extend(text.split(";\n").map(|sql| sql.trim().to_owned()).filter(|sql| !sql.is_empty()));
    }
    Ok(statements)
}

/// The files of a folder, in order.
fn texts(folder: &str, extension: &str) -> Result<Vec<String>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{folder}: {error}"))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, Failure>>()?;
    let is_stateful = |path: &Path| path.file_stem().is_some_and(|stem| stem == "workspace");
    paths.retain(|path| path.extension().is_some_and(|found| found == extension) && !is_stateful(path));
    paths.sort();
    paths.iter().map(|path| Ok(std::fs::read_to_string(path)?)).collect()
}

/// A grant of every table over a wide period.
fn grant(catalogue: &Catalogue) -> Result<Grant, Failure> {
    let columns = |table: &Table| -> BTreeSet<String> {
        table.columns.iter().map(|column| column.name.clone()).collect()
    };
    let tables = catalogue.tables.values().map(|table| (table.table.clone(), columns(table)));
    Ok(Grant {
        project: "vetting".to_owned(),
        snapshot: SnapshotId::from_digest(&[0; 32]),
        tier: Tier::Pseudonymized,
        period: Period { from: "2022-04".parse()?, to: "2026-03".parse()? },
        tables: tables.collect(),
        thresholds: Thresholds { persons: 10, zero_shown: true },
    })
}
