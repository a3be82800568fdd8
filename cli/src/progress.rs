//! Progress on standard error: a bar on a terminal, nothing otherwise, since each step says when it is done.

use std::io::IsTerminal as _;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for one step.
pub(crate) fn bar(label: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{msg:24} [{bar:30}] {percent:>3} % {eta}") {
        bar.set_style(style);
    }
    bar.set_message(label.to_owned());
    bar
}
