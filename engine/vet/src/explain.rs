//! What the planner did not find or could not make, in our words: whose fault it is, where, and the nearest allowed form.
//!
//! Its own message is looked at and not handed on, since it may name tables that are not granted. Which of its messages
//! means what is known by their words; one that no branch knows is told as a query that cannot be planned.

use datafusion_common::DataFusionError;
use datafusion_sql::planner::SqlToRel;

use crate::functions;
use crate::places::Places;
use crate::refusal::{Denial, NotVetted, Refusal, Rule};
use crate::relation::Judge;
use crate::rules::{function, statement};
use crate::schema::GrantedSchema;
use crate::vet;

/// The form of a query.
pub(crate) const FORM: &str = "SELECT groups, aggregates FROM tables JOIN … ON person_id WHERE … GROUP BY …";
/// What aggregates take.
const AGGREGATES: &str =
    "count(*), count(DISTINCT person_id), and sum, avg, stddev, variance, median, quantile of a measure";
/// Group keys that a proposal adds.
const MOST_KEYS: usize = 4;

/// Functions of other databases, with what is asked here instead.
const INSTEAD: [(&[&str], &str); 17] = [
    (&["substr", "substring", "left"], "icd10 LIKE 'E11%', or code_prefix(icd10, 3)"),
    (
        &["regexp_like", "regexp_match", "regexp_matches", "starts_with", "contains", "strpos", "position"],
        "icd10 LIKE 'E11%', or icd10 IN ('E110', 'E119')",
    ),
    (
        &["trim", "btrim", "lower", "upper", "concat", "replace", "length"],
        "codes as they stand: icd10 = 'E119'",
    ),
    (
        &["now", "today", "getdate", "current_date", "current_timestamp"],
        "a day written in the query: DATE '2024-04-01'",
    ),
    (&["year", "extract", "date_part"], "fiscal_year(service_month), or date_trunc('year', service_month)"),
    (
        &["month", "to_char", "date_format", "strftime"],
        "month_of(admission_date), or month_number(admission_date)",
    ),
    (
        &["datediff", "date_diff", "timestampdiff"],
        "days_between(admission_date, discharge_date), or months_between(first_month, last_month)",
    ),
    (&["dateadd", "date_add"], "add_months(service_month, 3)"),
    (&["if", "iif", "decode"], "CASE WHEN … THEN … ELSE … END"),
    (&["ifnull", "nvl", "isnull"], "coalesce(outcome, '9')"),
    (
        &["count_if", "countif", "sum_if", "sumif", "bool_or", "bool_and"],
        "count(*) FILTER (WHERE is_main), or sum(CASE WHEN … THEN … END)",
    ),
    (
        &["percentile_cont", "percentile_disc", "percentile", "approx_percentile_cont", "mode"],
        "median(total_points), or quantile(total_points, 0.9)",
    ),
    (&["std", "stdev", "stddev_samp", "stddev_pop"], "stddev(total_points)"),
    (&["var", "var_samp", "var_pop"], "variance(total_points)"),
    (&["approx_distinct", "approx_count_distinct"], "count(DISTINCT person_id)"),
    (
        &["array_agg", "string_agg", "group_concat", "listagg", "any_value", "first_value", "last_value"],
        "count(DISTINCT person_id) with GROUP BY: values of single rows never leave",
    ),
    (
        &["floor", "ceil", "ceiling", "abs", "sqrt", "power", "ln", "log", "exp"],
        "a measure as it is, or bucket(total_points, 1000, 10000)",
    ),
];

/// Columns as they are called elsewhere, with what they are here.
const CALLED: [(&[&str], &str); 3] = [
    (&["id", "patient_id", "patient", "pid"], "person_id"),
    (&["gender"], "sex"),
    (&["age"], "age_band(birth_date, DATE '2024-04-01'), or age(birth_date, DATE '2024-04-01') >= 65"),
];

/// Says in our words what the planner did not find.
pub(crate) fn explain(judge: &Judge<'_>, error: &DataFusionError) -> NotVetted {
    let text = error.strip_backtrace();
    if let Some(denial) = denied(judge, &text) {
        return denial.into();
    }
    let known = table(judge, &text)
        .or_else(|| ungrouped(judge, &text))
        .or_else(|| unknown_function(judge, &text))
        .or_else(|| column(judge, &text))
        .or_else(|| arguments(judge, &text));
    let refusal = known.unwrap_or_else(|| {
        Refusal::new(Rule::Syntax, "the query cannot be planned")
            .ja("この問合せは実行計画にできません")
            .at(judge.places.word("SELECT"))
            .suggest(FORM)
    });
    refusal.into()
}

