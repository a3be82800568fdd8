//! Pictures for people who look rather than read: bars over time, and bars of a ranking, as SVG.
//!
//! One picture serves the page and the PDF, so it has fonts that both know, no style sheet and no script.

use crate::number::count;

const WIDTH: f64 = 680.0;
const FONT: &str = "IPAexGothic, 'IPAexゴシック', sans-serif";
const INK: &str = "#1f2a30";
const SOFT: &str = "#5b6770";
const GRID: &str = "#ddd8ca";

/// A series of stacked bars.
#[derive(Clone, Debug)]
pub(super) struct Series<'a> {
    pub(super) name: &'a str,
    pub(super) color: &'a str,
    pub(super) values: Vec<u64>,
}

/// Bars over time, one pile for each label. Nothing where there is nothing to show.
pub(super) fn piles(labels: &[&str], series: &[Series<'_>]) -> String {
    let sum = |at: usize| -> u64 { series.iter().filter_map(|one| one.values.get(at)).sum() };
    let most = (0..labels.len()).map(sum).max().unwrap_or(0);
    if most == 0 {
        return String::new();
    }
    let (left, right, top, base) = (58.0, WIDTH - 8.0, 34.0, 190.0);
    let highest = round_up(most);
    let height = |value: u64| (base - top) * (value as f64) / (highest as f64);
    let slot = (right - left) / (labels.len() as f64);
    let width = (slot * 0.66).min(46.0);
    let names: Vec<String> =
        series.iter().map(|one| format!("{} {}", one.name, count(one.values.iter().sum()))).collect();
    let mut out = opened(220.0, &names.join(", "));
    for step in 0..=4 {
        let value = highest / 4 * step;
        let y = base - height(value);
        out += &format!(
            "<line x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\" stroke=\"{GRID}\"/>"
        );
        out += &letters((left - 6.0, y + 4.0), ("end", 11, SOFT), &count(value));
    }
    let mut x = left;
    for one in series {
        out += &format!("<rect x=\"{x:.1}\" y=\"8\" width=\"11\" height=\"11\" fill=\"{}\"/>", one.color);
        out += &letters((x + 16.0, 18.0), ("start", 12, INK), one.name);
        x += 34.0 + 13.0 * (one.name.chars().count() as f64);
    }
    let every = labels.len().div_ceil(12).max(1);
    for (at, label) in labels.iter().enumerate() {
        let middle = left + slot * (at as f64 + 0.5);
        let mut y = base;
        for one in series {
            let tall = height(one.values.get(at).copied().unwrap_or(0));
            y -= tall;
            if tall > 0.0 {
                out += &format!(
                    "<rect x=\"{:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{tall:.1}\" fill=\"{}\"/>",
                    middle - width / 2.0,
                    one.color
                );
            }
        }
        if at.is_multiple_of(every) {
            out += &letters((middle, base + 18.0), ("middle", 11, SOFT), label);
        }
    }
    out + "</svg>"
}

/// Bars of a ranking, the longest first, at most twelve.
pub(super) fn ranking(rows: &[(String, u64)], color: &str) -> String {
    let mut rows: Vec<&(String, u64)> = rows.iter().filter(|(_, value)| *value > 0).collect();
    rows.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    rows.truncate(12);
    let Some(most) = rows.first().map(|(_, value)| *value) else { return String::new() };
    let (left, right, line) = (250.0, WIDTH - 70.0, 21.0);
    let told: Vec<String> = rows.iter().map(|(name, value)| format!("{name} {}", count(*value))).collect();
    let mut out = opened(line * (rows.len() as f64) + 8.0, &told.join(", "));
    for (at, (name, value)) in rows.iter().enumerate() {
        let y = 4.0 + line * (at as f64);
        let long = ((right - left) * (*value as f64) / (most as f64)).max(1.0);
        out += &letters((left - 8.0, y + 14.0), ("end", 12, INK), &shortened(name));
        out += &format!(
            "<rect x=\"{left:.1}\" y=\"{:.1}\" width=\"{long:.1}\" height=\"14\" fill=\"{color}\"/>",
            y + 3.0
        );
        out += &letters((left + long + 6.0, y + 14.0), ("start", 11, SOFT), &count(*value));
    }
    out + "</svg>"
}

/// The beginning of a picture, with what it says in words for those who do not see it.
fn opened(height: f64, words: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH:.0} {height:.0}\" role=\"img\" aria-label=\"{}\" font-family=\"{FONT}\">",
        escaped(words)
    )
}

fn letters((x, y): (f64, f64), (anchor, size, color): (&str, u32, &str), text: &str) -> String {
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" fill=\"{color}\">{}</text>",
        escaped(text)
    )
}

/// Letters that mean something in XML, told by their names.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            letter if letter.is_control() => out.push(' '),
            letter => out.push(letter),
        }
    }
    out
}

fn shortened(name: &str) -> String {
    const MOST: usize = 22;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    name.chars().take(MOST - 1).chain(['…']).collect()
}

/// The next number whose quarters are whole and round.
fn round_up(most: u64) -> u64 {
    let powers = std::iter::successors(Some(1_u64), |power| power.checked_mul(10));
    let mut steps = powers.flat_map(|power| [4 * power, 8 * power, 20 * power]);
    steps.find(|step| *step >= most).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::{Series, piles, ranking, round_up};

    #[test]
    fn a_scale_ends_at_a_round_number_above_the_highest() {
        assert_eq!([1, 4, 5, 9, 21, 401].map(round_up), [4, 4, 8, 20, 40, 800]);
    }

    #[test]
    fn piles_stay_in_the_picture_and_text_is_escaped() {
        let series = [
            Series { name: "a<b", color: "#123456", values: vec![3, 0] },
            Series { name: "c", color: "#654321", values: vec![1, 2] },
        ];
        let svg = piles(&["2026-10", "2026-11"], &series);
        assert!(svg.contains("a&lt;b") && !svg.contains("a<b"), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 2 + 3);
        // The higher pile reaches the top of the scale: 4 of 4.
        assert!(svg.contains("y=\"34.0\""), "{svg}");
        assert_eq!(piles(&[], &[]), "");
    }

    #[test]
    fn a_ranking_has_the_longest_first_and_nothing_of_nothing() {
        let rows = [("少".to_owned(), 1), ("多".to_owned(), 10), ("無".to_owned(), 0)];
        let svg = ranking(&rows, "#123456");
        assert!(svg.find('多') < svg.find('少') && !svg.contains('無'), "{svg}");
        assert_eq!(ranking(&[], "#123456"), "");
    }
}
