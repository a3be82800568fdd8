//! A release's certificate held against its table, offline: the signature, the table, the entry of the record.

use audit::{Digest, NoteError, SignedCheckpoint, SignedStatement, StatementKind, VerifierKey};
use engine_protocol::{Certificate, ReleasedTable, certificate_version};
use serde::Deserialize;

use crate::Language;

/// Why a certificate does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// The key has not signed it.
    #[error("the certificate is not signed by this key: {0}")]
    Signature(#[from] NoteError),
    /// What is signed is no certificate of this form.
    #[error("what is signed is no certificate that this program knows")]
    Form,
    /// The table is another one.
    #[error("the table is not the one that was certified")]
    Table,
    /// Something on the table differs from the certificate.
    #[error("the table and the certificate differ in: {0}")]
    Differs(&'static str),
    /// The proof is of another form, or for another entry.
    #[error("the proof is not one for entry {0}")]
    Proof(u64),
    /// The entry does not stand in the record of the checkpoint.
    #[error("entry {0} does not stand in the record of the checkpoint")]
    NotIncluded(u64),
}

/// A proof that an entry stands in the record, as `misu audit prove` prints it.
#[derive(Deserialize)]
struct Proof {
    entry: Option<u64>,
    hashes: Vec<String>,
    checkpoint: String,
}

/// A certificate that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// What it says.
    pub certificate: Certificate,
    /// The size of the record in which its entry was shown to stand.
    pub proven_in: Option<u64>,
}

/// Checks a certificate against a table and, where there is one, a proof for its entry.
///
/// # Errors
///
/// The first thing that does not hold.
pub fn verify(
    note: &str,
    table: &ReleasedTable,
    key: &VerifierKey,
    proof: Option<&str>,
) -> Result<Certified, CertificateFault> {
    let signed = SignedStatement::parse(StatementKind::Certificate, note)?;
    signed.verify(key)?;
    let certificate: Certificate = serde_json::from_str(signed.json()).map_err(|_| CertificateFault::Form)?;
    let form = certificate_version(certificate.exclusion.as_deref(), &certificate.lists);
    if form != Some(certificate.version) {
        return Err(CertificateFault::Form);
    }
    let bytes = table.certified().map_err(|_| CertificateFault::Table)?;
    if Digest::of(&[&bytes]).to_string() != certificate.table {
        return Err(CertificateFault::Table);
    }
    differs(&certificate, table).map_or(Ok(()), |what| Err(CertificateFault::Differs(what)))?;
    let proven_in = proof.map(|proof| proven(&certificate, proof, key)).transpose()?;
    Ok(Certified { certificate, proven_in })
}

/// What the certificate says in its own words besides the digest; a signer who erred is found here.
fn differs(certificate: &Certificate, table: &ReleasedTable) -> Option<&'static str> {
    [
        (certificate.query != table.query, "query"),
        (certificate.snapshot != table.snapshot, "snapshot"),
        (certificate.rules != table.rules, "rules"),
        (certificate.threshold != table.threshold, "threshold"),
        ((certificate.values, certificate.hidden) != table.values(), "share hidden"),
    ]
    .into_iter()
    .find_map(|(differs, what)| differs.then_some(what))
}

fn proven(certificate: &Certificate, proof: &str, key: &VerifierKey) -> Result<u64, CertificateFault> {
    let entry = certificate.entry;
    let form = || CertificateFault::Proof(entry);
    let proof: Proof = serde_json::from_str(proof).map_err(|_| form())?;
    if proof.entry != Some(entry) {
        return Err(form());
    }
    let leaf = Digest::parse(&certificate.entry_leaf).ok_or(CertificateFault::Form)?;
    let hashes = proof.hashes.iter().map(|hash| Digest::parse(hash));
    let hashes = hashes.collect::<Option<Vec<Digest>>>().ok_or_else(form)?;
    let checkpoint = SignedCheckpoint::parse(&proof.checkpoint)?;
    checkpoint.verify(key)?;
    let point = checkpoint.checkpoint();
    let is_included = audit::includes(leaf, entry, point.size, &hashes, point.root);
    is_included.then_some(point.size).ok_or(CertificateFault::NotIncluded(entry))
}

/// What a certificate says, without asking whether it holds; nothing where it is none of this form.
pub fn said(note: &str) -> Option<Certificate> {
    let signed = SignedStatement::parse(StatementKind::Certificate, note).ok()?;
    serde_json::from_str(signed.json()).ok()
}

