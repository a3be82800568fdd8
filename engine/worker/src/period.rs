//! Takes the condition of the permit's period off tables whose files hold no other rows.
//!
//! Vetting puts it on every scan of a table that has a period, without knowing the files. Where the manifest says that
//! all rows are within, it is true of each of them: the column need not be read for it, nor a row be looked at.

use catalog_model::{Catalogue, Grant};
use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use engine_vet::of_period;

/// Takes the condition off where it stands directly on a table that `is_within`.
pub(crate) fn settled(
    plan: LogicalPlan,
    (catalogue, grant): (&Catalogue, &Grant),
    is_within: &dyn Fn(&str) -> bool,
) -> Result<LogicalPlan> {
    let settled = plan.transform_up_with_subqueries(|node| {
        let LogicalPlan::Filter(filter) = &node else { return Ok(Transformed::no(node)) };
        let LogicalPlan::TableScan(scan) = filter.input.as_ref() else { return Ok(Transformed::no(node)) };
        let is_it = of_period(&scan.table_name, catalogue, grant).is_some_and(|of| of == filter.predicate);
        let bare = (is_it && is_within(scan.table_name.table())).then(|| filter.input.as_ref().clone());
        Ok(bare.map_or(Transformed::no(node), Transformed::yes))
    })?;
    Ok(settled.data)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use catalog_model::{Catalogue, Grant, Period, SnapshotId, Thresholds, Tier};
    use datafusion::logical_expr::{LogicalTableSource, TableSource};
    use engine_vet::{Scope, granted_schema, vet};

    use super::settled;

    const SQL: &str = "SELECT r.prefecture, count(DISTINCT r.person_id) AS persons FROM ndb_receipt r \
        WHERE r.total_points > 0 AND r.person_id IN (SELECT person_id FROM ndb_diagnosis WHERE icd10 LIKE 'E11%') \
        GROUP BY r.prefecture";

    fn grant(catalogue: &Catalogue) -> Grant {
        let tables = ["ndb_receipt", "ndb_diagnosis"].map(|table| {
            let columns = catalogue.tables[table].columns.iter().map(|column| column.name.clone());
            (table.to_owned(), columns.collect::<BTreeSet<String>>())
        });
        Grant {
            project: "p".to_owned(),
            snapshot: SnapshotId::from_digest(&[7; 32]),
            tier: Tier::Pseudonymized,
            period: Period { from: "2023-04".parse().unwrap(), to: "2024-03".parse().unwrap() },
            tables: BTreeMap::from(tables),
            thresholds: Thresholds { persons: 10, zero_shown: true },
        }
    }

    #[test]
    fn the_condition_goes_from_tables_that_are_within_and_from_no_other() {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant(&catalogue);
        let plan = vet(SQL, Scope { catalogue: &catalogue, grant: &grant }).unwrap();
        let conditions = |within: &[&str], of: &Grant| {
            let plan = plan.rows_over(&|table: &str| {
                let schema = granted_schema(&catalogue.tables[table], &grant);
                Some(Arc::new(LogicalTableSource::new(schema)) as Arc<dyn TableSource>)
            });
            let plan =
                settled(plan.unwrap(), (&catalogue, of), &|table: &str| within.contains(&table)).unwrap();
            let text = plan.display_indent().to_string();
            assert!(text.contains("total_points >") && text.contains("LIKE"), "{text}");
            ["ndb_receipt", "ndb_diagnosis"]
                .map(|table| text.contains(&format!("{table}.service_month BETWEEN")))
        };
        assert_eq!(conditions(&[], &grant), [true, true]);
        assert_eq!(conditions(&["ndb_diagnosis"], &grant), [true, false]);
        assert_eq!(conditions(&["ndb_receipt", "ndb_diagnosis"], &grant), [false, false]);
        // A condition of other months is another one.
        let period = Period { to: "2024-04".parse().unwrap(), ..grant.period };
        let other = Grant { period, ..grant.clone() };
        assert_eq!(conditions(&["ndb_receipt", "ndb_diagnosis"], &other), [true, true]);
    }
}
