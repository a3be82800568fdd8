//! Reads canonical text and nothing else: what is accepted is exactly what [`crate::value`] writes.
//!
//! A general JSON reader would accept a second spelling of the same entry (spaces, `1e3`, keys twice), and the
//! chain would then protect one text while a program reads another.

use std::borrow::Cow;

use crate::digest::Digest;
use crate::value::{Body, Value, escape, plain};

/// How deep lists and objects may stand in each other, the body itself included.
const DEEPEST: usize = 16;

/// A place in a line, and what should have stood there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Misplaced {
    /// The byte of the line, from 0.
    pub(crate) at: usize,
    /// What was expected.
    pub(crate) expected: &'static str,
}

/// Reads a line from left to right.
pub(crate) struct Cursor<'a> {
    line: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Self { line, at: 0 }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at == self.line.len()
    }

    pub(crate) fn fail<T>(&self, expected: &'static str) -> Result<T, Misplaced> {
        Err(Misplaced { at: self.at, expected })
    }

    fn rest(&self) -> &'a str {
        self.line.get(self.at..).unwrap_or("")
    }

    /// Steps over `text` where it stands next.
    pub(crate) fn skip(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    /// Steps over `text`, which must stand next.
    pub(crate) fn expect(&mut self, text: &'static str) -> Result<(), Misplaced> {
        if self.skip(text) { Ok(()) } else { self.fail(text) }
    }

    /// A whole number, without leading zeros or plus.
    pub(crate) fn whole(&mut self) -> Result<i128, Misplaced> {
        let rest = self.rest();
        let end = rest.bytes().position(|byte| byte != b'-' && !byte.is_ascii_digit());
        let written = rest.get(..end.unwrap_or(rest.len())).unwrap_or("");
        let digits = written.strip_prefix('-').unwrap_or(written);
        let is_one_spelling = match digits.as_bytes() {
            [b'0'] => digits.len() == written.len(),
            [b'0', ..] => false,
            _ => true,
        };
        match written.parse::<i128>() {
            Ok(value) if is_one_spelling => {
                self.at += written.len();
                Ok(value)
            }
            _ => self.fail("a whole number"),
        }
    }

    /// Text between quotes, a part of the line where nothing in it is escaped.
    pub(crate) fn text(&mut self) -> Result<Cow<'a, str>, Misplaced> {
        self.expect("\"")?;
        let mut text = Cow::Borrowed("");
        loop {
            let rest = self.rest();
            let part = plain(rest);
            if part.len() == rest.len() {
                return self.fail("the end of the text");
            }
            self.at += part.len();
            if text.is_empty() {
                text = Cow::Borrowed(part);
            } else {
                text.to_mut().push_str(part);
            }
            if self.skip("\"") {
                return Ok(text);
            }
            let character = self.escaped()?;
            text.to_mut().push(character);
        }
    }

    /// A digest between quotes.
    pub(crate) fn digest(&mut self) -> Result<Digest, Misplaced> {
        let digits = self.rest().get(1..65).and_then(Digest::parse);
        let Some(digest) = digits else { return self.fail("64 hexadecimal digits between quotes") };
        self.expect("\"")?;
        self.at += 64;
        self.expect("\"")?;
        Ok(digest)
    }

    // The reverse of `escape` by trying: a text with escapes is rare, and this cannot accept a second spelling.
    fn escaped(&mut self) -> Result<char, Misplaced> {
        for character in ('\0'..'\u{20}').chain(['"', '\\']) {
            if escape(character).is_some_and(|escaped| self.skip(&escaped)) {
                return Ok(character);
            }
        }
        self.fail("an escape as this log writes it")
    }

    /// An object whose names stand in byte order, each once, made as whoever reads it wants it.
    pub(crate) fn object<V: Made<'a>>(&mut self) -> Result<Vec<(Cow<'a, str>, V)>, Misplaced> {
        self.object_in(1)
    }

    fn object_in<V: Made<'a>>(&mut self, depth: usize) -> Result<Vec<(Cow<'a, str>, V)>, Misplaced> {
        self.expect("{")?;
        let mut object = Vec::<(Cow<'a, str>, V)>::new();
        if self.skip("}") {
            return Ok(object);
        }
        loop {
            let start = self.at;
            let name = self.text()?;
            if object.last().is_some_and(|(before, _)| *before >= name) {
                return Err(Misplaced { at: start, expected: "names in order, each once" });
            }
            self.expect(":")?;
            object.push((name, self.value(depth)?));
            if self.skip("}") {
                return Ok(object);
            }
            self.expect(",")?;
        }
    }

    fn list<V: Made<'a>>(&mut self, depth: usize) -> Result<Vec<V>, Misplaced> {
        self.expect("[")?;
        let mut values = Vec::new();
        if self.skip("]") {
            return Ok(values);
        }
        loop {
            values.push(self.value(depth)?);
            if self.skip("]") {
                return Ok(values);
            }
            self.expect(",")?;
        }
    }

    fn value<V: Made<'a>>(&mut self, depth: usize) -> Result<V, Misplaced> {
        let inside = depth + 1;
        match self.rest().as_bytes().first() {
            Some(b'"') => self.text().map(V::text),
            Some(b'-' | b'0'..=b'9') => self.whole().map(V::whole),
            Some(b't') => self.expect("true").map(|()| V::flag(true)),
            Some(b'f') => self.expect("false").map(|()| V::flag(false)),
            Some(b'{' | b'[') if depth >= DEEPEST => self.fail("no more lists and objects in each other"),
            Some(b'{') => self.object_in(inside).map(V::object),
            Some(b'[') => self.list(inside).map(V::list),
            _ => self.fail("a value"),
        }
    }
}

