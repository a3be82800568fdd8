//! A period of whole days in Japan, where the board sits.

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Date, OffsetDateTime, UtcOffset};

use super::ReportError;

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");
const MINUTE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day] [hour]:[minute]");
const SHORT: &[BorrowedFormatItem<'_>] = format_description!("[month]-[day]");
const MONTH: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]");
/// Days that stand side by side in a picture.
const DAYS: i64 = 45;

/// From the first to the last day, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    from: Date,
    to: Date,
}

impl Span {
    /// Reads two days as `2026-11-01`; where one is left out, it is the first of this month, or today.
    ///
    /// # Errors
    ///
    /// One is no day, or the last is before the first.
    pub fn parse(from: Option<&str>, to: Option<&str>, now: OffsetDateTime) -> Result<Self, ReportError> {
        let read = |text: &str| Date::parse(text, DAY).map_err(|_| ReportError::Day);
        let today = japan(now).date();
        let to = to.map_or(Ok(today), read)?;
        let from = from.map_or_else(|| to.replace_day(1).map_err(|_| ReportError::Day), read)?;
        if to < from { Err(ReportError::Day) } else { Ok(Self { from, to }) }
    }

    /// The first and the last day, written.
    pub fn words(&self) -> (String, String) {
        let word = |day: Date| day.format(DAY).unwrap_or_default();
        (word(self.from), word(self.to))
    }

    /// Whether a moment lies in it.
    pub(crate) fn holds(&self, at: OffsetDateTime) -> bool {
        let day = japan(at).date();
        self.from <= day && day <= self.to
    }

    /// The bar of a picture in which a moment counts: its day, or its month where the period is long.
    pub(crate) fn bar(&self, at: OffsetDateTime) -> String {
        let form = if (self.to - self.from).whole_days() <= DAYS { SHORT } else { MONTH };
        japan(at).format(form).unwrap_or_default()
    }
}

fn japan(at: OffsetDateTime) -> OffsetDateTime {
    UtcOffset::from_hms(9, 0, 0).map_or(at, |offset| at.to_offset(offset))
}

/// A moment as day and minute in Japan.
pub(crate) fn minute(at: OffsetDateTime) -> String {
    japan(at).format(MINUTE).unwrap_or_default()
}

/// A moment as day in Japan.
pub(crate) fn day(at: OffsetDateTime) -> String {
    japan(at).format(DAY).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::Span;

    #[test]
    fn days_are_those_of_japan() {
        let now = datetime!(2026-11-20 16:00 UTC);
        let span = Span::parse(None, None, now).unwrap();
        assert_eq!(span.words(), ("2026-11-01".to_owned(), "2026-11-21".to_owned()));
        assert!(span.holds(datetime!(2026-10-31 15:00 UTC)));
        assert!(!span.holds(datetime!(2026-10-31 14:59 UTC)));
        assert_eq!(span.bar(datetime!(2026-11-20 15:00 UTC)), "11-21");
        let year = Span::parse(Some("2026-01-01"), Some("2026-12-31"), now).unwrap();
        assert_eq!(year.bar(now), "2026-11");
        assert!(Span::parse(Some("2026-11-02"), Some("2026-11-01"), now).is_err());
        assert!(Span::parse(Some("11/2"), None, now).is_err());
    }
}
