//! What a cell shows: a protected table in the forms that notebooks know, or an error with the place in the question.

use std::fmt::Write as _;

use engine_protocol::{CellValue, ReleasedTable, TableColumnKind, Verdict, VerdictKind};
use reports::{Language, number};
use serde_json::{Map, Value, json};

use super::cell::{self, Cell};
use super::kernel::Kernel;
use super::picture::Pictures;
use super::words;
use crate::caller::{Answer, Ask};
use crate::guard::AskError;
use crate::kept::NotBegun;

/// Rows of a table that a notebook shows in full; the rest is said to be there.
const ROWS: usize = 1_000;

const HELP: &str = "\
a question in SQL                 its protected table
%verdict SQL                      would it run? nothing runs
%budget SQL                       what it would read and show; nothing runs
%catalog [TABLE]                  the tables, or the columns of one, that the permit covers
%functions                        the functions of the SQL
%template NAME parameter=value …  an approved template
%release ID                       the table of a question asked before, by its query id
%project                          who asks, and for which project
%language ja|en                   the language of messages
%chart auto|off|bar|line|heat-map the picture beside a table
%help                             this list
";

/// What a cell shows.
#[derive(Debug)]
pub(super) enum Shown {
    Nothing,
    /// Data by media type, and the picture that goes with them.
    Data {
        data: Value,
        picture: Option<Value>,
    },
    Error {
        name: &'static str,
        message: String,
        trace: Vec<String>,
    },
}

/// What a cell whose answer nobody waits for any more shows.
pub(super) fn interrupted() -> Shown {
    let message =
        "nobody waits for the answer any more; a question that began goes on and stands in the record";
    error("Interrupted", message)
}

/// Answers a cell.
pub(super) async fn of(kernel: &Kernel, code: &str) -> Shown {
    match cell::read(code) {
        Cell::Empty => Shown::Nothing,
        Cell::Sql(sql) => asked(kernel, Ask::Query(sql.to_owned()), sql).await,
        Cell::Command { name, rest } => command(kernel, name, rest).await,
    }
}

async fn command(kernel: &Kernel, name: &str, rest: &str) -> Shown {
    let language = kernel.language();
    match name {
        "help" => plain(HELP),
        "project" => {
            let caller = kernel.caller();
            plain(&format!("{} asks for the project {}\n", caller.user(), caller.project()))
        }
        "language" => match rest {
            "ja" | "en" => {
                kernel.speak(if rest == "ja" { Language::Japanese } else { Language::English });
                Shown::Nothing
            }
            _ => error("Command", "%language takes ja or en"),
        },
        "chart" => match Pictures::parse(rest) {
            Some(pictures) => {
                kernel.draw(pictures);
                Shown::Nothing
            }
            None => error("Command", &format!("%chart takes {}", Pictures::WORDS)),
        },
        "verdict" => match kernel.gateway().ask_for(kernel.caller(), Ask::Vet(rest.to_owned())).await {
            Ok(Answer::Verdict(verdict)) => plain(&reports::verdict::text(&verdict, rest, language)),
            other => unexpected(other),
        },
        "budget" => budget(kernel, rest).await,
        "catalog" | "catalogue" => catalog(kernel, rest).await,
        "functions" => {
            let sql = "SELECT name, call, en, example FROM misu.functions";
            asked(kernel, Ask::Query(sql.to_owned()), sql).await
        }
        "template" => template(kernel, rest).await,
        "release" => match kernel.gateway().result(&kernel.caller().owner(), rest) {
            Some(table) => released(kernel, &table),
            None => error("Release", "no released table of yours with this query id is kept"),
        },
        _ => error("Command", "there is no such command; %help lists them"),
    }
}

async fn budget(kernel: &Kernel, sql: &str) -> Shown {
    let answer = kernel.gateway().ask_for(kernel.caller(), Ask::Estimate(sql.to_owned())).await;
    let (verdict, budget) = match answer {
        Ok(Answer::Estimate(verdict, budget)) => (verdict, budget),
        other => return unexpected(other),
    };
    if verdict.verdict != VerdictKind::Vetted {
        return refused(&verdict, sql, kernel.language());
    }
    let Some(budget) = budget else { return plain("reads no data\n") };
    let mut text = String::new();
    if verdict.goes_to_people() {
        let rule = verdict.rule.as_deref().unwrap_or_default();
        let _ = writeln!(text, "people look at the answer before it goes out [{rule}]");
    }
    let _ = writeln!(
        text,
        "reads about {} rows, {} bytes; the answer has {} cells",
        number::count(budget.rows),
        number::count(budget.bytes),
        number::count(budget.cells)
    );
    if let Some(percent) = budget.hidden_percent {
        let _ = writeln!(text, "at least {percent} % of its rows are hidden");
    }
    if !budget.is_within {
        text.push_str("this is more than one question may have\n");
    }
    plain(&text)
}

async fn catalog(kernel: &Kernel, table: &str) -> Shown {
    // The name goes into a text literal; what is no name of ours has no row.
    let table: String = table.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    let sql = if table.is_empty() {
        "SELECT name, database, ja, en, row_en FROM misu.tables".to_owned()
    } else {
        format!("SELECT name, ja, en, class, type, unit, note FROM misu.columns WHERE \"table\" = '{table}'")
    };
    asked(kernel, Ask::Query(sql.clone()), &sql).await
}

