//! A record layout, compiled for writing.

use std::collections::HashMap;

use catalog_model::{
    Catalogue, Class, Date, Encoding, Family, Field, FieldKind, Framing, Month, RecordLayout, Validity, Width,
};

use super::{FieldProblem, WriteError};

/// The templates of one family of files.
#[derive(Clone, Debug)]
pub struct FamilyTemplates {
    family: String,
    templates: HashMap<String, Template>,
}

impl FamilyTemplates {
    /// Compiles every record type of a family.
    ///
    /// # Errors
    ///
    /// [`WriteError::NoSuchFamily`], or [`WriteError::Tag`] where a tag does not fit the framing.
    pub fn new(catalogue: &Catalogue, family: &str) -> Result<Self, WriteError> {
        let layout =
            catalogue.families.get(family).ok_or_else(|| WriteError::NoSuchFamily(family.to_owned()))?;
        let templates = layout
            .records
            .iter()
            .map(|record| {
                Template::new(catalogue, layout, record).map(|made| (record.key().to_owned(), made))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { family: family.to_owned(), templates })
    }

    /// Puts every item from position `from` on in double quotes, in the record types that `keys` name.
    ///
    /// The layouts say that a reader must accept quotes; which lines a sender quotes is the sender's custom.
    #[must_use]
    pub fn quoted_from(mut self, from: usize, keys: &[&str]) -> Self {
        for key in keys {
            if let Some(template) = self.templates.get_mut(*key) {
                template.quoted_from = from;
            }
        }
        self
    }

    /// The family's name.
    pub fn family(&self) -> &str {
        &self.family
    }

    /// The template of a record type, by its short name.
    ///
    /// # Errors
    ///
    /// [`WriteError::NoSuchRecord`].
    pub fn record(&self, key: &str) -> Result<&Template, WriteError> {
        self.templates
            .get(key)
            .ok_or_else(|| WriteError::NoSuchRecord { family: self.family.clone(), record: key.to_owned() })
    }
}

/// One record type, ready to be written.
#[derive(Clone, Debug)]
pub struct Template {
    record: String,
    columns: usize,
    delimiter: u8,
    encoding: Encoding,
    quoted_from: usize,
    fixed: Vec<(usize, Vec<u8>)>,
    slots: Vec<Slot>,
    places: HashMap<String, usize>,
    totalled: bool,
}

impl Template {
    fn new(catalogue: &Catalogue, family: &Family, record: &RecordLayout) -> Result<Self, WriteError> {
        let tag_error = || WriteError::Tag(record.key().to_owned());
        let fixed = tag_places(&family.framing, &record.tag).ok_or_else(tag_error)?;
        let slots: Vec<Slot> =
            record.fields.iter().map(|field| Slot::new(catalogue, field, &fixed).dated(family)).collect();
        let places = slots.iter().enumerate().map(|(index, slot)| (slot.key.clone(), index)).collect();
        let totalled = family.totals.iter().any(|total| {
            let sums = total.sum.as_ref().is_some_and(|sum| sum.record == record.key());
            sums || total.count.iter().any(|key| key == record.key())
        });
        Ok(Self {
            record: record.key().to_owned(),
            columns: record.columns.iter().copied().max().unwrap_or(0),
            delimiter: u8::try_from(family.framing.delimiter).map_err(|_| tag_error())?,
            encoding: family.framing.encoding,
            quoted_from: usize::MAX,
            fixed,
            slots,
            places,
            totalled,
        })
    }

    /// The record type's short name.
    pub fn record(&self) -> &str {
        &self.record
    }

    /// The number of columns that are written.
    pub const fn columns(&self) -> usize {
        self.columns
    }

    /// The byte between fields.
    pub const fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The fields, by position.
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The field with this name.
    pub fn slot(&self, key: &str) -> Option<&Slot> {
        self.places.get(key).and_then(|index| self.slots.get(*index))
    }

    /// The position from which on items stand in double quotes; beyond the last column where none does.
    pub const fn quoted_from(&self) -> usize {
        self.quoted_from
    }

    /// Says whether a total that the file states counts or sums records of this type.
    pub const fn is_totalled(&self) -> bool {
        self.totalled
    }

    /// The encoding of its bytes.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    pub(super) fn fixed(&self) -> &[(usize, Vec<u8>)] {
        &self.fixed
    }

    pub(super) fn error(&self, field: &str, problem: FieldProblem) -> WriteError {
        WriteError::Field { record: self.record.clone(), field: field.to_owned(), problem }
    }
}

/// One field of a template.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The field's code name.
    pub key: String,
    /// Its position, counted from 0.
    pub at: usize,
    /// How many equal fields follow each other from there.
    pub repeat: usize,
    /// What its bytes may be.
    pub kind: FieldKind,
    /// The widths that are allowed.
    pub width: Width,
    /// Whether it must not be empty.
    pub required: bool,
    /// Whether it is part of the record's tag.
    pub is_tag: bool,
    /// The codes of its closed list, where it has one.
    pub codes: Option<Vec<String>>,
    /// The kind of direct identifier that it holds, if any, as the truth names it.
    pub identity: Option<&'static str>,
    /// Where it dates the line: a day outside the months that the layout is for.
    pub outside: Option<Date>,
}

