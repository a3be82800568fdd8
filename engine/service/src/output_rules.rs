//! Rules of the packs that speak of a table's dimensions: what no table crosses, how many dimensions it has, and what
//! the smallest places need.
//!
//! What depends on the question alone is said before it runs, like any refusal. What depends on how many live at a
//! place is handed to disclosure control with the shape: that number is public, so the rule tells nothing by itself.
//!
//! What a column is as a dimension, its code system says ([`CodeSystem::dimension`]); a place's inhabitants are an
//! attribute of its code. A place of which nobody says how many live there is one of the smallest.
//!
//! [`CodeSystem::dimension`]: catalog_model::CodeSystem::dimension

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Catalogue, OutputRules};
use engine_protocol::{Verdict, VerdictKind};
use engine_vet::VettedPlan;

use crate::verdicts::no;

/// The dimension whose places have inhabitants.
const MUNICIPALITY: &str = "municipality";

/// A rule about dimensions that a question breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The rule's name.
    pub(crate) rule: &'static str,
    message: String,
    ja: String,
    suggestion: String,
}

impl Broken {
    /// As the asker is told.
    pub(crate) fn verdict(&self) -> Verdict {
        let message = (self.message.clone(), Some(self.ja.clone()));
        no(VerdictKind::Refused, self.rule.to_owned(), message, None, Some(self.suggestion.clone()))
    }
}

/// The first rule that a question breaks, if it breaks one.
pub(crate) fn broken(plan: &VettedPlan, catalogue: &Catalogue, rules: &OutputRules) -> Option<Broken> {
    // What rows are picked by counts like what they are grouped by: one municipality is a table of municipalities.
    let touched: BTreeSet<&str> = plan.systems().iter().filter_map(|of| dimension(catalogue, of)).collect();
    let keys = plan.shape().keys.len();
    crossing(&touched, rules)
        .or_else(|| too_many(keys, rules))
        .or_else(|| unkeyed(plan, catalogue, &touched, rules))
}

fn dimension<'c>(catalogue: &'c Catalogue, system: &str) -> Option<&'c str> {
    catalogue.codes.get(system)?.dimension.as_deref()
}

fn crossing(touched: &BTreeSet<&str>, rules: &OutputRules) -> Option<Broken> {
    let kinds: Vec<&str> = touched.iter().copied().collect();
    let (one, two) = rules.forbidden(&kinds)?;
    Some(Broken {
        rule: "crossing",
        message: format!("{one} and {two} are not crossed in one table"),
        ja: format!("{one} と {two} は一つの表で掛け合わせられません"),
        suggestion: format!("ask by {one} or by {two}"),
    })
}

fn too_many(keys: usize, rules: &OutputRules) -> Option<Broken> {
    let most = rules.dimensions.and_then(|most| usize::try_from(most).ok())?;
    (keys > most).then(|| Broken {
        rule: "dimensions",
        message: format!("a table has at most {most} dimensions, this one has {keys}"),
        ja: format!("表の次元は {most} までです（この表は {keys}）"),
        suggestion: format!("group by {most} columns, or ask two tables"),
    })
}

/// Cells of a place that the table does not name cannot be held to what the place needs.
fn unkeyed(
    plan: &VettedPlan,
    catalogue: &Catalogue,
    touched: &BTreeSet<&str>,
    rules: &OutputRules,
) -> Option<Broken> {
    if rules.populations.is_empty() || !touched.contains(MUNICIPALITY) {
        return None;
    }
    let is_place = |system: &String| dimension(catalogue, system) == Some(MUNICIPALITY);
    let at = plan.key_systems().iter().position(|system| system.as_ref().is_some_and(is_place));
    let is_in_all = at.is_some_and(|at| plan.shape().sets.iter().all(|set| *set == 0 || set >> at & 1 == 1));
    (!is_in_all).then(|| Broken {
        rule: "small-places",
        message:
            "a table about municipalities is grouped by municipality, so that small ones can be held back"
                .to_owned(),
        ja: "市区町村を使う表は市区町村を群の列にします（小さな市区町村を秘匿するため）".to_owned(),
        suggestion: "add the municipality itself to GROUP BY".to_owned(),
    })
}

