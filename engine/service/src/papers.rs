//! Notebooks and runs of analyses that an earlier version left in clear become papers under their project's key.

use std::path::Path;

use catalog_store::{Environment, Papers, Workspaces};

use crate::{analyses, notebooks};

/// Takes over what lies in clear; a file that cannot be taken over stays where it is. How many were.
pub(crate) fn take_over(environment: &Environment, workspaces: &Workspaces) -> usize {
    [analyses::KIND, notebooks::KIND]
        .into_iter()
        .map(|kind| {
            let papers = Papers::new(workspaces, kind);
            let folders = std::fs::read_dir(environment.room(kind)).into_iter().flatten().flatten();
            folders.map(|folder| of_project(&papers, &folder.path())).sum::<usize>()
        })
        .sum()
}

fn of_project(papers: &Papers<'_>, folder: &Path) -> usize {
    let Some(project) = folder.file_name().and_then(|name| name.to_str()) else { return 0 };
    let paths = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let taken = |path: &Path| -> Option<()> {
        let is_text = path.extension().is_some_and(|ending| ending == "json");
        let name = path.file_stem()?.to_str().filter(|_| is_text)?;
        // What is a paper already was changed since.
        if papers.read(project, name).ok()?.is_none() {
            papers.write(project, name, &std::fs::read(path).ok()?).ok()?;
        }
        std::fs::remove_file(path).ok()
    };
    paths.filter_map(|path| taken(&path)).count()
}

#[cfg(test)]
mod tests {
    use catalog_store::{Config, Environment, Papers, Workspaces};

    use super::take_over;

    #[test]
    fn what_lay_in_clear_becomes_a_paper_once() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
        let workspaces = Workspaces::new(&environment);
        let room = environment.room("notebooks").join("p");
        std::fs::create_dir_all(&room).unwrap();
        std::fs::write(room.join("n.json"), "text").unwrap();
        std::fs::write(room.join("n.writing"), "torn").unwrap();
        assert_eq!((take_over(&environment, &workspaces), take_over(&environment, &workspaces)), (1, 0));
        assert!(!room.join("n.json").exists());
        let papers = Papers::new(&workspaces, "notebooks");
        assert_eq!(papers.read("p", "n").unwrap().unwrap(), b"text");
    }
}
