//! Locks a program in before it has a second thread: no file but those it is for, no other program, no memory image.
//!
//! `misu-ingest` parses delivered files, bytes that others made: should a parser be tricked, there is nowhere to send a
//! name to, so it has no network either. `misu-gateway` speaks with strangers: should it be taken over, it can ask the
//! guard, and reach no file of an environment. Paths are refused by Landlock, calls by seccomp. The rules hold for a
//! thread and those that it makes, so they are set while there is one. This is not the worker's confinement, which
//! opens no file at all.

use std::collections::BTreeMap;
use std::path::PathBuf;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus, Scope, path_beneath_rules,
};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch};

/// Where the process may go.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Files and folders that it may read.
    pub reads: Vec<PathBuf>,
    /// Folders that it may also write.
    pub writes: Vec<PathBuf>,
}

/// Whether the process may speak with anybody beside the streams that it was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Not even with this machine.
    Refused,
    /// As the machine allows it.
    Open,
}

/// Why the process cannot be locked in.
#[derive(Debug, thiserror::Error)]
pub enum Unconfined {
    /// There are threads already, which would stay free.
    #[error("the process has more than one thread already, or cannot count them")]
    Threads,
    /// Memory images cannot be forbidden.
    #[error("memory images cannot be forbidden")]
    Memory(#[from] rustix::io::Errno),
    /// Landlock refuses.
    #[error("Landlock with rules on files (kernel 6.2 or later) is not there")]
    Landlock(#[from] RulesetError),
    /// Landlock is switched off.
    #[error("the kernel enforces no rule of Landlock")]
    NotEnforced,
    /// Filters of system calls cannot be had.
    #[error("filters of system calls are not there")]
    Calls(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What every program reads: its libraries (a key module among them), and what the kernel says about it and about the
/// machine.
const SYSTEM: [&str; 8] = [
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
    "/proc/self",
    "/sys/fs/cgroup",
];

/// Calls that reach others, and why each is refused. A pair of sockets, by which the runtime tells itself of signals,
/// leads nowhere else and stays.
const NETWORK: [(i64, &str); 8] = [
    (libc::SYS_socket, "no network, not even to this machine"),
    (libc::SYS_connect, "a socket that was inherited"),
    (libc::SYS_bind, "a socket that was inherited"),
    (libc::SYS_listen, "a socket that was inherited"),
    (libc::SYS_accept, "a socket that was inherited"),
    (libc::SYS_accept4, "a socket that was inherited"),
    (libc::SYS_sendmsg, "a socket that was inherited, and descriptors that are passed on"),
    (libc::SYS_sendmmsg, "as sendmsg"),
];

/// Calls that leave the process or its files, and why each is refused.
const REFUSED: [(i64, &str); 19] = [
    (libc::SYS_io_uring_setup, "requests of a ring pass this filter by"),
    (libc::SYS_execve, "another program would not know what it may"),
    (libc::SYS_execveat, "as execve"),
    (libc::SYS_ptrace, "other processes' memory"),
    (libc::SYS_process_vm_readv, "other processes' memory"),
    (libc::SYS_process_vm_writev, "other processes' memory"),
    (libc::SYS_pidfd_getfd, "other processes' open files"),
    (libc::SYS_open_by_handle_at, "files without a path"),
    (libc::SYS_bpf, "programs in the kernel"),
    (libc::SYS_init_module, "programs in the kernel"),
    (libc::SYS_finit_module, "programs in the kernel"),
    (libc::SYS_kexec_load, "another kernel"),
    (libc::SYS_add_key, "the kernel's keyrings outlive the process"),
    (libc::SYS_keyctl, "the kernel's keyrings outlive the process"),
    (libc::SYS_unshare, "other namespaces"),
    (libc::SYS_setns, "other namespaces"),
    (libc::SYS_mount, "other files under permitted names"),
    (libc::SYS_pivot_root, "other files under permitted names"),
    (libc::SYS_chroot, "other files under permitted names"),
];

/// Locks the process in. Without `places` files stay as they are, all else is locked.
///
/// # Errors
///
/// A step is not possible on this kernel, or there are threads already; then the process must not read anything.
pub fn confine(places: Option<&Places>, network: Network) -> Result<(), Unconfined> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(Unconfined::Threads);
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if let Some(places) = places {
        files(places, network)?;
    }
    let filter = filter(network).map_err(Unconfined::Calls)?;
    seccompiler::apply_filter(&filter).map_err(|source| Unconfined::Calls(source.into()))
}

/// Landlock: a place that is not there needs no rule, and whoever opens it says that it is missing.
fn files(places: &Places, network: Network) -> Result<(), Unconfined> {
    let all = AccessFs::from_all(ABI::V3);
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(all)?
        .set_compatibility(CompatLevel::BestEffort);
    let rules = match network {
        Network::Refused => rules.handle_access(AccessNet::from_all(ABI::V4))?,
        Network::Open => rules,
    };
    let status = rules
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&places.reads, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&places.writes, all & !AccessFs::Execute))?
        .restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced { Err(Unconfined::NotEnforced) } else { Ok(()) }
}

fn filter(network: Network) -> Result<BpfProgram, Box<dyn std::error::Error + Send + Sync>> {
    let others = NETWORK.iter().filter(|_| network == Network::Refused);
    let rules: BTreeMap<_, _> = REFUSED.iter().chain(others).map(|(call, _)| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(u32::try_from(libc::EPERM)?);
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(BpfProgram::try_from(SeccompFilter::new(rules, SeccompAction::Allow, refused, processor)?)?)
}

#[cfg(test)]
mod tests {
    use super::{NETWORK, Network, REFUSED, filter};

    #[test]
    fn the_filters_compile_and_each_call_has_a_reason() {
        let [all, open] = [Network::Refused, Network::Open].map(|network| filter(network).unwrap().len());
        assert!(0 < open && open < all);
        assert!(REFUSED.iter().chain(&NETWORK).all(|(_, reason)| !reason.is_empty()));
    }
}
