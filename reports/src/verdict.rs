//! A verdict as text: the rule, what is wrong, the place in the query, and the nearest allowed form.

use engine_protocol::{Verdict, VerdictKind};
use unicode_width::UnicodeWidthStr as _;

use crate::Language;
use crate::grid::clean;

/// Lines of the query shown before and after the place.
const AROUND: usize = 2;
/// Lines that a place may cover before the rest of them is left out.
const MOST: usize = 12;

/// A query cut at the place that a verdict points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'s> {
    /// What stands before the place.
    pub before: &'s str,
    /// The place; never empty.
    pub marked: &'s str,
    /// What stands behind the place.
    pub after: &'s str,
}

/// Cuts a query at a span of bytes; nothing where the query is empty.
///
/// A span that ends inside a character or outside the text is widened or cut to whole characters, and one that holds
/// nothing takes the character behind it or, at the end of the text, the one before it.
pub fn place(sql: &str, span: (usize, usize)) -> Option<Place<'_>> {
    let mut from = sql.floor_char_boundary(span.0.min(sql.len()));
    let mut to = sql.ceil_char_boundary(span.1.clamp(from, sql.len()));
    if from == to {
        to = sql.ceil_char_boundary((to + 1).min(sql.len()));
    }
    if from == to {
        from = sql.floor_char_boundary(from.saturating_sub(1));
    }
    let place = Place { before: sql.get(..from)?, marked: sql.get(from..to)?, after: sql.get(to..)? };
    (!place.marked.is_empty()).then_some(place)
}

/// A verdict on a query as text for a terminal, each line with its newline.
pub fn text(verdict: &Verdict, sql: &str, language: Language) -> String {
    let mut text = heading(verdict, language);
    let message = match language {
        Language::Japanese => verdict.message_ja.as_ref().or(verdict.message.as_ref()),
        Language::English => verdict.message.as_ref(),
    };
    if let Some(message) = message {
        text.push_str(&format!("  {}\n", clean(message)));
    }
    if let Some(place) = verdict.span.and_then(|span| place(sql, span)) {
        text.push('\n');
        text.push_str(&excerpt(&place));
        text.push('\n');
    }
    if let Some(suggestion) = &verdict.suggestion {
        let label = if verdict.goes_to_people() {
            language.pick("審査なしで出る形", "without people")
        } else {
            language.pick("使える形", "allowed")
        };
        text.push_str(&format!("  {label}: {}\n", clean(suggestion)));
    }
    for (label, names) in
        [(language.pick("表", "tables"), &verdict.tables), (language.pick("列", "columns"), &verdict.columns)]
    {
        if !names.is_empty() {
            text.push_str(&format!("  {label}: {}\n", clean(&names.join(", "))));
        }
    }
    text
}

fn heading(verdict: &Verdict, language: Language) -> String {
    let word = match verdict.verdict {
        VerdictKind::Vetted if verdict.goes_to_people() => language.pick(
            "実行できます。結果は、提供の前に審査委員が確認します",
            "vetted: this query may run, and people look at its answer before it goes out",
        ),
        VerdictKind::Vetted => language.pick("実行できます", "vetted: this query may run"),
        VerdictKind::Refused => language.pick("この問いは実行できません", "refused: this query does not run"),
        VerdictKind::Denied => {
            language.pick("許可の範囲外です", "denied: the permit does not cover this query")
        }
    };
    match &verdict.rule {
        Some(rule) => format!("{word} [{}]\n", clean(rule)),
        None => format!("{word}\n"),
    }
}

/// The lines around the place with their numbers, and `^^^^` under the place.
fn excerpt(place: &Place<'_>) -> String {
    let whole = [place.before, place.marked, place.after].concat();
    let (from, to) = (place.before.len(), place.before.len() + place.marked.len());
    let first = place.before.matches('\n').count();
    let last = first + place.marked.trim_end_matches('\n').matches('\n').count();
    let digits = (last + AROUND + 1).to_string().len();
    let mut text = String::new();
    let mut start = 0;
    for (number, line) in whole.split('\n').enumerate() {
        let end = start + line.len();
        if number + AROUND >= first && number <= (last + AROUND).min(first + MOST) {
            text.push_str(format!("  {:>digits$} │ {}", number + 1, shown(line)).trim_end());
            text.push('\n');
            if let Some((skip, carets)) = underline(line, from.max(start), to.min(end), start) {
                let margin = " ".repeat(digits);
                text.push_str(&format!("  {margin} │ {}{}\n", " ".repeat(skip), "^".repeat(carets)));
            }
        }
        start = end + 1;
    }
    text
}

