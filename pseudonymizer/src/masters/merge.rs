//! An edition of a master, merged with those before it.
//!
//! A code has one present meaning and, with their dates, those that it had before. When an edition gives a code another
//! name or other facts, the meaning before ends on the day before the change. When it leaves a code out that was in
//! force, the code ends on the day before the edition. What a master says itself (廃止年月日) comes first.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Code, CodeSystem, Date, Edition, Former};

/// What a master says about one code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Official name.
    pub ja: String,
    /// Further facts.
    pub attributes: BTreeMap<String, String>,
    /// The day on which the code was first listed, where the master says so.
    pub listed: Option<Date>,
    /// The day from which the entry, as it stands, holds.
    pub changed: Option<Date>,
    /// The last day on which it holds; none while it is in force.
    pub to: Option<Date>,
    /// What the master says that it meant before, the first first.
    pub former: Vec<Former>,
}

impl Entry {
    /// Two rows of one code as one entry; nothing where a day would have two meanings.
    pub(super) fn beside(self, other: Self) -> Option<Self> {
        let (before, mut now) = if self.listed <= other.listed { (self, other) } else { (other, self) };
        now.former.extend(before.former);
        now.former.push(Former {
            ja: before.ja,
            attributes: before.attributes,
            from: before.listed,
            to: before.to,
        });
        now.former.sort_by_key(|former| former.from);
        let ends = now.former.iter().map(|former| former.to);
        let begins = now.former.iter().skip(1).map(|former| former.from).chain([now.listed]);
        let are_apart = ends.zip(begins).all(|(to, from)| to.zip(from).is_some_and(|(to, from)| to < from));
        are_apart.then_some(now)
    }
}

/// What becomes of codes in force that an edition leaves out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absent {
    /// They end, unless they are so many that the file seems to be a part of the master.
    #[default]
    EndFew,
    /// They end, however many they are: whoever imports says that the file is whole.
    EndAll,
    /// They stay: the file has changes only, or not every line of it could be read.
    Stay,
}

/// So many may end at once in any case.
const FEW: u64 = 20;
/// Of more, one in so many of the codes in force.
const SHARE: u64 = 10;

/// An edition leaves out more codes than end from one edition to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    /// Codes that would end.
    pub(super) ended: u64,
    /// Codes in force.
    pub(super) in_force: u64,
}

/// What an edition changed in a code system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Entries of the edition.
    pub entries: u64,
    /// Codes that were not known.
    pub new: u64,
    /// Codes with another name, other facts or another last day.
    pub changed: u64,
    /// Codes that ended because the edition leaves them out.
    pub ended: u64,
}

/// Merges `entries`, the edition `head`, into what is known.
///
/// # Errors
///
/// More codes are left out than `absent` lets end.
pub(super) fn merge(
    mut known: CodeSystem,
    head: Edition,
    entries: BTreeMap<String, Entry>,
    absent: Absent,
) -> Result<(CodeSystem, Change), TooMany> {
    let mut change = Change { entries: entries.len() as u64, ..Change::default() };
    let before = known.editions.iter().map(|edition| edition.date).rfind(|date| *date < head.date);
    let mut codes: BTreeMap<String, Code> =
        known.codes.into_iter().map(|code| (code.code.clone(), code)).collect();
    let present: BTreeSet<String> = entries.keys().cloned().collect();
    if absent == Absent::EndFew {
        are_few(&codes, &present)?;
    }
    for (code, entry) in entries {
        match codes.get_mut(&code) {
            None => {
                change.new += 1;
                codes.insert(code.clone(), fresh(code, entry, before, head.date));
            }
            Some(known) => change.changed += u64::from(update(known, entry, head.date)),
        }
    }
    if absent != Absent::Stay {
        let last = head.date.plus_days(-1);
        for code in codes.values_mut().filter(|code| !present.contains(&code.code) && code.to.is_none()) {
            code.to = Some(code.from.map_or(last, |from| from.max(last)));
            change.ended += 1;
        }
    }
    known.editions.retain(|edition| edition.date != head.date);
    known.editions.push(head);
    known.codes = codes.into_values().collect();
    Ok((known, change))
}

/// Whether no more codes end than do from one edition to the next.
fn are_few(codes: &BTreeMap<String, Code>, present: &BTreeSet<String>) -> Result<(), TooMany> {
    let in_force = || codes.values().filter(|code| code.to.is_none());
    let ended = in_force().filter(|code| !present.contains(&code.code)).count() as u64;
    let in_force = in_force().count() as u64;
    match ended <= FEW.max(in_force / SHARE) {
        true => Ok(()),
        false => Err(TooMany { ended, in_force }),
    }
}

