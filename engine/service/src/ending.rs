//! A guard that is asked to end (SIGTERM, SIGINT) ends in good order: nobody new is let in, what runs has a while to
//! finish, then it is stopped as any question is; what was begun is closed in the record, and a checkpoint is signed.
//!
//! Further signals change nothing: a terminal's interrupt reaches every program of its group, and whoever started this
//! one may ask it as well. Who cannot wait kills it; what ran then stands open in the record.

use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::guard::Guard;

/// How long what runs may go on; systemd kills after ninety seconds.
const FINISH: Duration = Duration::from_secs(20);
/// How long what was stopped then may take until it is recorded and told.
const STOP: Duration = Duration::from_secs(10);

/// How many calls are being answered.
#[derive(Debug, Default)]
pub(crate) struct Answering {
    calls: Mutex<usize>,
    fewer: Condvar,
}

/// One call, until this value goes.
#[derive(Debug)]
pub(crate) struct OneCall(Arc<Answering>);

impl Answering {
    /// Counts a call.
    pub(crate) fn one(self: &Arc<Self>) -> OneCall {
        *self.calls() += 1;
        OneCall(Arc::clone(self))
    }

    /// Waits until none is being answered; says whether that came about in time.
    fn rests(&self, within: Duration) -> bool {
        let end = Instant::now() + within;
        let mut calls = self.calls();
        while *calls > 0 {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            calls = self.fewer.wait_timeout(calls, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    // A panic while the lock is held leaves the count whole: every change is one step.
    fn calls(&self) -> MutexGuard<'_, usize> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OneCall {
    fn drop(&mut self) {
        *self.0.calls() -= 1;
        self.0.fewer.notify_all();
    }
}

/// Listens for signals from now on. At the first one the guard takes nothing new; whoever waits for a connection at
/// `socket` gets one, and sees it.
pub(crate) fn on_signal(guard: &Arc<Guard>, socket: &Path) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let (guard, socket) = (Arc::clone(guard), socket.to_owned());
    std::thread::spawn(move || {
        for _ in signals.forever() {
            guard.running.close();
            guard.analyses.leave();
            let _ = UnixStream::connect(&socket);
        }
    });
    Ok(())
}

/// Lets what runs end, and the record with it.
pub(crate) fn finish(guard: &Guard, answering: &Answering, socket: &Path) {
    // Where a guard stands in the place of this one already, the socket is that one's: it removed ours first.
    let _ = std::fs::remove_file(socket);
    if !answering.rests(FINISH) {
        guard.running.stop_all();
        answering.rests(STOP);
    }
    // A checkpoint that cannot be signed keeps nobody: verifying the record says what is wrong.
    let _ = guard.checkpoint_at_the_end();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::Answering;

    #[test]
    fn it_rests_when_the_last_call_is_answered() {
        let answering = Arc::new(Answering::default());
        assert!(answering.rests(Duration::ZERO));
        let (one, other) = (answering.one(), answering.one());
        drop(one);
        assert!(!answering.rests(Duration::from_millis(5)));
        let waits = Arc::clone(&answering);
        let rests = std::thread::spawn(move || waits.rests(Duration::from_secs(60)));
        drop(other);
        assert!(rests.join().unwrap());
    }
}