fn table(judge: &Judge<'_>, text: &str) -> Option<Refusal> {
    if !text.contains("no table") && !text.contains("No table") {
        return None;
    }
    let name = quoted(text);
    let tables: Vec<&str> = judge.grant.tables.keys().map(String::as_str).collect();
    let all = format!("the tables are {}", tables.join(", "));
    let asked = name.as_deref().filter(|name| name.len() > 3 && !name.contains('.'));
    let is_near = |table: &str| asked.is_some_and(|asked| table.contains(asked) || asked.contains(table));
    let near: Vec<&str> = tables.iter().copied().filter(|table| is_near(table)).collect();
    Some(
        Refusal::new(Rule::Names, "there is no such table")
            .ja("その名前の表はありません")
            .at(name.and_then(|name| place(judge, &name)))
            .suggest(if near.is_empty() { all } else { format!("{}; {all}", near.join(" or ")) }),
    )
}

/// A column that is shown and is neither a group nor within an aggregate.
fn ungrouped(judge: &Judge<'_>, text: &str) -> Option<Refusal> {
    if text.contains("Aggregate functions are not allowed in the WHERE") {
        return Some(
            Refusal::new(Rule::Predicate, "an aggregate is no condition on rows")
                .ja("集計は WHERE の条件に書けません")
                .at(judge.places.word("WHERE"))
                .suggest("HAVING count(DISTINCT person_id) >= 100, after GROUP BY"),
        );
    }
    if !text.contains("GROUP BY") && !text.contains("resolved from available columns") {
        return None;
    }
    let missing = missing(text);
    let proposal = missing.as_deref().filter(|_| text.contains("Column in SELECT"));
    let proposal = proposal.and_then(|_| grouped(judge));
    Some(
        Refusal::new(Rule::Root, "what is shown is a group or an aggregate")
            .ja("SELECT に書けるのは GROUP BY の列か集計だけです")
            .at(missing.and_then(|name| place(judge, &name)))
            .at(judge.places.word("SELECT"))
            .suggest(
                proposal.unwrap_or_else(|| "put the column into GROUP BY, or into an aggregate".to_owned()),
            ),
    )
}

/// The column that a message of the planner says to be missing from GROUP BY.
fn missing(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("column \"")?;
    rest.split_once("\" must appear").map(|(name, _)| name.to_owned())
}

/// The query with the columns that it shows as groups; none where that does not pass either.
fn grouped(judge: &Judge<'_>) -> Option<String> {
    let mut sql = judge.places.text().trim_end().trim_end_matches(';').to_owned();
    for _ in 0..=MOST_KEYS {
        let places = Places::new(&sql);
        let schema = GrantedSchema::new(judge.meant);
        let planner = SqlToRel::new_with_options(&schema, vet::options());
        let planned = planner.statement_to_plan(statement::parse(&sql, &places).ok()?);
        let Err(error) = planned else { return vet::vet_here(&sql, judge.meant).is_ok().then_some(sql) };
        let key = missing(&error.strip_backtrace())?;
        sql = with_key(&sql, &places, &key)?;
    }
    None
}

/// A query of one SELECT with one more group.
fn with_key(sql: &str, places: &Places<'_>, key: &str) -> Option<String> {
    if places.count(&["SELECT"]) != 1 {
        return None;
    }
    if let Some((_, end)) = places.phrase(&["GROUP", "BY"]) {
        let (before, after) = sql.split_at_checked(end)?;
        return Some(format!("{before} {key},{after}"));
    }
    let later = ["HAVING", "ORDER", "LIMIT", "OFFSET"].iter().filter_map(|word| places.word(word));
    let end = later.map(|(from, _)| from).min().unwrap_or(sql.len());
    let (before, after) = sql.split_at_checked(end)?;
    Some(format!("{} GROUP BY {key} {after}", before.trim_end()).trim_end().to_owned())
}

