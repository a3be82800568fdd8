//! Times in the log: RFC 3339 in UTC with milliseconds, always 24 characters.

use time::{Date, Month, OffsetDateTime, Time, UtcOffset};

/// Where a log takes its time from. Programs pass the real clock, tests a fixed one.
///
/// Any closure that gives a time is a clock: `Log::open(folder, OffsetDateTime::now_utc)`.
pub trait Clock: Send + Sync {
    /// The time now.
    fn now(&self) -> OffsetDateTime;
}

impl<F: Fn() -> OffsetDateTime + Send + Sync> Clock for F {
    fn now(&self) -> OffsetDateTime {
        self()
    }
}

/// The time in UTC, cut to milliseconds; nothing where the year is outside 0–9999.
pub(crate) fn canonical(at: OffsetDateTime) -> Option<OffsetDateTime> {
    let at = at.checked_to_offset(UtcOffset::UTC)?;
    let at = at.replace_millisecond(at.millisecond()).ok()?;
    (0..=9999).contains(&at.year()).then_some(at)
}

/// Writes a canonical time.
pub(crate) fn write(out: &mut String, at: OffsetDateTime) {
    let (year, month, day) = at.to_calendar_date();
    let (hour, minute, second, milli) = at.to_hms_milli();
    // A canonical year is not before 0.
    let year = year.unsigned_abs();
    let parts = [
        (4, year, '-'),
        (2, u8::from(month).into(), '-'),
        (2, day.into(), 'T'),
        (2, hour.into(), ':'),
        (2, minute.into(), ':'),
        (2, second.into(), '.'),
        (3, milli.into(), 'Z'),
    ];
    for (digits, number, behind) in parts {
        for place in (0..digits).rev() {
            out.push(char::from_digit(number / 10_u32.pow(place) % 10, 10).unwrap_or('0'));
        }
        out.push(behind);
    }
}

/// Reads a canonical time, in exactly the form that [`write`] gives.
pub(crate) fn parse(text: &str) -> Option<OffsetDateTime> {
    let bytes: &[u8; 24] = text.as_bytes().try_into().ok()?;
    let &[y0, y1, y2, y3, b'-', m0, m1, b'-', d0, d1, b'T', ref clock @ ..] = bytes else { return None };
    let &[h0, h1, b':', n0, n1, b':', s0, s1, b'.', f0, f1, f2, b'Z'] = clock else { return None };
    let month = Month::try_from(u8::try_from(number(&[m0, m1])?).ok()?).ok()?;
    let small = |digits: &[u8]| u8::try_from(number(digits)?).ok();
    let date = Date::from_calendar_date(i32::from(number(&[y0, y1, y2, y3])?), month, small(&[d0, d1])?);
    let time =
        Time::from_hms_milli(small(&[h0, h1])?, small(&[n0, n1])?, small(&[s0, s1])?, number(&[f0, f1, f2])?);
    Some(OffsetDateTime::new_utc(date.ok()?, time.ok()?))
}

fn number(digits: &[u8]) -> Option<u16> {
    digits.iter().try_fold(0_u16, |sum, digit| {
        digit.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u16::from(digit - b'0')))?
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{canonical, parse, write};

    fn text(at: time::OffsetDateTime) -> String {
        let mut out = String::new();
        write(&mut out, canonical(at).unwrap());
        out
    }

    #[test]
    fn a_time_is_written_in_utc_and_read_back() {
        let tokyo = datetime!(2026-11-21 08:30:01.234_567 +09:00);
        assert_eq!(text(tokyo), "2026-11-20T23:30:01.234Z");
        assert_eq!(parse("2026-11-20T23:30:01.234Z"), canonical(tokyo));
    }

    #[test]
    fn other_spellings_and_days_that_do_not_exist_are_refused() {
        for wrong in [
            "2026-11-20T23:30:01Z",
            "2026-11-20 23:30:01.234Z",
            "2026-02-29T00:00:00.000Z",
            "2026-11-20T24:00:00.000Z",
            "2026-11-20T23:30:60.000Z",
            "+026-11-20T23:30:01.234Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
