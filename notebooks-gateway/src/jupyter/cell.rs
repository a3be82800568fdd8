//! A cell: a question in SQL, or a command that begins with `%`.

use serde_json::{Value, json};

/// What a cell holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell<'c> {
    Empty,
    /// A question; the byte of the cell at which it begins.
    Sql(&'c str),
    /// `%name rest`.
    Command {
        name: &'c str,
        rest: &'c str,
    },
}

/// Reads a cell.
pub(super) fn read(code: &str) -> Cell<'_> {
    let text = code.trim();
    if text.is_empty() {
        return Cell::Empty;
    }
    // Two signs are the sign of a whole cell elsewhere, and mean the same here.
    let Some(command) = text.strip_prefix('%') else { return Cell::Sql(text) };
    let command = command.strip_prefix('%').unwrap_or(command);
    let (name, rest) = command.split_once(char::is_whitespace).unwrap_or((command, ""));
    Cell::Command { name, rest: rest.trim() }
}

/// The reply to `is_complete_request`: a text with an open bracket or quote goes on.
pub(super) fn is_complete(content: &Value) -> Value {
    let code = content.get("code").and_then(Value::as_str).unwrap_or_default();
    if is_open(code) {
        json!({"status": "incomplete", "indent": "  "})
    } else {
        json!({"status": "complete"})
    }
}

fn is_open(code: &str) -> bool {
    let (mut depth, mut quote) = (0_i64, None);
    for letter in code.chars() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"') => quote = Some(letter),
            (None, '(') => depth += 1,
            (None, ')') => depth -= 1,
            (None, _) => {}
        }
    }
    quote.is_some() || depth > 0
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Cell, is_complete, read};

    #[test]
    fn a_cell_is_a_question_or_a_command() {
        assert_eq!(read(" \n"), Cell::Empty);
        assert_eq!(read("\nSELECT 1\n"), Cell::Sql("SELECT 1"));
        assert_eq!(read("%help"), Cell::Command { name: "help", rest: "" });
        assert_eq!(read("%%verdict\nSELECT 1"), Cell::Command { name: "verdict", rest: "SELECT 1" });
    }

    #[test]
    fn an_open_bracket_or_quote_goes_on() {
        for (code, status) in [
            ("SELECT count(*)", "complete"),
            ("SELECT count(", "incomplete"),
            ("SELECT 'a(", "incomplete"),
            ("SELECT ')'", "complete"),
        ] {
            assert_eq!(is_complete(&json!({"code": code}))["status"], status, "{code}");
        }
    }
}
