//! Whom a new intake key could lose, and whom a group of data holders shares with the others: counts for the custodian.

use std::collections::HashSet;

use catalog_store::{Environment, KeyEntry, KeyId, KeyRole, KeyState};
use serde::Serialize;

use super::ingest::KeyedUnder;
use super::link::{self, LinkError};
use super::sealed::registered;
use super::ties::keyed_under;

/// How many persons a new intake key could lose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// Persons known under a former intake key.
    pub former: u64,
    /// Of these, persons whom an overlap delivery ties to the present key.
    pub inside: u64,
    /// Of these, persons in no overlap delivery: later deliveries will not be recognised as theirs by key.
    pub outside: u64,
}

/// A group of data holders that share an intake key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HolderGroup {
    /// Its name.
    pub group: String,
    /// The id of its present intake key.
    pub key: String,
    /// That key's epoch.
    pub epoch: u32,
    /// Holders that are registered in it.
    pub holders: u64,
    /// Deliveries that are held under its keys.
    pub deliveries: u64,
    /// Persons in them.
    pub persons: u64,
    /// Of these, persons whom other deliveries hold as well.
    pub elsewhere: u64,
    /// What a rotation of its key could lose.
    pub overlap: Overlap,
}

/// The persons of one part, as the last linking has them.
struct Part {
    delivery: String,
    keyed: Option<KeyedUnder>,
    persons: HashSet<u32>,
}

/// Counts the persons whom a new intake key of the environment could lose, as the last linking has them.
///
/// # Errors
///
/// A file cannot be read.
pub fn overlap(environment: &Environment) -> Result<Overlap, LinkError> {
    let index = environment.keys().index()?;
    let present = index.current(KeyRole::Intake)?;
    if present.epoch == 1 {
        return Ok(Overlap::default());
    }
    let own: HashSet<&KeyId> = index.of(KeyRole::Intake).map(|entry| &entry.id).collect();
    let parts = parts(environment)?;
    // Deliveries from before keys had ids were made under the first one.
    let is_former = |keyed: Option<&KeyedUnder>| {
        keyed.is_none_or(|keyed| own.contains(&keyed.intake) && keyed.intake != present.id)
    };
    let is_tied = |keyed: &KeyedUnder| {
        keyed.intake == present.id && (keyed.former.is_some() || !keyed.groups.is_empty())
    };
    let former = persons(&parts, |part| is_former(part.keyed.as_ref()));
    let tied = persons(&parts, |part| part.keyed.as_ref().is_some_and(is_tied));
    Ok(Overlap::of(&former, &tied))
}

/// Says of every group of data holders what is held under its keys.
///
/// # Errors
///
/// A file cannot be read.
pub fn holder_groups(environment: &Environment) -> Result<Vec<HolderGroup>, LinkError> {
    let index = environment.keys().index()?;
    if index.groups().is_empty() {
        return Ok(Vec::new());
    }
    let (parts, holders) = (parts(environment)?, registered(environment));
    let of_group = |group: &str| {
        let present: &KeyEntry = index.of_group(group).rfind(|entry| entry.state == KeyState::Current)?;
        let ids: HashSet<&KeyId> = index.of_group(group).map(|entry| &entry.id).collect();
        let is_own = |part: &Part| part.keyed.as_ref().is_some_and(|keyed| ids.contains(&keyed.intake));
        let is_present = |part: &Part| part.keyed.as_ref().is_some_and(|keyed| keyed.intake == present.id);
        let (own, others) = (persons(&parts, is_own), persons(&parts, |part| !is_own(part)));
        let former = persons(&parts, |part| is_own(part) && !is_present(part));
        let deliveries: HashSet<&str> =
            parts.iter().filter(|part| is_own(part)).map(|part| part.delivery.as_str()).collect();
        Some(HolderGroup {
            group: group.to_owned(),
            key: present.id.to_string(),
            epoch: present.epoch,
            holders: holders.iter().filter(|holder| holder.group == group).count() as u64,
            deliveries: deliveries.len() as u64,
            persons: own.len() as u64,
            elsewhere: own.intersection(&others).count() as u64,
            // Who is in a delivery under the present key as well was linked, so something ties the two keys.
            overlap: Overlap::of(&former, &persons(&parts, is_present)),
        })
    };
    Ok(index.groups().into_iter().filter_map(of_group).collect())
}

impl Overlap {
    fn of(former: &HashSet<u32>, tied: &HashSet<u32>) -> Self {
        let inside = former.intersection(tied).count() as u64;
        Self { former: former.len() as u64, inside, outside: former.len() as u64 - inside }
    }
}

fn persons(parts: &[Part], is_meant: impl Fn(&Part) -> bool) -> HashSet<u32> {
    parts.iter().filter(|part| is_meant(part)).flat_map(|part| part.persons.iter().copied()).collect()
}

/// Every part with its persons; their sets are empty where nothing is linked, or other deliveries are held since.
fn parts(environment: &Environment) -> Result<Vec<Part>, LinkError> {
    let parts = link::parts(environment)?;
    let of_mention = match link::current(environment, &parts) {
        Ok(links) => links.of_mention,
        Err(LinkError::NotLinked | LinkError::Stale) => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut offsets = link::offsets(environment, &parts)?;
    offsets.push(of_mention.len());
    let with_persons = |(part, range): (&link::PartName, &[usize])| {
        let range = range.first().copied().unwrap_or(0)..range.last().copied().unwrap_or(0);
        let persons = of_mention.get(range).unwrap_or_default().iter().copied().collect();
        Ok(Part { delivery: part.delivery.clone(), keyed: keyed_under(environment, part)?, persons })
    };
    parts.iter().zip(offsets.windows(2)).map(with_persons).collect()
}
