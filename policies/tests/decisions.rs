//! The golden table of decisions, `decisions.txt`: who × project × purpose × snapshot × time, and columns × uses.
//!
//! `UPDATE_EXPECT=1` writes it anew; a change of policy then shows as a diff that a reviewer can read.

#![cfg(test)]

use std::collections::BTreeSet;
use std::fmt::Write as _;

use catalog_model::{Catalogue, Class, Period, SnapshotId};
use expect_test::expect_file;
use policies::{Action, Application, Approval, DEMO_APPLICATION, Denied, Form, Policies, Request, Use};
use time::OffsetDateTime;
use time::macros::datetime;

const OTHER: &str = include_str!("applications/other.toml");

fn snapshot(digit: &str) -> SnapshotId {
    SnapshotId::parse(&digit.repeat(32)).unwrap()
}

fn demo() -> Application {
    let (file, text) = DEMO_APPLICATION;
    let approval = Approval {
        snapshot: snapshot("ab"),
        period: Period { from: "2024-04".parse().unwrap(), to: "2026-03".parse().unwrap() },
        valid_from: datetime!(2026-04-01 00:00 +09:00),
        valid_until: datetime!(2027-04-01 00:00 +09:00),
    };
    Form::parse(file, text).unwrap().approve(approval).unwrap()
}

fn loaded(catalogue: &Catalogue) -> Policies {
    let other = Application::parse("applications/other.toml", OTHER).unwrap();
    Policies::load([demo(), other], catalogue).unwrap()
}

fn request(user: &str, project: &str) -> Request {
    let purpose = if project == "other" { "comments" } else { "diabetes-and-care-need" };
    Request {
        user: user.to_owned(),
        project: project.to_owned(),
        purpose: purpose.to_owned(),
        now: datetime!(2026-11-21 09:00 +09:00),
        snapshot: snapshot("ab"),
    }
}

fn policies_of(result: Result<(), Denied>) -> String {
    match result {
        Ok(()) => "allow".to_owned(),
        Err(denied) => {
            assert_eq!(denied.bug(), None);
            let ids = denied.reasons().iter().map(|reason| reason.policy.trim_start_matches("invariant/"));
            format!("deny   {}", ids.collect::<Vec<_>>().join(", "))
        }
    }
}

const TIMES: [(&str, OffsetDateTime); 5] = [
    ("a second before", datetime!(2026-03-31 23:59:59 +09:00)),
    ("first moment", datetime!(2026-04-01 00:00 +09:00)),
    ("within", datetime!(2026-11-21 09:00 +09:00)),
    ("last second", datetime!(2027-03-31 23:59:59 +09:00)),
    ("at the end", datetime!(2027-04-01 00:00 +09:00)),
];

fn acts(out: &mut String, policies: &Policies) {
    let _ =
        writeln!(out, "# Acting for a project: vet, run a query and take a release out are decided alike.");
    let _ = writeln!(out, "# user, project, purpose, snapshot, time: decision, deciding policies\n");
    for user in ["demo-researcher", "other-researcher", "stranger"] {
        for project in ["demo", "other"] {
            for purpose in ["diabetes-and-care-need", "comments"] {
                for digit in ["ab", "cd"] {
                    for time in TIMES {
                        act(out, policies, (user, project), (purpose, digit), time);
                    }
                }
            }
        }
        act(out, policies, (user, "unheard-of"), ("comments", "ab"), TIMES[2]);
    }
}

fn act(
    out: &mut String,
    policies: &Policies,
    (user, project): (&str, &str),
    (purpose, digit): (&str, &str),
    (when, now): (&str, OffsetDateTime),
) {
    let (purpose_code, snapshot) = (purpose.to_owned(), snapshot(digit));
    let request = Request { purpose: purpose_code, snapshot, now, ..request(user, project) };
    let [vet, run, release] = Action::ALL.map(|action| policies_of(policies.may(&request, action)));
    assert!(vet == run && run == release);
    let _ = writeln!(out, "{user:16} {project:10} {purpose:22} {digit}… {when:15} {run}");
}

const COLUMNS: [&str; 16] = [
    "person.person_id",
    "person.sex",
    "person.birth_date",
    "ndb_receipt.receipt_id",
    "ndb_receipt.facility_id",
    "ndb_receipt.service_month",
    "ndb_receipt.total_points",
    "ndb_receipt.copay_amount",
    "ndb_comment.person_id",
    "ndb_diagnosis.person_id",
    "municipality.name",
    "person.direct",
    "person.link",
    "person.text",
    "person.no_such_column",
    "no_such_table.person_id",
];

/// The shipped catalogue with three columns in it that must never be there.
fn catalogue_with_identities() -> Catalogue {
    let mut catalogue = Catalogue::builtin().unwrap();
    let person = catalogue.tables.get_mut("person").unwrap();
    for class in [Class::Direct, Class::Link, Class::Text] {
        let mut column = person.columns[0].clone();
        column.name = class.as_str().to_owned();
        column.class = class;
        person.columns.push(column);
    }
    catalogue
}

fn columns(out: &mut String, policies: &Policies, catalogue: &Catalogue) {
    for project in ["demo", "other"] {
        let _ = writeln!(out, "\n# Columns that demo-researcher may use for project {project}, and how.");
        let _ = writeln!(out, "# column: the uses that are allowed; the policies that deny the others\n");
        let request = request("demo-researcher", project);
        for column in COLUMNS {
            let named = column.split_once('.').unwrap();
            let (mut allowed, mut denying) = (Vec::new(), Vec::new());
            for used in Use::ALL {
                match policies.may_use(&request, catalogue, named, used) {
                    Ok(()) => allowed.push(used.as_str()),
                    Err(denied) => {
                        assert_eq!(denied.bug(), None);
                        denying.extend(denied.reasons().iter().map(|reason| reason.policy.clone()));
                    }
                }
            }
            denying.sort();
            denying.dedup();
            let _ = writeln!(out, "{column:26} {:38} {}", allowed.join(" "), denying.join(", "));
        }
    }
}

