//! Official lines, made from the layouts that the readers use.
//!
//! A record layout is compiled once into a [`Template`]; a [`Line`] takes values by field name and refuses what the
//! layout does not know, what is too wide, what the encoding has no bytes for and what would end the field early.
//! Nothing here knows a format: a line can be no more official than the layout says.

mod template;

use catalog_model::{Date, Encoding, Month};

pub use template::{FamilyTemplates, Slot, Template};

use crate::calendar::{self, Calendar};

/// Why a value cannot be written. The value itself is never named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// The catalogue has no such family.
    #[error("the catalogue has no family {0}")]
    NoSuchFamily(String),
    /// The family has no such record type.
    #[error("family {family} has no record type {record}")]
    NoSuchRecord {
        /// The family.
        family: String,
        /// The record type.
        record: String,
    },
    /// The tag of a record type does not fit the family's framing.
    #[error("the tag of record type {0} does not fit the framing of its family")]
    Tag(String),
    /// A field cannot be written.
    #[error("{record}.{field}: {problem}")]
    Field {
        /// The record type.
        record: String,
        /// The field.
        field: String,
        /// What is wrong.
        problem: FieldProblem,
    },
}

/// What is wrong with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldProblem {
    /// The layout has no such field.
    #[error("the layout has no such field")]
    Unknown,
    /// The field repeats fewer times.
    #[error("the field does not repeat so often")]
    Repeat,
    /// The value has another width than the layout allows.
    #[error("not of the width that the layout allows")]
    Width,
    /// The encoding has no bytes for the value.
    #[error("not in the character set of the file")]
    Encoding,
    /// The value holds a delimiter, a quote or a line end.
    #[error("holds a character that would end the field")]
    Delimiter,
    /// The characters are not of the field's type.
    #[error("not of the field's type")]
    Characters,
    /// The code is not in its closed list.
    #[error("not in the closed list of codes")]
    Code,
    /// A required field is empty.
    #[error("required, but empty")]
    Missing,
}

/// A line in the making.
#[derive(Clone, Debug)]
pub struct Line<'t> {
    template: &'t Template,
    cells: Vec<(usize, usize)>,
    bytes: Vec<u8>,
    identities: Vec<(&'static str, String)>,
}

/// A finished line without its line end, and the direct identifiers that were written into it.
#[derive(Clone, Debug)]
pub struct FinishedLine<'t> {
    /// The template it was made from.
    pub template: &'t Template,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Kind and text of each direct identifier in it.
    pub identities: Vec<(&'static str, String)>,
}

impl<'t> Line<'t> {
    /// An empty line of this record type; the tag stands in it already.
    pub fn new(template: &'t Template) -> Self {
        let mut line = Self {
            template,
            cells: vec![(0, 0); template.columns()],
            bytes: Vec::with_capacity(96),
            identities: Vec::new(),
        };
        for (at, value) in template.fixed() {
            line.place(*at, value);
        }
        line
    }

    /// Writes a value; an empty one leaves the field empty.
    ///
    /// # Errors
    ///
    /// [`WriteError::Field`] where the layout forbids it.
    pub fn set(&mut self, key: &str, value: &str) -> Result<&mut Self, WriteError> {
        self.set_nth(key, 0, value)
    }

    /// Writes a value into the repetition `index` (from 0) of a repeating field.
    ///
    /// # Errors
    ///
    /// [`WriteError::Field`] where the layout forbids it.
    pub fn set_nth(&mut self, key: &str, index: usize, value: &str) -> Result<&mut Self, WriteError> {
        let template = self.template;
        let Some(slot) = template.slot(key) else {
            return Err(template.error(key, FieldProblem::Unknown));
        };
        if index >= slot.repeat {
            return Err(template.error(key, FieldProblem::Repeat));
        }
        if value.is_empty() {
            return Ok(self);
        }
        if value.is_ascii() {
            self.checked(slot, value, value.as_bytes(), slot.at + index)?;
        } else {
            let bytes = encode(template.encoding(), value).ok_or(FieldProblem::Encoding);
            let bytes = bytes.map_err(|problem| template.error(key, problem))?;
            self.checked(slot, value, &bytes, slot.at + index)?;
        }
        if let Some(kind) = slot.identity {
            self.identities.push((kind, value.to_owned()));
        }
        Ok(self)
    }

