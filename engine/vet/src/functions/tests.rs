//! Every function's documented cases, and a way to call one in its own tests.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array as _, AsArray as _, Date32Array};
use arrow::datatypes::{DataType, Date32Type, Field, Int64Type};
use catalog_model::{Catalogue, Date, Grant, Period, SnapshotId, Thresholds, Tier};
use datafusion_common::ScalarValue;
use datafusion_common::config::ConfigOptions;
use datafusion_expr::{ColumnarValue, Expr, LogicalPlan, ScalarFunctionArgs, ScalarUDF};
use datafusion_sql::parser::DFParser;
use datafusion_sql::planner::SqlToRel;

use super::{Argument, FUNCTIONS, Function, Gives};
use crate::plan::VettedPlan;
use crate::refusal::{NotVetted, Rule};
use crate::schema::GrantedSchema;
use crate::stored::Meant;
use crate::vet::{Scope, vet};

fn invoke(udf: &ScalarUDF, args: Vec<ColumnarValue>) -> ColumnarValue {
    let types: Vec<DataType> = args.iter().map(ColumnarValue::data_type).collect();
    let field = |kind: &DataType| Arc::new(Field::new("a", kind.clone(), true));
    let result = udf.return_type(&types).unwrap();
    let args = ScalarFunctionArgs {
        arg_fields: types.iter().map(field).collect(),
        args,
        number_rows: 1,
        return_field: field(&result),
        config_options: Arc::new(ConfigOptions::default()),
    };
    let array = udf.invoke_with_args(args).unwrap().into_array(1).unwrap();
    assert_eq!(array.data_type(), &result, "{}", udf.name());
    ColumnarValue::Array(array)
}

fn shown(value: ColumnarValue) -> String {
    let array = value.into_array(1).unwrap();
    if array.is_null(0) {
        return "null".to_owned();
    }
    match array.data_type() {
        DataType::Date32 => Date::from_days(array.as_primitive::<Date32Type>().value(0)).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(0).to_string(),
        _ => array.as_string::<i32>().value(0).to_owned(),
    }
}

/// `2023-04-01` as days, or null.
pub(crate) fn days(text: &str) -> Option<i32> {
    Date::parse(text).map(Date::days)
}

/// What a function of days and numbers gives.
pub(crate) fn call(name: &str, dates: &[&str], literals: &[i64], _result: &DataType) -> String {
    let udf = (super::find(name).unwrap().udf)();
    let dates = dates.iter().map(|text| Date32Array::from(vec![days(text)]));
    let mut args: Vec<ColumnarValue> = dates.map(|day| ColumnarValue::Array(Arc::new(day))).collect();
    args.extend(literals.iter().map(|value| ColumnarValue::Scalar(ScalarValue::Int64(Some(*value)))));
    shown(invoke(&udf, args))
}

