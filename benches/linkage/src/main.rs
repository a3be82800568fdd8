//! How fast records that share a key are found: `benches-linkage PERSONS FILE` prints one line of JSON, and writes the
//! same keys to FILE (two columns of 64-bit numbers) for another program to link.
//!
//! Four records a person: one card and two names, or two cards and one name, as in the insurance. The keys are BLAKE3
//! keyed hashes, whose share of the time is printed.

use std::io::Write as _;
use std::time::Instant;

#[path = "../../../pseudonymizer/src/linkage/exact.rs"]
mod exact;

const RECORDS: u64 = 4;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let persons: u64 = arguments.first().ok_or("call: benches-linkage PERSONS [FILE]")?.parse()?;
    let records = persons * RECORDS;
    let start = Instant::now();
    let columns: Vec<Vec<u64>> = [1_u8, 2].map(|scheme| (0..records).map(|at| key(scheme, persons, at)).collect()).into();
    let hashing = start.elapsed().as_secs_f64();
    if let Some(path) = arguments.get(1) {
        let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
        for column in &columns {
            column.iter().try_for_each(|key| file.write_all(&key.to_le_bytes()))?;
        }
        file.flush()?;
    }
    let before = peak();
    let start = Instant::now();
    let found = exact::components(columns);
    let linking = start.elapsed().as_secs_f64();
    let groups = found.iter().zip(0_u32..).filter(|(name, record)| **name == *record).count();
    writeln!(
        std::io::stdout(),
        "{{\"records\":{records},\"persons\":{persons},\"groups\":{groups},\"link_s\":{linking:.2},\
         \"million_per_s\":{:.2},\"hash_s\":{hashing:.2},\"hash_share\":{:.2},\"peak_bytes_per_record\":{:.1},\
         \"peak_before\":{:.1}}}",
        records as f64 / linking / 1e6,
        hashing / (hashing + linking),
        peak() / records as f64,
        before / records as f64,
    )?;
    Ok(())
}

/// The key of a record, in an order that tells nothing: every person has two cards and one name, or one and two.
fn key(scheme: u8, persons: u64, record: u64) -> u64 {
    // A prime beyond every size in use scatters the records of a person over the column.
    let at = (u128::from(record) * 2_147_483_647 % u128::from(persons * RECORDS)) as u64;
    let (person, mention) = (at / RECORDS, at % RECORDS);
    let changes = u8::from(person % 2 == 0) + 1 == scheme;
    let spell = if changes { mention / 2 } else { 0 };
    let mut text = [0; 24];
    text[0] = scheme;
    text[8..16].copy_from_slice(&person.to_le_bytes());
    text[16..].copy_from_slice(&spell.to_le_bytes());
    let hash = blake3::keyed_hash(&[7; 32], &text);
    let mut key = [0; 8];
    key.copy_from_slice(&hash.as_bytes()[..8]);
    u64::from_le_bytes(key).max(1)
}

/// The most memory that the process had so far, in bytes.
fn peak() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).unwrap_or(0.0) * 1024.0
}
