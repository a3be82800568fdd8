//! The part of a catalogue that one query needs, as a message: tables with their columns, codes with their names.
//!
//! The whole catalogue is some hundred files of text. Whoever has parsed and checked it sends this instead, and what
//! comes out vets the same query to the same plan.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::catalogue::Catalogue;
use crate::class::Class;
use crate::codes::{Code, CodeSystem};
use crate::generalise::Generalise;
use crate::names::Names;
use crate::table::{Bounds, Column, ColumnKind, Domain, Source, Table, Treatment, Unit};

/// The part of a catalogue that one query needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excerpt {
    tables: Vec<TableExcerpt>,
    codes: Vec<(String, Vec<NamedCode>)>,
}

/// A code with its Japanese and English names.
type NamedCode = (String, String, String);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct TableExcerpt {
    table: String,
    database: String,
    is_private: bool,
    period: Option<String>,
    columns: Vec<ColumnExcerpt>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ColumnExcerpt {
    name: String,
    class: Class,
    kind: ColumnKind,
    domain: Option<Domain>,
    system: Option<String>,
    unit: Option<String>,
    bounds: Option<Bounds>,
    generalise: Option<Generalise>,
}

impl Catalogue {
    /// The excerpt with these tables, the code systems that their domains and generalisations name, and `systems`.
    pub fn excerpt<'t>(&self, tables: impl IntoIterator<Item = &'t str>, systems: &[&str]) -> Excerpt {
        let tables: Vec<&Table> = tables.into_iter().filter_map(|table| self.tables.get(table)).collect();
        let mut wanted: BTreeSet<&str> = systems.iter().copied().collect();
        for column in tables.iter().flat_map(|table| &table.columns) {
            if let Some(Domain::Codes(system)) = &column.domain {
                wanted.insert(system);
            }
            if let Some(Generalise::Rare(system)) = &column.generalise {
                wanted.insert(system);
            }
        }
        let named = |code: &Code| (code.code.clone(), code.ja.clone(), code.en.clone());
        let codes = wanted.into_iter().filter_map(|system| {
            Some((system.to_owned(), self.codes.get(system)?.codes.iter().map(named).collect()))
        });
        Excerpt { tables: tables.into_iter().map(table_excerpt).collect(), codes: codes.collect() }
    }
}

fn table_excerpt(table: &Table) -> TableExcerpt {
    let column = |column: &Column| ColumnExcerpt {
        name: column.name.clone(),
        class: column.class,
        kind: column.kind,
        domain: column.domain.clone(),
        system: column.value_system().map(str::to_owned),
        unit: column.unit.clone(),
        bounds: column.bounds,
        generalise: column.generalise.clone(),
    };
    TableExcerpt {
        table: table.table.clone(),
        database: table.database.clone(),
        is_private: table.is_private(),
        period: table.period.clone(),
        columns: table.columns.iter().map(column).collect(),
    }
}

impl Excerpt {
    /// A catalogue of these tables and codes, and of nothing else: good for vetting, not for reading deliveries.
    pub fn catalogue(&self) -> Catalogue {
        let tables = self.tables.iter().map(|table| (table.table.clone(), whole_table(table)));
        let system =
            |(system, codes): &(String, Vec<NamedCode>)| (system.clone(), whole_system(system, codes));
        Catalogue {
            tables: tables.collect(),
            codes: self.codes.iter().map(system).collect(),
            ..Catalogue::default()
        }
    }
}

fn nameless() -> Names {
    Names { ja: String::new(), en: String::new() }
}

fn whole_table(table: &TableExcerpt) -> Table {
    let column = |column: &ColumnExcerpt| Column {
        name: column.name.clone(),
        ja: String::new(),
        en: String::new(),
        class: column.class,
        kind: column.kind,
        from: Source::default(),
        treat: Treatment::default(),
        pick: None,
        domain: column.domain.clone(),
        codes: None,
        system: column.system.clone(),
        unit: column.unit.clone(),
        bounds: column.bounds,
        generalise: column.generalise.clone(),
        note: None,
    };
    Table {
        table: table.table.clone(),
        database: table.database.clone(),
        name: nameless(),
        row: nameless(),
        unit: if table.is_private { Unit::Person } else { Unit::Public },
        period: table.period.clone(),
        times: None,
        source: String::new(),
        note: None,
        feeds: Vec::new(),
        derive: None,
        columns: table.columns.iter().map(column).collect(),
    }
}

fn whole_system(system: &str, codes: &[NamedCode]) -> CodeSystem {
    let code = |(code, ja, en): &NamedCode| Code {
        code: code.clone(),
        ja: ja.clone(),
        en: en.clone(),
        attributes: BTreeMap::new(),
        from: None,
        to: None,
        former: Vec::new(),
    };
    CodeSystem {
        system: system.to_owned(),
        name: nameless(),
        source: String::new(),
        dimension: None,
        closed: false,
        editions: Vec::new(),
        codes: codes.iter().map(code).collect(),
    }
}

#[cfg(test)]
mod tests {
    use crate::Catalogue;

    #[test]
    fn an_excerpt_has_the_schema_and_the_codes_of_its_tables_and_no_others() {
        let catalogue = Catalogue::builtin().unwrap();
        let excerpt = catalogue
            .excerpt(["person", "ndb_receipt", "population", "dpc_facility", "nothing"], &["dpc6"])
            .catalogue();
        let tables: Vec<&String> = excerpt.tables.keys().collect();
        assert_eq!(tables, ["dpc_facility", "ndb_receipt", "person", "population"]);
        for (name, table) in &excerpt.tables {
            let whole = &catalogue.tables[name];
            assert_eq!(crate::arrow_schema(table), crate::arrow_schema(whole));
            assert_eq!((&table.period, table.is_private()), (&whole.period, whole.is_private()));
            assert_eq!(table.is_open(), whole.is_open(), "{name}");
        }
        assert!(excerpt.codes.contains_key("sex") && excerpt.codes.contains_key("dpc6"));
        assert!(!excerpt.codes.contains_key("drug"));
    }
}