/// A code that no edition had: listed on the master's day; otherwise, in a later edition, from its change or from the
/// edition on. The first edition alone does not say since when its codes hold.
fn fresh(code: String, entry: Entry, before: Option<Date>, edition: Date) -> Code {
    let since = |before: Date| entry.changed.filter(|changed| *changed > before).unwrap_or(edition);
    let from = entry.listed.or_else(|| before.map(since));
    Code {
        code,
        ja: entry.ja,
        en: String::new(),
        attributes: entry.attributes,
        from,
        to: entry.to,
        former: entry.former,
    }
}

/// Says whether the entry changed the code.
fn update(known: &mut Code, mut entry: Entry, edition: Date) -> bool {
    let (former, listed) = (std::mem::take(&mut entry.former), entry.listed);
    let is_changed = mean(known, entry, edition);
    tell(known, former, listed) || is_changed
}

/// What the master says of times before takes the place of what its editions tell of them.
fn tell(known: &mut Code, former: Vec<Former>, listed: Option<Date>) -> bool {
    let Some(last) = former.last().and_then(|last| last.to) else { return false };
    let before = (known.from, known.former.clone());
    if known.from.is_none_or(|from| from <= last) {
        known.from = listed;
    }
    let begins_by = |from: Option<Date>, to: Option<Date>| from.zip(to).is_none_or(|(from, to)| from <= to);
    let meets = |one: &Former, other: &Former| begins_by(one.from, other.to) && begins_by(other.from, one.to);
    known.former.retain(|own| !former.iter().any(|told| meets(own, told)));
    known.former.extend(former);
    known.former.sort_by_key(|former| former.from);
    before != (known.from, known.former.clone())
}

/// Gives the code the entry's meaning; says whether it had another.
fn mean(known: &mut Code, entry: Entry, edition: Date) -> bool {
    let is_same_meaning = known.ja == entry.ja && known.attributes == entry.attributes;
    if is_same_meaning {
        let is_changed = known.to != entry.to;
        known.to = entry.to;
        return is_changed;
    }
    let after = |day: Date| known.from.is_none_or(|from| day > from);
    let from = entry.changed.filter(|changed| after(*changed)).unwrap_or(edition);
    // The same edition again, corrected: the meaning of that edition is replaced.
    if after(from) {
        let last = from.plus_days(-1);
        known.former.push(Former {
            ja: std::mem::take(&mut known.ja),
            attributes: std::mem::take(&mut known.attributes),
            from: known.from,
            to: Some(known.to.map_or(last, |to| to.min(last))),
        });
        known.from = Some(from);
    }
    known.ja = entry.ja;
    known.attributes = entry.attributes;
    known.to = entry.to;
    true
}

#[cfg(test)]
mod tests {
    use catalog_model::Names;

    use super::*;

    fn day(text: &str) -> Date {
        Date::parse(text).unwrap()
    }

    fn system() -> CodeSystem {
        CodeSystem {
            system: "x".to_owned(),
            name: Names { ja: "x".to_owned(), en: "x".to_owned() },
            source: "x".to_owned(),
            dimension: None,
            closed: false,
            editions: Vec::new(),
            codes: Vec::new(),
        }
    }

    fn edition(known: CodeSystem, date: &str, rows: &[(&str, &str, &str)]) -> (CodeSystem, Change) {
        let entries = rows.iter().map(|(code, ja, to)| {
            let entry = Entry {
                ja: (*ja).to_owned(),
                attributes: BTreeMap::new(),
                listed: None,
                changed: None,
                to: Date::parse(to),
                former: Vec::new(),
            };
            ((*code).to_owned(), entry)
        });
        let head = Edition {
            date: day(date),
            file: "f".to_owned(),
            blake3: format!("{date}{rows:?}"),
            codes: rows.len() as u64,
        };
        merge(known, head, entries.collect(), Absent::EndFew).unwrap()
    }

    #[test]
    fn a_newer_edition_ends_what_the_older_said() {
        let (known, first) =
            edition(system(), "2022-04-01", &[("1", "a", ""), ("2", "b", ""), ("3", "c", "")]);
        assert_eq!(first, Change { entries: 3, new: 3, changed: 0, ended: 0 });
        let rows = [("1", "a", ""), ("2", "B", ""), ("4", "d", "2030-03-31")];
        let (known, second) = edition(known, "2024-06-01", &rows);
        assert_eq!(second, Change { entries: 3, new: 1, changed: 1, ended: 1 });
        let spans: Vec<_> = known
            .codes
            .iter()
            .map(|code| (code.code.as_str(), code.from, code.to, code.former.len()))
            .collect();
        let from = Some(day("2024-06-01"));
        let expected = [
            ("1", None, None, 0),
            ("2", from, None, 1),
            ("3", None, Some(day("2024-05-31")), 0),
            ("4", from, Some(day("2030-03-31")), 0),
        ];
        assert_eq!(spans, expected);
        assert_eq!(known.codes[1].former[0].to, Some(day("2024-05-31")));
        assert!(known.codes[1].holds_on(day("2023-01-01")) && !known.codes[3].holds_on(day("2023-01-01")));
        let (again, third) = edition(known.clone(), "2024-06-01", &rows);
        assert_eq!(third, Change { entries: 3, ..Change::default() });
        assert_eq!((again.codes, again.editions), (known.codes, known.editions));
    }

