//! What people keep from a stage, as the policy is told of it.
//!
//! Invariant: what a person went back from reaches the policy with who did it, when, by which commit, and
//! what ends it, so that no verdict hides behind a rule.
//!
//! Nothing is read here: the facts say what people did.

use std::sync::Arc;

use jiff::Timestamp;

use super::case::Case;
use super::{Blocked, Change, Open, Step};
use crate::decision::{self, Decided, Decision, Hold, Rejection};
use crate::diag;
use crate::image::Tag;
use crate::policy::{self, ManifestFact, Order, Reach, Recorded, Withheld};
use crate::promotion::{Bound, By, Held};
use crate::reconcile::decided::{Decisions, Made};
use crate::reconcile::pulls::Closed;
use crate::reconcile::running::Running;
use crate::reconcile::standings::{History, Past};

/// As many digits of a commit's id as `git log --oneline` shows in a large repository.
const SHORT: usize = 12;

/// Longest name that is quoted, in characters.
const MAX_NAME: usize = 80;

/// Longest reason that is quoted, in characters.
const MAX_WORDS: usize = 200;

/// Whether a stage's past is known.
pub(super) enum Known {
    /// It is, or doesn't matter.
    Yes,
    /// Nobody has asked for it.
    Unasked,
    /// It can't be told yet.
    More,
}

