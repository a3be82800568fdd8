//! Public lists of several deliveries and catalogues: what would count inhabitants twice, or not at all, is refused.
#![cfg(test)]

use std::path::{Path, PathBuf};

use catalog_store::{Config, Environment};
use pseudonymizer::pipeline::{self, PublishError};

use crate::changes::named_delivery;

const NOW: &str = "2024-06-10T00:00:00Z";
const WITHOUT_DAYS: &str = "code,prefecture,name,area\n13991,13,架空市,1301\n";
const WITH_DAYS: &str =
    "code,prefecture,name,area,from,to,successor\n13991,13,架空市,1301,20230401,99999999,\n";

/// Takes a list of municipalities in; the delivery's folder.
fn take_in(environment: &Environment, folder: &Path, name: &str, list: &str) -> PathBuf {
    let from = folder.join(name);
    named_delivery(&from, name, &[("municipality.csv", "public-municipality", list.as_bytes())]);
    let taken = pipeline::ingest(environment, &from, NOW, &|_| {}).unwrap();
    assert_eq!(taken.account().quarantined_lines(), 0);
    from
}

/// Links and publishes; how many municipalities there are then.
fn published(environment: &Environment) -> Result<u64, PublishError> {
    pipeline::link(environment).unwrap();
    let published = pipeline::publish(environment, NOW, &|_, _| {})?;
    Ok(published.manifest.body.tables["municipality"].rows)
}

#[test]
fn a_code_that_two_lists_name_for_one_day_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
    take_in(&environment, folder.path(), "before", WITHOUT_DAYS);
    assert_eq!(published(&environment).unwrap(), 1);
    take_in(&environment, folder.path(), "since", WITH_DAYS);
    assert_eq!(
        published(&environment).unwrap_err().to_string(),
        "municipality lists the code 13991 twice for one day, in the deliveries before and since: its figures would \
         be counted twice; recall the one that is outdated (`misu delivery recall`)"
    );
}

#[test]
fn a_list_that_was_read_before_its_table_had_days_is_refused_until_it_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::create(&folder.path().join("env"), Config::new(4, Some(5))).unwrap();
    let is_list = |(path, _): &&(&str, &str)| path.ends_with("tables/public/municipality.toml");
    let (path, text) = catalog_model::BUILTIN.iter().find(is_list).unwrap();
    let change = |to: &str| {
        let file = folder.path().join("change").join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, to).unwrap();
        environment.add_catalogue(&folder.path().join("change"), true).unwrap();
    };
    let older = text.split("[[column]]\nname = \"valid_from\"").next().unwrap();
    let older: String = older.split_inclusive('\n').filter(|line| !line.starts_with("times")).collect();
    change(&older);
    let from = take_in(&environment, folder.path(), "list", WITHOUT_DAYS);
    assert_eq!(published(&environment).unwrap(), 1);
    change(text);
    assert_eq!(
        published(&environment).unwrap_err().to_string(),
        "the delivery list was read before municipality had the column valid_from; read it again: `misu ingest \
         --replay-quarantine` with its folder, then `misu link` and `misu publish`"
    );
    assert!(!pipeline::replay(&environment, &from, &|_| {}).unwrap().is_same);
    assert_eq!(published(&environment).unwrap(), 1);
}
