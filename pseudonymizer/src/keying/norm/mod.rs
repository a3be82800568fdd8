//! Profiles of normalisation. A catalogue says which one holds; what was keyed under one does not meet the other.

mod table;
mod v0;
mod v1;

use catalog_model::{Encoding, Normaliser, Profile};

/// Writes the normal form of `raw` into `out`; nothing where the value is empty or cannot be brought to one form.
pub(super) fn normalise(
    profile: Profile,
    rule: Normaliser,
    raw: &[u8],
    encoding: Encoding,
    out: &mut Vec<u8>,
) {
    match profile {
        Profile::V0 => v0::normalise(rule, raw, encoding, out),
        Profile::V1 => v1::normalise(rule, raw, encoding, out),
    }
}

/// Writes the form that loses information, for a second key beside the first; in norm/v0 there is none.
pub(super) fn variant(profile: Profile, rule: Normaliser, raw: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    match profile {
        Profile::V0 => {}
        Profile::V1 => v1::variant(rule, raw, encoding, out),
    }
}

/// Writes the second form of a name without its family name; nothing where no space tells the two apart. Other fields
/// are written as for the first key.
pub(super) fn given(profile: Profile, rule: Normaliser, raw: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    match profile {
        Profile::V0 => {}
        Profile::V1 => v1::given(rule, raw, encoding, out),
    }
}