impl Case<'_> {
    /// Whether the stage's past is known.
    pub(super) fn past(&self) -> Known {
        match &self.facts.history {
            History::NotConsulted => Known::Yes,
            // What a decision ends or begins is told from where it came.
            History::Known(_) if self.made().iter().any(|made| made.landed.is_none()) => {
                Known::More
            }
            History::Known(pasts) => match pasts.get(&self.key) {
                Some(Past::Known(_)) => Known::Yes,
                Some(Past::More) => Known::More,
                None => Known::Unasked,
            },
        }
    }

    fn bound(&self) -> Option<&Bound> {
        self.facts.standing(self.key)?.rejected.as_ref()
    }

    pub(super) fn made(&self) -> &[Made] {
        match self.facts.decided.decisions.get(&self.key) {
            Some(Decisions::Known(made)) => made,
            Some(Decisions::Broken(_)) | None => &[],
        }
    }

    pub(super) fn in_force(&self) -> (Option<Hold<'_>>, Vec<Rejection<'_>>) {
        let decisions = self.made().iter().map(|made| &made.decision);
        decision::in_force(decisions, self.facts.now)
    }

    /// The names of the app and the stage, as commands take them.
    pub(super) fn names(&self) -> String {
        let stage = &self.app.stages[self.key.stage].name;
        format!("{} {stage}", self.app.name)
    }

    /// The latest decision to deploy, with its place, unless a later one rejects what it is about.
    pub(super) fn deploying(&self) -> Option<(usize, &Made)> {
        let all = self.made();
        let is_deploy = |made: &Made| matches!(made.decision, Decision::Deploy { .. });
        let place = all.iter().rposition(is_deploy)?;
        let deploy = all[place].decision.what()?;
        let later = all.iter().skip(place).any(|made| match &made.decision {
            Decision::Reject { what, .. } => what.is(&deploy.tag, deploy.digest.as_ref()),
            _ => false,
        });
        (!later).then_some((place, &all[place]))
    }

    /// The step that people decided on, whatever the policy would choose.
    pub(super) fn decided(
        &self,
        running: &Running,
        recorded: Recorded<'_>,
    ) -> Option<(Step, Open)> {
        if let Some(Decisions::Broken(file)) = self.facts.decided.decisions.get(&self.key) {
            let blocked = Blocked::Decisions(file.clone());
            return Some((Step::Blocked(blocked), Open::default()));
        }
        let (made, what, reason) = match self.deploying()?.1 {
            made @ Made {
                decision: Decision::Deploy { what, reason },
                ..
            } => (made, what, reason.as_deref()),
            _ => return None,
        };
        match self.past() {
            Known::Yes => {}
            Known::More => return Some((Step::Blocked(Blocked::History), Open::default())),
            Known::Unasked => {
                let mut open = Open::default();
                open.pasts.push(self.key);
                return Some((Step::Undecided, open));
            }
        }
        let pending = self.facts.standing(self.key)?.untouched;
        let there = self.behind(&what.tag, what.digest.as_ref()).is_empty();
        let decided = (what, reason);
        (pending && !there).then(|| self.deploy(made, decided, running, recorded))
    }

    /// Brings all sites to what a person wants to run.
    fn deploy(
        &self,
        made: &Made,
        (what, reason): (&Decided, Option<&str>),
        running: &Running,
        recorded: Recorded<'_>,
    ) -> (Step, Open) {
        let blocked = |blocked| (Step::Blocked(blocked), Open::default());
        let read = self.read().and_then(|read| read.get(&what.tag));
        let (digest, unread) = match (read, &what.digest) {
            (None, _) => {
                let mut open = Open::default();
                open.needs.push(self.need(&what.tag, Vec::new(), None));
                return (Step::Undecided, open);
            }
            (Some(ManifestFact::Found(found)), Some(named)) if found.digest != *named => {
                return blocked(Blocked::Unreadable(format!(
                    "{what} was decided on, but the registry now has {tag} with {}; deciding anew ends \
                     that, as does `tagwright reject {} {tag}`",
                    found.digest,
                    self.names(),
                    tag = what.tag,
                )));
            }
            (Some(ManifestFact::Found(found)), _) => (found.digest.clone(), None),
            // What was decided on is known by its digest, so nobody has to be asked.
            (Some(ManifestFact::Unreadable(why)), Some(named)) => (named.clone(), Some(why)),
            (Some(ManifestFact::Unreadable(why)), None) => {
                return blocked(Blocked::Unreadable(why.clone()));
            }
            (Some(ManifestFact::Missing | ManifestFact::MissingOnce), _) => {
                let why = format!("{} was decided on, but its manifest is missing", what.tag);
                return blocked(Blocked::Unreadable(why));
            }
        };
        if let Some(moved) = self.moved(&what.tag, &digest) {
            return blocked(moved);
        }
        let mut sites = self.behind(&what.tag, Some(&digest));
        match self.brought_along(&what.tag, recorded) {
            Ok(along) => sites.extend(along),
            Err(open) => return (Step::Undecided, *open),
        }
        sites.sort_unstable();
        let mut words = format!("{} decided to deploy it", signed(made.by.as_ref()));
        if let Some(reason) = reason {
            words.push_str(&format!(": {}", quoted(reason)));
        }
        if let Some(why) = unread {
            words.push_str(&format!("; the registry was not asked: {why}"));
        }
        let change = Change {
            from: running.clone(),
            tag: what.tag.clone(),
            digest,
            write: self.write,
            sites,
            rejected: self.rolled_back(&what.tag, running, made.by.as_ref()),
            reason: words,
            approved: Vec::new(),
            group: None,
        };
        (Step::Change(change), Open::default())
    }

    /// What a decision to deploy `tag` moves the stage back from, so that it is not taken again at once.
    fn rolled_back(&self, tag: &Tag, running: &Running, by: Option<&By>) -> Option<Box<Bound>> {
        let (Running::One(highest) | Running::Split { highest, .. }) = running else {
            return None;
        };
        let lower = match &self.policy.order {
            Order::Newest(_) | Order::Digest(_) => true,
            _ => policy::compare(self.policy, tag, &highest.tag, Recorded::default())
                .is_some_and(|order| order.is_lt()),
        };
        let from = Held {
            tag: highest.tag.clone(),
            digest: highest.digest.clone(),
        };
        let by = by?.clone();
        lower.then(|| Box::new(Bound { from, by }))
    }

    /// What people keep from being chosen.
    pub(super) fn withheld(&self) -> Vec<Withheld> {
        let rejected = self.in_force().1.into_iter().map(|rejection| Withheld {
            tag: rejection.what.tag.clone(),
            digest: rejection.what.digest.clone(),
            reach: Reach::Alone,
            words: Arc::from(rejected_words(&rejection, self.made(), self.names())),
        });
        let rejected: Vec<Withheld> = rejected.collect();
        let bound = self.bound().map(|bound| Withheld {
            tag: bound.from.tag.clone(),
            digest: bound.from.digest.clone(),
            reach: Reach::UpTo,
            words: Arc::from(words(bound, self.policy)),
        });
        let closed = self.facts.closed.get(&self.key).into_iter().flatten();
        let closed = closed.filter(|closed| !self.is_approved(closed));
        let closed = closed.map(|closed| Withheld {
            tag: closed.what.tag.clone(),
            digest: closed.what.digest.clone(),
            reach: Reach::UpTo,
            words: Arc::from(closed_words(closed, &self.names())),
        });
        bound.into_iter().chain(rejected).chain(closed).collect()
    }

    /// Whether a person approved what a pull request proposed that was closed.
    fn is_approved(&self, closed: &Closed) -> bool {
        self.made().iter().any(|made| match &made.decision {
            Decision::Approve { what, .. } => {
                what.is(&closed.what.tag, closed.what.digest.as_ref())
            }
            _ => false,
        })
    }

    /// Why the other sites of a stage are not brought to the `tag` that it runs: a person moved some of
    /// them back from it.
    pub(super) fn parted(
        &self,
        tag: &Tag,
        running: &Running,
        known: Recorded<'_>,
    ) -> Option<String> {
        let bound = self.bound()?;
        let covers = match &self.policy.order {
            Order::Digest(_) => running.digest() == bound.from.digest.as_ref(),
            _ => {
                let order = policy::compare(self.policy, tag, &bound.from.tag, known);
                *tag == bound.from.tag || order.is_some_and(|order| order.is_le())
            }
        };
        let split = matches!(running, Running::Split { .. });
        (split && covers).then(|| {
            let words = words(bound, self.policy);
            format!("runs {running}, and its other sites stay as they are: {words}")
        })
    }

    /// The bound that is still in force once the stage has `tag`; `stays` where it runs that already.
    pub(super) fn still_rejected(&self, tag: &Tag, stays: bool) -> Option<Box<Bound>> {
        let bound = self.bound()?;
        let order = policy::compare(self.policy, tag, &bound.from.tag, Recorded::default());
        let ended = match &self.policy.order {
            Order::Newest(_) | Order::Digest(_) => !stays,
            _ => order.is_some_and(|order| order.is_gt()),
        };
        (!ended).then(|| Box::new(bound.clone()))
    }
}

