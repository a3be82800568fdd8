//! `misu-worker`: locks itself in, then one request and one reply on the socket that is its standard input, then gone.

use std::io::{Write as _, stderr};
use std::process::ExitCode;

use engine_protocol::{Socket, WorkerHello, WorkerRequest, read_packed, write_packed};
use engine_worker::confine::{Ceiling, Confined, confine, unconfined};

/// The longest request: SQL, grant, catalogue and keys.
const MOST: u32 = 64 << 20;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let socket = Socket::new(rustix::stdio::stdin());
    let (confined, is_check) = match locked_in(&words) {
        Ok(confined) => confined,
        Err(reason) => {
            let _ = writeln!(stderr(), "{reason}");
            let mut socket = socket;
            let _ = write_packed(&mut socket, &WorkerHello::Unconfined(reason));
            return ExitCode::FAILURE;
        }
    };
    if is_check {
        return ExitCode::SUCCESS;
    }
    serve(socket, &confined)
}

/// `[--unconfined WORDS] MEMORY SECONDS DESCRIPTORS`; `check` instead of the numbers locks in and ends.
fn locked_in(words: &[String]) -> Result<(Confined, bool), String> {
    let form = || "misu-worker is started by misu-guard".to_owned();
    match words {
        [check] if check == "check" => Ok((reason(confine(&Ceiling::CHECK))?, true)),
        [option, words, numbers @ ..] if option == "--unconfined" => {
            let ceiling = Ceiling::parse(numbers).ok_or_else(form)?;
            Ok((unconfined(words, &ceiling).ok_or_else(form)?, false))
        }
        numbers => Ok((reason(confine(&Ceiling::parse(numbers).ok_or_else(form)?))?, false)),
    }
}

fn reason<T, E: std::error::Error>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|error| {
        let causes = std::iter::successors(error.source(), |error| error.source());
        causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
    })
}

fn serve(mut socket: Socket<'_>, confined: &Confined) -> ExitCode {
    if write_packed(&mut socket, &WorkerHello::Ready).is_err() {
        return ExitCode::FAILURE;
    }
    let Ok(request) = read_packed::<WorkerRequest>(&mut socket, MOST) else { return ExitCode::from(2) };
    let Ok(files) = socket.receive_files(request.descriptors) else { return ExitCode::from(2) };
    let reply = engine_worker::run(confined, &request, files.into());
    match write_packed(&mut socket, &reply) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
