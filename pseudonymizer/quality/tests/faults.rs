//! What was planted is found, kind by kind; no more and no less.
//!
//! Deliveries are written and taken in by the programs beside `misu-quality`, as a user would: nothing is linked here
//! that the room does not link itself.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use reports::quality::Quality;
use reports::quality::profile::Profile;

/// Runs a program of ours, built before the tests (`make test` does).
fn run(name: &str, arguments: &[&str]) -> Vec<u8> {
    let path = Path::new(env!("CARGO_BIN_EXE_misu-quality")).with_file_name(name);
    assert!(path.is_file(), "{} is not built; run `make test`", path.display());
    let output = Command::new(path).args(arguments).output().unwrap();
    assert!(output.status.success(), "{name} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

struct World(PathBuf);

impl World {
    /// An invented population's deliveries, taken into a new environment.
    fn new(name: &str, fault_rate: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let world = Self(folder);
        let size = ["--persons", "400", "--months", "3", "--seed", "17", "--fault-rate", fault_rate];
        run("misu", &[&["synth", "--out", &world.path("")], size.as_slice()].concat());
        run("misu-ingest", &["init", &world.path("env"), "--demo-seed", "5", "--buckets", "4"]);
        run("misu-ingest", &["ingest", &world.path("deliveries"), "--env", &world.path("env")]);
        world
    }

    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn profile(&self) -> Profile {
        serde_json::from_slice(&run("misu-quality", &["--env", &self.path("env")])).unwrap()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn found_faults_are_the_planted_ones_kind_by_kind() {
    let world = World::new("planted", "0.02");
    let mut planted: BTreeMap<(String, String), u64> = BTreeMap::new();
    let truth = std::fs::read_to_string(world.path("truth/faults.csv")).unwrap();
    for line in truth.lines().skip(1) {
        let (delivery, kind) = (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap());
        *planted.entry((delivery.to_owned(), kind.to_owned())).or_default() += 1;
    }
    assert!(planted.values().sum::<u64>() > 150);
    for kind in ["orphan", "no-identity"] {
        assert!(planted.keys().any(|(_, planted)| planted == kind), "{kind}");
    }
    let profile = world.profile();
    let found: BTreeMap<(String, String), u64> = profile
        .deliveries
        .iter()
        .flat_map(|delivery| {
            let found = delivery.faults.iter().filter(|(_, count)| count.found > 0);
            found.map(|(kind, count)| ((delivery.name.clone(), kind.clone()), count.found))
        })
        .collect();
    assert_eq!(found, planted);
    // Before a snapshot there is nothing to cover.
    assert!(profile.coverage.prefectures.is_empty());
}

#[test]
fn figures_agree_with_the_snapshot_and_with_the_account() {
    let world = World::new("published", "0.01");
    run("misu-ingest", &["link", "--env", &world.path("env")]);
    run("misu-ingest", &["publish", "--env", &world.path("env")]);
    let account = run("misu-ingest", &["quality", "--env", &world.path("env")]);
    let account: Quality = serde_json::from_slice(&account).unwrap();
    let profile = world.profile();
    let persons: u64 = profile.coverage.ages.iter().map(|age| age.persons).sum();
    assert_eq!(persons, account.persons);
    // Lines of repeated records: the first and those that went with it.
    for (found, booked) in profile.deliveries.iter().zip(&account.deliveries) {
        assert_eq!(found.name, booked.name);
        let lines = found.faults.get("duplicate").map_or(0, |count| count.found + count.consequences);
        assert_eq!(lines, booked.total.quarantined.get("duplicate").copied().unwrap_or(0), "{}", found.name);
    }
    for delivery in &profile.deliveries {
        for (name, table) in &delivery.tables {
            assert!(table.columns.iter().all(|column| column.nulls <= table.rows), "{name}");
        }
        for scheme in &delivery.hashes.schemes {
            assert!(
                scheme.identities <= delivery.hashes.identities && scheme.records <= delivery.hashes.records
            );
        }
    }
    // Every prefecture of the invented country is there, with a denominator.
    let known = profile.coverage.prefectures.iter().filter(|row| row.population.is_some()).count();
    assert!(known >= 4, "{:?}", profile.coverage.prefectures);
}
