//! The evidence of one release: what was asked under which permit, what was hidden and why, what was given.

use serde::{Deserialize, Serialize};

use super::document::{Document, Part, figure};
use super::words;
use crate::Language;
use crate::number::count;

/// The evidence of one release. The board sees what the researcher was given, and nothing that was hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The query's id.
    pub query: String,
    /// The project.
    pub project: String,
    /// Who asked.
    pub by: String,
    /// When it was opened, in Japan.
    pub opened: String,
    /// When it was closed.
    pub closed: String,
    /// How it ended.
    pub outcome: String,
    /// Why, where it was not released.
    pub why: String,
    /// The snapshot.
    pub snapshot: String,
    /// Digests of what decided: the plan, the rules, the policies, who was left out, the text, the answer.
    pub digests: Vec<(String, String)>,
    /// The columns that it read.
    pub columns: Vec<String>,
    /// Released cells.
    pub cells: u64,
    /// Hidden values.
    pub hidden: u64,
    /// Hidden values by rule; nothing where an earlier answer was given again.
    pub hidden_by: Vec<(String, u64)>,
    /// Whether the board's sealed copy is the one that the certificate names; nothing where there is none.
    pub sealed_copy: Option<bool>,
    /// Earlier releases that read columns of the same tables on the same snapshot: id, project, shared columns.
    pub earlier: Vec<(String, String, u64)>,
    /// The released table: headings and rows as they were given out.
    pub table: Option<(Vec<String>, Vec<Vec<String>>)>,
    /// The entry that closed it, and the hashes that prove that it stands in the record.
    pub proof: Vec<String>,
    /// The number of that entry.
    pub entry: u64,
}

impl Evidence {
    /// The report in words.
    pub fn document(&self, language: Language) -> Document {
        let w = |ja, en| language.pick(ja, en);
        let mut document =
            Document::new(language, w("開示の証拠", "Evidence of a release"), self.query.clone());
        document.footer = format!("misu {} {}", w("開示の証拠", "evidence"), self.query);
        let facts = [
            (w("課題", "Project"), &self.project),
            (w("照会者", "Asked by"), &self.by),
            (w("開始", "Opened"), &self.opened),
            (w("終了", "Closed"), &self.closed),
            (w("スナップショット", "Snapshot"), &self.snapshot),
        ];
        for (label, value) in facts {
            document.fact(label, value.clone());
        }
        document.fact(w("結果", "Outcome"), words::outcome(&self.outcome, language));
        if !self.why.is_empty() {
            document.fact(w("理由", "Reason"), self.why.clone());
        }
        if let Some(is_certified) = self.sealed_copy {
            let (ja, en) = match is_certified {
                true => ("証明書のとおり", "as the certificate names it"),
                false => ("証明書と異なる", "not what the certificate names"),
            };
            document.fact(w("封緘された控え", "Sealed copy"), w(ja, en).to_owned());
        }
        self.protection(&mut document, language);
        self.basis(&mut document, language);
        self.given(&mut document, language);
        document
    }

    fn protection(&self, document: &mut Document, language: Language) {
        let w = |ja, en| language.pick(ja, en);
        let hidden =
            self.hidden_by.iter().map(|(rule, number)| vec![words::hiding(rule, language), count(*number)]);
        let earlier = self
            .earlier
            .iter()
            .map(|(id, project, columns)| vec![id.clone(), project.clone(), count(*columns)]);
        document.section(
            w("出力の保護", "Protection"),
            vec![
                Part::Figures(vec![
                    figure(w("開示したセル", "Cells released"), count(self.cells)),
                    figure(w("秘匿した値", "Values hidden"), count(self.hidden)),
                ]),
                Part::table(
                    w("秘匿", "hidden"),
                    &[w("規則*", "rule*"), w("値の数#", "values#")],
                    hidden.collect(),
                ),
                Part::table(
                    w("関係する過去の開示", "earlier releases"),
                    &[w("照会*", "query*"), w("課題", "project"), w("共通の列#", "shared columns#")],
                    earlier.collect(),
                ),
            ],
        );
    }

    fn basis(&self, document: &mut Document, language: Language) {
        let w = |ja, en| language.pick(ja, en);
        let digests = self.digests.iter().map(|(name, digest)| vec![name.clone(), digest.clone()]);
        document.section(
            w("根拠", "Basis"),
            vec![
                Part::text(format!("{} {}", w("読んだ列：", "Columns read:"), self.columns.join(", "))),
                Part::table(
                    w("ダイジェスト", "digests"),
                    &[w("対象", "of"), w("ダイジェスト*", "digest*")],
                    digests.collect(),
                ),
            ],
        );
    }

    fn given(&self, document: &mut Document, language: Language) {
        let w = |ja, en| language.pick(ja, en);
        let table = self.table.as_ref().map(|(columns, rows)| {
            let names: Vec<&str> = columns.iter().map(String::as_str).collect();
            Part::table(w("開示した表", "released table"), &names, rows.clone())
        });
        document.section(w("開示した表", "What was given out"), table.into_iter().collect());
        let proof = format!(
            "{} {}{}",
            w("終了の項：", "Closing entry:"),
            self.entry,
            w(
                "。下は、その項が検証のチェックポイントに含まれることの証明（RFC 6962）である。",
                ". Below is the proof (RFC 6962) that it stands in the checkpoint of this report."
            )
        );
        let hashes = self.proof.iter().enumerate().map(|(at, hash)| vec![at.to_string(), hash.clone()]);
        document.section(
            w("記録にあることの証明", "Proof of record"),
            vec![
                Part::text(proof),
                Part::table(
                    w("証明", "proof"),
                    &[w("段#", "step#"), w("ハッシュ*", "hash*")],
                    hashes.collect(),
                ),
            ],
        );
    }
}
