//! Asking about a case on the command line, and printing what comes: the same questions as over the socket.

use std::io::{Write as _, stdout};

use engine_protocol::{CaseKind, CaseView, FieldValue, Fields, Govern, GovernRequest, Governed};
use engine_service::govern;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use super::{Acting, House};
use crate::Failure;

/// Asks as the person who acts.
pub(crate) fn ask(acting: &Acting, what: Govern) -> Result<Governed, Failure> {
    let house = House::open(&acting.env)?;
    Ok(govern(&house.office()?, &GovernRequest { user: acting.user.clone(), what })?)
}

/// Makes a move and prints where the case stands then.
pub(crate) fn step(
    acting: &Acting,
    (kind, id): (CaseKind, &str),
    action: &str,
    fields: Fields,
) -> Result<(), Failure> {
    let what = Govern::Move { kind, id: id.to_owned(), action: action.to_owned(), fields, seen: None };
    say_state(&ask(acting, what)?)
}

/// Fields with texts.
pub(crate) fn texts<const N: usize>(texts: [(&str, &str); N]) -> Fields {
    let given = texts.into_iter().filter(|(_, text)| !text.is_empty());
    given.map(|(name, text)| (name.to_owned(), FieldValue::Text(text.to_owned()))).collect()
}

/// Prints a case's id and state.
pub(crate) fn say_state(answer: &Governed) -> Result<(), Failure> {
    let Governed::Case(case) = answer else { return Err("the answer is no case".into()) };
    let line = &case.line;
    Ok(writeln!(stdout(), "{}: {} ({})", line.id, line.state.word, line.state.ja)?)
}

/// Prints the cases of a kind, one on a line.
pub(crate) fn list(acting: &Acting, kind: CaseKind) -> Result<(), Failure> {
    let Governed::Cases { cases } = ask(acting, Govern::List { kind })? else {
        return Err("the answer is no list".into());
    };
    for case in cases {
        let people = case.people.join(",");
        writeln!(stdout(), "{:20} {:22} {people}", case.id, case.state.word)?;
        for notice in case.notices {
            writeln!(stdout(), "  {} / {}", notice.ja, notice.en)?;
        }
    }
    Ok(())
}

/// Prints a case with its moves.
pub(crate) fn show(acting: &Acting, kind: CaseKind, id: &str) -> Result<(), Failure> {
    match ask(acting, Govern::Case { kind, id: id.to_owned() })? {
        Governed::Case(case) => print(&case, &acting.user),
        _ => Err("the answer is no case".into()),
    }
}

fn print(case: &CaseView, user: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let line = &case.line;
    writeln!(out, "{}: {} ({})", line.id, line.state.word, line.state.ja)?;
    for fact in &case.facts {
        writeln!(out, "\n{} / {}\n  {}", fact.name.ja, fact.name.en, fact.text.replace('\n', "\n  "))?;
    }
    writeln!(out)?;
    for duty in &case.duties {
        let done = match (&duty.done, duty.is_overdue) {
            (Some(at), _) => format!("done {}", minute(at)?),
            (None, true) => "OVERDUE".to_owned(),
            (None, false) => "open".to_owned(),
        };
        writeln!(out, "due {}  {:8} {done}", minute(&duty.due)?, duty.duty.word)?;
    }
    for made in &case.history {
        let at = minute(&made.at)?;
        writeln!(out, "{at}  {:12} {}", made.who, made.action.word)?;
    }
    for opinion in &case.opinions {
        writeln!(
            out,
            "{} says {} ({}): {}",
            opinion.who, opinion.vote.word, opinion.vote.ja, opinion.comment
        )?;
    }
    for notice in &line.notices {
        writeln!(out, "{} / {}", notice.ja, notice.en)?;
    }
    let may: Vec<&str> = case.moves.iter().map(|allowed| allowed.action.word.as_str()).collect();
    let may = if may.is_empty() { "nothing".to_owned() } else { may.join(", ") };
    writeln!(out, "\n{user} may now: {may}")?;
    Ok(())
}

fn minute(at: &str) -> Result<String, Failure> {
    let at = OffsetDateTime::parse(at, &Rfc3339)?;
    Ok(at.format(format_description!("[year]-[month]-[day] [hour]:[minute] UTC"))?)
}
