//! Data as released: tables, columns, and how each column is made from delivered fields.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::class::Class;
use crate::derivation::Derivation;
use crate::generalise::Generalise;
use crate::layout::FieldRef;
use crate::names::Names;

/// One table of a snapshot.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// The table's name in SQL.
    pub table: String,
    /// The database it belongs to.
    pub database: String,
    /// Official name and ours.
    pub name: Names,
    /// What one row is.
    pub row: Names,
    /// Whom a row is about.
    #[serde(default)]
    pub unit: Unit,
    /// The month column that cuts files by fiscal year and that a permit's period limits.
    pub period: Option<String>,
    /// The time for which a row of a public table holds, where it holds for one.
    pub times: Option<Times>,
    /// The document that defines the content.
    pub source: String,
    /// What a reader must know before using it.
    pub note: Option<Names>,
    /// Where rows come from; nothing where they are derived.
    #[serde(default, rename = "feed")]
    pub feeds: Vec<Feed>,
    /// How rows are made from those of other tables at publish.
    pub derive: Option<Derivation>,
    /// The columns, in order.
    #[serde(rename = "column")]
    pub columns: Vec<Column>,
}

impl Table {
    /// The column with this name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    /// The column of class `person`, which every table about persons has.
    pub fn person_column(&self) -> Option<&Column> {
        self.columns.iter().find(|column| column.class == Class::Person)
    }

    /// The facility behind a row: the first column of class `facility`. Wards and other offices follow it.
    pub fn facility_column(&self) -> Option<&Column> {
        self.unit_column(Class::Facility)
    }

    /// The facility, insurer or municipality behind a row: the first column of this class.
    pub fn unit_column(&self, class: Class) -> Option<&Column> {
        self.columns.iter().find(|column| column.class == class)
    }

    /// Says whether rows are about persons and therefore only leave as protected cells.
    pub fn is_private(&self) -> bool {
        self.unit == Unit::Person
    }

    /// Says whether rows are public facts, which nothing protects: about no person, and without a facility or anything
    /// that describes one.
    pub fn is_open(&self) -> bool {
        let is_plain = |column: &Column| matches!(column.class, Class::Plain | Class::Measure);
        self.unit == Unit::Public && self.columns.iter().all(is_plain)
    }
}

/// Whom a row is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// A person: the row is bucketed by person and never leaves.
    #[default]
    Person,
    /// Nobody: public facts, or facilities ([`Table::is_open`]).
    Public,
}

/// The time for which a row holds: those of one code do not overlap. A day that is not given bounds nothing.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// The column with the code.
    pub of: String,
    /// The column with the first day.
    pub from: String,
    /// The column with the last day.
    pub to: String,
}

/// Where a table's rows come from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// The family of files; none for the person table, which linkage makes.
    pub family: Option<String>,
    /// What makes a row.
    pub row: RowOf,
    /// A row is made only where these fields of the record (of a group: its common fields) have these values.
    #[serde(default)]
    pub when: BTreeMap<String, String>,
    /// The field that makes a row for each of its pieces, or for each of its repetitions that has a value; one that
    /// stands once makes a row where it has a value.
    pub each: Option<String>,
    /// Columns that come from another field than the column itself says.
    #[serde(default)]
    pub from: BTreeMap<String, Source>,
    /// Columns whose value the file does not say, because it is what the file is (inpatient or outpatient).
    #[serde(default)]
    pub set: BTreeMap<String, String>,
}

impl Feed {
    /// Says whether every record type of the family makes a row, written as `records = ["*"]`.
    pub fn takes_every_record(&self) -> bool {
        matches!(&self.row, RowOf::Records(records) if records.iter().any(|record| record == "*"))
    }
}

/// What makes a row.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowOf {
    /// Each record of these types.
    Records(Vec<String>),
    /// Each group: a receipt, a stay.
    Group,
    /// Each linked person.
    Person,
}

/// One column of a table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// The name in SQL.
    pub name: String,
    /// Official Japanese name.
    pub ja: String,
    /// Our English name.
    pub en: String,
    /// How secret it is.
    pub class: Class,
    /// The stored type.
    #[serde(rename = "type")]
    pub kind: ColumnKind,
    /// The fields it is made of; empty where linkage gives the value.
    #[serde(default)]
    pub from: Source,
    /// How the fields become the value.
    #[serde(default)]
    pub treat: Treatment,
    /// Which records of the group give the value, where only those of some items do.
    pub pick: Option<Pick>,
    /// The finite set of values by which it may be grouped.
    pub domain: Option<Domain>,
    /// The code system that names its values.
    pub codes: Option<String>,
    /// The code system of its values, where that is not the one that names them; a list of codes is put to it.
    pub system: Option<String>,
    /// The unit of a measure: 点, 円, 日.
    pub unit: Option<String>,
    /// The range that a measure is clamped to before it is summed.
    pub bounds: Option<Bounds>,
    /// How it is seen in the anonymized tier, where that differs from what follows from its type.
    pub generalise: Option<Generalise>,
    /// What a reader must know (a day that is a convention, a code that changed).
    pub note: Option<String>,
}

