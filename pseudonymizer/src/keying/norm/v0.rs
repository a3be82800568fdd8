//! norm/v0: brings an identity field to one form before it is hashed. Environments from before norm/v1 keep it.
//!
//! The same person's name is written full-width here and half-width there, with and without a space, and the NDB's own
//! link of check-ups failed for most because of it (MHLW 2013-01-17). Whatever is folded here is folded for good: a
//! change needs a new profile name and new scheme versions.

use catalog_model::{Encoding, Normaliser};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroize as _;

use crate::formats;

/// Writes the normal form of `raw` into `out`; nothing where the value is empty or cannot be brought to one form.
pub(super) fn normalise(rule: Normaliser, raw: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    if rule == Normaliser::Date {
        if let Some(date) = formats::date(raw) {
            out.extend_from_slice(date.to_string().as_bytes());
        }
        return;
    }
    let mut folded = fold(raw, encoding);
    match rule {
        Normaliser::Kanji => keep(&folded, out, is_name_character),
        Normaliser::Kana => {
            let mut kana: String = folded.chars().map(to_katakana).collect();
            keep(&kana, out, is_name_character);
            kana.zeroize();
        }
        Normaliser::Number => keep(&folded.to_uppercase(), out, char::is_alphanumeric),
        Normaliser::Unpadded => keep(folded.trim_start_matches(['0', ' ']), out, char::is_alphanumeric),
        Normaliser::Insurer => {
            let digits: String = folded.chars().filter(char::is_ascii_digit).collect();
            if !digits.is_empty() {
                out.extend_from_slice(format!("{digits:0>8}").as_bytes());
            }
        }
        Normaliser::Sex => {
            if matches!(folded.as_str(), "1" | "2") {
                out.extend_from_slice(folded.as_bytes());
            }
        }
        Normaliser::Code => keep(&folded, out, |c| !c.is_whitespace()),
        Normaliser::Date => {}
    }
    folded.zeroize();
}

/// Decodes and folds compatibility forms, so that width no longer matters.
fn fold(raw: &[u8], encoding: Encoding) -> String {
    let decoded = match encoding {
        Encoding::Utf8 => String::from_utf8_lossy(raw),
        Encoding::Cp932 => encoding_rs::SHIFT_JIS.decode_without_bom_handling(raw).0,
    };
    let text = decoded.trim();
    // What stands in nearly every field needs no tables.
    if text.chars().all(|c| is_folded(c) || c == '\u{3000}') {
        return text.replace('\u{3000}', " ");
    }
    text.nfkc().collect()
}

/// Characters that NFKC leaves alone whatever stands beside them: ASCII, the usual kana, the unified ideographs.
const fn is_folded(c: char) -> bool {
    matches!(c, '\0'..='\x7F' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー' | '\u{4E00}'..='\u{9FFF}')
}

fn keep(text: &str, out: &mut Vec<u8>, is_kept: impl Fn(char) -> bool) {
    let mut buffer = [0; 4];
    for c in text.chars().filter(|c| is_kept(*c)) {
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }
}

// The long-vowel mark belongs to a name; middle dots, hyphens and spaces do not.
fn is_name_character(c: char) -> bool {
    // The library searches long tables for these.
    if matches!(c, 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '\u{4E00}'..='\u{9FFF}') {
        return true;
    }
    c.is_alphanumeric() || c == 'ー' || c == '々'
}

fn to_katakana(c: char) -> char {
    match c {
        // Hiragana and katakana lie 0x60 apart.
        'ぁ'..='ゖ' => char::from_u32(u32::from(c) + 0x60).unwrap_or(c),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use catalog_model::{Encoding, Normaliser};

    use unicode_normalization::UnicodeNormalization as _;

    use super::{is_folded, is_name_character, normalise};

    #[test]
    fn the_short_cuts_agree_with_the_tables() {
        for c in '\0'..=char::MAX {
            assert!(!is_folded(c) || c.nfkc().eq([c]), "{c:?}");
            assert_eq!(is_name_character(c), c.is_alphanumeric() || matches!(c, 'ー' | '々'), "{c:?}");
            // A voiced mark behind a kana would be joined to it, so it must not take the short cut.
            assert!(!is_folded(c) || unicode_normalization::char::canonical_combining_class(c) == 0, "{c:?}");
        }
        assert_eq!("\u{3000}".nfkc().collect::<String>(), " ");
    }

    fn normal(rule: Normaliser, text: &str) -> String {
        let (bytes, _, lossy) = encoding_rs::SHIFT_JIS.encode(text);
        assert!(!lossy, "{text} is not CP932");
        let mut out = Vec::new();
        normalise(rule, &bytes, Encoding::Cp932, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn forms_of_one_value_become_one() {
        for (rule, forms, expected) in [
            (
                Normaliser::Kana,
                vec!["カクウ　ハナコ", "ｶｸｳ ﾊﾅｺ", "かくう はなこ", "カクウハナコ"],
                "カクウハナコ",
            ),
            (Normaliser::Kana, vec!["ガッコウ", "ｶﾞｯｺｳ"], "ガッコウ"),
            (Normaliser::Kanji, vec!["架空　花子", "架空 花子", "架空花子"], "架空花子"),
            (Normaliser::Number, vec!["１２３－４５", "123-45", "12345"], "12345"),
            (Normaliser::Number, vec!["記ア１", "記ｱ1"], "記ア1"),
            (Normaliser::Unpadded, vec!["01", "1", " 1", "００１"], "1"),
            (Normaliser::Insurer, vec!["138057", "  138057", "00138057"], "00138057"),
            (Normaliser::Date, vec!["19480726", "3230726"], "1948-07-26"),
            (Normaliser::Sex, vec!["1"], "1"),
            (Normaliser::Sex, vec!["3", "男"], ""),
        ] {
            for form in forms {
                assert_eq!(normal(rule, form), expected, "{rule:?} {form}");
            }
        }
    }
}
