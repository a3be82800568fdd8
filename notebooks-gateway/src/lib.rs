//! The portal: public pages about the data, and a workbench where a signed-in researcher asks questions.
//!
//! The gateway is the only part of misu that speaks HTTP. It holds no key, no data and no protected table: every
//! question goes to the guard over a Unix socket, and what comes back has passed disclosure control already. What it
//! keeps is the last answers of each researcher, in memory, for hours. Who is signed in, the guard knows: a browser's
//! cookie holds a word that the guard made, and each request asks the guard whose it is.
//!
//! [`router`] makes the pages from a [`Gateway`]; [`serve`] speaks HTTP/1 with limits on size, time and number of
//! connections. Time and randomness come in through [`Sources`]; the program `misu-gateway` passes the real ones.
//!
//! TLS is spoken by [`serve_tls`], or by a proxy in front, told by [`Settings::is_behind_tls`].
//!
//! What is not here: passwords and second factors (passed on to the guard as they are typed), and any page that needs
//! a script to be read.

mod api;
mod flight;
mod gateway;
mod guard;
mod jupyter;
mod pages;
mod server;

mod attempts;
mod caller;
mod catalogue;
mod confined;
mod desk;
mod format;
mod kept;
mod language;
mod metrics;
mod posted;
mod provider;
mod rate;
mod secret;
mod shield;
mod tls;
mod visitor;

pub use confined::lock_in;
pub use flight::{FlightTls, serve_flight};
pub use gateway::{Gateway, NoRandomness, Random, Settings, Sources};
pub use guard::AskError;
pub use metrics::monitor;
pub use pages::router;
pub use provider::ProviderSettings;
pub use rate::Rate;
pub use server::{Limits, serve, serve_tls};
pub use tls::Tls;
pub use visitor::{Visitor, visitor_of_bearer, visitor_of_token};
