//! What the checklist looks at in a running environment. A probe sees a line kept, sees it broken, or has nothing to
//! look at; it never guesses.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read as _};

use audit::{Kind, SignedCheckpoint, Tree, VerifierKey};
use time::Duration;

use super::{Desk, said};
use crate::ledger_file::{self, LedgerFile};
use crate::signing::VERIFIER;

/// Whether a line is seen to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// It is.
    Yes,
    /// It is not.
    No,
    /// There is nothing to look at.
    Nothing,
}

/// What was found, in both languages.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) seen: Seen,
    pub(super) ja: String,
    pub(super) en: String,
}

type Probe = fn(&Desk) -> Found;

/// Every probe by name.
const PROBES: [(&str, Probe); 25] = [
    ("accounts", accounts),
    ("approval-recorded", approval_recorded),
    ("backup", backup),
    ("certificates", certificates),
    ("checkpoint", checkpoint),
    ("classified", classified),
    ("clock", clock),
    ("confined", confined),
    ("encrypted", encrypted),
    ("exclusions", exclusions),
    ("files-listed", files_listed),
    ("keys-sealed", keys_sealed),
    ("kinds", kinds),
    ("ledger", ledger),
    ("linkage", linkage),
    ("loads-recorded", loads_recorded),
    ("named-people", named_people),
    ("permits", permits),
    ("planned", planned),
    ("record", record),
    ("refused", refused),
    ("register", register),
    ("review-queue", review_queue),
    ("roles-apart", roles_apart),
    ("thresholds", thresholds),
];

/// How long a backup counts.
const RECENT: Duration = Duration::days(35);

/// How far an entry may stand ahead of the clock that looks at it.
const AHEAD: Duration = Duration::seconds(5);

/// What the probe of this name finds.
pub(super) fn probe(desk: &Desk, name: &str) -> Found {
    if name == "usage" {
        return usage(desk);
    }
    let probe = PROBES.iter().find(|(known, _)| *known == name);
    probe.map_or_else(Found::nothing, |(_, probe)| probe(desk))
}

/// Whether there is a probe of this name.
#[cfg(test)]
pub(super) fn is_known(name: &str) -> bool {
    name == "usage" || PROBES.iter().any(|(known, _)| *known == name)
}

impl Found {
    /// There is nothing to look at.
    pub(super) const fn nothing() -> Self {
        Self { seen: Seen::Nothing, ja: String::new(), en: String::new() }
    }

    fn of(is_kept: bool, ja: impl Into<String>, en: impl Into<String>) -> Self {
        Self { seen: if is_kept { Seen::Yes } else { Seen::No }, ja: ja.into(), en: en.into() }
    }
}

fn applications(desk: &Desk) -> Vec<&policies::Application> {
    desk.policies.projects().filter_map(|name| desk.policies.application(name)).collect()
}

/// Of the projects with a permit, those that `is_kept` says nothing against.
fn of_permits(desk: &Desk, words: (&str, &str), is_kept: fn(&Desk, &policies::Application) -> bool) -> Found {
    let all = applications(desk);
    if all.is_empty() {
        return Found::nothing();
    }
    let kept = all.iter().filter(|application| is_kept(desk, application)).count();
    Found::of(
        kept == all.len(),
        format!("許可 {} 件中 {kept} 件：{}", all.len(), words.0),
        format!("{kept} of {} permits: {}", all.len(), words.1),
    )
}

fn permits(desk: &Desk) -> Found {
    of_permits(desk, ("目的・期間・期限がある", "purpose, period and end"), |_, application| {
        let approval = application.approval();
        !application.purpose().ja.is_empty()
            && approval.valid_from < approval.valid_until
            && !application.tables().is_empty()
    })
}

/// Permits say which tables were planned, so that releases outside of them are told of.
fn planned(desk: &Desk) -> Found {
    let all = applications(desk);
    let with = all.iter().filter(|application| !application.outputs().planned.is_empty()).count();
    if with == 0 {
        return Found::nothing();
    }
    let outside = desk.entries.iter().filter(|entry| entry.kind() == Kind::OutsidePlan).count();
    Found::of(
        true,
        format!("予定する表のある許可 {with} 件（全 {} 件）、計画にない開示 {outside} 件", all.len()),
        format!("{with} of {} permits name planned tables; {outside} releases outside of a plan", all.len()),
    )
}

/// What waits for reviewers does so within the target.
fn review_queue(desk: &Desk) -> Found {
    if !desk.entries.iter().any(|entry| entry.kind() == Kind::OutputMoved) {
        return Found::nothing();
    }
    let today = super::span::day(desk.now);
    let Ok(span) = super::Span::parse(Some(&today), Some(&today), desk.now) else { return Found::nothing() };
    let reviews = super::reviews::reviews(desk, &span);
    let (waiting, late, target) = (reviews.waiting, reviews.late, reviews.target_days);
    Found::of(
        late == 0,
        format!("審査待ち {waiting} 件、目標 {target} 日を超えたもの {late} 件"),
        format!("{waiting} outputs wait, {late} of them beyond the target of {target} days"),
    )
}

