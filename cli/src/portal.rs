//! `misu serve`: the guard and the portal, in the foreground or left running.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitCode, Stdio};

use catalog_store::Environment;
use clap::Parser;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::ask;
use crate::failure::{Failure, io};
use crate::programs::Program;
use crate::screen;

/// Starts the guard and the portal.
#[derive(Parser)]
pub(crate) struct Serve {
    /// The environment.
    #[arg(long)]
    env: PathBuf,
    /// The address of the portal.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    #[command(flatten)]
    doors: Doors,
    /// Ends the guard and portal that were left running.
    #[arg(long, conflicts_with = "listen")]
    stop: bool,
}

/// How the portal is reached, and how it reaches the provider at which people sign in.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Doors {
    /// The address of the portal as browsers know it; where it listens, by default.
    #[arg(long)]
    public_url: Option<String>,
    /// Where to listen for Arrow Flight SQL, for example 127.0.0.1:32010; over TLS where the portal is.
    #[arg(long, value_name = "ADDRESS")]
    flight: Option<String>,
    /// The certificate of the portal and its chain, as PEM; then it speaks TLS.
    #[arg(long, requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key, as PEM.
    #[arg(long, requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Authorities of client certificates, as PEM, for programs that the operator registered.
    #[arg(long, requires = "tls_cert")]
    client_ca: Option<PathBuf>,
    /// Certificates of authorities that are believed about the provider's name, as PEM, instead of the usual ones.
    #[arg(long)]
    oidc_ca: Option<PathBuf>,
}

impl Doors {
    /// The portal's arguments for it.
    fn arguments(&self, env: &Path) -> Result<Vec<String>, Failure> {
        let environment = Environment::open(env)?;
        let flight = self.flight.iter().flat_map(|at| ["--flight".to_owned(), at.clone()]);
        let words = environment.config().confinement.iter();
        let words = words.flat_map(|words| ["--unconfined".to_owned(), words.clone()]);
        let mut arguments: Vec<String> = flight.chain(words).collect();
        let mut file = |flag: &str, path: Option<&Path>| {
            if let Some(path) = path {
                arguments.extend([flag.to_owned(), path.display().to_string()]);
            }
        };
        file("--tls-cert", self.tls_cert.as_deref());
        file("--tls-key", self.tls_key.as_deref());
        file("--client-ca", self.client_ca.as_deref());
        if let Some(rules) = &environment.config().oidc {
            // A path in the configuration is meant from the environment.
            let secret = rules.secret_file.as_ref().map(|path| env.join(path));
            file("--oidc-secret", secret.as_deref());
            file("--oidc-ca", self.oidc_ca.as_deref());
            arguments.push("--oidc".to_owned());
            arguments.extend(self.public_url.iter().flat_map(|url| ["--public-url".to_owned(), url.clone()]));
        }
        Ok(arguments)
    }
}

/// How long a program that is asked to end may take.
const ENDS_WITHIN: Timespec = Timespec { tv_sec: 35, tv_nsec: 0 };

