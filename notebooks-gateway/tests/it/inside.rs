//! What a page may give away by itself: nothing to the clipboard or to a picture of the screen, no file but of what was
//! released, and of what only reviewers see neither a selection, a print nor a copy in a cache.

use crate::guard::INSIDE;
use crate::support::House;

#[tokio::test]
async fn what_reviewers_see_stays_on_the_screen() {
    let house = House::new();
    let signed = house.sign_in().await;
    let page = house.get(&format!("/cases/output/{INSIDE}/evidence"), Some(&signed)).await;
    let (header, text) = (page.header("cache-control").to_owned(), page.text());
    assert_eq!(header, "no-store");
    // The two persons behind the hidden cell stand in it, and all of them within what is not selected or printed.
    let (before, inside) = text.split_once("<div class=\"column broad inside\">").unwrap();
    assert!(inside.contains("<td class=\"n\">2</td>") && !before.contains("<td"), "{text}");
    // Why people look at it: the rule in principle, in the reader's language.
    assert!(inside.contains("<code>dimensions</code>"), "{inside}");
    assert!(inside.contains("原則として&#60;b&#62;三つ&#60;/b&#62;まで"), "{inside}");
    let links: Vec<&str> =
        inside.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let files = ["csv", "xlsx", "json", "arrow", "svg", "note"];
    assert!(!links.iter().any(|link| files.iter().any(|form| link.ends_with(form))), "{links:?}");
    let style = house.get("/assets/misu.css", None).await.text();
    assert!(rule(&style, ".inside").contains("user-select: none"));
    let print = style.split_once("@media print").unwrap().1;
    assert!(rule(print, ".inside").contains("display: none"));
}

#[tokio::test]
async fn no_page_may_use_the_clipboard_or_the_screen_and_none_is_framed() {
    let house = House::new();
    let signed = house.sign_in().await;
    for path in ["/", "/workbench", "/catalogue/person", "/cases", "/open", "/record", "/nothing"] {
        let page = house.get(path, Some(&signed)).await;
        let permissions = page.header("permissions-policy").to_owned();
        for refused in ["clipboard-read=()", "clipboard-write=()", "display-capture=()"] {
            assert!(permissions.contains(refused), "{path}: {permissions}");
        }
        let policy = page.header("content-security-policy");
        for kept in
            ["default-src 'none'", "connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'"]
        {
            assert!(policy.contains(kept), "{path}: {policy}");
        }
    }
}

#[tokio::test]
async fn a_file_holds_what_the_page_shows_and_no_hidden_value() {
    let house = House::new();
    let signed = house.sign_in().await;
    house.ask(&signed, "run", "SELECT 1").await;
    for form in ["csv", "json", "svg"] {
        let file = house.get(&format!("/workbench/runs/1/{form}"), Some(&signed)).await;
        assert_eq!(file.status, 200, "{form}");
        let text = file.text();
        // 12,400 in all and 12,345 men are shown; the 55 women between them are not.
        assert!(text.contains("12345") || text.contains("12,345"), "{form}: {text}");
        assert!(!text.contains(">55<") && !text.contains(",55\n") && !text.contains(":55"), "{form}: {text}");
    }
    let strangers = house.get("/workbench/runs/1/csv", None).await;
    assert_ne!(strangers.status, 200);
}

/// What stands between the braces behind a selector.
fn rule<'s>(style: &'s str, selector: &str) -> &'s str {
    let rest = style.split_once(&format!("{selector} {{")).unwrap().1;
    rest.split('}').next().unwrap()
}
