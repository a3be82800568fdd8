//! JSON: the released table as the guard sent it.

use engine_protocol::ReleasedTable;

use super::TableError;

/// The table as indented JSON with a newline at its end, which reads back as the same table.
///
/// # Errors
///
/// The text cannot be made.
pub fn json(table: &ReleasedTable) -> Result<String, TableError> {
    Ok(serde_json::to_string_pretty(table)? + "\n")
}

#[cfg(test)]
mod tests {
    use engine_protocol::ReleasedTable;

    use super::json;
    use crate::table::tests::sample;

    #[test]
    fn the_text_reads_back() {
        let text = json(&sample()).unwrap();
        assert_eq!(serde_json::from_str::<ReleasedTable>(&text).unwrap(), sample());
        assert!(text.contains("\n  \"query\": \"q12\",\n"), "{text}");
    }
}
