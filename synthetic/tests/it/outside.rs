//! What a population looks like from outside: bytes, columns, totals, truth and faults.
//!
//! The files are read here with a few lines of code that know nothing of the writer: the catalogue says how many
//! columns a record type has, and the manifest which family a file is of.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use catalog_model::{Catalogue, DELIVERY_FILE, DeliveryManifest, Encoding, Family, FaultKind, Quotes};
use synthetic::{Options, Progress, Slips, Stage, Summary, SynthError};
use tempfile::TempDir;

fn write(options: Options) -> (TempDir, Summary) {
    let folder = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::builtin().unwrap();
    let summary = synthetic::write(&catalogue, &options, folder.path(), &mut |_| ()).unwrap();
    (folder, summary)
}

fn small(persons: u32, months: u32, fault_rate: f64) -> Options {
    Options { persons, months, fault_rate, ..Options::demo() }
}

/// A delivered file with its family.
struct Delivered {
    delivery: String,
    path: String,
    family: String,
    bytes: Vec<u8>,
}

impl Delivered {
    fn lines(&self) -> Vec<&[u8]> {
        let body = self.bytes.strip_suffix(b"\r\n").unwrap_or(&self.bytes);
        let mut lines = Vec::new();
        let mut rest = body;
        while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
            lines.push(&rest[..at]);
            rest = &rest[at + 2..];
        }
        lines.push(rest);
        lines
    }
}

fn delivered(out: &Path) -> Vec<Delivered> {
    let mut deliveries: Vec<PathBuf> =
        std::fs::read_dir(out.join("deliveries")).unwrap().map(|entry| entry.unwrap().path()).collect();
    deliveries.sort();
    let mut files = Vec::new();
    for folder in deliveries {
        let text = std::fs::read_to_string(folder.join(DELIVERY_FILE)).unwrap();
        let manifest: DeliveryManifest = toml::from_str(&text).unwrap();
        for file in manifest.files {
            let bytes = std::fs::read(folder.join(&file.path)).unwrap();
            assert_eq!(bytes.len() as u64, file.bytes, "{}", file.path);
            assert_eq!(sha256(&bytes), file.sha256, "{}", file.path);
            // What is in a package is a matter of the reader's tests.
            if file.path.ends_with(".zip") {
                assert!(bytes.starts_with(b"PK"), "{}", file.path);
                continue;
            }
            let delivery = manifest.delivery.name.clone();
            files.push(Delivered { delivery, path: file.path, family: file.family, bytes });
        }
    }
    files
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn fields<'l>(line: &'l [u8], family: &Family) -> Vec<&'l [u8]> {
    let delimiter = u8::try_from(family.framing.delimiter).unwrap();
    let unquoted = |field: &'l [u8]| match family.framing.quotes {
        Quotes::Optional => field.strip_prefix(b"\"").and_then(|f| f.strip_suffix(b"\"")).unwrap_or(field),
        Quotes::Never => field,
    };
    line.split(|byte| *byte == delimiter).map(unquoted).collect()
}

/// The short name of the record type of a line.
fn record<'f>(line: &[&[u8]], family: &'f Family) -> Option<&'f catalog_model::RecordLayout> {
    let part = |at: &usize| String::from_utf8_lossy(line.get(*at).copied().unwrap_or_default()).into_owned();
    let mut tag = family.framing.tag.iter().map(part).collect::<Vec<_>>().join(":");
    while let Some(more) = family.framing.refined(&tag) {
        for at in more {
            tag = format!("{tag}:{}", part(at));
        }
    }
    family.records.iter().find(|record| family.framing.tags(&record.tag).contains(&tag))
}

fn decoded(bytes: &[u8], encoding: Encoding) -> Option<String> {
    match encoding {
        Encoding::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
        Encoding::Cp932 => encoding_rs::SHIFT_JIS
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(|text| text.into_owned()),
    }
}

/// The rows of a truth file without its heading.
fn truth(out: &Path, name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(out.join("truth").join(name)).unwrap();
    text.lines()
        .skip(1)
        .map(|line| line.split(',').map(|item| item.trim_matches('"').to_owned()).collect())
        .collect()
}

fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

