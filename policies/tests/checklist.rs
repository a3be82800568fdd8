//! The evidence that the checklist names is there: each test stands in its file, as a test.

use policies::Checklist;

#[test]
fn every_test_that_the_checklist_names_is_one() {
    for line in Checklist::shipped().unwrap().lines {
        assert!(line.not_applicable.is_none() || line.tests.is_empty(), "{}", line.id);
        for test in &line.tests {
            let (file, name) = test.split_once("::").unwrap();
            let text = std::fs::read_to_string(format!("../{file}")).unwrap_or_default();
            let found = text.split_once(&format!("fn {name}("));
            let (before, _) = found.unwrap_or_else(|| panic!("{}: {test} is not there", line.id));
            // A program of tests without the usual harness has no attribute; its `all` runs every probe.
            let before = before.trim_end();
            let marks = before.strip_suffix("async").unwrap_or(before).trim_end();
            let is_marked = marks.ends_with("#[test]") || marks.ends_with("#[tokio::test]");
            let is_own = name == "all" && text.contains("fn main()");
            let is_made = before.contains("proptest!");
            assert!(is_marked || is_own || is_made, "{}: {test} is no test", line.id);
        }
    }
}
