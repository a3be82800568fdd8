//! How often one address tries to sign in. The guard counts by name; this keeps one address from trying many names.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The window in which attempts are counted.
const WINDOW: Duration = Duration::from_secs(60);
/// Attempts of one address in a window.
const MOST: u32 = 20;
/// Addresses that are remembered; where more come at once, all wait for the window's end.
const ADDRESSES: usize = 10_000;

/// The address that a request came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// Attempts by address.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<HashMap<IpAddr, (Duration, u32)>>);

impl Attempts {
    /// Counts an attempt; says whether it may be made.
    pub(crate) fn count(&self, from: IpAddr, now: Duration) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= ADDRESSES {
            all.retain(|_, (since, _)| now.saturating_sub(*since) < WINDOW);
            if all.len() >= ADDRESSES {
                return false;
            }
        }
        let (since, attempts) = all.entry(from).or_insert((now, 0));
        if now.saturating_sub(*since) >= WINDOW {
            (*since, *attempts) = (now, 0);
        }
        *attempts = attempts.saturating_add(1);
        *attempts <= MOST
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use super::{Attempts, MOST};

    #[test]
    fn one_address_tries_so_often_a_minute() {
        let attempts = Attempts::default();
        let (one, two) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let now = Duration::from_secs(1_000);
        assert!((0..MOST).all(|_| attempts.count(one, now)));
        assert!(!attempts.count(one, now + Duration::from_secs(59)));
        assert!(attempts.count(two, now), "another address");
        assert!(attempts.count(one, now + Duration::from_secs(60)));
    }
}
