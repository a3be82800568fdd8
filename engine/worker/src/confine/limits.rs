//! Limits of the operating system: the true bounds, where the engine's own are advice.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How much a process may take, whatever it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ceiling {
    /// Bytes of address space.
    pub memory: u64,
    /// Seconds on a processor, over all threads.
    pub seconds: u64,
    /// Open descriptors.
    pub descriptors: u64,
}

impl Ceiling {
    /// Enough to find out whether a process can be locked in.
    pub const CHECK: Self = Self { memory: 1 << 30, seconds: 10, descriptors: 16 };

    /// Reads three numbers: bytes, seconds, descriptors.
    pub fn parse(words: &[String]) -> Option<Self> {
        let [memory, seconds, descriptors] = words else { return None };
        Some(Self {
            memory: memory.parse().ok()?,
            seconds: seconds.parse().ok()?,
            descriptors: descriptors.parse().ok()?,
        })
    }
}

/// Threads that a process may have: those of the engine, and room.
const TASKS: u64 = 128;

/// Limits threads and processes of this user, as its namespace counts them; root is not bound by it.
pub(super) fn set_tasks() -> rustix::io::Result<()> {
    setrlimit(Resource::Nproc, Rlimit { current: Some(TASKS), maximum: Some(TASKS) })
}

/// Sets the limits, soft and hard alike, so that none can be raised again.
pub(super) fn set(ceiling: &Ceiling) -> rustix::io::Result<()> {
    let most = |resource, value: u64| {
        // A lower limit that the process was born under stays.
        let value = getrlimit(resource).maximum.map_or(value, |maximum| maximum.min(value));
        setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
    };
    most(Resource::As, ceiling.memory)?;
    most(Resource::Cpu, ceiling.seconds)?;
    most(Resource::Nofile, ceiling.descriptors)?;
    most(Resource::Core, 0)?;
    // Not a byte goes into a file: nothing is spilled.
    most(Resource::Fsize, 0)?;
    most(Resource::Memlock, 0)?;
    most(Resource::Msgqueue, 0)
}
