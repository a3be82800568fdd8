//! How the environment stands, for those who run or oversee it; each look is recorded.

use audit::{Event, Kind};
use catalog_store::{DeliveryRecord, EnvironmentError, KeyRing, KeyRole, Meta, RunRecord, Standing};
use engine_protocol::{
    DeliveryLine, HealthLine, KeyLine, Operating, OperatingAsk, OperatingReply, RunLine, SnapshotLine,
};
use governance::Role;

use crate::guard::{Guard, GuardError};
use crate::identity;

/// Lines of each kind that are shown.
const MOST: usize = 100;
/// Who may look.
const ROLES: [Role; 3] = [Role::Operator, Role::DataOfficer, Role::Auditor];

/// Answers how the environment stands.
pub(crate) fn answer(guard: &Guard, asked: &OperatingAsk) -> Result<OperatingReply, GuardError> {
    let meta = guard.environment.meta()?;
    let standing = identity::Standing::of(&meta, &asked.user, guard.now())?;
    if !standing.is_some_and(|standing| ROLES.iter().any(|role| standing.roles.contains(role))) {
        return Ok(OperatingReply::NotAllowed);
    }
    guard.log.record(Event::new(Kind::View, asked.user.as_str()).subject("operations"))?;
    Ok(OperatingReply::Stands(Box::new(stands(guard, &meta)?)))
}

fn stands(guard: &Guard, meta: &Meta) -> Result<Operating, GuardError> {
    let mut deliveries: Vec<DeliveryLine> = meta.every_delivery()?.iter().map(delivery).collect();
    deliveries.sort_by(|one, other| other.taken_in.cmp(&one.taken_in));
    let mut runs: Vec<RunLine> = meta.runs()?.iter().map(run).collect();
    runs.sort_by(|one, other| other.started.cmp(&one.started));
    let snapshots = snapshots(guard)?;
    let keys = keys(guard)?;
    let health = health(guard, &deliveries, &snapshots, &keys)?;
    deliveries.truncate(MOST);
    runs.truncate(MOST);
    Ok(Operating { deliveries, runs, snapshots, keys, health })
}

fn delivery(record: &DeliveryRecord) -> DeliveryLine {
    let sum = |pick: &dyn Fn(&catalog_store::Account) -> u64| {
        record.files.iter().map(|file| pick(&file.account)).sum()
    };
    let standing = match record.standing {
        Standing::Held => "held",
        Standing::Recalled { .. } => "recalled",
        Standing::Replaced { .. } => "replaced",
    };
    DeliveryLine {
        name: record.name.clone(),
        database: record.database.clone(),
        holder: record.holder.clone(),
        month: record.month.clone(),
        taken_in: record.taken_in.clone(),
        standing: standing.to_owned(),
        read: sum(&|account| account.read),
        stored: sum(&|account| account.stored),
        dropped: sum(&catalog_store::Account::dropped_lines),
        quarantined: sum(&catalog_store::Account::quarantined_lines),
        closes: record.files.iter().all(|file| file.account.closes()),
    }
}

fn run(record: &RunRecord) -> RunLine {
    let steps = record.steps.iter();
    RunLine {
        pipeline: record.pipeline.clone(),
        started: record.started.clone(),
        ended: record.ended.clone(),
        state: record.state.as_str().to_owned(),
        steps: steps
            .map(|step| (step.name.clone(), step.state.as_str().to_owned(), step.why.clone()))
            .collect(),
    }
}

fn snapshots(guard: &Guard) -> Result<Vec<SnapshotLine>, GuardError> {
    let mut lines: Vec<SnapshotLine> = guard
        .environment
        .snapshots()?
        .all()?
        .into_iter()
        .map(|(number, manifest)| SnapshotLine {
            number,
            id: manifest.id.to_string(),
            period: (manifest.body.period.from.to_string(), manifest.body.period.to.to_string()),
            tables: manifest.body.tables.len(),
        })
        .collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.number));
    lines.truncate(MOST);
    Ok(lines)
}

fn keys(guard: &Guard) -> Result<Vec<KeyLine>, GuardError> {
    let ring = KeyRing::new(&guard.environment.room("keys"));
    let index = ring.index().map_err(EnvironmentError::from)?;
    let line = |entry: &catalog_store::KeyEntry| KeyLine {
        role: entry.name(),
        epoch: entry.epoch,
        id: entry.id.to_string(),
        state: entry.state.as_str().to_owned(),
    };
    let of_roles = KeyRole::ALL.into_iter().flat_map(|role| index.of(role).map(line).collect::<Vec<_>>());
    let of_groups = index.groups().into_iter().flat_map(|group| index.of_group(group).map(line));
    Ok(of_roles.chain(of_groups).collect())
}

fn health(
    guard: &Guard,
    deliveries: &[DeliveryLine],
    snapshots: &[SnapshotLine],
    keys: &[KeyLine],
) -> Result<Vec<HealthLine>, GuardError> {
    let line = |what: &str, is_well: bool, ja: String, en: String| HealthLine {
        what: what.to_owned(),
        is_well,
        ja,
        en,
    };
    let open = deliveries.iter().filter(|delivery| !delivery.closes).count();
    let is_of_role = |key: &&KeyLine| KeyRole::parse(&key.role).is_some();
    let current = keys.iter().filter(is_of_role).filter(|key| key.state == "current").count();
    let waiting = guard.worker.waiting();
    let signed = audit::Tree::at(&guard.environment.room("audit")).last().map_err(GuardError::Tree)?;
    let size = signed.map(|signed| signed.checkpoint().size);
    Ok(vec![
        line(
            "snapshot",
            !snapshots.is_empty(),
            format!("公開されたスナップショット {}", snapshots.len()),
            format!("{} published", snapshots.len()),
        ),
        line(
            "deliveries",
            open == 0,
            format!("提供 {}、収支の合わないもの {open}", deliveries.len()),
            format!("{} taken in, {open} whose lines do not add up", deliveries.len()),
        ),
        line(
            "keys",
            current >= KeyRole::ALL.len(),
            format!("役割 {} のうち {current} に現在の鍵", KeyRole::ALL.len()),
            format!("{current} of {} roles have a current key", KeyRole::ALL.len()),
        ),
        line(
            "record",
            size.is_some(),
            size.map_or_else(
                || "署名つき要約がまだない".to_owned(),
                |size| format!("署名つき要約は {size} 件目まで"),
            ),
            size.map_or_else(
                || "no signed checkpoint yet".to_owned(),
                |size| format!("signed up to {size} entries"),
            ),
        ),
        line("workers", true, format!("待機中の実行役 {waiting}"), format!("{waiting} workers stand ready")),
    ])
}
