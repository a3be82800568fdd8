//! How fast the record is written and verified on this machine: `cargo run --release -p audit --example speed`.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use audit::{Event, Kind, Log};
use time::OffsetDateTime;

/// Entries that are written one by one, each on the disk before the next.
const ALONE: u32 = 2_000;
/// Entries that are written in groups of so many.
const GROUPS: (u32, u32) = (50, 1_000);

fn event(number: u32) -> Event {
    let event = Event::new(Kind::View, "reviewer").project("demo").subject("output demo-q12");
    event.with("number", u64::from(number))
}

fn rate(entries: u32, took: Duration) -> f64 {
    f64::from(entries) / took.as_secs_f64()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let clock: fn() -> OffsetDateTime = OffsetDateTime::now_utc;
    let log = Log::create(folder.path(), clock)?;
    let begun = Instant::now();
    for number in 0..ALONE {
        log.record(event(number))?;
    }
    let alone = rate(ALONE, begun.elapsed());
    let begun = Instant::now();
    let (groups, size) = GROUPS;
    for _ in 0..groups {
        log.record_all((0..size).map(event))?;
    }
    let grouped = rate(groups * size, begun.elapsed());
    let begun = Instant::now();
    let verified = audit::verify_file(log.path())?;
    let took = begun.elapsed();
    let entries = verified.entries;
    let rate = rate(u32::try_from(entries)?, took);
    writeln!(io::stdout(), "one by one: {alone:.0} entries a second, each on the disk")?;
    writeln!(io::stdout(), "in groups of {size}: {grouped:.0} entries a second")?;
    writeln!(io::stdout(), "verified: {entries} entries, {rate:.0} a second")?;
    Ok(())
}