fn named_people(desk: &Desk) -> Found {
    of_permits(desk, ("人が記名されている", "people are named"), |_, application| {
        !application.people().is_empty()
    })
}

fn approval_recorded(desk: &Desk) -> Found {
    of_permits(desk, ("決定が記録にある", "the decision is in the record"), |desk, application| {
        desk.entries.iter().any(|entry| {
            entry.kind() == Kind::PermitRegistered && entry.project() == Some(application.project())
        })
    })
}

fn register(desk: &Desk) -> Found {
    let registered = |entry: &&audit::Entry| entry.kind() == Kind::PermitRegistered;
    let mut projects: Vec<_> =
        desk.entries.iter().filter(registered).filter_map(audit::Entry::project).collect();
    projects.sort_unstable();
    projects.dedup();
    if projects.is_empty() {
        return Found::nothing();
    }
    let is_whole = desk.policies.projects().all(|project| projects.contains(&project));
    Found::of(
        is_whole,
        format!("記録にある課題 {} 件、現行の許可はすべて含まれる", projects.len()),
        format!("{} projects in the record, every present permit among them", projects.len()),
    )
}

fn roles_apart(desk: &Desk) -> Found {
    let Ok(persons) = desk.meta.persons() else { return Found::nothing() };
    if persons.is_empty() {
        return Found::nothing();
    }
    let mixes = |roles: &str| {
        let has = |role: &str| roles.split_whitespace().any(|word| word == role);
        has("researcher") && (has("reviewer") || has("auditor"))
    };
    let mixed = persons.iter().filter(|person| person.is_active && mixes(&person.roles)).count();
    Found::of(
        mixed == 0,
        format!("登録者 {} 人、研究者と審査者・監査者を兼ねる者 {mixed} 人", persons.len()),
        format!("{} people, {mixed} of them both researcher and reviewer or auditor", persons.len()),
    )
}

fn usage(desk: &Desk) -> Found {
    let (from, to) = match (desk.entries.first(), desk.entries.last()) {
        (Some(first), Some(last)) => (super::span::day(first.at()), super::span::day(last.at())),
        _ => return Found::nothing(),
    };
    let Ok(span) = super::Span::parse(Some(&from), Some(&to), desk.now) else { return Found::nothing() };
    let usage = super::usage(desk, &span, None);
    if usage.projects.is_empty() {
        return Found::nothing();
    }
    let (granted, touched) = usage.projects.iter().fold((0, 0), |(granted, touched), project| {
        let (more, read) = project.sums();
        (granted + more, touched + read)
    });
    Found::of(
        granted > 0,
        format!("許可された列 {granted}、読まれた列 {touched} を報告できる"),
        format!("{granted} columns granted, {touched} read, as reported"),
    )
}

fn loads_recorded(desk: &Desk) -> Found {
    let Ok(deliveries) = desk.meta.every_delivery() else { return Found::nothing() };
    if deliveries.is_empty() {
        return Found::nothing();
    }
    let finished = desk.entries.iter().filter(|entry| entry.kind() == Kind::IngestFinished).count();
    Found::of(
        finished >= deliveries.len(),
        format!("受領 {} 件、取込みの記録 {finished} 件", deliveries.len()),
        format!("{} deliveries, {finished} loads in the record", deliveries.len()),
    )
}

fn accounts(desk: &Desk) -> Found {
    let Ok(deliveries) = desk.meta.deliveries() else { return Found::nothing() };
    let files: Vec<_> = deliveries.iter().flat_map(|delivery| &delivery.files).collect();
    if files.is_empty() {
        return Found::nothing();
    }
    let open = files.iter().filter(|file| !file.account.closes()).count();
    Found::of(
        open == 0,
        format!("ファイル {} 件、行の収支が合わないもの {open} 件", files.len()),
        format!("{} files, {open} of them with lines unaccounted for", files.len()),
    )
}

fn classified(desk: &Desk) -> Found {
    // A catalogue with an unclassified or wrongly classified column is not read at all.
    let columns: usize = desk.catalogue.tables.values().map(|table| table.columns.len()).sum();
    Found::of(
        columns > 0,
        format!("列 {columns} 件すべてに分類がある"),
        format!("all {columns} columns are classified"),
    )
}

