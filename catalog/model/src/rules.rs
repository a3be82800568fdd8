//! What disclosure control demands of a table, as plain numbers.
//!
//! A rule pack says these with source and reason; this is what is left once packs of every database in a query's
//! lineage were combined, the stricter number winning each time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::class::CountedUnit;
use crate::rounding::{Rounded, Rounding};

/// The numbers that every cell of a released table is held to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellRules {
    /// A shown cell stands for at least so many distinct persons.
    pub persons: u32,
    /// Whether an exact zero is shown.
    pub zero_shown: bool,
    /// A shown cell stands for at least so many distinct facilities, where its rows name one.
    pub facilities: Option<u32>,
    /// The same of distinct insurers.
    #[serde(default)]
    pub insurers: Option<u32>,
    /// The same of distinct municipalities.
    #[serde(default)]
    pub municipalities: Option<u32>,
    /// Per cent of a sum that the two largest contributors may have together.
    pub dominance: Option<u32>,
    /// Per cent within which nobody may estimate the largest contributor's total.
    pub estimate: Option<u32>,
    /// Whether a row whose persons are nearly all in one cell is hidden.
    pub class_disclosure: bool,
    /// Degrees of freedom that a variance leaves at least.
    pub freedom: u32,
    /// How what is shown is rounded, if it is.
    #[serde(default)]
    pub rounding: Option<Rounding>,
    /// What becomes of a table that was not audited with all earlier answers of its family.
    #[serde(default)]
    pub beyond_audit: BeyondAudit,
}

/// What becomes of a table with more earlier answers than its audit takes in. The stricter comes last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BeyondAudit {
    /// It goes out: of the nearest it was asked what follows exactly, all were compared in pairs.
    #[default]
    Exact,
    /// It is withheld.
    Withhold,
}

impl CellRules {
    /// What is demanded where nobody demands more: so many persons, and the rules that no guideline needs to name.
    pub const fn general(persons: u32, zero_shown: bool) -> Self {
        Self {
            persons,
            zero_shown,
            facilities: None,
            insurers: None,
            municipalities: None,
            dominance: Some(90),
            estimate: Some(10),
            class_disclosure: false,
            freedom: 10,
            rounding: None,
            beyond_audit: BeyondAudit::Exact,
        }
    }

    /// How many distinct ones of a unit a shown cell stands for at least; 0 where nobody asks.
    pub fn least(&self, unit: CountedUnit) -> u32 {
        let least = match unit {
            CountedUnit::Insurer => self.insurers,
            CountedUnit::Municipality => self.municipalities,
        };
        least.unwrap_or(0)
    }

    /// The same with the number of persons raised to the edge of a bin, where everything shown is rounded: no shown bin
    /// is cut by the threshold.
    #[must_use]
    pub fn from_an_edge(&self) -> Self {
        let edge = self.rounding.filter(|rounding| rounding.of == Rounded::All);
        Self {
            persons: edge.map_or(self.persons, |rounding| rounding.threshold(self.persons)),
            ..self.clone()
        }
    }

    /// The stricter of both in every number.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        Self {
            persons: self.persons.max(other.persons),
            zero_shown: self.zero_shown && other.zero_shown,
            facilities: self.facilities.max(other.facilities),
            insurers: self.insurers.max(other.insurers),
            municipalities: self.municipalities.max(other.municipalities),
            dominance: lower(self.dominance, other.dominance),
            estimate: self.estimate.max(other.estimate),
            class_disclosure: self.class_disclosure || other.class_disclosure,
            freedom: self.freedom.max(other.freedom),
            rounding: Rounding::stricter(self.rounding, other.rounding),
            beyond_audit: self.beyond_audit.max(other.beyond_audit),
        }
    }
}

/// The lower of two limits; none is no limit.
fn lower(one: Option<u32>, other: Option<u32>) -> Option<u32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (limit, None) | (None, limit) => limit,
    }
}

/// What is demanded of a table by the dimensions it has, not by what a cell holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRules {
    /// Dimensions that a table may cross, without exception.
    pub dimensions: Option<u32>,
    /// Persons that a cell of a municipality needs, by the municipality's population; the smallest first.
    pub populations: Vec<PopulationTier>,
    /// Kinds of dimension that no table crosses, without exception.
    pub crossings: BTreeSet<(String, String)>,
    /// The least amount that is shown where the persons behind it are not known, by what is counted.
    pub amounts: BTreeMap<String, u32>,
    /// Ages that stand in one band, without exception.
    #[serde(default)]
    pub ages: Option<MergedAges>,
    /// What holds in principle: people decide about a table that breaks it.
    #[serde(default)]
    pub in_principle: Principles,
}

/// Rules about dimensions that people may set aside for one table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principles {
    /// Dimensions that a table may cross.
    pub dimensions: Option<u32>,
    /// Kinds of dimension that a table does not cross.
    pub crossings: BTreeSet<(String, String)>,
    /// Ages that stand in one band.
    #[serde(default)]
    pub ages: Option<MergedAges>,
}