fn column(judge: &Judge<'_>, text: &str) -> Option<Refusal> {
    if let Some((_, name)) = text.split_once("Ambiguous reference to unqualified field ") {
        let name = name.trim_start_matches('"');
        let name = name.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        return Some(
            Refusal::new(Rule::Names, format!("{name} is a column of several of the tables"))
                .ja(format!("{name} という列は複数の表にあります"))
                .at(judge.places.word(name))
                .suggest(format!("the table's name before it: p.{name}")),
        );
    }
    if !text.contains("No field named") && !text.contains("column") {
        return None;
    }
    let name = quoted(text);
    let span = name.as_deref().and_then(|name| place(judge, name));
    let suggestion = name.as_deref().and_then(|name| nearest(judge, name, span, text));
    let name = name.as_deref().unwrap_or("of this name");
    Some(
        Refusal::new(Rule::Names, format!("there is no column {name}"))
            .ja("その名前の列はありません")
            .at(span)
            .suggest(
                suggestion.unwrap_or_else(|| "the catalogue lists the columns of each table".to_owned()),
            ),
    )
}

/// What may have been meant by a column that is not there.
fn nearest(judge: &Judge<'_>, name: &str, span: Option<(usize, usize)>, text: &str) -> Option<String> {
    let written = span.and_then(|(from, to)| judge.places.text().get(from..to));
    if written.is_some_and(|written| written.starts_with('"')) {
        return Some(format!("'{name}', where a text is meant: \"…\" names a column"));
    }
    let (table, short) = name.rsplit_once('.').map_or((None, name), |(table, short)| (Some(table), short));
    let called = short.to_ascii_lowercase();
    if let Some((_, here)) = CALLED.iter().find(|(names, _)| names.contains(&called.as_str())) {
        return Some((*here).to_owned());
    }
    let near = text.split_once("Did you mean '").and_then(|(_, rest)| rest.split_once("'?"));
    let near = near.map(|(near, _)| near.replace('"', ""));
    let is_of =
        |near: &String| table.is_none_or(|table| near.split_once('.').is_some_and(|(of, _)| of == table));
    if let Some(near) = near.filter(is_of) {
        return Some(near);
    }
    let table = table_of(judge, table)?;
    Some(format!("SELECT name, ja, en FROM misu.columns WHERE \"table\" = '{table}'"))
}

/// The granted table that a name before a column stands for; without one, the first that the query names.
fn table_of<'j>(judge: &'j Judge<'_>, alias: Option<&str>) -> Option<&'j str> {
    let mut tables = judge.grant.tables.keys().map(String::as_str);
    let places = &judge.places;
    match alias {
        Some(alias) => tables.find(|table| {
            *table == alias
                || places.phrase(&[*table, alias]).is_some()
                || places.phrase(&[*table, "AS", alias]).is_some()
        }),
        None => {
            let named = tables.filter_map(|table| places.word(table).map(|place| (place, table)));
            named.min().map(|(_, table)| table)
        }
    }
}

fn unknown_function(judge: &Judge<'_>, text: &str) -> Option<Refusal> {
    let name = unknown(judge, text)?;
    let called = name.to_ascii_lowercase();
    let instead = INSTEAD.iter().find(|(names, _)| names.contains(&called.as_str()));
    let instead = instead.map_or_else(function::list, |(_, instead)| (*instead).to_owned());
    Some(
        Refusal::new(Rule::Function, "there is no such function")
            .ja("その名前の関数はありません")
            .at(judge.places.word(&name))
            .suggest(instead),
    )
}

/// The name of a function that the planner does not know. Of some, which have a syntax of their own, it says no name.
fn unknown(judge: &Judge<'_>, text: &str) -> Option<String> {
    let own: [(&str, &[&str]); 4] = [
        ("statement substring requires", &["substr", "substring"]),
        ("Extract not supported", &["extract"]),
        ("Position not supported", &["position"]),
        ("Overlay not supported", &["overlay"]),
    ];
    let named = ["Invalid function '", "Unable to find expected '"];
    let named = named.iter().find_map(|before| text.split_once(before));
    if let Some((name, _)) = named.and_then(|(_, rest)| rest.split_once('\'')) {
        return Some(if name == "btrim" { "trim".to_owned() } else { name.to_owned() });
    }
    // Of some, which take no arguments, it says that there is no such column.
    let bare = ["current_date", "current_timestamp"];
    if let Some(name) = bare.iter().find(|name| text.contains(&format!("No field named {name}"))) {
        return Some((*name).to_owned());
    }
    let (_, names) = own.iter().find(|(message, _)| text.contains(message))?;
    names.iter().find(|name| judge.places.word(name).is_some()).map(|name| (*name).to_owned())
}

