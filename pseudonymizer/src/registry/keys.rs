//! Exact keys: a combination of fields is one hash, with what else is to count as agreement folded into its form.

use super::declaration::{FieldKind, Key, Registry, Tolerance};
use super::hash::{RunKey, normal};

/// The hash of a key over a record's values; nothing where one of its fields is empty.
pub(super) fn hash(
    registry: &Registry,
    number: usize,
    key: &Key,
    run: &RunKey,
    values: &[String],
) -> Option<u64> {
    let tolerates = |tolerance| key.tolerates.contains(&tolerance);
    let mut words = Vec::new();
    let mut others = Vec::new();
    for name in &key.fields {
        let at = registry.field(name)?;
        let kind = registry.fields.get(at)?.kind;
        let value = values.get(at)?;
        let form = match kind {
            FieldKind::Text if tolerates(Tolerance::Sound) => sound(&normal(value)),
            FieldKind::Date if tolerates(Tolerance::DayMonth) => day_month(&normal(value)),
            _ => normal(value).to_string(),
        };
        if form.is_empty() {
            return None;
        }
        match kind {
            FieldKind::Text => words.push(form),
            _ => others.push(form),
        }
    }
    if tolerates(Tolerance::Order) {
        words.sort_unstable();
    }
    let parts: Vec<&str> = words.iter().chain(&others).map(String::as_str).collect();
    Some(run.hash(format!("key {number}").as_bytes(), &parts))
}

/// A date of eight digits with the smaller of day and month first, so that an exchange of the two changes nothing.
fn day_month(date: &str) -> String {
    match (date.get(..4), date.get(4..6), date.get(6..8)) {
        (Some(year), Some(month), Some(day)) if date.len() == 8 => {
            format!("{year}{}{}", month.min(day), month.max(day))
        }
        _ => date.to_owned(),
    }
}

/// How a romanised name sounds: its first letter and its consonants in classes, vowels and doubled sounds left out.
///
/// The classes are those of Soundex, without its cut to four characters; letters that are written for one sound in
/// romanised Japanese (`shi` and `si`, `tsu` and `tu`, `fu` and `hu`, long vowels) fall together.
fn sound(name: &str) -> String {
    let spelled =
        name.replace("sh", "s").replace("ts", "t").replace("ch", "t").replace('f', "h").replace("ou", "o");
    let class = |letter: char| match letter {
        'b' | 'p' | 'v' => Some('1'),
        'c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z' => Some('2'),
        'd' | 't' => Some('3'),
        'l' | 'r' => Some('4'),
        'm' | 'n' => Some('5'),
        'a' | 'e' | 'i' | 'o' | 'u' | 'y' | 'h' | 'w' => None,
        other => Some(other),
    };
    let mut letters = spelled.chars();
    let mut code: String = letters.next().into_iter().collect();
    let mut last = code.chars().next().and_then(class);
    for letter in letters {
        let now = class(letter);
        if now != last {
            code.extend(now);
        }
        last = now;
    }
    code
}

#[cfg(test)]
mod tests {
    use super::{day_month, sound};

    #[test]
    fn names_that_sound_alike_have_one_code() {
        for (one, two) in [
            ("shimizu", "simizu"),
            ("matsuda", "matuda"),
            ("fujita", "hujita"),
            ("ohno", "ono"),
            ("catherin", "cathrin"),
        ] {
            assert_eq!(sound(one), sound(two), "{one} {two}");
        }
        assert_ne!(sound("sato"), sound("kato"));
        assert_ne!(sound("tanaka"), sound("tamura"));
    }

    #[test]
    fn an_exchange_of_day_and_month_changes_nothing() {
        assert_eq!(day_month("19480712"), day_month("19481207"));
        assert_ne!(day_month("19480712"), day_month("19480713"));
    }
}
