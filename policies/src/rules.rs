//! Disclosure rule packs: dated numbers, each with its source and its reason.

use catalog_model::{Names, Thresholds};
use serde::Deserialize;

use crate::fault::{FileFault, FileProblem, Reading};

/// One dated set of numbers that disclosure control starts from.
#[derive(Clone, Debug)]
pub struct RulePack {
    written: Written,
    digest: String,
}

/// A number, where it comes from and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sourced<T> {
    /// The number.
    pub value: T,
    /// The document and page.
    pub source: String,
    /// What the number does.
    pub reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    pack: String,
    name: Names,
    compiled: String,
    persons: Sourced<u32>,
    zero_shown: Sourced<bool>,
}

impl RulePack {
    /// Reads a pack.
    ///
    /// # Errors
    ///
    /// Where the text is not a pack, or a number has no source or protects nobody.
    pub fn parse(file: &str, text: &str) -> Result<Self, FileFault> {
        let reading = Reading(file);
        let written: Written = reading.toml(text)?;
        reading.name("pack", &written.pack)?;
        for (key, text) in [
            ("name.ja", &written.name.ja),
            ("name.en", &written.name.en),
            ("compiled", &written.compiled),
            ("persons.source", &written.persons.source),
            ("persons.reason", &written.persons.reason),
            ("zero_shown.source", &written.zero_shown.source),
            ("zero_shown.reason", &written.zero_shown.reason),
        ] {
            reading.text(key, text)?;
        }
        threshold(reading, "persons.value", written.persons.value)?;
        Ok(Self { written, digest: blake3::hash(text.as_bytes()).to_hex().to_string() })
    }

    /// The pack's name, which applications use.
    pub fn pack(&self) -> &str {
        &self.written.pack
    }

    /// The pack's name for people.
    pub const fn name(&self) -> &Names {
        &self.written.name
    }

    /// The day on which the numbers were taken from their sources.
    pub fn compiled(&self) -> &str {
        &self.written.compiled
    }

    /// The BLAKE3 digest of the pack's text, 64 hexadecimal digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// A published cell has at least so many distinct persons.
    pub const fn persons(&self) -> &Sourced<u32> {
        &self.written.persons
    }

    /// Whether an exact zero is shown.
    pub const fn zero_shown(&self) -> &Sourced<bool> {
        &self.written.zero_shown
    }

    /// The numbers alone.
    pub const fn thresholds(&self) -> Thresholds {
        Thresholds { persons: self.written.persons.value, zero_shown: self.written.zero_shown.value }
    }
}

/// Checks a smallest number of persons: a cell of one is that person's record.
pub(crate) fn threshold(reading: Reading<'_>, key: &str, persons: u32) -> Result<(), FileFault> {
    if persons < 2 { Err(reading.fault(key, FileProblem::Threshold(persons))) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::RulePack;

    const GENERAL: &str = include_str!("../disclosure/general-2026.toml");

    fn parse(text: &str) -> Result<RulePack, String> {
        RulePack::parse("p.toml", text).map_err(|fault| fault.to_string())
    }

    #[test]
    fn the_shipped_pack_hides_fewer_than_ten_and_shows_zero() {
        let pack = parse(GENERAL).unwrap();
        assert_eq!((pack.thresholds().persons, pack.thresholds().zero_shown), (10, true));
        assert_eq!(pack.digest(), blake3::hash(GENERAL.as_bytes()).to_hex().as_str());
    }

    #[test]
    fn a_number_without_a_source_or_without_sense_is_named() {
        let faults = [
            (
                GENERAL.replace("value = 10", "value = 1"),
                "p.toml: persons.value: a cell of 1 protects nobody",
            ),
            (
                GENERAL.replace("value = 10", "value = -1"),
                "p.toml: line 9: invalid value: integer `-1`, expected u32",
            ),
            (
                GENERAL.replace("value = 10", "valeu = 10"),
                "p.toml: line 9: unknown field `valeu`, expected one of `value`, `source`, `reason`",
            ),
            (GENERAL.replace("reason = \"a cell", "reason = \"\"#"), "p.toml: persons.reason: empty"),
        ];
        for (text, fault) in faults {
            assert_eq!(parse(&text).unwrap_err(), fault);
        }
    }
}
