//! Rows of one table month by month, beside what was usual, as the shapes of a small SVG picture.

use super::profile::TableMonth;
use crate::number::count;

/// Width of a picture.
pub(super) const WIDTH: f64 = 300.0;
/// Height of a picture.
pub(super) const HEIGHT: f64 = 110.0;
const LEFT: f64 = 12.0;
const RIGHT: f64 = 288.0;
const TOP: f64 = 26.0;
const BASE: f64 = 88.0;
/// What is usual reaches this share above and below, in thousandths.
const REACH: f64 = 0.2;

/// One table's picture.
#[derive(Clone, Debug)]
pub(super) struct Trend<'q> {
    pub(super) table: &'q str,
    /// The corners of the area of what is usual.
    pub(super) usual: String,
    /// The corners of the line of rows.
    pub(super) line: String,
    pub(super) marks: Vec<Mark>,
    pub(super) first: &'q str,
    pub(super) last: &'q str,
    /// The rows of the last month.
    pub(super) now: String,
    /// The figures in words, for those who do not see the picture.
    pub(super) words: String,
}

/// One month.
#[derive(Clone, Debug)]
pub(super) struct Mark {
    pub(super) x: String,
    pub(super) y: String,
    /// The corners of a diamond, for a month that lies outside of what is usual; none for the others.
    pub(super) diamond: Option<String>,
    pub(super) title: String,
}

/// The picture of one table's months, in order.
pub(super) fn trend<'q>(
    months: &[&'q TableMonth],
    is_remarked: impl Fn(&TableMonth) -> bool,
) -> Option<Trend<'q>> {
    let (first, last) = (months.first()?, months.last()?);
    let highest = months.iter().map(|month| month.rows.max(month.usual.unwrap_or(0))).max()?.max(1);
    // Counts of rows lie far below the 53 bits of a float's mantissa.
    let y = |rows: f64| BASE - (BASE - TOP) * rows / (highest as f64 * (1.0 + REACH));
    let step = (RIGHT - LEFT) / (months.len().saturating_sub(1).max(1) as f64);
    let x = |at: usize| LEFT + step * at as f64;
    let usual = months.iter().enumerate().filter_map(|(at, month)| Some((x(at), month.usual? as f64)));
    let above = usual.clone().map(|(x, rows)| point(x, y(rows * (1.0 + REACH))));
    let below = usual.clone().rev().map(|(x, rows)| point(x, y(rows * (1.0 - REACH))));
    let line = months.iter().enumerate().map(|(at, month)| point(x(at), y(month.rows as f64)));
    let marks = months.iter().enumerate().map(|(at, month)| {
        let (x, y) = (x(at), y(month.rows as f64));
        let corners = [(0.0, -5.0), (5.0, 0.0), (0.0, 5.0), (-5.0, 0.0)];
        let diamond = || corners.map(|(right, down)| point(x + right, y + down)).join(" ");
        Mark {
            x: format!("{x:.1}"),
            y: format!("{y:.1}"),
            diamond: is_remarked(month).then(diamond),
            title: in_words(month),
        }
    });
    Some(Trend {
        table: &first.table,
        usual: above.chain(below).collect::<Vec<_>>().join(" "),
        line: line.collect::<Vec<_>>().join(" "),
        marks: marks.collect(),
        first: &first.month,
        last: &last.month,
        now: count(last.rows),
        words: months.iter().map(|month| in_words(month)).collect::<Vec<_>>().join("; "),
    })
}

fn in_words(month: &TableMonth) -> String {
    let change = month.change.map_or_else(String::new, |change| format!(" ({})", signed(change)));
    format!("{} {}{change}", month.month, count(month.rows))
}

/// Thousandths with a sign, in per cent.
pub(super) fn signed(thousandths: i64) -> String {
    let sign = if thousandths < 0 { '−' } else { '+' };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{} %", size / 10, size % 10)
}

fn point(x: f64, y: f64) -> String {
    format!("{x:.1},{y:.1}")
}

#[cfg(test)]
mod tests {
    use super::{signed, trend};
    use crate::quality::profile::TableMonth;

    #[test]
    fn a_month_outside_of_the_usual_is_a_diamond_and_all_stays_in_the_picture() {
        let month = |month: &str, rows, usual: Option<u64>| TableMonth {
            table: "t".to_owned(),
            month: month.to_owned(),
            rows,
            usual,
            ..TableMonth::default()
        };
        let months = [month("2024-04", 100, None), month("2024-05", 40, Some(100))];
        let shown: Vec<&TableMonth> = months.iter().collect();
        let trend = trend(&shown, |month| month.rows < 50).unwrap();
        let diamonds: Vec<bool> = trend.marks.iter().map(|mark| mark.diamond.is_some()).collect();
        assert_eq!(diamonds, [false, true]);
        assert_eq!(trend.usual, "288.0,26.0 288.0,46.7");
        assert_eq!(trend.line, "12.0,36.3 288.0,67.3");
    }

    #[test]
    fn changes_have_a_sign() {
        assert_eq!([signed(142), signed(-400), signed(0)], ["+14.2 %", "−40.0 %", "+0.0 %"]);
    }
}
