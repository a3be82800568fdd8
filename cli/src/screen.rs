//! Words for people on standard output and standard error. A closed pipe is nobody's error.

use std::io::Write as _;

/// Prints a result.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Writes bytes as they are.
pub(crate) fn write(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes);
    let _ = out.flush();
}

/// Tells how things go.
pub(crate) fn note(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// The language of a terminal: Japanese where the locale says so, else English.
pub(crate) fn language() -> reports::Language {
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    if locale.is_some_and(|locale| locale.starts_with("ja")) {
        reports::Language::Japanese
    } else {
        reports::Language::English
    }
}
