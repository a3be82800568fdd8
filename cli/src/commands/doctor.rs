//! `misu doctor`: what is wrong with an environment, and what to do.

use std::path::Path;
use std::process::{ExitCode, Stdio};

use catalog_model::{Catalogue, CountedUnit, Table};
use catalog_store::{Environment, EnvironmentError, KeyRole, Passphrase};
use serde::Serialize;

use super::Env;
use crate::failure::Failure;
use crate::programs::Program;
use crate::screen;

/// One thing that was looked at.
#[derive(Serialize)]
struct Finding {
    what: &'static str,
    is_well: bool,
    text: String,
}

/// Looks at the environment and prints what it finds; fails where something is wrong.
pub(crate) fn run(env: &Env) -> Result<ExitCode, Failure> {
    let passphrase = Passphrase::find(&|name| std::env::var_os(name)).map_err(EnvironmentError::from)?;
    let environment = Environment::open(&env.env)?.unlocked_by(passphrase);
    let findings = [
        configuration(&environment),
        keys(&environment),
        catalogue(&environment),
        snapshots(&environment),
        record(&env.env),
        ledger(&environment, &env.env),
        programs(),
        confinement(&environment),
    ];
    let is_well = findings.iter().all(|finding| finding.is_well);
    if env.json {
        let form = |_| Failure::Form { program: "misu", what: "JSON" };
        screen::say(&serde_json::to_string_pretty(&findings).map_err(form)?);
    } else {
        for finding in &findings {
            let mark = if finding.is_well { "ok " } else { "!! " };
            screen::say(&format!("{mark}{:14} {}", finding.what, finding.text));
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Has the guard measure its pool of workers.
pub(crate) fn pool(env: &Env) -> Result<ExitCode, Failure> {
    let arguments = ["latency".to_owned(), "--env".to_owned(), env.env.display().to_string()];
    Program::Guard.run(&arguments).map(|()| ExitCode::SUCCESS)
}

fn configuration(environment: &Environment) -> Finding {
    let config = environment.config();
    let demo = match config.demo_seed {
        Some(seed) => format!("; a DEMO: every key is derived from seed {seed} and protects nothing"),
        None => String::new(),
    };
    Finding { what: "configuration", is_well: true, text: format!("{} buckets{demo}", config.buckets) }
}

fn keys(environment: &Environment) -> Finding {
    let missing: Vec<&str> = KeyRole::ALL
        .into_iter()
        .filter(|role| environment.key(*role).is_err())
        .map(KeyRole::as_str)
        .collect();
    let mut text = format!("{} keys, one for each role", KeyRole::ALL.len());
    if !missing.is_empty() {
        let why = environment.key(KeyRole::Intake).err().map_or_else(String::new, |error| error.to_string());
        text = format!("cannot open the keys {}: {why}; restore keys/ from a backup", missing.join(", "));
    } else if environment.keys().keeps_its_passphrase() {
        text.push_str(
            "; the passphrase lies beside them in keys/passphrase: move it elsewhere and name its place in \
             MISU_PASSPHRASE_FILE",
        );
    }
    Finding { what: "keys", is_well: missing.is_empty(), text }
}

fn catalogue(environment: &Environment) -> Finding {
    const WHAT: &str = "catalogue";
    let catalogue = match environment.catalogue() {
        Ok((catalogue, _)) => catalogue,
        Err(error) => return Finding { what: WHAT, is_well: false, text: error.to_string() },
    };
    let mut text = format!("{} layouts, {} tables", catalogue.families.len(), catalogue.tables.len());
    let uncounted = uncounted(&catalogue);
    if !uncounted.is_empty() {
        text.push_str(
            "; cells of few municipalities are shown, since these tables do not name them as ours do: ",
        );
        text.push_str(&uncounted.join(", "));
        text.push_str(
            "; take our tables over (`misu catalog add FOLDER --replace`), read their deliveries again (`misu ingest \
             --replay-quarantine DELIVERY`), link and publish",
        );
    }
    Finding { what: WHAT, is_well: uncounted.is_empty(), text }
}

/// Tables without the insurer or municipality that the shipped ones of their name have: no rule pack can count it there.
fn uncounted(own: &Catalogue) -> Vec<String> {
    let lacks = |shipped: &&Table| {
        let is_missing = |known: &Table, unit: CountedUnit| {
            shipped.unit_column(unit.class()).is_some() && known.unit_column(unit.class()).is_none()
        };
        let known = own.tables.get(&shipped.table);
        known.is_some_and(|known| CountedUnit::ALL.into_iter().any(|unit| is_missing(known, unit)))
    };
    let shipped = Catalogue::builtin();
    let tables = shipped.iter().flat_map(|shipped| shipped.tables.values());
    tables.filter(lacks).map(|table| table.table.clone()).collect()
}

fn snapshots(environment: &Environment) -> Finding {
    let found = environment.snapshots().map_err(|error| error.to_string());
    match found.and_then(|snapshots| snapshots.all().map_err(|error| error.to_string())) {
        Ok(all) => {
            let latest = all.last().map_or_else(
                || "none yet; run `misu publish`".to_owned(),
                |(number, manifest)| {
                    format!(
                        "{number}, the latest {} for {} persons",
                        manifest.id.short(),
                        manifest.body.persons
                    )
                },
            );
            Finding { what: "snapshots", is_well: true, text: latest }
        }
        Err(text) => Finding { what: "snapshots", is_well: false, text },
    }
}

fn record(env: &Path) -> Finding {
    match audit::verify_file(&env.join("audit").join(audit::LOG_FILE)) {
        Ok(verified) => {
            let unclosed = verified.unclosed.len();
            let text = format!("{} entries verified, {unclosed} queries without an end", verified.entries);
            Finding { what: "record", is_well: true, text }
        }
        Err(error) => Finding { what: "record", is_well: false, text: error.to_string() },
    }
}

/// How large the release ledger is and since when it is kept; it never shrinks.
fn ledger(environment: &Environment, env: &Path) -> Finding {
    let size = std::fs::metadata(environment.room("ledger").join("releases")).map_or(0, |file| file.len());
    let log = env.join("audit").join(audit::LOG_FILE);
    let mut entries = audit::Entry::all(&log).into_iter().flatten().filter_map(Result::ok);
    let since = entries.find(|entry| entry.kind() == audit::Kind::LedgerKept).map(|entry| entry.at().date());
    let (is_well, text) = match (since, size) {
        (None, _) => (true, "nothing was released yet".to_owned()),
        (Some(since), 0) => {
            (false, format!("the record knows of releases since {since}; put the ledger back from a backup"))
        }
        (Some(since), size) => (true, format!("{} kB, the oldest release of {since}", size.div_ceil(1_000))),
    };
    Finding { what: "ledger", is_well, text }
}

fn programs() -> Finding {
    let missing: Vec<String> = [Program::Ingest, Program::Guard, Program::Worker, Program::Gateway]
        .into_iter()
        .filter_map(|program| program.command().err())
        .map(|error| error.to_string())
        .collect();
    let is_well = missing.is_empty();
    Finding {
        what: "programs",
        is_well,
        text: if is_well { "all beside this one".to_owned() } else { missing.join("; ") },
    }
}

/// Whether a worker can be locked in here: one tries it.
fn confinement(environment: &Environment) -> Finding {
    const WHAT: &str = "confinement";
    if let Some(words) = &environment.config().confinement {
        let text = format!("NONE: workers could read files of their user; the configuration says: {words}");
        return Finding { what: WHAT, is_well: words == engine_protocol::LAPTOP, text };
    }
    let tried = Program::Worker.command().map(|mut worker| {
        worker.arg("check").env_clear().stdin(Stdio::null()).stdout(Stdio::null()).output()
    });
    let (is_well, text) = match tried {
        Ok(Ok(output)) if output.status.success() => {
            (true, "a worker locks itself in: Landlock, system calls, limits".to_owned())
        }
        Ok(Ok(output)) => (false, String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Ok(Err(error)) => (false, error.to_string()),
        Err(error) => (false, error.to_string()),
    };
    Finding { what: WHAT, is_well, text }
}

#[cfg(test)]
mod tests {
    use catalog_model::{Catalogue, Class};

    use super::uncounted;

    #[test]
    fn tables_of_an_older_catalogue_that_name_no_municipality_are_told() {
        let mut catalogue = Catalogue::builtin().unwrap();
        assert_eq!(uncounted(&catalogue), Vec::<String>::new());
        for table in ["care_claim", "care_need_interval"] {
            let table = catalogue.tables.get_mut(table).unwrap();
            table.columns.retain(|column| column.class != Class::Municipality);
        }
        catalogue.tables.remove("care_total");
        assert_eq!(uncounted(&catalogue), ["care_claim", "care_need_interval"]);
    }
}
