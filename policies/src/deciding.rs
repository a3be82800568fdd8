//! Puts one question to the policies and reads the answer.

use catalog_model::Names;
use cedar_policy::{
    Authorizer, Context, Decision, Entities, EntityUid, PolicyId, PolicySet, Request as Question, Response,
    RestrictedExpression, Schema,
};

use crate::denied::{Asked, Denied, Reason};
use crate::entities::Types;
use crate::instant::cedar_text;
use crate::request::Request;

/// The policies of one project, and the things that they speak of.
pub(crate) struct Deciding<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) types: &'a Types,
    pub(crate) policies: &'a PolicySet,
    pub(crate) entities: Entities,
    pub(crate) request: &'a Request,
}

impl Deciding<'_> {
    /// Asks; what cannot be evaluated is denied.
    pub(crate) fn ask(&self, asked: Asked) -> Result<(), Denied> {
        let question = match self.question(&asked) {
            Ok(question) => question,
            Err(bug) => return Err(Denied::by_bug(self.request, asked, bug)),
        };
        let response = Authorizer::new().is_authorized(&question, self.policies, &self.entities);
        // Cedar leaves a policy out that it cannot evaluate. Left-out forbids would open a door, so any such error
        // closes it.
        if let Some(error) = response.diagnostics().errors().next() {
            return Err(Denied::by_bug(self.request, asked, error));
        }
        match response.decision() {
            Decision::Allow => Ok(()),
            Decision::Deny => Err(Denied::new(self.request, asked, self.reasons(&response))),
        }
    }

    fn question(&self, asked: &Asked) -> Result<Question, String> {
        let (action, resource) = match asked {
            Asked::Act(action) => (action.as_str(), self.types.project(&self.request.project)),
            Asked::Use { table, column, .. } => ("useColumn", self.types.column(table, column)),
        };
        let context = self.context(asked)?;
        let principal = self.types.user(&self.request.user);
        let action = self.types.action(action);
        Question::new(principal, action, resource, context, Some(self.schema))
            .map_err(|error| error.to_string())
    }

    fn context(&self, asked: &Asked) -> Result<Context, String> {
        let now = cedar_text(self.request.now).ok_or("the clock shows a year beyond 9999")?;
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let project: EntityUid = self.types.project(&self.request.project);
        let mut pairs = vec![
            ("project".to_owned(), RestrictedExpression::new_entity_uid(project)),
            ("purpose".to_owned(), text(&self.request.purpose)),
            ("snapshot".to_owned(), text(self.request.snapshot.as_str())),
            ("now".to_owned(), RestrictedExpression::new_datetime(now)),
        ];
        if let Asked::Use { used, .. } = asked {
            pairs.push(("use".to_owned(), text(used.as_str())));
        }
        Context::from_pairs(pairs).map_err(|error| error.to_string())
    }

    fn reasons(&self, response: &Response) -> Vec<Reason> {
        let mut ids: Vec<&PolicyId> = response.diagnostics().reason().collect();
        ids.sort();
        if ids.is_empty() {
            return vec![Reason::by_default()];
        }
        // Loading demanded both annotations of every policy.
        let said = |id: &PolicyId, key: &str| self.policies.annotation(id, key).unwrap_or("").to_owned();
        let reason = |id: &PolicyId| Reason {
            policy: id.to_string(),
            text: Names { ja: said(id, "reason_ja"), en: said(id, "reason") },
        };
        ids.into_iter().map(reason).collect()
    }
}
