//! What the fuzz target does: take any bytes as a worker's reply, as the guard does, and release what can be released.
//!
//! The first byte chooses the query that was asked; the rest is the message in the frame.

use catalog_model::{CellRules, CountedUnit};
use classified::Protected;
use engine_disclosure::{
    AggregateKind, AggregateShape, KeyLabel, KeyShape, PartShape, Setting, Shape, Withheld, release,
};
use engine_protocol::{
    CellValue, Post, PostColumn, PostExpr, ReleasedTable, TableColumnKind, WorkerReply, read_packed,
};

/// Persons of the snapshot.
const PERSONS: u64 = 400;
/// The longest reply.
const MOST: u32 = 1 << 20;
/// Fewer persons are not shown.
const FEW: u32 = 10;

/// The queries that were asked, by number: persons, rows and a sum by a key with its total; and the same with two
/// conditions, a quantile, and rows that name facilities and municipalities.
pub(crate) fn shapes() -> [Shape; 2] {
    let plain = PartShape { sums: vec![0], quantiles: 0 };
    let sum = AggregateKind::Sum { at: 0, scale: 0 };
    let one = [(0, AggregateKind::Persons), (0, AggregateKind::Rows), (0, sum)];
    let other = [
        (0, AggregateKind::Persons),
        (0, AggregateKind::Rows),
        (0, AggregateKind::Quantile { at: 0, scale: 0 }),
        (1, AggregateKind::Persons),
        (1, sum),
        (2, AggregateKind::Persons),
    ];
    let parts = vec![PartShape { quantiles: 1, ..plain.clone() }, plain.clone(), PartShape::default()];
    let units = vec![CountedUnit::Municipality];
    [shape(vec![plain], &one), Shape { has_facility: true, units, ..shape(parts, &other) }]
}

fn shape(parts: Vec<PartShape>, aggregates: &[(usize, AggregateKind)]) -> Shape {
    let label = |code: &str| KeyLabel { code: code.into(), ja: code.into(), en: code.into() };
    let column = |at: usize| PostColumn { name: at.to_string(), value: PostExpr::Aggregate(at) };
    let key = PostColumn { name: "key".to_owned(), value: PostExpr::Key(0) };
    let columns = std::iter::once(key).chain((0..aggregates.len()).map(column)).collect();
    let asked =
        |(part, kind): &(usize, AggregateKind)| AggregateShape { part: *part, kind: *kind, unit: None };
    Shape {
        keys: vec![KeyShape { values: ["a", "b", "c"].map(label).to_vec() }],
        sets: vec![1, 0],
        parts,
        aggregates: aggregates.iter().map(asked).collect(),
        post: Post { columns, ..Post::default() },
        persons: Some(PERSONS),
        largest: vec![1_000],
        ..Shape::default()
    }
}

/// What is released of a reply, or why not; nothing where it is no evidence.
pub(crate) fn released(data: &[u8]) -> Option<Result<ReleasedTable, Withheld>> {
    let (first, message) = data.split_first()?;
    let [one, other] = shapes();
    let shape = if first % 2 == 0 { one } else { other };
    let length = u32::try_from(message.len()).ok()?.to_le_bytes();
    let frame = [length.as_slice(), message].concat();
    let Ok(WorkerReply::Evidence(evidence)) = read_packed(&mut frame.as_slice(), MOST) else { return None };
    let rules = CellRules::general(FEW, true);
    let setting = Setting { rules: &rules, query: "q", snapshot: "s", pack: "p", secret: None, past: None };
    let release = release(&Protected::new(evidence), &shape, setting);
    Some(release.map(|release| release.table.into_inner()))
}

/// Reads `data` as a reply: whatever is shown of it tells of enough persons, or of nobody.
pub(crate) fn read(data: &[u8]) {
    let Some(Ok(table)) = released(data) else { return };
    for row in &table.rows {
        for (value, column) in row.iter().zip(&table.columns) {
            let CellValue::Integer(number) = value else { continue };
            let is_few = column.kind == TableColumnKind::Persons && (1..i64::from(FEW)).contains(number);
            assert!(!is_few, "{number} persons are shown: {table:?}");
        }
    }
}