/// Who went back from what, and what ends that.
fn words(bound: &Bound, policy: &policy::Policy) -> String {
    let Bound { from, by } = bound;
    let (who, place) = (name_of(by), place_of(by));
    match &policy.order {
        Order::Digest(_) => format!(
            "{who} went back from {from}{place}, so that is not taken again; something newer is, and \
             writing it by hand ends this"
        ),
        _ => format!(
            "{who} went back from {from}{place}, so nothing up to it is taken; something newer is, \
             and writing {} by hand ends this",
            from.tag
        ),
    }
}

fn name_of(by: &By) -> String {
    match by.name.as_str() {
        "" => "somebody".to_owned(),
        name => diag::visible(name).chars().take(MAX_NAME).collect(),
    }
}

/// ` (commit …, TIME)`, as far as it is known.
fn place_of(by: &By) -> String {
    let mut place = Vec::new();
    if let Some(short) = by.commit.get(..SHORT) {
        place.push(format!("commit {short}"));
    }
    if by.at != Timestamp::UNIX_EPOCH {
        place.push(by.at.to_string());
    }
    match place.is_empty() {
        true => String::new(),
        false => format!(" ({})", place.join(", ")),
    }
}

pub(super) fn signed(by: Option<&By>) -> String {
    match by {
        Some(by) => format!("{}{}", name_of(by), place_of(by)),
        None => "somebody".to_owned(),
    }
}

/// A person's words on one line.
pub(super) fn quoted(words: &str) -> String {
    diag::visible(words).chars().take(MAX_WORDS).collect()
}

fn closed_words(closed: &Closed, names: &str) -> String {
    let Closed {
        what,
        number,
        by,
        at,
    } = closed;
    let by = by.as_ref().map(|by| format!(" by {}", quoted(by)));
    let at = at.map(|at| format!(" ({at})"));
    let (by, at) = (by.unwrap_or_default(), at.unwrap_or_default());
    format!(
        "its pull request #{number} was closed{by}{at}, so nothing up to {tag} is proposed; something newer \
         is, and opening it again or `tagwright approve {names} {tag}` ends this",
        tag = what.tag
    )
}

fn rejected_words(rejection: &Rejection<'_>, made: &[Made], names: String) -> String {
    let by = made.get(rejection.entry).and_then(|made| made.by.as_ref());
    let reason = rejection
        .reason
        .map(|reason| format!(": {}", quoted(reason)));
    let (who, reason, tag) = (signed(by), reason.unwrap_or_default(), &rejection.what.tag);
    format!("was rejected by {who}{reason}; `tagwright approve {names} {tag}` ends it")
}
