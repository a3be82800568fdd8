//! What becomes of an answer that the rules let pass: out, to people first, or nowhere.
//!
//! Within the permit's quota it goes out; kinds that the permit sends to people, and tables that break a rule "in
//! principle", wait for them; what was called back or decided against stays inside, also for the same question asked
//! again. One in so many that go out is drawn, and people look at it afterwards; so do they at a release that is none
//! of the tables that its application planned.

use std::collections::{BTreeMap, BTreeSet};

use audit::{Event, Kind};
use catalog_model::{Catalogue, Class};
use engine_protocol::{ReleasedTable, TableColumnKind};
use policies::Outputs;

use crate::cases::{self, GovernError, Retained, RetainedFiles, Standing};
use crate::guard::{Guard, GuardError};
use crate::output_rules::Broken;
use crate::recent::Told;

/// What becomes of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// It goes out.
    Out,
    /// People look at it first; the case's id.
    Held(String),
    /// It stays inside, for this reason.
    Inside(&'static str),
}

/// Who asks for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    pub(crate) project: &'a str,
    pub(crate) user: &'a str,
    pub(crate) outputs: &'a Outputs,
    /// Whether it is one of the tables that the application planned.
    pub(crate) is_planned: bool,
    /// The rule "in principle" that the question breaks.
    pub(crate) broken: Option<&'a Broken>,
}

/// The columns that a table tells something of: those that only link rows are left out.
pub(crate) fn telling(
    catalogue: &Catalogue,
    used: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<String, BTreeSet<String>> {
    let links = |table: &str, column: &str| {
        let class = catalogue.tables.get(table).and_then(|table| table.column(column)).map(|one| one.class);
        class.is_some_and(Class::is_identity) || table.starts_with("ws.") && column == "person_id"
    };
    let told = |(table, columns): (&String, &BTreeSet<String>)| {
        let left = columns.iter().filter(|column| !links(table, column)).cloned();
        (table.clone(), left.collect())
    };
    used.iter().map(told).collect()
}

/// The way of an answer of which a copy is kept.
pub(crate) fn way(guard: &Guard, asked: Asked<'_>, kept: &Retained) -> Result<Way, GuardError> {
    let office = guard.office()?;
    let is_reviewed = || asked.broken.is_some() || is_reviewed(asked.outputs, &kept.table);
    Ok(match cases::standing(&office, asked.project, &kept.query)? {
        Some(Standing::Held(id)) => Way::Held(id),
        Some(Standing::Inside) => Way::Inside("inside"),
        None if is_reviewed() => {
            outside_plan(guard, asked, kept)?;
            Way::Held(cases::held(&office, kept, &asked)?)
        }
        Some(Standing::Free) | None if is_full(guard, asked)? => Way::Inside("quota"),
        Some(Standing::Free) => Way::Out,
        None => {
            let digest = blake3::hash(&serde_json::to_vec(&kept.table).unwrap_or_default());
            let is_drawn = governance::output::is_drawn(digest.as_bytes(), asked.outputs.drawn_one_in());
            outside_plan(guard, asked, kept)?;
            if is_drawn || !asked.is_planned {
                cases::open_for_people(&office, kept, &asked)?;
            }
            Way::Out
        }
    })
}

/// Records that a release is none of the tables that were planned, where it is not.
fn outside_plan(guard: &Guard, asked: Asked<'_>, kept: &Retained) -> Result<(), GuardError> {
    if asked.is_planned {
        return Ok(());
    }
    let event = Event::new(Kind::OutsidePlan, "guard").project(asked.project).subject(kept.query.as_str());
    guard.log.record(event.with("planned", asked.outputs.planned.len() as u64))?;
    Ok(())
}

fn is_reviewed(outputs: &Outputs, table: &ReleasedTable) -> bool {
    let keys = table.columns.iter().filter(|column| column.kind == TableColumnKind::Key).count();
    outputs.is_reviewed(table.columns.iter().map(|column| kind(column.kind)), keys)
}

/// The word of [`policies::OUTPUT_KINDS`] for a column; counts have none.
const fn kind(kind: TableColumnKind) -> &'static str {
    match kind {
        TableColumnKind::Sum => "sum",
        TableColumnKind::Average => "average",
        TableColumnKind::Spread => "spread",
        TableColumnKind::Quantile => "quantile",
        TableColumnKind::Computed => "computed",
        TableColumnKind::Key | TableColumnKind::Rows | TableColumnKind::Persons => "",
    }
}

