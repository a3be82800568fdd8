//! Where the outputs of a run come from, as a crate that tools for provenance read: RO-Crate 1.1 with the profile
//! Process Run Crate, in which each released table is the result of an action of this program for a person.
//!
//! It names what the record names (queries, snapshot, digest of the file) and holds no figure.

use engine_protocol::{AnalysisOutput, AnalysisOutputs};
use serde_json::{Value, json};

/// The file's name in a package; a crate's reader looks for it.
pub(crate) const FILE: &str = "ro-crate-metadata.json";
const CRATE: &str = "https://w3id.org/ro/crate/1.1";
const PROFILE: &str = "https://w3id.org/ro/wfrun/process/0.5";

/// The crate of a run's package.
pub(crate) fn of(of: &AnalysisOutputs) -> Value {
    let files = files(of);
    let parts: Vec<Value> = files.iter().map(|file| named(&file["@id"])).collect();
    let actions: Vec<Value> = of.outputs.iter().map(|output| action(of, output)).collect();
    let mentions: Vec<Value> = actions.iter().map(|action| named(&action["@id"])).collect();
    let mut graph = vec![
        json!({ "@id": FILE, "@type": "CreativeWork", "conformsTo": { "@id": CRATE }, "about": { "@id": "./" } }),
        json!({
            "@id": "./", "@type": "Dataset", "name": of.run.name, "datePublished": of.run.at,
            "description": format!("Protected tables of the analysis {} of project {}, with their certificates", of.run.name, of.project),
            "license": { "@id": "#terms" }, "conformsTo": { "@id": PROFILE }, "hasPart": parts, "mentions": mentions,
        }),
        json!({ "@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5" }),
    ];
    graph.extend(files);
    graph.extend(actions);
    graph.extend(snapshots(of));
    graph.extend([
        json!({ "@id": "#misu", "@type": "SoftwareApplication", "name": of.program, "softwareVersion": of.program }),
        json!({ "@id": person(of), "@type": "Person", "name": of.run.by }),
        json!({
            "@id": "#terms", "@type": "CreativeWork",
            "name": format!("Terms of the approved project {}: use for its purpose; no attempt to identify anybody", of.project),
        }),
    ]);
    json!({ "@context": format!("{CRATE}/context"), "@graph": graph })
}

fn named(id: &Value) -> Value {
    json!({ "@id": id })
}

fn file(path: &str, name: &str, form: &str) -> Value {
    json!({ "@id": path, "@type": "File", "name": name, "encodingFormat": form })
}

/// The files of the package but this one.
fn files(of: &AnalysisOutputs) -> Vec<Value> {
    let mut files = vec![
        file("README.txt", "what is in this package", "text/plain"),
        file("analysis.toml", "the analysis as it was submitted", "application/toml"),
        file("provenance.json", "what was asked in each step and what came of it", "application/json"),
    ];
    for output in &of.outputs {
        let title = &output.title.1;
        files.push(file(&path(output, "csv"), title, "text/csv"));
        files.push(file(&path(output, "json"), title, "application/json"));
        if output.table.certificate.is_some() {
            files.push(file(&path(output, "note"), &format!("certificate of: {title}"), "text/plain"));
        }
    }
    files
}

fn path(output: &AnalysisOutput, form: &str) -> String {
    format!("outputs/{}.{form}", output.step)
}

/// That a table was released: who asked, with what, of which snapshot.
fn action(of: &AnalysisOutputs, output: &AnalysisOutput) -> Value {
    let mut results = vec![path(output, "csv"), path(output, "json")];
    results.extend(output.table.certificate.is_some().then(|| path(output, "note")));
    let results: Vec<Value> = results.iter().map(|path| json!({ "@id": path })).collect();
    let step = of.run.steps.iter().find(|step| step.name == output.step);
    json!({
        "@id": format!("#{}", output.table.query), "@type": "CreateAction", "name": output.title.1,
        "description": step.map(|step| step.sql.as_str()).unwrap_or_default(),
        "instrument": { "@id": "#misu" }, "agent": { "@id": person(of) },
        "object": [{ "@id": "analysis.toml" }, { "@id": snapshot(&output.table.snapshot) }],
        "result": results, "actionStatus": "http://schema.org/CompletedActionStatus",
    })
}

/// Each snapshot that a table was made of, once; what it holds stays where it lies.
fn snapshots(of: &AnalysisOutputs) -> Vec<Value> {
    let mut ids: Vec<&str> = of.outputs.iter().map(|output| output.table.snapshot.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    let line =
        |id: &&str| json!({ "@id": snapshot(id), "@type": "CreativeWork", "name": format!("snapshot {id}") });
    ids.iter().map(line).collect()
}

fn snapshot(id: &str) -> String {
    format!("#snapshot-{id}")
}

fn person(of: &AnalysisOutputs) -> String {
    format!("#person-{}", of.run.by)
}
