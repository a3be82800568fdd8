//! norm/v1: one form of a field for the first key, and a form that loses information for the second.
//!
//! The rules lie in `v1.toml`, each with its source. What is folded here is folded for good: a change needs a new
//! profile. A value that is not text of its encoding gives no form, since a replacement character would be one form
//! for many values.

use catalog_model::{Date, Encoding, Normaliser};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::{Zeroize as _, Zeroizing};

use super::table::stage;
use crate::formats;

/// Writes the form for the first key.
pub(super) fn normalise(rule: Normaliser, raw: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    let Some(folded) = fold(raw, encoding) else { return };
    match rule {
        Normaliser::Kanji => keep(folded.chars(), out, is_name_character),
        Normaliser::Kana => keep(katakana(&folded).chars(), out, is_name_character),
        Normaliser::Number => keep(Zeroizing::new(folded.to_uppercase()).chars(), out, char::is_alphanumeric),
        Normaliser::Unpadded => {
            let bare = folded.trim_start_matches(['0', ' ']);
            // Zero is a value: the branch of the insured person is 00.
            let bare = if bare.is_empty() && folded.contains('0') { "0" } else { bare };
            keep(bare.chars(), out, char::is_alphanumeric)
        }
        Normaliser::Insurer => insurer(&folded, out),
        Normaliser::Sex => sex(&folded, out),
        Normaliser::Code => keep(folded.chars(), out, |c| !c.is_whitespace()),
        Normaliser::Date => {
            if let Some(date) = date(&folded) {
                out.extend_from_slice(date.to_string().as_bytes());
            }
        }
    }
}

/// Writes the form for the second key. A field that has no such form is written as for the first.
pub(super) fn variant(rule: Normaliser, raw: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    match rule {
        Normaliser::Kanji => {
            let Some(folded) = fold(raw, encoding) else { return };
            let repeated = repeated(&folded);
            let table = stage("variant-kanji");
            keep(repeated.chars().filter_map(|c| table.of(c)), out, is_name_character);
        }
        Normaliser::Kana => {
            let Some(folded) = fold(raw, encoding) else { return };
            let (kana, table) = (repeated(&katakana(&folded)), stage("variant-kana"));
            // ヴァ is バ: the small vowel behind ヴ names the vowel.
            let mut spelled = Zeroizing::new(String::with_capacity(kana.len()));
            let mut characters = kana.chars().peekable();
            while let Some(c) = characters.next() {
                let joined = (c == 'ヴ').then(|| characters.peek().and_then(|next| voiced(*next))).flatten();
                if joined.is_some() {
                    characters.next();
                }
                spelled.extend(joined.or_else(|| table.of(c)));
            }
            keep(spelled.chars(), out, is_name_character);
        }
        Normaliser::Number => {
            let mut whole = Zeroizing::new(Vec::new());
            normalise(rule, raw, encoding, &mut whole);
            let first = whole.iter().position(|byte| *byte != b'0').unwrap_or(whole.len());
            out.extend_from_slice(whole.get(first..).unwrap_or_default());
        }
        _ => normalise(rule, raw, encoding, out),
    }
}

/// Writes the second form of what stands behind a name's space. Fields that are no names are written as for the first
/// key.
pub(super) fn given(rule: Normaliser, raw: &[u8], encoding: Encoding, out: &mut Vec<u8>) {
    match rule {
        Normaliser::Kanji | Normaliser::Kana => {
            let Some(folded) = fold(raw, encoding) else { return };
            if let Some((_, name)) = folded.split_once(' ') {
                variant(rule, name.as_bytes(), Encoding::Utf8, out);
            }
        }
        _ => normalise(rule, raw, encoding, out),
    }
}

