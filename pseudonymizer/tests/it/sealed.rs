//! Sealed deliveries: what leaves the holder holds no name, and gives the persons that the clear delivery gives.
#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow::array::AsArray as _;
use catalog_model::Catalogue;
use catalog_store::{Environment, SamePersons, StagedFiles};
use synthetic::Options;
use synthetic::identities::Identities;
use tempfile::TempDir;

use crate::world::{copy, ingest, json, ok, refused, write_delivery};

struct World {
    folder: TempDir,
    /// Delivery folders, with their holders.
    deliveries: Vec<(PathBuf, String)>,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            persons: 150,
            months: 1,
            first_month: "2023-04".parse().unwrap(),
            seed: 31,
            fault_rate: 0.001,
        };
        synthetic::write(&Catalogue::builtin().unwrap(), &options, folder.path(), &mut |_| {}).unwrap();
        let mut deliveries: Vec<(PathBuf, String)> = std::fs::read_dir(folder.path().join("deliveries"))
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let list = std::fs::read_to_string(path.join("delivery.toml")).unwrap();
                let holder = list.lines().find_map(|line| line.strip_prefix("holder = ")).unwrap();
                (path, holder.trim_matches('"').to_owned())
            })
            .collect();
        deliveries.sort();
        let world = Self { folder, deliveries };
        for name in ["ichiro", "jiro"] {
            std::fs::write(world.path(name), format!("the secret of {name}")).unwrap();
        }
        ok(&["init", &world.path("env"), "--buckets", "2"]);
        for name in ["ichiro", "jiro"] {
            let secret = world.path(name);
            ok(&["keys", "officer", name, "--new-secret", &secret, "--env", &world.path("env")]);
        }
        world
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// A holder's folder, registered in the environment.
    fn holder(&self, number: usize, name: &str, group: &str) -> String {
        let holder = self.path(&format!("holder-{number}"));
        ok(&["holder", "init", &holder, "--name", name]);
        self.give_bundle(&holder, group);
        holder
    }

    /// Two officers give the holder a bundle of the group, which it accepts.
    fn give_bundle(&self, holder: &str, group: &str) {
        let (env, bundle, card) = (self.path("env"), self.path("bundle.json"), format!("{holder}/card.json"));
        for officer in ["ichiro", "jiro"] {
            let secret = self.path(officer);
            let what = ["keys", "export", "--holder", &card, "--group", group, "--out", &bundle];
            let who = ["--officer", officer, "--secret", &secret, "--env", &env];
            ok(&[&what[..], &who].concat());
        }
        ok(&["holder", "accept", &bundle, "--holder", holder]);
    }

    /// What may occur nowhere.
    fn identities(&self) -> Identities {
        let truth = std::fs::read_to_string(self.folder.path().join("truth/identities.csv")).unwrap();
        let identities = Identities::parse(&truth);
        assert!(identities.len() > 500, "{}", identities.len());
        identities
    }
}

fn files(folder: &Path, staged: &StagedFiles, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, staged, found);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            if path.extension().is_some_and(|extension| extension == "parquet") {
                found.push((path.clone(), texts(staged, &path)));
            }
            found.push((path, bytes));
        }
    }
}

/// The text values of a Parquet file, which is encrypted and whose pages are compressed.
fn texts(staged: &StagedFiles, path: &Path) -> Vec<u8> {
    let reader = pseudonymizer::tables::open(staged, path, 4_096).unwrap();
    let mut bytes = Vec::new();
    for batch in reader {
        for column in batch.unwrap().columns() {
            let values = column.as_string_opt::<i32>();
            for value in values.iter().flat_map(|values| values.iter()).flatten() {
                bytes.extend_from_slice(value.as_bytes());
                bytes.push(b'\n');
            }
        }
    }
    bytes
}

fn search(folder: &str, staged: &StagedFiles, identities: &Identities) {
    let mut found = Vec::new();
    files(Path::new(folder), staged, &mut found);
    for (path, bytes) in &found {
        assert_eq!(identities.first_in(bytes), None, "in {}", path.display());
    }
}

