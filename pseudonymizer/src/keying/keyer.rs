//! Makes the key set of an identity, and numbers equal key sets.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Instant;

use catalog_model::{Catalogue, Date, Encoding, Normaliser, Profile};
use classified::{Bridge, Intake, Keyed, Linkage, Raw};
use ring::hmac;
use zeroize::{Zeroize as _, Zeroizing};

use super::cache::{ByDigest, KeyCache, Leading, RawDigest};
use super::identity::Identity;
use super::norm;
use crate::claim::Claim;
use crate::formats;

/// One claim of so many is timed, for all of them: a clock for each would cost as much as most of them.
const TIMED: u32 = 64;

/// What is left of an identity: its keys by scheme, sex and birth date.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct KeySet {
    /// The intake keys, in the order of the catalogue's schemes.
    pub keys: Vec<Option<Keyed<Intake>>>,
    /// The same under the former intake key, in a delivery that is keyed under both; else empty.
    pub former: Vec<Option<Keyed<Intake>>>,
    /// By each intake key of a group of data holders the keys under it, hashed once more; empty where there is no group.
    pub bridged: Vec<Vec<Option<Keyed<Bridge>>>>,
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
    /// The keys, which equal identities of all parts share.
    pub keys: Arc<KeySet>,
    /// The first month, as months since year 0.
    pub first_month: Option<i32>,
    /// The last month.
    pub last_month: Option<i32>,
    /// A bit for each month from the first on; one after the 64th is known as the last alone.
    pub months: u64,
    /// The number of claims.
    pub claims: u32,
}

impl KeyedIdentity {
    /// The months in which it was seen.
    pub fn seen(&self) -> Vec<i32> {
        months_seen(self.first_month, self.last_month, self.months)
    }
}

/// The months that a first month, a last and the bits from the first on stand for.
pub fn months_seen(first: Option<i32>, last: Option<i32>, bits: u64) -> Vec<i32> {
    let between = first.into_iter().flat_map(|first| {
        (0_i32..64).filter(move |month| bits >> month & 1 == 1).map(move |month| first.saturating_add(month))
    });
    let mut months: Vec<i32> = first.into_iter().chain(between).chain(last).collect();
    months.sort_unstable();
    months.dedup();
    months
}

/// A shared key set with a number made of its keys, so that it is found without looking at all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MarkedKeys {
    mark: u64,
    keys: Arc<KeySet>,
}

impl MarkedKeys {
    pub(super) fn new(keys: KeySet) -> Self {
        let mut leading = Leading::default();
        keys.hash(&mut leading);
        Self { mark: leading.finish(), keys: Arc::new(keys) }
    }
}

impl Hash for MarkedKeys {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.mark);
    }
}

/// Turns raw identities into numbered key sets.
pub struct Keyer {
    intake: hmac::Key,
    former: Option<hmac::Key>,
    bridge: Option<GroupKeys>,
    schemes: Vec<SchemeProgram>,
    profile: Profile,
    rules: Vec<Normaliser>,
    encoding: Encoding,
    sex: Option<usize>,
    birth: Option<usize>,
    // Raw identities that were numbered before, by their digest.
    seen: ByDigest<RawDigest, Option<IdentityNo>>,
    cache: Arc<KeyCache>,
    // The raw fields one after the other, for their digest.
    raw: Zeroizing<Vec<u8>>,
    forms: NormalForms,
    /// Which forms of each role a scheme takes.
    wanted: Vec<[bool; 3]>,
    numbers: ByDigest<MarkedKeys, IdentityNo>,
    identities: Vec<KeyedIdentity>,
    /// How many claims came.
    asked: u32,
    /// Which identity each claim has, and its month: added up at the end, since each identity lies elsewhere in memory.
    sightings: Vec<(IdentityNo, Option<i32>)>,
}

/// The intake keys of groups of data holders, with their ids, and what hashes keys under them once more.
struct GroupKeys {
    bridge: hmac::Key,
    groups: Vec<(String, hmac::Key)>,
}

struct SchemeProgram {
    name: String,
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

/// The three forms of an identity's roles, one after the other in one buffer for each form, and room for what is hashed.
///
/// The buffers serve every identity, so that what is erased is all that there was: one that grows leaves its bytes behind.
#[derive(Default)]
struct NormalForms {
    bytes: [Zeroizing<Vec<u8>>; 3],
    ends: Vec<[usize; 3]>,
    record: Zeroizing<Vec<u8>>,
}

impl NormalForms {
    fn new() -> Self {
        let room = || Zeroizing::new(Vec::with_capacity(1 << 12));
        Self { bytes: [room(), room(), room()], ends: Vec::new(), record: room() }
    }

