//! The release ledger under load: how long a check takes, what it keeps in memory, and whether it misses anything.
//!
//! `cargo run --release -p engine-disclosure --example ledger -- 100000 10000000` keeps 100,000 released cohorts over
//! ten million persons, in tables as questions have them: one population of a random share, split by random
//! properties. For 1,000 of them a neighbour is planted, from which one to nine persons were taken away, to which they
//! were added, or with which they were swapped; each must be found. The figures of a run stand in `benches/README.md`.

#![expect(clippy::print_stdout, reason = "a run prints its figures")]

use std::time::{Duration, Instant};

use engine_disclosure::{Cohort, Form, Ledger, LedgerEntry, Term};
use roaring::RoaringBitmap;

use dice::Dice;

#[path = "../tests/dice/mod.rs"]
mod dice;

/// Cells of one released table.
const CELLS: u32 = 20;
const FEW: u32 = 10;
const PLANTED: usize = 1_000;

fn below(dice: &mut Dice, most: u32) -> u32 {
    u32::try_from(dice.below(u64::from(most.max(1)))).unwrap_or(0)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |usual: u32| arguments.next().map_or(Ok(usual), |text| text.parse());
    let (cohorts, persons) = (number(100_000)?, number(10_000_000)?);
    let mut dice = Dice(7);
    let (mut ledger, mut some) = (Ledger::default(), Vec::new());
    let begun = Instant::now();
    for table in 0..cohorts / CELLS {
        let cells = cells(&mut dice, persons);
        if table % (cohorts / CELLS / 300).max(1) == 0 {
            some.extend(cells.iter().filter(|cell| cell.len() >= u64::from(2 * FEW)).take(4).cloned());
        }
        ledger.keep(entry(table, cells));
    }
    println!("{} cohorts over {persons} persons, kept in {:.1?}", ledger.cohorts(), begun.elapsed());
    println!("cohorts in memory: {} MB; the process: {} MB", ledger.bytes() >> 20, resident() >> 10);
    let (mut missed, mut times) = (0, Vec::new());
    for (at, members) in some.iter().take(PLANTED).enumerate() {
        let planted = neighbour(&mut dice, members, at, persons);
        let begun = Instant::now();
        missed += usize::from(!ledger.is_near(&planted, FEW));
        times.push(begun.elapsed());
    }
    println!("planted {}: missed {missed}, {}", times.len(), spread(times));
    let mut times = Vec::new();
    let mut near = 0;
    for _ in 0..50 {
        for persons in cells(&mut dice, persons) {
            let cohort = Cohort { id: "new".to_owned(), persons, is_derived: false, form: None };
            let begun = Instant::now();
            near += usize::from(ledger.is_near(&cohort, FEW));
            times.push(begun.elapsed());
        }
    }
    println!("new {}: near one by chance {near}, {}", times.len(), spread(times));
    combined(&mut dice, &ledger, (cohorts, persons));
    Ok(())
}

/// The linear audit of new tables of ten cells beside what is kept.
fn combined(dice: &mut Dice, ledger: &Ledger, (cohorts, persons): (u32, u32)) {
    let (mut times, mut small) = (Vec::new(), 0);
    for at in 0..40_u32 {
        let cell = |(cell, persons)| {
            let form = Some(form(cohorts + at, cell, at));
            Cohort { id: format!("combined {at} {cell}"), persons, is_derived: false, form }
        };
        let cells: Vec<Cohort> = cells(dice, persons).into_iter().take(10).enumerate().map(cell).collect();
        let begun = Instant::now();
        let found = ledger.gives_small_group(&cells.iter().collect::<Vec<_>>(), &family(at), "s", FEW);
        times.push(begun.elapsed());
        small += usize::from(found);
    }
    println!("tables audited 40: small group {small}, {}", spread(times));
}

/// The cells of a table: some share of everybody, each person in one cell.
fn cells(dice: &mut Dice, persons: u32) -> Vec<RoaringBitmap> {
    // Most questions are about few: a twentieth of a per cent of everybody on average, one in a hundred about a tenth.
    let wanted = match below(dice, 100) {
        0 => persons / 10,
        1..=9 => persons / 200,
        _ => persons / 5_000,
    };
    let mut cells: Vec<Vec<u32>> = vec![Vec::new(); CELLS as usize];
    for _ in 0..wanted.max(200) {
        // The lower of two: cells are of different sizes.
        let cell = below(dice, CELLS).min(below(dice, CELLS)) as usize;
        let person = below(dice, persons);
        if let Some(cell) = cells.get_mut(cell) {
            cell.push(person);
        }
    }
    // Smaller ones are hidden and never kept.
    let cells = cells.into_iter().map(|cell| cell.into_iter().collect::<RoaringBitmap>());
    cells.filter(|cell| cell.len() >= u64::from(FEW)).collect()
}

fn entry(table: u32, cells: Vec<RoaringBitmap>) -> LedgerEntry {
    let cohort = |(at, persons)| {
        let form = Some(form(table, at, table / 10));
        Cohort { id: format!("{table} {at}"), persons, is_derived: false, form }
    };
    LedgerEntry {
        question: table.to_string(),
        project: "p".to_owned(),
        snapshot: "s".to_owned(),
        family: family(table),
        answer: Vec::new(),
        cohorts: cells.into_iter().enumerate().map(cohort).collect(),
    }
}

/// A cell of a table, all of whose rows meet a condition of its own.
fn form(table: u32, cell: usize, source: u32) -> Form {
    let condition = Term::met(&format!("condition {table}"));
    Form::new(&source.to_string(), [condition, Term::values("cell", [cell.to_string().as_str()])])
}

/// Ten tables each are questions of one kind.
fn family(table: u32) -> String {
    (table / 10).to_string()
}

/// A cohort from which few persons were taken, to which few were added, or both.
fn neighbour(dice: &mut Dice, members: &RoaringBitmap, at: usize, persons: u32) -> Cohort {
    let few = 1 + u32::try_from(at % 9).unwrap_or(0);
    let (fewer, more) = match at % 3 {
        0 => (few, 0),
        1 => (0, few),
        _ => (few / 2, few - few / 2),
    };
    let mut planted = members.clone();
    for _ in 0..fewer {
        let size = u32::try_from(planted.len()).unwrap_or(1);
        if let Some(one) = planted.select(below(dice, size)) {
            planted.remove(one);
        }
    }
    for _ in 0..more {
        planted.insert(below(dice, persons));
    }
    Cohort { id: "planted".to_owned(), persons: planted, is_derived: false, form: None }
}

fn spread(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or_default();
    format!(
        "median {:.2?}, p95 {:.2?}, worst {:.2?}",
        at(50),
        at(95),
        times.last().copied().unwrap_or_default()
    )
}

/// Kilobytes of the process, where the system tells.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok()).unwrap_or(0)
}
