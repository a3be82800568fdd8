//! Reads catalogue files into one checked value.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::check;
use crate::codes::CodeSystem;
use crate::layout::{Family, RecordLayout};
use crate::scheme::{IdentityRole, Scheme};
use crate::table::Table;

/// Everything that the catalogue files say, checked.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// Families of delivered files, by name.
    pub families: BTreeMap<String, Family>,
    /// Tables of a snapshot, by name.
    pub tables: BTreeMap<String, Table>,
    /// Code systems, by name.
    pub codes: BTreeMap<String, CodeSystem>,
    /// Identity roles, by name.
    pub roles: BTreeMap<String, IdentityRole>,
    /// Identity schemes, in the order of their files.
    pub schemes: Vec<Scheme>,
}

/// What is wrong with a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key}: {problem}")]
pub struct CatalogueError {
    /// The file, as a path below the catalogue.
    pub file: String,
    /// The key inside the file, as far as it is known.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The text is not TOML of the expected form.
    #[error("{0}")]
    Form(String),
    /// The file lies in a folder that the catalogue does not have.
    #[error("not in codes/, layouts/, schemes/ or tables/")]
    Place,
    /// The same name is given twice.
    #[error("given twice")]
    Twice,
    /// A name that nothing defines.
    #[error("refers to {0}, which nothing defines")]
    Unknown(String),
    /// A field that no record type has room for.
    #[error("position {at} lies beyond the {columns} columns of the record")]
    Beyond {
        /// The field's last position.
        at: usize,
        /// The record's largest column count.
        columns: usize,
    },
    /// A secret field would become a column.
    #[error("made of {field}, which is of class {class} and must not be stored")]
    Secret {
        /// The delivered field.
        field: String,
        /// Its class.
        class: &'static str,
    },
    /// A rule of the catalogue that does not hold.
    #[error("{0}")]
    Rule(&'static str),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordsFile {
    #[serde(rename = "record")]
    records: Vec<RecordLayout>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesFile {
    #[serde(rename = "role")]
    roles: Vec<IdentityRole>,
}

impl Catalogue {
    /// Parses and checks catalogue files given as (path below the catalogue, text).
    ///
    /// # Errors
    ///
    /// All errors of all files at once, each with its file and key.
    pub fn parse<'a>(
        files: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Vec<CatalogueError>> {
        let mut reading = Reading::default();
        for (path, text) in files {
            reading.file(path, text);
        }
        reading.finish()
    }

    /// The catalogue that this build ships.
    ///
    /// # Errors
    ///
    /// As [`Catalogue::parse`]; a test keeps the shipped files free of errors.
    pub fn builtin() -> Result<Self, Vec<CatalogueError>> {
        Self::parse(crate::BUILTIN.iter().copied())
    }
}

#[derive(Default)]
struct Reading {
    catalogue: Catalogue,
    // Record files by folder; they join the family whose file.toml lies in the same folder.
    records: BTreeMap<String, Vec<RecordLayout>>,
    folders: BTreeMap<String, String>,
    // Codes of official masters, by system; they join the system of that name.
    imported: BTreeMap<String, CodeSystem>,
    errors: Vec<CatalogueError>,
}

/// Where the codes of imported masters lie.
const IMPORTED: &str = "codes/imported/";

impl Reading {
    fn file(&mut self, path: &str, text: &str) {
        let Some((room, rest)) = path.split_once('/') else {
            return self.error(path, "file", Problem::Place);
        };
        match room {
            "codes" => self.codes(path, text),
            "schemes" if rest == "roles.toml" => self.roles(path, text),
            "schemes" => self.scheme(path, text),
            "layouts" => self.layout(path, text),
            "tables" => self.table(path, text),
            _ => self.error(path, "file", Problem::Place),
        }
    }

    fn codes(&mut self, path: &str, text: &str) {
        let Some(system) = self.read::<CodeSystem>(path, text) else { return };
        let name = system.system.clone();
        let systems = if path.starts_with(IMPORTED) { &mut self.imported } else { &mut self.catalogue.codes };
        if systems.insert(name.clone(), system).is_some() {
            self.error(path, &name, Problem::Twice);
        }
    }

    fn roles(&mut self, path: &str, text: &str) {
        let Some(file) = self.read::<RolesFile>(path, text) else { return };
        for role in file.roles {
            let name = role.role.clone();
            if self.catalogue.roles.insert(name.clone(), role).is_some() {
                self.error(path, &name, Problem::Twice);
            }
        }
    }

    fn scheme(&mut self, path: &str, text: &str) {
        let Some(scheme) = self.read::<Scheme>(path, text) else { return };
        if self.catalogue.schemes.iter().any(|other| other.scheme == scheme.scheme) {
            self.error(path, &scheme.scheme, Problem::Twice);
        }
        self.catalogue.schemes.push(scheme);
    }

    fn layout(&mut self, path: &str, text: &str) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        if !path.ends_with("/file.toml") {
            let Some(file) = self.read::<RecordsFile>(path, text) else { return };
            self.records.entry(folder).or_default().extend(file.records);
            return;
        }
        let Some(family) = self.read::<Family>(path, text) else { return };
        let name = family.family.clone();
        self.folders.insert(name.clone(), folder);
        if self.catalogue.families.insert(name.clone(), family).is_some() {
            self.error(path, &name, Problem::Twice);
        }
    }

    fn table(&mut self, path: &str, text: &str) {
        let Some(table) = self.read::<Table>(path, text) else { return };
        let name = table.table.clone();
        if self.catalogue.tables.insert(name.clone(), table).is_some() {
            self.error(path, &name, Problem::Twice);
        }
    }

    fn read<T: DeserializeOwned>(&mut self, path: &str, text: &str) -> Option<T> {
        toml::from_str(text)
            .map_err(|error| {
                let line =
                    error.span().map(|span| text.get(..span.start).unwrap_or(text).matches('\n').count() + 1);
                let key = line.map_or_else(|| "file".to_owned(), |line| format!("line {line}"));
                self.error(path, &key, Problem::Form(error.message().to_owned()));
            })
            .ok()
    }

    fn error(&mut self, file: &str, key: &str, problem: Problem) {
        self.errors.push(CatalogueError { file: file.to_owned(), key: key.to_owned(), problem });
    }

    fn finish(mut self) -> Result<Catalogue, Vec<CatalogueError>> {
        for (name, folder) in &self.folders {
            let Some(family) = self.catalogue.families.get_mut(name) else { continue };
            family.records.extend(self.records.remove(folder).unwrap_or_default());
            let common = family.common.clone();
            for record in &mut family.records {
                record.fields.splice(0..0, common.iter().cloned());
            }
        }
        for (name, imported) in std::mem::take(&mut self.imported) {
            match self.catalogue.codes.get_mut(&name) {
                Some(system) => system.extend(imported),
                None => drop(self.catalogue.codes.insert(name, imported)),
            }
        }
        self.catalogue.codes.values_mut().for_each(CodeSystem::name_all);
        for folder in std::mem::take(&mut self.records).into_keys() {
            self.error(&folder, "record", Problem::Unknown("a file.toml in this folder".to_owned()));
        }
        self.errors.extend(check::catalogue(&self.catalogue));
        if self.errors.is_empty() { Ok(self.catalogue) } else { Err(self.errors) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, CatalogueError};

    fn errors(files: &[(&str, &str)]) -> Vec<String> {
        Catalogue::parse(files.iter().copied())
            .map_or_else(|errors| errors.iter().map(CatalogueError::to_string).collect(), |_| Vec::new())
    }

    #[test]
    fn the_shipped_catalogue_has_no_error() {
        let shipped = Catalogue::builtin();
        assert!(shipped.is_ok(), "{:#?}", shipped.err());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let text = "system = \"sex\"\nname = { ja = \"性別\", en = \"sex\" }\nsource = \"x\"\ncolour = 1\ncode = []\n";
        let found = errors(&[("codes/sex.toml", text)]);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("codes/sex.toml: line 4: unknown field `colour`"), "{}", found[0]);
    }

    #[test]
    fn a_column_made_of_a_name_is_refused() {
        let layout = r#"
            family = "x"
            database = "x"
            name = { ja = "x", en = "x" }
            source = "x"
            framing = { encoding = "utf8", delimiter = "," }
            [[record]]
            tag = ""
            key = "row"
            name = { ja = "x", en = "x" }
            columns = [1]
            fields = [{ at = 0, key = "patient_name", ja = "氏名" }]
        "#;
        let table = r#"
            table = "t"
            database = "x"
            name = { ja = "x", en = "x" }
            row = { ja = "x", en = "x" }
            source = "x"
            unit = "public"
            feed = [{ family = "x", row = { records = ["row"] } }]
            [[column]]
            name = "n"
            ja = "x"
            en = "x"
            class = "plain"
            type = "string"
            from = "row.patient_name"
        "#;
        assert_eq!(
            errors(&[("layouts/x/x/file.toml", layout), ("tables/x/t.toml", table)]),
            ["tables/t: n: made of row.patient_name, which is of class direct and must not be stored"],
        );
    }
}