    fn get(&self, form: Form, role: usize) -> &[u8] {
        let end = |role: usize| Some(*self.ends.get(role)?.get(form as usize)?);
        let start = role.checked_sub(1).and_then(end).unwrap_or(0);
        let bytes = self.bytes.get(form as usize).and_then(|bytes| bytes.get(start..end(role)?));
        bytes.unwrap_or_default()
    }

    fn erase(&mut self) {
        for bytes in self.bytes.iter_mut().chain([&mut self.record]) {
            bytes.as_mut_slice().zeroize();
            bytes.clear();
        }
        self.ends.clear();
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
            let name = scheme.scheme.clone();
            SchemeProgram { name, prefix, form, only, places: places.collect() }
        });
        let schemes: Vec<SchemeProgram> = schemes.collect();
        let sex = role("sex");
        let wanted = (0..catalogue.roles.len()).map(|role| wanted(&schemes, sex, role)).collect();
        Self {
            intake: hmac::Key::new(hmac::HMAC_SHA256, intake),
            former: None,
            bridge: None,
            schemes,
            forms: NormalForms::new(),
            wanted,
            profile: catalogue.profile,
            rules: catalogue.roles.values().map(|role| role.normalise).collect(),
            encoding,
            sex,
            birth: role("birth_date"),
            seen: ByDigest::default(),
            cache,
            raw: Zeroizing::new(Vec::with_capacity(1 << 12)),
            numbers: ByDigest::default(),
            identities: Vec::new(),
            asked: 0,
            sightings: Vec::new(),
        }
    }

    /// Keys every identity under a former intake key as well.
    #[must_use]
    pub fn under_both(mut self, former: &[u8; 32]) -> Self {
        self.former = Some(hmac::Key::new(hmac::HMAC_SHA256, former));
        self
    }

    /// Keys every identity under the intake keys of groups of data holders as well, each named by its id. What is kept of
    /// that is hashed once more under a key that no holder has.
    #[must_use]
    pub fn bridged<'k>(
        mut self,
        bridge: &[u8; 32],
        groups: impl Iterator<Item = (&'k str, &'k [u8; 32])>,
    ) -> Self {
        let groups = groups.map(|(id, key)| (id.to_owned(), hmac::Key::new(hmac::HMAC_SHA256, key)));
        let bridge = hmac::Key::new(hmac::HMAC_SHA256, bridge);
        self.bridge = Some(GroupKeys { bridge, groups: groups.collect() });
        self
    }

    /// Keys the claim's identity; nothing where no scheme can be built from it.
    pub fn key(&mut self, claim: Claim<&Identity>) -> Option<Claim<IdentityNo>> {
        self.asked = self.asked.wrapping_add(1);
        // In the middle of each row of claims, since the first of a part is always new.
        let begun = (self.asked % TIMED == TIMED / 2).then(Instant::now);
        let keyed = self.key_of(claim);
        if let Some(begun) = begun {
            self.cache.spend(begun.elapsed(), TIMED);
        }
        keyed
    }

    fn key_of(&mut self, claim: Claim<&Identity>) -> Option<Claim<IdentityNo>> {
        let digest = self.digest(claim.person);
        let number = match self.seen.get(&digest) {
            Some(number) => *number,
            None => {
                let mut forms = std::mem::take(&mut self.forms);
                let keys = self.cache.key_set(&digest, || self.key_set(claim.person, &mut forms));
                self.forms = forms;
                let number = self.number(&keys);
                self.seen.insert(digest, number);
                number
            }
        }?;
        self.sightings.push((number, claim.head.month));
        Some(claim.map_person(|_| number))
    }

    /// Every identity, by number.
    pub fn into_identities(mut self) -> Vec<KeyedIdentity> {
        let mut identities = std::mem::take(&mut self.identities);
        for (number, month) in &self.sightings {
            let Some(identity) = identities.get_mut(number.0 as usize) else { continue };
            identity.claims += 1;
            if let Some(month) = *month {
                identity.first_month = Some(identity.first_month.map_or(month, |first| first.min(month)));
                identity.last_month = Some(identity.last_month.map_or(month, |last| last.max(month)));
            }
        }
        for (number, month) in &self.sightings {
            let Some(identity) = identities.get_mut(number.0 as usize) else { continue };
            let after = month.zip(identity.first_month).map(|(month, first)| month.saturating_sub(first));
            let bit =
                after.and_then(|after| u32::try_from(after).ok()).and_then(|after| 1_u64.checked_shl(after));
            identity.months |= bit.unwrap_or(0);
        }
        identities
    }

    fn number(&mut self, keys: &MarkedKeys) -> Option<IdentityNo> {
        if let Some(number) = self.numbers.get(keys) {
            return Some(*number);
        }
        if keys.keys.keys.iter().all(Option::is_none) {
            return None;
        }
        let number = IdentityNo(u32::try_from(self.identities.len()).ok()?);
        let keyed = KeyedIdentity {
            keys: Arc::clone(&keys.keys),
            first_month: None,
            last_month: None,
            months: 0,
            claims: 0,
        };
        self.identities.push(keyed);
        self.numbers.insert(keys.clone(), number);
        Some(number)
    }

    fn key_set(&self, identity: &Identity, forms: &mut NormalForms) -> KeySet {
        self.write_forms(identity, forms);
        let mut record = std::mem::take(&mut forms.record);
        let keys = KeySet {
            keys: self.keys_under(&self.intake, forms, &mut record),
            former: match &self.former {
                Some(former) => self.keys_under(former, forms, &mut record),
                None => Vec::new(),
            },
            bridged: self.bridged_keys(forms, &mut record),
            sex: self.sex.and_then(|role| forms.get(Form::First, role).first().map(|digit| digit - b'0')),
            birth: self.birth.and_then(|role| birth_date(identity.roles().get(role)?)),
        };
        forms.record = record;
        forms.erase();
        keys
    }

    fn bridged_keys(&self, forms: &NormalForms, record: &mut Vec<u8>) -> Vec<Vec<Option<Keyed<Bridge>>>> {
        let Some(GroupKeys { bridge, groups }) = &self.bridge else { return Vec::new() };
        let under = |(id, key): &(String, hmac::Key)| {
            let keys = self.keys_under(key, forms, record);
            let hashed = |(key, scheme): (Option<Keyed<Intake>>, &SchemeProgram)| {
                key.map(|key| bridge_key(bridge, id, &scheme.name, &key))
            };
            keys.into_iter().zip(&self.schemes).map(hashed).collect()
        };
        groups.iter().map(under).collect()
    }

    fn keys_under(
        &self,
        key: &hmac::Key,
        forms: &NormalForms,
        record: &mut Vec<u8>,
    ) -> Vec<Option<Keyed<Intake>>> {
        let holds = |scheme: &SchemeProgram| {
            let only = scheme.only.as_ref();
            only.is_none_or(|(role, begins)| forms.get(Form::First, *role).starts_with(begins))
        };
        let key_of =
            |scheme: &SchemeProgram| holds(scheme).then(|| intake_key(key, scheme, forms, record)).flatten();
        self.schemes.iter().map(key_of).collect()
    }

    /// The roles in the forms that a scheme takes.
    #[expect(clippy::disallowed_methods, reason = "the keyed hash is where raw fields end")]
    fn write_forms(&self, identity: &Identity, forms: &mut NormalForms) {
        forms.erase();
        for ((raw, rule), wanted) in identity.roles().iter().zip(&self.rules).zip(&self.wanted) {
            let [first, second, given] = &mut forms.bytes;
            if !raw.is_empty() {
                let delivered = (raw.expose().as_slice(), self.encoding);
                norm::forms(self.profile, *rule, delivered, *wanted, [first, second, given]);
            }
            forms.ends.push([first.len(), second.len(), given.len()]);
        }
    }

    /// A digest by which the same raw fields are known again, so that their keys are made once.
    #[expect(clippy::disallowed_methods, reason = "a keyed hash under a key that dies with the process")]
    fn digest(&mut self, identity: &Identity) -> RawDigest {
        self.raw.clear();
        // The same bytes in another encoding are another name.
        self.raw.push(u8::from(self.encoding == Encoding::Utf8));
        for raw in identity.roles() {
            let raw = raw.expose();
            match u8::try_from(raw.len()) {
                Ok(length) if length < u8::MAX => self.raw.push(length),
                _ => {
                    self.raw.push(u8::MAX);
                    self.raw.extend((raw.len() as u64).to_le_bytes());
                }
            }
            self.raw.extend_from_slice(raw);
        }
        let digest = blake3::keyed_hash(self.cache.key(), &self.raw);
        self.raw.as_mut_slice().zeroize();
        digest.as_bytes().first_chunk().copied().unwrap_or_default()
    }
}

