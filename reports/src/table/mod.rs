//! A released table as text for a terminal and as files to work on with; one format, one file.
//!
//! In every form a hidden cell stays visible as hidden, and a value of a group key stands with its code and names.

mod flat;

mod arrow;
mod csv;
mod json;
mod text;
mod xlsx;

pub use arrow::{arrow, batch};
pub use csv::csv;
pub use json::json;
pub use text::text;
pub use xlsx::xlsx;

/// The table as rows of texts, the headings first; a key has its code and its names beside each other.
pub fn rows(table: &engine_protocol::ReleasedTable) -> Vec<Vec<String>> {
    let columns = flat::columns(table);
    let headings = columns.iter().map(|column| column.name.clone()).collect();
    let texts = table.rows.iter().map(|row| columns.iter().map(|column| column.text(row)).collect());
    std::iter::once(headings).chain(texts).collect()
}

/// Why a released table cannot be written as a file.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The Arrow file cannot be made.
    #[error("cannot write the table as an Arrow file")]
    Arrow(#[from] ::arrow::error::ArrowError),
    /// The workbook cannot be made, for example because the table has more rows than a sheet holds.
    #[error("cannot write the table as a workbook")]
    Xlsx(#[from] rust_xlsxwriter::XlsxError),
    /// The JSON text cannot be made.
    #[error("cannot write the table as JSON")]
    Json(#[from] serde_json::Error),
}

#[cfg(test)]
pub(crate) mod tests {
    use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};

    /// A small table that has every kind of column and value.
    pub(crate) fn sample() -> ReleasedTable {
        let column = |name: &str, kind, unit: Option<&str>| TableColumn {
            name: name.to_owned(),
            kind,
            unit: unit.map(str::to_owned),
        };
        let key = |code: &str, ja: &str, en: &str| CellValue::Key {
            code: code.to_owned(),
            ja: ja.to_owned(),
            en: en.to_owned(),
        };
        let decimal = |text: &str| CellValue::Decimal(text.to_owned());
        let hidden = CellValue::Suppressed;
        ReleasedTable {
            query: "q12".to_owned(),
            snapshot: "5a5a5a5a".to_owned(),
            columns: vec![
                column("prefecture", TableColumnKind::Key, None),
                column("month", TableColumnKind::Key, None),
                column("persons", TableColumnKind::Persons, None),
                column("points, total", TableColumnKind::Sum, Some("点")),
                column("mean", TableColumnKind::Average, Some("点")),
            ],
            rows: vec![
                vec![
                    key("13", "東京都", "Tokyo"),
                    key("2024-04", "2024-04", "2024-04"),
                    CellValue::Integer(12_345),
                    CellValue::Integer(-9_876_543),
                    decimal("-800.05"),
                ],
                vec![
                    key("14", "神奈川県", "Kanagawa"),
                    CellValue::Other,
                    hidden.clone(),
                    hidden.clone(),
                    hidden,
                ],
                vec![
                    CellValue::Total,
                    CellValue::Total,
                    CellValue::Integer(0),
                    CellValue::Integer(0),
                    CellValue::Empty,
                ],
            ],
            suppressed: 1,
            threshold: 10,
            rules: "2025-10".to_owned(),
            certificate: None,
        }
    }
}
