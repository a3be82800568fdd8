//! Keys that change while persons stay: rotation, overlap, two officers, and what the record says of it.
#![cfg(test)]

use std::path::Path;

use catalog_model::Catalogue;
use synthetic::Options;
use tempfile::TempDir;

use crate::world::{copy, ingest, json, ok, refused};

struct World {
    folder: TempDir,
    env: String,
}

impl World {
    /// Two months of 120 persons published, the third month not yet taken in.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            persons: 120,
            months: 3,
            first_month: "2023-04".parse().unwrap(),
            seed: 23,
            fault_rate: 0.0,
        };
        synthetic::write(&Catalogue::builtin().unwrap(), &options, folder.path(), &mut |_| {}).unwrap();
        let env = folder.path().join("env").display().to_string();
        let world = Self { folder, env };
        ok(&["init", &world.env, "--demo-seed", "5", "--buckets", "2"]);
        let third = world.path("third");
        std::fs::create_dir_all(&third).unwrap();
        for entry in std::fs::read_dir(world.path("deliveries")).unwrap() {
            let entry = entry.unwrap();
            let list = std::fs::read_to_string(entry.path().join("delivery.toml")).unwrap();
            if list.contains("month = \"2023-06\"") {
                std::fs::rename(entry.path(), Path::new(&third).join(entry.file_name())).unwrap();
            }
        }
        assert!(std::fs::read_dir(&third).unwrap().next().is_some());
        ok(&["ingest", &world.path("deliveries"), "--env", &world.env]);
        publish(&world.env);
        world
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn copied(&self, name: &str) -> String {
        let to = self.folder.path().join(name);
        copy(Path::new(&self.env), &to);
        to.display().to_string()
    }
}

fn publish(env: &str) -> String {
    ok(&["link", "--env", env]);
    ok(&["publish", "--env", env])
}

fn file_that(env: &str, room: &str, begins: &str) -> Vec<u8> {
    let mut found: Vec<_> = std::fs::read_dir(Path::new(env).join(room))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(begins))
        .collect();
    assert_eq!(found.len(), 1, "{begins}");
    std::fs::read(found.remove(0).path()).unwrap()
}

#[test]
fn a_new_linkage_key_changes_every_key_and_no_person() {
    let world = World::new();
    let before = publish(&world.env);
    let keys = file_that(&world.env, "links", "persons-");
    let said = ok(&["keys", "rotate", "linkage", "--env", &world.env]);
    assert!(said.contains("epoch 2") && said.contains(" 0 of persons whom no delivery"), "{said}");
    assert_ne!(file_that(&world.env, "links", "persons-"), keys);
    assert!(refused(&["publish", "--env", &world.env]).contains("run `misu link` again"));
    // The snapshot's id is a digest of its rows, so every person has the number it had.
    assert_eq!(publish(&world.env), before);
    // And the next month's new persons follow after them.
    ok(&["ingest", &world.path("third"), "--env", &world.env]);
    let persons = json(&[
        "publish",
        "--env",
        &{
            ok(&["link", "--env", &world.env]);
            world.env.clone()
        },
        "--json",
    ]);
    assert!(persons["new_persons"].as_u64().unwrap() < persons["persons"].as_u64().unwrap() / 2);
}

#[test]
fn numbers_of_persons_whom_no_delivery_mentions_are_not_used_again() {
    let world = World::new();
    let care = world
        .folder
        .path()
        .join("deliveries")
        .read_dir()
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .find(|name| name.starts_with("ndb"))
        .unwrap();
    let list =
        std::fs::read_to_string(world.folder.path().join("deliveries").join(&care).join("delivery.toml"));
    let name = list.unwrap().lines().find_map(|line| line.strip_prefix("name = ")).unwrap().replace('"', "");
    let recalled = world.copied("recalled");
    for env in [&world.env, &recalled] {
        ok(&["delivery", "recall", &name, "--reason", "x", "--env", env]);
    }
    ok(&["keys", "rotate", "linkage", "--env", &recalled]);
    let (plain, rotated) = (publish(&world.env), publish(&recalled));
    assert_eq!(plain, rotated);
}

#[test]
fn an_overlap_delivery_carries_persons_over_to_a_new_intake_key() {
    let world = World::new();
    let (rotated, lost) = (world.copied("rotated"), world.copied("lost"));
    assert!(
        refused(&["ingest", &world.path("third"), "--env", &rotated, "--overlap"])
            .contains("no former intake key")
    );
    ok(&["ingest", &world.path("third"), "--env", &world.env]);
    let plain = publish(&world.env);
    ok(&["keys", "rotate", "intake", "--env", &rotated]);
    ok(&["ingest", &world.path("third"), "--env", &rotated, "--overlap"]);
    assert_eq!(publish(&rotated), plain);
    let status = json(&["keys", "status", "--env", &rotated, "--json"]);
    let count = |what: &str| status["overlap"][what].as_u64().unwrap();
    assert_eq!(count("former"), count("inside") + count("outside"));
    assert!(count("inside") > 0 && count("outside") > 0, "{status}");
    // Without an overlap the same persons come back as others.
    ok(&["keys", "rotate", "intake", "--env", &lost]);
    ok(&["ingest", &world.path("third"), "--env", &lost]);
    assert_ne!(publish(&lost), plain);
    let status = json(&["keys", "status", "--env", &lost, "--json"]);
    assert_eq!(status["overlap"]["inside"].as_u64(), Some(0));
}

