//! Outputs and incidents: the whole tables of states, people and actions, and whatever people try.

#![cfg(test)]

use std::fmt::Write as _;

use governance::application::Vote;
use governance::incident::{self, Duty, Grade, Incident};
use governance::output::{Action, Mark, Output, State};
use governance::{Actor, Illegal, Role};
use proptest::prelude::*;
use time::OffsetDateTime;

const AT: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

fn actor(who: &str) -> Actor {
    let roles = match who {
        "author" => vec![Role::Researcher],
        "one" | "two" | "three" => vec![Role::Reviewer],
        "officer" => vec![Role::DataOfficer],
        other => panic!("nobody is {other}"),
    };
    Actor::new(who, roles)
}

fn describe() -> Action {
    Action::Describe { context: "table 2".to_owned(), controls: "none needed".to_owned() }
}

fn review(vote: Vote) -> Action {
    Action::Review { vote, comment: "seen".to_owned() }
}

fn because(make: fn(String) -> Action) -> Action {
    make("a reason".to_owned())
}

/// An output that was led to a state by legal moves.
fn at(is_out: bool, state: State) -> Option<Output> {
    let people = ["author".to_owned()];
    let mut output = if is_out { Output::out("q1", people) } else { Output::held("q1", people) };
    let submitted = || if is_out { vec![] } else { vec![("author", describe()), ("author", Action::Submit)] };
    let reviewed = |vote| {
        let mut path = submitted();
        path.extend([("one", review(vote)), ("two", review(vote))]);
        path
    };
    let after = |mut path: Vec<(&'static str, Action)>, more: Vec<(&'static str, Action)>| {
        path.extend(more);
        path
    };
    let path = match (state, is_out) {
        (State::Pending, false) => vec![],
        (State::Submitted, _) => submitted(),
        (State::PartlyReviewed, _) => after(submitted(), vec![("one", review(Vote::For))]),
        (State::Reviewed, _) => reviewed(Vote::For),
        (State::Returned, false) => {
            after(submitted(), vec![("officer", because(|reason| Action::Return { reason }))])
        }
        (State::Approved, false) | (State::Released, true) => {
            after(reviewed(Vote::For), vec![("officer", Action::Approve)])
        }
        (State::Rejected, false) | (State::Revoked, true) => {
            after(reviewed(Vote::Against), vec![("officer", because(|reason| Action::Reject { reason }))])
        }
        (State::Released, false) => {
            after(reviewed(Vote::For), vec![("officer", Action::Approve), ("officer", Action::Release)])
        }
        (State::Revoked, false) => {
            let revoke = because(|reason| Action::Revoke { reason });
            after(reviewed(Vote::For), vec![("officer", Action::Approve), ("officer", revoke)])
        }
        (State::Withdrawn, false) => vec![("author", describe()), ("author", Action::Withdraw)],
        (State::Pending | State::Returned | State::Approved | State::Rejected | State::Withdrawn, true) => {
            return None;
        }
    };
    for (who, action) in path {
        output.make(&actor(who), AT, action).unwrap();
    }
    assert_eq!(output.state(), state);
    Some(output)
}

/// Everybody who could come to an output, with the word of the table.
fn comers() -> Vec<(&'static str, Actor)> {
    vec![
        ("author", actor("author")),
        ("other researcher", Actor::new("stranger", [Role::Researcher])),
        ("reviewer", actor("three")),
        ("reviewer who may have said", actor("one")),
        ("data officer", actor("officer")),
        ("officer who may have said", Actor::new("one", [Role::Reviewer, Role::DataOfficer])),
        ("author who is of the board", {
            Actor::new("author", [Role::Researcher, Role::DataOfficer, Role::Reviewer])
        }),
        ("operator", Actor::new("operator", [Role::Operator])),
        ("auditor", Actor::new("auditor", [Role::Auditor])),
        ("public", Actor::new("", [Role::Public])),
    ]
}

fn words<'m>(may: impl Iterator<Item = &'m str>) -> String {
    let may: Vec<&str> = may.collect();
    if may.is_empty() { "nothing".to_owned() } else { may.join(" ") }
}

fn golden(path: &str, found: &str) {
    let written = std::fs::read_to_string(path).unwrap_or_default();
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, found).unwrap();
        return;
    }
    assert_eq!(written, found, "run again with UPDATE_EXPECT=1 to take the new table");
}

#[test]
fn outputs_by_people_by_actions_are_the_written_table() {
    let mut text = String::from("# state | who | what may be done | evidence\n");
    for (when, is_out) in [("before it goes out", false), ("after it went out", true)] {
        writeln!(text, "# {when}").unwrap();
        for state in State::ALL {
            let Some(output) = at(is_out, state) else { continue };
            for (who, actor) in comers() {
                let may = Mark::ALL.into_iter().filter(|mark| output.may(&actor, *mark).is_ok());
                let may = words(may.map(Mark::as_str));
                let sees = if output.may_see_evidence(&actor) { "sees" } else { "-" };
                writeln!(text, "{} | {who} | {may} | {sees}", state.as_str()).unwrap();
            }
        }
    }
    golden("tests/outputs.txt", &text);
}

