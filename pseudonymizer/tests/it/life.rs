//! A delivery's life: read again after a layout was mended, corrected, taken back, deleted; snapshots removed,
//! environments upgraded.

use std::path::{Path, PathBuf};

use catalog_store::{Environment, FileKeyring};

use crate::world::{copy, json, killed_until_done, ok, refused, write_delivery};

struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        write_delivery(
            &world.folder.path().join("receipts"),
            "ndb-2023-04",
            "ndb",
            &[("a.UKE", "ndb-medical", &crate::case_bytes("uke-western"))],
        );
        write_delivery(
            &world.folder.path().join("stays"),
            "dpc-2023-04",
            "dpc",
            &[("ff4.txt", "dpc-ff4", &crate::case_bytes("dpc-ff4"))],
        );
        world
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn environment(&self, name: &str) -> String {
        let env = self.path(name);
        ok(&["init", &env, "--demo-seed", "5", "--buckets", "2"]);
        env
    }

    /// A folder with one catalogue file in which a text is another.
    fn mended(&self, name: &str, file: &str, from: &str, to: &str) -> String {
        let shipped = std::env::current_dir().unwrap().join("../catalog").join(file);
        let text = std::fs::read_to_string(shipped).unwrap();
        assert!(text.contains(from));
        let path = self.folder.path().join(name).join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
        self.path(name)
    }

    fn publish(&self, env: &str) -> String {
        ok(&["link", "--env", env]);
        ok(&["publish", "--env", env]).trim().to_owned()
    }
}

const RE: &str = "layouts/ndb/medical/re.toml";

#[test]
fn a_receipt_whose_opener_was_bad_comes_back_whole() {
    let world = World::new();
    let (env, receipts) = (world.environment("env"), world.path("receipts"));
    // The layout of the environment expects one column more than is delivered.
    ok(&[
        "catalog",
        "add",
        &world.mended("wrong", RE, "columns = [36, 38]", "columns = [39, 40]"),
        "--env",
        &env,
        "--replace",
    ]);
    let taken = &json(&["ingest", &receipts, "--env", &env, "--json"])[0];
    assert_eq!((taken["read"].as_u64(), taken["stored"].as_u64()), (Some(18), Some(0)));
    assert_eq!(taken["quarantined"], 16);
    let rows = json(&["quarantine", "--env", &env, "--json"]);
    let of = |kind: &str| rows.as_array().unwrap().iter().filter(|row| row["kind"] == kind).count();
    assert_eq!((of("columns"), of("orphan") > 0), (1, true), "{rows}");
    // The same layout again gives the same rows, and nothing changes.
    let same = json(&["ingest", &receipts, "--replay-quarantine", "--env", &env, "--json"]);
    assert_eq!((same["is_same"].as_bool(), same["reading"].as_u64()), (Some(true), Some(0)));

    ok(&["catalog", "add", &world.mended("right", RE, "columns", "columns"), "--env", &env, "--replace"]);
    let replayed = json(&["ingest", &receipts, "--replay-quarantine", "--env", &env, "--json"]);
    assert_eq!((replayed["stored"].as_u64(), replayed["quarantined"].as_u64()), (Some(14), Some(0)));
    assert_eq!((replayed["reading"].as_u64(), replayed["is_same"].as_bool()), (Some(1), Some(false)));
    assert_eq!(json(&["quarantine", "--env", &env, "--json"]).as_array().unwrap().len(), 0);
    assert!(refused(&["publish", "--env", &env]).contains("misu link"));
    let snapshot = world.publish(&env);

    // An environment that had the right layout from the start gives the same snapshot.
    let fresh = world.environment("fresh");
    ok(&["ingest", &receipts, "--env", &fresh]);
    assert_eq!(world.publish(&fresh), snapshot);
    let quality = json(&["quality", "--env", &env]);
    assert_eq!(quality["total"]["closes"], true);
    // Of the former reading nothing is left.
    let staged = std::fs::read_dir(Path::new(&env).join("store/staging")).unwrap();
    let names: Vec<PathBuf> = staged.map(|entry| entry.unwrap().path()).collect();
    assert!(names.len() == 1 && names[0].to_string_lossy().ends_with(".r1"), "{names:?}");
}

