//! Faults by kind, from the places that `misu-ingest` wrote down: what is wrong by itself, and what went with it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use catalog_model::FaultKind;
use reports::quality::profile::FaultCount;

use crate::failure::Failure;
use crate::repeats::Records;

struct Place<'t> {
    file: &'t str,
    line: &'t str,
    record: &'t str,
    kind: FaultKind,
}

/// Counts a delivery's faults; repeated records are not in the file of places, since they are found over deliveries.
pub(crate) fn count(path: &Path, repeated: Records) -> Result<BTreeMap<String, FaultCount>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(Failure::Read { path: path.to_owned(), source }),
    };
    let mut counts = judged(&text);
    if repeated.repeated > 0 {
        let consequences = repeated.repeated_lines.saturating_sub(repeated.repeated);
        counts.insert(
            FaultKind::Duplicate.as_str().to_owned(),
            FaultCount { found: repeated.repeated, consequences },
        );
    }
    Ok(counts)
}

fn judged(text: &str) -> BTreeMap<String, FaultCount> {
    let places: Vec<Place<'_>> = text.lines().skip(1).filter_map(place).collect();
    // A note of the whole file stands beside the lines that went with it, and names no record type.
    let is_note = |place: &Place<'_>| place.kind == FaultKind::Truncated && place.record.is_empty();
    let cuts: BTreeSet<(&str, &str)> =
        places.iter().filter(|place| is_note(place)).map(|place| (place.file, place.line)).collect();
    let is_heading = |place: &&Place<'_>| place.kind == FaultKind::Heading;
    let headless: BTreeSet<&str> = places.iter().filter(is_heading).map(|place| place.file).collect();
    let lost: BTreeSet<(&str, u64)> = places.iter().map(|place| (place.file, place.number())).collect();
    // In a receipt that lost its first line no line is stored, so in front of each lies another in quarantine.
    let is_lone = |place: &Place<'_>| {
        let before = place.number().checked_sub(1);
        !headless.contains(place.file) && before.is_some_and(|line| !lost.contains(&(place.file, line)))
    };
    let mut counts: BTreeMap<String, FaultCount> = BTreeMap::new();
    for place in &places {
        let is_cut_line = cuts.contains(&(place.file, place.line));
        let is_found = match place.kind {
            FaultKind::Orphan => is_lone(place),
            FaultKind::Truncated => place.record.is_empty(),
            // What is left of the line in which a file ends is no fault of its own.
            _ => !is_cut_line,
        };
        let count = counts.entry(place.kind.as_str().to_owned()).or_default();
        *(if is_found { &mut count.found } else { &mut count.consequences }) += 1;
    }
    counts
}

impl Place<'_> {
    fn number(&self) -> u64 {
        self.line.parse().unwrap_or(0)
    }
}

// The path comes first and may hold commas; the four items after it hold none.
fn place(line: &str) -> Option<Place<'_>> {
    let mut items = line.rsplitn(5, ',');
    let kind = FaultKind::parse(items.next()?)?;
    let _field = items.next()?;
    let record = items.next()?;
    let line = items.next()?;
    Some(Place { file: items.next()?, line, record, kind })
}

#[cfg(test)]
mod tests {
    use super::judged;

    #[test]
    fn what_follows_from_a_fault_is_not_counted_as_one() {
        let text = "file,line,record,field,kind\n\
            a.UKE,3,RE,sex,code\na.UKE,4,SY,,orphan\na.UKE,5,SI,,orphan\n\
            a.UKE,9,SI,,truncated\na.UKE,10,,,truncated\na.UKE,10,IY,,columns\n\
            \"b,1.UKE\",2,SI,,columns\n\
            c.UKE,2,SI,,orphan\nc.UKE,7,RE,,no-identity\nc.UKE,8,HO,,orphan\nc.UKE,9,RE,,no-identity\n\
            d.csv,2,,column-3,heading\nd.csv,3,,,orphan\nd.csv,7,,,orphan\n";
        let counts = judged(text);
        let shown: Vec<_> =
            counts.iter().map(|(kind, count)| (kind.as_str(), count.found, count.consequences)).collect();
        let expected = [
            ("code", 1, 0),
            ("columns", 1, 1),
            ("heading", 1, 0),
            ("no-identity", 2, 0),
            ("orphan", 1, 5),
            ("truncated", 1, 1),
        ];
        assert_eq!(shown, expected);
    }
}
