//! `misu-ingest masters import`: what was read, what changed, and where lines could not be read.

use std::path::PathBuf;

use audit::{Event, Kind};
use catalog_model::Date;
use clap::Subcommand;
use pseudonymizer::masters::{self, Absent, Imported};
use serde::Serialize;

use super::{Failure, Shared, WHO, open, print, print_json};

/// What can be done with official code masters.
#[derive(Subcommand)]
pub(crate) enum Masters {
    /// Imports editions of official masters, the older first; the same file twice changes nothing.
    Import {
        /// The files as published.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        #[command(flatten)]
        shared: Shared,
        /// The day from which the edition holds, where the file's name does not say it.
        #[arg(long)]
        edition: Option<String>,
        /// The layout of the files.
        #[arg(long, default_value = "master")]
        layout: String,
        /// The files are whole: codes that they leave out end, however many they are.
        #[arg(long, conflicts_with = "changes_only")]
        whole: bool,
        /// The files have changes alone: codes that they leave out stay.
        #[arg(long)]
        changes_only: bool,
    },
}

impl Masters {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        let Self::Import { files, shared, edition, layout, whole, changes_only } = self;
        let absent = match (whole, changes_only) {
            (_, true) => Absent::Stay,
            (true, false) => Absent::EndAll,
            (false, false) => Absent::EndFew,
        };
        let edition = match edition {
            None => None,
            Some(text) => Some(Date::parse(&text).ok_or("an edition is a day of the form 2024-06-01")?),
        };
        let (environment, log) = open(&shared)?;
        let _lock = environment.lock()?;
        let mut done = Vec::with_capacity(files.len());
        for file in &files {
            let imported = masters::import(&environment, file, &layout, edition, absent)?;
            for (system, change) in &imported.changes {
                let event = Event::new(Kind::MasterImported, WHO).subject(system.clone());
                let event = event.with("edition", imported.edition.to_string());
                let event = event.with("codes", change.entries).with("new", change.new);
                log.record(event.with("changed", change.changed).with("ended", change.ended))?;
            }
            if !shared.json {
                tell(&imported)?;
            }
            done.push(imported);
        }
        if shared.json {
            return print_json(&done.iter().map(View::of).collect::<Vec<_>>());
        }
        Ok(())
    }
}

fn tell(imported: &Imported) -> Result<(), Failure> {
    let file = imported.file.display();
    let (lines, entries, dropped) = (imported.lines, imported.entries, imported.dropped);
    let bad = imported.faults.len();
    print(&format!(
        "{file}: {lines} lines = {entries} codes + {dropped} blank or heading + {bad} unreadable"
    ))?;
    for (system, change) in &imported.changes {
        let (new, changed, ended) = (change.new, change.changed, change.ended);
        let edition = imported.edition;
        print(&format!("  {system}, edition {edition}: {new} new, {changed} changed, {ended} ended"))?;
    }
    if bad > 0 {
        print("  no code was ended for being absent, since it may stand on a line that could not be read")?;
    }
    for fault in &imported.faults {
        let field = if fault.field.is_empty() { "" } else { fault.field.as_ref() };
        let gap = if field.is_empty() { "" } else { ": " };
        print(&format!("  {file}: line {}: {field}{gap}{}", fault.line, fault.kind))?;
    }
    Ok(())
}

/// What `misu masters import --json` prints of one file.
#[derive(Serialize)]
struct View {
    file: String,
    edition: String,
    lines: u64,
    codes: u64,
    dropped: u64,
    systems: Vec<SystemView>,
    faults: Vec<FaultView>,
}

#[derive(Serialize)]
struct SystemView {
    system: String,
    codes: u64,
    new: u64,
    changed: u64,
    ended: u64,
}

#[derive(Serialize)]
struct FaultView {
    line: u64,
    field: String,
    kind: &'static str,
}

impl View {
    fn of(imported: &Imported) -> Self {
        let systems = imported.changes.iter().map(|(system, change)| SystemView {
            system: system.clone(),
            codes: change.entries,
            new: change.new,
            changed: change.changed,
            ended: change.ended,
        });
        let faults = imported.faults.iter().map(|fault| FaultView {
            line: fault.line,
            field: fault.field.to_string(),
            kind: fault.kind.as_str(),
        });
        Self {
            file: imported.file.display().to_string(),
            edition: imported.edition.to_string(),
            lines: imported.lines,
            codes: imported.entries,
            dropped: imported.dropped,
            systems: systems.collect(),
            faults: faults.collect(),
        }
    }
}
