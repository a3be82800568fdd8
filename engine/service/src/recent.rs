//! What the record says of the last day, read on from where it was read before: releases and denied answers by
//! project, how long the ledger is, how much has happened since the last checkpoint.
//!
//! The record is what every program of the environment writes, so a count from it holds across guards and restarts.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Seek as _, SeekFrom};
use std::path::Path;

use serde::Deserialize;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// How far back a quota and a budget look.
const DAY: Duration = Duration::days(1);
/// Points of an answer that is withheld, that ended without a table, or that stands near an earlier one; a refused
/// question has one.
const WITHHELD: u32 = 20;

/// What the record notes last of the release ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Noted {
    /// How many entries it had.
    pub(crate) entries: u64,
    /// The digest of the last of them; none where nothing is noted.
    pub(crate) head: Option<String>,
}

/// The record's last day.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    read: u64,
    seen: VecDeque<Seen>,
    noted: Noted,
    entries: u64,
    since: Option<OffsetDateTime>,
    /// Questions under way by which a cohort is registered or that an officer ordered, by their ids.
    special: BTreeMap<String, Special>,
    /// Questions under way with a cell near an earlier answer, by their ids.
    near: BTreeSet<String>,
}

/// A question whose answer nobody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Special {
    /// A cohort is registered by it.
    Registers,
    /// Its answer is audited, for whoever asked it.
    Audits,
}

#[derive(Debug)]
struct Seen {
    at: OffsetDateTime,
    project: Option<String>,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Released,
    /// A new answer to a question that picks rows of these terms, by these values.
    Kept {
        family: u64,
        rows: u64,
    },
    Denied(u32),
    Alerted,
    Alike,
    Locked,
    Full,
    Resumed,
}

/// What a line of the record says, as far as it matters here.
#[derive(Deserialize)]
struct Line {
    at: String,
    kind: String,
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    subject: Option<String>,
    #[serde(default)]
    body: Said,
}

#[derive(Default, Deserialize)]
struct Said {
    #[serde(default)]
    outcome: Option<String>,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    fault: Option<String>,
    #[serde(default)]
    entries: Option<u64>,
    #[serde(default)]
    head: Option<String>,
    #[serde(default)]
    family: Option<String>,
    #[serde(default)]
    rows: Option<serde_json::Value>,
    #[serde(default)]
    registers: Option<bool>,
    #[serde(default)]
    audits: Option<String>,
}

/// Reasons for which an answer is kept inside that say nothing about the asker.
const INNOCENT: [&str; 5] = ["review", "quota", "denials", "inside", "registered"];

/// Faults of the house, which no value of any row brings about.
const OF_THE_HOUSE: [&str; 4] = ["dataset-key", "worker-data", "worker-not-started", "worker-unconfined"];

