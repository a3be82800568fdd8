//! What is known of the columns of a plan node below the release point.
//!
//! INVARIANT: every node that is let through works person by person. What it makes of one person's rows depends on that
//! person's rows and on public facts alone, so taking a person away takes that person's rows away and changes no other.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use catalog_model::{Bounds, Catalogue, Class, ColumnKind, Grant, Table, WorkspaceTable};
use datafusion_common::{Column, DFSchema, TableReference};
use datafusion_expr::{Distinct, LogicalPlan, TableScan};

use crate::domain::KeyDomain;
use crate::label::Label;
use crate::places::Places;
use crate::refusal::{Refusal, Rule};
use crate::stored::Meant;
use crate::{rules, tier, workspace};

/// What is known of one column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnFact {
    pub(crate) label: Label,
    /// Whether it is the person behind the row.
    pub(crate) person: Person,
    pub(crate) kind: DataType,
    pub(crate) domain: Option<KeyDomain>,
    pub(crate) measure: Option<MeasureFact>,
    /// The table and column that it comes from unchanged.
    pub(crate) origin: Option<(String, String)>,
    /// The code system of its values.
    pub(crate) system: Option<String>,
    /// Whether it is written in the query.
    pub(crate) is_literal: bool,
    /// What describes persons in it.
    pub(crate) describing: Describing,
}

/// What a value has to do with columns that describe persons, through whatever it was made by.
#[derive(Clone, Debug, Default)]
pub(crate) struct Describing {
    /// The columns behind it, as `table.column`.
    pub(crate) columns: BTreeSet<String>,
    /// Whether it may be a value that the query writes, by a CASE or a default.
    pub(crate) is_chosen: bool,
    /// Whether it is a number that is an age, or made of one.
    pub(crate) is_age: bool,
    /// The ages, in years, from which on it may be another value.
    pub(crate) ages: BTreeSet<i64>,
    /// The ages at which conditions change that decide whether it is there, or from which branch it comes.
    pub(crate) met: BTreeSet<i64>,
}

/// Whether a column is the person behind the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Person {
    /// It is another column.
    Not,
    /// It is that person or null: the far side of an outer join.
    Perhaps,
    /// It is that person in every row.
    Always,
}

/// What is known of a measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MeasureFact {
    pub(crate) bounds: Bounds,
    pub(crate) scale: u32,
    pub(crate) unit: Option<String>,
}

impl ColumnFact {
    /// A value that is made of others.
    pub(crate) const fn made(label: Label, kind: DataType) -> Self {
        Self {
            label,
            person: Person::Not,
            kind,
            domain: None,
            measure: None,
            origin: None,
            system: None,
            is_literal: false,
            describing: Describing {
                columns: BTreeSet::new(),
                is_chosen: false,
                is_age: false,
                ages: BTreeSet::new(),
                met: BTreeSet::new(),
            },
        }
    }

    /// The fact of a column that is kept in a table of this name, and describes persons where its class says so.
    pub(crate) fn described(mut self, table: &str, column: &str) -> Self {
        // Any of the classes that it holds: a code beside a sex hides no sex.
        if self.label.value.has(Class::Quasi) || self.label.value.has(Class::Exact) {
            self.describing.columns = BTreeSet::from([format!("{table}.{column}")]);
        }
        self
    }

    /// The strictest class that it holds.
    pub(crate) fn class(&self) -> Class {
        self.label.held()
    }

    pub(crate) fn is_unit(&self) -> bool {
        self.person == Person::Always
    }
}

/// What is known of a node's columns, in the order of its schema.
pub(crate) type Relation = Vec<ColumnFact>;

/// Judges one query.
pub(crate) struct Judge<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) grant: &'a Grant,
    pub(crate) meant: Meant<'a>,
    pub(crate) places: Places<'a>,
    seen: RefCell<Seen>,
    /// What a correlated condition may look at of the query around it, while one is judged.
    outer: RefCell<Option<(DFSchema, Relation)>>,
}

