//! A guard that answers by rote: a thread on a Unix socket that speaks the protocol.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock};

use engine_protocol::{
    AnalysisReply, Beyond, BrokenRule, Budget, Call, Caller, CatalogueColumn, CatalogueTable, CatalogueView,
    CellValue, ClientReply, ClientRequest, EvidenceLine, EvidencePack, Figure, FigureReply, Govern, Governed,
    IdentityAsk, IdentityReply, Label, Me, Notebook, NotebookAct, NotebookEntry, NotebookReply,
    NotebookRequest, OpenTable, OpeningReply, OperatingReply, ProjectName, PublicAsk, PublicRecord,
    PublicReply, Question, ReleasedTable, ReportReply, RunStage, RunningAct, RunningReply, SecretWord,
    TableColumn, TableColumnKind, Verdict, VerdictKind, read_json, write_json,
};
use tokio::sync::Mutex;

/// A guard with a count of the questions that reached it.
#[derive(Clone)]
pub(crate) struct FakeGuard {
    pub(crate) socket: PathBuf,
    pub(crate) asked: Arc<AtomicUsize>,
    sessions: Arc<Lock<Sessions>>,
    /// Held by a test that wants answers to queries to wait.
    pub(crate) gate: Arc<Mutex<()>>,
    /// The notebooks that were kept.
    pub(crate) notebooks: Notebooks,
    /// The words of the questions that were to be stopped.
    pub(crate) stops: Arc<Lock<Vec<String>>>,
}

type Notebooks = Arc<std::sync::Mutex<Vec<Notebook>>>;
/// The words of sessions that are alive, and how many there were.
#[derive(Default)]
struct Sessions {
    alive: BTreeSet<String>,
    begun: u64,
}

/// The word that signs the one user in.
const LINK: &str = "abc";
/// The token of the one user.
pub(crate) const TOKEN: &str = "misu_token";

impl FakeGuard {
    /// Listens in this folder until the test's process ends.
    pub(crate) fn start(folder: &Path) -> Self {
        let guard = Self {
            socket: folder.join("guard.sock"),
            asked: Arc::new(AtomicUsize::new(0)),
            sessions: Arc::default(),
            gate: Arc::new(Mutex::new(())),
            notebooks: Notebooks::default(),
            stops: Arc::default(),
        };
        let listener = UnixListener::bind(&guard.socket).unwrap();
        let answering = guard.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let guard = answering.clone();
                std::thread::spawn(move || guard.converse(stream.unwrap()));
            }
        });
        guard
    }

    fn converse(&self, mut stream: UnixStream) {
        let Self { asked, gate, sessions, notebooks, .. } = self;
        while let Ok(Call { by, request, .. }) = read_json::<Call>(&mut stream, 1 << 20) {
            let is_theirs = request.project().is_none_or(|project| project == "p1");
            let may_ask = request.is_public() || is_theirs && is_known(&by, sessions);
            if !may_ask {
                let _ = write_json(&mut stream, &ClientReply::NotKnown);
                continue;
            }
            let request = request.asked_by("u1");
            let reply = match &request {
                ClientRequest::Identity(ask) => identity(&by, ask, sessions),
                ClientRequest::Catalogue => ClientReply::Catalogue(catalogue()),
                ClientRequest::Govern(asked) => ClientReply::Governed(governed(&asked.what)),
                ClientRequest::Templates(_) => ClientReply::Templates { templates: Vec::new() },
                ClientRequest::Analysis(_) => ClientReply::Analysis(AnalysisReply::NotFound),
                ClientRequest::Running(ask) => ClientReply::Running(match ask.act {
                    RunningAct::Stage => RunningReply::At { stage: RunStage::Reading },
                    RunningAct::Cancel => {
                        self.stops.lock().unwrap().push(ask.name.as_str().to_owned());
                        RunningReply::Stopping
                    }
                }),
                ClientRequest::Template(_) | ClientRequest::Workspace(_) => {
                    ClientReply::Fault { message: "the portal does not ask this".to_owned() }
                }
                ClientRequest::Estimate(question) => {
                    let budget = Budget {
                        rows: 12_000,
                        bytes: 99,
                        cells: 340,
                        hidden_percent: Some(7),
                        is_within: true,
                    };
                    ClientReply::Estimate { verdict: verdict(question), budget: Some(budget) }
                }
                ClientRequest::Notebook(asked) => ClientReply::Notebook(notebook(asked, notebooks)),
                ClientRequest::Public(PublicAsk::OpenTables) => {
                    let (title_ja, title_en) = ("<b>公開</b>".to_owned(), "open <b>".to_owned());
                    let table =
                        OpenTable { title_ja, title_en, day: "2026-11-21".to_owned(), table: released() };
                    ClientReply::Public(PublicReply::OpenTables { tables: vec![table] })
                }
                ClientRequest::Public(PublicAsk::Figures { table }) => {
                    let figures = if table == "person" { vec![figure()] } else { Vec::new() };
                    ClientReply::Public(PublicReply::Figures { figures })
                }
                ClientRequest::Figure(_) => ClientReply::Figure { reply: FigureReply::NotAllowed },
                ClientRequest::Public(PublicAsk::Record) => {
                    ClientReply::Public(PublicReply::Record(record()))
                }
                ClientRequest::Report(_) => ClientReply::Report(ReportReply::NotAllowed),
                ClientRequest::Operating(_) => ClientReply::Operating(OperatingReply::NotAllowed),
                ClientRequest::Open(_) => ClientReply::Opening { reply: OpeningReply::NotAllowed },
                ClientRequest::Vet(question) => {
                    asked.fetch_add(1, Ordering::SeqCst);
                    ClientReply::Verdict(verdict(question))
                }
                // What may be asked is no question about the data.
                ClientRequest::Query(question) if metadata(&question.sql).is_some() => query(question),
                ClientRequest::Query(question) => {
                    asked.fetch_add(1, Ordering::SeqCst);
                    drop(gate.blocking_lock());
                    if question.sql.contains("JUNK") {
                        stream.write_all(b"\x05\0\0\0hello").unwrap();
                        return;
                    }
                    if question.sql.contains("ENDLESS") {
                        stream.write_all(b"\xff\xff\xff\xff").unwrap();
                        return;
                    }
                    query(question)
                }
            };
            let _ = write_json(&mut stream, &reply);
        }
    }

    /// How many verdicts and queries were asked for.
    pub(crate) fn questions(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// Ends every session, as idleness does.
    pub(crate) fn end_sessions(&self) {
        self.sessions.lock().unwrap().alive.clear();
    }
}