impl Recent {
    /// Reads what was recorded since.
    pub(crate) fn catch_up(&mut self, log: &Path, now: OffsetDateTime) -> std::io::Result<()> {
        let file = File::open(log)?;
        if file.metadata()?.len() < self.read {
            *self = Self::default();
        }
        let mut lines = BufReader::new(file);
        lines.seek(SeekFrom::Start(self.read))?;
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = lines.read_until(b'\n', &mut line)?;
            // What has no newline yet is not an entry yet.
            if line.last() != Some(&b'\n') {
                break;
            }
            self.read += read as u64;
            if let Ok(line) = serde_json::from_slice::<Line>(&line) {
                self.take(line);
            }
        }
        while self.seen.front().is_some_and(|seen| seen.at + DAY < now) {
            self.seen.pop_front();
        }
        Ok(())
    }

    fn take(&mut self, line: Line) {
        let Ok(at) = OffsetDateTime::parse(&line.at, &Rfc3339) else { return };
        if line.kind == "checkpoint-signed" {
            (self.entries, self.since) = (0, None);
            return;
        }
        self.entries += 1;
        self.since.get_or_insert(at);
        if let ("ledger-kept", Some(entries)) = (line.kind.as_str(), line.body.entries) {
            self.noted = Noted { entries, head: line.body.head.clone() };
        }
        let what = match self.special(&line) {
            Some(Special::Registers) => registered(&line),
            // An officer's order is nothing that the project did; what is kept by it is a question like any other.
            Some(Special::Audits) => kept(&line.body).filter(|_| line.kind == "ledger-kept"),
            None => what(&line),
        };
        let is_counted = self.is_counted(&line);
        let what = what.filter(|what| !(is_counted && matches!(what, What::Denied(_))));
        if let Some(what) = what {
            self.seen.push_back(Seen { at, project: line.project, what });
        }
    }

    /// Whether an answer that is withheld was counted as near an earlier one: why it is withheld changes no count.
    fn is_counted(&mut self, line: &Line) -> bool {
        let Some(query) = &line.subject else { return false };
        match line.kind.as_str() {
            "near-cohort" => !self.near.insert(query.clone()),
            "query-closed" => self.near.remove(query) && line.body.outcome.as_deref() == Some("withheld"),
            _ => false,
        }
    }

    /// What the question is that it is of, where nobody gets the answer.
    fn special(&mut self, line: &Line) -> Option<Special> {
        let query = line.subject.as_ref()?;
        match line.kind.as_str() {
            "query-opened" => {
                let registers = (line.body.registers == Some(true)).then_some(Special::Registers);
                let special = registers.or(line.body.audits.as_ref().map(|_| Special::Audits))?;
                self.special.insert(query.clone(), special);
                Some(special)
            }
            "query-closed" => self.special.remove(query),
            _ => self.special.get(query).copied(),
        }
    }

    /// Releases of a project in the last day, and cohorts that it registered.
    pub(crate) fn releases(&self, project: &str) -> u32 {
        let count = self.of(project).filter(|what| *what == What::Released).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Points of a project's denied answers in the last day, since somebody let it go on.
    pub(crate) fn denials(&self, project: &str) -> u32 {
        self.of(project).fold(0, |points, what| match what {
            What::Resumed => 0,
            What::Denied(more) => points.saturating_add(more),
            _ => points,
        })
    }

    /// The most questions of a project in the last day, since somebody let it go on, that pick rows by the same terms and
    /// each by other values.
    pub(crate) fn alike(&self, project: &str) -> u32 {
        let mut families: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for what in self.of(project) {
            match what {
                What::Resumed => families.clear(),
                What::Kept { family, rows } => {
                    families.entry(family).or_default().insert(rows);
                }
                What::Released
                | What::Denied(_)
                | What::Alerted
                | What::Alike
                | What::Locked
                | What::Full => {}
            }
        }
        let most = families.values().map(BTreeSet::len).max().unwrap_or(0);
        u32::try_from(most).unwrap_or(u32::MAX)
    }

    /// Whether it was said in the last day, since somebody let it go on: an alert, a lock, a full quota.
    pub(crate) fn is_told(&self, project: &str, told: Told) -> bool {
        let wanted = match told {
            Told::Alert => What::Alerted,
            Told::Alike => What::Alike,
            Told::Lock => What::Locked,
            Told::Quota => What::Full,
        };
        self.of(project).fold(false, |is_told, what| what != What::Resumed && (is_told || what == wanted))
    }

    fn of<'a>(&'a self, project: &'a str) -> impl Iterator<Item = What> + 'a {
        // What is about no project is about all.
        let is_of = move |seen: &&Seen| seen.project.as_deref().is_none_or(|of| of == project);
        self.seen.iter().filter(is_of).map(|seen| seen.what)
    }

    /// What the record notes last of the ledger.
    pub(crate) fn noted(&self) -> Noted {
        self.noted.clone()
    }

    /// Entries since the last checkpoint, and when the first of them was written.
    pub(crate) const fn unsigned(&self) -> (u64, Option<OffsetDateTime>) {
        (self.entries, self.since)
    }
}

/// What is told once.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Told {
    /// That somebody may be trying.
    Alert,
    /// That many questions differ in the values they name alone.
    Alike,
    /// That nothing more is answered.
    Lock,
    /// That there were enough releases.
    Quota,
}