impl Column {
    /// The code system that its values are of: as the catalogue says, else what is looked up, else what names them.
    pub fn value_system(&self) -> Option<&str> {
        let looked_up = match &self.treat {
            Treatment::Lookup(attribute) => Some(attribute),
            _ => None,
        };
        self.system.as_ref().or(looked_up).or(self.codes.as_ref()).map(String::as_str)
    }

    /// Whether its values are ages in years.
    pub fn is_age(&self) -> bool {
        self.treat == Treatment::Age || self.unit.as_deref() == Some("歳")
    }
}

/// The fields that a column is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source(pub Vec<FieldRef>);

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            One(FieldRef),
            Many(Vec<FieldRef>),
        }
        Ok(match Written::deserialize(deserializer)? {
            Written::One(field) => Self(vec![field]),
            Written::Many(fields) => Self(fields),
        })
    }
}

/// The records of a group that give a column's value: one column for an item of a long list.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pick {
    /// The field that says which item a record holds.
    pub field: String,
    /// The items' codes; where the group has several, the first of this list counts.
    pub codes: Vec<String>,
}

/// The stored type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnKind {
    /// A dense surrogate number (person, record, facility).
    Id,
    /// Text, in practice a code.
    String,
    /// A day.
    Date,
    /// A month, stored as its first day.
    Month,
    /// A whole number.
    Int,
    /// A decimal number with five places, stored as a scaled whole number.
    Decimal5,
    /// Yes or no.
    Bool,
    /// A set of days of the month, bit 0 for the first.
    Days,
}

/// How fields become a value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Treatment {
    /// The field's value, in the column's type.
    #[default]
    Plain,
    /// A keyed surrogate of the joined fields, numbered at publish.
    Surrogate,
    /// The same of the digits of one field, filled with zeros on the left first, where one number is written in several
    /// widths; nothing where there are more digits.
    PaddedSurrogate {
        /// The width to fill to.
        width: usize,
    },
    /// The last non-empty value of the field in the group.
    Carry,
    /// A part of the value: first character (from 0) and length.
    Part(usize, usize),
    /// A part of the value after it was filled with zeros on the left.
    PaddedPart {
        /// The width to fill to.
        width: usize,
        /// The first character, from 0.
        start: usize,
        /// How many characters.
        length: usize,
    },
    /// One of two words, by whether the value's last digit is odd or even.
    LastDigit {
        /// The word for an odd digit.
        odd: String,
        /// The word for an even digit.
        even: String,
    },
    /// An attribute of the code in the column's code system; unknown codes become null.
    Lookup(String),
    /// How many records of the type the group has.
    Count,
    /// Whether any of the fields has a value.
    Present,
    /// Whether the value, cut into pieces of the text's length, has this piece; an empty one has not.
    HasPiece(String),
    /// The day columns as a set of days.
    DaySet,
    /// A text with one character for each day as a set of days: those whose character is neither 0 nor a space.
    DayCharacters,
    /// Days from the first field to the second.
    DaysBetween,
    /// Completed years from the first field, a birth date, to the second.
    Age,
    /// The first field times the second; null where one of them is empty.
    Product,
    /// Whether the value is none of these; true where it is empty.
    NoneOf(Vec<String>),
    /// The number of the run (点数・回数算定単位) that the line belongs to, counted within its group from 1.
    ClaimRun,
}

/// The finite set of values by which a column may be grouped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Domain {
    /// The codes of a code system; a value outside is shown as "other".
    Codes(String),
    /// The months of the snapshot's period.
    Months,
    /// True and false.
    Flag,
}

/// The range that a measure is clamped to before it is summed, in the measure's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// The lowest value that counts.
    pub low: i64,
    /// The highest value that counts.
    pub high: i64,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Table;
    use crate::Catalogue;

    #[test]
    fn tables_of_public_facts_name_no_facility_and_describe_nobody() {
        let catalogue = Catalogue::builtin().unwrap();
        let open = catalogue.tables.values().filter(|table| table.is_open());
        let open: Vec<&str> = open.map(|table| table.table.as_str()).collect();
        assert_eq!(open, ["medical_area", "municipality", "population"]);
        let hospitals = &catalogue.tables["dpc_facility"];
        assert!(!hospitals.is_private() && !hospitals.is_open());
    }

    #[test]
    fn the_facility_of_a_table_is_where_the_record_was_made() {
        let catalogue = Catalogue::builtin().unwrap();
        let own = catalogue.tables.values().filter_map(Table::facility_column);
        let own: BTreeSet<&str> = own.map(|column| column.name.as_str()).collect();
        assert_eq!(own, BTreeSet::from(["facility_id", "office_id"]));
    }
}
