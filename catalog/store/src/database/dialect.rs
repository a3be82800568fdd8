//! What differs between SQLite and PostgreSQL in the SQL of this crate.
//!
//! SQL is written for SQLite in its `strict` form, with three types (`integer`, `text`, `blob`), and told in PostgreSQL's
//! words here. Text is compared byte by byte in both, so that `order by` gives one order.

/// A statement with `?` or `?3` for its parameters, as PostgreSQL wants it: `$1`, `$2` …
pub(super) fn parameters(text: &str) -> String {
    let (mut out, mut next, mut quote) = (String::with_capacity(text.len() + 16), 0_u32, None);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match quote {
            Some(end) if letter == end => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            None if letter == '?' => {
                let mut number = 0;
                while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
                    number = number * 10 + digit;
                    letters.next();
                }
                next = if number == 0 { next + 1 } else { number };
                out.push_str(&format!("${next}"));
                continue;
            }
            _ => {}
        }
        out.push(letter);
    }
    out
}

/// A migration's statements in PostgreSQL's words.
pub(super) fn schema(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 64);
    for line in text.lines().filter(|line| !line.starts_with("--")) {
        let mut word = String::new();
        for letter in line.chars() {
            if letter.is_ascii_alphanumeric() || letter == '_' || letter == '"' {
                word.push(letter);
            } else {
                out.push_str(told(&word));
                word.clear();
                out.push(letter);
            }
        }
        out.push_str(told(&word));
        out.push('\n');
    }
    out
}

fn told(word: &str) -> &str {
    match word {
        "integer" => "bigint",
        "text" => "text collate \"C\"",
        "blob" => "bytea",
        "strict" => "",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::{parameters, schema};

    #[test]
    fn parameters_are_counted_outside_of_quotes() {
        assert_eq!(
            parameters("insert into a values (?, '?', \"?\", ?)"),
            "insert into a values ($1, '?', \"?\", $2)"
        );
        assert_eq!(parameters("select ?1 where ?12 = ?1"), "select $1 where $12 = $1");
    }

    #[test]
    fn types_are_told_and_names_are_not() {
        let told = schema("-- integer\ncreate table t (text_of integer, \"text\" text, b blob) strict;");
        assert_eq!(told, "create table t (text_of bigint, \"text\" text collate \"C\", b bytea) ;\n");
    }
}
