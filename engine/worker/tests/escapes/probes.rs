//! The probes: what each prepares while it still may, and what it attempts.

use std::fs::File;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream, UdpSocket};

use engine_worker::confine::Ceiling;

/// One thing that a worker may not do.
pub(crate) struct Probe {
    pub(crate) name: &'static str,
    /// What the process may take inside.
    pub(crate) ceiling: Ceiling,
    /// The signal of a crash that is the wall itself, where there is one; any other crash shows nothing.
    pub(crate) crash: Option<i32>,
    /// Runs before the process is locked in; a file that it gives becomes descriptor 1, which stays open.
    pub(crate) prepare: fn(&str) -> Option<File>,
    /// Whether it could be done. The folder holds a file `data`.
    pub(crate) attempt: fn(&str) -> bool,
}

const fn plain(name: &'static str, attempt: fn(&str) -> bool) -> Probe {
    let ceiling = Ceiling { memory: 6 << 30, seconds: 1, descriptors: 256 };
    Probe { name, ceiling, crash: None, prepare: |_| None, attempt }
}

/// What most probes have in common.
const PLAIN: Probe = plain("", |_| false);

/// A call by its number; whether the kernel knew and allowed it.
fn call(number: libc::c_long, arguments: [usize; 6]) -> libc::c_long {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the arguments are numbers, null, or addresses of live values of the caller.
    unsafe { libc::syscall(number, a, b, c, d, e, f) }
}

/// The call was let through to the kernel's own checks: done, or refused for its arguments.
fn is_let_through(result: libc::c_long) -> bool {
    let error = std::io::Error::last_os_error().raw_os_error();
    result >= 0 || !matches!(error, Some(libc::EPERM | libc::ENOSYS | libc::EACCES))
}

fn socket(domain: i32, kind: i32) -> bool {
    call(libc::SYS_socket, [domain as usize, kind as usize, 0, 0, 0, 0]) >= 0
}

fn as_parent(of: impl Fn(usize) -> bool) -> bool {
    of(std::os::unix::process::parent_id() as usize)
}

fn write_into(path: &str) -> bool {
    std::fs::write(path, b"x").is_ok()
}

fn secret(path: &str) -> bool {
    let mut bytes = [0; 1];
    File::open(path).is_ok_and(|mut file| file.read(&mut bytes).is_ok_and(|read| read == 1))
}

// As the kernel's io_uring.h has them.
const OFFSET_OF_REQUESTS: usize = 0x1000_0000;
const REQUEST_SOCKET: u64 = 45;
const WAIT: usize = 1;

/// Opens a socket by a request that lies in memory, where no filter of calls sees it.
fn socket_by_ring() -> bool {
    // The kernel fills it: number 11 says where the tail of the requests lies, number 25 where those that are done lie.
    let mut parameters = [0_u32; 30];
    let ring = call(libc::SYS_io_uring_setup, [1, parameters.as_mut_ptr() as usize, 0, 0, 0, 0]);
    if ring < 0 {
        return false;
    }
    let shared = |offset: usize| {
        let rights = (libc::PROT_READ | libc::PROT_WRITE) as usize;
        let flags = (libc::MAP_SHARED | libc::MAP_POPULATE) as usize;
        call(libc::SYS_mmap, [0, 4096, rights, flags, ring as usize, offset])
    };
    let (queue, requests) = (shared(0), shared(OFFSET_OF_REQUESTS));
    if queue <= 0 || requests <= 0 {
        return false;
    }
    let (queue, request) = (queue as usize as *mut u8, requests as usize as *mut u64);
    let [tail, done] = [11, 25].map(|place| parameters[place] as usize);
    // SAFETY: both are pages that the kernel shares with this process alone, and a ring of one request fits into each;
    // the tail is a number of 32 bits.
    unsafe {
        request.write_volatile(REQUEST_SOCKET | ((libc::AF_INET as u64) << 32));
        request.add(1).write_volatile(libc::SOCK_STREAM as u64);
        queue.add(tail).cast::<u32>().write_volatile(1);
    }
    if call(libc::SYS_io_uring_enter, [ring as usize, 1, 1, WAIT, 0, 0]) != 1 {
        return false;
    }
    // SAFETY: as above; a finished request is its name in 64 bits, then what came of it in 32.
    unsafe { queue.add(done + 8).cast::<i32>().read_volatile() >= 0 }
}

