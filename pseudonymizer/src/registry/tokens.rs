//! A record as hashes: each field, and each field with one character left out.
//!
//! Two values that differ in one character, or have two exchanged, share such a hash; nothing else of the text is
//! kept. The hashes betray how frequent a value is to whoever holds them, so they do not leave the run.

use zeroize::Zeroize as _;

use super::declaration::Registry;
use super::hash::{RunKey, normal};

/// The hashes of one field of one record.
#[derive(Clone, Debug, Default)]
pub(super) struct Token {
    /// Of the whole value; 0 where it is empty.
    pub(super) whole: u64,
    /// Of the value and of what is left of it without one character, sorted.
    pub(super) near: Vec<u64>,
}

/// The hashes of one record, by field.
#[derive(Clone, Debug, Default)]
pub(super) struct Tokens(pub(super) Vec<Token>);

/// How the values of a field agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// They differ.
    Differ = 0,
    /// They differ in about one character, or one stands in the other's field.
    Near = 1,
    /// They are equal.
    Equal = 2,
}

impl Tokens {
    /// Hashes a record's values.
    pub(super) fn new(registry: &Registry, run: &RunKey, values: &[String]) -> Self {
        let token = |(at, value): (usize, &String)| {
            // Fields that may be exchanged share a domain, so that a value is known again in the other one.
            let partner =
                registry.fields.get(at).and_then(|field| registry.field(field.swaps_with.as_ref()?));
            let domain = at.min(partner.unwrap_or(at)).to_le_bytes();
            let value = normal(value);
            if value.is_empty() {
                return Token::default();
            }
            let whole = run.hash(&domain, &[&value]);
            let mut near = vec![whole];
            for (place, character) in value.char_indices() {
                let (before, after) = (value.get(..place), value.get(place + character.len_utf8()..));
                near.push(run.hash(&domain, &[&[before.unwrap_or(""), after.unwrap_or("")].concat()]));
            }
            near.sort_unstable();
            near.dedup();
            Token { whole, near }
        };
        Self(values.iter().enumerate().map(token).collect())
    }

    /// How a field agrees with another record's; nothing where one of them is empty.
    pub(super) fn level(&self, other: &Self, at: usize, partner: Option<usize>) -> Option<Level> {
        let (one, two) = (self.0.get(at)?, other.0.get(at)?);
        if one.whole == 0 || two.whole == 0 {
            return None;
        }
        if one.whole == two.whole {
            return Some(Level::Equal);
        }
        let is_swapped = partner.is_some_and(|partner| {
            let crossed = |a: &Self, b: &Self| {
                a.0.get(at).zip(b.0.get(partner)).is_some_and(|(a, b)| a.whole == b.whole && a.whole != 0)
            };
            crossed(self, other) || crossed(other, self)
        });
        Some(if is_swapped || share(&one.near, &two.near) { Level::Near } else { Level::Differ })
    }
}

impl Drop for Tokens {
    fn drop(&mut self) {
        for token in &mut self.0 {
            token.whole.zeroize();
            token.near.zeroize();
        }
    }
}

/// Whether two sorted lists have a hash in common.
fn share(one: &[u64], two: &[u64]) -> bool {
    let (mut one, mut two) = (one.iter().peekable(), two.iter().peekable());
    while let (Some(a), Some(b)) = (one.peek(), two.peek()) {
        match a.cmp(b) {
            std::cmp::Ordering::Equal => return true,
            std::cmp::Ordering::Less => drop(one.next()),
            std::cmp::Ordering::Greater => drop(two.next()),
        }
    }
    false
}