fn keys_sealed(desk: &Desk) -> Found {
    if desk.environment.config().demo_seed.is_some() {
        return Found::of(false, "デモの鍵は何も保護しない", "the keys of a demo protect nothing");
    }
    Found::of(
        !desk.environment.keys().keeps_its_passphrase(),
        "鍵は封印され、合言葉は別にある",
        "keys are sealed and the passphrase is kept apart",
    )
}

fn linkage(desk: &Desk) -> Found {
    super::period::linkage(desk).map_or_else(Found::nothing, |linkage| {
        let conflicts: u64 = linkage.conflicts.values().sum();
        Found::of(
            linkage.persons > 0,
            format!("識別の組 {}、個人 {}、分けたもの {conflicts}", linkage.mentions, linkage.persons),
            format!("{} identities, {} persons, {conflicts} held apart", linkage.mentions, linkage.persons),
        )
    })
}

/// Manifests are signed (reading them checks that); each file that they name is there, and is encrypted to its footer.
fn files_listed(desk: &Desk) -> Found {
    let Ok(snapshots) = desk.environment.snapshots() else { return Found::nothing() };
    let all = match snapshots.all() {
        Ok(all) if all.is_empty() => return Found::nothing(),
        Ok(all) => all,
        Err(_) => {
            return Found::of(false, "台帳の署名が合わない", "a manifest's signature does not hold");
        }
    };
    let store = desk.environment.room("store");
    let files: Vec<_> = all
        .iter()
        .flat_map(|(_, manifest)| manifest.body.tables.values())
        .flat_map(|table| &table.files)
        .collect();
    let is_right = |file: &&&catalog_model::FileEntry| {
        let path = store.join(&file.path);
        let is_sealed = || {
            let mut start = [0; 4];
            File::open(&path).and_then(|mut file| file.read_exact(&mut start)).is_ok() && &start == b"PARE"
        };
        std::fs::metadata(&path).is_ok_and(|found| found.len() == file.bytes) && is_sealed()
    };
    let right = files.iter().filter(is_right).count();
    Found::of(
        right == files.len(),
        format!("スナップショット {} 件の署名、ファイル {} 件中 {right} 件", all.len(), files.len()),
        format!("{} signed snapshots, {right} of {} files as listed and encrypted", all.len(), files.len()),
    )
}

/// Every table file below these rooms is looked at by its first bytes: `PAR1` begins one in clear.
fn encrypted(desk: &Desk) -> Found {
    let (mut all, mut clear) = (0_u64, 0_u64);
    let mut folders: Vec<_> =
        ["store", "links", "workspaces"].iter().map(|room| desk.environment.room(room)).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "parquet") {
                let mut start = [0; 4];
                let is_clear = File::open(&path)
                    .and_then(|mut file| file.read_exact(&mut start))
                    .map_or(true, |()| &start == b"PAR1");
                all += 1;
                clear += u64::from(is_clear);
            }
        }
    }
    if all == 0 {
        return Found::nothing();
    }
    Found::of(
        clear == 0,
        format!("表のファイル {all} 件中 {clear} 件が平文"),
        format!("{clear} of {all} table files lie in clear"),
    )
}

fn exclusions(desk: &Desk) -> Found {
    let Ok(Some((_, head))) = desk.environment.snapshots().map_or(Ok(None), |snapshots| snapshots.head())
    else {
        return Found::nothing();
    };
    match crate::exclusions::read(&desk.environment.room("exclusions"), &head.id) {
        Ok(_) => Found::of(true, "除外者の表が読まれる", "the list of who is left out is read"),
        Err(_) => Found::of(false, "除外者の表が読めない", "the list of who is left out cannot be read"),
    }
}

fn refused(desk: &Desk) -> Found {
    let refused = desk.entries.iter().filter(|entry| entry.kind() == Kind::QueryRefused).count();
    if refused == 0 {
        return Found::nothing();
    }
    Found::of(true, format!("この環境で拒否 {refused} 件"), format!("{refused} refusals in this environment"))
}

fn thresholds(desk: &Desk) -> Found {
    let packs: Vec<_> = applications(desk)
        .iter()
        .filter_map(|application| desk.policies.rule_pack(application.rules()))
        .map(|pack| pack.cell_rules().persons)
        .collect();
    let Some(least) = packs.iter().min() else { return Found::nothing() };
    Found::of(
        *least >= 10,
        format!("使われている規則の最小人数は {least}"),
        format!("the smallest number in the rule packs in use is {least}"),
    )
}

fn ledger(desk: &Desk) -> Found {
    let noted = match ledger_file::noted(desk.log.path()) {
        Ok(noted) if noted.entries > 0 => noted,
        _ => return Found::nothing(),
    };
    match LedgerFile::new(&desk.environment).hold(&desk.environment, &noted) {
        Ok(held) => Found::of(
            true,
            format!("開示台帳 {} 件が記録と一致する", held.ledger().releases()),
            format!("the ledger's {} releases are those of the record", held.ledger().releases()),
        ),
        Err(_) => {
            Found::of(false, "開示台帳が開けないか、記録より古い", "the ledger cannot be opened or is behind")
        }
    }
}

