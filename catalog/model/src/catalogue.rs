//! Reads catalogue files into one checked value.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::check;
use crate::codes::CodeSystem;
use crate::derive::{self, Derived};
use crate::layout::{Family, RecordLayout};
use crate::scheme::{IdentityRole, Profile, Scheme};
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
    /// How identity fields are brought to one form.
    pub profile: Profile,
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

// Only to see which form a `file.toml` has.
#[derive(Deserialize)]
struct Probe {
    based_on: Option<toml::Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RolesFile {
    #[serde(default)]
    profile: Option<Profile>,
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
    derived: BTreeMap<String, Derived>,
    // Codes of official masters, one file each; they join the system of that name.
    imported: Vec<CodeSystem>,
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
            // A database that is added brings its roles in a file of its own.
            "schemes" if rest == "roles.toml" || rest.starts_with("roles-") => self.roles(path, text),
            "schemes" => self.scheme(path, text),
            "layouts" => self.layout(path, text),
            "tables" => self.table(path, text),
            _ => self.error(path, "file", Problem::Place),
        }
    }

    fn codes(&mut self, path: &str, text: &str) {
        let Some(system) = self.read::<CodeSystem>(path, text) else { return };
        if path.starts_with(IMPORTED) {
            return self.imported.push(system);
        }
        let name = system.system.clone();
        if self.catalogue.codes.insert(name.clone(), system).is_some() {
            self.error(path, &name, Problem::Twice);
        }
    }

    fn roles(&mut self, path: &str, text: &str) {
        let Some(file) = self.read::<RolesFile>(path, text) else { return };
        if let Some(profile) = file.profile {
            self.catalogue.profile = profile;
        }
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
        let is_derived = toml::from_str::<Probe>(text).is_ok_and(|probe| probe.based_on.is_some());
        let name = if is_derived {
            let Some(derived) = self.read::<Derived>(path, text) else { return };
            let name = derived.family.clone();
            self.derived.insert(name.clone(), derived);
            name
        } else {
            let Some(family) = self.read::<Family>(path, text) else { return };
            let name = family.family.clone();
            self.catalogue.families.insert(name.clone(), family);
            name
        };
        if self.folders.insert(name.clone(), folder).is_some() {
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
            let records = self.records.remove(folder).unwrap_or_default();
            if let Some(derived) = self.derived.get_mut(name) {
                derived.records.extend(records);
                continue;
            }
            let Some(family) = self.catalogue.families.get_mut(name) else { continue };
            family.records.extend(records);
            let common = family.common.clone();
            for record in &mut family.records {
                record.fields.splice(0..0, common.iter().cloned());
            }
        }
        self.derive();
        for imported in std::mem::take(&mut self.imported) {
            match self.catalogue.codes.get_mut(&imported.system) {
                Some(system) => system.extend(imported),
                None => drop(self.catalogue.codes.insert(imported.system.clone(), imported)),
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

impl Reading {
    /// Makes the families that are based on others, and their feeds.
    fn derive(&mut self) {
        let (ordered, unresolved) =
            derive::in_order(std::mem::take(&mut self.derived), &self.catalogue.families);
        for derived in ordered {
            let base = derived.based_on.clone();
            let families = &self.catalogue.families;
            let lender = derived.borrow.as_ref().and_then(|borrow| families.get(&borrow.family));
            let Some(family) = families.get(&base).map(|base| derived.family(base, lender)) else { continue };
            for table in self.catalogue.tables.values_mut() {
                derive::inherit_feeds(table, &base, &family);
            }
            self.catalogue.families.insert(family.family.clone(), family);
        }
        for (name, derived) in unresolved {
            self.error(&format!("layouts/{name}"), "based_on", Problem::Unknown(derived.based_on));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Catalogue, CatalogueError};
    use crate::layout::FieldKind;

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

    #[test]
    fn a_condition_without_its_field_and_a_constant_outside_its_codes_are_refused() {
        let layout = r#"
            family = "x"
            database = "x"
            name = { ja = "x", en = "x" }
            source = "x"
            valid = { by = "row.day", from = "2018-04" }
            framing = { encoding = "utf8", delimiter = "," }
            [[record]]
            key = "row"
            name = { ja = "x", en = "x" }
            columns = [1]
            fields = [{ at = 0, key = "day", ja = "日", class = "plain" }]
        "#;
        let codes = r#"
            system = "setting"
            name = { ja = "x", en = "x" }
            source = "x"
            code = [{ code = "inpatient", ja = "入院", en = "inpatient" }]
        "#;
        let table = r#"
            table = "t"
            database = "x"
            name = { ja = "x", en = "x" }
            row = { ja = "x", en = "x" }
            source = "x"
            unit = "public"
            [[feed]]
            family = "x"
            row = { records = ["row"] }
            when = { kind = "1" }
            each = "fee"
            set = { setting = "inward", kind = "1" }
            [[column]]
            name = "setting"
            ja = "x"
            en = "x"
            class = "plain"
            type = "string"
            codes = "setting"
        "#;
        assert_eq!(
            errors(&[("codes/s.toml", codes), ("layouts/x/x/file.toml", layout), ("tables/x/t.toml", table)]),
            [
                "layouts/x: valid: a line is dated by a date or a month",
                "tables/t: feed: refers to kind, which nothing defines",
                "tables/t: setting: refers to inward, which nothing defines",
                "tables/t: feed.each: refers to fee, which nothing defines",
                "tables/t: feed.when: refers to row.kind, which nothing defines",
            ],
        );
    }

    #[test]
    fn form_1_has_every_item_of_its_revisions_and_no_yes_or_no_is_a_date() {
        let catalogue = Catalogue::builtin().unwrap();
        let records = &catalogue.families["dpc-ff1"].records;
        let version = |version: &str| records.iter().filter(|record| record.tag.ends_with(version)).count();
        // FY2025 has 70 items; June 2026 adds four, and five ended in May 2024.
        assert_eq!((records.len(), version(":20260601"), version(":20240601")), (79, 4, 15));
        for record in records {
            assert_eq!(record.columns, [17], "{}", record.tag);
            for field in record.fields.iter().filter(|field| field.ja.contains("の有無")) {
                assert_ne!(field.kind, FieldKind::Date, "{} {}", record.tag, field.key);
            }
        }
    }

    #[test]
    fn a_heading_names_the_columns_of_one_record_type_and_tags_are_given_once() {
        let layout = |framing: &str, records: &[(&str, &str)]| {
            let mut text = format!(
                "family = \"x\"\ndatabase = \"x\"\nname = {{ ja = \"x\", en = \"x\" }}\nsource = \"x\"\n\
                 framing = {{ encoding = \"utf8\", delimiter = \",\", {framing} }}\n"
            );
            for (tag, columns) in records {
                text.push_str(&format!(
                    "[[record]]\ntag = \"{tag}\"\nname = {{ ja = \"x\", en = \"x\" }}\ndropped = \"x\"\n\
                     columns = [2]\nfields = [\n\
                     {{ at = 0, key = \"a\", {columns}ja = \"x\" }},\n\
                     {{ at = 1, key = \"b\", ja = \"x\" }},\n]\n"
                ));
            }
            errors(&[("layouts/x/x/file.toml", &text)])
        };
        let none: [&str; 0] = [];
        assert_eq!(layout("skip_lines = 1, title = \"X\", header = true", &[("", "column = \"A\", ")]), none);
        assert_eq!(
            layout("title = \"X\"", &[("", "")]),
            ["layouts/x: framing.title: the title stands on a skipped line"]
        );
        assert_eq!(
            layout("header = true", &[("", "column = \"b\", ")]),
            ["layouts/x: b: a column of a heading has a name of its own and stands for one field"]
        );
        assert_eq!(
            layout("header = true, tag = [0]", &[("1", ""), ("2", "")]),
            ["layouts/x: framing.header: a heading names one record type's columns"]
        );
        assert_eq!(layout("tag = [0]", &[("1|2", ""), ("2", "")]), ["layouts/x: 2: given twice"]);
        assert_eq!(
            layout("tag = [0]", &[("1:*", "")]),
            ["layouts/x: 1:*: refers to 1:*, which nothing defines"]
        );
    }

    #[test]
    fn a_layout_based_on_another_moves_its_fields_and_takes_its_feeds() {
        let base = r#"
            family = "base"
            database = "x"
            name = { ja = "x", en = "x" }
            source = "x"
            framing = { encoding = "utf8", delimiter = ",", tag = [0] }
            group = { opener = "A" }
            [[record]]
            tag = "A"
            name = { ja = "x", en = "x" }
            columns = [2, 3]
            fields = [{ at = 1, key = "n", ja = "x", class = "plain" }]
        "#;
        let derived = r#"
            family = "derived"
            database = "x"
            name = { ja = "x", en = "x" }
            source = "x"
            based_on = "base"
            prefix = 2
            common = [{ at = 0, key = "class", ja = "x", class = "plain" }]
            kept = { field = "class", values = ["1"], otherwise = "a correction" }
        "#;
        let table = r#"
            table = "t"
            database = "x"
            name = { ja = "x", en = "x" }
            row = { ja = "x", en = "x" }
            source = "x"
            unit = "public"
            feed = [{ family = "base", row = { records = ["A"] } }]
            [[column]]
            name = "n"
            ja = "x"
            en = "x"
            class = "plain"
            type = "string"
            from = "A.n"
        "#;
        let files =
            [("layouts/x/a/file.toml", derived), ("layouts/x/b/file.toml", base), ("tables/x/t.toml", table)];
        let catalogue = Catalogue::parse(files).unwrap();
        let family = &catalogue.families["derived"];
        assert_eq!(family.framing.tag, [2]);
        assert_eq!(family.records[0].columns, [4, 5]);
        assert_eq!(family.records[0].field("n").unwrap().at, 3);
        assert_eq!(family.records[0].field("class").unwrap().at, 0);
        let fed: Vec<_> = catalogue.tables["t"].feeds.iter().map(|feed| feed.family.as_deref()).collect();
        assert_eq!(fed, [Some("base"), Some("derived")]);
        assert_eq!(
            errors(&[("layouts/x/a/file.toml", derived)]),
            ["layouts/derived: based_on: refers to base, which nothing defines"],
        );
    }
}
