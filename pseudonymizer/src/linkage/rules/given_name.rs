//! Name and card change at once: who marries into another household, or divorces and takes a job. Given name, birth date
//! and sex stay, and so does a facility.
//!
//! The family name and the card of one group end, and those of the other begin later, and no third group fits between or
//! beside them. Besides, a facility has seen both within some years; or, for who moved with the marriage, both were seen
//! several times in one prefecture, at an age at which people marry, within a year. A given name alone joins nobody, and
//! what it does not join is no conflict: within a country many share it.

use super::super::component::{Component, Group, Proposal};
use super::super::profile::Kind;
use super::super::timeline::Meeting;

/// In how many months after the former identity the new one must be seen by a facility that knew the former.
pub(in super::super) const MOST_MONTHS_AT_A_FACILITY: i32 = 36;
/// In how many months it must be seen in the prefecture.
pub(in super::super) const MOST_MONTHS_IN_A_PREFECTURE: i32 = 12;
/// In how many months each was seen, to be joined within a prefecture.
pub(in super::super) const FEWEST_MONTHS_SEEN: usize = 2;
/// The ages, in months, of who is joined within a prefecture.
pub(in super::super) const AGES: std::ops::Range<i32> = 16 * 12..60 * 12;

/// Joins by every given name that several groups with a card carry.
pub(in super::super) fn given_name(component: &Component<'_>) -> Proposal {
    let mut proposal = Proposal::default();
    for shared in component.shared_keys(Kind::Given) {
        let mut groups = component.groups_of(&shared.holders, |_| true);
        groups.retain(|(_, group)| group.is_numbered());
        let follows: Vec<(usize, usize)> =
            pairs(groups.len()).filter(|pair| is_handover(&groups, *pair)).collect();
        for (one, two) in &follows {
            let only_next = next(&follows, *one).eq([*two]);
            let only_former = former(&follows, *two).eq([*one]);
            if let (true, true, Some((first, _)), Some((second, _))) =
                (only_next, only_former, groups.get(*one), groups.get(*two))
            {
                proposal.joins.push((*first, *second));
            }
        }
    }
    proposal
}

fn pairs(count: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).flat_map(move |one| (0..count).filter(move |two| *two != one).map(move |two| (one, two)))
}

/// Who comes directly after: those who come after somebody who comes after are not meant.
fn next(follows: &[(usize, usize)], one: usize) -> impl Iterator<Item = usize> + '_ {
    let after = move |one: usize| follows.iter().filter(move |(from, _)| *from == one).map(|(_, to)| *to);
    after(one).filter(move |last| !after(one).any(|between| follows.contains(&(between, *last))))
}

/// Who was directly before.
fn former(follows: &[(usize, usize)], two: usize) -> impl Iterator<Item = usize> + '_ {
    let before = move |two: usize| follows.iter().filter(move |(_, to)| *to == two).map(|(from, _)| *from);
    before(two).filter(move |first| !before(two).any(|between| follows.contains(&(*first, between))))
}

/// Whether the second group takes up where the first ends.
fn is_handover(groups: &[(usize, Group)], (one, two): (usize, usize)) -> bool {
    let (Some((_, one)), Some((_, two))) = (groups.get(one), groups.get(two)) else { return false };
    let meeting = Meeting::of(&one.carded_months, &two.carded_months);
    let (Some(first), Some(last), Some(begins)) =
        (one.carded_months.first(), one.carded_months.last(), two.carded_months.first())
    else {
        return false;
    };
    let follows = first < begins && meeting.shared <= 1 && meeting.turns <= 1;
    let is_new = one.cards.is_disjoint(&two.cards) && one.names.is_disjoint(&two.names);
    let between = begins - last;
    let at_a_facility = between <= MOST_MONTHS_AT_A_FACILITY && !one.facilities.is_disjoint(&two.facilities);
    follows
        && is_new
        && (at_a_facility || (between <= MOST_MONTHS_IN_A_PREFECTURE && moved(one, two, *begins)))
}

/// Whether both were seen several times in one prefecture, at an age at which people marry and move.
fn moved(one: &Group, two: &Group, begins: i32) -> bool {
    one.places & two.places != 0
        && one.carded_months.len().min(two.carded_months.len()) >= FEWEST_MONTHS_SEEN
        && one.nature.is_some_and(|nature| AGES.contains(&(begins - nature.birth_month)))
}
