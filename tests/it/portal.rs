//! The portal as people meet it: a browser walks through it over the small demo. And its script, built anew, is the
//! one that is compiled in.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::demo::{environment, program};

/// Where `tests/install` puts the browser's driver.
fn modules() -> PathBuf {
    let cache = std::env::var_os("MISU_TEST_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap()).join(".cache/misu-tests");
    cache.unwrap_or_else(home).join("portal")
}

/// A guard and a portal that end with the test.
struct Served {
    process: Child,
    origin: String,
    token: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        // Both programs end with the one that started them.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(env: &Path) -> Served {
    let mut command = Command::new(program("misu"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--env"]).arg(env).env("LC_ALL", "C");
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let (mut origin, mut token) = (None, None);
    for line in lines.map_while(Result::ok) {
        if let Some(address) = line.strip_prefix("The portal listens on ") {
            origin = Some(address.to_owned());
        }
        if let Some((_, word)) = line.split_once("with the token ") {
            token = Some(word.to_owned());
        }
        if origin.is_some() && token.is_some() {
            break;
        }
    }
    Served { process, origin: origin.unwrap(), token: token.unwrap() }
}

/// A copy of an environment, so that what people keep in the portal is not in other tests' way.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(status.success());
}

#[test]
fn people_walk_through_the_portal() {
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("env");
    copy(&environment(), &env);
    let checkpoint =
        Command::new(program("misu")).args(["audit", "checkpoint", "--env"]).arg(&env).output().unwrap();
    assert!(checkpoint.status.success(), "{checkpoint:?}");
    let served = serve(&env);
    let screens = program("misu").parent().unwrap().parent().unwrap().join("screens");
    let told = json!({
        "origin": served.origin,
        "modules": modules(),
        "screens": screens,
        "people": { "researcher": { "token": served.token } },
    });
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
    for name in ["package.json", "package-lock.json", "tsconfig.json", "vite.config.js", "src"] {
        copy(&web.join(name), &folder.path().join(name));
    }
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
