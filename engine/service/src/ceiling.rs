//! How much a worker may answer: what the evidence of its plan takes at most, and no more.
//!
//! The plan says which cells there can be, the snapshot how many persons stand behind one, and the rules how many cells
//! are released. A reply that is longer, or that takes more memory once it is read, is not read to its end.

use engine_disclosure::AUDITED;
use engine_protocol::{EvidenceAtom, EvidenceCell, Limits, QuantileEvidence, QuantileStep, SumEvidence};
use engine_vet::PlanShape;

use crate::budget;

/// Combinations of conditions in one cell at most, as the protocol has it.
const MOST_ATOMS: u64 = 65_536;
/// Widths of the worker's grid of quantiles.
const STEPS: u64 = 48;
/// What stands around the cells.
const AROUND: u64 = 1 << 10;

/// The limits of a plan over so many persons: those given, with fewer bytes where its evidence cannot have more.
pub(crate) fn lowered(limits: Limits, shape: &PlanShape, persons: u64) -> Limits {
    let bytes = cells(limits, shape).saturating_mul(of_cell(shape, persons)).saturating_add(AROUND);
    Limits { bytes: limits.bytes.min(u32::try_from(bytes).unwrap_or(u32::MAX)), ..limits }
}

/// The cells that can be there and be released.
fn cells(limits: Limits, shape: &PlanShape) -> u64 {
    let sets = shape.evidence_sets();
    let declared = sets.iter().map(|set| budget::of_set(shape, *set)).fold(0, u64::saturating_add);
    // Of a table with conditions every cell has a value, what it leaves and who is never in it for each of them, and all
    // are audited. Margins that no table shows are not, and come where there are several grouping sets.
    let conditions = shape.conditions.len() as u64;
    let audited = match sets.as_slice() {
        [_] if conditions > 0 => AUDITED as u64 / (3 * conditions + 1),
        _ => u64::MAX,
    };
    declared.min(audited).min(limits.cells.into())
}

/// The bytes of one cell of a plan, on the wire or in memory.
fn of_cell(shape: &PlanShape, persons: u64) -> u64 {
    let conditions = shape.conditions.len();
    let atoms = if conditions > 1 { 1_u64.checked_shl(bits(conditions)).unwrap_or(MOST_ATOMS) } else { 0 };
    let parts = (2 * conditions as u64 + 1).saturating_add(atoms.min(MOST_ATOMS));
    let sums = (shape.measures.len() as u64).saturating_mul(wide::<SumEvidence>());
    let units = shape.units.len() as u64 * wide::<u32>();
    let part =
        wide::<EvidenceAtom>().saturating_add(sums).saturating_add(units).saturating_add(bitmap(persons));
    let ranks = shape.ranked.as_ref().map_or(0, |ranked| ranked.ranks.len() as u64);
    let quantile = wide::<QuantileEvidence>() + STEPS * wide::<QuantileStep>();
    let own = wide::<EvidenceCell>() + shape.keys.len() as u64 * wide::<u32>();
    parts.saturating_mul(part).saturating_add(ranks.saturating_mul(quantile)).saturating_add(own)
}

fn bits(conditions: usize) -> u32 {
    u32::try_from(conditions).unwrap_or(u32::MAX)
}

/// Twice what it takes in memory: a large number is longer on the wire.
const fn wide<T>() -> u64 {
    2 * size_of::<T>() as u64
}

/// A Roaring bitmap of so many persons: two bytes each, or less, and eight for each place where some are.
const fn bitmap(persons: u64) -> u64 {
    let places = if persons < 65_536 { persons } else { 65_536 };
    persons.saturating_mul(2).saturating_add(8 * places + 8)
}

#[cfg(test)]
mod tests {
    use catalog_model::CountedUnit;
    use engine_protocol::{
        Evidence, EvidenceAtom, EvidenceCell, EvidencePart, Limits, QuantileEvidence, QuantileStep,
        SumEvidence, WorkerReply, read_packed, write_packed,
    };
    use engine_vet::{DomainValue, KeyColumn, KeyDomain, KeyKind, MeasureColumn, PlanShape, RankedColumn};
    use roaring::RoaringBitmap;

