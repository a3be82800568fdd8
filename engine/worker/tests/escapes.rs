//! Escape probes: small programs that do one thing which a worker may not do.
//!
//! Each runs twice in a process of its own: as it is, where it must succeed, and after `confine`, where it must fail
//! or die. The table is printed and held against `docs/probes.md`, which `UPDATE_EXPECT=1` writes anew; a probe that is
//! not blocked, and one that cannot succeed outside, fails the test.
#![expect(unsafe_code, reason = "an attacker calls the kernel as it likes")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    reason = "a test with a main of its own, which prints its table and ends where something is not as it must be"
)]

#[path = "escapes/probes.rs"]
mod probes;

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use engine_worker::confine::confine;

use probes::{PROBES, Probe};

/// A probe found its way.
const ESCAPED: u8 = 0;
/// The probe was told no.
const BLOCKED: u8 = 10;
/// The process could not be locked in.
const NOT_CONFINED: u8 = 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["probe", name, place, target] => probe(name, place, target),
        ["starved", call, program] => starved(call, program),
        // A test runner that only lists or filters gets all of it or nothing.
        ["--list", ..] => ExitCode::SUCCESS,
        _ => all(),
    }
}

fn probe(name: &str, place: &str, target: &str) -> ExitCode {
    let Some(probe) = PROBES.iter().find(|probe| probe.name == name) else { return ExitCode::from(30) };
    if let Some(file) = (probe.prepare)(target) {
        rustix::stdio::dup2_stdout(&file).unwrap();
    }
    if place == "inside" && confine(&probe.ceiling).is_err() {
        return ExitCode::from(NOT_CONFINED);
    }
    ExitCode::from(if (probe.attempt)(target) { ESCAPED } else { BLOCKED })
}

/// How a probe ended.
enum End {
    Escaped,
    /// Told no by the call, or ended by the kernel for it.
    Blocked,
    /// Anything else, which shows nothing.
    Other,
}

fn run(probe: &Probe, place: &str, target: &str) -> (End, String) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["probe", probe.name, place, target])
        .env("MISU_PROBE", "a secret of the environment")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        // A probe that spins is ended by its limit of processor time; this is for one that hangs.
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    status.map_or((End::Other, "hung".to_owned()), |status| (end(status, probe.crash), say(status)))
}

/// A panic, a crash or a process that was not locked in proves nothing of the wall, but for the crash that a probe says
/// is the wall.
fn end(status: ExitStatus, crash: Option<i32>) -> End {
    match (status.code().and_then(|code| u8::try_from(code).ok()), status.signal()) {
        (Some(ESCAPED), _) => End::Escaped,
        (Some(BLOCKED), _) | (_, Some(libc::SIGSYS | libc::SIGXCPU | libc::SIGKILL | libc::SIGXFSZ)) => {
            End::Blocked
        }
        (_, Some(signal)) if crash == Some(signal) => End::Blocked,
        _ => End::Other,
    }
}

fn say(status: ExitStatus) -> String {
    match (status.code().map(|code| u8::try_from(code).unwrap_or(u8::MAX)), status.signal()) {
        (Some(ESCAPED), _) => "succeeds".to_owned(),
        (Some(BLOCKED), _) => "told no".to_owned(),
        (Some(NOT_CONFINED), _) => "NOT CONFINED".to_owned(),
        (_, Some(libc::SIGSYS)) => "ended by the filter (SIGSYS)".to_owned(),
        (_, Some(libc::SIGXCPU | libc::SIGKILL)) => "ended by the limit of processor time".to_owned(),
        (_, Some(libc::SIGXFSZ)) => "ended by the limit of file size".to_owned(),
        (_, Some(libc::SIGABRT)) => "ended itself (SIGABRT)".to_owned(),
        (_, Some(libc::SIGSEGV)) => "ended at the stack's end (SIGSEGV)".to_owned(),
        (code, signal) => format!("code {code:?}, signal {signal:?}"),
    }
}

