//! A code system as a catalogue file, one line for each code: a custodian can read it and compare two of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use catalog_model::{CodeSystem, Date};

/// The text of the file.
pub(super) fn toml(system: &CodeSystem) -> String {
    let mut text = String::from(
        "# Written by `misu masters import` from official masters; import them again instead of editing.\n",
    );
    let _ = writeln!(text, "system = {}", quoted(&system.system));
    let _ = writeln!(text, "name = {{ ja = {}, en = {} }}", quoted(&system.name.ja), quoted(&system.name.en));
    let _ = writeln!(text, "source = {}", quoted(&system.source));
    text.push_str("edition = [\n");
    for edition in &system.editions {
        let (file, blake3) = (quoted(&edition.file), quoted(&edition.blake3));
        let date = edition.date;
        let codes = edition.codes;
        let _ =
            writeln!(text, "  {{ date = \"{date}\", file = {file}, blake3 = {blake3}, codes = {codes} }},");
    }
    text.push_str("]\ncode = [\n");
    for code in &system.codes {
        let _ = write!(text, "  {{ code = {}", quoted(&code.code));
        meaning(&mut text, &code.ja, &code.attributes, code.from, code.to);
        if !code.former.is_empty() {
            text.push_str(", former = [");
            for (at, former) in code.former.iter().enumerate() {
                let mut inner = String::new();
                meaning(&mut inner, &former.ja, &former.attributes, former.from, former.to);
                let _ = write!(
                    text,
                    "{}{{ {} }}",
                    if at > 0 { ", " } else { "" },
                    inner.trim_start_matches(", ")
                );
            }
            text.push(']');
        }
        text.push_str(" },\n");
    }
    text.push_str("]\n");
    text
}

fn meaning(
    text: &mut String,
    ja: &str,
    attributes: &BTreeMap<String, String>,
    from: Option<Date>,
    to: Option<Date>,
) {
    let _ = write!(text, ", ja = {}", quoted(ja));
    for (name, day) in [("from", from), ("to", to)] {
        if let Some(day) = day {
            let _ = write!(text, ", {name} = \"{day}\"");
        }
    }
    if !attributes.is_empty() {
        let pairs: Vec<String> =
            attributes.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
        let _ = write!(text, ", attributes = {{ {} }}", pairs.join(", "));
    }
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            control if control.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(control));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn every_name_reads_back() {
        for name in ["もやもや病", "a\"b\\c", "tab\tand\u{7f}", "改行\n"] {
            let table: toml::Table = format!("x = {}", quoted(name)).parse().unwrap();
            assert_eq!(table["x"].as_str(), Some(name));
        }
    }
}