/// The youngest and the oldest, whom a table does not tell apart by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedAges {
    /// Who is younger than this stands in one band.
    pub below: u32,
    /// Whoever is of this age or older does.
    pub from: u32,
}

/// The first age of a band and the last; none where it is open.
pub type AgeBand = (u32, Option<u32>);

impl MergedAges {
    /// Whether a band tells none of them apart.
    pub fn allows(self, (first, last): AgeBand) -> bool {
        let has_all_young = first == 0 && last.is_none_or(|last| last.saturating_add(1) >= self.below);
        let has_all_old = last.map_or(first <= self.from, |last| last < self.from);
        has_all_old && (has_all_young || first >= self.below)
    }

    fn stricter(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => {
                Some(Self { below: one.below.max(other.below), from: one.from.min(other.from) })
            }
            (ages, None) | (None, ages) => ages,
        }
    }
}

/// How strictly a rule about dimensions is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Binding {
    /// Nobody sets it aside.
    #[default]
    Absolute,
    /// People decide about a table that breaks it.
    InPrinciple,
}

/// How a table breaks a rule about dimensions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach<'k> {
    /// How strictly the rule is meant.
    pub binding: Binding,
    /// What is broken.
    pub of: Breached<'k>,
}

/// What a table has that a rule about dimensions does not allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breached<'k> {
    /// These two kinds of dimension.
    Crossing(&'k str, &'k str),
    /// More than so many dimensions.
    Dimensions(u32),
}

/// What holds for municipalities with fewer inhabitants than a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PopulationTier {
    /// Inhabitants, exclusive.
    pub below: u64,
    /// Persons that a cell needs; none where nothing is shown.
    pub persons: Option<u32>,
}

impl OutputRules {
    /// Persons that a cell of a place with so many inhabitants needs; `u32::MAX` where nothing is shown.
    pub fn least(&self, population: u64) -> u32 {
        let tiers = self.populations.iter().filter(|tier| population < tier.below);
        tiers.map(|tier| tier.persons.unwrap_or(u32::MAX)).max().unwrap_or(0)
    }

    /// The rule that a table of these kinds of dimension, and so many of them, breaks: one without exception before one
    /// that holds in principle.
    pub fn breach<'k>(&self, kinds: &[&'k str], dimensions: usize) -> Option<Breach<'k>> {
        let absolute = breached((&self.crossings, self.dimensions), kinds, dimensions);
        let Principles { dimensions: most, crossings, .. } = &self.in_principle;
        let principle = || breached((crossings, *most), kinds, dimensions);
        let breach = |binding| move |of| Breach { binding, of };
        absolute.map(breach(Binding::Absolute)).or_else(|| principle().map(breach(Binding::InPrinciple)))
    }

    /// The rule that a key of these bands of age breaks; one without exception before one that holds in principle. Of
    /// bands that nobody knows it is not known that they break none.
    pub fn told_apart(&self, bands: Option<&[AgeBand]>) -> Option<(Binding, MergedAges)> {
        let is_broken =
            |ages: &MergedAges| bands.is_none_or(|bands| bands.iter().any(|band| !ages.allows(*band)));
        let absolute = self.ages.filter(is_broken).map(|ages| (Binding::Absolute, ages));
        absolute.or_else(|| self.in_principle.ages.filter(is_broken).map(|ages| (Binding::InPrinciple, ages)))
    }

    /// The stricter of both in every number.
    #[must_use]
    pub fn stricter(&self, other: &Self) -> Self {
        let mut amounts = self.amounts.clone();
        for (kind, least) in &other.amounts {
            let known = amounts.entry(kind.clone()).or_default();
            *known = (*known).max(*least);
        }
        Self {
            dimensions: lower(self.dimensions, other.dimensions),
            populations: self.populations.iter().chain(&other.populations).copied().collect(),
            crossings: self.crossings.union(&other.crossings).cloned().collect(),
            amounts,
            ages: MergedAges::stricter(self.ages, other.ages),
            in_principle: self.in_principle.stricter(&other.in_principle),
        }
    }
}

impl Principles {
    fn stricter(&self, other: &Self) -> Self {
        Self {
            dimensions: lower(self.dimensions, other.dimensions),
            crossings: self.crossings.union(&other.crossings).cloned().collect(),
            ages: MergedAges::stricter(self.ages, other.ages),
        }
    }
}

