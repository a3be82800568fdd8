//! Judges linkage on an invented population: `linkage_quality PERSONS MONTHS SEED SETTING` prints the table as JSON.
//!
//! The identities go through the same keying and the same rules as deliveries do, part by part, without files.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_model::{Catalogue, Encoding};
use pseudonymizer::claim::{Claim, Head};
use pseudonymizer::keying::{Identity, IdentityNo, KeyCache, Keyer, linkage_key};
use pseudonymizer::linkage::{Carried, Mention, Mentions, SchemeKind, True, causes, compare, link, methods};
use ring::hmac;
use synthetic::Options;
use synthetic::sightings::{Life, Sighting, Slips, sightings};

type Error = Box<dyn std::error::Error>;

/// The part that is being read: one month and prefecture.
struct Part {
    keyer: Keyer,
    persons: HashMap<(IdentityNo, usize), u64>,
    prefecture: u32,
}

/// Everything seen so far.
struct Archive<'a> {
    catalogue: &'a Catalogue,
    linkage: hmac::Key,
    parts: BTreeMap<u32, Part>,
    month: i32,
    mentions: Mentions,
    /// Claims by mention and person in truth.
    carried: Vec<(usize, u64, u64)>,
    keying: Duration,
    records: u64,
}

impl Archive<'_> {
    fn see(&mut self, sighting: &Sighting) {
        if sighting.month.index() != self.month {
            self.close();
            self.month = sighting.month.index();
        }
        let mut identity = Identity::new(self.catalogue.roles.len());
        for (role, value) in &sighting.fields {
            if let Some(number) = self.catalogue.roles.keys().position(|name| name == role) {
                identity.set(number, value.as_bytes());
            }
        }
        let catalogue = self.catalogue;
        let part = self.parts.entry(sighting.prefecture).or_insert_with(|| Part {
            keyer: Keyer::new(catalogue, Encoding::Utf8, &[3; 32], Arc::new(KeyCache::new([4; 32]))),
            persons: HashMap::new(),
            prefecture: sighting.prefecture,
        });
        let head = Head { month: Some(sighting.month.index()), ..Head::default() };
        let start = Instant::now();
        let claim = part.keyer.key(Claim { person: &identity, head });
        self.keying += start.elapsed();
        self.records += 1;
        if let Some(claim) = claim {
            *part.persons.entry((claim.person, sighting.person)).or_default() += 1;
        }
    }

    fn close(&mut self) {
        for part in std::mem::take(&mut self.parts).into_values() {
            let first = self.mentions.len();
            let start = Instant::now();
            for identity in part.keyer.into_identities() {
                let keys = self.catalogue.schemes.iter().zip(&identity.keys.keys);
                let keys =
                    keys.map(|(scheme, key)| Some(linkage_key(&self.linkage, &scheme.scheme, key.as_ref()?)));
                self.mentions.add(&Mention {
                    keys: keys.collect(),
                    sex: identity.keys.sex,
                    birth: identity.keys.birth,
                    months: [identity.first_month, identity.last_month],
                    places: if part.prefecture == 0 { 0 } else { 1 << part.prefecture },
                    claims: identity.claims,
                    ..Mention::default()
                });
            }
            self.keying += start.elapsed();
            let carried = part.persons.into_iter();
            self.carried
                .extend(carried.map(|((number, person), n)| (first + number.0 as usize, person as u64, n)));
        }
    }
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [persons, months, seed, setting] = arguments.as_slice() else {
        return Err("call: linkage_quality PERSONS MONTHS SEED SETTING".into());
    };
    let options = Options {
        persons: persons.parse()?,
        months: months.parse()?,
        seed: seed.parse()?,
        ..Options::demo()
    };
    let catalogue = Catalogue::builtin().map_err(|errors| format!("{errors:?}"))?;
    let mut archive = Archive {
        catalogue: &catalogue,
        linkage: hmac::Key::new(hmac::HMAC_SHA256, &[5; 32]),
        parts: BTreeMap::new(),
        month: i32::MIN,
        mentions: Mentions::new(catalogue.schemes.len()),
        carried: Vec::new(),
        keying: Duration::ZERO,
        records: 0,
    };
    let slips = Slips::shipped(setting)?;
    let lives = sightings(&catalogue, &options, &slips, &mut |sighting| archive.see(&sighting))?;
    archive.close();
    let report = report(&archive, &catalogue, &lives, &options);
    println_json(&report)
}

