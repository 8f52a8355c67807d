//! What happened to the stages of a config repo: every change of what they run, and every decision, as the
//! branch has them.
//!
//! Invariant: what changed is told from values, who and when from Git; a commit's words are believed only
//! where it is the service's and its values match. A history that was not fetched to its beginning says so.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::diag;
use crate::git::CommitId;
use crate::promotion::By;
use crate::reconcile::decided::Written;
use crate::reconcile::message::LINK;

/// Longest reason that is told, in characters.
const MAX_WORDS: usize = 400;

/// What is asked for.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// Only this app.
    pub app: Option<String>,
    /// Only stages of this name.
    pub stage: Option<String>,
    /// Nothing that was committed before.
    pub since: Option<Timestamp>,
    /// How many events, the newest; all without.
    pub most: Option<usize>,
}

impl Question {
    /// Whether it is about a stage of these names.
    pub fn is_about(&self, app: &str, stage: &str) -> bool {
        let is = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == name)
        };
        is(&self.app, app) && is(&self.stage, stage)
    }
}

/// What happened, as far as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The commit that it was read from.
    pub head: CommitId,
    /// How many stages of today it is about.
    pub stages: usize,
    /// What happened, the newest first.
    pub events: Vec<Event>,
    /// Why it ends where it does.
    pub end: End,
}

/// Why a history ends where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// There is no more.
    Beginning,
    /// What was before is not asked for.
    Asked,
    /// What was before has not been fetched.
    NotFetched,
}

/// Something that happened to a stage, or to stages by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The app's name; empty for a freeze, which is of every app.
    pub app: String,
    /// The stage's name; empty for a freeze, which names stages itself.
    pub stage: String,
    /// Who did it, when, and by which commit.
    pub by: By,
    /// What.
    pub what: What,
    /// Why, in the words of whoever did it.
    pub why: String,
    /// Who consented to it, where it is the service's and needed that.
    pub approved: Vec<String>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// The stage runs something else.
    Changed {
        /// What is gone, as written.
        from: Vec<String>,
        /// What came, as written.
        to: Vec<String>,
        /// Whose change it is.
        hand: Hand,
    },
    /// The app file named the stage for the first time, when it ran this.
    Began(Vec<String>),
    /// A person decided.
    Decided(Written),
    /// A decision was taken out of its file.
    Withdrawn(Written),
}

/// Whose change it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    /// The service's.
    Service,
    /// A person's.
    Person,
    /// A person's, back to something lower.
    Back,
}

/// What is gone and what came from one list of texts to another; `None` where the same texts are there,
/// however often.
pub(super) fn difference(old: &[String], new: &[String]) -> Option<(Vec<String>, Vec<String>)> {
    let mut counts: BTreeMap<&str, (isize, [bool; 2])> = BTreeMap::new();
    for text in old {
        let (count, there) = counts.entry(text).or_default();
        (*count, there[0]) = (*count - 1, true);
    }
    for text in new {
        let (count, there) = counts.entry(text).or_default();
        (*count, there[1]) = (*count + 1, true);
    }
    if counts.values().all(|(_, [before, after])| before == after) {
        return None;
    }
    let those = |wanted: fn(isize) -> bool| {
        let found = counts.iter().filter(|(_, (count, _))| wanted(*count));
        found.map(|(text, _)| (*text).to_owned()).collect()
    };
    Some((those(|count| count < 0), those(|count| count > 0)))
}

/// The subject of a commit.
pub(super) fn subject(message: &str) -> String {
    words(message.lines().next().unwrap_or_default())
}

/// The reason that the service gives for its change of one stage: the last line of what its commit says of
/// it, or its subject where it says no more.
pub(super) fn reason(message: &str, app: &str, stage: &str) -> String {
    let paragraphs = message.trim_end().split("\n\n").collect::<Vec<_>>();
    let body = paragraphs.get(1..paragraphs.len().saturating_sub(1));
    let heading = format!("{app}: {stage} ");
    let own = body.unwrap_or_default().iter().rev();
    let last = |text: &str| {
        let mut lines = text.lines().rev();
        let line = lines.find(|line| !line.starts_with(LINK));
        line.map(str::to_owned)
    };
    let of_stage = own.clone().find(|text| text.starts_with(&heading));
    let told = of_stage.and_then(|text| last(text));
    match told.or_else(|| own.clone().find_map(|text| last(text))) {
        Some(line) => words(line.trim_end_matches('.')),
        None => subject(message),
    }
}

/// Words from a commit, on one line and fit to be printed.
fn words(text: &str) -> String {
    diag::visible(text.trim()).chars().take(MAX_WORDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_gone_and_what_came() {
        for (old, new, expected) in [
            ("1 1", "1", None),
            ("1 2", "2 1", None),
            ("1", "2", Some(("1", "2"))),
            ("2 2", "1 2", Some(("2", "1"))),
            ("1 2", "2 2", Some(("1", "2"))),
            ("", "1", Some(("", "1"))),
            ("1 1", "", Some(("1", ""))),
        ] {
            let list = |text: &str| -> Vec<String> {
                text.split_whitespace().map(str::to_owned).collect()
            };
            let found = difference(&list(old), &list(new));
            let expected = expected.map(|(gone, came)| (list(gone), list(came)));
            assert_eq!(found, expected, "{old} -> {new}");
        }
    }

    #[test]
    fn the_reason_is_the_last_word_on_a_change() {
        let trailer = "Tagwright-Change: v1 app=shop stage=live from=1 to=2";
        for (message, expected) in [
            (
                "shop: live 1 -> 2\n\na.yaml:1: 1 -> 2\n\nIt is newest.\n\nT",
                "It is newest",
            ),
            (
                "live: update a, shop\n\nshop: live 1 -> 2\na.yaml:1: 1 -> 2\nIt is newest.\n\na: live 3 -> 4\nOther.\n\nT",
                "It is newest",
            ),
            (
                "shop: live 1 -> 2\n\na.yaml:1: 1 -> 2\n\nIt is newest.\n\nWhat changed: https://x\n\nT",
                "It is newest",
            ),
            ("Up\n\nT", "Up"),
            ("Up", "Up"),
            ("", ""),
        ] {
            let message = message.replace("\nT", &format!("\n{trailer}\n"));
            assert_eq!(reason(&message, "shop", "live"), expected, "{message}");
        }
        assert_eq!(subject("a\u{1b}[2J\nb"), "a\\u{1b}[2J");
    }
}
