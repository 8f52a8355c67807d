//! Entries as they are written at the end of a decision file.
//!
//! Invariant: what is written is read back as the same decision, whatever a person's words hold.

use std::fmt::Write as _;

use super::Decision;

impl Decision {
    /// The entry as text, ready to be pasted at the end of a decision file.
    pub fn entry(&self) -> String {
        let mut text = match self {
            Self::Release => "- release: true\n".to_owned(),
            Self::Hold { reason, .. } => format!("- hold: {}\n", quoted(reason)),
            Self::Approve { what, .. } | Self::Reject { what, .. } | Self::Deploy { what, .. } => {
                format!("- {}: {what}\n", self.word())
            }
        };
        let mut add = |key: &str, value: String| {
            let _ = writeln!(text, "  {key}: {value}");
        };
        match self {
            Self::Approve {
                replaces: Some(replaces),
                ..
            } => add("replaces", quoted(replaces)),
            Self::Hold {
                until: Some(until), ..
            } => add("until", until.to_string()),
            Self::Reject { reason, .. } | Self::Deploy { reason, .. } => {
                if let Some(reason) = reason {
                    add("reason", quoted(reason));
                }
            }
            _ => {}
        }
        text
    }
}

/// The text of a file with the text of `entries` at its end.
pub fn append(before: &str, entries: &str) -> String {
    let mut text = before.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text + entries
}

/// A text as a YAML scalar on one line: in double quotes, where JSON's escapes hold (YAML 1.2, 7.3.1).
pub(super) fn quoted(text: &str) -> String {
    let plain = !text.is_empty()
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || " .-_/".contains(c))
        && !text.ends_with(' ')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
        );
    if plain {
        return text.to_owned();
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if crate::diag::is_hidden(c) => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
