//! The rules, one file each. A rule says which cells are hidden; none shows a cell that another hides.

pub(crate) mod few_persons;
pub(crate) mod margins;
