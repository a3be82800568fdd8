//! Analyses: what is cut off goes on where it stood, what is called back leaves the package, and programs submit them
//! through the HTTP API.

use std::path::Path;
use std::process::{Command, Output};

use catalog_store::{Environment, Papers, Passphrase, Workspaces};
use serde_json::{Value, json};

use crate::demo::{program, untouched};
use crate::doors::{DOORS, installed, printed};
use crate::journeys::copy;

struct House {
    folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy(&untouched(), &folder.path().join("env"));
        Self { folder }
    }

    fn misu(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(program("misu"));
        command.args(arguments).args(["--env"]).arg(self.folder.path().join("env")).env("LC_ALL", "C");
        command.output().unwrap()
    }

    /// Changes the one run as it lies, as a process that ended would have left it.
    fn change(&self, with: impl FnOnce(&mut Value)) {
        let environment = Environment::open(&self.folder.path().join("env")).unwrap();
        let environment = environment.unlocked_by(Passphrase::find(&|_| None).unwrap());
        let workspaces = Workspaces::new(&environment);
        let papers = Papers::new(&workspaces, "analyses");
        let id = papers.names("demo").remove(0);
        let text = papers.read("demo", &id).unwrap().unwrap();
        let mut stored: Value = serde_json::from_slice(&text).unwrap();
        with(&mut stored["run"]);
        papers.write("demo", &id, stored.to_string().as_bytes()).unwrap();
    }

    fn queries(&self) -> usize {
        let log = std::fs::read_to_string(self.folder.path().join("env/audit/log.jsonl")).unwrap();
        log.lines().filter(|line| line.contains("query-opened")).count()
    }
}

fn file() -> String {
    crate::root().join("examples/analysis/analysis.toml").display().to_string()
}

fn run(output: &Output) -> Value {
    serde_json::from_str(printed(output).trim()).unwrap()
}

#[test]
fn what_was_cut_off_goes_on_where_it_stood() {
    let house = House::new();
    let first = run(&house.misu(&["run", &file(), "--json"]));
    assert_eq!(first["state"], "done");
    let id = first["id"].as_str().unwrap();
    let came = |run: &Value, step: usize| run["steps"][step]["came"].clone();
    let asked = house.queries();

    // Cut off behind the first step's table and before it was noted: the table is that step's. The second step's
    // answer was released and is the same answer; the third was not begun.
    house.change(|run| {
        run["state"] = json!("running");
        run["steps"][0]["came"] = json!({"came": "begun", "at": 0});
        run["steps"][1]["came"] = json!({"came": "begun", "at": 0});
        run["steps"][2]["came"] = json!({"came": "nothing"});
    });
    let listed: Value = serde_json::from_str(&printed(&house.misu(&["run", "--list", "--json"]))).unwrap();
    assert_eq!(listed[0]["state"], "interrupted");
    let second = run(&house.misu(&["run", "--resume", id, "--json"]));
    assert_eq!(second["state"], "done");
    for step in 0..3 {
        assert_eq!(came(&second, step), came(&first, step), "step {step}");
    }
    assert_eq!(house.queries(), asked + 2, "two answers are asked for again, the table is not made again");

    // A table that was there before the step began is not the step's.
    house.change(|run| {
        run["state"] = json!("running");
        run["steps"][0]["came"] = json!({"came": "begun", "at": 99_999_999_999_i64});
    });
    let third = house.misu(&["run", "--resume", id, "--json"]);
    assert_eq!(third.status.code(), Some(3));
    let third: Value = serde_json::from_slice(&third.stdout).unwrap();
    assert_eq!((&third["state"], &third["steps"][0]["came"]["came"]), (&json!("failed"), &json!("no")));
}

#[test]
fn a_run_is_its_submitters_and_what_was_called_back_is_not_packed() {
    let house = House::new();
    let package = house.folder.path().join("outputs.zip");
    let out = package.display().to_string();
    let first = run(&house.misu(&["run", &file(), "--json", "--out", &out]));
    let id = first["id"].as_str().unwrap();
    assert_eq!(names(&package).iter().filter(|name| name.ends_with(".note")).count(), 2);
    let other = house.misu(&["run", "--resume", id, "--user", "demo-officer"]);
    assert_eq!(other.status.code(), Some(4), "who has no permit in the project");

    let query = first["steps"][1]["came"]["query"].as_str().unwrap();
    let output = format!("demo-{query}");
    let officer = |act: &[&str]| printed(&house.misu(&[act, &["--as", "demo-officer"]].concat()));
    officer(&["output", "open", "demo", query]);
    officer(&["output", "revoke", &output, "--reason", "test"]);
    run(&house.misu(&["run", "--resume", id, "--json", "--out", &out]));
    let left = names(&package);
    assert!(left.contains(&"outputs/by_month.note".to_owned()), "{left:?}");
    assert!(!left.iter().any(|name| name.contains("by_sex")), "{left:?}");
}

#[test]
fn a_packages_provenance_passes_its_validator() {
    let house = House::new();
    let package = house.folder.path().join("outputs.zip");
    run(&house.misu(&["run", &file(), "--json", "--out", &package.display().to_string()]));
    let mut command = Command::new(installed("provenance", "python"));
    command.arg(crate::root().join("tests/clients/provenance_session.py")).arg(&package);
    let told = printed(&command.output().unwrap());
    let expected =
        "ro-crate-1.1 []\nprocess-run-crate-0.5 []\nwithout license True\nwithout instrument True\n";
    assert_eq!(told, expected);
}

/// The names of a zip package's files, by the standard tool.
fn names(package: &Path) -> Vec<String> {
    let script = "import sys, zipfile; print('\\n'.join(zipfile.ZipFile(sys.argv[1]).namelist()))";
    let listed = Command::new("python3").args(["-c", script]).arg(package).output().unwrap();
    printed(&listed).lines().map(str::to_owned).collect()
}

#[test]
fn a_program_submits_an_analysis_and_fetches_its_package() {
    let mut command = Command::new("python3");
    command.arg(crate::root().join("tests/clients/analysis_session.py"));
    let text = std::fs::read_to_string(file()).unwrap().replace("ws.diabetics", "ws.of_a_program");
    let told = printed(&DOORS.run(command, &text));
    assert!(told.contains("done released released"), "{told}");
    assert!(told.contains("step.by_sex.sql"), "{told}");
}
