//! The same verdict everywhere: offline, asked of the service, and where the service was asked to run the query.
//!
//! Every statement of the corpora, accepted or refused, gives the same bytes.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use engine_protocol::{
    Call, Caller, ClientReply, ClientRequest, Question, VerdictKind, read_json, write_json,
};
use engine_service::Offline;

use crate::demo::{DEMO, program};

const MOST: u32 = 64 << 20;

/// A guard on standard streams.
struct Service(Child);

impl Service {
    fn start(env: &str) -> Self {
        let guard = Command::new(program("misu-guard"))
            .args(["ask", "--env", env])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        Self(guard.unwrap())
    }

    fn ask(&mut self, request: &ClientRequest) -> ClientReply {
        let call = Call::new(Caller::Owner, request.clone());
        write_json(self.0.stdin.as_mut().unwrap(), &call).unwrap();
        read_json(self.0.stdout.as_mut().unwrap(), MOST).unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The statements of the corpora: `…;` in `refusals/*.txt`, what follows a `query` line in `queries/*.slt`.
fn statements() -> Vec<String> {
    let mut found = Vec::new();
    for (folder, extension) in [("refusals", "txt"), ("queries", "slt")] {
        let Ok(entries) = std::fs::read_dir(std::env::current_dir().unwrap().join(folder)) else { continue };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|found| found == extension));
        paths.sort();
        for path in paths {
            let text = std::fs::read_to_string(path).unwrap();
            let lines = text.lines().filter(|line| !line.starts_with("--") && !line.starts_with('#'));
            match extension {
                "txt" => {
                    let text = lines.collect::<Vec<_>>().join("\n");
                    found.extend(text.split(";\n").map(|sql| sql.trim().to_owned()));
                }
                _ => found.extend(slt(&lines.collect::<Vec<_>>())),
            }
        }
    }
    found.retain(|sql| !sql.is_empty());
    found
}

fn slt(lines: &[&str]) -> Vec<String> {
    let records = lines.split(|line| line.trim().is_empty());
    let sql = records.filter_map(|record| {
        let (first, rest) = record.split_first()?;
        let is_query = first.starts_with("query") || first.starts_with("statement");
        let sql: Vec<&str> = rest.iter().copied().take_while(|line| *line != "----").collect();
        is_query.then(|| sql.join("\n").trim_end_matches(';').to_owned())
    });
    sql.collect()
}

fn question(sql: &str) -> Question {
    Question { user: "demo-researcher".to_owned(), project: "demo".to_owned(), sql: sql.to_owned() }
}

#[test]
fn every_statement_has_the_same_verdict_everywhere() {
    let env = DEMO.env();
    let offline =
        Offline::open(&Path::new(&env).join("catalog"), &Path::new(&env).join("policies/demo.toml")).unwrap();
    let mut service = Service::start(&env);
    let statements = statements();
    assert!(statements.len() >= 100, "{}", statements.len());
    let (mut vetted, mut refused) = (0, 0);
    for sql in statements {
        let expected = offline.verdict(&sql);
        let bytes = serde_json::to_vec(&expected).unwrap();
        let ClientReply::Verdict(asked) = service.ask(&ClientRequest::Vet(question(&sql))) else {
            panic!("no verdict: {sql}");
        };
        assert_eq!(serde_json::to_vec(&asked).unwrap(), bytes, "{sql}");
        if expected.verdict == VerdictKind::Vetted {
            vetted += 1;
            continue;
        }
        refused += 1;
        let ClientReply::Verdict(run) = service.ask(&ClientRequest::Query(question(&sql))) else {
            panic!("not a verdict: {sql}");
        };
        assert_eq!(serde_json::to_vec(&run).unwrap(), bytes, "{sql}");
    }
    assert!(vetted >= 10 && refused >= 80, "{vetted} vetted, {refused} not");
}
