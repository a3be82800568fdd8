//! Lists of codes and registered cohorts: what SQL has no words for.

use std::collections::BTreeSet;

use audit::{Event, Kind};
use catalog_model::{Class, CodeList};
use catalog_store::{KeptList, Space};
use engine_protocol::{ClientReply, KeptItem, Question, WorkspaceAct, WorkspaceAsk, WorkspaceReply};
use time::OffsetDateTime;

use crate::guard::{Guard, GuardError};
use crate::query;
use crate::running::Run;

/// Codes of one list.
const MOST_CODES: usize = 2_000;
/// Lists of one project, and versions of one list.
const MOST_LISTS: usize = 100;
/// Characters of one code.
const LONGEST_CODE: usize = 20;

/// Answers an act on what a project keeps.
pub(crate) fn answer(
    guard: &Guard,
    ask: &WorkspaceAsk,
    running: &Run<'_>,
) -> Result<ClientReply, GuardError> {
    if let Some(verdict) = query::refused_all(guard, &ask.user, &ask.project)? {
        return Ok(ClientReply::Verdict(verdict));
    }
    let reply = match &ask.act {
        WorkspaceAct::AddCodes { name, system, codes } => add(guard, ask, (name, system), codes)?,
        WorkspaceAct::RegisterCohort { name } => return register(guard, (ask, name), running),
        WorkspaceAct::List => listing(guard, &ask.project)?,
    };
    Ok(ClientReply::Workspace(reply))
}

fn refused(message: impl Into<String>, ja: impl Into<String>) -> WorkspaceReply {
    WorkspaceReply::Refused { message: message.into(), message_ja: ja.into() }
}

fn add(
    guard: &Guard,
    ask: &WorkspaceAsk,
    (name, system): (&str, &str),
    codes: &[String],
) -> Result<WorkspaceReply, GuardError> {
    let codes: BTreeSet<&str> =
        codes.iter().map(|code| code.trim()).filter(|code| !code.is_empty()).collect();
    if let Some(problem) = problem(guard, name, system, &codes) {
        return Ok(problem);
    }
    let list =
        CodeList { system: system.to_owned(), codes: codes.iter().map(|code| (*code).to_owned()).collect() };
    let event = Event::new(Kind::WorkspaceChanged, ask.user.clone()).project(ask.project.clone());
    let event = event.with("act", "codes-added").with("name", format!("lists.{name}"));
    let event = event.with("system", system).with("codes", list.digest()).with("count", codes.len());
    let kept = KeptList { list, by: ask.user.clone(), added: guard.now().unix_timestamp() };
    let version = guard.workspaces.change(&ask.project, |space| {
        let version = push(space, name, kept);
        // What is done stands in the record before it is done, under the version that it will have.
        let done = version.map(|version| guard.log.record(event.with("version", version)));
        done.transpose()?;
        Ok::<_, GuardError>(version)
    })?;
    Ok(match version {
        Some(version) => WorkspaceReply::Done {
            message: format!("lists.{name} has version {version}: {} codes of {system}", codes.len()),
            message_ja: format!("lists.{name} 第{version}版：{system} のコード {} 件", codes.len()),
        },
        None => refused(
            format!("a project has at most {MOST_LISTS} lists, and a list as many versions of one system"),
            format!("一覧は {MOST_LISTS} 個まで、版は同じ体系で {MOST_LISTS} 版までです"),
        ),
    })
}

/// Adds a version; none where there is no room, or where the name stands for codes of another system.
fn push(space: &mut Space, name: &str, kept: KeptList) -> Option<usize> {
    let earlier = space.lists.get(name).map_or(&[][..], Vec::as_slice);
    let is_same = earlier.iter().all(|version| version.list.system == kept.list.system);
    let is_room = !earlier.is_empty() || space.lists.len() < MOST_LISTS;
    if !is_same || !is_room || earlier.len() >= MOST_LISTS {
        return None;
    }
    let versions = space.lists.entry(name.to_owned()).or_default();
    versions.push(kept);
    Some(versions.len())
}

