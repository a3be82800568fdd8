//! The line that names a file's columns, in files that have one: which field stands where.
//!
//! Columns come in any order and optional ones may be left out. A name that the layout does not know, a name given
//! twice or a required column left out is a fault of the whole file: its lines cannot be trusted to mean what they say.

use std::sync::Arc;

use catalog_model::Family;

use super::split::Fields;

/// What a file's heading must say, compiled from the layout.
#[derive(Debug)]
pub(crate) struct HeadingProgram {
    /// What the first line must say.
    title: Option<Vec<u8>>,
    columns: Option<Vec<Column>>,
    /// The number of items in the document's list.
    width: usize,
}

#[derive(Debug)]
struct Column {
    name: Vec<u8>,
    key: Arc<str>,
    at: usize,
    is_required: bool,
}

/// Where the fields of the file that is being read stand.
#[derive(Debug, Default)]
pub(crate) enum Heading {
    /// Files of the family have none, or it was not read yet.
    #[default]
    Awaited,
    /// For each item of the document's list its place in the line.
    Read { order: Vec<Option<usize>>, columns: usize },
    /// It is in quarantine, so the lines below it are orphans.
    Broken,
}

impl HeadingProgram {
    pub(crate) fn new(family: &Family) -> Self {
        let fields = family.records.iter().flat_map(|record| &record.fields);
        let columns = fields.map(|field| Column {
            name: field.column().as_bytes().to_vec(),
            key: field.key.as_str().into(),
            at: field.at,
            is_required: field.required,
        });
        Self {
            title: family.framing.title.as_ref().map(|title| title.as_bytes().to_vec()),
            columns: family.framing.header.then(|| columns.collect()),
            width: family.records.iter().flat_map(|record| &record.columns).copied().max().unwrap_or(0),
        }
    }

    /// What the first line says in every file of the family.
    pub(crate) fn title(&self) -> &[u8] {
        self.title.as_deref().unwrap_or_default()
    }

    /// Whether files of the family name their columns.
    pub(crate) const fn names_columns(&self) -> bool {
        self.columns.is_some()
    }

    /// Says whether the first line is the title; spreadsheets add empty columns to it.
    pub(crate) fn is_title(&self, line: &[u8], fields: &Fields) -> bool {
        let is_empty = |at: usize| fields.get(line, at).is_empty();
        self.title.is_none() || (fields.get(line, 0) == self.title() && (1..fields.len()).all(is_empty))
    }

    /// Reads the heading; where it is faulty, the name of the field that is missing or the place of the column that
    /// the layout does not know or that was there before. What the file calls an unknown column is not repeated.
    pub(crate) fn read(&self, line: &[u8], fields: &Fields) -> Result<Heading, Arc<str>> {
        let columns = self.columns.as_deref().unwrap_or_default();
        let mut order = vec![None; self.width];
        for at in 0..fields.len() {
            let name = fields.get(line, at).trim_ascii();
            let known = columns.iter().find(|column| column.name == name);
            match known.and_then(|column| order.get_mut(column.at)) {
                Some(place) if place.is_none() => *place = Some(at),
                _ => return Err(format!("column-{}", at + 1).into()),
            }
        }
        let is_missing =
            |column: &&Column| column.is_required && !matches!(order.get(column.at), Some(Some(_)));
        match columns.iter().find(is_missing) {
            Some(column) => Err(Arc::clone(&column.key)),
            None => Ok(Heading::Read { order, columns: fields.len() }),
        }
    }
}

impl Heading {
    /// Puts a line's fields into the order of the document's list; false where the line has another number of columns
    /// than the heading.
    pub(crate) fn arrange(&self, fields: &mut Fields) -> bool {
        let Self::Read { order, columns } = self else { return true };
        let fits = fields.len() == *columns;
        if fits {
            fields.arrange(order);
        }
        fits
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::Quotes;

    use super::{Column, Fields, Heading, HeadingProgram};

    fn program() -> HeadingProgram {
        let column = |at: usize, name: &str, is_required| Column {
            name: name.as_bytes().to_vec(),
            key: format!("key_{name}").into(),
            at,
            is_required,
        };
        let columns = vec![column(0, "a", true), column(1, "b", false), column(2, "c", true)];
        HeadingProgram { title: Some(b"KIND".to_vec()), columns: Some(columns), width: 3 }
    }

    fn split(line: &str) -> Fields {
        let mut fields = Fields::default();
        assert!(fields.split(line.as_bytes(), b',', Quotes::Optional));
        fields
    }

    #[test]
    fn columns_are_found_in_any_order_and_optional_ones_may_be_absent() {
        let read = |heading: &str, line: &str| {
            let heading =
                program().read(heading.as_bytes(), &split(heading)).map_err(|field| field.to_string())?;
            let mut fields = split(line);
            if !heading.arrange(&mut fields) {
                return Err("columns".to_owned());
            }
            let get = |at| String::from_utf8_lossy(fields.get(line.as_bytes(), at)).into_owned();
            Ok((0..fields.len()).map(get).collect::<Vec<_>>().join("|"))
        };
        assert_eq!(read("c,\"a\",b", "3,1,\"2\""), Ok("1|2|3".to_owned()));
        assert_eq!(read("c,a", "3,1"), Ok("1||3".to_owned()));
        assert_eq!(read("c,a", "3,1,2"), Err("columns".to_owned()));
        assert_eq!(read("a,b", "1,2"), Err("key_c".to_owned()));
        assert_eq!(read("a,d,c", "1,2,3"), Err("column-2".to_owned()));
        assert_eq!(read("a,c,a", "1,2,3"), Err("column-3".to_owned()));
    }

    #[test]
    fn a_title_stands_alone_on_its_line() {
        let is_title = |line: &str| program().is_title(line.as_bytes(), &split(line));
        assert!(is_title("KIND"));
        assert!(is_title("\"KIND\",,"));
        assert!(!is_title("KIND,a"));
        assert!(!is_title("OTHER"));
    }

    #[test]
    fn without_a_heading_fields_stay_where_they_are() {
        let mut fields = split("x,y");
        assert!(Heading::Awaited.arrange(&mut fields));
        assert_eq!(fields.get(b"x,y", 1), b"y");
    }
}
