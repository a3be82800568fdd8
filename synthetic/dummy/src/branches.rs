//! Has each branch of a question's conditions hold for some persons.
//!
//! The conditions of a question (WHERE, ON, and those of its subqueries) are written as alternatives of plain tests: a
//! column compared with literals. For each alternative some persons get values that pass its tests; every value is
//! tried against all tests on its column before it is taken. A condition that is no such test (a function of a column,
//! two columns compared) is told as left to chance, never passed over in silence.

mod test;

use std::collections::BTreeMap;

use sqlparser::ast::{
    BinaryOperator, Expr, JoinConstraint, JoinOperator, Query, Select, SetExpr, Statement, TableFactor,
    TableWithJoins, UnaryOperator,
};
use sqlparser::dialect::GenericDialect;
use sqlparser::parser::{Parser, ParserError};

use crate::plan::{Column, Plan};
use crate::value::{RECEIPTS, Value};
use test::Test;

/// The most branches of a question.
const MOST: usize = 64;

/// Values that some persons have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    from: u32,
    to: u32,
    values: BTreeMap<(String, String, u32), Value>,
}

/// A branch, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arranged {
    /// The tests that hold, as the question has them.
    pub holds: Vec<String>,
    /// Conditions that are left to chance.
    pub left: Vec<String>,
    /// How many persons it was arranged for.
    pub persons: u32,
}

impl Plan {
    /// The value that is wished for here, if any.
    pub(crate) fn wished(&self, table: &str, column: &str, person: u32, receipt: u32) -> Option<Value> {
        let mut wishes = self.wishes.iter().filter(|wish| (wish.from..=wish.to).contains(&person));
        wishes.find_map(|wish| wish.values.get(&(table.to_owned(), column.to_owned(), receipt)).cloned())
    }

    /// Says whether anything is wished for a person.
    pub(crate) fn is_wished(&self, person: u32) -> bool {
        self.wishes.iter().any(|wish| (wish.from..=wish.to).contains(&person))
    }
}

/// Arranges that each branch of this question holds for `each` persons, who are added to the first of the plan.
///
/// # Errors
///
/// The text is no SQL.
pub fn arrange(plan: &mut Plan, sql: &str, each: u32) -> Result<Vec<Arranged>, ParserError> {
    let statements = Parser::parse_sql(&GenericDialect {}, sql)?;
    let mut reader = Reader { plan, seen: BTreeMap::new() };
    let mut branches = vec![Vec::new()];
    for statement in &statements {
        if let Statement::Query(query) = statement {
            branches = both(branches, reader.query(query));
        }
    }
    let mut from = plan.wishes.last().map_or(1, |wish| wish.to + 1);
    let mut arranged = Vec::new();
    for branch in branches {
        let (values, mut told) = settle(plan, &branch);
        let to = from.saturating_add(each.max(1)) - 1;
        told.persons = to - from + 1;
        plan.persons = plan.persons.max(to);
        plan.wishes.push(Wish { from, to, values });
        arranged.push(told);
        from = to + 1;
    }
    Ok(arranged)
}

/// A condition of a branch: a test of a column, or a text that is left to chance.
#[derive(Clone, Debug)]
enum Atom {
    Test {
        at: Place,
        test: Test,
        text: String,
    },
    /// Holds as it is, since the same fact of the same receipt agrees everywhere.
    Joined(String),
    Left(String),
}

/// A column of a row.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    table: String,
    column: String,
    receipt: u32,
}

type Branches = Vec<Vec<Atom>>;

/// Every alternative of one with every one of the other.
fn both(one: Branches, two: Branches) -> Branches {
    let joined = one.iter().flat_map(|left| two.iter().map(move |right| [left.as_slice(), right].concat()));
    joined.take(MOST).collect()
}

/// The tables that a part of a question sees: alias, table, and which receipt of the person it stands for.
#[derive(Clone, Debug, Default)]
struct Scope(Vec<(String, String, u32)>);

struct Reader<'p> {
    plan: &'p Plan,
    /// How often each table was named.
    seen: BTreeMap<String, u32>,
}

