//! Published tables of which the best pattern is known: `published.toml`.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{audit, cube, optimum, protect, rules};
use crate::family::CellNo;

#[derive(Deserialize)]
struct Published {
    table: Vec<Table>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: String,
    rows: Vec<Vec<u64>>,
    hidden: Vec<(usize, usize)>,
    few: u32,
    best: usize,
}

#[test]
fn of_published_tables_little_more_is_hidden_than_in_the_best_pattern() {
    let published: Published = toml::from_str(include_str!("published.toml")).unwrap();
    let totals = published.table.iter().map(|table| {
        let (columns, source) = (table.rows[0].len(), &table.source);
        let family = cube(&[columns, table.rows.len()], &table.rows.concat());
        let rules = rules(table.few);
        let at = |(row, column): &(usize, usize)| row * (columns + 1) + column;
        let sensitive: BTreeSet<CellNo> = table.hidden.iter().map(at).collect();
        let hidden = protect(&family, &sensitive, &rules).unwrap();
        assert!(audit(&family, &sensitive, &hidden, &rules).narrow.is_empty(), "{source}");
        assert_eq!(optimum(&family, &sensitive, &rules), table.best, "{source}");
        let ours = hidden.len() - sensitive.len();
        assert!(ours * 4 <= table.best * 5, "{source}: {ours} cells hidden where {} suffice", table.best);
        (ours, table.best)
    });
    let (ours, best) = totals.fold((0, 0), |(ours, best), (more, least)| (ours + more, best + least));
    println!("published tables: {ours} hidden, {best} in the best patterns");
}
