//! Data as delivered: families of files, their framing, their record types and fields.
//!
//! A family is one kind of file of one revision (a medical UKE file, a 様式1 file). Everything a reader and the
//! synthetic writer need to know stands here; neither has knowledge of a format of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::calendar::Month;
use crate::class::Class;
use crate::master::Master;
use crate::names::Names;
use crate::package::{ElementPath, ItemRule, Package};

/// One kind of file of one revision.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// The family's name, used by delivery manifests: `ndb-medical`.
    pub family: String,
    /// The database it belongs to: `ndb`, `dpc`, `care`, `public`.
    pub database: String,
    /// Official name and ours.
    pub name: Names,
    /// The document that defines it.
    pub source: String,
    /// How bytes become records.
    pub framing: Framing,
    /// Which records belong together.
    #[serde(default)]
    pub group: Grouping,
    /// The fields that name the receipt, stay or claim that a record belongs to.
    #[serde(default)]
    pub record_key: Vec<FieldRef>,
    /// The fields that must not occur twice; a second group with the same values is a duplicate.
    #[serde(default)]
    pub unique_key: Vec<FieldRef>,
    /// Further fields of the unique key, which may be empty: of the first line, where a record has several.
    #[serde(default)]
    pub unique_with: Vec<FieldRef>,
    /// Which of several records with the same unique key counts.
    #[serde(default)]
    pub keep: Keep,
    /// The field whose month dates the identities in a record.
    pub month: Option<FieldRef>,
    /// The months that this revision is for; a line of another month is a fault.
    pub valid: Option<Validity>,
    /// Whether every position is described: a value where no field stands is a fault.
    #[serde(default)]
    pub closed: bool,
    /// Fields that every record of the family begins with.
    #[serde(default)]
    pub common: Vec<Field>,
    /// Totals that the file states about itself.
    #[serde(default, rename = "total")]
    pub totals: Vec<Total>,
    /// The record types; filled from this file and from its siblings.
    #[serde(default, rename = "record")]
    pub records: Vec<RecordLayout>,
}

impl Family {
    /// The record type with the short name `key`.
    pub fn record(&self, key: &str) -> Option<&RecordLayout> {
        self.records.iter().find(|record| record.key() == key)
    }

    /// The field that `reference` names; the record `common` stands for the fields that every record begins with.
    pub fn field(&self, reference: &FieldRef) -> Option<&Field> {
        if reference.record == "common" {
            return self.common.iter().find(|field| field.key == reference.field);
        }
        self.record(&reference.record)?.field(&reference.field)
    }
}

/// The months that a revision is for, and the field that dates a line.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Validity {
    /// The field whose month is compared; a line where it is empty is not.
    pub by: FieldRef,
    /// The first month.
    pub from: Option<Month>,
    /// The last month.
    pub until: Option<Month>,
}

/// A total that a file states about itself: a number of lines, or a sum over them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Total {
    /// The field of the header or trailer that states it.
    pub stated: FieldRef,
    /// The record types whose lines are counted.
    #[serde(default)]
    pub count: Vec<String>,
    /// The field that is summed.
    pub sum: Option<FieldRef>,
}

/// How a file's bytes become records and fields.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// The character encoding.
    pub encoding: Encoding,
    /// The single byte between fields.
    pub delimiter: char,
    /// Whether items may stand in double quotes.
    #[serde(default)]
    pub quotes: Quotes,
    /// What ends a line.
    #[serde(default)]
    pub ends: LineEnds,
    /// Whether a line that is no UTF-8 is read as CP932; for files of which the document allows both.
    #[serde(default)]
    pub may_be_cp932: bool,
    /// Lines to skip at the start (a heading).
    #[serde(default)]
    pub skip_lines: usize,
    /// What the first of the skipped lines must say; anything else is a fault of the whole file.
    pub title: Option<String>,
    /// Whether the line after the skipped ones names the columns. Fields are then found by [`Field::column`], in any
    /// order; a file may leave out columns that are not required, and may not have others.
    #[serde(default)]
    pub header: bool,
    /// Whether every line has as many columns as the first one, skipped or not, that has a number the layout knows.
    #[serde(default)]
    pub same_columns: bool,
    /// The positions whose values, joined by `:`, name the record type; empty where a file has one type only.
    #[serde(default)]
    pub tag: Vec<usize>,
    /// For some tags, further positions to join, again and again; a part may give alternatives: `2:7131|7132`.
    #[serde(default)]
    pub refine: BTreeMap<String, Vec<usize>>,
    /// Files are zip packages of XML documents, whose elements become lines.
    pub package: Option<Package>,
}

impl Framing {
    /// The further positions to join after `tag`, where there are any.
    pub fn refined(&self, tag: &str) -> Option<&[usize]> {
        let found = self.refine.iter().find(|(written, _)| is_tag(written, tag));
        found.map(|(_, positions)| positions.as_slice())
    }

