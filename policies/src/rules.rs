//! Disclosure rule packs: dated numbers, each with its source and its reason.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{
    BeyondAudit, Binding, CellRules, MergedAges, Names, OutputRules, PopulationTier, Principles, Rounding,
    Thresholds,
};
use serde::Deserialize;

use crate::fault::{FileFault, FileProblem, Reading};

/// One dated set of numbers that disclosure control starts from.
#[derive(Clone, Debug)]
pub struct RulePack {
    written: Written,
    digest: String,
}

/// A number, where it comes from and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced<T> {
    /// The number.
    pub value: T,
    /// The document and page.
    pub source: String,
    /// What the number does.
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pack: String,
    name: Names,
    compiled: String,
    /// The databases whose rows bring this pack with them.
    #[serde(default)]
    databases: Vec<String>,
    persons: Sourced<u32>,
    zero_shown: Sourced<bool>,
    facilities: Option<Sourced<u32>>,
    insurers: Option<Sourced<u32>>,
    municipalities: Option<Sourced<u32>>,
    dominance: Option<Sourced<u32>>,
    estimate: Option<Sourced<u32>>,
    class_disclosure: Option<Sourced<bool>>,
    freedom: Option<Sourced<u32>>,
    rounding: Option<Sourced<Rounding>>,
    beyond_audit: Option<Sourced<BeyondAudit>>,
    dimensions: Option<Bound<u32>>,
    ages: Option<Bound<MergedAges>>,
    #[serde(default)]
    population: Vec<Sourced<PopulationTier>>,
    #[serde(default)]
    crossing: Vec<Bound<(String, String)>>,
    #[serde(default)]
    amount: Vec<Sourced<Amount>>,
}

/// What a rule about dimensions says, and how strictly it is meant; without exception where it does not say.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound<T> {
    value: T,
    #[serde(default)]
    binding: Binding,
    source: String,
    reason: String,
}

/// The least amount of something that is shown where the persons behind it are not known.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    of: String,
    least: u32,
}

impl Written {
    /// Every source and reason with its key.
    fn sources(&self) -> Vec<(&'static str, &str, &str)> {
        fn one<'w, T>(key: &'static str, number: &'w Sourced<T>) -> (&'static str, &'w str, &'w str) {
            (key, &number.source, &number.reason)
        }
        fn bound<'w, T>(key: &'static str, rule: &'w Bound<T>) -> (&'static str, &'w str, &'w str) {
            (key, &rule.source, &rule.reason)
        }
        let mut all = vec![one("persons", &self.persons), one("zero_shown", &self.zero_shown)];
        all.extend(self.facilities.as_ref().map(|number| one("facilities", number)));
        all.extend(self.insurers.as_ref().map(|number| one("insurers", number)));
        all.extend(self.municipalities.as_ref().map(|number| one("municipalities", number)));
        all.extend(self.dominance.as_ref().map(|number| one("dominance", number)));
        all.extend(self.estimate.as_ref().map(|number| one("estimate", number)));
        all.extend(self.class_disclosure.as_ref().map(|number| one("class_disclosure", number)));
        all.extend(self.freedom.as_ref().map(|number| one("freedom", number)));
        all.extend(self.rounding.as_ref().map(|number| one("rounding", number)));
        all.extend(self.beyond_audit.as_ref().map(|sourced| one("beyond_audit", sourced)));
        all.extend(self.dimensions.as_ref().map(|rule| bound("dimensions", rule)));
        all.extend(self.ages.as_ref().map(|rule| bound("ages", rule)));
        all.extend(self.population.iter().map(|number| one("population", number)));
        all.extend(self.crossing.iter().map(|rule| bound("crossing", rule)));
        all.extend(self.amount.iter().map(|number| one("amount", number)));
        all
    }
}

