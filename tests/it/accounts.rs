//! Accounts with password and second factor, from the invitation to the end, on a guard that serves.

use engine_protocol::{Caller, ClientReply, IdentityAsk, IdentityReply, SecretWord};
use totp_rs::{Builder, Secret, Totp};

use crate::calls::House;

const USER: &str = "demo-researcher";
const PASSWORD: &str = "an invented long password";

/// Quick hashes; the rules that are tried.
const RULES: &str = "\n[sign_in]\npassword_memory_kib = 64\npassword_passes = 1\nfree_failures = 3\n";

fn word(text: &str) -> SecretWord {
    SecretWord::new(text)
}

fn house(rules: &str) -> House {
    let mut house = House::new();
    rule(&mut house, rules);
    house
}

/// Writes the rules into the environment's configuration and starts its guard anew.
fn rule(house: &mut House, rules: &str) {
    let path = house.env.join("misu.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let text = text.split("\n[sign_in]").next().unwrap();
    std::fs::write(&path, format!("{text}{rules}")).unwrap();
    house.restart();
}

/// An authenticator program.
struct Device(Totp);

impl Device {
    fn new(secret: &SecretWord) -> Self {
        let secret = Secret::try_from_base32(secret.as_str()).unwrap();
        Self(Builder::new().with_secret(secret).with_account_name(USER).build_noncompliant())
    }

    /// The code of now, or of so many steps later.
    fn code(&self, later: u64) -> SecretWord {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        word(&self.0.generate(now + 30 * later).to_string())
    }
}

fn reply(house: &mut House, by: Caller, ask: IdentityAsk) -> IdentityReply {
    match house.identity(by, ask) {
        ClientReply::Identity(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn sign_in(house: &mut House, user: &str, password: &str, code: &SecretWord) -> IdentityReply {
    let ask = IdentityAsk::SignIn { user: user.to_owned(), password: word(password), code: code.clone() };
    reply(house, Caller::Nobody, ask)
}

/// Enrols the user; gives the session, the device and the recovery codes.
fn enrolled(house: &mut House) -> (Caller, Device, Vec<SecretWord>) {
    let invitation = word(&house.said(&["account", "invite", "--as", "demo-operator", USER]));
    let begin = IdentityAsk::Enrolment { invitation: invitation.clone() };
    let IdentityReply::Enrolment { user, secret, address } = reply(house, Caller::Nobody, begin) else {
        panic!("no secret");
    };
    assert_eq!(user, USER);
    assert!(address.as_str().starts_with("otpauth://totp/"));
    let device = Device::new(&secret);
    let enrol = |password: &str, code: SecretWord| IdentityAsk::Enrol {
        invitation: invitation.clone(),
        password: word(password),
        code,
    };
    assert_eq!(reply(house, Caller::Nobody, enrol("short", device.code(0))), IdentityReply::Weak);
    assert_eq!(reply(house, Caller::Nobody, enrol(PASSWORD, word("000"))), IdentityReply::Refused);
    let IdentityReply::Enrolled { word, codes, .. } =
        reply(house, Caller::Nobody, enrol(PASSWORD, device.code(0)))
    else {
        panic!("not enrolled");
    };
    let again = enrol(PASSWORD, device.code(1));
    assert_eq!(reply(house, Caller::Nobody, again), IdentityReply::Refused, "an invitation serves once");
    (Caller::Session { word }, device, codes)
}

#[test]
fn an_invitation_becomes_an_account_and_each_code_serves_once() {
    let mut house = house(RULES);
    let (session, device, codes) = enrolled(&mut house);
    assert_eq!(house.me(session.clone()).unwrap().method, "password");
    assert_eq!(codes.len(), 10);
    let code = device.code(1);
    assert!(matches!(sign_in(&mut house, USER, PASSWORD, &code), IdentityReply::SignedIn { .. }));
    assert_eq!(sign_in(&mut house, USER, PASSWORD, &code), IdentityReply::Refused, "the code was used");
    assert!(matches!(sign_in(&mut house, USER, PASSWORD, &codes[0]), IdentityReply::SignedIn { .. }));
    assert_eq!(sign_in(&mut house, USER, PASSWORD, &codes[0]), IdentityReply::Refused);
    // Another password ends every session and begins one.
    let change = IdentityAsk::ChangePassword {
        old: word(PASSWORD),
        new: word("another invented password"),
        code: codes[1].clone(),
    };
    let IdentityReply::SignedIn { word: new, .. } = reply(&mut house, session.clone(), change) else {
        panic!("not changed");
    };
    assert!(house.me(session).is_none());
    let session = Caller::Session { word: new };
    assert_eq!(sign_in(&mut house, USER, PASSWORD, &codes[2]), IdentityReply::Refused);
    let renew = IdentityAsk::RenewRecoveryCodes {
        password: word("another invented password"),
        code: codes[3].clone(),
    };
    let IdentityReply::RecoveryCodes { codes: renewed } = reply(&mut house, session.clone(), renew) else {
        panic!("not renewed");
    };
    let mut with = |code| sign_in(&mut house, USER, "another invented password", code);
    assert_eq!(with(&codes[4]), IdentityReply::Refused, "the former codes serve no more");
    assert!(matches!(with(&renewed[0]), IdentityReply::SignedIn { .. }));
    // Neither password nor secret nor code lies in the environment as it is.
    let database = std::fs::read(house.env.join("meta.sqlite")).unwrap();
    for secret in ["another invented password", renewed[1].as_str()] {
        assert!(!database.windows(secret.len()).any(|window| window == secret.as_bytes()));
    }
    house.said(&["account", "disable", "--as", "demo-operator", USER]);
    assert!(house.me(session).is_none());
    assert_eq!(sign_in(&mut house, USER, "another invented password", &renewed[1]), IdentityReply::Refused);
}

#[test]
fn whatever_is_wrong_gets_one_answer_and_after_some_failures_a_wait() {
    let mut house = house(RULES);
    let (_, _, codes) = enrolled(&mut house);
    let nobody = sign_in(&mut house, "nobody-of-this-name", PASSWORD, &codes[0]);
    let password = sign_in(&mut house, USER, "a wrong long password", &codes[0]);
    let code = sign_in(&mut house, USER, PASSWORD, &word("ABCD-EFGH-JKLM-NPQR"));
    assert_eq!([&nobody, &password, &code], [&IdentityReply::Refused; 3]);
    assert_eq!(sign_in(&mut house, USER, "a wrong long password", &codes[0]), IdentityReply::Refused);
    // Three failures: now the right ones have to wait, and nobody is told that they were right.
    assert_eq!(sign_in(&mut house, USER, PASSWORD, &codes[0]), IdentityReply::Refused);
    assert_eq!(
        house.said(&["account", "list", "--as", "demo-auditor"]),
        format!("{USER:20} active   10 recovery codes"),
        "and nothing was spent"
    );
    rule(&mut house, &format!("{RULES}first_wait_seconds = 0\n"));
    assert!(matches!(sign_in(&mut house, USER, PASSWORD, &codes[0]), IdentityReply::SignedIn { .. }));
    // What was typed as a name is not in the record.
    let log = std::fs::read_to_string(house.env.join("audit/log.jsonl")).unwrap();
    assert!(!log.contains("nobody-of-this-name") && log.contains("sign-in-failed"));
}

#[test]
fn only_operators_invite_and_only_a_demo_has_links() {
    let house = house(RULES);
    let output = house.misu(&["account", "invite", "--as", USER, "demo-auditor"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("this takes an operator"));
    let output = house.misu(&["account", "invite", "--as", "demo-operator", "nobody"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no person nobody"));
    let path = house.env.join("misu.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let seed = text.lines().find(|line| line.starts_with("demo_seed")).unwrap().to_owned();
    std::fs::write(&path, text.replace(&seed, "")).unwrap();
    let output = house.misu(&["account", "link", USER]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("one-time links are for demo environments"));
}
