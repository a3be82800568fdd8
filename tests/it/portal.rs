//! The portal as people meet it: a browser walks through it over the small demo. And its script, built anew, is the
//! one that is compiled in.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::demo::{program, untouched};
use crate::journeys::copy;
use crate::templates::TEXT;

/// Where `tests/install` puts the browser's driver.
fn modules() -> PathBuf {
    let cache = std::env::var_os("MISU_TEST_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/misu-tests");
    cache.unwrap_or_else(home).join("portal")
}

/// A guard and a portal that end with the test.
pub(crate) struct Served {
    process: Child,
    pub(crate) origin: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both programs end with the one that started them.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Starts both.
pub(crate) fn serve(env: &Path) -> Served {
    let mut command = Command::new(program("misu"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--env"]).arg(env).env("LC_ALL", "C");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let mut lines = lines.map_while(Result::ok);
    let origin = lines.find_map(|line| Some(line.strip_prefix("The portal listens on ")?.to_owned()));
    Served { process, origin: origin.unwrap() }
}

/// What a program says when it ends well.
fn said(name: &str, arguments: &[&str]) -> String {
    let output = Command::new(program(name)).args(arguments).env("LC_ALL", "C").output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// One-time words that sign a person of the demo in.
fn words(env: &str, user: &str, count: usize) -> Vec<String> {
    (0..count)
        .map(|_| said("misu-guard", &["account", "link", "--env", env, user]).trim().to_owned())
        .collect()
}

#[test]
fn people_walk_through_the_portal() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    // What people keep in the portal is not in other tests' way.
    copy(&untouched(), &env);
    let at = env.display().to_string();
    let application = std::fs::read_to_string("journeys/heart-failure.toml").unwrap();
    let file = folder.path().join("heart-failure.toml");
    std::fs::write(&file, application.replace("sato", "demo-researcher")).unwrap();
    let file = file.display().to_string();
    said("misu", &["application", "write", "--env", &at, "--as", "demo-researcher", &file]);
    let sql = "SELECT sex, count(DISTINCT person_id) AS persons FROM person GROUP BY sex";
    let who = ["--project", "demo", "--user", "demo-researcher", "--format", "json"];
    let released = said("misu", &[&["query", "--env", &at][..], &who, &[sql]].concat());
    said("misu", &["audit", "checkpoint", "--env", &at]);
    said("misu", &["figures", "--env", &at, "--as", "demo-officer", "--table", "person"]);
    let template = folder.path().join("template.toml");
    std::fs::write(&template, TEXT).unwrap();
    let template = template.display().to_string();
    let by = ["--by", "demo-board", "--user", "demo-researcher"];
    said("misu", &[&["approve-template", &template, "--env", &at][..], &by].concat());
    let people = json!({
        "researcher": words(&at, "demo-researcher", 5),
        "officer": words(&at, "demo-officer", 2),
        "reviewer": words(&at, "demo-reviewer", 1),
        "reviewer-2": words(&at, "demo-reviewer-2", 1),
        "operator": words(&at, "demo-operator", 1),
        "released": released,
    });
    let served = serve(&env);
    let screens = program("misu").parent().unwrap().parent().unwrap().join("screens");
    let told = json!({ "origin": served.origin, "modules": modules(), "screens": screens, "people": people });
    let walked = Command::new("node").arg("portal/journeys.mjs").arg(told.to_string()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&walked.stdout), String::from_utf8_lossy(&walked.stderr));
    assert!(walked.status.success(), "{text}\npictures: {}", screens.display());
    println!("{text}");
}

#[test]
fn the_script_that_is_compiled_in_is_the_one_that_its_sources_give() {
    let folder = tempfile::tempdir().unwrap();
    let web = crate::root().join("notebooks-gateway/web");
    for name in ["package.json", "package-lock.json", "tsconfig.json", "vite.config.js"] {
        std::fs::copy(web.join(name), folder.path().join(name)).unwrap();
    }
    copy(&web.join("src"), &folder.path().join("src"));
    std::os::unix::fs::symlink(modules().join("web/node_modules"), folder.path().join("node_modules"))
        .unwrap();
    let built = Command::new("npm").args(["run", "build"]).current_dir(folder.path()).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let built = std::fs::read(folder.path().join("dist/workbench.js")).unwrap();
    let kept = std::fs::read(web.join("dist/workbench.js")).unwrap();
    assert!(
        built == kept,
        "notebooks-gateway/web/dist is not what its sources give; run `npm ci && npm run build` there"
    );
}