#[test]
fn the_same_options_give_the_same_bytes() {
    let options = small(300, 3, 0.01);
    let (one, first) = write(options);
    let (other, second) = write(options);
    assert_eq!(first, second);
    assert!(tree(one.path()) == tree(other.path()), "two runs differ");
    let (third, _) = write(Options { seed: 2, ..options });
    assert!(tree(one.path()) != tree(third.path()), "the seed does not matter");
}

#[test]
fn every_line_has_its_layouts_columns_and_encoding() {
    let catalogue = Catalogue::builtin().unwrap();
    let (out, summary) = write(small(600, 2, 0.0));
    let files = delivered(out.path());
    let mut lines = 0;
    let mut seen = BTreeSet::new();
    for file in &files {
        let family = &catalogue.families[&file.family];
        assert!(file.bytes.ends_with(b"\r\n"), "{}", file.path);
        assert!(decoded(&file.bytes, family.framing.encoding).is_some(), "{}", file.path);
        for (number, line) in file.lines().into_iter().enumerate() {
            lines += 1;
            assert!(!line.contains(&b'\n') && !line.contains(&b'\r'), "{}:{number}", file.path);
            if number < family.framing.skip_lines {
                continue;
            }
            let fields = fields(line, family);
            let record =
                record(&fields, family).unwrap_or_else(|| panic!("{}:{number}: no record", file.path));
            assert!(record.columns.contains(&fields.len()), "{}:{number}: {}", file.path, fields.len());
            seen.insert(format!("{}.{}", file.family, record.key()));
        }
    }
    let packages = tree(out.path())
        .into_keys()
        .filter(|path| path.extension().is_some_and(|kind| kind == "zip"))
        .count();
    assert!(packages > 0);
    assert_eq!(((files.len() + packages) as u64, lines), (summary.files, summary.records));
    for expected in ["RE", "HO", "SN", "JD", "MF", "SY", "SI", "IY", "CO", "IR", "GO"] {
        assert!(seen.contains(&format!("ndb-medical.{expected}")), "{expected}");
    }
    for expected in ["ndb-dpc.BU", "ndb-dpc.SB", "ndb-dpc.HH", "ndb-medical-payer.MN", "ndb-medical-payer.SY"]
    {
        assert!(seen.contains(expected), "{expected}");
    }
    for expected in ["ndb-pharmacy.YK", "ndb-pharmacy.CZ", "ndb-dental.UK", "ndb-dental.HS", "ndb-dental.SS"]
    {
        assert!(seen.contains(expected), "{expected}");
    }
    for expected in ["dpc-ff1.A000010", "dpc-ff4.stay", "dpc-efn.act", "dpc-dn.act", "dpc-k-assumed.row"] {
        assert!(seen.contains(expected), "{expected}");
    }
    for expected in ["dpc-hn.ASS0013", "care-claim.plan", "care-claim.management", "life-service-user.row"] {
        assert!(seen.contains(expected), "{expected}");
    }
    for expected in ["care-claim.control", "care-claim.bill", "care-claim.total", "care-certification.row"] {
        assert!(seen.contains(expected), "{expected}");
    }
}

