//! Reports over the guard's socket: the figures of a period, the same as a PDF that the record vouches for, and the
//! quality report that was kept last.

use serde::{Deserialize, Serialize};

/// Somebody of the house wishes to read a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAsk {
    /// The user.
    pub user: String,
    /// Which report.
    pub what: ReportWhat,
}

/// Which report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "report")]
pub enum ReportWhat {
    /// The figures of a period, the checklist among them. Answered by [`ReportReply::Figures`].
    Period {
        /// The first day, as `2026-11-01`; the first of this month where it is left out.
        from: Option<String>,
        /// The last day; today where it is left out.
        to: Option<String>,
    },
    /// The same as a PDF, sealed by a checkpoint. Answered by [`ReportReply::Pdf`].
    PeriodPdf {
        /// The first day.
        from: Option<String>,
        /// The last day.
        to: Option<String>,
        /// `ja` or `en`.
        language: String,
    },
    /// The quality report that was kept last. Answered by [`ReportReply::Figures`], or [`ReportReply::Nothing`].
    Quality,
}

/// The guard's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "reported")]
pub enum ReportReply {
    /// The user has none of the roles.
    NotAllowed,
    /// The days are none, or the last is before the first.
    NoPeriod,
    /// No such report was kept.
    Nothing,
    /// The report's figures, as JSON.
    Figures {
        /// The figures.
        figures: String,
    },
    /// The report as a PDF.
    Pdf {
        /// The file, in base64.
        base64: String,
    },
}
