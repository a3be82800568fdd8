//! One kernel: a task that takes messages in turn and publishes what comes of them.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{Notify, broadcast, mpsc, watch};

use super::answer::{self, Shown};
use super::kernelspecs::NAME;
use super::message::{Channel, Incoming, Outgoing, VERSION};
use super::picture::Pictures;
use super::{cell, completion};
use crate::caller::{Caller, Owner};
use crate::gateway::Gateway;

/// Messages that wait for the kernel; a client that sends more loses its connection.
const WAITING: usize = 64;
/// Messages that a client may be behind.
const BEHIND: usize = 512;
/// Connections to one kernel.
const VISITORS: usize = 8;
/// The time of a kernel that nobody has spoken to.
const NEVER: &str = "1970-01-01T00:00:00.000000Z";

/// A kernel.
#[derive(Debug)]
pub(super) struct Kernel {
    id: String,
    caller: Caller,
    gateway: Gateway,
    queue: mpsc::Sender<(Incoming, u64)>,
    out: broadcast::Sender<Arc<Outgoing>>,
    interrupt: Notify,
    ended: watch::Sender<bool>,
    count: AtomicU64,
    messages: AtomicU64,
    visitors: Arc<AtomicUsize>,
    visits: AtomicU64,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    /// The time that the client's clock showed last.
    activity: String,
    state: &'static str,
    used: Duration,
    language: reports::Language,
    pictures: Pictures,
}

/// A connection to a kernel.
#[derive(Debug)]
pub(super) struct Visit {
    pub(super) messages: broadcast::Receiver<Arc<Outgoing>>,
    number: u64,
    visitors: Arc<AtomicUsize>,
}

