//! Granted columns beside those that queries read.

use std::collections::{BTreeMap, BTreeSet};

use policies::{Application, Columns};
use reports::board::usage::{ProjectUsage, TableUsage, Usage};

use super::questions::{Asked, questions};
use super::{Desk, Span};

/// Granted and touched columns of every project with a permit, or of one.
pub fn usage(desk: &Desk, span: &Span, project: Option<&str>) -> Usage {
    let all = questions(&desk.entries);
    let (from, to) = span.words();
    let projects = desk.policies.projects().filter(|name| project.is_none_or(|project| project == *name));
    let projects = projects
        .filter_map(|name| desk.policies.application(name))
        .map(|application| of_project(desk, span, application, &all))
        .collect();
    Usage { from, to, projects }
}

/// One project's columns.
pub(super) fn of_project(
    desk: &Desk,
    span: &Span,
    application: &Application,
    all: &[Asked<'_>],
) -> ProjectUsage {
    let ran: Vec<&Asked<'_>> = all
        .iter()
        .filter(|asked| asked.project() == application.project() && span.holds(asked.at()))
        .filter(|asked| !asked.id().is_empty())
        .collect();
    let mut touched: BTreeMap<&str, u64> = BTreeMap::new();
    for asked in &ran {
        for column in asked.columns().collect::<BTreeSet<_>>() {
            *touched.entry(column).or_default() += 1;
        }
    }
    let tables = application.tables().iter().map(|(table, columns)| {
        let names: Vec<String> = match columns {
            Columns::Named(names) => names.iter().cloned().collect(),
            Columns::All => desk
                .catalogue
                .tables
                .get(table)
                .map(|table| table.columns.iter().map(|column| column.name.clone()).collect())
                .unwrap_or_default(),
        };
        let read = |name: String| {
            let queries = touched.get(format!("{table}.{name}").as_str()).copied().unwrap_or(0);
            (name, queries)
        };
        TableUsage { table: table.clone(), columns: names.into_iter().map(read).collect() }
    });
    ProjectUsage {
        project: application.project().to_owned(),
        queries: ran.len() as u64,
        tables: tables.collect(),
    }
}
