//! System calls: three filters as data, a reason beside each entry, stacked; the strictest answer counts.

use seccompiler::{BpfProgram, TargetArch, apply_filter, compile_from_json};
use serde::Deserialize;
use serde_json::{Value, json};

/// The filters in the order of their installation. The allow-list comes last: it allows no further filter.
const FILTERS: [(&str, &str); 3] = [
    ("absent", include_str!("../../filters/absent.toml")),
    ("refused", include_str!("../../filters/refused.toml")),
    ("allowed", include_str!("../../filters/allowed.toml")),
];

/// Why a filter cannot be made or installed.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("the filter file {0} is not of the expected form")]
    Form(&'static str, #[source] toml::de::Error),
    #[error("the filter file {0} has an entry without a reason")]
    Reason(&'static str),
    #[error("the filter {0} cannot be made")]
    Compile(&'static str, #[source] seccompiler::Error),
    #[error("the filter {0} cannot be installed")]
    Install(&'static str, #[source] seccompiler::Error),
    #[error("there is no filter for this processor")]
    Processor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    action: Action,
    #[serde(rename = "call")]
    calls: Vec<Call>,
}

/// What a filter says of the calls that it names; of all others it says the opposite.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Allow,
    NotPermitted,
    NoSuchCall,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Call {
    name: String,
    reason: String,
    /// Conditions that all hold.
    #[serde(default)]
    when: Vec<Condition>,
    /// Values of which the argument has none.
    #[serde(default)]
    unless: Vec<Condition>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Condition {
    argument: u8,
    mask: Option<u64>,
    value: u64,
    reason: String,
}

/// Compiles all filters, then installs them.
pub(super) fn install() -> Result<(), FilterError> {
    for (name, program) in compile()? {
        apply_filter(&program).map_err(|source| FilterError::Install(name, source))?;
    }
    Ok(())
}

fn compile() -> Result<Vec<(&'static str, BpfProgram)>, FilterError> {
    let processor = TargetArch::try_from(std::env::consts::ARCH).map_err(|_| FilterError::Processor)?;
    let mut programs = Vec::with_capacity(FILTERS.len());
    for (name, text) in FILTERS {
        let filter: Filter = toml::from_str(text).map_err(|source| FilterError::Form(name, source))?;
        if filter.calls.iter().any(|call| !call.has_reasons()) {
            return Err(FilterError::Reason(name));
        }
        let json = json!({ name: filter.json() }).to_string();
        let mut compiled = compile_from_json(json.as_bytes(), processor)
            .map_err(|source| FilterError::Compile(name, source))?;
        if let Some(program) = compiled.remove(name) {
            programs.push((name, program));
        }
    }
    Ok(programs)
}

impl Filter {
    fn json(&self) -> Value {
        let (hit, miss) = match self.action {
            Action::Allow => (json!("allow"), json!("kill_process")),
            Action::NotPermitted => (json!({ "errno": libc::EPERM }), json!("allow")),
            Action::NoSuchCall => (json!({ "errno": libc::ENOSYS }), json!("allow")),
        };
        let calls: Vec<Value> = self.calls.iter().map(Call::json).collect();
        json!({ "mismatch_action": miss, "match_action": hit, "filter": calls })
    }
}

impl Call {
    fn has_reasons(&self) -> bool {
        let conditions = self.when.iter().chain(&self.unless);
        !self.reason.is_empty() && conditions.into_iter().all(|condition| !condition.reason.is_empty())
    }

    fn json(&self) -> Value {
        let when = self.when.iter().map(|condition| match condition.mask {
            Some(mask) => condition.json(&json!({ "masked_eq": mask })),
            None => condition.json(&json!("eq")),
        });
        let unless = self.unless.iter().map(|condition| condition.json(&json!("ne")));
        let conditions: Vec<Value> = when.chain(unless).collect();
        match conditions.as_slice() {
            [] => json!({ "syscall": self.name }),
            _ => json!({ "syscall": self.name, "args": conditions }),
        }
    }
}

impl Condition {
    fn json(&self, comparison: &Value) -> Value {
        // Options and flags are compared in full; a descriptor is an int, whose upper half the kernel ignores.
        json!({ "index": self.argument, "type": "qword", "op": comparison, "val": self.value })
    }
}

#[cfg(test)]
mod tests {
    use super::{FILTERS, Filter, compile};

    #[test]
    fn every_filter_compiles_and_every_entry_has_a_reason() {
        assert_eq!(compile().unwrap().len(), FILTERS.len());
    }

    #[test]
    fn no_call_that_makes_sockets_files_or_processes_is_allowed() {
        let allowed: Filter = toml::from_str(FILTERS[2].1).unwrap();
        for name in [
            "socket",
            "connect",
            "execve",
            "execveat",
            "fork",
            "vfork",
            "ptrace",
            "bpf",
            "io_uring_setup",
            "open",
            "creat",
            "link",
            "symlink",
            "rename",
            "unlink",
            "kill",
            "tgkill",
            "dup",
            "prlimit64",
            "stat",
            "statx",
            "memfd_create",
            "unshare",
            "setns",
            "mount",
            "sendmsg",
            "seccomp",
            "pipe2",
        ] {
            assert!(allowed.calls.iter().all(|call| call.name != name), "{name}");
        }
    }
}
