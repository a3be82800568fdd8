//! A report as headings, figures, pictures and tables, before it is a page, a workbook or a PDF.

use serde::Serialize;

use super::seal::Sealed;
use crate::Language;

/// A report in one language.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Document {
    /// `ja` or `en`.
    pub language: &'static str,
    /// The title.
    pub title: String,
    /// What it is about: a period, a project.
    pub subtitle: String,
    /// At the foot of each page.
    pub footer: String,
    /// What a reader must know first, as label and value.
    pub facts: Vec<(String, String)>,
    /// The sections in order.
    pub sections: Vec<Section>,
    /// What verifies it, on its last page.
    pub seal: Option<Sealed>,
}

/// A part of a report under one heading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Section {
    /// The heading.
    pub heading: String,
    /// What stands there.
    pub parts: Vec<Part>,
}

/// One thing in a section.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// A paragraph.
    Text(String),
    /// Large figures side by side.
    Figures(Vec<Figure>),
    /// A picture.
    Chart(Picture),
    /// A table.
    Table(Listing),
}

/// A large figure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figure {
    /// What it counts.
    pub label: String,
    /// The number, as people read it.
    pub value: String,
    /// A remark below, or nothing.
    pub note: String,
}

/// A picture with what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Picture {
    /// The picture.
    pub svg: String,
    /// What it shows.
    pub caption: String,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Its name, for a sheet of a workbook.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Vec<String>>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// The heading.
    pub name: String,
    /// Whether numbers stand in it.
    pub number: bool,
    /// Whether it takes what is left of the width.
    pub wide: bool,
}

impl Document {
    /// A report without sections yet.
    pub(crate) fn new(language: Language, title: &str, subtitle: String) -> Self {
        Self {
            language: language.pick("ja", "en"),
            title: title.to_owned(),
            subtitle,
            footer: String::new(),
            facts: Vec::new(),
            sections: Vec::new(),
            seal: None,
        }
    }

    /// The report as the JSON that `misu-pdf` reads.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(crate) fn fact(&mut self, label: &str, value: impl Into<String>) {
        self.facts.push((label.to_owned(), value.into()));
    }

    pub(crate) fn section(&mut self, heading: &str, parts: Vec<Part>) {
        let parts: Vec<Part> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        if !parts.is_empty() {
            self.sections.push(Section { heading: heading.to_owned(), parts });
        }
    }
}

impl Part {
    fn is_empty(&self) -> bool {
        match self {
            Self::Text(text) => text.is_empty(),
            Self::Figures(figures) => figures.is_empty(),
            Self::Chart(picture) => picture.svg.is_empty(),
            Self::Table(listing) => listing.rows.is_empty(),
        }
    }

    pub(crate) fn text(words: impl Into<String>) -> Self {
        Self::Text(words.into())
    }

    pub(crate) fn chart(svg: String, caption: &str) -> Self {
        Self::Chart(Picture { svg, caption: caption.to_owned() })
    }

    /// A table whose columns are named `name`, `name#` where numbers stand in it, `name*` where it is wide.
    pub(crate) fn table(name: &str, columns: &[&str], rows: Vec<Vec<String>>) -> Self {
        let column = |name: &&str| Column {
            name: name.trim_end_matches(['#', '*']).to_owned(),
            number: name.ends_with('#'),
            wide: name.ends_with('*'),
        };
        Self::Table(Listing { name: name.to_owned(), columns: columns.iter().map(column).collect(), rows })
    }
}

/// A large figure without a remark.
pub(crate) fn figure(label: &str, value: impl Into<String>) -> Figure {
    noted(label, value, "")
}

/// A large figure with a remark.
pub(crate) fn noted(label: &str, value: impl Into<String>, note: impl Into<String>) -> Figure {
    Figure { label: label.to_owned(), value: value.into(), note: note.into() }
}
