//! `misu`: the command.
//!
//! Thin on purpose. What reads identities is `misu-ingest`, what holds permits and the record is `misu-guard`, what
//! touches rows is `misu-worker`, what speaks HTTP is `misu-gateway`; this program starts them and shows what they say.

mod ask;
mod commands;
mod demo;
mod dummy_room;
mod failure;
mod portal;
mod programs;
mod progress;
mod screen;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    match commands::Arguments::parse().run() {
        Ok(code) => code,
        Err(failure) => {
            screen::note(&format!("misu: {}", failure.text()));
            failure.code()
        }
    }
}
