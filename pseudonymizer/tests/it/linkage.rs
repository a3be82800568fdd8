//! Small readable populations: who is one person, by which rule, and what stays apart and why.
//!
//! A case is a text file. Each line is a mention: the person in truth (a letter), the month, what is known, and the key
//! of each scheme, where any word stands for a key; `2023-01..2023-12` is a part that holds a year. `rule:` and `apart:` say what the linker must have done; `apart:`
//! lists every kind of conflict, `rule:` every rule beyond shared numbers and shared names with cards.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Catalogue, Date};
use classified::Keyed;
use pseudonymizer::linkage::{Clusters, Mention, Mentions, Rule, SchemeKind};

#[derive(Default)]
struct Case {
    persons: Vec<String>,
    mentions: Vec<Mention>,
    rules: BTreeSet<String>,
    apart: BTreeSet<String>,
}

fn number(word: &str) -> [u8; 32] {
    *blake3::hash(word.as_bytes()).as_bytes()
}

fn months(date: &str) -> i32 {
    let (year, month) = date.split_once('-').unwrap();
    year.parse::<i32>().unwrap() * 12 + month.parse::<i32>().unwrap() - 1
}

fn day(date: &str) -> i32 {
    let parts: Vec<&str> = date.split('-').collect();
    let (year, month, day) =
        (parts[0].parse().unwrap(), parts[1].parse().unwrap(), parts[2].parse().unwrap());
    Date::from_ymd(year, month, day).unwrap().days()
}

fn parse(text: &str, schemes: &[String]) -> Case {
    let mut case = Case::default();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        if let Some(rule) = line.strip_prefix("rule: ") {
            case.rules.insert(rule.to_owned());
            continue;
        }
        if let Some(kind) = line.strip_prefix("apart: ") {
            case.apart.insert(kind.to_owned());
            continue;
        }
        let mut words = line.split_whitespace();
        case.persons.push(words.next().unwrap().to_owned());
        // A month, or all months from one to another.
        let when = words.next().unwrap();
        let (from, to) = when.split_once("..").unwrap_or((when, when));
        let mut mention = Mention {
            keys: vec![None; schemes.len()],
            months: (months(from)..=months(to)).collect(),
            claims: 1,
            ..Mention::default()
        };
        for word in words {
            let (name, value) = word.split_once('=').unwrap();
            match name {
                "sex" => mention.sex = Some(value.parse().unwrap()),
                "born" => mention.birth = Some(day(value)),
                "place" => mention.places = 1 << value.parse::<u32>().unwrap(),
                "facility" => mention.facilities = vec![u64::from(number(value)[0])],
                "stay" => mention.stays = vec![u64::from_le_bytes(number(value)[..8].try_into().unwrap())],
                scheme => {
                    let at = schemes.iter().position(|known| known == scheme).unwrap();
                    // As in the schemes, a card and a name are narrowed by birth date and sex.
                    let narrowed = match scheme {
                        "id1" | "id2" | "id4" | "id4g" => format!("{:?}{:?}", mention.sex, mention.birth),
                        _ => String::new(),
                    };
                    mention.keys[at] = Some(Keyed::new(number(&format!("{scheme} {value} {narrowed}"))));
                }
            }
        }
        case.mentions.push(mention);
    }
    case
}

fn link(mentions: impl Iterator<Item = Mention>, catalogue: &Catalogue) -> Clusters {
    let kinds: Vec<SchemeKind> = catalogue.schemes.iter().map(SchemeKind::of).collect();
    let mut all = Mentions::new(kinds.len());
    mentions.for_each(|mention| all.add(&mention));
    all.link(&kinds)
}

#[test]
fn every_case_is_linked_as_it_says() {
    let catalogue = Catalogue::builtin().unwrap();
    let schemes: Vec<String> = catalogue.schemes.iter().map(|scheme| scheme.scheme.clone()).collect();
    let folder = std::env::current_dir().unwrap().join("tests/linkage");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 14);
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let case = parse(&std::fs::read_to_string(&file).unwrap(), &schemes);
        let found = link(case.mentions.iter().cloned(), &catalogue);
        let mut clusters: BTreeMap<&str, BTreeSet<u32>> = BTreeMap::new();
        for (person, cluster) in case.persons.iter().zip(&found.of_mention) {
            clusters.entry(person).or_default().insert(*cluster);
        }
        assert!(clusters.values().all(|clusters| clusters.len() == 1), "{name} splits: {clusters:?}");
        assert_eq!(found.count as usize, clusters.len(), "{name} merges: {clusters:?}");
        let beyond = |rule: &&Rule| !matches!(rule, Rule::OneNumber | Rule::NameAndCard);
        let rules: BTreeSet<String> =
            found.linkage.joins.keys().filter(beyond).map(|rule| rule.as_str().to_owned()).collect();
        assert_eq!(rules, case.rules, "{name}");
        let apart: BTreeSet<String> =
            found.linkage.conflicts.iter().map(|conflict| conflict.kind.as_str().to_owned()).collect();
        assert_eq!(apart, case.apart, "{name}");
        // The order of the mentions is of no account.
        let turned = link(case.mentions.iter().rev().cloned(), &catalogue);
        let back: Vec<u32> = turned.of_mention.iter().rev().copied().collect();
        assert_eq!((turned.keys, back), (found.keys, found.of_mention), "{name}");
    }
}
