//! `misu-pdf`: a report as JSON on standard input, the same report as a PDF on standard output.
//!
//! The only program that links Typst. It reads two fonts and nothing else: no file that a document names, no package,
//! no network, no clock. The layout is `board.typ`; what a report says reaches it as data, never as markup, so that a
//! name in a report cannot become an instruction.

mod render;
mod world;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Where Debian's package keeps the fonts: gothic for headings and tables, mincho for text.
const FONTS: [&str; 2] = ["opentype/ipaexfont-gothic/ipaexg.ttf", "opentype/ipaexfont-mincho/ipaexm.ttf"];
/// The folder of all fonts, unless `MISU_FONTS` names another.
const FOLDER: &str = "/usr/share/fonts";
/// The largest report.
const LARGEST: u64 = 64 << 20;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// A font is missing.
    #[error("cannot read the font {0}; it comes with Debian's package fonts-ipaexfont")]
    NoFont(PathBuf, #[source] std::io::Error),
    /// A font file is none.
    #[error("{0} is no font")]
    BadFont(PathBuf),
    /// The report cannot be read, or the PDF not written.
    #[error("cannot read the report or write the PDF")]
    Stream(#[from] std::io::Error),
    /// The report is not JSON, or too large.
    #[error("the report is not of the expected form")]
    Form(#[from] serde_json::Error),
    /// The layout does not fit the report; our fault.
    #[error("the report cannot be laid out: {0}")]
    Layout(String),
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "misu-pdf: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let mut report = String::new();
    std::io::stdin().lock().take(LARGEST).read_to_string(&mut report)?;
    // What is not JSON is told as such, and not as a fault of the layout.
    let _: serde_json::Value = serde_json::from_str(&report)?;
    let pdf = render::pdf(fonts()?, report)?;
    std::io::stdout().lock().write_all(&pdf)?;
    Ok(())
}

fn fonts() -> Result<Vec<typst::text::Font>, Failure> {
    let folder = std::env::var_os("MISU_FONTS").map_or_else(|| PathBuf::from(FOLDER), PathBuf::from);
    FONTS.iter().map(|name| font(&folder, name)).collect()
}

fn font(folder: &Path, name: &str) -> Result<typst::text::Font, Failure> {
    // A folder of one's own may hold the files beside each other.
    let beside = Path::new(name).file_name().map(|name| folder.join(name)).filter(|path| path.is_file());
    let path = beside.unwrap_or_else(|| folder.join(name));
    let bytes = std::fs::read(&path).map_err(|error| Failure::NoFont(path.clone(), error))?;
    typst::text::Font::new(typst::foundations::Bytes::new(bytes), 0).ok_or(Failure::BadFont(path))
}
