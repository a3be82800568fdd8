//! `quarantine`: places and kinds of what could not be stored.

use pseudonymizer::pipeline;

use super::{Failure, Shared, open, print, print_json};

/// Lists the quarantine.
pub(super) fn list(shared: &Shared, delivery: Option<&str>, is_each: bool) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let rows = pipeline::quarantine(&environment, delivery, is_each)?;
    if shared.json {
        return print_json(&rows);
    }
    print("delivery\tfile\tline\trecord\tfield\tkind\tcount")?;
    for row in rows {
        print(&format!(
            "{}\t{}\t{}\t{}\t{}\t{}\t{}",
            row.delivery, row.file, row.line, row.record, row.field, row.kind, row.count
        ))?;
    }
    Ok(())
}
