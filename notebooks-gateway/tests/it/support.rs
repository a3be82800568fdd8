//! A gateway in front of a fake guard, and a visitor who sends requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use notebooks_gateway::{Gateway, Settings, Sources, monitor, router};
use tempfile::TempDir;
use tower::ServiceExt as _;

use crate::guard::FakeGuard;

/// The one-time word of the one user; the fake guard takes it more than once.
pub(crate) const LINK: &str = "abc";
pub(crate) const HOST: &str = "misu.example";
pub(crate) const ORIGIN: &str = "http://misu.example";

/// A gateway with its guard and a clock that stands still.
pub(crate) struct House {
    pub(crate) router: Router,
    monitor: Router,
    pub(crate) guard: FakeGuard,
    pub(crate) settings: Settings,
    seconds: Arc<AtomicU64>,
    _folder: TempDir,
}

/// A response, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

/// A signed-in visitor.
pub(crate) struct Signed {
    pub(crate) cookie: String,
    pub(crate) form_word: String,
}

impl House {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let guard = FakeGuard::start(folder.path());
        let mut settings = Settings::new(&guard.socket);
        change(&mut settings);
        let seconds = Arc::new(AtomicU64::new(1_000));
        let gateway = Gateway::new(settings.clone(), sources(&seconds));
        let monitor = monitor(gateway.clone());
        Self { router: router(gateway), monitor, guard, settings, seconds, _folder: folder }
    }

    /// Lets the gateway's clock go on.
    pub(crate) fn wait(&self, minutes: u64) {
        self.seconds.fetch_add(minutes * 60, Ordering::SeqCst);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    /// What a monitor gets.
    pub(crate) async fn monitor(&self, path: &str) -> Answer {
        let request = Request::builder().uri(path).body(Body::empty()).unwrap();
        let (parts, body) = self.monitor.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = to_bytes(body, 1 << 24).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }

    pub(crate) async fn get(&self, path: &str, signed: Option<&Signed>) -> Answer {
        self.send(request(Method::GET, path, signed).body(Body::empty()).unwrap()).await
    }

    /// Posts a form from one of our own pages.
    pub(crate) async fn post(&self, path: &str, signed: Option<&Signed>, fields: &[(&str, &str)]) -> Answer {
        self.send(form(path, signed, fields)).await
    }

    pub(crate) async fn sign_in(&self) -> Signed {
        let answer = self.post("/sign-in", None, &[("link", LINK)]).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER);
        let cookie = answer.header("set-cookie").split(';').next().unwrap().to_owned();
        let mut signed = Signed { cookie, form_word: String::new() };
        let page = self.get("/workbench", Some(&signed)).await.text();
        let word = page.split("name=\"form_word\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        signed.form_word = word.unwrap().to_owned();
        signed
    }

    /// Sends a question from the workbench and gives the page that the browser is sent to.
    pub(crate) async fn ask(&self, signed: &Signed, what: &str, sql: &str) -> String {
        let answer = self.post("/workbench", Some(signed), &asked(signed, what, sql)).await;
        assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.text());
        assert_eq!(answer.header("location"), "/workbench?notebook=first#cell-c2");
        self.get("/workbench", Some(signed)).await.text()
    }
}

/// The fields of the second cell's form.
pub(crate) fn asked<'f>(signed: &'f Signed, what: &'f str, sql: &'f str) -> [(&'f str, &'f str); 5] {
    let word = signed.form_word.as_str();
    [("form_word", word), ("what", what), ("notebook", "first"), ("cell", "c2"), ("text", sql)]
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }
}

pub(crate) fn request(method: Method, path: &str, signed: Option<&Signed>) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path).header("host", HOST);
    match signed {
        Some(signed) => request.header("cookie", format!("other=1; {}", signed.cookie)),
        None => request,
    }
}

pub(crate) fn form(path: &str, signed: Option<&Signed>, fields: &[(&str, &str)]) -> Request<Body> {
    request(Method::POST, path, signed)
        .header("origin", ORIGIN)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(encode(fields)))
        .unwrap()
}

pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    fields.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

pub(crate) fn sources(seconds: &Arc<AtomicU64>) -> Sources {
    let (seconds, next) = (Arc::clone(seconds), AtomicU64::new(1));
    Sources {
        clock: Arc::new(move || Duration::from_secs(seconds.load(Ordering::SeqCst))),
        random: Arc::new(move |bytes| {
            bytes[..8].copy_from_slice(&next.fetch_add(1, Ordering::SeqCst).to_le_bytes());
            Ok(())
        }),
    }
}
