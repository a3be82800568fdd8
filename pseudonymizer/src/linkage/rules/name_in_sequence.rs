//! The name stays and the card changes: another insurer, a job, the 75th birthday. Namesakes share a name, too, but at
//! the same time.
//!
//! Two identities with cards of their own are one person if one follows the other; a return to the former insurer and
//! a single mistaken receipt are allowed. Those that change to and fro must have been seen in one prefecture, and so
//! must those of which one is never seen in a month without the other: nothing says then which came first.

use super::super::component::{Component, Group, Proposal, settle};
use super::super::profile::Kind;
use super::super::timeline::Meeting;
use super::{ConflictKind, Verdict};

/// Joins by every name that several groups with a card carry.
pub(in super::super) fn name_in_sequence(component: &Component<'_>) -> Proposal {
    let mut proposal = Proposal::default();
    for shared in component.shared_keys(Kind::Name) {
        let mut groups = component.groups_of(&shared.holders, |_| true);
        groups.retain(|(_, group)| group.is_numbered());
        settle(&shared, &groups, &mut proposal, verdict);
    }
    proposal
}

fn verdict(one: &Group, two: &Group) -> Verdict {
    let meeting = Meeting::of(&one.carded_months, &two.carded_months);
    let is_far = one.places & two.places == 0 && one.places != 0 && two.places != 0;
    let shares_card = one.cards.intersection(&two.cards).next().is_some();
    let is_told_apart = is_far && (meeting.turns > 1 || meeting.is_never_alone());
    match meeting.is_sequence() && !shares_card && !is_told_apart {
        true => Verdict::Same,
        false => Verdict::Apart(ConflictKind::Namesakes),
    }
}
