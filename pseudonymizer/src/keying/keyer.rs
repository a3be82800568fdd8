//! Makes the key set of an identity, and numbers equal key sets.

use std::sync::Arc;

use catalog_model::{Catalogue, Date, Encoding, Normaliser, Profile};
use classified::{Intake, Keyed, Linkage, Raw};
use ring::hmac;
use zeroize::Zeroizing;

use super::cache::{ByDigest, KeyCache};
use super::identity::Identity;
use super::norm::{given, normalise, variant};
use crate::claim::Claim;
use crate::formats;

/// What is left of an identity: its keys by scheme, sex and birth date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeySet {
    /// The intake keys, in the order of the catalogue's schemes.
    pub keys: Vec<Option<Keyed<Intake>>>,
    /// The same under the former intake key, in a delivery that is keyed under both; else empty.
    pub former: Vec<Option<Keyed<Intake>>>,
    /// The sex code, 1 or 2.
    pub sex: Option<u8>,
    /// The birth date, as days since 1970-01-01.
    pub birth: Option<i32>,
}

/// The number of an identity within a part of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityNo(pub u32);

/// A key set with when and how often it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedIdentity {
    /// The keys.
    pub keys: KeySet,
    /// The first month, as months since year 0.
    pub first_month: Option<i32>,
    /// The last month.
    pub last_month: Option<i32>,
    /// The number of claims.
    pub claims: u32,
}

/// Turns raw identities into numbered key sets.
pub struct Keyer {
    intake: hmac::Key,
    former: Option<hmac::Key>,
    schemes: Vec<SchemeProgram>,
    profile: Profile,
    rules: Vec<Normaliser>,
    encoding: Encoding,
    sex: Option<usize>,
    birth: Option<usize>,
    // Raw identities that were numbered before, by their digest.
    seen: ByDigest<[u8; 32], Option<IdentityNo>>,
    cache: Arc<KeyCache>,
    // The raw fields one after the other, for their digest.
    raw: Zeroizing<Vec<u8>>,
    numbers: ByDigest<Arc<KeySet>, IdentityNo>,
    identities: Vec<KeyedIdentity>,
}

struct SchemeProgram {
    prefix: Vec<u8>,
    form: Form,
    // The role that must begin so, where the scheme holds for some identities only.
    only: Option<(usize, Vec<u8>)>,
    // For each place: the roles to try in order, and whether an empty value is allowed.
    places: Vec<(Vec<usize>, bool)>,
}

/// Which of a field's forms a scheme takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The first.
    First,
    /// The one that loses information.
    Second,
    /// The second, of names without the family name.
    Given,
}

/// The normal forms of an identity's roles, one after the other.
#[derive(Default)]
struct NormalForms {
    bytes: Zeroizing<Vec<u8>>,
    ends: Vec<usize>,
}

impl NormalForms {
    fn get(&self, role: usize) -> &[u8] {
        let start = role.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        let end = self.ends.get(role).copied().unwrap_or(start);
        self.bytes.get(start..end).unwrap_or_default()
    }
}

impl Keyer {
    /// Compiles the catalogue's schemes. The cache serves keyers of one catalogue under one intake key.
    pub fn new(catalogue: &Catalogue, encoding: Encoding, intake: &[u8; 32], cache: Arc<KeyCache>) -> Self {
        let role = |name: &str| catalogue.roles.keys().position(|role| role == name);
        let schemes = catalogue.schemes.iter().map(|scheme| {
            let mut prefix = format!("misu/intake/{}", scheme.scheme).into_bytes();
            prefix.extend([0, scheme.version]);
            let places = scheme.roles.iter().map(|place| {
                let names = place.trim_end_matches('?').split('|');
                (names.filter_map(role).collect(), place.ends_with('?'))
            });
            let form = match (scheme.given, scheme.variant) {
                (true, _) => Form::Given,
                (false, true) => Form::Second,
                (false, false) => Form::First,
            };
            // A role that is not there has no value, so such a scheme holds for nobody.
            let only = scheme
                .only
                .as_ref()
                .map(|only| (role(&only.role).unwrap_or(usize::MAX), only.begins.clone().into_bytes()));
            SchemeProgram { prefix, form, only, places: places.collect() }
        });
        Self {
            intake: hmac::Key::new(hmac::HMAC_SHA256, intake),
            former: None,
            schemes: schemes.collect(),
            profile: catalogue.profile,
            rules: catalogue.roles.values().map(|role| role.normalise).collect(),
            encoding,
            sex: role("sex"),
            birth: role("birth_date"),
            seen: ByDigest::default(),
            cache,
            raw: Zeroizing::default(),
            numbers: ByDigest::default(),
            identities: Vec::new(),
        }
    }

    /// Keys every identity under a former intake key as well.
    #[must_use]
    pub fn under_both(mut self, former: &[u8; 32]) -> Self {
        self.former = Some(hmac::Key::new(hmac::HMAC_SHA256, former));
        self
    }

