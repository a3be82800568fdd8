//! `misu-worker`: one request on standard input, one reply on standard output, then gone.

use std::io::{stdin, stdout};
use std::process::ExitCode;

use engine_protocol::{WorkerRequest, read_packed, write_packed};

/// The longest request: SQL, grant, catalogue and paths.
const MOST: u32 = 64 << 20;

fn main() -> ExitCode {
    let request: WorkerRequest = match read_packed(&mut stdin().lock(), MOST) {
        Ok(request) => request,
        Err(_) => return ExitCode::from(2),
    };
    match write_packed(&mut stdout().lock(), &engine_worker::run(&request)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
