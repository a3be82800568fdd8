//! Locks `misu-ingest` in before it reads an identity: no network, no memory images, no file but those it is for.
//!
//! What parses delivered files meets bytes that others made. Should a parser be tricked, there is nowhere to send a name
//! to: sockets are refused by seccomp, paths outside by Landlock, and a crash leaves no core. The rules hold for a thread
//! and those that it makes, so they are set while there is one. This is not the worker's confinement, which opens no
//! file at all; ingest needs files by their paths.

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

/// What every program reads: its libraries (a key module among them), and what the kernel says about it, about the machine
/// and about a writer that may have been killed.
const SYSTEM: [&str; 8] =
    ["/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/dev/null", "/dev/urandom", "/proc", "/sys/fs/cgroup"];

/// Calls that would leave the process, and why each is refused. A pair of sockets, by which the runtime tells itself of
/// signals, leads nowhere else and stays.
const REFUSED: [(i64, &str); 20] = [
    (libc::SYS_socket, "no network, not even to this machine"),
    (libc::SYS_connect, "a socket that was inherited"),
    (libc::SYS_bind, "a socket that was inherited"),
    (libc::SYS_listen, "a socket that was inherited"),
    (libc::SYS_accept, "a socket that was inherited"),
    (libc::SYS_accept4, "a socket that was inherited"),
    (libc::SYS_sendmsg, "a socket that was inherited, and descriptors that are passed on"),
    (libc::SYS_sendmmsg, "as sendmsg"),
    (libc::SYS_io_uring_setup, "requests of a ring pass this filter by"),
    (libc::SYS_execve, "another program would not know what it may"),
    (libc::SYS_execveat, "as execve"),
    (libc::SYS_ptrace, "other processes' memory"),
    (libc::SYS_process_vm_readv, "other processes' memory"),
    (libc::SYS_process_vm_writev, "other processes' memory"),
    (libc::SYS_bpf, "programs in the kernel"),
    (libc::SYS_add_key, "the kernel's keyrings outlive the process"),
    (libc::SYS_keyctl, "the kernel's keyrings outlive the process"),
    (libc::SYS_unshare, "other namespaces"),
    (libc::SYS_setns, "other namespaces"),
    (libc::SYS_mount, "other files under permitted names"),
];

/// Locks the process in. Without `places` files stay as they are, all else is locked.
///
/// # Errors
///
/// A step is not possible on this kernel, or there are threads already; then the process must not read anything.
pub fn confine(places: Option<&Places>) -> Result<(), Unconfined> {
    let threads = std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    if threads != 1 {
        return Err(Unconfined::Threads);
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if let Some(places) = places {
        files(places)?;
    }
    let filter = filter().map_err(Unconfined::Calls)?;
    seccompiler::apply_filter(&filter).map_err(|source| Unconfined::Calls(source.into()))
}

/// Landlock: a place that is not there needs no rule, and whoever opens it says that it is missing.
fn files(places: &Places) -> Result<(), Unconfined> {
    let all = AccessFs::from_all(ABI::V3);
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(all)?
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessNet::from_all(ABI::V4))?
        .scope(Scope::from_all(ABI::V6))?
        .create()?
        .add_rules(path_beneath_rules(SYSTEM, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&places.reads, AccessFs::ReadFile | AccessFs::ReadDir))?
        .add_rules(path_beneath_rules(&places.writes, all & !AccessFs::Execute))?
        .restrict_self()?;
    if status.ruleset == RulesetStatus::NotEnforced { Err(Unconfined::NotEnforced) } else { Ok(()) }
}

fn filter() -> Result<BpfProgram, Box<dyn std::error::Error + Send + Sync>> {
    let rules: BTreeMap<_, _> = REFUSED.iter().map(|(call, _)| (*call, Vec::new())).collect();
    let refused = SeccompAction::Errno(u32::try_from(libc::EPERM)?);
    let processor = TargetArch::try_from(std::env::consts::ARCH)?;
    Ok(BpfProgram::try_from(SeccompFilter::new(rules, SeccompAction::Allow, refused, processor)?)?)
}

#[cfg(test)]
mod tests {
    use super::{REFUSED, filter};

    #[test]
    fn the_filter_compiles_and_each_call_has_a_reason() {
        assert!(!filter().unwrap().is_empty());
        assert!(REFUSED.iter().all(|(_, reason)| !reason.is_empty()));
    }
}
