//! The portal: public pages about the data, and a workbench where a signed-in researcher asks questions.
//!
//! The gateway is the only part of misu that speaks HTTP. It holds no key, no data and no protected table: every
//! question goes to the guard over a Unix socket, and what comes back has passed disclosure control already. What it
//! keeps is who is signed in and the last answers of each, in memory, for hours.
//!
//! [`router`] makes the pages from a [`Gateway`]; [`serve`] speaks HTTP/1 with limits on size, time and number of
//! connections. Time and randomness come in through [`Sources`]; the program `misu-gateway` passes the real ones.
//!
//! What is not here: TLS (a proxy in front, told by [`Settings::is_behind_tls`]), accounts and second factors (users
//! come as digests of random tokens, [`Users`]), and any page that needs a script to be read.

mod gateway;
mod guard;
mod pages;
mod server;
mod sessions;
mod users;

mod catalogue;
mod desk;
mod format;
mod language;
mod posted;
mod secret;
mod shield;
mod visitor;

pub use gateway::{Gateway, NoRandomness, Random, Settings, Sources};
pub use guard::AskError;
pub use pages::router;
pub use server::{Limits, serve};
pub use users::{User, Users, UsersError};
