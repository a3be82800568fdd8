//! `keys`: what keys there are, who used them, and what two officers do with them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use audit::{Event, Kind, Log, is_waiting};
use catalog_store::{
    Agreed, Asked, Asking, Environment, KeyEntry, KeyId, KeyRole, KeyState, KeyUse, KeyWatch, Officers,
    Passphrase, Sealing,
};
use clap::{Args, Subcommand};
use pseudonymizer::pipeline::{self, HolderCard, HolderGroup, RotatedLinkage};

use super::{Failure, Shared, WHO, open, print, print_json, writer};

/// What may be done with keys.
#[derive(Subcommand)]
pub(crate) enum Keys {
    /// Lists every key that there ever was, by role, epoch and id; and the officers.
    Status {
        #[command(flatten)]
        shared: Shared,
    },
    /// Puts a new key in the place of a role's present one.
    Rotate {
        /// The role: intake, linkage, dataset, ledger, audit, project, delivery.
        role: String,
        /// The group of data holders whose intake key it is; without it the environment's own key.
        #[arg(long)]
        group: Option<String>,
        #[command(flatten)]
        shared: Shared,
    },
    /// Destroys a former key for good; takes two officers, each calling once.
    Destroy {
        /// The role.
        role: String,
        /// The epoch.
        #[arg(long)]
        epoch: u32,
        /// The group of data holders whose intake key it is; without it the environment's own key.
        #[arg(long)]
        group: Option<String>,
        #[command(flatten)]
        officer: OfficerArguments,
        #[command(flatten)]
        shared: Shared,
    },
    /// Registers a data holder and writes its bundle with its group's intake key; takes two officers, each calling once.
    Export {
        /// The holder's card.json.
        #[arg(long)]
        holder: PathBuf,
        /// The group of holders that share the intake key; a new group gets a key of its own.
        #[arg(long)]
        group: String,
        /// The bundle.
        #[arg(long)]
        out: PathBuf,
        #[command(flatten)]
        officer: OfficerArguments,
        #[command(flatten)]
        shared: Shared,
    },
    /// Registers an officer with a secret of their own; from the third on it takes two others.
    Officer {
        /// The new officer's name.
        name: String,
        /// The file with the new officer's secret.
        #[arg(long)]
        new_secret: PathBuf,
        #[command(flatten)]
        by: MaybeOfficer,
        #[command(flatten)]
        shared: Shared,
    },
}

/// The officer who asks.
#[derive(Args)]
pub(crate) struct OfficerArguments {
    /// The officer's name.
    #[arg(long)]
    officer: String,
    /// The file with the officer's secret.
    #[arg(long)]
    secret: PathBuf,
}

/// The officer who asks, where one is needed.
#[derive(Args)]
pub(crate) struct MaybeOfficer {
    /// The officer's name.
    #[arg(long, requires = "secret")]
    officer: Option<String>,
    /// The file with the officer's secret.
    #[arg(long, requires = "officer")]
    secret: Option<PathBuf>,
}

impl Keys {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<(), Failure> {
        match self {
            Self::Status { shared } => status(&shared),
            Self::Rotate { role, group, shared } => rotate(&role, group.as_deref(), &shared),
            Self::Destroy { role, epoch, group, officer, shared } => {
                destroy((&role, group.as_deref()), epoch, &officer, &shared)
            }
            Self::Export { holder, group, out, officer, shared } => {
                export(&holder, &group, &out, &officer, &shared)
            }
            Self::Officer { name, new_secret, by, shared } => register(&name, &new_secret, by, &shared),
        }
    }
}

fn parse(role: &str, group: Option<&str>) -> Result<KeyRole, Failure> {
    let names = KeyRole::ALL.map(KeyRole::as_str).join(", ");
    let known = KeyRole::parse(role);
    let known = known.ok_or_else(|| format!("there is no role {role}; the roles are {names}"))?;
    match (known, group) {
        (KeyRole::Intake, _) | (_, None) => Ok(known),
        (_, Some(_)) => Err(format!("groups of data holders have an intake key and no {role} key").into()),
    }
}

