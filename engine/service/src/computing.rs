//! What workers compute for a vetted question: the evidence of its cells, and the figures of public tables beside it.
//!
//! Nothing protects a public figure. So its worker is another one, which gets no file about persons and no list of who
//! opted out: whatever it says can tell of nobody.

use std::path::PathBuf;
use std::time::Instant;

use audit::Outcome;
use classified::Protected;
use engine_disclosure::PublicFigures;
use engine_protocol::{Evidence, Limits, WorkerReply, WorkerRequest};

use crate::guard::Guard;
use crate::query::{Vetted, stopped};
use crate::reach::Reach;
use crate::running::{Run, Watch};
use crate::shape::public_figures;
use crate::worker::{WorkerError, left};
use crate::{ceiling, turn};

/// What a question's table is made of.
pub(crate) struct Computed {
    pub(crate) evidence: Protected<Evidence>,
    pub(crate) public: PublicFigures,
}

/// Runs the vetted plan in its turn; otherwise the outcome that is recorded.
pub(crate) fn compute(
    guard: &Guard,
    vetted: &Vetted,
    query: &str,
    running: &Run<'_>,
) -> Result<Computed, Box<Outcome>> {
    let reach = Reach {
        grant: vetted.permit.grant(),
        manifest: &vetted.manifest,
        space: &vetted.space,
        now: guard.now().unix_timestamp(),
        used: vetted.plan.used(),
    };
    let look = || stopped(guard, vetted);
    let watch = running.watch(&look);
    let tables = vetted.plan.lineage().iter().map(String::as_str).collect();
    let place = turn::wait(guard, &watch, &tables, (&vetted.manifest.body, reach.grant));
    let Some((_place, limits)) = place else { return Err(Box::new(watch.outcome())) };
    let (buckets, files) = reach.slices(guard, Some(query)).map_err(|_| failed("dataset-key"))?;
    let mut request = WorkerRequest {
        sql: vetted.plan.sql().to_owned(),
        grant: vetted.permit.grant().clone(),
        catalogue: reach.catalogue(guard),
        workspace: reach.workspace(),
        plan_hash: vetted.plan.hash().to_owned(),
        excluded: vetted.exclusion.persons.clone(),
        buckets,
        descriptors: u32::try_from(files.len()).map_err(|_| failed("worker-data"))?,
        limits: ceiling::lowered(limits, vetted.plan.shape(), vetted.manifest.body.persons),
        keep: None,
        public: false,
    };
    let public = public(guard, vetted, (reach, limits), (&mut request, &watch))?;
    match work(guard, (request, files), &watch)? {
        WorkerReply::Evidence(evidence) => Ok(Computed { evidence: Protected::new(evidence), public }),
        WorkerReply::Kept(_) | WorkerReply::Public(_) | WorkerReply::Failed(_) => {
            Err(failed("worker-evidence"))
        }
    }
}

/// The figures of the public tables that stand beside the question, if any do. The time that they take is taken from
/// the question's.
fn public(
    guard: &Guard,
    vetted: &Vetted,
    (reach, limits): (Reach<'_>, Limits),
    (beside, watch): (&mut WorkerRequest, &Watch<'_>),
) -> Result<PublicFigures, Box<Outcome>> {
    if vetted.plan.public().is_none() {
        return Ok(PublicFigures::default());
    }
    let (buckets, files) = reach.public_slices(guard).map_err(|_| failed("dataset-key"))?;
    let request = WorkerRequest {
        sql: beside.sql.clone(),
        grant: beside.grant.clone(),
        catalogue: beside.catalogue.clone(),
        workspace: beside.workspace.clone(),
        plan_hash: beside.plan_hash.clone(),
        excluded: Vec::new(),
        buckets,
        descriptors: u32::try_from(files.len()).map_err(|_| failed("worker-data"))?,
        limits,
        keep: None,
        public: true,
    };
    let begun = Instant::now();
    let reply = work(guard, (request, files), watch)?;
    beside.limits.seconds = left(beside.limits.seconds, begun.elapsed());
    let found = match reply {
        WorkerReply::Public(rows) => public_figures(&vetted.plan, rows),
        WorkerReply::Evidence(_) | WorkerReply::Kept(_) | WorkerReply::Failed(_) => None,
    };
    found.ok_or_else(|| failed("worker-evidence"))
}

/// One worker's reply.
fn work(
    guard: &Guard,
    (request, files): (WorkerRequest, Vec<PathBuf>),
    watch: &Watch<'_>,
) -> Result<WorkerReply, Box<Outcome>> {
    match guard.worker.run_unless(request, files, &|| watch.reason().is_some()) {
        Ok(WorkerReply::Failed(fault)) => Err(failed(fault.as_str())),
        Ok(reply) => Ok(reply),
        Err(WorkerError::Stopped) => Err(Box::new(watch.outcome())),
        Err(error) => Err(failed(error.as_str())),
    }
}

fn failed(fault: &str) -> Box<Outcome> {
    Box::new(Outcome::Failed { fault: fault.to_owned() })
}
