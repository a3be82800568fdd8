//! One `SELECT` of a bounded size, and nothing else.

use datafusion_sql::parser::{DFParserBuilder, Statement};
use datafusion_sql::sqlparser::ast::Statement as SqlStatement;
use datafusion_sql::sqlparser::dialect::GenericDialect;

use super::clauses;
use crate::explain::FORM;
use crate::places::Places;
use crate::refusal::{Refusal, Rule};

pub(crate) const MAX_BYTES: usize = 64 * 1024;
const MAX_WORDS: usize = 4_000;
pub(crate) const MAX_NESTING: usize = 40;
/// Terms joined by AND and OR: each deepens the plan's expression tree by one.
const MAX_TERMS: usize = 200;

const HALF_WIDTH: &str = "brackets, commas, quotes, signs and spaces in half width (半角): SELECT count(*) FROM person WHERE sex = '1'";

/// Parses the text into the one statement that it may be.
pub(crate) fn parse(sql: &str, places: &Places<'_>) -> Result<Statement, Refusal> {
    if sql.len() > MAX_BYTES || places.len() > MAX_WORDS {
        return Err(Refusal::new(
            Rule::Size,
            format!("a query has at most {MAX_BYTES} bytes and {MAX_WORDS} words"),
        ));
    }
    if places.count(&["AND", "OR"]) > MAX_TERMS {
        return Err(Refusal::new(Rule::Size, format!("a query has at most {MAX_TERMS} AND and OR")));
    }
    let parsed = DFParserBuilder::new(sql)
        .with_dialect(&GenericDialect {})
        .with_recursion_limit(MAX_NESTING)
        .build()
        .and_then(|mut parser| parser.parse_statements());
    // The parser's message quotes the query, which is the asker's own text, and nothing else.
    let mut statements = parsed.map_err(|error| unread(&plain(&error.to_string()), places))?;
    let (Some(statement), true) = (statements.pop_front(), statements.is_empty()) else {
        return Err(Refusal::new(Rule::OneSelect, "a query is one SELECT statement"));
    };
    match &statement {
        Statement::Statement(inner) => match inner.as_ref() {
            SqlStatement::Query(query) => {
                clauses::check(query, places)?;
                clauses::inside(query, places)?;
                Ok(statement)
            }
            _ => Err(only_select(places, sql)),
        },
        Statement::CreateExternalTable(_)
        | Statement::CopyTo(_)
        | Statement::Explain(_)
        | Statement::Reset(_) => Err(only_select(places, sql)),
    }
}

fn only_select(places: &Places<'_>, sql: &str) -> Refusal {
    let first = sql.split_whitespace().next().unwrap_or_default();
    Refusal::new(
        Rule::OneSelect,
        format!("{} is not allowed; a query is one SELECT statement", first.to_uppercase()),
    )
    .at(places.word(first))
    .suggest("SELECT sex, count(DISTINCT person_id) FROM person GROUP BY sex")
}

/// What cannot be read, at the place that the parser's message names.
fn unread(message: &str, places: &Places<'_>) -> Refusal {
    let at = message.rsplit_once(" at line: ").and_then(|(_, at)| {
        let (line, column) = at.split_once(", column: ")?;
        places.located(line.parse().ok()?, column.parse().ok()?)
    });
    // As a Japanese keyboard types them: outside of texts none of these is SQL.
    let is_wide = places
        .text()
        .contains(['　', '（', '）', '，', '、', '；', '＝', '＜', '＞', '’', '‘', '”', '“', '＊']);
    Refusal::new(Rule::Syntax, message).at(at).suggest(if is_wide { HALF_WIDTH } else { FORM })
}

/// The parser's message without its own prefix.
fn plain(message: &str) -> String {
    let text = message.strip_prefix("SQL error: ParserError(\"").unwrap_or(message);
    text.trim_end_matches("\")").replace("\\\"", "\"").to_lowercase()
}
