//! Progress on standard error: a bar on a terminal, a line now and then otherwise.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

/// What a step's numbers count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Bytes, whose rate says something.
    Bytes,
    /// Anything else: only the remaining time is told.
    Parts,
}

/// The progress of one step.
pub(crate) struct Progress {
    label: String,
    unit: Unit,
    begun: Instant,
    bar: Option<ProgressBar>,
    tenth: Mutex<u64>,
}

impl Progress {
    /// Begins a step.
    pub(crate) fn new(label: &str, unit: Unit) -> Self {
        let style = ProgressStyle::with_template(match unit {
            Unit::Bytes => "{msg:24} [{bar:30}] {percent:>3} % {decimal_bytes_per_sec} {eta}",
            Unit::Parts => "{msg:24} [{bar:30}] {percent:>3} % {eta}",
        });
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = style {
                bar.set_style(style);
            }
            bar.set_message(label.to_owned());
            bar
        });
        Self { label: label.to_owned(), unit, begun: Instant::now(), bar, tenth: Mutex::new(0) }
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
            let pace = pace(self.unit, done, total, self.begun.elapsed().as_secs_f64());
            say(&format!("{}: {} %{pace}", self.label, tenth * 10));
        }
    }

    /// Ends the step.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Says a line on standard error.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The rate and the remaining time at an even pace; nothing where there is none yet, or nothing remains.
fn pace(unit: Unit, done: u64, total: u64, seconds: f64) -> String {
    // Only shown: the 53 bits of a float's mantissa are enough for any delivery.
    let rate = done as f64 / seconds;
    if !rate.is_normal() {
        return String::new();
    }
    let left = match total.saturating_sub(done) {
        0 => String::new(),
        remaining => format!(", {:.0} s left", (remaining as f64 / rate).ceil()),
    };
    match unit {
        Unit::Bytes => format!(", {:.1} MB/s{left}", rate / 1e6),
        Unit::Parts => left,
    }
}

#[cfg(test)]
mod tests {
    use super::{Unit, pace};

    #[test]
    fn the_pace_is_told_with_what_remains() {
        assert_eq!(pace(Unit::Bytes, 4_000_000, 10_000_000, 2.0), ", 2.0 MB/s, 3 s left");
        assert_eq!(pace(Unit::Parts, 1, 4, 1.5), ", 5 s left");
        assert_eq!(pace(Unit::Bytes, 10_000_000, 10_000_000, 4.0), ", 2.5 MB/s");
        assert_eq!(pace(Unit::Bytes, 0, 10, 0.0), "");
    }
}
