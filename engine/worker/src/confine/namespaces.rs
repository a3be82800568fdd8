//! Namespaces of the process's own, where the kernel gives them to an ordinary user, and nobody's rights.

use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    UnshareFlags, set_thread_groups, set_thread_res_gid, set_thread_res_uid, unshare_unsafe,
};

use super::limits;

/// The user and group that own nothing.
const NOBODY: u32 = 65_534;

/// Leaves the parent's network, message queues and host name, and the rights of root. Landlock and seccomp forbid their
/// use in any case; this is a second wall where it can be had, so a no is not an error.
pub(super) fn leave() {
    let own = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    if geteuid().is_root() {
        // Root may do without a user namespace where those are forbidden.
        let _ = unshare(own);
        become_nobody();
    }
    let is_own_user = unshare(UnshareFlags::NEWUSER | own) || unshare(UnshareFlags::NEWUSER);
    if is_own_user {
        // Counted in this namespace, so that others of the same user are not in the way.
        let _ = limits::set_tasks();
    }
}

#[expect(unsafe_code, reason = "the safe wrapper is deprecated, since it can separate tables of descriptors")]
fn unshare(what: UnshareFlags) -> bool {
    // SAFETY: the table of descriptors stays as it is (no CLONE_FILES), and there is one thread.
    unsafe { unshare_unsafe(what) }.is_ok()
}

/// There is one thread, so what is said of it is said of the process.
fn become_nobody() {
    let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
    let _ = set_thread_groups(&[]);
    let _ = set_thread_res_gid(group, group, group);
    let _ = set_thread_res_uid(user, user, user);
}
