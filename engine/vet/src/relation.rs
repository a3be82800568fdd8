//! What is known of the columns of a plan node below the release point.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use arrow::datatypes::DataType;
use catalog_model::{Bounds, Catalogue, Class, ColumnKind, Grant};
use datafusion_common::{Column, DFSchema};
use datafusion_expr::{LogicalPlan, TableScan};

use crate::domain::KeyDomain;
use crate::places::Places;
use crate::refusal::{Refusal, Rule};
use crate::rules;

/// What is known of one column.
#[derive(Clone, Debug)]
pub(crate) struct ColumnFact {
    pub(crate) class: Class,
    /// Whether the column holds the person behind every row.
    pub(crate) is_unit: bool,
    pub(crate) kind: DataType,
    pub(crate) domain: Option<KeyDomain>,
    pub(crate) measure: Option<MeasureFact>,
    /// The table and column that it comes from unchanged.
    pub(crate) origin: Option<(String, String)>,
}

/// What is known of a measure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MeasureFact {
    pub(crate) bounds: Bounds,
    pub(crate) scale: u32,
    pub(crate) unit: Option<String>,
}

/// What is known of a node's columns, in the order of its schema.
pub(crate) type Relation = Vec<ColumnFact>;

/// Judges one query.
pub(crate) struct Judge<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) grant: &'a Grant,
    pub(crate) places: Places<'a>,
    used: RefCell<BTreeMap<String, BTreeSet<String>>>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(sql: &'a str, catalogue: &'a Catalogue, grant: &'a Grant) -> Self {
        Self { catalogue, grant, places: Places::new(sql), used: RefCell::default() }
    }

    /// The columns that were looked at, by table.
    pub(crate) fn into_used(self) -> BTreeMap<String, BTreeSet<String>> {
        self.used.into_inner()
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
                Ok(relation)
            }
            LogicalPlan::Projection(projection) => {
                let relation = self.relation(&projection.input)?;
                let schema = projection.input.schema();
                projection
                    .expr
                    .iter()
                    .map(|expr| rules::projection::fact(self, expr, schema, &relation))
                    .collect()
            }
            LogicalPlan::Join(join) => rules::join::relation(self, join),
            LogicalPlan::Aggregate(_)
            | LogicalPlan::Distinct(_)
            | LogicalPlan::Window(_)
            | LogicalPlan::Sort(_)
            | LogicalPlan::Limit(_)
            | LogicalPlan::Union(_)
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
                .at(self.places.column(column))
        })?;
        if let Some((table, column)) = &fact.origin {
            self.used.borrow_mut().entry(table.clone()).or_default().insert(column.clone());
        }
        Ok(fact)
    }

    fn scan(&self, scan: &TableScan) -> Result<Relation, Refusal> {
        let name = scan.table_name.table();
        let refuse = |message: &str| Refusal::new(Rule::Node, message).at(self.places.word(name));
        let table = self.catalogue.tables.get(name).ok_or_else(|| refuse("not a table of the catalogue"))?;
        if !table.is_private() {
            return Err(refuse("public tables cannot be joined yet")
                .suggest("take the figures of a public table from its catalogue page"));
        }
        let is_whole = scan.projection.is_none() && scan.filters.is_empty() && scan.fetch.is_none();
        if !is_whole {
            return Err(refuse("a table is read as a whole"));
        }
        self.used.borrow_mut().entry(name.to_owned()).or_default();
        scan.source
            .schema()
            .fields()
            .iter()
            .map(|field| {
                let column =
                    table.column(field.name()).ok_or_else(|| refuse("not a column of the catalogue"))?;
                let scale = if column.kind == ColumnKind::Decimal5 { 5 } else { 0 };
                let measure = |bounds| MeasureFact { bounds, scale, unit: column.unit.clone() };
                Ok(ColumnFact {
                    class: column.class,
                    is_unit: column.class == Class::Person,
                    kind: field.data_type().clone(),
                    domain: column
                        .domain
                        .as_ref()
                        .and_then(|domain| KeyDomain::declared(domain, self.catalogue, self.grant.period)),
                    measure: column.bounds.filter(|_| column.class == Class::Measure).map(measure),
                    origin: Some((name.to_owned(), column.name.clone())),
                })
            })
            .collect()
    }
}