    use super::lowered;

    const LIMITS: Limits =
        Limits { cells: 100_000, bytes: 1 << 30, seconds: 1, memory: 1, threads: 1, single: 1 };
    const PERSONS: u32 = 3_000;

    fn shape(values: usize, conditions: usize) -> PlanShape {
        let value = DomainValue { code: String::new(), ja: String::new(), en: String::new(), days: None };
        let domain = KeyDomain { kind: KeyKind::Text, values: vec![value; values] };
        let measure = |part: usize| MeasureColumn {
            column: String::new(),
            part,
            of: 0,
            scale: 0,
            largest: i64::MAX,
            squares: true,
            unit: None,
        };
        PlanShape {
            keys: vec![KeyColumn { name: String::new(), domain }],
            sets: vec![1],
            conditions: vec![String::new(); conditions],
            measures: (0..=conditions).map(measure).collect(),
            ranked: Some(RankedColumn { part: 0, scale: 0, ranks: vec![500], largest: i64::MAX, unit: None }),
            has_facility: true,
            units: CountedUnit::ALL.to_vec(),
            ..PlanShape::default()
        }
    }

    /// A part in which everybody is, each in a place of their own, with the longest numbers that there are.
    fn part(sums: usize, quantiles: usize) -> EvidencePart {
        let (persons, mut bytes) = (RoaringBitmap::from_iter((0..PERSONS).map(|at| at << 16)), Vec::new());
        persons.serialize_into(&mut bytes).unwrap();
        let sum = SumEvidence {
            sum: i128::MIN,
            values: u64::MAX,
            negatives: u64::MAX,
            squares: Some(i128::MIN),
            top1: i128::MIN,
            top2: i128::MIN,
            facility_tops: Some((i128::MIN, i128::MIN)),
        };
        let step = QuantileStep {
            low: i128::MIN,
            width: i128::MIN,
            below: u64::MAX,
            within: u64::MAX,
            above: u64::MAX,
        };
        EvidencePart {
            rows: u64::MAX,
            persons: bytes,
            facilities: Some(u32::MAX),
            units: vec![u32::MAX; CountedUnit::ALL.len()],
            sums: vec![sum; sums],
            quantiles: vec![QuantileEvidence { steps: vec![step; 48] }; quantiles],
        }
    }

    #[test]
    fn the_largest_evidence_of_a_plan_is_read_and_more_of_it_is_not() {
        let (shape, plain) = (shape(3, 2), part(1, 0));
        let atom = |met: u32| EvidenceAtom { met, rows: plain.clone() };
        let cell = |key: u32| EvidenceCell {
            key: vec![key],
            parts: vec![part(1, 1), plain.clone(), plain.clone()],
            outside: vec![plain.clone(); 2],
            atoms: (0..4).map(atom).collect(),
        };
        let most = lowered(LIMITS, &shape, PERSONS.into()).bytes;
        assert!(most < 4 << 20, "{most}");
        let read = |cells: u32| {
            let mut bytes = Vec::new();
            let cells = (0..cells).map(cell).collect();
            write_packed(&mut bytes, &WorkerReply::Evidence(Evidence { cells })).unwrap();
            read_packed::<WorkerReply>(&mut bytes.as_slice(), most).is_ok()
        };
        assert!(read(4), "three values and those that are none of them");
        assert!(!read(8));
    }

    #[test]
    fn of_cells_with_conditions_as_many_are_read_as_are_audited() {
        let bytes = |values: usize, conditions: usize| lowered(LIMITS, &shape(values, conditions), 1).bytes;
        assert_eq!(bytes(7_499, 1), bytes(50_000, 1), "four numbers for each cell, of 30,000");
        assert!(bytes(7_400, 1) < bytes(7_499, 1));
        assert!(bytes(7_499, 0) < bytes(50_000, 0));
        assert_eq!(lowered(LIMITS, &shape(1_000, 20), 1_000_000).bytes, LIMITS.bytes);
    }
}
