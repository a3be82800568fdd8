//! A value that changes from month to month.

use catalog_model::Month;

/// What holds from which month on; the first holds from ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct History<T> {
    first: T,
    later: Vec<(Month, T)>,
}

impl<T> History<T> {
    /// A value from ever.
    pub(crate) const fn new(first: T) -> Self {
        Self { first, later: Vec::new() }
    }

    /// Another value from `month` on; months must come in order, and the last change of a month stands.
    pub(crate) fn change(&mut self, month: Month, value: T) {
        self.later.retain(|(from, _)| *from < month);
        self.later.push((month, value));
    }

    /// The value in a month.
    pub(crate) fn at(&self, month: Month) -> &T {
        self.later.iter().rev().find(|(from, _)| *from <= month).map_or(&self.first, |(_, value)| value)
    }

    /// The first value.
    pub(crate) const fn first(&self) -> &T {
        &self.first
    }

    /// The changes, in order.
    pub(crate) fn changes(&self) -> &[(Month, T)] {
        &self.later
    }
}