impl Visit {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.visitors.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A message with what answers to it carry.
struct Asked {
    message: Incoming,
    parent: Arc<Value>,
    from: u64,
}

impl Kernel {
    /// Begins a kernel for a caller.
    pub(super) fn start(gateway: &Gateway, caller: Caller, id: String) -> Arc<Self> {
        let (queue, waiting) = mpsc::channel(WAITING);
        let seen = Seen {
            activity: NEVER.to_owned(),
            state: "starting",
            used: gateway.now(),
            language: reports::Language::English,
            pictures: Pictures::default(),
        };
        let kernel = Arc::new(Self {
            id,
            caller,
            gateway: gateway.clone(),
            queue,
            out: broadcast::channel(BEHIND).0,
            interrupt: Notify::new(),
            ended: watch::channel(false).0,
            count: AtomicU64::new(0),
            messages: AtomicU64::new(0),
            visitors: Arc::default(),
            visits: AtomicU64::new(0),
            seen: Mutex::new(seen),
        });
        tokio::spawn(work(Arc::clone(&kernel), waiting));
        kernel
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn owner(&self) -> Owner {
        self.caller.owner()
    }

    /// What the protocol says of a kernel.
    pub(super) fn model(&self) -> Value {
        let seen = self.seen();
        json!({
            "id": self.id, "name": NAME, "last_activity": seen.activity, "execution_state": seen.state,
            "connections": self.visitors.load(Ordering::SeqCst),
        })
    }

    pub(super) fn has_visitors(&self) -> bool {
        self.visitors.load(Ordering::SeqCst) > 0
    }

    /// When the kernel was used last.
    pub(super) fn used(&self) -> Duration {
        self.seen().used
    }

    pub(super) fn language(&self) -> reports::Language {
        self.seen().language
    }

    pub(super) fn speak(&self, language: reports::Language) {
        self.seen().language = language;
    }

    pub(super) fn pictures(&self) -> Pictures {
        self.seen().pictures
    }

    pub(super) fn draw(&self, pictures: Pictures) {
        self.seen().pictures = pictures;
    }

    pub(super) const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(super) const fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// A connection, unless there are as many as allowed.
    pub(super) fn visit(&self) -> Option<Visit> {
        let before = self.visitors.fetch_add(1, Ordering::SeqCst);
        let number = self.visits.fetch_add(1, Ordering::SeqCst);
        let visit = Visit { messages: self.out.subscribe(), number, visitors: Arc::clone(&self.visitors) };
        (before < VISITORS).then_some(visit)
    }

    /// Takes a message of a connection; says no where too many wait.
    pub(super) fn take(&self, message: Incoming, from: u64) -> bool {
        self.note(&message);
        if message.channel == Channel::Control {
            let asked = Asked { parent: Arc::new(message.header.quoted()), message, from };
            self.control(&asked);
            return true;
        }
        self.queue.try_send((message, from)).is_ok()
    }

    /// Stops waiting for the answer that the kernel waits for. Nothing happens where it waits for none.
    pub(super) fn interrupt(&self) {
        self.interrupt.notify_waiters();
    }

    /// Begins anew: cells are counted from one, and nobody waits for an answer any more.
    pub(super) fn restart(&self) {
        self.interrupt();
        self.count.store(0, Ordering::SeqCst);
        self.state("restarting", &Arc::new(json!({})));
        self.state("idle", &Arc::new(json!({})));
    }

    /// Ends the kernel's task and its connections.
    pub(super) fn end(&self) {
        self.interrupt();
        self.ended.send_replace(true);
    }

    /// Ready when the kernel has ended.
    pub(super) async fn ended(&self) {
        // The sender lives as long as the kernel, so that waiting cannot fail.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    fn note(&self, message: &Incoming) {
        let mut seen = self.seen();
        seen.used = self.gateway.now();
        if let Some(date) = message.header.date.as_str().filter(|date| is_time(date)) {
            seen.activity = date.to_owned();
        }
    }

    fn control(&self, asked: &Asked) {
        match asked.message.header.msg_type.as_str() {
            "interrupt_request" => {
                self.interrupt();
                self.reply(asked, "interrupt_reply", json!({"status": "ok"}));
            }
            "shutdown_request" => {
                let is_restart =
                    asked.message.content.get("restart").and_then(Value::as_bool).unwrap_or_default();
                self.reply(asked, "shutdown_reply", json!({"status": "ok", "restart": is_restart}));
                if is_restart {
                    self.restart();
                } else {
                    // The task ends; the kernel itself is forgotten when its owner deletes it.
                    self.interrupt();
                }
            }
            "kernel_info_request" => self.reply(asked, "kernel_info_reply", kernel_info()),
            _ => {}
        }
    }

    /// Takes a message from the queue.
    async fn answer(&self, asked: &Asked) -> Ended {
        self.state("busy", &asked.parent);
        let content = &asked.message.content;
        let mut ended = Ended::Well;
        match asked.message.header.msg_type.as_str() {
            "execute_request" => ended = self.execute(asked).await,
            "kernel_info_request" => self.reply(asked, "kernel_info_reply", kernel_info()),
            "complete_request" => {
                self.reply(asked, "complete_reply", completion::complete(self, content).await);
            }
            "inspect_request" => {
                self.reply(asked, "inspect_reply", completion::inspect(self, content).await);
            }
            "is_complete_request" => self.reply(asked, "is_complete_reply", cell::is_complete(content)),
            "history_request" => self.reply(asked, "history_reply", json!({"status": "ok", "history": []})),
            "comm_info_request" => self.reply(asked, "comm_info_reply", json!({"status": "ok", "comms": {}})),
            "shutdown_request" => self.control(asked),
            // Widgets and what else there may be is not answered.
            _ => {}
        }
        self.state("idle", &asked.parent);
        ended
    }

    async fn execute(&self, asked: &Asked) -> Ended {
        let content = &asked.message.content;
        let flag = |name: &str, usual: bool| content.get(name).and_then(Value::as_bool).unwrap_or(usual);
        let code = content.get("code").and_then(Value::as_str).unwrap_or_default();
        let (is_silent, stops) = (flag("silent", false), flag("stop_on_error", true));
        let count = self.count.load(Ordering::SeqCst) + u64::from(!is_silent);
        self.count.store(count, Ordering::SeqCst);
        if !is_silent {
            self.publish(asked, "execute_input", json!({"code": code, "execution_count": count}));
        }
        let shown = tokio::select! {
            shown = answer::of(self, code) => shown,
            () = self.interrupt.notified() => answer::interrupted(),
        };
        match shown {
            Shown::Nothing => {}
            Shown::Data { data, picture } if !is_silent => {
                if let Some(picture) = picture {
                    self.publish(asked, "display_data", json!({"data": picture, "metadata": {}}));
                }
                let content = json!({"execution_count": count, "data": data, "metadata": {}});
                self.publish(asked, "execute_result", content);
            }
            Shown::Data { .. } => {}
            Shown::Error { name, message, trace } => {
                if !is_silent {
                    let error = json!({"ename": name, "evalue": message, "traceback": trace});
                    self.publish(asked, "error", error);
                }
                let reply = json!({
                    "status": "error", "execution_count": count,
                    "ename": name, "evalue": message, "traceback": trace,
                });
                self.reply(asked, "execute_reply", reply);
                return if stops { Ended::Badly } else { Ended::Well };
            }
        }
        let reply = json!({"status": "ok", "execution_count": count, "payload": [], "user_expressions": {}});
        self.reply(asked, "execute_reply", reply);
        Ended::Well
    }

    fn state(&self, state: &'static str, parent: &Arc<Value>) {
        self.seen().state = state;
        self.send(None, Channel::Iopub, "status", parent, json!({"execution_state": state}));
    }

    fn publish(&self, asked: &Asked, kind: &str, content: Value) {
        self.send(None, Channel::Iopub, kind, &asked.parent, content);
    }

    fn reply(&self, asked: &Asked, kind: &str, content: Value) {
        self.send(Some(asked.from), asked.message.channel, kind, &asked.parent, content);
    }

    fn send(&self, to: Option<u64>, channel: Channel, kind: &str, parent: &Arc<Value>, content: Value) {
        let number = self.messages.fetch_add(1, Ordering::SeqCst);
        let header = json!({
            "msg_id": format!("{}_{number}", self.id), "msg_type": kind, "session": self.id,
            "username": NAME, "version": VERSION,
            "date": parent.get("date").filter(|date| date.is_string()).cloned().unwrap_or(json!(NEVER)),
        });
        let message = Outgoing { to, channel, header, parent: Arc::clone(parent), content };
        // Where nobody is connected, nobody misses it.
        let _ = self.out.send(Arc::new(message));
    }

    // A panic while the lock is held leaves every value whole.
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a message ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    /// With an error, after which cells that wait already are not run.
    Badly,
}

/// The kernel's task.
async fn work(kernel: Arc<Kernel>, mut queue: mpsc::Receiver<(Incoming, u64)>) {
    let asked =
        |(message, from): (Incoming, u64)| Asked { parent: Arc::new(message.header.quoted()), message, from };
    kernel.state("idle", &Arc::new(json!({})));
    loop {
        let next = tokio::select! {
            next = queue.recv() => next,
            () = kernel.ended() => None,
        };
        let Some(next) = next.map(asked) else { return };
        if kernel.answer(&next).await == Ended::Badly {
            while let Ok(next) = queue.try_recv() {
                let next = asked(next);
                if next.message.header.msg_type == "execute_request" {
                    kernel.state("busy", &next.parent);
                    kernel.reply(&next, "execute_reply", json!({"status": "aborted"}));
                    kernel.state("idle", &next.parent);
                } else {
                    kernel.answer(&next).await;
                }
            }
        }
    }
}

fn kernel_info() -> Value {
    json!({
        "status": "ok", "protocol_version": VERSION, "implementation": NAME,
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "sql", "version": "", "mimetype": "text/x-sql", "file_extension": ".sql",
            "codemirror_mode": "sql", "pygments_lexer": "sql",
        },
        "banner": "misu SQL: ask in SQL, get protected tables. %help lists the commands.",
        "help_links": [], "debugger": false,
    })
}

/// Says whether a text is a time in the one form that Jupyter servers read back.
fn is_time(text: &str) -> bool {
    let form = b"0000-00-00T00:00:00.000000Z";
    text.len() == form.len()
        && text.bytes().zip(form).all(
            |(byte, form)| {
                if *form == b'0' { byte.is_ascii_digit() } else { byte == *form }
            },
        )
}
