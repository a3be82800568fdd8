//! norm/v1: one form of a field for the first key, and a form that loses information for the second.
//!
//! The rules lie in `v1.toml`, each with its source. What is folded here is folded for good: a change needs a new
//! profile. A value that is not text of its encoding gives no form, since a replacement character would be one form
//! for many values.

use std::io::Write as _;

use catalog_model::{Date, Encoding, Normaliser};
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::table::stage;
use crate::formats;

/// Writes those forms of a field that are wanted: for the first key, for the second, and of what stands behind a name's
/// space. The text is decoded and folded once for all of them.
pub(super) fn forms(
    rule: Normaliser,
    raw: &[u8],
    encoding: Encoding,
    [is_first, is_second, is_given]: [bool; 3],
    [first, second, given]: [&mut Vec<u8>; 3],
) {
    let Some(folded) = fold(raw, encoding) else { return };
    let is_name = matches!(rule, Normaliser::Kanji | Normaliser::Kana);
    let begin = first.len();
    if is_first {
        normal(rule, &folded, first);
    }
    let again = |out: &mut Vec<u8>| match is_first {
        true => out.extend_from_slice(first.get(begin..).unwrap_or_default()),
        false => normal(rule, &folded, out),
    };
    match (is_second, is_name || rule == Normaliser::Number) {
        (true, true) => variant(rule, &folded, second),
        (true, false) => again(second),
        (false, _) => {}
    }
    match (is_given, is_name) {
        (true, true) => {
            // The spaces between the two names go with the family name.
            if let Some((_, name)) = folded.split_once(' ')
                && let Some(name) = fold(name.as_bytes(), Encoding::Utf8)
            {
                variant(rule, &name, given);
            }
        }
        (true, false) => again(given),
        (false, _) => {}
    }
}

/// The form for the first key.
fn normal(rule: Normaliser, folded: &str, out: &mut Vec<u8>) {
    match rule {
        Normaliser::Kanji => keep(folded.chars(), out, is_name_character),
        Normaliser::Kana => keep(katakana(folded).chars(), out, is_name_character),
        Normaliser::Number if folded.is_ascii() => {
            let kept = folded.bytes().filter(u8::is_ascii_alphanumeric);
            out.extend(kept.map(|byte| byte.to_ascii_uppercase()));
        }
        Normaliser::Number => keep(Zeroizing::new(folded.to_uppercase()).chars(), out, char::is_alphanumeric),
        Normaliser::Unpadded => {
            let bare = folded.trim_start_matches(['0', ' ']);
            // Zero is a value: the branch of the insured person is 00.
            let bare = if bare.is_empty() && folded.contains('0') { "0" } else { bare };
            keep(bare.chars(), out, char::is_alphanumeric)
        }
        Normaliser::Insurer => insurer(folded, out),
        Normaliser::Sex => sex(folded, out),
        Normaliser::Code => keep(folded.chars(), out, |c| !c.is_whitespace()),
        Normaliser::Date => {
            if let Some(date) = date(folded) {
                // Writing to a vector cannot fail.
                let _ = write!(out, "{date}");
            }
        }
    }
}

/// The form for the second key of a name or a number.
fn variant(rule: Normaliser, folded: &str, out: &mut Vec<u8>) {
    match rule {
        Normaliser::Kanji => {
            let repeated = repeated(folded);
            let table = stage("variant-kanji");
            keep(repeated.chars().filter_map(|c| table.of(c)), out, is_name_character);
        }
        Normaliser::Kana => {
            let (kana, table) = (repeated(&katakana(folded)), stage("variant-kana"));
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
            let mut whole = Zeroizing::new(Vec::with_capacity(folded.len()));
            normal(rule, folded, &mut whole);
            let first = whole.iter().position(|byte| *byte != b'0').unwrap_or(whole.len());
            out.extend_from_slice(whole.get(first..).unwrap_or_default());
        }
        _ => normal(rule, folded, out),
    }
}

/// A field's text of one width: as it was delivered where nothing is to be done, else erased after use.
enum Folded<'r> {
    Delivered(&'r str),
    Made(Zeroizing<String>),
}

impl std::ops::Deref for Folded<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Delivered(text) => text,
            Self::Made(text) => text,
        }
    }
}

/// Decodes, maps what code tables tell apart, and folds widths and voiced marks (NFKC).
fn fold(raw: &[u8], encoding: Encoding) -> Option<Folded<'_>> {
    // ASCII is the same in both encodings, and no rule changes it.
    if raw.is_ascii() {
        return std::str::from_utf8(raw).ok().map(|text| Folded::Delivered(text.trim()));
    }
    let decoded = match encoding {
        Encoding::Utf8 => std::str::from_utf8(raw).ok().map(str::to_owned)?,
        Encoding::Cp932 => {
            encoding_rs::SHIFT_JIS.decode_without_bom_handling_and_without_replacement(raw)?.into_owned()
        }
    };
    let decoded = Zeroizing::new(decoded);
    let text = decoded.trim();
    // What stands in nearly every field needs no tables; a dash and its like do. Room for all of it is made before, so
    // that no piece is left behind where the text grew.
    let mut folded = Zeroizing::new(String::with_capacity(text.len()));
    let is_plain = text.chars().all(|c| {
        folded.push(if c == '\u{3000}' { ' ' } else { c });
        is_plain(c) || c == '\u{3000}'
    });
    if is_plain {
        return Some(Folded::Made(folded));
    }
    let table = stage("before");
    let folded: Zeroizing<String> = Zeroizing::new(text.chars().filter_map(|c| table.of(c)).nfkc().collect());
    Some(Folded::Made(Zeroizing::new(folded.trim().to_owned())))
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
            'ァ'..='ヺ' => c,
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
    let digits = || folded.bytes().filter(u8::is_ascii_digit);
    let count = digits().count();
    if (1..=8).contains(&count) {
        out.extend(std::iter::repeat_n(b'0', 8 - count).chain(digits()));
    }
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

    use super::is_plain;

    fn written(rule: Normaliser, raw: &[u8], encoding: Encoding, wanted: [bool; 3]) -> [String; 3] {
        let [mut first, mut second, mut given] = [Vec::new(), Vec::new(), Vec::new()];
        super::forms(rule, raw, encoding, wanted, [&mut first, &mut second, &mut given]);
        [first, second, given].map(|form| String::from_utf8(form).unwrap())
    }

    fn forms(rule: Normaliser, text: &str) -> (String, String) {
        let [first, second, given] = written(rule, text.as_bytes(), Encoding::Utf8, [true; 3]);
        // A form does not depend on which others are wanted.
        for at in 0..3 {
            let wanted = std::array::from_fn(|form| form == at);
            let alone = written(rule, text.as_bytes(), Encoding::Utf8, wanted);
            assert_eq!(alone[at], [&first, &second, &given][at].as_str(), "{rule:?} {text}");
        }
        (first, second)
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
            let [_, _, given] = super::tests::written(rule, written.as_bytes(), Encoding::Utf8, [true; 3]);
            assert_eq!(given, expected, "{written}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_give_no_form() {
        let cp932 = written(Normaliser::Kanji, &[0x81], Encoding::Cp932, [true; 3]);
        let utf8 = written(Normaliser::Kanji, &[0xFF, 0x41], Encoding::Utf8, [true; 3]);
        assert_eq!(cp932.concat() + &utf8.concat(), "");
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