    /// Every tag that a written tag stands for: `2:7131|7132:01` is two, and `2:*:01` is one for each value that
    /// [`Framing::refine`] names after the `2`.
    pub fn tags(&self, written: &str) -> Vec<String> {
        let mut parts = written.split(':');
        let first = parts.next().unwrap_or_default().split('|').map(str::to_owned).collect();
        parts.fold(first, |tags: Vec<String>, part| {
            let choices = |tag: &String| match part {
                "*" => self.values_after(tag),
                _ => part.split('|').map(str::to_owned).collect(),
            };
            let longer = tags
                .iter()
                .flat_map(|tag| choices(tag).into_iter().map(move |choice| format!("{tag}:{choice}")));
            longer.collect()
        })
    }

    /// The values that may follow `tag` because the tag made of both is refined.
    fn values_after(&self, tag: &str) -> Vec<String> {
        let ends = self.refine.keys().filter_map(|written| written.rsplit_once(':'));
        let here = ends.filter(|(start, _)| is_tag(start, tag));
        here.flat_map(|(_, choices)| choices.split('|').map(str::to_owned)).collect()
    }
}

/// Says whether `tag` is one of those that a written tag stands for.
fn is_tag(written: &str, tag: &str) -> bool {
    let (mut choices, mut parts) = (written.split(':'), tag.split(':'));
    loop {
        match (choices.next(), parts.next()) {
            (None, None) => return true,
            (Some(choices), Some(part)) if choices.split('|').any(|choice| choice == part) => {}
            _ => return false,
        }
    }
}

/// A character encoding of deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Windows-31J, the Shift_JIS that Japanese systems write.
    Cp932,
    /// UTF-8, with or without a byte order mark.
    Utf8,
}

/// Whether items stand in double quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quotes {
    /// A double quote is data.
    #[default]
    Never,
    /// An item may be quoted; a doubled quote inside stands for one.
    Optional,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LineEnds {
    /// LF, or CR and LF.
    #[default]
    Feed,
    /// CR alone as well, and nothing that stands in a quoted item: an item may have several lines. Only of files with a
    /// heading, which are read from their beginning.
    Any,
}

/// Which of several records with the same unique key counts; the others are duplicates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// The first: what comes again repeats it.
    #[default]
    First,
    /// The last: what comes again corrects it.
    Last,
}

/// Which consecutive records belong together.
///
/// Lines with the same record key share a record number in any case, wherever they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Grouping {
    /// Each line stands alone; lines that follow each other with the same record key belong together.
    #[default]
    Lines,
    /// Each line stands alone, so that of two lines with the same unique key the second is a duplicate.
    Each,
    /// A record of this type opens a group (RE opens a receipt).
    Opener(String),
    /// Lines with the same values at these positions form a group (one stay of 様式1).
    Key(Vec<usize>),
}

/// What a record type is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Content of a group.
    #[default]
    Body,
    /// Stands before the groups and holds for all that follow (IR).
    Header,
    /// Closes the file (GO); a file without it is truncated.
    Trailer,
}

/// One record type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordLayout {
    /// The values at the tag positions, joined by `:`; see [`Framing::tags`] for the form.
    #[serde(default)]
    pub tag: String,
    /// The short name by which tables refer to it; the tag where none is given.
    key: Option<String>,
    /// Official name and ours.
    pub name: Names,
    /// The document that defines it, where it is another than the family's.
    pub source: Option<String>,
    /// Header, body or trailer.
    #[serde(default)]
    pub part: Part,
    /// The column counts that occur; any other count is a fault. Empty where no source gives them: such a record is
    /// dropped and nothing is read from it.
    pub columns: Vec<usize>,
    /// Why no table keeps a record of this type, where none does.
    pub dropped: Option<String>,
    /// How the record becomes a code, where it is one of an official master.
    pub master: Option<Master>,
    /// Identity roles count only in records where this field has this value (SN of the medical insurance).
    #[serde(default)]
    pub roles_when: BTreeMap<String, String>,
    /// What a code system says about the coded items that lines of this type hold.
    pub item: Option<ItemRule>,
    /// The part that its lines play in runs of lines that share points and days.
    pub run: Option<Run>,
    /// Which of its lines are content; others are dropped.
    pub kept: Option<Kept>,
    /// The fields, by position.
    #[serde(default)]
    pub fields: Vec<Field>,
}

/// The part that a record type plays in runs (点数・回数算定単位): lines that share points, times and days.
///
/// A line that finds no open run begins one, unless it only joins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Run {
    /// The field whose value begins a new run (診療識別).
    pub opens: Option<String>,
    /// The field whose value ends the run (点数).
    pub closes: Option<String>,
    /// Whether a line belongs to the run before it where none is open (コメント).
    #[serde(default)]
    pub joins: bool,
    /// Values of the opening field that stand apart from any run (01 and 99 of 診療識別: the whole receipt).
    #[serde(default)]
    pub apart: Vec<String>,
}

/// Which lines of a record type are content.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// The field that tells.
    pub field: String,
    /// Its values in lines that are content.
    pub values: Vec<String>,
    /// Why the other lines are dropped.
    pub otherwise: String,
}

impl RecordLayout {
    /// The short name by which tables refer to the record type.
    pub fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.tag)
    }

    /// The field with this key.
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }
}

