//! Who carries a person's number and was born a slip of the pen away, once, is that person: the birth date was misread.
//!
//! What counts as a slip is decided before any rule looks at the profiles, so that the guard against two natures knows
//! it, too.

use super::super::component::{Component, Proposal};

/// Joins every misread profile to whose it is.
pub(in super::super) fn misread_birth(component: &Component<'_>) -> Proposal {
    let joins = component.misread().iter().map(|(member, owner)| (*owner, *member)).collect();
    Proposal { joins, ..Proposal::default() }
}
