//! A small runtime, so that the callers of this crate can stay plain functions.

use std::sync::LazyLock;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

// A thread that looked a name up ends at once: a program that locks itself in must be alone by then.
static RUNTIME: LazyLock<Option<Runtime>> = LazyLock::new(|| {
    Builder::new_current_thread().enable_all().thread_keep_alive(Duration::from_millis(1)).build().ok()
});

/// Waits for `work` on the crate's runtime; nothing where the operating system gives no runtime.
pub(crate) fn wait<T>(work: impl Future<Output = T>) -> Option<T> {
    RUNTIME.as_ref().map(|runtime| runtime.block_on(work))
}
