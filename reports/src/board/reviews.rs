//! How long outputs wait for their reviewers, in the report on a period.

use serde::{Deserialize, Serialize};

use super::document::{Part, figure, noted};
use crate::Language;
use crate::number::count;

/// What waits now, and how long what was decided in the period had waited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reviews {
    /// Days within which an output should be decided.
    pub target_days: u64,
    /// Outputs that wait now.
    pub waiting: u64,
    /// Whole days that the oldest of them has waited.
    pub oldest_days: Option<u64>,
    /// Those that have waited longer than they should.
    pub late: u64,
    /// Outputs that were decided in the period.
    pub decided: u64,
    /// The median of whole days that they had waited.
    pub median_days: Option<u64>,
    /// Those that had waited longer than they should.
    pub decided_late: u64,
}

impl Reviews {
    /// As parts of a section.
    pub(super) fn parts(&self, language: Language) -> Vec<Part> {
        let w = |ja, en| language.pick(ja, en);
        let days = |days: Option<u64>| match (days, language) {
            (None, _) => "–".to_owned(),
            (Some(days), Language::Japanese) => format!("{} 日", count(days)),
            (Some(1), Language::English) => "1 day".to_owned(),
            (Some(days), Language::English) => format!("{} days", count(days)),
        };
        let oldest = format!("{} {}", w("最長", "the oldest:"), days(self.oldest_days));
        let target = format!("{} {}", w("目標", "target:"), days(Some(self.target_days)));
        vec![Part::Figures(vec![
            noted(w("審査待ち", "Waiting"), count(self.waiting), oldest),
            noted(w("目標日数を超えた待ち", "Waiting too long"), count(self.late), target),
            figure(w("期間内の決定", "Decided in the period"), count(self.decided)),
            figure(w("決定までの中央値", "Median until decided"), days(self.median_days)),
            figure(w("目標日数を超えた決定", "Decided late"), count(self.decided_late)),
        ])]
    }
}