/// The persons that cells of a place need, by key and value, where that is more than others need.
pub(crate) fn least(
    plan: &VettedPlan,
    catalogue: &Catalogue,
    rules: &OutputRules,
) -> BTreeMap<(usize, u32), u32> {
    let mut least = BTreeMap::new();
    if rules.populations.is_empty() {
        return least;
    }
    for (at, system) in plan.key_systems().iter().enumerate() {
        let Some(system) = system.as_ref().and_then(|system| catalogue.codes.get(system)) else { continue };
        let Some(key) = plan.shape().keys.get(at) else { continue };
        if system.dimension.as_deref() != Some(MUNICIPALITY) {
            continue;
        }
        // What is none of the declared places stands behind the last of them.
        let places = key.domain.values.iter().map(|value| system.population(&value.code)).chain([None]);
        for (value, population) in (0_u32..).zip(places) {
            let needed = rules.least(population.unwrap_or(0));
            if needed > 0 {
                least.insert((at, value), needed);
            }
        }
    }
    least
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog_model::{
        Catalogue, Grant, OutputRules, Period, PopulationTier, SnapshotId, Thresholds, Tier,
    };
    use engine_vet::{Scope, VettedPlan, vet};
    use policies::RulePack;

    use super::{broken, least};

    /// The builtin catalogue, in which prefectures stand for municipalities and say how many live there.
    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::builtin().unwrap();
        let places = catalogue.codes.get_mut("prefecture").unwrap();
        places.dimension = Some("municipality".to_owned());
        for (code, population) in [("01", "1500"), ("02", "20000"), ("03", "30000")] {
            let place = places.codes.iter_mut().find(|place| place.code == code).unwrap();
            place.attributes.insert("population".to_owned(), population.to_owned());
        }
        catalogue
    }

    fn plan(catalogue: &Catalogue, sql: &str) -> VettedPlan {
        let tables = catalogue.tables.values();
        let tables = tables.map(|table| {
            let columns = table.columns.iter().map(|column| column.name.clone());
            (table.table.clone(), columns.collect())
        });
        let grant = Grant {
            project: "demo".to_owned(),
            snapshot: SnapshotId::from_digest(&[0; 32]),
            tier: Tier::Pseudonymized,
            period: Period { from: "2023-04".parse().unwrap(), to: "2025-03".parse().unwrap() },
            tables: tables.collect(),
            thresholds: Thresholds { persons: 10, zero_shown: true },
        };
        vet(sql, Scope { catalogue, grant: &grant }).unwrap()
    }

    fn pack(name: &str) -> OutputRules {
        let packs = RulePack::shipped().unwrap();
        packs.iter().find(|pack| pack.pack() == name).unwrap().output_rules()
    }

    #[test]
    fn insurers_and_municipalities_are_not_crossed_by_groups_or_by_what_rows_are_picked_by() {
        let (catalogue, rules) = (catalogue(), pack("ndb-2024"));
        let rule = |sql: &str| broken(&plan(&catalogue, sql), &catalogue, &rules).map(|broken| broken.rule);
        let count = "count(DISTINCT person_id) AS n FROM ndb_receipt";
        assert_eq!(
            rule(&format!("SELECT prefecture, insurer_kind, {count} GROUP BY prefecture, insurer_kind")),
            Some("crossing")
        );
        assert_eq!(
            rule(&format!("SELECT insurer_kind, {count} WHERE prefecture = '13' GROUP BY insurer_kind")),
            Some("crossing")
        );
        let case = "CASE WHEN insurer_kind = '39' THEN 'old' ELSE 'other' END";
        assert_eq!(
            rule(&format!("SELECT prefecture, {case} AS k, {count} GROUP BY prefecture, {case}")),
            Some("crossing")
        );
        assert_eq!(
            rule(&format!("SELECT insurer_kind, setting, {count} GROUP BY insurer_kind, setting")),
            None
        );
        assert_eq!(rule(&format!("SELECT prefecture, setting, {count} GROUP BY prefecture, setting")), None);
    }

    #[test]
    fn a_table_has_three_dimensions_where_the_care_pack_speaks() {
        let (catalogue, rules) = (Catalogue::builtin().unwrap(), pack("care-2023"));
        let sql = |keys: &str| {
            format!("SELECT {keys}, count(DISTINCT person_id) AS n FROM ndb_receipt GROUP BY {keys}")
        };
        let rule =
            |keys: &str| broken(&plan(&catalogue, &sql(keys)), &catalogue, &rules).map(|broken| broken.rule);
        assert_eq!(rule("prefecture, setting, payer"), None);
        assert_eq!(rule("prefecture, setting, payer, receipt_form"), Some("dimensions"));
    }

    #[test]
    fn a_small_place_is_named_and_needs_what_its_inhabitants_ask() {
        let (catalogue, rules) = (catalogue(), pack("care-2023"));
        let count = "count(DISTINCT person_id) AS n FROM ndb_receipt";
        let of = |sql: &str| plan(&catalogue, sql);
        let rule = |sql: &str| broken(&of(sql), &catalogue, &rules).map(|broken| broken.rule);
        // Neither picking rows of one place nor giving a place another one's name gets around it.
        assert_eq!(rule(&format!("SELECT {count} WHERE prefecture = '01'")), Some("small-places"));
        let renamed = "CASE WHEN prefecture = '01' THEN '13' ELSE prefecture END";
        assert_eq!(rule(&format!("SELECT {renamed} AS p, {count} GROUP BY {renamed}")), Some("small-places"));
        let sets = "GROUP BY GROUPING SETS ((prefecture), (setting))";
        assert_eq!(rule(&format!("SELECT prefecture, setting, {count} {sets}")), Some("small-places"));
        let sql = format!("SELECT prefecture, {count} GROUP BY prefecture");
        assert_eq!(rule(&sql), None);
        let least = least(&of(&sql), &catalogue, &rules);
        let of = |at: u32| least.get(&(0, at)).copied();
        assert_eq!((of(0), of(1), of(2), of(3)), (Some(u32::MAX), Some(20), None, Some(u32::MAX)));
        // What is none of the declared places.
        assert_eq!(of(47), Some(u32::MAX));
        let none = OutputRules { populations: Vec::<PopulationTier>::new(), ..rules };
        assert_eq!(super::least(&plan(&catalogue, &sql), &catalogue, &none), BTreeMap::new());
    }
}