/// Decodes, maps what code tables tell apart, and folds widths and voiced marks (NFKC).
fn fold(raw: &[u8], encoding: Encoding) -> Option<Zeroizing<String>> {
    let decoded = match encoding {
        Encoding::Utf8 => std::str::from_utf8(raw).ok().map(str::to_owned)?,
        Encoding::Cp932 => {
            encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(raw)?.into_owned()
        }
    };
    let decoded = Zeroizing::new(decoded);
    let text = decoded.trim();
    // What stands in nearly every field needs no tables; a dash and its like do.
    if text.chars().all(|c| is_plain(c) || c == '\u{3000}') {
        return Some(Zeroizing::new(text.replace('\u{3000}', " ")));
    }
    let table = stage("before");
    let folded: String = text.chars().filter_map(|c| table.of(c)).nfkc().collect();
    Some(Zeroizing::new(folded.trim().to_owned()))
}

/// Characters that no rule before NFKC and NFKC itself leave alone whatever stands beside them.
const fn is_plain(c: char) -> bool {
    matches!(c, '\0'..='\x7F' | 'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー' | '\u{4E00}'..='\u{9FFF}')
}

/// Hiragana as katakana, and a dash behind a kana as the long-vowel mark.
fn katakana(text: &str) -> Zeroizing<String> {
    let dashes = &stage("kana").dash;
    let mut kana = Zeroizing::new(String::with_capacity(text.len()));
    let mut before = ' ';
    for c in text.chars() {
        let c = match c {
            'ぁ'..='ゖ' | 'ゝ' | 'ゞ' => char::from_u32(u32::from(c) + 0x60).unwrap_or(c),
            dash if dashes.contains(&dash) && matches!(before, 'ァ'..='ヺ' | 'ー') => 'ー',
            other => other,
        };
        kana.push(c);
        before = c;
    }
    kana
}

fn repeated(text: &str) -> Zeroizing<String> {
    let marks = &stage("variant").repeat;
    let mut spelled = Zeroizing::new(String::with_capacity(text.len()));
    let mut before = None;
    for c in text.chars() {
        let c = if marks.contains(&c) { before.unwrap_or(c) } else { c };
        spelled.push(c);
        before = Some(c);
    }
    spelled
}

const fn voiced(vowel: char) -> Option<char> {
    match vowel {
        'ァ' | 'ア' => Some('バ'),
        'ィ' | 'イ' => Some('ビ'),
        'ェ' | 'エ' => Some('ベ'),
        'ォ' | 'オ' => Some('ボ'),
        _ => None,
    }
}

/// An insurer number has eight digits; those of the national health insurance are written with six.
fn insurer(folded: &str, out: &mut Vec<u8>) {
    let mut digits: String = folded.chars().filter(char::is_ascii_digit).collect();
    if !digits.is_empty() && digits.len() <= 8 {
        let mut filled = format!("{digits:0>8}");
        out.extend_from_slice(filled.as_bytes());
        filled.zeroize();
    }
    digits.zeroize();
}

fn sex(folded: &str, out: &mut Vec<u8>) {
    match folded {
        "1" | "男" => out.push(b'1'),
        "2" | "女" => out.push(b'2'),
        _ => {}
    }
}

const ERAS: [(&str, char, char); 5] =
    [("明治", 'M', '1'), ("大正", 'T', '2'), ("昭和", 'S', '3'), ("平成", 'H', '4'), ("令和", 'R', '5')];

/// A day as receipts write it, with separators, or with an era's name or letter: 昭和23年7月26日, S23.7.26.
fn date(folded: &str) -> Option<Date> {
    if let Some(date) = formats::date(folded.as_bytes()) {
        return Some(date);
    }
    let era = ERAS.iter().find_map(|(name, letter, digit)| {
        let rest = folded.strip_prefix(name).or_else(|| folded.strip_prefix(*letter))?;
        Some((*digit, rest))
    });
    let rest = era.map_or(folded, |(_, rest)| rest).replacen('元', "1", 1);
    let mut parts = rest.split(['年', '月', '日', '/', '-', '.', ' ']).filter(|part| !part.is_empty());
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || [year, month, day].iter().any(|part| part.len() > 4) {
        return None;
    }
    let text = match era {
        Some((digit, _)) => format!("{digit}{year:0>2}{month:0>2}{day:0>2}"),
        None => format!("{year}{month:0>2}{day:0>2}"),
    };
    formats::date(text.as_bytes())
}

