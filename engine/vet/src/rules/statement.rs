//! One `SELECT` of a bounded size, and nothing else.

use datafusion_sql::parser::{DFParserBuilder, Statement};
use datafusion_sql::sqlparser::ast::{Query, Statement as SqlStatement};
use datafusion_sql::sqlparser::dialect::GenericDialect;

use crate::places::Places;
use crate::refusal::{Refusal, Rule};

const MAX_BYTES: usize = 64 * 1024;
const MAX_WORDS: usize = 4_000;
const MAX_NESTING: usize = 40;
/// Terms joined by AND and OR: each deepens the plan's expression tree by one.
const MAX_TERMS: usize = 200;

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
    let mut statements = parsed.map_err(|error| Refusal::new(Rule::Syntax, plain(&error.to_string())))?;
    let (Some(statement), true) = (statements.pop_front(), statements.is_empty()) else {
        return Err(Refusal::new(Rule::OneSelect, "a query is one SELECT statement"));
    };
    match &statement {
        Statement::Statement(inner) => match inner.as_ref() {
            SqlStatement::Query(query) => {
                check_query(query, places)?;
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

fn check_query(query: &Query, places: &Places<'_>) -> Result<(), Refusal> {
    let root = |message: &str, words: &[&str], suggestion: &str| {
        Err(Refusal::new(Rule::Root, message).at(places.phrase(words)).suggest(suggestion))
    };
    if query.with.as_ref().is_some_and(|with| with.recursive) {
        return root("recursive queries are not allowed", &["RECURSIVE"], "drop RECURSIVE");
    }
    if query.order_by.is_some() {
        let suggestion = "drop ORDER BY: groups come in the order of their declared values";
        return root("ORDER BY is not available yet", &["ORDER", "BY"], suggestion);
    }
    if query.limit_clause.is_some() || query.fetch.is_some() {
        let suggestion = "drop LIMIT: the whole protected table is returned";
        return root("LIMIT is not available yet", &["LIMIT"], suggestion);
    }
    if !query.locks.is_empty() || query.for_clause.is_some() || query.settings.is_some() {
        return root("FOR and SETTINGS are not allowed", &["FOR"], "drop the clause");
    }
    Ok(())
}

/// The parser's message without its own prefix.
fn plain(message: &str) -> String {
    let text = message.strip_prefix("SQL error: ParserError(\"").unwrap_or(message);
    text.trim_end_matches("\")").replace("\\\"", "\"").to_lowercase()
}
