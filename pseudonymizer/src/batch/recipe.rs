//! A pipeline's file as a checked graph of steps.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// A pipeline: steps in an order in which each follows what it depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The pipeline's name.
    pub name: String,
    /// The digest of the file.
    pub digest: String,
    /// The steps, in the order in which they run.
    pub steps: Vec<Step>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name in the pipeline.
    pub name: String,
    /// What it does.
    pub work: Work,
    /// The steps whose product it takes.
    pub after: Vec<String>,
}

/// What a step does, with what it needs for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Takes in a delivery, or every delivery of a folder.
    Ingest {
        /// The folder.
        delivery: PathBuf,
    },
    /// Links every identity.
    Link,
    /// Publishes a snapshot.
    Publish,
    /// Writes the quality report.
    Quality {
        /// The JSON file that it goes to.
        report: PathBuf,
    },
}

/// The kind of a step: what it takes and what it gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Gives a delivery.
    Ingest,
    /// Takes deliveries, gives a linking.
    Link,
    /// Takes a linking, gives a snapshot.
    Publish,
    /// Takes a snapshot, gives a report.
    Quality,
}

impl Kind {
    /// The word in the file, in the history and on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Link => "link",
            Self::Publish => "publish",
            Self::Quality => "quality",
        }
    }

    /// The kind of step whose product this kind takes.
    const fn takes(self) -> Option<Self> {
        match self {
            Self::Ingest => None,
            Self::Link => Some(Self::Ingest),
            Self::Publish => Some(Self::Link),
            Self::Quality => Some(Self::Publish),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Work {
    /// The kind of this work.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Ingest { .. } => Kind::Ingest,
            Self::Link => Kind::Link,
            Self::Publish => Kind::Publish,
            Self::Quality { .. } => Kind::Quality,
        }
    }
}

/// Why a file is no pipeline.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The text is not of the expected form.
    #[error("{path}: {problem}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A step is not what its kind needs.
    #[error("{path}: step {step}: {problem}")]
    Step {
        /// The file.
        path: PathBuf,
        /// The step.
        step: String,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    #[serde(rename = "step")]
    steps: Vec<WrittenStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStep {
    name: String,
    #[serde(rename = "do")]
    kind: Kind,
    delivery: Option<PathBuf>,
    report: Option<PathBuf>,
    after: Option<Vec<String>>,
}

impl Recipe {
    /// Reads a pipeline's file. Paths in it begin at its folder.
    ///
    /// # Errors
    ///
    /// The file cannot be read, a step lacks something or has something that its kind has no use for, a step takes what
    /// another does not give, or steps wait for each other.
    pub fn read(path: &Path) -> Result<Self, RecipeError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| RecipeError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Parses the text of the file at `path`.
    ///
    /// # Errors
    ///
    /// As [`Recipe::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, RecipeError> {
        let form = |problem: String| RecipeError::Form { path: path.to_owned(), problem };
        let written: Written = toml::from_str(text).map_err(|error| {
            let line = error.span().and_then(|span| text.get(..span.start));
            let line = line.map_or(1, |before| before.matches('\n').count() + 1);
            form(format!("line {line}: {}", error.message()))
        })?;
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let mut names = BTreeSet::new();
        let kinds: Vec<(String, Kind)> =
            written.steps.iter().map(|step| (step.name.clone(), step.kind)).collect();
        let mut steps = Vec::with_capacity(written.steps.len());
        for step in written.steps {
            let fault = |problem: String| RecipeError::Step {
                path: path.to_owned(),
                step: step.name.clone(),
                problem,
            };
            if step.name.is_empty() || !names.insert(step.name.clone()) {
                return Err(fault("a step has a name of its own".to_owned()));
            }
            let work = work(&step, folder).map_err(fault)?;
            let after = after(&step, &kinds).map_err(fault)?;
            steps.push(Step { name: step.name.clone(), work, after });
        }
        if written.name.is_empty() || steps.is_empty() {
            return Err(form("a pipeline has a name and steps".to_owned()));
        }
        let steps = sort(steps)
            .map_err(|waiting| form(format!("the steps {} wait for each other", waiting.join(", "))))?;
        let digest = blake3::hash(text.as_bytes()).to_hex().chars().take(16).collect();
        Ok(Self { name: written.name, digest, steps })
    }
}

