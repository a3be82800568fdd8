//! Progress on standard error: a bar on a terminal, a line now and then otherwise.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

/// The progress of one step.
pub(crate) struct Progress {
    label: String,
    bar: Option<ProgressBar>,
    tenth: Mutex<u64>,
}

impl Progress {
    /// Begins a step.
    pub(crate) fn new(label: &str) -> Self {
        let style = ProgressStyle::with_template("{msg:24} [{bar:30}] {percent:>3} % {eta}");
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.set_message(label.to_owned());
            bar
        });
        Self { label: label.to_owned(), bar, tenth: Mutex::new(0) }
    }

    /// Says how far the step is.
    pub(crate) fn at(&self, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            return;
        }
        let tenth = (done * 10).checked_div(total).unwrap_or(0);
        let mut last = self.tenth.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if tenth > *last {
            *last = tenth;
            let _ = writeln!(std::io::stderr(), "{}: {} %", self.label, tenth * 10);
        }
    }

    /// Ends the step.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
