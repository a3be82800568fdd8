//! How many statements run at once, and how long one may take.

use serde::{Deserialize, Serialize};

/// How many statements run at once, which of them are short, and how long one may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TurnRules {
    /// Statements that run at once; zero for one on each processor.
    pub at_once: u32,
    /// A statement that reads at most so many rows is short, and overtakes long ones.
    pub short_rows: u64,
    /// Seconds after which a short one is given up.
    pub short_seconds: u32,
    /// Seconds after which a long one is given up.
    pub long_seconds: u32,
    /// Milliseconds between the moments at which answers go out, counted from the question; zero for none.
    pub step_ms: u32,
}

/// The longest time between the moments at which answers go out, in milliseconds.
const LONGEST_STEP: u32 = 1_000;

impl TurnRules {
    /// Where the configuration says nothing.
    pub(crate) const USUAL: Self =
        Self { at_once: 0, short_rows: 5_000_000, short_seconds: 30, long_seconds: 120, step_ms: 20 };

    pub(crate) fn is_usual(&self) -> bool {
        *self == Self::USUAL
    }

    /// Why the rules cannot be used, if they cannot.
    pub(crate) fn problem(&self) -> Option<&'static str> {
        if self.short_seconds == 0 || self.long_seconds == 0 {
            return Some("turns gives statements no time");
        }
        if self.step_ms > LONGEST_STEP {
            return Some("turns lets answers wait for more than a second");
        }
        (self.short_seconds > self.long_seconds)
            .then_some("turns gives short statements more time than long ones")
    }
}

impl Default for TurnRules {
    fn default() -> Self {
        Self::USUAL
    }
}

#[cfg(test)]
mod tests {
    use super::TurnRules;

    #[test]
    fn every_statement_has_time_and_a_short_one_no_more_than_a_long_one() {
        assert_eq!(TurnRules::default().problem(), None);
        for (short_seconds, long_seconds) in [(0, 10), (10, 0), (11, 10)] {
            let rules = TurnRules { short_seconds, long_seconds, ..TurnRules::default() };
            assert!(rules.problem().is_some(), "{short_seconds} {long_seconds}");
        }
    }
}