impl RulePack {
    /// Reads a pack.
    ///
    /// # Errors
    ///
    /// Where the text is not a pack, or a number has no source or protects nobody.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileFault> {
        let reading = Reading(file);
        let written: Written = reading.toml(text)?;
        reading.name("pack", &written.pack)?;
        let texts =
            [("name.ja", &written.name.ja), ("name.en", &written.name.en), ("compiled", &written.compiled)];
        for (key, text) in texts {
            reading.text(key, text)?;
        }
        for (key, source, reason) in written.sources() {
            reading.text(&format!("{key}.source"), source)?;
            reading.text(&format!("{key}.reason"), reason)?;
        }
        threshold(reading, "persons.value", written.persons.value)?;
        if written.zero_shown.value && written.class_disclosure.as_ref().is_some_and(|sourced| sourced.value)
        {
            return Err(reading.fault("class_disclosure.value", FileProblem::Zeros));
        }
        Ok(Self { written, digest: blake3::hash(text.as_bytes()).to_hex().to_string() })
    }

    /// The pack's name, which applications use.
    pub fn pack(&self) -> &str {
        &self.written.pack
    }

    /// The pack's name for people.
    pub const fn name(&self) -> &Names {
        &self.written.name
    }

    /// The day on which the numbers were taken from their sources.
    pub fn compiled(&self) -> &str {
        &self.written.compiled
    }

    /// The BLAKE3 digest of the pack's text, 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A published cell has at least so many distinct persons.
    pub const fn persons(&self) -> &Sourced<u32> {
        &self.written.persons
    }

    /// Whether an exact zero is shown.
    pub const fn zero_shown(&self) -> &Sourced<bool> {
        &self.written.zero_shown
    }

    /// The databases whose rows bring this pack with them.
    pub fn databases(&self) -> &[String] {
        &self.written.databases
    }

    /// What every cell is held to.
    pub fn cell_rules(&self) -> CellRules {
        let written = &self.written;
        let number = |sourced: &Option<Sourced<u32>>| sourced.as_ref().map(|sourced| sourced.value);
        let general = CellRules::general(written.persons.value, written.zero_shown.value);
        CellRules {
            facilities: number(&written.facilities),
            insurers: number(&written.insurers),
            municipalities: number(&written.municipalities),
            dominance: number(&written.dominance).or(general.dominance),
            estimate: number(&written.estimate).or(general.estimate),
            class_disclosure: written.class_disclosure.as_ref().is_some_and(|sourced| sourced.value),
            freedom: number(&written.freedom).unwrap_or(general.freedom),
            rounding: written.rounding.as_ref().map(|sourced| sourced.value),
            beyond_audit: written.beyond_audit.as_ref().map_or(general.beyond_audit, |sourced| sourced.value),
            ..general
        }
    }

    /// What tables are held to by their dimensions.
    pub fn output_rules(&self) -> OutputRules {
        let written = &self.written;
        let dimensions = |binding: Binding| {
            written.dimensions.as_ref().filter(|rule| rule.binding == binding).map(|rule| rule.value)
        };
        let ages = |binding: Binding| {
            written.ages.as_ref().filter(|rule| rule.binding == binding).map(|rule| rule.value)
        };
        let crossings = |binding: Binding| -> BTreeSet<(String, String)> {
            let rules = written.crossing.iter().filter(|rule| rule.binding == binding);
            rules.map(|rule| rule.value.clone()).collect()
        };
        OutputRules {
            dimensions: dimensions(Binding::Absolute),
            populations: written.population.iter().map(|sourced| sourced.value).collect(),
            crossings: crossings(Binding::Absolute),
            amounts: written
                .amount
                .iter()
                .map(|sourced| (sourced.value.of.clone(), sourced.value.least))
                .collect(),
            ages: ages(Binding::Absolute),
            in_principle: Principles {
                dimensions: dimensions(Binding::InPrinciple),
                crossings: crossings(Binding::InPrinciple),
                ages: ages(Binding::InPrinciple),
            },
        }
    }

    /// The packs that this build ships.
    ///
    /// # Errors
    ///
    /// A pack is not of the form that packs have.
    pub fn shipped() -> Result<Vec<Self>, FileFault> {
        crate::Sources::SHIPPED.packs.iter().map(|(file, text)| Self::parse(file, text)).collect()
    }

    /// The numbers alone.
    pub const fn thresholds(&self) -> Thresholds {
        Thresholds { persons: self.written.persons.value, zero_shown: self.written.zero_shown.value }
    }
}

