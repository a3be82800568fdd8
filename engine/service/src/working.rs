//! Working inside: rows that a project keeps, views, and what is dropped again.
//!
//! A kept table goes the way of a query up to the worker, which hands its rows back as encrypted files instead of
//! evidence. Nothing of them is told to whoever asked, not even how many there are: that is a count of rows, and counts
//! are asked by a query.

use audit::{Event, Kind, Outcome, QueryRequest};
use catalog_model::{FileEntry, SnapshotManifest, WorkspaceView};
use catalog_store::{EnvironmentError, KeptTable, NewFile, Space};
use engine_protocol::{
    CellValue, ClientReply, FileKeys, Keep, KeptFile, PersonKey, Question, ReleasedTable, RunStage,
    TableColumn, TableColumnKind, Verdict, VerdictKind, WorkerFault, WorkerReply, WorkerRequest,
};
use engine_vet::{Statement, VettedRows, VettedView};
use policies::{Action, Permit, Request};

use crate::exclusions::Exclusion;
use crate::guard::{Guard, GuardError};
use crate::reach::{Reach, wire};
use crate::running::{self, Asking, Run, Watch};
use crate::verdicts::{HALTED, columns};
use crate::worker::WorkerError;
use crate::{identity, query, turn};

/// A statement on what the project keeps, with everything that says that it may run.
pub(crate) struct Inside {
    pub(crate) permit: Permit,
    pub(crate) manifest: std::sync::Arc<SnapshotManifest>,
    pub(crate) statement: Statement,
    pub(crate) exclusion: Exclusion,
    pub(crate) space: Space,
}

/// Runs a statement on what the project keeps.
pub(crate) fn act(
    guard: &Guard,
    question: &Question,
    inside: &Inside,
    run: &Run<'_>,
) -> Result<ClientReply, GuardError> {
    match &inside.statement {
        Statement::Query(_) => Err(GuardError::Bug("a query is no statement on what is kept")),
        Statement::Table(rows) => keep(guard, question, (rows, inside), run),
        Statement::View(view) => keep_view(guard, question, view, inside),
        Statement::DropTable(name) => drop_own(guard, question, (name, "table"), inside),
        Statement::DropView(name) => drop_own(guard, question, (name, "view"), inside),
    }
}

/// Says that something was done, in the form of a released table without a figure.
fn done(inside: &Inside, query: &str, name: &str, what: (&str, &str)) -> ClientReply {
    let text = |code: String, ja: String| CellValue::Key { en: code.clone(), code, ja };
    let column = |name: &str| TableColumn { name: name.to_owned(), kind: TableColumnKind::Key, unit: None };
    ClientReply::Released(ReleasedTable {
        query: if query.is_empty() { "workspace".to_owned() } else { query.to_owned() },
        snapshot: inside.manifest.id.to_string(),
        columns: vec![column("name"), column("what")],
        rows: vec![vec![
            text(format!("ws.{name}"), format!("ws.{name}")),
            text(what.0.to_owned(), what.1.to_owned()),
        ]],
        suppressed: 0,
        threshold: 0,
        rules: "workspace".to_owned(),
        certificate: None,
    })
}

fn event(guard: &Guard, question: &Question, act: &str, name: &str) -> Result<Event, GuardError> {
    let event = Event::new(Kind::WorkspaceChanged, question.user.clone()).project(question.project.clone());
    let event = event.with("act", act).with("name", format!("ws.{name}"));
    Ok(event.with("sql", query::text(guard, question)?))
}

fn keep_view(
    guard: &Guard,
    question: &Question,
    view: &VettedView,
    inside: &Inside,
) -> Result<ClientReply, GuardError> {
    // What is done stands in the record before it is done.
    guard.log.record(event(guard, question, "view-made", &view.name)?)?;
    guard.workspaces.change(&question.project, |space| {
        free(space, &view.name)?;
        space.views.push(WorkspaceView { name: view.name.clone(), sql: view.sql.clone() });
        Ok::<_, GuardError>(())
    })?;
    Ok(done(inside, "", &view.name, ("a view is kept", "ビューを保存しました")))
}

fn drop_own(
    guard: &Guard,
    question: &Question,
    (name, kind): (&str, &str),
    inside: &Inside,
) -> Result<ClientReply, GuardError> {
    guard.log.record(event(guard, question, &format!("{kind}-dropped"), name)?)?;
    guard.workspaces.change(&question.project, |space| {
        match kind {
            "table" => drop(space.tables.remove(name)),
            _ => space.views.retain(|view| view.name != name),
        }
        Ok::<_, GuardError>(())
    })?;
    Ok(done(inside, "", name, ("dropped", "削除しました")))
}

