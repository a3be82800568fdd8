//! Applications: the whole table of states, people and actions, and journeys through it.

#![cfg(test)]

use std::fmt::Write as _;

use governance::application::{Action, Application, Mark, State, Vote};
use governance::form::{Answer, Answers, FormSchema};
use governance::{Actor, Illegal, Role};
use proptest::prelude::*;
use time::OffsetDateTime;

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

const SCHEMA: &str = r#"
edition = "2026-11-01"
source = "a test"
[[question]]
id = "purpose"
ja = "利用目的"
en = "purpose"
kind = { text = { least = 1 } }
"#;

struct House {
    lead: Actor,
    one: Actor,
    two: Actor,
    officer: Actor,
    operator: Actor,
}

fn house() -> House {
    House {
        lead: Actor::new("lead", [Role::Researcher]),
        one: Actor::new("one", [Role::Reviewer]),
        two: Actor::new("two", [Role::Reviewer]),
        officer: Actor::new("officer", [Role::DataOfficer]),
        operator: Actor::new("operator", [Role::Operator]),
    }
}

fn write() -> Action {
    let answers = Answers::from([("purpose".to_owned(), Answer::Text("重症化予防".to_owned()))]);
    Action::Write { document: "a document".to_owned(), answers, people: vec!["lead".to_owned()] }
}

fn accept() -> Action {
    Action::Accept { reviewers: vec!["one".to_owned(), "two".to_owned()] }
}

fn review(vote: Vote) -> Action {
    Action::Review { vote, comment: "read".to_owned() }
}

fn approve() -> Action {
    Action::Approve { conditions: vec![] }
}

fn because(make: fn(String) -> Action) -> Action {
    make("a reason".to_owned())
}

fn reject() -> Action {
    because(|reason| Action::Reject { reason })
}

/// An application that was led to a state by legal moves.
fn at(state: State) -> Application {
    let house = house();
    let mut application = Application::begin("p1", FormSchema::parse(SCHEMA).unwrap(), &house.lead).unwrap();
    let reviewed = |vote| vec![("one", review(vote)), ("two", review(vote))];
    let approved = || {
        let mut path = vec![("lead", write()), ("lead", Action::Submit), ("officer", accept())];
        path.extend(reviewed(Vote::For));
        path.push(("officer", approve()));
        path
    };
    let after = |mut path: Vec<(&'static str, Action)>, more: Vec<(&'static str, Action)>| {
        path.extend(more);
        path
    };
    let written = || vec![("lead", write()), ("lead", Action::Submit)];
    let path = match state {
        State::Draft => vec![("lead", write())],
        State::Submitted => written(),
        State::Returned => after(written(), vec![("officer", because(|reason| Action::Return { reason }))]),
        State::UnderReview => after(after(written(), vec![("officer", accept())]), reviewed(Vote::Changes)),
        State::Approved => approved(),
        State::Amending => after(approved(), vec![("lead", Action::Amend)]),
        State::AmendmentSubmitted => {
            after(approved(), vec![("lead", Action::Amend), ("lead", Action::Submit)])
        }
        State::AmendmentUnderReview => {
            let more = vec![("lead", Action::Amend), ("lead", Action::Submit), ("officer", accept())];
            after(after(approved(), more), reviewed(Vote::Changes))
        }
        State::Suspended => {
            after(approved(), vec![("officer", because(|reason| Action::Suspend { reason }))])
        }
        State::Closing => after(approved(), vec![("lead", because(|reason| Action::Close { reason }))]),
        State::Closed => {
            let more = vec![
                ("lead", because(|reason| Action::Close { reason })),
                ("operator", because(|record| Action::Finish { record })),
            ];
            after(approved(), more)
        }
        State::Rejected => {
            let path = after(after(written(), vec![("officer", accept())]), reviewed(Vote::Against));
            after(path, vec![("officer", reject())])
        }
        State::Withdrawn => after(written(), vec![("lead", Action::Withdraw)]),
    };
    for (who, action) in path {
        let actor = [&house.lead, &house.one, &house.two, &house.officer, &house.operator]
            .into_iter()
            .find(|actor| actor.user() == who)
            .unwrap();
        application.make(actor, AT, action).unwrap();
    }
    assert_eq!(application.state(), state);
    application
}

