//! The card stays and the name changes: marriage, divorce, adoption. Twins share a card, too, but at the same time.
//!
//! A branch number on both sides settles it: one person keeps it, twins have two. Otherwise the two names must follow
//! one another, and a child is not taken to have married. An adult's name that is only written in another way (the
//! kana name is missing on one side) is one person's even in the same months.

use super::super::component::{Component, Group, Proposal, settle};
use super::super::profile::Kind;
use super::super::timeline::Meeting;
use super::{ConflictKind, Verdict};

/// The age from which a name changes by marriage, in months.
const ADULT: i32 = 16 * 12;

/// Joins by every card that several groups carry.
pub(in super::super) fn card_in_sequence(component: &Component<'_>) -> Proposal {
    let mut proposal = Proposal::default();
    for shared in component.shared_keys(Kind::Card) {
        let groups =
            component.groups_of(&shared.holders, |profile| profile.key(shared.scheme) == Some(shared.key));
        settle(&shared, &groups, &mut proposal, |one, two| verdict(component, one, two));
    }
    proposal
}

fn verdict(component: &Component<'_>, one: &Group, two: &Group) -> Verdict {
    let differ = |scheme: usize| one.has(scheme) && two.has(scheme);
    if component.exclusive_numbers().any(differ) {
        return Verdict::Apart(ConflictKind::Twins);
    }
    let later = one.from().max(two.from());
    let is_adult = one.nature.is_some_and(|nature| later - nature.birth_month >= ADULT);
    let follows = Meeting::of(&one.months, &two.months);
    let is_written_otherwise =
        component.schemes_of(Kind::Name).any(|scheme| one.has(scheme) != two.has(scheme));
    match is_adult && (is_written_otherwise || (follows.shared <= 1 && follows.turns <= 1)) {
        true => Verdict::Same,
        false => Verdict::Apart(ConflictKind::Twins),
    }
}
