//! How cells make up another: a margin and its parts.

use super::CellNo;

/// One cell is made up of others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) whole: CellNo,
    pub(crate) parts: Vec<CellNo>,
    pub(crate) link: Link,
    pub(crate) of: Of,
}

/// Which quantities a relation is true of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Of {
    /// All that the cells have.
    #[default]
    All,
    Persons,
    Rows,
    /// The measure of this number.
    Sum(usize),
}

/// How the parts make up the whole, for a quantity that is counted once for each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The parts are all there are: rows and sums add up.
    Whole,
    /// Other parts may exist that no reader sees.
    Some,
    /// Whatever is in the whole is in a part; parts may share and have others besides.
    Within,
}

/// A row of the system that a reader solves: the terms add up to zero, or to no less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) terms: Vec<(CellNo, i8)>,
    pub(crate) is_exact: bool,
}

impl Relation {
    /// Whether it is true of this quantity.
    pub(crate) fn is_of(&self, quantity: Of) -> bool {
        self.of == Of::All || self.of == quantity
    }

    /// What a reader knows from this relation about quantities with these values.
    ///
    /// Distinct persons of parts add up where nobody is in two parts. Where somebody is, the whole lies between the
    /// largest part and the sum. Whether anybody is, a reader may know: the stronger reader is assumed.
    pub(crate) fn rows(&self, value: impl Fn(CellNo) -> i128) -> Vec<Row> {
        let sum: i128 = self.parts.iter().map(|part| value(*part)).sum();
        let whole = value(self.whole);
        let all = |whole: i8, part: i8, is_exact| Row {
            terms: std::iter::once((self.whole, whole))
                .chain(self.parts.iter().map(|at| (*at, part)))
                .collect(),
            is_exact,
        };
        if self.link == Link::Within {
            return vec![all(-1, 1, false)];
        }
        if self.link == Link::Whole && sum == whole {
            return vec![all(1, -1, true)];
        }
        if sum <= whole {
            return vec![all(1, -1, false)];
        }
        let above =
            self.parts.iter().map(|part| Row { terms: vec![(self.whole, 1), (*part, -1)], is_exact: false });
        let mut rows: Vec<Row> = above.collect();
        if self.link == Link::Whole {
            rows.push(all(-1, 1, false));
        }
        rows
    }
}
