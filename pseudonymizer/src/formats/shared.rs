//! Which columns have one value for all rows of a claim: its facility, its month, what the file's header says.
//!
//! Such a value need be looked up, kept and written once for each claim and not for each line. A column counts only
//! where every row that the family gives the table takes it from the same places, all of which are settled before the
//! claim's first row is made; anything else is made row by row, which is always right.
//!
//! And which come from the line alone, so that lines with the same bytes have the same values in them: those make a
//! phrase, which is made and written once. Only receipts have such lines; others name their record in every line.

use super::program::{GroupBy, Program, Record, RowProgram, Slot};
use super::value::{From, Make, Output};

/// The rows that a family makes.
pub(crate) fn rows(program: &Program) -> impl Iterator<Item = &RowProgram> {
    program.records.iter().flat_map(|record| &record.feeds).chain(&program.group_feeds)
}

/// How often a column of a table is made and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Home {
    /// Once for each claim.
    Claim,
    /// Once for all rows that say the same.
    Phrase,
    /// Row by row.
    #[default]
    Row,
}

/// Marks where the columns of every table belong.
pub(crate) fn mark(program: &mut Program) {
    let homes: Vec<Vec<Home>> = (0..program.tables.len()).map(|table| of_table(program, table)).collect();
    settle(program, |table| homes.get(table).map(Vec::as_slice).unwrap_or_default());
}

/// Notes in every row which columns belong where.
pub(crate) fn settle<'h>(program: &mut Program, homes: impl Fn(usize) -> &'h [Home]) {
    let feeds = program.records.iter_mut().flat_map(|record| &mut record.feeds);
    for row in feeds.chain(&mut program.group_feeds) {
        let homes = homes(row.table);
        let of = |home: Home| {
            let columns = 0..row.columns.len();
            columns.filter(|column| homes.get(*column).copied().unwrap_or_default() == home).collect()
        };
        row.shared = of(Home::Claim);
        row.phrase = of(Home::Phrase);
        row.own = of(Home::Row);
        row.homes = homes.to_vec();
    }
}

fn of_table(program: &Program, table: usize) -> Vec<Home> {
    let rows: Vec<&RowProgram> = rows(program).filter(|row| row.table == table).collect();
    let columns = rows.iter().map(|row| row.columns.len()).min().unwrap_or(0);
    let outputs = |column: usize| rows.iter().filter_map(move |row| row.columns.get(column));
    let is_shared = |column: usize| {
        let Some(first) = outputs(column).next() else { return false };
        outputs(column).all(|output| is_settled(program, output) && is_same(first, output))
    };
    let has_phrases = has_phrases(program, table);
    let home = |column: usize| match is_shared(column) {
        true => Home::Claim,
        false if has_phrases && is_of_line(program, table, column) => Home::Phrase,
        false => Home::Row,
    };
    (0..columns).map(home).collect()
}

/// Whether lines that may be alike make the table's rows, each line one.
fn has_phrases(program: &Program, table: usize) -> bool {
    let is_of_group = program.group_feeds.iter().any(|row| row.table == table);
    let is_remembered = |record: &Record| {
        record
            .feeds
            .iter()
            .filter(|row| row.table == table)
            .all(|row| record.is_remembered && row.each.is_none())
    };
    !is_of_group && program.records.iter().all(is_remembered)
}

/// Whether the column's values come from what stands before the tail of the line that makes the row.
fn is_of_line(program: &Program, table: usize, column: usize) -> bool {
    program.records.iter().all(|record| {
        let is_before = |at: usize, repeat: usize| record.tail.is_none_or(|tail| at + repeat.max(1) <= tail);
        let outputs = record.feeds.iter().filter(|row| row.table == table);
        outputs.filter_map(|row| row.columns.get(column)).all(|output| {
            !matches!(output.make, Make::Count | Make::ClaimRun)
                && output.from.iter().all(|from| match from {
                    From::Nothing => true,
                    From::Own { at, repeat } => is_before(*at, *repeat),
                    From::Slot(_) | From::FirstOf(_) | From::Count(_) | From::Each { .. } | From::Piece => {
                        false
                    }
                })
        })
    })
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
