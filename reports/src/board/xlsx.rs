//! The tables of a report as a workbook, a sheet each, with what verifies it on the last.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};
use unicode_width::UnicodeWidthStr as _;

use super::BoardError;
use super::document::{Document, Listing, Part};

/// The longest name of a sheet, in characters.
const NAME: usize = 31;
/// The widest column, in characters.
const WIDEST: usize = 48;

/// The report's tables as the bytes of a workbook; the same report gives the same bytes.
///
/// # Errors
///
/// The workbook cannot be made.
pub fn xlsx(report: &Document) -> Result<Vec<u8>, BoardError> {
    let mut workbook = Workbook::new();
    let no_time = ExcelDateTime::from_ymd(2000, 1, 1)?;
    let title = format!("{} {}", report.title, report.subtitle);
    workbook.set_properties(&DocProperties::new().set_title(title).set_creation_datetime(&no_time));
    about(workbook.add_worksheet(), report)?;
    for (number, part) in (1_u32..).zip(report.sections.iter().flat_map(|section| &section.parts)) {
        if let Part::Table(listing) = part {
            let name: String = format!("{number} {}", listing.name)
                .chars()
                .filter(|letter| !"[]:*?/\\'".contains(*letter))
                .take(NAME)
                .collect();
            table(workbook.add_worksheet().set_name(name)?, listing)?;
        }
    }
    Ok(workbook.save_to_buffer()?)
}

fn about(sheet: &mut Worksheet, report: &Document) -> Result<(), XlsxError> {
    sheet.set_name(if report.language == "ja" { "この報告書" } else { "about" })?;
    let bold = Format::new().set_bold();
    sheet.write_string_with_format(0, 0, &report.title, &bold)?;
    sheet.write_string(0, 1, &report.subtitle)?;
    let figures = report.sections.iter().flat_map(|section| &section.parts).filter_map(|part| match part {
        Part::Figures(figures) => Some(figures.iter().map(|figure| (&figure.label, &figure.value))),
        _ => None,
    });
    let facts = report.facts.iter().map(|(label, value)| (label, value)).chain(figures.flatten());
    let mut next = 1_u32;
    for (label, value) in facts {
        sheet.write_string(next, 0, label)?;
        sheet.write_string(next, 1, value)?;
        next += 1;
    }
    if let Some(seal) = &report.seal {
        for words in seal.lines.iter().map(String::as_str).chain(seal.note.lines()) {
            sheet.write_string(next + 1, 0, words)?;
            next += 1;
        }
    }
    sheet.set_column_width(0, 34)?;
    sheet.set_column_width(1, 70)?;
    Ok(())
}

fn table(sheet: &mut Worksheet, listing: &Listing) -> Result<(), XlsxError> {
    let heading = Format::new().set_bold();
    for (at, column) in (0_u16..).zip(&listing.columns) {
        sheet.write_string_with_format(0, at, &column.name, &heading)?;
        let mut widest = column.name.width();
        for (row, cells) in (1_u32..).zip(&listing.rows) {
            let Some(cell) = cells.get(usize::from(at)) else { continue };
            widest = widest.max(cell.width());
            let number = cell.replace(',', "").parse::<f64>();
            match number {
                Ok(number) if column.number => sheet.write_number(row, at, number)?,
                _ => sheet.write_string(row, at, cell)?,
            };
        }
        sheet.set_column_width(at, u32::try_from(widest.min(WIDEST) + 2).unwrap_or(u32::MAX))?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}
