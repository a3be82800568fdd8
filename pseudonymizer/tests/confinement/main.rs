//! What a confined ingest cannot do: each attempt is made by a process of its own, once free and once locked in.
//!
//! Without the harness, whose threads would stay free.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use confinement::{Network, Places, confine};

/// An attempt by its name: whether it may succeed when locked in, and what is tried in the folder.
type Attempt = (&'static str, bool, fn(&Path) -> std::io::Result<()>);

const ATTEMPTS: [Attempt; 12] = [
    ("write into the environment", true, |folder| std::fs::write(folder.join("env/new"), b"1")),
    ("move within the environment", true, |folder| {
        std::fs::create_dir_all(folder.join("env/a"))?;
        std::fs::write(folder.join("env/a/x"), b"1")?;
        std::fs::rename(folder.join("env/a/x"), folder.join("env/x"))
    }),
    ("read the delivery", true, |folder| std::fs::read(folder.join("delivery/file")).map(drop)),
    ("make threads", true, |_| {
        std::thread::spawn(|| ()).join().map_err(|_| std::io::ErrorKind::Other.into())
    }),
    ("write into the delivery", false, |folder| std::fs::write(folder.join("delivery/file"), b"1")),
    ("delete the delivery", false, |folder| std::fs::remove_file(folder.join("delivery/file"))),
    ("write outside", false, |folder| std::fs::write(folder.join("outside/new"), b"1")),
    ("read outside", false, |folder| std::fs::read(folder.join("outside/file")).map(drop)),
    ("write outside from a new thread", false, |folder| {
        let path = folder.join("outside/new");
        let written = std::thread::spawn(move || std::fs::write(path, b"1")).join();
        written.unwrap_or_else(|_| Err(std::io::ErrorKind::Other.into()))
    }),
    ("open a TCP socket", false, |_| std::net::TcpListener::bind("127.0.0.1:0").map(drop)),
    ("open a socket of this machine", false, |folder| {
        std::os::unix::net::UnixListener::bind(folder.join("env/socket")).map(drop)
    }),
    ("start a program", false, |_| Command::new("/bin/true").status().map(drop)),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [mode, number, folder] if mode == "locked" || mode == "free" => {
            attempt(mode == "locked", number, Path::new(folder))
        }
        // A test runner asks for the list of tests; there is one.
        [list, ..] if list == "--list" => ExitCode::SUCCESS,
        _ => every_attempt(),
    }
}

/// Ends with 0 where the attempt succeeds, 1 where it fails, 2 where the process cannot be locked in.
fn attempt(is_locked: bool, number: &str, folder: &Path) -> ExitCode {
    let places = Places { reads: vec![folder.join("delivery")], writes: vec![folder.join("env")] };
    if is_locked && confine(Some(&places), Network::Refused).is_err() {
        return ExitCode::from(2);
    }
    let Some((_, _, attempt)) = number.parse().ok().and_then(|number: usize| ATTEMPTS.get(number)) else {
        return ExitCode::from(3);
    };
    if attempt(folder).is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
}

fn every_attempt() -> ExitCode {
    let mut failures = 0;
    for (number, (name, may, _)) in ATTEMPTS.iter().enumerate() {
        // What nobody can do proves nothing when a locked process cannot.
        for (mode, expected) in [("free", 0), ("locked", i32::from(!may))] {
            let found = run(mode, number);
            if found != Some(expected) {
                failures += 1;
                let _ = writeln!(std::io::stderr(), "{mode}: {name}: ended with {found:?}, not {expected}");
            }
        }
    }
    failures += i32::from(!core_limit_is_zero());
    if failures == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(mode: &str, number: usize) -> Option<i32> {
    let folder = tempfile::tempdir().ok()?;
    for name in ["env", "delivery", "outside"] {
        let path: PathBuf = folder.path().join(name);
        std::fs::create_dir(&path).ok()?;
        std::fs::write(path.join("file"), b"0").ok()?;
    }
    let program = std::env::current_exe().ok()?;
    let status = Command::new(program).args([mode, &number.to_string()]).arg(folder.path()).status().ok()?;
    status.code()
}

/// The last check of all, since it locks this process itself in.
fn core_limit_is_zero() -> bool {
    let is_locked = confine(None, Network::Refused).is_ok();
    let limit = rustix::process::getrlimit(rustix::process::Resource::Core);
    let dumps = rustix::process::dumpable_behavior();
    is_locked
        && limit.maximum == Some(0)
        && matches!(dumps, Ok(rustix::process::DumpableBehavior::NotDumpable))
}
