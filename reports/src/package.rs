//! What a run of an analysis gave, as one zip package: the file, each output with its certificate, and where it all
//! comes from.
//!
//! The same outputs give the same bytes: nothing in the package is of the moment at which it was packed.

use std::io::{Cursor, Write as _};

use engine_protocol::{AnalysisOutput, AnalysisOutputs, AnalysisStep, StepCame};
use serde::Serialize;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::{provenance, table};

/// Why no package can be made.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// A table cannot be written.
    #[error(transparent)]
    Table(#[from] table::TableError),
    /// The package cannot be written.
    #[error("the package cannot be written")]
    Zip(#[from] zip::result::ZipError),
    /// A file of the package cannot be written.
    #[error("a file of the package cannot be written")]
    Io(#[from] std::io::Error),
    /// The provenance cannot be written.
    #[error("the provenance cannot be written")]
    Json(#[from] serde_json::Error),
}

const README: &str = "\
analysis.toml        the file as it was submitted
provenance.json      who ran it, when, on which snapshot, what was asked in each step and what came of it
ro-crate-metadata.json  the same for tools that read provenance (RO-Crate 1.1, Process Run Crate)
outputs/NAME.csv     the protected table; *** is hidden
outputs/NAME.json    the same, as its certificate speaks of it
outputs/NAME.note    the signed certificate

    misu audit verify-release outputs/NAME.note --table outputs/NAME.json --key KEY

analysis.toml は提出されたファイル、provenance.json は来歴、outputs は公表された表と署名付き証明書です。
";

/// Where the outputs come from.
#[derive(Debug, Serialize)]
struct Provenance<'a> {
    analysis: &'a str,
    /// The SHA-256 of `analysis.toml`.
    file: &'a str,
    run: &'a str,
    project: &'a str,
    by: &'a str,
    submitted: &'a str,
    state: &'a str,
    program: &'a str,
    steps: Vec<StepLine<'a>>,
    outputs: Vec<OutputLine<'a>>,
}

#[derive(Debug, Serialize)]
struct StepLine<'a> {
    step: &'a str,
    came: &'a str,
    /// The query in the record.
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    /// The output's case, where people look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    /// The rule that refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    sql: &'a str,
}

#[derive(Debug, Serialize)]
struct OutputLine<'a> {
    step: &'a str,
    title_ja: &'a str,
    title_en: &'a str,
    query: &'a str,
    snapshot: &'a str,
    rules: &'a str,
    threshold: u32,
    hidden: u64,
}

/// The package.
///
/// # Errors
///
/// A table or the package cannot be written.
pub fn package(of: &AnalysisOutputs) -> Result<Vec<u8>, PackageError> {
    let mut package = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    let mut file = |name: &str, bytes: &[u8]| {
        package.start_file(name, options)?;
        package.write_all(bytes)?;
        Ok::<_, PackageError>(())
    };
    file("README.txt", README.as_bytes())?;
    file("analysis.toml", of.text.as_bytes())?;
    file("provenance.json", &serde_json::to_vec_pretty(&Provenance::of(of))?)?;
    file(provenance::FILE, &serde_json::to_vec_pretty(&provenance::of(of))?)?;
    for output in &of.outputs {
        let name = &output.step;
        file(&format!("outputs/{name}.csv"), table::csv(&output.table).as_bytes())?;
        file(&format!("outputs/{name}.json"), table::json(&output.table)?.as_bytes())?;
        if let Some(note) = &output.table.certificate {
            file(&format!("outputs/{name}.note"), note.as_bytes())?;
        }
    }
    Ok(package.finish()?.into_inner())
}

impl<'a> Provenance<'a> {
    fn of(of: &'a AnalysisOutputs) -> Self {
        let run = &of.run;
        Self {
            analysis: &run.name,
            file: &run.digest,
            run: &run.id,
            project: &of.project,
            by: &run.by,
            submitted: &run.at,
            state: run.state.as_str(),
            program: &of.program,
            steps: run.steps.iter().map(StepLine::of).collect(),
            outputs: of.outputs.iter().map(OutputLine::of).collect(),
        }
    }
}

impl<'a> StepLine<'a> {
    fn of(step: &'a AnalysisStep) -> Self {
        let (mut query, mut output, mut rule) = (None, None, None);
        match &step.came {
            StepCame::Kept { query: id } | StepCame::Released { query: id } => query = Some(id.as_str()),
            StepCame::Held { output: id } => output = Some(id.as_str()),
            StepCame::No { verdict } => rule = verdict.rule.as_deref(),
            StepCame::Nothing | StepCame::Begun { .. } | StepCame::Withheld | StepCame::Fault => {}
        }
        Self { step: &step.name, came: step.came.as_str(), query, output, rule, sql: &step.sql }
    }
}

impl<'a> OutputLine<'a> {
    fn of(output: &'a AnalysisOutput) -> Self {
        let AnalysisOutput { step, title: (ja, en), table } = output;
        Self {
            step,
            title_ja: ja,
            title_en: en,
            query: &table.query,
            snapshot: &table.snapshot,
            rules: &table.rules,
            threshold: table.threshold,
            hidden: table.suppressed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use engine_protocol::{
        AnalysisOutput, AnalysisOutputs, AnalysisRun, AnalysisState, AnalysisStep, StepCame,
    };

    use super::package;
    use crate::table::tests::sample;

    fn outputs() -> AnalysisOutputs {
        let step =
            |name: &str, came| AnalysisStep { name: name.to_owned(), sql: "SELECT 1".to_owned(), came };
        let mut table = sample();
        table.certificate = Some("a note".to_owned());
        let released = StepCame::Released { query: table.query.clone() };
        AnalysisOutputs {
            run: AnalysisRun {
                id: "r1".to_owned(),
                name: "a".to_owned(),
                by: "sato".to_owned(),
                at: "2026-11-21T00:00:00Z".to_owned(),
                digest: "00".to_owned(),
                state: AnalysisState::Done,
                steps: vec![step("one", released), step("two", StepCame::Withheld)],
            },
            project: "p".to_owned(),
            text: "analysis = \"a\"".to_owned(),
            program: "misu".to_owned(),
            outputs: vec![AnalysisOutput {
                step: "one".to_owned(),
                title: ("一".to_owned(), "one".to_owned()),
                table,
            }],
        }
    }

    #[test]
    fn a_package_holds_the_file_the_outputs_and_their_provenance() {
        let bytes = package(&outputs()).unwrap();
        assert_eq!(bytes, package(&outputs()).unwrap(), "the same outputs give the same bytes");
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: Vec<String> = zip.file_names().map(|name| name.unwrap().into_owned()).collect();
        assert_eq!(
            names,
            [
                "README.txt",
                "analysis.toml",
                "provenance.json",
                "ro-crate-metadata.json",
                "outputs/one.csv",
                "outputs/one.json",
                "outputs/one.note"
            ]
        );
        let mut text = String::new();
        zip.by_name("provenance.json").unwrap().read_to_string(&mut text).unwrap();
        let said: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(said["steps"][0]["query"], "q12");
        assert_eq!(said["steps"][1]["came"], "withheld");
        assert_eq!(said["outputs"][0]["title_ja"], "一");
    }
}
