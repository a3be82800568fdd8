//! The figures that the demo ends with.

use std::path::Path;
use std::time::Instant;

use reports::quality::Quality;
use serde::Deserialize;

use crate::failure::{Failure, io};
use crate::programs::Program;
use crate::screen;

/// What the demo learned on its way.
pub(super) struct Summary {
    begun: Instant,
    steps: Vec<(&'static str, f64)>,
    figures: Option<(Quality, Evaluation)>,
}

/// What `misu-ingest evaluate` prints.
#[derive(Deserialize)]
struct Evaluation {
    true_persons: u64,
    linked_persons: u64,
    precision: f64,
    recall: f64,
    split_persons: u64,
    merged_persons: u64,
}

impl Summary {
    pub(super) fn new() -> Self {
        Self { begun: Instant::now(), steps: Vec::new(), figures: None }
    }

    /// Notes how long a step took.
    pub(super) fn took(&mut self, step: &'static str, begun: Instant) {
        self.steps.push((step, begun.elapsed().as_secs_f64()));
    }

    /// Takes the quality report and the evaluation in.
    pub(super) fn figures(&mut self, quality: Quality, evaluation: &[u8]) -> Result<(), Failure> {
        let form = |_| Failure::Form { program: Program::Ingest.name(), what: "figures" };
        let evaluation = serde_json::from_slice(evaluation).map_err(form)?;
        self.figures = Some((quality, evaluation));
        Ok(())
    }

    /// Prints everything.
    pub(super) fn print(&self, dir: &Path, env: &Path) -> Result<(), Failure> {
        screen::say("\n== Summary");
        if let Some((quality, evaluation)) = &self.figures {
            let total = &quality.total;
            let quarantined: u64 = total.quarantined.values().sum();
            let dropped: u64 = total.dropped.values().sum();
            screen::say(&format!(
                "persons     {} linked, {} in truth",
                quality.persons, evaluation.true_persons
            ));
            screen::say(&format!(
                "lines       {} read = {} stored + {dropped} dropped by class + {quarantined} in quarantine",
                total.read, total.stored
            ));
            screen::say(&format!(
                "linkage     precision {:.5}, recall {:.5} over pairs of claims; {} persons split, {} of {} merged",
                evaluation.precision,
                evaluation.recall,
                evaluation.split_persons,
                evaluation.merged_persons,
                evaluation.linked_persons,
            ));
        }
        let steps: Vec<String> =
            self.steps.iter().map(|(step, seconds)| format!("{step} {seconds:.1} s")).collect();
        screen::say(&format!(
            "time        {:.1} s: {}",
            self.begun.elapsed().as_secs_f64(),
            steps.join(", ")
        ));
        let megabytes = |path: &Path| Ok::<_, Failure>(size(path)? / 1_000_000);
        screen::say(&format!(
            "disk        {} MB deliveries, {} MB snapshot, {} MB environment in all",
            megabytes(&dir.join("deliveries"))?,
            megabytes(&env.join("store").join("data"))?,
            megabytes(env)?,
        ));
        Ok(())
    }
}

fn size(path: &Path) -> Result<u64, Failure> {
    let metadata = std::fs::symlink_metadata(path).map_err(io("read", path))?;
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    let mut sum = 0;
    for entry in std::fs::read_dir(path).map_err(io("read", path))? {
        sum += size(&entry.map_err(io("read", path))?.path())?;
    }
    Ok(sum)
}
