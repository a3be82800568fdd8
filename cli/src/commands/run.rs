//! `misu run`: the steps of an analysis file, in an environment or over dummy data, and its outputs as one package.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use engine_protocol::{
    AnalysisAct, AnalysisAsk, AnalysisOutputs, AnalysisReply, AnalysisRun, AnalysisState, ClientReply,
    ClientRequest, StepCame, VerdictKind,
};

use super::query::{Whose, unexpected};
use crate::ask::Guard;
use crate::dummy_room::DummyRoom;
use crate::failure::{DENIED, Failure, REFUSED, WITHHELD, io};
use crate::programs::Program;
use crate::screen;

/// How long to wait before looking how far a run is.
const LOOK: Duration = Duration::from_millis(150);

/// Runs an analysis: every step of its file, one after the other, and packs its outputs.
#[derive(Parser)]
pub(crate) struct Run {
    /// The analysis.
    #[arg(required_unless_present_any = ["resume", "list"])]
    file: Option<PathBuf>,
    #[command(flatten)]
    whose: Whose,
    /// Runs over the dummy data in this folder (`misu dummy`) instead of an environment.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["env", "resume", "list"])]
    dummy: Option<PathBuf>,
    /// Where to write the package of outputs.
    #[arg(long)]
    out: Option<PathBuf>,
    /// Goes on with a run that was stopped, interrupted, or could not be done.
    #[arg(long, value_name = "RUN", conflicts_with = "file")]
    resume: Option<String>,
    /// Lists your runs.
    #[arg(long, conflicts_with_all = ["file", "resume", "out"])]
    list: bool,
    /// Prints the run as JSON.
    #[arg(long)]
    json: bool,
}

/// A guard, and who asks it for which project.
struct Asking {
    guard: Guard,
    user: String,
    project: String,
}

impl Run {
    /// Runs the command.
    pub(crate) fn run(&self) -> Result<ExitCode, Failure> {
        let mut asking = self.asking()?;
        let act = match (&self.file, &self.resume) {
            _ if self.list => return self.listed(asking.ask(AnalysisAct::List)?),
            (_, Some(id)) => AnalysisAct::Resume { id: id.clone() },
            (Some(file), None) => {
                AnalysisAct::Submit { text: std::fs::read_to_string(file).map_err(io("read", file))? }
            }
            (None, None) => return Err(Failure::Call("an analysis file is missing".to_owned())),
        };
        let run = match asking.ask(act)? {
            Ok(AnalysisReply::Run(run)) => run,
            Ok(other) => return Ok(self.unwilling(&other)),
            Err(reply) => return unexpected(*reply),
        };
        let run = match asking.watched(run)? {
            Ok(run) => run,
            Err(reply) => return unexpected(*reply),
        };
        let outputs = match asking.ask(AnalysisAct::Outputs { id: run.id.clone() })? {
            Ok(AnalysisReply::Outputs(outputs)) => outputs,
            Ok(other) => return Ok(self.unwilling(&other)),
            Err(reply) => return unexpected(*reply),
        };
        self.tell(&outputs)?;
        Ok(code(&outputs.run))
    }

    fn asking(&self) -> Result<Asking, Failure> {
        if let Some(folder) = &self.dummy {
            let DummyRoom { env, user, project } = DummyRoom::make(folder)?;
            screen::note(&format!("over dummy data, about nobody: {}", env.display()));
            return Ok(Asking { guard: Guard::of_own(&env)?, user, project });
        }
        let (guard, user) = self.whose.guard()?;
        Ok(Asking { guard, user, project: self.whose.project().to_owned() })
    }

    /// Writes the package and says how the run ended.
    fn tell(&self, outputs: &AnalysisOutputs) -> Result<(), Failure> {
        let form = |_| Failure::Form { program: Program::Guard.name(), what: "a run" };
        if self.json {
            screen::say(&serde_json::to_string(&outputs.run).map_err(form)?);
        } else {
            let AnalysisRun { id, name, state, .. } = &outputs.run;
            let outputs = outputs.outputs.len();
            screen::say(&format!("{name}: {}, {outputs} outputs, run {id}", state.as_str()));
        }
        let Some(path) = &self.out else { return Ok(()) };
        let bytes = reports::package::package(outputs).map_err(|error| Failure::Call(error.to_string()))?;
        write(path, &bytes)
    }

