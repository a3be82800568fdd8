//! Pipelines as the program runs them: killed and taken up, skipped, two at once, rejected.

use std::error::Error;
use std::path::Path;

use catalog_model::Catalogue;
use catalog_store::{Environment, StepRecord};
use pseudonymizer::batch::{self, Outcome, Planned, Recipe, Watch};
use synthetic::Options;
use tempfile::TempDir;

use crate::world::{ingest, json, killed_until_done, ok, refused};

struct World {
    folder: TempDir,
    env: String,
    file: String,
}

const STEPS: &str = "name = \"monthly\"\n
[[step]]\nname = \"take-in\"\ndo = \"ingest\"\ndelivery = \"deliveries\"\n
[[step]]\nname = \"link\"\ndo = \"link\"\n
[[step]]\nname = \"publish\"\ndo = \"publish\"\n
[[step]]\nname = \"quality\"\ndo = \"quality\"\nreport = \"quality.json\"\n";

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            persons: 200,
            months: 2,
            first_month: "2023-04".parse().unwrap(),
            seed: 11,
            fault_rate: 0.002,
        };
        synthetic::write(&Catalogue::builtin().unwrap(), &options, folder.path(), &mut |_| {}).unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let (env, file) = (path("env"), path("monthly.toml"));
        std::fs::write(&file, STEPS).unwrap();
        ok(&["init", &env, "--demo-seed", "5", "--buckets", "4"]);
        Self { folder, env, file }
    }

    fn run(&self) -> serde_json::Value {
        json(&["pipeline", "run", &self.file, "--env", &self.env, "--json"])
    }

    fn history(&self) -> Vec<serde_json::Value> {
        json(&["pipeline", "history", "--env", &self.env, "--json"]).as_array().unwrap().clone()
    }

    fn undisturbed(&self) -> String {
        let env = self.folder.path().join("undisturbed").display().to_string();
        ok(&["init", &env, "--demo-seed", "5", "--buckets", "4"]);
        ok(&["ingest", &self.folder.path().join("deliveries").display().to_string(), "--env", &env]);
        ok(&["link", "--env", &env]);
        ok(&["publish", "--env", &env]).trim().to_owned()
    }
}

fn states(run: &serde_json::Value) -> Vec<&str> {
    run["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect()
}

#[test]
fn a_run_that_is_killed_is_taken_up_and_what_is_unchanged_is_skipped() {
    let world = World::new();
    let expected = world.undisturbed();
    let kills = killed_until_done(&["pipeline", "run", &world.file, "--env", &world.env]);
    assert!(kills > 0);
    let history = world.history();
    let last = history.last().unwrap();
    assert_eq!((last["state"].as_str(), last["snapshot"].as_str()), (Some("done"), Some(expected.as_str())));
    // A kill may fall before the run was recorded; those that were are marked, and taken up by the next.
    let interrupted: Vec<_> = history.iter().filter(|run| run["state"] == "interrupted").collect();
    assert!(!interrupted.is_empty() && interrupted.len() < history.len());
    // A kill may also fall after the run was done; then nothing is left to take up.
    for pair in history.windows(2) {
        let is_interrupted = pair[0]["state"] == "interrupted";
        assert_eq!(
            pair[1]["resumes"],
            if is_interrupted { pair[0]["id"].clone() } else { serde_json::Value::Null }
        );
    }
    let again = world.run();
    assert!(states(&again).iter().all(|state| *state == "skipped"), "{again:#}");
    assert_eq!(again["snapshot"].as_str(), Some(expected.as_str()));
    assert!(again["resumes"].is_null());
    let log = std::fs::read_to_string(Path::new(&world.env).join("audit/log.jsonl")).unwrap();
    assert!(log.contains("\"kind\":\"pipeline-finished\""));
    let text = ok(&["pipeline", "history", "--env", &world.env]);
    assert!(
        text.contains("interrupted") && text.contains("took up run") && text.contains("skipped"),
        "{text}"
    );
}

#[test]
fn the_plan_says_what_would_run_and_why_and_changes_nothing() {
    let world = World::new();
    let plan = || ok(&["pipeline", "run", &world.file, "--dry-run", "--env", &world.env]);
    let first = plan();
    assert!(first.lines().all(|line| line.starts_with("run ")), "{first}");
    assert!(first.contains("not taken in yet") && first.contains("runs before it"), "{first}");
    assert!(world.history().is_empty());
    world.run();
    let second = plan();
    assert!(second.lines().all(|line| line.starts_with("skip")), "{second}");
    // A report that somebody removed is written again, and nothing else.
    std::fs::remove_file(world.folder.path().join("quality.json")).unwrap();
    assert_eq!(states(&world.run()).iter().filter(|state| **state == "done").count(), 1);
    // A delivery that is recalled changes everything after it, but is not taken in again.
    ok(&["delivery", "recall", "ndb-2023-04", "--reason", "x", "--env", &world.env]);
    let third = plan();
    let of = |what: &str| third.lines().find(|line| line.contains(what)).unwrap().to_owned();
    assert!(of("take-in/ndb-2023-04").starts_with("skip") && of("recalled at").starts_with("skip"));
    assert!(of("link: deliveries changed").starts_with("run "), "{third}");
    assert!(of("publish: link runs before it").starts_with("run "));
}

#[test]
fn of_two_at_once_the_second_is_told_who_runs_since_when() {
    let world = World::new();
    let environment = Environment::open(Path::new(&world.env)).unwrap();
    let since = "2026-11-21T00:00:00Z";
    let writer = environment.writer("pipeline monthly", since, || 100).unwrap();
    for command in [
        &["pipeline", "run", world.file.as_str(), "--env", world.env.as_str()][..],
        &["link", "--env", &world.env],
    ] {
        let output = ingest(command);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1));
        let holder = format!("pipeline monthly is running (process {} on ", std::process::id());
        assert!(text.contains(&holder) && text.contains(&format!("since {since}")), "{text}");
    }
    assert!(world.history().is_empty());
    drop(writer);
    world.run();
}

