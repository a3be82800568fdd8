//! Pictures of small tables, and of tables made at random: what is hidden stays hidden.

use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};

use super::{ChartKind, Plan, svg};
use crate::Language;

fn key(text: &str) -> CellValue {
    CellValue::Key { code: text.to_owned(), ja: format!("名{text}"), en: format!("name {text}") }
}

fn table(columns: &[(&str, TableColumnKind)], rows: Vec<Vec<CellValue>>) -> ReleasedTable {
    let column = |(name, kind): &(&str, TableColumnKind)| TableColumn {
        name: (*name).to_owned(),
        kind: *kind,
        unit: None,
    };
    ReleasedTable {
        query: "q1".to_owned(),
        snapshot: "5a".to_owned(),
        columns: columns.iter().map(column).collect(),
        rows,
        suppressed: 0,
        threshold: 10,
        rules: "r".to_owned(),
        certificate: None,
    }
}

/// Two keys, with values by a rule.
fn crossed(first: &[&str], second: &[&str], value: impl Fn(usize, usize) -> CellValue) -> ReleasedTable {
    let columns = [("a", TableColumnKind::Key), ("b", TableColumnKind::Key), ("n", TableColumnKind::Persons)];
    let rows = first.iter().enumerate().flat_map(|(at, one)| {
        let value = &value;
        second.iter().enumerate().map(move |(to, two)| vec![key(one), key(two), value(at, to)])
    });
    table(&columns, rows.collect())
}

#[test]
fn the_guess_fits_what_the_keys_are() {
    let months = ["2024-01", "2024-02", "2024-03"];
    let few = ["1", "2"];
    let many: Vec<String> = (0..30).map(|at| format!("c{at}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let number = |_, _| CellValue::Integer(20);
    let kind = |table: &ReleasedTable| Plan::guess(table).map(|plan| (plan.kind, plan.category, plan.series));
    assert_eq!(kind(&crossed(&few, &months, number)), Some((ChartKind::Line, 1, Some(0))));
    assert_eq!(kind(&crossed(&["0-9", "10-19", "20-29"], &few, number)), Some((ChartKind::Bar, 0, Some(1))));
    assert_eq!(kind(&crossed(&many, &["0-9", "10-19"], number)), Some((ChartKind::HeatMap, 1, Some(0))));
    let share = |at, _| CellValue::Decimal(format!("0.{}", 9 - at));
    let mut survival = crossed(&["0-5", "6-11"], &few, share);
    survival.columns[2].kind = TableColumnKind::Computed;
    assert_eq!(kind(&survival), Some((ChartKind::Survival, 0, Some(1))));
    assert_eq!(
        Plan::guess(&table(&[("n", TableColumnKind::Persons)], vec![vec![CellValue::Integer(5)]])),
        None
    );
}

#[test]
fn every_kind_draws_the_shown_and_veils_the_hidden() {
    let value = |at: usize, to: usize| match (at + to) % 3 {
        0 => CellValue::Suppressed,
        _ => CellValue::Decimal("0.25".to_owned()),
    };
    let mut table = crossed(&["0-9", "10-19", "20-29"], &["1", "2", "3"], value);
    table.columns[2].kind = TableColumnKind::Computed;
    for kind in ChartKind::ALL {
        let plan = Plan { kind, category: 0, series: Some(1), value: 2 };
        let picture = svg(&table, &plan, Language::English).unwrap();
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>"), "{picture}");
        assert_eq!(picture.matches(": hidden</title>").count(), 3, "{kind:?}: {picture}");
        assert_eq!(picture.matches(": 0.25</title>").count(), 6, "{kind:?}: {picture}");
        assert!(
            picture.contains("name 20-29, name 3: hidden") || picture.contains("name 20-29, name 2: hidden")
        );
        assert!(!picture.contains("style=") && !picture.contains("<script"), "{picture}");
        assert!(svg(&table, &plan, Language::Japanese).unwrap().contains("非表示"));
    }
}

#[test]
fn names_from_outside_are_text() {
    let mut table = crossed(&["<script>", "\"&\u{7}"], &["1"], |_, _| CellValue::Integer(3));
    table.columns[0].name = "<b>".to_owned();
    let plan = Plan::guess(&table).unwrap();
    let picture = svg(&table, &plan, Language::English).unwrap();
    assert!(
        !picture.contains("<script>") && !picture.contains("<b>") && !picture.contains('\u{7}'),
        "{picture}"
    );
    assert!(picture.contains("&lt;script&gt;"), "{picture}");
}

#[test]
fn a_third_key_is_held_at_its_total_and_nothing_is_added_up() {
    let columns = [
        ("a", TableColumnKind::Key),
        ("b", TableColumnKind::Key),
        ("c", TableColumnKind::Key),
        ("n", TableColumnKind::Rows),
    ];
    let row = |a: &str, b: &str, c: CellValue, n| vec![key(a), key(b), c, CellValue::Integer(n)];
    let rows = vec![
        row("1", "x", key("p"), 11),
        row("1", "x", key("q"), 12),
        row("1", "x", CellValue::Total, 777),
        row("2", "y", key("p"), 13),
        row("2", "y", CellValue::Total, 888),
    ];
    let table = table(&columns, rows);
    let plan = Plan { kind: ChartKind::Bar, category: 0, series: Some(1), value: 3 };
    let picture = svg(&table, &plan, Language::English).unwrap();
    assert!(
        picture.contains(": 777<") && picture.contains(": 888<") && picture.contains("c: total"),
        "{picture}"
    );
    assert!(
        !picture.contains(": 11<") && !picture.contains(": 23<") && !picture.contains(": 24<"),
        "{picture}"
    );
}

#[test]
fn a_plan_that_does_not_fit_draws_nothing() {
    let table = crossed(&["1"], &["2"], |_, _| CellValue::Integer(3));
    for (category, series, value) in [(2, None, 2), (0, Some(2), 2), (0, None, 1), (7, None, 2), (0, None, 7)]
    {
        let plan = Plan { kind: ChartKind::Bar, category, series, value };
        assert_eq!(svg(&table, &plan, Language::English), None, "{plan:?}");
    }
    let plan = Plan { kind: ChartKind::Bar, category: 0, series: None, value: 2 };
    assert_eq!(plan.shown_as(ChartKind::HeatMap, &table), None);
    assert_eq!(plan.shown_as(ChartKind::Survival, &table), None);
}