/// One field of a record type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Position in the line, counted from 0; in the document's list of items where the file has a heading line.
    pub at: usize,
    /// The code name.
    pub key: String,
    /// The official Japanese name.
    pub ja: String,
    /// What the bytes may be.
    #[serde(default, rename = "type")]
    pub kind: FieldKind,
    /// The widths in bytes that are allowed.
    #[serde(default)]
    pub width: Width,
    /// Whether an empty field is a fault.
    #[serde(default)]
    pub required: bool,
    /// How secret it is.
    #[serde(default)]
    pub class: Class,
    /// The identity role it plays in a keyed hash.
    pub role: Option<String>,
    /// The code system whose codes are the only ones allowed.
    pub codes: Option<String>,
    /// The number of equal fields that follow each other from here (31 day columns).
    #[serde(default = "one")]
    pub repeat: usize,
    /// The distance between them, where fields of several kinds take turns (code, points, code, points).
    #[serde(default = "one")]
    pub stride: usize,
    /// The width of equal pieces that the value is put together from; its length must be a multiple.
    pub pieces: Option<usize>,
    /// Values that mean "none" (an unknown date written as 00000000).
    #[serde(default)]
    pub none: Vec<String>,
    /// Where the value stands below the element that makes the line, in a package.
    pub path: Option<ElementPath>,
    /// The name in the heading line, where it is not the key.
    column: Option<String>,
}

impl Field {
    /// The name in the heading line of a file that has one.
    pub fn column(&self) -> &str {
        self.column.as_deref().unwrap_or(&self.key)
    }
}

const fn one() -> usize {
    1
}

impl Field {
    /// The positions of the field in the line.
    pub fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let (at, stride) = (self.at, self.stride.max(1));
        (0..self.repeat.max(1)).map(move |number| at + number * stride)
    }
}

/// What a field's bytes may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Any characters of the file's encoding.
    #[default]
    Text,
    /// Printable ASCII without a space.
    Code,
    /// ASCII digits.
    Digits,
    /// A whole number, perhaps with a sign.
    Number,
    /// A decimal number, perhaps with a sign.
    Decimal,
    /// A day: `YYYYMMDD`, or `GYYMMDD` in the Japanese calendar; told apart by length.
    Date,
    /// A month: `YYYYMM`, or `GYYMM` in the Japanese calendar; told apart by length.
    Month,
    /// Nothing: the position is reserved, and a value in it would be one of another revision.
    Empty,
}

/// The widths in bytes that a field may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Width {
    /// Not said by the source.
    #[default]
    Any,
    /// Exactly so many.
    Exactly(usize),
    /// At most so many.
    AtMost(usize),
}

impl<'de> Deserialize<'de> for Width {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Exactly(usize),
            AtMost(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Exactly(width) => Ok(Self::Exactly(width)),
            Written::AtMost(text) => text
                .strip_prefix("<=")
                .and_then(|digits| digits.trim().parse().ok())
                .map(Self::AtMost)
                .ok_or_else(|| serde::de::Error::custom("a width is a number, or \"<= number\"")),
        }
    }
}

/// Names a field of a record type: `RE.service_month`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldRef {
    /// The record type's short name.
    pub record: String,
    /// The field's key.
    pub field: String,
}

impl fmt::Display for FieldRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.record, self.field)
    }
}

/// The text is not of the form `RECORD.field`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form RECORD.field")]
pub struct NotAFieldRef;

impl FromStr for FieldRef {
    type Err = NotAFieldRef;

    fn from_str(text: &str) -> Result<Self, NotAFieldRef> {
        let (record, field) = text.rsplit_once('.').ok_or(NotAFieldRef)?;
        if record.is_empty() || field.is_empty() {
            return Err(NotAFieldRef);
        }
        Ok(Self { record: record.to_owned(), field: field.to_owned() })
    }
}

impl<'de> Deserialize<'de> for FieldRef {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{Encoding, Framing, LineEnds, Quotes};

    #[test]
    fn a_written_tag_stands_for_each_of_its_alternatives() {
        let framing = Framing {
            encoding: Encoding::Utf8,
            delimiter: ',',
            quotes: Quotes::Never,
            ends: LineEnds::Feed,
            may_be_cp932: false,
            skip_lines: 0,
            title: None,
            header: false,
            same_columns: false,
            tag: vec![0],
            refine: BTreeMap::from([("2".to_owned(), vec![2]), ("2:7131|71A3".to_owned(), vec![3])]),
            package: None,
        };
        assert_eq!(framing.tags("2:7131|7132:01"), ["2:7131:01", "2:7132:01"]);
        assert_eq!(framing.tags("2:*:01"), ["2:7131:01", "2:71A3:01"]);
        assert_eq!(framing.tags("3:*"), [""; 0]);
        assert_eq!(framing.tags("RE"), ["RE"]);
        assert_eq!(framing.tags(""), [""]);
        assert_eq!(framing.refined("2:71A3"), Some([3].as_slice()));
        assert_eq!(framing.refined("2:8222"), None);
        assert_eq!(framing.refined("2:7131:01"), None);
    }
}