impl Serve {
    /// Runs the command.
    pub(crate) fn run(self) -> Result<ExitCode, Failure> {
        if self.stop {
            stop(&self.env)?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut running = Running::start(&self.env, &self.listen, &self.doors, Streams::Ours)?;
        running.announce();
        // Both end with us; if one ends by itself, so do we.
        let status =
            running.gateway.wait().map_err(|source| Failure::Start { program: "misu-gateway", source })?;
        end(running.guard.id(), Program::Guard);
        let _ = running.guard.kill();
        Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Where the programs' words go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Streams {
    /// To our own standard error, and the programs end with us.
    Ours,
    /// Into files of the environment, and the programs go on when we end.
    Files,
}

/// A running guard and portal.
pub(crate) struct Running {
    guard: Child,
    gateway: Child,
    address: String,
    /// Where Flight SQL is spoken, if anywhere.
    flight: Option<String>,
    links: Vec<Link>,
}

/// A word that signs one person in, once.
struct Link {
    user: &'static str,
    ja: &'static str,
    word: String,
}

/// The process numbers of programs that were left running.
#[derive(Serialize, Deserialize)]
struct Left {
    guard: u32,
    gateway: u32,
}

/// The people of a demo, each with a role and its Japanese name. The operator enters the others.
pub(crate) const DEMO_PEOPLE: [(&str, &str, &str); 6] = [
    ("demo-operator", "operator", "運用担当者"),
    ("demo-researcher", "researcher", "研究者"),
    ("demo-reviewer", "reviewer", "審査委員"),
    ("demo-reviewer-2", "reviewer", "審査委員"),
    ("demo-officer", "data-officer", "データ管理責任者"),
    ("demo-auditor", "auditor", "監査人"),
];

impl Running {
    /// Starts both and waits until they listen.
    pub(crate) fn start(env: &Path, listen: &str, doors: &Doors, streams: Streams) -> Result<Self, Failure> {
        let socket = ask::socket(env);
        let text = |path: &Path| path.display().to_string();
        let arguments =
            ["serve".to_owned(), "--env".to_owned(), text(env), "--socket".to_owned(), text(&socket)];
        let mut guard = spawn(Program::Guard, &arguments, env, streams)?;
        wait_for_line(&mut guard, Program::Guard)?;
        let fixed = ["--guard".to_owned(), text(&socket), "--listen".to_owned(), listen.to_owned()];
        let arguments = [fixed.to_vec(), doors.arguments(env)?].concat();
        let started = spawn(Program::Gateway, &arguments, env, streams)
            .and_then(|mut gateway| Ok((wait_for_line(&mut gateway, Program::Gateway)?, gateway)));
        let (address, gateway) = started.inspect_err(|_| {
            let _ = guard.kill();
        })?;
        let (address, flight) = match address.split_once(' ') {
            Some((address, flight)) => (address.to_owned(), Some(flight.to_owned())),
            None => (address, None),
        };
        Ok(Self { guard, gateway, address, flight, links: links(env)? })
    }

    /// Tells where the portal is and how to get in.
    pub(crate) fn announce(&self) {
        screen::say(&format!("The portal listens on {}", self.address));
        if let Some(flight) = &self.flight {
            screen::say(&format!("Flight SQL listens on {flight}"));
        }
        for Link { user, ja, word } in &self.links {
            screen::say(&format!("  sign in once as {user} ({ja}): {}/sign-in?link={word}", self.address));
        }
    }

    /// Lets both go on after us.
    pub(crate) fn leave(self, env: &Path) -> Result<(), Failure> {
        let left = Left { guard: self.guard.id(), gateway: self.gateway.id() };
        let path = left_file(env);
        let text = serde_json::to_string(&left).unwrap_or_default();
        std::fs::write(&path, text).map_err(io("write", path))
    }
}

/// Ends a guard and portal that were left running; nothing where there are none.
pub(crate) fn stop(env: &Path) -> Result<(), Failure> {
    let path = left_file(env);
    let Ok(text) = std::fs::read_to_string(&path) else { return Ok(()) };
    let left: Left = serde_json::from_str(&text)
        .map_err(|_| Failure::Form { program: "misu serve", what: "a list of processes" })?;
    for (process, program) in [(left.gateway, Program::Gateway), (left.guard, Program::Guard)] {
        end(process, program);
    }
    std::fs::remove_file(&path).map_err(io("remove", path))
}

/// Asks a program to end and waits until it has: what it is asked is answered first, and its record is closed. A
/// program that takes longer goes on by itself.
fn end(process: u32, program: Program) {
    let number = i32::try_from(process).ok().and_then(Pid::from_raw);
    // From here on the handle is of this process, whoever gets its number next.
    let Some(Ok(handle)) = number.map(|number| pidfd_open(number, PidfdFlags::empty())) else { return };
    // The number may belong to somebody else by now, so the program's name decides.
    let name = std::fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    if name.trim_end() == program.name() && pidfd_send_signal(&handle, Signal::TERM).is_ok() {
        let _ = poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&ENDS_WITHIN));
    }
}

fn spawn(program: Program, arguments: &[String], env: &Path, streams: Streams) -> Result<Child, Failure> {
    let mut command = program.command()?;
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped());
    match streams {
        Streams::Ours => {
            command.arg("--end-with-parent");
        }
        Streams::Files => {
            let path = env.join("scratch").join(format!("{}.log", program.name()));
            let file = File::create(&path).map_err(io("create", path))?;
            // A group of its own, so that the terminal's interrupt does not reach it.
            command.stderr(file).process_group(0);
        }
    }
    command.spawn().map_err(|source| Failure::Start { program: program.name(), source })
}

/// The programs print one line when they listen.
fn wait_for_line(child: &mut Child, program: Program) -> Result<String, Failure> {
    let out = child.stdout.take().ok_or(Failure::Form { program: program.name(), what: "a line" })?;
    let mut line = String::new();
    let read = BufReader::new(out).read_line(&mut line);
    if read.is_ok_and(|bytes| bytes > 0) {
        return Ok(line.trim_end().to_owned());
    }
    let status = child.wait().map_err(|source| Failure::Start { program: program.name(), source })?;
    let code = status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1);
    Err(Failure::Ended { program: program.name(), code })
}

/// Words that sign the people of a demo in, once each; nobody in any other environment.
fn links(env: &Path) -> Result<Vec<Link>, Failure> {
    if Environment::open(env)?.config().demo_seed.is_none() {
        return Ok(Vec::new());
    }
    let mut links = Vec::new();
    for (user, _, ja) in DEMO_PEOPLE {
        let arguments = ["account", "link", "--env", &env.display().to_string(), user].map(str::to_owned);
        // A demo of one's own making may have other people.
        if let Ok(word) = Program::Guard.output(&arguments) {
            links.push(Link { user, ja, word: String::from_utf8_lossy(&word).trim_end().to_owned() });
        }
    }
    Ok(links)
}

fn left_file(env: &Path) -> PathBuf {
    env.join("scratch").join("left-running.json")
}