/// Who somebody is who is known.
fn me() -> Me {
    let project =
        ProjectName { id: "p1".to_owned(), ja: "課題一".to_owned(), en: "project one".to_owned() };
    Me {
        user: "u1".to_owned(),
        roles: vec!["researcher".to_owned()],
        projects: vec![project],
        project: Some("p1".to_owned()),
        trained_until: Some("2099-03-31".to_owned()),
        is_trained: true,
        method: "link".to_owned(),
        ends: 4_000_000_000,
    }
}

/// What is asked about oneself.
fn identity(by: &Caller, ask: &IdentityAsk, sessions: &Lock<Sessions>) -> ClientReply {
    let mut sessions = sessions.lock().unwrap();
    match (by, ask) {
        (_, IdentityAsk::Link { word }) if word.as_str() == LINK => {
            sessions.begun += 1;
            let word = format!("{:064x}", sessions.begun);
            sessions.alive.insert(word.clone());
            ClientReply::Identity(IdentityReply::SignedIn { word: SecretWord::new(word), me: me() })
        }
        (_, IdentityAsk::Link { .. } | IdentityAsk::SignIn { .. } | IdentityAsk::Enrolment { .. }) => {
            ClientReply::Identity(IdentityReply::Refused)
        }
        (_, IdentityAsk::Tokens) => ClientReply::Identity(IdentityReply::Tokens { tokens: Vec::new() }),
        (Caller::Token { .. }, IdentityAsk::Me) => {
            let me = Me { method: "token".to_owned(), ..me() };
            ClientReply::Identity(IdentityReply::Me(me))
        }
        (_, IdentityAsk::Me) => ClientReply::Identity(IdentityReply::Me(me())),
        (Caller::Session { word }, IdentityAsk::SignOut) => {
            sessions.alive.remove(word.as_str());
            ClientReply::Identity(IdentityReply::Done)
        }
        _ => ClientReply::NotKnown,
    }
}

fn is_known(by: &Caller, sessions: &Lock<Sessions>) -> bool {
    match by {
        Caller::Session { word } => sessions.lock().unwrap().alive.contains(word.as_str()),
        Caller::Token { word } => word.as_str() == TOKEN,
        Caller::Nobody | Caller::Owner => false,
    }
}

/// The output whose evidence may be read.
pub(crate) const INSIDE: &str = "p1-q7";