#[test]
fn a_replay_that_is_killed_keeps_the_former_reading_until_the_new_one_counts() {
    let world = World::new();
    let (env, receipts) = (world.environment("env"), world.path("receipts"));
    ok(&[
        "catalog",
        "add",
        &world.mended("wrong", RE, "columns = [36, 38]", "columns = [39, 40]"),
        "--env",
        &env,
        "--replace",
    ]);
    ok(&["ingest", &receipts, "--env", &env]);
    ok(&["catalog", "add", &world.mended("right", RE, "columns", "columns"), "--env", &env, "--replace"]);
    killed_until_done(&["ingest", &receipts, "--replay-quarantine", "--env", &env]);
    let fresh = world.environment("fresh");
    ok(&["ingest", &receipts, "--env", &fresh]);
    assert_eq!(world.publish(&env), world.publish(&fresh));
}

#[test]
fn a_replay_refuses_other_bytes_and_worse_layouts() {
    let world = World::new();
    let (env, receipts) = (world.environment("env"), world.path("receipts"));
    assert!(refused(&["ingest", &receipts, "--replay-quarantine", "--env", &env]).contains("misu ingest"));
    ok(&["ingest", &receipts, "--env", &env]);
    let snapshot = world.publish(&env);
    let wrong = world.mended("wrong", RE, "columns = [36, 38]", "columns = [39, 40]");
    let taken = refused(&["catalog", "add", &wrong, "--env", &env]);
    assert!(taken.contains("--replace"), "{taken}");
    ok(&["catalog", "add", &wrong, "--env", &env, "--replace"]);
    let worse = refused(&["ingest", &receipts, "--replay-quarantine", "--env", &env]);
    assert!(worse.contains("would store 0 lines where 14 are stored"), "{worse}");
    ok(&["catalog", "add", &world.mended("right", RE, "columns", "columns"), "--env", &env, "--replace"]);
    assert_eq!(world.publish(&env), snapshot);
    let file = world.folder.path().join("receipts/a.UKE");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[10] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let changed = refused(&["ingest", &receipts, "--replay-quarantine", "--env", &env]);
    assert!(changed.contains("its SHA-256 differs"), "{changed}");
}

#[test]
fn a_recalled_delivery_is_gone_from_the_next_snapshot_and_stays_in_history() {
    let world = World::new();
    let env = world.environment("env");
    ok(&["ingest", &world.path("stays"), "--env", &env]);
    let without = world.publish(&env);
    ok(&["ingest", &world.path("receipts"), "--env", &env]);
    let with = world.publish(&env);
    assert_ne!(with, without);
    assert!(
        refused(&["delivery", "recall", "ndb-1999-01", "--reason", "x", "--env", &env])
            .contains("no delivery")
    );
    let recalled = ok(&["delivery", "recall", "ndb-2023-04", "--reason", "取下げ", "--env", &env]);
    assert!(recalled.contains("the rows of 14 lines"), "{recalled}");
    assert!(refused(&["publish", "--env", &env]).contains("misu link"));
    world.publish(&env);
    let quality = json(&["quality", "--env", &env]);
    assert_eq!(quality["tables"]["ndb_receipt"], 0);
    // The person's number is not given again, so the snapshot is another than before; its rows are those of before.
    assert_eq!(quality["deliveries"].as_array().unwrap().len(), 1);
    let list = json(&["delivery", "list", "--env", &env, "--json"]);
    let row = list.as_array().unwrap().iter().find(|row| row["name"] == "ndb-2023-04").unwrap();
    assert_eq!((row["standing"].as_str(), row["note"].as_str()), (Some("recalled"), Some("取下げ")));
    let again = ok(&["ingest", &world.path("receipts"), "--env", &env]);
    assert!(again.contains("recalled at"), "{again}");
    let log = std::fs::read_to_string(Path::new(&env).join("audit/log.jsonl")).unwrap();
    assert!(log.contains("\"kind\":\"delivery-recalled\""));
}

