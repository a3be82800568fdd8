//! How often one caller may call: a bucket of tokens for each, filled again with time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Callers that are remembered; beyond, those whose buckets are full are forgotten.
const REMEMBERED: usize = 1024;
/// A call in the bucket's own unit, so that whole numbers suffice.
const CALL: u128 = 1_000_000_000;

/// How often one caller may call.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Calls at once.
    pub burst: u32,
    /// Calls that come back in a second.
    pub per_second: u32,
}

/// The buckets of all callers.
#[derive(Debug)]
pub(crate) struct Rates {
    rate: Rate,
    buckets: Mutex<HashMap<String, Bucket>>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    left: u128,
    at: Duration,
}

impl Rates {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, buckets: Mutex::new(HashMap::new()) }
    }

    /// Counts a call; where it is one too many, says after how many seconds to come back.
    pub(crate) fn call(&self, caller: &str, now: Duration) -> Result<(), u64> {
        let full = u128::from(self.rate.burst) * CALL;
        let filled = |bucket: &Bucket| {
            let since = now.saturating_sub(bucket.at).as_nanos();
            bucket.left.saturating_add(since.saturating_mul(u128::from(self.rate.per_second))).min(full)
        };
        // A panic while the lock is held leaves the map whole: every change is one assignment.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= REMEMBERED && !buckets.contains_key(caller) {
            buckets.retain(|_, bucket| filled(bucket) < full);
        }
        let bucket = buckets.entry(caller.to_owned()).or_insert(Bucket { left: full, at: now });
        *bucket = Bucket { left: filled(bucket), at: now };
        match bucket.left.checked_sub(CALL) {
            Some(left) => {
                bucket.left = left;
                Ok(())
            }
            None => {
                let missing = CALL.saturating_sub(bucket.left);
                let seconds = missing.div_ceil(CALL * u128::from(self.rate.per_second.max(1)));
                Err(u64::try_from(seconds).unwrap_or(u64::MAX).max(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Rate, Rates};

    #[test]
    fn calls_come_back_with_time_and_each_caller_has_their_own() {
        let rates = Rates::new(Rate { burst: 2, per_second: 1 });
        let at = |milliseconds| Duration::from_millis(milliseconds);
        assert_eq!(rates.call("a", at(0)), Ok(()));
        assert_eq!(rates.call("a", at(0)), Ok(()));
        assert_eq!(rates.call("a", at(500)), Err(1));
        assert_eq!(rates.call("b", at(500)), Ok(()));
        assert_eq!(rates.call("a", at(1_000)), Ok(()));
        assert_eq!(rates.call("a", at(1_000)), Err(1));
        assert_eq!(rates.call("a", at(60_000)), Ok(()));
        assert_eq!(rates.call("a", at(60_000)), Ok(()));
        assert_eq!(rates.call("a", at(60_000)), Err(1), "a bucket holds no more than its burst");
    }
}
