//! A master file → entries, by the reader that reads deliveries.
//!
//! The reader makes rows of tables; a master feeds none. So a table is made up here whose columns are the record's
//! fields, and its rows are kept in memory instead of being staged.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use catalog_model::{
    Catalogue, Class, Column, ColumnKind, Date, Family, Feed, FieldKind, FieldRef, Master, RowOf, Source,
    Table, Treatment, Unit,
};

use super::MasterError;
use super::merge::Entry;
use crate::claim::Claim;
use crate::formats::{Claims, Fault, FilePart, Program, Reader, Value};
use crate::keying::Identity;

/// What a file holds.
#[derive(Debug)]
pub(super) struct Read {
    /// By the name under which codes are kept and their system, by code.
    pub(super) entries: BTreeMap<(String, String), BTreeMap<String, Entry>>,
    pub(super) lines: u64,
    pub(super) dropped: u64,
    pub(super) faults: Vec<Fault>,
}

/// Reads the file's bytes by the layout `family`.
pub(super) fn read(
    catalogue: &Catalogue,
    family: &str,
    file: &Path,
    bytes: &[u8],
) -> Result<Read, MasterError> {
    let layout = catalogue.families.get(family).filter(|layout| is_master(layout));
    let layout = layout.ok_or_else(|| MasterError::NotAMaster(family.to_owned()))?;
    let tables = layout.records.iter().map(|record| table(layout, record.key()));
    let reading = Catalogue {
        families: [(family.to_owned(), layout.clone())].into(),
        tables: tables.map(|table| (table.table.clone(), table)).collect(),
        codes: catalogue.codes.clone(),
        ..Catalogue::default()
    };
    let program = Program::compile(&reading, family)?;
    let mut rows = Rows::default();
    let part = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: true };
    let summary = Reader::new(&program, 0).read(bytes, &part, &mut rows).map_err(super::io("read", file))?;
    if let (true, Some(first)) = (rows.done.is_empty(), summary.faults.first()) {
        let field = if first.field.is_empty() { String::new() } else { format!("{}: ", first.field) };
        let (lines, line, kind) = (summary.read, first.line, first.kind.as_str());
        return Err(MasterError::Unreadable { file: file.to_owned(), lines, line, field, kind });
    }
    let mut entries: BTreeMap<(String, String), BTreeMap<String, Entry>> = BTreeMap::new();
    let mut places: HashMap<(String, String), u64> = HashMap::new();
    for row in rows.done {
        let key = program.tables().get(row.table).map(|name| name.as_ref()).unwrap_or_default();
        let Some((master, fields)) =
            layout.record(key).and_then(|record| Some((record.master.as_ref()?, record.fields.as_slice())))
        else {
            continue;
        };
        let names = fields.iter().map(|field| field.key.as_str());
        let cells: HashMap<&str, Cell> = names.zip(row.cells).collect();
        let Some((code, entry)) = entry(master, &cells) else { continue };
        let first = places.insert((master.system.clone(), code.clone()), row.line);
        let place = (master.file().to_owned(), master.system.clone());
        let known = entries.entry(place).or_default();
        let entry = match first {
            None => entry,
            Some(first) => known
                .remove(&code)
                .and_then(|other| other.beside(entry))
                .ok_or_else(|| MasterError::Twice { file: file.to_owned(), line: row.line, first })?,
        };
        known.insert(code, entry);
    }
    let dropped = summary.dropped.iter().sum();
    Ok(Read { entries, lines: summary.read, dropped, faults: summary.faults })
}

fn is_master(family: &Family) -> bool {
    family.records.iter().all(|record| record.master.is_some())
}

/// A table with one column for each field of the record.
fn table(family: &Family, record: &str) -> Table {
    let fields = family.record(record).map(|record| record.fields.as_slice()).unwrap_or_default();
    let columns = fields.iter().map(|field| Column {
        name: field.key.clone(),
        ja: field.ja.clone(),
        en: field.key.clone(),
        class: Class::Plain,
        kind: if field.kind == FieldKind::Date { ColumnKind::Date } else { ColumnKind::String },
        from: Source(vec![FieldRef { record: record.to_owned(), field: field.key.clone() }]),
        treat: Treatment::Plain,
        pick: None,
        domain: None,
        codes: None,
        unit: None,
        bounds: None,
        generalise: None,
        system: None,
        note: None,
    });
    Table {
        table: record.to_owned(),
        database: family.database.clone(),
        name: family.name.clone(),
        row: family.name.clone(),
        unit: Unit::Public,
        period: None,
        times: None,
        source: family.source.clone(),
        note: None,
        feeds: vec![Feed {
            family: Some(family.family.clone()),
            row: RowOf::Records(vec![record.to_owned()]),
            when: BTreeMap::new(),
            each: None,
            set: BTreeMap::new(),
            from: BTreeMap::new(),
        }],
        derive: None,
        columns: columns.collect(),
    }
}

fn entry(master: &Master, cells: &HashMap<&str, Cell>) -> Option<(String, Entry)> {
    let text = |field: &String| match cells.get(field.as_str()) {
        Some(Cell::Text(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let day = |field: &Option<String>| match cells.get(field.as_deref()?) {
        Some(Cell::Day(day)) => Some(*day),
        _ => None,
    };
    let first = |fields: &[String]| fields.iter().find_map(text);
    let attributes =
        master.attributes.iter().filter_map(|(name, fields)| Some((name.clone(), first(fields)?)));
    let entry = Entry {
        ja: first(&master.name)?,
        attributes: attributes.collect(),
        listed: day(&master.listed),
        changed: day(&master.changed),
        to: day(&master.to),
        former: Vec::new(),
    };
    Some((text(&master.code)?, entry))
}

#[derive(Debug)]
enum Cell {
    Empty,
    Text(String),
    Day(Date),
}

#[derive(Debug)]
struct Row {
    table: usize,
    line: u64,
    cells: Vec<Cell>,
}

#[derive(Debug, Default)]
struct Rows {
    open: Vec<Cell>,
    done: Vec<Row>,
}

impl Claims for Rows {
    fn value(&mut self, _table: usize, column: usize, value: Value<'_>) {
        let cell = match value {
            Value::Text(text) => Cell::Text(text.replace("\"\"", "\"")),
            Value::Date(days) => Cell::Day(Date::from_days(days)),
            _ => Cell::Empty,
        };
        if self.open.len() <= column {
            self.open.resize_with(column + 1, || Cell::Empty);
        }
        if let Some(place) = self.open.get_mut(column) {
            *place = cell;
        }
    }

    fn end_row(&mut self, table: usize, _record: u32, line: u64) {
        self.done.push(Row { table, line, cells: std::mem::take(&mut self.open) });
    }

    fn surrogate(&mut self, _parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        [0; 16]
    }

    fn claim(&mut self, _claim: Claim<&Identity>) -> bool {
        true
    }
}
