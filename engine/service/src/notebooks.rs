//! A project's notebooks: read by those who have a permit in the project, changed by those who made them.
//!
//! Literals of a question can point at people, so each is a paper under the project's own key, and destroyed with it.
//! They are no record; what was asked stands in the audit log.

use catalog_store::Papers;
use engine_protocol::{Notebook, NotebookAct, NotebookEntry, NotebookReply, NotebookRequest, Question};

use crate::guard::{Guard, GuardError};
use crate::query;

/// The kind of paper.
pub(crate) const KIND: &str = "notebooks";
/// Cells of a notebook.
const CELLS: usize = 200;
/// Bytes of all its texts together.
const BYTES: usize = 512 * 1024;
/// Notebooks of one user in one project.
const OF_ONE: usize = 200;
/// Letters of a title and of an id.
const TITLE: usize = 200;
const ID: usize = 64;

/// Answers what is asked of notebooks.
pub(crate) fn answer(guard: &Guard, asked: &NotebookRequest) -> Result<NotebookReply, GuardError> {
    let NotebookRequest { user, project, act } = asked;
    let question = Question { user: user.clone(), project: project.clone(), sql: String::new() };
    if !is_word(project) || query::permit(guard, &question)?.is_none() {
        return Ok(NotebookReply::Denied);
    }
    // Two writers of one project wait for each other, so that a version is checked and kept in one go.
    let _turn = guard.notebooks.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let shelf = Shelf { papers: Papers::new(&guard.workspaces, KIND), project, user };
    match act {
        NotebookAct::List => Ok(shelf.list()),
        NotebookAct::Open { id } => Ok(shelf.open(id).map_or(NotebookReply::NotFound, NotebookReply::One)),
        NotebookAct::Keep { notebook } => shelf.keep(notebook),
        NotebookAct::Remove { id } => shelf.remove(id),
    }
}

/// The notebooks of one project as one user sees them.
struct Shelf<'a> {
    papers: Papers<'a>,
    project: &'a str,
    user: &'a str,
}

impl Shelf<'_> {
    fn list(&self) -> NotebookReply {
        let mut entries: Vec<NotebookEntry> = self.all().into_iter().map(entry).collect();
        entries.sort_by(|one, other| (&one.title, &one.id).cmp(&(&other.title, &other.id)));
        NotebookReply::List { entries }
    }

    /// Every notebook that the user may read.
    fn all(&self) -> Vec<Notebook> {
        let names = self.papers.names(self.project);
        let all = names.iter().filter_map(|id| self.read(id));
        all.filter(|notebook| self.may_read(notebook)).collect()
    }

    fn open(&self, id: &str) -> Option<Notebook> {
        self.read(id).filter(|notebook| self.may_read(notebook))
    }

    /// A notebook; a paper that is none, or that cannot be read, is nobody's notebook.
    fn read(&self, id: &str) -> Option<Notebook> {
        let text = is_word(id).then(|| self.papers.read(self.project, id).ok().flatten()).flatten()?;
        serde_json::from_slice(&text).ok()
    }

    fn keep(&self, notebook: &Notebook) -> Result<NotebookReply, GuardError> {
        if !is_fit(notebook) {
            return Ok(NotebookReply::Unfit);
        }
        let before = self.read(&notebook.id);
        if before.as_ref().is_some_and(|before| before.owner != self.user) {
            return Ok(NotebookReply::NotFound);
        }
        let version = before.as_ref().map_or(0, |before| before.version);
        if version != notebook.version {
            return Ok(NotebookReply::Changed);
        }
        let own = self.all().iter().filter(|of| of.owner == self.user).count();
        if before.is_none() && own >= OF_ONE {
            return Ok(NotebookReply::Unfit);
        }
        let version = version + 1;
        let kept = Notebook { owner: self.user.to_owned(), version, ..notebook.clone() };
        let text = serde_json::to_vec(&kept).map_err(|_| GuardError::Bug("a notebook can be written"))?;
        self.papers.write(self.project, &kept.id, &text)?;
        Ok(NotebookReply::Kept { version })
    }

    fn remove(&self, id: &str) -> Result<NotebookReply, GuardError> {
        match self.open(id).filter(|notebook| notebook.owner == self.user) {
            Some(_) => {
                self.papers.remove(self.project, id)?;
                Ok(NotebookReply::Removed)
            }
            None => Ok(NotebookReply::NotFound),
        }
    }

    fn may_read(&self, notebook: &Notebook) -> bool {
        notebook.owner == self.user || notebook.is_shared
    }
}

