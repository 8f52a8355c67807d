//! Commit messages: a subject, a body naming each file and line, and one trailer per change.
//!
//! Invariant: the message is a function of the change alone, so one plan always makes one commit.
//! Text from outside is sanitised: nothing that a registry or a file says can add a line, a trailer
//! or a terminal sequence.

use std::fmt::Write as _;

use crate::diag::is_hidden;
use crate::image::{Digest, Image, Version};
use crate::reconcile::plan::Change;
use crate::reconcile::running::Running;

/// One edit as the body tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: String,
    /// The 1-based line.
    pub line: u32,
    /// The text that was there.
    pub old: String,
    /// The text that is there now.
    pub new: String,
}

/// What a commit's message tells.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The app.
    pub app: &'a str,
    /// The stage.
    pub stage: &'a str,
    /// The app's image.
    pub image: &'a Image,
    /// The blob id of the app file that decided.
    pub policy: &'a str,
}

/// Writes the message of the commit that makes `change`.
pub fn message(subject: Subject<'_>, change: &Change, lines: &[Line]) -> String {
    let Subject {
        app,
        stage,
        image,
        policy,
    } = subject;
    let old = match &change.from {
        // The sites that lag are what changes; the highest may be the very tag that is written.
        Running::Split { highest, others } if highest.tag == change.tag => others.join(", "),
        Running::One(version)
        | Running::Split {
            highest: version, ..
        } => version.tag.to_string(),
        other => other.to_string(),
    };
    let to = Version {
        tag: Some(&change.tag),
        digest: Some(&change.digest),
    };
    let new = change.tag.to_string();
    // The digest is all that tells them apart.
    let (old, new) = match old == new {
        true => (
            with_digest(&old, change.from.digest()),
            with_digest(&new, Some(&change.digest)),
        ),
        false => (old, new),
    };
    let mut text = format!("{app}: {stage} {} -> {new}\n\n", clean(&old));
    for line in lines {
        let _ = writeln!(
            text,
            "{}:{}: {} -> {}",
            clean(&line.file),
            line.line,
            clean(&line.old),
            clean(&line.new)
        );
    }
    let _ = writeln!(text, "\n{}.\n", clean(&change.reason));
    let _ = writeln!(
        text,
        "Tagwright-Change: v1 app={app} stage={stage} image={image} from={} to={to} policy={policy}",
        word(&change.from.to_string()),
    );
    text
}

/// A tag with the beginning of its digest: enough to tell two apart, and to find one.
fn with_digest(tag: &str, digest: Option<&Digest>) -> String {
    const SHORT: usize = 12;
    match digest.and_then(|digest| digest.as_str().split_once(':')) {
        Some((_, hex)) => format!("{tag}@{}", hex.get(..SHORT).unwrap_or(hex)),
        None => tag.to_owned(),
    }
}

/// Longest text from outside that a message quotes, in characters.
const MAX_QUOTED: usize = 400;

/// One line without hidden characters, cut to a sane length.
fn clean(text: &str) -> String {
    let visible = |c: char| if is_hidden(c) { '\u{fffd}' } else { c };
    let mut line: String = text.chars().map(visible).take(MAX_QUOTED).collect();
    if text.chars().nth(MAX_QUOTED).is_some() {
        line.push('…');
    }
    line
}

/// The same as one word, as a trailer's values must be.
fn word(text: &str) -> String {
    let text = clean(text);
    if text.is_empty() {
        return "-".to_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join("_")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Write;
    use crate::reconcile::running::{RunningVersion, Unordered};

    fn change(from: Running) -> Change {
        Change {
            from,
            tag: "6.2.0".parse().unwrap(),
            digest: Digest::of(b"x"),
            write: Write::Tag,
            sites: Vec::new(),
            reason: "6.2.0 is the highest".to_owned(),
        }
    }

    fn write(from: Running, lines: &[Line]) -> String {
        let image: Image = "ghcr.io/acme/shop".parse().unwrap();
        let subject = Subject {
            app: "shop",
            stage: "staging",
            image: &image,
            policy: "abc123",
        };
        message(subject, &change(from), lines)
    }

    #[test]
    fn a_message_has_subject_places_reason_and_trailer() {
        let from = Running::One(RunningVersion {
            tag: "6.1.9".parse().unwrap(),
            digest: None,
        });
        let line = Line {
            file: "apps/staging/shop.yaml".into(),
            line: 14,
            old: "ghcr.io/acme/shop:6.1.9".into(),
            new: "ghcr.io/acme/shop:6.2.0".into(),
        };
        let digest = Digest::of(b"x");
        assert_eq!(
            write(from, &[line]),
            format!(
                "shop: staging 6.1.9 -> 6.2.0\n\n\
                 apps/staging/shop.yaml:14: ghcr.io/acme/shop:6.1.9 -> ghcr.io/acme/shop:6.2.0\n\n\
                 6.2.0 is the highest.\n\n\
                 Tagwright-Change: v1 app=shop stage=staging image=ghcr.io/acme/shop \
                 from=6.1.9 to=6.2.0@{digest} policy=abc123\n"
            )
        );
    }

    #[test]
    fn the_subject_names_what_lags_where_the_highest_stays() {
        let from = Running::Split {
            highest: RunningVersion {
                tag: "6.2.0".parse().unwrap(),
                digest: None,
            },
            others: vec!["6.1.8".to_owned(), "6.1.9".to_owned()],
        };
        let text = write(from, &[]);
        assert!(
            text.starts_with("shop: staging 6.1.8, 6.1.9 -> 6.2.0\n"),
            "{text}"
        );
    }

    #[test]
    fn the_subject_tells_digests_of_one_tag_apart() {
        let from = |digest| {
            Running::One(RunningVersion {
                tag: "6.2.0".parse().unwrap(),
                digest,
            })
        };
        let text = write(from(Some(Digest::of(b"y"))), &[]);
        assert!(
            text.starts_with("shop: staging 6.2.0@a1fce4363854 -> 6.2.0@2d711642b726\n"),
            "{text}"
        );
        let text = write(from(None), &[]);
        assert!(
            text.starts_with("shop: staging 6.2.0 -> 6.2.0@2d711642b726\n"),
            "{text}"
        );
    }

    #[test]
    fn text_from_outside_cannot_add_lines() {
        let from = Running::Unordered(Unordered {
            text: "x\nTagwright-Change: v1 app=evil\u{1b}[31m \u{202e}".into(),
            tag: None,
            digest: None,
            refusal: None,
        });
        let text = write(from, &[]);
        let trailers = text
            .lines()
            .filter(|line| line.starts_with("Tagwright-Change:"))
            .count();
        assert_eq!(trailers, 1, "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
    }
}
