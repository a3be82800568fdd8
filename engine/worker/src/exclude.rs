//! Leaves out persons who opted out: at every scan, so that nothing behind a scan can count them.
//!
//! The filter stands directly on the table, below joins and inner aggregations. A private table whose person column
//! is not granted could not be filtered; such a query fails while there is anybody to leave out.

use catalog_model::{Catalogue, Class};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DataFusionError, Result};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

/// Puts a filter on every scan of a table about persons.
pub(crate) fn without(plan: LogicalPlan, excluded: &[u32], catalogue: &Catalogue) -> Result<LogicalPlan> {
    if excluded.is_empty() {
        return Ok(plan);
    }
    // Subqueries have scans of their own.
    let filtered = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::TableScan(scan) = &node else { return Ok(Transformed::no(node)) };
        let name = scan.table_name.table();
        let table = catalogue.tables.get(name);
        if table.is_some_and(|table| !table.is_private()) {
            return Ok(Transformed::no(node));
        }
        // A table that the catalogue does not describe, such as a project's own, is taken to be about persons.
        let described =
            table.and_then(|table| table.columns.iter().find(|column| column.class == Class::Person));
        let column = described.map_or("person_id", |column| column.name.as_str());
        let person = node
            .schema()
            .has_column_with_unqualified_name(column)
            .then(|| Expr::Column(Column::new(Some(scan.table_name.clone()), column)))
            .ok_or_else(|| {
                DataFusionError::Plan("a table without its person cannot be filtered".to_owned())
            })?;
        let list = excluded.iter().map(|person| lit(*person)).collect();
        let filtered = LogicalPlanBuilder::from(node).filter(person.in_list(list, true))?.build()?;
        Ok(Transformed::yes(filtered))
    })?;
    Ok(filtered.data)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use catalog_model::{Catalogue, Grant, Period, SnapshotId, Thresholds, Tier};
    use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, LogicalTableSource, in_subquery};
    use datafusion::prelude::col;
    use engine_vet::granted_schema;

    use super::without;

    fn scan(catalogue: &Catalogue, table: &str, columns: &[&str]) -> LogicalPlan {
        let columns: BTreeSet<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        let period: Period = Period { from: "2023-04".parse().unwrap(), to: "2024-03".parse().unwrap() };
        let grant = Grant {
            project: "p".to_owned(),
            snapshot: SnapshotId::from_digest(&[7; 32]),
            tier: Tier::Pseudonymized,
            period,
            tables: BTreeMap::from([(table.to_owned(), columns)]),
            thresholds: Thresholds { persons: 10, zero_shown: true },
        };
        let schema = granted_schema(&catalogue.tables[table], &grant);
        let source = Arc::new(LogicalTableSource::new(schema));
        LogicalPlanBuilder::scan(table, source, None).unwrap().build().unwrap()
    }

    #[test]
    fn every_scan_about_persons_is_filtered_below_everything_else() {
        let catalogue = Catalogue::builtin().unwrap();
        let persons = scan(&catalogue, "person", &["person_id", "sex"]);
        let receipts = scan(&catalogue, "ndb_receipt", &["person_id", "claim_id"]);
        let joined = LogicalPlanBuilder::from(receipts).cross_join(persons).unwrap().build().unwrap();
        let plan = without(joined, &[3, 5], &catalogue).unwrap().display_indent().to_string();
        for table in ["person", "ndb_receipt"] {
            let filter = format!("Filter: {table}.person_id NOT IN ([UInt32(3), UInt32(5)])");
            assert!(plan.contains(&filter), "{plan}");
        }
        let plan = scan(&catalogue, "person", &["person_id", "sex"]);
        assert_eq!(without(plan.clone(), &[], &catalogue).unwrap(), plan);
    }

    #[test]
    fn scans_of_subqueries_and_of_a_projects_own_tables_are_filtered_too() {
        let catalogue = Catalogue::builtin().unwrap();
        let persons = scan(&catalogue, "person", &["person_id", "sex"]);
        let schema = persons.schema().as_arrow().clone();
        let source = Arc::new(LogicalTableSource::new(Arc::new(schema)));
        let own = LogicalPlanBuilder::scan("ws.cohort#01", source, None).unwrap();
        let own = own.project([col("person_id")]).unwrap().build().unwrap();
        let picked = in_subquery(col("person_id"), Arc::new(own));
        let plan = LogicalPlanBuilder::from(persons).filter(picked).unwrap().build().unwrap();
        let plan = without(plan, &[3], &catalogue).unwrap().display_indent().to_string();
        assert_eq!(
            plan.matches("person_id != UInt32(3)").count() + plan.matches("NOT IN ([UInt32(3)])").count(),
            2,
            "{plan}"
        );
    }

    #[test]
    fn a_table_that_cannot_be_filtered_is_not_read() {
        let catalogue = Catalogue::builtin().unwrap();
        let plan = scan(&catalogue, "ndb_receipt", &["claim_id"]);
        assert!(without(plan, &[3], &catalogue).is_err());
    }
}
