//! Judges linkage on an invented population: `linkage_quality PERSONS MONTHS SEED SETTING [--json] [--judge]` prints the
//! table of methods, why persons were split or merged, and where the time went; with `--judge` also what was fixed
//! before, and it fails where that is not so. The seed `drawn` is drawn now, and printed.
//!
//! The identities go through the same keying and the same rules as deliveries do, part by part, without files.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use catalog_model::{Catalogue, Encoding};
use pseudonymizer::claim::{Claim, Head};
use pseudonymizer::keying::{Identity, IdentityNo, KeyCache, Keyer, linkage_key};
use pseudonymizer::linkage::{
    Agreement, Carried, Fixed, Linkage, Mention, Mentions, RULES, SchemeKind, True, causes, compare, judged,
    link, methods,
};
use ring::hmac;
use synthetic::sightings::{Life, Sighting, sightings};
use synthetic::{Options, Slips};

type Error = Box<dyn std::error::Error>;

/// The part that is being read: one month and prefecture.
struct Part {
    keyer: Keyer,
    persons: HashMap<(IdentityNo, usize), u64>,
    facilities: HashMap<IdentityNo, BTreeSet<u64>>,
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
            facilities: HashMap::new(),
            prefecture: sighting.prefecture,
        });
        let head = Head { month: Some(sighting.month.index()), ..Head::default() };
        let start = Instant::now();
        let claim = part.keyer.key(Claim { person: &identity, head });
        self.keying += start.elapsed();
        self.records += 1;
        if let Some(claim) = claim {
            *part.persons.entry((claim.person, sighting.person)).or_default() += 1;
            let facility = sighting.facility.map(|facility| facility as u64);
            part.facilities.entry(claim.person).or_default().extend(facility);
        }
    }

    fn close(&mut self) {
        for part in std::mem::take(&mut self.parts).into_values() {
            let first = self.mentions.len();
            let start = Instant::now();
            for (number, identity) in (0..).zip(part.keyer.into_identities()) {
                let facilities = part.facilities.get(&IdentityNo(number)).into_iter().flatten();
                let keys = self.catalogue.schemes.iter().zip(&identity.keys.keys);
                let keys =
                    keys.map(|(scheme, key)| Some(linkage_key(&self.linkage, &scheme.scheme, key.as_ref()?)));
                self.mentions.add(&Mention {
                    keys: keys.collect(),
                    sex: identity.keys.sex,
                    birth: identity.keys.birth,
                    months: identity.seen(),
                    places: if part.prefecture == 0 { 0 } else { 1 << part.prefecture },
                    facilities: facilities.copied().collect(),
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
    let [persons, months, seed, setting, rest @ ..] = arguments.as_slice() else {
        return Err("call: linkage_quality PERSONS MONTHS SEED SETTING [--json] [--judge]".into());
    };
    let seed = match seed.as_str() {
        "drawn" => drawn()?,
        seed => seed.parse()?,
    };
    let options = Options { persons: persons.parse()?, months: months.parse()?, seed, ..Options::demo() };
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
    let mut report = report(&archive, &catalogue, &lives, &options);
    let population = format!("{persons} persons, {months} months, seed {seed}, setting {setting}");
    if let Some(report) = report.as_object_mut() {
        report.insert("rules".to_owned(), RULES.into());
        report.insert("population".to_owned(), population.into());
    }
    let is_asked = |option: &str| rest.iter().any(|word| word == option);
    print(&if is_asked("--json") { serde_json::to_string_pretty(&report)? } else { table(&report)? });
    if !is_asked("--judge") {
        return Ok(());
    }
    let fixed: Vec<Fixed> =
        serde_json::from_value(report.get_mut("fixed").ok_or("no limits in the report")?.take())?;
    print(&verdict(&fixed)?);
    match fixed.iter().all(|fixed| fixed.is_held) {
        true => Ok(()),
        false => Err("the linkage does not hold what was fixed before".into()),
    }
}

/// A seed that nobody chose.
fn drawn() -> Result<u64, Error> {
    let mut bytes = [0; 4];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes).into())
}

/// What was fixed before, as Markdown.
fn verdict(fixed: &[Fixed]) -> Result<String, Error> {
    let mut text = String::from("| fixed before | limit | found | |\n| --- | --- | --- | --- |\n");
    for Fixed { what, found, limit, is_held } in fixed {
        let word = if *is_held { "held" } else { "NOT HELD" };
        writeln!(text, "| {what} | {limit:.4} | {found:.4} | {word} |")?;
    }
    Ok(text)
}

#[expect(clippy::print_stdout, reason = "a program's output")]
fn print(text: &str) {
    println!("{text}");
}

/// The table of methods as Markdown, and the rest of the report below it.
fn table(report: &serde_json::Value) -> Result<String, Error> {
    let mut text = String::from(
        "| method | missed links | false links | persons | of the truth | split | merged |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let insured =
        ["misu", "id1", "id2", "id0"].map(|name| (name, report.pointer(&format!("/insured/{name}"))));
    for (name, found) in insured.into_iter().chain([("misu, all claims", report.get("all"))]) {
        let found: Agreement = serde_json::from_value(found.cloned().unwrap_or_default())?;
        let off = found.linked_persons as f64 / found.true_persons as f64 * 100.0 - 100.0;
        writeln!(
            text,
            "| {name} | {:.3} % | {:.5} % | {} | {off:+.2} % of {} | {} | {} |",
            (1.0 - found.recall) * 100.0,
            (1.0 - found.precision) * 100.0,
            found.linked_persons,
            found.true_persons,
            found.split_persons,
            found.merged_persons,
        )?;
    }
    for part in [
        "rules",
        "population",
        "records",
        "profiles",
        "causes",
        "joins",
        "conflicts",
        "misread",
        "persons_that_break_a_rule",
        "a_year_percent",
        "seconds",
    ] {
        writeln!(text, "{part}: {}", report.get(part).unwrap_or(&serde_json::Value::Null))?;
    }
    Ok(text)
}

fn report(
    archive: &Archive<'_>,
    catalogue: &Catalogue,
    lives: &[Life],
    options: &Options,
) -> serde_json::Value {
    let kinds: Vec<SchemeKind> = catalogue.schemes.iter().map(SchemeKind::of).collect();
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
    let broken = broken(archive, &linkage);
    let all = compare(carried.iter().map(|one| (one.truth, u64::from(one.person), one.claims)));
    let insured = methods(&carried, archive.mentions.profiles(), scheme("id1"), scheme("id2"));
    serde_json::json!({
        "fixed": judged(&all, &insured, broken as u64),
        "records": archive.records,
        "mentions": archive.mentions.len(),
        "profiles": archive.mentions.profiles().len(),
        "all": all,
        "insured": insured,
        "causes": causes(&carried, &truth),
        "joins": linkage.joins,
        "persons": linkage.persons,
        "conflicts": conflicts,
        "misread": linkage.misread.len(),
        "persons_that_break_a_rule": broken,
        "a_year_percent": yearly(lives, options),
        "seconds": {
            "keying": archive.keying.as_secs_f64(),
            "linking": linking.as_secs_f64(),
            "keying_share": archive.keying.as_secs_f64() / (archive.keying + linking).as_secs_f64(),
        },
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

/// Linked persons with profiles of two sexes or months of birth, birth dates aside that were found to be misread.
fn broken(archive: &Archive<'_>, linkage: &Linkage) -> usize {
    let mut natures = HashMap::new();
    let mut broken = BTreeSet::new();
    let profiles = (0_u32..).zip(archive.mentions.profiles()).zip(&linkage.person_of);
    for ((number, profile), person) in profiles {
        if let Some(nature) = profile.nature().filter(|_| !linkage.misread.contains(&number))
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
        let names: BTreeSet<i32> = life.name_changes.iter().map(year).collect();
        let cards: BTreeSet<i32> = life.card_changes.iter().map(year).collect();
        any += names.union(&cards).count();
        both += names.intersection(&cards).count();
    }
    serde_json::json!({ "any_id": per_year(any), "both": per_year(both) })
}