#[test]
fn a_merged_municipality_is_listed_in_its_time_and_counted_before() {
    let (out, _) = write(small(300, 3, 0.0));
    let files = delivered(out.path());
    let rows = |family: &str| -> Vec<Vec<String>> {
        let file = files.iter().find(|file| file.family == family).unwrap();
        let text = String::from_utf8(file.bytes.clone()).unwrap();
        text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let listed = rows("public-municipality");
    let ended: Vec<&Vec<String>> = listed.iter().filter(|row| !row[6].is_empty()).collect();
    let [ended] = ended.as_slice() else { panic!("{ended:?}") };
    let successor: Vec<&Vec<String>> = listed.iter().filter(|row| row[0] == ended[6]).collect();
    assert_eq!(successor.len(), 2, "its successor had another name before");
    assert!(successor[0][5] == ended[5] && successor[1][4] > ended[5] && successor[1][5] == "99999999");
    let counted: BTreeSet<String> = rows("public-population")
        .into_iter()
        .filter(|row| row[0] == ended[0])
        .map(|row| row[5].clone())
        .collect();
    assert!(!counted.is_empty() && counted.iter().all(|day| *day < ended[5] && *day >= ended[4]));
}

#[test]
fn receipts_add_up() {
    let catalogue = Catalogue::builtin().unwrap();
    let (out, _) = write(small(600, 2, 0.0));
    let number = |bytes: &[u8]| std::str::from_utf8(bytes).unwrap().parse::<u64>().unwrap_or(0);
    let mut checked = 0;
    for file in delivered(out.path()).iter().filter(|file| file.family == "ndb-medical") {
        let family = &catalogue.families["ndb-medical"];
        let (mut receipts, mut points, mut open) = (0, 0, None::<u64>);
        let (mut class, mut sum) = (0, 0);
        for line in file.lines() {
            let cells = fields(line, family);
            match cells[0] {
                b"RE" | b"GO" => {
                    assert_eq!(open.take().unwrap_or(sum), sum, "{}: a receipt does not add up", file.path);
                    if cells[0] == b"GO" {
                        assert_eq!((number(cells[1]), number(cells[2])), (receipts, points), "{}", file.path);
                        checked += 1;
                    }
                    (sum, class) = (0, 0);
                    receipts += u64::from(cells[0] == b"RE");
                }
                b"HO" => {
                    open = Some(number(cells[5]));
                    points += number(cells[5]);
                }
                kind @ (b"SI" | b"IY" | b"TO") => {
                    let days = if kind == b"TO" { 17 } else { 13 };
                    let times: u64 = cells[days..].iter().map(|day| number(day)).sum();
                    assert_eq!(times, number(cells[6]), "{}", file.path);
                    assert!(cells[1].is_empty() || number(cells[1]) > class, "{}: class twice", file.path);
                    class = class.max(number(cells[1]));
                    // Meals are billed in yen.
                    sum += if class == 97 { 0 } else { number(cells[5]) * times };
                }
                _ => {}
            }
        }
    }
    assert!(checked > 50, "{checked}");
}

#[test]
fn care_claims_count_their_lines() {
    let catalogue = Catalogue::builtin().unwrap();
    let (out, _) = write(small(600, 1, 0.0));
    let files = delivered(out.path());
    let claims: Vec<&Delivered> = files.iter().filter(|file| file.family == "care-claim").collect();
    assert!(!claims.is_empty());
    for file in claims {
        let lines = file.lines();
        let control = fields(lines[0], &catalogue.families["care-claim"]);
        assert_eq!(control[3], (lines.len() - 2).to_string().as_bytes());
        for (number, line) in lines.iter().enumerate() {
            let cells = fields(line, &catalogue.families["care-claim"]);
            assert_eq!(cells[1], (number + 1).to_string().as_bytes());
            assert_eq!(line.starts_with(b"2,"), line.contains(&b'"'));
        }
    }
}

#[test]
fn the_truth_lists_everything_that_points_at_somebody() {
    let catalogue = Catalogue::builtin().unwrap();
    let (out, _) = write(small(400, 3, 0.0));
    let listed: HashSet<(String, String)> =
        truth(out.path(), "identities.csv").into_iter().map(|row| (row[0].clone(), row[2].clone())).collect();
    let records: HashMap<(String, String, usize), String> = truth(out.path(), "records.csv")
        .into_iter()
        .map(|row| ((row[0].clone(), row[1].clone(), row[2].parse().unwrap()), row[3].clone()))
        .collect();
    let (mut found, mut values) = (0, HashSet::new());
    let names_places = |family: &str| matches!(family, "public-municipality" | "public-medical-area");
    for file in delivered(out.path()).iter().filter(|file| !names_places(&file.family)) {
        let family = &catalogue.families[&file.family];
        let mut person = None;
        for (index, line) in file.lines().into_iter().enumerate() {
            person = records.get(&(file.delivery.clone(), file.path.clone(), index + 1)).or(person);
            let cells = fields(line, family);
            let is_heading = index < family.framing.skip_lines + usize::from(family.framing.header);
            let Some(layout) = record(&cells, family).filter(|_| !is_heading) else { continue };
            for field in &layout.fields {
                let is_identity = field.class == catalog_model::Class::Direct
                    || field.role.as_deref() == Some("insurer_no");
                let value = decoded(cells[field.at], family.framing.encoding).unwrap();
                values.insert(value.clone());
                if is_identity && !value.is_empty() {
                    found += 1;
                    let key = (person.unwrap().clone(), value);
                    assert!(listed.contains(&key), "{}:{}: {}", file.path, index + 1, field.key);
                }
            }
        }
    }
    assert!(found > 1000, "{found}");
    // And nothing is listed that was not written, as a field or inside free text.
    let text: String = values.iter().filter(|value| value.len() > 40).cloned().collect();
    let text = text + &packaged(out.path());
    assert!(listed.iter().all(|(_, value)| values.contains(value) || text.contains(value)));
}

/// The documents of all packages.
fn packaged(out: &Path) -> String {
    let mut text = String::new();
    let packages =
        tree(out).into_iter().filter(|(path, _)| path.extension().is_some_and(|kind| kind == "zip"));
    for (_, bytes) in packages {
        let mut package = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        for entry in 0..package.len() {
            package.by_index(entry).unwrap().read_to_string(&mut text).unwrap();
        }
    }
    text
}

#[test]
fn people_are_written_in_many_ways() {
    let (out, _) = write(small(1500, 3, 0.0));
    let mut forms: HashMap<String, HashSet<String>> = HashMap::new();
    for row in truth(out.path(), "identities.csv").into_iter().filter(|row| row[1] == "name") {
        forms.entry(row[0].clone()).or_default().insert(row[2].clone());
    }
    assert!(forms.values().any(|names| names.len() > 1));
    let all: HashSet<&String> = forms.values().flatten().collect();
    assert!(all.iter().any(|name| name.contains('　')) && all.iter().any(|name| name.contains(' ')));
    assert!(all.iter().any(|name| !name.contains(['　', ' '])));
    assert!(all.iter().any(|name| name.contains(['髙', '﨑', '邊', '齋', '櫻', '濱', '澤'])));
}

#[test]
fn faults_stand_where_the_truth_says() {
    let rate = 0.02;
    let (sound, none) = write(small(500, 2, 0.0));
    let (faulty, summary) = write(small(500, 2, rate));
    let mut listed: BTreeMap<(String, String), Vec<(usize, FaultKind)>> = BTreeMap::new();
    let rows = truth(faulty.path(), "faults.csv");
    assert_eq!((none.faults, rows.len() as u64), (0, summary.faults));
    for row in rows.iter().filter(|row| !row[1].ends_with(".zip")) {
        let kind = FaultKind::parse(&row[5]).unwrap();
        listed.entry((row[0].clone(), row[1].clone())).or_default().push((row[2].parse().unwrap(), kind));
    }
    // A receipt without identity is as many faults as it has lines.
    let share = rows.len() as f64 / none.records as f64;
    assert!((rate * 0.6..rate * 1.4).contains(&share), "{share}");
    let kinds: BTreeSet<&str> = rows.iter().map(|row| row[5].as_str()).collect();
    let planted = "characters code columns date duplicate encoding missing month no-identity number orphan revision totals truncated unknown-record width";
    assert_eq!(kinds.into_iter().collect::<Vec<_>>().join(" "), planted);
    for (before, after) in delivered(sound.path()).iter().zip(&delivered(faulty.path())) {
        assert_eq!(before.path, after.path);
        let faults = listed.remove(&(before.delivery.clone(), before.path.clone())).unwrap_or_default();
        check_faults(before, after, &faults);
    }
    assert!(listed.is_empty(), "faults in files that do not exist");
}

/// The lines that differ are the lines that are listed.
fn check_faults(before: &Delivered, after: &Delivered, faults: &[(usize, FaultKind)]) {
    let has = |kind| faults.iter().any(|(_, listed)| *listed == kind);
    let lines: BTreeSet<usize> = faults.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines.len(), faults.len(), "{}: two faults in one line", after.path);
    let (old, mut new) = (before.lines(), after.lines());
    // A line in front of all receipts moves those below by one; of a receipt without names other lines differ as well.
    let stray = faults.iter().find(|(_, kind)| *kind == FaultKind::Orphan).map(|(line, _)| *line);
    if let Some(line) = stray {
        let line = new.remove(line - 1);
        assert!(old.contains(&line), "{}", after.path);
    }
    let number = |index: usize| index + 1 + usize::from(stray.is_some_and(|line| line <= index + 1));
    let nameless = faults.iter().filter(|(_, kind)| *kind == FaultKind::NoIdentity);
    let nameless: BTreeSet<usize> = nameless.map(|(line, _)| *line).collect();
    let mut is_nameless = false;
    let body = if before.family == "ndb-medical" { old.len() - 1 } else { old.len() };
    for (index, (one, other)) in old.iter().zip(&new).enumerate().take(body) {
        let line = number(index);
        is_nameless &= !one.starts_with(b"RE");
        if !is_nameless {
            assert_eq!(one != other, lines.contains(&line), "{}:{line}", after.path);
        }
        is_nameless |= nameless.contains(&line);
    }
    if !has(FaultKind::Duplicate) && !has(FaultKind::Truncated) {
        assert_eq!(old.len(), new.len(), "{}", after.path);
    }
    assert_eq!(has(FaultKind::Truncated), !after.bytes.ends_with(b"\r\n"), "{}", after.path);
    for (line, _) in faults.iter().filter(|(_, kind)| *kind == FaultKind::Duplicate) {
        let copy = after.lines()[line - 1];
        assert!(*line > body && old.contains(&copy), "{}:{line}", after.path);
    }
}

