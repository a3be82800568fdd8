//! `/api/v1` from outside: what programs get, and a list of what they should not send.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use notebooks_gateway::Rate;
use serde_json::{Value, json};

use crate::guard::TOKEN;
use crate::support::{Answer, HOST, House};

/// A call with a token and a body.
struct Call<'c> {
    method: Method,
    path: &'c str,
    token: Option<&'c str>,
    headers: Vec<(&'c str, &'c str)>,
    body: Vec<u8>,
}

impl<'c> Call<'c> {
    fn get(path: &'c str) -> Self {
        Self { method: Method::GET, path, token: Some(TOKEN), headers: Vec::new(), body: Vec::new() }
    }

    fn post(path: &'c str, body: &Value) -> Self {
        let headers = vec![("content-type", "application/json")];
        Self { method: Method::POST, headers, body: body.to_string().into_bytes(), ..Self::get(path) }
    }

    fn ask(sql: &str) -> Self {
        Self::post("/api/v1/query", &json!({"sql": sql}))
    }

    fn token(self, token: Option<&'c str>) -> Self {
        Self { token, ..self }
    }

    fn header(mut self, name: &'c str, value: &'c str) -> Self {
        self.headers.push((name, value));
        self
    }

    async fn send(self, house: &House) -> Answer {
        let mut request = Request::builder().method(self.method).uri(self.path).header("host", HOST);
        if let Some(token) = self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        house.send(request.body(Body::from(self.body)).unwrap()).await
    }
}

fn value(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.bytes).unwrap_or_else(|_| panic!("{}", answer.text()))
}

/// That an answer is a problem document of this status and kind.
fn is_problem(answer: &Answer, status: u16, kind: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let value = value(answer);
    assert_eq!(value["type"], format!("urn:misu:problem:{kind}"), "{value}");
    assert_eq!(value["status"], status);
}

#[tokio::test]
async fn a_question_gives_its_table_and_its_files() {
    let house = House::new();
    let answer = Call::ask("SELECT 1").send(&house).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let table = value(&answer);
    assert_eq!(table["query"], "q7");
    assert_eq!(table["rows"][1][1], "suppressed");
    let place = answer.header("location").to_owned();
    for format in ["csv", "json", "arrow", "xlsx"] {
        for path in [format!("{place}?format={format}"), format!("/api/v1/results/q7?format={format}")] {
            let file = Call::get(&path).send(&house).await;
            assert_eq!(file.status, StatusCode::OK, "{path}");
            assert!(file.header("content-disposition").contains(&format!("misu-q7.{format}")), "{path}");
        }
    }
    assert_eq!(house.guard.questions(), 1, "files ask nothing again");
    let csv = Call::post("/api/v1/query?format=csv", &json!({"sql": "SELECT 1"})).send(&house).await;
    assert!(csv.text().contains("2,女,female,***"), "{}", csv.text());
}

#[tokio::test]
async fn a_refusal_names_rule_place_and_the_allowed_form() {
    let house = House::new();
    let answer = Call::ask("SELECT\n  bad(x)").send(&house).await;
    is_problem(&answer, 422, "refused");
    let problem = value(&answer);
    assert_eq!(problem["rule"], "group-key");
    assert_eq!(problem["place"], json!({"from": 9, "to": 15, "line": 2, "column": 3, "text": "bad(x)"}));
    assert_eq!(problem["suggestion"], "good(a) & <i>better</i>");
    is_problem(&Call::ask("DENIED").send(&house).await, 403, "denied");
    is_problem(&Call::ask("WITHHELD").send(&house).await, 409, "withheld");
    let held = Call::ask("PEOPLE FIRST").send(&house).await;
    is_problem(&held, 409, "held");
    assert_eq!(value(&held)["output"], "p1-q9");
    let first = Call::post("/api/v1/vet", &json!({"sql": "PEOPLE FIRST"})).send(&house).await;
    let first = value(&first);
    assert_eq!((&first["verdict"], &first["people_first"]), (&json!("vetted"), &json!(true)));
    assert_eq!(first["rule"], "dimensions");
    let fault = Call::ask("FAULT").send(&house).await;
    is_problem(&fault, 500, "fault");
    assert!(!fault.text().contains("disk"), "what went wrong inside is the operator's: {}", fault.text());
    is_problem(&Call::ask("JUNK").send(&house).await, 503, "no-answer");
    let vetted = Call::post("/api/v1/vet", &json!({"sql": "bad(x)"})).send(&house).await;
    assert_eq!(value(&vetted)["verdict"], "refused");
    assert_eq!(value(&vetted)["people_first"], false);
}

