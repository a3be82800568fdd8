//! Reads delimited files record by record: a quote, doubled quotes and line ends within quotes are understood.

use super::declaration::{Registry, TextEncoding};
use super::{FileFault, RegistryError};

/// Calls `take` with the values of the declared fields of each record, in the order of the declaration.
pub(super) fn records(
    registry: &Registry,
    path: &std::path::Path,
    take: &mut dyn FnMut(&[String]),
) -> Result<(), RegistryError> {
    let bytes = std::fs::read(path)
        .map_err(|source| RegistryError::Read { path: path.to_owned(), source })
        .map(zeroize::Zeroizing::new)?;
    let text = match registry.encoding {
        TextEncoding::Utf8 => String::from_utf8_lossy(&bytes),
        TextEncoding::Cp932 => encoding_rs::SHIFT_JIS.decode_without_bom_handling(&bytes).0,
    };
    let fault = |fault| RegistryError::File { path: path.to_owned(), fault };
    let mut rows =
        Rows { rest: text.trim_start_matches('\u{FEFF}').chars().peekable(), delimiter: registry.delimiter };
    let heading = if registry.has_heading { rows.next().unwrap_or_default() } else { Vec::new() };
    let mut places = Vec::with_capacity(registry.fields.len());
    for field in &registry.fields {
        let column = field.column.as_ref().unwrap_or(&field.name);
        let named = || heading.iter().position(|name| name.trim() == column);
        let place = field.at.and_then(|at| at.checked_sub(1)).or_else(named);
        places.push(place.ok_or_else(|| fault(FileFault::NoColumn(column.clone())))?);
    }
    let mut values = vec![String::new(); places.len()];
    for (number, row) in (1_u64..).zip(rows) {
        for (value, place) in values.iter_mut().zip(&places) {
            let cell = row.get(*place).ok_or_else(|| fault(FileFault::Short { record: number }))?;
            value.clear();
            value.push_str(cell);
        }
        take(&values);
    }
    Ok(())
}

struct Rows<'t> {
    rest: std::iter::Peekable<std::str::Chars<'t>>,
    delimiter: char,
}

impl Iterator for Rows<'_> {
    type Item = Vec<String>;

    fn next(&mut self) -> Option<Vec<String>> {
        self.rest.peek()?;
        let mut row = Vec::new();
        loop {
            let (cell, is_last) = self.cell();
            row.push(cell);
            if is_last {
                // An empty line is no record.
                return match row.as_slice() {
                    [only] if only.is_empty() => self.next(),
                    _ => Some(row),
                };
            }
        }
    }
}

impl Rows<'_> {
    /// The next cell, and whether the record ends with it.
    fn cell(&mut self) -> (String, bool) {
        let mut cell = String::new();
        let mut is_quoted = false;
        while let Some(character) = self.rest.next() {
            match character {
                '"' if is_quoted && self.rest.peek() == Some(&'"') => {
                    cell.push('"');
                    self.rest.next();
                }
                '"' if is_quoted => is_quoted = false,
                '"' if cell.is_empty() => is_quoted = true,
                '\r' if !is_quoted && self.rest.peek() == Some(&'\n') => {}
                '\n' if !is_quoted => return (cell, true),
                other if other == self.delimiter && !is_quoted => return (cell, false),
                other => cell.push(other),
            }
        }
        (cell, true)
    }
}

#[cfg(test)]
mod tests {
    use super::Rows;

    #[test]
    fn quotes_and_line_ends_are_understood() {
        let rows = Rows { rest: "a,\"b,\"\"c\"\"\n\",\r\n\nd,,e".chars().peekable(), delimiter: ',' };
        let rows: Vec<Vec<String>> = rows.collect();
        assert_eq!(rows, [vec!["a", "b,\"c\"\n", ""], vec!["d", "", "e"]]);
    }
}