#[test]
fn a_corrected_delivery_takes_the_place_of_the_former() {
    let world = World::new();
    let env = world.environment("env");
    ok(&["ingest", &world.path("receipts"), "--env", &env]);
    world.publish(&env);
    let former = json(&["delivery", "list", "--env", &env, "--json"])[0]["id"].as_str().unwrap().to_owned();
    // The corrected file states another number of days of treatment.
    let text = crate::case_bytes("uke-western");
    let at = text.windows(4).position(|bytes| bytes == b"1234").unwrap();
    let mut bytes = text;
    bytes[at] = b'9';
    let corrected = world.folder.path().join("corrected");
    write_delivery(&corrected, "ndb-2023-04", "ndb", &[("a.UKE", "ndb-medical", &bytes)]);
    let taken = &json(&["ingest", &corrected.display().to_string(), "--env", &env, "--json"])[0];
    assert_eq!(taken["replaces"].as_str(), Some(former.as_str()));
    let snapshot = world.publish(&env);
    let fresh = world.environment("fresh");
    ok(&["ingest", &corrected.display().to_string(), "--env", &fresh]);
    assert_eq!(json(&["quality", "--env", &env])["tables"], {
        world.publish(&fresh);
        json(&["quality", "--env", &fresh])["tables"].clone()
    });
    // The former one again changes nothing.
    let again = ok(&["ingest", &world.path("receipts"), "--env", &env]);
    assert!(again.contains("replaced at"), "{again}");
    assert_eq!(world.publish(&env), snapshot);
}

#[test]
fn files_whose_lines_end_by_any_end_are_taken_in_whole() {
    let world = World::new();
    let (env, life) = (world.environment("env"), world.folder.path().join("life"));
    let files = [
        ("a.csv", "life-0900-2021", crate::case_bytes("life-carriage-returns")),
        ("b.csv", "life-0002-2021", crate::case_bytes("life-quoted-line-ends")),
    ];
    let files = files.each_ref().map(|(path, family, bytes)| (*path, *family, bytes.as_slice()));
    write_delivery(&life, "care-2023-04", "care", &files);
    let taken = &json(&["ingest", &life.display().to_string(), "--env", &env, "--json"])[0];
    let of = |what: &str| taken[what].as_u64().unwrap();
    assert_eq!((of("read"), of("stored"), of("quarantined")), (11, 5, 2));
}

#[test]
fn a_delivery_under_a_wrong_month_is_put_under_its_own() {
    let world = World::new();
    let (env, receipts) = (world.environment("env"), world.path("receipts"));
    let list = world.folder.path().join("receipts/delivery.toml");
    let right = std::fs::read_to_string(&list).unwrap();
    std::fs::write(&list, right.replace("month = \"2023-04\"", "month = \"2024-05\"")).unwrap();
    ok(&["ingest", &receipts, "--env", &env]);
    world.publish(&env);
    // The holder corrects the list: the files are those that were taken in, so nothing changes by itself.
    std::fs::write(&list, right).unwrap();
    let again = ok(&["ingest", &receipts, "--env", &env]);
    assert!(again.contains("for 2024-05; where it is for 2023-04"), "{again}");
    let to = |month: &'static str| ["delivery", "move", "ndb-2023-04", month, "--reason", "x", "--env"];
    assert!(refused(&[&to("2023-13")[..], &[env.as_str()]].concat()).contains("not a month"));
    ok(&[&to("2023-04")[..], &[env.as_str()]].concat());
    assert!(ok(&["ingest", &receipts, "--env", &env]).contains("(taken in before)"));
    let snapshot = world.publish(&env);
    let fresh = world.environment("fresh");
    ok(&["ingest", &receipts, "--env", &fresh]);
    assert_eq!(world.publish(&fresh), snapshot);
    let log = std::fs::read_to_string(Path::new(&env).join("audit/log.jsonl")).unwrap();
    assert!(log.contains("\"kind\":\"delivery-moved\""));
}

#[test]
fn a_deleted_raw_delivery_leaves_a_record_and_its_rows() {
    let world = World::new();
    let (env, receipts) = (world.environment("env"), world.path("receipts"));
    ok(&["ingest", &receipts, "--env", &env]);
    let snapshot = world.publish(&env);
    let stays = world.path("stays");
    let forget = ["delivery", "forget", "ndb-2023-04", "--reason", "保存期間満了", "--env", &env, "--raw"];
    assert!(refused(&[&forget[..], &[&stays]].concat()).contains("nothing was deleted"));
    assert!(Path::new(&stays).join("ff4.txt").exists());
    assert!(ok(&[&forget[..], &[&receipts]].concat()).contains("1 files deleted"));
    assert!(!Path::new(&receipts).join("a.UKE").exists());
    assert_eq!(world.publish(&env), snapshot);
    let list = json(&["delivery", "list", "--env", &env, "--json"]);
    assert!(list[0]["raw_deleted"].is_string() && list[0]["standing"] == "held");
    let reports = Path::new(&env).join("reports");
    let record = reports.join(format!("deletion-{}.json", list[0]["id"].as_str().unwrap()));
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(record).unwrap()).unwrap();
    assert_eq!(
        (record["why"].as_str(), record["files"][0]["path"].as_str()),
        (Some("保存期間満了"), Some("a.UKE"))
    );
}

