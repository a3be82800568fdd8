//! Deliveries through the stages, as the program does it: the same twice, killed anywhere, rejected, cut short.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use catalog_model::{Catalogue, FaultKind};
use synthetic::Options;
use tempfile::TempDir;

/// Runs `misu-ingest`.
fn ingest(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_misu-ingest")).args(arguments).output().unwrap()
}

/// Runs `misu-ingest` and gives what it says; it must succeed.
pub(super) fn ok(arguments: &[&str]) -> String {
    let output = ingest(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn population(folder: &Path, fault_rate: f64) {
    let catalogue = Catalogue::builtin().unwrap();
    let options =
        Options { persons: 300, months: 3, first_month: "2023-04".parse().unwrap(), seed: 11, fault_rate };
    synthetic::write(&catalogue, &options, folder, &mut |_| {}).unwrap();
}

struct World {
    folder: TempDir,
}

impl World {
    fn new(fault_rate: f64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        population(folder.path(), fault_rate);
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn deliveries(&self) -> Vec<PathBuf> {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(self.path("deliveries")).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        folders
    }

    fn environment(&self, name: &str) -> String {
        let env = self.path(name);
        ok(&["init", &env, "--demo-seed", "5", "--buckets", "4"]);
        env
    }

    fn snapshot(&self, name: &str) -> String {
        let env = self.environment(name);
        ok(&["ingest", &self.path("deliveries"), "--env", &env]);
        ok(&["link", "--env", &env]);
        ok(&["publish", "--env", &env])
    }
}

#[test]
fn the_same_deliveries_give_the_same_snapshot_in_any_order_and_taken_in_twice() {
    let world = World::new(0.002);
    let first = world.snapshot("one");
    let env = world.environment("two");
    for folder in world.deliveries().iter().rev() {
        ok(&["ingest", &folder.display().to_string(), "--env", &env]);
    }
    let again = ok(&["ingest", &world.path("deliveries"), "--env", &env, "--json"]);
    assert!(again.contains("\"is_known\": true") && !again.contains("\"is_known\": false"));
    ok(&["link", "--env", &env]);
    assert_eq!(ok(&["publish", "--env", &env]), first);
    // Publishing again gives the snapshot that is there.
    assert_eq!(ok(&["publish", "--env", &env]), first);
    assert_eq!(std::fs::read_dir(Path::new(&env).join("store/snapshots")).unwrap().count(), 1);
}

#[test]
fn killed_anywhere_and_started_again_it_gives_the_same_snapshot() {
    let world = World::new(0.002);
    let expected = world.snapshot("undisturbed");
    let env = world.environment("killed");
    let deliveries = world.path("deliveries");
    let steps: [&[&str]; 3] =
        [&["ingest", &deliveries, "--env", &env], &["link", "--env", &env], &["publish", "--env", &env]];
    for step in steps {
        // Each attempt is given a little longer, so that the kills fall all over the step; the last one ends by itself.
        for attempt in 1_u64.. {
            let mut child = Command::new(env!("CARGO_BIN_EXE_misu-ingest"))
                .args(step)
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            let begun = std::time::Instant::now();
            let limit = std::time::Duration::from_millis(attempt * attempt * 3);
            let ended = loop {
                if let Some(status) = child.try_wait().unwrap() {
                    break Some(status);
                }
                if begun.elapsed() >= limit {
                    break None;
                }
                std::thread::yield_now();
            };
            match ended {
                Some(status) => {
                    assert!(status.success(), "{step:?}");
                    break;
                }
                None => {
                    child.kill().unwrap();
                    child.wait().unwrap();
                }
            }
        }
    }
    assert_eq!(ok(&["publish", "--env", &env]), expected);
    let scratch = std::fs::read_dir(Path::new(&env).join("scratch")).unwrap().count();
    assert_eq!(scratch, 0, "a publish leaves nothing in scratch");
}

#[test]
fn every_planted_fault_is_found_and_every_account_closes() {
    let world = World::new(0.02);
    let env = world.environment("env");
    ok(&["ingest", &world.path("deliveries"), "--env", &env]);
    ok(&["link", "--env", &env]);
    ok(&["publish", "--env", &env]);
    let quality: serde_json::Value = serde_json::from_str(&ok(&["quality", "--env", &env])).unwrap();
    for delivery in quality["deliveries"].as_array().unwrap() {
        for file in delivery["files"].as_array().unwrap() {
            assert_eq!(file["closes"], true, "{file}");
        }
    }
    assert_eq!(quality["total"]["closes"], true);
    let found = found(&env);
    let planted = std::fs::read_to_string(world.path("truth/faults.csv")).unwrap();
    let mut missed = Vec::new();
    for line in planted.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let (delivery, file, at, kind) = (fields[0], fields[1], fields[2], fields[5]);
        // Duplicates are found at publish, a whole-file fault at the file's end.
        let is_elsewhere =
            matches!(FaultKind::parse(kind), Some(FaultKind::Duplicate | FaultKind::Truncated));
        let place = format!("{file},{at},{kind}");
        if !is_elsewhere && !found.get(delivery).is_some_and(|places| places.contains(&place)) {
            missed.push(line.to_owned());
        }
    }
    assert!(planted.lines().count() > 100);
    assert!(missed.is_empty(), "{missed:#?}");
    let duplicates = planted.lines().filter(|line| line.ends_with(",duplicate")).count();
    let head: Vec<_> = std::fs::read_dir(Path::new(&env).join("reports")).unwrap().collect();
    let text = std::fs::read_to_string(head.first().unwrap().as_ref().unwrap().path()).unwrap();
    let booked: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(booked.len(), duplicates);
}

/// The places of faults by delivery name, as `file,line,kind`.
fn found(env: &str) -> BTreeMap<String, Vec<String>> {
    let environment = catalog_store::Environment::open(Path::new(env)).unwrap();
    let mut found = BTreeMap::new();
    for delivery in environment.meta().unwrap().deliveries().unwrap() {
        let path = environment.room("quarantine").join(format!("{}.csv", delivery.id));
        let text = std::fs::read_to_string(path).unwrap();
        let place = |line: &str| {
            let fields: Vec<&str> = line.split(',').collect();
            format!("{},{},{}", fields[0], fields[1], fields[4])
        };
        found.insert(delivery.name, text.lines().skip(1).map(place).collect());
    }
    found
}

/// A delivery folder of its own, with its list changed.
fn spoiled(world: &World, name: &str, change: impl Fn(&Path)) -> String {
    let from = world.deliveries().into_iter().find(|folder| folder.ends_with("ndb-2023-04")).unwrap();
    let to = world.folder.path().join(name);
    copy(&from, &to);
    change(&to);
    to.display().to_string()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &target) } else { std::fs::copy(&path, &target).map(|_| ()).unwrap() }
    }
}

