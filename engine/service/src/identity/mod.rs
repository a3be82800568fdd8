//! Who asks: the guard finds the person behind every call and lets no one else say it.
//!
//! A call carries the word of a session or of a token; the guard knows digests. The person that is found takes the
//! place of whoever the request names, and the project must be one of theirs. So whoever takes the gateway over can
//! use what passes through it and nothing more. Only the owner of the environment, who starts a guard of their own
//! and speaks to it on its standard streams, names the user.

mod accounts;
mod certificates;
mod factors;
mod office;
mod oidc;
mod passwords;
mod sessions;
mod standing;
mod tokens;
mod words;

use std::time::Duration;

use catalog_store::{ServiceRecord, SessionRecord, TokenRecord};
use engine_protocol::{
    Call, Caller, ClientReply, ClientRequest, IdentityAsk, IdentityReply, Me, ProjectName,
};

pub(crate) use accounts::Turns;
pub use office::{AccountError, AccountLine};
pub use standing::Standing;
pub(crate) use standing::{Bar, bar};

use crate::guard::{Guard, GuardError};
use crate::running::Asking;

/// How a call reached the guard, and how its asker can be seen to have gone away.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) door: Door,
    pub(crate) is_gone: &'a dyn Fn() -> bool,
}

/// The door through which a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// On the standard streams of a guard that its asker started.
    Streams,
    /// On the socket.
    Socket,
}

/// The person behind a call.
pub(crate) struct Asker {
    standing: Standing,
    /// The projects whose permit names the person; for a token its own alone.
    projects: Vec<ProjectName>,
    by: By,
}

/// What the person came in with.
enum By {
    Session(SessionRecord),
    Token(TokenRecord),
    /// A program with a client certificate, by its session.
    Service(SessionRecord, ServiceRecord),
}

impl By {
    /// The one project that is served; a session serves every one of its person.
    fn only(&self) -> Option<&str> {
        match self {
            Self::Session(_) => None,
            Self::Token(token) => Some(&token.project),
            Self::Service(_, service) => Some(&service.project),
        }
    }
}

/// Answers one call.
pub(crate) fn reply(guard: &Guard, call: Call, line: Line<'_>) -> ClientReply {
    match answered(guard, call, line) {
        Ok(reply) => reply,
        Err(error) => Guard::fault(&error),
    }
}

fn answered(guard: &Guard, call: Call, line: Line<'_>) -> Result<ClientReply, GuardError> {
    if call.by == Caller::Owner && line.door == Door::Streams {
        let asking = Asking { name: call.name, is_gone: line.is_gone, step: Duration::ZERO };
        return Ok(guard.answer_to(&call.request, &asking));
    }
    let step = Duration::from_millis(guard.environment.config().turns.step_ms.into());
    let asking = Asking { name: call.name, is_gone: line.is_gone, step };
    let asker = find(guard, &call.by)?;
    let request = call.request;
    if let ClientRequest::Identity(ask) = &request {
        return Ok(
            about_oneself(guard, asker.as_ref(), ask)?.map_or(ClientReply::NotKnown, ClientReply::Identity)
        );
    }
    if request.is_public() {
        return Ok(guard.answer(&request));
    }
    let Some(asker) = asker else { return Ok(ClientReply::NotKnown) };
    // A token or a program asks questions of its project; they open no other door.
    if asker.by.only().is_some() && request.project().is_none() {
        return Ok(ClientReply::NotKnown);
    }
    let is_theirs = |project: &str| asker.projects.iter().any(|known| known.id == project);
    if !request.project().is_none_or(is_theirs) {
        return Ok(ClientReply::NotKnown);
    }
    Ok(guard.answer_to(&request.asked_by(&asker.standing.user), &asking))
}

/// The person whom a caller stands for: nobody where the word is unknown or has ended, or the person was shut out.
fn find(guard: &Guard, caller: &Caller) -> Result<Option<Asker>, GuardError> {
    let by = match caller {
        Caller::Nobody | Caller::Owner => None,
        Caller::Session { word } => match sessions::find(guard, word)? {
            Some(session) if session.method == certificates::METHOD => {
                let service = certificates::find(guard, |service| service.uri == session.project)?;
                service
                    .filter(|service| service.user == session.user)
                    .map(|service| By::Service(session, service))
            }
            session => session.map(By::Session),
        },
        Caller::Token { word } => tokens::find(guard, word)?.map(By::Token),
    };
    let Some(by) = by else { return Ok(None) };
    let user = match &by {
        By::Session(session) | By::Service(session, _) => &session.user,
        By::Token(token) => &token.user,
    };
    let Some(standing) = Standing::of(&guard.meta, user, guard.now())? else { return Ok(None) };
    let mut projects = projects(guard, &standing.user)?;
    if let Some(only) = by.only() {
        projects.retain(|project| project.id == only);
    }
    Ok(Some(Asker { standing, projects, by }))
}

