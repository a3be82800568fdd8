//! Rules of the packs that speak of a table's dimensions: what no table crosses, how many dimensions it has, which ages it
//! does not tell apart, and what the smallest places need.
//!
//! What depends on the question alone is said before it runs: a question that breaks a rule without exception is
//! refused, one that breaks a rule "in principle" runs and is looked at by people before it goes out. What depends on
//! how many live at a place is handed to disclosure control with the shape: that number is public, so the rule tells
//! nothing by itself.
//!
//! What a column is as a dimension, its code system says ([`CodeSystem::dimension`]); a place's inhabitants are an
//! attribute of its code. A place of which nobody says how many live there is one of the smallest.
//!
//! [`CodeSystem::dimension`]: catalog_model::CodeSystem::dimension

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{AgeBand, Binding, Breach, Breached, Catalogue, OutputRules};
use engine_protocol::{BrokenRule, Label, Verdict, VerdictKind};
use engine_vet::{KeyDomain, VettedPlan};
use policies::RulePacks;

use crate::verdicts::{no, vetted_verdict};

/// The dimension whose places have inhabitants.
const MUNICIPALITY: &str = "municipality";

/// The oldest age that a question can ask for.
const TOP: u32 = 90;

/// A rule about dimensions that a question breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The rule's name.
    pub(crate) rule: &'static str,
    /// How strictly it is meant.
    pub(crate) binding: Binding,
    message: String,
    ja: String,
    suggestion: String,
}

impl Broken {
    /// As the asker is told of a question that reads these columns: it is refused, or people look at its answer first.
    pub(crate) fn verdict(&self, plan: &VettedPlan) -> Verdict {
        let message = (self.message.clone(), Some(self.ja.clone()));
        let said =
            no(VerdictKind::Refused, self.rule.to_owned(), message, None, Some(self.suggestion.clone()));
        match self.binding {
            Binding::Absolute => said,
            Binding::InPrinciple => {
                let Verdict { verdict, tables, columns, .. } = vetted_verdict(plan.used());
                Verdict { verdict, tables, columns, ..said }
            }
        }
    }

    /// As its reviewers are told.
    pub(crate) fn told(&self) -> BrokenRule {
        BrokenRule { rule: self.rule.to_owned(), says: Label::new(self.ja.as_str(), self.message.as_str()) }
    }
}

/// What a table of this plan is held to by its dimensions, under a permit that names a pack: the pack's rules and those
/// of every database that the plan reads.
pub(crate) fn rules(
    plan: &VettedPlan,
    catalogue: &Catalogue,
    (packs, pack): (&RulePacks, &str),
) -> OutputRules {
    let tables = plan.lineage().iter().filter_map(|table| catalogue.tables.get(table));
    packs.output_rules(pack, tables.map(|table| table.database.as_str()))
}

/// The first rule that a question breaks, if it breaks one; one without exception before one that holds in principle.
pub(crate) fn broken(plan: &VettedPlan, catalogue: &Catalogue, rules: &OutputRules) -> Option<Broken> {
    // What rows are picked by counts like what they are grouped by: one municipality is a table of municipalities.
    let touched: BTreeSet<&str> = plan.systems().iter().filter_map(|of| dimension(catalogue, of)).collect();
    let kinds: Vec<&str> = touched.iter().copied().collect();
    let keys = plan.shape().keys.len();
    let breach = rules.breach(&kinds, keys);
    let of = |binding: Binding| breach.filter(|breach| breach.binding == binding).map(|of| said(of, keys));
    let aged = |binding: Binding| told_apart(plan, rules).filter(|broken| broken.binding == binding);
    of(Binding::Absolute)
        .or_else(|| unkeyed(plan, catalogue, &touched, rules))
        .or_else(|| aged(Binding::Absolute))
        .or_else(|| of(Binding::InPrinciple))
        .or_else(|| aged(Binding::InPrinciple))
}

fn dimension<'c>(catalogue: &'c Catalogue, system: &str) -> Option<&'c str> {
    catalogue.codes.get(system)?.dimension.as_deref()
}

