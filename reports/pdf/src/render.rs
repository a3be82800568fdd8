//! Lays a report out and writes it as a PDF: the same report gives the same bytes.

use typst::diag::SourceDiagnostic;
use typst::foundations::Smart;
use typst::text::Font;
use typst_layout::PagedDocument;
use typst_pdf::PdfOptions;

use crate::Failure;
use crate::world::Desk;

/// The layout of every report.
const LAYOUT: &str = include_str!("board.typ");

/// The report, given as JSON, as a PDF.
pub(crate) fn pdf(fonts: Vec<Font>, report: String) -> Result<Vec<u8>, Failure> {
    laid_out(fonts, LAYOUT, report)
}

fn laid_out(fonts: Vec<Font>, layout: &str, report: String) -> Result<Vec<u8>, Failure> {
    let desk = Desk::new(fonts, layout, report)?;
    let document: PagedDocument = typst::compile(&desk).output.map_err(|faults| told(&faults))?;
    let options = PdfOptions { creator: Smart::Custom(Some("misu".to_owned())), ..PdfOptions::default() };
    typst_pdf::pdf(&document, &options).map_err(|faults| told(&faults))
}

fn told(faults: &[SourceDiagnostic]) -> Failure {
    Failure::Layout(faults.first().map_or_else(String::new, |fault| fault.message.to_string()))
}

#[cfg(test)]
mod tests {
    use super::{laid_out, pdf};

    fn report() -> String {
        let text = r##"{"language":"ja","title":"審査会報告書","subtitle":"2026年11月",
            "facts":[["環境","架空"]],
            "sections":[{"heading":"照会","parts":[
              {"text":"#panic(\"markup\") *is* $text$"},
              {"figures":[{"label":"照会","value":"12","note":""}]},
              {"chart":{"svg":"<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 40 20\"><text x=\"1\" y=\"9\" font-family=\"IPAexGothic\" font-size=\"8\">図</text></svg>","caption":"月別"}},
              {"table":{"columns":[{"name":"規則","number":false},{"name":"件数","number":true}],"rows":[["identity","3"]]}}]}],
            "seal":{"lines":["root"],"note":"misu/record\n12\n"}}"##;
        text.to_owned()
    }

    #[test]
    fn the_same_report_gives_the_same_bytes() {
        let one = pdf(crate::fonts().unwrap(), report()).unwrap();
        assert!(one.starts_with(b"%PDF-"));
        assert_eq!(one, pdf(crate::fonts().unwrap(), report()).unwrap());
    }

    #[test]
    fn a_document_sees_no_file_no_package_and_no_clock() {
        for layout in [
            "#read(\"/etc/passwd\")",
            "#read(\"../../etc/passwd\")",
            "#import \"@preview/cetz:0.3.0\"",
            "#import \"other.typ\"",
            "#datetime.today()",
        ] {
            let faulty = laid_out(crate::fonts().unwrap(), layout, report());
            assert!(faulty.is_err(), "{layout}");
        }
    }

    #[test]
    fn a_missing_font_names_the_package() {
        let folder = tempfile::tempdir().unwrap();
        let error = crate::font(folder.path(), crate::FONTS[0]).unwrap_err().to_string();
        assert!(error.contains("fonts-ipaexfont"), "{error}");
    }
}
