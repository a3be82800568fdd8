//! The pages as a browser meets them, in front of a guard that answers by rote.

use std::time::Duration;

use crate::guard::released;
use crate::support::{self, House, ORIGIN, Signed, asked, encode, form, request};
use axum::body::Body;
use axum::http::{Method, StatusCode};

#[tokio::test]
async fn every_route_answers_each_role_as_the_list_says() {
    let house = House::new();
    let signed = house.sign_in().await;
    house.ask(&signed, "run", "SELECT 1").await;
    let asked = house.guard.questions();
    let list = std::fs::read_to_string("tests/routes.txt").unwrap();
    let mut covered = std::collections::BTreeSet::new();
    for line in list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [method, path, route, stranger, visitor] = words[..] else { panic!("{line}") };
        covered.insert(route.to_owned());
        for (who, expected) in [(None, stranger), (Some(&signed), visitor)] {
            let method: Method = method.parse().unwrap();
            let request = if method == Method::POST {
                form(path, who, &[("form_word", "wrong")])
            } else {
                request(method, path, who).body(Body::empty()).unwrap()
            };
            let answer = house.send(request).await;
            assert_eq!(answer.status.as_u16().to_string(), expected, "{line}: {}", answer.text());
            assert_shielded(&answer, path);
        }
    }
    assert_eq!(house.guard.questions(), asked, "nobody asked anything");
    let source = std::fs::read_to_string("src/pages/mod.rs").unwrap();
    let routes = source.split(".route(\"").skip(1).filter_map(|rest| rest.split('"').next());
    let uncovered: Vec<&str> = routes.filter(|route| !covered.contains(*route)).collect();
    let known = std::fs::read_to_string("tests/uncovered-routes.txt").unwrap();
    assert_eq!(uncovered.join("\n"), known.trim_end(), "routes that no line of routes.txt covers");
}

fn assert_shielded(answer: &support::Answer, path: &str) {
    let policy = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
                  img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
    assert_eq!(answer.header("content-security-policy"), policy, "{path}");
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(answer.header("referrer-policy"), "same-origin", "{path}");
    let cache = match path {
        path if path.starts_with("/assets/misu") => "public, max-age=300",
        _ => "no-store",
    };
    assert_eq!(answer.header("cache-control"), cache, "{path}");
    let text = answer.text();
    let text = text.replace("<script type=\"module\" src=\"/assets/workbench.js?v=", "");
    for inline in ["<script", "style=", "javascript:", " onclick", " onload"] {
        assert!(!text.contains(inline), "{path}: {inline}");
    }
}