fn all() -> ExitCode {
    let folder = tempfile::tempdir().unwrap();
    let (mut blocked, mut wrong, mut table) = (0, Vec::new(), String::new());
    println!("{:<26} {:<14} inside", "probe", "outside");
    for probe in PROBES {
        let [(free, outside), (locked, inside)] = ["outside", "inside"].map(|place| {
            let target = folder.path().join(format!("{}-{place}", probe.name.replace('/', " ")));
            std::fs::create_dir(&target).unwrap();
            std::fs::write(target.join("data"), b"rows").unwrap();
            std::fs::create_dir(target.join("keys")).unwrap();
            std::fs::write(target.join("keys/store.json"), b"keys").unwrap();
            run(probe, place, &target.display().to_string())
        });
        println!("{:<26} {outside:<14} {inside}", probe.name);
        table.push_str(&format!("| {} | {outside} | {inside} |\n", probe.name));
        let is_blocked = matches!(locked, End::Blocked);
        blocked += usize::from(is_blocked);
        if !is_blocked || !matches!(free, End::Escaped) {
            wrong.push(probe.name);
        }
    }
    println!("{blocked} of {} probes blocked", PROBES.len());
    let (refuses, listed) = (refuses_without_the_kernels_help(), is_listed(&table));
    if wrong.is_empty() && refuses && listed {
        // As the usual harness says it: the checklist looks for this line.
        println!("test all ... ok");
        return ExitCode::SUCCESS;
    }
    println!("not as it must be: {wrong:?}");
    ExitCode::FAILURE
}

/// Whether the page of probes says what was seen.
fn is_listed(table: &str) -> bool {
    let path = "../../docs/probes.md";
    let kept = std::fs::read_to_string(path).unwrap();
    let (head, listed) = kept.split_at(kept.find(HEAD).unwrap() + HEAD.len());
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, format!("{head}{table}")).unwrap();
        return true;
    }
    for line in table.lines().filter(|line| !listed.lines().any(|other| other == *line)) {
        println!("docs/probes.md does not say: {line}");
    }
    let is_listed = listed == table;
    if !is_listed {
        println!("docs/probes.md is of another list; run again with UPDATE_EXPECT=1");
    }
    is_listed
}

/// How the table of the page begins.
const HEAD: &str = "| probe | outside | inside |\n| --- | --- | --- |\n";

/// The calls of which each is a wall that nothing else stands for.
const WALLS: [&str; 5] =
    ["close_range", "prctl", "landlock_create_ruleset", "landlock_restrict_self", "seccomp"];

/// A worker on a kernel without one of the walls must not start.
fn refuses_without_the_kernels_help() -> bool {
    let worker = env!("CARGO_BIN_EXE_misu-worker");
    let starts = |words: &[&str]| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let status = command.args(words).stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        status.success()
    };
    let helped = starts(&["starved", "nothing", worker]);
    let starting: Vec<&str> = WALLS.into_iter().filter(|&call| starts(&["starved", call, worker])).collect();
    println!("worker starts with the kernel's help: {helped}; starts also without: {starting:?}");
    helped && starting.is_empty()
}

/// Becomes the program, with one call of the kernel gone.
fn starved(call: &str, program: &str) -> ExitCode {
    use std::os::unix::process::CommandExt as _;
    if call != "nothing" {
        let filter = format!(
            r#"{{"f":{{"mismatch_action":"allow","match_action":{{"errno":38}},"filter":[{{"syscall":"{call}"}}]}}}}"#
        );
        let processor = seccompiler::TargetArch::try_from(std::env::consts::ARCH).unwrap();
        let programs = seccompiler::compile_from_json(filter.as_bytes(), processor).unwrap();
        seccompiler::apply_filter(&programs["f"]).unwrap();
    }
    let error = Command::new(program).arg("check").exec();
    println!("{error}");
    ExitCode::FAILURE
}