#[test]
fn snapshots_that_no_permit_needs_are_removed_with_their_files() {
    let world = World::new();
    let env = world.environment("env");
    ok(&["ingest", &world.path("stays"), "--env", &env]);
    let first = world.publish(&env);
    ok(&["ingest", &world.path("receipts"), "--env", &env]);
    let second = world.publish(&env);
    ok(&["delivery", "recall", "dpc-2023-04", "--reason", "x", "--env", &env]);
    let third = world.publish(&env);
    let policies = Path::new(&env).join("policies");
    std::fs::write(policies.join("a.toml"), format!("[approval]\nsnapshot = \"{first}\"\n")).unwrap();
    let would = json(&["snapshots", "prune", "--dry-run", "--env", &env, "--json"]);
    assert_eq!(would["snapshots"], serde_json::json!([second]));
    assert_eq!(would["kept"], serde_json::json!([first, third]));
    assert_eq!(json(&["snapshots", "list", "--env", &env, "--json"]).as_array().unwrap().len(), 3);
    std::fs::write(policies.join("b.toml"), "[approval]\n").unwrap();
    assert!(refused(&["snapshots", "prune", "--env", &env]).contains("nothing was removed"));
    std::fs::remove_file(policies.join("b.toml")).unwrap();
    assert_eq!(json(&["snapshots", "prune", "--env", &env, "--json"]), would);
    std::fs::remove_file(policies.join("a.toml")).unwrap();
    ok(&["snapshots", "prune", "--env", &env]);
    let left = json(&["snapshots", "list", "--env", &env, "--json"]);
    assert_eq!(left.as_array().unwrap().len(), 1);
    // What the latest snapshot names is there, and nothing else.
    let manifest = Path::new(&env).join("store/snapshots/00000003.json");
    let text = std::fs::read_to_string(manifest).unwrap();
    let mut files = Vec::new();
    list(&Path::new(&env).join("store/data"), &mut files);
    assert!(!files.is_empty());
    for file in &files {
        let name = file.file_name().unwrap().to_string_lossy();
        assert!(text.contains(name.as_ref()), "{}", file.display());
    }
    assert_eq!(ok(&["publish", "--env", &env]).trim(), third);
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, files) } else { files.push(path) }
    }
}

#[test]
fn an_environment_of_format_1_is_upgraded_and_publishes_the_same() {
    upgraded_and_published("format-1", 0);
}

#[test]
fn an_environment_of_format_2_is_upgraded_and_publishes_the_same() {
    let (_folder, env) = upgraded_and_published("format-2", 1);
    let deliveries = json(&["delivery", "list", "--env", &env, "--json"]);
    assert_eq!(
        (deliveries[1]["standing"].as_str(), deliveries[1]["note"].as_str()),
        (Some("recalled"), Some("取下げ"))
    );
    let history = json(&["pipeline", "history", "--env", &env, "--json"]);
    assert_eq!((history[0]["state"].as_str(), history[1]["state"].as_str()), (Some("done"), Some("running")));
    // What the program of that time did not record is told.
    let log = std::fs::read_to_string(Path::new(&env).join("audit/log.jsonl")).unwrap();
    assert!(log.contains("\"kind\":\"delivery-replayed\"") && log.contains("\"late\":true"));
}

/// Whether every file of the latest snapshot lies under a key of its year, though earlier versions left others.
fn ends_by_year(env: &str) -> bool {
    let environment = Environment::open(Path::new(env)).unwrap();
    let states = FileKeyring::new(&environment).states().unwrap();
    let all = environment.snapshots().unwrap().all().unwrap();
    let mut of_each = all.iter().map(|(_, manifest)| states.all_kept(manifest));
    of_each.next() == Some(false) && of_each.next_back() == Some(true)
}

