//! `SELECT … FROM misu.functions`, `misu.tables`, `misu.columns` and `misu.lists`: what may be asked, answered without
//! touching data.
//!
//! The rows come from our own functions, from the catalogue as far as the permit covers it, and from the project's lists
//! of codes. This is not
//! `information_schema`: there is no figure, no file and no table of another project in it. Conditions are equalities
//! and prefixes of texts, joined by AND; nothing else is needed to look something up.

use catalog_model::{Catalogue, CodeList, Column, ColumnKind, Domain, Grant, Table, Workspace};
use datafusion_sql::parser::{DFParserBuilder, Statement};
use datafusion_sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, ObjectName, ObjectNamePart, Query, Select, SelectItem, SetExpr,
    Statement as SqlStatement, TableFactor, Value,
};
use datafusion_sql::sqlparser::dialect::GenericDialect;

use crate::functions;
use crate::places::Places;
use crate::refusal::{Refusal, Rule};
use crate::rules::{clauses, statement};
use crate::vet::Scope;

const SCHEMA: &str = "misu";
const FORM: &str = "SELECT * FROM misu.columns WHERE \"table\" = 'person'";

/// A table about what may be asked; texts only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataTable {
    /// Its name: `misu.functions`, `misu.tables`, `misu.columns` or `misu.lists`.
    pub name: String,
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The rows; each has a text for every column.
    pub rows: Vec<Vec<String>>,
}

/// The answer to a question about what may be asked; none where the text asks for something else.
///
/// # Errors
///
/// A question about `misu.…` in a form that is not known is refused.
pub fn metadata(
    sql: &str,
    scope: Scope<'_>,
    workspace: &Workspace,
) -> Option<Result<MetadataTable, Refusal>> {
    let is_small = sql.len() <= statement::MAX_BYTES;
    if !is_small || !sql.to_ascii_lowercase().contains("misu") {
        return None;
    }
    let places = Places::new(sql);
    let mut parser = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(statement::MAX_NESTING)
        .build()
        .ok()?;
    let mut statements = parser.parse_statements().ok()?;
    let (Some(Statement::Statement(first)), true) = (statements.pop_front(), statements.is_empty()) else {
        return None;
    };
    let SqlStatement::Query(query) = *first else { return None };
    let name = asked(&query)?;
    Some(clauses::check(&query, &places).and_then(|()| answer(&name, &query, (scope, workspace), &places)))
}

/// The name after `misu.`, where that is the only table of the query.
fn asked(query: &Query) -> Option<String> {
    let SetExpr::Select(select) = query.body.as_ref() else { return None };
    let [from] = select.from.as_slice() else { return None };
    let TableFactor::Table { name: ObjectName(parts), .. } = &from.relation else { return None };
    match parts.as_slice() {
        [ObjectNamePart::Identifier(schema), ObjectNamePart::Identifier(name)]
            if schema.value.eq_ignore_ascii_case(SCHEMA) && from.joins.is_empty() =>
        {
            Some(name.value.to_ascii_lowercase())
        }
        _ => None,
    }
}

