//! What is asked: the demo's questions, or those of a folder.

use std::path::Path;

use crate::Failure;

#[expect(dead_code, reason = "the demo's texts for people are not needed here, its SQL is")]
#[path = "../../cli/src/demo/questions.rs"]
mod questions;

/// A question with what it is called.
pub(crate) struct Asked {
    pub(crate) name: String,
    pub(crate) sql: String,
}

impl Asked {
    /// The question without the ORDER BY and LIMIT at its end: which of equal rows are cut off is nobody's to say.
    pub(crate) fn unordered(&self) -> &str {
        self.sql.rsplit_once("\nORDER BY").map_or(self.sql.as_str(), |(before, _)| before)
    }
}

/// The demo's questions, or those that lie in `folder` as SQL files, in the order of their names.
pub(crate) fn questions(folder: Option<&Path>) -> Result<Vec<Asked>, Failure> {
    let Some(folder) = folder else {
        let demo = questions::QUESTIONS.iter();
        return Ok(demo.map(|of| Asked { name: of.en.to_owned(), sql: of.sql.to_owned() }).collect());
    };
    let mut asked = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().map(|name| name.to_string_lossy().into_owned());
        if let (Some(name), true) = (name, path.extension().is_some_and(|extension| extension == "sql")) {
            asked.push(Asked { name, sql: std::fs::read_to_string(&path)?.trim_end().to_owned() });
        }
    }
    asked.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(asked)
}