#[test]
fn incidents_by_people_by_actions_are_the_written_table() {
    let officer = actor("officer");
    let incident = |grade, closed: bool| {
        let mut incident = Incident::known(AT, grade);
        if closed {
            for (duty, _) in Incident::known(AT, grade).open() {
                let text = "to the ministry".to_owned();
                incident.make(&officer, AT, incident::Action::Discharge { duty, text }).unwrap();
            }
            let close = incident::Action::Close { summary: "learnt".to_owned() };
            incident.make(&officer, AT, close).unwrap();
        }
        incident
    };
    let mut conflicted = incident(Grade::Incident, false);
    let declare = incident::Action::Declare { interest: "their own project".to_owned() };
    conflicted.make(&officer, AT, declare).unwrap();
    let mut text = String::from("# incident | who | what may be done\n");
    let cases = [
        ("near miss, open", incident(Grade::NearMiss, false)),
        ("incident, open", incident(Grade::Incident, false)),
        ("incident, the data officer declared an interest", conflicted),
        ("near miss, closed", incident(Grade::NearMiss, true)),
        ("incident, closed", incident(Grade::Incident, true)),
    ];
    for (name, incident) in &cases {
        for (who, actor) in comers() {
            let may = incident::Mark::ALL.into_iter().filter(|mark| incident.may(&actor, *mark).is_ok());
            writeln!(text, "{name} | {who} | {}", words(may.map(incident::Mark::as_str))).unwrap();
        }
    }
    golden("tests/incidents.txt", &text);
    assert_eq!(cases[1].1.overdue(AT + Duty::Report.within()), [Duty::Notice]);
}

#[test]
fn who_declares_an_interest_is_out_and_what_they_said_with_them() {
    let mut output = at(false, State::Reviewed).unwrap();
    let declare = Action::Declare { interest: "a former colleague".to_owned() };
    output.make(&actor("one"), AT, declare).unwrap();
    assert_eq!(output.state(), State::PartlyReviewed);
    assert_eq!(output.make(&actor("one"), AT, review(Vote::For)), Err(Illegal::Conflict));
    assert!(!output.may_see_evidence(&actor("one")));
    output.make(&actor("three"), AT, review(Vote::For)).unwrap();
    output.make(&actor("officer"), AT, Action::Approve).unwrap();
}

#[test]
fn a_rejection_is_appealed_once_and_a_file_voids_what_was_said() {
    let mut output = at(false, State::Rejected).unwrap();
    let appeal = || because(|reason| Action::Appeal { reason });
    output.make(&actor("author"), AT, appeal()).unwrap();
    assert_eq!((output.state(), output.given()), (State::Submitted, 0));
    output.make(&actor("one"), AT, review(Vote::Against)).unwrap();
    let attach = |name: &str| Action::Attach { name: name.to_owned(), text: "I50\n".to_owned() };
    output.make(&actor("author"), AT, attach("codes.csv")).unwrap();
    assert_eq!(output.state(), State::Submitted);
    let wrong = output.make(&actor("author"), AT, attach("codes.xlsm"));
    assert!(matches!(wrong, Err(Illegal::File(_))));
    for who in ["one", "two"] {
        output.make(&actor(who), AT, review(Vote::Against)).unwrap();
    }
    output.make(&actor("officer"), AT, because(|reason| Action::Reject { reason })).unwrap();
    assert_eq!(output.make(&actor("author"), AT, appeal()), Err(Illegal::Twice));
}

fn any_action() -> impl Strategy<Value = Action> {
    let text = || prop_oneof![Just(String::new()), Just("a reason".to_owned())];
    prop_oneof![
        Just(describe()),
        Just(Action::Attach { name: "a.txt".to_owned(), text: "x".to_owned() }),
        Just(Action::Submit),
        Just(Action::Withdraw),
        text().prop_map(|interest| Action::Declare { interest }),
        Just(review(Vote::For)),
        Just(review(Vote::Against)),
        text().prop_map(|reason| Action::Return { reason }),
        Just(Action::Approve),
        text().prop_map(|reason| Action::Reject { reason }),
        text().prop_map(|reason| Action::Appeal { reason }),
        Just(Action::Release),
        text().prop_map(|reason| Action::Revoke { reason }),
    ]
}

proptest! {
    /// Whatever people try: nothing held goes out without two opinions of others and somebody else's decision, and
    /// nobody sees the other's opinion before both are given.
    #[test]
    fn no_sequence_gets_around_the_airlock(
        is_out in any::<bool>(),
        steps in prop::collection::vec((0_usize..10, any_action()), 0..60),
    ) {
        let begin = || {
            let people = ["author".to_owned()];
            if is_out { Output::out("q1", people) } else { Output::held("q1", people) }
        };
        let mut output = begin();
        let comers = comers();
        for (who, action) in steps {
            let actor = &comers[who].1;
            let (before, given, mark) = (output.state(), output.given(), action.mark());
            if output.make(actor, AT, action).is_err() {
                prop_assert_eq!(output.state(), before);
                continue;
            }
            if matches!(mark, Mark::Review | Mark::Approve | Mark::Reject | Mark::Release | Mark::Revoke) {
                prop_assert!(actor.user() != "author");
            }
            if mark == Mark::Approve {
                prop_assert!(given >= 2);
            }
            if output.given() < 2 {
                let reader = Actor::new("three", [Role::Reviewer]);
                let seen = output.opinions(&reader);
                let is_decided = matches!(
                    output.state(),
                    State::Returned | State::Approved | State::Rejected | State::Released | State::Revoked
                );
                prop_assert!(is_decided || seen.iter().all(|opinion| opinion.who == "three"));
            }
        }
        let again = begin().replayed(output.moves().to_vec());
        prop_assert_eq!(again.state(), output.state());
        prop_assert_eq!(again.given(), output.given());
    }
}
