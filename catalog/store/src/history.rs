//! The history of pipeline runs: what each step took in, what it gave, why it was skipped.
//!
//! A step's `input` is a digest of everything that it depends on, and `output` names what it made, so that a later run
//! can tell that nothing changed. Neither says anything about a person.

use serde::Serialize;

use crate::database::query;
use crate::meta::{Meta, MetaError, run};

/// How a run or a step stands, one vocabulary for both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is under way.
    Running,
    /// It ended well.
    Done,
    /// Nothing had changed since an earlier run.
    Skipped,
    /// It ended with an error.
    Failed,
    /// Its process died.
    Interrupted,
}

impl State {
    /// The word in the database and on the screen.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    fn parse(word: &str) -> Self {
        match word {
            "running" => Self::Running,
            "done" => Self::Done,
            "skipped" => Self::Skipped,
            "failed" => Self::Failed,
            _ => Self::Interrupted,
        }
    }
}

/// One run of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RunRecord {
    /// Its number.
    pub id: i64,
    /// The pipeline's name.
    pub pipeline: String,
    /// The digest of its file.
    pub recipe: String,
    /// When it began, as RFC 3339 text.
    pub started: String,
    /// When it ended, if it did.
    pub ended: String,
    /// How it stands.
    pub state: State,
    /// The interrupted run that it took up.
    pub resumes: Option<i64>,
    /// The snapshot that it ended with, if any.
    pub snapshot: String,
    /// Its steps, in the order in which they ran.
    pub steps: Vec<StepRecord>,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepRecord {
    /// Its place in the run.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// How it stands.
    pub state: State,
    /// The digest of everything that it depends on.
    pub input: String,
    /// What it made.
    pub output: String,
    /// Why it was run or skipped, or the error.
    pub why: String,
    /// When it began, as RFC 3339 text.
    pub started: String,
    /// When it ended, if it did.
    pub ended: String,
}