#[tokio::test]
async fn a_key_runs_a_question_once() {
    let house = House::new();
    let ask = |sql, key| Call::ask(sql).header("idempotency-key", key);
    let (first, again) = (ask("SELECT 1", "k1").send(&house).await, ask("SELECT 1", "k1").send(&house).await);
    assert_eq!(first.header("location"), again.header("location"));
    assert_eq!(house.guard.questions(), 1);
    is_problem(&ask("SELECT 2", "k1").send(&house).await, 409, "idempotency-conflict");
    ask("SELECT 1", "k2").send(&house).await;
    assert_eq!(house.guard.questions(), 2);
    let long = "x".repeat(129);
    for wrong in ["", "a b", "\u{e9}", &long] {
        is_problem(&ask("SELECT 1", wrong).send(&house).await, 400, "idempotency-key");
    }
    house.wait(61);
    ask("SELECT 2", "k1").send(&house).await;
    assert_eq!(house.guard.questions(), 3, "after an hour a key is a new one");
}

#[tokio::test]
async fn a_slow_question_is_found_again() {
    let house = House::new();
    let held = house.guard.gate.clone().lock_owned().await;
    let answer = Call::post("/api/v1/query?wait=0", &json!({"sql": "SELECT 1"})).send(&house).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    assert_eq!(value(&answer)["state"], "running");
    let place = answer.header("location").to_owned();
    let early = Call::get(&format!("{place}?wait=0")).send(&house).await;
    assert_eq!(early.status, StatusCode::ACCEPTED);
    drop(held);
    let late = Call::get(&place).send(&house).await;
    assert_eq!(value(&late)["query"], "q7");
    let mut forget = Call::get(&place);
    forget.method = Method::DELETE;
    assert_eq!(forget.send(&house).await.status, StatusCode::NO_CONTENT);
    is_problem(&Call::get(&place).send(&house).await, 404, "not-found");
}

#[tokio::test]
async fn only_so_many_questions_of_one_caller_run_at_once() {
    let house = House::new();
    let held = house.guard.gate.clone().lock_owned().await;
    for _ in 0..4 {
        let answer = Call::post("/api/v1/query?wait=0", &json!({"sql": "SELECT 1"})).send(&house).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED);
    }
    let answer = Call::post("/api/v1/query?wait=0", &json!({"sql": "SELECT 1"})).send(&house).await;
    is_problem(&answer, 429, "too-often");
    assert_eq!(answer.header("retry-after"), "2");
    drop(held);
}