/// A breach in words, of a table with so many keys.
fn said(breach: Breach<'_>, keys: usize) -> Broken {
    let (rule, message, ja, suggestion) = match breach.of {
        Breached::Crossing(one, two) => (
            "crossing",
            format!("{one} and {two} are not crossed in one table"),
            format!("{one} と {two} は一つの表で掛け合わせられません"),
            format!("ask by {one} or by {two}"),
        ),
        Breached::Dimensions(most) => (
            "dimensions",
            format!("a table has at most {most} dimensions, this one has {keys}"),
            format!("表の次元は {most} までです（この表は {keys}）"),
            format!("group by {most} columns, or ask two tables"),
        ),
    };
    let (message, ja) = meant(breach.binding, message, ja);
    Broken { rule, binding: breach.binding, message, ja, suggestion }
}

/// What a rule says, as strictly as it is meant.
fn meant(binding: Binding, message: String, ja: String) -> (String, String) {
    match binding {
        Binding::Absolute => (message, ja),
        Binding::InPrinciple => (
            format!("in principle {message}; people look at its answer before it goes out"),
            format!("原則として、{ja}。結果は、提供の前に審査委員が確認します"),
        ),
    }
}

/// A key tells ages apart that a rule puts together; the strictest of such rules.
fn told_apart(plan: &VettedPlan, rules: &OutputRules) -> Option<Broken> {
    let keys = plan.shape().keys.iter().zip(plan.key_ages()).filter(|(_, is_age)| **is_age);
    let broken = keys.filter_map(|(key, _)| rules.told_apart(bands(&key.domain).as_deref()));
    let (binding, ages) = broken.min_by_key(|(binding, _)| *binding == Binding::InPrinciple)?;
    let (below, from) = (ages.below, ages.from);
    let (message, ja) = meant(
        binding,
        format!("ages below {below} stand in one band, and those from {from} on"),
        format!("年齢は{below}歳未満と{from}歳以上をそれぞれ一つにまとめます"),
    );
    let cuts: Vec<String> = (below..from.min(TOP + 1)).step_by(5).map(|cut| cut.to_string()).collect();
    let suggestion = format!("group by bucket(age(p.birth_date, DATE '…'), {})", cuts.join(", "));
    Some(Broken { rule: "ages", binding, message, ja, suggestion })
}

/// The bands that a key's values name; none where one of them names no band.
fn bands(domain: &KeyDomain) -> Option<Vec<AgeBand>> {
    domain.values.iter().map(|value| band(&value.code)).collect()
}

