//! Files that a researcher attaches to an output: text of a few kinds, checked by name, size and content.
//!
//! A reviewer opens what is attached. So nothing that a program would run or follow comes in: no markup, no formula
//! at the beginning of a field, no control characters, and no kind that is not on the list.

/// Extensions that may be attached: code lists, tables of codes, text, SQL.
const KINDS: [&str; 4] = ["csv", "tsv", "txt", "sql"];
/// The longest file.
const LONGEST: usize = 256 * 1024;
/// Files of one output.
const MOST: usize = 8;

/// Why a file is not attached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachmentFault {
    /// Its name is not plain.
    #[error("a name is made of letters, digits, '-', '_' and one '.', at most 80 of them")]
    Name,
    /// Its kind is not allowed.
    #[error("only {} files", KINDS.join(", "))]
    Kind,
    /// It is too long.
    #[error("{0} bytes, where at most {LONGEST} are allowed")]
    Long(usize),
    /// There are enough.
    #[error("at most {MOST} files")]
    Many,
    /// A character that text has not.
    #[error("line {0} has a control character")]
    Control(usize),
    /// Something that a program would run.
    #[error("line {line} has active content ({what})")]
    Active {
        /// The line.
        line: usize,
        /// What was found.
        what: &'static str,
    },
}

/// Checks a file of this name and text beside so many others.
///
/// # Errors
///
/// The first reason why it is not attached; lines are named, never their text.
pub fn check(name: &str, text: &str, others: usize) -> Result<(), AttachmentFault> {
    let kind = kind(name)?;
    if text.len() > LONGEST {
        return Err(AttachmentFault::Long(text.len()));
    }
    if others >= MOST {
        return Err(AttachmentFault::Many);
    }
    for (at, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.chars().any(is_forbidden) {
            return Err(AttachmentFault::Control(at + 1));
        }
        if let Some(what) = active(line, kind) {
            return Err(AttachmentFault::Active { line: at + 1, what });
        }
    }
    Ok(())
}

fn kind(name: &str) -> Result<&'static str, AttachmentFault> {
    let is_plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let (stem, extension) = name.rsplit_once('.').ok_or(AttachmentFault::Name)?;
    if stem.is_empty() || name.chars().count() > 80 || !stem.chars().all(is_plain) {
        return Err(AttachmentFault::Name);
    }
    KINDS.into_iter().find(|kind| *kind == extension).ok_or(AttachmentFault::Kind)
}

/// Control characters apart from the tab, and those that change the direction in which text reads.
fn is_forbidden(c: char) -> bool {
    let turns = matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' | '\u{FEFF}');
    (c.is_control() && c != '\t') || turns
}

/// What a program that opens the line would run or follow.
fn active(line: &str, kind: &str) -> Option<&'static str> {
    let lower = line.to_lowercase();
    let markup = ["<script", "<iframe", "<object", "<svg", "<html", "<!doctype", "<?"];
    if markup.iter().any(|tag| lower.contains(tag)) {
        return Some("markup");
    }
    if ["javascript:", "data:text/html", "vbscript:"].iter().any(|scheme| lower.contains(scheme)) {
        return Some("link");
    }
    let separator = match kind {
        "csv" => ',',
        "tsv" => '\t',
        _ => return None,
    };
    // A spreadsheet takes a field that begins so for a formula; a number may be signed.
    let is_formula = |field: &str| {
        let field = field.trim().trim_start_matches('"').trim_start();
        let is_number = field.trim_end_matches('"').parse::<f64>().is_ok();
        field.starts_with(['=', '+', '-', '@', '\t']) && !is_number && field != "-"
    };
    line.split(separator).any(is_formula).then_some("formula")
}

#[cfg(test)]
mod tests {
    use super::{AttachmentFault, LONGEST, check};

    #[test]
    fn code_lists_and_text_are_taken() {
        let taken = [
            ("icd10.csv", "code,name\r\nI50,心不全\r\n,-1\n"),
            ("コード.tsv", "a\t-\n"),
            ("note.txt", "= なし\n"),
            ("plan.sql", "SELECT a - b FROM t WHERE a < 3 -- x\n"),
        ];
        for (name, text) in taken {
            assert_eq!(check(name, text, 0), Ok(()), "{name}");
        }
    }

    #[test]
    fn what_is_not_text_of_a_listed_kind_is_not() {
        let active = |line, what| Err(AttachmentFault::Active { line, what });
        let cases = [
            ("a.html", "x", Err(AttachmentFault::Kind)),
            ("a.csv.exe", "x", Err(AttachmentFault::Name)),
            ("../a.csv", "x", Err(AttachmentFault::Name)),
            (".csv", "x", Err(AttachmentFault::Name)),
            ("csv", "x", Err(AttachmentFault::Name)),
            ("a.CSV", "x", Err(AttachmentFault::Kind)),
            ("a.csv", "x\n\0", Err(AttachmentFault::Control(2))),
            ("a.txt", "left \u{202E}right", Err(AttachmentFault::Control(1))),
            ("a.csv", "a,b\n1,=cmd|' /C calc'!A0", active(2, "formula")),
            ("a.csv", "\"=1+1\"", active(1, "formula")),
            ("a.csv", " @SUM(1)", active(1, "formula")),
            ("a.tsv", "1\t+1+1", active(1, "formula")),
            ("a.txt", "see <ScRipt src=x>", active(1, "markup")),
            ("a.sql", "-- javascript:alert(1)", active(1, "link")),
        ];
        for (name, text, expected) in cases {
            assert_eq!(check(name, text, 0), expected, "{name} {text:?}");
        }
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(check("a.txt", &long, 0), Err(AttachmentFault::Long(LONGEST + 1)));
        assert_eq!(check("a.txt", "x", 8), Err(AttachmentFault::Many));
    }
}
