//! The record for readers: what verification found, and what happened in a period.

use audit::{Entry, Value, Verified, VerifyError};
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use crate::Language;
use crate::grid::{Grid, Side, clean};
use crate::number::count;

/// Letters of a word in the list of events before the rest is left out; digests are longer.
const LONGEST: usize = 24;
/// Queries without an end that are named one by one.
const NAMED: usize = 20;

/// What verification found in a log that is whole.
pub fn verified(verified: &Verified, language: Language) -> String {
    let entries = count(verified.entries);
    let mut text = match language {
        Language::Japanese => format!("記録は無傷です：{entries}件、すべて前の記録に続いています\n"),
        Language::English => {
            format!("the record is whole: {entries} entries, each continues the one before\n")
        }
    };
    if let Some(head) = verified.head {
        let label = language.pick("末尾（別の場所に控えてください）", "last entry (note it elsewhere)");
        text.push_str(&format!("{label}: {head}\n"));
    }
    if !verified.unclosed.is_empty() {
        let label = language.pick("終わりの記録がない照会", "queries without an end");
        let names: Vec<String> = verified.unclosed.iter().take(NAMED).map(ToString::to_string).collect();
        let more = if verified.unclosed.len() > NAMED { ", …" } else { "" };
        text.push_str(&format!("{label}: {} ({}{more})\n", verified.unclosed.len(), names.join(", ")));
    }
    if verified.torn_bytes > 0 {
        text.push_str(&match language {
            Language::Japanese => {
                format!("末尾に書きかけの {}バイトがあります。次の記録が処理します\n", verified.torn_bytes)
            }
            Language::English => format!(
                "{} bytes of an unfinished append at the end; the next append deals with them\n",
                verified.torn_bytes
            ),
        });
    }
    if verified.back_in_time > 0 {
        text.push_str(&match language {
            Language::Japanese => format!("前の記録より前の時刻をもつ記録：{}件\n", verified.back_in_time),
            Language::English => {
                format!("entries whose time lies before the one before: {}\n", verified.back_in_time)
            }
        });
    }
    text
}

/// Where and how a log is not what was written.
pub fn broken(error: &VerifyError, language: Language) -> String {
    let mut text =
        language.pick("記録は書かれたままではありません", "the record is not what was written").to_owned();
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {}", clean(&error.to_string())));
        cause = error.source();
    }
    text + "\n"
}

/// The entries from a time on and before another one, as a list.
pub fn period<'e>(
    entries: impl IntoIterator<Item = &'e Entry>,
    from: OffsetDateTime,
    before: OffsetDateTime,
    language: Language,
) -> String {
    let mut grid = Grid::new([
        ("#", Side::Right),
        (language.pick("時刻（UTC）", "time (UTC)"), Side::Left),
        (language.pick("種別", "kind"), Side::Left),
        (language.pick("実行者", "who"), Side::Left),
        (language.pick("プロジェクト", "project"), Side::Left),
        (language.pick("対象", "about"), Side::Left),
        (language.pick("内容", "what it says"), Side::Left),
    ]);
    let mut number = 0;
    for entry in entries.into_iter().filter(|entry| from <= entry.at() && entry.at() < before) {
        number += 1;
        grid.row([
            entry.seq().to_string(),
            moment(entry.at()),
            entry.kind().as_str().to_owned(),
            entry.who().to_owned(),
            entry.project().unwrap_or_default().to_owned(),
            short(entry.subject().unwrap_or_default()),
            body(entry),
        ]);
    }
    let number = count(number);
    grid.text()
        + &match language {
            Language::Japanese => format!("{number}件\n"),
            Language::English => format!("{number} entries\n"),
        }
}

fn moment(at: OffsetDateTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

fn body(entry: &Entry) -> String {
    let words = entry.body().iter().map(|(name, value)| format!("{name}={}", word(value)));
    words.collect::<Vec<_>>().join(" ")
}

fn word(value: &Value) -> String {
    match value {
        Value::Flag(flag) => flag.to_string(),
        Value::Whole(number) => number.to_string(),
        Value::Text(text) => short(text),
        Value::List(values) => format!("[{}]", values.len()),
        Value::Object(_) => "{…}".to_owned(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some(_) => text.chars().take(LONGEST / 2).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use audit::{Digest, Entry, Event, Kind, LOG_FILE, Log, QueryRequest};
    use expect_test::expect;
    use time::Duration;
    use time::macros::datetime;

    use super::{broken, period, verified};
    use crate::Language;

    /// The lines of a log with a few entries, a minute apart.
    fn lines() -> String {
        let folder = tempfile::tempdir().unwrap();
        let looks = AtomicI64::new(0);
        let clock = move || {
            datetime!(2026-11-21 09:00 +09:00) + Duration::minutes(looks.fetch_add(1, Ordering::SeqCst))
        };
        let log = Log::create(folder.path(), clock).unwrap();
        let _ = log.record(Event::new(Kind::EnvironmentCreated, "misu\u{7}").with("demo", true)).unwrap();
        let event =
            Event::new(Kind::SnapshotPublished, "misu-ingest").subject("5a".repeat(32)).with("files", 12_u64);
        let _ = log.record(event).unwrap();
        let query = QueryRequest::new("demo-researcher", "demo", "5a5a", Digest::ZERO);
        let opened = log.open_query(query).unwrap();
        let text = std::fs::read_to_string(folder.path().join(LOG_FILE)).unwrap();
        drop(opened);
        text
    }

    #[test]
    fn a_whole_record_names_its_last_entry_and_open_queries() {
        let found = audit::verify(lines().as_bytes()).unwrap();
        let text = verified(&found, Language::English);
        assert!(
            text.starts_with("the record is whole: 3 entries, each continues the one before\n"),
            "{text}"
        );
        assert!(text.contains(&format!("(note it elsewhere): {}", found.head.unwrap())), "{text}");
        assert!(text.ends_with("queries without an end: 1 (q2)\n"), "{text}");
    }

    #[test]
    fn a_changed_byte_is_told_with_its_cause() {
        let changed = lines().replacen("true", "false", 1);
        let error = audit::verify(changed.as_bytes()).unwrap_err();
        expect![[r#"
            the record is not what was written: line 1, which should be entry 0, was changed: the content and the hash do not belong together: a byte was changed
        "#]]
        .assert_eq(&broken(&error, Language::English));
    }

    #[test]
    fn a_period_lists_its_events_only() {
        let text = lines();
        let entries: Vec<Entry> = text.lines().map(|line| Entry::parse(line.as_bytes()).unwrap()).collect();
        let found = period(
            &entries,
            datetime!(2026-11-21 00:00 UTC),
            datetime!(2026-11-21 00:02 UTC),
            Language::English,
        );
        expect![[r#"
            #  time (UTC)           kind                 who          project  about          what it says
            ─  ───────────────────  ───────────────────  ───────────  ───────  ─────────────  ────────────
            0  2026-11-21 00:00:00  environment-created  misu�                                demo=true
            1  2026-11-21 00:01:00  snapshot-published   misu-ingest           5a5a5a5a5a5a…  files=12
            2 entries
        "#]]
        .assert_eq(&found);
    }
}
