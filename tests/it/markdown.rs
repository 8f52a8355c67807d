//! What the tests of the documentation read in it: fenced blocks, headings and tables.
//!
//! Invariant: no more of Markdown is understood than the project's own documents use; a fence that
//! doesn't end fails the test.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::{Path, PathBuf};

/// A document of the project.
pub struct Document {
    /// The path from the root.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// A fenced block.
#[derive(Debug, PartialEq, Eq)]
pub struct Block {
    /// The 1-based line of its opening fence.
    pub line: usize,
    /// What follows the opening fence, such as `console`.
    pub info: String,
    /// The lines between the fences.
    pub text: String,
}

/// A row of a table: its cells without blanks around them.
pub type Row = Vec<String>;

impl Document {
    /// Reads the document at `path` from the root.
    pub fn read(path: &str) -> Self {
        let text = std::fs::read_to_string(root().join(path)).unwrap();
        Self {
            path: path.to_owned(),
            text,
        }
    }

    /// Every fenced block.
    pub fn blocks(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        let mut open: Option<Block> = None;
        for (number, line) in self.text.lines().enumerate() {
            match (open.take(), line.strip_prefix("```")) {
                (None, Some(info)) => {
                    open = Some(Block {
                        line: number + 1,
                        info: info.to_owned(),
                        text: String::new(),
                    });
                }
                (None, None) => {}
                (Some(block), Some(_)) => blocks.push(block),
                (Some(mut block), None) => {
                    block.text.push_str(line);
                    block.text.push('\n');
                    open = Some(block);
                }
            }
        }
        assert_eq!(open, None, "{}: a fence is not closed", self.path);
        blocks
    }

    /// The rows of all tables below each heading of the second level, without their first two lines.
    pub fn tables(&self) -> Vec<(String, Vec<Row>)> {
        let mut sections: Vec<(String, Vec<Row>)> = Vec::new();
        let mut above = "";
        for line in self.text.lines() {
            if let Some(heading) = line.strip_prefix("## ") {
                sections.push((heading.to_owned(), Vec::new()));
            }
            let is_header = !above.starts_with('|');
            let is_rule = line.starts_with("|--");
            if let Some((_, rows)) = sections.last_mut()
                && line.starts_with('|')
                && !is_header
                && !is_rule
            {
                rows.push(cells(line));
            }
            above = line;
        }
        sections
    }
}

fn cells(line: &str) -> Row {
    line.trim_matches('|')
        .split('|')
        .map(|cell| cell.trim().to_owned())
        .collect()
}

/// The project's folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

#[test]
fn blocks_and_tables_are_read() {
    let document = Document {
        path: "x.md".to_owned(),
        text: "## a\n| f | t |\n|---|---|\n| `x` | 1 |\n\n```yaml b.yaml\nk: v\n```\n## b\n"
            .to_owned(),
    };
    let blocks = document.blocks();
    assert_eq!(blocks.len(), 1);
    assert_eq!((blocks[0].line, blocks[0].text.as_str()), (6, "k: v\n"));
    assert_eq!(blocks[0].info, "yaml b.yaml");
    let row = vec!["`x`".to_owned(), "1".to_owned()];
    assert_eq!(
        document.tables(),
        [("a".to_owned(), vec![row]), ("b".to_owned(), Vec::new())]
    );
}
