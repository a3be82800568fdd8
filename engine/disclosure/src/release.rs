//! The one function that releases.

use std::collections::BTreeMap;

use catalog_model::{CellRules, Thresholds};
use classified::{Protected, Released};
use engine_protocol::{
    Beyond, CellValue, Evidence, PostExpr, ReleasedTable, TOTAL, TableColumn, TableColumnKind,
};

use crate::behind::Behind;
use crate::format::Number;
use crate::hiding::{Hidden, Past, Unprotected};
use crate::ledger::Cohort;
use crate::post::{self, Row, Value};
use crate::shape::Shape;
use crate::shown::Shown;
use crate::table::{self, Cell, Cells};

/// Cells up to which absent groups are listed as zeros; in larger tables an absent group means zero.
const FILL: usize = 40;
/// Cells beyond which nothing is released.
const MOST: usize = 200_000;

/// A released table with what the record keeps of it.
#[derive(Debug)]
pub struct Release {
    /// The table, for the asker.
    pub table: Released<ReleasedTable>,
    /// Its cells and margins.
    pub cells: u64,
    /// Hidden for too few persons.
    pub primary: u64,
    /// Hidden because a margin would have given another one away.
    pub secondary: u64,
    /// How many values each rule hides by itself; for the board, not for the asker.
    pub reasons: BTreeMap<&'static str, u64>,
    /// The cohorts that the table tells of, for the ledger.
    pub cohorts: Vec<Cohort>,
    /// What a reader can derive of a hidden count is an interval whose ends are at least so far apart.
    pub hidden_interval: u32,
    /// What the audit beside what was released before did not take in; none where the table is judged by itself.
    pub beyond: Option<Beyond>,
    /// What stands behind each value, for people who review it inside.
    pub behind: Protected<Behind>,
}

/// What a table is released under.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'s> {
    /// What every cell is held to.
    pub rules: &'s CellRules,
    /// The query's id, which stands on the table.
    pub query: &'s str,
    /// The snapshot, which stands on the table.
    pub snapshot: &'s str,
    /// The rule pack's name, which stands on the table.
    pub pack: &'s str,
    /// What random rounding is drawn with; without it no such table is released.
    pub secret: Option<&'s [u8; 32]>,
    /// What was released before; none where a table is judged by itself.
    pub past: Option<&'s Past<'s>>,
}

/// Why nothing is released. The asker is not told which.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withheld {
    /// The worker's evidence cannot be used.
    #[error("the worker's evidence cannot be used: {0}")]
    Evidence(String),
    /// The table is too large.
    #[error("the table has {0} cells")]
    TooLarge(usize),
    /// No pattern of hidden cells protects the table.
    #[error("the table cannot be protected: {0}")]
    Unprotected(String),
    /// With what was released before the table gives a small group.
    #[error("with what was released before the table gives a small group")]
    Ledger,
    /// Not all of what was released before was audited with the table, and the rules do not do without.
    #[error("not all of what was released before was audited with the table")]
    Beyond,
    /// Random rounding is asked, and there is nothing to draw with.
    #[error("random rounding has no secret to draw with")]
    Rounding,
}