impl Reader<'_> {
    fn query(&mut self, query: &Query) -> Branches {
        let mut branches = self.body(&query.body, &Scope::default());
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            branches = both(branches, self.query(&table.query));
        }
        branches
    }

    fn body(&mut self, body: &SetExpr, outer: &Scope) -> Branches {
        match body {
            SetExpr::Select(select) => self.select(select, outer),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                let mut branches = self.body(left, outer);
                branches.extend(self.body(right, outer));
                branches
            }
            _ => vec![Vec::new()],
        }
    }

    fn select(&mut self, select: &Select, outer: &Scope) -> Branches {
        let mut scope = Scope::default();
        let mut branches = vec![Vec::new()];
        for from in &select.from {
            branches = both(branches, self.from(from, &mut scope));
        }
        scope.0.extend(outer.0.iter().cloned());
        let on = select.from.iter().flat_map(|from| &from.joins).filter_map(|join| on(&join.join_operator));
        for condition in on.chain(&select.selection) {
            branches = both(branches, self.condition(condition, &scope));
        }
        branches
    }

    fn from(&mut self, from: &TableWithJoins, scope: &mut Scope) -> Branches {
        let relations = std::iter::once(&from.relation).chain(from.joins.iter().map(|join| &join.relation));
        let mut branches = vec![Vec::new()];
        for relation in relations {
            match relation {
                TableFactor::Table { name, alias, .. } => {
                    let table = name.to_string().to_lowercase();
                    let alias =
                        alias.as_ref().map_or_else(|| table.clone(), |alias| alias.name.value.to_lowercase());
                    let seen = self.seen.entry(table.clone()).or_insert(0);
                    scope.0.push((alias, table, (*seen).min(RECEIPTS - 1)));
                    *seen += 1;
                }
                TableFactor::Derived { subquery, .. } => branches = both(branches, self.query(subquery)),
                TableFactor::NestedJoin { table_with_joins, .. } => {
                    branches = both(branches, self.from(table_with_joins, scope));
                }
                other => branches = both(branches, vec![vec![Atom::Left(other.to_string())]]),
            }
        }
        branches
    }

    fn condition(&mut self, expr: &Expr, scope: &Scope) -> Branches {
        match expr {
            Expr::Nested(inner) => self.condition(inner, scope),
            Expr::BinaryOp { left, op: BinaryOperator::And, right } => {
                both(self.condition(left, scope), self.condition(right, scope))
            }
            Expr::BinaryOp { left, op: BinaryOperator::Or, right } => {
                let mut branches = self.condition(left, scope);
                branches.extend(self.condition(right, scope));
                branches.truncate(MOST);
                branches
            }
            Expr::Exists { subquery, negated: false } => self.inner(subquery, scope),
            Expr::InSubquery { subquery, negated: false, .. } => self.inner(subquery, scope),
            other => vec![vec![self.atom(other, scope)]],
        }
    }

    fn inner(&mut self, query: &Query, scope: &Scope) -> Branches {
        self.body(&query.body, scope)
    }

    fn atom(&self, expr: &Expr, scope: &Scope) -> Atom {
        let text = expr.to_string();
        if let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = expr
            && let (Some((one, _)), Some((two, _))) = (self.place(left, scope), self.place(right, scope))
        {
            let is_person = one.column == two.column && one.column == "person_id";
            let is_same = one.column == two.column && one.receipt == two.receipt;
            return if is_person || is_same { Atom::Joined(text) } else { Atom::Left(text) };
        }
        match self.test(expr, scope) {
            Some((at, test)) => Atom::Test { at, test, text },
            None => Atom::Left(text),
        }
    }

    fn test(&self, expr: &Expr, scope: &Scope) -> Option<(Place, Test)> {
        match expr {
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => {
                let (at, _) = self.place(expr, scope)?;
                Some((at, Test::flag(false)))
            }
            Expr::IsTrue(inner) | Expr::IsFalse(inner) => {
                let (at, _) = self.place(inner, scope)?;
                Some((at, Test::flag(matches!(expr, Expr::IsTrue(_)))))
            }
            Expr::Identifier(_) | Expr::CompoundIdentifier(_) => {
                let (at, _) = self.place(expr, scope)?;
                Some((at, Test::flag(true)))
            }
            _ => {
                let (tested, read) = test::parts(expr)?;
                let (at, column) = self.place(tested, scope)?;
                Some((at, read(column)?))
            }
        }
    }

    /// The column that an expression names, where it is a granted one of a table.
    fn place(&self, expr: &Expr, scope: &Scope) -> Option<(Place, &Column)> {
        let (alias, name) = match expr {
            Expr::Identifier(name) => (None, name),
            Expr::CompoundIdentifier(parts) => match parts.as_slice() {
                [alias, name] => (Some(alias.value.to_lowercase()), name),
                _ => return None,
            },
            Expr::Nested(inner) => return self.place(inner, scope),
            _ => return None,
        };
        let name = name.value.to_lowercase();
        let mut seen = scope.0.iter().filter(|(known, ..)| alias.as_ref().is_none_or(|alias| known == alias));
        seen.find_map(|(_, table, receipt)| {
            let column = self.plan.tables.get(table)?.iter().find(|column| column.name == name)?;
            // A person has one row in the table of persons.
            let receipt = if table == "person" { 0 } else { *receipt };
            Some((Place { table: table.clone(), column: name.clone(), receipt }, column))
        })
    }
}

