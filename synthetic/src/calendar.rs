//! Days and months as official files write them: western, or in the Japanese calendar as before April 2020.

use catalog_model::{Date, Month};

/// How a facility writes dates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Calendar {
    /// `YYYYMMDD` and `YYYYMM`, since the specification of April 2020.
    #[default]
    Western,
    /// `GYYMMDD` and `GYYMM`, the era in front; a reader tells it by its length.
    Japanese,
}

// Era number, its first day and the western year before its first, from the youngest to Meiji.
const ERAS: [(i32, (i32, u32, u32), i32); 5] = [
    (5, (2019, 5, 1), 2018),
    (4, (1989, 1, 8), 1988),
    (3, (1926, 12, 25), 1925),
    (2, (1912, 7, 30), 1911),
    (1, (1868, 10, 23), 1867),
];

/// A day as a facility writes it.
pub(crate) fn day(date: Date, calendar: Calendar) -> String {
    let (year, month, day) = date.ymd();
    match calendar {
        Calendar::Western => format!("{year:04}{month:02}{day:02}"),
        Calendar::Japanese => {
            let (era, year) = era(date);
            format!("{era}{year:02}{month:02}{day:02}")
        }
    }
}

/// A month as a facility writes it; its last day decides on the era.
pub(crate) fn month(month: Month, calendar: Calendar) -> String {
    match calendar {
        Calendar::Western => format!("{:04}{:02}", month.year(), month.month()),
        Calendar::Japanese => {
            let (era, year) = era(month.last_day());
            format!("{era}{year:02}{:02}", month.month())
        }
    }
}

fn era(date: Date) -> (i32, i32) {
    let ymd = date.ymd();
    let era = ERAS.iter().find(|(_, first, _)| ymd >= *first);
    era.map_or((1, ymd.0 - 1867), |(era, _, before)| (*era, ymd.0 - before))
}

/// Says whether a day is a Sunday.
pub(crate) fn is_sunday(date: Date) -> bool {
    // 1970-01-01 was a Thursday.
    (date.days() + 4).rem_euclid(7) == 0
}

/// Says whether a day is neither a Saturday nor a Sunday.
pub(crate) fn is_weekday(date: Date) -> bool {
    !matches!((date.days() + 4).rem_euclid(7), 0 | 6)
}

#[cfg(test)]
mod tests {
    use catalog_model::{Date, Month};

    use super::{Calendar, day, is_sunday, is_weekday, month};

    #[test]
    fn the_era_changes_on_its_day() {
        for (ymd, text) in [
            ((2019, 5, 1), "5010501"),
            ((2019, 4, 30), "4310430"),
            ((1989, 1, 7), "3640107"),
            ((1926, 12, 24), "2151224"),
            ((1912, 7, 29), "1450729"),
        ] {
            let date = Date::from_ymd(ymd.0, ymd.1, ymd.2).unwrap();
            assert_eq!(day(date, Calendar::Japanese), text);
        }
    }

    #[test]
    fn the_length_tells_the_calendar() {
        let april = Month::new(2023, 4).unwrap();
        assert_eq!(month(april, Calendar::Western), "202304");
        assert_eq!(month(april, Calendar::Japanese), "50504");
        assert_eq!(day(april.first_day(), Calendar::Western), "20230401");
    }

    #[test]
    fn the_second_of_april_2023_was_a_sunday() {
        let first = Month::new(2023, 4).unwrap().first_day();
        assert_eq!([is_sunday(first), is_sunday(first.plus_days(1))], [false, true]);
        assert_eq!([is_weekday(first), is_weekday(first.plus_days(2))], [false, true]);
    }
}
