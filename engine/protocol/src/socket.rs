//! The socket between guard and worker: bytes of frames, and open files beside them.
//!
//! A worker is given data as read-only descriptors, so that it need not know, nor be allowed to open, a path.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};

/// One end of the socket.
#[derive(Clone, Copy, Debug)]
pub struct Socket<'fd>(BorrowedFd<'fd>);

/// Descriptors in one message; the kernel takes 253 at most.
const BATCH: usize = 200;

/// What stands in a message beside descriptors, and what answers it.
const MARK: u8 = 0xD5;

impl<'fd> Socket<'fd> {
    /// Takes a descriptor as one end.
    pub const fn new(descriptor: BorrowedFd<'fd>) -> Self {
        Self(descriptor)
    }

    /// Makes both ends; neither outlives an exec by itself.
    ///
    /// # Errors
    ///
    /// The operating system gives none.
    pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
        Ok(socketpair(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?)
    }

    /// Gives up reading after so long; without a time it waits for ever.
    ///
    /// # Errors
    ///
    /// The operating system does not take the time.
    pub fn wait_at_most(self, time: Option<Duration>) -> io::Result<()> {
        Ok(set_socket_timeout(self.0, Timeout::Recv, time)?)
    }

    /// Sends open files. Each batch waits until the other side has taken it: files on their way count against the
    /// limits of this process.
    ///
    /// # Errors
    ///
    /// The connection broke, or the other side answers something else.
    pub fn send_files(mut self, files: &[BorrowedFd<'_>]) -> io::Result<()> {
        for batch in files.chunks(BATCH) {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut beside = SendAncillaryBuffer::new(&mut space);
            if !beside.push(SendAncillaryMessage::ScmRights(batch)) {
                return Err(io::Error::other("a batch of descriptors does not fit a message"));
            }
            sendmsg(self.0, &[IoSlice::new(&[MARK])], &mut beside, SendFlags::NOSIGNAL)?;
            let mut answer = [0];
            self.read_exact(&mut answer)?;
            if answer != [MARK] {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
        }
        Ok(())
    }

    /// Takes `count` open files.
    ///
    /// # Errors
    ///
    /// The connection broke, or a message has more or fewer files than were announced.
    pub fn receive_files(mut self, count: u32) -> io::Result<Vec<OwnedFd>> {
        let mut files = Vec::new();
        while files.len() < count as usize {
            let before = files.len();
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(BATCH))];
            let mut beside = RecvAncillaryBuffer::new(&mut space);
            let mut mark = [0];
            let received =
                recvmsg(self.0, &mut [IoSliceMut::new(&mut mark)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
            for message in beside.drain() {
                if let RecvAncillaryMessage::ScmRights(batch) = message {
                    files.extend(batch);
                }
            }
            let is_whole = !received.flags.contains(ReturnFlags::CTRUNC) && mark == [MARK];
            if !is_whole || files.len() == before || files.len() > count as usize {
                return Err(io::Error::from(io::ErrorKind::InvalidData));
            }
            self.write_all(&[MARK])?;
        }
        Ok(files)
    }
}

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::read(self.0, buffer)?)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self.0, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::os::fd::AsFd as _;

    use super::Socket;

    #[test]
    fn files_arrive_in_order_and_more_than_one_message_holds() {
        let (here, there) = Socket::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let other = tempfile::tempfile().unwrap();
        (&other).write_all(b"last").unwrap();
        let count = 450_u32;
        let sender = std::thread::spawn(move || {
            let mut files = vec![file.as_fd(); count as usize - 1];
            files.push(other.as_fd());
            Socket::new(here.as_fd()).send_files(&files)
        });
        let files = Socket::new(there.as_fd()).receive_files(count).unwrap();
        sender.join().unwrap().unwrap();
        let mut last = std::fs::File::from(files.into_iter().last().unwrap());
        let mut text = String::new();
        std::io::Seek::rewind(&mut last).unwrap();
        last.read_to_string(&mut text).unwrap();
        assert_eq!(text, "last");
    }

    #[test]
    fn fewer_files_than_announced_are_an_error() {
        let (here, there) = Socket::pair().unwrap();
        let file = tempfile::tempfile().unwrap();
        let sender = std::thread::spawn(move || {
            let _ = Socket::new(here.as_fd()).send_files(&[file.as_fd(), file.as_fd(), file.as_fd()]);
        });
        assert!(Socket::new(there.as_fd()).receive_files(2).is_err());
        drop(there);
        sender.join().unwrap();
    }
}