/// A function that there is, with arguments that it does not take.
fn arguments(judge: &Judge<'_>, text: &str) -> Option<Refusal> {
    let is_named = |name: &str| text.contains(&format!("'{name}'"));
    let ours = functions::documentation().into_iter().find(|(name, _)| is_named(name));
    let aggregates = ["count", "sum", "avg", "min", "max", "median", "quantile", "stddev", "variance"];
    let (name, form) = match ours {
        Some((name, doc)) => (name, doc.call),
        None => (aggregates.into_iter().find(|name| is_named(name))?, AGGREGATES),
    };
    Some(
        Refusal::new(Rule::Function, format!("{name} takes other arguments"))
            .ja(format!("{name} の引数が違います"))
            .at(judge.places.word(name))
            .suggest(form),
    )
}

fn place(judge: &Judge<'_>, name: &str) -> Option<(usize, usize)> {
    match name.split_once('.') {
        Some((table, column)) => {
            judge.places.phrase(&[table, ".", column]).or_else(|| judge.places.word(column))
        }
        None => judge.places.word(name),
    }
}

/// A table or column that exists and that the permit does not cover.
fn denied(judge: &Judge<'_>, text: &str) -> Option<Denial> {
    let name = quoted(text)?;
    let short = name.rsplit('.').next().unwrap_or(&name);
    let span = judge.places.word(short);
    if judge.catalogue.tables.contains_key(short) && !judge.grant.tables.contains_key(short) {
        return Some(Denial { what: short.to_owned(), span });
    }
    let mut tables =
        judge.catalogue.tables.values().filter(|table| judge.places.word(&table.table).is_some());
    let table =
        tables.find(|table| table.column(short).is_some() && !judge.grant.allows(&table.table, short))?;
    Some(Denial { what: format!("{}.{short}", table.table), span })
}

/// The name that the planner's message is about.
fn quoted(text: &str) -> Option<String> {
    let after = ["No field named ", "no table ", "Invalid function '", "No table named '"]
        .iter()
        .find_map(|prefix| text.split_once(prefix).map(|(_, rest)| rest))?;
    let name: String = after
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '"' | '@'))
        .filter(|c| *c != '"')
        .collect();
    let name = name.trim_end_matches('.').to_owned();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;

    use crate::functions::tests::grant_of_all;
    use crate::refusal::{NotVetted, Rule};
    use crate::vet::{Scope, vet};

    /// The rule, the place and the proposal of a refused text.
    fn said(sql: &str) -> (Rule, String, String) {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant_of_all(&catalogue);
        match vet(sql, Scope { catalogue: &catalogue, grant: &grant }) {
            Err(NotVetted::Refused(refusal)) => (
                refusal.rule(),
                refusal.span().and_then(|(from, to)| sql.get(from..to)).unwrap_or_default().to_owned(),
                refusal.suggestion().unwrap_or_default().to_owned(),
            ),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_column_that_is_shown_is_proposed_as_a_group_where_that_passes() {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant_of_all(&catalogue);
        for sql in [
            "SELECT sex, count(*) AS n FROM person",
            "SELECT p.sex, p.first_month, count(*) AS n FROM person p GROUP BY p.sex;",
            "SELECT sex, first_month, count(*) AS n FROM person ORDER BY n LIMIT 5",
        ] {
            let (rule, _, proposal) = said(sql);
            assert_eq!(rule, Rule::Root, "{sql}");
            assert!(proposal.starts_with("SELECT ") && proposal.contains("GROUP BY"), "{sql}: {proposal}");
            assert!(vet(&proposal, Scope { catalogue: &catalogue, grant: &grant }).is_ok(), "{proposal}");
        }
        // What may not be a group is not proposed as one.
        let (_, place, proposal) = said("SELECT birth_date, count(*) AS n FROM person");
        assert_eq!((place.as_str(), proposal.contains("SELECT")), ("birth_date", false));
        let many: Vec<String> = (0..200).map(|at| format!("total_points + {at}")).collect();
        let (rule, ..) = said(&format!("SELECT {}, count(*) AS n FROM ndb_receipt", many.join(", ")));
        assert_eq!(rule, Rule::Root);
    }

    #[test]
    fn what_cannot_be_read_has_a_place_and_a_form() {
        let (rule, place, form) = said("SELECT count(*) FROM person WHERE sex = ’1’");
        assert_eq!((rule, place.as_str()), (Rule::Syntax, "’"));
        assert!(form.contains("半角"), "{form}");
        let (rule, place, form) = said("SELECT count(*)\nFROM person\nWHERE sex == == '1'");
        assert_eq!((rule, place.as_str()), (Rule::Syntax, "=="));
        assert_eq!(form, super::FORM);
    }
}