#[tokio::test]
async fn a_monitor_gets_counts_by_route_and_nothing_that_was_asked() {
    let house = House::new();
    house.get("/catalogue/person?q=secret", None).await;
    house.get("/catalogue/nobody", None).await;
    let odd = Method::from_bytes(b"SECRET").unwrap();
    house.send(request(odd, "/nothing/secret", None).body(Body::empty()).unwrap()).await;
    let text = house.monitor("/metrics").await.text();
    let line = "misu_gateway_requests_total{method=\"GET\",route=\"/catalogue/{table}\",status=\"404\"} 1";
    for there in
        [line, "misu_gateway_guard_answers 1", "route=\"none\"", "method=\"other\"", "_seconds_bucket"]
    {
        assert!(text.contains(there), "{there} is not in {text}");
    }
    for told in ["person", "nobody", "secret", "SECRET"] {
        assert!(!text.contains(told), "{told} is in {text}");
    }
    assert_eq!(house.monitor("/ready").await.status, StatusCode::OK);
    let lonely = House::with(|settings| settings.guard = "/nowhere/guard.sock".into());
    assert_eq!(lonely.monitor("/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(lonely.monitor("/live").await.status, StatusCode::OK);
    assert!(lonely.monitor("/metrics").await.text().contains("misu_gateway_guard_answers 0"));
    assert_eq!(house.get("/metrics", None).await.status, StatusCode::NOT_FOUND, "not beside the pages");
}

#[tokio::test]
async fn a_method_that_a_page_does_not_take_is_told_which_it_takes() {
    let answer = House::new().get("/sign-out", None).await;
    assert_eq!(answer.header("allow"), "POST");
    assert!(answer.text().contains("この操作はできません"));
}

#[tokio::test]
async fn the_public_pages_show_the_data_and_say_that_it_is_a_demo() {
    let house = House::new();
    let home = house.get("/", None).await.text();
    for there in ["2023-04 – 2025-03", "5a5a", "/catalogue/person", "デモ環境", "鍵は何も守りません"]
    {
        assert!(home.contains(there), "{there}");
    }
    let table = house.get("/catalogue/person", None).await.text();
    for there in ["性別", "準識別子", "see &#60;note&#62;", "コード 1件", "<code>1</code> 男"] {
        assert!(table.contains(there), "{there}");
    }
}

#[tokio::test]
async fn a_catalogue_figure_is_a_release_with_its_hidden_value_behind_a_blind() {
    let house = House::new();
    let page = house.get("/catalogue/person", None).await.text();
    let (_, figure) = page.split_once("id=\"figure-sex\"").unwrap();
    let figure = figure.split_once("</figure>").unwrap().0;
    assert!(figure.contains("<code>q7</code>") && figure.contains("2026-11-21"), "{figure}");
    // The hidden sex, and what the blind means.
    assert_eq!(figure.matches("url(#misu-veil)").count(), 2, "{figure}");
    assert!(page.contains("欠測 2.5 %"), "{page}");
    // A column without a release has no number.
    assert!(!page.contains("figure-icd10"), "{page}");
}

#[tokio::test]
async fn names_are_found_in_both_languages_and_widths_and_by_code() {
    let house = House::new();
    // sex, icd (typed full width), male, 個人, and nothing.
    for (search, found) in [
        ("SEX", "#sex"),
        ("%EF%BC%A9%EF%BC%A3%EF%BC%A4-10", "#icd10"),
        ("male", "<code>1</code> 男"),
        ("%E5%80%8B%E4%BA%BA", "/catalogue/person"),
        ("xyz%22%3E%3Cb%3E", "「xyz&#34;&#62;&#60;b&#62;」は見つかりませんでした"),
    ] {
        let page = house.get(&format!("/catalogue?q={search}"), None).await.text();
        assert!(page.contains(found), "{search}: {page}");
    }
}

#[tokio::test]
async fn a_wrong_word_opens_nothing() {
    let house = House::new();
    for word in ["", "abd", "ABC", &"x".repeat(2_000)] {
        let answer = house.post("/sign-in", None, &[("link", word)]).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.header("set-cookie"), "");
        assert!(answer.text().contains("サインインできませんでした"));
    }
    let forged = Signed { cookie: format!("misu_session={}", "0".repeat(64)), form_word: String::new() };
    assert_eq!(house.get("/workbench", Some(&forged)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn the_cookie_is_for_this_host_and_no_script() {
    let answer = House::new().post("/sign-in", None, &[("link", " abc ")]).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("misu_session=") && cookie.len() > 64, "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Strict"), "{cookie}");
    let house = House::with(|settings| settings.is_behind_tls = true);
    let answer = house.post("/sign-in", None, &[("link", "abc")]).await;
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-misu_session=") && cookie.ends_with("; Secure"), "{cookie}");
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused_before_anything_is_asked() {
    let house = House::new();
    let (mine, other) = (house.sign_in().await, house.sign_in().await);
    let fields = |word| encode(&[("form_word", word), ("what", "run"), ("text", "SELECT 1")]);
    let good = fields(mine.form_word.as_str());
    for (origin, body) in [
        (Some(ORIGIN), fields("")),
        (Some(ORIGIN), fields(&other.form_word)),
        (Some(ORIGIN), "what=run&text=1".to_owned()),
        (Some("http://evil.example"), good.clone()),
        (Some("http://misu.example:81"), good.clone()),
        (Some("null"), good.clone()),
        (None, good.clone()),
    ] {
        for path in ["/workbench", "/sign-out"] {
            let mut builder = request(Method::POST, path, Some(&mine))
                .header("content-type", "application/x-www-form-urlencoded");
            if let Some(origin) = origin {
                builder = builder.header("origin", origin);
            }
            let answer = house.send(builder.body(Body::from(body.clone())).unwrap()).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{origin:?} {body}");
            assert_shielded(&answer, path);
        }
    }
    let foreign = request(Method::POST, "/sign-in", None).header("origin", "http://evil.example");
    let answer = house.send(foreign.body(Body::from("link=abc")).unwrap()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(house.guard.questions(), 0);
    assert_eq!(house.get("/workbench", Some(&mine)).await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn forms_that_are_too_large_or_unreadable_are_told_so() {
    let house = House::new();
    let signed = house.sign_in().await;
    let large = "x".repeat(90_000);
    let fields = [("form_word", signed.form_word.as_str()), ("what", "run"), ("text", &large)];
    let answer = house.post("/workbench", Some(&signed), &fields).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_shielded(&answer, "/workbench");
    let word = signed.form_word.as_str();
    for fields in
        [&[("form_word", word), ("what", "drop"), ("sql", "")][..], &[("form_word", word), ("sql", "")]]
    {
        let answer = house.post("/workbench", Some(&signed), fields).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    let no_form = request(Method::POST, "/workbench", Some(&signed)).header("origin", ORIGIN);
    let answer = house.send(no_form.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(house.guard.questions(), 0);
}

#[tokio::test]
async fn a_refused_place_is_marked_where_the_writer_sees_it() {
    let house = House::new();
    let signed = house.sign_in().await;
    let page = house.ask(&signed, "check", "SELECT '年齢',\r\n  bad(\"<x>\")\r\nFROM t").await;
    for there in [
        "この問いは実行できません",
        "区分に使えるのは",
        "SELECT &#39;年齢&#39;,\n  <mark>bad(&#34;&#60;x&#62;&#34;)</mark>\nFROM t",
        "2行目",
        "good(a) &#38; &#60;i&#62;better&#60;/i&#62;",
    ] {
        assert!(page.contains(there), "{there}: {page}");
    }
}

#[tokio::test]
async fn text_that_wants_to_be_markup_stays_text() {
    let house = House::new();
    let signed = house.sign_in().await;
    let evil = "</textarea><script>alert(1)</script>";
    let page = house.ask(&signed, "check", evil).await;
    assert!(!page.contains("<script>"), "{page}");
    assert!(page.contains("&#60;/textarea&#62;&#60;script&#62;alert(1)"), "{page}");
    let page = house.ask(&signed, "run", &format!("FAULT {evil}")).await;
    assert!(page.contains("the &#60;disk&#62; is full") && !page.contains("<script>"), "{page}");
    let kept = house.post("/workbench", None, &[("what", "run"), ("text", evil)]).await.text();
    assert!(kept.contains("&#60;/textarea&#62;") && !kept.contains("<script"), "{kept}");
}

#[tokio::test]
async fn an_answer_is_shown_with_its_hidden_cells_and_never_asked_for_again() {
    let house = House::new();
    let signed = house.sign_in().await;
    let page = house.ask(&signed, "run", "SELECT 1").await;
    for there in [
        "12,345",
        "＊＊＊",
        "10人に満たない",
        "q7",
        "合計",
        "&#60;u&#62;sex&#60;/u&#62;",
        "/workbench/runs/1/csv",
        "<svg",
    ] {
        assert!(page.contains(there), "{there}: {page}");
    }
    for (format, kind) in [("csv", "text/csv; charset=utf-8"), ("json", "application/json")] {
        let file = house.get(&format!("/workbench/runs/1/{format}"), Some(&signed)).await;
        assert_eq!((file.status, file.header("content-type")), (StatusCode::OK, kind));
        assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"misu-q7.{format}\""));
        assert_shielded(&file, "/workbench/runs");
    }
    let csv = house.get("/workbench/runs/1/csv", Some(&signed)).await.text();
    assert_eq!(csv, reports::table::csv(&released()));
    let xlsx = house.get("/workbench/runs/1/xlsx", Some(&signed)).await;
    assert!(xlsx.bytes.starts_with(b"PK"));
    let arrow = house.get("/workbench/runs/1/arrow", Some(&signed)).await;
    assert!(arrow.bytes.starts_with(b"ARROW1"));
    assert_eq!(house.get("/workbench/runs/2/csv", Some(&signed)).await.status, StatusCode::GONE);
    assert_eq!(house.get("/workbench/runs/1/exe", Some(&signed)).await.status, StatusCode::NOT_FOUND);
    let picture = house.get("/workbench/runs/1/svg?kind=line", Some(&signed)).await;
    assert_eq!(picture.header("content-type"), "image/svg+xml");
    assert!(
        picture.text().contains("男: 12,345") && picture.text().contains("女: 非表示"),
        "{}",
        picture.text()
    );
    assert_eq!(
        house.get("/workbench/runs/1/svg?kind=cake", Some(&signed)).await.status,
        StatusCode::NOT_FOUND
    );
    assert_eq!(house.guard.questions(), 1);
}

#[tokio::test]
async fn every_other_end_of_a_question_has_its_words() {
    let house = House::new();
    let signed = house.sign_in().await;
    for (sql, words) in [
        ("SELECT DENIED", "許可の範囲外です"),
        ("SELECT WITHHELD", "この問いには答えを出せません"),
        ("SELECT FAULT", "こちらの不具合で答えられませんでした"),
        ("SELECT JUNK", "答えが途中で切れました"),
        ("SELECT ENDLESS", "答えが途中で切れました"),
    ] {
        let page = house.ask(&signed, "run", sql).await;
        assert!(page.contains(words) && page.contains(sql), "{sql}: {page}");
    }
    let page = house.ask(&signed, "check", "SELECT 1").await;
    assert!(page.contains("実行できます") && page.contains("person.sex"), "{page}");
}

#[tokio::test]
async fn a_long_question_goes_on_without_its_page() {
    let house = House::with(|settings| settings.patience = Duration::ZERO);
    let signed = house.sign_in().await;
    let closed = house.guard.gate.lock().await;
    let page = house.ask(&signed, "run", "SELECT 1").await;
    assert!(page.contains("実行しています") && page.contains("http-equiv=\"refresh\""), "{page}");
    let early = house.post("/workbench", Some(&signed), &asked(&signed, "run", "SELECT 2")).await;
    assert_eq!(early.header("location"), "/workbench?notebook=first&notice=early#cell-c2");
    let early = house.get("/workbench?notebook=first&notice=early", Some(&signed)).await.text();
    assert!(early.contains("SELECT 2") && early.contains("まだ実行中です"), "the text is kept");
    drop(closed);
    loop {
        let page = house.get("/workbench", Some(&signed)).await.text();
        if !page.contains("実行しています") {
            assert!(page.contains("12,345") && page.contains("SELECT 2"), "{page}");
            break;
        }
        tokio::task::yield_now().await;
    }
    assert_eq!(house.guard.questions(), 1);
}

#[tokio::test]
async fn a_guard_that_takes_too_long_is_not_waited_for() {
    let house = House::with(|settings| settings.long = Duration::from_millis(30));
    let signed = house.sign_in().await;
    let closed = house.guard.gate.lock().await;
    let page = house.ask(&signed, "run", "SELECT 1").await;
    assert!(page.contains("答えが時間内に届きませんでした"), "{page}");
    drop(closed);
}

#[tokio::test]
async fn without_its_guard_the_gateway_says_so_and_comes_back() {
    let house = House::new();
    let signed = house.sign_in().await;
    let away = house.settings.guard.with_extension("away");
    std::fs::rename(&house.settings.guard, &away).unwrap();
    house.wait(1);
    for path in ["/", "/catalogue", "/catalogue/person", "/health"] {
        let answer = house.get(path, None).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        assert_shielded(&answer, path);
    }
    assert!(house.get("/", None).await.text().contains("データの番人に届きません"));
    let answer = house.get("/workbench", Some(&signed)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "not: signed out");
    assert!(answer.text().contains("データの番人に届きません"));
    assert_eq!(house.get("/sign-in", None).await.status, StatusCode::OK);
    std::fs::rename(&away, &house.settings.guard).unwrap();
    house.wait(1);
    assert_eq!(house.get("/health", None).await.status, StatusCode::OK);
    assert_eq!(house.get("/workbench", Some(&signed)).await.status, StatusCode::OK, "still signed in");
}

#[tokio::test]
async fn a_session_ends_and_what_was_written_is_kept() {
    let house = House::new();
    let signed = house.sign_in().await;
    house.guard.end_sessions();
    let fields = [("form_word", signed.form_word.as_str()), ("what", "run"), ("text", "SELECT mine")];
    let answer = house.post("/workbench", Some(&signed), &fields).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert!(answer.text().contains("期限が切れました") && answer.text().contains("SELECT mine"));
    assert_eq!(house.guard.questions(), 0);
}

#[tokio::test]
async fn signing_out_ends_the_session_here_and_in_the_browser() {
    let house = House::new();
    let signed = house.sign_in().await;
    house.ask(&signed, "run", "SELECT 1").await;
    let answer = house.post("/sign-out", Some(&signed), &[("form_word", &signed.form_word)]).await;
    assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/"));
    assert!(
        answer.header("set-cookie").contains("misu_session=; ")
            && answer.header("set-cookie").contains("Max-Age=0")
    );
    assert_eq!(house.get("/workbench", Some(&signed)).await.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/workbench/runs/1/csv", Some(&signed)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn signing_in_again_ends_the_session_before() {
    let house = House::new();
    let signed = house.sign_in().await;
    let answer = house.send(form("/sign-in", Some(&signed), &[("link", "abc")])).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert_eq!(house.get("/workbench", Some(&signed)).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn each_example_can_be_taken_up_and_an_unknown_one_does_no_harm() {
    let house = House::new();
    let signed = house.sign_in().await;
    let page = house.get("/workbench", Some(&signed)).await.text();
    let names: Vec<&str> =
        page.split("&amp;example=").skip(1).filter_map(|rest| rest.split('#').next()).collect();
    assert_eq!(names.len(), 5);
    for name in names {
        let page = house.get(&format!("/workbench?example={name}"), Some(&signed)).await.text();
        assert!(page.contains("SELECT") && page.contains("FROM"), "{name}");
    }
    assert_eq!(house.get("/workbench?example=%3Cb%3E", Some(&signed)).await.status, StatusCode::OK);
}