/// A role as it is told, with the group whose key it is.
fn told_as(role: KeyRole, group: Option<&str>) -> String {
    group.map_or_else(|| role.as_str().to_owned(), |group| format!("{}/{group}", role.as_str()))
}

fn status(shared: &Shared) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let index = environment.keys().index()?;
    let officers = Officers::open(&environment.room("keys"))?;
    let names: Vec<&str> = officers.names().collect();
    let overlap = pipeline::overlap(&environment)?;
    let groups = pipeline::holder_groups(&environment)?;
    let opted_out = pipeline::opted_out_before(&environment)?;
    let kept = kept(&index.sealing, environment.keys().keeps_its_passphrase());
    if shared.json {
        let keys: Vec<_> = index
            .keys
            .iter()
            .map(|key| {
                serde_json::json!({ "role": key.role.as_str(), "group": key.group, "epoch": key.epoch,
                    "id": key.id.as_str(), "state": key.state.as_str() })
            })
            .collect();
        return print_json(
            &serde_json::json!({ "kept": kept, "keys": keys, "officers": names, "overlap": overlap,
                "groups": groups, "opted_out_before": opted_out }),
        );
    }
    print(kept)?;
    for key in &index.keys {
        print(&format!("{}\t{}\t{}\t{}", key.name(), key.epoch, key.id, key.state.as_str()))?;
    }
    if !names.is_empty() {
        print(&format!("officers: {}", names.join(", ")))?;
    }
    if overlap.former > 0 {
        print(&format!(
            "intake key: {} persons known under a former key, {} of them in an overlap, {} outside it",
            overlap.former, overlap.inside, overlap.outside
        ))?;
    }
    groups.iter().try_for_each(|group| print(&said_of(group)))?;
    if opted_out > 0 {
        print(lists_needed(opted_out).trim_start_matches("; "))?;
    }
    Ok(())
}

/// How the keys are kept.
const fn kept(sealing: &Sealing, is_beside: bool) -> &'static str {
    match sealing {
        Sealing::Demo { .. } => "derived from a demo's seed: nothing is protected",
        Sealing::Passphrase { .. } if is_beside => "sealed under a passphrase that lies beside them",
        Sealing::Passphrase { .. } => "sealed under a passphrase",
        Sealing::Pkcs11(_) => "wrapped by a hardware module",
    }
}

/// What is held under a group's intake keys, and what a rotation could lose.
fn said_of(group: &HolderGroup) -> String {
    let HolderGroup { group: name, holders, deliveries, persons, elsewhere, overlap, .. } = group;
    let lost = match overlap.former {
        0 => String::new(),
        former => format!(
            "; {former} known under a former key, {} of them under the present one as well, {} not",
            overlap.inside, overlap.outside
        ),
    };
    format!(
        "group {name}: {holders} holders, {deliveries} deliveries of {persons} persons, {elsewhere} of them in other \
         deliveries as well{lost}"
    )
}

/// What is to be said where opted-out identities are not known under every present intake key.
fn lists_needed(identities: u64) -> String {
    match identities {
        0 => String::new(),
        _ => format!(
            "; {identities} identities that opted out are not known under every present intake key: give their lists \
             again (`misu optout add`)"
        ),
    }
}

