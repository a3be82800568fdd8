//! From what a query names to what is stored: tables as their tier sees them, project tables under the id of the one
//! that is meant, lists of codes as their codes.
//!
//! Everything that a name stands for is written into the plan, so that the plan's hash, and what the ledger recognises
//! a question by, change when a table or a list of the same name does.

use arrow::datatypes::Schema;
use catalog_model::{Catalogue, Grant, Workspace};
use datafusion_common::tree_node::{Transformed, TreeNode as _};
use datafusion_common::{DataFusionError, Result, TableReference};
use datafusion_expr::expr::InList;
use datafusion_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use crate::schema::GrantedTable;
use crate::{tier, workspace};

/// What names of a query stand for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meant<'a> {
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) grant: &'a Grant,
    pub(crate) workspace: &'a Workspace,
}

impl Meant<'_> {
    /// The plan over what is stored.
    pub(crate) fn plan(self, plan: LogicalPlan) -> Result<LogicalPlan> {
        let stored = plan.transform_up_with_subqueries(|node| {
            let node = node.map_expressions(|expr| self.lists(expr))?;
            let LogicalPlan::TableScan(scan) = &node.data else { return Ok(node) };
            let found = match scan.table_name.schema() {
                Some(workspace::SCHEMA) => Some(self.own(&scan.table_name)?),
                Some(_) => return Ok(node),
                None => tier::view(scan, self.table(scan.table_name.table())?, self.catalogue, self.grant)?,
            };
            Ok(found.map_or(node, Transformed::yes))
        })?;
        Ok(stored.data)
    }

    /// The expression with the codes of its lists.
    pub(crate) fn expr(self, expr: Expr) -> Result<Expr> {
        Ok(self.lists(expr)?.data)
    }

    fn lists(self, expr: Expr) -> Result<Transformed<Expr>> {
        expr.transform_up(|expr| {
            let Expr::InSubquery(condition) = &expr else { return Ok(Transformed::no(expr)) };
            let list = workspace::list_of(&condition.subquery.subquery);
            let Some(list) = list.and_then(|name| self.workspace.lists.get(name)) else {
                return Ok(Transformed::no(expr));
            };
            let codes = list.codes.iter().map(|code| lit(code.as_str())).collect();
            let found = InList::new(condition.expr.clone(), codes, condition.negated);
            Ok(Transformed::yes(Expr::InList(found)))
        })
    }

    /// A table of the catalogue with the types that are stored.
    fn table(self, name: &str) -> Result<LogicalPlan> {
        let missing = || DataFusionError::Plan(format!("no table {name}"));
        let table = self.catalogue.tables.get(name).ok_or_else(missing)?;
        scan(TableReference::bare(name), crate::granted_schema(table, self.grant).as_ref().clone())
    }

    /// A project's table, under the id of the one that is meant.
    fn own(self, name: &TableReference) -> Result<LogicalPlan> {
        let missing = || DataFusionError::Plan(format!("no table {name}"));
        let table = self.workspace.tables.get(name.table()).ok_or_else(missing)?;
        let stored = TableReference::partial(workspace::SCHEMA, workspace::stored_name(name.table(), table));
        LogicalPlanBuilder::from(scan(stored, workspace::schema(table).as_ref().clone())?)
            .alias(name.clone())?
            .build()
    }
}

fn scan(name: TableReference, schema: Schema) -> Result<LogicalPlan> {
    LogicalPlanBuilder::scan(name, GrantedTable::source(schema.into()), None)?.build()
}
