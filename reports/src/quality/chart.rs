//! Bars of lines per month, as the shapes of an SVG picture.
//!
//! Lines in quarantine are few beside the others, so they have a scale of their own below the months.

use std::collections::BTreeMap;

use super::summary::Lines;
use crate::number::count;

/// Width of the picture.
pub(super) const WIDTH: f64 = 760.0;
/// Height of the picture.
pub(super) const HEIGHT: f64 = 330.0;
/// Where the plots begin and end, from left to right.
pub(super) const LEFT: f64 = 84.0;
/// The right end of the plots.
pub(super) const RIGHT: f64 = 752.0;
const TOP: f64 = 16.0;
const BASE: f64 = 206.0;
const LOWER_TOP: f64 = 252.0;
const LOWER_BASE: f64 = 312.0;
/// Months that can be labelled side by side.
const LABELS: usize = 12;

/// The shapes of the picture.
#[derive(Clone, Debug)]
pub(super) struct Chart {
    pub(super) bars: Vec<Bar>,
    pub(super) grid: Vec<GridLine>,
    pub(super) labels: Vec<Label>,
}

/// One piece of a bar.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// `stored`, `dropped` or `quarantined`.
    pub(super) kind: &'static str,
    pub(super) x: String,
    pub(super) y: String,
    pub(super) width: String,
    pub(super) height: String,
    /// What a pointer on it shows.
    pub(super) title: String,
}

/// A horizontal line with its number.
#[derive(Clone, Debug)]
pub(super) struct GridLine {
    pub(super) y: String,
    /// The middle of the number's letters.
    pub(super) text_y: String,
    pub(super) label: String,
}

/// A month below its bar.
#[derive(Clone, Debug)]
pub(super) struct Label {
    pub(super) x: String,
    pub(super) text: String,
}

/// One of the two plots.
struct Plot {
    top: f64,
    base: f64,
    highest: u64,
}

impl Plot {
    fn height(&self, lines: u64) -> f64 {
        // Counts of lines lie far below the 53 bits of a float's mantissa.
        (self.base - self.top) * (lines as f64) / (self.highest.max(1) as f64)
    }

    fn grid(&self, steps: u64) -> Vec<GridLine> {
        let line = |step: u64| {
            let lines = self.highest / steps * step;
            let y = self.base - self.height(lines);
            GridLine { y: place(y), text_y: place(y + 4.0), label: count(lines) }
        };
        (0..=steps).map(line).collect()
    }
}

/// The shapes for the months in their order.
pub(super) fn chart(months: &BTreeMap<&str, Lines>) -> Chart {
    let most = |of: fn(&Lines) -> u64| months.values().map(of).max().unwrap_or(0);
    let upper =
        Plot { top: TOP, base: BASE, highest: rounded(most(|lines| lines.stored + lines.dropped), 4) };
    let lower =
        Plot { top: LOWER_TOP, base: LOWER_BASE, highest: rounded(most(|lines| lines.quarantined), 2) };
    let slot = (RIGHT - LEFT) / (months.len().max(1) as f64);
    let width = (slot * 0.68).min(44.0);
    let every = months.len().div_ceil(LABELS).max(1);
    let mut chart = Chart { bars: Vec::new(), grid: upper.grid(4), labels: Vec::new() };
    chart.grid.extend(lower.grid(2));
    for (at, (month, lines)) in months.iter().enumerate() {
        let middle = LEFT + slot * (at as f64 + 0.5);
        let mut push = |plot: &Plot, kind, ja, below: u64, number: u64| {
            let (y, height) = (plot.base - plot.height(below + number), plot.height(number));
            let title = format!("{month} {ja} / {kind}: {}", count(number));
            let x = place(middle - width / 2.0);
            chart.bars.push(Bar { kind, x, y: place(y), width: place(width), height: place(height), title });
        };
        push(&upper, "stored", "格納", 0, lines.stored);
        push(&upper, "dropped", "除外", lines.stored, lines.dropped);
        push(&lower, "quarantined", "隔離", 0, lines.quarantined);
        if at.is_multiple_of(every) {
            chart.labels.push(Label { x: place(middle), text: (*month).to_owned() });
        }
    }
    chart
}

/// The next higher number whose parts are round: 1, 2, 2.5 or 5 times a power of ten each.
fn rounded(highest: u64, parts: u64) -> u64 {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    let steps = powers.flat_map(|power| [power, 2 * power, (5 * power).div_ceil(2), 5 * power]);
    let mut steps = steps.take_while(|step| step.checked_mul(parts).is_some());
    steps.find(|step| step * parts >= highest).map_or(highest, |step| step * parts)
}

fn place(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use super::{chart, rounded};
    use crate::quality::summary::Lines;

    #[test]
    fn a_scale_ends_at_a_round_number() {
        let found = [0, 4, 7, 11, 123_456, 900_000].map(|highest| rounded(highest, 4));
        assert_eq!(found, [4, 4, 8, 12, 200_000, 1_000_000]);
    }

    #[test]
    fn the_highest_bar_stays_in_the_plot_and_pieces_are_stacked() {
        let lines = Lines { read: 110, stored: 80, dropped: 20, quarantined: 10 };
        let chart = chart(&[("2024-04", lines), ("2024-05", Lines::default())].into());
        let shapes: Vec<_> =
            chart.bars.iter().take(3).map(|bar| (bar.kind, bar.y.as_str(), bar.height.as_str())).collect();
        let expected =
            [("stored", "54.0", "152.0"), ("dropped", "16.0", "38.0"), ("quarantined", "252.0", "60.0")];
        assert_eq!(shapes, expected);
        assert_eq!(chart.labels.len(), 2);
    }
}