impl Slot {
    fn new(catalogue: &Catalogue, field: &Field, fixed: &[(usize, Vec<u8>)]) -> Self {
        let closed = field.codes.as_ref().and_then(|name| catalogue.codes.get(name)).filter(|s| s.closed);
        Self {
            key: field.key.clone(),
            at: field.at,
            repeat: field.repeat,
            kind: field.kind,
            width: field.width,
            required: field.required,
            is_tag: fixed.iter().any(|(at, _)| *at == field.at),
            codes: closed.map(|system| system.codes.iter().map(|code| code.code.clone()).collect()),
            identity: identity_kind(field),
            outside: None,
        }
    }

    fn dated(mut self, family: &Family) -> Self {
        let outside = |valid: &Validity| match (valid.from, valid.until) {
            (Some(from), _) => Some(Month::from_index(from.index() - 1).first_day()),
            (None, Some(until)) => Some(Month::from_index(until.index() + 1).first_day()),
            (None, None) => None,
        };
        self.outside = family.valid.as_ref().filter(|valid| valid.by.field == self.key).and_then(outside);
        self
    }

    /// What the layout has against a value, if anything.
    pub(super) fn problem(&self, value: &str, bytes: &[u8]) -> Option<FieldProblem> {
        let is_wide = match self.width {
            Width::Any => false,
            Width::Exactly(width) => bytes.len() != width,
            Width::AtMost(width) => bytes.len() > width,
        };
        if is_wide {
            return Some(FieldProblem::Width);
        }
        if !is_of_kind(self.kind, bytes) {
            return Some(FieldProblem::Characters);
        }
        let is_known = self.codes.as_ref().is_none_or(|codes| codes.iter().any(|code| code == value));
        (!is_known).then_some(FieldProblem::Code)
    }
}

fn is_of_kind(kind: FieldKind, bytes: &[u8]) -> bool {
    let digits = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let unsigned = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    match kind {
        FieldKind::Text => true,
        FieldKind::Code => bytes.iter().all(u8::is_ascii_graphic),
        FieldKind::Digits => digits(bytes),
        FieldKind::Number => digits(unsigned),
        FieldKind::Decimal => {
            let mut parts = unsigned.splitn(2, |byte| *byte == b'.');
            parts.all(digits)
        }
        FieldKind::Date => digits(bytes) && matches!(bytes.len(), 7 | 8),
        FieldKind::Month => digits(bytes) && matches!(bytes.len(), 5 | 6),
        FieldKind::Empty => bytes.is_empty(),
    }
}

/// Where the parts of a tag stand: the framing's tag positions, refined by the tag so far again and again. Of several
/// tags the first is written.
fn tag_places(framing: &Framing, tag: &str) -> Option<Vec<(usize, Vec<u8>)>> {
    let tags = framing.tags(tag);
    let parts: Vec<&str> = tags.first()?.split(':').filter(|part| !part.is_empty()).collect();
    let mut positions = framing.tag.clone();
    let mut known = String::new();
    let mut places = Vec::new();
    while let Some(part) = parts.get(places.len()) {
        if places.len() == positions.len() {
            positions.extend(framing.refined(&known)?);
        }
        places.push((*positions.get(places.len())?, part.as_bytes().to_vec()));
        if !known.is_empty() {
            known.push(':');
        }
        known.push_str(part);
    }
    Some(places)
}

/// The kind under which the truth lists what stands in a field: everything direct, and the insurer numbers.
fn identity_kind(field: &Field) -> Option<&'static str> {
    match field.role.as_deref() {
        Some("name") => return Some("name"),
        Some("kana_name") => return Some("kana_name"),
        Some("insurer_no" | "individual_insurer_no") => return Some("insurer_no"),
        Some("insured_symbol" | "individual_symbol") => return Some("insured_symbol"),
        Some("insured_number" | "individual_number") => return Some("insured_number"),
        Some("branch_no") => return Some("branch_no"),
        Some("care_insurer_no") => return Some("care_insurer_no"),
        Some("care_insured_no") => return Some("care_insured_no"),
        Some("dpc_data_id") => return Some("dpc_data_id"),
        _ => {}
    }
    match (field.class, field.key.as_str()) {
        (Class::Link, "insurer_no") => Some("insurer_no"),
        (Class::Direct, "chart_no" | "billing_info") => Some("chart_no"),
        (Class::Direct, "address") => Some("address"),
        (Class::Direct, "contact") => Some("phone"),
        (Class::Direct, _) if field.ja.ends_with("郵便番号") => Some("postcode"),
        (Class::Direct, "search_no") => Some("search_no"),
        (Class::Direct, key) if key.ends_with("recipient_no") => Some("public_recipient_no"),
        (Class::Direct, _) => Some("other"),
        _ => None,
    }
}