async fn template(kernel: &Kernel, rest: &str) -> Shown {
    let mut words = rest.split_whitespace();
    let Some(name) = words.next() else { return error("Command", "%template NAME parameter=value …") };
    let pairs =
        words.map(|word| word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())));
    let Some(parameters) = pairs.collect::<Option<_>>() else {
        return error("Command", "a parameter is written as parameter=value, without spaces");
    };
    asked(kernel, Ask::Template(name.to_owned(), parameters), "").await
}

/// Stops a question at the guard where nobody waits for it any more.
struct Waiting<'k> {
    kernel: &'k Kernel,
    id: String,
    is_over: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        let (gateway, caller) = (self.kernel.gateway().clone(), self.kernel.caller().clone());
        let id = std::mem::take(&mut self.id);
        tokio::spawn(async move { gateway.stop_for(&caller, &id).await });
    }
}

/// Asks and waits. An interrupt ends the waiting, and the question with it.
async fn asked(kernel: &Kernel, ask: Ask, sql: &str) -> Shown {
    let gateway = kernel.gateway();
    let mut asked = match gateway.begin(kernel.caller(), ask, None) {
        Ok(asked) => asked,
        Err(NotBegun::TooMany) => return error("Busy", "too many questions of yours at once"),
        Err(_) => return error("Fault", "a fault of ours; the operator's log says more"),
    };
    let mut waiting = Waiting { kernel, id: asked.id.clone(), is_over: false };
    let Some(outcome) = asked.wait(gateway.parts().settings.long).await else {
        return unexpected(Err(AskError::Late));
    };
    waiting.is_over = true;
    match outcome.as_ref() {
        Ok(Answer::Released(table)) => released(kernel, table),
        Ok(Answer::Verdict(verdict)) => refused(verdict, sql, kernel.language()),
        Ok(Answer::Stopped) => error("Stopped", "the question was stopped"),
        Ok(Answer::Withheld) => error("Withheld", "nothing can be released; every reason looks the same"),
        Ok(Answer::Held(output)) => {
            let message =
                format!("people look at this output before it goes out; describe and submit it as {output}");
            error("Held", &message)
        }
        Ok(other) => unexpected(Ok(other.clone())),
        Err(error) => unexpected(Err(error.clone())),
    }
}

fn unexpected(answer: Result<Answer, AskError>) -> Shown {
    match answer {
        Err(AskError::NotKnown) => {
            error("NotKnown", "the token has ended; start JupyterLab with another one")
        }
        Err(AskError::Busy) => error("Busy", "too many questions at once; come back in a moment"),
        Err(error_of_guard) => {
            tracing::warn!(error = %error_of_guard, "the guard gave no answer");
            error("NoAnswer", "the guard gave no answer; come back in a moment")
        }
        Ok(_) => error("Fault", "a fault of ours; the operator's log says more"),
    }
}

fn refused(verdict: &Verdict, sql: &str, language: Language) -> Shown {
    let name = if verdict.verdict == VerdictKind::Denied { "Denied" } else { "Refused" };
    let message = verdict.message.clone().unwrap_or_default();
    let rule = verdict.rule.as_deref().unwrap_or("none");
    let trace = reports::verdict::text(verdict, sql, language);
    let trace = trace.trim_end().split('\n').map(str::to_owned).collect();
    Shown::Error { name, message: format!("[{rule}] {message}"), trace }
}

fn error(name: &'static str, message: &str) -> Shown {
    Shown::Error { name, message: message.to_owned(), trace: vec![format!("{name}: {message}")] }
}

fn plain(text: &str) -> Shown {
    Shown::Data { data: json!({"text/plain": text.trim_end()}), picture: None }
}

/// A released table with its picture.
fn released(kernel: &Kernel, table: &ReleasedTable) -> Shown {
    let language = kernel.language();
    Shown::Data { data: data(table, language), picture: kernel.pictures().of(table, language) }
}

/// A table by media type.
fn data(table: &ReleasedTable, language: Language) -> Value {
    json!({
        "text/plain": text(table, language),
        "text/html": html(table, language),
        "application/vnd.dataresource+json": resource(table),
    })
}

fn text(table: &ReleasedTable, language: Language) -> String {
    let mut cut = table.clone();
    cut.rows.truncate(ROWS);
    reports::table::text(&cut, language).trim_end().to_owned()
}

