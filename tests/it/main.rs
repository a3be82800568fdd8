//! The house's own rules, and the whole of it at work: data files in the folders beside this one, run here.
#![cfg(test)]

mod accounts;
mod airlock;
mod analyses;
mod anonymized;
mod api;
mod attacks;
mod board;
mod browser;
mod calls;
mod crashing;
mod demo;
#[path = "../../engine/disclosure/tests/dice/mod.rs"]
mod dice;
mod doors;
mod dummy;
mod edges;
mod ending;
mod erased;
mod extremes;
mod figures;
mod files;
mod flight;
mod halting;
mod interop;
mod journeys;
mod jupyter;
mod kept;
mod kinds;
mod manual;
mod pairs;
mod people;
mod portal;
mod provided;
mod provider;
mod queries;
mod questions;
mod refusals;
mod roles;
mod stopping;
mod templates;
#[path = "../../engine/disclosure/tests/thresholds/mod.rs"]
mod thresholds;
mod tidy;
mod tls;
mod units;
mod verdicts;
mod workers;

/// The tree's root. A test runs in its package's folder; a path noted at build time may be another clone's.
fn root() -> std::path::PathBuf {
    std::env::current_dir().unwrap().parent().unwrap().to_owned()
}
