//! A running guard, asked over its socket as portal and command ask it.

use std::collections::HashSet;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use engine_protocol::{
    Call, Caller, ClientReply, ClientRequest, Question, ReleasedTable, SecretWord, read_json, write_json,
};

use crate::Failure;

/// The user and the project of a demo environment.
const USER: &str = "demo-researcher";
const PROJECT: &str = "demo";
/// Who may issue a token there.
const OPERATOR: &str = "demo-operator";
/// The longest answer.
const MOST: u32 = 256 << 20;

/// A guard that ends with this value.
pub(crate) struct Service {
    guard: Child,
    asker: Asker,
    socket: PathBuf,
}

/// One connection to it.
pub(crate) struct Asker {
    connection: UnixStream,
    token: SecretWord,
    /// The ids of what was answered.
    answered: HashSet<String>,
}

impl Asker {
    fn connect(socket: &Path, token: SecretWord) -> Result<Self, Failure> {
        Ok(Self { connection: UnixStream::connect(socket)?, token, answered: HashSet::new() })
    }
}

impl Service {
    /// Starts the guard that lies beside this program and waits until it listens.
    pub(crate) fn start(env: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe()?.with_file_name("misu-guard");
        let token = token(&program, env)?;
        let socket = std::env::temp_dir().join(format!("misu-bench-{}.sock", std::process::id()));
        let mut guard = Command::new(&program)
            .args(["serve", "--end-with-parent", "--env"])
            .arg(env)
            .arg("--socket")
            .arg(&socket)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let out = guard.stdout.take().ok_or("the guard has no output")?;
        if BufReader::new(out).read_line(&mut line)? == 0 {
            guard.wait()?;
            return Err("the guard did not start".into());
        }
        let asker = Asker::connect(&socket, token)?;
        Ok(Self { guard, asker, socket })
    }

    /// The connection that is there from the start.
    pub(crate) fn asker(&mut self) -> &mut Asker {
        &mut self.asker
    }

    /// One more connection.
    pub(crate) fn another(&self) -> Result<Asker, Failure> {
        Asker::connect(&self.socket, self.asker.token.clone())
    }
}

impl Asker {
    /// The released table, which was computed for this question.
    pub(crate) fn ask(&mut self, sql: &str) -> Result<ReleasedTable, Failure> {
        match self.converse(&ClientRequest::Query(question(sql)))? {
            // A kept answer has the id of the question that was computed.
            ClientReply::Released(table) if self.answered.insert(table.query.clone()) => Ok(table),
            ClientReply::Released(_) => Err("a question was answered from the ledger".into()),
            other => Err(format!("a question was not answered: {other:?}").into()),
        }
    }

    /// Vets without running.
    pub(crate) fn vet(&mut self, sql: &str) -> Result<(), Failure> {
        self.converse(&ClientRequest::Vet(question(sql))).map(drop)
    }

    fn converse(&mut self, request: &ClientRequest) -> Result<ClientReply, Failure> {
        let call = Call::new(Caller::Token { word: self.token.clone() }, request.clone());
        write_json(&mut self.connection, &call)?;
        Ok(read_json(&mut self.connection, MOST)?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.guard.kill();
        let _ = self.guard.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

/// A token of the demo's user for one day.
fn token(guard: &Path, env: &Path) -> Result<SecretWord, Failure> {
    let output = Command::new(guard)
        .args(["token", "issue", "--as", OPERATOR, USER, "--project", PROJECT, "--days", "1", "--env"])
        .arg(env)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(SecretWord::new(String::from_utf8(output.stdout)?.trim_end()))
}

fn question(sql: &str) -> Question {
    Question { user: USER.to_owned(), project: PROJECT.to_owned(), sql: sql.to_owned() }
}