#[test]
fn a_sealed_delivery_holds_no_name_and_gives_the_persons_of_the_clear_one() {
    let world = World::new();
    let mut holders = BTreeMap::new();
    for (_, holder) in &world.deliveries {
        let number = holders.len();
        holders.entry(holder.clone()).or_insert_with(|| world.holder(number, holder, "g1"));
    }
    copy(Path::new(&world.path("env")), Path::new(&world.path("clear")));
    copy(Path::new(&world.path("env")), Path::new(&world.path("piped")));
    for (number, (delivery, holder)) in world.deliveries.iter().enumerate() {
        let out = world.path(&format!("sealed/{number:02}"));
        std::fs::create_dir_all(world.path("sealed")).unwrap();
        ok(&["seal", &delivery.display().to_string(), "--holder", &holders[holder], "--out", &out]);
    }
    let identities = world.identities();
    search(&world.path("sealed"), &StagedFiles::Clear, &identities);
    ok(&["ingest", &world.path("sealed"), "--env", &world.path("env")]);
    // What was under the encryption holds none either.
    let staged = Environment::open(Path::new(&world.path("env"))).unwrap().staged_files();
    search(&world.path("env"), &staged, &identities);
    ok(&["ingest", &world.path("deliveries"), "--env", &world.path("clear")]);
    let publish = |env: &str| {
        let linked = linked(env);
        (linked, published(env))
    };
    let (sealed, clear) = (publish(&world.path("env")), publish(&world.path("clear")));
    assert_eq!(sealed, clear);
    // Sealed or clear, it is the same delivery.
    let again = json(&["ingest", &world.path("deliveries"), "--env", &world.path("env"), "--json"]);
    assert!(again.as_array().unwrap().iter().all(|delivery| delivery["is_known"] == true));
    let quarantine = |env: &str| ok(&["quarantine", "--env", env, "--each"]);
    assert_eq!(quarantine(&world.path("env")), quarantine(&world.path("clear")));
    // A pipeline takes sealed deliveries in beside clear ones.
    std::fs::remove_dir_all(world.path("sealed/00")).unwrap();
    copy(&world.deliveries[0].0, Path::new(&world.path("sealed/clear")));
    piped(&world, &world.path("piped"));
    // What one clear delivery ties is linked as if all were clear.
    assert_eq!(linked(&world.path("piped")), clear.0);
}

/// What linking found, but for its name.
fn linked(env: &str) -> serde_json::Value {
    let mut linked = json(&["link", "--env", env, "--json"]);
    linked.as_object_mut().unwrap().remove("run");
    linked
}

/// What a publish did, but for the snapshot's name: numbers of persons come in another order under another intake key.
fn published(env: &str) -> serde_json::Value {
    let mut published = json(&["publish", "--env", env, "--json"]);
    // Persons have other numbers, so they lie in other buckets.
    for name in ["snapshot", "files", "bytes", "bytes_per_line"] {
        published.as_object_mut().unwrap().remove(name);
    }
    published
}

/// Runs a pipeline over the sealed deliveries, twice.
fn piped(world: &World, env: &str) {
    let steps = "name = \"sealed\"\n[[step]]\nname = \"in\"\ndo = \"ingest\"\ndelivery = \"sealed\"\n\
        [[step]]\nname = \"link\"\ndo = \"link\"\n[[step]]\nname = \"publish\"\ndo = \"publish\"\n";
    let file = world.path("sealed.toml");
    std::fs::write(&file, steps).unwrap();
    let run = || json(&["pipeline", "run", &file, "--env", env, "--json"]);
    let (first, again) = (run(), run());
    let states = |run: &serde_json::Value, state: &str| {
        run["steps"].as_array().unwrap().iter().filter(|step| step["state"] == state).count()
    };
    assert_eq!(states(&first, "done"), world.deliveries.len() + 2, "{first:#}");
    assert_eq!(states(&again, "skipped"), world.deliveries.len() + 2, "{again:#}");
}