    #[test]
    fn a_part_of_a_master_ends_nothing_unless_somebody_says_that_it_is_whole() {
        let names: Vec<String> = (0..300).map(|code| format!("{code:03}")).collect();
        let rows: Vec<(&str, &str, &str)> = names.iter().map(|name| (name.as_str(), "a", "")).collect();
        let (known, _) = edition(system(), "2022-04-01", &rows);
        let later = |absent, rows: &[(&str, &str, &str)]| {
            let entry = |ja: &str| Entry {
                ja: ja.to_owned(),
                attributes: BTreeMap::new(),
                listed: None,
                changed: None,
                to: None,
                former: Vec::new(),
            };
            let entries = rows.iter().map(|(code, ja, _)| ((*code).to_owned(), entry(ja))).collect();
            let (file, blake3) = ("g".to_owned(), String::new());
            let head = Edition { date: day("2024-06-01"), file, blake3, codes: rows.len() as u64 };
            merge(known.clone(), head, entries, absent).map(|(_, change)| change.ended)
        };
        assert_eq!(later(Absent::EndFew, &rows[30..]), Ok(30));
        assert_eq!(later(Absent::EndFew, &rows[31..]), Err(TooMany { ended: 31, in_force: 300 }));
        assert_eq!(later(Absent::EndAll, &rows[31..]), Ok(31));
        assert_eq!(later(Absent::Stay, &rows[299..]), Ok(0));
    }

    #[test]
    fn the_same_edition_corrected_leaves_no_former_meaning() {
        let (known, _) = edition(system(), "2022-04-01", &[("1", "a", "")]);
        let (known, _) = edition(known, "2024-06-01", &[("1", "b", "")]);
        let (known, change) = edition(known, "2024-06-01", &[("1", "c", "")]);
        assert_eq!(change.changed, 1);
        assert_eq!((known.codes[0].ja.as_str(), known.codes[0].former.len()), ("c", 1));
        assert_eq!(known.editions.len(), 2);
    }

    /// A row of a code that holds from the one day to the other.
    fn row(ja: &str, from: &str, to: &str) -> Entry {
        let (listed, to) = (Date::parse(from), Date::parse(to));
        let (ja, attributes) = (ja.to_owned(), BTreeMap::new());
        Entry { ja, attributes, listed, changed: listed, to, former: Vec::new() }
    }

    #[test]
    fn rows_of_one_code_are_its_meanings_one_after_the_other() {
        let (first, second) = (row("a", "2022-04-01", "2023-03-31"), row("b", "2024-06-01", ""));
        let entry = second.clone().beside(first.clone()).unwrap();
        assert_eq!(Some(&entry), first.clone().beside(second.clone()).as_ref());
        assert_eq!(entry.clone().beside(row("c", "2023-03-31", "2023-05-01")), None);
        assert_eq!(second.clone().beside(second.clone()), None);
        let all = entry.clone().beside(row("c", "2023-04-01", "2024-05-31")).unwrap();
        let told = all.former.iter().map(|former| former.ja.as_str()).collect::<Vec<_>>();
        assert_eq!((all.ja.as_str(), told), ("b", vec!["a", "c"]));

        let head =
            |date: &str| Edition { date: day(date), file: "f".to_owned(), blake3: date.to_owned(), codes: 1 };
        let with = |known, date: &str, entry: &Entry| {
            merge(known, head(date), [("1".to_owned(), entry.clone())].into(), Absent::EndFew).unwrap()
        };
        let (known, _) = with(system(), "2022-04-01", &row("a", "2022-04-01", ""));
        let (known, change) = with(known, "2024-06-01", &entry);
        assert_eq!(change.changed, 1);
        let code = &known.codes[0];
        assert_eq!((code.ja.as_str(), code.from, &code.former), ("b", entry.listed, &entry.former));
        assert!(code.holds_on(day("2023-03-31")) && !code.holds_on(day("2023-04-01")));
        let (again, change) = with(known.clone(), "2024-06-01", &entry);
        assert_eq!((change.changed, &again.codes), (0, &known.codes));
    }
}
