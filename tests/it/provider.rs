//! Signing in at a real OpenID provider (npm `oidc-provider`), through its pages, with a guard and a portal.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Stdio};

use crate::browser::{Browser, Page};
use crate::calls::House;
use crate::demo::program;

const USER: &str = "demo-researcher";

/// A program that ends with this value, with what it prints.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the program ended; run tests/install");
        line.trim_end().to_owned()
    }

    fn tell(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A provider, a guard that knows of it, and a portal in front.
struct World {
    house: House,
    issuer: String,
    portal: String,
    _programs: [Running; 2],
}

impl World {
    fn new() -> Self {
        let mut house = House::new();
        let mut provider = Running::start(Command::new("node").arg("oidc/provider.mjs"));
        let issuer = format!("http://127.0.0.1:{}", provider.line());
        let config = house.env.join("misu.toml");
        let rules = format!(
            "\n[oidc]\nissuer = {issuer:?}\nclient_id = \"misu\"\nclaim = \"sub\"\namr = [\"otp\"]\n"
        );
        std::fs::write(&config, format!("{}{rules}", std::fs::read_to_string(&config).unwrap())).unwrap();
        house.restart();
        let secret = house.env.join("keys/oidc-secret");
        std::fs::write(&secret, "a secret of tests\n").unwrap();
        let mut portal = Running::start(
            Command::new(program("misu-gateway"))
                .args(["--end-with-parent", "--listen", "127.0.0.1:0", "--oidc", "--guard"])
                .arg(&house.socket)
                .arg("--oidc-secret")
                .arg(&secret)
                .stderr(Stdio::null()),
        );
        let address = portal.line();
        provider.tell(&format!("{address}/sign-in/oidc/return"));
        assert_eq!(provider.line(), "ready");
        Self { house, issuer, portal: address, _programs: [provider, portal] }
    }

    /// Pins the keys that the provider publishes.
    fn pin(&self) {
        let keys = Browser::default().get(&format!("{}/jwks", self.issuer));
        assert_eq!(keys.status, 200);
        let path = self.house.env.join("pinned.json");
        std::fs::write(&path, keys.text).unwrap();
        let path = path.display().to_string();
        self.house.said(&["account", "pin-provider", "--as", "demo-operator", &path]);
    }

    /// Goes to the provider, through its pages and back; `change` may change the address on the way there.
    fn sign_in(
        &self,
        browser: &mut Browser,
        (login, code): (&str, &str),
        change: impl Fn(String) -> String,
    ) -> Page {
        let away = browser.get(&format!("{}/sign-in/oidc", self.portal));
        let to = change(away.location.unwrap());
        let login_page = browser.get(&to);
        let login_page = browser.follow(login_page);
        assert!(login_page.text.contains("login"), "{login_page:?}");
        let next = browser.post(&login_page.url, &[("login", login), ("code", code)]);
        let consent = browser.follow(next);
        assert!(consent.text.contains("consent"), "{consent:?}");
        let next = browser.post(&consent.url, &[("prompt", "consent")]);
        browser.follow(next)
    }

    fn is_in(&self, browser: &mut Browser) -> bool {
        let page = browser.get(&format!("{}/account", self.portal));
        page.status == 200 && page.text.contains(USER)
    }

    /// Why the last sign-in failed, as the record says.
    fn why(&self) -> String {
        let log = std::fs::read_to_string(self.house.env.join("audit/log.jsonl")).unwrap();
        let entries = log.lines().rev().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        let mut failed = entries.filter(|entry| entry["kind"] == "sign-in-failed");
        failed.next().unwrap()["body"]["why"].as_str().unwrap().to_owned()
    }
}

#[test]
fn a_sign_in_at_a_real_provider_takes_pinned_keys_our_nonce_and_a_second_factor() {
    let world = World::new();
    let plain = |to: String| to;
    let (two_factors, one_factor) = ((USER, "123456"), (USER, ""));
    let refused = |who, change: &dyn Fn(String) -> String, why: &str| {
        let mut browser = Browser::default();
        let page = world.sign_in(&mut browser, who, change);
        assert_eq!(page.status, 401, "{page:?}");
        assert!(!world.is_in(&mut browser));
        assert_eq!(world.why(), why);
    };
    refused(two_factors, &plain, "no-pinned-keys");
    world.pin();
    refused(one_factor, &plain, "second-factor");
    refused(("nobody-here", "123456"), &plain, "person");
    let other_nonce = |to: String| {
        let (before, rest) = to.split_once("nonce=").unwrap();
        format!("{before}nonce=another{}", rest.get(rest.find('&').unwrap_or(rest.len())..).unwrap())
    };
    refused(two_factors, &other_nonce, "nonce");

    let mut browser = Browser::default();
    let page = world.sign_in(&mut browser, two_factors, plain);
    assert_eq!(page.status, 200, "{page:?}");
    assert!(world.is_in(&mut browser));
    // The same way back does not lead in twice, and not in another browser.
    let again = browser.get(&page.url);
    assert_eq!(again.status, 401);
    let mut other = Browser::default();
    assert_eq!(other.get(&page.url).status, 401);
    assert!(!world.is_in(&mut other) && world.is_in(&mut browser));
}