/// Takes and touches a quarter more than a process of [`Ceiling::CHECK`] has room for.
fn balloon() -> bool {
    let mut held = Vec::with_capacity(20);
    (0..20).all(|_| {
        let mut piece = Vec::<u8>::new();
        let is_there = piece.try_reserve_exact(64 << 20).is_ok();
        for byte in piece.spare_capacity_mut().iter_mut().step_by(4096) {
            byte.write(1);
        }
        held.push(std::hint::black_box(piece));
        is_there
    })
}

/// Recurses on as large a stack as there is, until 64 MiB of it are used or it ends.
fn recursion() -> bool {
    // The library's own handler would only say what happened before it ends the process.
    // SAFETY: no handler is replaced that anything here relies on.
    unsafe { libc::signal(libc::SIGSEGV, libc::SIG_DFL) };
    let start = |size: usize| std::thread::Builder::new().stack_size(size).spawn(|| deep(64 << 20)).ok();
    let started = start(1 << 30).or_else(|| start(1 << 20));
    started.is_some_and(|thread| thread.join().is_ok_and(|sum| sum > 0))
}

/// Uses so many bytes of stack, and some more.
fn deep(bytes: usize) -> usize {
    let frame = std::hint::black_box([1_u8; 4096]);
    let rest = bytes.saturating_sub(frame.len());
    usize::from(frame[bytes % 4096]) + if rest == 0 { 0 } else { deep(rest) }
}

fn processor_seconds() -> i64 {
    let mut spent = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the kernel writes one timespec to a live one.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut spent) };
    spent.tv_sec
}