fn on(join: &JoinOperator) -> Option<&Expr> {
    match join {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::Semi(constraint) => match constraint {
            JoinConstraint::On(condition) => Some(condition),
            _ => None,
        },
        _ => None,
    }
}

/// A branch's values: for each column one that passes all of its tests.
fn settle(plan: &Plan, branch: &[Atom]) -> (BTreeMap<(String, String, u32), Value>, Arranged) {
    let mut told = Arranged { holds: Vec::new(), left: Vec::new(), persons: 0 };
    let mut by_place: BTreeMap<&Place, Vec<(&Test, &String)>> = BTreeMap::new();
    for atom in branch {
        match atom {
            Atom::Test { at, test, text } => by_place.entry(at).or_default().push((test, text)),
            Atom::Joined(text) => told.holds.push(text.clone()),
            Atom::Left(text) => told.left.push(text.clone()),
        }
    }
    let mut values = BTreeMap::new();
    for (at, tests) in by_place {
        let column =
            plan.tables.get(&at.table).and_then(|all| all.iter().find(|column| column.name == at.column));
        let candidates = tests
            .iter()
            .flat_map(|(test, _)| column.map(|column| test.candidates(column)).unwrap_or_default());
        let texts = tests.iter().map(|(_, text)| (*text).clone());
        match candidates.into_iter().find(|value| tests.iter().all(|(test, _)| test.holds(value))) {
            Some(value) => {
                told.holds.extend(texts);
                values.insert((at.table.clone(), at.column.clone(), at.receipt), value);
            }
            // Two tests that exclude each other, or that no single candidate passes.
            None => told.left.extend(texts),
        }
    }
    (values, told)
}

#[cfg(test)]
mod tests {
    use engine_protocol::{
        CatalogueColumn, CatalogueTable, CatalogueView, CellValue, ReleasedTable, TableColumn,
        TableColumnKind,
    };

    use super::arrange;
    use crate::plan::Plan;

