//! Stages identities for a run of `misu link` alone: `stage_identities PERSONS ENV` puts one delivery with four
//! identities a person into the link table of a new environment, as an ingest would leave them, and prints how many.
//!
//! As in `benches/linkage`, one half of the persons have a card and two names, the other two cards and a name. Nobody
//! stands behind the keys: they are digests of numbers. Rows are not staged, so linking reads no places and stays.

use std::sync::Arc;

use catalog_model::{Catalogue, Scheme};
use catalog_store::{DeliveryRecord, Environment, KeyId, Standing};
use classified::Keyed;
use pseudonymizer::keying::{KeySet, KeyedIdentity};
use pseudonymizer::linkage::{Kind, SchemeKind};
use pseudonymizer::tables::write_identities;

type Error = Box<dyn std::error::Error>;

/// Identities of a person.
const EACH: u64 = 4;
/// Identities of a part.
const PART: u64 = 200_000;
/// The delivery's id.
const DELIVERY: &str = "growth";
/// April 2023, as months since year 0.
const FIRST_MONTH: i32 = 2023 * 12 + 3;
/// The schemes that a payer's receipt has keys of.
const OF_A_RECEIPT: [&str; 9] = ["id1", "id1n", "id2", "id2g", "id2n", "id4", "id4g", "id4n", "id5"];

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [persons, root] = arguments.as_slice() else {
        return Err("call: stage_identities PERSONS ENV".into());
    };
    let identities = persons.parse::<u64>()? * EACH;
    let environment = Environment::open(root.as_ref())?;
    let catalogue = Catalogue::builtin().map_err(|errors| format!("{errors:?}"))?;
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let folder = environment.room("links").join("staging").join(DELIVERY);
    std::fs::create_dir_all(&folder)?;
    let (files, groups) = (environment.staged_files(), Vec::<KeyId>::new());
    let parts = identities.div_ceil(PART);
    for part in 0..parts {
        let places = part * PART..((part + 1) * PART).min(identities);
        let staged: Vec<KeyedIdentity> =
            places.map(|place| identity(&catalogue, identities, place)).collect::<Result<_, _>>()?;
        let path = folder.join(format!("{part:05}.parquet"));
        write_identities(&files, &path, (schemes.as_slice(), groups.as_slice()), &staged)?;
    }
    environment.meta()?.add_delivery(&delivery(u32::try_from(parts)?), None)?;
    print(&identities.to_string());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program's output")]
fn print(text: &str) {
    println!("{text}");
}

fn delivery(parts: u32) -> DeliveryRecord {
    DeliveryRecord {
        id: DELIVERY.to_owned(),
        name: DELIVERY.to_owned(),
        database: "ndb".to_owned(),
        holder: DELIVERY.to_owned(),
        month: "2023-04".to_owned(),
        taken_in: "2026-11-22T00:00:00Z".to_owned(),
        parts,
        generation: 0,
        standing: Standing::Held,
        raw_deleted: None,
        files: Vec::new(),
    }
}

/// The identity at a place, in an order that tells nothing of who is who.
fn identity(catalogue: &Catalogue, identities: u64, place: u64) -> Result<KeyedIdentity, Error> {
    // A prime beyond every size in use scatters the identities of a person.
    let at = u64::try_from(u128::from(place) * 2_147_483_647 % u128::from(identities))?;
    let (person, mention) = (at / EACH, at % EACH);
    let month = FIRST_MONTH + i32::try_from(mention * 3)?;
    let keys = KeySet {
        keys: catalogue.schemes.iter().map(|scheme| key(scheme, person, mention)).collect(),
        sex: Some(if person % 2 == 0 { 1 } else { 2 }),
        // Born from 1970 to 1997.
        birth: Some(i32::try_from(person % 10_000)?),
        ..KeySet::default()
    };
    Ok(KeyedIdentity {
        keys: Arc::new(keys),
        first_month: Some(month),
        last_month: Some(month),
        months: 1,
        claims: 2,
    })
}

/// The key of a scheme: after half of the mentions one person has a new card, the next a new name.
fn key(scheme: &Scheme, person: u64, mention: u64) -> Option<Keyed<classified::Intake>> {
    let name = OF_A_RECEIPT.iter().find(|name| **name == scheme.scheme)?;
    let kind = SchemeKind::of(scheme).kind;
    // One receipt in twenty lacks the branch number.
    if kind == Kind::Number && (person * EACH + mention).is_multiple_of(20) {
        return None;
    }
    let changes = match kind {
        Kind::Card | Kind::Number => person.is_multiple_of(2),
        Kind::Name => !person.is_multiple_of(2),
        Kind::Given => false,
    };
    let spell = if changes { mention / 2 } else { 0 };
    let mut hasher = blake3::Hasher::new();
    hasher.update(name.as_bytes()).update(&person.to_le_bytes()).update(&spell.to_le_bytes());
    Some(Keyed::new(*hasher.finalize().as_bytes()))
}
