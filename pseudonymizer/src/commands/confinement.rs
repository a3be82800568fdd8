//! What each command may touch, decided from its arguments before anything is opened.

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use catalog_store::{Config, Environment, Sealing, connect_ahead, connect_ahead_to};
use confinement::{Network, Places, confine};
use pseudonymizer::batch::{Recipe, Work};

use super::optout::OptOut;
use super::pipeline_run::Pipeline;
use super::{Command, Failure, Shared};

/// Locks the process in for the command. An environment that `misu.toml` calls a demo may do without, where the kernel
/// cannot; any other is not opened then.
pub(super) fn lock_in(command: &Command) -> Result<(), Failure> {
    // A metadata database on a server is reached before sockets are refused.
    if let Some(env) = named(std::env::args_os()) {
        connect_ahead(&env)?;
    }
    if let Command::Init { database_url: Some(url), .. } = command {
        connect_ahead_to(url)?;
    }
    let work = work(command);
    // A hardware module has files of its own, which only its maker knows: files stay open then, all else is locked.
    let places = work.as_ref().filter(|work| !has_module(&work.env)).map(Confinement::places);
    match (confine(places.as_ref(), Network::Refused), work) {
        (Ok(()), _) => Ok(()),
        (Err(unconfined), Some(work)) if is_demo(&work.env) => {
            let _ = writeln!(std::io::stderr(), "misu-ingest: a demo runs unconfined: {unconfined}");
            Ok(())
        }
        // What makes an environment, or only looks at one, reads no delivery.
        (Err(_), None) => Ok(()),
        (Err(unconfined), Some(_)) => Err(unconfined.into()),
    }
}

/// The environment that a command line names: every command that opens one has `--env`.
fn named(arguments: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut arguments = arguments.skip(1);
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        match text.strip_prefix("--env") {
            Some("") => return arguments.next().map(PathBuf::from),
            Some(rest) if rest.starts_with('=') => return rest.get(1..).map(PathBuf::from),
            _ => {}
        }
    }
    None
}

fn is_demo(env: &Path) -> bool {
    Config::read(&env.join("misu.toml")).is_ok_and(|config| config.demo_seed.is_some())
}

fn has_module(env: &Path) -> bool {
    let index = Environment::open(env).ok().and_then(|environment| environment.keys().index().ok());
    index.is_some_and(|index| matches!(index.sealing, Sealing::Pkcs11(_)))
}

/// The environment, or the holder's folder, of a command that reads identities, and what else it needs.
struct Confinement {
    env: PathBuf,
    reads: Vec<PathBuf>,
    writes: Vec<PathBuf>,
}

impl Confinement {
    fn of(shared: &Shared, reads: &[&Path]) -> Self {
        let reads = reads.iter().map(|path| path.to_path_buf()).collect();
        Self { env: shared.env.clone(), reads, writes: Vec::new() }
    }

    fn places(&self) -> Places {
        let mut reads = self.reads.clone();
        // What the kernel says about a writer that may have been killed.
        reads.push(PathBuf::from("/proc"));
        // Whoever starts the program names the file with the passphrase there.
        reads.extend(std::env::var_os("MISU_PASSPHRASE_FILE").map(PathBuf::from));
        let writes = std::iter::once(self.env.clone()).chain(self.writes.iter().cloned()).collect();
        Places { reads, writes }
    }
}

fn work(command: &Command) -> Option<Confinement> {
    Some(match command {
        Command::Ingest { delivery, shared, .. } => Confinement::of(shared, &[delivery]),
        Command::Link { shared } | Command::Publish { shared } => Confinement::of(shared, &[]),
        Command::Evaluate { truth, shared } => Confinement::of(shared, &[truth]),
        Command::Optout { command: OptOut::Add { file, shared } } => Confinement::of(shared, &[file]),
        Command::Seal { delivery, holder, out, .. } => {
            let beside = out.parent().filter(|folder| !folder.as_os_str().is_empty());
            let beside = beside.unwrap_or(Path::new(".")).to_owned();
            Confinement { env: holder.clone(), reads: vec![delivery.clone()], writes: vec![beside] }
        }
        Command::Pipeline { command: Pipeline::Run { file, dry_run, shared } } => {
            let mut found = Confinement::of(shared, &[file]);
            // A file that is no pipeline is refused by the command itself.
            for step in Recipe::read(file).map(|recipe| recipe.steps).unwrap_or_default() {
                match step.work {
                    Work::Ingest { delivery } => found.reads.push(delivery),
                    Work::Quality { report } => {
                        let folder = report.parent().filter(|folder| !folder.as_os_str().is_empty());
                        let folder = folder.unwrap_or(Path::new("."));
                        // Only what is there can be allowed.
                        let _ = (!dry_run).then(|| std::fs::create_dir_all(folder));
                        found.writes.push(folder.to_owned());
                    }
                    Work::Link | Work::Publish => {}
                }
            }
            found
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::named;

    #[test]
    fn the_environment_is_found_in_either_spelling() {
        let of = |line: &str| named(line.split(' ').map(Into::into));
        assert_eq!(of("misu-ingest link --json --env a"), Some(PathBuf::from("a")));
        assert_eq!(of("misu-ingest link --env=a/b --json"), Some(PathBuf::from("a/b")));
        assert_eq!(of("misu-ingest init a --environment b"), None);
        assert_eq!(of("misu-ingest link --env"), None);
    }
}