/// How many cells to skip in a line and how many to underline.
fn underline(line: &str, from: usize, to: usize, start: usize) -> Option<(usize, usize)> {
    let skipped = line.get(..from.checked_sub(start)?)?;
    let marked = line.get(from - start..to.checked_sub(start)?)?;
    let indent = marked.len() - marked.trim_start().len();
    let skipped_cells = shown(skipped).width() + shown(marked.get(..indent)?).width();
    let cells = shown(marked.trim()).width();
    (cells > 0).then_some((skipped_cells, cells))
}

/// A line as a terminal shows it: a tab is four cells.
fn shown(line: &str) -> String {
    clean(&line.trim_end_matches('\r').replace('\t', "    ")).into_owned()
}

#[cfg(test)]
mod tests {
    use engine_protocol::{Verdict, VerdictKind};
    use expect_test::{Expect, expect};

    use super::{Place, place, text};
    use crate::Language;

    const SQL: &str = "SELECT '年齢' AS what,\n\tp.birth_date, count(*)\nFROM person p\nGROUP BY 1,\n  2\n";

    fn check(marked: &str, expected: &Expect) {
        let from = SQL.find(marked).unwrap();
        let verdict = Verdict {
            verdict: VerdictKind::Refused,
            rule: Some("group-key".to_owned()),
            message: Some("birth_date has no declared finite set of values to group by".to_owned()),
            message_ja: None,
            span: Some((from, from + marked.len())),
            suggestion: Some("age_band(p.birth_date, s.admission_month)".to_owned()),
            tables: Vec::new(),
            columns: Vec::new(),
        };
        expected.assert_eq(&text(&verdict, SQL, Language::English));
    }

    #[test]
    fn the_place_is_underlined_behind_wide_characters() {
        check(
            "AS",
            &expect![[r#"
                refused: this query does not run [group-key]
                  birth_date has no declared finite set of values to group by

                  1 │ SELECT '年齢' AS what,
                    │               ^^
                  2 │     p.birth_date, count(*)
                  3 │ FROM person p

                  allowed: age_band(p.birth_date, s.admission_month)
            "#]],
        );
    }

    #[test]
    fn a_place_of_several_lines_is_underlined_in_each() {
        check(
            "birth_date, count(*)\nFROM",
            &expect![[r#"
                refused: this query does not run [group-key]
                  birth_date has no declared finite set of values to group by

                  1 │ SELECT '年齢' AS what,
                  2 │     p.birth_date, count(*)
                    │       ^^^^^^^^^^^^^^^^^^^^
                  3 │ FROM person p
                    │ ^^^^
                  4 │ GROUP BY 1,
                  5 │   2

                  allowed: age_band(p.birth_date, s.admission_month)
            "#]],
        );
    }

    #[test]
    fn a_vetted_query_names_its_tables_in_the_readers_language() {
        let verdict = Verdict {
            verdict: VerdictKind::Vetted,
            rule: None,
            message: None,
            message_ja: None,
            span: None,
            suggestion: None,
            tables: vec!["person".to_owned(), "dpc_stay".to_owned()],
            columns: vec!["person.sex".to_owned()],
        };
        expect![[r#"
            実行できます
              表: person, dpc_stay
              列: person.sex
        "#]]
        .assert_eq(&text(&verdict, SQL, Language::Japanese));
    }

    #[test]
    fn a_span_is_brought_to_whole_characters_inside_the_text() {
        let parts =
            |sql, span| place(sql, span).map(|Place { before, marked, after }| (before, marked, after));
        assert_eq!(parts("あいう", (4, 5)), Some(("あ", "い", "う")));
        assert_eq!(parts("あいう", (3, 3)), Some(("あ", "い", "う")));
        assert_eq!(parts("あいう", (9, 40)), Some(("あい", "う", "")));
        assert_eq!(parts("あいう", (6, 2)), Some(("あい", "う", "")));
        assert_eq!(parts("", (0, 1)), None);
    }
}
