//! Verdicts as they are told: what may run, and whose fault it is where it may not.

use std::collections::{BTreeMap, BTreeSet};

use catalog_model::{Catalogue, Grant, Workspace};
use engine_protocol::{Verdict, VerdictKind};
use engine_vet::{NotVetted, Rule, Scope, Statement, vet_statement};
use policies::{Denied, RulePacks};

use crate::identity::Bar;
use crate::{metadata, output_rules};

/// The rule by which a halted project is denied.
pub(crate) const HALTED: &str = "halt";

/// What a question is judged by, where there is no environment.
#[derive(Clone, Copy, Debug)]
pub struct Judging<'j> {
    /// The catalogue.
    pub catalogue: &'j Catalogue,
    /// What the permit grants.
    pub grant: &'j Grant,
    /// The rule packs that there are.
    pub packs: &'j RulePacks,
    /// The pack that the permit names.
    pub pack: &'j str,
}

/// What vetting and the rules about dimensions say of a text, without an environment: the same judgement as the guard's.
pub fn offline_verdict(sql: &str, judging: Judging<'_>) -> Verdict {
    offline_verdict_in(sql, judging, &Workspace::default())
}

/// As [`offline_verdict`], for a project that keeps something.
pub fn offline_verdict_in(sql: &str, judging: Judging<'_>, workspace: &Workspace) -> Verdict {
    let Judging { catalogue, grant, packs, pack } = judging;
    let scope = Scope { catalogue, grant };
    match engine_vet::metadata(sql, scope, workspace) {
        Some(Ok(table)) => return metadata::verdict(&table),
        Some(Err(refusal)) => return not_vetted_verdict(&refusal.into()),
        None => {}
    }
    let statement = match vet_statement(sql, scope, workspace) {
        Ok(statement) => statement,
        Err(not_vetted) => return not_vetted_verdict(&not_vetted),
    };
    if let Statement::Query(plan) = &statement {
        let rules = output_rules::rules(plan, catalogue, (packs, pack));
        if let Some(broken) = output_rules::broken(plan, catalogue, &rules) {
            return broken.verdict(plan);
        }
    }
    statement_verdict(&statement)
}

/// Columns by table.
type Used = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn columns(used: &Used) -> Vec<String> {
    let of_table = |(table, columns): (&String, &BTreeSet<String>)| {
        columns.iter().map(|column| format!("{table}.{column}")).collect::<Vec<_>>()
    };
    used.iter().flat_map(of_table).collect()
}

pub(crate) fn statement_verdict(statement: &Statement) -> Verdict {
    let own = |name: &String| Used::from([(format!("ws.{name}"), BTreeSet::new())]);
    match statement {
        Statement::Query(plan) => vetted_verdict(plan.used()),
        Statement::Table(rows) => vetted_verdict(rows.used()),
        Statement::View(view) => vetted_verdict(&own(&view.name)),
        Statement::DropTable(name) | Statement::DropView(name) => vetted_verdict(&own(name)),
    }
}

pub(crate) fn vetted_verdict(used: &Used) -> Verdict {
    Verdict {
        verdict: VerdictKind::Vetted,
        rule: None,
        message: None,
        message_ja: None,
        span: None,
        suggestion: None,
        tables: used.keys().cloned().collect(),
        columns: columns(used),
    }
}

pub(crate) fn denied_rule(denied: &Denied) -> String {
    denied.reasons().first().map(|reason| reason.policy.clone()).unwrap_or_default()
}

pub(crate) fn denied_verdict(denied: &Denied) -> Verdict {
    no(VerdictKind::Denied, denied_rule(denied), (denied.to_string(), None), None, None)
}

pub(crate) fn barred_verdict(bar: &Bar) -> Verdict {
    let message = (bar.message.to_owned(), Some(bar.message_ja.to_owned()));
    no(VerdictKind::Denied, bar.rule.to_owned(), message, None, None)
}

pub(crate) fn not_vetted_verdict(not_vetted: &NotVetted) -> Verdict {
    match not_vetted {
        NotVetted::Refused(refusal) => no(
            VerdictKind::Refused,
            refusal.rule().as_str().to_owned(),
            (refusal.message().to_owned(), Some(refusal.message_ja().to_owned())),
            refusal.span(),
            refusal.suggestion().map(str::to_owned),
        ),
        NotVetted::Denied(denial) => {
            let ja = format!("許可は {} を含んでいません", denial.what);
            no(
                VerdictKind::Denied,
                "not-granted".to_owned(),
                (denial.to_string(), Some(ja)),
                denial.span,
                None,
            )
        }
        NotVetted::NoStack => {
            let ja = "問合せを判定するためのメモリが足りません".to_owned();
            let rule = Rule::Size.as_str().to_owned();
            no(VerdictKind::Refused, rule, (not_vetted.to_string(), Some(ja)), None, None)
        }
    }
}

pub(crate) fn no(
    verdict: VerdictKind,
    rule: String,
    (message, message_ja): (String, Option<String>),
    span: Option<(usize, usize)>,
    suggestion: Option<String>,
) -> Verdict {
    let (rule, message) = (Some(rule), Some(message));
    Verdict { verdict, rule, message, message_ja, span, suggestion, tables: Vec::new(), columns: Vec::new() }
}

pub(crate) fn halted_verdict() -> Verdict {
    let ja = "この研究課題の利用は停止されています".to_owned();
    let message = "the use of this project is halted; ask the data officer".to_owned();
    no(VerdictKind::Denied, HALTED.to_owned(), (message, Some(ja)), None, None)
}