    /// Writes a whole number.
    ///
    /// # Errors
    ///
    /// [`WriteError::Field`] where the layout forbids it.
    pub fn number(&mut self, key: &str, value: impl Into<u64>) -> Result<&mut Self, WriteError> {
        self.set(key, &value.into().to_string())
    }

    /// Writes a day.
    ///
    /// # Errors
    ///
    /// [`WriteError::Field`] where the layout forbids it.
    pub fn date(&mut self, key: &str, value: Date, calendar: Calendar) -> Result<&mut Self, WriteError> {
        self.set(key, &calendar::day(value, calendar))
    }

    /// Writes a month.
    ///
    /// # Errors
    ///
    /// [`WriteError::Field`] where the layout forbids it.
    pub fn month(&mut self, key: &str, value: Month, calendar: Calendar) -> Result<&mut Self, WriteError> {
        self.set(key, &calendar::month(value, calendar))
    }

    /// Says that free text of this line holds a direct identifier in this form.
    pub fn mention(&mut self, kind: &'static str, value: &str) -> &mut Self {
        self.identities.push((kind, value.to_owned()));
        self
    }

    /// Joins the fields.
    ///
    /// # Errors
    ///
    /// [`FieldProblem::Missing`] where a required field is empty.
    pub fn finish(self) -> Result<FinishedLine<'t>, WriteError> {
        let template = self.template;
        for slot in template.slots().iter().filter(|slot| slot.required) {
            if self.cells.get(slot.at).is_none_or(|(from, to)| from == to) {
                return Err(template.error(&slot.key, FieldProblem::Missing));
            }
        }
        let mut bytes = Vec::with_capacity(self.bytes.len() + self.cells.len() * 3);
        for (at, (from, to)) in self.cells.iter().enumerate() {
            if at > 0 {
                bytes.push(template.delimiter());
            }
            let value = self.bytes.get(*from..*to).unwrap_or_default();
            if at < template.quoted_from() {
                bytes.extend_from_slice(value);
            } else {
                bytes.push(b'"');
                bytes.extend_from_slice(value);
                bytes.push(b'"');
            }
        }
        Ok(FinishedLine { template, bytes, identities: self.identities })
    }

    fn checked(&mut self, slot: &Slot, value: &str, bytes: &[u8], at: usize) -> Result<(), WriteError> {
        let problem = slot.problem(value, bytes).or_else(|| {
            let ends = |byte: &u8| matches!(byte, b'\r' | b'\n' | b'"') || *byte == self.template.delimiter();
            bytes.iter().any(ends).then_some(FieldProblem::Delimiter)
        });
        if let Some(problem) = problem {
            return Err(self.template.error(&slot.key, problem));
        }
        self.place(at, bytes);
        Ok(())
    }

    fn place(&mut self, at: usize, value: &[u8]) {
        let from = self.bytes.len();
        self.bytes.extend_from_slice(value);
        if let Some(cell) = self.cells.get_mut(at) {
            *cell = (from, self.bytes.len());
        }
    }
}

/// The bytes of a text, or nothing where the encoding has none.
pub(crate) fn encode(encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Utf8 => Some(text.as_bytes().to_vec()),
        Encoding::Cp932 => {
            let (bytes, _, has_unmappable) = encoding_rs::SHIFT_JIS.encode(text);
            (!has_unmappable).then(|| bytes.into_owned())
        }
    }
}

#[cfg(test)]
mod tests;