    fn plan() -> Plan {
        let names = ["table", "name", "class", "type", "bounds"];
        let column =
            |name: &&str| TableColumn { name: (*name).to_owned(), kind: TableColumnKind::Key, unit: None };
        let text =
            |text: &&str| CellValue::Key { code: (*text).to_owned(), ja: String::new(), en: String::new() };
        let rows = [
            ["person", "person_id", "person", "id", ""],
            ["person", "sex", "quasi", "text", ""],
            ["d", "person_id", "person", "id", ""],
            ["d", "receipt_id", "record", "id", ""],
            ["d", "icd10", "sensitive", "text", ""],
            ["d", "service_month", "quasi", "month", ""],
            ["d", "points", "measure", "int", "0..9999"],
            ["d", "is_main", "quasi", "bool", ""],
        ];
        let columns = ReleasedTable {
            query: String::new(),
            snapshot: String::new(),
            columns: names.iter().map(column).collect(),
            rows: rows.iter().map(|row| row.iter().map(text).collect()).collect(),
            suppressed: 0,
            threshold: 0,
            rules: String::new(),
            certificate: None,
        };
        let codes = ["1", "2"].map(|code| (code.to_owned(), String::new(), String::new())).to_vec();
        let sex = CatalogueColumn {
            name: "sex".to_owned(),
            ja: String::new(),
            en: String::new(),
            class: String::new(),
            kind: String::new(),
            unit: None,
            usage: String::new(),
            note: None,
            codes,
        };
        let table = CatalogueTable {
            name: "person".to_owned(),
            database: String::new(),
            ja: String::new(),
            en: String::new(),
            row: (String::new(), String::new()),
            source: String::new(),
            columns: vec![sex],
        };
        let period = Some(("2024-04".to_owned(), "2024-09".to_owned()));
        let view = CatalogueView { snapshot: None, period, is_demo: true, tables: vec![table] };
        Plan::new(&columns, &view, 20, 1).unwrap()
    }

    /// The branches of a condition: what holds and what is left.
    fn branches(sql: &str) -> Vec<(String, String)> {
        let arranged = arrange(&mut plan(), sql, 3).unwrap();
        arranged.into_iter().map(|branch| (branch.holds.join(" · "), branch.left.join(" · "))).collect()
    }

    #[test]
    fn each_alternative_is_a_branch() {
        let found = branches("SELECT 1 FROM d WHERE (icd10 LIKE 'E11%' OR points > 5) AND is_main");
        assert_eq!(
            found,
            [
                ("icd10 LIKE 'E11%' · is_main".to_owned(), String::new()),
                ("is_main · points > 5".to_owned(), String::new()),
            ]
        );
    }

    #[test]
    fn what_cannot_be_arranged_is_told() {
        let cannot = |condition: &str| branches(&format!("SELECT 1 FROM d WHERE {condition}"))[0].1.clone();
        for condition in ["icd_block(icd10) = 'E10-E14'", "points = length(icd10)", "other = 1"] {
            assert_eq!(cannot(condition), condition);
        }
        assert_eq!(cannot("points > 5 AND points < 3"), "points > 5 · points < 3");
        assert_eq!(cannot("icd10 = 'A' AND icd10 = 'B'"), "icd10 = 'A' · icd10 = 'B'");
        assert_eq!(
            cannot("points > 5 AND points < 9 AND points <> 6"),
            "",
            "another end of the range passes"
        );
    }

    #[test]
    fn subqueries_and_joins_are_about_the_same_persons() {
        let mut plan = plan();
        let sql = "SELECT count(*) FROM person p JOIN d ON d.person_id = p.person_id \
                   WHERE p.sex = '2' AND d.service_month >= DATE '2024-06-01' AND d.service_month < DATE '2024-08-01' \
                   AND EXISTS (SELECT 1 FROM d e WHERE e.person_id = p.person_id AND e.icd10 IN ('I10', 'I11'))";
        let arranged = arrange(&mut plan, sql, 3).unwrap();
        assert_eq!(arranged.len(), 1);
        assert!(arranged[0].left.is_empty(), "{arranged:?}");
        for person in 1..=3 {
            let text = |table: &str, column: &str, receipt| {
                format!("{:?}", plan.wished(table, column, person, receipt).unwrap())
            };
            assert_eq!(text("person", "sex", 0), "Text(\"2\")");
            assert_eq!(text("d", "service_month", 0), "Number(19875)");
            assert_eq!(text("d", "icd10", 1), "Text(\"I10\")");
        }
        assert!(plan.wished("person", "sex", 4, 0).is_none());
        assert!(plan.make().is_ok_and(|tables| tables.len() == 2));
    }
}
