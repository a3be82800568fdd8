//! The rules of norm/v1 as their table has them, ready for use.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "names and sources are for readers of the table and for its test")
)]
struct File {
    profile: String,
    #[serde(rename = "rule")]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "names and sources are for readers of the table and for its test")
)]
struct Rule {
    id: String,
    stage: String,
    about: String,
    source: String,
    #[serde(default)]
    pairs: String,
    #[serde(default)]
    drop: Vec<String>,
    #[serde(default)]
    repeat: String,
    #[serde(default)]
    dash: String,
}

/// What one character becomes, for the rules of one stage.
#[derive(Debug, Default)]
pub(super) struct Stage {
    pairs: HashMap<char, char>,
    dropped: Vec<RangeInclusive<char>>,
    /// A bit for each character of the first plane that becomes another or nothing; empty where nobody looked.
    touched: Vec<u64>,
    /// Marks that repeat the character before them.
    pub(super) repeat: Vec<char>,
    /// Signs that are the long-vowel mark behind a kana.
    pub(super) dash: Vec<char>,
}

impl Stage {
    /// What a character becomes; nothing where it is left out.
    pub(super) fn of(&self, c: char) -> Option<char> {
        let number = u32::from(c) as usize;
        match self.touched.get(number / 64) {
            Some(bits) if bits >> (number % 64) & 1 == 0 => Some(c),
            _ => self.looked_up(c),
        }
    }

    fn looked_up(&self, c: char) -> Option<char> {
        let c = self.pairs.get(&c).copied().unwrap_or(c);
        (!self.dropped.iter().any(|range| range.contains(&c))).then_some(c)
    }

    /// Notes what is touched, once all rules are there.
    fn settle(&mut self) {
        let is_touched = |number: u32| char::from_u32(number).is_some_and(|c| self.looked_up(c) != Some(c));
        let word =
            |first: u32| (0..64).fold(0, |word, bit| word | u64::from(is_touched(first * 64 + bit)) << bit);
        self.touched = (0..0x1_0000 / 64).map(word).collect();
    }
}

/// The stages by name.
static STAGES: LazyLock<BTreeMap<String, Stage>> = LazyLock::new(|| {
    let file: Option<File> = toml::from_str(include_str!("v1.toml")).ok();
    let mut stages: BTreeMap<String, Stage> = BTreeMap::new();
    for rule in file.into_iter().flat_map(|file| file.rules) {
        let stage = stages.entry(rule.stage).or_default();
        stage.pairs.extend(rule.pairs.split_whitespace().filter_map(pair));
        stage.dropped.extend(rule.drop.iter().filter_map(|text| range(text)));
        stage.repeat.extend(rule.repeat.chars());
        stage.dash.extend(rule.dash.chars());
    }
    stages.values_mut().for_each(Stage::settle);
    stages
});

static NONE: LazyLock<Stage> = LazyLock::new(Stage::default);

/// The rules of a stage.
pub(super) fn stage(name: &str) -> &'static Stage {
    STAGES.get(name).unwrap_or(&NONE)
}

fn pair(text: &str) -> Option<(char, char)> {
    let mut characters = text.chars();
    Some((characters.next()?, characters.next()?))
}

fn range(text: &str) -> Option<RangeInclusive<char>> {
    match text.split_once('-') {
        Some((from, to)) => Some(from.chars().next()?..=to.chars().next()?),
        None => text.chars().next().map(|one| one..=one),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{File, STAGES, pair, range};

    #[test]
    fn the_short_cut_tells_what_the_rules_tell() {
        for stage in STAGES.values() {
            assert!(('\0'..=char::MAX).all(|c| stage.of(c) == stage.looked_up(c)));
            assert!(stage.dash.iter().all(|c| !('ァ'..='ヺ').contains(c)));
        }
        assert_eq!(STAGES.get("variant-kanji").unwrap().of('髙'), Some('高'));
    }

    #[test]
    fn the_table_is_whole_and_every_rule_says_why() {
        let file: File = toml::from_str(include_str!("v1.toml")).unwrap();
        assert_eq!(file.profile, "norm/v1");
        let mut ids = BTreeSet::new();
        for rule in &file.rules {
            assert!(ids.insert(&rule.id), "{} is given twice", rule.id);
            assert!(!rule.about.is_empty() && !rule.source.is_empty(), "{}", rule.id);
            assert!(
                ["before", "kana", "variant", "variant-kana", "variant-kanji"].contains(&rule.stage.as_str())
            );
            let pairs: Vec<_> = rule.pairs.split_whitespace().map(|text| (text, pair(text))).collect();
            let firsts: BTreeSet<char> = pairs.iter().map(|(_, pair)| pair.unwrap().0).collect();
            assert_eq!(firsts.len(), pairs.len(), "{} has a character twice", rule.id);
            for (text, pair) in pairs {
                assert_eq!(text.chars().count(), 2, "{text}");
                let (from, to) = pair.unwrap();
                // One look suffices: what a character becomes does not become something else.
                assert!(from != to && !firsts.contains(&to), "{text}");
            }
            assert!(rule.drop.iter().all(|text| range(text).is_some()), "{}", rule.id);
        }
    }
}
