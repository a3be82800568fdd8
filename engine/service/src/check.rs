//! `misu check-table`: the disclosure check of a table made elsewhere, as text or JSON.

use std::path::Path;

use audit::Log;
use catalog_store::Environment;
use engine_disclosure::{CheckOptions, CheckedTable, Malformed, Status, Verdict, check_table};
use policies::RulePack;

use crate::ledger_file::{self, Held, LedgerFile};

/// The pack that a file is held to which names none.
const USUAL: &str = "general-2026";

/// A checked table, printed.
#[derive(Debug)]
pub struct Checked {
    /// The answer as it is printed.
    pub text: String,
    /// Whether the table can go out as the answer says.
    pub is_open: bool,
}

/// How a file is checked.
#[derive(Clone, Copy, Debug)]
pub struct CheckHow<'e> {
    /// Judges the pattern of the file instead of making one.
    pub audit_only: bool,
    /// Prints the answer as JSON.
    pub json: bool,
    /// The environment whose ledger the cells are compared with, and its record; for data officers.
    pub beside: Option<(&'e Environment, &'e Log)>,
}

/// Checks the table in a file.
///
/// # Errors
///
/// The file cannot be read or is no table, or the ledger cannot be used.
pub fn check_file(file: &Path, how: CheckHow<'_>) -> Result<Checked, Box<dyn std::error::Error>> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let packs = RulePack::shipped()?;
    let rules = |name: Option<&str>| {
        let name = name.unwrap_or(USUAL);
        let pack = packs.iter().find(|pack| pack.pack() == name)?;
        Some((pack.cell_rules(), pack.output_rules()))
    };
    let mut ledger = how.beside.map(|(environment, _)| LedgerFile::new(environment));
    let held = match (&mut ledger, how.beside) {
        (Some(ledger), Some((environment, log))) => {
            Some(ledger.hold(environment, &ledger_file::noted(log.path())?)?)
        }
        _ => None,
    };
    let options = CheckOptions { audit_only: how.audit_only, ledger: held.as_ref().map(Held::ledger) };
    let checked = check_table(&text, options, rules)
        .map_err(|error: Malformed| format!("{}: {error}", file.display()))?;
    let text = if how.json { serde_json::to_string(&checked)? } else { shown(&checked) };
    Ok(Checked { text, is_open: checked.verdict != Verdict::Unsafe })
}

fn shown(checked: &CheckedTable) -> String {
    let mut lines = Vec::new();
    for cell in &checked.cells {
        let place: Vec<String> =
            cell.at.iter().map(|(dimension, level)| format!("{dimension}={level}")).collect();
        let place = if place.is_empty() { "total".to_owned() } else { place.join(", ") };
        let status = match cell.status {
            Status::Published => "published",
            Status::Primary => "primary",
            Status::Secondary => "secondary",
            Status::Ledger => "ledger",
        };
        let why = cell.why.map_or_else(String::new, |why| format!(" ({why})"));
        let end =
            |end: &Option<serde_json::Number>| end.as_ref().map_or_else(String::new, ToString::to_string);
        let of = |(low, high): &(Option<serde_json::Number>, Option<serde_json::Number>)| {
            format!(" {}..{}", end(low), end(high))
        };
        let interval = cell.interval.as_ref().map_or_else(String::new, of);
        let sums = cell.sum_interval.as_ref().map_or_else(String::new, |sums| format!(" sum{}", of(sums)));
        lines.push(format!("{place}: {status}{why}{interval}{sums}"));
    }
    let verdict = match checked.verdict {
        Verdict::Safe => "safe",
        Verdict::Protected => "protected: can go out with these cells hidden",
        Verdict::Unsafe => "unsafe: must not go out like this",
    };
    lines.extend(checked.refused.clone());
    lines.push(verdict.to_owned());
    lines.join("\n")
}
