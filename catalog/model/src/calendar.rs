//! Days and months as numbers, in the proleptic Gregorian calendar.
//!
//! Years are limited to 1800–2299: the oldest person in a receipt was born in Meiji, and an end date of 9999 is a
//! convention that a layout must name, not a day.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

const FIRST_YEAR: i32 = 1800;
const LAST_YEAR: i32 = 2299;

/// A day, as the number of days since 1970-01-01.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

impl Date {
    /// Builds a day of the calendar, or nothing where it does not exist.
    pub const fn from_ymd(year: i32, month: u32, day: u32) -> Option<Self> {
        if year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 {
            return None;
        }
        if day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Some(Self(days_from_civil(year, month, day)))
    }

    /// Reads a day of the form `2024-06-01`.
    pub fn parse(text: &str) -> Option<Self> {
        let (year, rest) = text.split_once('-')?;
        let (month, day) = rest.split_once('-')?;
        if (year.len(), month.len(), day.len()) != (4, 2, 2) {
            return None;
        }
        Self::from_ymd(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
    }

    /// Takes a number of days since 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01, as Arrow's `Date32` has them.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// Year, month 1–12 and day 1–31.
    pub const fn ymd(self) -> (i32, u32, u32) {
        civil_from_days(self.0)
    }

    /// The month that the day lies in.
    pub const fn month(self) -> Month {
        let (year, month, _) = self.ymd();
        Month(year * 12 + (month as i32) - 1)
    }

    /// Completed years from `self` to `on`; negative before birth.
    pub const fn years_until(self, on: Self) -> i32 {
        let (by, bm, bd) = self.ymd();
        let (y, m, d) = on.ymd();
        let before_birthday = m < bm || (m == bm && d < bd);
        y - by - (before_birthday as i32)
    }

    /// The day `days` later.
    pub const fn plus_days(self, days: i32) -> Self {
        Self(self.0 + days)
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.ymd();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(i32);

impl Month {
    /// Builds a month, or nothing where it does not exist.
    pub const fn new(year: i32, month: u32) -> Option<Self> {
        if year < FIRST_YEAR || year > LAST_YEAR || month < 1 || month > 12 {
            return None;
        }
        Some(Self(year * 12 + month as i32 - 1))
    }

    /// The number of months since year 0.
    pub const fn index(self) -> i32 {
        self.0
    }

    /// Takes a number of months since year 0.
    pub const fn from_index(index: i32) -> Self {
        Self(index)
    }

    /// The year.
    pub const fn year(self) -> i32 {
        self.0.div_euclid(12)
    }

    /// The month of the year, 1–12.
    pub const fn month(self) -> u32 {
        self.0.rem_euclid(12) as u32 + 1
    }

    /// The fiscal year (年度, April to March).
    pub const fn fiscal_year(self) -> i32 {
        if self.month() >= 4 { self.year() } else { self.year() - 1 }
    }

    /// The first day of the month.
    pub const fn first_day(self) -> Date {
        Date(days_from_civil(self.year(), self.month(), 1))
    }

    /// The last day of the month.
    pub const fn last_day(self) -> Date {
        Date(days_from_civil(self.year(), self.month(), 1) + self.days() as i32 - 1)
    }

    /// The number of days in the month.
    pub const fn days(self) -> u32 {
        days_in_month(self.year(), self.month())
    }

    /// The month `months` later.
    pub const fn plus(self, months: i32) -> Self {
        Self(self.0 + months)
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year(), self.month())
    }
}

/// The text is not a month of the form `2023-04`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a month of the form 2023-04")]
pub struct NotAMonth;

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        if year.len() != 4 || month.len() != 2 {
            return Err(NotAMonth);
        }
        let year = year.parse().map_err(|_| NotAMonth)?;
        let month = month.parse().map_err(|_| NotAMonth)?;
        Self::new(year, month).ok_or(NotAMonth)
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An inclusive range of months.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// The first month.
    pub from: Month,
    /// The last month.
    pub to: Month,
}

impl Period {
    /// Every month of the period, in order.
    pub fn months(self) -> impl Iterator<Item = Month> {
        (self.from.index()..=self.to.index()).map(Month::from_index)
    }

    /// Says whether every month of it is one of the other's.
    pub const fn is_within(self, other: Self) -> bool {
        other.from.0 <= self.from.0 && self.to.0 <= other.to.0
    }

    /// Says whether the two periods share a month.
    pub const fn overlaps(self, other: Self) -> bool {
        self.from.0 <= other.to.0 && other.from.0 <= self.to.0
    }
}

const fn is_leap(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => {
            if is_leap(year) {
                29
            } else {
                28
            }
        }
        _ => 31,
    }
}

// Counts in eras of 400 years that begin in March, so that the leap day is the last of its year.
const fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted = (month as i32 + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

const fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as i32;
    (year, month as u32, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Date, Month};

    #[test]
    fn days_that_do_not_exist_are_refused() {
        for (year, month, day) in
            [(2023, 2, 29), (2100, 2, 29), (2024, 13, 1), (2024, 4, 31), (1799, 1, 1), (2024, 1, 0)]
        {
            assert_eq!(Date::from_ymd(year, month, day), None, "{year}-{month}-{day}");
        }
        assert_eq!(Date::from_ymd(1970, 1, 1), Some(Date::from_days(0)));
        assert_eq!(Date::from_ymd(2000, 2, 29).map(Date::days), Some(11_016));
    }

    #[test]
    fn the_fiscal_year_begins_in_april() {
        let fiscal_year = |text: &str| text.parse::<Month>().map(Month::fiscal_year);
        assert_eq!(fiscal_year("2024-03"), Ok(2023));
        assert_eq!(fiscal_year("2024-04"), Ok(2024));
    }

    #[test]
    fn an_age_counts_completed_years() {
        let birth = Date::from_ymd(1948, 7, 26).unwrap();
        let on = |y, m, d| birth.years_until(Date::from_ymd(y, m, d).unwrap());
        assert_eq!((on(2023, 7, 25), on(2023, 7, 26), on(1948, 7, 26)), (74, 75, 0));
    }

    proptest! {
        #[test]
        fn every_day_survives_the_round_trip(days in -60_000_i32..120_000) {
            let (year, month, day) = Date::from_days(days).ymd();
            prop_assert_eq!(Date::from_ymd(year, month, day), Some(Date::from_days(days)));
        }

        #[test]
        fn the_next_day_is_one_more(days in -60_000_i32..120_000) {
            let (y0, m0, d0) = Date::from_days(days).ymd();
            let (y1, m1, d1) = Date::from_days(days + 1).ymd();
            prop_assert!((y1, m1, d1) > (y0, m0, d0));
            prop_assert!(d1 == d0 + 1 || d1 == 1);
        }
    }
}
