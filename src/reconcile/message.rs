//! Commit messages: a subject, a body naming each file and line, and one trailer per change.
//!
//! Invariant: the message is a function of the changes and the configuration alone, so one plan always
//! makes one commit. Text from outside is sanitised: nothing that a registry or a file says can add a
//! line, a trailer or a terminal sequence. The trailers are the last paragraph, whatever the templates
//! say.

pub mod link;
mod list;

use std::fmt::Write as _;

use crate::config::{Blank, Commits};
use crate::diag::is_hidden;
use crate::image::{Digest, Version};
use crate::reconcile::plan::Change;
use crate::reconcile::prepare::{Edit, PreparedChange};
use crate::reconcile::running::Running;
use crate::reconcile::trailer::{approved, rejected};

use list::list;

/// The subject of the commit that makes `changes`, which are at least one.
pub fn subject(changes: &[PreparedChange], style: &Commits) -> String {
    let all = All(changes);
    match &style.subject {
        Some(template) => line_of(&template.fill(|blank| all.fill(blank))),
        None => all.summary(),
    }
}

/// Writes the message of the commit that makes `changes`, which are at least one.
pub fn message(changes: &[PreparedChange], style: &Commits) -> String {
    let all = All(changes);
    let subject = subject(changes, style);
    let body = match &style.body {
        Some(template) => paragraphs(&template.fill(|blank| all.fill(blank))),
        None => all.body(),
    };
    let mut text = format!("{subject}\n\n");
    if !body.is_empty() {
        let _ = write!(text, "{body}\n\n");
    }
    for change in changes {
        let _ = writeln!(text, "{}", trailer(change));
    }
    for change in changes {
        let of = (changes.len() > 1).then_some((change.app.as_str(), change.stage.as_str()));
        for consent in &change.change.approved {
            let _ = writeln!(text, "{}", approved(consent, of));
        }
    }
    if style.sign_off {
        let author = &style.author;
        let _ = writeln!(text, "Signed-off-by: {} <{}>", author.name, author.email);
    }
    text
}

/// The changes of one commit, as text.
struct All<'a>(&'a [PreparedChange]);

impl All<'_> {
    fn fill(&self, blank: Blank) -> String {
        match blank {
            Blank::App => self.list(|change| change.app.clone()),
            Blank::Stage => self.list(|change| change.stage.clone()),
            Blank::Image => self.list(|change| change.image.to_string()),
            Blank::Old => self.list(|change| from_to(&change.change).0),
            Blank::New => self.list(|change| from_to(&change.change).1),
            Blank::Count => self.0.len().to_string(),
            Blank::Summary => self.summary(),
            Blank::Changes => self.body(),
            Blank::Places => self.each(places),
            Blank::Reason => self.each(reason),
            Blank::Link => self.each(link_line),
        }
    }

    fn list(&self, of: impl Fn(&PreparedChange) -> String) -> String {
        list(self.0.iter().map(of))
    }

    /// The texts of all changes, each on lines of its own.
    fn each(&self, of: impl Fn(&PreparedChange) -> String) -> String {
        let texts = self.0.iter().map(of).filter(|text| !text.is_empty());
        texts.collect::<Vec<_>>().join("\n")
    }

    fn summary(&self) -> String {
        match self.0 {
            [change] => heading(change),
            _ => format!(
                "{}: update {}",
                self.fill(Blank::Stage),
                self.fill(Blank::App)
            ),
        }
    }

    fn body(&self) -> String {
        let blocks = self.0.iter().map(|change| {
            let (places, reason, link) = (places(change), reason(change), link_line(change));
            match self.0 {
                [_] => paragraphs(&format!("{places}\n\n{reason}\n\n{link}")),
                _ => format!(
                    "{}\n{}",
                    heading(change),
                    paragraphs(&format!("{places}\n{reason}\n{link}"))
                ),
            }
        });
        blocks.collect::<Vec<_>>().join("\n\n")
    }
}

/// `APP: STAGE OLD -> NEW`.
fn heading(change: &PreparedChange) -> String {
    let (old, new) = from_to(&change.change);
    format!("{}: {} {old} -> {new}", change.app, change.stage)
}

/// What a change replaces, and by what.
pub(super) fn from_to(change: &Change) -> (String, String) {
    let old = match &change.from {
        // The sites that lag are what changes; the highest may be the very tag that is written.
        Running::Split { highest, others } if highest.tag == change.tag => others.join(", "),
        Running::One(version)
        | Running::Split {
            highest: version, ..
        } => version.tag.to_string(),
        other => other.to_string(),
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
    (clean(&old), new)
}

fn places(change: &PreparedChange) -> String {
    let line = |edit: &Edit| {
        format!(
            "{}:{}: {} -> {}",
            clean(&edit.file),
            edit.position.line,
            clean(&edit.old),
            clean(&edit.new)
        )
    };
    change.edits.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn reason(change: &PreparedChange) -> String {
    let reason = clean(&change.change.reason);
    match approvers(change) {
        Some(names) => format!("{reason}; approved by {names}."),
        None => format!("{reason}."),
    }
}

/// The names of those who consented to a change, if anybody had to.
pub(super) fn approvers(change: &PreparedChange) -> Option<String> {
    let names = change.change.approved.iter();
    let names = names.map(|consent| clean(&consent.person));
    (!change.change.approved.is_empty()).then(|| list(names))
}

/// What the line with a link to what changed begins with.
pub const LINK: &str = "What changed: ";

fn link_line(change: &PreparedChange) -> String {
    match &change.link {
        Some(link) => format!("{LINK}{link}"),
        None => String::new(),
    }
}

fn trailer(change: &PreparedChange) -> String {
    let PreparedChange {
        app,
        stage,
        image,
        policy,
        change,
        ..
    } = change;
    let to = Version {
        tag: Some(&change.tag),
        digest: Some(&change.digest),
    };
    let from = word(&change.from.to_string());
    format!(
        "Tagwright-Change: v1 app={app} stage={stage} image={image} from={from} to={to} policy={policy}{}",
        rejected(change.rejected.as_deref())
    )
}

/// A tag with the beginning of its digest: enough to tell two apart, and to find one.
fn with_digest(tag: &str, digest: Option<&Digest>) -> String {
    const SHORT: usize = 12;
    match digest.and_then(|digest| digest.as_str().split_once(':')) {
        Some((_, hex)) => format!("{tag}@{}", hex.get(..SHORT).unwrap_or(hex)),
        None => tag.to_owned(),
    }
}

/// A filled subject as one line.
fn line_of(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A filled body without empty paragraphs and blanks at the ends of lines.
fn paragraphs(text: &str) -> String {
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n").trim_matches('\n').to_owned()
}

/// Longest text from outside that a message quotes, in characters.
const MAX_QUOTED: usize = 400;

/// One line without hidden characters, cut to a sane length.
pub(super) fn clean(text: &str) -> String {
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
mod tests;
