//! The text of a proposed app file.
//!
//! Invariant: values are quoted where YAML would read them as something else than text.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::tags::{By, Order};
use super::{Draft, DraftStage};
use crate::config::APP_MODELINE;

/// The app file of a draft.
pub(super) fn text(draft: &Draft) -> String {
    let mut text = format!(
        "{APP_MODELINE}\nversion: 1\napp: {}\nimage: {}\n",
        scalar(&draft.name),
        scalar(&draft.image.to_string())
    );
    if let Some(marker) = &draft.marker {
        let _ = writeln!(text, "marker: {}", scalar(&marker.to_string()));
    }
    if draft.marked_only {
        text.push_str("# Other places of the image belong to other apps.\ndetect: false\n");
    }
    for note in &draft.notes {
        let _ = writeln!(text, "# {note}.");
    }
    tags(&mut text, "", &draft.order);
    let whole = |stage: &DraftStage| stage.paths.is_empty() && stage.exclude.is_empty();
    if let [only] = draft.stages.as_slice()
        && whole(only)
    {
        text.push_str("# No `stages`: one stage over the whole repository.\n");
        return text;
    }
    text.push_str("stages:\n");
    for stage in &draft.stages {
        let _ = writeln!(text, "  - name: {}", scalar(&stage.name));
        if stage.paths.is_empty() {
            text.push_str("    paths: [\"**\"]\n");
        } else {
            list(&mut text, "paths", &stage.paths);
        }
        if !stage.exclude.is_empty() {
            list(&mut text, "exclude", &stage.exclude);
        }
        if let Some(order) = &stage.order {
            tags(&mut text, "    ", order);
        }
    }
    text
}

fn tags(text: &mut String, indent: &str, order: &Order) {
    let _ = writeln!(text, "{indent}tags:");
    let _ = match &order.by {
        By::Semver(range) => writeln!(text, "{indent}  semver: \"{range}\""),
        By::Calver(format) => writeln!(text, "{indent}  calver: {}", scalar(format)),
        By::Number => writeln!(text, "{indent}  numerical: highest"),
        By::Built => writeln!(text, "{indent}  newest: created"),
    };
    if let Some(pattern) = &order.pattern {
        // Quotes within single quotes are doubled.
        let _ = writeln!(text, "{indent}  match: '{}'", pattern.replace('\'', "''"));
    }
    for (key, set) in [("prereleases", order.prereleases), ("loose", order.loose)] {
        if set {
            let _ = writeln!(text, "{indent}  {key}: true");
        }
    }
}

fn list(text: &mut String, key: &str, items: &BTreeSet<String>) {
    let items: Vec<String> = items.iter().map(|item| scalar(item)).collect();
    let line = format!("    {key}: [{}]\n", items.join(", "));
    /// Longest line of a list, in characters; a longer one has an item a line.
    const WIDTH: usize = 100;
    if line.chars().count() <= WIDTH {
        text.push_str(&line);
        return;
    }
    let _ = writeln!(text, "    {key}:");
    for item in items {
        let _ = writeln!(text, "      - {item}");
    }
}

/// A text as a YAML scalar, in a list too.
pub fn scalar(text: &str) -> String {
    /// What YAML 1.1 reads as something else than text (yaml.org/type: bool, null).
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/*:".contains(&b);
    // No number starts with a letter; a colon is part of a text where no blank follows.
    let safe = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(plain)
        && !text.ends_with(':')
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if safe {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_stay_texts() {
        for (text, wanted) in [
            ("apps/staging/**", "apps/staging/**"),
            ("ghcr.io/acme/shop", "ghcr.io/acme/shop"),
            ("flux-system:shop", "flux-system:shop"),
            ("staging", "staging"),
            ("**/x", "\"**/x\""),
            ("yes", "\"yes\""),
            ("shop", "shop"),
            ("N", "\"N\""),
            ("1e3", "\"1e3\""),
            ("a b", "\"a b\""),
            ("a\"\\", "\"a\\\"\\\\\""),
            ("a/é", "\"a/é\""),
        ] {
            assert_eq!(scalar(text), wanted, "{text}");
        }
    }
}
