//! What keying took of a step's time: keyed hashes must never be what a step waits for.

use std::time::Duration;

/// The time of a step, and the part of it that went into keys; added up over its threads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// What keys took, estimated where there are too many to look at the clock for each.
    pub keying: Duration,
    /// All of it.
    pub all: Duration,
}

impl Spent {
    /// The share of keys in whole percent, at most all of it.
    pub fn percent(&self) -> u64 {
        let percent = (self.keying.as_nanos() * 100).checked_div(self.all.as_nanos()).unwrap_or(0);
        u64::try_from(percent).unwrap_or(100).min(100)
    }

    /// Adds another step's time.
    pub fn add(&mut self, other: Self) {
        self.keying += other.keying;
        self.all += other.all;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Spent;

    #[test]
    fn a_share_is_told_in_whole_percent() {
        let of = |keying, all| {
            let (keying, all) = (Duration::from_micros(keying), Duration::from_micros(all));
            Spent { keying, all }.percent()
        };
        assert_eq!([of(0, 0), of(1, 3), of(7, 7), of(9, 8)], [0, 33, 100, 100]);
        let mut sum = Spent::default();
        sum.add(Spent { keying: Duration::from_secs(1), all: Duration::from_secs(2) });
        sum.add(Spent { keying: Duration::ZERO, all: Duration::from_secs(2) });
        assert_eq!(sum.percent(), 25);
    }
}
