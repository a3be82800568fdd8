//! An Excel workbook: the table on one sheet, what a reader must know about it on another.

use engine_protocol::{CellValue, ReleasedTable};
use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use unicode_width::UnicodeWidthStr as _;

use super::TableError;
use super::flat::{self, FlatColumn};

/// Whole numbers up to here are exact in a cell; larger ones are written as text.
const EXACT: u64 = 1 << 53;
/// Digits that a cell keeps of a decimal number.
const DIGITS: usize = 15;
/// The widest column, in characters.
const WIDEST: usize = 40;

/// The table as the bytes of a workbook with the sheets `table` and `about`.
///
/// # Errors
///
/// The workbook cannot be made, for example because the table has more rows than a sheet holds.
pub fn xlsx(table: &ReleasedTable) -> Result<Vec<u8>, TableError> {
    let mut workbook = Workbook::new();
    // The same table gives the same bytes; when it was released stands in the record, under its query.
    let no_time = ExcelDateTime::from_ymd(2000, 1, 1)?;
    workbook.set_properties(&DocProperties::new().set_title(&table.query).set_creation_datetime(&no_time));
    write_table(workbook.add_worksheet().set_name("table")?, table)?;
    write_about(workbook.add_worksheet().set_name("about")?, table)?;
    Ok(workbook.save_to_buffer()?)
}

fn write_table(sheet: &mut Worksheet, table: &ReleasedTable) -> Result<(), XlsxError> {
    let heading = Format::new().set_bold();
    for (at, column) in (0_u16..).zip(&flat::columns(table)) {
        let name = match &column.column.unit {
            Some(unit) => format!("{} [{unit}]", column.name),
            None => column.name.clone(),
        };
        sheet.write_string_with_format(0, at, &name, &heading)?;
        let mut widest = name.width();
        for (number, row) in (1_u32..).zip(&table.rows) {
            write_value(sheet, (number, at), column, row)?;
            widest = widest.max(column.text(row).width());
        }
        let width = u32::try_from(widest.min(WIDEST) + 2).unwrap_or(u32::MAX);
        sheet.set_column_width(at, width)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

fn write_value(
    sheet: &mut Worksheet,
    (row, at): (u32, u16),
    column: &FlatColumn<'_>,
    values: &[CellValue],
) -> Result<(), XlsxError> {
    let text = column.text(values);
    let number = match column.value(values) {
        CellValue::Integer(whole) if whole.unsigned_abs() <= EXACT => text.parse::<f64>().ok(),
        CellValue::Decimal(digits) if digits.len() <= DIGITS => text.parse::<f64>().ok(),
        _ => None,
    };
    match (column.value(values), number) {
        (CellValue::Empty, _) => {}
        (CellValue::Suppressed, _) => {
            let grey = Format::new().set_font_color("#6B6B6B").set_background_color("#ECE8DD");
            sheet.write_string_with_format(row, at, &text, &grey)?;
        }
        (_, Some(number)) => {
            sheet.write_number(row, at, number)?;
        }
        (_, None) => {
            sheet.write_string(row, at, &text)?;
        }
    }
    Ok(())
}

fn write_about(sheet: &mut Worksheet, table: &ReleasedTable) -> Result<(), XlsxError> {
    let threshold = table.threshold;
    let lines = [
        ("照会 / query", table.query.clone()),
        ("スナップショット / snapshot", table.snapshot.clone()),
        ("開示規則 / rule pack", table.rules.clone()),
        ("最小人数 / smallest number of persons", threshold.to_string()),
        ("行数 / rows", table.rows.len().to_string()),
        ("うち非表示 / of them hidden", table.suppressed.to_string()),
        (
            "***",
            format!(
                "{threshold}人に満たないか、ほかの値から導けるもの / \
                 fewer than {threshold} persons, or derivable from others"
            ),
        ),
    ];
    let label = Format::new().set_bold();
    for (row, (name, value)) in (0_u32..).zip(lines) {
        sheet.write_string_with_format(row, 0, name, &label)?;
        sheet.write_string(row, 1, value)?;
    }
    sheet.set_column_width(0, 38)?;
    sheet.set_column_width(1, 70)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::xlsx;
    use crate::table::tests::sample;

    #[test]
    fn the_same_table_gives_the_same_workbook() {
        let bytes = xlsx(&sample()).unwrap();
        assert_eq!(bytes.get(..2), Some(b"PK".as_slice()));
        assert_eq!(bytes, xlsx(&sample()).unwrap());
    }

    #[test]
    fn figures_are_numbers_and_hidden_ones_are_words() {
        let mut archive = zip::ZipArchive::new(Cursor::new(xlsx(&sample()).unwrap())).unwrap();
        let mut part = |name: &str| {
            let mut text = String::new();
            archive.by_name(name).unwrap().read_to_string(&mut text).unwrap();
            text
        };
        let sheet = part("xl/worksheets/sheet1.xml");
        for number in ["<v>12345</v>", "<v>-9876543</v>", "<v>-800.05</v>", "<v>0</v>"] {
            assert!(sheet.contains(number), "{sheet}");
        }
        let words = part("xl/sharedStrings.xml");
        for word in ["東京都", "Kanagawa", "***", "points, total [点]", "q12", "2025-10"] {
            assert!(words.contains(word), "{words}");
        }
    }
}