/// Somebody may have taken the name since the statement was vetted.
fn free(space: &Space, name: &str) -> Result<(), GuardError> {
    let is_taken = space.tables.contains_key(name) || space.views.iter().any(|view| view.name == name);
    if is_taken { Err(GuardError::Taken(name.to_owned())) } else { Ok(()) }
}

fn keep(
    guard: &Guard,
    question: &Question,
    (rows, inside): (&VettedRows, &Inside),
    running: &Run<'_>,
) -> Result<ClientReply, GuardError> {
    let room = guard.environment.config().workspace.bytes.saturating_sub(inside.space.bytes());
    if room == 0 {
        let message = "the project's room for tables is used up; drop one that is no longer needed";
        let ja = "この課題の保存領域が一杯です。不要な表を削除してください";
        return query::refuse(guard, question, "workspace", (message.to_owned(), ja));
    }
    let (sql, plan) = query::committed(guard, question, rows.hash())?;
    let request = QueryRequest::new(&question.user, &question.project, inside.manifest.id.as_str(), plan)
        .with("columns", columns(rows.used()).join(" "))
        .with("keeps", format!("ws.{}", rows.name()))
        .with("policies", inside.permit.policy_digest())
        .with("exclusion", inside.exclusion.exclusion.as_str())
        .with("sql", sql);
    let lists = inside.space.versions(rows.used().keys().map(String::as_str));
    let opened = guard.log.open_query(query::with_lists(request, &lists))?;
    let entry = opened.query().to_string();
    let id = guard.workspaces.new_id()?;
    let look = || stopped(guard, inside);
    let kept = new_files(guard, (rows, inside), (&id, room)).and_then(|(new, keep)| {
        let files = run(guard, (rows, inside), (&entry, keep), &running.watch(&look))?;
        store(guard, inside, new, files).map_err(failed)
    });
    running.is_at(RunStage::Recording);
    // Looked at once more, as it is now: what was written is not kept for a project that may not keep it.
    let ended = running.stopped().or_else(look).map(|reason| Outcome::Stopped { reason: reason.to_owned() });
    let kept = match (kept, ended) {
        (Ok(files), None) => files,
        (kept, ended) => {
            guard.workspaces.discard(&question.project, &id);
            let outcome = kept.err().or(ended).unwrap_or_else(|| failed("workspace"));
            let reply = running::reply(&outcome);
            let _closed = opened.close(outcome)?;
            return Ok(reply);
        }
    };
    let (count, bytes) =
        kept.iter().fold((0, 0), |(rows, bytes), file| (rows + file.rows, bytes + file.bytes));
    let table = KeptTable {
        table: rows.table(id.clone()),
        files: kept,
        by: question.user.clone(),
        query: entry.clone(),
        made: guard.now().unix_timestamp(),
        expires: expires(guard, &inside.permit),
        registered: None,
    };
    let changed = guard.workspaces.change(&question.project, |space| {
        let now = guard.now().unix_timestamp();
        space.tables.retain(|_, kept| kept.expires > now);
        free(space, rows.name())?;
        space.tables.insert(rows.name().to_owned(), table);
        Ok(())
    });
    if let Err(error) = changed {
        guard.workspaces.discard(&question.project, &id);
        let _closed = opened.close(Outcome::Failed { fault: "workspace".to_owned() })?;
        return Err(error);
    }
    let _closed = opened.close(Outcome::Kept { name: format!("ws.{}", rows.name()), rows: count, bytes })?;
    Ok(done(inside, &entry, rows.name(), ("a table is kept inside", "表を環境内に保存しました")))
}

/// What is asked in the name of officers: the statement, and the one table of the project's own that it reads.
pub(crate) struct Provided<'a> {
    pub(crate) officers: &'a str,
    pub(crate) question: &'a Question,
    pub(crate) table: &'a str,
}

