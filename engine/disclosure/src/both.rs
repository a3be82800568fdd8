//! Two things done at the same time.

use std::thread;

/// What both give. The first is done on a thread of its own; where there is none to be had it is done after the second.
pub(crate) fn both<O: Send, T>(own: impl Fn() -> O + Sync, here: impl FnOnce() -> T) -> (O, T) {
    let (done, given) = thread::scope(|scope| {
        let running = thread::Builder::new().spawn_scoped(scope, &own);
        let given = here();
        (running.ok().and_then(|running| running.join().ok()), given)
    });
    (done.unwrap_or_else(own), given)
}