/// What stands behind the released table: its hidden cell is two persons.
fn evidence() -> EvidencePack {
    let line = EvidenceLine {
        at: vec!["2".to_owned()],
        part: 0,
        rows: 3,
        persons: 2,
        facilities: Some(1),
        insurers: None,
        municipalities: None,
        largest: Some(700),
        is_hidden: true,
        why: Some("few-persons".to_owned()),
    };
    EvidencePack {
        output: INSIDE.to_owned(),
        project: "p1".to_owned(),
        asker: "u1".to_owned(),
        sql: "SELECT 1".to_owned(),
        plan: "00".to_owned(),
        snapshot: "5a5a".to_owned(),
        rules: "general-2026".to_owned(),
        table: released(),
        cells: vec![line],
        is_cut: false,
        trace: Vec::new(),
        beyond: Some(Beyond { nearly: 72, exactly: 0 }),
        earlier: Vec::new(),
        context: Vec::new(),
        attachments: Vec::new(),
        broken: Some(BrokenRule {
            rule: "dimensions".to_owned(),
            says: Label::new("原則として<b>三つ</b>まで", "three <b> in principle"),
        }),
    }
}

/// The released figure of a column: one sex is hidden, and a fortieth of the rows has none.
fn figure() -> Figure {
    let mut released = released();
    released.columns[0].name = "sex".to_owned();
    for name in ["rows", "missing"] {
        let name = name.to_owned();
        released.columns.push(TableColumn { name, kind: TableColumnKind::Rows, unit: None });
    }
    for (row, counts) in released.rows.iter_mut().zip([Some([4_321, 0]), None, Some([4_400, 110])]) {
        let counts = counts.map(|counts| counts.map(CellValue::Integer));
        row.extend(counts.unwrap_or([CellValue::Suppressed, CellValue::Suppressed]));
    }
    Figure { column: "sex".to_owned(), day: "2026-11-21".to_owned(), released }
}

/// Nobody may begin or read a case here, and nothing waits.
fn governed(what: &Govern) -> Governed {
    match what {
        Govern::Inbox | Govern::List { .. } => Governed::Cases { cases: Vec::new() },
        Govern::Form { .. } => Governed::Begin { may: false, fields: Vec::new() },
        Govern::Evidence { id } if id == INSIDE => Governed::Evidence(Box::new(evidence())),
        Govern::Halts => Governed::Halted { halts: Vec::new(), may: false },
        _ => Governed::No {
            rule: "role".to_owned(),
            message: "not yours".to_owned(),
            message_ja: "できません".to_owned(),
        },
    }
}

/// Notebooks as the guard keeps them, without its checks.
fn notebook(asked: &NotebookRequest, notebooks: &Notebooks) -> NotebookReply {
    let mut all = notebooks.lock().unwrap();
    match &asked.act {
        NotebookAct::List => {
            let entry = |of: &Notebook| NotebookEntry {
                id: of.id.clone(),
                title: of.title.clone(),
                owner: of.owner.clone(),
                is_shared: of.is_shared,
            };
            NotebookReply::List { entries: all.iter().map(entry).collect() }
        }
        NotebookAct::Open { id } => all
            .iter()
            .find(|of| of.id == *id)
            .map_or(NotebookReply::NotFound, |of| NotebookReply::One(of.clone())),
        NotebookAct::Keep { notebook } => {
            let version = notebook.version + 1;
            all.retain(|of| of.id != notebook.id);
            all.push(Notebook { owner: asked.user.clone(), version, ..notebook.clone() });
            NotebookReply::Kept { version }
        }
        NotebookAct::Remove { id } => {
            all.retain(|of| of.id != *id);
            NotebookReply::Removed
        }
    }
}

fn record() -> PublicRecord {
    PublicRecord {
        checkpoint: Some("misu/record\n7\n<root>\n".to_owned()),
        key: Some("misu/record+abc".to_owned()),
        entries: 7,
        kinds: vec![("query-opened".to_owned(), 4), ("key-used".to_owned(), 3)],
        months: vec![("2026-11".to_owned(), 4)],
    }
}

/// What may be asked: one table with one column.
fn metadata(sql: &str) -> Option<ReleasedTable> {
    let (columns, row) = match sql {
        "SELECT * FROM misu.columns" => {
            (&["table", "name", "domain", "codes"], ["person", "sex", "codes sex", "sex"])
        }
        "SELECT * FROM misu.functions" => {
            (&["call", "ja", "en", "name"], ["age_band(a, b)", "年齢", "age", "age_band"])
        }
        _ => return None,
    };
    let column =
        |name: &&str| TableColumn { name: (*name).to_owned(), kind: TableColumnKind::Key, unit: None };
    let key = |text: &str| CellValue::Key { code: text.to_owned(), ja: text.to_owned(), en: text.to_owned() };
    let mut table = released();
    table.columns = columns.iter().map(column).collect();
    table.rows = vec![row.map(key).to_vec()];
    Some(table)
}

