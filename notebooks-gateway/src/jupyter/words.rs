//! What a kernel knows of the caller's permit, for completion and `%catalog`: asked when needed, not kept.

use std::sync::Arc;

use engine_protocol::ReleasedTable;

use super::kernel::Kernel;
use crate::caller::{Answer, Ask};

/// A granted column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) table: String,
    pub(super) name: String,
    pub(super) ja: String,
    pub(super) en: String,
    pub(super) class: String,
    pub(super) kind: String,
    pub(super) note: String,
}

/// A function of our SQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) call: String,
    pub(super) ja: String,
    pub(super) en: String,
    pub(super) example: String,
}

/// The columns that the permit covers; none where it does not hold.
pub(super) async fn columns(kernel: &Kernel) -> Vec<Granted> {
    let sql = "SELECT \"table\", name, ja, en, class, type, note FROM misu.columns";
    let Some(table) = looked_up(kernel, sql).await else { return Vec::new() };
    let column = |texts: [String; 7]| {
        let [table, name, ja, en, class, kind, note] = texts;
        Granted { table, name, ja, en, class, kind, note }
    };
    rows(&table).map(column).collect()
}

/// The functions.
pub(super) async fn functions(kernel: &Kernel) -> Vec<Function> {
    let sql = "SELECT name, call, ja, en, example FROM misu.functions";
    let Some(table) = looked_up(kernel, sql).await else { return Vec::new() };
    let function = |texts: [String; 5]| {
        let [name, call, ja, en, example] = texts;
        Function { name, call, ja, en, example }
    };
    rows(&table).map(function).collect()
}

async fn looked_up(kernel: &Kernel, sql: &str) -> Option<Arc<ReleasedTable>> {
    match kernel.gateway().ask_for(kernel.caller(), Ask::Query(sql.to_owned())).await {
        Ok(Answer::Released(table)) => Some(table),
        _ => None,
    }
}

fn rows<const N: usize>(table: &ReleasedTable) -> impl Iterator<Item = [String; N]> {
    table.rows.iter().filter_map(|row| {
        let texts: Vec<String> = row.iter().map(|value| value.text()).collect();
        texts.try_into().ok()
    })
}
