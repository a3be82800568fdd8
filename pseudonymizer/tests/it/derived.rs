//! Derived tables: rows of their sources, written by hand, and the rows that the rules make of them.
//!
//! A case is a file in `derived/`. Its first line names the table and the snapshot's period; then come the sources, each
//! a table's name, a line of column names and its rows; at the end, behind `=>`, what comes out. `-` is null, `1.3.28`
//! the days of a day set. `UPDATE_EXPECT=1` writes the results anew.
#![cfg(test)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, UInt32Array,
    UInt64Array, new_null_array,
};
use arrow::datatypes::DataType;
use arrow::util::display::array_value_to_string;
use catalog_model::{Catalogue, Date, Month, Period, Table};
use expect_test::expect_file;
use pseudonymizer::tables::derived::{Context, Sources, Wanted, derive};

fn cells(line: &str) -> Vec<&str> {
    line.split('|').map(str::trim).collect()
}

fn day(text: &str) -> i32 {
    let date = Date::parse(text).or_else(|| text.parse::<Month>().ok().map(Month::first_day));
    date.unwrap_or_else(|| panic!("not a day: {text}")).days()
}

fn days(text: &str) -> i32 {
    text.split('.').map(|day| 1 << (day.parse::<i32>().unwrap() - 1)).sum()
}

/// A column of the type that the catalogue gives it.
fn column(kind: &DataType, values: &[Option<&str>]) -> ArrayRef {
    let values = || values.iter().copied();
    match kind {
        DataType::UInt32 => {
            Arc::new(values().map(|v| v.map(|v| v.parse::<u32>().unwrap())).collect::<UInt32Array>())
        }
        DataType::UInt64 => {
            Arc::new(values().map(|v| v.map(|v| v.parse::<u64>().unwrap())).collect::<UInt64Array>())
        }
        DataType::Int64 => {
            Arc::new(values().map(|v| v.map(|v| v.parse::<i64>().unwrap())).collect::<Int64Array>())
        }
        DataType::Int32 => Arc::new(values().map(|v| v.map(days)).collect::<Int32Array>()),
        DataType::Date32 => Arc::new(values().map(|v| v.map(day)).collect::<Date32Array>()),
        DataType::Boolean => Arc::new(values().map(|v| v.map(|v| v == "true")).collect::<BooleanArray>()),
        DataType::Utf8 => Arc::new(values().collect::<StringArray>()),
        other => panic!("no cases with {other}"),
    }
}

fn batch(table: &Table, lines: &[&str]) -> RecordBatch {
    let names = cells(lines[0]);
    let rows: Vec<Vec<&str>> = lines[1..].iter().map(|line| cells(line)).collect();
    assert!(rows.iter().all(|row| row.len() == names.len()), "{}: a row of another width", table.table);
    let schema = Arc::new(catalog_model::arrow_schema(table));
    for name in &names {
        assert!(schema.column_with_name(name).is_some(), "{} has no column {name}", table.table);
    }
    let columns =
        schema.fields().iter().map(|field| match names.iter().position(|name| name == field.name()) {
            Some(at) => {
                let values: Vec<Option<&str>> =
                    rows.iter().map(|row| Some(row[at]).filter(|value| *value != "-")).collect();
                column(field.data_type(), &values)
            }
            None => new_null_array(field.data_type(), rows.len()),
        });
    RecordBatch::try_new(Arc::clone(&schema), columns.collect()).unwrap()
}

fn shown(batch: &RecordBatch) -> String {
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    let mut table = vec![names];
    for row in 0..batch.num_rows() {
        let value = |column: &ArrayRef| {
            let text = array_value_to_string(column, row).unwrap();
            if text.is_empty() { "-".to_owned() } else { text }
        };
        table.push(batch.columns().iter().map(value).collect());
    }
    let width = |at: usize| table.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..batch.num_columns()).map(width).collect();
    let mut text = String::new();
    for row in &table {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(text, "{}", cells.join(" | ").trim_end()).unwrap();
    }
    text
}