fn entry(notebook: Notebook) -> NotebookEntry {
    let Notebook { id, title, owner, is_shared, .. } = notebook;
    NotebookEntry { id, title, owner, is_shared }
}

/// A name that can stand in a path and means nothing there.
fn is_word(id: &str) -> bool {
    let is_plain =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '-' | '_');
    (1..=ID).contains(&id.len()) && id.chars().all(is_plain)
}

fn is_fit(notebook: &Notebook) -> bool {
    let bytes: usize = notebook.cells.iter().map(|cell| cell.text.len()).sum();
    let has_ids = notebook.cells.iter().all(|cell| is_word(&cell.id));
    let mut ids: Vec<&str> = notebook.cells.iter().map(|cell| cell.id.as_str()).collect();
    ids.sort_unstable();
    let is_unique = ids.windows(2).all(|pair| pair.first() != pair.last());
    let title = notebook.title.trim().chars().count();
    is_word(&notebook.id)
        && (1..=TITLE).contains(&title)
        && notebook.cells.len() <= CELLS
        && bytes <= BYTES
        && has_ids
        && is_unique
}

#[cfg(test)]
mod tests {
    use engine_protocol::{Notebook, NotebookCell, NotebookCellKind, NotebookReply};

    use catalog_store::{Config, Environment, Papers, Workspaces};

    use super::{KIND, Shelf};

    fn workspaces() -> (tempfile::TempDir, Workspaces) {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        (folder, Workspaces::new(&environment))
    }

    fn notebook(id: &str, version: u64) -> Notebook {
        let cell =
            NotebookCell { id: "c1".to_owned(), kind: NotebookCellKind::Sql, text: "SELECT 1".to_owned() };
        Notebook {
            id: id.to_owned(),
            title: "t".to_owned(),
            owner: "somebody else".to_owned(),
            is_shared: false,
            version,
            cells: vec![cell],
        }
    }

    #[test]
    fn a_notebook_is_changed_by_its_maker_and_read_where_shared() {
        let (_folder, workspaces) = workspaces();
        let shelf = |user: &'static str| Shelf { papers: Papers::new(&workspaces, KIND), project: "p", user };
        let (one, two) = (shelf("one"), shelf("two"));
        assert_eq!(one.keep(&notebook("n", 0)).unwrap(), NotebookReply::Kept { version: 1 });
        assert_eq!(one.open("n").unwrap().owner, "one");
        assert_eq!(two.open("n"), None);
        assert_eq!(one.keep(&notebook("n", 0)).unwrap(), NotebookReply::Changed);
        let shared = Notebook { is_shared: true, ..notebook("n", 1) };
        assert_eq!(one.keep(&shared).unwrap(), NotebookReply::Kept { version: 2 });
        assert_eq!(two.open("n").unwrap().owner, "one");
        assert_eq!(two.keep(&notebook("n", 2)).unwrap(), NotebookReply::NotFound);
        assert_eq!(two.remove("n").unwrap(), NotebookReply::NotFound);
        assert_eq!(one.remove("n").unwrap(), NotebookReply::Removed);
        assert_eq!(one.list(), NotebookReply::List { entries: Vec::new() });
    }

    #[test]
    fn what_is_no_notebook_is_not_kept() {
        let (_folder, workspaces) = workspaces();
        let shelf = Shelf { papers: Papers::new(&workspaces, KIND), project: "p", user: "one" };
        let mut twice = notebook("n", 0);
        twice.cells.push(twice.cells[0].clone());
        let mut long = notebook("n", 0);
        long.cells[0].text = "x".repeat(600_000);
        let mut nameless = notebook("n", 0);
        nameless.title = "  ".to_owned();
        for unfit in [notebook("../n", 0), notebook("", 0), notebook("N", 0), twice, long, nameless] {
            assert_eq!(shelf.keep(&unfit).unwrap(), NotebookReply::Unfit);
        }
        assert_eq!(shelf.open("../../etc/passwd"), None);
    }
}
