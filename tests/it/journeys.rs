//! Journeys: commands and all that they say, one readable file each. `UPDATE_EXPECT=1` writes what they say now.

use std::path::Path;
use std::process::Command;

use crate::demo::{program, untouched};

pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The words of a command line; quotes keep spaces together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, part) in line.split('"').enumerate() {
        if at % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Times, digests, signatures and the record's length differ from run to run.
fn masked(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let words = line.split(' ').map(|word| {
            let digits = word.chars().filter(char::is_ascii_digit).count();
            let is_digest =
                word.len() >= 32 && word.chars().all(|c| c.is_ascii_alphanumeric() || "+/=:…".contains(c));
            let is_day = word.len() == 10 && digits == 8 && word.contains('-');
            let is_hour = word.len() == 5 && digits == 4 && word.contains(':');
            let is_count = word.len() > 1 && digits == word.len();
            let is_instant = word.len() > 19 && word.ends_with('Z') && digits >= 14;
            match (is_digest, is_day, is_hour) {
                _ if is_count => "COUNT",
                _ if is_instant => "INSTANT",
                _ if query_of(word) == Some("") => "QUERY",
                _ if query_of(word).is_some() => "OUTPUT",
                _ if query_of(word.trim_end_matches(':')).is_some() => "OUTPUT:",
                (true, _, _) => "DIGEST",
                (_, true, _) => "DAY",
                (_, _, true) => "TIME",
                _ => word,
            }
        });
        lines.push(words.collect::<Vec<_>>().join(" ").trim_end().to_owned());
    }
    lines.join("\n")
}

/// What stands before the query in `q12` or `project-q12`; nothing where the word is no such id.
fn query_of(word: &str) -> Option<&str> {
    let (project, number) = word.rsplit_once('q')?;
    let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
    (is_number && (project.is_empty() || project.ends_with('-'))).then_some(project)
}

fn run(line: &str, env: &str, output_id: &mut String) -> String {
    let line = line
        .replace("ENV", env)
        .replace("OUTPUT", output_id)
        .replace("JOURNEYS", &crate::root().join("tests/journeys").display().to_string());
    let mut words = words(&line);
    let file = words.iter().position(|word| word == ">").map(|at| words.split_off(at).remove(1));
    let output = Command::new(program(&words[0])).args(&words[1..]).env("LC_ALL", "C").output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    let said = match file {
        Some(file) => {
            std::fs::write(file, &*printed).unwrap();
            told.into_owned()
        }
        None => format!("{printed}{told}"),
    };
    let named = said.split_whitespace().find(|word| query_of(word).is_some_and(|of| !of.is_empty()));
    if let Some(named) = named {
        named.clone_into(output_id);
    }
    let mut said = masked(&said.replace(env, "ENV"));
    let code = output.status.code().unwrap();
    if code != 0 {
        said.push_str(&format!("\n[exit {code}]"));
    }
    said.trim_matches('\n').to_owned()
}

fn walked(journey: &str, env: &str) -> String {
    let (mut text, mut output_id) = (String::new(), String::new());
    for line in journey.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            let said = run(command, env, &mut output_id);
            text.push_str(&format!("{line}\n"));
            if !said.is_empty() {
                let said: Vec<String> =
                    said.lines().filter(|line| !line.is_empty()).map(|line| format!("  {line}")).collect();
                text.push_str(&format!("{}\n", said.join("\n")));
            }
        } else if line.starts_with('#') || line.is_empty() && !text.ends_with("\n\n") {
            text.push_str(&format!("{line}\n"));
        }
    }
    text
}

/// A journey in an environment of its own says what is written.
fn check(name: &str) {
    let path = crate::root().join("tests/journeys").join(name);
    let journey = std::fs::read_to_string(&path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let found = walked(&journey, &env.display().to_string());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, found).unwrap();
        return;
    }
    assert_eq!(journey, found, "run again with UPDATE_EXPECT=1 to take what it says now");
}

#[test]
fn from_an_application_to_a_release_and_to_the_end() {
    check("application-to-release.txt");
}

#[test]
fn through_the_airlock_out_and_back() {
    check("airlock.txt");
}

#[test]
fn a_cohort_is_kept_inside_and_dropped_again() {
    check("working-inside.txt");
}

#[test]
fn an_analysis_from_file_to_package() {
    check("analysis.txt");
}

#[test]
fn from_a_near_miss_to_what_was_learnt() {
    check("incident.txt");
}

#[test]
fn a_table_made_elsewhere_stands_beside_the_ledger() {
    check("table-made-elsewhere.txt");
}

#[test]
fn people_decide_where_a_rule_says_in_principle() {
    check("in-principle.txt");
}
