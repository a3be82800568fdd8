//! What a question says of its cells before anybody looks at the data: how the ledger recognises it.

use catalog_model::{CellRules, Grant, Tier};
use engine_disclosure::{Depth, Form, Ledger, Past, Term};
use engine_vet::{KeyColumn, Said, SaidCondition, SaidTakes, VettedPlan};
use policies::Permit;

use crate::exclusions::Exclusion;

/// What a question says of its rows, its group keys and its conditions.
#[derive(Debug)]
pub struct Says {
    family: String,
    base: String,
    keys: Vec<String>,
    conditions: Vec<String>,
    form: Form,
    columns: Vec<String>,
    terms: Vec<Vec<Term>>,
}

/// The question in its canonical form, whatever its text, with the numbers that its answer was protected under, and
/// with who is left out: an answer from before an opt-out is not given again after it.
pub(crate) fn question(
    plan: &VettedPlan,
    permit: &Permit,
    rules: &CellRules,
    exclusion: &Exclusion,
) -> String {
    let exclusion = exclusion.exclusion.as_str();
    digest(&[plan.hash(), permit.rule_digest(), &format!("{rules:?}"), exclusion])
}

/// Whose rows a question can be about: those of the snapshot without those who are left out of every scan.
///
/// Two questions say the same of a cohort only where the same persons were left out: after an opt-out the one who left
/// is the difference.
pub(crate) fn people(grant: &Grant, exclusion: &Exclusion) -> String {
    // Who is left out of the anonymized tier follows from the number that must share what describes them.
    let (tier, shared) = match grant.tier {
        Tier::Anonymized => ("anonymized", grant.thresholds.persons.to_string()),
        Tier::Pseudonymized => ("pseudonymized", String::new()),
    };
    digest(&[grant.snapshot.as_str(), &exclusion.exclusion, tier, &shared])
}

impl Says {
    /// What a vetted query says of `people`, which is whose rows there are.
    ///
    /// What lies below the projection of the keys is the same for every grouping of the same rows. Where a plan is not
    /// of the form that the rewrite gives nothing is recognised, and near cohorts are held back.
    pub fn of(plan: &VettedPlan, people: &str) -> Self {
        let shape = plan.shape();
        // A plan that says nothing of its rows is a source of its own.
        let unknown = || Said {
            rows: plan.hash().to_owned(),
            family: plan.hash().to_owned(),
            source: plan.hash().to_owned(),
            ..Said::default()
        };
        let said = plan.said().unwrap_or_else(unknown);
        let key = |(at, key): (usize, &KeyColumn)| {
            let mut texts = vec![said.keys.get(at).map_or(plan.hash(), String::as_str)];
            texts.extend(key.domain.values.iter().map(|value| value.code.as_str()));
            digest(&texts)
        };
        let condition = |at: usize| match said.parts.get(at) {
            Some(part) => part.whole.clone(),
            None => format!("{at} {}", plan.hash()),
        };
        Self {
            family: digest(&[&said.family]),
            base: digest(&[people, &said.rows]),
            keys: shape.keys.iter().enumerate().map(key).collect(),
            conditions: (0..shape.conditions.len()).map(condition).collect(),
            form: Form::new(&digest(&[people, &said.source]), said.conditions.iter().map(term)),
            terms: said.parts.iter().map(|part| part.conditions.iter().map(term).collect()).collect(),
            columns: said.keys,
        }
    }

    /// What questions about the same rows have in common, whatever values they name.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// All that the question says of its rows, as a digest.
    pub(crate) fn rows(&self) -> &str {
        &self.base
    }

    /// Beside what was released, while whoever asked waits; the question is about `snapshot`.
    pub fn past<'p>(&'p self, ledger: &'p Ledger, snapshot: &'p str) -> Past<'p> {
        Past {
            ledger,
            family: &self.family,
            snapshot,
            base: &self.base,
            keys: &self.keys,
            conditions: &self.conditions,
            form: &self.form,
            columns: &self.columns,
            terms: &self.terms,
            depth: Depth::OnLine,
        }
    }
}

fn term(condition: &SaidCondition) -> Term {
    match &condition.takes {
        SaidTakes::Values(values) => Term::values(&condition.of, values.iter().map(String::as_str)),
        SaidTakes::Between(from, to) => Term::between(&condition.of, *from, *to),
        SaidTakes::Holds => Term::met(&condition.of),
    }
}

