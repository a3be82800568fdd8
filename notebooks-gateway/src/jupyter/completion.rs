//! Completion and inspection: granted tables and columns, functions, words of SQL, codes inside quotes, commands.

use serde_json::{Value, json};

use super::answer::{COMMANDS, described};
use super::kernel::Kernel;
use super::words;

/// The most proposals.
const MOST: usize = 200;

const SQL: [&str; 34] = [
    "AND",
    "AS",
    "ASC",
    "AVG",
    "BETWEEN",
    "BY",
    "CASE",
    "COUNT",
    "CUBE",
    "DESC",
    "DISTINCT",
    "ELSE",
    "END",
    "EXISTS",
    "FILTER",
    "FROM",
    "GROUP",
    "GROUPING SETS",
    "HAVING",
    "IN",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "ON",
    "OR",
    "ORDER",
    "ROLLUP",
    "SELECT",
    "SUM",
    "WHERE",
];

/// A proposal: what stands there afterwards, and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Proposal {
    text: String,
    kind: String,
}

/// What stands before the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Before<'c> {
    /// The beginning of a word, after `table.` if there is one.
    Word { table: Option<&'c str>, word: &'c str },
    /// The beginning of a text that a column is compared with.
    Code { column: &'c str, word: &'c str },
}

/// The reply to `complete_request`.
pub(super) async fn complete(kernel: &Kernel, content: &Value) -> Value {
    let code = content.get("code").and_then(Value::as_str).unwrap_or_default();
    let cursor = cursor(content, code);
    let head: String = code.chars().take(cursor).collect();
    let before = before(&head);
    let word = match before {
        Before::Word { word, .. } | Before::Code { word, .. } => word,
    };
    let mut proposals = match before {
        Before::Code { column, word } => codes(kernel, column, word).await,
        Before::Word { table: None, word } if word.starts_with('%') => commands(word),
        Before::Word { table, word } => named(kernel, table, word).await,
    };
    proposals.truncate(MOST);
    let start = cursor.saturating_sub(word.chars().count());
    let matches: Vec<&str> = proposals.iter().map(|proposal| proposal.text.as_str()).collect();
    let types: Vec<Value> = proposals
        .iter()
        .map(|proposal| json!({"text": proposal.text, "type": proposal.kind, "start": start, "end": cursor}))
        .collect();
    json!({
        "status": "ok", "matches": matches, "cursor_start": start, "cursor_end": cursor,
        "metadata": {"_jupyter_types_experimental": types},
    })
}

/// The reply to `inspect_request`: what the word at the cursor is.
pub(super) async fn inspect(kernel: &Kernel, content: &Value) -> Value {
    let code = content.get("code").and_then(Value::as_str).unwrap_or_default();
    let cursor = cursor(content, code);
    let letters: Vec<char> = code.chars().collect();
    let back = letters.iter().take(cursor).rev().take_while(|letter| is_word(**letter)).count();
    let word: String = letters.iter().skip(cursor - back).take_while(|letter| is_word(**letter)).collect();
    let columns = words::columns(kernel).await;
    let of_table: Vec<words::Granted> =
        columns.iter().filter(|column| column.table.eq_ignore_ascii_case(&word)).cloned().collect();
    let mut text = described(&of_table);
    for column in columns.iter().filter(|column| column.name.eq_ignore_ascii_case(&word)) {
        text.push_str(&format!(
            "{}.{}\n  {} / {}\n  {}, {}\n",
            column.table, column.name, column.ja, column.en, column.kind, column.class
        ));
        if !column.note.is_empty() {
            text.push_str(&format!("  {}\n", column.note));
        }
    }
    for function in words::functions(kernel).await {
        if function.name.eq_ignore_ascii_case(&word) {
            text.push_str(&format!(
                "{}\n  {} / {}\n  {}\n",
                function.call, function.ja, function.en, function.example
            ));
        }
    }
    let data = if text.is_empty() { json!({}) } else { json!({"text/plain": text.trim_end()}) };
    json!({"status": "ok", "found": !text.is_empty(), "data": data, "metadata": {}})
}

/// The cursor in characters.
fn cursor(content: &Value, code: &str) -> usize {
    let length = code.chars().count();
    let cursor = content.get("cursor_pos").and_then(Value::as_u64);
    cursor.and_then(|cursor| usize::try_from(cursor).ok()).map_or(length, |cursor| cursor.min(length))
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// What stands before the cursor.
fn before(head: &str) -> Before<'_> {
    if head.matches('\'').count() % 2 == 1
        && let Some((rest, word)) = head.rsplit_once('\'')
        && let Some(column) = compared(rest)
    {
        return Before::Code { column, word };
    }
    let from = head.rfind(|letter: char| !is_word(letter)).map_or(0, |at| {
        let letter = head.get(at..).and_then(|rest| rest.chars().next());
        if letter == Some('%') { at } else { at + letter.map_or(1, char::len_utf8) }
    });
    let (rest, word) = head.split_at_checked(from).unwrap_or((head, ""));
    let table = rest.strip_suffix('.').map(last_word).filter(|table| !table.is_empty());
    Before::Word { table, word }
}