fn query(question: &Question) -> ClientReply {
    if let Some(table) = metadata(&question.sql) {
        return ClientReply::Released(table);
    }
    let verdict = verdict(question);
    if verdict.verdict != VerdictKind::Vetted {
        return ClientReply::Verdict(verdict);
    }
    match question.sql.as_str() {
        sql if sql.contains("WITHHELD") => ClientReply::Withheld,
        sql if sql.contains("PEOPLE FIRST") => {
            ClientReply::Governed(Governed::Held { output: "p1-q9".to_owned() })
        }
        sql if sql.contains("FAULT") => ClientReply::Fault { message: "the <disk> is full".to_owned() },
        _ => ClientReply::Released(released()),
    }
}

/// Refuses `<place>` where the text has `bad("…")`, denies other users' projects, lets everything else run.
fn verdict(question: &Question) -> Verdict {
    let mut verdict = Verdict {
        verdict: VerdictKind::Vetted,
        rule: None,
        message: None,
        message_ja: None,
        span: None,
        suggestion: None,
        tables: vec!["person".to_owned()],
        columns: vec!["person.sex".to_owned()],
    };
    if question.sql.contains("DENIED") {
        verdict.verdict = VerdictKind::Denied;
        verdict.rule = Some("default".to_owned());
        verdict.message = Some(format!("{} may not query for {}", question.user, question.project));
    } else if question.sql.contains("PEOPLE FIRST") {
        verdict.rule = Some("dimensions".to_owned());
        verdict.message = Some("in principle a table has three dimensions".to_owned());
        verdict.message_ja = Some("原則として三つまで".to_owned());
    } else if let Some(at) = question.sql.find("bad(") {
        let end = question.sql.find(')').map_or(question.sql.len(), |end| end + 1);
        verdict.verdict = VerdictKind::Refused;
        verdict.rule = Some("group-key".to_owned());
        verdict.message = Some("<b>bad</b> cannot be a group".to_owned());
        verdict.span = Some((at, end));
        verdict.suggestion = Some("good(a) & <i>better</i>".to_owned());
    }
    verdict
}

/// A table with a hidden cell, a total and a name that wants to be markup.
pub(crate) fn released() -> ReleasedTable {
    let column = |name: &str, kind| TableColumn { name: name.to_owned(), kind, unit: None };
    let key = |code: &str, ja: &str, en: &str| CellValue::Key {
        code: code.to_owned(),
        ja: ja.to_owned(),
        en: en.to_owned(),
    };
    ReleasedTable {
        query: "q7".to_owned(),
        snapshot: "5a5a".to_owned(),
        columns: vec![
            column("<u>sex</u>", TableColumnKind::Key),
            column("persons", TableColumnKind::Persons),
        ],
        rows: vec![
            vec![key("1", "男", "male"), CellValue::Integer(12_345)],
            vec![key("2", "女", "female"), CellValue::Suppressed],
            vec![CellValue::Total, CellValue::Integer(12_400)],
        ],
        suppressed: 1,
        threshold: 10,
        rules: "general-2026".to_owned(),
        certificate: None,
    }
}

fn catalogue() -> CatalogueView {
    let codes = vec![("1".to_owned(), "男".to_owned(), "male".to_owned())];
    let column = |name: &str, ja: &str, class: &str, codes: &[(String, String, String)]| CatalogueColumn {
        name: name.to_owned(),
        ja: ja.to_owned(),
        en: name.replace('_', " "),
        class: class.to_owned(),
        kind: "text".to_owned(),
        unit: None,
        usage: "filter, group".to_owned(),
        note: Some("see <note>".to_owned()),
        codes: codes.to_vec(),
    };
    CatalogueView {
        snapshot: Some("5a5a".to_owned()),
        period: Some(("2023-04".to_owned(), "2025-03".to_owned())),
        is_demo: true,
        tables: vec![CatalogueTable {
            name: "person".to_owned(),
            database: "person".to_owned(),
            ja: "個人".to_owned(),
            en: "persons".to_owned(),
            row: ("一人".to_owned(), "one person".to_owned()),
            source: "linkage".to_owned(),
            columns: vec![
                column("sex", "性別", "quasi", &codes),
                column("icd10", "ＩＣＤ－１０", "sensitive", &[]),
            ],
        }],
    }
}
