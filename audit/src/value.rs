//! What an entry's body may hold: text, whole numbers, flags, lists and objects.
//!
//! No floats, because two programs print the same float differently, and no null: what is not there is left out.

use std::fmt::Write as _;

/// One value of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Whole(i128),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Self>),
    /// Values by name.
    Object(Body),
}

/// An entry's body: values by name, held and written in the byte order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body(Vec<(String, Value)>);

impl Body {
    /// A body that says nothing.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a value, in place of one that had the same name.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a value, in place of one that had the same name.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        match self.place(name) {
            Ok(at) => {
                if let Some((_, known)) = self.0.get_mut(at) {
                    *known = value.into();
                }
            }
            Err(at) => self.0.insert(at, (name.to_owned(), value.into())),
        }
    }

    /// The value with this name.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(self.place(name).ok()?).map(|(_, value)| value)
    }

    /// Where the value with this name stands, or where it would.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.as_str().cmp(name))
    }

    /// A body of values whose names stand in order, each once.
    pub(crate) const fn sorted(values: Vec<(String, Value)>) -> Self {
        Self(values)
    }

    /// Names and values, in the order in which they are written.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Writes the canonical text.
    pub(crate) fn write(&self, out: &mut String) {
        out.push('{');
        for (n, (name, value)) in self.0.iter().enumerate() {
            if n > 0 {
                out.push(',');
            }
            write_text(out, name);
            out.push(':');
            value.write(out);
        }
        out.push('}');
    }
}

/// A class in place of a number that may be small.
pub const fn class(number: u64) -> &'static str {
    match number {
        0..10 => "fewer than 10",
        10..100 => "10 to 99",
        100..1_000 => "100 to 999",
        1_000..10_000 => "1000 to 9999",
        _ => "10000 or more",
    }
}

impl FromIterator<(String, Value)> for Body {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(values: I) -> Self {
        values.into_iter().fold(Self::new(), |body, (name, value)| body.with(&name, value))
    }
}

impl Value {
    fn write(&self, out: &mut String) {
        match self {
            Self::Flag(value) => out.push_str(if *value { "true" } else { "false" }),
            // Writing to a string cannot fail.
            Self::Whole(value) => drop(write!(out, "{value}")),
            Self::Text(value) => write_text(out, value),
            Self::List(values) => {
                out.push('[');
                for (n, value) in values.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    value.write(out);
                }
                out.push(']');
            }
            Self::Object(body) => body.write(out),
        }
    }
}

/// Writes text between quotes; only what JSON demands is escaped, and in one way.
pub(crate) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    loop {
        let part = plain(rest);
        out.push_str(part);
        let mut behind = rest.get(part.len()..).unwrap_or("").chars();
        let Some(escaped) = behind.next().and_then(escape) else { break };
        out.push_str(&escaped);
        rest = behind.as_str();
    }
    out.push('"');
}

/// What stands for itself at the beginning of a text, up to the first character that is escaped.
pub(crate) fn plain(text: &str) -> &str {
    // No byte of a longer character is one of these.
    let end = text.bytes().position(|byte| matches!(byte, b'"' | b'\\' | 0..b' '));
    text.get(..end.unwrap_or(text.len())).unwrap_or("")
}

/// How a character that cannot stand for itself is written.
pub(crate) fn escape(character: char) -> Option<String> {
    match character {
        '"' | '\\' => Some(format!("\\{character}")),
        '\n' => Some("\\n".to_owned()),
        '\r' => Some("\\r".to_owned()),
        '\t' => Some("\\t".to_owned()),
        '\0'..'\u{20}' => Some(format!("\\u{:04x}", u32::from(character))),
        _ => None,
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Flag(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Whole(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Whole(value.into())
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Whole(value.into())
    }
}

impl From<usize> for Value {
    fn from(value: usize) -> Self {
        // A usize has at most 64 bits.
        Self::Whole(value as i128)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<crate::Digest> for Value {
    fn from(value: crate::Digest) -> Self {
        Self::Text(value.to_string())
    }
}

impl From<Body> for Value {
    fn from(value: Body) -> Self {
        Self::Object(value)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(values: Vec<T>) -> Self {
        Self::List(values.into_iter().map(Into::into).collect())
    }
}