#[test]
fn nothing_is_written_over() {
    let catalogue = Catalogue::builtin().unwrap();
    let (out, _) = write(small(50, 1, 0.0));
    let again = synthetic::write(&catalogue, &small(50, 1, 0.0), out.path(), &mut |_| ());
    assert!(matches!(again, Err(SynthError::Occupied(_))));
}

#[test]
fn options_without_sense_are_refused() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    for options in [small(0, 1, 0.0), small(10, 0, 0.0), small(10, 1, 1.5), small(10, 1, f64::NAN)] {
        let result = synthetic::write(&catalogue, &options, folder.path(), &mut |_| ());
        assert!(matches!(result, Err(SynthError::Options(_))), "{options:?}");
    }
    assert!(tree(folder.path()).is_empty());
}

#[test]
fn progress_goes_from_nothing_to_all() {
    let catalogue = Catalogue::builtin().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut seen: Vec<Progress> = Vec::new();
    let summary =
        synthetic::write(&catalogue, &small(50, 2, 0.0), folder.path(), &mut |step| seen.push(step)).unwrap();
    assert_eq!(summary.deliveries, 7);
    assert!(seen.iter().all(|step| step.done <= step.total));
    for stage in [Stage::Population, Stage::Deliveries, Stage::Truth] {
        let last = seen.iter().rfind(|step| step.stage == stage).unwrap();
        assert_eq!(last.done, last.total, "{stage:?}");
    }
}