/// Upgrades an environment of an earlier format, whose one delivery that counts is in its `reading`; its folder.
fn upgraded_and_published(format: &str, reading: u64) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&std::env::current_dir().unwrap().join("tests/environments").join(format), &env);
    let env = env.display().to_string();
    assert!(refused(&["link", "--env", &env]).contains("run `misu upgrade`"));
    // Killed anywhere, it is run again.
    killed_until_done(&["upgrade", "--env", &env]);
    assert!(ok(&["upgrade", "--env", &env]).contains("nothing to do"));
    let snapshots = json(&["snapshots", "list", "--env", &env, "--json"]);
    let snapshot = "0e3924a190e627892c140850a433d5227358b2c441adf74591bc6fc3a88f13f1";
    assert_eq!(snapshots[0]["snapshot"].as_str(), Some(snapshot));
    ok(&["link", "--env", &env]);
    let published = ok(&["publish", "--env", &env]);
    assert_eq!(ok(&["publish", "--env", &env]), published);
    assert!(ends_by_year(&env));
    let contents = |id: &str| {
        let id = catalog_model::SnapshotId::parse(id).unwrap();
        let environment = Environment::open(Path::new(&env)).unwrap();
        let body = environment.snapshots().unwrap().find(&id).unwrap().body;
        let rows: Vec<(String, u64)> =
            body.tables.into_iter().map(|(name, table)| (name, table.rows)).collect();
        (body.persons, rows)
    };
    // The rules of linkage have changed since, so the id has; the content has not.
    assert_eq!(contents(published.trim()), contents(snapshot));
    let deliveries = json(&["delivery", "list", "--env", &env, "--json"]);
    assert_eq!(
        (deliveries[0]["standing"].as_str(), deliveries[0]["reading"].as_u64()),
        (Some("held"), Some(reading))
    );
    let quarantine = ok(&["quarantine", "--env", &env]);
    assert!(quarantine.contains("dpc-2023-04\tff4.txt\t3\tstay\tdischarge_date\tdate\t1"), "{quarantine}");
    ok(&["delivery", "recall", "dpc-2023-04", "--reason", "x", "--env", &env]);
    let config = folder.path().join("env/misu.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("format = 4", "format = 99")).unwrap();
    assert!(refused(&["upgrade", "--env", &env]).contains("use a newer one"));
    // Format 3 knew no keys of years; nothing else is to be done.
    std::fs::write(&config, text.replace("format = 4", "format = 3")).unwrap();
    assert!(refused(&["link", "--env", &env]).contains("run `misu upgrade`"));
    ok(&["upgrade", "--env", &env]);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), text);
    (folder, env)
}

