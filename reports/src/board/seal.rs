//! What verifies a report: a checkpoint over the record that was signed after the report's figures were recorded.

use serde::{Deserialize, Serialize};

use crate::Language;
use crate::number::count;

/// The checkpoint of a report and the key that verifies it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The digest (BLAKE3) of the report's figures, which stands in the record.
    pub figures: String,
    /// The number of the entry in which it stands.
    pub entry: u64,
    /// How many entries the checkpoint is over.
    pub size: u64,
    /// The signed checkpoint.
    pub checkpoint: String,
    /// The key that verifies its signature.
    pub key: String,
}

/// A seal in words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// How to check it.
    pub lines: Vec<String>,
    /// The checkpoint with its key.
    pub note: String,
}

impl Seal {
    /// The seal in words.
    pub fn worded(&self, language: Language) -> Sealed {
        let lines = match language {
            Language::Japanese => vec![
                format!(
                    "この報告書の数値（JSON形式）のダイジェスト（BLAKE3）は {} であり、監査記録の第 {} 項に記録されている。",
                    self.figures,
                    count(self.entry)
                ),
                format!(
                    "下のチェックポイントは、その項を含む監査記録 {} 項の根に署名したものである。記録の写しがあれば、誰でも次の命令で検証できる：misu audit verify --log log.jsonl --checkpoint FILE --key KEY",
                    count(self.size)
                ),
            ],
            Language::English => vec![
                format!(
                    "The digest (BLAKE3) of this report's figures (the JSON form) is {}; it stands in entry {} of the record.",
                    self.figures,
                    count(self.entry)
                ),
                format!(
                    "The checkpoint below is signed over the root of the record's {} entries, that one among them. Whoever has a copy of the record can check it: misu audit verify --log log.jsonl --checkpoint FILE --key KEY",
                    count(self.size)
                ),
            ],
        };
        Sealed { lines, note: format!("{}\nkey {}\n", self.checkpoint.trim_end(), self.key) }
    }
}
