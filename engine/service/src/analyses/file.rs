//! The file of an analysis: steps of SQL with parameters, what they keep inside, and the outputs that it declares.
//!
//! A step either keeps its rows as a table of the project, or its table is a declared output: what nobody declared is
//! not released. Everything that can be wrong with the file alone is found here, before anything is asked.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::binding::{BindFault, Statement};

/// Steps of an analysis.
const STEPS: usize = 60;
/// Parameters of an analysis.
const PARAMETERS: usize = 100;
/// The longest file.
const LONGEST: usize = 128 * 1024;
/// Letters of a name.
const NAME: usize = 48;

/// An analysis as its file says it.
#[derive(Debug)]
pub(crate) struct Analysis {
    /// Its name.
    pub(crate) name: String,
    /// Its steps.
    pub(crate) steps: Vec<Step>,
}

/// A step with the parameters' values in their places.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: String,
    /// The whole statement, as it is asked.
    pub(crate) sql: String,
    pub(crate) gives: Gives,
}

/// What becomes of a step's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gives {
    /// They stay inside, as this table of the project.
    Keeps(String),
    /// Their protected table is an output, with its title in Japanese and English.
    Output(String, String),
}

/// What is wrong with a file. It names fields and parameters, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub(crate) struct AnalysisFault {
    pub(crate) place: String,
    pub(crate) message: String,
    pub(crate) ja: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    analysis: String,
    #[serde(default)]
    parameters: BTreeMap<String, toml::Value>,
    #[serde(default, rename = "step")]
    steps: Vec<FileStep>,
    #[serde(default, rename = "output")]
    outputs: Vec<FileOutput>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileStep {
    name: String,
    sql: String,
    keeps: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileOutput {
    step: String,
    title: Title,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Title {
    ja: String,
    en: String,
}

impl Analysis {
    /// Reads a file.
    pub(crate) fn parse(text: &str) -> Result<Self, AnalysisFault> {
        if text.len() > LONGEST {
            return Err(fault("file", "the file is too long", "ファイルが長すぎます"));
        }
        let file: File = toml::from_str(text).map_err(|error| form(text, &error))?;
        name("analysis", &file.analysis)?;
        let (steps, values) = (file.steps.len(), file.parameters.len());
        if !(1..=STEPS).contains(&steps) || values > PARAMETERS {
            let message = format!("an analysis has 1 to {STEPS} steps and at most {PARAMETERS} parameters");
            let ja = format!("手順は1から{STEPS}まで、引数は{PARAMETERS}までです");
            return Err(fault("step", message, ja));
        }
        let titles = titles(&file)?;
        let mut used = BTreeSet::new();
        let mut made = Vec::new();
        for step in &file.steps {
            let gives = gives(step, &titles)?;
            made.push(bound(step, gives, &file.parameters, &mut used)?);
        }
        if let Some(unused) = file.parameters.keys().find(|name| !used.contains(*name)) {
            let place = format!("parameters.{unused}");
            return Err(fault(place, "no step uses this parameter", "この引数を使う手順がありません"));
        }
        Ok(Self { name: file.analysis, steps: made })
    }
}

/// The titles of outputs by step.
fn titles(file: &File) -> Result<BTreeMap<&str, &Title>, AnalysisFault> {
    let mut names = BTreeSet::new();
    for step in &file.steps {
        name("step.name", &step.name)?;
        if !names.insert(step.name.as_str()) {
            let place = format!("step.{}", step.name);
            return Err(fault(place, "two steps have this name", "同じ名前の手順が二つあります"));
        }
    }
    let mut titles = BTreeMap::new();
    for output in &file.outputs {
        let place = || format!("output.{}", output.step);
        if !names.contains(output.step.as_str()) {
            return Err(fault(place(), "there is no step of this name", "この名前の手順はありません"));
        }
        let is_title = |text: &str| (1..=200).contains(&text.trim().chars().count());
        if !is_title(&output.title.ja) || !is_title(&output.title.en) {
            let message = "an output has a title in Japanese and in English";
            return Err(fault(place(), message, "出力には日本語と英語の題が要ります"));
        }
        if titles.insert(output.step.as_str(), &output.title).is_some() {
            return Err(fault(place(), "this output is declared twice", "この出力は二度宣言されています"));
        }
    }
    Ok(titles)
}

fn gives(step: &FileStep, titles: &BTreeMap<&str, &Title>) -> Result<Gives, AnalysisFault> {
    let place = || format!("step.{}", step.name);
    match (&step.keeps, titles.get(step.name.as_str())) {
        (Some(table), None) => {
            let own = table.strip_prefix("ws.").unwrap_or_default();
            name(&format!("step.{}.keeps", step.name), own)?;
            Ok(Gives::Keeps(own.to_owned()))
        }
        (None, Some(title)) => Ok(Gives::Output(title.ja.clone(), title.en.clone())),
        (Some(_), Some(_)) => Err(fault(
            place(),
            "what a step keeps inside is no output; ask for the output in a step of its own",
            "環境内に保存する手順は出力になりません。出力は別の手順にしてください",
        )),
        (None, None) => Err(fault(
            place(),
            "a step keeps its rows (keeps = \"ws.name\") or is declared as an output",
            "手順は、行を保存する（keeps = \"ws.名前\"）か、出力として宣言してください",
        )),
    }
}

fn bound(
    step: &FileStep,
    gives: Gives,
    values: &BTreeMap<String, toml::Value>,
    used: &mut BTreeSet<String>,
) -> Result<Step, AnalysisFault> {
    let place = format!("step.{}.sql", step.name);
    let wrong = |error: BindFault| fault(place.as_str(), error.to_string(), error.ja());
    let text = step.sql.trim().trim_end_matches(';').trim_end();
    if text.is_empty() {
        return Err(fault(place, "the step has no statement", "手順に文がありません"));
    }
    let statement = Statement::cut(text).map_err(wrong)?;
    used.extend(statement.parameters().map(str::to_owned));
    let sql = statement.bind(values).map_err(wrong)?;
    let sql = match &gives {
        Gives::Keeps(table) => format!("CREATE TABLE ws.{table} AS\n{sql}"),
        Gives::Output(..) => sql,
    };
    Ok(Step { name: step.name.clone(), sql, gives })
}

fn name(place: &str, text: &str) -> Result<(), AnalysisFault> {
    let is_plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    let begins = text.starts_with(|letter: char| letter.is_ascii_lowercase());
    if begins && text.len() <= NAME && text.chars().all(is_plain) {
        return Ok(());
    }
    let message =
        format!("a name has up to {NAME} lower-case letters, digits and _, and begins with a letter");
    let ja = format!("名前は英小文字で始まる、英小文字・数字・_ の{NAME}文字までです");
    Err(fault(place, message, ja))
}

/// The parser's words, which name a field and quote nothing of the file.
fn form(text: &str, error: &toml::de::Error) -> AnalysisFault {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let message = error.message().lines().next().unwrap_or_default().to_owned();
    fault(format!("line {line}"), message, "analysis.toml の形になっていません")
}

fn fault(place: impl Into<String>, message: impl Into<String>, ja: impl Into<String>) -> AnalysisFault {
    AnalysisFault { place: place.into(), message: message.into(), ja: ja.into() }
}

#[cfg(test)]
mod tests {
    use super::{Analysis, Gives};

    const TEXT: &str = r#"
analysis = "two_steps"
[parameters]
icd10 = "E11%"
since = 2023-04-01
[[step]]
name = "cohort"
keeps = "ws.cohort"
sql = "SELECT person_id FROM ndb_diagnosis WHERE icd10 LIKE $icd10;"
[[step]]
name = "by_sex"
sql = "SELECT sex, count(*) AS n FROM ws.cohort WHERE m >= $since GROUP BY sex"
[[output]]
step = "by_sex"
title = { ja = "性別", en = "by sex" }
"#;

    fn wrong(from: &str, to: &str) -> String {
        assert!(TEXT.contains(from), "{from}");
        Analysis::parse(&TEXT.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn a_file_becomes_statements() {
        let analysis = Analysis::parse(TEXT).unwrap();
        let [cohort, by_sex] = analysis.steps.as_slice() else { panic!("{analysis:?}") };
        assert_eq!(
            cohort.sql,
            "CREATE TABLE ws.cohort AS\nSELECT person_id FROM ndb_diagnosis WHERE icd10 LIKE 'E11%'"
        );
        assert_eq!(cohort.gives, Gives::Keeps("cohort".to_owned()));
        assert!(by_sex.sql.contains("m >= DATE '2023-04-01' GROUP"), "{}", by_sex.sql);
        assert_eq!(by_sex.gives, Gives::Output("性別".to_owned(), "by sex".to_owned()));
    }

    #[test]
    fn what_is_no_analysis_is_told_with_its_place() {
        for (from, to, told) in [
            ("since = ", "sinze = ", "step.by_sex.sql: the file has no parameter since"),
            ("icd10 LIKE $icd10", "icd10 = ''", "parameters.icd10: no step uses this parameter"),
            ("keeps = \"ws.cohort\"\n", "", "step.cohort: a step keeps"),
            ("keeps = \"ws.cohort\"", "keeps = \"cohort\"", "step.cohort.keeps: a name has"),
            ("ws.cohort\"", "ws.cohort; DROP TABLE ws.x\"", "step.cohort.keeps: a name has"),
            ("step = \"by_sex\"", "step = \"other\"", "output.other: there is no step"),
            ("step = \"by_sex\"", "step = \"cohort\"", "step.cohort: what a step keeps"),
            ("name = \"by_sex\"", "name = \"cohort\"", "step.cohort: two steps"),
            ("en = \"by sex\"", "en = \" \"", "output.by_sex: an output has a title"),
            ("name = \"cohort\"", "name = \"../x\"", "step.name: a name has"),
            ("analysis = ", "analyzis = ", "line 2: unknown field `analyzis`"),
            ("since = 2023-04-01", "since = 2023-04-01T00:00:00Z", "step.by_sex.sql: the value of since"),
        ] {
            let said = wrong(from, to);
            assert!(said.starts_with(told), "{said}");
        }
        assert!(Analysis::parse("").is_err());
    }
}
