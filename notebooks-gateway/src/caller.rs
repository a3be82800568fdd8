//! Who calls through a door that has no cookies (HTTP API, Flight SQL, Jupyter), and how such a caller asks.
//!
//! A caller is known by a token alone. Whatever a door wants of the guard goes through [`Gateway::ask_for`]: no door
//! builds a request, so no door can name somebody else.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use engine_protocol::{
    AnalysisAct, AnalysisAsk, AnalysisReply, Budget, ClientReply, ClientRequest, FrameError, Governed,
    Question, ReleasedTable, RunName, TemplateQuestion, TemplateView, TemplatesAsk, Verdict,
};

use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::visitor::{Visitor, visitor_of_token};

/// Whoever holds a token.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Visitor);

/// Whose something is: what one caller began or was answered is found by nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Owner {
    pub(crate) user: String,
    pub(crate) project: String,
}

/// Why a request has no caller.
#[derive(Debug)]
pub(crate) enum NotAdmitted {
    /// No token, or one that nobody has.
    Unknown,
    /// Too many calls; come back after so many seconds.
    Often(u64),
    /// Nobody can say whose token it is.
    Guard(AskError),
}

/// What a door asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Would this run?
    Vet(String),
    /// Would this run, and what would it cost?
    Estimate(String),
    /// Run this.
    Query(String),
    /// Run an approved template with these values.
    Template(String, BTreeMap<String, String>),
}

/// What the guard answered.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// What vetting said; the only answer to a query that is refused or denied.
    Verdict(Verdict),
    /// What vetting said, and what it would cost.
    Estimate(Verdict, Option<Budget>),
    /// A protected table.
    Released(Arc<ReleasedTable>),
    /// Nothing can be released.
    Withheld,
    /// People look at it before it goes out; the output's id.
    Held(String),
    /// Its asker stopped it.
    Stopped,
    /// A fault of ours.
    Fault,
}

impl Caller {
    /// The caller with this token.
    ///
    /// # Errors
    ///
    /// Nobody can say whose token it is.
    async fn of_token(gateway: &Gateway, token: &str) -> Result<Option<Self>, AskError> {
        Ok(visitor_of_token(gateway, token).await?.map(Self))
    }

    /// Whose this caller's answers are.
    pub(crate) fn owner(&self) -> Owner {
        Owner { user: self.user().to_owned(), project: self.project().to_owned() }
    }

    /// The user, for messages.
    pub(crate) fn user(&self) -> &str {
        self.0.user()
    }

    /// The project that the caller asks for.
    pub(crate) fn project(&self) -> &str {
        self.0.project()
    }

    fn request(&self, ask: Ask) -> ClientRequest {
        let (user, project) = (self.user().to_owned(), self.project().to_owned());
        match ask {
            Ask::Vet(sql) => ClientRequest::Vet(Question { user, project, sql }),
            Ask::Estimate(sql) => ClientRequest::Estimate(Question { user, project, sql }),
            Ask::Query(sql) => ClientRequest::Query(Question { user, project, sql }),
            Ask::Template(template, parameters) => {
                ClientRequest::Template(TemplateQuestion { user, project, template, parameters })
            }
        }
    }
}

/// The token in the one authorization header, after one of these words.
fn token<'h>(headers: &'h HeaderMap, schemes: &[&str]) -> Option<&'h str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let is_known = schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    is_known.then(|| token.trim())
}

/// An answer that should be about something else.
fn odd(reply: ClientReply) -> AskError {
    if let ClientReply::Fault { message } = reply {
        tracing::error!(message, "the guard reports a fault");
        return AskError::Fault(message);
    }
    AskError::Broken(Arc::new(FrameError::Form))
}

impl Gateway {
    /// Asks the guard for something of a caller's analyses.
    pub(crate) async fn analysis(
        &self,
        caller: &Caller,
        act: AnalysisAct,
    ) -> Result<AnalysisReply, AskError> {
        let (user, project) = (caller.user().to_owned(), caller.project().to_owned());
        let request = ClientRequest::Analysis(AnalysisAsk { user, project, act });
        match self.ask(&caller.0, request).await? {
            ClientReply::Analysis(reply) => Ok(reply),
            other => Err(odd(other)),
        }
    }

    /// The templates that the board approved for the caller's project.
    pub(crate) async fn templates(&self, caller: &Caller) -> Result<Vec<TemplateView>, AskError> {
        let (user, project) = (caller.user().to_owned(), caller.project().to_owned());
        match self.ask(&caller.0, ClientRequest::Templates(TemplatesAsk { user, project })).await? {
            ClientReply::Templates { templates } => Ok(templates),
            other => Err(odd(other)),
        }
    }

    /// The caller of a request, who is not calling too often.
    ///
    /// # Errors
    ///
    /// No token of anybody's, too many calls, or nobody can say whose token it is.
    pub(crate) async fn admit(&self, headers: &HeaderMap, schemes: &[&str]) -> Result<Caller, NotAdmitted> {
        // What has no token costs nobody's time; wrong tokens share one bucket, so that guessing is slow.
        let Some(token) = token(headers, schemes) else { return Err(NotAdmitted::Unknown) };
        self.admit_token(token).await
    }

    /// The caller with this token, who is not calling too often.
    ///
    /// # Errors
    ///
    /// As [`Gateway::admit`].
    pub(crate) async fn admit_token(&self, token: &str) -> Result<Caller, NotAdmitted> {
        let caller = Caller::of_token(self, token).await.map_err(NotAdmitted::Guard)?;
        let name = caller.as_ref().map_or("", Caller::user);
        self.parts().rates.call(name, self.now()).map_err(NotAdmitted::Often)?;
        caller.ok_or(NotAdmitted::Unknown)
    }

    /// Asks the guard for a caller.
    pub(crate) async fn ask_for(&self, caller: &Caller, ask: Ask) -> Result<Answer, AskError> {
        self.ask_under(caller, ask, None).await
    }

    /// Tells the guard to stop a caller's question.
    pub(crate) async fn stop_for(&self, caller: &Caller, id: &str) {
        if let Ok(name) = RunName::parse(id) {
            self.stop(&caller.0, name).await;
        }
    }

    /// Asks the guard for a caller, under a word by which the question is found while it runs.
    pub(crate) async fn ask_under(
        &self,
        caller: &Caller,
        ask: Ask,
        name: Option<RunName>,
    ) -> Result<Answer, AskError> {
        match self.ask_named(&caller.0, caller.request(ask), name).await? {
            ClientReply::Verdict(verdict) => Ok(Answer::Verdict(verdict)),
            ClientReply::Estimate { verdict, budget } => Ok(Answer::Estimate(verdict, budget)),
            ClientReply::Released(table) => Ok(Answer::Released(Arc::new(table))),
            ClientReply::Withheld => Ok(Answer::Withheld),
            ClientReply::Governed(Governed::Held { output }) => Ok(Answer::Held(output)),
            ClientReply::Stopped => Ok(Answer::Stopped),
            ClientReply::Fault { message } => {
                tracing::error!(message, "the guard reports a fault");
                Ok(Answer::Fault)
            }
            _ => Err(AskError::Broken(Arc::new(FrameError::Form))),
        }
    }
}