/// What a reader makes of values.
pub(crate) trait Made<'a>: Sized {
    fn flag(value: bool) -> Self;
    fn whole(value: i128) -> Self;
    fn text(value: Cow<'a, str>) -> Self;
    fn list(values: Vec<Self>) -> Self;
    fn object(values: Vec<(Cow<'a, str>, Self)>) -> Self;
}

impl<'a> Made<'a> for Value {
    fn flag(value: bool) -> Self {
        Self::Flag(value)
    }

    fn whole(value: i128) -> Self {
        Self::Whole(value)
    }

    fn text(value: Cow<'a, str>) -> Self {
        Self::Text(value.into_owned())
    }

    fn list(values: Vec<Self>) -> Self {
        Self::List(values)
    }

    fn object(values: Vec<(Cow<'a, str>, Self)>) -> Self {
        Self::Object(body(values))
    }
}

/// The body that was read.
pub(crate) fn body(values: Vec<(Cow<'_, str>, Value)>) -> Body {
    Body::sorted(values.into_iter().map(|(name, value)| (name.into_owned(), value)).collect())
}

/// A value that was looked at and not kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen;

impl<'a> Made<'a> for Seen {
    fn flag(_: bool) -> Self {
        Self
    }

    fn whole(_: i128) -> Self {
        Self
    }

    fn text(_: Cow<'a, str>) -> Self {
        Self
    }

    fn list(_: Vec<Self>) -> Self {
        Self
    }

    fn object(_: Vec<(Cow<'a, str>, Self)>) -> Self {
        Self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Cursor, body};
    use crate::value::{Body, Value};

    fn read(text: &str) -> Option<Body> {
        let mut cursor = Cursor::new(text);
        let read = cursor.object().ok()?;
        cursor.is_at_end().then(|| body(read))
    }

    fn written(body: &Body) -> String {
        let mut out = String::new();
        body.write(&mut out);
        out
    }

    #[test]
    fn a_second_spelling_is_not_read() {
        for text in [
            r#"{ "a":1}"#,
            r#"{"a":1 }"#,
            r#"{"a":01}"#,
            r#"{"a":-0}"#,
            r#"{"a":+1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":1e3}"#,
            r#"{"a":null}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"b":1,"a":2}"#,
            r#"{"a":1,}"#,
            r#"{"a":[1,]}"#,
            r#"{"a":"\/"}"#,
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\u000a"}"#,
            r#"{"a":"\u001F"}"#,
            "{\"a\":\"\t\"}",
            r#"{"a":"\ud83d"}"#,
            r#"{"a""#,
            "",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn depth_has_an_end() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(read(&nested(super::DEEPEST - 1)).is_some());
        assert!(read(&nested(super::DEEPEST)).is_none());
        assert!(read(&nested(100_000)).is_none());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Flag),
            any::<i128>().prop_map(Value::Whole),
            any::<String>().prop_map(Value::Text),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|values| Value::Object(values.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(value in values()) {
            let body = Body::new().with("value", value);
            prop_assert_eq!(read(&written(&body)), Some(body));
        }

        #[test]
        fn what_is_read_writes_back(text in r#"\{("[a-c]":([0-9]{1,3}|"[\\nu01"]{0,4}"|true|\[1,2\]|\{\}),?){0,3}\}"#) {
            if let Some(body) = read(&text) {
                prop_assert_eq!(written(&body), text);
            }
        }

        #[test]
        fn others_read_it_as_the_same_json(value in values()) {
            let body = Body::new().with("value", value);
            // The largest numbers are beyond what that reader keeps whole; what it does read must be JSON.
            let other: Result<serde_json::Value, _> = serde_json::from_str(&written(&body));
            prop_assert!(other.is_ok());
        }
    }
}
