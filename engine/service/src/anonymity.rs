//! The anonymized tier's own threshold: whoever shares birth month and sex with fewer than k persons is left out.
//!
//! Generalisation alone does not make a person one of many: the only person born in a month is still alone in it. So a
//! permit for anonymized data sees the persons of large enough classes only, over the quasi-identifying columns that
//! the catalogue declares of the person table. Who that is follows from the snapshot and from who opted out, and is
//! worked out once for each, by a query of the guard's own that nobody else sees.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use catalog_model::{Class, Domain, Grant, SnapshotManifest, Table, Tier};
use catalog_store::Space;
use engine_protocol::{Evidence, WorkerReply, WorkerRequest};
use engine_vet::{Scope, VettedPlan, vet};
use roaring::RoaringBitmap;

use crate::ceiling;
use crate::exclusions::Exclusion;
use crate::guard::{Guard, GuardError};
use crate::reach::Reach;

const PERSONS: &str = "person";

/// Who is left out of anonymized data, by snapshot, list of who opted out, and k.
pub(crate) type SmallClasses = Mutex<HashMap<(String, String, u32), Vec<u32>>>;

/// Adds who is in too small a class; nobody for pseudonymized data.
pub(crate) fn without_small_classes(
    guard: &Guard,
    grant: &Grant,
    manifest: &SnapshotManifest,
    mut exclusion: Exclusion,
) -> Result<Exclusion, GuardError> {
    if grant.tier == Tier::Pseudonymized {
        return Ok(exclusion);
    }
    let place = (manifest.id.to_string(), exclusion.exclusion.clone(), grant.thresholds.persons);
    let known = guard.small_classes.lock().unwrap_or_else(PoisonError::into_inner).get(&place).cloned();
    let small = match known {
        Some(small) => small,
        None => {
            let small = small_classes(guard, grant, manifest, &exclusion)?;
            guard.small_classes.lock().unwrap_or_else(PoisonError::into_inner).insert(place, small.clone());
            small
        }
    };
    let all: BTreeSet<u32> = exclusion.persons.iter().copied().chain(small).collect();
    exclusion.persons = all.into_iter().collect();
    Ok(exclusion)
}

/// The declared quasi-identifiers of a person: exact values, and those with codes.
fn declared(table: &Table) -> Vec<&str> {
    let is_declared = |class: Class, domain: &Option<Domain>| {
        class == Class::Exact || class == Class::Quasi && matches!(domain, Some(Domain::Codes(_)))
    };
    let columns = table.columns.iter().filter(|column| is_declared(column.class, &column.domain));
    columns.map(|column| column.name.as_str()).collect()
}

fn small_classes(
    guard: &Guard,
    grant: &Grant,
    manifest: &SnapshotManifest,
    exclusion: &Exclusion,
) -> Result<Vec<u32>, GuardError> {
    let table = guard.catalogue.tables.get(PERSONS).ok_or(GuardError::Bug("there is a person table"))?;
    let columns = declared(table).join(", ");
    // The classes are those of everybody, whatever columns and months the permit covers.
    let all = table.columns.iter().map(|column| column.name.clone()).collect();
    let grant = Grant { tables: BTreeMap::from([(PERSONS.to_owned(), all)]), ..grant.clone() };
    let sql = format!("SELECT {columns}, count(DISTINCT person_id) AS n FROM {PERSONS} GROUP BY {columns}");
    let plan = vet(&sql, Scope { catalogue: &guard.catalogue, grant: &grant })
        .map_err(|_| GuardError::Bug("the declared quasi-identifiers can be grouped"))?;
    let evidence = evidence(guard, &grant, manifest, exclusion, &plan)?;
    let everybody = manifest.body.persons.saturating_sub(exclusion.persons.len() as u64);
    small_of(&evidence, grant.thresholds.persons, everybody).ok_or(GuardError::SmallClasses)
}

/// The persons of every cell with fewer than `k`; nothing where the cells are not classes of `everybody`: each person in
/// one, and nobody left out.
fn small_of(evidence: &Evidence, k: u32, everybody: u64) -> Option<Vec<u32>> {
    let (mut small, mut all) = (Vec::new(), RoaringBitmap::new());
    for cell in &evidence.cells {
        let [part] = cell.parts.as_slice() else { return None };
        let persons = RoaringBitmap::deserialize_from(part.persons.as_slice()).ok()?;
        if !all.is_disjoint(&persons) {
            return None;
        }
        if persons.len() < u64::from(k) {
            small.extend(&persons);
        }
        all |= persons;
    }
    (all.len() >= everybody).then_some(small)
}

fn evidence(
    guard: &Guard,
    grant: &Grant,
    manifest: &SnapshotManifest,
    exclusion: &Exclusion,
    plan: &VettedPlan,
) -> Result<Evidence, GuardError> {
    let space = Space::default();
    let reach = Reach { grant, manifest, space: &space, now: 0, used: plan.used() };
    let (buckets, files) = reach.slices(guard, None)?;
    let request = WorkerRequest {
        sql: plan.sql().to_owned(),
        grant: grant.clone(),
        catalogue: reach.catalogue(guard),
        workspace: reach.workspace(),
        plan_hash: plan.hash().to_owned(),
        excluded: exclusion.persons.clone(),
        buckets,
        descriptors: u32::try_from(files.len()).map_err(|_| GuardError::Bug("files have numbers"))?,
        limits: ceiling::lowered(guard.limits, plan.shape(), manifest.body.persons),
        keep: None,
        public: false,
    };
    match guard.worker.run(request, files)? {
        WorkerReply::Evidence(evidence) => Ok(evidence),
        WorkerReply::Kept(_) | WorkerReply::Public(_) | WorkerReply::Failed(_) => {
            Err(GuardError::SmallClasses)
        }
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Catalogue;
    use engine_protocol::{Evidence, EvidenceCell, EvidencePart};
    use roaring::RoaringBitmap;

    use super::{declared, small_of};

    #[test]
    fn sex_and_birth_are_the_declared_quasi_identifiers() {
        let catalogue = Catalogue::builtin().unwrap();
        assert_eq!(declared(&catalogue.tables["person"]), ["sex", "birth_date"]);
    }

    #[test]
    fn who_shares_a_class_with_fewer_than_k_is_left_out() {
        let cell = |key: u32, persons: &[u32]| {
            let mut bytes = Vec::new();
            RoaringBitmap::from_iter(persons).serialize_into(&mut bytes).unwrap();
            let part = EvidencePart { rows: 1, persons: bytes, ..EvidencePart::default() };
            EvidenceCell { key: vec![key], parts: vec![part], ..EvidenceCell::default() }
        };
        let evidence = Evidence { cells: vec![cell(0, &[1, 2, 3]), cell(1, &[4, 5]), cell(2, &[6])] };
        assert_eq!(small_of(&evidence, 3, 6).unwrap(), [4, 5, 6]);
        assert_eq!(small_of(&evidence, 1, 6).unwrap(), [0_u32; 0]);
        assert_eq!(small_of(&evidence, 3, 7), None, "somebody is in no class");
        let twice = Evidence { cells: vec![cell(0, &[1, 2, 3]), cell(1, &[3, 4])] };
        assert_eq!(small_of(&twice, 3, 4), None, "somebody is in two");
    }
}
