//! `link-files`: links the records of a registry's files, outside every environment.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pseudonymizer::registry::{self, LinkedFiles};

use super::{Failure, print, print_json};

/// Links the files and writes file, record number and cluster number.
pub(super) fn link_files(declared: &Path, files: &[PathBuf], out: &Path, json: bool) -> Result<(), Failure> {
    let registry = registry::declaration(declared)?;
    let linked = registry::link_files(&registry, files)?;
    std::fs::write(out, csv(files, &linked))?;
    if json {
        return print_json(&serde_json::json!({
            "records": linked.cluster_of.len(), "clusters": linked.clusters,
        }));
    }
    print(&format!("{} records in {} clusters", linked.cluster_of.len(), linked.clusters))
}

fn csv(files: &[PathBuf], linked: &LinkedFiles) -> String {
    let mut text = String::from("file,record,cluster\n");
    let mut clusters = linked.cluster_of.iter();
    for (file, records) in files.iter().zip(&linked.records) {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name =
            if name.contains([',', '"']) { format!("\"{}\"", name.replace('"', "\"\"")) } else { name };
        for (record, cluster) in (1..=*records).zip(clusters.by_ref()) {
            let _ = writeln!(text, "{name},{record},{cluster}");
        }
    }
    text
}