/// What a certificate that holds says, for a reader.
pub fn text(certified: &Certified, language: Language) -> String {
    let Certified { certificate, proven_in } = certified;
    let Certificate { project, query, snapshot, rules, threshold, hidden, values, entry, .. } = certificate;
    let differ = certificate.may_differ_by_fewer_than;
    let left_out = certificate.exclusion.iter().map(|exclusion| match language {
        Language::Japanese => format!("利用停止の状態 {exclusion}（同じ値なら除かれた人は同じ）\n"),
        Language::English => format!("opt-outs {exclusion} (the same where the same persons are left out)\n"),
    });
    let left_out: String = left_out.collect();
    let lists = match (certificate.lists.join(" "), language) {
        (lists, _) if lists.is_empty() => lists,
        (lists, Language::Japanese) => format!("コードの一覧 {lists}\n"),
        (lists, Language::English) => format!("lists of codes {lists}\n"),
    };
    match language {
        Language::Japanese => {
            let proof = proven_in.map_or_else(
                || "証明は与えられていない".to_owned(),
                |size| format!("{size} 件の監査記録に含まれることを確認した"),
            );
            format!(
                "証明書と表は一致する：{project} の {query}\n\
                 スナップショット {snapshot}\n\
                 {left_out}\
                 {lists}\
                 公表基準 {rules}\n\
                 表示された値はすべて {threshold} 人以上、秘匿は {values} 個中 {hidden} 個\n\
                 値は {differ} 人未満だけ異なる集団のものであることがある\n\
                 監査記録 {entry} 番：{proof}\n"
            )
        }
        Language::English => {
            let proof = proven_in.map_or_else(
                || "no proof was given".to_owned(),
                |size| format!("shown to stand in the record of {size} entries"),
            );
            format!(
                "the certificate holds for this table: {query} of {project}\n\
                 snapshot {snapshot}\n\
                 {left_out}\
                 {lists}\
                 rules {rules}\n\
                 every value shown has at least {threshold} persons; {hidden} of {values} values are hidden\n\
                 a value may be that of a group that differs by fewer than {differ} persons\n\
                 entry {entry} of the record: {proof}\n"
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use audit::{Digest, NoteSigner, SignedStatement, SignerKind, StatementKind};
    use engine_protocol::{CellValue, Certificate, ReleasedTable};
    use proptest::prelude::*;

    use super::{CertificateFault, verify};
    use crate::Language;
    use crate::table::tests::sample;

    fn signer(seed: u8) -> NoteSigner {
        NoteSigner::new("misu/record", SignerKind::Log, &[seed; 32]).unwrap()
    }

    fn certificate(table: &ReleasedTable) -> Certificate {
        let text = |text: &str| text.to_owned();
        let (values, hidden) = table.values();
        Certificate {
            version: 2,
            at: text("2026-11-21T00:00:00Z"),
            program: text("misu 0.1.0"),
            project: text("demo"),
            query: table.query.clone(),
            question: text("q"),
            plan: text("p"),
            lists: vec![],
            snapshot: table.snapshot.clone(),
            exclusion: Some(text("e")),
            rules: table.rules.clone(),
            rules_digest: text("d"),
            threshold: table.threshold,
            hidden_interval: table.threshold,
            may_differ_by_fewer_than: table.threshold,
            values,
            hidden,
            ledger_entries: 1,
            ledger_head: text("h"),
            entry: 0,
            entry_leaf: audit::leaf(b"line").to_string(),
            table: Digest::of(&[&table.certified().unwrap()]).to_string(),
            board: text("b"),
        }
    }

    fn signed(certificate: &Certificate) -> String {
        let json = serde_json::to_string(certificate).unwrap();
        SignedStatement::sign(StatementKind::Certificate, &json, &signer(1)).unwrap().to_string()
    }

    #[test]
    fn a_certificate_holds_for_its_table_its_key_and_its_entry() {
        let table = sample();
        let note = signed(&certificate(&table));
        let key = signer(1);
        // The table as it is handed out carries the note that is about it.
        let carried = ReleasedTable { certificate: Some(note.clone()), ..table.clone() };
        let point =
            audit::Checkpoint { origin: "misu/record".to_owned(), size: 1, root: audit::leaf(b"line") };
        let proof = |entry: u64, point: &audit::Checkpoint| {
            let note = point.clone().sign(&key).to_string();
            serde_json::json!({ "entry": entry, "hashes": [], "checkpoint": note }).to_string()
        };
        let found = verify(&note, &carried, key.verifier(), Some(&proof(0, &point))).unwrap();
        assert_eq!(found.proven_in, Some(1));
        assert!(
            super::text(&found, Language::English).contains("3 of 9 values"),
            "{}",
            super::text(&found, Language::English)
        );
        assert!(super::text(&found, Language::Japanese).contains("証明書と表は一致する"));
        let other = verify(&note, &table, signer(2).verifier(), None);
        assert!(matches!(other, Err(CertificateFault::Signature(_))));
        let wrong = verify(&note, &table, key.verifier(), Some(&proof(1, &point)));
        assert_eq!(wrong, Err(CertificateFault::Proof(0)));
        let elsewhere = audit::Checkpoint { root: audit::leaf(b"other"), ..point };
        let wrong = verify(&note, &table, key.verifier(), Some(&proof(0, &elsewhere)));
        assert_eq!(wrong, Err(CertificateFault::NotIncluded(0)));
    }

    #[test]
    fn a_signer_who_errs_is_found() {
        let table = sample();
        let mut wrong = certificate(&table);
        wrong.hidden += 1;
        let fault = verify(&signed(&wrong), &table, signer(1).verifier(), None);
        assert_eq!(fault, Err(CertificateFault::Differs("share hidden")));
    }

    #[test]
    fn a_certificate_of_the_first_version_says_nothing_of_who_was_left_out_and_holds() {
        let table = sample();
        let found = |version: u32, exclusion: Option<&str>| {
            let exclusion = exclusion.map(str::to_owned);
            let certificate = Certificate { version, exclusion, ..certificate(&table) };
            verify(&signed(&certificate), &table, signer(1).verifier(), None)
        };
        let first = found(1, None).unwrap();
        assert!(!super::text(&first, Language::English).contains("opt-outs"));
        let second = found(2, Some("e")).unwrap();
        assert!(super::text(&second, Language::English).contains("opt-outs e "));
        assert!(super::text(&second, Language::Japanese).contains("利用停止の状態 e（"));
        for (version, exclusion) in [(1, Some("e")), (2, None), (3, Some("e"))] {
            assert_eq!(found(version, exclusion), Err(CertificateFault::Form), "{version}");
        }
    }

    #[test]
    fn a_certificate_of_the_third_version_names_the_versions_of_lists() {
        let table = sample();
        let found = |version: u32, lists: &[&str]| {
            let lists = lists.iter().map(|list| (*list).to_owned()).collect();
            let certificate = Certificate { version, lists, ..certificate(&table) };
            verify(&signed(&certificate), &table, signer(1).verifier(), None)
        };
        let third = found(3, &["diabetes@2", "drugs@1"]).unwrap();
        assert!(super::text(&third, Language::English).contains("lists of codes diabetes@2 drugs@1\n"));
        assert!(super::text(&third, Language::Japanese).contains("コードの一覧 diabetes@2 drugs@1\n"));
        assert!(!super::text(&found(2, &[]).unwrap(), Language::English).contains("lists"));
        let wrong: [(u32, &[&str]); 3] = [(2, &["diabetes@2"]), (3, &[]), (1, &["diabetes@2"])];
        for (version, lists) in wrong {
            assert_eq!(found(version, lists), Err(CertificateFault::Form), "{version}");
        }
    }

    /// Another table: one value, name or figure of it changed.
    fn changed(table: &ReleasedTable, at: usize, to: i64) -> ReleasedTable {
        let mut table = table.clone();
        let width = table.columns.len();
        let values = table.rows.len() * width;
        match at % (values + 5) {
            0 => table.query.push('x'),
            1 => table.suppressed = table.suppressed.wrapping_add(to.unsigned_abs() | 1),
            2 => table.threshold += 1,
            3 => table.columns[at % width].name.push('x'),
            4 => {
                table.rows.pop();
            }
            value => table.rows[(value - 5) / width][(value - 5) % width] = CellValue::Integer(to),
        }
        table
    }

    proptest! {
        #[test]
        fn any_change_of_the_table_is_found(at in any::<usize>(), to in any::<i64>()) {
            let table = sample();
            let note = signed(&certificate(&table));
            let other = changed(&table, at, to);
            prop_assume!(other != table);
            let found = verify(&note, &other, signer(1).verifier(), None);
            prop_assert_eq!(found, Err(CertificateFault::Table));
        }

        #[test]
        fn any_change_of_the_certificate_is_found(at in any::<prop::sample::Index>(), to in any::<u8>()) {
            let table = sample();
            let note = signed(&certificate(&table));
            let mut bytes = note.clone().into_bytes();
            let at = at.index(bytes.len());
            prop_assume!(bytes[at] != to);
            bytes[at] = to;
            let Ok(other) = String::from_utf8(bytes) else { return Ok(()) };
            prop_assert!(verify(&other, &table, signer(1).verifier(), None).is_err());
        }
    }
}