fn certificates(desk: &Desk) -> Found {
    let of = |kind: Kind| desk.entries.iter().filter(move |entry| entry.kind() == kind);
    let is_out = |entry: &&audit::Entry| said(entry, "outcome") == "released";
    let out: BTreeSet<&str> =
        of(Kind::QueryClosed).filter(is_out).filter_map(audit::Entry::subject).collect();
    // What people look at first, and a cohort that is only registered, are kept without an answer.
    let is_answered = |entry: &&audit::Entry| entry.subject().is_some_and(|query| out.contains(query));
    let released = of(Kind::LedgerKept).filter(is_answered).count();
    let signed = of(Kind::CertificateSigned).count();
    if released == 0 {
        return Found::nothing();
    }
    Found::of(
        signed >= released,
        format!("開示 {released} 件、証明書 {signed} 件"),
        format!("{released} releases, {signed} certificates"),
    )
}

fn kinds(desk: &Desk) -> Found {
    let mut kinds: Vec<Kind> = desk.entries.iter().map(audit::Entry::kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    Found::of(
        !kinds.is_empty(),
        format!("記録 {} 項、{} 種類（全 {} 種類）", desk.entries.len(), kinds.len(), Kind::ALL.len()),
        format!("{} entries of {} kinds ({} are known)", desk.entries.len(), kinds.len(), Kind::ALL.len()),
    )
}

/// The record was verified from its first entry when the desk was opened.
fn record(desk: &Desk) -> Found {
    let begins = desk.entries.first().is_some_and(|entry| entry.seq() == 0);
    Found::of(
        begins,
        format!("先頭から {} 項がそろい、検証できた", desk.entries.len()),
        format!("{} entries are there from the first on and verify", desk.entries.len()),
    )
}

fn checkpoint(desk: &Desk) -> Found {
    let folder = desk.environment.room("audit");
    let Ok(Some(signed)) = Tree::at(&folder).last() else { return Found::nothing() };
    let is_right = || -> Option<bool> {
        let key = std::fs::read_to_string(folder.join(VERIFIER)).ok()?;
        SignedCheckpoint::verify(&signed, &VerifierKey::parse(key.trim()).ok()?).ok()?;
        let log = BufReader::new(File::open(desk.log.path()).ok()?);
        Some(audit::verify_checkpoint(log, signed.checkpoint()).is_ok())
    };
    let size = signed.checkpoint().size;
    Found::of(
        is_right().unwrap_or(false),
        format!("署名済みチェックポイント（{size} 項）が記録と一致する"),
        format!("the signed checkpoint over {size} entries is that of the record"),
    )
}

/// Times of the record never go back, no clock was set back lately, and no entry stands in the future.
fn clock(desk: &Desk) -> Found {
    let Some(last) = desk.entries.last() else { return Found::nothing() };
    let back =
        desk.entries.iter().zip(desk.entries.iter().skip(1)).filter(|(one, next)| next.at() < one.at());
    let set_back =
        |entry: &&audit::Entry| entry.kind() == Kind::ClockSetBack && desk.now - entry.at() <= RECENT;
    let (back, set_back) = (back.count(), desk.entries.iter().filter(set_back).count());
    let ahead = last.at() - desk.now;
    let count = desk.entries.len();
    Found::of(
        back == 0 && set_back == 0 && ahead <= AHEAD,
        format!("記録 {count} 項、時刻の逆行 {back}、時計の逆行（35日以内） {set_back}"),
        format!("of {count} entries {back} go back in time; clocks set back within 35 days: {set_back}"),
    )
}

/// Workers lock themselves in, or do not run, unless the configuration says otherwise.
fn confined(desk: &Desk) -> Found {
    let is_confined = desk.environment.config().confinement.is_none();
    let ran = desk.entries.iter().any(|entry| said(entry, "outcome") == "released");
    if is_confined && !ran {
        return Found::nothing();
    }
    Found::of(
        is_confined,
        "実行系は自らを封じてから動く（設定で外されていない）",
        "workers lock themselves in (the configuration does not say otherwise)",
    )
}

fn backup(desk: &Desk) -> Found {
    let taken = desk.entries.iter().rev().find(|entry| entry.kind() == Kind::BackupTaken);
    taken.map_or_else(Found::nothing, |entry| {
        let day = super::span::day(entry.at());
        Found::of(
            desk.now - entry.at() <= RECENT,
            format!("最後の控えは {day}"),
            format!("the last backup is of {day}"),
        )
    })
}
