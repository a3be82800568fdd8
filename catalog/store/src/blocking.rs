//! A small runtime, so that the callers of this crate can stay plain functions.

use std::sync::LazyLock;

use tokio::runtime::{Builder, Runtime};

static RUNTIME: LazyLock<Option<Runtime>> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().build().ok());

/// Waits for `work` on the crate's runtime; nothing where the operating system gives no runtime.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> Option<T> {
    RUNTIME.as_ref().map(|runtime| runtime.block_on(work))
}
