//! What plain DataFusion plans against: the tables of a folder, our scalar functions, DataFusion's aggregates and windows.
//!
//! The workspace builds DataFusion without its own SQL front, so the planner is given this view.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::datasource::file_format::parquet::ParquetFormat;
use datafusion::datasource::listing::{ListingOptions, ListingTable, ListingTableConfig, ListingTableUrl};
use datafusion::datasource::provider_as_source;
use datafusion::execution::session_state::SessionState;
use datafusion_common::config::ConfigOptions;
use datafusion_common::{DataFusionError, Result, TableReference};
use datafusion_expr::planner::{ContextProvider, ExprPlanner};
use datafusion_expr::{AggregateUDF, Expr, HigherOrderUDF, ScalarUDF, TableSource, WindowUDF};
use datafusion_functions_aggregate::planner::AggregateFunctionPlanner;
use datafusion_functions_aggregate::{average, count, median, min_max, stddev, sum};

use crate::clear::Listed;

/// The tables and functions by name.
pub(crate) struct Tables {
    tables: HashMap<String, Arc<dyn TableSource>>,
    scalars: HashMap<String, Arc<ScalarUDF>>,
    aggregates: HashMap<&'static str, Arc<AggregateUDF>>,
    windows: HashMap<String, Arc<WindowUDF>>,
    planners: Vec<Arc<dyn ExprPlanner>>,
    options: ConfigOptions,
}

impl Tables {
    /// Takes every table of a folder, with the schema that its files say.
    pub(crate) async fn open(state: &SessionState, folder: &Path, listed: &Listed) -> Result<Self> {
        let mut tables = HashMap::new();
        for (name, files) in listed {
            tables.insert(name.clone(), table(state, folder, files).await?);
        }
        Ok(Self {
            tables,
            scalars: engine_vet::registered().into_iter().map(|udf| (udf.name().to_owned(), udf)).collect(),
            aggregates: HashMap::from([
                ("count", count::count_udaf()),
                ("sum", sum::sum_udaf()),
                ("avg", average::avg_udaf()),
                ("min", min_max::min_udaf()),
                ("max", min_max::max_udaf()),
                ("median", median::median_udaf()),
                ("stddev", stddev::stddev_udaf()),
            ]),
            windows: engine_vet::windows().into_iter().map(|udf| (udf.name().to_owned(), udf)).collect(),
            planners: vec![Arc::new(AggregateFunctionPlanner)],
            options: ConfigOptions::default(),
        })
    }
}

async fn table(state: &SessionState, folder: &Path, files: &[String]) -> Result<Arc<dyn TableSource>> {
    let url = |path: &String| ListingTableUrl::parse(folder.join(path).to_string_lossy());
    let urls = files.iter().map(url).collect::<Result<Vec<_>>>()?;
    let options = ListingOptions::new(Arc::new(ParquetFormat::default()));
    let first = urls.first().ok_or_else(|| DataFusionError::Plan("a table without files".to_owned()))?;
    let schema = options.infer_schema(state, first).await?;
    let config =
        ListingTableConfig::new_with_multi_paths(urls).with_listing_options(options).with_schema(schema);
    Ok(provider_as_source(Arc::new(ListingTable::try_new(config)?)))
}

impl ContextProvider for Tables {
    fn get_table_source(&self, name: TableReference) -> Result<Arc<dyn TableSource>> {
        let source = self.tables.get(name.table()).cloned();
        source.ok_or_else(|| DataFusionError::Plan(format!("no table {name}")))
    }

    fn get_expr_planners(&self) -> &[Arc<dyn ExprPlanner>] {
        &self.planners
    }

    fn get_table_function_source(&self, name: &str, _args: Vec<Expr>) -> Result<Arc<dyn TableSource>> {
        Err(DataFusionError::Plan(format!("no table function {name}")))
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
        self.aggregates.keys().map(|name| (*name).to_owned()).collect()
    }

    fn udwf_names(&self) -> Vec<String> {
        self.windows.keys().cloned().collect()
    }
}