/// Rows of the project's own as one encrypted file, with the project's pseudonyms in the place of persons; otherwise why
/// not. The statement is judged as its asker's, and recorded as that of the officers who let it run.
pub(crate) fn provided(
    guard: &Guard,
    of: &Provided<'_>,
    (keys, pseudonyms): (FileKeys, PersonKey),
) -> Result<Result<KeptFile, String>, GuardError> {
    let question = of.question;
    let asked = Question { user: of.officers.to_owned(), ..question.clone() };
    let inside = match query::inside(guard, question, of.table)? {
        Ok(inside) => inside,
        Err(verdict) => return not_provided(guard, &asked, *verdict).map(Err),
    };
    let Statement::Table(rows) = &inside.statement else {
        return Err(GuardError::Bug("what is provided is a table"));
    };
    let (sql, plan) = query::committed(guard, &asked, rows.hash())?;
    let request = QueryRequest::new(of.officers, &question.project, inside.manifest.id.as_str(), plan)
        .with("columns", columns(rows.used()).join(" "))
        .with("provides", true)
        .with("for", question.user.as_str())
        .with("policies", inside.permit.policy_digest())
        .with("exclusion", inside.exclusion.exclusion.as_str())
        .with("sql", sql);
    let lists = inside.space.versions(rows.used().keys().map(String::as_str));
    let opened = guard.log.open_query(query::with_lists(request, &lists))?;
    let entry = opened.query().to_string();
    let running = guard.running.begin((&question.user, &question.project), &Asking::STAYS);
    let look = || stopped(guard, &inside);
    let room = guard.environment.config().workspace.bytes;
    let keep = Keep { files: vec![keys], most: room, provide: Some(pseudonyms) };
    let made = run(guard, (rows, &inside), (&entry, keep), &running.watch(&look));
    // Looked at once more, as it is now.
    let made = made.and_then(|files| match running.stopped().or_else(look) {
        Some(reason) => Err(Outcome::Stopped { reason: reason.to_owned() }),
        None => Ok(files),
    });
    match made.map(|files| files.into_iter().next()) {
        Ok(Some(file)) => {
            let (rows, bytes) = (file.rows, file.bytes.len() as u64);
            let _closed = opened.close(Outcome::Kept { name: "provided".to_owned(), rows, bytes })?;
            Ok(Ok(file))
        }
        Ok(None) => Err(GuardError::Bug("as many files come as were asked for")),
        Err(outcome) => {
            let why = in_words(&outcome);
            let _closed = opened.close(outcome)?;
            Ok(Err(why))
        }
    }
}

/// Records that a statement for officers may not run; what they are told.
fn not_provided(guard: &Guard, asked: &Question, verdict: Verdict) -> Result<String, GuardError> {
    let kind = match verdict.verdict {
        VerdictKind::Denied => Kind::QueryDenied,
        VerdictKind::Refused | VerdictKind::Vetted => Kind::QueryRefused,
    };
    query::record_no(guard, asked, kind, verdict.rule.as_deref().unwrap_or_default())?;
    Ok(verdict.message.unwrap_or_default())
}

/// Why no rows were made, for officers; no value and no number is among it.
fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed { fault } if fault == WorkerFault::FewPersons.as_str() => {
            "they would be of fewer persons than the permit's threshold, or tell of somebody what too few others share"
                .to_owned()
        }
        Outcome::Failed { fault } if fault == WorkerFault::TooLarge.as_str() => {
            "they take more than the room of `workspace.bytes`".to_owned()
        }
        Outcome::Failed { fault } => format!("they could not be made ({fault})"),
        Outcome::Stopped { reason } => format!("they were stopped ({reason})"),
        Outcome::Withheld { reason } => format!("they were withheld ({reason})"),
        Outcome::Released { .. } | Outcome::Kept { .. } => "they were made for something else".to_owned(),
    }
}

fn failed(fault: impl Into<String>) -> Outcome {
    Outcome::Failed { fault: fault.into() }
}

/// Why a statement that was let run is stopped: a halt, or a permit that has ended since it was vetted.
fn stopped(guard: &Guard, inside: &Inside) -> Option<&'static str> {
    let again = Request { now: guard.now(), ..inside.permit.request().clone() };
    // Read again as they are now; what cannot be read permits nothing.
    let policies = guard.permits.policies(&guard.catalogue);
    let may = policies.is_ok_and(|policies| policies.may(&again, Action::RunQuery).is_ok());
    let is_free = identity::bar(guard, &again.user).is_ok_and(|bar| bar.is_none());
    if guard.halts.is_halted(&again.project) {
        return Some(HALTED);
    }
    (!may || !is_free).then_some("permit-ended")
}

/// When a table made now is no longer there.
fn expires(guard: &Guard, permit: &Permit) -> i64 {
    let days = i64::from(guard.environment.config().workspace.days);
    let after = guard.now().unix_timestamp().saturating_add(days * 86_400);
    after.min(permit.valid_until().unix_timestamp())
}

/// Places and keys for a table's files, and how a worker writes them.
fn new_files(
    guard: &Guard,
    (rows, inside): (&VettedRows, &Inside),
    (id, room): (&str, u64),
) -> Result<(Vec<NewFile>, Keep), Outcome> {
    let columns: Vec<&str> = rows.columns().iter().map(|column| column.name.as_str()).collect();
    let (project, count) = (&inside.permit.grant().project, inside.manifest.body.buckets);
    let new = guard.workspaces.new_files(project, id, &columns, count).map_err(|_| failed("dataset-key"))?;
    let files = new.iter().map(|file| wire(&file.keys)).collect();
    Ok((new, Keep { files, most: room, provide: None }))
}