/// Which forms of a role the schemes take; sex is read off the first.
fn wanted(schemes: &[SchemeProgram], sex: Option<usize>, role: usize) -> [bool; 3] {
    [Form::First, Form::Second, Form::Given].map(|form| {
        let takes = |scheme: &SchemeProgram| {
            scheme.form == form && scheme.places.iter().any(|(roles, _)| roles.contains(&role))
        };
        let asks = |scheme: &SchemeProgram| matches!(&scheme.only, Some((only, _)) if *only == role);
        schemes.iter().any(takes) || form == Form::First && (sex == Some(role) || schemes.iter().any(asks))
    })
}

impl std::fmt::Debug for Keyer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyer({} identities)", self.identities.len())
    }
}

fn intake_key(
    key: &hmac::Key,
    scheme: &SchemeProgram,
    forms: &NormalForms,
    record: &mut Vec<u8>,
) -> Option<Keyed<Intake>> {
    record.clear();
    record.extend_from_slice(&scheme.prefix);
    for (roles, may_be_empty) in &scheme.places {
        let value = roles.iter().map(|role| forms.get(scheme.form, *role)).find(|value| !value.is_empty());
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

/// What stands for a key under the intake key `id` of a group of data holders, where it lies beside the environment's own.
///
/// Whoever gets hold of the group's intake key can test guesses against what the group's own deliveries hold, and not
/// against this, which takes a key that no holder has.
pub fn bridge_key(bridge: &hmac::Key, id: &str, scheme: &str, key: &Keyed<Intake>) -> Keyed<Bridge> {
    let mut record = format!("misu/bridge/{scheme}").into_bytes();
    record.push(0);
    record.extend_from_slice(id.as_bytes());
    record.push(0);
    record.extend_from_slice(key.as_bytes());
    Keyed::new(tag(bridge, &record))
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
    fn what_keying_took_is_told_by_some_of_many_claims() {
        let catalogue = Catalogue::builtin().unwrap();
        let cache = Arc::new(KeyCache::new([9; 32]));
        let mut keyer = Keyer::new(&catalogue, Encoding::Utf8, &[1; 32], Arc::clone(&cache));
        let identity = identity(&catalogue, &[("care_insurer_no", "1"), ("care_insured_no", "2")]);
        let mut spent = Vec::new();
        for _ in 0..super::TIMED {
            keyer.key(Claim { person: &identity, head: Head::default() });
            spent.push(cache.spent());
        }
        assert!(spent[0].is_zero() && !spent.last().unwrap().is_zero());
        spent.dedup();
        assert_eq!(spent.len(), 2);
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
    fn every_month_of_an_identity_is_kept_and_not_the_first_and_last_alone() {
        let catalogue = Catalogue::builtin().unwrap();
        let mut keyer = keyer(&catalogue, 1);
        let identity = identity(&catalogue, &[("care_insurer_no", "1"), ("care_insured_no", "2")]);
        for month in [24_283, 24_280, 24_281, 24_283, 24_400] {
            let head = Head { month: Some(month), ..Head::default() };
            keyer.key(Claim { person: &identity, head });
        }
        let found = keyer.into_identities().remove(0);
        assert_eq!(found.seen(), [24_280, 24_281, 24_283, 24_400]);
        // Identities from before months were kept say the first and the last.
        assert_eq!(super::months_seen(Some(24_280), Some(24_283), 0), [24_280, 24_283]);
        assert!(super::months_seen(None, None, 0).is_empty());
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
    fn a_bridge_holds_no_key_that_a_group_could_have_made() {
        let catalogue = Catalogue::builtin().unwrap();
        let fields = [("care_insurer_no", "1"), ("care_insured_no", "2")];
        let keyed = |keyer: Keyer| {
            let mut keyer = keyer;
            keyer.key(Claim { person: &identity(&catalogue, &fields), head: Head::default() });
            keyer.into_identities().remove(0).keys
        };
        let group = keyed(keyer(&catalogue, 5));
        let bridged =
            keyed(keyer(&catalogue, 1).bridged(&[8; 32], [("a", &[5; 32]), ("b", &[6; 32])].into_iter()));
        assert_eq!(
            (bridged.keys.clone(), bridged.bridged.len()),
            (keyed(keyer(&catalogue, 1)).keys.clone(), 2)
        );
        let bridge = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &[8; 32]);
        let schemes = catalogue.schemes.iter().zip(&group.keys).zip(&bridged.bridged[0]);
        let mut seen = 0;
        for ((scheme, key), tied) in schemes {
            let found = key.map(|key| super::bridge_key(&bridge, "a", &scheme.scheme, &key));
            assert_eq!(found, *tied);
            assert!(key.is_none_or(|key| tied.unwrap().as_bytes() != key.as_bytes()));
            seen += u32::from(key.is_some());
        }
        assert!(seen > 0);
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
