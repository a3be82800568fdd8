//! A portal whose process is taken over: each attempt is made by a process of its own, once free and once locked in as
//! the portal is.
//!
//! Beside it stands a process in the guard's place, with a secret in its memory, and a folder in an environment's. What
//! nobody could do outside proves nothing, so every attempt must succeed there. Without the harness, whose threads
//! would stay free.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read as _, Result, Seek as _, SeekFrom, Write as _};
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};

use notebooks_gateway::lock_in;
use rustix::process::{
    PTracer, Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open, set_ptracer, test_kill_process,
};

/// What an attacker finds in the portal's place.
struct Scene<'s> {
    env: &'s Path,
    guard: Pid,
    /// Where the secret lies in the guard's memory.
    address: usize,
}

/// An attempt by its name, whether it may succeed when locked in, and what is tried.
type Attempt = (&'static str, bool, fn(&Scene<'_>) -> Result<()>);

const SECRET: [u8; 8] = *b"key 0042";

const ATTEMPTS: [Attempt; 14] = [
    ("ask at the guard's socket", true, |scene| UnixStream::connect(scene.env.join("socket")).map(drop)),
    ("listen for browsers", true, |_| TcpListener::bind("127.0.0.1:0").map(drop)),
    ("make threads", true, |_| std::thread::spawn(|| ()).join().map_err(|_| other())),
    ("read the keys", false, |scene| std::fs::read(scene.env.join("keys/store.json")).map(drop)),
    ("read a data file", false, |scene| std::fs::read(scene.env.join("store/data")).map(drop)),
    ("list the environment", false, |scene| std::fs::read_dir(scene.env).map(drop)),
    ("write into the environment", false, |scene| std::fs::write(scene.env.join("halt"), b"x")),
    ("put another program in its place", false, |scene| {
        std::fs::rename(scene.env.join("store/data"), scene.env.join("keys/data"))
    }),
    ("read the data file from a new thread", false, |scene| {
        let path = scene.env.join("store/data");
        std::thread::spawn(move || std::fs::read(path)).join().map_err(|_| other())?.map(drop)
    }),
    ("start a program as the guard's owner", false, |_| Command::new("/bin/true").status().map(drop)),
    ("read the guard's memory by its file", false, |scene| {
        let mut memory = File::open(format!("/proc/{}/mem", scene.guard.as_raw_nonzero()))?;
        memory.seek(SeekFrom::Start(scene.address as u64))?;
        let mut bytes = [0; SECRET.len()];
        memory.read_exact(&mut bytes)?;
        if bytes == SECRET { Ok(()) } else { Err(other()) }
    }),
    ("end the guard", false, |scene| Ok(test_kill_process(scene.guard)?)),
    ("take the guard's open files", false, |scene| {
        let guard = pidfd_open(scene.guard, PidfdFlags::empty())?;
        Ok(pidfd_getfd(guard, 0, PidfdGetfdFlags::empty()).map(drop)?)
    }),
    ("read what the guard was started with", false, |scene| {
        std::fs::read(format!("/proc/{}/environ", scene.guard.as_raw_nonzero())).map(drop)
    }),
];

fn other() -> std::io::Error {
    std::io::ErrorKind::Other.into()
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let words: Vec<&str> = arguments.iter().filter_map(|word| word.to_str()).collect();
    match words.as_slice() {
        ["guard"] => stand_in_the_guards_place(),
        [mode @ ("free" | "locked"), number, env, guard, address] => {
            let number = number.parse().ok().and_then(|number: usize| ATTEMPTS.get(number));
            let guard = guard.parse().ok().and_then(Pid::from_raw);
            let (Some((_, _, attempt)), Some(guard), Ok(address)) = (number, guard, address.parse()) else {
                return ExitCode::from(3);
            };
            if *mode == "locked" && lock_in().is_err() {
                return ExitCode::from(2);
            }
            let scene = Scene { env: Path::new(env), guard, address };
            if attempt(&scene).is_ok() { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        // A test runner asks for the list of tests; there is one.
        ["--list", ..] => ExitCode::SUCCESS,
        _ => match every_attempt() {
            Ok(0) => {
                let _ = writeln!(std::io::stdout(), "test all ... ok");
                ExitCode::SUCCESS
            }
            Ok(_) | Err(_) => ExitCode::FAILURE,
        },
    }
}

/// Tells where its secret lies, and waits until nobody reads its line any more.
fn stand_in_the_guards_place() -> ExitCode {
    // The kernel lets whoever may trace a process read its memory; some let its parents only.
    let _ = set_ptracer(PTracer::Any);
    let secret = Box::new(SECRET);
    let _ = writeln!(std::io::stdout(), "{}", secret.as_ptr() as usize);
    let _ = std::io::stdin().read(&mut [0]);
    // Read once more, so that it is not taken away before.
    ExitCode::from(u8::from(std::hint::black_box(*secret) != SECRET))
}

fn every_attempt() -> Result<usize> {
    let folder = tempfile::tempdir()?;
    let (env, mut failures) = (folder.path(), 0);
    let _socket = UnixListener::bind(env.join("socket"))?;
    for name in ["keys", "store"] {
        std::fs::create_dir(env.join(name))?;
    }
    std::fs::write(env.join("keys/store.json"), b"{}")?;
    let mut out = std::io::stdout();
    for (number, (name, may, _)) in ATTEMPTS.iter().enumerate() {
        let mut found = Vec::new();
        for (mode, expected) in [("free", 0), ("locked", i32::from(!may))] {
            std::fs::write(env.join("store/data"), b"rows")?;
            let code = with_guard(|guard, address| attempt(mode, number, (env, guard, address)))?;
            failures += usize::from(code != Some(expected));
            found.push(if code == Some(0) { "succeeds" } else { "told no" });
        }
        writeln!(out, "{name:<40} {}", found.join("  "))?;
    }
    writeln!(out, "{failures} not as they must be")?;
    Ok(failures)
}

/// Does something beside a process in the guard's place, which ends after it.
fn with_guard<T>(then: impl FnOnce(u32, &str) -> Result<T>) -> Result<T> {
    let mut guard: Child = Command::new(std::env::current_exe()?)
        .arg("guard")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    let out = guard.stdout.take().ok_or_else(other)?;
    std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut line)?;
    let result = then(guard.id(), line.trim());
    guard.kill()?;
    guard.wait()?;
    result
}

fn attempt(mode: &str, number: usize, (env, guard, address): (&Path, u32, &str)) -> Result<Option<i32>> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args([mode, &number.to_string()]).arg(env).args([&guard.to_string(), address]);
    Ok(command.stderr(Stdio::null()).status()?.code())
}
