//! `POST /workbench/check`: the verdict while a question is being written, what it would cost, and a mended question
//! where the guard itself says that it would run.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use engine_protocol::{Budget, ClientReply, ClientRequest, FrameError, Question, Verdict, VerdictKind};
use serde::{Deserialize, Serialize};

use crate::gateway::Gateway;
use crate::guard::AskError;
use crate::language::{self, Language};
use crate::pages::words;
use crate::posted::Signed;
use crate::visitor::Visitor;

/// The form.
#[derive(Deserialize)]
pub(in crate::pages) struct Written {
    #[serde(default)]
    sql: String,
}

/// What the editor shows.
#[derive(Serialize)]
struct Shown {
    verdict: VerdictKind,
    rule: Option<String>,
    message: Option<String>,
    /// Where, in the units in which a browser counts.
    span: Option<(usize, usize)>,
    suggestion: Option<String>,
    /// Whether it may run, and people look at its answer first because of the rule.
    people_first: bool,
    /// The whole question with the place mended; the guard says that it would run.
    mended: Option<String>,
    tables: Vec<String>,
    columns: Vec<String>,
    cost: Option<Cost>,
}

/// What the question would cost: from the catalogue and the snapshot as a whole, nothing that was measured.
#[derive(Serialize)]
struct Cost {
    rows: String,
    cells: String,
    hidden_percent: Option<u8>,
    is_within: bool,
}

pub(in crate::pages) async fn check(
    State(gateway): State<Gateway>,
    Signed { visitor, form: Written { sql } }: Signed<Written>,
) -> Response {
    let Some(visitor) = visitor else { return StatusCode::UNAUTHORIZED.into_response() };
    match judge(&gateway, &visitor, &sql).await {
        Ok(shown) => Json(shown).into_response(),
        // Whoever has no project has no workbench.
        Err(AskError::NotKnown) => StatusCode::FORBIDDEN.into_response(),
        Err(error) => {
            tracing::warn!(%error, "the guard gave no verdict");
            StatusCode::SERVICE_UNAVAILABLE.into_response()
        }
    }
}

async fn judge(gateway: &Gateway, visitor: &Visitor, sql: &str) -> Result<Shown, AskError> {
    let (verdict, budget) = estimate(gateway, visitor, sql).await?;
    let mut mended = None;
    for candidate in candidates(sql, &verdict) {
        let (judged, _) = estimate(gateway, visitor, &candidate).await?;
        if judged.verdict == VerdictKind::Vetted {
            mended = Some(candidate);
            break;
        }
    }
    Ok(Shown::of(verdict, budget, sql, mended))
}

async fn estimate(
    gateway: &Gateway,
    visitor: &Visitor,
    sql: &str,
) -> Result<(Verdict, Option<Budget>), AskError> {
    let (user, project) = visitor.owner();
    let question = Question { user, project, sql: sql.to_owned() };
    match gateway.ask(visitor, ClientRequest::Estimate(question)).await? {
        ClientReply::Estimate { verdict, budget } => Ok((verdict, budget)),
        _ => Err(AskError::Broken(FrameError::Form.into())),
    }
}

/// Ways in which a suggestion may be meant: in place of what is marked, everywhere where the same words stand, or as
/// the whole question. Which of them runs, the guard says.
fn candidates(sql: &str, verdict: &Verdict) -> Vec<String> {
    let (Some(suggestion), VerdictKind::Refused) = (&verdict.suggestion, verdict.verdict) else {
        return Vec::new();
    };
    let mut candidates = Vec::new();
    let marked =
        verdict.span.and_then(|(from, to)| Some((sql.get(..from)?, sql.get(from..to)?, sql.get(to..)?)));
    // Several suggestions stand side by side; the first is the nearest.
    let first = suggestion.split(", or ").next().unwrap_or(suggestion);
    if let Some((before, marked, after)) = marked.filter(|(_, marked, _)| !marked.is_empty()) {
        candidates.push(format!("{before}{first}{after}"));
        if let Some(rest) = suggestion.strip_prefix("add ") {
            candidates.push(format!("{before}{marked} {rest},{after}"));
        }
        if suggestion == "drop it" {
            candidates.push(format!("{before}{after}"));
        }
        candidates.push(sql.replace(marked, first));
    }
    if suggestion.starts_with("SELECT") && !suggestion.contains('…') {
        candidates.push(suggestion.clone());
    }
    candidates.dedup();
    candidates.retain(|candidate| candidate != sql && !candidate.contains('…'));
    candidates
}

impl Shown {
    fn of(verdict: Verdict, budget: Option<Budget>, sql: &str, mended: Option<String>) -> Self {
        let units = |at: usize| sql.get(..at).map(|text| text.encode_utf16().count());
        let span = verdict.span.and_then(|(from, to)| Some((units(from)?, units(to)?)));
        let people_first = verdict.goes_to_people();
        let message = match language::current() {
            Language::Japanese => {
                let rule = verdict.rule.as_deref().and_then(words::rule).map(str::to_owned);
                verdict.message_ja.or(rule).or(verdict.message)
            }
            Language::English => verdict.message,
        };
        Self {
            verdict: verdict.verdict,
            people_first,
            rule: verdict.rule,
            message,
            span,
            suggestion: verdict.suggestion,
            mended,
            tables: verdict.tables,
            columns: verdict.columns,
            cost: budget.map(|budget| Cost {
                rows: reports::number::count(budget.rows),
                cells: reports::number::count(budget.cells),
                hidden_percent: budget.hidden_percent,
                is_within: budget.is_within,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine_protocol::{Verdict, VerdictKind};

    use super::{Shown, candidates};

    fn refused(span: (usize, usize), suggestion: &str) -> Verdict {
        Verdict {
            verdict: VerdictKind::Refused,
            rule: Some("root".to_owned()),
            message: Some("no".to_owned()),
            message_ja: Some("不可".to_owned()),
            span: Some(span),
            suggestion: Some(suggestion.to_owned()),
            tables: Vec::new(),
            columns: Vec::new(),
        }
    }

    #[test]
    fn a_suggestion_is_tried_where_it_may_be_meant() {
        let sql = "SELECT a FROM t GROUP BY a";
        assert_eq!(
            candidates(sql, &refused((7, 8), "b(a), or c")),
            ["SELECT b(a) FROM t GROUP BY a", "SELECT b(a) FROM t GROUP BY b(a)"]
        );
        assert_eq!(candidates(sql, &refused((7, 99), "x")), Vec::<String>::new());
        assert_eq!(candidates(sql, &refused((7, 8), "f(…)")), Vec::<String>::new());
    }

    #[test]
    fn places_are_counted_as_a_browser_does() {
        let sql = "SELECT '𠮷野' AS x, y";
        let at = sql.find('y').unwrap();
        let shown = Shown::of(refused((at, at + 1), "z"), None, sql, None);
        assert_eq!(shown.span, Some((19, 20)));
        assert_eq!(shown.message.as_deref(), Some("不可"));
        assert!(!shown.people_first);
    }

    #[test]
    fn a_question_that_goes_to_people_first_says_so_and_is_not_mended() {
        let verdict = Verdict { verdict: VerdictKind::Vetted, ..refused((0, 1), "SELECT less") };
        assert_eq!(candidates("SELECT x", &verdict), Vec::<String>::new());
        let shown = Shown::of(verdict, None, "SELECT x", None);
        assert!(shown.people_first);
        assert_eq!(shown.message.as_deref(), Some("不可"));
    }
}