#[test]
fn a_sealed_delivery_that_was_changed_or_is_a_strangers_is_rejected() {
    let world = World::new();
    let (delivery, holder) = &world.deliveries[0];
    let folder = world.holder(0, holder, "g1");
    let sealed = world.path("sealed");
    ok(&["seal", &delivery.display().to_string(), "--holder", &folder, "--out", &sealed]);
    let env = world.path("env");
    let attempt = |change: &dyn Fn(&Path)| {
        let copied = world.folder.path().join("changed");
        copy(Path::new(&sealed), &copied);
        change(&copied);
        let output = ingest(&["ingest", &copied.display().to_string(), "--env", &env]);
        std::fs::remove_dir_all(&copied).unwrap();
        assert_eq!(output.status.code(), Some(6), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let flip = |path: PathBuf| {
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).unwrap();
    };
    assert!(attempt(&|folder| flip(folder.join("00001.bin"))).contains("not the file that was sealed"));
    assert!(
        attempt(&|folder| std::fs::remove_file(folder.join("00002.bin")).unwrap()).contains("cannot read")
    );
    let header = |folder: &Path, from: &str, to: &str| {
        let path = folder.join("sealed.json");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        std::fs::write(&path, text.replace(from, to)).unwrap();
    };
    assert!(attempt(&|folder| header(folder, holder, "別の保有者")).contains("not registered"));
    assert!(attempt(&|folder| header(folder, "\"g1\"", "\"g2\"")).contains("another group"));
    assert!(attempt(&|folder| header(folder, "norm/", "form/")).contains("signature"));
    // A holder that nobody registered signs rightly, and is a stranger.
    let stranger = world.path("stranger");
    ok(&["holder", "init", &stranger, "--name", holder]);
    copy(Path::new(&folder).join("bundle.json").parent().unwrap(), Path::new(&world.path("thief")));
    for name in ["store.json", "passphrase", "card.json"] {
        std::fs::copy(Path::new(&stranger).join(name), Path::new(&world.path("thief")).join(name)).unwrap();
    }
    ok(&[
        "seal",
        &delivery.display().to_string(),
        "--holder",
        &world.path("thief"),
        "--out",
        &world.path("false"),
    ]);
    assert!(refused(&["ingest", &world.path("false"), "--env", &env]).contains("signature"));
    // Nothing of all this counts.
    assert!(refused(&["link", "--env", &env]).contains("no delivery"));
    ok(&["ingest", &sealed, "--env", &env]);
}

/// A delivery from a holder: the same persons, and a hospital that can be called under another number.
fn receipts(world: &World, name: &str, holder: &str) -> String {
    let folder = world.folder.path().join(name);
    let mut bytes = crate::case_bytes("uke-western");
    let number = bytes.windows(12).position(|text| text == b"03-0000-0000").unwrap();
    bytes[number + 11] = b'0' + name.bytes().last().unwrap() % 10;
    write_delivery(&folder, name, "ndb", &[("a.UKE", "ndb-medical", &bytes)]);
    let list = folder.join("delivery.toml");
    let text = std::fs::read_to_string(&list).unwrap().replace("架空の保有者", holder);
    std::fs::write(&list, text).unwrap();
    folder.display().to_string()
}

fn persons(env: &str) -> u64 {
    linked(env)["persons"].as_u64().unwrap()
}

#[test]
fn each_group_has_a_key_of_its_own_and_a_clear_delivery_ties_their_persons() {
    let world = World::new();
    let env = world.path("env");
    let (one, two) = (world.holder(1, "甲", "g1"), world.holder(2, "乙", "g2"));
    let seal = |from: &str, holder: &str, to: &str, more: &[&str]| {
        let to = world.path(to);
        ok(&[&["seal", from, "--holder", holder, "--out", &to][..], more].concat());
        ok(&["ingest", &to, "--env", &env]);
        let header = std::fs::read_to_string(Path::new(&to).join("sealed.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&header).unwrap()["keyed"]["intake"].clone()
    };
    let first = seal(&receipts(&world, "a", "甲"), &one, "sealed-a", &[]);
    let alone = persons(&env);
    let second = seal(&receipts(&world, "b", "乙"), &two, "sealed-b", &[]);
    let status = || json(&["keys", "status", "--env", &env, "--json"]);
    let told = status();
    let own = told["keys"].as_array().unwrap().iter().find(|key| key["role"] == "intake").unwrap();
    assert!(first != second && first != own["id"] && second != own["id"], "{told:#}");
    // Nothing ties the groups, and their persons are others.
    assert_eq!(persons(&env), 2 * alone);
    assert_eq!(published(&env)["new_persons"].as_u64(), Some(2 * alone));
    // The same persons in clear: each is one person now, under a number that it had.
    ok(&["ingest", &receipts(&world, "c", "丙"), "--env", &env]);
    assert_eq!(persons(&env), alone);
    let told = status();
    assert_eq!(told["groups"][0]["elsewhere"].as_u64(), Some(alone), "{told:#}");
    assert_eq!(published(&env)["new_persons"].as_u64(), Some(0));
    // The release ledger learns which numbers are one person's.
    let same = SamePersons::of(&Environment::open(Path::new(&env)).unwrap()).pairs().unwrap();
    assert_eq!(same.len() as u64, alone);
    // A new linkage key leaves every person the number.
    let before = published(&env);
    let said = ok(&["keys", "rotate", "linkage", "--env", &env]);
    assert!(said.contains(" 0 of persons whom no delivery"), "{said}");
    assert_eq!((persons(&env), published(&env)), (alone, before));
    // One group gets a new key; the other's, and the environment's own, stay.
    ok(&["keys", "rotate", "intake", "--group", "g1", "--env", &env]);
    assert!(refused(&["keys", "rotate", "linkage", "--group", "g1", "--env", &env]).contains("intake key"));
    assert!(refused(&["keys", "rotate", "intake", "--group", "g3", "--env", &env]).contains("g3"));
    world.give_bundle(&one, "g1");
    let third = seal(&receipts(&world, "d", "甲"), &one, "sealed-d", &["--overlap"]);
    assert_eq!((persons(&env), third != first), (alone, true));
    let told = status();
    let group = &told["groups"][0];
    assert_eq!((group["epoch"].as_u64(), group["deliveries"].as_u64()), (Some(2), Some(2)), "{told:#}");
    assert_eq!(group["overlap"]["inside"].as_u64(), Some(alone), "{told:#}");
    assert_eq!(told["groups"][1]["epoch"].as_u64(), Some(1));
    assert!(ok(&["keys", "status", "--env", &env]).contains("group g2: 1 holders, 1 deliveries"));
    // A holder of one group cannot hand in what is keyed under the other's key.
    let header = Path::new(&world.path("sealed-b")).join("sealed.json");
    assert!(std::fs::read_to_string(header).unwrap().contains("\"g2\""));
    world.give_bundle(&one, "g2");
    let moved = seal(&receipts(&world, "e", "甲"), &one, "sealed-e", &["--overlap"]);
    assert_eq!((moved == second, persons(&env)), (true, alone));
}

/// A sealed delivery becomes one in clear: read again as it is, and corrected.
#[test]
fn a_sealed_delivery_in_clear_leaves_its_persons_their_numbers() {
    for is_correction in [false, true] {
        let world = World::new();
        let (env, sealed) = (world.path("env"), world.path("sealed"));
        let holder = world.holder(0, "甲", "g1");
        let clear = receipts(&world, "a", "甲");
        ok(&["seal", &clear, "--holder", &holder, "--out", &sealed]);
        ok(&["ingest", &sealed, "--env", &env]);
        let alone = persons(&env);
        assert_eq!(published(&env)["new_persons"].as_u64(), Some(alone));
        if is_correction {
            let list = Path::new(&clear).join("delivery.toml");
            let text = std::fs::read_to_string(&list).unwrap();
            std::fs::write(&list, text.replace("a.UKE", "b.UKE")).unwrap();
            std::fs::rename(Path::new(&clear).join("a.UKE"), Path::new(&clear).join("b.UKE")).unwrap();
            ok(&["ingest", &clear, "--env", &env]);
        } else {
            let replayed = json(&["ingest", &clear, "--replay-quarantine", "--env", &env, "--json"]);
            assert_eq!(replayed["is_same"].as_bool(), Some(false), "{replayed:#}");
        }
        assert_eq!(persons(&env), alone, "{is_correction}");
        assert_eq!(published(&env)["new_persons"].as_u64(), Some(0), "{is_correction}");
    }
}

/// A list of one person, as it is written for whoever looks for it, and what of it may occur nowhere.
fn list_of(receipt: &[u8]) -> (String, Vec<String>) {
    let text = encoding_rs::SHIFT_JIS.decode(receipt).0.into_owned();
    let line = text.lines().find(|line| line.starts_with("RE,")).unwrap().to_owned();
    let fields: Vec<&str> = line.split(',').collect();
    let (name, sex, birth) = (fields[4], fields[5], fields[6]);
    let list = format!("name,sex,birth_date\n{name},{sex},{birth}\n{name},,\n");
    (list, vec![name.to_owned(), birth.to_owned()])
}

#[test]
fn a_sealed_list_holds_no_name_and_leaves_out_whom_the_clear_one_does() {
    let world = World::new();
    let holder = world.holder(0, "架空の保有者", "g1");
    let (env, clear) = (world.path("env"), world.path("clear"));
    let receipt = crate::case_bytes("uke-western");
    let receipts = world.folder.path().join("receipts");
    write_delivery(&receipts, "n", "ndb", &[("a.UKE", "ndb-medical", &receipt)]);
    ok(&["ingest", &receipts.display().to_string(), "--env", &env]);
    ok(&["link", "--env", &env]);
    let snapshot = ok(&["publish", "--env", &env]);
    copy(Path::new(&env), Path::new(&clear));
    let (text, secrets) = list_of(&receipt);
    let (list, sealed) = (world.path("list.csv"), world.path("sealed-list"));
    std::fs::write(&list, &text).unwrap();
    let said = ok(&["seal", &list, "--holder", &holder, "--out", &sealed]);
    assert_eq!(said.trim(), "1 identities sealed, 1 lines unusable");
    let added = json(&["optout", "add", &sealed, "--env", &env, "--json"]);
    let alike = json(&["optout", "add", &list, "--env", &clear, "--json"]);
    assert_eq!(added["holder"], "架空の保有者");
    for figure in ["identities", "unusable", "total", "persons", "exclusion"] {
        assert_eq!(added[figure], alike[figure], "{figure}");
    }
    assert_eq!((added["identities"].as_u64(), added["persons"].as_u64()), (Some(1), Some(1)));
    let exclusion = |env: &str| {
        std::fs::read(Path::new(env).join("exclusions").join(format!("{}.json", snapshot.trim()))).unwrap()
    };
    assert_eq!(exclusion(&env), exclusion(&clear));
    // The clear delivery ties the keys of the list, which no delivery of the group holds, to the environment's own.
    assert_eq!(json(&["keys", "status", "--env", &env, "--json"])["opted_out_before"].as_u64(), Some(0));
    // What ties them goes, and nobody comes back.
    ok(&["delivery", "recall", "n", "--reason", "x", "--env", &env]);
    let again = json(&["optout", "add", &sealed, "--env", &env, "--json"]);
    assert_eq!((again["persons"].as_u64(), &again["exclusion"]), (Some(1), &added["exclusion"]));
    // The same list twice changes nothing, also where it comes in the other way.
    let again = json(&["optout", "add", &list, "--env", &env, "--json"]);
    assert_eq!((again["total"].as_u64(), &again["exclusion"]), (Some(1), &added["exclusion"]));
    let mut found = Vec::new();
    for folder in [&sealed, &holder] {
        files(Path::new(folder), &StagedFiles::Clear, &mut found);
    }
    let holds = |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|at| at == secret.as_bytes());
    for (path, bytes) in &found {
        assert!(!secrets.iter().any(|secret| holds(bytes, secret)), "{}", path.display());
    }
    let kept = Environment::open(Path::new(&env)).unwrap().staged_files();
    let kept = kept.read(&Path::new(&env).join("links/optout.json")).unwrap();
    assert!(holds(&kept, "id2@") && !secrets.iter().any(|secret| holds(&kept, secret)));
}

#[test]
fn a_sealed_list_that_was_changed_or_is_no_list_is_rejected() {
    let world = World::new();
    let (delivery, name) = &world.deliveries[0];
    let (holder, env) = (world.holder(0, name, "g1"), world.path("env"));
    let (list, sealed, other) = (world.path("list.csv"), world.path("sealed-list"), world.path("sealed"));
    std::fs::write(&list, list_of(&crate::case_bytes("uke-western")).0).unwrap();
    ok(&["seal", &list, "--holder", &holder, "--out", &sealed]);
    ok(&["seal", &delivery.display().to_string(), "--holder", &holder, "--out", &other]);
    let rejected = |arguments: &[&str]| {
        let output = ingest(arguments);
        assert_eq!(output.status.code(), Some(6), "{output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    // One is never taken for the other, and a header that says otherwise is not the one that was signed.
    assert!(rejected(&["optout", "add", &other, "--env", &env]).contains("`misu ingest` takes it in"));
    assert!(rejected(&["ingest", &sealed, "--env", &env]).contains("`misu optout add` takes it in"));
    let changed = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let copied = world.path("changed");
        copy(Path::new(&sealed), Path::new(&copied));
        let path = Path::new(&copied).join(name);
        let mut bytes = std::fs::read(&path).unwrap();
        change(&mut bytes);
        std::fs::write(&path, bytes).unwrap();
        let said = rejected(&["optout", "add", &copied, "--env", &env]);
        std::fs::remove_dir_all(&copied).unwrap();
        said
    };
    assert!(changed("00000.bin", &|bytes| bytes[40] ^= 1).contains("not the file that was sealed"));
    let renamed = |bytes: &mut Vec<u8>| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.contains("\"opt-out\""));
        *bytes = text.replace("\"opt-out\"", "\"delivery\"").into_bytes();
    };
    assert!(changed("sealed.json", &renamed).contains("signature"));
    // Under the key of before a rotation it is still taken in; under one that is gone it is not.
    ok(&["keys", "rotate", "intake", "--group", "g1", "--env", &env]);
    let added = json(&["optout", "add", &sealed, "--env", &env, "--json"]);
    assert_eq!(added["total"].as_u64(), Some(1));
    for officer in ["ichiro", "jiro"] {
        let secret = world.path(officer);
        ok(&[
            "keys",
            "destroy",
            "intake",
            "--group",
            "g1",
            "--epoch",
            "1",
            "--officer",
            officer,
            "--secret",
            &secret,
            "--env",
            &env,
        ]);
    }
    assert!(
        rejected(&["optout", "add", &sealed, "--env", &env]).contains("not one that its holder's group has")
    );
}

#[test]
fn of_a_clear_list_no_key_of_a_group_is_kept_and_what_is_kept_finds_the_groups_persons() {
    let world = World::new();
    let (env, sealed, list) = (world.path("env"), world.path("sealed"), world.path("list.csv"));
    let holder = world.holder(0, "甲", "g1");
    std::fs::write(&list, list_of(&crate::case_bytes("uke-western")).0).unwrap();
    ok(&["optout", "add", &list, "--env", &env]);
    let environment = Environment::open(Path::new(&env)).unwrap();
    let group = environment.keys().index().unwrap().current_of("g1").unwrap().id.to_string();
    let kept = environment.staged_files().read(&Path::new(&env).join("links/optout.json")).unwrap();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.contains(&format!("id2~{group}")) && !kept.contains(&format!("@{group}")), "{group}");
    assert_eq!(json(&["keys", "status", "--env", &env, "--json"])["opted_out_before"].as_u64(), Some(0));
    ok(&["seal", &receipts(&world, "a", "甲"), "--holder", &holder, "--out", &sealed]);
    ok(&["ingest", &sealed, "--env", &env]);
    ok(&["link", "--env", &env]);
    let snapshot = ok(&["publish", "--env", &env]);
    let path = Path::new(&env).join("exclusions").join(format!("{}.json", snapshot.trim()));
    let exclusion: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(exclusion["persons"].as_array().unwrap().len(), 1);
}

#[test]
fn a_list_leaves_out_whom_earlier_snapshots_know_by_another_key() {
    let world = World::new();
    let (env, sealed, list) = (world.path("env"), world.path("sealed"), world.path("list.csv"));
    let holder = world.holder(0, "甲", "g1");
    ok(&["seal", &receipts(&world, "a", "甲"), "--holder", &holder, "--out", &sealed]);
    let publish = |delivery: &str| {
        ok(&["ingest", delivery, "--env", &env]);
        ok(&["link", "--env", &env]);
        ok(&["publish", "--env", &env])
    };
    // The first snapshot knows the group's keys alone, the second ties them to the environment's own.
    let snapshots = [publish(&sealed), publish(&receipts(&world, "b", "乙"))];
    std::fs::write(&list, list_of(&crate::case_bytes("uke-western")).0).unwrap();
    ok(&["optout", "add", &list, "--env", &env]);
    for snapshot in &snapshots {
        let path = Path::new(&env).join("exclusions").join(format!("{}.json", snapshot.trim()));
        let exclusion: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(exclusion["persons"].as_array().unwrap().len(), 1, "{snapshot}");
    }
}
