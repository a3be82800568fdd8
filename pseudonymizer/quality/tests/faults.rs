//! What was planted is found, kind by kind; no more and no less.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use catalog_model::Catalogue;
use catalog_store::{Config, Environment};
use pseudonymizer::pipeline;
use reports::quality::profile::Profile;
use synthetic::Options;

fn environment(folder: &Path, fault_rate: f64) -> Environment {
    let catalogue = Catalogue::builtin().unwrap();
    let options =
        Options { persons: 400, months: 3, first_month: "2023-04".parse().unwrap(), seed: 17, fault_rate };
    synthetic::write(&catalogue, &options, folder, &mut |_| {}).unwrap();
    let environment = Environment::create(&folder.join("env"), Config::new(4, Some(5))).unwrap();
    let mut deliveries: Vec<_> =
        std::fs::read_dir(folder.join("deliveries")).unwrap().map(|entry| entry.unwrap().path()).collect();
    deliveries.sort();
    for delivery in deliveries {
        pipeline::ingest(&environment, &delivery, "2026-01-01T00:00:00Z", &|_| {}).unwrap();
    }
    environment
}

fn profile(environment: &Environment) -> Profile {
    let output = Command::new(env!("CARGO_BIN_EXE_misu-quality"))
        .args(["--env", &environment.root().display().to_string()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn found_faults_are_the_planted_ones_kind_by_kind() {
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), 0.02);
    let mut planted: BTreeMap<(String, String), u64> = BTreeMap::new();
    let truth = std::fs::read_to_string(folder.path().join("truth/faults.csv")).unwrap();
    for line in truth.lines().skip(1) {
        let (delivery, kind) = (line.split(',').next().unwrap(), line.rsplit(',').next().unwrap());
        *planted.entry((delivery.to_owned(), kind.to_owned())).or_default() += 1;
    }
    assert!(planted.values().sum::<u64>() > 150);
    let profile = profile(&environment);
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
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path(), 0.01);
    pipeline::link(&environment).unwrap();
    let published = pipeline::publish(&environment, "2026-01-01T00:00:00Z", &|_, _| {}).unwrap();
    let profile = profile(&environment);
    let persons: u64 = profile.coverage.ages.iter().map(|age| age.persons).sum();
    assert_eq!(persons, published.manifest.body.persons);
    let repeated: u64 = profile.deliveries.iter().map(|delivery| delivery.repeated).sum();
    assert_eq!(repeated, published.duplicates.len() as u64);
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
