//! The columns of a file: a key becomes its code and its two names, everything else stays one column.

use std::collections::BTreeSet;

use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};

/// One column of a file.
#[derive(Clone, Debug)]
pub(super) struct FlatColumn<'t> {
    /// Its name, which no other column of the file has.
    pub(super) name: String,
    /// The table's column that it is made of.
    pub(super) column: &'t TableColumn,
    /// The column's number in the table.
    pub(super) at: usize,
    /// What of the value it shows.
    pub(super) part: Part,
}

/// What of a value a file's column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The code of a key.
    Code,
    /// The Japanese name of a key.
    Japanese,
    /// The English name of a key.
    English,
    /// A figure.
    Figure,
}

/// The columns of a file that holds the table.
pub(super) fn columns(table: &ReleasedTable) -> Vec<FlatColumn<'_>> {
    let mut taken: BTreeSet<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    let mut flat = Vec::new();
    for (at, column) in table.columns.iter().enumerate() {
        let mut push = |name: String, part| flat.push(FlatColumn { name, column, at, part });
        if column.kind == TableColumnKind::Key {
            push(column.name.clone(), Part::Code);
            push(free(&mut taken, &format!("{}_ja", column.name)), Part::Japanese);
            push(free(&mut taken, &format!("{}_en", column.name)), Part::English);
        } else {
            push(column.name.clone(), Part::Figure);
        }
    }
    flat
}

/// The name, or the first `name_2`, `name_3`, … that no column has; the name is taken from then on.
pub(super) fn free(taken: &mut BTreeSet<String>, name: &str) -> String {
    let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
    let free = std::iter::once(name.to_owned()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or_else(|| name.to_owned());
    taken.insert(free.clone());
    free
}

impl FlatColumn<'_> {
    /// The row's value, as far as this column shows it.
    pub(super) fn text(&self, row: &[CellValue]) -> String {
        let value = self.value(row);
        match (self.part, value) {
            (Part::Japanese, CellValue::Key { ja, .. }) => ja.clone(),
            (Part::English, CellValue::Key { en, .. }) => en.clone(),
            (Part::Japanese, CellValue::Other) => "その他".to_owned(),
            (Part::English, CellValue::Other) => "other".to_owned(),
            (Part::Japanese, CellValue::Total) => "合計".to_owned(),
            (Part::English, CellValue::Total) => "total".to_owned(),
            _ => value.text(),
        }
    }

    /// The row's value.
    pub(super) fn value<'r>(&self, row: &'r [CellValue]) -> &'r CellValue {
        row.get(self.at).unwrap_or(&CellValue::Empty)
    }
}