fn edit(folder: &Path, from: &str, to: &str) {
    let path = folder.join("delivery.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replacen(from, to, 1)).unwrap();
}

fn first_file(folder: &Path) -> PathBuf {
    let text = std::fs::read_to_string(folder.join("delivery.toml")).unwrap();
    let line = text.lines().find(|line| line.starts_with("path = ")).unwrap();
    folder.join(line.trim_start_matches("path = ").trim_matches('"'))
}

#[test]
fn a_delivery_that_is_not_what_its_list_says_is_rejected_whole() {
    let world = World::new(0.0);
    let env = world.environment("env");
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "no list",
            spoiled(&world, "a", |to| std::fs::remove_file(to.join("delivery.toml")).unwrap()),
            "has no delivery.toml",
        ),
        ("not TOML", spoiled(&world, "b", |to| edit(to, "[delivery]", "[delivery")), "delivery.toml: "),
        (
            "missing file",
            spoiled(&world, "c", |to| std::fs::remove_file(first_file(to)).unwrap()),
            "is listed and not there",
        ),
        (
            "other digest",
            spoiled(&world, "d", |to| edit(to, "sha256 = \"", "sha256 = \"0")),
            "its SHA-256 differs",
        ),
        (
            "other size",
            spoiled(&world, "e", |to| {
                let path = first_file(to);
                let mut bytes = std::fs::read(&path).unwrap();
                bytes.push(b'x');
                std::fs::write(path, bytes).unwrap();
            }),
            "delivery.toml says",
        ),
        (
            "out of the folder",
            spoiled(&world, "f", |to| edit(to, "path = \"", "path = \"../x/")),
            "does not stay in the delivery's folder",
        ),
        (
            "unknown layout",
            spoiled(&world, "g", |to| edit(to, "\"ndb-medical\"", "\"ndb-unknown\"")),
            "the catalogue has no layout ndb-unknown",
        ),
    ];
    for (case, folder, message) in cases {
        let output = ingest(&["ingest", &folder, "--env", &env]);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(6), "{case}: {text}");
        assert!(text.contains(message), "{case}: {text}");
    }
    let output = ingest(&["link", "--env", &env]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("no delivery was taken in yet"));
}

#[test]
fn a_full_disk_stops_with_a_clear_error_and_room_makes_it_go_on() {
    let world = World::new(0.0);
    let expected = world.snapshot("roomy");
    let env = world.environment("cramped");
    // No file may grow beyond 8 KiB: what a full disk looks like to the program that writes.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args([
            "-c",
            script,
            env!("CARGO_BIN_EXE_misu-ingest"),
            "ingest",
            &world.path("deliveries"),
            "--env",
            &env,
        ])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("cannot ") && !text.contains("panicked"), "{text}");
    ok(&["ingest", &world.path("deliveries"), "--env", &env]);
    ok(&["link", "--env", &env]);
    assert_eq!(ok(&["publish", "--env", &env]), expected);
}

#[test]
fn a_second_writer_is_told_to_wait() {
    let world = World::new(0.0);
    let env = world.environment("env");
    let environment = catalog_store::Environment::open(Path::new(&env)).unwrap();
    let lock = environment.lock().unwrap();
    let output = ingest(&["ingest", &world.path("deliveries"), "--env", &env]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("another ingest, link or publish is running"));
    drop(lock);
}

#[test]
fn linking_and_publishing_say_what_comes_first() {
    let world = World::new(0.0);
    let env = world.environment("env");
    let text = |arguments: &[&str]| String::from_utf8_lossy(&ingest(arguments).stderr).into_owned();
    let deliveries = world.deliveries();
    let folder = |number: usize| deliveries[number].display().to_string();
    ok(&["ingest", &folder(0), "--env", &env]);
    assert!(text(&["publish", "--env", &env]).contains("run `misu link` first"));
    ok(&["link", "--env", &env]);
    ok(&["ingest", &folder(1), "--env", &env]);
    assert!(text(&["publish", "--env", &env]).contains("run `misu link` again"));
}

/// `misu-ingest … | head`: the work is done, and nobody reads the rest.
#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let world = World::new(0.002);
    let env = world.environment("one");
    ok(&["ingest", &world.path("deliveries"), "--env", &env]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_misu-ingest"))
        .args(["quarantine", "--each", "--env", &env])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
