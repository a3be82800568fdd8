//! Where the portal may go once it has read its certificates: to the guard's socket and to the network, to no file.

use std::path::PathBuf;

use confinement::{Network, Places, Unconfined, confine};

/// What the system's resolver reads to find a provider of sign-ins by its name.
const RESOLVER: [&str; 6] = [
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/nsswitch.conf",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/services",
];

/// Locks this process in: no file of an environment, no other program, no other process's memory, no memory image.
///
/// # Errors
///
/// The kernel cannot, or the process has threads already.
pub fn lock_in() -> Result<(), Unconfined> {
    let places = Places { reads: RESOLVER.map(PathBuf::from).to_vec(), writes: Vec::new() };
    confine(Some(&places), Network::Open)
}