fn rotate(role: &str, group: Option<&str>, shared: &Shared) -> Result<(), Failure> {
    let role = parse(role, group)?;
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "keys rotate")?;
    environment.still_held()?;
    let rotated = match role {
        KeyRole::Linkage => Some(pipeline::rotate_linkage(&environment)?),
        _ => None,
    };
    let entry = match (rotated, group) {
        (Some(_), _) => environment.keys().index()?.current(role)?.clone(),
        (None, Some(group)) => environment.keys().rotate_group(group)?,
        (None, None) => environment.keys().rotate(role)?,
    };
    let name = told_as(role, group);
    let event = Event::new(Kind::KeyRotated, WHO).subject(entry.id.as_str());
    log.record(event.with("role", name.as_str()).with("epoch", u64::from(entry.epoch)))?;
    if role == KeyRole::Dataset {
        catalog_store::rewrap(&environment)?;
    }
    let more = rotated_further(&environment, role, (rotated, group))?;
    if shared.json {
        return print_json(&serde_json::json!({ "role": role.as_str(), "group": group, "epoch": entry.epoch,
            "id": entry.id.as_str(), "linkage": rotated }));
    }
    print(&format!("{name} is now key {} of epoch {}{more}", entry.id, entry.epoch))
}

/// What is to be done after a rotation.
fn rotated_further(
    environment: &Environment,
    role: KeyRole,
    (rotated, group): (Option<RotatedLinkage>, Option<&str>),
) -> Result<String, Failure> {
    Ok(match (role, rotated, group) {
        (KeyRole::Linkage, Some(rotated), _) => format!(
            "; {} linkage keys made anew, {} of persons whom no delivery mentions any more dropped; run `misu link`",
            rotated.recomputed, rotated.dropped
        ),
        (KeyRole::Intake, _, Some(_)) => format!(
            "; give the group's holders new bundles, and have them seal their next delivery with --overlap{}",
            lists_needed(pipeline::opted_out_before(environment)?)
        ),
        (KeyRole::Intake, _, None) => format!(
            "; take the next delivery in with --overlap{}",
            lists_needed(pipeline::opted_out_before(environment)?)
        ),
        _ => String::new(),
    })
}

/// Asks for an act in the officer's name; the agreement, where another officer asked before.
pub(super) fn ask(
    environment: &Environment,
    log: &Log,
    act: &str,
    officer: &OfficerArguments,
) -> Result<Option<Agreed>, Failure> {
    let officers = Officers::open(&environment.room("keys"))?;
    let present = officers.present(&officer.officer, &Passphrase::read(&officer.secret)?)?;
    let who = present.name().to_owned();
    let is_recorded = |asking: &Asking| is_waiting(log.path(), (&asking.request, &asking.act, &asking.by));
    match officers.ask(act, present, &is_recorded)? {
        Asked::Agreed(agreed) => Ok(Some(agreed)),
        Asked::Waiting(asking) => {
            let event = Event::new(Kind::KeyActRequested, who).with("act", act);
            log.record(event.with("request", asking.request))?;
            print("recorded; another officer has to call the same to let it happen")?;
            Ok(None)
        }
    }
}

/// An event with who agreed on it, which spends their request.
pub(super) fn agreed_by(event: Event, agreed: Agreed) -> Event {
    event.with("first", agreed.first).with("second", agreed.second).with("request", agreed.request)
}

fn destroy(
    (role, group): (&str, Option<&str>),
    epoch: u32,
    officer: &OfficerArguments,
    shared: &Shared,
) -> Result<(), Failure> {
    let role = parse(role, group)?;
    let name = told_as(role, group);
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "keys destroy")?;
    let index = environment.keys().index()?;
    let entry = match group {
        Some(group) => index.of_group(group).find(|key| key.epoch == epoch),
        None => index.of(role).find(|key| key.epoch == epoch),
    };
    let entry = entry.ok_or_else(|| format!("there is no {name} key of epoch {epoch}"))?;
    if entry.state != KeyState::Former {
        return Err(format!("the {name} key of epoch {epoch} is {}", entry.state.as_str()).into());
    }
    if role == KeyRole::Dataset {
        leave_nothing_under(&environment, entry)?;
    }
    let act = format!("destroy {name} {epoch} {}", entry.id);
    let Some(agreed) = ask(&environment, &log, &act, officer)? else { return Ok(()) };
    environment.still_held()?;
    let id = environment.keys().destroy((role, group), epoch, &agreed)?;
    let event = Event::new(Kind::KeyDestroyed, WHO).subject(id.as_str());
    let event = event.with("role", name.as_str()).with("epoch", u64::from(epoch));
    log.record(agreed_by(event, agreed))?;
    print(&format!("the {name} key of epoch {epoch} is gone"))
}