/// Everybody who could come to an application, with the word of the table.
fn comers() -> Vec<(&'static str, Actor)> {
    vec![
        ("lead", Actor::new("lead", [Role::Researcher])),
        ("other researcher", Actor::new("stranger", [Role::Researcher])),
        ("reviewer", Actor::new("three", [Role::Reviewer])),
        ("assigned reviewer", Actor::new("one", [Role::Reviewer])),
        ("data officer", Actor::new("officer", [Role::DataOfficer])),
        ("officer who reviewed", Actor::new("one", [Role::Reviewer, Role::DataOfficer])),
        ("lead who is officer", Actor::new("lead", [Role::Researcher, Role::DataOfficer, Role::Reviewer])),
        ("operator", Actor::new("operator", [Role::Operator])),
        ("auditor", Actor::new("auditor", [Role::Auditor])),
        ("public", Actor::new("", [Role::Public])),
    ]
}

fn table() -> String {
    let mut text = String::from("# state | who | what may be done\n");
    for state in State::ALL {
        let application = at(state);
        for (who, actor) in comers() {
            let may: Vec<&str> = Mark::ALL
                .into_iter()
                .filter(|mark| application.may(&actor, *mark).is_ok())
                .map(Mark::as_str)
                .collect();
            let may = if may.is_empty() { "nothing".to_owned() } else { may.join(" ") };
            writeln!(text, "{} | {who} | {may}", state.as_str()).unwrap();
        }
    }
    text
}

#[test]
fn states_by_people_by_actions_are_the_written_table() {
    let path = "tests/applications.txt";
    let written = std::fs::read_to_string(path).unwrap_or_default();
    let found = table();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, &found).unwrap();
        return;
    }
    assert_eq!(written, found, "run again with UPDATE_EXPECT=1 to take the new table");
}

#[test]
fn every_state_is_left_and_entered_only_by_the_table() {
    for state in State::ALL {
        for mark in Mark::ALL {
            if mark.from(state).is_none() {
                for (_, actor) in comers() {
                    let expected = Err(Illegal::State { state: state.as_str() });
                    assert_eq!(at(state).may(&actor, mark), expected);
                }
            }
        }
    }
    for end in [State::Closed, State::Withdrawn] {
        assert!(Mark::ALL.iter().all(|mark| mark.from(end).is_none()));
    }
}

#[test]
fn an_incomplete_form_is_not_submitted() {
    let house = house();
    let schema = FormSchema::parse(SCHEMA).unwrap();
    let mut application = Application::begin("p1", schema, &house.lead).unwrap();
    let missing = vec!["purpose: not answered".to_owned()];
    assert_eq!(application.make(&house.lead, AT, Action::Submit).unwrap_err(), Illegal::Incomplete(missing));
}

#[test]
fn a_decision_takes_two_opinions_and_follows_them() {
    let house = house();
    let mut application = at(State::Submitted);
    let few = Action::Accept { reviewers: vec!["one".to_owned(), "one".to_owned()] };
    let needed = |given| Illegal::Opinions { given, needed: 2 };
    assert_eq!(application.make(&house.officer, AT, few).unwrap_err(), needed(1));
    let own = Action::Accept { reviewers: vec!["one".to_owned(), "lead".to_owned()] };
    assert_eq!(application.make(&house.officer, AT, own).unwrap_err(), Illegal::Own);
    application.make(&house.officer, AT, accept()).unwrap();
    application.make(&house.one, AT, review(Vote::Against)).unwrap();
    assert_eq!(application.make(&house.officer, AT, reject()).unwrap_err(), needed(1));
    application.make(&house.two, AT, review(Vote::Against)).unwrap();
    assert_eq!(application.make(&house.officer, AT, approve()).unwrap_err(), Illegal::Against);
    application.make(&house.officer, AT, reject()).unwrap();
    application.make(&house.lead, AT, because(|reason| Action::Appeal { reason })).unwrap();
    application.make(&house.officer, AT, accept()).unwrap();
    application.make(&house.one, AT, review(Vote::Against)).unwrap();
    application.make(&house.two, AT, review(Vote::Against)).unwrap();
    application.make(&house.officer, AT, reject()).unwrap();
    let again = because(|reason| Action::Appeal { reason });
    assert_eq!(application.make(&house.lead, AT, again).unwrap_err(), Illegal::Twice);
}