#[tokio::test]
async fn calls_have_a_rate() {
    let house = House::with(|settings| settings.calls = Rate { burst: 3, per_second: 1 });
    for _ in 0..3 {
        assert_eq!(Call::get("/api/v1/projects").send(&house).await.status, StatusCode::OK);
    }
    let answer = Call::get("/api/v1/projects").send(&house).await;
    is_problem(&answer, 429, "too-often");
    assert_eq!(answer.header("retry-after"), "1");
    house.wait(1);
    assert_eq!(Call::get("/api/v1/projects").send(&house).await.status, StatusCode::OK);
    assert_eq!(Call::get("/api/v1/health").token(None).send(&house).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_gets_in_without_a_token() {
    let house = House::new();
    let calls = || {
        [
            Call::get("/api/v1/projects"),
            Call::get("/api/v1/functions"),
            Call::ask("SELECT 1"),
            Call::post("/api/v1/vet", &json!({"sql": ""})),
            Call::post("/api/v1/estimate", &json!({"sql": ""})),
            Call::get("/api/v1/templates"),
            Call::post("/api/v1/templates/x", &json!({})),
            Call::get("/api/v1/analyses"),
            Call::post("/api/v1/analyses", &json!({"text": ""})),
            Call::get("/api/v1/analyses/x"),
            Call::get("/api/v1/analyses/x/package"),
            Call::post("/api/v1/analyses/x/stop", &json!({})),
            Call::post("/api/v1/analyses/x/resume", &json!({})),
            Call::get("/api/v1/results/q7"),
            Call::get("/api/v1/queries/q7"),
            Call::get("/api/kernelspecs"),
            Call::get("/api/kernels"),
            Call::post("/api/kernels", &json!({})),
            Call::get("/api/kernels/x/channels"),
        ]
    };
    for token in [None, Some(""), Some("abd"), Some("abc abc"), Some("ABC")] {
        for call in calls() {
            let path = call.path;
            let answer = call.token(token).send(&house).await;
            is_problem(&answer, 401, "unknown-caller");
            assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"misu\"", "{path}");
        }
    }
    let twice = Call::get("/api/v1/projects").header("authorization", "Bearer abc").send(&house).await;
    is_problem(&twice, 401, "unknown-caller");
    let signed = house.sign_in().await;
    let cookie =
        Call::get("/api/v1/projects").token(None).header("cookie", &signed.cookie).send(&house).await;
    is_problem(&cookie, 401, "unknown-caller");
    assert_eq!(house.guard.questions(), 0);
}

#[tokio::test]
async fn what_is_no_call_is_told_as_a_problem() {
    let house = House::new();
    let raw = |path, kind: &'static str, body: &[u8]| Call {
        method: Method::POST,
        headers: vec![("content-type", kind)],
        body: body.to_vec(),
        ..Call::get(path)
    };
    let json_kind = "application/json";
    for body in [
        &b"{"[..],
        b"",
        b"[]",
        b"{\"sql\":1}",
        b"{\"sql\":\"a\",\"user\":\"x\"}",
        b"{\"sql\":\"\xff\"}",
        b"null",
    ] {
        is_problem(&raw("/api/v1/query", json_kind, body).send(&house).await, 400, "malformed");
    }
    let deep = "[".repeat(100_000);
    is_problem(&raw("/api/v1/query", json_kind, deep.as_bytes()).send(&house).await, 400, "malformed");
    let long = vec![b' '; 300 * 1024];
    is_problem(&raw("/api/v1/query", json_kind, &long).send(&house).await, 413, "too-large");
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""] {
        is_problem(&raw("/api/v1/query", kind, b"{\"sql\":\"a\"}").send(&house).await, 415, "not-json");
    }
    for path in [
        "/api/v1/query?wait=31",
        "/api/v1/query?wait=-1",
        "/api/v1/query?format=exe",
        "/api/v1/query?user=x",
        "/api/v1/query?wait=1&wait=2",
    ] {
        is_problem(&Call::post(path, &json!({"sql": "a"})).send(&house).await, 400, "parameter");
    }
    for path in [
        "/api/v1/catalogue?limit=0",
        "/api/v1/catalogue?limit=501",
        "/api/v1/catalogue?offset=-1",
        "/api/v1/catalogue?offset=99999999999999999999",
        "/api/v1/results/q7?format=../csv",
    ] {
        is_problem(&Call::get(path).send(&house).await, 400, "parameter");
    }
    for path in [
        "/api/v1/nothing",
        "/api/v1/results/..%2f..%2fetc%2fpasswd",
        "/api/v1/results/%00",
        "/api/v1/catalogue/..%2fperson",
        "/api/v1/queries/q7%0d%0aset-cookie:x",
        "/api/kernels/..%2f..",
    ] {
        is_problem(&Call::get(path).send(&house).await, 404, "not-found");
    }
    let mut method = Call::get("/api/v1/query");
    method.method = Method::PUT;
    let answer = method.send(&house).await;
    is_problem(&answer, 405, "method");
    assert_eq!(answer.header("allow"), "POST");
    assert_eq!(house.guard.questions(), 0);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let house = House::new();
    let page = value(&Call::get("/api/v1/catalogue/person?offset=1&limit=1").send(&house).await);
    assert_eq!((&page["total"], &page["items"][0]["name"]), (&json!(2), &json!("icd10")));
    let beyond = value(&Call::get("/api/v1/catalogue?offset=7").send(&house).await);
    assert_eq!((&beyond["total"], &beyond["items"]), (&json!(1), &json!([])));
    is_problem(&Call::get("/api/v1/catalogue/nothing").send(&house).await, 404, "not-found");
    let project = value(&Call::get("/api/v1/projects").send(&house).await);
    assert_eq!(project["items"], json!([{"project": "p1", "user": "u1"}]));
}

#[tokio::test]
async fn the_document_names_every_route() {
    let house = House::new();
    let document = value(&Call::get("/api/v1/openapi.json").token(None).send(&house).await);
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    paths.sort();
    assert_eq!(paths.len(), 18, "{paths:?}");
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let is_open = operation.get("security").is_none();
            let may_be_open = ["catalogue", "health"].iter().any(|word| path.contains(word));
            assert_eq!(is_open, may_be_open, "{method} {path}");
        }
    }
}
