//! Profiles of normalisation. A catalogue says which one holds; what was keyed under one does not meet the other.

mod table;
mod v0;
mod v1;

use catalog_model::{Encoding, Normaliser, Profile};

/// Writes the forms of `raw` that are wanted, each into its own buffer: the normal form, the one that loses information,
/// for a second key beside the first, and that of a name without its family name.
///
/// A form is nothing where the value is empty or cannot be brought to it. In norm/v0 there is only the first.
pub(super) fn forms(
    profile: Profile,
    rule: Normaliser,
    (raw, encoding): (&[u8], Encoding),
    wanted: [bool; 3],
    out: [&mut Vec<u8>; 3],
) {
    match profile {
        Profile::V0 => {
            let ([is_first, _, _], [first, _, _]) = (wanted, out);
            if is_first {
                v0::normalise(rule, raw, encoding, first);
            }
        }
        Profile::V1 => v1::forms(rule, raw, encoding, wanted, out),
    }
}