    /// Keys the claim's identity; nothing where no scheme can be built from it.
    pub fn key(&mut self, claim: Claim<&Identity>) -> Option<Claim<IdentityNo>> {
        let digest = self.digest(claim.person);
        let number = match self.seen.get(&digest) {
            Some(number) => *number,
            None => {
                let keys = self.cache.key_set(&digest, || self.key_set(claim.person));
                let number = self.number(&keys);
                self.seen.insert(digest, number);
                number
            }
        }?;
        let identity = usize::try_from(number.0).ok().and_then(|at| self.identities.get_mut(at))?;
        identity.claims += 1;
        if let Some(month) = claim.head.month {
            identity.first_month = Some(identity.first_month.map_or(month, |first| first.min(month)));
            identity.last_month = Some(identity.last_month.map_or(month, |last| last.max(month)));
        }
        Some(claim.map_person(|_| number))
    }

    /// Every identity, by number.
    pub fn into_identities(mut self) -> Vec<KeyedIdentity> {
        std::mem::take(&mut self.identities)
    }

    fn number(&mut self, keys: &Arc<KeySet>) -> Option<IdentityNo> {
        if keys.keys.iter().all(Option::is_none) {
            return None;
        }
        if let Some(number) = self.numbers.get(keys) {
            return Some(*number);
        }
        let number = IdentityNo(u32::try_from(self.identities.len()).ok()?);
        self.identities.push(KeyedIdentity {
            keys: KeySet::clone(keys),
            first_month: None,
            last_month: None,
            claims: 0,
        });
        self.numbers.insert(Arc::clone(keys), number);
        Some(number)
    }

    fn key_set(&self, identity: &Identity) -> KeySet {
        let [normal, second, given] =
            [Form::First, Form::Second, Form::Given].map(|form| self.forms(identity, form));
        let mut record = Zeroizing::new(Vec::with_capacity(256));
        let mut under = |key: &hmac::Key| -> Vec<Option<Keyed<Intake>>> {
            let forms = |scheme: &SchemeProgram| match scheme.form {
                Form::First => &normal,
                Form::Second => &second,
                Form::Given => &given,
            };
            let holds = |scheme: &SchemeProgram| {
                scheme.only.as_ref().is_none_or(|(role, begins)| normal.get(*role).starts_with(begins))
            };
            let key_of = |scheme: &SchemeProgram| {
                holds(scheme).then(|| intake_key(key, scheme, forms(scheme), &mut record)).flatten()
            };
            self.schemes.iter().map(key_of).collect()
        };
        KeySet {
            keys: under(&self.intake),
            former: self.former.as_ref().map(under).unwrap_or_default(),
            sex: self.sex.and_then(|role| normal.get(role).first().map(|digit| digit - b'0')),
            birth: self.birth.and_then(|role| birth_date(identity.roles().get(role)?)),
        }
    }

    /// The roles in one form; nothing where no scheme takes it. Sex and birth date are read off the first.
    #[expect(clippy::disallowed_methods, reason = "the keyed hash is where raw fields end")]
    fn forms(&self, identity: &Identity, form: Form) -> NormalForms {
        let mut forms = NormalForms::default();
        if form != Form::First && self.schemes.iter().all(|scheme| scheme.form != form) {
            return forms;
        }
        let write = match form {
            Form::First => normalise,
            Form::Second => variant,
            Form::Given => given,
        };
        for (raw, rule) in identity.roles().iter().zip(&self.rules) {
            if !raw.is_empty() {
                write(self.profile, *rule, raw.expose(), self.encoding, &mut forms.bytes);
            }
            forms.ends.push(forms.bytes.len());
        }
        forms
    }

    /// A digest by which the same raw fields are known again, so that their keys are made once.
    #[expect(clippy::disallowed_methods, reason = "a keyed hash under a key that dies with the process")]
    fn digest(&mut self, identity: &Identity) -> [u8; 32] {
        self.raw.clear();
        // The same bytes in another encoding are another name.
        self.raw.push(u8::from(self.encoding == Encoding::Utf8));
        for raw in identity.roles() {
            self.raw.extend((raw.expose().len() as u64).to_le_bytes());
            self.raw.extend_from_slice(raw.expose());
        }
        *blake3::keyed_hash(self.cache.key(), &self.raw).as_bytes()
    }
}

impl std::fmt::Debug for Keyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyer({} identities)", self.identities.len())
    }
}

fn intake_key(
    key: &hmac::Key,
    scheme: &SchemeProgram,
    normal: &NormalForms,
    record: &mut Vec<u8>,
) -> Option<Keyed<Intake>> {
    record.clear();
    record.extend_from_slice(&scheme.prefix);
    for (roles, may_be_empty) in &scheme.places {
        let value = roles.iter().map(|role| normal.get(*role)).find(|value| !value.is_empty());
        let value = match value {
            Some(value) => value,
            None if *may_be_empty => &[],
            None => return None,
        };
        record.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
        record.extend_from_slice(value);
    }
    Some(Keyed::new(tag(key, record)))
}

