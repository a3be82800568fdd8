//! The rules that hold between catalogue files: every reference resolves, no secret field becomes a column.

use std::collections::BTreeSet;

use crate::catalogue::{Catalogue, CatalogueError, Problem};
use crate::class::Class;
use crate::derivation::Derivation;
use crate::generalise::Generalise;
use crate::layout::{Family, Field, FieldKind, FieldRef, Grouping, RecordLayout};
use crate::package::ItemRule;
use crate::table::{Column, ColumnKind, Domain, Feed, RowOf, Table, Treatment};

/// Every broken rule of the catalogue.
pub(crate) fn catalogue(catalogue: &Catalogue) -> Vec<CatalogueError> {
    let mut found = Findings { catalogue, errors: Vec::new() };
    for family in catalogue.families.values() {
        found.family(family);
    }
    for scheme in &catalogue.schemes {
        for role in scheme.roles.iter().flat_map(|role| role.trim_end_matches('?').split('|')) {
            if !catalogue.roles.contains_key(role) {
                found.unknown(&format!("schemes/{}", scheme.scheme), "roles", role);
            }
        }
        if let Some(only) = scheme.only.as_ref().filter(|only| !catalogue.roles.contains_key(&only.role)) {
            found.unknown(&format!("schemes/{}", scheme.scheme), "only", &only.role);
        }
    }
    for table in catalogue.tables.values() {
        found.table(table);
    }
    for family in catalogue.families.values() {
        found.uses(family);
    }
    found.errors
}

struct Findings<'a> {
    catalogue: &'a Catalogue,
    errors: Vec<CatalogueError>,
}