fn breached<'k>(
    (crossings, most): (&BTreeSet<(String, String)>, Option<u32>),
    kinds: &[&'k str],
    dimensions: usize,
) -> Option<Breached<'k>> {
    let mut pairs = kinds.iter().flat_map(|one| kinds.iter().map(move |two| (*one, *two)));
    let crossed = pairs.find(|(one, two)| crossings.contains(&((*one).to_owned(), (*two).to_owned())));
    let is_more = |most: &u32| usize::try_from(*most).is_ok_and(|most| dimensions > most);
    crossed
        .map(|(one, two)| Breached::Crossing(one, two))
        .or_else(|| most.filter(is_more).map(Breached::Dimensions))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{
        BeyondAudit, Binding, Breach, Breached, CellRules, MergedAges, OutputRules, PopulationTier,
        Principles,
    };
    use crate::class::CountedUnit;

    #[test]
    fn the_stricter_number_wins_each_time() {
        let general = CellRules::general(10, true);
        let one = CellRules { facilities: Some(3), municipalities: Some(3), estimate: None, ..general };
        let two = CellRules {
            insurers: Some(4),
            municipalities: Some(2),
            dominance: Some(80),
            beyond_audit: BeyondAudit::Withhold,
            ..CellRules::general(20, false)
        };
        let both = one.stricter(&two);
        assert_eq!((both.persons, both.zero_shown, both.facilities), (20, false, Some(3)));
        let least = CountedUnit::ALL.map(|unit| (one.least(unit), two.least(unit), both.least(unit)));
        assert_eq!(least, [(0, 4, 4), (3, 2, 3)]);
        assert_eq!((both.dominance, both.estimate), (Some(80), Some(10)));
        assert_eq!(both.beyond_audit, BeyondAudit::Withhold);
        assert_eq!(both, two.stricter(&one));
    }

    #[test]
    fn a_small_place_needs_more_persons() {
        let tier = |below, persons| PopulationTier { below, persons };
        let rules = OutputRules {
            populations: vec![tier(2_000, None), tier(25_000, Some(20))],
            crossings: [("insurer".to_owned(), "municipality".to_owned())].into(),
            ..OutputRules::default()
        };
        let least = |population| rules.least(population);
        assert_eq!((least(1_999), least(2_000), least(24_999), least(25_000)), (u32::MAX, 20, 20, 0));
        let crossed = Breached::Crossing("insurer", "municipality");
        let breach = |kinds: &[&'static str]| rules.breach(kinds, 2);
        assert_eq!(
            breach(&["municipality", "insurer"]),
            Some(Breach { binding: Binding::Absolute, of: crossed })
        );
        assert_eq!(breach(&["municipality", "sex"]), None);
    }

    #[test]
    fn the_youngest_and_the_oldest_are_not_told_apart() {
        let ages = Some(MergedAges { below: 65, from: 95 });
        let principle = OutputRules {
            in_principle: Principles { ages, ..Principles::default() },
            ..OutputRules::default()
        };
        let told = |bands: &[_]| principle.told_apart(Some(bands)).map(|(binding, _)| binding);
        let held = Some(Binding::InPrinciple);
        assert_eq!(told(&[(0, Some(64)), (65, Some(69)), (90, Some(94)), (95, None)]), None);
        assert_eq!(told(&[(0, Some(69)), (70, None)]), None);
        assert_eq!(told(&[(0, Some(59)), (60, None)]), held);
        assert_eq!(told(&[(60, Some(69))]), held);
        assert_eq!(told(&[(95, Some(99))]), held);
        assert_eq!(told(&[(100, None)]), held);
        assert_eq!(principle.told_apart(None).map(|(binding, _)| binding), held);
        assert_eq!(OutputRules::default().told_apart(None), None);
        // The stricter of two packs keeps both, each as it was meant.
        let absolute =
            OutputRules { ages: Some(MergedAges { below: 40, from: 90 }), ..OutputRules::default() };
        let both = absolute.stricter(&principle);
        let told = |bands: &[_]| both.told_apart(Some(bands)).map(|(binding, _)| binding);
        assert_eq!((told(&[(40, None)]), told(&[(30, None)])), (held, Some(Binding::Absolute)));
    }

    #[test]
    fn what_holds_without_exception_is_said_before_what_holds_in_principle() {
        let crossing = |one: &str, two: &str| BTreeSet::from([(one.to_owned(), two.to_owned())]);
        let principle = OutputRules {
            in_principle: Principles {
                dimensions: Some(3),
                crossings: crossing("drug", "place"),
                ages: None,
            },
            ..OutputRules::default()
        };
        let absolute =
            OutputRules { dimensions: Some(5), crossings: crossing("a", "b"), ..OutputRules::default() };
        // The stricter of two packs keeps both limits, each as it was meant.
        let both = principle.stricter(&absolute);
        assert_eq!(both, absolute.stricter(&principle));
        let breach = |binding, of| Some(Breach { binding, of });
        assert_eq!(both.breach(&[], 3), None);
        assert_eq!(both.breach(&[], 4), breach(Binding::InPrinciple, Breached::Dimensions(3)));
        assert_eq!(both.breach(&[], 6), breach(Binding::Absolute, Breached::Dimensions(5)));
        let crossed = Breached::Crossing("drug", "place");
        assert_eq!(both.breach(&["place", "drug"], 2), breach(Binding::InPrinciple, crossed));
        assert_eq!(both.breach(&["place", "drug"], 6), breach(Binding::Absolute, Breached::Dimensions(5)));
        let crossed = Breached::Crossing("a", "b");
        assert_eq!(both.breach(&["a", "b", "drug", "place"], 6), breach(Binding::Absolute, crossed));
    }
}