fn work(step: &WrittenStep, folder: &Path) -> Result<Work, String> {
    let kind = step.kind;
    if step.delivery.is_some() && kind != Kind::Ingest {
        return Err(format!("{kind} has no use for `delivery`"));
    }
    if step.report.is_some() && kind != Kind::Quality {
        return Err(format!("{kind} has no use for `report`"));
    }
    let path = |path: &Option<PathBuf>, name: &str| {
        path.as_ref().map(|path| folder.join(path)).ok_or_else(|| format!("{kind} needs `{name}`"))
    };
    Ok(match kind {
        Kind::Ingest => Work::Ingest { delivery: path(&step.delivery, "delivery")? },
        Kind::Link => Work::Link,
        Kind::Publish => Work::Publish,
        Kind::Quality => Work::Quality { report: path(&step.report, "report")? },
    })
}

/// The steps that this one waits for: those it names, else every step that gives what it takes.
fn after(step: &WrittenStep, kinds: &[(String, Kind)]) -> Result<Vec<String>, String> {
    let takes = step.kind.takes();
    let Some(named) = &step.after else {
        let gives = kinds.iter().filter(|(_, kind)| Some(*kind) == takes);
        return Ok(gives.map(|(name, _)| name.clone()).collect());
    };
    for name in named {
        let Some((_, kind)) = kinds.iter().find(|(other, _)| other == name) else {
            return Err(format!("`after` names {name}, which is no step"));
        };
        // An ingest may wait for another, so that deliveries come in an order.
        let is_taken = Some(*kind) == takes || (step.kind == Kind::Ingest && *kind == Kind::Ingest);
        if !is_taken {
            let wanted = takes.map_or("ingest", Kind::as_str);
            return Err(format!(
                "`after` names {name}, a step that does {kind}; {} follows {wanted}",
                step.kind
            ));
        }
    }
    Ok(named.clone())
}

/// Sorts steps so that each follows those it waits for, else in the order of the file; the names of those that cannot
/// be sorted.
fn sort(mut waiting: Vec<Step>) -> Result<Vec<Step>, Vec<String>> {
    let mut sorted: Vec<Step> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let is_ready =
            |step: &Step| step.after.iter().all(|name| sorted.iter().any(|before| before.name == *name));
        let Some(at) = waiting.iter().position(is_ready) else {
            return Err(waiting.into_iter().map(|step| step.name).collect());
        };
        sorted.push(waiting.remove(at));
    }
    Ok(sorted)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Recipe, Work};

    fn parse(steps: &str) -> Result<Recipe, String> {
        let text = format!("name = \"monthly\"\n{steps}");
        Recipe::parse(Path::new("p/m.toml"), &text).map_err(|error| error.to_string())
    }

    fn step(name: &str, rest: &str) -> String {
        format!("[[step]]\nname = \"{name}\"\n{rest}\n")
    }

    #[test]
    fn steps_follow_what_they_take_and_paths_begin_at_the_file() {
        let text = step("publish", "do = \"publish\"")
            + &step("link", "do = \"link\"")
            + &step("b", "do = \"ingest\"\ndelivery = \"b\"\nafter = [\"a\"]")
            + &step("a", "do = \"ingest\"\ndelivery = \"a\"");
        let recipe = parse(&text).unwrap();
        let names: Vec<&str> = recipe.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "link", "publish"]);
        assert_eq!(recipe.steps[0].work, Work::Ingest { delivery: PathBuf::from("p/a") });
        assert_eq!(recipe.steps[2].after, ["b", "a"]);
    }

    #[test]
    fn a_wrong_graph_is_named() {
        let a = step("a", "do = \"ingest\"\ndelivery = \"a\"");
        let cases = [
            (step("a", "do = \"ingest\""), "p/m.toml: step a: ingest needs `delivery`"),
            (step("l", "do = \"link\"\nreport = \"x\""), "p/m.toml: step l: link has no use for `report`"),
            (
                a.clone() + &step("p", "do = \"publish\"\nafter = [\"a\"]"),
                "p/m.toml: step p: `after` names a, a step that does ingest; publish follows link",
            ),
            (
                step("l", "do = \"link\"\nafter = [\"x\"]"),
                "p/m.toml: step l: `after` names x, which is no step",
            ),
            (a.clone() + &a, "p/m.toml: step a: a step has a name of its own"),
            (
                step("a", "do = \"ingest\"\ndelivery = \"a\"\nafter = [\"b\"]")
                    + &step("b", "do = \"ingest\"\ndelivery = \"b\"\nafter = [\"a\"]"),
                "p/m.toml: the steps a, b wait for each other",
            ),
            ("step = []".to_owned(), "p/m.toml: a pipeline has a name and steps"),
        ];
        for (text, message) in cases {
            assert_eq!(parse(&text).unwrap_err(), message);
        }
        assert!(
            parse(&step("a", "do = \"dance\"")).unwrap_err().starts_with("p/m.toml: line 4: unknown variant")
        );
    }
}
