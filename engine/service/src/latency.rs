//! How long it takes from a request to the first plan: with a worker that stands ready, and with one that is started.
//!
//! The request is one that a researcher might make, over no files: what is measured is what comes before reading, from
//! vetting in the guard over handing on to vetting and planning in the worker.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use catalog_model::{Catalogue, Excerpt, Grant, Month, Period, SnapshotId, Thresholds, Tier, Workspace};
use engine_protocol::{Limits, WorkerReply, WorkerRequest};
use engine_vet::{FUNCTION_SYSTEMS, Scope, VettedPlan, vet};

use crate::guard::{Guard, GuardError};
use crate::worker::WorkerProgram;

/// What is asked: three tables joined by person, two keys, a sum.
const SQL: &str = "SELECT p.sex, r.prefecture, count(DISTINCT p.person_id) AS persons, sum(r.total_points) AS points \
    FROM person p JOIN ndb_receipt r ON r.person_id = p.person_id \
    JOIN ndb_diagnosis d ON d.person_id = p.person_id WHERE d.icd10 LIKE 'E11%' GROUP BY p.sex, r.prefecture";

/// Times of many requests, of one way to have a worker.
#[derive(Clone, Debug)]
pub struct Latency {
    /// The way.
    pub way: &'static str,
    /// The times, in order of their length.
    pub times: Vec<Duration>,
}

/// Something that is done once for each request.
type Step<'s> = dyn Fn() -> Result<(), GuardError> + 's;

impl Latency {
    fn measured(
        way: &'static str,
        count: usize,
        (before, once): (&Step<'_>, &Step<'_>),
    ) -> Result<Self, GuardError> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            before()?;
            let begun = Instant::now();
            once()?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(Self { way, times })
    }

    /// The time that so many of a hundred requests do not exceed.
    pub fn percentile(&self, percent: usize) -> Duration {
        let at = (self.times.len() * percent).div_ceil(100).saturating_sub(1);
        self.times.get(at).copied().unwrap_or_default()
    }

    /// How many requests took at most each of these milliseconds, and longer than the one before.
    pub fn histogram(&self, bounds: &[u64]) -> Vec<usize> {
        let mut below = 0;
        let up_to = |bound: &u64| self.times.partition_point(|time| *time <= Duration::from_millis(*bound));
        let counts = bounds.iter().map(up_to).map(|known| {
            let count = known - below;
            below = known;
            count
        });
        counts.collect()
    }
}

/// Measures `count` requests: with workers that stand ready, the same with the whole catalogue instead of the excerpt,
/// and without workers that stand ready.
///
/// # Errors
///
/// No worker can be started, or one does not plan.
pub(crate) fn latency(
    guard: &Guard,
    program: &WorkerProgram,
    count: usize,
) -> Result<Vec<Latency>, GuardError> {
    let catalogue = guard.catalogue.as_ref();
    let grant = grant(catalogue)?;
    let ask = |worker: &WorkerProgram, is_whole: bool| {
        let plan = vet(SQL, Scope { catalogue, grant: &grant });
        let plan = plan.map_err(|_| GuardError::Bug("the measured question passes vetting"))?;
        let request = request(catalogue, &grant, &plan, (guard.limits, is_whole));
        match worker.run(request, Vec::new())? {
            WorkerReply::Evidence(_) => Ok(()),
            WorkerReply::Kept(_) | WorkerReply::Public(_) | WorkerReply::Failed(_) => {
                Err(GuardError::Bug("a worker plans the measured question"))
            }
        }
    };
    let pool = program.fresh();
    // Made before the clock starts, as between two questions; the next one is made while a question runs.
    let prepare = || Ok(pool.prepare(1, guard.limits)?);
    let ready = |way, is_whole| Latency::measured(way, count, (&prepare, &|| ask(&pool, is_whole)));
    let none = program.fresh();
    let started = || Latency::measured("started for it", count, (&|| Ok(()), &|| ask(&none, false)));
    Ok(vec![ready("stands ready", false)?, ready("whole catalogue", true)?, started()?])
}

/// Everything of every table, of no snapshot.
fn grant(catalogue: &Catalogue) -> Result<Grant, GuardError> {
    let columns =
        |table: &catalog_model::Table| table.columns.iter().map(|column| column.name.clone()).collect();
    let tables = catalogue.tables.values().map(|table| (table.table.clone(), columns(table)));
    let month = |year| Month::new(year, 4).ok_or(GuardError::Bug("April is a month"));
    Ok(Grant {
        project: "latency".to_owned(),
        snapshot: SnapshotId::from_digest(&[0; 32]),
        tier: Tier::Pseudonymized,
        period: Period { from: month(2023)?, to: month(2024)? },
        tables: tables.collect::<BTreeMap<_, _>>(),
        thresholds: Thresholds { persons: 10, zero_shown: true },
    })
}

fn request(
    catalogue: &Catalogue,
    grant: &Grant,
    plan: &VettedPlan,
    (limits, is_whole): (Limits, bool),
) -> WorkerRequest {
    let excerpt: Excerpt = if is_whole {
        let systems: Vec<&str> = catalogue.codes.keys().map(String::as_str).collect();
        catalogue.excerpt(catalogue.tables.keys().map(String::as_str), &systems)
    } else {
        catalogue.excerpt(plan.used().keys().map(String::as_str), &FUNCTION_SYSTEMS)
    };
    WorkerRequest {
        sql: plan.sql().to_owned(),
        grant: grant.clone(),
        catalogue: excerpt,
        workspace: Workspace::default(),
        plan_hash: plan.hash().to_owned(),
        excluded: Vec::new(),
        buckets: Vec::new(),
        descriptors: 0,
        limits,
        keep: None,
        public: false,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Latency;

    #[test]
    fn percentiles_and_bars_count_every_request() {
        let times = (1..=100).map(Duration::from_millis).collect();
        let latency = Latency { way: "ready", times };
        assert_eq!([50, 99, 100].map(|at| latency.percentile(at).as_millis()), [50, 99, 100]);
        assert_eq!(latency.histogram(&[10, 25, 50, 150]), [10, 15, 25, 50]);
        let none = Latency { way: "ready", times: Vec::new() };
        assert_eq!((none.percentile(50), none.histogram(&[1])), (Duration::ZERO, vec![0]));
    }
}