/// What a program that is killed after its commit leaves: everything is done, and the record does not say so.
#[test]
fn what_a_killed_run_did_and_did_not_record_is_recorded_by_the_next() {
    let world = World::new();
    let env = world.environment("env");
    let environment = Environment::open(Path::new(&env)).unwrap();
    let now = "2026-11-22T00:00:00Z";
    let taken = ["receipts", "stays"].map(|name| {
        pseudonymizer::pipeline::ingest(&environment, Path::new(&world.path(name)), now, &|_| {}).unwrap()
    });
    pseudonymizer::pipeline::link(&environment).unwrap();
    let published = pseudonymizer::pipeline::publish(&environment, now, &|_, _| {}).unwrap();
    pseudonymizer::pipeline::recall(&environment, &taken[1].id, "a mistake", now).unwrap();
    let entries = |kind: &str| {
        let log = std::fs::read_to_string(Path::new(&env).join("audit/log.jsonl")).unwrap();
        let kind = format!("\"kind\":\"{kind}\"");
        log.lines().filter(|line| line.contains(&kind)).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(entries("ingest-finished").is_empty());
    // The delivery is known, so that nothing is done, and told all the same; once.
    for _ in 0..2 {
        ok(&["ingest", &world.path("receipts"), "--env", &env]);
        for kind in ["delivery-accepted", "ingest-finished"] {
            let found = entries(kind);
            assert_eq!(found.len(), 2, "{found:?}");
            assert!(taken.iter().all(|taken| found.iter().any(|line| line.contains(&taken.id))), "{found:?}");
            assert!(found.iter().all(|line| line.contains("\"late\":true")), "{found:?}");
        }
        let recalled = entries("delivery-recalled");
        assert!(recalled.len() == 1 && recalled[0].contains(&taken[1].id), "{recalled:?}");
        assert!(recalled[0].contains("a mistake"), "{recalled:?}");
        let snapshots = entries("snapshot-published");
        assert_eq!(snapshots.len(), 1);
        assert!(snapshots[0].contains(&published.manifest.id.to_string()), "{snapshots:?}");
    }
}

/// Takes in two deliveries with the same records under these names; the ids of both, and those whose records repeat.
fn sent_twice(case: (&str, &str), names: [&str; 2], is_reversed: bool) -> (Vec<String>, Vec<String>, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let env = path("env");
    ok(&["init", &env, "--demo-seed", "5", "--buckets", "2"]);
    let first = crate::case_bytes(case.0);
    // A blank line more makes it another delivery.
    let second = [first.as_slice(), b"\r\n"].concat();
    for (name, bytes) in names.iter().zip([&first, &second]) {
        write_delivery(&folder.path().join(name), name, "x", &[("file", case.1, bytes)]);
    }
    let order = if is_reversed { [names[1], names[0]] } else { names };
    let mut ids = std::collections::BTreeMap::new();
    for name in order {
        let taken = json(&["ingest", &path(name), "--env", &env, "--json"]);
        ids.insert(name.to_owned(), taken[0]["id"].as_str().unwrap().to_owned());
    }
    ok(&["link", "--env", &env]);
    let published = ok(&["publish", "--env", &env]);
    let reports = std::fs::read_dir(Path::new(&env).join("reports")).unwrap();
    let report = reports
        .map(|entry| entry.unwrap().path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with("duplicates-"));
    let text = std::fs::read_to_string(report.unwrap()).unwrap();
    let repeats: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let mut repeats: Vec<String> =
        repeats.iter().map(|repeat| repeat["delivery"].as_str().unwrap().to_owned()).collect();
    repeats.dedup();
    (names.iter().map(|name| ids[*name].clone()).collect(), repeats, published)
}

#[test]
fn which_of_two_records_counts_follows_from_month_and_name_and_not_from_a_digest_or_the_order() {
    for (case, later_counts) in [
        (("uke-western", "ndb-medical"), false),
        (("dpc-ff1", "dpc-ff1"), true),
        (("life-0000", "life-0000-2021"), true),
    ] {
        for names in [["a", "b"], ["b", "a"]] {
            let (ids, repeats, published) = sent_twice(case, names, false);
            // The name alone decides: by it the second file is the later one, or the earlier.
            let dropped = usize::from((names == ["a", "b"]) != later_counts);
            assert_eq!(repeats, [ids[dropped].clone()], "{case:?} {names:?}");
            let (_, again, other) = sent_twice(case, names, true);
            assert_eq!((again, other), (repeats, published), "{case:?} {names:?}");
        }
    }
}

/// A file that comes a second time under another name says nothing new, whatever kind of file it is.
#[test]
fn the_same_file_under_another_name_is_told_as_repeated() {
    for (case, family) in [
        ("care-claim", "care-claim"),
        ("care-claim-plan", "care-claim"),
        ("care-claim-management", "care-claim"),
        ("dpc-efn", "dpc-efn"),
        ("dpc-efg", "dpc-efg"),
        ("dpc-en", "dpc-en"),
        ("dpc-dn", "dpc-dn"),
        ("dpc-hn", "dpc-hn"),
        ("dpc-ff4", "dpc-ff4"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        let env = path("env");
        ok(&["init", &env, "--demo-seed", "5", "--buckets", "2"]);
        let bytes = crate::case_bytes(case);
        let mut lines = Vec::new();
        for (name, file) in [("a", "x.csv"), ("b", "y.csv")] {
            write_delivery(&folder.path().join(name), name, "x", &[(file, family, &bytes)]);
            let taken = json(&["ingest", &path(name), "--env", &env, "--json"]);
            lines.push(taken[0]["stored"].as_u64().unwrap());
        }
        ok(&["link", "--env", &env]);
        ok(&["publish", "--env", &env]);
        let repeated = repeated_lines(Path::new(&env));
        assert!(lines[0] > 0 && lines == [repeated, repeated], "{case}: {lines:?}, {repeated} repeated");
    }
}

/// The lines of repeated records that the publish told.
fn repeated_lines(env: &Path) -> u64 {
    let reports = std::fs::read_dir(env.join("reports")).unwrap().map(|entry| entry.unwrap().path());
    let is_report = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("duplicates-");
    let text = std::fs::read_to_string(reports.into_iter().find(is_report).unwrap()).unwrap();
    let repeats: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    repeats.iter().map(|repeat| repeat["lines"].as_u64().unwrap()).sum()
}