#[test]
fn identity_errors_change_who_a_receipt_names_and_nothing_of_who_it_is() {
    let options = small(300, 2, 0.0);
    let catalogue = Catalogue::builtin().unwrap();
    // As many errors as show in a small population, and people as they are.
    let slips = Slips {
        name_misspelt_permille: 60.0,
        birth_misread_permille: 60.0,
        renamed_permille: 0.0,
        renamed_with_card_percent: 0.0,
        events_percent: 100.0,
        ..Slips::shipped("harsh").unwrap()
    };
    let wrong = tempfile::tempdir().unwrap();
    synthetic::write_with_slips(&catalogue, &options, &slips, wrong.path(), &mut |_| ()).unwrap();
    let (right, _) = write(options);
    let truth = |folder: &Path| std::fs::read_to_string(folder.join("truth/records.csv")).unwrap();
    assert_eq!(truth(wrong.path()), truth(right.path()));
    let (mut receipts, mut names, mut births) = (0, 0, 0);
    for (one, two) in delivered(right.path()).iter().zip(&delivered(wrong.path())) {
        assert_eq!(one.path, two.path);
        for (right, wrong) in one.lines().into_iter().zip(two.lines()) {
            let field = |line: &[u8], at: usize| line.split(|byte| *byte == b',').nth(at).map(<[u8]>::to_vec);
            if one.family == "ndb-medical" && right.starts_with(b"RE,") {
                receipts += 1;
                names += usize::from(field(right, 4) != field(wrong, 4));
                births += usize::from(field(right, 6) != field(wrong, 6));
                assert_eq!(field(right, 5), field(wrong, 5));
            }
        }
    }
    // About one in seventeen.
    for found in [names, births] {
        assert!(receipts > 100 && found * 40 > receipts && found * 8 < receipts, "{found} of {receipts}");
    }
}
