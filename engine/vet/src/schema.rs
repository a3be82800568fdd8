//! What the planner sees: the granted tables with their granted columns, our functions, the aggregates and windows of the rules.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef, Schema, SchemaRef};
use catalog_model::{Catalogue, Grant, Table};
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, Result, TableReference, plan_err};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion_functions_aggregate::{average, count, min_max, sum};
use datafusion_functions_window::{lead_lag, nth_value, rank, row_number};

use crate::{functions, planned};

/// A granted table, seen by the planner: a schema and nothing else. No constraint is declared, since the planner
/// would let columns through that a key determines.
#[derive(Debug)]
pub(crate) struct GrantedTable {
    schema: SchemaRef,
}

impl TableSource for GrantedTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// The schema of the granted columns of a table, in the catalogue's order.
pub fn granted_schema(table: &Table, grant: &Grant) -> SchemaRef {
    let whole = catalog_model::arrow_schema(table);
    let fields = whole.fields().iter().filter(|field| grant.allows(&table.table, field.name()));
    Arc::new(Schema::new(fields.cloned().collect::<Vec<FieldRef>>()))
}

/// The planner's view of a grant.
pub(crate) struct GrantedSchema {
    tables: HashMap<String, Arc<dyn TableSource>>,
    scalars: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<String, Arc<AggregateUDF>>,
    windows: HashMap<String, Arc<WindowUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl GrantedSchema {
    pub(crate) fn new(catalogue: &Catalogue, grant: &Grant) -> Self {
        let granted = catalogue.tables.values().filter(|table| grant.tables.contains_key(&table.table));
        let source = |table: &Table| -> (String, Arc<dyn TableSource>) {
            (table.table.clone(), Arc::new(GrantedTable { schema: granted_schema(table, grant) }))
        };
        Self {
            tables: granted.map(source).collect(),
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

/// The aggregates that are executed: over one person's rows, and for the evidence itself.
pub fn aggregates() -> Vec<Arc<AggregateUDF>> {
    vec![count::count_udaf(), sum::sum_udaf(), average::avg_udaf(), min_max::min_udaf(), min_max::max_udaf()]
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

impl ContextProvider for GrantedSchema {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let source = match &name {
            TableReference::Bare { table } => self.tables.get(table.as_ref()),
            TableReference::Partial { .. } | TableReference::Full { .. } => None,
        };
        source.cloned().ok_or_else(|| DataFusionError::Plan(format!("no table {name}")))
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