fn grants(out: &mut String, policies: &Policies, catalogue: &Catalogue) {
    for project in ["demo", "other"] {
        let permit = policies.permit(&request("demo-researcher", project), catalogue).unwrap();
        let grant = permit.grant();
        let (from, to) = (grant.period.from, grant.period.to);
        let _ = writeln!(out, "\n# What demo-researcher is granted for project {project}.\n");
        let _ = writeln!(out, "period     {from} to {to}\ntier       {:?}", grant.tier);
        let _ = writeln!(out, "snapshot   {}…", grant.snapshot.short());
        let _ = writeln!(out, "thresholds {:?} by {}", grant.thresholds, permit.rule_pack());
        for (table, columns) in &grant.tables {
            let all =
                catalogue.tables[table].columns.iter().filter(|column| column.class.is_storable()).count();
            let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
            let columns = if columns.len() == all { "every column".to_owned() } else { columns.join(" ") };
            let _ = writeln!(out, "{table:18} {columns}");
        }
    }
}

#[test]
fn decisions_are_as_in_the_golden_table() {
    let catalogue = catalogue_with_identities();
    let policies = loaded(&catalogue);
    let mut out = String::new();
    acts(&mut out, &policies);
    columns(&mut out, &policies, &catalogue);
    grants(&mut out, &policies, &catalogue);
    expect_file![std::env::current_dir().unwrap().join("tests/decisions.txt")].assert_eq(&out);
}

#[test]
fn a_denial_says_who_asked_what_and_why() {
    let catalogue = Catalogue::builtin().unwrap();
    let policies = loaded(&catalogue);
    let late = Request {
        purpose: "comments".to_owned(),
        now: datetime!(2028-01-01 00:00 UTC),
        ..request("demo-researcher", "demo")
    };
    assert_eq!(
        policies.permit(&late, &catalogue).unwrap_err().to_string(),
        "demo-researcher may not run a query for project demo: the permit has expired (invariant/expired); \
         this is not the purpose that was approved (invariant/purpose)",
    );
    let denied = policies
        .may_use(&request("demo-researcher", "demo"), &catalogue, ("person", "birth_date"), Use::Group)
        .unwrap_err();
    assert_eq!(
        denied.to_string(),
        "demo-researcher may not group by person.birth_date for project demo: \
         exact values are used through age and band functions only (invariant/exact)",
    );
    assert_eq!(denied.reasons()[0].text.ja, "正確な値は年齢・階級の関数を通してのみ使えます");
}

#[test]
fn a_permit_grants_what_single_questions_allow() {
    let catalogue = catalogue_with_identities();
    let policies = loaded(&catalogue);
    for (user, project) in
        [("demo-researcher", "demo"), ("demo-researcher", "other"), ("other-researcher", "other")]
    {
        let request = request(user, project);
        let permit = policies.permit(&request, &catalogue).unwrap();
        for table in catalogue.tables.values() {
            // Each class once in each table: the policies see no more of a column than its class and names.
            let mut seen = BTreeSet::new();
            for column in table.columns.iter().filter(|column| seen.insert(column.class.as_str())) {
                let named = (table.table.as_str(), column.name.as_str());
                let allowed =
                    Use::ALL.iter().any(|used| policies.may_use(&request, &catalogue, named, *used).is_ok());
                assert_eq!(permit.grant().allows(named.0, named.1), allowed, "{project} {named:?}");
            }
        }
        assert_eq!(permit.request(), &request);
        assert_eq!(permit.rule_digest(), policies.rule_pack("general-2026").unwrap().digest());
    }
}

#[test]
fn every_change_of_policy_changes_the_digest() {
    let catalogue = Catalogue::builtin().unwrap();
    let policies = loaded(&catalogue);
    let digest = |project: &str| {
        policies.permit(&request("demo-researcher", project), &catalogue).unwrap().policy_digest().to_owned()
    };
    assert_ne!(digest("demo"), digest("other"));
    assert_eq!(digest("demo"), {
        let alone = Policies::load([demo()], &catalogue).unwrap();
        alone.permit(&request("demo-researcher", "demo"), &catalogue).unwrap().policy_digest().to_owned()
    });
}

/// A renewed permit is what a new one would be, at every time and for every user.
#[test]
fn a_renewed_permit_is_the_permit_of_its_moment() {
    let catalogue = Catalogue::builtin().unwrap();
    let policies = loaded(&catalogue);
    let first = policies.permit(&request("demo-researcher", "demo"), &catalogue).unwrap();
    for (_, now) in TIMES {
        let again = Request { now, ..request("demo-researcher", "demo") };
        let renewed = policies.renewed(&first, &again);
        assert_eq!(renewed, policies.permit(&again, &catalogue).map(Some));
    }
    let others = [
        request("other-researcher", "demo"),
        Request { purpose: "comments".to_owned(), ..request("demo-researcher", "demo") },
        Request { snapshot: snapshot("cd"), ..request("demo-researcher", "demo") },
    ];
    for other in others {
        assert_eq!(policies.renewed(&first, &other), Ok(None), "{other:?}");
    }
    let without = Policies::load([demo()], &catalogue).unwrap();
    assert!(without.renewed(&first, &request("demo-researcher", "other")).is_err());
}