/// Whether the project has had its releases of the day; the first time is recorded.
pub(crate) fn is_full(guard: &Guard, asked: Asked<'_>) -> Result<bool, GuardError> {
    let (is_full, is_told) = guard.recent(|recent| {
        (recent.releases(asked.project) >= asked.outputs.a_day(), recent.is_told(asked.project, Told::Quota))
    })?;
    if is_full && !is_told {
        let event = Event::new(Kind::QuotaReached, "guard").project(asked.project);
        guard.log.record(event.with("a_day", u64::from(asked.outputs.a_day())))?;
    }
    Ok(is_full)
}

/// What is kept of an answer for a project; a copy of another project's becomes its own.
pub(crate) fn kept(
    guard: &Guard,
    (project, user): (&str, &str),
    table: &ReleasedTable,
    make: impl FnOnce() -> Retained,
) -> Result<Retained, GuardError> {
    let files = RetainedFiles::new(&guard.environment);
    if let Some(kept) = files.find(project, &table.query).map_err(GovernError::from)? {
        return Ok(kept);
    }
    let other = files.elsewhere(&table.query).map_err(GovernError::from)?;
    let kept = other.map_or_else(make, |kept| Retained {
        project: project.to_owned(),
        asker: user.to_owned(),
        lists: Vec::new(),
        ..kept
    });
    files.keep(&kept).map_err(GovernError::from)?;
    Ok(kept)
}

/// Whether the project's budget of denied answers is used up. Half of it tells the steward, once, and many questions
/// that differ in the values they name alone do, once as well; the whole locks.
pub(crate) fn is_locked(guard: &Guard, asked: Asked<'_>) -> Result<bool, GuardError> {
    let (project, most) = (asked.project, asked.outputs.denials_a_day());
    let (points, alike, is_locked) = guard.recent(|recent| {
        (recent.denials(project), recent.alike(project), recent.is_told(project, Told::Lock))
    })?;
    let event = |kind| Event::new(kind, "guard").project(project).with("points", u64::from(points));
    if points.saturating_mul(2) >= most && points > 0 {
        let text = format!(
            "The answers to project {project} that were refused, withheld or near an earlier one have {points} points \
             in a day, of {most} that lock it. Look at its questions."
        );
        tell(guard, project, (Told::Alert, event(Kind::ProbingAlert)), text)?;
    }
    if alike >= asked.outputs.alike_a_day() {
        let text = format!(
            "{alike} questions of project {project} in a day pick rows by the same terms and each by other values. Look \
             at its questions."
        );
        let event = event(Kind::AlikeAlert).with("alike", u64::from(alike));
        tell(guard, project, (Told::Alike, event), text)?;
    }
    if points < most || points == 0 {
        return Ok(false);
    }
    if !is_locked {
        guard.log.record(event(Kind::DenialsLocked))?;
    }
    Ok(true)
}

/// Alerts the steward, where this was not told yet.
fn tell(guard: &Guard, project: &str, (told, event): (Told, Event), text: String) -> Result<(), GuardError> {
    if guard.recent(|recent| recent.is_told(project, told))? {
        return Ok(());
    }
    guard.log.record(event)?;
    let title = "探索的な問い合わせの疑い / questions that look like probing";
    cases::draft_incident(&guard.office()?, project, (title, text))?;
    Ok(())
}
