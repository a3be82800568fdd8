//! Opt-out: identities become persons to leave out, for every snapshot, and nobody is listed.
#![cfg(test)]

use std::path::Path;

use crate::world::{json, ok, refused, write_delivery};

fn exclusion(env: &Path) -> (String, Vec<u64>) {
    let snapshots = json(&["snapshots", "list", "--env", &env.display().to_string(), "--json"]);
    let latest = snapshots.as_array().unwrap().last().unwrap()["snapshot"].as_str().unwrap().to_owned();
    let text = std::fs::read_to_string(env.join("exclusions").join(format!("{latest}.json"))).unwrap();
    let read: serde_json::Value = serde_json::from_str(&text).unwrap();
    let persons = read["persons"].as_array().unwrap().iter().map(|person| person.as_u64().unwrap()).collect();
    (read["exclusion"].as_str().unwrap().to_owned(), persons)
}

#[test]
fn an_identity_is_resolved_to_its_person_now_and_at_the_next_publish() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    let name = env.display().to_string();
    ok(&["init", &name, "--demo-seed", "5", "--buckets", "2"]);
    let receipts = folder.path().join("receipts");
    write_delivery(&receipts, "n", "ndb", &[("a.UKE", "ndb-medical", &crate::case_bytes("uke-western"))]);
    let text = String::from_utf8_lossy(&crate::case_bytes("uke-western")).into_owned();
    assert!(text.contains("RE,"));
    let receipt = encoding_rs::SHIFT_JIS.decode(&crate::case_bytes("uke-western")).0.into_owned();
    let fields: Vec<String> =
        receipt.lines().find(|line| line.starts_with("RE,")).unwrap().split(',').map(str::to_owned).collect();
    let (person, sex, birth) = (&fields[4], &fields[5], &fields[6]);
    let list = folder.path().join("list.csv");
    // Written otherwise than on the receipt, and one line that says too little.
    let spaced = person.replace(['\u{3000}', ' '], "");
    std::fs::write(&list, format!("name,sex,birth_date\n{spaced},{sex},{birth}\n{spaced},,\n")).unwrap();
    let list = list.display().to_string();
    // Before there is a snapshot the identity is kept, as keys only.
    let before = json(&["optout", "add", &list, "--env", &name, "--json"]);
    assert_eq!((before["identities"].as_u64(), before["unusable"].as_u64()), (Some(1), Some(1)));
    assert_eq!(before["persons"].as_u64(), Some(0));
    // Nothing but the mark of a staged file lies there in clear, no scheme and no key.
    let kept = std::fs::read(env.join("links/optout.json")).unwrap();
    let kept = String::from_utf8_lossy(&kept);
    assert!(kept.starts_with("misu staged file 1\n"));
    assert!(!["id2", "identities", &spaced, birth].iter().any(|text| kept.contains(*text)));
    ok(&["ingest", &receipts.display().to_string(), "--env", &name]);
    ok(&["link", "--env", &name]);
    ok(&["publish", "--env", &name]);
    let (first, persons) = exclusion(&env);
    assert_eq!(persons.len(), 1);
    // The same list twice changes nothing, also after the linkage key was rotated.
    ok(&["keys", "rotate", "linkage", "--env", &name]);
    let again = json(&["optout", "add", &list, "--env", &name, "--json"]);
    assert_eq!((again["total"].as_u64(), again["persons"].as_u64()), (Some(1), Some(1)));
    assert_eq!(exclusion(&env), (first, persons));
    let log = std::fs::read_dir(env.join("audit")).unwrap();
    let log: String =
        log.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap_or_default()).collect();
    assert!(log.contains("opt-out-changed") && !log.contains(&spaced));
    assert!(log.contains("\"identities\":\"fewer than 10\",\"persons\":\"fewer than 10\""), "{log}");
    let bad = folder.path().join("bad.csv");
    std::fs::write(&bad, format!("name,secret\n{spaced},x\n")).unwrap();
    let said = refused(&["optout", "add", &bad.display().to_string(), "--env", &name]);
    assert!(said.contains("secret is none") && !said.contains(&spaced), "{said}");
}

/// Receipts of April and, some rotations of the intake key later, a list: its persons are known under every former key.
#[test]
fn a_list_is_keyed_under_every_former_key_and_lists_that_are_needed_again_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    let name = env.display().to_string();
    ok(&["init", &name, "--demo-seed", "5", "--buckets", "2"]);
    let receipts = folder.path().join("receipts");
    let bytes = crate::case_bytes("uke-western");
    write_delivery(&receipts, "n", "ndb", &[("a.UKE", "ndb-medical", &bytes)]);
    ok(&["ingest", &receipts.display().to_string(), "--env", &name]);
    ok(&["link", "--env", &name]);
    ok(&["publish", "--env", &name]);
    let receipt = encoding_rs::SHIFT_JIS.decode(&bytes).0.into_owned();
    let fields: Vec<&str> =
        receipt.lines().find(|line| line.starts_with("RE,")).unwrap().split(',').collect();
    let list = folder.path().join("list.csv");
    let text = format!("name,sex,birth_date\n{},{},{}\n", fields[4], fields[5], fields[6]);
    std::fs::write(&list, text).unwrap();
    let list = list.display().to_string();
    let before = || json(&["keys", "status", "--env", &name, "--json"])["opted_out_before"].as_u64();
    let rotate = || ok(&["keys", "rotate", "intake", "--env", &name]);
    rotate();
    rotate();
    // The delivery lies two epochs back.
    let added = json(&["optout", "add", &list, "--env", &name, "--json"]);
    assert_eq!((added["persons"].as_u64(), added["total"].as_u64(), before()), (Some(1), Some(1), Some(0)));
    let said = rotate();
    assert!(
        said.contains("1 identities that opted out are not known under every present intake key"),
        "{said}"
    );
    assert_eq!(before(), Some(1));
    let added = json(&["optout", "add", &list, "--env", &name, "--json"]);
    assert_eq!((added["persons"].as_u64(), added["total"].as_u64(), before()), (Some(1), Some(1), Some(0)));
}