#[expect(clippy::print_stdout, reason = "a program's output")]
fn println_json(report: &serde_json::Value) -> Result<(), Error> {
    println!("{}", serde_json::to_string_pretty(report)?);
    Ok(())
}

fn report(
    archive: &Archive<'_>,
    catalogue: &Catalogue,
    lives: &[Life],
    options: &Options,
) -> serde_json::Value {
    let kinds: Vec<SchemeKind> =
        catalogue.schemes.iter().map(|scheme| SchemeKind::of(&scheme.scheme, &scheme.roles)).collect();
    let start = Instant::now();
    let linkage = link(archive.mentions.profiles(), &kinds);
    let linking = start.elapsed();
    let of = |mention: usize| {
        let profile = archive.mentions.profile_of().get(mention).copied().unwrap_or(u32::MAX);
        (profile, linkage.person_of.get(profile as usize).copied().unwrap_or(u32::MAX))
    };
    let carried: Vec<Carried> = archive
        .carried
        .iter()
        .map(|(mention, truth, claims)| {
            let (profile, person) = of(*mention);
            Carried { truth: *truth, profile, person, claims: *claims }
        })
        .collect();
    let scheme = |name: &str| catalogue.schemes.iter().position(|scheme| scheme.scheme == name).unwrap_or(0);
    let truth: HashMap<u64, True> = (0_u64..).zip(lives.iter().map(truth)).collect();
    let mut conflicts: BTreeMap<String, u64> = BTreeMap::new();
    for conflict in &linkage.conflicts {
        *conflicts.entry(format!("{:?}", conflict.kind)).or_default() += 1;
    }
    let broken = broken(archive, &linkage.person_of);
    serde_json::json!({
        "records": archive.records,
        "mentions": archive.mentions.len(),
        "profiles": archive.mentions.profiles().len(),
        "all": compare(carried.iter().map(|one| (one.truth, u64::from(one.person), one.claims))),
        "insured": methods(&carried, archive.mentions.profiles(), scheme("id1"), scheme("id2")),
        "causes": causes(&carried, &truth),
        "joins": linkage.joins,
        "persons": linkage.persons,
        "conflicts": conflicts,
        "persons_that_break_a_rule": broken,
        "a_year_percent": yearly(lives, options),
        "seconds": { "keying": archive.keying.as_secs_f64(), "linking": linking.as_secs_f64() },
    })
}

fn truth(life: &Life) -> True {
    True {
        sex: life.sex,
        birth: life.birth.to_string(),
        twin_of: life.twin_of.map(|twin| twin as u64),
        name_changes: life.name_changes.iter().map(|month| month.index()).collect(),
        card_changes: life.card_changes.iter().map(|month| month.index()).collect(),
    }
}

/// Linked persons with profiles of two sexes or months of birth.
fn broken(archive: &Archive<'_>, person_of: &[u32]) -> usize {
    let mut natures = HashMap::new();
    let mut broken = std::collections::BTreeSet::new();
    for (profile, person) in archive.mentions.profiles().iter().zip(person_of) {
        if let Some(nature) = profile.nature()
            && *natures.entry(*person).or_insert(nature) != nature
        {
            broken.insert(*person);
        }
    }
    broken.len()
}

/// Of a hundred persons, those whose ids change in a year: any, and name and card both.
fn yearly(lives: &[Life], options: &Options) -> serde_json::Value {
    let years = f64::from(options.months) / 12.0;
    let per_year = |count: usize| count as f64 * 100.0 / lives.len() as f64 / years;
    let year = |month: &catalog_model::Month| (month.index() - options.first_month.index()) / 12;
    let mut any = 0;
    let mut both = 0;
    for life in lives {
        let names: std::collections::BTreeSet<i32> = life.name_changes.iter().map(year).collect();
        let cards: std::collections::BTreeSet<i32> = life.card_changes.iter().map(year).collect();
        any += names.union(&cards).count();
        both += names.intersection(&cards).count();
    }
    serde_json::json!({ "any_id": per_year(any), "both": per_year(both) })
}
