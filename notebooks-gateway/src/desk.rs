//! What each researcher asked in a project and what came back, in memory only: the answers on the workbench, the
//! history beside it, and how far a question is.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine_protocol::{ReleasedTable, Verdict};
use tokio::sync::Notify;

use crate::guard::AskError;

/// Questions of one desk that run at the same time.
const AT_ONCE: usize = 2;
/// Questions of one desk that are remembered.
const HISTORY: usize = 60;
/// A desk that nobody used for so long is cleared.
const KEPT: Duration = Duration::from_secs(8 * 60 * 60);
/// Cells that all kept answers together may have; beyond, the oldest answers are let go.
const KEPT_CELLS: usize = 4_000_000;

/// Whose desk, in which project.
pub(crate) type Owner = (String, String);

/// A question that was asked.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    /// Its number in this gateway's life.
    pub(crate) number: u64,
    /// The notebook and the cell that it was asked from.
    pub(crate) cell: String,
    pub(crate) sql: String,
    pub(crate) asked: Duration,
    pub(crate) state: State,
    stop: Arc<Notify>,
}

/// How far a question is.
#[derive(Clone, Debug)]
pub(crate) enum State {
    /// The guard is working, or the question waits for its turn there.
    Running,
    /// The guard answered.
    Done(Arc<Answer>),
    /// The researcher did not want to wait any more.
    Cancelled,
    /// The answer was let go for want of memory.
    LetGo,
}

/// How a question ended.
#[derive(Debug)]
pub(crate) enum Answer {
    Verdict(Verdict),
    Released(ReleasedTable),
    Withheld,
    /// People look at the answer before it goes out: the case's id.
    Held(String),
    Fault(String),
    Nothing(AskError),
}

/// All desks.
#[derive(Debug, Default)]
pub(crate) struct Desks {
    desks: Mutex<HashMap<Owner, Desk>>,
    next: AtomicU64,
}

#[derive(Debug, Default)]
struct Desk {
    used: Duration,
    /// The newest last.
    runs: VecDeque<Run>,
}

/// A question on its way. However its task ends, the desk gets an answer.
#[derive(Debug)]
pub(crate) struct Underway {
    pub(crate) number: u64,
    stop: Arc<Notify>,
}

impl Underway {
    /// Ready when the researcher does not want to wait any more.
    pub(crate) async fn stopped(&self) {
        self.stop.notified().await;
    }
}

impl Desks {
    /// Puts a question on the desk; none where as many as may run at once are running.
    pub(crate) fn start(&self, owner: &Owner, cell: &str, sql: &str, now: Duration) -> Option<Underway> {
        let mut all = self.lock();
        all.retain(|_, desk| now.saturating_sub(desk.used) < KEPT);
        let desk = all.entry(owner.clone()).or_default();
        desk.used = now;
        let running = desk.runs.iter().filter(|run| run.is_running());
        if running.clone().count() >= AT_ONCE || running.clone().any(|run| run.cell == cell) {
            return None;
        }
        let (number, stop) = (self.next.fetch_add(1, Ordering::Relaxed) + 1, Arc::new(Notify::new()));
        while desk.runs.len() >= HISTORY {
            desk.runs.pop_front();
        }
        desk.runs.push_back(Run {
            number,
            cell: cell.to_owned(),
            sql: sql.to_owned(),
            asked: now,
            state: State::Running,
            stop: Arc::clone(&stop),
        });
        Some(Underway { number, stop })
    }

    /// Puts the answer on the desk, if the question is still wanted.
    pub(crate) fn finish(&self, owner: &Owner, number: u64, answer: Answer) {
        let mut all = self.lock();
        if let Some(run) = find(&mut all, owner, number)
            && run.is_running()
        {
            run.state = State::Done(Arc::new(answer));
            let_go(&mut all, KEPT_CELLS);
        }
    }

    /// Stops waiting for an answer; says no where none is waited for.
    pub(crate) fn cancel(&self, owner: &Owner, number: u64) -> bool {
        let mut all = self.lock();
        let Some(run) = find(&mut all, owner, number).filter(|run| run.is_running()) else { return false };
        run.state = State::Cancelled;
        run.stop.notify_one();
        true
    }

    /// One question of this desk.
    pub(crate) fn run(&self, owner: &Owner, number: u64, now: Duration) -> Option<Run> {
        let mut all = self.lock();
        all.get_mut(owner)?.used = now;
        find(&mut all, owner, number).cloned()
    }

    /// The question that was asked last from each cell of a notebook.
    pub(crate) fn last(&self, owner: &Owner, cell: &str) -> Option<Run> {
        self.lock().get(owner)?.runs.iter().rev().find(|run| run.cell == cell).cloned()
    }

    /// Every question of this desk, the newest first.
    pub(crate) fn history(&self, owner: &Owner) -> Vec<Run> {
        self.lock().get(owner).map(|desk| desk.runs.iter().rev().cloned().collect()).unwrap_or_default()
    }