/// What a query was seen to look at.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The columns, by table.
    pub(crate) used: BTreeMap<String, BTreeSet<String>>,
    /// The catalogue's tables behind everything that is read.
    pub(crate) lineage: BTreeSet<String>,
    /// The code systems of the columns.
    pub(crate) systems: BTreeSet<String>,
    /// The quasi-identifying columns whose values rows are picked by.
    pub(crate) bound: BTreeSet<String>,
    /// The ages at which conditions change that rows are picked by.
    pub(crate) ages: BTreeSet<i64>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(sql: &'a str, meant: Meant<'a>) -> Self {
        let (seen, outer) = (RefCell::default(), RefCell::default());
        let Meant { catalogue, grant, workspace: _ } = meant;
        Self { catalogue, grant, meant, places: Places::new(sql), seen, outer }
    }

    /// What was looked at.
    pub(crate) fn into_seen(self) -> Seen {
        self.seen.into_inner()
    }

    /// Notes that rows are picked by the values of describing columns; how many there are by now.
    pub(crate) fn bind(&self, columns: &BTreeSet<String>) -> usize {
        let mut seen = self.seen.borrow_mut();
        seen.bound.extend(columns.iter().cloned());
        seen.bound.len()
    }

    /// Notes the ages at which a condition changes that rows are picked by.
    pub(crate) fn meet(&self, ages: &BTreeSet<i64>) {
        self.seen.borrow_mut().ages.extend(ages);
    }

    /// Judges, and says at which ages the conditions change that were met on the way.
    pub(crate) fn meeting<T>(
        &self,
        judge: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<(T, BTreeSet<i64>), Refusal> {
        let before = std::mem::take(&mut self.seen.borrow_mut().ages);
        let judged = judge();
        let mut seen = self.seen.borrow_mut();
        let met = seen.ages.clone();
        seen.ages.extend(before);
        judged.map(|judged| (judged, met))
    }

    /// Notes that a list of codes is looked up.
    pub(crate) fn use_list(&self, name: &str) {
        self.seen.borrow_mut().used.entry(format!("{}.{name}", workspace::LISTS)).or_default();
    }

    /// Judges a plan below the release point. The match is exhaustive on purpose: a node that DataFusion adds one day
    /// must be judged before this compiles.
    pub(crate) fn relation(&self, plan: &LogicalPlan) -> Result<Relation, Refusal> {
        match plan {
            LogicalPlan::TableScan(scan) => self.scan(scan),
            LogicalPlan::SubqueryAlias(alias) => self.relation(&alias.input),
            LogicalPlan::Filter(filter) => {
                let relation = self.relation(&filter.input)?;
                rules::predicate::check(self, &filter.predicate, filter.input.schema(), &relation)?;
                rules::age_floor::meet(self, &filter.predicate, filter.input.schema(), &relation)?;
                Ok(relation)
            }
            LogicalPlan::Projection(projection) => {
                let relation = self.relation(&projection.input)?;
                let schema = projection.input.schema();
                let fact = |expr| rules::projection::fact(self, expr, schema, &relation);
                let facts = projection.expr.iter().map(fact).collect::<Result<Relation, _>>()?;
                rules::semi::in_values(self, &projection.expr)?;
                Ok(facts)
            }
            LogicalPlan::Join(join) => rules::join::relation(self, join),
            LogicalPlan::Aggregate(aggregate) => rules::inner::relation(self, aggregate),
            LogicalPlan::Window(window) => rules::window::relation(self, window),
            LogicalPlan::Union(union) => rules::union::relation(self, union),
            LogicalPlan::Distinct(Distinct::All(input)) => {
                let relation = self.relation(input)?;
                match relation.iter().any(ColumnFact::is_unit) {
                    true => Ok(relation),
                    false => Err(rules::node::refuse(self, plan)),
                }
            }
            LogicalPlan::Distinct(Distinct::On(_))
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Subquery(_)
            | LogicalPlan::Repartition(_)
            | LogicalPlan::EmptyRelation(_)
            | LogicalPlan::Values(_)
            | LogicalPlan::Unnest(_)
            | LogicalPlan::RecursiveQuery(_)
            | LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::DescribeTable(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::Extension(_) => Err(rules::node::refuse(self, plan)),
        }
    }

    /// The facts of a column that an expression names.
    pub(crate) fn column<'r>(
        &self,
        column: &Column,
        schema: &DFSchema,
        relation: &'r Relation,
    ) -> Result<&'r ColumnFact, Refusal> {
        let at = schema.maybe_index_of_column(column);
        let fact = at.and_then(|at| relation.get(at)).ok_or_else(|| {
            Refusal::new(Rule::Names, format!("there is no column {}", column.name))
                .ja(format!("{} という列はありません", column.name))
                .at(self.places.column(column))
        })?;
        if let Some((table, column)) = &fact.origin {
            self.seen.borrow_mut().used.entry(table.clone()).or_default().insert(column.clone());
        }
        self.seen.borrow_mut().systems.extend(fact.system.clone());
        Ok(fact)
    }

    /// Judges with the query around it in sight.
    pub(crate) fn within<T>(
        &self,
        schema: &DFSchema,
        relation: &Relation,
        judge: impl FnOnce() -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let before = self.outer.replace(Some((schema.clone(), relation.clone())));
        let judged = judge();
        self.outer.replace(before);
        judged
    }

    /// Judges a plan that sees nothing of what is around it. The planner lets a subquery name columns of any query
    /// around it, the nearest first; only a condition that is judged [`Judge::within`] the nearest may.
    pub(crate) fn apart(&self, plan: &LogicalPlan) -> Result<Relation, Refusal> {
        let before = self.outer.take();
        let judged = self.relation(plan);
        self.outer.replace(before);
        judged
    }

    /// The facts of a column of the query around a correlated condition.
    pub(crate) fn outer_column(&self, column: &Column) -> Result<ColumnFact, Refusal> {
        let outer = self.outer.borrow();
        let Some((schema, relation)) = outer.as_ref() else {
            return Err(Refusal::new(Rule::Join, "a subquery may look outside in its own WHERE only")
                .ja("副問合せが外側の列を見てよいのは、その WHERE 句だけです")
                .at(self.places.column(column))
                .suggest("EXISTS (SELECT 1 FROM t x WHERE x.person_id = p.person_id AND …)"));
        };
        self.column(column, schema, relation).cloned()
    }

    fn scan(&self, scan: &TableScan) -> Result<Relation, Refusal> {
        let name = scan.table_name.table();
        match scan.table_name.schema() {
            Some(workspace::SCHEMA) => return rules::workspace::scan(self, name),
            Some(_) => return Err(rules::list::alone(self, name)),
            None => {}
        }
        let refuse =
            |message: &str, ja: &str| Refusal::new(Rule::Node, message).ja(ja).at(self.places.word(name));
        let table = self
            .catalogue
            .tables
            .get(name)
            .ok_or_else(|| refuse("not a table of the catalogue", "カタログにない表です"))?;
        if !table.is_private() {
            return Err(rules::public::apart(self, table));
        }
        self.seen.borrow_mut().lineage.insert(name.to_owned());
        self.read(scan, table)
    }

    /// The table of the catalogue that is scanned, where it is one.
    pub(crate) fn table(&self, name: &TableReference) -> Option<&'a Table> {
        self.catalogue.tables.get(name.table()).filter(|_| name.schema().is_none())
    }

    /// The facts of a public table's columns.
    pub(crate) fn public(&self, scan: &TableScan) -> Result<Relation, Refusal> {
        let table = self.table(&scan.table_name).filter(|table| table.is_open()).ok_or_else(|| {
            Refusal::new(Rule::Public, "not a public table")
                .ja("公開表ではありません")
                .suggest(rules::public::FORM)
        })?;
        self.read(scan, table)
    }

    /// The facts of the columns of a table of the catalogue; notes that it is read.
    fn read(&self, scan: &TableScan, table: &Table) -> Result<Relation, Refusal> {
        let name = scan.table_name.table();
        let refuse =
            |message: &str, ja: &str| Refusal::new(Rule::Node, message).ja(ja).at(self.places.word(name));
        let is_whole = scan.projection.is_none() && scan.filters.is_empty() && scan.fetch.is_none();
        if !is_whole {
            return Err(refuse("a table is read as a whole", "表は全体として読みます"));
        }
        self.seen.borrow_mut().used.entry(name.to_owned()).or_default();
        let schema = scan.source.schema();
        let fact = |field: &arrow::datatypes::FieldRef| {
            let column = table
                .column(field.name())
                .ok_or_else(|| refuse("not a column of the catalogue", "カタログにない列です"))?;
            let scale = if column.kind == ColumnKind::Decimal5 { 5 } else { 0 };
            let measure = |bounds| MeasureFact { bounds, scale, unit: column.unit.clone() };
            let domain = column.domain.as_ref();
            let fact = ColumnFact {
                person: if column.class == Class::Person { Person::Always } else { Person::Not },
                domain: domain
                    .and_then(|domain| KeyDomain::declared(domain, self.catalogue, self.grant.period)),
                measure: column.bounds.filter(|_| column.class == Class::Measure).map(measure),
                origin: Some((name.to_owned(), column.name.clone())),
                // What a public table is of is no dimension of persons.
                system: column.value_system().filter(|_| table.is_private()).map(str::to_owned),
                ..ColumnFact::made(Label::of(column.class), field.data_type().clone())
            };
            let mut fact = tier::fact(fact, column, self.grant).described(name, &column.name);
            fact.describing.is_age = column.is_age();
            Ok(fact)
        };
        schema.fields().iter().map(fact).collect()
    }

    /// Notes that a project's table is read, with everything that stands behind it.
    pub(crate) fn use_own(&self, name: &str, table: &WorkspaceTable) {
        let mut seen = self.seen.borrow_mut();
        seen.used.entry(format!("{}.{name}", workspace::SCHEMA)).or_default();
        seen.lineage.extend(table.lineage.iter().cloned());
        seen.bound.extend(table.bound.iter().cloned());
        seen.ages.extend(&table.ages);
    }
}