fn keep(text: impl Iterator<Item = char>, out: &mut Vec<u8>, is_kept: impl Fn(char) -> bool) {
    let mut buffer = [0; 4];
    for c in text.filter(|c| is_kept(*c)) {
        out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
    }
}

// The long-vowel mark belongs to a name; middle dots, hyphens and spaces do not.
fn is_name_character(c: char) -> bool {
    // The library searches long tables for these.
    if matches!(c, 'ぁ'..='ゖ' | 'ァ'..='ヺ' | '\u{4E00}'..='\u{9FFF}') {
        return true;
    }
    c.is_alphanumeric() || matches!(c, 'ー' | '々' | '〻' | 'ゝ' | 'ヽ')
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use catalog_model::{Encoding, Normaliser};

    use super::{given, is_plain, normalise, variant};

    fn forms(rule: Normaliser, text: &str) -> (String, String) {
        let form = |make: fn(Normaliser, &[u8], Encoding, &mut Vec<u8>)| {
            let mut out = Vec::new();
            make(rule, text.as_bytes(), Encoding::Utf8, &mut out);
            String::from_utf8(out).unwrap()
        };
        (form(normalise), form(variant))
    }

    #[test]
    fn forms_of_one_value_become_one() {
        for (rule, written, first, second) in [
            (Normaliser::Kana, "ｶﾞｯｺｳ ﾀﾛｳ", "ガッコウタロウ", "ガツコウタロウ"),
            (Normaliser::Kana, "がっこう　たろう", "ガッコウタロウ", "ガツコウタロウ"),
            (Normaliser::Kana, "オ－ノ", "オーノ", "オノ"),
            (Normaliser::Kana, "ｵ-ﾉ", "オーノ", "オノ"),
            (Normaliser::Kana, "オ―ノ", "オーノ", "オノ"),
            (Normaliser::Kana, "オ−ノ", "オーノ", "オノ"),
            (Normaliser::Kana, "ヴァン", "ヴァン", "バン"),
            (Normaliser::Kana, "ヂヅ　ヰヱヲ", "ヂヅヰヱヲ", "ジズイエオ"),
            (Normaliser::Kana, "マリ・アンヌ", "マリアンヌ", "マリアンヌ"),
            (Normaliser::Kanji, "髙﨑　邦彥", "髙﨑邦彥", "高崎邦彦"),
            (Normaliser::Kanji, "渡邊 澤", "渡邊澤", "渡辺沢"),
            (Normaliser::Kanji, "佐々木", "佐々木", "佐佐木"),
            (Normaliser::Kanji, "三ヶ島", "三ヶ島", "三ケ島"),
            (Normaliser::Kanji, "神", "神", "神"),
            (Normaliser::Number, "００１２－３", "00123", "123"),
            (Normaliser::Number, "記ｱ1", "記ア1", "記ア1"),
            (Normaliser::Unpadded, "００１", "1", "1"),
            (Normaliser::Unpadded, "００", "0", "0"),
            (Normaliser::Unpadded, " ", "", ""),
            (Normaliser::Insurer, "138057", "00138057", "00138057"),
            (Normaliser::Insurer, "123456789", "", ""),
            (Normaliser::Sex, "１", "1", "1"),
            (Normaliser::Sex, "女", "2", "2"),
            (Normaliser::Date, "3230726", "1948-07-26", "1948-07-26"),
            (Normaliser::Date, "昭和23年7月26日", "1948-07-26", "1948-07-26"),
            (Normaliser::Date, "Ｓ２３．７．２６", "1948-07-26", "1948-07-26"),
            (Normaliser::Date, "令和元年5月1日", "2019-05-01", "2019-05-01"),
            (Normaliser::Date, "1948/7/26", "1948-07-26", "1948-07-26"),
            (Normaliser::Date, "1948-02-30", "", ""),
        ] {
            let (base, lossy) = forms(rule, written);
            assert_eq!((base.as_str(), lossy.as_str()), (first, second), "{rule:?} {written}");
        }
    }

    #[test]
    fn a_given_name_stands_behind_the_space_however_it_is_written() {
        for (rule, written, expected) in [
            (Normaliser::Kana, "サトウ　ユイ", "ユイ"),
            (Normaliser::Kana, "ｽｽﾞｷ ﾕｲ", "ユイ"),
            (Normaliser::Kana, "すずき　ゆい", "ユイ"),
            (Normaliser::Kana, "スズキ　マリ　アンヌ", "マリアンヌ"),
            (Normaliser::Kana, "スズキユイ", ""),
            (Normaliser::Kana, "　スズキ　", ""),
            (Normaliser::Kanji, "髙橋　邦彥", "邦彦"),
            (Normaliser::Date, "3230726", "1948-07-26"),
        ] {
            let mut out = Vec::new();
            given(rule, written.as_bytes(), Encoding::Utf8, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected, "{written}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_give_no_form() {
        let mut out = Vec::new();
        normalise(Normaliser::Kanji, &[0x81], Encoding::Cp932, &mut out);
        normalise(Normaliser::Kanji, &[0xFF, 0x41], Encoding::Utf8, &mut out);
        assert!(out.is_empty());
    }

    #[test]
    fn the_short_cut_agrees_with_the_tables() {
        use unicode_normalization::UnicodeNormalization as _;
        for c in ('\0'..=char::MAX).filter(|c| is_plain(*c)) {
            assert!(super::stage("before").of(c) == Some(c) && c.nfkc().eq([c]), "{c:?}");
        }
    }

    /// Every character of CP932 and every pair of a kana with what may stand behind it, against Python's
    /// `unicodedata` and `jaconv`, which know nothing of our tables.
    #[test]
    fn python_gives_the_same_forms() {
        let cache = std::env::var_os("HOME").map(std::path::PathBuf::from).unwrap().join(".cache/misu-tests");
        let python = cache.join("norm/bin/python");
        assert!(python.exists(), "{} is missing; run tests/install", python.display());
        let mut lines = String::new();
        let mut add = |text: &str| {
            let (kana, kana_variant) = forms(Normaliser::Kana, text);
            let (kanji, _) = forms(Normaliser::Kanji, text);
            let (number, _) = forms(Normaliser::Number, text);
            writeln!(lines, "{text}\t{kanji}\t{kana}\t{kana_variant}\t{number}").unwrap();
        };
        for lead in (0x81..=0x9F_u8).chain(0xE0..=0xFC) {
            for trail in (0x40..=0x7E_u8).chain(0x80..=0xFC) {
                let bytes = [lead, trail];
                let (text, _, is_bad) = encoding_rs::SHIFT_JIS.decode(&bytes);
                if !is_bad {
                    add(&text);
                }
            }
        }
        let kana: Vec<char> = ('ｦ'..='ﾝ').chain('ァ'..='ヺ').chain('ぁ'..='ゖ').collect();
        for first in &kana {
            for second in
                kana.iter().chain(&['ﾞ', 'ﾟ', 'ー', 'ｰ', '-', '−', '－', '―', '‐', '〜', '・', ' ', '　'])
            {
                add(&format!("{first}{second}ア"));
            }
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &lines).unwrap();
        let script = std::env::current_dir().unwrap().join("tests/norm/check.py");
        let said = std::process::Command::new(python).arg(script).arg(file.path()).output().unwrap();
        let text = String::from_utf8_lossy(&said.stdout);
        assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
        assert!(text.contains("lines agree"), "{text}");
    }
}