    // A panic while the lock is held leaves the map whole: every change is one assignment.
    fn lock(&self) -> MutexGuard<'_, HashMap<Owner, Desk>> {
        self.desks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn find<'d>(all: &'d mut HashMap<Owner, Desk>, owner: &Owner, number: u64) -> Option<&'d mut Run> {
    all.get_mut(owner)?.runs.iter_mut().find(|run| run.number == number)
}

impl Run {
    pub(crate) const fn is_running(&self) -> bool {
        matches!(self.state, State::Running)
    }

    /// The table that it was answered with.
    pub(crate) fn table(&self) -> Option<&ReleasedTable> {
        let State::Done(answer) = &self.state else { return None };
        match &**answer {
            Answer::Released(table) => Some(table),
            _ => None,
        }
    }

    /// How many cells its answer keeps.
    fn cells(&self) -> usize {
        self.table().map_or(0, |table| table.rows.len() * table.columns.len())
    }
}

/// Lets the oldest answers go until the others have at most `most` cells; the newest one stays.
fn let_go(all: &mut HashMap<Owner, Desk>, most: usize) {
    let mut kept: Vec<&mut Run> =
        all.values_mut().flat_map(|desk| desk.runs.iter_mut()).filter(|run| run.cells() > 0).collect();
    kept.sort_unstable_by_key(|run| std::cmp::Reverse(run.number));
    let mut sum = 0_usize;
    for (at, run) in kept.into_iter().enumerate() {
        sum = sum.saturating_add(run.cells());
        if at > 0 && sum > most {
            run.state = State::LetGo;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine_protocol::{CellValue, ReleasedTable, TableColumn, TableColumnKind};

    use super::{Answer, Desks, Owner, State, let_go};

    const NOW: Duration = Duration::from_secs(1_000);

    fn owner(user: &str) -> Owner {
        (user.to_owned(), "p".to_owned())
    }

    fn table(rows: usize) -> Answer {
        let column = TableColumn { name: "n".to_owned(), kind: TableColumnKind::Rows, unit: None };
        Answer::Released(ReleasedTable {
            query: "q".to_owned(),
            snapshot: "s".to_owned(),
            columns: vec![column],
            rows: vec![vec![CellValue::Integer(20)]; rows],
            suppressed: 0,
            threshold: 10,
            rules: "r".to_owned(),
            certificate: None,
        })
    }

    #[test]
    fn a_desk_is_its_owners_alone() {
        let desks = Desks::default();
        let run = desks.start(&owner("a"), "c", "SELECT 1", NOW).unwrap();
        assert!(desks.run(&owner("b"), run.number, NOW).is_none());
        assert!(!desks.cancel(&owner("b"), run.number));
        desks.finish(&owner("b"), run.number, Answer::Withheld);
        assert!(desks.run(&owner("a"), run.number, NOW).unwrap().is_running());
        assert!(desks.history(&("a".to_owned(), "other".to_owned())).is_empty());
    }

    #[test]
    fn a_cell_runs_once_at_a_time_and_a_desk_twice() {
        let (desks, owner) = (Desks::default(), owner("a"));
        let first = desks.start(&owner, "c1", "1", NOW).unwrap();
        assert!(desks.start(&owner, "c1", "2", NOW).is_none());
        assert!(desks.start(&owner, "c2", "3", NOW).is_some());
        assert!(desks.start(&owner, "c3", "4", NOW).is_none());
        assert!(desks.cancel(&owner, first.number));
        assert!(!desks.cancel(&owner, first.number));
        desks.finish(&owner, first.number, table(1));
        assert!(matches!(desks.run(&owner, first.number, NOW).unwrap().state, State::Cancelled));
        assert!(desks.start(&owner, "c3", "4", NOW).is_some());
    }

    #[test]
    fn old_answers_and_old_desks_make_room() {
        let desks = Desks::default();
        for (user, rows) in [("a", 60), ("b", 30), ("c", 50)] {
            let run = desks.start(&owner(user), "c", "1", NOW).unwrap();
            desks.finish(&owner(user), run.number, table(rows));
        }
        let_go(&mut desks.lock(), 90);
        let state = |user| desks.last(&owner(user), "c").map(|run| matches!(run.state, State::LetGo));
        assert_eq!([state("a"), state("b"), state("c")], [Some(true), Some(false), Some(false)]);
        let later = NOW + Duration::from_secs(9 * 60 * 60);
        assert!(desks.start(&owner("d"), "c", "1", later).is_some());
        assert_eq!(state("c"), None, "a desk that nobody used is cleared");
    }

    #[test]
    fn the_history_is_bounded_and_the_newest_comes_first() {
        let (desks, owner) = (Desks::default(), owner("a"));
        for at in 0..100 {
            let run = desks.start(&owner, "c", &at.to_string(), NOW).unwrap();
            desks.finish(&owner, run.number, Answer::Withheld);
        }
        let history = desks.history(&owner);
        assert_eq!((history.len(), history[0].sql.as_str(), history[59].sql.as_str()), (60, "99", "40"));
    }
}