fn what(line: &Line) -> Option<What> {
    let outcome = line.body.outcome.as_deref();
    let is_innocent = line.body.reason.as_deref().is_some_and(|reason| INNOCENT.contains(&reason));
    let is_of_the_house = line.body.fault.as_deref().is_some_and(|fault| OF_THE_HOUSE.contains(&fault));
    Some(match (line.kind.as_str(), outcome) {
        ("query-closed", Some("released")) => What::Released,
        ("query-closed", Some("withheld")) if !is_innocent => What::Denied(WITHHELD),
        // Nothing that a value can do should end a run; where something does, the endings are counted.
        ("query-closed", Some("failed")) if !is_of_the_house => What::Denied(WITHHELD),
        ("near-cohort", _) => What::Denied(WITHHELD),
        ("ledger-kept", _) => kept(&line.body)?,
        ("query-refused", _) => What::Denied(1),
        ("probing-alert", _) => What::Alerted,
        ("alike-alert", _) => What::Alike,
        ("denials-locked", _) => What::Locked,
        ("quota-reached", _) => What::Full,
        ("use-resumed", _) => What::Resumed,
        _ => return None,
    })
}

/// What a registration counts for: one question, whatever was found beside it.
fn registered(line: &Line) -> Option<What> {
    let is_compared = !matches!(line.body.reason.as_deref(), Some("denials" | "quota"));
    match (line.kind.as_str(), line.body.outcome.as_deref()) {
        ("query-closed", Some("withheld")) => is_compared.then_some(What::Released),
        ("near-cohort", _) => None,
        _ => what(line),
    }
}

