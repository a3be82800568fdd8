//! Scores the checklist in a running environment.
//!
//! 0: nothing shows that the line is kept, or the environment shows that it is not. 1: a test keeps it, and this
//! environment has nothing to look at, or the environment shows it and no test does. 2: a test keeps it and this
//! environment shows it.

use std::collections::BTreeSet;

use policies::{Checklist, ChecklistLine};
use reports::board::checklist::Scored;

use super::probes::{Found, Seen, probe};
use super::{Desk, ReportError};

/// Every line with its score. Where the names of passed tests are given, no other test counts.
///
/// # Errors
///
/// The checklist has errors.
pub fn scored(desk: &Desk, passed: Option<&BTreeSet<String>>) -> Result<Vec<Scored>, ReportError> {
    let lines = Checklist::shipped()?.lines;
    Ok(lines.iter().map(|line| score(desk, line, passed)).collect())
}

/// The names of the tests that a report of `cargo test` says have passed.
pub fn passed(report: &str) -> BTreeSet<String> {
    let name = |line: &str| {
        let name = line.trim().strip_prefix("test ")?.strip_suffix(" ... ok")?;
        Some(name.rsplit("::").next().unwrap_or(name).to_owned())
    };
    report.lines().filter_map(name).collect()
}

fn score(desk: &Desk, line: &ChecklistLine, passed: Option<&BTreeSet<String>>) -> Scored {
    let found = line.probe.as_deref().map_or_else(Found::nothing, |name| probe(desk, name));
    let (score, why) = match &line.not_applicable {
        Some(names) => (None, (names.ja.clone(), names.en.clone())),
        None => judge(line, &found, passed),
    };
    Scored {
        id: line.id.clone(),
        level: line.level.clone(),
        safe: line.safe.clone(),
        ja: line.ja.clone(),
        en: line.en.clone(),
        score,
        why_ja: why.0,
        why_en: why.1,
    }
}

fn judge(
    line: &ChecklistLine,
    found: &Found,
    passed: Option<&BTreeSet<String>>,
) -> (Option<u8>, (String, String)) {
    let name = |test: &str| test.rsplit("::").next().unwrap_or_default().to_owned();
    let names: Vec<String> = line.tests.iter().map(|test| name(test)).collect();
    let missing = passed.and_then(|passed| names.iter().find(|name| !passed.contains(*name)));
    if let Some(missing) = missing {
        return (
            Some(0),
            (format!("試験 {missing} が成功していない"), format!("test {missing} has not passed")),
        );
    }
    let tested = (!names.is_empty()).then(|| {
        (format!("試験 {} 件", names.len()), format!("{} tests: {}", names.len(), names.join(", ")))
    });
    match (&found.seen, tested) {
        (Seen::No, _) => (Some(0), (found.ja.clone(), found.en.clone())),
        (Seen::Yes, Some((ja, en))) => {
            (Some(2), (format!("{}。{ja}", found.ja), format!("{}; {en}", found.en)))
        }
        (Seen::Yes, None) => (Some(1), (format!("{}。試験なし", found.ja), format!("{}; no test", found.en))),
        (Seen::Nothing, Some(tested)) => (Some(1), tested),
        (Seen::Nothing, None) => (Some(0), ("動く根拠がない".to_owned(), "no working evidence".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use policies::{Checklist, ChecklistLine};

    use super::{Found, Seen, judge, passed};
    use crate::reporting::probes::is_known;

    fn line(tests: &[&str]) -> ChecklistLine {
        let mut line = Checklist::shipped().unwrap().lines.remove(0);
        line.tests = tests.iter().map(|test| (*test).to_owned()).collect();
        line
    }

    fn found(seen: Seen) -> Found {
        Found { seen, ja: "見た".to_owned(), en: "seen".to_owned() }
    }

    #[test]
    fn a_line_scores_by_what_shows_it() {
        let scores = |tests: &[&str]| {
            [Seen::No, Seen::Nothing, Seen::Yes].map(|seen| judge(&line(tests), &found(seen), None).0)
        };
        assert_eq!(scores(&[]), [Some(0), Some(0), Some(1)]);
        assert_eq!(scores(&["a.rs::one"]), [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn a_test_that_has_not_passed_is_no_evidence() {
        let report = "running 2 tests\ntest module::one ... ok\ntest module::two ... FAILED\n";
        let passed = passed(report);
        assert_eq!(passed, BTreeSet::from(["one".to_owned()]));
        let score = |tests: &[&str]| judge(&line(tests), &found(Seen::Yes), Some(&passed)).0;
        assert_eq!(score(&["a.rs::module::one"]), Some(2));
        assert_eq!(score(&["a.rs::one", "a.rs::two"]), Some(0));
    }

    #[test]
    fn every_probe_that_the_checklist_names_is_one() {
        for line in Checklist::shipped().unwrap().lines {
            assert!(line.probe.as_deref().is_none_or(is_known), "{}: {:?}", line.id, line.probe);
        }
    }
}
