//! The workbench as its script and its forms use it, and the pages for machines.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use serde_json::Value;

use crate::support::{House, Signed, asked, form, request};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// Posts as the script does.
async fn script(house: &House, signed: &Signed, path: &str, fields: &[(&str, &str)]) -> (StatusCode, Value) {
    let mut request = form(path, Some(signed), fields);
    request.headers_mut().insert("accept", "application/json".parse().unwrap());
    let answer = house.send(request).await;
    let value = serde_json::from_slice(&answer.bytes).unwrap_or(Value::Null);
    (answer.status, value)
}

#[tokio::test]
async fn a_verdict_comes_with_its_place_its_cost_and_what_would_run() {
    let house = House::new();
    let signed = house.sign_in().await;
    let word = ("form_word", signed.form_word.as_str());
    let (status, verdict) = script(&house, &signed, "/workbench/check", &[word, ("sql", "SELECT 1")]).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(verdict["verdict"], "vetted");
    assert_eq!(verdict["cost"]["rows"], "12,000");
    assert!(verdict["cost"].get("bytes").is_none(), "bytes tell of the data");
    let sql = "SELECT '𠮷', bad(x) FROM t";
    let (_, verdict) = script(&house, &signed, "/workbench/check", &[word, ("sql", sql)]).await;
    assert_eq!(verdict["verdict"], "refused");
    // A browser counts the first letter as two.
    assert_eq!(verdict["span"], serde_json::json!([13, 19]));
    assert_eq!(verdict["mended"], "SELECT '𠮷', good(a) & <i>better</i> FROM t");
    assert_eq!(house.guard.questions(), 0, "an estimate is no question of the record");
}

#[tokio::test]
async fn a_question_that_goes_to_people_first_says_so_before_it_runs_and_behind() {
    let house = House::new();
    let signed = house.sign_in().await;
    let word = ("form_word", signed.form_word.as_str());
    let sql = "SELECT PEOPLE FIRST";
    let (_, verdict) = script(&house, &signed, "/workbench/check", &[word, ("sql", sql)]).await;
    assert_eq!((&verdict["verdict"], &verdict["people_first"]), (&"vetted".into(), &true.into()));
    assert_eq!(verdict["message"], "原則として三つまで");
    let (_, usual) = script(&house, &signed, "/workbench/check", &[word, ("sql", "SELECT 1")]).await;
    assert_eq!(usual["people_first"], false);
    let page = house.ask(&signed, "check", sql).await;
    assert!(page.contains("提供の前に審査") && page.contains("原則として三つまで"), "{page}");
    let page = house.ask(&signed, "run", sql).await;
    assert!(page.contains("/cases/output/p1-q9"), "{page}");
}