#[test]
fn who_declares_an_interest_is_out_of_it() {
    let house = house();
    let mut application = at(State::UnderReview);
    assert_eq!(application.opinions().len(), 2);
    let declare = Action::Declare { interest: "works with the lead".to_owned() };
    application.make(&house.one, AT, declare).unwrap();
    assert_eq!(application.opinions().len(), 1);
    assert_eq!(application.make(&house.one, AT, review(Vote::For)).unwrap_err(), Illegal::Conflict);
    let few = Illegal::Opinions { given: 1, needed: 2 };
    assert_eq!(application.make(&house.officer, AT, approve()).unwrap_err(), few);
}

#[test]
fn an_amendment_leaves_the_permit_in_force_and_needs_opinions_of_its_own() {
    let house = house();
    let mut application = at(State::AmendmentSubmitted);
    assert!(application.state().is_in_force());
    assert_eq!(application.decided(), Some("a document"));
    assert_eq!(application.opinions().len(), 0);
    application.make(&house.officer, AT, accept()).unwrap();
    let few = Illegal::Opinions { given: 0, needed: 2 };
    assert_eq!(application.make(&house.officer, AT, approve()).unwrap_err(), few);
    let stop = because(|reason| Action::Suspend { reason });
    application.make(&house.officer, AT, stop).unwrap();
    assert!(!application.state().is_in_force());
}

fn any_action() -> impl Strategy<Value = Action> {
    let text = || prop_oneof![Just(String::new()), Just("a reason".to_owned())];
    prop_oneof![
        Just(write()),
        Just(Action::Submit),
        Just(Action::Withdraw),
        Just(accept()),
        Just(Action::Accept { reviewers: vec!["lead".to_owned()] }),
        text().prop_map(|reason| Action::Return { reason }),
        text().prop_map(|interest| Action::Declare { interest }),
        Just(review(Vote::For)),
        Just(review(Vote::Against)),
        Just(approve()),
        text().prop_map(|reason| Action::Reject { reason }),
        text().prop_map(|reason| Action::Appeal { reason }),
        Just(Action::Amend),
        text().prop_map(|reason| Action::Suspend { reason }),
        Just(Action::Resume),
        text().prop_map(|reason| Action::Close { reason }),
        text().prop_map(|record| Action::Finish { record }),
    ]
}

proptest! {
    /// Whatever people try: nobody decides on their own, and stored moves lead to the same application.
    #[test]
    fn no_sequence_gets_around_the_board(steps in prop::collection::vec((0_usize..10, any_action()), 0..60)) {
        let schema = || FormSchema::parse(SCHEMA).unwrap();
        let house = house();
        let mut application = Application::begin("p1", schema(), &house.lead).unwrap();
        let comers = comers();
        for (who, action) in steps {
            let actor = &comers[who].1;
            let before = application.state();
            let mark = action.mark();
            if application.make(actor, AT, action).is_err() {
                prop_assert_eq!(application.state(), before);
                continue;
            }
            if matches!(mark, Mark::Approve | Mark::Reject | Mark::Review | Mark::Accept) {
                prop_assert!(!application.people().contains(actor.user()));
            }
            if mark == Mark::Approve {
                prop_assert!(application.opinions().len() >= 2);
                prop_assert!(application.opinions().iter().all(|opinion| opinion.who != actor.user()));
            }
        }
        let again = Application::replay("p1", schema(), "lead", application.moves().to_vec());
        prop_assert_eq!(again.state(), application.state());
        prop_assert_eq!(again.opinions(), application.opinions());
    }
}
