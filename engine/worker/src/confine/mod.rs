//! Locks the process in, before it knows a path, a key or a thread.
//!
//! [`confine`] is read from top to bottom: each step takes something away that the next one could not. Whoever runs a
//! query shows the receipt [`Confined`]. Nothing here decides what a query may see; that is vetting, and keys.

mod descriptors;
mod files;
mod filters;
mod limits;
mod namespaces;

use std::fmt;

use engine_protocol::LAPTOP;
pub use limits::Ceiling;

/// The receipt for a process that is locked in, or that was told in words to run without.
#[derive(Debug)]
pub struct Confined {
    _made_here: (),
}

/// Why a process cannot be locked in; then it reads nothing.
#[derive(Debug, thiserror::Error)]
#[error("the worker cannot be confined: {step}")]
pub struct Unconfined {
    /// The step that failed.
    step: Step,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The steps, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Threads,
    Descriptors,
    Limits,
    Dump,
    Privileges,
    Landlock,
    Seccomp,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Threads => "the process has more than one thread already",
            Self::Descriptors => "open descriptors cannot be closed",
            Self::Dump => "memory images cannot be forbidden",
            Self::Limits => "limits cannot be set",
            Self::Privileges => "new privileges cannot be given up",
            Self::Landlock => {
                "Landlock with rules on files, TCP and scopes (kernel 6.12 or later) is not there"
            }
            Self::Seccomp => "filters of system calls are not there",
        })
    }
}

/// Locks this process in. Descriptors 0, 1 and 2 stay open.
///
/// # Errors
///
/// A step is not possible on this kernel, or the process has threads already.
pub fn confine(ceiling: &Ceiling) -> Result<Confined, Unconfined> {
    // The rules of Landlock and seccomp hold for a thread and those it makes; a second one would stay free.
    descriptors::one_thread().map_err(at(Step::Threads))?;
    // Nothing that the guard had open is left but the socket and two streams to nowhere.
    descriptors::close_all().map_err(at(Step::Descriptors))?;
    limits::set(ceiling).map_err(at(Step::Limits))?;
    // An empty network, its own message queues, nobody's rights: where the kernel gives them; what follows does not
    // rely on it.
    namespaces::leave();
    // Behind the change of user, which allows it again: no memory image, no tracing, and /proc/self belongs to root.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
        .map_err(at(Step::Dump))?;
    rustix::thread::set_no_new_privs(true).map_err(at(Step::Privileges))?;
    files::forbid().map_err(at(Step::Landlock))?;
    // Last, since the steps above need calls that are over from here on.
    filters::install().map_err(at(Step::Seccomp))?;
    Ok(Confined { _made_here: () })
}

/// The receipt without confinement, for an environment whose configuration says [`LAPTOP`]; nothing for other words.
/// Limits are set all the same.
pub fn unconfined(words: &str, ceiling: &Ceiling) -> Option<Confined> {
    (words == LAPTOP && limits::set(ceiling).is_ok()).then_some(Confined { _made_here: () })
}

fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(step: Step) -> impl FnOnce(E) -> Unconfined {
    move |source| Unconfined { step, source: source.into() }
}