/// The slow reference: an expression of literals and calls, evaluated by hand.
fn evaluated(expr: &Expr) -> ColumnarValue {
    match expr {
        Expr::Alias(alias) => evaluated(&alias.expr),
        Expr::Literal(value, _) => ColumnarValue::Scalar(value.clone()),
        Expr::Negative(inner) => match evaluated(inner) {
            ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.arithmetic_negate().unwrap()),
            array => panic!("{array:?}"),
        },
        Expr::Cast(cast) => match evaluated(&cast.expr) {
            ColumnarValue::Scalar(value) => {
                ColumnarValue::Scalar(value.cast_to(cast.field.data_type()).unwrap())
            }
            array => panic!("{array:?}"),
        },
        Expr::ScalarFunction(call) => invoke(&call.func, call.args.iter().map(evaluated).collect()),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn grant() -> Grant {
    Grant {
        project: "demo".to_owned(),
        snapshot: SnapshotId::from_digest(&[0; 32]),
        tier: Tier::Pseudonymized,
        period: Period { from: "2023-04".parse().unwrap(), to: "2025-03".parse().unwrap() },
        tables: HashMap::<_, _>::new().into_iter().collect(),
        thresholds: Thresholds { persons: 10, zero_shown: true },
    }
}

/// A grant of every column of every table.
pub(crate) fn grant_of_all(catalogue: &Catalogue) -> Grant {
    let tables = catalogue
        .tables
        .values()
        .map(|table| (table.table.clone(), table.columns.iter().map(|column| column.name.clone()).collect()));
    Grant { tables: tables.collect(), ..grant() }
}

/// The plan of a query under such a grant.
pub(crate) fn plan(catalogue: &Catalogue, sql: &str) -> VettedPlan {
    let grant = grant_of_all(catalogue);
    vet(sql, Scope { catalogue, grant: &grant }).unwrap_or_else(|error| panic!("{error:?}\n{sql}"))
}

fn first_expression(sql: &str, schema: &GrantedSchema<'_>) -> Expr {
    let statement = DFParser::parse_sql(sql).unwrap().pop_front().unwrap();
    let plan = SqlToRel::new(schema).statement_to_plan(statement).unwrap();
    let LogicalPlan::Projection(projection) = plan else { panic!("{plan}") };
    projection.expr.first().unwrap().clone()
}

#[test]
fn documented_cases_hold() {
    let catalogue = Catalogue::builtin().unwrap();
    let (grant, workspace) = (grant(), catalog_model::Workspace::default());
    let meant = Meant { catalogue: &catalogue, grant: &grant, workspace: &workspace };
    let schema = GrantedSchema::new(meant);
    for function in FUNCTIONS {
        assert!(function.doc.cases.len() >= 2, "{} has no cases", function.name);
        for (call, expected) in function.doc.cases {
            assert!(call.contains(&format!("{}(", function.name)), "{call}");
            let expr = first_expression(&format!("SELECT {call}"), &schema);
            assert_eq!(shown(evaluated(&expr)), *expected, "{call}");
        }
    }
}

#[test]
fn names_are_distinct_and_found() {
    for function in FUNCTIONS {
        let found = super::find(function.name).unwrap();
        assert!(std::ptr::eq(found, function));
        assert_eq!((function.udf)().name(), function.name);
        assert!(function.doc.call.starts_with(function.name), "{}", function.doc.call);
    }
}

/// Whatever the days are, no function of days raises an error.
#[test]
fn functions_of_days_are_total() {
    let odd = [i32::MIN, i32::MIN + 1, -200_001, -1, 0, 59, 120_000, 200_001, i32::MAX];
    for name in ["month_of", "fiscal_year", "month_number", "weekday"] {
        let udf = (super::find(name).unwrap().udf)();
        for day in odd {
            invoke(&udf, vec![ColumnarValue::Scalar(ScalarValue::Date32(Some(day)))]);
        }
    }
    for name in ["age", "months_between", "days_between", "age_band", "months_band"] {
        let udf = (super::find(name).unwrap().udf)();
        for from in odd {
            for to in odd {
                let day = |day: i32| ColumnarValue::Scalar(ScalarValue::Date32(Some(day)));
                invoke(&udf, vec![day(from), day(to)]);
            }
        }
    }
}

/// Whatever a code is, no function of codes raises an error or cuts a character.
#[test]
fn functions_of_codes_are_total() {
    let odd = [
        "",
        "あ",
        "ああああああああ",
        "E1",
        "E1あ",
        "\u{0}\u{0}\u{0}",
        "----------",
        "𠮷𠮷𠮷",
        "00000000000000000",
    ];
    for code in odd {
        let text = || ColumnarValue::Scalar(ScalarValue::Utf8(Some(code.to_owned())));
        let number = |number: i64| ColumnarValue::Scalar(ScalarValue::Int64(Some(number)));
        for name in ["icd_chapter", "icd_block", "prefecture_of"] {
            invoke(&(super::find(name).unwrap().udf)(), vec![text()]);
        }
        for name in ["atc_level", "yj_class", "code_prefix"] {
            for level in [i64::MIN, 1, 2, 3, 4, 5, i64::MAX] {
                invoke(&(super::find(name).unwrap().udf)(), vec![text(), number(level)]);
            }
        }
        for part in ["mdc", "surgery", "severity", "else"] {
            let part = ColumnarValue::Scalar(ScalarValue::Utf8(Some(part.to_owned())));
            invoke(&(super::find("dpc_part").unwrap().udf)(), vec![text(), part]);
        }
    }
}

/// The page on the functions says what the functions say.
#[test]
fn the_manual_page_is_fresh() {
    let mut page = "# The functions of our SQL\n\n".to_owned();
    page.push_str(
        "Every function is total: an argument that is missing or not of the expected form gives null.\n",
    );
    page.push_str("There are no others; `SELECT * FROM misu.functions` gives the same list.\n");
    page.push_str("A call with its result is a test of the function.\n");
    for function in FUNCTIONS {
        let doc = function.doc;
        page.push_str(&format!("\n## `{}`\n\n{}.\n{}。\n\n", doc.call, sentence(doc.text), doc.ja));
        page.push_str(&format!("In a query: `{}`.\n\n| call | gives |\n| --- | --- |\n", doc.example));
        for (call, gives) in doc.cases {
            page.push_str(&format!("| `{call}` | {} |\n", shown_case(gives)));
        }
    }
    let path = std::env::current_dir().unwrap().join("../../docs/manual/functions.md");
    expect_test::expect_file![&path].assert_eq(&page);
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn shown_case(gives: &str) -> String {
    if gives == "null" { "null".to_owned() } else { format!("`{gives}`") }
}

/// A call whose arguments are what windows of `x` give, within one that has a domain.
fn grouped(function: &Function) -> String {
    let argument = |argument: &Argument| match argument {
        Argument::BirthDate => "x.birth_date".to_owned(),
        Argument::Day => "x.d".to_owned(),
        Argument::Code | Argument::Any => "x.c".to_owned(),
        Argument::Number => "x.n".to_owned(),
        Argument::Literal { low, high: _ } => low.to_string(),
        Argument::Word(words) => format!("'{}'", words[0]),
        Argument::Value => "'13'".to_owned(),
        Argument::Cuts(_) => "5, 10".to_owned(),
    };
    let arguments: Vec<String> = function.arguments.iter().map(argument).collect();
    let call = format!("{}({})", function.name, arguments.join(", "));
    match function.gives {
        Gives::Text | Gives::First => call,
        Gives::Day => format!("month_of({call})"),
        Gives::Number => format!("bucket({call}, 5, 10)"),
    }
}

#[test]
fn a_call_tells_what_its_arguments_tell() {
    let catalogue = Catalogue::builtin().unwrap();
    let grant = grant_of_all(&catalogue);
    let rule = |call: &str, partition: &str| {
        let over = format!("OVER (PARTITION BY {partition} ORDER BY r.service_month)");
        let rows = format!(
            "SELECT r.person_id, p.birth_date, first_value(r.prefecture) {over} AS c, \
             first_value(r.service_month) {over} AS d, first_value(r.total_points) {over} AS n \
             FROM ndb_receipt r JOIN person p ON p.person_id = r.person_id"
        );
        let sql = format!("SELECT {call} AS k, count(*) AS n FROM ({rows}) x GROUP BY {call}");
        match vet(&sql, Scope { catalogue: &catalogue, grant: &grant }) {
            Ok(_) => None,
            Err(NotVetted::Refused(refusal)) => Some(refusal.rule()),
            Err(not_vetted) => panic!("{not_vetted}"),
        }
    };
    let mut groups = 0;
    for function in FUNCTIONS {
        let call = grouped(function);
        // A facility decided which value it is.
        let decided = rule(&call, "r.person_id, r.facility_id");
        match rule(&call, "r.person_id") {
            None => {
                groups += 1;
                assert_eq!(decided, Some(Rule::GroupKey), "{call}");
            }
            // Not every function takes what these windows give.
            Some(_) => assert!(decided.is_some(), "{call}"),
        }
    }
    assert!(groups >= 15, "{groups} calls are groups");
}
