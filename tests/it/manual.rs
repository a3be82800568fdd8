//! The manual page on SQL, written from the corpora: `UPDATE_EXPECT=1` writes it anew, and a stale page fails.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use engine_vet::{Rule, documentation};
use expect_test::expect_file;

use crate::queries::corpus;

const CHAPTERS: [(&str, &str); 11] = [
    ("01-counts", "Counts: 人数と件数"),
    ("02-cohorts", "Cohorts: 集団の定義"),
    ("03-time", "Time: 期間・有病・罹患・追跡"),
    ("04-drugs", "Drugs: 薬の使用と継続"),
    ("05-admissions", "Admissions: 入院"),
    ("06-cost", "Cost: 点数と費用"),
    ("07-care", "Long-term care: 介護"),
    ("08-linkage", "Linked databases: データベースの連結"),
    ("09-margins", "Margins: 小計と合計"),
    ("10-post", "Computing from protected values: 保護した値からの計算"),
    ("11-windows", "Events of one person: 一人の中の時系列"),
];

/// By rule, the first refused statement of the corpus with what is said of it.
fn refused() -> BTreeMap<String, (String, Vec<String>)> {
    let folder = std::env::current_dir().unwrap().join("refusals");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut found = BTreeMap::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for block in text.split("\n\n").flat_map(|block| {
            block
                .split(";\n")
                .collect::<Vec<_>>()
                .windows(2)
                .map(|pair| (pair[0].to_owned(), pair[1].to_owned()))
                .collect::<Vec<_>>()
        }) {
            let (statement, said) = block;
            let statement: String =
                statement.lines().filter(|line| !line.starts_with(['#', '-'])).collect::<Vec<_>>().join("\n");
            let said: Vec<String> =
                said.lines().map_while(|line| line.strip_prefix("-- ")).map(str::to_owned).collect();
            let rule = said
                .first()
                .and_then(|line| line.strip_prefix("refused by "))
                .and_then(|line| line.split(':').next());
            if let Some(rule) = rule.filter(|_| statement.len() < 160 && !statement.is_empty()) {
                found.entry(rule.to_owned()).or_insert((statement, said.clone()));
            }
        }
    }
    found
}

fn page() -> String {
    let mut page = std::fs::read_to_string("manual.md").unwrap();
    page.push_str("\n## Functions\n\n| function | gives |\n| --- | --- |\n");
    for (_, doc) in documentation() {
        writeln!(page, "| `{}` | {} |", doc.call, doc.text).unwrap();
    }
    let cases = corpus();
    writeln!(page, "\n## {} queries", cases.len()).unwrap();
    for (file, title) in CHAPTERS {
        writeln!(page, "\n### {title}").unwrap();
        for case in cases.iter().filter(|case| case.file == file) {
            writeln!(page, "\n{}\n\n```sql\n{}\n```", case.title, case.sql).unwrap();
        }
    }
    let refused = refused();
    page.push_str("\n## What is refused\n\nA refusal names the rule, the place and the nearest allowed form. It never depends on data.\n");
    for rule in Rule::ALL {
        writeln!(page, "\n### {}\n\n{}.\n{}。", rule.as_str(), rule.en(), rule.ja()).unwrap();
        if let Some((statement, said)) = refused.get(rule.as_str()) {
            writeln!(page, "\n```text\n{statement}\n\n{}\n```", said.join("\n")).unwrap();
        }
    }
    page
}

#[test]
fn the_manual_page_on_sql_is_fresh() {
    assert!(corpus().iter().all(|case| CHAPTERS.iter().any(|(file, _)| *file == case.file)));
    expect_file![crate::root().join("docs/manual/sql.md")].assert_eq(&page());
}
