//! Namespaces of the process's own, where the kernel gives them to an ordinary user.

use rustix::thread::UnshareFlags;

/// Leaves the parent's network, message queues and host name. Landlock and seccomp forbid their use in any case; this
/// is a second wall where it can be had, so a no is not an error.
#[expect(unsafe_code, reason = "the safe wrapper is deprecated, since it can separate tables of descriptors")]
pub(super) fn leave() {
    let own = UnshareFlags::NEWNET | UnshareFlags::NEWIPC | UnshareFlags::NEWUTS;
    // SAFETY: the table of descriptors stays as it is (no CLONE_FILES), and there is one thread.
    let left = unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWUSER | own) };
    if left.is_err() {
        // Root may do without a user namespace where those are forbidden.
        // SAFETY: as above.
        let _ = unsafe { rustix::thread::unshare_unsafe(own) };
    }
}