fn answer(
    name: &str,
    query: &Query,
    (scope, workspace): (Scope<'_>, &Workspace),
    places: &Places<'_>,
) -> Result<MetadataTable, Refusal> {
    let refuse = || {
        Refusal::new(
            Rule::Root,
            "misu.functions, misu.tables, misu.columns and misu.lists are looked up, not computed with",
        )
        .at(places.word(SCHEMA))
        .suggest(FORM)
    };
    let SetExpr::Select(select) = query.body.as_ref() else { return Err(refuse()) };
    if query.with.is_some() || query.order_by.is_some() || query.limit_clause.is_some() {
        return Err(refuse());
    }
    let (columns, rows) = match name {
        "functions" => of_functions(),
        "tables" => of_tables(scope.catalogue, scope.grant),
        "columns" => of_columns(scope.catalogue, scope.grant),
        "lists" => of_lists(workspace),
        _ => {
            return Err(Refusal::new(Rule::Names, format!("there is no table misu.{name}"))
                .at(places.word(name))
                .suggest("misu.functions, misu.tables, misu.columns or misu.lists"));
        }
    };
    let table = MetadataTable {
        name: format!("{SCHEMA}.{name}"),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        rows,
    };
    select_from(&table, select).ok_or_else(refuse)
}

/// The rows and columns that a SELECT picks; none where it does more than that.
fn select_from(table: &MetadataTable, select: &Select) -> Option<MetadataTable> {
    let conditions = match &select.selection {
        Some(condition) => conditions(condition, &table.columns)?,
        None => Vec::new(),
    };
    let is_plain = select.having.is_none() && select.distinct.is_none() && no_groups(select);
    let mut picked = Vec::new();
    for item in &select.projection {
        match item {
            SelectItem::Wildcard(_) => picked.extend(0..table.columns.len()),
            SelectItem::UnnamedExpr(Expr::Identifier(name)) => picked.push(at(name, &table.columns)?),
            _ => return None,
        }
    }
    let pick = |row: &Vec<String>| picked.iter().filter_map(|at| row.get(*at).cloned()).collect::<Vec<_>>();
    let rows = table.rows.iter().filter(|row| conditions.iter().all(|condition| condition.holds(row)));
    is_plain.then(|| MetadataTable {
        rows: rows.map(pick).collect(),
        columns: pick(&table.columns),
        name: table.name.clone(),
    })
}

fn no_groups(select: &Select) -> bool {
    use datafusion_sql::sqlparser::ast::GroupByExpr;
    matches!(&select.group_by, GroupByExpr::Expressions(keys, _) if keys.is_empty())
}

fn at(name: &Ident, columns: &[String]) -> Option<usize> {
    columns.iter().position(|column| column.eq_ignore_ascii_case(&name.value))
}

/// A column's text and what it equals or begins with.
struct Condition {
    column: usize,
    text: String,
    is_prefix: bool,
}

impl Condition {
    fn holds(&self, row: &[String]) -> bool {
        row.get(self.column).is_some_and(|value| {
            if self.is_prefix { value.starts_with(&self.text) } else { *value == self.text }
        })
    }
}

fn conditions(expr: &Expr, columns: &[String]) -> Option<Vec<Condition>> {
    match expr {
        Expr::Nested(inner) => conditions(inner, columns),
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
            let mut both = conditions(left, columns)?;
            both.extend(conditions(right, columns)?);
            Some(both)
        }
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
            let Expr::Identifier(name) = left.as_ref() else { return None };
            let text = text(right)?.to_owned();
            Some(vec![Condition { column: at(name, columns)?, text, is_prefix: false }])
        }
        Expr::Like { negated: false, any: false, expr, pattern, escape_char: None } => {
            let Expr::Identifier(name) = expr.as_ref() else { return None };
            let prefix = text(pattern)?.strip_suffix('%').filter(|prefix| !prefix.contains(['%', '_']))?;
            Some(vec![Condition { column: at(name, columns)?, text: prefix.to_owned(), is_prefix: true }])
        }
        _ => None,
    }
}

fn text(expr: &Expr) -> Option<&str> {
    let Expr::Value(value) = expr else { return None };
    match &value.value {
        Value::SingleQuotedString(text) => Some(text),
        _ => None,
    }
}

type Rows = (&'static [&'static str], Vec<Vec<String>>);

fn of_functions() -> Rows {
    let row = |(name, doc): (&'static str, functions::FunctionDoc)| {
        let cases: Vec<String> = doc.cases.iter().map(|(call, gives)| format!("{call} → {gives}")).collect();
        [name, doc.call, doc.ja, doc.text, doc.example, &cases.join("; ")].map(str::to_owned).to_vec()
    };
    (
        &["name", "call", "ja", "en", "example", "cases"],
        functions::documentation().into_iter().map(row).collect(),
    )
}

fn of_tables(catalogue: &Catalogue, grant: &Grant) -> Rows {
    let granted = catalogue.tables.values().filter(|table| grant.tables.contains_key(&table.table));
    let row = |table: &Table| {
        let period = table.period.as_deref().unwrap_or_default();
        let unit = match (table.is_private(), table.is_open()) {
            (true, _) => "person",
            (false, true) => "public",
            (false, false) => "facility",
        };
        let texts: [&str; 8] = [
            &table.table,
            &table.database,
            &table.name.ja,
            &table.name.en,
            &table.row.ja,
            &table.row.en,
            unit,
            period,
        ];
        texts.map(str::to_owned).to_vec()
    };
    (&["name", "database", "ja", "en", "row_ja", "row_en", "unit", "period"], granted.map(row).collect())
}

fn of_columns(catalogue: &Catalogue, grant: &Grant) -> Rows {
    let row = |table: &Table, column: &Column| {
        let domain = match &column.domain {
            Some(Domain::Codes(system)) => format!("codes {system}"),
            Some(Domain::Months) => "months".to_owned(),
            Some(Domain::Flag) => "flag".to_owned(),
            None => String::new(),
        };
        let bounds = column.bounds.map(|bounds| format!("{}..{}", bounds.low, bounds.high));
        let texts: [&str; 11] = [
            &table.table,
            &column.name,
            &column.ja,
            &column.en,
            column.class.as_str(),
            kind(column.kind),
            &domain,
            column.codes.as_deref().unwrap_or_default(),
            column.unit.as_deref().unwrap_or_default(),
            bounds.as_deref().unwrap_or_default(),
            column.note.as_deref().unwrap_or_default(),
        ];
        texts.map(str::to_owned).to_vec()
    };
    let rows = catalogue.tables.values().flat_map(|table| {
        let granted = table.columns.iter().filter(|column| grant.allows(&table.table, &column.name));
        granted.map(|column| row(table, column)).collect::<Vec<_>>()
    });
    (
        &["table", "name", "ja", "en", "class", "type", "domain", "codes", "unit", "bounds", "note"],
        rows.collect(),
    )
}

