//! Where in the text something stands, so that a refusal can point at it.

use datafusion_common::Column;
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// The words of a query with their places.
#[derive(Debug)]
pub(crate) struct Places<'a> {
    text: &'a str,
    words: Vec<(String, (usize, usize))>,
}

impl<'a> Places<'a> {
    /// Finds the words; a text that cannot be split has none.
    pub(crate) fn new(text: &'a str) -> Self {
        let tokens = Tokenizer::new(&GenericDialect {}, text).tokenize_with_location().unwrap_or_default();
        let lines = line_starts(text);
        let words = tokens.iter().filter_map(|token| word(token, text, &lines)).collect();
        Self { text, words }
    }

    /// The text.
    pub(crate) const fn text(&self) -> &'a str {
        self.text
    }

    /// The word or mark at a line and column, both counted from 1; the one character where there is no word.
    pub(crate) fn located(&self, line: u64, column: u64) -> Option<(usize, usize)> {
        let from = offset(self.text, &line_starts(self.text), line, column)?;
        let word = self.words.iter().map(|(_, place)| *place).find(|place| place.0 == from);
        word.or_else(|| Some((from, from + self.text.get(from..)?.chars().next()?.len_utf8())))
    }

    /// The word or mark of this number, with its place.
    pub(crate) fn at(&self, number: usize) -> Option<(&str, (usize, usize))> {
        self.words.get(number).map(|(word, place)| (word.as_str(), *place))
    }

    /// The number of words and marks.
    pub(crate) fn len(&self) -> usize {
        self.words.len()
    }

    /// How often any of these words occurs.
    pub(crate) fn count(&self, wanted: &[&str]) -> usize {
        let is_wanted = |word: &str| wanted.iter().any(|wanted| word.eq_ignore_ascii_case(wanted));
        self.words.iter().filter(|(word, _)| is_wanted(word)).count()
    }

    /// The first place of a word, letters compared without case.
    pub(crate) fn word(&self, wanted: &str) -> Option<(usize, usize)> {
        self.words.iter().find(|(word, _)| word.eq_ignore_ascii_case(wanted)).map(|(_, place)| *place)
    }

    /// The first place where these words follow each other.
    pub(crate) fn phrase(&self, wanted: &[&str]) -> Option<(usize, usize)> {
        self.words.windows(wanted.len().max(1)).find_map(|window| {
            let is_match =
                window.iter().zip(wanted).all(|((word, _), wanted)| word.eq_ignore_ascii_case(wanted));
            let (first, last) = (window.first()?.1, window.last()?.1);
            is_match.then_some((first.0, last.1))
        })
    }

    /// The place of a column: where the planner saw it, else the first place of its name.
    pub(crate) fn column(&self, column: &Column) -> Option<(usize, usize)> {
        let lines = line_starts(self.text);
        let seen = column.spans().first().and_then(|span| {
            Some((
                offset(self.text, &lines, span.start.line, span.start.column)?,
                offset(self.text, &lines, span.end.line, span.end.column)?,
            ))
        });
        let qualified = column
            .relation
            .as_ref()
            .and_then(|relation| self.phrase(&[relation.table(), ".", column.name.as_str()]));
        seen.or(qualified).or_else(|| self.word(&column.name))
    }
}

fn word(token: &TokenWithSpan, text: &str, lines: &[usize]) -> Option<(String, (usize, usize))> {
    let word = match &token.token {
        Token::Whitespace(_) => return None,
        Token::Word(word) => word.value.clone(),
        other => other.to_string(),
    };
    let at = |location: Location| offset(text, lines, location.line, location.column);
    Some((word, (at(token.span.start)?, at(token.span.end)?)))
}

fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect()
}

/// The byte offset of a line and column, both counted from 1 and columns in characters.
fn offset(text: &str, lines: &[usize], line: u64, column: u64) -> Option<usize> {
    let start = *lines.get(usize::try_from(line).ok()?.checked_sub(1)?)?;
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let rest = text.get(start..)?;
    Some(start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at))
}

#[cfg(test)]
mod tests {
    use super::Places;

    #[test]
    fn words_are_found_with_byte_offsets() {
        let text = "SELECT '年齢' AS a,\n  p.sex FROM person p ORDER  BY 1";
        let places = Places::new(text);
        let at = |span: Option<(usize, usize)>| span.and_then(|(from, to)| text.get(from..to));
        assert_eq!(at(places.word("SEX")), Some("sex"));
        assert_eq!(at(places.phrase(&["p", ".", "sex"])), Some("p.sex"));
        assert_eq!(at(places.phrase(&["order", "by"])), Some("ORDER  BY"));
        assert_eq!(places.word("absent"), None);
    }
}