/// The column that a text after this is compared with: the word before `=`, `<>`, `IN (` or `LIKE`.
fn compared(rest: &str) -> Option<&str> {
    // In a list, the texts before this one are passed over.
    let mut rest = rest.trim_end();
    while let Some(list) = rest.strip_suffix(',') {
        let inner = list.trim_end().strip_suffix('\'')?;
        rest = inner.rsplit_once('\'')?.0.trim_end();
    }
    let rest = rest.trim_end_matches(['=', '<', '>', '!', '(']).trim_end();
    let lower = rest.to_ascii_lowercase();
    let ending = [" not in", " in", " not like", " like"].into_iter().find(|word| lower.ends_with(word));
    let rest = rest.get(..rest.len() - ending.map_or(0, str::len))?.trim_end();
    let column = last_word(rest);
    (!column.is_empty()).then_some(column)
}

fn last_word(text: &str) -> &str {
    let at = text.rfind(|letter: char| !is_word(letter));
    let from =
        at.map_or(0, |at| at + text.get(at..).and_then(|rest| rest.chars().next()).map_or(1, char::len_utf8));
    text.get(from..).unwrap_or_default()
}

fn commands(word: &str) -> Vec<Proposal> {
    let fits = COMMANDS.iter().filter(|command| command.starts_with(word));
    fits.map(|command| Proposal { text: (*command).to_owned(), kind: "magic".to_owned() }).collect()
}

async fn named(kernel: &Kernel, table: Option<&str>, word: &str) -> Vec<Proposal> {
    let lower = word.to_lowercase();
    let fits = |name: &str| name.to_lowercase().starts_with(&lower);
    let columns = words::columns(kernel).await;
    let proposal = |text: &str, kind: String| Proposal { text: text.to_owned(), kind };
    let is_table = |name: &str| columns.iter().any(|column| column.table.eq_ignore_ascii_case(name));
    let of = columns.iter().filter(|column| {
        table.is_none_or(|table| !is_table(table) || column.table.eq_ignore_ascii_case(table))
    });
    let mut proposals: Vec<Proposal> = of
        .filter(|column| fits(&column.name))
        .map(|column| proposal(&column.name, format!("{} {}", column.ja, column.class)))
        .collect();
    if table.is_none() {
        let tables = columns.iter().filter(|column| fits(&column.table));
        proposals.extend(tables.map(|column| proposal(&column.table, "table".to_owned())));
        let functions = words::functions(kernel).await;
        let functions = functions.iter().filter(|function| fits(&function.name));
        proposals.extend(functions.map(|function| proposal(&function.name, "function".to_owned())));
        let keywords = SQL.iter().filter(|keyword| !word.is_empty() && fits(keyword));
        proposals.extend(keywords.map(|keyword| proposal(keyword, "keyword".to_owned())));
    }
    proposals.sort_by(|one, two| one.text.cmp(&two.text));
    proposals.dedup_by(|one, two| one.text == two.text);
    proposals
}

/// The codes of a granted column whose code or name begins so.
async fn codes(kernel: &Kernel, column: &str, word: &str) -> Vec<Proposal> {
    let granted = words::columns(kernel).await;
    let Ok(view) = kernel.gateway().catalogue().await else { return Vec::new() };
    let lower = word.to_lowercase();
    let mut proposals = Vec::new();
    for granted in granted.iter().filter(|granted| granted.name.eq_ignore_ascii_case(column)) {
        let table = view.tables.iter().find(|table| table.name == granted.table);
        let found = table.and_then(|table| table.columns.iter().find(|known| known.name == granted.name));
        for (code, ja, en) in found.map(|column| column.codes.as_slice()).unwrap_or_default() {
            let fits = [code, ja, en].iter().any(|text| text.to_lowercase().starts_with(&lower));
            if fits && !proposals.iter().any(|known: &Proposal| known.text == *code) {
                proposals.push(Proposal { text: code.clone(), kind: format!("{ja} {en}") });
            }
        }
    }
    proposals
}

#[cfg(test)]
mod tests {
    use super::{Before, before};

    #[test]
    fn the_cursor_stands_in_a_word_after_a_table_or_in_a_text() {
        let word = |table, word| Before::Word { table, word };
        let code = |column, word| Before::Code { column, word };
        for (head, expected) in [
            ("", word(None, "")),
            ("SEL", word(None, "SEL")),
            ("SELECT p.se", word(Some("p"), "se")),
            ("SELECT 性", word(None, "性")),
            ("%ver", word(None, "%ver")),
            ("WHERE sex = '", code("sex", "")),
            ("WHERE p.icd10 LIKE 'E1", code("icd10", "E1")),
            ("WHERE sex NOT IN ('1', 'f", code("sex", "f")),
            ("WHERE sex = '1' AND b", word(None, "b")),
        ] {
            assert_eq!(before(head), expected, "{head}");
        }
    }
}