/// Protects a table and releases it.
///
/// # Errors
///
/// The evidence cannot be used, the table is too large, or nothing protects it; the asker is told none of it.
pub fn release(
    evidence: &Protected<Evidence>,
    shape: &Shape,
    setting: Setting<'_>,
) -> Result<Release, Withheld> {
    let rules = &setting.rules.from_an_edge();
    let shown = Shown::new(rules, setting.secret).ok_or(Withheld::Rounding)?;
    let thresholds = Thresholds { persons: rules.persons, zero_shown: rules.zero_shown };
    let bad = |error: table::BadEvidence| Withheld::Evidence(error.to_string());
    // Tables of one query that have margins in common are linked by them, whether the margins are asked or not.
    let linked = Shape { sets: table::linked(&shape.sets), ..shape.clone() };
    let mut cells = table::read(evidence.inside(), &linked).map_err(bad)?;
    // Where zeros are hidden an absent group would tell one, so all are listed.
    let is_whole = table::fill(&mut cells, &linked, if thresholds.zero_shown { FILL } else { MOST });
    if !is_whole && !thresholds.zero_shown {
        return Err(Withheld::TooLarge(usize::MAX));
    }
    if cells.len() > MOST {
        return Err(Withheld::TooLarge(cells.len()));
    }
    let mut hidden = Hidden::of(&cells, &linked, rules, setting.past).map_err(|error| match error {
        Unprotected::SmallGroup => Withheld::Ledger,
        Unprotected::Beyond => Withheld::Beyond,
        Unprotected::TooLarge(cells) => Withheld::TooLarge(cells),
        Unprotected::Exposed(_) => Withheld::Unprotected(error.to_string()),
    })?;
    cells.retain(|key, _| shape.sets.contains(&table::set_of(key)));
    hidden.retain(|key| shape.sets.contains(&table::set_of(key)));
    let released = ReleasedTable {
        query: setting.query.to_owned(),
        snapshot: setting.snapshot.to_owned(),
        columns: columns(shape),
        rows: post::run(&shape.post, rows(&cells, &hidden, shape, &shown)),
        suppressed: hidden.whole(),
        threshold: thresholds.persons,
        rules: setting.pack.to_owned(),
        certificate: None,
    };
    let (primary, all) = (hidden.primary(), hidden.all());
    let behind = Protected::new(Behind::of(&cells, &hidden, shape));
    Ok(Release {
        table: checked(released),
        cells: cells.len() as u64,
        primary,
        secondary: all.saturating_sub(primary),
        reasons: hidden.reasons(),
        hidden_interval: hidden.narrowest,
        beyond: hidden.beyond,
        cohorts: hidden.cohorts,
        behind,
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "every rule was applied just above: this is where a table is released"
)]
fn checked(table: ReleasedTable) -> Released<ReleasedTable> {
    Released::assert_checked(table)
}

fn columns(shape: &Shape) -> Vec<TableColumn> {
    let column = |column: &engine_protocol::PostColumn| {
        let aggregate = |at: &usize| shape.aggregates.get(*at);
        let (kind, unit) = match &column.value {
            PostExpr::Key(_) => (TableColumnKind::Key, None),
            PostExpr::Aggregate(at) => (
                aggregate(at).map_or(TableColumnKind::Computed, |aggregate| aggregate.kind.column()),
                aggregate(at).and_then(|aggregate| aggregate.unit.clone()),
            ),
            _ => (TableColumnKind::Computed, None),
        };
        TableColumn { name: column.name.clone(), kind, unit }
    };
    shape.post.columns.iter().map(column).collect()
}

/// The cells as rows whose hidden values are taken out.
fn rows(cells: &Cells, hidden: &Hidden, shape: &Shape, shown: &Shown<'_>) -> Vec<Row> {
    let row = |(key, cell): (&Vec<u32>, &Cell)| Row {
        keys: key.iter().enumerate().map(|(at, number)| (label(at, key, shape), *number)).collect(),
        public: shape.public.of(key).map(figures),
        aggregates: shape
            .aggregates
            .iter()
            .map(|aggregate| {
                if hidden.is_hidden(aggregate.part, key) {
                    return Value::Hidden;
                }
                shown.value(aggregate, (key, cell))
            })
            .collect(),
    };
    cells.iter().map(row).collect()
}

fn figures(figures: &[Option<(i128, u32)>]) -> Vec<Value> {
    let figure = |figure: &Option<(i128, u32)>| {
        figure.map_or(Value::Empty, |(whole, places)| Value::Number(Number { whole, places }))
    };
    figures.iter().map(figure).collect()
}

pub(crate) fn label(at: usize, key: &[u32], shape: &Shape) -> CellValue {
    let value = key.get(at).copied().unwrap_or(TOTAL);
    if value == TOTAL {
        return CellValue::Total;
    }
    match shape.keys.get(at).and_then(|key| key.values.get(value as usize)) {
        Some(label) => {
            CellValue::Key { code: label.code.clone(), ja: label.ja.clone(), en: label.en.clone() }
        }
        None => CellValue::Other,
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::{CellRules, CountedUnit, Rounded, Rounding, RoundingMode};
    use classified::Protected;
    use engine_protocol::{
        CellValue, Evidence, EvidenceCell, EvidencePart, Post, PostColumn, PostExpr, QuantileEvidence,
        QuantileStep, SumEvidence, TOTAL,
    };
    use proptest::prelude::*;
    use roaring::RoaringBitmap;

    use super::{Setting, Withheld, release};
    use crate::shape::{AggregateKind, AggregateShape, KeyLabel, KeyShape, PartShape, Shape};
    use crate::table::BadEvidence;

    fn rules() -> CellRules {
        CellRules { dominance: None, estimate: None, ..CellRules::general(10, true) }
    }

    fn setting(rules: &CellRules) -> Setting<'_> {
        Setting { rules, query: "q1", snapshot: "s", pack: "r", secret: Some(&[7; 32]), past: None }
    }

    /// One key with three values; persons, a mean, and the persons of a condition.
    fn shape(sets: &[u32]) -> Shape {
        let label = |code: &str| KeyLabel { code: code.to_owned(), ja: code.to_owned(), en: code.to_owned() };
        let aggregate = |part, kind| AggregateShape { part, kind, unit: None };
        let column = |name: &str, value| PostColumn { name: name.to_owned(), value };
        Shape {
            keys: vec![KeyShape { values: vec![label("a"), label("b"), label("c")] }],
            sets: sets.to_vec(),
            parts: vec![PartShape { sums: vec![0], quantiles: 0 }, PartShape::default()],
            aggregates: vec![
                aggregate(0, AggregateKind::Persons),
                aggregate(0, AggregateKind::Average { at: 0, scale: 0 }),
                aggregate(1, AggregateKind::Persons),
            ],
            post: Post {
                columns: vec![
                    column("k", PostExpr::Key(0)),
                    column("persons", PostExpr::Aggregate(0)),
                    column("mean", PostExpr::Aggregate(1)),
                    column("some", PostExpr::Aggregate(2)),
                ],
                ..Post::default()
            },
            ..Shape::default()
        }
    }

    fn part(persons: std::ops::Range<u32>, sums: usize) -> EvidencePart {
        let mut bytes = Vec::new();
        let rows = u64::from(persons.end - persons.start);
        persons.collect::<RoaringBitmap>().serialize_into(&mut bytes).unwrap();
        let sum = SumEvidence { sum: i128::from(rows) * 2, values: rows, ..SumEvidence::default() };
        EvidencePart { rows, persons: bytes, sums: vec![sum; sums], ..EvidencePart::default() }
    }

    fn cell(key: u32, persons: std::ops::Range<u32>, some: std::ops::Range<u32>) -> EvidenceCell {
        let outside = part(persons.start + (some.end - some.start)..persons.end, 1);
        assert!(some.is_empty() || some.start == persons.start);
        let parts = vec![part(persons, 1), part(some, 0)];
        EvidenceCell { key: vec![key], parts, outside: vec![outside], atoms: Vec::new() }
    }

    fn text(cells: Vec<EvidenceCell>, sets: &[u32]) -> Vec<String> {
        let evidence = Protected::new(Evidence { cells });
        let released = release(&evidence, &shape(sets), setting(&rules())).unwrap();
        let rows = &released.table.get().rows;
        rows.iter().map(|row| row.iter().map(CellValue::text).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn few_persons_are_hidden_and_zero_is_shown() {
        assert_eq!(
            text(vec![cell(0, 0..9, 0..9), cell(1, 0..10, 0..0)], &[1]),
            ["a *** *** ***", "b 10 2.00 0", "c 0  0"],
        );
    }

    #[test]
    fn a_condition_that_few_meet_or_few_fail_is_hidden() {
        let cells = vec![cell(0, 0..30, 0..9), cell(1, 0..30, 0..21), cell(2, 0..30, 0..20)];
        assert_eq!(text(cells, &[1]), ["a 30 2.00 ***", "b 30 2.00 ***", "c 30 2.00 20"]);
    }

    /// The rows of the table, rounded, of one table with so many persons in its cells and their total.
    fn rounded(counts: [u32; 3], rounding: Option<Rounding>, few: u32) -> Vec<Vec<CellValue>> {
        let mut from = 0;
        let mut cells: Vec<EvidenceCell> = Vec::new();
        for (key, count) in (0_u32..).zip(counts).filter(|(_, count)| *count > 0) {
            cells.push(cell(key, from..from + count, from..from));
            from += count;
        }
        if from > 0 {
            cells.push(cell(TOTAL, 0..from, 0..0));
        }
        let rules = CellRules { persons: few, rounding, ..rules() };
        let evidence = Protected::new(Evidence { cells });
        release(&evidence, &shape(&[1, 0]), setting(&rules)).unwrap().table.get().rows.clone()
    }

    proptest! {
        #[test]
        fn what_is_shown_rounded_tells_no_more_than_its_bin(
            counts in prop::array::uniform3(0_u32..70), base in 2_u32..12, mode in 0_usize..4,
        ) {
            let mode = [RoundingMode::Up, RoundingMode::HalfUp, RoundingMode::Nearest, RoundingMode::Random][mode];
            let rounding = Rounding { base, mode, of: Rounded::All };
            let few = rounding.threshold(10);
            let (plain, rows) = (rounded(counts, None, few), rounded(counts, Some(rounding), 10));
            prop_assert_eq!(plain.len(), rows.len());
            for (plain, row) in plain.iter().zip(&rows) {
                // Suppressed first: the same values are hidden as in the table that is not rounded.
                prop_assert_eq!(plain[1] == CellValue::Suppressed, row[1] == CellValue::Suppressed);
                let (CellValue::Integer(exact), CellValue::Integer(shown)) = (&plain[1], &row[1]) else { continue };
                prop_assert_eq!(shown % i64::from(base), 0);
                let (low, high) = rounding.behind(i128::from(*shown));
                prop_assert!((low..=high).contains(&i128::from(*exact)));
                prop_assert!(*exact == 0 || high - low.max(i128::from(few)) + 2 >= i128::from(base));
                // Every row has the value two: the sum is rounded by itself, and the mean is that of what is shown.
                if let (CellValue::Decimal(mean), true) = (&row[2], *shown > 0) {
                    let sum = rounding.of(i128::from(*exact) * 2, 0);
                    let near = |sum: i128| (sum * 100 + i128::from(shown / 2)) / i128::from(*shown);
                    let mean: i128 = mean.replace('.', "").parse().unwrap();
                    let is_one = [-i128::from(base), 0, i128::from(base)].map(|by| near(sum + by)).contains(&mean);
                    prop_assert!(is_one, "{} of {} in {}", mean, sum, shown);
                }
            }
            // The same cohort is rounded the same way again.
            prop_assert_eq!(rows, rounded(counts, Some(rounding), 10));
        }
    }

    #[test]
    fn nothing_is_drawn_without_a_secret() {
        let random = Rounding { base: 5, mode: RoundingMode::Random, of: Rounded::All };
        let rules = CellRules { rounding: Some(random), ..rules() };
        let evidence = Protected::new(Evidence { cells: vec![cell(0, 0..30, 0..0)] });
        let without = Setting { secret: None, ..setting(&rules) };
        assert_eq!(release(&evidence, &shape(&[1]), without).err(), Some(Withheld::Rounding));
    }

    #[test]
    fn a_total_hides_a_second_cell() {
        let cells = vec![
            cell(0, 0..9, 0..0),
            cell(1, 9..30, 9..9),
            cell(2, 30..80, 30..30),
            cell(3, 80..95, 80..80),
            cell(TOTAL, 0..95, 0..0),
        ];
        assert_eq!(
            text(cells, &[1, 0]),
            ["a *** *** ***", "b *** *** ***", "c 50 2.00 0", "(other) 15 2.00 0", "(total) 95 2.00 0"],
        );
    }

    #[test]
    fn which_cell_is_hidden_beside_another_does_not_tell_how_large_the_shown_ones_are() {
        let hidden = |sizes: [u32; 3]| {
            let mut from = 9;
            let cells = sizes.iter().enumerate().map(|(at, size)| {
                from += size;
                cell(u32::try_from(at + 1).unwrap(), from - size..from, 0..0)
            });
            let cells: Vec<EvidenceCell> = [cell(0, 0..9, 0..0)].into_iter().chain(cells).collect();
            let total = cell(TOTAL, 0..from, 0..0);
            let rows = text(cells.into_iter().chain([total]).collect(), &[1, 0]);
            rows.iter().map(|row| row.contains("***")).collect::<Vec<_>>()
        };
        let pattern = hidden([21, 50, 15]);
        for sizes in [[50, 21, 15], [15, 14, 50], [500, 14, 14], [19, 400, 11]] {
            assert_eq!(hidden(sizes), pattern, "{sizes:?}");
        }
    }

    #[test]
    fn two_tables_of_one_query_are_linked_by_the_total_that_nobody_asked() {
        let one = shape(&[1, 2]);
        let label = |code: &str| KeyLabel { code: code.to_owned(), ja: code.to_owned(), en: code.to_owned() };
        let key = || KeyShape { values: vec![label("x"), label("y")] };
        let shape = Shape { keys: vec![key(), key()], ..one };
        let at = |key: [u32; 2], persons: std::ops::Range<u32>| EvidenceCell {
            key: key.to_vec(),
            ..cell(0, persons.clone(), persons.start..persons.start)
        };
        let cells = vec![
            at([0, TOTAL], 0..9),
            at([1, TOTAL], 9..60),
            at([TOTAL, 0], 0..30),
            at([TOTAL, 1], 30..60),
            at([TOTAL, TOTAL], 0..60),
        ];
        let released = release(&Protected::new(Evidence { cells }), &shape, setting(&rules())).unwrap();
        let rows = &released.table.get().rows;
        let shown: Vec<String> =
            rows.iter().map(|row| format!("{} {}", row[0].text(), row[1].text())).collect();
        assert_eq!(shown, ["x ***", "y ***", "(total) 30", "(total) 30"]);
        assert_eq!((released.cells, released.table.get().suppressed), (4, 2));
    }

    #[test]
    fn of_a_small_place_more_persons_are_asked_and_of_the_smallest_nothing_is_shown() {
        let cells = vec![cell(0, 0..19, 0..0), cell(1, 19..39, 19..19), cell(2, 39..400, 39..39)];
        let least = [((0, 0), 20), ((0, 1), 20), ((0, 2), u32::MAX)].into();
        let shape = Shape { least, ..shape(&[1]) };
        let released = release(&Protected::new(Evidence { cells }), &shape, setting(&rules())).unwrap();
        let rows = &released.table.get().rows;
        let shown: Vec<String> = rows.iter().map(|row| row[1].text()).collect();
        assert_eq!(shown, ["***", "20", "***"]);
        assert_eq!(released.reasons.get("small-place"), Some(&3));
    }

    #[test]
    fn evidence_outside_the_declared_shape_is_not_used() {
        let withheld = |cells: Vec<EvidenceCell>| {
            release(&Protected::new(Evidence { cells }), &shape(&[1]), setting(&rules())).err()
        };
        let whole = |part: EvidencePart| EvidenceCell {
            key: vec![0],
            parts: vec![part.clone(), self::part(0..0, 0)],
            outside: vec![part],
            atoms: Vec::new(),
        };
        for cells in [
            vec![cell(4, 0..9, 0..0)],
            vec![cell(0, 0..9, 0..0), cell(0, 9..20, 9..9)],
            vec![whole(EvidencePart { rows: 3, ..part(0..9, 1) })],
            vec![whole(EvidencePart { persons: vec![1, 2], ..part(0..9, 1) })],
            vec![whole(part(0..9, 0))],
            vec![EvidenceCell { parts: vec![part(0..9, 1), part(5..12, 0)], ..cell(0, 0..9, 0..0) }],
            vec![EvidenceCell { parts: vec![part(0..9, 1)], ..cell(0, 0..9, 0..0) }],
            vec![EvidenceCell { outside: Vec::new(), ..cell(0, 0..9, 0..0) }],
            vec![EvidenceCell { outside: vec![part(0..8, 1)], ..cell(0, 0..9, 0..0) }],
        ] {
            assert!(matches!(withheld(cells), Some(Withheld::Evidence(_))));
        }
    }

    /// Of a snapshot of forty persons: facilities, municipalities, a mean of values up to two, a quantile.
    fn bounded() -> Shape {
        let one = shape(&[1]);
        Shape {
            parts: vec![PartShape { sums: vec![0], quantiles: 1 }],
            aggregates: one.aggregates[..2].to_vec(),
            post: Post { columns: one.post.columns[..3].to_vec(), ..Post::default() },
            has_facility: true,
            units: vec![CountedUnit::Municipality],
            persons: Some(40),
            largest: vec![2],
            ..one
        }
    }

    /// A cell of these persons, each with one row of the value two.
    fn bounded_cell(key: u32, persons: std::ops::Range<u32>) -> EvidenceCell {
        let mut part = part(persons, 1);
        let step = |(low, width)| QuantileStep { low, width, within: part.rows, ..QuantileStep::default() };
        let steps = [(2, 1), (2, 2), (0, 5)].map(step).to_vec();
        part.quantiles = vec![QuantileEvidence { steps }];
        part.facilities = Some(3);
        part.units = vec![3];
        part.sums[0].facility_tops = Some((20, 10));
        EvidenceCell { key: vec![key], parts: vec![part], ..EvidenceCell::default() }
    }

    #[test]
    fn a_table_of_two_municipalities_is_hidden_and_one_of_three_is_shown() {
        let of = |municipalities: Option<u32>, behind: u32, has_gaps: bool| {
            let mut cell = bounded_cell(0, 0..20);
            cell.parts[0].units = vec![behind];
            let rules = CellRules { municipalities, ..rules() };
            let evidence = Protected::new(Evidence { cells: vec![cell] });
            let shape = Shape { has_gaps, ..bounded() };
            let released = release(&evidence, &shape, setting(&rules)).unwrap();
            (released.table.get().rows[0][1].clone(), released.reasons.get("few-municipalities").copied())
        };
        let shown = |municipalities, behind| of(municipalities, behind, false);
        assert_eq!(shown(Some(3), 3), (CellValue::Integer(20), None));
        assert_eq!(shown(Some(3), 2), (CellValue::Suppressed, Some(1)));
        assert_eq!(shown(None, 2), (CellValue::Integer(20), None));
        // Who is in no row of a table that names one is of none; otherwise all may be of one.
        assert_eq!(of(Some(3), 0, true), (CellValue::Integer(20), None));
        assert_eq!(of(Some(3), 1, true), (CellValue::Suppressed, Some(1)));
        assert_eq!(shown(Some(3), 0), (CellValue::Suppressed, Some(1)));
    }

    #[test]
    fn numbers_that_rows_and_persons_cannot_have_are_not_used() {
        let refused = |cells: Vec<EvidenceCell>| match release(
            &Protected::new(Evidence { cells }),
            &bounded(),
            setting(&rules()),
        ) {
            Err(Withheld::Evidence(reason)) => Some(reason),
            _ => None,
        };
        let two = |from: u32| vec![bounded_cell(0, 0..20), bounded_cell(1, from..from + 20)];
        assert_eq!(refused(two(20)), None);
        assert_eq!(refused(two(21)), None, "numbers are higher than there are persons");
        let more = vec![bounded_cell(0, 0..20), bounded_cell(1, 20..41)];
        assert_eq!(refused(more), Some(BadEvidence::Persons.to_string()));
        type Change = fn(&mut EvidencePart);
        let changes: [(BadEvidence, Change); 16] = [
            (BadEvidence::Facilities, |part| part.facilities = Some(21)),
            (BadEvidence::Facilities, |part| part.units = vec![21]),
            (BadEvidence::Contributors, |part| part.units = Vec::new()),
            (BadEvidence::Contributors, |part| part.units = vec![3, 3]),
            (BadEvidence::Sums, |part| part.sums[0].values = 21),
            (BadEvidence::Sums, |part| part.sums[0].negatives = 21),
            (BadEvidence::Sums, |part| part.sums[0].sum = 41),
            (BadEvidence::Sums, |part| part.sums[0].sum = -41),
            (BadEvidence::Sums, |part| part.sums[0].top1 = 41),
            (BadEvidence::Sums, |part| part.sums[0].facility_tops = Some((41, 0))),
            (BadEvidence::Sums, |part| part.sums[0].values = 19),
            (BadEvidence::Quantiles, |part| part.quantiles[0].steps.reverse()),
            (BadEvidence::Quantiles, |part| part.quantiles[0].steps[0].low = 7),
            (BadEvidence::Quantiles, |part| part.quantiles[0].steps[2].low = 1),
            (BadEvidence::Quantiles, |part| part.quantiles[0].steps[0].within = 0),
            (BadEvidence::Quantiles, |part| part.quantiles[0].steps[1].above = 21),
        ];
        for (at, (reason, change)) in changes.into_iter().enumerate() {
            let mut cell = bounded_cell(0, 0..20);
            change(&mut cell.parts[0]);
            assert_eq!(refused(vec![cell]), Some(reason.to_string()), "change {at}");
        }
    }
}