/// Rule packs by name.
#[derive(Clone, Debug)]
pub struct RulePacks(BTreeMap<String, RulePack>);

impl RulePacks {
    /// These packs.
    pub(crate) const fn new(packs: BTreeMap<String, RulePack>) -> Self {
        Self(packs)
    }

    /// The packs that this build ships.
    ///
    /// # Errors
    ///
    /// A pack is not of the form that packs have.
    pub fn shipped() -> Result<Self, FileFault> {
        let packs = RulePack::shipped()?;
        Ok(Self(packs.into_iter().map(|pack| (pack.pack().to_owned(), pack)).collect()))
    }

    /// The pack of this name.
    pub fn find(&self, pack: &str) -> Option<&RulePack> {
        self.0.get(pack)
    }

    /// The latest pack of a database. A pack's name ends with its year, or with the year and the number of its
    /// reading, so the latest is the last by name.
    pub fn of_database(&self, database: &str) -> Option<&RulePack> {
        self.0.values().rfind(|pack| pack.databases().iter().any(|name| name == database))
    }

    /// The digest of packs that are named by words: of one pack its own, of several that of a line for each, its name and
    /// its digest. None where one is not there.
    pub fn digest(&self, names: &str) -> Option<String> {
        let packs: Vec<&RulePack> = names.split(' ').map(|name| self.find(name)).collect::<Option<_>>()?;
        if let [only] = packs.as_slice() {
            return Some(only.digest().to_owned());
        }
        let lines = packs.iter().map(|pack| format!("{} {}\n", pack.pack(), pack.digest()));
        Some(blake3::hash(lines.collect::<String>().as_bytes()).to_hex().to_string())
    }

    /// What a table is held to by its dimensions under a permit that names a pack, where its rows come from these
    /// databases: the stricter of the named pack and the latest of each database.
    pub fn output_rules<'d>(&self, pack: &str, databases: impl IntoIterator<Item = &'d str>) -> OutputRules {
        let own = self.find(pack).map(RulePack::output_rules).unwrap_or_default();
        let packs = databases.into_iter().filter_map(|database| self.of_database(database));
        packs.fold(own, |rules, pack| rules.stricter(&pack.output_rules()))
    }
}