/// A band as functions and queries write it: `60-64`, `65-<70`, `<65`, `90+`.
fn band(code: &str) -> Option<AgeBand> {
    let before = |next: &str| next.parse::<u32>().ok()?.checked_sub(1);
    if let Some(first) = code.strip_suffix('+') {
        return Some((first.parse().ok()?, None));
    }
    if let Some(next) = code.strip_prefix('<') {
        return Some((0, Some(before(next)?)));
    }
    let (first, last) = code.split_once('-')?;
    let last = match last.strip_prefix('<') {
        Some(next) => before(next)?,
        None => last.parse().ok()?,
    };
    Some((first.parse().ok()?, Some(last)))
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
    // No place is too small "in principle": what its cells need is arithmetic, and people do not set that aside.
    (!is_in_all).then(|| Broken {
        rule: "small-places",
        binding: Binding::Absolute,
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
        Binding, Catalogue, Grant, OutputRules, Period, PopulationTier, SnapshotId, Thresholds, Tier,
    };
    use engine_protocol::VerdictKind;
    use engine_vet::{Scope, VettedPlan, vet};
    use policies::RulePacks;

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
        RulePacks::shipped().unwrap().find(name).unwrap().output_rules()
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
    fn a_rule_in_principle_lets_the_question_run_and_says_that_people_come_first() {
        let catalogue = Catalogue::builtin().unwrap();
        let count = "count(DISTINCT person_id) AS n FROM ndb_receipt";
        let keys = "prefecture, setting, payer, receipt_form";
        let plan = plan(&catalogue, &format!("SELECT {keys}, {count} GROUP BY {keys}"));
        let verdict = |name: &str| broken(&plan, &catalogue, &pack(name)).unwrap().verdict(&plan);
        let strict = verdict("care-2023");
        assert_eq!((strict.verdict, strict.goes_to_people()), (VerdictKind::Refused, false));
        let principle = verdict("care-2023-2");
        assert_eq!((principle.verdict, principle.goes_to_people()), (VerdictKind::Vetted, true));
        assert_eq!(principle.rule.as_deref(), Some("dimensions"));
        assert!(principle.message.unwrap().starts_with("in principle a table has at most 3 dimensions"));
        assert!(principle.message_ja.unwrap().contains("審査委員"));
        assert!(principle.columns.contains(&"ndb_receipt.payer".to_owned()));
    }

    #[test]
    fn a_rule_without_exception_is_said_first() {
        let (catalogue, rules) = (catalogue(), pack("care-2023-2"));
        let count = "count(DISTINCT person_id) AS n FROM ndb_receipt";
        let of = |keys: &str, picked: &str| {
            let sql = format!("SELECT {keys}, {count} {picked} GROUP BY {keys}");
            broken(&plan(&catalogue, &sql), &catalogue, &rules).map(|broken| (broken.rule, broken.binding))
        };
        let four = "setting, payer, receipt_form, insurer_kind";
        assert_eq!(of(four, ""), Some(("dimensions", Binding::InPrinciple)));
        assert_eq!(of(four, "WHERE prefecture = '13'"), Some(("small-places", Binding::Absolute)));
        let both = rules.stricter(&pack("ndb-2024"));
        let keys = "setting, payer, insurer_kind, prefecture";
        let sql = format!("SELECT {keys}, {count} GROUP BY {keys}");
        let crossed = broken(&plan(&catalogue, &sql), &catalogue, &both).unwrap();
        assert_eq!((crossed.rule, crossed.binding), ("crossing", Binding::Absolute));
    }

    #[test]
    fn ages_that_the_care_guideline_puts_together_go_to_people() {
        let (catalogue, rules) = (Catalogue::builtin().unwrap(), pack("care-2023-3"));
        let of = |key: &str| {
            let count = "count(DISTINCT c.person_id) AS n";
            let sql = format!(
                "SELECT {key} AS k, {count} FROM care_claim c JOIN person p ON p.person_id = c.person_id GROUP BY {key}"
            );
            broken(&plan(&catalogue, &sql), &catalogue, &rules)
        };
        let age = "age(p.birth_date, DATE '2023-10-01')";
        let held = of("age_band(p.birth_date, DATE '2023-10-01', 10)").unwrap();
        assert_eq!((held.rule, held.binding), ("ages", Binding::InPrinciple));
        assert!(held.message.contains("ages below 65 stand in one band, and those from 95 on"));
        let cuts = "65, 70, 75, 80, 85, 90";
        assert_eq!(held.suggestion, format!("group by bucket(age(p.birth_date, DATE '…'), {cuts})"));
        assert_eq!(of(&format!("bucket({age}, {cuts})")), None);
        assert_eq!(of(&format!("bucket({age}, 75, 85)")), None);
        assert_eq!(of("p.sex"), None);
        assert_eq!(of(&format!("bucket({age}, 40, 65)")).unwrap().rule, "ages");
        // Nor does a subquery hide that its words are ages.
        let made = |what: &str| {
            let sql = format!(
                "SELECT x.k, count(DISTINCT c.person_id) AS n FROM care_claim c JOIN (SELECT p.person_id, {what} AS k \
                 FROM person p) x ON x.person_id = c.person_id GROUP BY x.k"
            );
            broken(&plan(&catalogue, &sql), &catalogue, &rules).map(|broken| broken.rule)
        };
        assert_eq!(made(&format!("bucket({age}, 40, 65)")), Some("ages"));
        assert_eq!(made(&format!("bucket({age}, 75, 85)")), None);
        assert_eq!(made(&format!("CASE WHEN {age} < 40 THEN 'young' ELSE 'old' END")), Some("ages"));
    }

    #[test]
    fn a_band_is_read_as_it_is_written() {
        let read = ["60-64", "65-<70", "<65", "90+", "old"].map(super::band);
        let band = |first, last| Some((first, last));
        assert_eq!(read, [band(60, Some(64)), band(65, Some(69)), band(0, Some(64)), band(90, None), None]);
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