/// A table in markup: every text is escaped, and there is neither script nor style nor address in it.
fn html(table: &ReleasedTable, language: Language) -> String {
    let mut page = String::from("<table><thead><tr>");
    for column in &table.columns {
        let unit = column.unit.as_ref().map(|unit| format!(" [{}]", escaped(unit))).unwrap_or_default();
        let _ = write!(page, "<th scope=\"col\">{}{unit}</th>", escaped(&column.name));
    }
    page.push_str("</tr></thead><tbody>");
    for row in table.rows.iter().take(ROWS) {
        page.push_str("<tr>");
        for value in row {
            let _ = match value {
                CellValue::Suppressed => write!(page, "<td title=\"{}\">***</td>", hidden(table, language)),
                CellValue::Key { .. } | CellValue::Other | CellValue::Total => {
                    write!(page, "<th scope=\"row\">{}</th>", escaped(&key(value, language)))
                }
                value => write!(page, "<td>{}</td>", number::grouped(&value.text())),
            };
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table><p>");
    if table.rows.len() > ROWS {
        let _ = write!(page, "{} … ", number::count(table.rows.len() as u64));
    }
    if table.suppressed > 0 {
        let _ = write!(page, "*** {}; ", hidden(table, language));
    }
    let _ = write!(
        page,
        "query {} · snapshot {} · rules {}</p>",
        escaped(&table.query),
        escaped(&table.snapshot),
        escaped(&table.rules)
    );
    page
}

fn hidden(table: &ReleasedTable, language: Language) -> String {
    match language {
        Language::Japanese => format!("非表示：{}人に満たないか、ほかの値から導けるもの", table.threshold),
        Language::English => format!("hidden: fewer than {} persons, or derivable", table.threshold),
    }
}

/// A key as people read it: its code, and its name where that says more.
fn key(value: &CellValue, language: Language) -> String {
    match (value, language) {
        (CellValue::Key { code, ja, en }, language) => {
            let name = if language == Language::Japanese { ja } else { en };
            if name == code || name.is_empty() { code.clone() } else { format!("{code} {name}") }
        }
        (CellValue::Other, Language::Japanese) => "（その他）".to_owned(),
        (CellValue::Total, Language::Japanese) => "（合計）".to_owned(),
        (value, _) => value.text(),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// A table as a data resource: codes as text, figures as numbers, what is hidden as nothing.
fn resource(table: &ReleasedTable) -> Value {
    let is_key = |kind: TableColumnKind| kind == TableColumnKind::Key;
    let fields: Vec<Value> = table
        .columns
        .iter()
        .map(|column| {
            json!({"name": column.name, "type": if is_key(column.kind) { "string" } else { "number" }})
        })
        .collect();
    let rows = table.rows.iter().take(ROWS).map(|row| {
        let named = table.columns.iter().zip(row);
        Value::Object(
            named.map(|(column, value)| (column.name.clone(), plain_value(value))).collect::<Map<_, _>>(),
        )
    });
    json!({"schema": {"fields": fields}, "data": rows.collect::<Vec<_>>()})
}

fn plain_value(value: &CellValue) -> Value {
    match value {
        CellValue::Integer(number) => json!(number),
        CellValue::Decimal(text) => text.parse::<f64>().map_or(Value::Null, |number| json!(number)),
        CellValue::Empty | CellValue::Suppressed => Value::Null,
        key => json!(key.text()),
    }
}

/// The words that a kernel's commands are.
pub(super) const COMMANDS: [&str; 11] = [
    "%chart",
    "%verdict",
    "%budget",
    "%catalog",
    "%functions",
    "%template",
    "%release",
    "%project",
    "%language",
    "%help",
    "%catalogue",
];

/// A table's columns as a text for the inspector.
pub(super) fn described(columns: &[words::Granted]) -> String {
    let mut text = String::new();
    for column in columns {
        let _ = writeln!(text, "{}.{}  {}  {}", column.table, column.name, column.ja, column.en);
    }
    text
}

#[cfg(test)]
mod tests {
    use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};
    use reports::Language;
    use serde_json::json;

    use super::{html, resource};

    fn sample() -> ReleasedTable {
        let column = |name: &str, kind| TableColumn { name: name.to_owned(), kind, unit: None };
        let key = |code: &str, en: &str| CellValue::Key {
            code: code.to_owned(),
            ja: "男<script>".to_owned(),
            en: en.to_owned(),
        };
        ReleasedTable {
            query: "q<1>".to_owned(),
            snapshot: "5a".to_owned(),
            columns: vec![
                column("<img onerror=x>", TableColumnKind::Key),
                column("n", TableColumnKind::Persons),
            ],
            rows: vec![
                vec![key("1", "\"male\""), CellValue::Integer(12_345)],
                vec![CellValue::Total, CellValue::Suppressed],
            ],
            suppressed: 1,
            threshold: 10,
            rules: "r".to_owned(),
            certificate: None,
        }
    }

    #[test]
    fn markup_of_a_name_stays_text() {
        for language in [Language::Japanese, Language::English] {
            let page = html(&sample(), language);
            assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        }
        let page = html(&sample(), Language::English);
        assert!(page.contains("<th scope=\"row\">1 &quot;male&quot;</th><td>12,345</td>"), "{page}");
        assert!(
            page.contains("<td title=\"hidden: fewer than 10 persons, or derivable\">***</td>"),
            "{page}"
        );
    }

    #[test]
    fn a_hidden_figure_is_no_value_in_a_data_resource() {
        let data = &resource(&sample())["data"];
        assert_eq!(
            *data,
            json!([{"<img onerror=x>": "1", "n": 12_345}, {"<img onerror=x>": "(total)", "n": null}])
        );
    }
}