fn digest(texts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex().to_string()
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, CellRules, Grant, Period, SnapshotId, Thresholds, Tier};
    use classified::Protected;
    use engine_disclosure::{Ledger, LedgerEntry, Setting, release};
    use engine_protocol::{CellValue, Evidence, EvidenceCell, EvidencePart};
    use engine_vet::{Scope, vet};
    use roaring::RoaringBitmap;

    use super::{Says, people};
    use crate::exclusions::Exclusion;

    fn grant(catalogue: &Catalogue, tier: Tier, persons: u32) -> Grant {
        let columns = catalogue.tables["person"].columns.iter().map(|column| column.name.clone());
        Grant {
            project: "demo".to_owned(),
            snapshot: SnapshotId::from_digest(&[0; 32]),
            tier,
            period: Period { from: "2023-04".parse().unwrap(), to: "2025-03".parse().unwrap() },
            tables: [("person".to_owned(), columns.collect())].into(),
            thresholds: Thresholds { persons, zero_shown: true },
        }
    }

    #[test]
    fn questions_that_the_engine_prints_alike_are_of_other_cohorts() {
        let catalogue = Catalogue::builtin().unwrap();
        let mut grant = grant(&catalogue, Tier::Pseudonymized, 10);
        for table in ["ndb_diagnosis", "ndb_receipt"] {
            let columns = catalogue.tables[table].columns.iter().map(|column| column.name.clone());
            grant.tables.insert(table.to_owned(), columns.collect());
        }
        let says = |table: &str, condition: &str| {
            let sql = format!("SELECT count(*) AS n FROM {table} WHERE {condition}");
            let plan = vet(&sql, Scope { catalogue: &catalogue, grant: &grant }).unwrap();
            Says::of(&plan, &people(&grant, &Exclusion::default()))
        };
        for (table, one, other) in [
            (
                "person",
                "NOT (sex = '9' AND first_month < DATE '2024-03-01')",
                "NOT sex = '9' AND first_month < DATE '2024-03-01'",
            ),
            ("ndb_diagnosis", "(is_main AND is_suspected) IS FALSE", "is_main AND is_suspected IS FALSE"),
            (
                "ndb_diagnosis",
                "icd10 IN ('I10', 'RARE', 'RAREX')",
                "icd10 IN ('I10', 'RARE\"), Utf8(\"RAREX')",
            ),
            (
                "ndb_receipt",
                "total_points - (meal_amount - total_points) > 1000",
                "total_points - meal_amount - total_points > 1000",
            ),
            (
                "person",
                "person_id IN (SELECT person_id FROM ndb_diagnosis WHERE icd10 = 'I10')",
                "person_id IN (SELECT person_id FROM ndb_diagnosis WHERE icd10 = 'RARE')",
            ),
        ] {
            let (one, other) = (says(table, one), says(table, other));
            assert_ne!(one.base, other.base, "{one:?}");
            assert_ne!(one.form, other.form, "{one:?}");
        }
    }

    /// Whether the count of everybody numbered below `number` is shown beside what is kept; it is kept then.
    fn is_shown(ledger: &mut Ledger, number: u32, grant: &Grant, left_out: &str) -> bool {
        let catalogue = Catalogue::builtin().unwrap();
        let scope = Scope { catalogue: &catalogue, grant };
        let plan = vet("SELECT count(DISTINCT person_id) AS n FROM person", scope).unwrap();
        let persons: RoaringBitmap = (0..number).collect();
        let mut bytes = Vec::new();
        persons.serialize_into(&mut bytes).unwrap();
        let part = EvidencePart { rows: persons.len(), persons: bytes, ..EvidencePart::default() };
        let evidence =
            Evidence { cells: vec![EvidenceCell { parts: vec![part], ..EvidenceCell::default() }] };
        let exclusion = Exclusion { exclusion: left_out.to_owned(), ..Exclusion::default() };
        let says = Says::of(&plan, &people(grant, &exclusion));
        let rules = CellRules::general(10, true);
        let released = {
            let past = says.past(ledger, "s");
            let setting = Setting {
                rules: &rules,
                query: "q",
                snapshot: "s",
                pack: "p",
                secret: None,
                past: Some(&past),
            };
            release(&Protected::new(evidence), &crate::shape::shape(&plan), setting).unwrap()
        };
        ledger.keep(LedgerEntry {
            question: format!("{number} {left_out} {grant:?}"),
            project: "p".to_owned(),
            snapshot: "s".to_owned(),
            family: says.family().to_owned(),
            answer: Vec::new(),
            cohorts: released.cohorts,
        });
        released.table.get().rows[0][0] != CellValue::Suppressed
    }

    #[test]
    fn a_count_after_an_opt_out_does_not_tell_who_left() {
        let catalogue = Catalogue::builtin().unwrap();
        let grant = grant(&catalogue, Tier::Pseudonymized, 10);
        let mut ledger = Ledger::default();
        assert!(is_shown(&mut ledger, 57, &grant, ""));
        // Nobody has left: the question says that it is the same cohort.
        assert!(is_shown(&mut ledger, 57, &grant, ""));
        assert!(!is_shown(&mut ledger, 56, &grant, "one"));
        // Whether the one who opted out was among them does not show.
        assert!(!is_shown(&mut ledger, 57, &grant, "another"));
        // Ten have left together.
        assert!(is_shown(&mut ledger, 47, &grant, "ten"));
    }

    #[test]
    fn two_permits_for_anonymized_data_do_not_tell_who_is_in_a_class_between_their_thresholds() {
        let catalogue = Catalogue::builtin().unwrap();
        let of = |tier, k| grant(&catalogue, tier, k);
        let mut ledger = Ledger::default();
        assert!(is_shown(&mut ledger, 57, &of(Tier::Anonymized, 3), ""));
        assert!(!is_shown(&mut ledger, 54, &of(Tier::Anonymized, 5), ""));
        let nobody = Exclusion::default();
        let same = |one: &Grant, two: &Grant| people(one, &nobody) == people(two, &nobody);
        assert!(!same(&of(Tier::Anonymized, 10), &of(Tier::Pseudonymized, 10)));
        assert!(same(&of(Tier::Pseudonymized, 3), &of(Tier::Pseudonymized, 5)));
    }
}