#[test]
fn a_hardware_module_wraps_the_keys_and_nothing_opens_them_without_it() {
    let library = "/usr/lib/softhsm/libsofthsm2.so";
    assert!(Path::new(library).exists(), "{library} is missing; run tests/install");
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::create_dir(path("tokens")).unwrap();
    std::fs::write(path("softhsm.conf"), format!("directories.tokendir = {}\n", path("tokens"))).unwrap();
    std::fs::write(path("pin"), "837261\n").unwrap();
    std::fs::write(path("other-pin"), "111111\n").unwrap();
    let made = std::process::Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "misu", "--pin", "837261", "--so-pin", "55555555"])
        .env("SOFTHSM2_CONF", path("softhsm.conf"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let run = |pin: &str, arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_misu-ingest"))
            .args(arguments)
            .env("SOFTHSM2_CONF", path("softhsm.conf"))
            .env("MISU_PASSPHRASE_FILE", path(pin))
            .output()
            .unwrap()
    };
    let env = path("env");
    let module = ["--pkcs11-library", library, "--pkcs11-token", "misu"];
    let made = run("pin", &[&["init", &env, "--buckets", "2"][..], &module].concat());
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    crate::world::write_delivery(
        &folder.path().join("receipts"),
        "n",
        "ndb",
        &[("a.UKE", "ndb-medical", &crate::case_bytes("uke-western"))],
    );
    let receipts = path("receipts");
    let steps: [&[&str]; 6] = [
        &["ingest", &receipts, "--env", &env],
        &["link", "--env", &env],
        &["publish", "--env", &env],
        &["keys", "rotate", "linkage", "--env", &env],
        &["link", "--env", &env],
        &["publish", "--env", &env],
    ];
    let mut said = Vec::new();
    for step in steps {
        let output = run("pin", step);
        assert!(output.status.success(), "{step:?}: {}", String::from_utf8_lossy(&output.stderr));
        said.push(String::from_utf8(output.stdout).unwrap());
    }
    assert_eq!(said[2], said[5]);
    let status = String::from_utf8(run("pin", &["keys", "status", "--env", &env]).stdout).unwrap();
    assert!(status.starts_with("wrapped by a hardware module"), "{status}");
    let wrong = run("other-pin", &["link", "--env", &env]);
    // Linking is up to date, so that no key is needed; rotating needs one.
    assert!(wrong.status.success());
    let wrong = run("other-pin", &["keys", "rotate", "project", "--env", &env]);
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("does not open the keys"), "{wrong:?}");
    // A copy of the environment is nothing without the token.
    std::fs::remove_dir_all(path("tokens")).unwrap();
    std::fs::create_dir(path("tokens")).unwrap();
    let without = run("pin", &["keys", "rotate", "project", "--env", &env]);
    assert!(String::from_utf8_lossy(&without.stderr).contains("no token misu"), "{without:?}");
}

#[test]
fn a_key_ends_by_two_officers_and_every_act_is_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env").display().to_string();
    ok(&["init", &env, "--demo-seed", "5", "--buckets", "2"]);
    let secret = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("the secret of {name}\n")).unwrap();
        path.display().to_string()
    };
    for name in ["ichiro", "jiro"] {
        ok(&["keys", "officer", name, "--new-secret", &secret(name), "--env", &env]);
    }
    assert!(
        !ingest(&["keys", "officer", "saburo", "--new-secret", &secret("saburo"), "--env", &env])
            .status
            .success()
    );
    ok(&["keys", "rotate", "project", "--env", &env]);
    assert!(refused(&["keys", "rotate", "content", "--env", &env]).contains("snapshots would get other ids"));
    let destroy = |epoch: &str, officer: &str, secret: &str| {
        ingest(&[
            "keys",
            "destroy",
            "project",
            "--epoch",
            epoch,
            "--officer",
            officer,
            "--secret",
            secret,
            "--env",
            &env,
        ])
    };
    assert!(!destroy("2", "ichiro", &secret("ichiro")).status.success());
    assert!(!destroy("1", "ichiro", &secret("jiro")).status.success());
    for _ in 0..2 {
        let said = destroy("1", "ichiro", &secret("ichiro"));
        assert!(String::from_utf8_lossy(&said.stdout).contains("another officer"));
    }
    let said = destroy("1", "jiro", &secret("jiro"));
    assert!(String::from_utf8_lossy(&said.stdout).contains("is gone"), "{said:?}");
    let status = ok(&["keys", "status", "--env", &env]);
    let states: Vec<&str> = status
        .lines()
        .filter(|line| line.starts_with("project"))
        .map(|line| line.rsplit('\t').next().unwrap())
        .collect();
    assert_eq!(states, ["destroyed", "current"]);
    let log = std::fs::read_dir(Path::new(&env).join("audit")).unwrap();
    let log: String =
        log.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default()).collect();
    for kind in ["officer-registered", "key-rotated", "key-act-requested", "key-destroyed"] {
        assert!(log.contains(kind), "{kind}");
    }
    assert!(!log.contains("the secret of"));
}
