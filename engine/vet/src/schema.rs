//! What the planner sees: the granted tables with their granted columns, our functions, the aggregates and windows of
//! the rules.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use catalog_model::{Grant, Table};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, LogicalPlan, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion_functions_aggregate::{count, min_max};
use datafusion_functions_window::{lead_lag, nth_value, rank, row_number};

use crate::checked_mean::checked_mean;
use crate::checked_sum::checked_sum;
use crate::stored::Meant;
use crate::{functions, planned, tier, workspace};

/// A granted table, seen by the planner: a schema and nothing else. No constraint is declared, since the planner
/// would let columns through that a key determines.
#[derive(Debug)]
pub(crate) struct GrantedTable {
    schema: SchemaRef,
    /// What a view stands for; the planner puts it in the view's place.
    plan: Option<LogicalPlan>,
}

impl GrantedTable {
    /// A table of this schema.
    pub(crate) fn source(schema: SchemaRef) -> Arc<dyn TableSource> {
        Arc::new(Self { schema, plan: None })
    }
}

impl TableSource for GrantedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        self.plan.as_ref().map(Cow::Borrowed)
    }
}

/// The schema of the granted columns of a table as they are stored, in the catalogue's order.
pub fn granted_schema(table: &Table, grant: &Grant) -> SchemaRef {
    let whole = catalog_model::arrow_schema(table);
    let fields = whole.fields().iter().filter(|field| tier::is_there(table, field.name(), grant));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<FieldRef>>()))
}

/// The schema of the granted columns as the grant's tier sees them.
fn seen_schema(table: &Table, grant: &Grant) -> SchemaRef {
    let stored = granted_schema(table, grant);
    let seen = |field: &FieldRef| match table.column(field.name()) {
        Some(column) => tier::field(column, field, grant),
        None => Arc::clone(field),
    };
    Arc::new(Schema::new(stored.fields().iter().map(seen).collect::<Vec<FieldRef>>()))
}

/// Scans in one query, those behind its views among them.
const MOST_SCANS: usize = 64;

/// The planner's view of a grant.
pub(crate) struct GrantedSchema<'a> {
    meant: Meant<'a>,
    /// Views from this number on are not there: a view reads those before it.
    views: Cell<usize>,
    scalars: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    windows: HashMap<String, Arc<WindowUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl<'a> GrantedSchema<'a> {
    pub(crate) fn new(meant: Meant<'a>) -> Self {
        Self {
            meant,
            views: Cell::new(meant.workspace.views.len()),
            scalars: functions::registered()
                .into_iter()
                .chain(planned::scalars())
                .map(|function| (function.name().to_owned(), function))
                .collect(),
            aggregates: aggregates()
                .into_iter()
                .chain(planned::aggregates().into_iter().map(Arc::new))
                .map(|function| (function.name().to_owned(), function))
                .collect(),
            windows: windows().into_iter().map(|function| (function.name().to_owned(), function)).collect(),
            planners: vec![Arc::new(AggregateFunctionPlanner)],
            options: ConfigOptions::default(),
        }
    }
}

impl GrantedSchema<'_> {
    /// A granted table. A permit may cover all, of which a query reads few: each is made when it is asked for.
    fn granted(&self, name: &str) -> Option<Arc<dyn TableSource>> {
        let Meant { catalogue, grant, .. } = self.meant;
        let table = catalogue.tables.get(name).filter(|_| grant.tables.contains_key(name))?;
        Some(GrantedTable::source(seen_schema(table, grant)))
    }

    /// A project's table or view.
    fn own(&self, name: &str) -> Result<Option<Arc<dyn TableSource>>> {
        if let Some(table) = self.meant.workspace.tables.get(name) {
            return Ok(Some(GrantedTable::source(workspace::schema(table))));
        }
        let before = self.views.get();
        let mut views = self.meant.workspace.views.iter().take(before).enumerate();
        let Some((at, view)) = views.find(|(_, view)| view.name == name) else { return Ok(None) };
        self.views.set(at);
        let plan = crate::vet::planned(&view.sql, self);
        self.views.set(before);
        let plan = plan?;
        let schema = Arc::new(plan.schema().as_arrow().clone());
        Ok(Some(Arc::new(GrantedTable { schema, plan: Some(plan) })))
    }

    /// A list of codes: one column.
    fn list(&self, name: &str) -> Option<Arc<dyn TableSource>> {
        self.meant.workspace.lists.get(name)?;
        let code = arrow::datatypes::Field::new(workspace::CODE, DataType::Utf8, false);
        Some(GrantedTable::source(Arc::new(Schema::new(vec![code]))))
    }
}

/// Whether a plan reads no more tables than a query may.
pub(crate) fn is_small(plan: &LogicalPlan) -> bool {
    plan.display_indent().to_string().matches("TableScan:").count() <= MOST_SCANS
}

/// The aggregates that are executed: over one person's rows, and for the evidence itself.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![count::count_udaf(), checked_sum(), checked_mean(), min_max::min_udaf(), min_max::max_udaf()]
}

/// The windows that are executed, over one person's rows.
pub fn windows() -> Vec<Arc<WindowUDF>> {
    vec![
        row_number::row_number_udwf(),
        rank::rank_udwf(),
        rank::dense_rank_udwf(),
        lead_lag::lag_udwf(),
        lead_lag::lead_udwf(),
        nth_value::first_value_udwf(),
        nth_value::last_value_udwf(),
        nth_value::nth_value_udwf(),
    ]
}

impl ContextProvider for GrantedSchema<'_> {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let source = match &name {
            TableReference::Bare { table } => self.granted(table),
            TableReference::Partial { schema, table } => match schema.as_ref() {
                workspace::SCHEMA => self.own(table)?,
                workspace::LISTS => self.list(table),
                _ => None,
            },
            TableReference::Full { .. } => None,
        };
        source.ok_or_else(|| DataFusionError::Plan(format!("no table {name}")))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_table_function_source(
        &self,
        name: &str,
        _args: Vec<datafusion_expr::Expr>,
    ) -> Result<Arc<dyn TableSource>> {
        plan_err!("no table function {name}")
    }

    fn get_function_meta(&self, name: &str) -> Option<Arc<ScalarUDF>> {
        self.scalars.get(name).cloned()
    }

    fn get_higher_order_meta(&self, _name: &str) -> Option<Arc<HigherOrderUDF>> {
        None
    }

    fn get_aggregate_meta(&self, name: &str) -> Option<Arc<AggregateUDF>> {
        self.aggregates.get(name).cloned()
    }

    fn get_window_meta(&self, name: &str) -> Option<Arc<WindowUDF>> {
        self.windows.get(name).cloned()
    }

    fn get_variable_type(&self, _names: &[String]) -> Option<DataType> {
        None
    }

    fn options(&self) -> &ConfigOptions {
        &self.options
    }

    fn udf_names(&self) -> Vec<String> {
        self.scalars.keys().cloned().collect()
    }

    fn higher_order_function_names(&self) -> Vec<String> {
        Vec::new()
    }

    fn udaf_names(&self) -> Vec<String> {
        self.aggregates.keys().cloned().collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.windows.keys().cloned().collect()
    }
}
