//! What may lie nowhere behind the blind: every written form of every name and number of an invented population.

use std::collections::{BTreeSet, HashSet};

/// The forms of a population's identities, to search bytes for.
#[derive(Debug)]
pub struct Identities {
    forms: BTreeSet<Vec<u8>>,
    lengths: BTreeSet<usize>,
    starts: HashSet<[u8; 4]>,
}

/// What occurs anywhere by chance: insurers and branches are few digits, and no person's.
const SHARED_KINDS: [&str; 3] = ["branch_no", "insurer_no", "care_insurer_no"];

/// The length from which a run of hexadecimal or base64 digits is a digest, key or signature, in which any short
/// number occurs by chance.
const CODE_LENGTH: usize = 32;

impl Identities {
    /// Reads `truth/identities.csv`. Both encodings of a value are looked for; what is too short to be a person's, not.
    pub fn parse(csv: &str) -> Self {
        let mut forms = BTreeSet::new();
        for line in csv.lines().skip(1) {
            let mut fields = line.split(',').skip(1);
            let (Some(kind), Some(value)) = (fields.next(), fields.next()) else { continue };
            // Two digits, seven bare ones or a two-character name occur anywhere by chance; longer forms come as well.
            let is_common = value.chars().count() < 4 || kind == "postcode" && !value.contains('-');
            if is_common || SHARED_KINDS.contains(&kind) {
                continue;
            }
            forms.insert(value.as_bytes().to_vec());
            let (encoded, _, is_lossy) = encoding_rs::SHIFT_JIS.encode(value);
            if !is_lossy && encoded.len() >= 6 {
                forms.insert(encoded.into_owned());
            }
        }
        let lengths = forms.iter().map(Vec::len).collect();
        let starts = forms.iter().filter_map(|form| form.first_chunk().copied()).collect();
        Self { forms, lengths, starts }
    }

    /// The number of forms.
    pub fn len(&self) -> usize {
        self.forms.len()
    }

    /// Whether there is nothing to look for.
    pub fn is_empty(&self) -> bool {
        self.forms.is_empty()
    }

    /// The first form that occurs in `bytes`, digests, keys and signatures aside.
    pub fn first_in(&self, bytes: &[u8]) -> Option<String> {
        let bytes = without_codes(bytes);
        let mut rest = bytes.as_slice();
        while let Some(start) = rest.first_chunk::<4>() {
            if self.starts.contains(start) {
                let windows = self.lengths.iter().filter_map(|length| rest.get(..*length));
                if let Some(found) = windows.into_iter().find(|window| self.forms.contains(*window)) {
                    return Some(String::from_utf8_lossy(found).into_owned());
                }
            }
            rest = rest.get(1..).unwrap_or_default();
        }
        None
    }
}

/// The bytes with long runs of hexadecimal or base64 digits blanked. A run of decimal digits alone stays, however long.
fn without_codes(bytes: &[u8]) -> Vec<u8> {
    let is_code = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=');
    let mut kept = Vec::with_capacity(bytes.len());
    for run in bytes.chunk_by(|one, two| is_code(one) == is_code(two)) {
        if run.len() >= CODE_LENGTH && is_random(run) {
            kept.resize(kept.len() + run.len(), b' ');
        } else {
            kept.extend_from_slice(run);
        }
    }
    kept
}

/// Whether a run looks drawn at random: hexadecimal, or base64 with capitals, small letters and digits. A path or a word
/// has not all three.
fn is_random(run: &[u8]) -> bool {
    let has = |kind: fn(&u8) -> bool| run.iter().any(kind);
    let (digits, small) = (has(u8::is_ascii_digit), has(u8::is_ascii_lowercase));
    let is_hex = run.iter().all(u8::is_ascii_hexdigit) && !run.iter().all(u8::is_ascii_digit);
    is_hex || digits && small && has(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identities() -> Identities {
        Identities::parse(
            "person,kind,value\n1,symbol_no,610721\n2,kana,ヤマダハナコ\n3,branch_no,00012345\n4,name,山田\n",
        )
    }

    #[test]
    fn a_number_is_found_in_text_and_a_name_in_both_encodings() {
        assert_eq!(identities().first_in(b"a,610721,b"), Some("610721".to_owned()));
        assert!(identities().first_in("氏名 ヤマダハナコ".as_bytes()).is_some());
        let (encoded, _, _) = encoding_rs::SHIFT_JIS.encode("ヤマダハナコ");
        assert!(identities().first_in(&encoded).is_some());
    }

    #[test]
    fn a_digest_a_key_and_an_insurer_are_no_identity() {
        let digest =
            b"\"7f610721aa0b7f610721aa0b7f610721aa0b\" \"Zk610721+/x9QwZk610721+/x9QwZk610721+/x9Qw==\"";
        assert_eq!(identities().first_in(digest), None);
        assert_eq!(identities().first_in(b"00012345"), None);
        assert!(identities().first_in(b"deliveries/of/the/holder/number/610721/uke").is_some());
        // Digits alone may be a number among others.
        assert!(identities().first_in("0".repeat(40).replacen("000000", "610721", 1).as_bytes()).is_some());
    }
}
