//! Aligned text for a terminal.

use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};

use crate::Language;
use crate::grid::{Grid, Side, clean};
use crate::number::{count, grouped};

/// The table as aligned lines, each with its newline, and what a reader must know below it.
pub fn text(table: &ReleasedTable, language: Language) -> String {
    let mut grid = Grid::new(table.columns.iter().map(heading));
    for row in &table.rows {
        grid.row(row.iter().map(|value| shown(value, language)));
    }
    let mut text = grid.text();
    text.push('\n');
    if table.suppressed > 0 {
        text.push_str(&hidden(table.threshold, language));
    }
    text.push_str(&counts(table, language));
    text.push_str(&origin(table, language));
    text
}

fn heading(column: &TableColumn) -> (String, Side) {
    let side = if column.kind == TableColumnKind::Key { Side::Left } else { Side::Right };
    let name = match &column.unit {
        Some(unit) => format!("{} [{unit}]", column.name),
        None => column.name.clone(),
    };
    (name, side)
}

fn shown(value: &CellValue, language: Language) -> String {
    match value {
        CellValue::Key { code, ja, en } => {
            let name = language.pick(ja, en);
            if name == code { code.clone() } else { format!("{code} {name}") }
        }
        CellValue::Other => language.pick("（その他）", "(other)").to_owned(),
        CellValue::Total => language.pick("（合計）", "(total)").to_owned(),
        CellValue::Integer(_) | CellValue::Decimal(_) => grouped(&value.text()),
        CellValue::Empty | CellValue::Suppressed => value.text(),
    }
}

fn hidden(threshold: u32, language: Language) -> String {
    match language {
        Language::Japanese => {
            format!("*** 非表示：{threshold}人に満たないか、ほかの値から導けるもの\n")
        }
        Language::English => {
            format!("*** hidden: fewer than {threshold} persons, or derivable from others\n")
        }
    }
}

fn counts(table: &ReleasedTable, language: Language) -> String {
    let (rows, hidden) = (count(table.rows.len() as u64), count(table.suppressed));
    match language {
        Language::Japanese => format!("{rows}行、うち非表示 {hidden}行\n"),
        Language::English => format!("{rows} rows, {hidden} of them hidden\n"),
    }
}

fn origin(table: &ReleasedTable, language: Language) -> String {
    let query = clean(&table.query);
    let (snapshot, rules) = (clean(&table.snapshot), clean(&table.rules));
    match language {
        Language::Japanese => {
            format!("照会 {query} · スナップショット {snapshot} · 開示規則 {rules}\n")
        }
        Language::English => format!("query {query} · snapshot {snapshot} · rules {rules}\n"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::text;
    use crate::Language;
    use crate::table::tests::sample;

    #[test]
    fn a_table_lines_up_in_japanese() {
        expect![[r#"
            prefecture   month       persons  points, total [点]  mean [点]
            ───────────  ──────────  ───────  ──────────────────  ─────────
            13 東京都    2024-04      12,345          -9,876,543    -800.05
            14 神奈川県  （その他）      ***                 ***        ***
            （合計）     （合計）          0                   0

            *** 非表示：10人に満たないか、ほかの値から導けるもの
            3行、うち非表示 1行
            照会 q12 · スナップショット 5a5a5a5a · 開示規則 2025-10
        "#]]
        .assert_eq(&text(&sample(), Language::Japanese));
    }

    #[test]
    fn a_table_lines_up_in_english() {
        expect![[r#"
            prefecture   month    persons  points, total [点]  mean [点]
            ───────────  ───────  ───────  ──────────────────  ─────────
            13 Tokyo     2024-04   12,345          -9,876,543    -800.05
            14 Kanagawa  (other)      ***                 ***        ***
            (total)      (total)        0                   0

            *** hidden: fewer than 10 persons, or derivable from others
            3 rows, 1 of them hidden
            query q12 · snapshot 5a5a5a5a · rules 2025-10
        "#]]
        .assert_eq(&text(&sample(), Language::English));
    }

    #[test]
    fn nothing_is_said_of_hiding_where_nothing_is_hidden() {
        let mut table = sample();
        table.rows.remove(1);
        table.suppressed = 0;
        assert!(!text(&table, Language::English).contains("***"));
    }
}
