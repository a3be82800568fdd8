//! The forbidden edges, over what is actually built: `cargo tree` with the features of the default build.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

const ROOMS: [&str; 23] = [
    "confinement",
    "classified",
    "catalog-model",
    "catalog-staged",
    "catalog-store",
    "pseudonymizer",
    "pseudonymizer-quality",
    "governance",
    "policies",
    "engine-vet",
    "engine-protocol",
    "engine-disclosure",
    "engine-worker",
    "engine-service",
    "audit",
    "reports",
    "reports-pdf",
    "notebooks-gateway",
    "synthetic",
    "synthetic-dummy",
    "cli",
    "benches",
    "tests",
];

fn tree(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(arguments)
        .current_dir(crate::root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

/// The names of everything that is linked into a package.
fn linked(package: &str) -> BTreeSet<String> {
    let lines = tree(&["-p", package, "-e", "normal"]);
    lines.iter().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// The packages that a package names itself.
fn named(package: &str) -> BTreeSet<String> {
    let lines = tree(&["-p", package, "-e", "normal", "--depth", "1"]);
    lines.iter().skip(1).filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn a_package_is_named_by_its_path() {
    let workspace: toml::Table =
        toml::from_str(&std::fs::read_to_string(crate::root().join("Cargo.toml")).unwrap()).unwrap();
    let members = workspace["workspace"]["members"].as_array().unwrap();
    let mut names = BTreeSet::new();
    for member in members {
        let path = member.as_str().unwrap();
        let manifest = std::fs::read_to_string(crate::root().join(path).join("Cargo.toml")).unwrap();
        let manifest: toml::Table = toml::from_str(&manifest).unwrap();
        assert_eq!(manifest["package"]["name"].as_str().unwrap(), path.replace('/', "-"));
        names.insert(path.replace('/', "-"));
    }
    assert_eq!(names, ROOMS.iter().map(|room| (*room).to_owned()).collect());
}

#[test]
fn no_forbidden_edge_is_built() {
    let linked: BTreeMap<&str, BTreeSet<String>> = ROOMS.iter().map(|room| (*room, linked(room))).collect();
    let forbid = |room: &str, forbidden: &[&str]| {
        for name in forbidden {
            assert!(!linked[room].contains(*name), "{room} links {name}");
        }
    };
    // Code that can read a name is not linked into anything that answers questions.
    for room in [
        "engine-vet",
        "engine-protocol",
        "engine-disclosure",
        "engine-worker",
        "engine-service",
        "notebooks-gateway",
        "cli",
    ] {
        forbid(room, &["pseudonymizer"]);
    }
    forbid("cli", &["engine-worker"]);
    // Tables about nobody are made without anything that could read a row, or a name.
    forbid(
        "synthetic-dummy",
        &["catalog-store", "pseudonymizer", "engine-worker", "engine-service", "synthetic"],
    );
    // Figures are counted over what ingest left; no code that reads a delivered file or a key is needed for them.
    forbid("pseudonymizer-quality", &["pseudonymizer", "classified"]);
    // The worker vets again without policies, record, store, network or TLS.
    let network = ["axum", "h2", "hyper", "native-tls", "reqwest", "rustls", "sqlx-core", "tonic"];
    // Of cryptography it has what reads encrypted Parquet.
    forbid("engine-worker", &["policies", "audit", "catalog-store"]);
    forbid("engine-worker", &network);
    // The gateway holds no data key and no protected table.
    forbid(
        "notebooks-gateway",
        &["catalog-store", "engine-disclosure", "engine-vet", "policies", "classified"],
    );
    for room in ROOMS {
        let may_speak_http = matches!(room, "notebooks-gateway");
        if !may_speak_http {
            forbid(room, &["axum", "hyper", "tonic"]);
        }
        forbid(room, &["reqwest", "openssl-sys", "aws-lc-sys", "aws-lc-rs"]);
        if room != "reports-pdf" {
            forbid(room, &["typst"]);
        }
        // One room, so that nothing else is compiled against it.
        if room != "pseudonymizer-quality" {
            forbid(room, &["polars"]);
        }
    }
    forbid("engine-disclosure", &["datafusion", "datafusion-expr"]);
}

#[test]
fn datafusion_is_named_in_the_engine_only() {
    for room in ROOMS {
        let named = named(room).into_iter().filter(|name| name.starts_with("datafusion")).count();
        let may = matches!(room, "engine-vet" | "engine-worker" | "engine-service" | "benches");
        assert!(may || named == 0, "{room} names DataFusion");
    }
}

#[test]
fn there_is_one_arrow_one_datafusion_and_one_ring() {
    let all: BTreeSet<String> = tree(&["--workspace", "-e", "normal,build,dev"]).into_iter().collect();
    for name in ["arrow", "arrow-array", "parquet", "datafusion-common", "ring", "tokio", "object_store"] {
        let versions: BTreeSet<&str> = all
            .iter()
            .filter(|line| line.split(' ').next() == Some(name))
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        assert_eq!(versions.len(), 1, "{name}: {versions:?}");
    }
    let forbidden = ["openssl-sys", "aws-lc-sys", "reqwest"];
    assert!(all.iter().all(|line| forbidden.iter().all(|name| !line.starts_with(&format!("{name} ")))));
}