/// The linkage key of an intake key: a second HMAC under the linkage role's own key.
pub fn linkage_key(linkage: &hmac::Key, scheme: &str, intake: &Keyed<Intake>) -> Keyed<Linkage> {
    let mut record = format!("misu/linkage/{scheme}").into_bytes();
    record.push(0);
    record.extend_from_slice(intake.as_bytes());
    Keyed::new(tag(linkage, &record))
}

fn tag(key: &hmac::Key, record: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(key, record);
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().zip(tag.as_ref()) {
        *to = *from;
    }
    bytes
}

// The pseudonymized form of the law keeps the birth date, in the person table alone.
#[expect(
    clippy::disallowed_methods,
    reason = "sex and birth date go into the person table as the law's form has them"
)]
fn birth_date(raw: &Raw<Vec<u8>>) -> Option<i32> {
    formats::date(raw.expose()).map(Date::days)
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, Encoding};

    use std::sync::Arc;

    use super::{Identity, KeyCache, Keyer};
    use crate::claim::{Claim, Head};

    fn identity(catalogue: &Catalogue, fields: &[(&str, &str)]) -> Identity {
        let mut identity = Identity::new(catalogue.roles.len());
        for (role, value) in fields {
            let number = catalogue.roles.keys().position(|name| name == role).unwrap();
            identity.set(number, &encoding_rs::SHIFT_JIS.encode(value).0);
        }
        identity
    }

    fn keyer(catalogue: &Catalogue, key: u8) -> Keyer {
        Keyer::new(catalogue, Encoding::Cp932, &[key; 32], Arc::new(KeyCache::new([9; 32])))
    }

    #[test]
    fn written_forms_of_one_person_are_one_identity_and_other_persons_are_not() {
        let catalogue = Catalogue::builtin().unwrap();
        let mut keyer = keyer(&catalogue, 1);
        let mut number = |fields: &[(&str, &str)]| {
            let identity = identity(&catalogue, fields);
            keyer.key(Claim { person: &identity, head: Head::default() }).map(|claim| claim.person)
        };
        let first = number(&[("name", "架空　花子"), ("birth_date", "19480726"), ("sex", "2")]);
        assert!(first.is_some());
        assert_eq!(first, number(&[("name", "架空 花子"), ("birth_date", "3230726"), ("sex", "2")]));
        assert_ne!(first, number(&[("name", "架空　花子"), ("birth_date", "19480727"), ("sex", "2")]));
        assert_eq!(None, number(&[("name", "架空　花子"), ("sex", "2")]));
    }

    #[test]
    fn a_shared_cache_changes_no_number_and_no_key() {
        let catalogue = Catalogue::builtin().unwrap();
        let cache = Arc::new(KeyCache::new([9; 32]));
        let of = |cache: &Arc<KeyCache>, encoding, order: &[u32]| {
            let mut keyer = Keyer::new(&catalogue, encoding, &[1; 32], Arc::clone(cache));
            for insured in order {
                let fields = [("care_insurer_no", "00131016"), ("care_insured_no", &*insured.to_string())];
                let head = Head { month: Some(24_280), ..Head::default() };
                keyer.key(Claim { person: &identity(&catalogue, &fields), head });
            }
            keyer.into_identities()
        };
        let fresh = || Arc::new(KeyCache::new([8; 32]));
        for order in [&[1, 2, 1, 3], &[3, 1, 1, 2], &[2, 2, 2, 9]] {
            for encoding in [Encoding::Cp932, Encoding::Utf8] {
                assert_eq!(of(&cache, encoding, order), of(&fresh(), encoding, order));
            }
        }
    }

    #[test]
    fn a_length_prefix_keeps_fields_apart() {
        let catalogue = Catalogue::builtin().unwrap();
        let mut keyer = keyer(&catalogue, 1);
        let mut number = |insurer: &str, insured: &str| {
            let identity =
                identity(&catalogue, &[("care_insurer_no", insurer), ("care_insured_no", insured)]);
            keyer.key(Claim { person: &identity, head: Head::default() }).map(|claim| claim.person)
        };
        assert_ne!(number("00131016", "0000000001"), number("00131016", "00000000011"));
    }

    #[test]
    fn another_key_gives_other_values() {
        let catalogue = Catalogue::builtin().unwrap();
        let keys = |key| {
            let mut keyer = keyer(&catalogue, key);
            let identity = identity(&catalogue, &[("care_insurer_no", "1"), ("care_insured_no", "2")]);
            keyer.key(Claim { person: &identity, head: Head::default() });
            keyer.into_identities().remove(0).keys
        };
        assert_eq!(keys(1), keys(1));
        assert_ne!(keys(1), keys(2));
    }
}
