//! Every route, asked by somebody of each role over a real guard: what each is answered stands in `roles.txt`.
//!
//! Forms carry the right word of the session and say nothing else that would count, so that what is answered is about
//! who asks. `UPDATE_EXPECT=1` writes the table anew; a route that no line covers fails.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use crate::browser::{Browser, Page};
use crate::demo::{program, untouched};
use crate::journeys::copy;
use crate::portal::serve;

/// The demo's people, by role.
const PEOPLE: [(&str, &str); 5] = [
    ("researcher", "demo-researcher"),
    ("reviewer", "demo-reviewer"),
    ("data-officer", "demo-officer"),
    ("operator", "demo-operator"),
    ("auditor", "demo-auditor"),
];

/// Somebody with a browser, and the word of their forms.
struct Person {
    browser: Browser,
    word: String,
}

impl Person {
    fn stranger() -> Self {
        Self { browser: Browser::default(), word: "none".to_owned() }
    }

    fn signed_in(origin: &str, env: &Path, user: &str) -> Self {
        let mut link = Command::new(program("misu-guard"));
        link.args(["account", "link", user, "--env"]).arg(env);
        let link = String::from_utf8(link.output().unwrap().stdout).unwrap();
        let mut browser = Browser::default();
        let page = browser.post(&format!("{origin}/sign-in"), &[("link", link.trim())]);
        let home = browser.follow(page);
        let word = home.text.split("name=\"form_word\" value=\"").nth(1);
        let word = word.and_then(|rest| rest.split('"').next()).unwrap().to_owned();
        Self { browser, word }
    }

    fn ask(&mut self, origin: &str, method: &str, path: &str) -> Page {
        let url = format!("{origin}{path}");
        if method == "GET" {
            return self.browser.get(&url);
        }
        let (url, fields) = url.split_once('#').unwrap_or((&url, ""));
        let word = self.word.clone();
        let fields = fields.split('&').filter_map(|field| field.split_once('='));
        let fields: Vec<(&str, &str)> = fields.chain([("form_word", word.as_str())]).collect();
        self.browser.post(url, &fields)
    }
}

/// The routes of the pages and of the API, as the sources say them.
fn routes() -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (file, before) in [("pages/mod.rs", ""), ("api/mod.rs", "/api/v1"), ("jupyter/mod.rs", "/api")] {
        let path = crate::root().join("notebooks-gateway/src").join(file);
        let source = std::fs::read_to_string(path).unwrap();
        let named = source.split(".route(").skip(1).filter_map(|rest| rest.split('"').nth(1));
        all.extend(named.map(|route| format!("{before}{route}")));
    }
    all
}

#[test]
fn every_route_answers_each_role_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&untouched(), &env);
    let served = serve(&env);
    let mut people = vec![Person::stranger()];
    people.extend(PEOPLE.map(|(_, user)| Person::signed_in(&served.origin, &env, user)));
    let table = std::fs::read_to_string("roles.txt").unwrap();
    let (mut found, mut covered) = (String::new(), BTreeSet::new());
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, path, route, ..] = words[..] else {
            found.push_str(&format!("{line}\n"));
            continue;
        };
        if line.starts_with('#') {
            found.push_str(&format!("{line}\n"));
            continue;
        }
        covered.insert(route.to_owned());
        let ask = |person: &mut Person| person.ask(&served.origin, method, path).status.to_string();
        // On a busy machine somebody may be asked to come back.
        let answers: Vec<String> = people
            .iter_mut()
            .map(|person| (0..10).map(|_| ask(person)).find(|status| status != "503").unwrap_or_default())
            .collect();
        writeln!(found, "{method:<4} {path:<46} {route:<34} {}", answers.join(" ")).unwrap();
    }
    let uncovered: Vec<String> = routes().difference(&covered).cloned().collect();
    assert!(uncovered.is_empty(), "no line of roles.txt covers {uncovered:?}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write("roles.txt", found).unwrap();
        return;
    }
    assert_eq!(table, found, "run again with UPDATE_EXPECT=1 to take what is answered now");
}