/// Lets another program take the environment when the publish begins.
struct Overtaken<'w>(&'w World);

impl Watch for Overtaken<'_> {
    fn now(&self) -> Result<String, Box<dyn Error>> {
        Ok("2026-11-21T00:00:00Z".to_owned())
    }

    fn begins(&self, step: &Planned) {
        if step.name == "publish" {
            // On a disk that two machines share, a lock need not reach from one to the other.
            std::fs::remove_file(Path::new(&self.0.env).join("lock")).unwrap();
            ok(&["link", "--env", &self.0.env]);
        }
    }

    fn progress(&self, _: &Planned, _: u64, _: u64) {}

    fn made(&self, _: &Planned, _: &Outcome) -> Result<(), Box<dyn Error>> {
        Ok(())
    }

    fn failed(&self, _: &Planned, _: &(dyn Error + 'static)) -> Result<(), Box<dyn Error>> {
        Ok(())
    }

    fn ended(&self, _: &StepRecord) {}
}

#[test]
fn a_run_whose_lease_another_took_publishes_nothing_and_is_taken_up() {
    let world = World::new();
    let expected = world.undisturbed();
    let environment = Environment::open(Path::new(&world.env)).unwrap();
    let writer = environment.writer("pipeline monthly", "2026-11-21T00:00:00Z", || 100).unwrap();
    let recipe = Recipe::read(Path::new(&world.file)).unwrap();
    let ended = batch::run(&environment, &recipe, &writer, &Overtaken(&world)).unwrap_err();
    assert!(ended.to_string().contains("another took the environment"), "{ended}");
    assert!(environment.snapshots().unwrap().head().unwrap().is_none());
    drop(writer);
    let run = world.run();
    assert_eq!((run["snapshot"].as_str(), run["resumes"].is_null()), (Some(expected.as_str()), false));
}

#[test]
fn a_rejected_delivery_fails_the_run_and_what_came_before_counts() {
    let world = World::new();
    let bad = world.folder.path().join("deliveries/zzz");
    std::fs::create_dir_all(&bad).unwrap();
    let from = world.folder.path().join("deliveries/ndb-2023-04/delivery.toml");
    std::fs::copy(from, bad.join("delivery.toml")).unwrap();
    // The list of another holder, whose files are not there.
    let list = bad.join("delivery.toml");
    let text = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, text.replacen("holder = \"", "holder = \"別の", 1)).unwrap();
    let output = ingest(&["pipeline", "run", &world.file, "--env", &world.env]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(text.contains("step take-in/zzz") && text.contains("is listed and not there"), "{text}");
    let history = world.history();
    assert_eq!(history[0]["state"], "failed");
    assert_eq!(states(&history[0]).last(), Some(&"failed"));
    std::fs::remove_dir_all(&bad).unwrap();
    let run = world.run();
    assert!(states(&run).contains(&"skipped") && run["state"] == "done");
    assert!(
        refused(&[
            "pipeline",
            "run",
            &world.folder.path().join("x.toml").display().to_string(),
            "--env",
            &world.env
        ])
        .contains("cannot read")
    );
}