impl Meta {
    /// Records that a run begins. Only the writer of the environment calls this, so runs that still look as if they
    /// were under way are marked interrupted; the latest such run of the same pipeline is the one taken up.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn begin_run(&self, pipeline: &str, recipe: &str, now: &str) -> Result<RunRecord, MetaError> {
        run("record a run", async {
            let mut transaction = self.begin().await?;
            let latest = query("select id, state from run where pipeline = ? order by id desc limit 1")
                .bind(pipeline)
                .fetch_optional(&mut transaction)
                .await?;
            let resumes = match latest {
                Some(row) if State::parse(&row.try_get::<String>("state")?) == State::Running => {
                    Some(row.try_get("id")?)
                }
                _ => None,
            };
            for statement in [
                "update step set state = 'interrupted' where state = 'running'",
                "update run set state = 'interrupted' where state = 'running'",
            ] {
                query(statement).execute(&mut transaction).await?;
            }
            let made = query(
                "insert into run (id, pipeline, recipe, started, state, resumes)
                 values ((select coalesce(max(id), 0) + 1 from run), ?, ?, ?, 'running', ?) returning id",
            )
            .bind(pipeline)
            .bind(recipe)
            .bind(now)
            .bind(resumes)
            .fetch_optional(&mut transaction)
            .await?;
            let id = made.ok_or(sqlx::Error::RowNotFound)?.try_get("id")?;
            transaction.commit().await?;
            Ok(RunRecord {
                id,
                pipeline: pipeline.to_owned(),
                recipe: recipe.to_owned(),
                started: now.to_owned(),
                ended: String::new(),
                state: State::Running,
                resumes,
                snapshot: String::new(),
                steps: Vec::new(),
            })
        })
    }

    /// Records how a step stands.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn put_step(&self, run_id: i64, step: &StepRecord) -> Result<(), MetaError> {
        run("record a step", async {
            let text = "insert into step values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                on conflict (run, number) do update set name = excluded.name, kind = excluded.kind,
                  state = excluded.state, input = excluded.input, output = excluded.output, why = excluded.why,
                  started = excluded.started, ended = excluded.ended";
            let mut transaction = self.begin().await?;
            query(text)
                .bind(run_id)
                .bind(step.number)
                .bind(&step.name)
                .bind(&step.kind)
                .bind(step.state.as_str())
                .bind(&step.input)
                .bind(&step.output)
                .bind(&step.why)
                .bind(&step.started)
                .bind(&step.ended)
                .execute(&mut transaction)
                .await?;
            transaction.commit().await
        })
    }

    /// Records that a run ended.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn end_run(&self, run_id: i64, state: State, snapshot: &str, now: &str) -> Result<(), MetaError> {
        run("record the end of a run", async {
            let mut transaction = self.begin().await?;
            query("update run set state = ?, snapshot = ?, ended = ? where id = ?")
                .bind(state.as_str())
                .bind(snapshot)
                .bind(now)
                .bind(run_id)
                .execute(&mut transaction)
                .await?;
            transaction.commit().await
        })
    }

    /// What a step of this kind made of the same input in the latest run that did it.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn made_of(&self, kind: &str, input: &str) -> Result<Option<String>, MetaError> {
        run("look for a step", async {
            let row = query(
                "select output from step where kind = ? and input = ? and state = 'done' order by run desc limit 1",
            )
            .bind(kind)
            .bind(input)
            .fetch_optional(&self.pool)
            .await?;
            row.map(|row| row.try_get("output")).transpose()
        })
    }

    /// Every run with its steps, oldest first.
    ///
    /// # Errors
    ///
    /// The database gave an error.
    pub fn runs(&self) -> Result<Vec<RunRecord>, MetaError> {
        run("list runs", async {
            let rows = query("select * from run order by id").fetch_all(&self.pool).await?;
            let mut runs = Vec::with_capacity(rows.len());
            for row in rows {
                let id: i64 = row.try_get("id")?;
                runs.push(RunRecord {
                    id,
                    pipeline: row.try_get("pipeline")?,
                    recipe: row.try_get("recipe")?,
                    started: row.try_get("started")?,
                    ended: row.try_get("ended")?,
                    state: State::parse(&row.try_get::<String>("state")?),
                    resumes: row.try_get("resumes")?,
                    snapshot: row.try_get("snapshot")?,
                    steps: self.steps(id).await?,
                });
            }
            Ok(runs)
        })
    }

    async fn steps(&self, run_id: i64) -> Result<Vec<StepRecord>, sqlx::Error> {
        let rows = query("select * from step where run = ? order by number")
            .bind(run_id)
            .fetch_all(&self.pool)
            .await?;
        rows.into_iter()
            .map(|row| {
                Ok(StepRecord {
                    number: row.try_get("number")?,
                    name: row.try_get("name")?,
                    kind: row.try_get("kind")?,
                    state: State::parse(&row.try_get::<String>("state")?),
                    input: row.try_get("input")?,
                    output: row.try_get("output")?,
                    why: row.try_get("why")?,
                    started: row.try_get("started")?,
                    ended: row.try_get("ended")?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{State, StepRecord};
    use crate::stores::everywhere;

    fn step(state: State) -> StepRecord {
        let text = |text: &str| text.to_owned();
        StepRecord {
            number: 1,
            name: text("link"),
            kind: text("link"),
            state,
            input: text("abc"),
            output: text("run"),
            why: String::new(),
            started: text("t1"),
            ended: String::new(),
        }
    }

    #[test]
    fn a_run_whose_process_died_is_taken_up_by_the_next() {
        everywhere(|meta| {
            let first = meta.begin_run("monthly", "r", "t0").unwrap();
            meta.put_step(first.id, &step(State::Running)).unwrap();
            assert_eq!(meta.made_of("link", "abc").unwrap(), None);
            let second = meta.begin_run("monthly", "r", "t2").unwrap();
            assert_eq!(second.resumes, Some(first.id));
            meta.put_step(second.id, &step(State::Done)).unwrap();
            meta.end_run(second.id, State::Done, "s", "t3").unwrap();
            assert_eq!(meta.made_of("link", "abc").unwrap().as_deref(), Some("run"));
            let runs = meta.runs().unwrap();
            assert_eq!((runs[0].state, runs[0].steps[0].state), (State::Interrupted, State::Interrupted));
            assert_eq!((runs[1].state, runs[1].snapshot.as_str()), (State::Done, "s"));
            assert_eq!(meta.begin_run("monthly", "r", "t4").unwrap().resumes, None);
        });
    }
}
