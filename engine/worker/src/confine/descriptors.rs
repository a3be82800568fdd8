//! What the process was born with: one thread, and the descriptors that its parent left open.

use std::io;

/// Says no where the process has a second thread.
pub(super) fn one_thread() -> io::Result<()> {
    let threads = std::fs::read_dir("/proc/self/task")?.count();
    if threads == 1 { Ok(()) } else { Err(io::Error::other(format!("{threads} threads"))) }
}

/// Closes every descriptor from 3 on.
#[expect(unsafe_code, reason = "no crate wraps close_range safely, since it closes what others may hold")]
pub(super) fn close_all() -> io::Result<()> {
    // SAFETY: the process has one thread and has opened nothing that it still uses: whatever is closed here was
    // inherited, and no value of this program owns it.
    let closed = unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
    if closed == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