/// Checks a smallest number of persons: a cell of one is that person's record.
pub(crate) fn threshold(reading: Reading<'_>, key: &str, persons: u32) -> Result<(), FileFault> {
    if persons < 2 { Err(reading.fault(key, FileProblem::Threshold(persons))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use catalog_model::{BeyondAudit, Binding, Breach, Breached, CountedUnit};

    use super::{RulePack, RulePacks};

    const GENERAL: &str = include_str!("../disclosure/general-2026.toml");

    fn parse(text: &str) -> Result<RulePack, String> {
        RulePack::parse("p.toml", text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn the_shipped_pack_hides_fewer_than_ten_and_shows_zero() {
        let pack = parse(GENERAL).unwrap();
        assert_eq!((pack.thresholds().persons, pack.thresholds().zero_shown), (10, true));
        assert_eq!(pack.digest(), blake3::hash(GENERAL.as_bytes()).to_hex().as_str());
    }

    #[test]
    fn every_shipped_pack_says_what_its_guideline_says() {
        let packs = RulePack::shipped().unwrap();
        let pack = |name: &str| packs.iter().find(|pack| pack.pack() == name).unwrap();
        let facilities = |name: &str| pack(name).cell_rules().facilities;
        assert_eq!(
            (facilities("care-2023"), facilities("ndb-2023"), facilities("ndb-2024")),
            (Some(3), Some(3), None)
        );
        // Of units beside the facility only the latest reading of the care database's guideline says a number.
        for pack in &packs {
            let rules = pack.cell_rules();
            let counts = (pack.pack() == "care-2023-4").then_some(3);
            assert_eq!((rules.insurers, rules.municipalities), (None, counts), "{}", pack.pack());
        }
        let care = pack("care-2023").output_rules();
        assert_eq!((care.least(1_500), care.least(20_000), care.least(30_000)), (u32::MAX, 20, 0));
        assert_eq!(care.dimensions, Some(3));
        let ndb = pack("ndb-2024").output_rules();
        assert_eq!(
            (ndb.amounts.get("oral-external"), ndb.amounts.get("injection")),
            (Some(&1000), Some(&400))
        );
        let crossed = ndb.breach(&["insurer", "municipality"], 2).unwrap();
        assert_eq!(crossed.binding, Binding::Absolute);
    }

    #[test]
    fn no_database_brings_class_disclosure_and_one_pack_has_it() {
        let packs = RulePack::shipped().unwrap();
        let has = packs.iter().filter(|pack| pack.cell_rules().class_disclosure);
        let has: Vec<(&str, bool)> =
            has.map(|pack| (pack.pack(), pack.databases().is_empty() && !pack.zero_shown().value)).collect();
        assert_eq!(has, [("general-2026-class", true)]);
    }

    #[test]
    fn one_pack_withholds_what_no_audit_took_in_whole_and_no_database_brings_it() {
        let packs = RulePack::shipped().unwrap();
        let withholds = packs.iter().filter(|pack| pack.cell_rules().beyond_audit == BeyondAudit::Withhold);
        let withholds: Vec<(&str, bool)> =
            withholds.map(|pack| (pack.pack(), pack.databases().is_empty())).collect();
        assert_eq!(withholds, [("general-2026-audited", true)]);
        let rules = |pack: &str| packs.iter().find(|own| own.pack() == pack).unwrap().cell_rules();
        let both = rules("ndb-2024").stricter(&rules("general-2026-audited"));
        assert_eq!(both.beyond_audit, BeyondAudit::Withhold);
    }

    #[test]
    fn beyond_the_audit_there_are_two_ways() {
        let other = |word: &str| {
            format!("{GENERAL}\n[beyond_audit]\nvalue = {word:?}\nsource = \"s\"\nreason = \"r\"\n")
        };
        assert_eq!(parse_pack(&other("exact")).cell_rules().beyond_audit, BeyondAudit::Exact);
        assert_eq!(parse_pack(&other("withhold")).cell_rules().beyond_audit, BeyondAudit::Withhold);
        let fault = parse(&other("round")).unwrap_err();
        assert!(fault.contains("unknown variant `round`, expected `exact` or `withhold`"), "{fault}");
        let silent = other("withhold").replace("\"s\"", "\"\"");
        assert!(parse(&silent).unwrap_err().contains("beyond_audit.source"));
    }

    #[test]
    fn the_latest_reading_of_the_care_guideline_has_three_dimensions_in_principle() {
        let packs = RulePacks::shipped().unwrap();
        assert_eq!(packs.of_database("care").map(RulePack::pack), Some("care-2023-4"));
        let breach = |pack: &str| packs.output_rules(pack, ["care", "ndb"]).breach(&["sex"], 4);
        let broken = |binding| Some(Breach { binding, of: Breached::Dimensions(3) });
        assert_eq!(breach("general-2026"), broken(Binding::InPrinciple));
        let ages = |pack: &str| packs.output_rules(pack, ["care"]).told_apart(Some(&[(60, Some(64))]));
        assert_eq!(
            ages("care-2023").map(|(binding, ages)| (binding, ages.below)),
            Some((Binding::InPrinciple, 65))
        );
        // A custodian who names the strict reading has it, beside whatever else holds.
        assert_eq!(breach("care-2023"), broken(Binding::Absolute));
        let crossed = packs.output_rules("general-2026", ["care", "ndb"]);
        let crossed = crossed.breach(&["municipality", "insurer"], 4).unwrap();
        assert_eq!(crossed.binding, Binding::Absolute);
    }

    #[test]
    fn the_digest_of_several_packs_changes_with_each() {
        let packs = RulePacks::shipped().unwrap();
        let general = packs.find("general-2026").unwrap().digest().to_owned();
        assert_eq!(packs.digest("general-2026"), Some(general.clone()));
        let several = |names: &str| packs.digest(names).unwrap();
        let all = ["care-2023-2 general-2026", "general-2026 ndb-2024", "care-2023-2 general-2026 ndb-2024"];
        let digests: BTreeSet<String> = all.map(several).into_iter().chain([general]).collect();
        assert_eq!(digests.len(), 4);
        assert_eq!(packs.digest("general-2026 gone"), None);
    }

    #[test]
    fn units_that_a_pack_counts_have_a_source_and_a_pack_without_them_counts_none() {
        let of = |unit: &str| format!("{GENERAL}\n[{unit}]\nvalue = 4\nsource = \"s\"\nreason = \"r\"\n");
        let rules = |text: &str| parse_pack(text).cell_rules();
        let both = rules(GENERAL).stricter(&rules(&of("insurers"))).stricter(&rules(&of("municipalities")));
        assert_eq!(CountedUnit::ALL.map(|unit| rules(GENERAL).least(unit)), [0, 0]);
        assert_eq!(CountedUnit::ALL.map(|unit| rules(&of("insurers")).least(unit)), [4, 0]);
        assert_eq!(CountedUnit::ALL.map(|unit| both.least(unit)), [4, 4]);
        let silent = of("municipalities").replace("\"s\"", "\"\"");
        assert!(parse(&silent).unwrap_err().contains("municipalities.source"));
    }

    #[test]
    fn only_a_rule_about_dimensions_can_hold_in_principle() {
        let principle = GENERAL.replacen("value = 10", "value = 10\nbinding = \"in-principle\"", 1);
        let fault = "p.toml: line 10: unknown field `binding`, expected one of `value`, `source`, `reason`";
        assert_eq!(parse(&principle).unwrap_err(), fault);
    }

    #[test]
    fn a_pack_may_say_that_everything_is_rounded() {
        let rounded = format!(
            "{GENERAL}\n[rounding]\nvalue = {{ base = 10, mode = \"up\" }}\nsource = \"s\"\nreason = \"r\"\n"
        );
        let rules = parse_pack(&rounded).cell_rules();
        assert_eq!(rules.rounding.map(|rounding| rounding.base), Some(10));
        // From the edge of a bin on: a shown 20 is 11 to 20.
        assert_eq!((rules.persons, rules.from_an_edge().persons), (10, 11));
        assert_eq!(parse_pack(GENERAL).cell_rules().rounding, None);
    }

    fn parse_pack(text: &str) -> RulePack {
        RulePack::parse("p.toml", text).unwrap()
    }

    #[test]
    fn a_number_without_a_source_or_without_sense_is_named() {
        let faults = [
            (
                GENERAL.replace("value = 10", "value = 1"),
                "p.toml: persons.value: a cell of 1 protects nobody",
            ),
            (
                GENERAL.replace("value = 10", "value = -1"),
                "p.toml: line 9: invalid value: integer `-1`, expected u32",
            ),
            (
                GENERAL.replace("value = 10", "valeu = 10"),
                "p.toml: line 9: unknown field `valeu`, expected one of `value`, `source`, `reason`",
            ),
            (GENERAL.replace("reason = \"a cell", "reason = \"\"#"), "p.toml: persons.reason: empty"),
        ];
        for (text, fault) in faults {
            assert_eq!(parse(&text).unwrap_err(), fault);
        }
    }
}
