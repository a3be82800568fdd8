//! A vetted query's shape, as far as disclosure control needs to know it.

use std::collections::BTreeMap;

use engine_disclosure::{AggregateKind, AggregateShape, KeyLabel, KeyShape, PartShape, PublicFigures, Shape};
use engine_protocol::PublicRow;
use engine_vet::{AggregateKind as Asked, PlanShape, VettedPlan};

/// The shape of a vetted query's result. Sums and quantiles are numbered within their part, as evidence has them.
pub fn shape(plan: &VettedPlan) -> Shape {
    let shape = plan.shape();
    let label = |value: &engine_vet::DomainValue| KeyLabel {
        code: value.code.clone(),
        ja: value.ja.clone(),
        en: value.en.clone(),
    };
    let keys = shape.keys.iter();
    let keys = keys.map(|key| KeyShape { values: key.domain.values.iter().map(label).collect() });
    let parts = (0..shape.parts()).map(|part| PartShape {
        sums: shape.measures.iter().filter(|measure| measure.part == part).map(|of| of.of).collect(),
        quantiles: shape.ranked.iter().filter(|of| of.part == part).map(|of| of.ranks.len()).sum(),
    });
    let largest = |of: usize| {
        let same = shape.measures.iter().filter(|measure| measure.of == of);
        same.map(|measure| measure.largest).max().unwrap_or(i64::MAX)
    };
    Shape {
        keys: keys.collect(),
        sets: shape.sets.clone(),
        parts: parts.collect(),
        aggregates: shape.aggregates.iter().map(|asked| aggregate(shape, *asked)).collect(),
        post: shape.post.clone(),
        has_facility: shape.has_facility,
        units: shape.units.clone(),
        has_gaps: shape.has_gaps,
        largest: (0..shape.summed()).map(largest).collect(),
        ..Shape::default()
    }
}

/// The figures that a worker found in public tables; nothing where they are not what the plan asks.
pub fn public_figures(plan: &VettedPlan, found: Vec<PublicRow>) -> Option<PublicFigures> {
    let asked = plan.shape().public.as_ref()?;
    let mut figures = PublicFigures { keys: asked.keys.clone(), rows: BTreeMap::new() };
    for PublicRow { key, figures: row } in found {
        if key.len() != asked.keys.len() || row.len() != asked.scales.len() {
            return None;
        }
        let scaled = |(figure, scale): (Option<i64>, &u32)| figure.map(|figure| (figure.into(), *scale));
        let row = row.into_iter().zip(&asked.scales).map(scaled).collect();
        if figures.rows.insert(key, row).is_some() {
            return None;
        }
    }
    Some(figures)
}

fn aggregate(shape: &PlanShape, asked: engine_vet::Aggregate) -> AggregateShape {
    let measure = |at: usize| {
        let before = shape.measures.iter().take(at).filter(|measure| measure.part == asked.part).count();
        let (scale, unit) =
            shape.measures.get(at).map_or((0, None), |measure| (measure.scale, measure.unit.clone()));
        (before, scale, unit)
    };
    let (kind, unit) = match asked.kind {
        Asked::Rows => (AggregateKind::Rows, None),
        Asked::Persons => (AggregateKind::Persons, None),
        Asked::Sum(number) => {
            let (at, scale, unit) = measure(number);
            (AggregateKind::Sum { at, scale }, unit)
        }
        Asked::Average(number) => {
            let (at, scale, unit) = measure(number);
            (AggregateKind::Average { at, scale }, unit)
        }
        Asked::Variance(number) => {
            let (at, scale, _) = measure(number);
            (AggregateKind::Variance { at, scale, is_root: false }, None)
        }
        Asked::Deviation(number) => {
            let (at, scale, unit) = measure(number);
            (AggregateKind::Variance { at, scale, is_root: true }, unit)
        }
        Asked::Quantile(at) => {
            let ranked = shape.ranked.as_ref();
            let scale = ranked.map_or(0, |ranked| ranked.scale);
            (AggregateKind::Quantile { at, scale }, ranked.and_then(|ranked| ranked.unit.clone()))
        }
    };
    AggregateShape { part: asked.part, kind, unit }
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, Grant, Period, SnapshotId, Thresholds, Tier};
    use engine_protocol::PublicRow;
    use engine_vet::{Scope, vet};

    use super::public_figures;

    #[test]
    fn figures_are_those_of_the_plan_and_each_key_has_one_row() {
        let catalogue = Catalogue::builtin().unwrap();
        let tables = catalogue.tables.values().map(|table| {
            (table.table.clone(), table.columns.iter().map(|column| column.name.clone()).collect())
        });
        let grant = Grant {
            project: "demo".to_owned(),
            snapshot: SnapshotId::from_digest(&[0; 32]),
            tier: Tier::Pseudonymized,
            period: Period { from: "2023-04".parse().unwrap(), to: "2024-03".parse().unwrap() },
            tables: tables.collect(),
            thresholds: Thresholds { persons: 10, zero_shown: true },
        };
        let sql = "SELECT c.prefecture, c.n / q.f AS rate \
            FROM (SELECT prefecture, count(*) AS n FROM ndb_receipt GROUP BY prefecture) c \
            JOIN (SELECT prefecture, count(*) AS f FROM municipality GROUP BY prefecture) q \
            ON q.prefecture = c.prefecture";
        let plan = vet(sql, Scope { catalogue: &catalogue, grant: &grant }).unwrap();
        let row = |key: &[u32], figures: &[i64]| PublicRow {
            key: key.to_vec(),
            figures: figures.iter().copied().map(Some).collect(),
        };
        let found = public_figures(&plan, vec![row(&[12], &[5]), row(&[26], &[4])]).unwrap();
        assert_eq!(
            (found.keys, found.rows[[12_u32].as_slice()].as_slice()),
            (vec![0], [Some((5, 0))].as_slice())
        );
        for wrong in [row(&[], &[5]), row(&[12, 0], &[5]), row(&[12], &[]), row(&[12], &[5, 5])] {
            assert_eq!(public_figures(&plan, vec![wrong]), None);
        }
        assert_eq!(public_figures(&plan, vec![row(&[12], &[5]), row(&[12], &[6])]), None);
    }
}
