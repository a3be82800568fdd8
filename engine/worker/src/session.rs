//! A DataFusion session with nothing in it but what a vetted plan needs.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::prelude::SessionConfig;

/// The memory and disk that all buckets of a query share. Nothing is spilled: a query that needs more memory than it
/// is given ends.
pub(crate) fn runtime(memory: u64) -> Result<Arc<RuntimeEnv>> {
    let pool = FairSpillPool::new(usize::try_from(memory).unwrap_or(usize::MAX));
    let pool = TrackConsumersPool::new(pool, NonZeroUsize::MIN);
    let disk = DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled);
    RuntimeEnvBuilder::new().with_memory_pool(Arc::new(pool)).with_disk_manager_builder(disk).build_arc()
}

/// The session of one bucket: one partition, our functions, few aggregates and windows, an empty catalogue.
pub(crate) fn bucket(runtime: &Arc<RuntimeEnv>) -> SessionState {
    let mut config = SessionConfig::new()
        .with_target_partitions(1)
        .with_information_schema(false)
        .with_create_default_catalog_and_schema(false);
    // No partitioning is declared, so that the optimizer cannot rely on a wrong one.
    config.options_mut().optimizer.enable_round_robin_repartition = false;
    SessionStateBuilder::new()
        .with_config(config)
        .with_runtime_env(Arc::clone(runtime))
        .with_scalar_functions(engine_vet::registered())
        .with_aggregate_functions(engine_vet::aggregates())
        .with_window_functions(engine_vet::windows())
        .build()
}