/// Ends a rotation that was killed, and refuses where files of snapshots lie under a former dataset key: they would end
/// with it.
fn leave_nothing_under(environment: &Environment, former: &KeyEntry) -> Result<(), Failure> {
    catalog_store::rewrap(environment)?;
    let files = catalog_store::files_under(environment, &former.id)?;
    if files == 0 {
        return Ok(());
    }
    Err(format!(
        "{files} files of snapshots lie under the dataset key of epoch {}, as an earlier version left them; run `misu \
         publish`, and `misu snapshots prune` once no permit needs them",
        former.epoch
    )
    .into())
}

fn export(
    card: &Path,
    group: &str,
    out: &Path,
    officer: &OfficerArguments,
    shared: &Shared,
) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "keys export")?;
    let text = std::fs::read(card)?;
    let card: HolderCard =
        serde_json::from_slice(&text).map_err(|_| "the holder's card is of another form")?;
    let present = environment.keys().index()?.current_of(group).map(|key| key.id.to_string());
    let intake = present.as_deref().unwrap_or("a first key");
    let act = format!("export {intake} to {} {} {} in {group}", card.name, card.signer, card.key);
    let Some(agreed) = ask(&environment, &log, &act, officer)? else { return Ok(()) };
    environment.still_held()?;
    let bundle = pipeline::register(&environment, &card, group)?;
    let intake = environment.keys().index()?.current_of(group).map(|key| key.id.to_string());
    let intake = intake.unwrap_or_default();
    let event = Event::new(Kind::KeyExported, WHO).subject(intake.as_str());
    let event = event.with("holder", card.name.as_str()).with("group", group);
    log.record(agreed_by(event, agreed))?;
    std::fs::write(out, serde_json::to_vec_pretty(&bundle)?)?;
    let more = match present {
        Some(_) => String::new(),
        None => format!(
            "; read clear deliveries again (`misu ingest DELIVERY --replay-quarantine`) to tie their persons to the new \
             group{}",
            lists_needed(pipeline::opted_out_before(&environment)?)
        ),
    };
    print(&format!("bundle for {} in group {group}, intake key {intake}{more}", card.name))
}

fn register(name: &str, secret: &Path, by: MaybeOfficer, shared: &Shared) -> Result<(), Failure> {
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "keys officer")?;
    let mut officers = Officers::open(&environment.room("keys"))?;
    let agreed = match (by.officer, by.secret) {
        (Some(officer), Some(own)) => {
            let by = OfficerArguments { officer, secret: own };
            let bound = Officers::commitment(name, &Passphrase::read(secret)?)?;
            let act = format!("officer {name} with the secret {bound}");
            let Some(agreed) = ask(&environment, &log, &act, &by)? else { return Ok(()) };
            Some(agreed)
        }
        _ => None,
    };
    officers.register(name, &Passphrase::read(secret)?, agreed.as_ref())?;
    let event = Event::new(Kind::OfficerRegistered, WHO).subject(name);
    log.record(match agreed {
        Some(agreed) => agreed_by(event, agreed),
        None => event,
    })?;
    print(&format!("{name} is an officer"))
}

/// Records the first use of each key by this process, before the key is handed out.
pub(super) fn watch(log: Log, who: &'static str) -> Arc<KeyWatch> {
    let seen: Mutex<BTreeSet<(KeyRole, KeyId)>> = Mutex::default();
    Arc::new(move |used: &KeyUse| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let name = (used.role, used.id.clone());
        if seen.contains(&name) {
            return Ok(());
        }
        let event = Event::new(Kind::KeyUsed, who).subject(used.id.as_str());
        log.record(event.with("role", used.role.as_str()).with("epoch", u64::from(used.epoch)))?;
        seen.insert(name);
        Ok(())
    })
}
