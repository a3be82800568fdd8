//! The rules, one file each.

pub(crate) mod age_day;
pub(crate) mod age_floor;
pub(crate) mod aggregate;
pub(crate) mod clauses;
pub(crate) mod function;
pub(crate) mod group_key;
pub(crate) mod identity;
pub(crate) mod inner;
pub(crate) mod join;
pub(crate) mod kinds;
pub(crate) mod list;
pub(crate) mod node;
pub(crate) mod picked;
pub(crate) mod post;
pub(crate) mod predicate;
pub(crate) mod projection;
pub(crate) mod public;
pub(crate) mod root;
pub(crate) mod semi;
pub(crate) mod statement;
pub(crate) mod union;
pub(crate) mod value;
pub(crate) mod window;
pub(crate) mod workspace;
