//! A list of who opted out, sealed at the data holder: only keys of it leave, and names never enter the environment.

use std::collections::BTreeMap;
use std::path::Path;

use catalog_model::Catalogue;
use catalog_store::{Environment, SecretKey, from_hex, hex};
use zeroize::Zeroizing;

use super::What;
use super::accept::{Opened, SealedError};
use super::holder::Holder;
use super::seal::{Packing, SealError, io};
use crate::pipeline::ingest::{KeyedUnder, RunKeys};
use crate::pipeline::optout::Listed;

/// Seals the list in the file `list` into the new folder `out`; under both intake keys where `is_overlap`. What was
/// found in it, in counts.
///
/// # Errors
///
/// The list cannot be read, the holder's keys cannot be opened, or something cannot be written.
pub fn seal_list(
    holder: &Holder,
    list: &Path,
    out: &Path,
    is_overlap: bool,
) -> Result<(u64, u64), SealError> {
    if out.exists() {
        return Err(SealError::Taken(out.to_owned()));
    }
    let bundle = holder.bundle()?;
    let catalogue = bundle.catalogue()?;
    let keys = RunKeys::open(&holder.keys, is_overlap)?;
    let keyed = keys.ids(&catalogue);
    let listed = Listed::read(&catalogue, keys.intake(), list)?;
    // The id stands in clear; one that followed from the list would tell whoever holds an intake key who is on it.
    let id = SecretKey::random()?.id();
    let mut packing = Packing::begin((holder, &bundle), What::OptOut, keyed, (out, id.as_str()))?;
    let text = serde_json::to_vec(&listed).map(Zeroizing::new).map_err(|error| io(list)(error.into()))?;
    packing.add(&text)?;
    packing.sign()?;
    Ok((listed.identities.len() as u64, listed.unusable))
}

/// The sealed list in `folder`, and who sealed it.
///
/// # Errors
///
/// It is rejected.
pub(crate) fn open_list(
    environment: &Environment,
    catalogue: &Catalogue,
    folder: &Path,
) -> Result<(Listed, String), SealedError> {
    let Opened { header, first, .. } = Opened::of(environment, folder, What::OptOut)?;
    if header.keyed.profile != catalogue.profile.as_str() {
        return Err(SealedError::Profile(header.keyed.profile));
    }
    let listed: Listed = serde_json::from_slice(&first).map_err(|_| SealedError::Content)?;
    let is_right = header.files.len() == 1
        && listed.identities.iter().all(|identity| is_keyed(identity, catalogue, &header.keyed));
    if is_right { Ok((listed, header.holder)) } else { Err(SealedError::Content) }
}

/// Whether an identity has keys, and only keys of this environment's schemes under the intake keys that are named.
fn is_keyed(identity: &BTreeMap<String, String>, catalogue: &Catalogue, keyed: &KeyedUnder) -> bool {
    let is_key = |(name, digits): (&String, &String)| {
        let Some((scheme, id)) = name.split_once('@') else { return false };
        catalogue.schemes.iter().any(|known| known.scheme == scheme)
            && (keyed.intake.as_str() == id || keyed.former.as_ref().is_some_and(|key| key.as_str() == id))
            && from_hex(digits).is_some_and(|bytes| bytes.len() == 32 && hex(&bytes) == *digits)
    };
    !identity.is_empty() && identity.iter().all(is_key)
}