fn kept(said: &Said) -> Option<What> {
    let word = |text: &str| u64::from_str_radix(text, 16).ok();
    let family = said.family.as_deref().and_then(word)?;
    let rows = said.rows.as_ref().and_then(serde_json::Value::as_str).and_then(word)?;
    Some(What::Kept { family, rows })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::{Noted, Recent, Told};

    fn line(at: &str, kind: &str, project: &str, body: &str) -> String {
        let project = if project.is_empty() { String::new() } else { format!(",\"project\":\"{project}\"") };
        format!(
            "{{\"seq\":0,\"at\":\"{at}\",\"kind\":\"{kind}\",\"who\":\"x\"{project},\"body\":{{{body}}}}}\n"
        )
    }

    #[test]
    fn a_registration_counts_as_one_question_whatever_was_found() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let now = datetime!(2026-11-21 12:00 UTC);
        let of = |kind: &str, query: &str, body: &str| {
            let line = line("2026-11-21T11:00:00.000Z", kind, "p", body);
            line.replace(",\"body\"", &format!(",\"subject\":\"{query}\",\"body\""))
        };
        let counts = |lines: &[String]| {
            std::fs::write(&log, lines.concat()).unwrap();
            let mut recent = Recent::default();
            recent.catch_up(&log, now).unwrap();
            (recent.denials("p"), recent.releases("p"))
        };
        let opened = of("query-opened", "q1", "\"registers\":true");
        let near = of("near-cohort", "q1", "");
        let closed = |reason: &str| {
            of("query-closed", "q1", &format!("\"outcome\":\"withheld\",\"reason\":\"{reason}\""))
        };
        let alone = [opened.clone(), closed("registered")];
        let beside = [opened.clone(), near.clone(), closed("registered")];
        let withheld = [opened.clone(), near.clone(), closed("ledger")];
        assert_eq!([counts(&alone), counts(&beside), counts(&withheld)], [(0, 1); 3]);
        assert_eq!(counts(&[opened, closed("denials")]), (0, 0), "it was compared with nothing");
        // A question by which nothing is registered counts as before, also under a number that was one.
        assert_eq!(counts(&[near.clone(), closed("ledger")]), (20, 0));
        assert_eq!(counts(&[closed("beyond-audit")]), (20, 0), "why it is withheld changes no count");
        assert_eq!(counts(&[&beside[..], &[near, closed("ledger")]].concat()), (20, 1));
    }

    #[test]
    fn an_audit_that_an_officer_ordered_counts_for_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let of = |kind: &str, body: &str| {
            let line = line("2026-11-21T11:00:00.000Z", kind, "p", body);
            line.replace(",\"body\"", ",\"subject\":\"q1\",\"body\"")
        };
        let closed = "\"outcome\":\"withheld\",\"reason\":\"ledger\"";
        let kept = "\"entries\":7,\"head\":\"0a\",\"family\":\"0a\",\"rows\":\"01\"";
        let counts = |lines: &[String]| {
            std::fs::write(&log, lines.concat()).unwrap();
            let mut recent = Recent::default();
            recent.catch_up(&log, datetime!(2026-11-21 12:00 UTC)).unwrap();
            (recent.denials("p"), recent.releases("p"), recent.alike("p"), recent.noted().entries)
        };
        let opened = of("query-opened", "\"audits\":\"q0\"");
        let failed = [opened.clone(), of("near-cohort", ""), of("query-closed", closed)];
        assert_eq!(counts(&failed), (0, 0, 0, 0));
        let passed = "\"outcome\":\"withheld\",\"reason\":\"audited\"";
        let passed = [opened, of("ledger-kept", kept), of("query-closed", passed)];
        assert_eq!(counts(&passed), (0, 0, 1, 7));
        // Whoever asks again is counted as ever.
        assert_eq!(counts(&[&failed[..], &[of("query-closed", closed)]].concat()), (20, 0, 0, 0));
    }

    #[test]
    fn a_day_is_counted_by_project_and_read_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log.jsonl");
        let now = datetime!(2026-11-21 12:00 UTC);
        let (old, new) = ("2026-11-20T11:00:00.000Z", "2026-11-21T11:00:00.000Z");
        let withheld = "\"outcome\":\"withheld\",\"reason\":\"ledger\"";
        let mut text = [
            line(old, "query-closed", "p", "\"outcome\":\"released\""),
            line(new, "query-closed", "p", "\"outcome\":\"released\""),
            line(new, "query-closed", "q", "\"outcome\":\"released\""),
            line(new, "query-closed", "p", withheld),
            line(new, "query-closed", "p", "\"outcome\":\"withheld\",\"reason\":\"review\""),
            line(new, "query-closed", "p", "\"outcome\":\"failed\",\"fault\":\"worker-execution\""),
            line(new, "query-closed", "p", "\"outcome\":\"failed\",\"fault\":\"dataset-key\""),
            line(new, "near-cohort", "p", ""),
            line(new, "query-refused", "p", "\"rule\":\"x\""),
            line(new, "query-denied", "p", ""),
            line(new, "ledger-kept", "", "\"entries\":7,\"head\":\"0a\""),
        ]
        .concat();
        text.push_str("{\"torn");
        std::fs::write(&log, &text).unwrap();
        let mut recent = Recent::default();
        recent.catch_up(&log, now).unwrap();
        assert_eq!((recent.releases("p"), recent.releases("q")), (1, 1));
        assert_eq!((recent.denials("p"), recent.denials("q")), (61, 0));
        assert_eq!(recent.noted(), Noted { entries: 7, head: Some("0a".to_owned()) });
        assert_eq!(recent.unsigned().0, 11);

        let text = text.replace("{\"torn", "");
        let more = [line(new, "probing-alert", "p", ""), line(new, "checkpoint-signed", "", "")].concat();
        std::fs::write(&log, format!("{text}{more}")).unwrap();
        recent.catch_up(&log, now).unwrap();
        assert!(recent.is_told("p", Told::Alert) && !recent.is_told("q", Told::Alert));
        assert!(!recent.is_told("p", Told::Alike), "one alert does not stand for the other");
        assert_eq!(recent.unsigned().0, 0);

        let resumed = line(new, "use-resumed", "p", "");
        std::fs::write(&log, format!("{text}{more}{resumed}")).unwrap();
        recent.catch_up(&log, now).unwrap();
        assert_eq!((recent.denials("p"), recent.is_told("p", Told::Alert)), (0, false));

        let kept = |project, family, rows| {
            line(new, "ledger-kept", project, &format!("\"family\":\"{family}\",\"rows\":\"{rows}\""))
        };
        let alike =
            [kept("p", "0a", "01"), kept("p", "0a", "02"), kept("p", "0a", "02"), kept("p", "0b", "03")];
        let asked = [text.as_str(), &more, &resumed, &alike.concat(), &kept("q", "0a", "04")].concat();
        std::fs::write(&log, asked).unwrap();
        recent.catch_up(&log, now).unwrap();
        assert_eq!((recent.alike("p"), recent.alike("q"), recent.alike("r")), (2, 1, 0));

        // A log that was put back is read from its beginning.
        std::fs::write(&log, line(new, "query-refused", "p", "")).unwrap();
        recent.catch_up(&log, now).unwrap();
        assert_eq!((recent.denials("p"), recent.noted()), (1, Noted::default()));
    }
}