    fn listed(&self, reply: Result<AnalysisReply, Box<ClientReply>>) -> Result<ExitCode, Failure> {
        let runs = match reply {
            Ok(AnalysisReply::List { runs }) => runs,
            Ok(other) => return Ok(self.unwilling(&other)),
            Err(reply) => return unexpected(*reply),
        };
        let form = |_| Failure::Form { program: Program::Guard.name(), what: "a list of runs" };
        if self.json {
            screen::say(&serde_json::to_string(&runs).map_err(form)?);
        }
        for run in runs.iter().filter(|_| !self.json) {
            let AnalysisRun { id, name, at, state, .. } = run;
            screen::say(&format!("{id}  {name}  {}  {at}", state.as_str()));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn unwilling(&self, reply: &AnalysisReply) -> ExitCode {
        match reply {
            AnalysisReply::Unfit { place, message, message_ja } => {
                let file = self.file.as_deref().unwrap_or(Path::new("analysis")).display();
                let ja = screen::language() == reports::Language::Japanese;
                screen::note(&format!("{file}: {place}: {}", if ja { message_ja } else { message }));
                ExitCode::from(2)
            }
            AnalysisReply::Denied => {
                screen::note("denied: the permit gives nothing for this project now");
                ExitCode::from(DENIED)
            }
            AnalysisReply::NotFound => {
                screen::note("there is no such run of yours");
                ExitCode::from(2)
            }
            AnalysisReply::TooMany => {
                screen::note("as many of your runs wait as may; look at them with --list");
                ExitCode::from(2)
            }
            AnalysisReply::Run(_) | AnalysisReply::List { .. } | AnalysisReply::Outputs(_) => {
                ExitCode::FAILURE
            }
        }
    }
}

impl Asking {
    /// Asks; what is no answer about analyses is handed back.
    fn ask(&mut self, act: AnalysisAct) -> Result<Result<AnalysisReply, Box<ClientReply>>, Failure> {
        let (user, project) = (self.user.clone(), self.project.clone());
        let request = ClientRequest::Analysis(AnalysisAsk { user, project, act });
        Ok(match self.guard.ask(&request)? {
            ClientReply::Analysis(reply) => Ok(reply),
            other => Err(Box::new(other)),
        })
    }

    /// Waits until the run has ended and tells what came of each step.
    fn watched(&mut self, mut run: AnalysisRun) -> Result<Result<AnalysisRun, Box<ClientReply>>, Failure> {
        let mut told = 0;
        loop {
            for step in run.steps.iter().skip(told) {
                if matches!(step.came, StepCame::Nothing | StepCame::Begun { .. }) {
                    break;
                }
                screen::note(&format!("{}: {}", step.name, words(&step.came)));
                told += 1;
            }
            if run.state.has_ended() {
                return Ok(Ok(run));
            }
            std::thread::sleep(LOOK);
            run = match self.ask(AnalysisAct::Look { id: run.id.clone() })? {
                Ok(AnalysisReply::Run(run)) => run,
                Ok(_) => return Ok(Ok(run)),
                Err(reply) => return Ok(Err(reply)),
            };
        }
    }
}

/// What came of a step, for people.
fn words(came: &StepCame) -> String {
    match came {
        StepCame::Kept { query } => format!("kept inside as {query}"),
        StepCame::Released { query } => format!("released as {query}"),
        StepCame::Held { output } => {
            format!("held: people look at it before it goes out; describe and submit it as {output}")
        }
        StepCame::No { verdict } => {
            let rule = verdict.rule.as_deref().unwrap_or("no rule");
            let message = if screen::language() == reports::Language::Japanese {
                verdict.message_ja.as_deref().or(verdict.message.as_deref())
            } else {
                verdict.message.as_deref()
            };
            let how = if verdict.verdict == VerdictKind::Denied { "denied" } else { "refused" };
            format!("{how} ({rule}): {}", message.unwrap_or_default())
        }
        StepCame::Nothing | StepCame::Begun { .. } | StepCame::Withheld | StepCame::Fault => {
            came.as_str().to_owned()
        }
    }
}

/// Whose fault it is that not every step gave what it should.
fn code(run: &AnalysisRun) -> ExitCode {
    let worst = run.steps.iter().find_map(|step| match &step.came {
        StepCame::No { verdict } if verdict.verdict == VerdictKind::Denied => Some(DENIED),
        StepCame::No { .. } => Some(REFUSED),
        StepCame::Fault => Some(1),
        StepCame::Held { .. } | StepCame::Withheld => Some(WITHHELD),
        StepCame::Nothing | StepCame::Begun { .. } | StepCame::Kept { .. } | StepCame::Released { .. } => {
            None
        }
    });
    match worst {
        Some(code) => ExitCode::from(code),
        None if run.state == AnalysisState::Done => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(path, bytes).map_err(io("write", path))
}