/// The projects whose permit names a user.
fn projects(guard: &Guard, user: &str) -> Result<Vec<ProjectName>, GuardError> {
    let policies = guard.permits.policies(&guard.catalogue)?;
    let applications = policies.projects().filter_map(|project| policies.application(project));
    let theirs = applications.filter(|one| one.people().iter().any(|person| person.user == user));
    let name = |one: &policies::Application| ProjectName {
        id: one.project().to_owned(),
        ja: one.title().ja.clone(),
        en: one.title().en.clone(),
    };
    Ok(theirs.map(name).collect())
}

/// What is asked about the asker; nothing where it takes somebody who is known, or a session and not a token.
fn about_oneself(
    guard: &Guard,
    asker: Option<&Asker>,
    ask: &IdentityAsk,
) -> Result<Option<IdentityReply>, GuardError> {
    let begun = match ask {
        IdentityAsk::Link { word } => Some(sessions::by_link(guard, word)?),
        IdentityAsk::SignIn { user, password, code } => Some(accounts::sign_in(guard, user, password, code)?),
        IdentityAsk::Certificate(proof) => Some(certificates::begin(guard, proof)?),
        IdentityAsk::OidcBegin => Some(oidc::begin(guard)?),
        IdentityAsk::OidcFinish { token } => Some(oidc::finish(guard, token)?),
        IdentityAsk::Enrolment { invitation } => Some(accounts::enrolment(guard, invitation)?),
        IdentityAsk::Enrol { invitation, password, code } => {
            Some(accounts::enrol(guard, invitation, password, code)?)
        }
        _ => None,
    };
    if begun.is_some() {
        return Ok(begun);
    }
    let Some(asker) = asker else { return Ok(None) };
    if *ask == IdentityAsk::Me {
        return Ok(Some(IdentityReply::Me(asker.me(guard))));
    }
    // A token asks questions; it opens no other door.
    let By::Session(session) = &asker.by else { return Ok(None) };
    let user = &asker.standing.user;
    Ok(Some(match ask {
        // Answered above, for whoever asks.
        IdentityAsk::Link { .. }
        | IdentityAsk::SignIn { .. }
        | IdentityAsk::Certificate(_)
        | IdentityAsk::OidcBegin
        | IdentityAsk::OidcFinish { .. }
        | IdentityAsk::Enrolment { .. }
        | IdentityAsk::Enrol { .. }
        | IdentityAsk::Me => IdentityReply::Refused,
        IdentityAsk::ChangePassword { old, new, code } => {
            accounts::change_password(guard, user, (old, new), code)?
        }
        IdentityAsk::RenewRecoveryCodes { password, code } => {
            accounts::renew_recovery_codes(guard, user, password, code)?
        }
        IdentityAsk::Choose { project } => {
            if !asker.projects.iter().any(|known| known.id == *project) {
                return Ok(Some(IdentityReply::Refused));
            }
            guard.meta.choose_project(&session.digest, project)?;
            IdentityReply::Done
        }
        IdentityAsk::SignOut => sessions::end(guard, session)?,
        IdentityAsk::SignOutEverywhere => sessions::end_all(guard, user)?,
        IdentityAsk::IssueToken(wish) => {
            if !asker.projects.iter().any(|known| known.id == wish.project) {
                return Ok(Some(IdentityReply::Refused));
            }
            tokens::issue(guard, user, wish)?.map_or(IdentityReply::Refused, |(word, token)| {
                IdentityReply::Token { word, token: tokens::view(token) }
            })
        }
        IdentityAsk::Tokens => {
            let tokens = guard.meta.tokens(Some(user))?;
            IdentityReply::Tokens { tokens: tokens.into_iter().map(tokens::view).collect() }
        }
        IdentityAsk::RevokeToken { id } => tokens::revoke(guard, user, id)?,
    }))
}

impl Asker {
    fn me(&self, guard: &Guard) -> Me {
        let (method, project, ends) = match &self.by {
            By::Session(session) => (
                session.method.clone(),
                Some(session.project.clone()).filter(|project| !project.is_empty()),
                session.began.saturating_add(guard.sign_in().longest_seconds()),
            ),
            By::Service(session, service) => (
                session.method.clone(),
                Some(service.project.clone()),
                session.began.saturating_add(guard.sign_in().longest_seconds()).min(service.ends),
            ),
            By::Token(token) => ("token".to_owned(), Some(token.project.clone()), token.ends),
        };
        // A project that was chosen and is theirs no longer is nobody's choice.
        let project = project.filter(|project| self.projects.iter().any(|known| known.id == *project));
        let only = || match self.projects.as_slice() {
            [only] => Some(only.id.clone()),
            _ => None,
        };
        Me {
            user: self.standing.user.clone(),
            roles: self.standing.roles.iter().map(|role| role.as_str().to_owned()).collect(),
            projects: self.projects.clone(),
            project: project.or_else(only),
            trained_until: self.standing.trained_until.clone(),
            is_trained: self.standing.is_trained,
            method,
            ends,
        }
    }
}
