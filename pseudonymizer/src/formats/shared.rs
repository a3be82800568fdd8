//! Which columns have one value for all rows of a claim: its facility, its month, what the file's header says.
//!
//! Such a value need be looked up, kept and written once for each claim and not for each line. A column counts only
//! where every row that the family gives the table takes it from the same places, all of which are settled before the
//! claim's first row is made; anything else is made row by row, which is always right.

use super::program::{GroupBy, Program, Record, RowProgram, Slot};
use super::value::{From, Make, Output};

/// The rows that a family makes.
pub(crate) fn rows(program: &Program) -> impl Iterator<Item = &RowProgram> {
    program.records.iter().flat_map(|record| &record.feeds).chain(&program.group_feeds)
}

/// Marks the shared columns of every table.
pub(crate) fn mark(program: &mut Program) {
    let shared: Vec<Vec<bool>> = (0..program.tables.len()).map(|table| of_table(program, table)).collect();
    let feeds = program.records.iter_mut().flat_map(|record| &mut record.feeds);
    for row in feeds.chain(&mut program.group_feeds) {
        let Some(shared) = shared.get(row.table) else { continue };
        for (output, is_shared) in row.columns.iter_mut().zip(shared) {
            output.is_shared = *is_shared;
        }
        let own = row.columns.iter().enumerate().filter(|(_, output)| !output.is_shared);
        row.own = own.map(|(column, _)| column).collect();
    }
}

fn of_table(program: &Program, table: usize) -> Vec<bool> {
    let rows: Vec<&RowProgram> = rows(program).filter(|row| row.table == table).collect();
    let columns = rows.iter().map(|row| row.columns.len()).min().unwrap_or(0);
    let outputs = |column: usize| rows.iter().filter_map(move |row| row.columns.get(column));
    let is_shared = |column: usize| {
        let Some(first) = outputs(column).next() else { return false };
        outputs(column).all(|output| is_settled(program, output) && is_same(first, output))
    };
    (0..columns).map(is_shared).collect()
}

/// Two outputs of one column are made alike, but for the constants of their feeds.
fn is_same(one: &Output, other: &Output) -> bool {
    let constant = |output: &Output| match &output.make {
        Make::Constant(value) => Some(value.clone()),
        _ => None,
    };
    one.from == other.from && constant(one) == constant(other)
}

fn is_settled(program: &Program, output: &Output) -> bool {
    // A claim of one line has nothing to share.
    program.grouping != GroupBy::Line
        && !matches!(output.make, Make::Count | Make::ClaimRun)
        && output.from.iter().all(|from| match from {
            From::Nothing => true,
            From::Slot(slot) => is_settled_slot(program, *slot),
            From::Own { at, repeat } => *repeat <= 1 && is_key(program, *at),
            From::FirstOf(_) | From::Count(_) | From::Each { .. } | From::Piece => false,
        })
}

/// A header ends the claim before it; else the value must come with the line that opens the claim.
fn is_settled_slot(program: &Program, slot: Slot) -> bool {
    let captures = |record: &Record| record.captures.iter().any(|capture| capture.slot == slot);
    match (slot, &program.grouping) {
        (Slot::Header(_), _) => true,
        (Slot::Group(_), GroupBy::Opener(opener)) => {
            let by_others =
                program.records.iter().enumerate().any(|(at, record)| at != *opener && captures(record));
            let replaces = |record: &Record| {
                record.captures.iter().any(|capture| capture.slot == slot && capture.replaces)
            };
            !by_others && !program.records.get(*opener).is_some_and(replaces)
        }
        (Slot::Group(_), GroupBy::Key | GroupBy::Line) => false,
    }
}

/// Lines with other values of a key field are of another claim.
fn is_key(program: &Program, at: usize) -> bool {
    program.grouping == GroupBy::Key
        && program.records.iter().all(|record| record.feeds.is_empty() || record.group_key.contains(&at))
}
