//! Records without a card (long-term care, the survey of hospitals, lists of disabilities) go to the one person whose
//! name they carry; where several persons have that name, to nobody.
//!
//! This is how a care number meets an insured number: a certification carries the kana name beside it.

use super::super::component::{Component, Group, Proposal, settle};
use super::super::profile::Kind;
use super::super::timeline::Meeting;
use super::{ConflictKind, Verdict};

/// Joins by every name that a group without a card carries.
pub(in super::super) fn unnumbered(component: &Component<'_>) -> Proposal {
    let mut proposal = Proposal::default();
    for shared in component.shared_keys(Kind::Name) {
        let groups = component.groups_of(&shared.holders, |_| true);
        if groups.iter().any(|(_, group)| !group.is_numbered()) {
            settle(&shared, &groups, &mut proposal, |one, two| verdict(component, one, two));
        }
    }
    proposal
}

fn verdict(component: &Component<'_>, one: &Group, two: &Group) -> Verdict {
    if one.is_numbered() && two.is_numbered() {
        // The rule before this one held them apart.
        return Verdict::Apart(ConflictKind::Namesakes);
    }
    let meets = |scheme: usize| match (one.months_with.get(&scheme), two.months_with.get(&scheme)) {
        (Some(one), Some(two)) => Meeting::of(one, two).is_sequence(),
        _ => true,
    };
    match component.exclusive_numbers().all(meets) {
        true => Verdict::Same,
        false => Verdict::Apart(ConflictKind::Ambiguous),
    }
}
