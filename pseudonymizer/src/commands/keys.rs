//! `keys`: what keys there are, who used them, and what two officers do with them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use audit::{Event, Kind, Log, is_waiting};
use catalog_store::{
    Agreed, Asked, Asking, Environment, KeyId, KeyRole, KeyState, KeyUse, KeyWatch, Officers, Passphrase,
    Sealing,
};
use clap::{Args, Subcommand};
use pseudonymizer::pipeline::{self, HolderCard};

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
        #[command(flatten)]
        officer: OfficerArguments,
        #[command(flatten)]
        shared: Shared,
    },
    /// Registers a data holder and writes its bundle with the intake key; takes two officers, each calling once.
    Export {
        /// The holder's card.json.
        #[arg(long)]
        holder: PathBuf,
        /// The group of holders that share the intake key.
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
            Self::Rotate { role, shared } => rotate(&role, &shared),
            Self::Destroy { role, epoch, officer, shared } => destroy(&role, epoch, &officer, &shared),
            Self::Export { holder, group, out, officer, shared } => {
                export(&holder, &group, &out, &officer, &shared)
            }
            Self::Officer { name, new_secret, by, shared } => register(&name, &new_secret, by, &shared),
        }
    }
}

fn parse(role: &str) -> Result<KeyRole, Failure> {
    let names = KeyRole::ALL.map(KeyRole::as_str).join(", ");
    KeyRole::parse(role).ok_or_else(|| format!("there is no role {role}; the roles are {names}").into())
}

fn status(shared: &Shared) -> Result<(), Failure> {
    let (environment, _) = open(shared)?;
    let index = environment.keys().index()?;
    let officers = Officers::open(&environment.room("keys"))?;
    let names: Vec<&str> = officers.names().collect();
    let overlap = pipeline::overlap(&environment)?;
    let opted_out = pipeline::opted_out_before(&environment)?;
    let kept = match &index.sealing {
        Sealing::Demo { .. } => "derived from a demo's seed: nothing is protected",
        Sealing::Passphrase { .. } if environment.keys().keeps_its_passphrase() => {
            "sealed under a passphrase that lies beside them"
        }
        Sealing::Passphrase { .. } => "sealed under a passphrase",
        Sealing::Pkcs11(_) => "wrapped by a hardware module",
    };
    if shared.json {
        let keys: Vec<_> = index
            .keys
            .iter()
            .map(|key| {
                serde_json::json!({ "role": key.role.as_str(), "epoch": key.epoch, "id": key.id.as_str(),
                    "state": key.state.as_str() })
            })
            .collect();
        return print_json(
            &serde_json::json!({ "kept": kept, "keys": keys, "officers": names, "overlap": overlap,
                "opted_out_before": opted_out }),
        );
    }
    print(kept)?;
    for key in &index.keys {
        print(&format!("{}\t{}\t{}\t{}", key.role.as_str(), key.epoch, key.id, key.state.as_str()))?;
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
    if opted_out > 0 {
        print(lists_needed(opted_out).trim_start_matches("; "))?;
    }
    Ok(())
}

/// What is to be said where opted-out identities are known under former intake keys alone.
fn lists_needed(identities: u64) -> String {
    match identities {
        0 => String::new(),
        _ => format!(
            "; {identities} identities that opted out are known under former keys alone and in no overlap: give \
             their lists again (`misu optout add`)"
        ),
    }
}

fn rotate(role: &str, shared: &Shared) -> Result<(), Failure> {
    let role = parse(role)?;
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "keys rotate")?;
    let rotated = match role {
        KeyRole::Linkage => Some(pipeline::rotate_linkage(&environment)?),
        _ => None,
    };
    let entry = match rotated {
        Some(_) => environment.keys().index()?.current(role)?.clone(),
        None => environment.keys().rotate(role)?,
    };
    let event = Event::new(Kind::KeyRotated, WHO).subject(entry.id.as_str());
    log.record(event.with("role", role.as_str()).with("epoch", u64::from(entry.epoch)))?;
    if role == KeyRole::Dataset {
        catalog_store::rewrap(&environment)?;
    }
    let more = match (role, rotated) {
        (KeyRole::Linkage, Some(rotated)) => format!(
            "; {} linkage keys made anew, {} of persons whom no delivery mentions any more dropped; run `misu link`",
            rotated.recomputed, rotated.dropped
        ),
        (KeyRole::Intake, _) => format!(
            "; take the next delivery in with --overlap, and give the holders new bundles{}",
            lists_needed(pipeline::opted_out_before(&environment)?)
        ),
        _ => String::new(),
    };
    if shared.json {
        return print_json(&serde_json::json!({ "role": role.as_str(), "epoch": entry.epoch,
            "id": entry.id.as_str(), "linkage": rotated }));
    }
    print(&format!("{} is now key {} of epoch {}{more}", role.as_str(), entry.id, entry.epoch))
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

fn destroy(role: &str, epoch: u32, officer: &OfficerArguments, shared: &Shared) -> Result<(), Failure> {
    let role = parse(role)?;
    let (environment, log) = open(shared)?;
    let _writer = writer(&environment, &log, "keys destroy")?;
    let index = environment.keys().index()?;
    let entry = index.of(role).find(|key| key.epoch == epoch);
    let entry = entry.ok_or_else(|| format!("there is no {} key of epoch {epoch}", role.as_str()))?;
    if entry.state != KeyState::Former {
        return Err(format!("the {} key of epoch {epoch} is {}", role.as_str(), entry.state.as_str()).into());
    }
    let act = format!("destroy {} {epoch} {}", role.as_str(), entry.id);
    let Some(agreed) = ask(&environment, &log, &act, officer)? else { return Ok(()) };
    let id = environment.keys().destroy(role, epoch, &agreed)?;
    let event = Event::new(Kind::KeyDestroyed, WHO).subject(id.as_str());
    let event = event.with("role", role.as_str()).with("epoch", u64::from(epoch));
    log.record(agreed_by(event, agreed))?;
    print(&format!("the {} key of epoch {epoch} is gone", role.as_str()))
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
    let intake = environment.keys().index()?.current(KeyRole::Intake)?.id.clone();
    let act = format!("export {intake} to {} {} {} in {group}", card.name, card.signer, card.key);
    let Some(agreed) = ask(&environment, &log, &act, officer)? else { return Ok(()) };
    let bundle = pipeline::register(&environment, &card, group)?;
    let event = Event::new(Kind::KeyExported, WHO).subject(intake.as_str());
    let event = event.with("holder", card.name.as_str()).with("group", group);
    log.record(agreed_by(event, agreed))?;
    std::fs::write(out, serde_json::to_vec_pretty(&bundle)?)?;
    print(&format!("bundle for {} in group {group}, intake key {intake}", card.name))
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