pub(crate) const PROBES: &[Probe] = &[
    // Network.
    plain("socket AF_INET", |_| UdpSocket::bind("127.0.0.1:0").is_ok()),
    plain("socket AF_INET6", |_| socket(libc::AF_INET6, libc::SOCK_STREAM)),
    plain("socket AF_UNIX", |_| socket(libc::AF_UNIX, libc::SOCK_STREAM)),
    plain("socket AF_VSOCK", |_| {
        is_let_through(call(
            libc::SYS_socket,
            [libc::AF_VSOCK as usize, libc::SOCK_STREAM as usize, 0, 0, 0, 0],
        ))
    }),
    plain("socket AF_NETLINK", |_| socket(libc::AF_NETLINK, libc::SOCK_RAW)),
    plain("TCP connect", |_| {
        TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| TcpStream::connect(listener.local_addr()?))
            .is_ok()
    }),
    plain("io_uring_setup", |_| {
        let mut parameters = [0_u8; 120];
        is_let_through(call(libc::SYS_io_uring_setup, [1, parameters.as_mut_ptr() as usize, 0, 0, 0, 0]))
    }),
    plain("socket by io_uring", |_| socket_by_ring()),
    // Secrets.
    plain("open data file", |target| secret(&format!("{target}/data"))),
    plain("open the key store", |target| secret(&format!("{target}/keys/store.json"))),
    plain("open /etc/passwd", |_| secret("/etc/passwd")),
    plain("open /proc/self/mem", |_| File::open("/proc/self/mem").is_ok()),
    plain("open /proc/self/environ", |_| secret("/proc/self/environ")),
    plain("list parent's descriptors", |_| {
        as_parent(|parent| std::fs::read_dir(format!("/proc/{parent}/fd")).is_ok())
    }),
    plain("open_by_handle_at", |_| {
        is_let_through(call(libc::SYS_open_by_handle_at, [usize::MAX, 0, 0, 0, 0, 0]))
    }),
    plain("stat a path", |target| std::fs::metadata(format!("{target}/data")).is_ok()),
    // Files.
    plain("create a file", |target| write_into(&format!("{target}/new"))),
    plain("open a data file to write", |target| {
        File::options().write(true).open(format!("{target}/data")).is_ok()
    }),
    Probe {
        name: "write an open data file",
        prepare: |target| File::options().write(true).open(format!("{target}/data")).ok(),
        attempt: |_| call(libc::SYS_pwrite64, [1, c"x".as_ptr() as usize, 1, 0, 0, 0]) == 1,
        ..PLAIN
    },
    plain("symlink", |target| std::os::unix::fs::symlink("/etc", format!("{target}/link")).is_ok()),
    plain("hard link", |target| {
        std::fs::hard_link(format!("{target}/data"), format!("{target}/second")).is_ok()
    }),
    plain("rename", |target| {
        let (from, to) = (format!("{target}/data"), format!("{target}/moved"));
        std::fs::rename(&from, &to).and_then(|()| std::fs::rename(&to, &from)).is_ok()
    }),
    plain("remove", |target| std::fs::remove_file(format!("{target}/data")).is_ok()),
    Probe {
        name: "1 TB sparse file",
        prepare: |target| File::create(format!("{target}/sparse")).ok(),
        attempt: |_| call(libc::SYS_ftruncate, [1, 1 << 40, 0, 0, 0, 0]) == 0,
        ..PLAIN
    },
    plain("memfd_create", |_| call(libc::SYS_memfd_create, [c"x".as_ptr() as usize, 0, 0, 0, 0, 0]) >= 0),
    // Processes.
    plain("fork", |_| {
        let child = call(libc::SYS_fork, [0; 6]);
        if child == 0 {
            call(libc::SYS_exit_group, [0; 6]);
        }
        child > 0
    }),
    plain("vfork by clone", |_| {
        // The child has memory of its own, which vfork would share: it ends without touching any.
        let flags = libc::CLONE_VFORK | libc::SIGCHLD;
        let child = call(libc::SYS_clone, [flags as usize, 0, 0, 0, 0, 0]);
        if child == 0 {
            call(libc::SYS_exit_group, [0; 6]);
        }
        child > 0
    }),
    plain("clone3", |_| {
        let mut arguments = [0_u64; 11];
        arguments[4] = libc::SIGCHLD as u64;
        let child = call(libc::SYS_clone3, [arguments.as_mut_ptr() as usize, 88, 0, 0, 0, 0]);
        if child == 0 {
            call(libc::SYS_exit_group, [0; 6]);
        }
        child > 0
    }),
    plain("execve", |_| {
        use std::os::unix::process::CommandExt as _;
        let _ = std::process::Command::new("/bin/true").exec();
        false
    }),
    plain("execveat", |_| {
        let arguments = [c"/bin/true".as_ptr(), std::ptr::null()];
        let none = [std::ptr::null::<libc::c_char>()];
        call(
            libc::SYS_execveat,
            [
                libc::AT_FDCWD as usize,
                c"/bin/true".as_ptr() as usize,
                arguments.as_ptr() as usize,
                none.as_ptr() as usize,
                0,
                0,
            ],
        );
        false
    }),
    Probe {
        name: "execveat of an open file",
        prepare: |_| File::open("/bin/true").ok(),
        attempt: |_| {
            let arguments = [c"true".as_ptr(), std::ptr::null()];
            let none = [std::ptr::null::<libc::c_char>()];
            let empty = libc::AT_EMPTY_PATH as usize;
            let (arguments, none) = (arguments.as_ptr() as usize, none.as_ptr() as usize);
            call(libc::SYS_execveat, [1, c"".as_ptr() as usize, arguments, none, empty, 0]);
            false
        },
        ..PLAIN
    },
    plain("ptrace of the parent", |_| {
        as_parent(|parent| call(libc::SYS_ptrace, [libc::PTRACE_SEIZE as usize, parent, 0, 0, 0, 0]) == 0)
    }),
    plain("ptrace", |_| {
        is_let_through(call(libc::SYS_ptrace, [libc::PTRACE_TRACEME as usize, 0, 0, 0, 0, 0]))
    }),
    plain("process_vm_readv", |_| {
        let own = std::process::id() as usize;
        call(libc::SYS_process_vm_readv, [own, 0, 0, 0, 0, 0]) >= 0
    }),
    plain("parent's memory", |_| {
        let byte = [0_u8; 1];
        let (here, there) = ([byte.as_ptr() as usize, 1], [1_usize, 1]);
        // Nothing lies at address 1: whoever may look is told so.
        as_parent(|parent| {
            let (here, there) = (here.as_ptr() as usize, there.as_ptr() as usize);
            is_let_through(call(libc::SYS_process_vm_readv, [parent, here, 1, there, 1, 0]))
        })
    }),
    plain("pidfd_getfd", |_| is_let_through(call(libc::SYS_pidfd_getfd, [usize::MAX, 0, 0, 0, 0, 0]))),
    plain("signal to the parent", |_| as_parent(|parent| call(libc::SYS_kill, [parent, 0, 0, 0, 0, 0]) == 0)),
    plain("pidfd of the parent", |_| {
        as_parent(|parent| call(libc::SYS_pidfd_open, [parent, 0, 0, 0, 0, 0]) >= 0)
    }),
    // Kernel.
    plain("bpf", |_| {
        let mut attributes = [0_u64; 16];
        is_let_through(call(libc::SYS_bpf, [9_999, attributes.as_mut_ptr() as usize, 128, 0, 0, 0]))
    }),
    plain("perf_event_open", |_| is_let_through(call(libc::SYS_perf_event_open, [0; 6]))),
    plain("userfaultfd", |_| is_let_through(call(libc::SYS_userfaultfd, [usize::MAX, 0, 0, 0, 0, 0]))),
    plain("keyctl", |_| is_let_through(call(libc::SYS_keyctl, [9_999, 0, 0, 0, 0, 0]))),
    plain("unshare", |_| is_let_through(call(libc::SYS_unshare, [0; 6]))),
    plain("setns", |_| is_let_through(call(libc::SYS_setns, [usize::MAX, 0, 0, 0, 0, 0]))),
    plain("mount", |_| is_let_through(call(libc::SYS_mount, [0; 6]))),
    plain("personality", |_| call(libc::SYS_personality, [0xFFFF_FFFF, 0, 0, 0, 0, 0]) >= 0),
    plain("ioctl TIOCSTI", |_| {
        is_let_through(call(libc::SYS_ioctl, [0, libc::TIOCSTI as usize, 0, 0, 0, 0]))
    }),
    plain("seccomp", |_| is_let_through(call(libc::SYS_seccomp, [9_999, 0, 0, 0, 0, 0]))),
    // Memory.
    plain("8 GiB of address space", |_| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        call(libc::SYS_mmap, [0, 8 << 30, libc::PROT_NONE as usize, flags as usize, usize::MAX, 0]) > 0
    }),
    Probe { ceiling: Ceiling::CHECK, ..plain("1.25 GiB of touched pages", |_| balloon()) },
    Probe {
        ceiling: Ceiling::CHECK,
        crash: Some(libc::SIGSEGV),
        ..plain("recursion without an end", |_| recursion())
    },
    plain("executable mmap", |_| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let rights = libc::PROT_READ | libc::PROT_EXEC;
        call(libc::SYS_mmap, [0, 4096, rights as usize, flags as usize, usize::MAX, 0]) > 0
    }),
    plain("executable mprotect", |_| {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = call(libc::SYS_mmap, [0, 4096, 3, flags as usize, usize::MAX, 0]);
        page > 0 && call(libc::SYS_mprotect, [page as usize, 4096, 5, 0, 0, 0]) == 0
    }),
    plain("raise a limit", |_| {
        let limit = [256_u64, 256];
        let files = libc::RLIMIT_NOFILE as usize;
        call(libc::SYS_prlimit64, [0, files, limit.as_ptr() as usize, 0, 0, 0]) == 0
    }),
    plain("dumpable again", |_| call(libc::SYS_prctl, [libc::PR_SET_DUMPABLE as usize, 1, 0, 0, 0, 0]) == 0),
    // Exhaustion.
    plain("two thousand threads", |_| {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        let wait = std::sync::Arc::new(std::sync::Mutex::new(wait));
        let start = |_| {
            let wait = std::sync::Arc::clone(&wait);
            let builder = std::thread::Builder::new().stack_size(64 << 10);
            builder.spawn(move || wait.lock().map(|wait| wait.recv().is_err()).unwrap_or_default()).is_ok()
        };
        let all = (0..2_000).all(start);
        drop(end);
        all
    }),
    plain("many descriptors", |_| (0..400).all(|_| call(libc::SYS_dup, [0; 6]) >= 0)),
    plain("4 s of processor time", |_| {
        let mut number = 1_u64;
        // By the process's own clock: a busy machine gives a second of it late.
        while processor_seconds() < 4 {
            number = (0..1_000_000).fold(number, |number, _| std::hint::black_box(number.wrapping_mul(31)));
        }
        true
    }),
    // The way out.
    Probe {
        name: "write to another descriptor",
        prepare: |target| File::create(format!("{target}/out")).ok(),
        attempt: |_| call(libc::SYS_write, [1, c"x".as_ptr() as usize, 1, 0, 0, 0]) == 1,
        ..PLAIN
    },
];
