//! The words of a text cell as headings, lists and paragraphs. Nothing else is read into them, and no markup.

/// A piece of a text cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// A line after `#`.
    Heading(String),
    /// A line after `-`.
    Item(String),
    /// Lines that follow each other.
    Paragraph(Vec<String>),
}

/// The pieces of a text.
pub(super) fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    for line in text.lines().map(str::trim_end) {
        let heading = line.trim_start_matches('#');
        if heading.len() < line.len() && heading.starts_with(' ') {
            blocks.push(Block::Heading(heading.trim().to_owned()));
        } else if let Some(item) = line.strip_prefix("- ") {
            blocks.push(Block::Item(item.trim().to_owned()));
        } else if line.is_empty() {
            blocks.push(Block::Paragraph(Vec::new()));
        } else if let Some(Block::Paragraph(lines)) = blocks.last_mut() {
            lines.push(line.to_owned());
        } else {
            blocks.push(Block::Paragraph(vec![line.to_owned()]));
        }
    }
    blocks.retain(|block| *block != Block::Paragraph(Vec::new()));
    blocks
}

#[cfg(test)]
mod tests {
    use super::{Block, blocks};

    #[test]
    fn words_become_headings_items_and_paragraphs() {
        let paragraph =
            |lines: &[&str]| Block::Paragraph(lines.iter().map(|line| (*line).to_owned()).collect());
        let text = "# One\na\nb\n\n- c\n#no\n\n\n### Two\n";
        let expected = vec![
            Block::Heading("One".to_owned()),
            paragraph(&["a", "b"]),
            Block::Item("c".to_owned()),
            paragraph(&["#no"]),
            Block::Heading("Two".to_owned()),
        ];
        assert_eq!(blocks(text), expected);
        assert_eq!(blocks(" \n\n"), Vec::new());
    }
}