/// What the rule makes of the case's sources, in the case's own words.
fn run(catalogue: &Catalogue, input: &str) -> RecordBatch {
    let mut lines = input.lines().filter(|line| !line.starts_with('#'));
    let head: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let [name, from, to] = head[..] else { panic!("the first line is: table from to") };
    let table = &catalogue.tables[name];
    let rule = table.derive.as_ref().unwrap();
    let period = Period { from: from.parse().unwrap(), to: to.parse().unwrap() };
    let rest: Vec<&str> = lines.collect();
    let mut sources = Sources::new(Wanted::of(catalogue));
    for block in rest.split(|line| line.is_empty()).filter(|block| !block.is_empty()) {
        let source = &catalogue.tables[block[0].trim()];
        sources.keep(source, &batch(source, &block[1..]));
    }
    derive(&Context { catalogue, period, bucket: 3, buckets: 16 }, table, rule, &sources).unwrap()
}

/// The shipped catalogue, and a table of every rule in another form than the shipped one.
fn catalogue() -> Catalogue {
    let shipped = catalog_model::BUILTIN.iter().copied();
    let text = |name: &str| catalog_model::BUILTIN.iter().find(|(path, _)| path.ends_with(name)).unwrap().1;
    let other = |name: &str, table: &str, changes: &[(&str, &str)]| {
        let mut text = text(name).replacen("table = \"", &format!("table = \"{table}\" # \""), 1);
        for (from, to) in changes {
            assert!(text.contains(from), "{name} has no {from}");
            text = text.replace(from, to);
        }
        text
    };
    let tolerant = other(
        "/dpc_stay_receipt.toml",
        "dpc_stay_receipt_near",
        &[("tolerance_days = 0", "tolerance_days = 2")],
    );
    let apart = other(
        "/ndb_drug_episode.toml",
        "drug_by_code",
        &[("by = \"yj\"\nprefix = 7\n", ""), ("carry_over = true", "carry_over = false")],
    );
    let every_line = other(
        "/ndb_service_date.toml",
        "every_service_date",
        &[
            ("lines = [\"ndb_procedure\"]", "lines = [\"ndb_procedure\", \"ndb_drug\", \"ndb_material\"]"),
            (", service_classes = [\"50\"]", ""),
        ],
    );
    let added = [
        ("tables/a.toml", tolerant.as_str()),
        ("tables/b.toml", apart.as_str()),
        ("tables/c.toml", every_line.as_str()),
    ];
    Catalogue::parse(shipped.chain(added)).unwrap()
}

#[test]
fn derived_rows_are_those_that_the_cases_say() {
    let catalogue = catalogue();
    let folder = std::env::current_dir().unwrap().join("tests/derived");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut rules: BTreeMap<String, usize> = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let input = text.split("=>").next().unwrap();
        let table = input.lines().find(|line| !line.starts_with('#')).unwrap().split(' ').next().unwrap();
        *rules.entry(table.to_owned()).or_default() += 1;
        let found = shown(&run(&catalogue, input));
        expect_file![&file].assert_eq(&format!("{}\n\n=>\n{found}", input.trim_end()));
    }
    for table in catalogue.tables.values().filter(|table| table.derive.is_some()) {
        assert!(rules.contains_key(&table.table), "no case for {}", table.table);
    }
}

#[test]
fn a_derived_table_must_be_made_of_what_its_rule_gives() {
    let shipped = catalog_model::BUILTIN.iter().copied();
    let text = r#"
        table = "t"
        database = "ndb"
        name = { ja = "x", en = "x" }
        row = { ja = "x", en = "x" }
        source = "x"
        derive = { rule = "service_date", lines = ["ndb_comment"] }
        feed = [{ family = "ndb-medical", row = "group" }]
        [[column]]
        name = "person_id"
        ja = "x"
        en = "x"
        class = "person"
        type = "id"
        [[column]]
        name = "service_date"
        ja = "x"
        en = "x"
        class = "quasi"
        type = "month"
    "#;
    let errors = Catalogue::parse(shipped.chain([("tables/x/t.toml", text)])).unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "tables/t: derive: a derived table is about persons and has no feed",
            "tables/t: derive.lines: refers to ndb_comment, which nothing defines",
            "tables/t: service_date: the rule gives no such column of this type",
        ]
    );
}
