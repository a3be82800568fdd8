//! Groups of persons of unknown sizes, of which sums are known: which small ones a reader can tell to be small.

use std::collections::BTreeSet;

use crate::family::{CellNo, Row};
use crate::protect::audit::{self, Demand, Pool};
use crate::protect::layer::{Layer, Need, Place, Range};
use crate::protect::system::System;

/// Groups with known sums.
#[derive(Debug)]
pub(crate) struct Sizes {
    layer: Layer,
    few: i128,
}

impl Sizes {
    /// Groups of these sizes, and which of them are counted together.
    pub(crate) fn new(sizes: &[u64], sums: &[Vec<usize>], few: u64) -> Self {
        let few = i128::from(few);
        let place = |size: &u64| {
            let value = i128::from(*size);
            let range = Range::from(0);
            Place { value, shown: range, hidden: range, need: Need::Cover(value, few - 1) }
        };
        let sum = |parts: &Vec<usize>| {
            let value = parts.iter().filter_map(|at| sizes.get(*at)).map(|size| i128::from(*size)).sum();
            let range = Range::of(value, value);
            Place { value, shown: range, hidden: range, need: Need::Width(0) }
        };
        let places = sizes.iter().map(place).chain(sums.iter().map(sum)).collect();
        let row = |(at, parts): (usize, &Vec<usize>)| Row {
            terms: std::iter::once((sizes.len() + at, 1))
                .chain(parts.iter().map(|part| (*part, -1)))
                .collect(),
            is_exact: true,
        };
        Self { layer: Layer::of(places, sums.iter().enumerate().map(row).collect()), few }
    }

    /// The small groups that cannot be as large as a group may be of which something is told.
    pub(crate) fn narrow(&self) -> BTreeSet<CellNo> {
        let system = System::new(&self.layer, |_| true);
        let mut pool = Pool::default();
        let is_small = |(_, place): &(usize, &Place)| place.value < self.few && !place.hidden.is_point();
        let small = self.layer.places.iter().enumerate().filter(is_small);
        let demands = small.map(|(at, place)| Demand { at, need: place.need, known: None });
        demands
            .filter(|demand| audit::is_narrow(&system, demand, &mut pool))
            .map(|demand| demand.at)
            .collect()
    }
}