impl Findings<'_> {
    fn push(&mut self, file: &str, key: &str, problem: Problem) {
        self.errors.push(CatalogueError { file: file.to_owned(), key: key.to_owned(), problem });
    }

    fn unknown(&mut self, file: &str, key: &str, name: &str) {
        self.push(file, key, Problem::Unknown(name.to_owned()));
    }

    fn family(&mut self, family: &Family) {
        let file = format!("layouts/{}", family.family);
        let mut tags = BTreeSet::new();
        for record in &family.records {
            let written = family.framing.tags(&record.tag);
            if written.is_empty() {
                self.unknown(&file, record.key(), &record.tag);
            }
            for tag in written {
                if !tags.insert(tag) {
                    self.push(&file, &record.tag, Problem::Twice);
                }
            }
            self.record(&file, record);
            let is_package = family.framing.package.is_some();
            // The first value of a line says its element; all others have a place in it.
            for field in
                record.fields.iter().filter(|field| (field.at > 0 && is_package) != field.path.is_some())
            {
                let key = format!("{}.{}", record.key(), field.key);
                self.push(&file, &key, Problem::Rule("a field has a path in a package, and only there"));
            }
        }
        if let Grouping::Opener(opener) = &family.group
            && family.record(opener).is_some_and(|record| family.framing.tags(&record.tag).len() > 1)
        {
            self.push(&file, "group", Problem::Rule("the record that opens a group has one tag"));
        }
        self.heading(&file, family);
        let totals = family.totals.iter().flat_map(|total| std::iter::once(&total.stated).chain(&total.sum));
        let references =
            family.record_key.iter().chain(&family.unique_key).chain(&family.month).chain(totals);
        let references = references.chain(&family.unique_with);
        let references = references.chain(family.valid.as_ref().map(|valid| &valid.by));
        for reference in references {
            if family.field(reference).is_none() {
                self.unknown(&file, "keys", &reference.to_string());
            }
        }
        if let Some(valid) = &family.valid
            && family
                .field(&valid.by)
                .is_some_and(|field| !matches!(field.kind, FieldKind::Date | FieldKind::Month))
        {
            self.push(&file, "valid", Problem::Rule("a line is dated by a date or a month"));
        }
        if family.records.is_empty() {
            self.push(&file, "record", Problem::Rule("the family has no record type"));
        }
    }

    fn heading(&mut self, file: &str, family: &Family) {
        let framing = &family.framing;
        if framing.title.is_some() && framing.skip_lines == 0 {
            self.push(file, "framing.title", Problem::Rule("the title stands on a skipped line"));
        }
        if framing.same_columns && family.records.len() != 1 {
            self.push(
                file,
                "framing.same_columns",
                Problem::Rule("one record type has the same columns throughout"),
            );
        }
        if !framing.header {
            return;
        }
        let [record] = family.records.as_slice() else {
            return self.push(
                file,
                "framing.header",
                Problem::Rule("a heading names one record type's columns"),
            );
        };
        let mut names = BTreeSet::new();
        for field in record.fields.iter().filter(|field| field.repeat > 1 || !names.insert(field.column())) {
            let problem =
                Problem::Rule("a column of a heading has a name of its own and stands for one field");
            self.push(file, &field.key, problem);
        }
    }

    // Nothing is lost unsaid: a record type feeds a table, or says why it is dropped.
    fn uses(&mut self, family: &Family) {
        let feeds: Vec<(&Table, &Feed)> = self
            .catalogue
            .tables
            .values()
            .flat_map(|table| table.feeds.iter().map(move |feed| (table, feed)))
            .filter(|(_, feed)| feed.family.as_ref() == Some(&family.family))
            .collect();
        for record in &family.records {
            let is_used = feeds.iter().any(|(table, feed)| uses(table, feed, record.key()));
            if record.dropped.is_none() && record.master.is_none() && !is_used {
                let file = format!("layouts/{}", family.family);
                self.push(
                    &file,
                    record.key(),
                    Problem::Rule("feeds no table and does not say why it is dropped"),
                );
            }
        }
    }

    fn record(&mut self, file: &str, record: &RecordLayout) {
        let columns = record.columns.iter().copied().max().unwrap_or(0);
        let mut keys = BTreeSet::new();
        let mut places = BTreeSet::new();
        for field in &record.fields {
            let key = format!("{}.{}", record.key(), field.key);
            let last = field.places().last().unwrap_or(field.at);
            if !record.columns.is_empty() && last >= columns {
                self.push(file, &key, Problem::Beyond { at: last, columns });
            }
            if !keys.insert(field.key.as_str()) || field.places().any(|at| !places.insert(at)) {
                self.push(file, &key, Problem::Twice);
            }
            self.field(file, &key, field);
        }
        if let Some(rule) = &record.item {
            self.item_rule(file, record, rule);
        }
        for field in record.master.iter().flat_map(|master| master.fields()) {
            if record.field(field).is_none() {
                self.unknown(file, record.key(), field);
            }
        }
        if let Some(master) = &record.master
            && !self.catalogue.codes.contains_key(&master.system)
        {
            self.unknown(file, record.key(), &master.system);
        }
        let of_run = record.run.iter().flat_map(|run| run.opens.iter().chain(&run.closes));
        let of_lines = record.kept.iter().map(|kept| &kept.field);
        for field in record.roles_when.keys().chain(of_run).chain(of_lines) {
            if record.field(field).is_none() {
                self.unknown(file, record.key(), field);
            }
        }
        if record.columns.is_empty() && record.dropped.is_none() {
            self.push(file, record.key(), Problem::Rule("a record without column counts is dropped"));
        }
    }

    fn field(&mut self, file: &str, key: &str, field: &Field) {
        if let Some(role) = &field.role
            && !self.catalogue.roles.contains_key(role)
        {
            self.unknown(file, key, role);
        }
        if let Some(system) = &field.codes
            && !self.catalogue.codes.contains_key(system)
        {
            self.unknown(file, key, system);
        }
    }

    fn item_rule(&mut self, file: &str, record: &RecordLayout, rule: &ItemRule) {
        for field in [&rule.code, &rule.kind, &rule.value, &rule.unit] {
            if record.field(field).is_none() {
                self.unknown(file, record.key(), field);
            }
        }
        match self.catalogue.codes.get(&rule.system) {
            None => self.unknown(file, record.key(), &rule.system),
            Some(system) if !system.codes.iter().all(crate::package::has_sound_range) => {
                self.push(
                    &format!("codes/{}", rule.system),
                    "low, high",
                    Problem::Rule("a range has two whole numbers, the lower first"),
                );
            }
            Some(_) => {}
        }
    }

    fn table(&mut self, table: &Table) {
        let file = format!("tables/{}", table.table);
        let mut names = BTreeSet::new();
        for column in &table.columns {
            if !names.insert(column.name.as_str()) {
                self.push(&file, &column.name, Problem::Twice);
            }
            self.column(&file, table, column);
        }
        let persons = table.columns.iter().filter(|column| column.class == Class::Person).count();
        if persons != usize::from(table.is_private()) {
            self.push(
                &file,
                "unit",
                Problem::Rule("a table about persons has exactly one person column, others none"),
            );
        }
        if let Some(period) = &table.period
            && table.column(period).is_none_or(|column| column.kind != ColumnKind::Month)
        {
            self.push(&file, "period", Problem::Rule("the period is a column of type month"));
        }
        self.times(&file, table);
        for feed in &table.feeds {
            self.feed(&file, table, feed);
        }
        match &table.derive {
            Some(rule) => self.derivation(&file, table, rule),
            None if table.feeds.is_empty() => {
                self.push(&file, "feed", Problem::Rule("a table is fed or derived"));
            }
            None => {}
        }
    }

    fn times(&mut self, file: &str, table: &Table) {
        let Some(times) = &table.times else { return };
        let is = |name: &str, kind: ColumnKind| table.column(name).is_some_and(|column| column.kind == kind);
        let days = [&times.from, &times.to].into_iter().all(|name| is(name, ColumnKind::Date));
        if table.is_private() || !days || !is(&times.of, ColumnKind::String) {
            self.push(
                file,
                "times",
                Problem::Rule("a public table's code, a text, holds from a date to a date"),
            );
        }
    }

    // Rules read tables that files feed, so the order in which tables are made does not matter.
    fn derivation(&mut self, file: &str, table: &Table, rule: &Derivation) {
        if !table.feeds.is_empty() || !table.is_private() {
            self.push(file, "derive", Problem::Rule("a derived table is about persons and has no feed"));
        }
        if let Some(unfit) = rule.unfit_source() {
            self.unknown(file, "derive.lines", unfit);
        }
        for (source, columns) in rule.sources(table) {
            let found = self.catalogue.tables.get(source).filter(|source| source.derive.is_none());
            let Some(found) = found else {
                self.unknown(file, "derive", source);
                continue;
            };
            for column in columns.iter().filter(|column| found.column(column).is_none()) {
                self.unknown(file, "derive", &format!("{source}.{column}"));
            }
        }
        for column in table.columns.iter().filter(|column| column.class != Class::Person) {
            let is_given = rule.outputs().contains(&(column.name.as_str(), column.kind));
            if !is_given {
                self.push(file, &column.name, Problem::Rule("the rule gives no such column of this type"));
            }
            if !column.from.0.is_empty() {
                self.push(file, &column.name, Problem::Rule("a derived column comes from its rule"));
            }
        }
    }

    fn column(&mut self, file: &str, table: &Table, column: &Column) {
        if let Some(system) = column.codes.as_ref().or(match &column.domain {
            Some(Domain::Codes(system)) => Some(system),
            _ => None,
        }) && !self.catalogue.codes.contains_key(system)
        {
            self.unknown(file, &column.name, system);
        }
        if !column.class.is_storable() {
            self.push(file, &column.name, Problem::Rule("a stored column is not direct, link or text"));
        }
        if column.class == Class::Measure
            && (column.bounds.is_none() || !matches!(column.kind, ColumnKind::Int | ColumnKind::Decimal5))
        {
            self.push(file, &column.name, Problem::Rule("a measure is an int or a decimal5 with bounds"));
        }
        if column.class == Class::Exact && table.table != "person" {
            self.push(file, &column.name, Problem::Rule("exact values stand in the person table alone"));
        }
        if column.class.is_unit() && column.kind != ColumnKind::Id {
            self.push(file, &column.name, Problem::Rule("a facility, insurer or municipality is an id"));
        }
        if let Some(problem) = column.generalise_problem() {
            self.push(file, &column.name, Problem::Rule(problem));
        }
        if let Some(Generalise::Rare(system)) = &column.generalise
            && !self.catalogue.codes.contains_key(system)
        {
            self.unknown(file, &column.name, system);
        }
        if column.treat == Treatment::Product && column.kind != ColumnKind::Int {
            self.push(file, &column.name, Problem::Rule("a product is an int"));
        }
        if matches!(column.treat, Treatment::Lookup(_)) && column.codes.is_none() {
            self.push(file, &column.name, Problem::Rule("a lookup needs the code system to look in"));
        }
    }

    fn feed(&mut self, file: &str, table: &Table, feed: &Feed) {
        let Some(name) = &feed.family else {
            if feed.row != RowOf::Person {
                self.push(file, "feed", Problem::Rule("only the person table is fed by linkage"));
            }
            return;
        };
        let catalogue = self.catalogue;
        let Some(family) = catalogue.families.get(name) else {
            return self.unknown(file, "feed", name);
        };
        if let RowOf::Records(records) = &feed.row
            && !feed.takes_every_record()
        {
            for record in records.iter().filter(|record| family.record(record).is_none()) {
                self.unknown(file, "feed", record);
            }
        }
        for column in &table.columns {
            let source = feed.from.get(&column.name).unwrap_or(&column.from);
            for reference in &source.0 {
                self.source(file, family, feed, column, reference);
            }
        }
        for column in feed.from.keys().chain(feed.set.keys()).filter(|name| table.column(name).is_none()) {
            self.unknown(file, "feed", column);
        }
        for (column, value) in &feed.set {
            self.constant(file, table, column, value);
        }
        if let (Some(each), RowOf::Records(records)) = (&feed.each, &feed.row) {
            let has_it =
                |record: &String| family.record(record).is_some_and(|record| record.field(each).is_some());
            if !records.iter().all(has_it) {
                self.unknown(file, "feed.each", each);
            }
        }
        self.conditions(file, family, feed);
    }

    // A constant is a word, and where the column has codes, one of them.
    fn constant(&mut self, file: &str, table: &Table, name: &str, value: &str) {
        let Some(column) = table.column(name) else { return };
        if column.kind != ColumnKind::String {
            self.push(file, name, Problem::Rule("only a column of text is set by a feed"));
        }
        let system = column.codes.as_ref().and_then(|system| self.catalogue.codes.get(system));
        if system.is_some_and(|system| system.get(value).is_none()) {
            self.unknown(file, name, value);
        }
    }

    // A condition on a field that is not there would be no condition.
    fn conditions(&mut self, file: &str, family: &Family, feed: &Feed) {
        let records: Vec<&str> = match &feed.row {
            RowOf::Records(_) if feed.takes_every_record() => {
                family.records.iter().map(RecordLayout::key).collect()
            }
            RowOf::Records(records) => records.iter().map(String::as_str).collect(),
            RowOf::Group => vec!["common"],
            RowOf::Person => Vec::new(),
        };
        for record in records {
            for field in feed.when.keys() {
                let resolved = FieldRef { record: record.to_owned(), field: field.clone() };
                if family.field(&resolved).is_none() {
                    self.unknown(file, "feed.when", &resolved.to_string());
                }
            }
        }
    }

    fn source(&mut self, file: &str, family: &Family, feed: &Feed, column: &Column, reference: &FieldRef) {
        // Where every record makes a row, a field that is absent or secret in some of them is null there.
        if feed.takes_every_record() {
            return;
        }
        // `self` stands for whichever record makes the row.
        let records: Vec<&str> = match (&feed.row, reference.record.as_str()) {
            (RowOf::Records(records), "self") => records.iter().map(String::as_str).collect(),
            (_, record) => vec![record],
        };
        for record in records {
            if let Some(pick) = &column.pick
                && family.record(record).is_some_and(|layout| layout.field(&pick.field).is_none())
            {
                self.unknown(file, &column.name, &format!("{record}.{}", pick.field));
            }
            let resolved = FieldRef { record: record.to_owned(), field: reference.field.clone() };
            if column.treat == Treatment::Count && family.record(record).is_some() {
                continue;
            }
            match family.field(&resolved) {
                None => self.unknown(file, &column.name, &resolved.to_string()),
                Some(field) if !may_store(field.class, &column.treat) => self.push(
                    file,
                    &column.name,
                    Problem::Secret { field: resolved.to_string(), class: field.class.as_str() },
                ),
                Some(_) => {}
            }
        }
    }
}

/// Whether a delivered field of this class may become a column by this treatment.
pub(crate) fn may_store(class: Class, treat: &Treatment) -> bool {
    match class {
        Class::Direct => matches!(treat, Treatment::Surrogate | Treatment::PaddedSurrogate { .. }),
        // An insurer's first digits say its kind; the whole number is an identity component.
        Class::Link => {
            // So do completed years instead of a birth date.
            matches!(
                treat,
                Treatment::Surrogate
                    | Treatment::PaddedSurrogate { .. }
                    | Treatment::Age
                    | Treatment::Part(_, 1..=2)
                    | Treatment::PaddedPart { length: 1..=2, .. }
            )
        }
        Class::Text => false,
        _ => true,
    }
}

/// Whether a feed takes rows or values from the record type.
fn uses(table: &Table, feed: &Feed, record: &str) -> bool {
    let makes_rows = match &feed.row {
        RowOf::Records(records) => feed.takes_every_record() || records.iter().any(|key| key == record),
        RowOf::Group | RowOf::Person => false,
    };
    let gives_values = table
        .columns
        .iter()
        .flat_map(|column| &feed.from.get(&column.name).unwrap_or(&column.from).0)
        .any(|reference| reference.record == record);
    makes_rows || gives_values
}
