//! A stay of the hospitals' survey and an inpatient receipt that agree on facility, day of admission, birth date and sex
//! are one person's, where just one person each on the two sides fits.
//!
//! It serves hospitals that send no name with the survey. Twins who are born in one hospital are two on both sides.

use std::collections::{BTreeMap, BTreeSet};

use super::super::component::{Component, Proposal};

/// Joins by every stay that one surveyed and one insured group share.
pub(in super::super) fn same_stay(component: &Component<'_>) -> Proposal {
    let mut holders: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (member, profile) in component.profiles().iter().enumerate() {
        for stay in &profile.stays {
            holders.entry(*stay).or_default().push(member);
        }
    }
    let mut proposal = Proposal::default();
    for holders in holders.values() {
        let groups = component.groups_of(holders, |_| true);
        let [(one, first), (two, second)] = groups.as_slice() else { continue };
        if first.is_numbered() != second.is_numbered() {
            proposal.joins.push((*one, *two));
        }
    }
    // A surveyed patient who would belong to two insured ones belongs to nobody.
    let mut partners: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
    let group = |member: usize| component.group_of().get(member).copied().unwrap_or(u32::MAX);
    for (one, two) in &proposal.joins {
        partners.entry(group(*one)).or_default().insert(group(*two));
        partners.entry(group(*two)).or_default().insert(group(*one));
    }
    let is_numbered = |member: usize| {
        component.groups_of(&[member], |_| true).first().is_some_and(|(_, group)| group.is_numbered())
    };
    proposal.joins.retain(|(one, two)| {
        let surveyed = if is_numbered(*one) { *two } else { *one };
        partners.get(&group(surveyed)).is_none_or(|partners| partners.len() == 1)
    });
    proposal
}
