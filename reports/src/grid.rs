//! Aligned columns for a terminal, where a Japanese character is two cells wide.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr as _;

/// On which side a column's values end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows of text under headings.
#[derive(Clone, Debug)]
pub(crate) struct Grid {
    columns: Vec<(String, Side)>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A grid without rows.
    pub(crate) fn new<N: AsRef<str>>(columns: impl IntoIterator<Item = (N, Side)>) -> Self {
        let columns = columns.into_iter().map(|(name, side)| (clean(name.as_ref()).into_owned(), side));
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// Adds a row; it has a value for every column.
    pub(crate) fn row<V: AsRef<str>>(&mut self, values: impl IntoIterator<Item = V>) {
        self.rows.push(values.into_iter().map(|value| clean(value.as_ref()).into_owned()).collect());
    }

    /// The grid as lines, each with its newline.
    pub(crate) fn text(&self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        self.line(&mut text, &widths, self.columns.iter().map(|(name, _)| name.as_str()));
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        self.line(&mut text, &widths, rules.iter().map(String::as_str));
        for row in &self.rows {
            self.line(&mut text, &widths, row.iter().map(String::as_str));
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| name.width()).collect();
        for row in &self.rows {
            for (width, value) in widths.iter_mut().zip(row) {
                *width = (*width).max(value.width());
            }
        }
        widths
    }

    fn line<'v>(&self, text: &mut String, widths: &[usize], values: impl Iterator<Item = &'v str>) {
        let mut line = String::new();
        for ((value, width), (_, side)) in values.zip(widths).zip(&self.columns) {
            let gap = " ".repeat(width.saturating_sub(value.width()));
            match side {
                Side::Left => line.extend([value, &gap, "  "]),
                Side::Right => line.extend([gap.as_str(), value, "  "]),
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
}

/// The text without control characters, so that it cannot steer the reader's terminal.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{Grid, Side};

    #[test]
    fn japanese_and_latin_columns_line_up() {
        let mut grid = Grid::new([("都道府県", Side::Left), ("n", Side::Right)]);
        grid.row(["13 東京都", "1,234"]);
        grid.row(["x\u{1b}[2J", "5"]);
        expect![[r#"
            都道府県       n
            ─────────  ─────
            13 東京都  1,234
            x�[2J          5
        "#]]
        .assert_eq(&grid.text());
    }
}