/// Every version of the project's lists; the newest of a list is what its name alone means.
fn of_lists(workspace: &Workspace) -> Rows {
    let row = |(name, list): (&String, &CodeList)| {
        let (name, version) = name.split_once('@')?;
        let (codes, digest) = (list.codes.len().to_string(), list.digest());
        let texts: [&str; 5] = [name, version, &list.system, &codes, &digest];
        Some(texts.map(str::to_owned).to_vec())
    };
    (&["name", "version", "system", "codes", "digest"], workspace.lists.iter().filter_map(row).collect())
}

const fn kind(kind: ColumnKind) -> &'static str {
    match kind {
        ColumnKind::Id => "id",
        ColumnKind::String => "text",
        ColumnKind::Date => "date",
        ColumnKind::Month => "month",
        ColumnKind::Int => "int",
        ColumnKind::Decimal5 => "decimal",
        ColumnKind::Bool => "bool",
        ColumnKind::Days => "days",
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, CodeList, Workspace};

    use super::{MetadataTable, metadata};
    use crate::functions::{documentation, tests::grant};
    use crate::refusal::Refusal;
    use crate::vet::Scope;

    fn ask(sql: &str) -> Option<Result<MetadataTable, Refusal>> {
        let catalogue = Catalogue::builtin().unwrap();
        let mut grant = grant();
        grant.tables.insert("person".to_owned(), ["person_id", "sex"].map(str::to_owned).into());
        let list = |code: &str| CodeList { system: "icd10".to_owned(), codes: vec![code.to_owned()] };
        let named = [("heart@1", "I21"), ("heart@2", "I22"), ("heart", "I22")];
        let lists = named.map(|(name, code)| (name.to_owned(), list(code))).into();
        let workspace = Workspace { lists, ..Workspace::default() };
        metadata(sql, Scope { catalogue: &catalogue, grant: &grant }, &workspace)
    }

    #[test]
    fn functions_are_listed_with_their_cases() {
        let table = ask("SELECT * FROM misu.functions").unwrap().unwrap();
        assert_eq!(table.rows.len(), documentation().len());
        let table =
            ask("select name, en from MISU.functions where name like 'icd%' and (name = 'icd_block')");
        let table = table.unwrap().unwrap();
        assert_eq!(table.columns, ["name", "en"]);
        assert_eq!(table.rows, [["icd_block", "the block of an ICD-10 (2013) code, such as E10-E14"]]);
    }

    #[test]
    fn only_granted_tables_and_columns_are_listed() {
        let table = ask("SELECT name FROM misu.tables").unwrap().unwrap();
        assert_eq!(table.rows, [["person"]]);
        let table = ask("SELECT \"table\", name, class FROM misu.columns").unwrap().unwrap();
        assert_eq!(table.rows, [["person", "person_id", "person"], ["person", "sex", "quasi"]]);
    }

    #[test]
    fn every_version_of_a_list_has_a_line() {
        let table = ask("SELECT name, version, system, codes FROM misu.lists").unwrap().unwrap();
        assert_eq!(table.rows, [["heart", "1", "icd10", "1"], ["heart", "2", "icd10", "1"]]);
        let digests = ask("SELECT digest FROM misu.lists WHERE name = 'heart'").unwrap().unwrap();
        assert_ne!(digests.rows[0], digests.rows[1]);
    }

    #[test]
    fn other_forms_are_refused_or_not_ours() {
        for sql in [
            "SELECT count(*) FROM misu.functions",
            "SELECT name FROM misu.functions GROUP BY name",
            "SELECT DISTINCT name FROM misu.functions",
            "SELECT * FROM misu.functions WHERE name LIKE '%a%'",
            "SELECT * FROM misu.functions WHERE length(name) = 3",
            "SELECT * FROM misu.functions LIMIT 1",
            "SELECT * FROM misu.secrets",
            "SELECT f.name FROM misu.functions f TABLESAMPLE (1)",
        ] {
            assert!(ask(sql).unwrap().is_err(), "{sql}");
        }
        for sql in [
            "SELECT count(*) FROM person",
            "SELECT * FROM misu.functions; DROP TABLE person",
            "SELECT * FROM misu.functions f JOIN person p ON true",
            "SELECT 'misu' FROM (SELECT * FROM misu.functions)",
            "SELECT misu",
            "misu",
        ] {
            assert!(ask(sql).is_none(), "{sql}");
        }
    }
}
