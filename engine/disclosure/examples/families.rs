//! How long it takes to protect a large table with all its totals, in two, three and four dimensions.
//!
//! `cargo run --release -p engine-disclosure --example families` checks tables of about a thousand cells, a tenth of the
//! innermost ones small: reading, hiding, and the interval of every hidden cell, as `misu check-table` does. Widths may
//! be given instead, as `11x8x8`. The figures of a run stand in `benches/README.md`.

#![expect(clippy::print_stdout, reason = "a run prints its figures")]

use std::collections::BTreeMap;
use std::time::Instant;

use catalog_model::{CellRules, OutputRules};
use engine_disclosure::{CheckOptions, Status, check_table};
use serde_json::{Value, json};

const SHAPES: [&str; 3] = ["48x19", "11x8x8", "6x5x5x3"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    let usual = || SHAPES.map(str::to_owned).to_vec();
    for shape in if asked.is_empty() { usual() } else { asked } {
        let widths: Vec<usize> = shape.split('x').map(str::parse).collect::<Result<_, _>>()?;
        let table = table(&widths).to_string();
        let begun = Instant::now();
        let rules = |_: Option<&str>| Some((CellRules::general(10, true), OutputRules::default()));
        let checked = check_table(&table, CheckOptions::default(), rules)?;
        let seconds = begun.elapsed().as_secs_f64();
        let of = |status| checked.cells.iter().filter(|cell| cell.status == status).count();
        let (sensitive, more) = (of(Status::Primary), of(Status::Secondary));
        println!(
            "{shape}: {} cells in {} dimensions, {sensitive} sensitive, {more} hidden besides, {:?}, {seconds:.2} s",
            checked.cells.len(),
            widths.len(),
            checked.verdict,
        );
    }
    Ok(())
}

/// A table of drawn counts with all its totals.
fn table(widths: &[usize]) -> Value {
    let mut counts: BTreeMap<Vec<Option<usize>>, u64> = BTreeMap::new();
    let size = widths.iter().product::<usize>();
    for number in 0..size {
        let mut rest = number;
        let level = |width: &usize| {
            let level = rest % width;
            rest /= width;
            level
        };
        let levels: Vec<usize> = widths.iter().map(level).collect();
        // Each subset of the dimensions is summed over.
        for totals in 0..1_usize << widths.len() {
            let place = |(at, level): (usize, &usize)| (totals >> at & 1 == 0).then_some(*level);
            let place = levels.iter().enumerate().map(place).collect();
            *counts.entry(place).or_default() += count(number);
        }
    }
    let dimension = |(at, width): (usize, &usize)| {
        let levels: Vec<String> = (0..*width).map(|level| level.to_string()).collect();
        json!({"name": format!("d{at}"), "levels": levels})
    };
    let cell = |(place, count): (&Vec<Option<usize>>, &u64)| {
        let levels = place.iter().enumerate().filter_map(|(at, level)| Some((at, (*level)?)));
        let at: BTreeMap<String, String> =
            levels.map(|(at, level)| (format!("d{at}"), level.to_string())).collect();
        json!({"at": at, "count": count})
    };
    let dimensions: Vec<Value> = widths.iter().enumerate().map(dimension).collect();
    json!({"dimensions": dimensions, "cells": counts.iter().map(cell).collect::<Vec<_>>()})
}

/// Between 2 and 98, as if drawn.
fn count(number: usize) -> u64 {
    ((number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) % 97 + 2
}
