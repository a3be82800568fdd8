//! Lists in pages: how many from where, and how many there are.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problem::Problem;

/// The most items of a page.
const MOST: usize = 500;

/// Which part of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wanted {
    /// How many items to leave out at the beginning.
    #[serde(default)]
    #[param(default = 0, minimum = 0, maximum = 1000000)]
    offset: usize,
    /// The most items to give.
    #[serde(default = "usual")]
    #[param(default = 100, minimum = 1, maximum = 500)]
    limit: usize,
}

/// A part of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The items.
    pub(super) items: Vec<T>,
    /// How many were left out at the beginning.
    pub(super) offset: usize,
    /// How many the whole list has.
    pub(super) total: usize,
}

const fn usual() -> usize {
    100
}

impl Wanted {
    /// That part of a list.
    pub(super) fn of<T>(&self, items: impl ExactSizeIterator<Item = T>) -> Result<Page<T>, Problem> {
        if self.limit == 0 || self.limit > MOST || self.offset > 1_000_000 {
            return Err(Problem::Parameter);
        }
        let total = items.len();
        Ok(Page { items: items.skip(self.offset).take(self.limit).collect(), offset: self.offset, total })
    }
}
