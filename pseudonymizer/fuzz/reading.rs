//! What every fuzz target does: read any bytes as one kind of file, to the end, with an account that closes.
//!
//! The first byte chooses the family among those of the kind; the rest is the file.

use std::io::Cursor;
use std::sync::LazyLock;

use catalog_model::Catalogue;
use pseudonymizer::claim::Claim;
use pseudonymizer::formats::{Claims, FilePart, FileSummary, Program, Reader, Value};
use pseudonymizer::keying::Identity;

/// How the lines of a family are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Each line says in a field of its own what it is: UKE, DPC, care claims.
    Tagged,
    /// All lines are alike: tables with or without a heading.
    Columns,
    /// Documents in a zip package.
    Package,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| match Catalogue::builtin() {
    Ok(catalogue) => catalogue,
    Err(error) => panic!("{error:?}"),
});

static PROGRAMS: LazyLock<Vec<(String, Kind, Program)>> = LazyLock::new(|| {
    let program = |(name, family): (&String, &catalog_model::Family)| {
        let kind = match &family.framing {
            framing if framing.package.is_some() => Kind::Package,
            framing if framing.tag.is_empty() => Kind::Columns,
            _ => Kind::Tagged,
        };
        let program = Program::compile(&CATALOGUE, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        (name.clone(), kind, program)
    };
    CATALOGUE.families.iter().map(program).collect()
});

const WHOLE: FilePart<'_> = FilePart { file: 0, lines_before: 0, preamble: &[], is_last: true };

/// The families of a kind, in the order in which the first byte counts them.
pub(crate) fn families(kind: Kind) -> Vec<&'static str> {
    PROGRAMS.iter().filter(|(_, of, _)| *of == kind).map(|(name, _, _)| name.as_str()).collect()
}

/// Reads `data` as a file of this kind.
pub(crate) fn read(kind: Kind, data: &[u8]) {
    let Some((first, bytes)) = data.split_first() else { return };
    let programs: Vec<&Program> =
        PROGRAMS.iter().filter(|(_, of, _)| *of == kind).map(|(_, _, program)| program).collect();
    let Some(program) = programs.get(usize::from(*first) % programs.len().max(1)) else { return };
    let mut reader = Reader::new(program, 0);
    let summary = match kind {
        // A package that attacks its reader is refused whole.
        Kind::Package => reader.read_package(Cursor::new(bytes), &WHOLE, &mut Sink).ok(),
        _ => reader.read(bytes, &WHOLE, &mut Sink).ok(),
    };
    if let Some(summary) = summary {
        close(&summary);
    }
}

fn close(summary: &FileSummary) {
    let dropped: u64 = summary.dropped.iter().sum();
    assert_eq!(summary.read, summary.stored + dropped + summary.faults.len() as u64);
}

/// Takes everything and keeps nothing.
struct Sink;

impl Claims for Sink {
    fn value(&mut self, _table: usize, _column: usize, _value: Value<'_>) {}

    fn end_row(&mut self, _table: usize, _record: u32, _line: u64) {}

    fn surrogate(&mut self, _parts: &mut dyn Iterator<Item = &[u8]>) -> [u8; 16] {
        [0; 16]
    }

    fn claim(&mut self, _claim: Claim<&Identity>) -> bool {
        true
    }
}
