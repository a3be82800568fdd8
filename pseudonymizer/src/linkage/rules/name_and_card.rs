//! Who carries the same card and the same name is one person: two facilities, or a check-up and a receipt.
//!
//! Twins share the card and not the name; namesakes share the name and not the card.

use std::collections::BTreeMap;

use super::super::component::{Component, Proposal};
use super::super::profile::Kind;

/// Joins by every pair of a card and a name.
pub(in super::super) fn name_and_card(component: &Component<'_>) -> Proposal {
    let mut proposal = Proposal::default();
    let cards: Vec<usize> = component.schemes_of(Kind::Card).collect();
    let names: Vec<usize> = component.schemes_of(Kind::Name).collect();
    let mut first: BTreeMap<(usize, u32, usize, u32), usize> = BTreeMap::new();
    for (member, profile) in component.profiles().iter().enumerate() {
        for (card, name) in cards.iter().flat_map(|card| names.iter().map(move |name| (*card, *name))) {
            let (Some(card_key), Some(name_key)) = (profile.key(card), profile.key(name)) else { continue };
            let pair = (card, card_key, name, name_key);
            match first.get(&pair) {
                Some(other) => proposal.joins.push((*other, member)),
                None => drop(first.insert(pair, member)),
            }
        }
    }
    proposal
}
