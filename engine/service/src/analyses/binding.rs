//! Values for the parameters of a step, bound token by token.
//!
//! A parameter is one token, `$name`. The literal that takes its place is written by us from the value's type, and the
//! bound text is cut again: it must give the same tokens with exactly that literal where the parameter stood. So a
//! value can become nothing but the literal that it is.

use std::collections::BTreeMap;

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// The longest text value.
const LONGEST: usize = 4096;
/// Values of a list.
const LISTED: usize = 1000;

/// Why a step cannot be bound. No message holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BindFault {
    #[error("the statement cannot be cut into words")]
    Text,
    #[error("parameters are written as $name")]
    Form,
    #[error("the file has no parameter {0}")]
    Unknown(String),
    #[error("the value of {0} is no text, number, truth value, day, or list of them, or it is too long")]
    Value(String),
    #[error("the statement and its values do not go together")]
    Together,
}

impl BindFault {
    pub(super) fn ja(&self) -> String {
        match self {
            Self::Text => "文を語に分けられません".to_owned(),
            Self::Form => "引数は $名前 の形で書いてください".to_owned(),
            Self::Unknown(name) => format!("引数 {name} がファイルにありません"),
            Self::Value(name) => {
                format!("引数 {name} は、文字列・数・真偽・日付・それらの並びのいずれでもないか、長すぎます")
            }
            Self::Together => "文と値を組み合わせられません".to_owned(),
        }
    }
}

/// A step's statement, cut into tokens.
#[derive(Debug)]
pub(super) struct Statement {
    tokens: Vec<Token>,
}

impl Statement {
    pub(super) fn cut(sql: &str) -> Result<Self, BindFault> {
        let tokens = cut(sql).ok_or(BindFault::Text)?;
        let placeholders = tokens.iter().filter_map(placeholder);
        if placeholders.clone().any(|text| parameter(text).is_none()) {
            return Err(BindFault::Form);
        }
        Ok(Self { tokens })
    }

    /// The names of the parameters that stand in it.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.tokens.iter().filter_map(placeholder).filter_map(parameter)
    }

    /// The text with these values.
    pub(super) fn bind(&self, values: &BTreeMap<String, toml::Value>) -> Result<String, BindFault> {
        let (mut bound, mut expected) = (String::new(), Vec::new());
        for token in &self.tokens {
            let Some(name) = placeholder(token).and_then(parameter) else {
                bound.push_str(&token.to_string());
                expected.push(token.clone());
                continue;
            };
            let value = values.get(name).ok_or_else(|| BindFault::Unknown(name.to_owned()))?;
            let literal = literal(value).ok_or_else(|| BindFault::Value(name.to_owned()))?;
            bound.push_str(&literal);
            expected.extend(cut(&literal).ok_or(BindFault::Together)?);
        }
        if cut(&bound).as_ref() == Some(&expected) { Ok(bound) } else { Err(BindFault::Together) }
    }
}

fn placeholder(token: &Token) -> Option<&str> {
    if let Token::Placeholder(text) = token { Some(text.as_str()) } else { None }
}

fn parameter(text: &str) -> Option<&str> {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let name = text.strip_prefix('$')?;
    (name.starts_with(|letter: char| letter.is_ascii_lowercase()) && name.chars().all(is_plain))
        .then_some(name)
}

/// A value as a literal of SQL.
fn literal(value: &toml::Value) -> Option<String> {
    let toml::Value::Array(values) = value else { return scalar(value) };
    if !(1..=LISTED).contains(&values.len()) {
        return None;
    }
    let values: Vec<String> = values.iter().map(scalar).collect::<Option<_>>()?;
    Some(format!("({})", values.join(", ")))
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => {
            (text.len() <= LONGEST).then(|| format!("'{}'", text.replace('\'', "''")))
        }
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => number.is_finite().then(|| number.to_string()),
        toml::Value::Boolean(is_true) => Some(if *is_true { "TRUE" } else { "FALSE" }.to_owned()),
        toml::Value::Datetime(at) => match (at.date, at.time, at.offset) {
            (Some(day), None, None) => Some(format!("DATE '{day}'")),
            _ => None,
        },
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// The tokens of a text as they are written: quotes inside a string stay doubled, so that the tokens read back.
fn cut(sql: &str) -> Option<Vec<Token>> {
    Tokenizer::new(&GenericDialect {}, sql).with_unescape(false).tokenize().ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{BindFault, Statement};

    fn bind(sql: &str, value: &str) -> Result<String, BindFault> {
        let table: toml::Table = toml::from_str(&format!("v = {value}")).unwrap();
        Statement::cut(sql)?.bind(&table.into_iter().collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn a_value_stays_the_literal_that_it_is() {
        for (value, literal) in [
            ("\"E11%\"", "'E11%'"),
            ("\"o'clock\"", "'o''clock'"),
            ("\"' OR '1' = '1\"", "''' OR ''1'' = ''1'"),
            ("\"x' -- \\n\"", "'x'' -- \n'"),
            ("\"\\\\\"", "'\\'"),
            ("-5", "-5"),
            ("0.25", "0.25"),
            ("true", "TRUE"),
            ("2024-02-29", "DATE '2024-02-29'"),
            ("[\"a\", \"b'\"]", "('a', 'b''')"),
        ] {
            let bound = bind("SELECT a, '$v' FROM t WHERE b = $v -- $v\n", value).unwrap();
            assert_eq!(bound, format!("SELECT a, '$v' FROM t WHERE b = {literal} -- $v\n"));
        }
    }

    #[test]
    fn what_is_no_value_or_would_run_together_is_not_bound() {
        for value in ["[]", "[[1]]", "{ a = 1 }", "nan", "12:00:00", "2024-01-01T00:00:00"] {
            assert_eq!(bind("SELECT $v", value), Err(BindFault::Value("v".to_owned())), "{value}");
        }
        assert_eq!(bind("SELECT $w", "1"), Err(BindFault::Unknown("w".to_owned())));
        assert_eq!(bind("SELECT $1", "1"), Err(BindFault::Form));
        assert_eq!(bind("SELECT ?", "1"), Err(BindFault::Form));
        assert_eq!(bind("SELECT 'a", "1"), Err(BindFault::Text));
        assert_eq!(bind("SELECT 'a'$v", "\"b\""), Err(BindFault::Together));
        assert_eq!(bind("SELECT -$v", "-1"), Err(BindFault::Together));
    }
}