/// The rows as encrypted files; otherwise what is recorded.
fn run(
    guard: &Guard,
    (rows, inside): (&VettedRows, &Inside),
    (entry, keep): (&str, Keep),
    watch: &Watch<'_>,
) -> Result<Vec<KeptFile>, Outcome> {
    let grant = inside.permit.grant();
    let reach = Reach {
        grant,
        manifest: &inside.manifest,
        space: &inside.space,
        now: guard.now().unix_timestamp(),
        used: rows.used(),
    };
    let tables = rows.lineage().iter().map(String::as_str).collect();
    let place = turn::wait(guard, watch, &tables, (&inside.manifest.body, grant));
    let Some((_place, limits)) = place else { return Err(watch.outcome()) };
    let (buckets, files) = reach.slices(guard, Some(entry)).map_err(|_| failed("dataset-key"))?;
    let (count, room) = (keep.files.len(), keep.most);
    let request = WorkerRequest {
        sql: rows.sql().to_owned(),
        grant: grant.clone(),
        catalogue: reach.catalogue(guard),
        workspace: reach.workspace(),
        plan_hash: rows.hash().to_owned(),
        excluded: inside.exclusion.persons.clone(),
        buckets,
        descriptors: u32::try_from(files.len()).map_err(|_| failed("worker-data"))?,
        limits,
        keep: Some(keep),
        public: false,
    };
    match guard.worker.run_unless(request, files, &|| watch.reason().is_some()) {
        Ok(WorkerReply::Kept(files)) if files.len() == count && are_kept(&files, room) => Ok(files),
        Ok(WorkerReply::Kept(_) | WorkerReply::Evidence(_) | WorkerReply::Public(_)) => {
            Err(failed("worker-evidence"))
        }
        Ok(WorkerReply::Failed(fault)) => Err(failed(fault.as_str())),
        Err(WorkerError::Stopped) => Err(watch.outcome()),
        Err(error) => Err(failed(error.as_str())),
    }
}

/// How a Parquet file with an encrypted footer begins and ends.
const ENCRYPTED: &[u8] = b"PARE";

/// Whether files are what a worker that is whole hands back: encrypted, within the room, and of so many rows that they
/// can be counted.
fn are_kept(files: &[KeptFile], room: u64) -> bool {
    let is_encrypted = |file: &KeptFile| file.bytes.starts_with(ENCRYPTED) && file.bytes.ends_with(ENCRYPTED);
    let sum = |number: fn(&KeptFile) -> u64| {
        files.iter().try_fold(0_u64, |sum, file| sum.checked_add(number(file)))
    };
    files.iter().all(is_encrypted)
        && sum(|file| file.rows).is_some()
        && sum(|file| file.bytes.len() as u64).is_some_and(|bytes| bytes <= room)
}

/// Writes the files; nothing names them yet.
fn store(
    guard: &Guard,
    inside: &Inside,
    new: Vec<NewFile>,
    files: Vec<KeptFile>,
) -> Result<Vec<FileEntry>, String> {
    let project = &inside.permit.grant().project;
    let written = (0..).zip(new).zip(files).map(|((bucket, new), file)| {
        guard.workspaces.write(project, &new.path, &file.bytes)?;
        Ok(FileEntry {
            path: new.path,
            bucket: Some(bucket),
            year: None,
            months: None,
            rows: file.rows,
            bytes: file.bytes.len() as u64,
            content: String::new(),
            blake3: blake3::hash(&file.bytes).to_hex().to_string(),
            keys: new.wrapped,
        })
    });
    written.collect::<Result<_, EnvironmentError>>().map_err(|_| "workspace-disk".to_owned())
}

#[cfg(test)]
mod tests {
    use engine_protocol::KeptFile;

    use super::are_kept;

    #[test]
    fn files_in_clear_too_many_bytes_and_uncountable_rows_are_not_kept() {
        let file = |rows, bytes: &[u8]| KeptFile { rows, bytes: bytes.to_vec() };
        let whole = file(3, b"PARE....PARE");
        assert!(are_kept(&[whole.clone(), whole.clone()], 24));
        assert!(!are_kept(&[whole.clone(), whole.clone()], 23), "more than the room");
        assert!(!are_kept(&[whole, file(3, b"PAR1....PAR1")], 100), "in clear");
        assert!(!are_kept(&[file(u64::MAX, b"PARE"), file(1, b"PARE")], 100), "rows beyond counting");
    }
}