/// Why a list cannot be kept, if anything.
fn problem(guard: &Guard, name: &str, system: &str, codes: &BTreeSet<&str>) -> Option<WorkspaceReply> {
    if !is_plain(name) {
        return Some(refused(
            "a list is named with lower-case letters, digits and _",
            "一覧の名前は英小文字・数字・_ です",
        ));
    }
    let is_class = |class: Class| matches!(class, Class::Quasi | Class::Sensitive | Class::Plain);
    let columns = guard.catalogue.tables.values().flat_map(|table| &table.columns);
    let systems: BTreeSet<&str> =
        columns.filter(|column| is_class(column.class)).filter_map(|column| column.value_system()).collect();
    if !systems.contains(system) {
        let known = systems.into_iter().collect::<Vec<_>>().join(", ");
        return Some(refused(
            format!("no column holds codes of {system}; the systems are {known}"),
            format!("{system} のコードを持つ列はありません"),
        ));
    }
    if codes.is_empty() || codes.len() > MOST_CODES {
        return Some(refused(
            format!("a list has 1 to {MOST_CODES} codes"),
            format!("一覧のコードは 1 から {MOST_CODES} 件です"),
        ));
    }
    let declared = guard.catalogue.codes.get(system).filter(|declared| declared.closed);
    let is_code = |code: &str| {
        let is_formed = code.len() <= LONGEST_CODE
            && code.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
        is_formed && declared.is_none_or(|declared| declared.get(code).is_some())
    };
    let place = codes.iter().position(|code| !is_code(code))?;
    Some(refused(
        format!("code {} of the list, in order, is no code of {system}", place + 1),
        format!("一覧を並べた {} 番目は {system} のコードではありません", place + 1),
    ))
}

fn is_plain(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_lowercase() || c == '_';
    name.len() <= 60
        && name.starts_with(is_letter)
        && name.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}

/// Registers a kept table as a cohort. Who is in it is compared with everything that was released, and stands beside
/// everything that is asked from then on, as if their number had been released.
fn register(
    guard: &Guard,
    (ask, name): (&WorkspaceAsk, &str),
    running: &Run<'_>,
) -> Result<ClientReply, GuardError> {
    let name = name.strip_prefix("ws.").unwrap_or(name);
    let space = guard.workspaces.read(&ask.project)?;
    let now = guard.now().unix_timestamp();
    let Some(kept) = space.tables.get(name).filter(|kept| kept.expires > now) else {
        return Ok(ClientReply::Workspace(refused(
            format!("there is no table ws.{name}"),
            format!("ws.{name} という表はありません"),
        )));
    };
    let question = Question {
        user: ask.user.clone(),
        project: ask.project.clone(),
        sql: format!("SELECT count(DISTINCT person_id) AS persons FROM ws.{name}"),
    };
    let query = match query::compare(guard, &question, running)? {
        Ok(query) => query,
        Err(reply) => return Ok(reply),
    };
    let event = Event::new(Kind::WorkspaceChanged, ask.user.clone()).project(ask.project.clone());
    let event = event.subject(query).with("act", "cohort-registered").with("name", format!("ws.{name}"));
    guard.log.record(event)?;
    guard.workspaces.change(&ask.project, |space| {
        let by = (ask.user.clone(), now);
        // What was dropped and made again in the meantime is another table.
        let same = space.tables.get_mut(name).filter(|again| again.table.id == kept.table.id);
        if let Some(kept) = same {
            kept.registered.get_or_insert(by);
        }
        Ok::<_, GuardError>(())
    })?;
    Ok(ClientReply::Workspace(WorkspaceReply::Done {
        message: format!("ws.{name} is registered as a cohort for review"),
        message_ja: format!("ws.{name} を審査対象のコホートとして登録しました"),
    }))
}

fn listing(guard: &Guard, project: &str) -> Result<WorkspaceReply, GuardError> {
    let space = guard.workspaces.read(project)?;
    let now = guard.now().unix_timestamp();
    let tables = space.tables.iter().filter(|(_, kept)| kept.expires > now).map(|(name, kept)| KeptItem {
        kind: "table".to_owned(),
        name: format!("ws.{name}"),
        what: kept.table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(" "),
        by: kept.by.clone(),
        until: day(kept.expires),
        registered: kept.registered.as_ref().map(|(by, _)| by.clone()),
    });
    let views = space.views.iter().map(|view| KeptItem {
        kind: "view".to_owned(),
        name: format!("ws.{}", view.name),
        what: view.sql.clone(),
        by: String::new(),
        until: None,
        registered: None,
    });
    let lists = space.lists.iter().flat_map(|(name, versions)| {
        let newest = versions.len();
        versions.iter().enumerate().rev().map(move |(at, kept)| version_of(name, (at + 1, newest), kept))
    });
    Ok(WorkspaceReply::Listing { kept: tables.chain(views).chain(lists).collect() })
}

/// One version of a list, under the name by which a query asks for it.
fn version_of(name: &str, (version, newest): (usize, usize), kept: &KeptList) -> KeptItem {
    let KeptList { list, by, added } = kept;
    let added = day(*added).unwrap_or_default();
    KeptItem {
        kind: "list".to_owned(),
        name: if version == newest { format!("lists.{name}") } else { format!("lists.{name}@{version}") },
        what: format!(
            "{} version {version}, {} codes, added by {by} on {added} as {}",
            list.system,
            list.codes.len(),
            list.digest()
        ),
        by: by.clone(),
        until: None,
        registered: None,
    }
}

fn day(seconds: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp(seconds).ok().map(|at| at.date().to_string())
}