#[tokio::test]
async fn the_script_runs_a_cell_and_gets_its_piece_of_the_page() {
    let house = House::new();
    let signed = house.sign_in().await;
    let (_, done) = script(&house, &signed, "/workbench", &asked(&signed, "run", "SELECT 1")).await;
    let run = done["run"].as_u64().unwrap();
    let state = loop {
        let state = json(&house.get(&format!("/workbench/runs/{run}"), Some(&signed)).await.text());
        if state["running"] == false {
            break state;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(state["class"], "released");
    let html = state["html"].as_str().unwrap();
    assert!(html.contains("12,345") && html.contains("<svg") && !html.contains("<html"), "{html}");
    assert!(html.contains("＊＊＊") && html.contains("何が行われたか"), "{html}");
}

#[tokio::test]
async fn a_question_that_is_cancelled_is_stopped_at_the_guard() {
    let house = House::with(|settings| settings.patience = std::time::Duration::ZERO);
    let signed = house.sign_in().await;
    let closed = house.guard.gate.lock().await;
    let (_, done) = script(&house, &signed, "/workbench", &asked(&signed, "run", "SELECT 1")).await;
    let path = format!("/workbench/runs/{}", done["run"]);
    let state = json(&house.get(&path, Some(&signed)).await.text());
    assert_eq!(state["running"], true);
    // The stage is the guard's own word.
    assert!(state["html"].as_str().unwrap().contains("<li class=\"now\">実行</li>"), "{state}");
    let (_, again) = script(&house, &signed, "/workbench", &asked(&signed, "run", "SELECT 2")).await;
    assert_eq!((&again["notice"], &again["run"]), (&Value::from("early"), &Value::Null));
    let word = [("form_word", signed.form_word.as_str())];
    house.post(&format!("{path}/cancel"), Some(&signed), &word).await;
    drop(closed);
    let state = json(&house.get(&path, Some(&signed)).await.text());
    assert_eq!(state["class"], "cancelled");
    assert_eq!(*house.guard.stops.lock().unwrap(), [format!("desk-{}", done["run"])]);
}

#[tokio::test]
async fn a_notebook_is_changed_by_its_buttons() {
    let house = House::new();
    let signed = house.sign_in().await;
    let word = signed.form_word.as_str();
    let press = async |what: &str, cell: &str, text: &str| {
        let fields =
            [("form_word", word), ("what", what), ("notebook", "first"), ("cell", cell), ("text", text)];
        let (status, _) = script(&house, &signed, "/workbench", &fields).await;
        assert_eq!(status, StatusCode::OK, "{what}");
    };
    press("add-text", "c2", "").await;
    press("keep", "c3", "# <b>seen</b>").await;
    press("up", "c3", "").await;
    press("remove", "c1", "").await;
    press("title", "", "mine").await;
    press("share", "", "").await;
    let kept = house.guard.notebooks.lock().unwrap()[0].clone();
    let cells: Vec<&str> = kept.cells.iter().map(|cell| cell.id.as_str()).collect();
    assert_eq!(cells, ["c3", "c2"]);
    assert_eq!((kept.title.as_str(), kept.is_shared, kept.owner.as_str()), ("mine", true, "u1"));
    let page = house.get("/workbench?notebook=first", Some(&signed)).await.text();
    assert!(page.contains("<h2>&#60;b&#62;seen&#60;/b&#62;</h2>"), "{page}");
    let (status, _) = script(
        &house,
        &signed,
        "/workbench",
        &[("form_word", word), ("what", "keep"), ("notebook", "../x"), ("cell", "c1"), ("text", "")],
    )
    .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn another_ones_notebook_is_read_copied_and_never_changed() {
    let house = House::new();
    let signed = house.sign_in().await;
    house.ask(&signed, "check", "SELECT 1").await;
    house.guard.notebooks.lock().unwrap()[0].owner = "somebody".to_owned();
    house.guard.notebooks.lock().unwrap()[0].id = "theirs".to_owned();
    let page = house.get("/workbench?notebook=theirs", Some(&signed)).await.text();
    assert!(page.contains("自分のノートに写す") && !page.contains("value=\"remove\""), "{page}");
    let act = |what| {
        [
            ("form_word", signed.form_word.as_str()),
            ("what", what),
            ("notebook", "theirs"),
            ("cell", "c2"),
            ("text", "x"),
        ]
    };
    for what in ["keep", "remove", "title", "share", "discard", "up", "add-sql"] {
        let (status, _) = script(&house, &signed, "/workbench", &act(what)).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{what}");
    }
    let (status, _) = script(&house, &signed, "/workbench", &act("copy")).await;
    assert_eq!(status, StatusCode::OK);
    let owners: Vec<String> =
        house.guard.notebooks.lock().unwrap().iter().map(|of| of.owner.clone()).collect();
    assert_eq!(owners, ["somebody", "u1"]);
}

#[tokio::test]
async fn the_editor_knows_what_is_granted_and_no_more() {
    let house = House::new();
    let signed = house.sign_in().await;
    let words = json(&house.get("/workbench/vocabulary", Some(&signed)).await.text());
    assert_eq!(words["tables"][0]["columns"].as_array().unwrap().len(), 1, "icd10 is not granted");
    assert_eq!(words["codes"]["sex"], serde_json::json!([["1", "男"]]));
    assert_eq!(words["functions"][0]["call"], "age_band(a, b)");
}

#[tokio::test]
async fn the_readers_language_is_asked_for_and_remembered() {
    let house = House::new();
    let english =
        |path| request(Method::GET, path, None).header("accept-language", "en").body(Body::empty()).unwrap();
    let page = house.send(english("/")).await;
    assert!(page.text().contains("never a face") && page.text().contains("<html lang=\"en\">"));
    assert_eq!(page.header("vary"), "accept-language, cookie");
    let chosen =
        request(Method::GET, "/language/ja", None).header("referer", "http://misu.example/catalogue?q=1");
    let answer = house.send(chosen.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("location"), "/catalogue?q=1");
    assert!(answer.header("set-cookie").starts_with("misu_language=ja; Path=/; HttpOnly"));
    let mut kept = english("/nothing");
    kept.headers_mut().insert("cookie", "misu_language=ja".parse().unwrap());
    assert!(house.send(kept).await.text().contains("このページはありません"));
}

#[tokio::test]
async fn the_catalogue_for_machines_has_what_the_profile_requires() {
    let answer = House::new().get("/catalogue.jsonld", None).await;
    assert_eq!(answer.header("content-type"), "application/ld+json");
    let catalogue = json(&answer.text());
    let required = std::fs::read_to_string("tests/dcat-required.txt").unwrap();
    let dataset = &catalogue["dcat:dataset"][0];
    for line in required.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (class, property) = line.split_once(' ').unwrap();
        let thing = if class == "dcat:Catalog" { &catalogue } else { dataset };
        assert_eq!(thing["@type"], class);
        let value = &thing[property];
        assert!(!value.is_null() && value.as_str() != Some(""), "{class} has no {property}");
        let prefix = property.split(':').next().unwrap();
        assert!(catalogue["@context"][prefix].is_string(), "{prefix} has no address");
    }
    assert_eq!(dataset["@id"], "http://misu.example/catalogue#person");
    assert!(dataset["dct:accessRights"]["@id"].as_str().unwrap().ends_with("/NON_PUBLIC"));
    assert_eq!(dataset["dct:temporal"]["dcat:startDate"]["@value"], "2023-04");
}

#[tokio::test]
async fn open_tables_and_the_record_are_for_everybody() {
    let house = House::new();
    let open = house.get("/open", None).await.text();
    assert!(
        open.contains("&#60;b&#62;公開&#60;/b&#62;") && open.contains("<svg") && open.contains("12,345"),
        "{open}"
    );
    let csv = house.get("/open/q7/csv", None).await;
    assert_eq!(csv.header("content-disposition"), "attachment; filename=\"misu-q7.csv\"");
    let record = house.get("/record", None).await.text();
    for there in ["照会の開始", "query-opened", "2026-11", "&#60;root&#62;", "misu audit verify"] {
        assert!(record.contains(there), "{there}: {record}");
    }
}
