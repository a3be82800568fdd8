//! The guard's socket: one thread for each connection, requests answered in turn.

use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use engine_protocol::{Call, ClientReply, FrameError, read_json, write_json};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::ending::{self, Answering};
use crate::guard::Guard;
use crate::identity::{self, Door, Line};
use crate::{analyses, papers};

/// The longest request: a query of 64 KiB with room to spare.
const MOST: u32 = 1 << 20;

/// How often the guard looks whether a checkpoint is due.
const LOOK: Duration = Duration::from_secs(20);

/// Why the guard cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The socket cannot be made.
    #[error("cannot listen on {path}")]
    Listen {
        /// The socket.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A connection broke.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// Answers connections on the socket at `path` until the process is asked to end, and what runs then has ended. Only
/// the same user may connect; `listens` is called once when they can.
///
/// # Errors
///
/// The socket cannot be made.
pub fn serve(
    guard: &Arc<Guard>,
    path: &Path,
    listens: impl FnOnce() -> std::io::Result<()>,
) -> Result<(), ServeError> {
    let listen = |source| ServeError::Listen { path: path.to_owned(), source };
    // A socket that a dead guard left behind would refuse the new one.
    if UnixStream::connect(path).is_err() {
        let _ = std::fs::remove_file(path);
    }
    let listener = UnixListener::bind(path).map_err(listen)?;
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, private).map_err(listen)?;
    papers::take_over(&guard.environment, &guard.workspaces);
    ending::on_signal(guard, path).map_err(listen)?;
    listens().map_err(listen)?;
    let answering = Arc::new(Answering::default());
    let keeper = Arc::clone(guard);
    // A checkpoint that cannot be signed stops nobody: the record goes on, and verifying it says what is wrong.
    std::thread::spawn(move || {
        loop {
            let _ = keeper.checkpoint_if_due();
            std::thread::sleep(LOOK);
        }
    });
    let (runner, working) = (Arc::clone(guard), answering.one());
    std::thread::spawn(move || {
        analyses::go_on(&runner);
        analyses::work(&runner);
        drop(working);
    });
    for connection in listener.incoming() {
        if guard.running.is_closed() {
            break;
        }
        let Ok(connection) = connection else { continue };
        if !is_same_user(&connection) {
            continue;
        }
        let (guard, answering) = (Arc::clone(guard), Arc::clone(&answering));
        std::thread::spawn(move || {
            // A client that goes away ends its own connection, nothing else.
            let _ = converse(&guard, (Door::Socket, &answering), &connection, &connection);
        });
    }
    ending::finish(guard, &answering, path);
    Ok(())
}

/// Answers calls from `from` on `to` until it ends. Whoever started this guard owns the environment and may name the
/// user.
///
/// # Errors
///
/// A frame is malformed or the connection breaks.
pub fn serve_once(guard: &Guard, from: impl Read, to: impl Write + AsFd) -> Result<(), ServeError> {
    std::thread::scope(|scope| {
        scope.spawn(|| analyses::work(guard));
        let ended = converse(guard, (Door::Streams, &Arc::default()), from, to);
        guard.analyses.close();
        Ok(ended?)
    })
}

fn converse(
    guard: &Guard,
    (door, answering): (Door, &Arc<Answering>),
    mut from: impl Read,
    mut to: impl Write + AsFd,
) -> Result<(), FrameError> {
    loop {
        let call: Call = match read_json(&mut from, MOST) {
            Ok(call) => call,
            Err(FrameError::Closed) => return Ok(()),
            Err(error) => {
                let message = error.to_string();
                write_json(&mut to, &ClientReply::Fault { message })?;
                return Err(error);
            }
        };
        let _one = answering.one();
        let reply = identity::reply(guard, call, Line { door, is_gone: &|| is_gone(to.as_fd()) });
        write_json(&mut to, &reply)?;
    }
}

/// Whether nobody will ever read what is written here: the other end of a socket or pipe is closed.
fn is_gone(to: BorrowedFd<'_>) -> bool {
    let mut ends = [PollFd::from_borrowed_fd(to, PollFlags::empty())];
    let closed = PollFlags::HUP | PollFlags::ERR;
    poll(&mut ends, Some(&Timespec::default())).is_ok()
        && ends.iter().any(|end| end.revents().intersects(closed))
}

fn is_same_user(connection: &UnixStream) -> bool {
    let peer = rustix::net::sockopt::socket_peercred(connection);
    peer.is_ok_and(|peer| peer.uid == rustix::process::geteuid())
}
