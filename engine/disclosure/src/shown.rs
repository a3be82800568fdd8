//! What of a cell that may be shown is shown: its numbers, rounded where the rules say so.
//!
//! Suppress first, then round: what comes here has passed every rule at a threshold on the edge of a bin. Counts and
//! sums are rounded each by itself, means are those of the rounded sum and the rounded count, and a spread, which no
//! rounded number gives, is not shown. Whatever the post-program computes, it computes from these.

use catalog_model::{CellRules, Rounding, RoundingMode};
use engine_protocol::{QuantileEvidence, SumEvidence};
use roaring::RoaringBitmap;

use crate::format::{self, Number};
use crate::post::Value;
use crate::shape::{AggregateKind, AggregateShape};
use crate::table::{Cell, breadth};

/// How numbers are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'s> {
    persons: u32,
    rounding: Option<Rounding>,
    secret: Option<&'s [u8; 32]>,
}

impl<'s> Shown<'s> {
    /// What the rules say; none where they ask for random rounding and there is nothing to draw with.
    pub(crate) fn new(rules: &CellRules, secret: Option<&'s [u8; 32]>) -> Option<Self> {
        let is_random = rules.rounding.is_some_and(|rounding| rounding.mode == RoundingMode::Random);
        let shown = Self { persons: rules.persons, rounding: rules.rounding, secret };
        (!is_random || secret.is_some()).then_some(shown)
    }

    /// An aggregate of a cell that is not hidden.
    pub(crate) fn value(&self, aggregate: &AggregateShape, (key, cell): (&[u32], &Cell)) -> Value {
        let Some(part) = cell.parts.get(aggregate.part) else { return Value::Hidden };
        let rounding = self.rounding.filter(|rounding| rounding.rounds(breadth(key)));
        let count = |number: u64| self.rounded(rounding, i128::from(number), &part.persons, 1);
        let sum = |at: usize, scale: u32| {
            let sum = part.sums.get(at).copied().unwrap_or_default();
            let unit = 10_u32.saturating_pow(scale);
            let whole = self.rounded(rounding, sum.sum, &part.persons, unit);
            SumEvidence { sum: whole, values: u64::try_from(count(sum.values)).unwrap_or(0), ..sum }
        };
        let number = |number: Option<Number>| number.map_or(Value::Empty, Value::Number);
        match aggregate.kind {
            AggregateKind::Rows => Value::Number(Number::whole(count(part.rows))),
            AggregateKind::Persons => Value::Number(Number::whole(count(part.persons.len()))),
            AggregateKind::Sum { at, scale } => Value::Number(format::sum(&sum(at, scale), scale)),
            AggregateKind::Average { at, scale } => number(format::average(&sum(at, scale), scale)),
            AggregateKind::Variance { .. } if rounding.is_some() => Value::Hidden,
            AggregateKind::Variance { at, scale, is_root } => {
                number(format::variance(&sum(at, scale), scale, is_root))
            }
            AggregateKind::Quantile { at, scale } => {
                part.quantiles.get(at).map_or(Value::Hidden, |steps| self.quantile(steps, scale))
            }
        }
    }

    /// The number rounded to a multiple of so many units; the same cohort is rounded the same way each time.
    fn rounded(&self, rounding: Option<Rounding>, number: i128, persons: &RoaringBitmap, unit: u32) -> i128 {
        let Some(rounding) = rounding else { return number };
        let rounding = Rounding { base: rounding.base.saturating_mul(unit), ..rounding };
        let chance = match (rounding.mode, self.secret) {
            (RoundingMode::Random, Some(secret)) => chance(secret, number, persons),
            _ => 0,
        };
        rounding.of(number, chance)
    }

    /// The start of the finest interval in which enough persons are.
    fn quantile(&self, evidence: &QuantileEvidence, scale: u32) -> Value {
        if evidence.steps.is_empty() {
            return Value::Empty;
        }
        let finest = evidence.steps.iter().find(|step| step.within >= u64::from(self.persons));
        finest.map_or(Value::Hidden, |step| Value::Number(Number { whole: step.low, places: scale }))
    }
}

/// A number that follows from a cohort, from a number about it, and from a secret.
///
/// Equal numbers of a cohort, such as its rows and its persons, are rounded alike: two draws for one number would tell
/// it.
fn chance(secret: &[u8; 32], number: i128, persons: &RoaringBitmap) -> u64 {
    let mut hasher = blake3::Hasher::new_keyed(secret);
    hasher.update(&number.to_le_bytes());
    for person in persons {
        hasher.update(&person.to_le_bytes());
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
