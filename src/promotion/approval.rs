//! Who may consent to a change, and which consents count: one function, whatever the way in.
//!
//! Invariant: pure, and independent of the order of the evidence. A consent counts once for a person, for one
//! image with one digest that takes the place of one reference, and for nothing else. Who gave it is what is
//! proven, never what is claimed, unless the rules say that a claim will do. What can't be told counts
//! against a change, never for it.
//!
//! Nothing is verified here: what a commit proves is the reader's business.
//!
//! Reading order: this file (the rules, and what counts), `people` (who they are), `evidence` (what they said),
//! `words`.

mod evidence;
mod people;
mod words;

pub use evidence::{Act, Attested, Deed, Did, Evidence, Gap, Says, Seal};
pub use people::{Approver, Group, People, Person};

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;

use crate::image::{Digest, Image, Tag};

/// What a stage asks for before it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// How many persons must consent; none is needed at zero.
    pub required: usize,
    /// Who may.
    pub from: Vec<Approver>,
    /// Whether whoever asks for a change may not consent to it.
    pub exclude_author: bool,
    /// How long a consent counts; for good without.
    pub expires: Option<Duration>,
    /// How it is known who consented.
    pub identity: Identity,
}

/// How it is known who consented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Identity {
    /// By the key that signed the commit.
    #[default]
    Signed,
    /// The forge attests it.
    Forge,
    /// By the commit's author, which anybody who can push may write.
    Author,
}

/// What is to change.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The names that the image has.
    pub images: &'a [&'a Image],
    /// The tag that comes.
    pub tag: &'a Tag,
    /// Its digest.
    pub digest: &'a Digest,
    /// What goes, as entries name it: a tag, or a tag and a digest.
    pub replaces: &'a [String],
    /// When the stage was moved from what comes to what goes, if it was: what was said before is over.
    pub left: Option<Timestamp>,
}

/// A consent that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Whose.
    pub person: String,
    /// When it came to the branch.
    pub at: Timestamp,
    /// The commit that gave it.
    pub commit: String,
    /// How it is known whose it is.
    pub how: How,
}

/// How it is known whose a consent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// By the key with this fingerprint.
    Key(String),
    /// By the author's address alone.
    Author,
    /// The forge says that the person merged the pull request of this number.
    Merge(u64),
    /// The forge says that the person approved the pull request of this number.
    Review(u64),
}

/// A consent that does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncounted {
    /// Whose, where that is known.
    pub person: Option<String>,
    /// When it came to the branch.
    pub at: Timestamp,
    /// The commit that gave it, where that is known.
    pub commit: Option<String>,
    /// Why not.
    pub why: Why,
}

/// Why a consent does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// It is of another tag or image.
    OtherReference,
    /// It names no digest.
    NoDigest,
    /// It is of another digest.
    OtherDigest,
    /// It names nothing that is replaced.
    NoReplaces,
    /// Something else is replaced.
    OtherReplaces(String),
    /// It was rejected afterwards.
    Rejected,
    /// The stage was moved back from it afterwards.
    Left,
    /// It was too long ago.
    Expired(Timestamp),
    /// It is dated after now, so that nobody knows how old it is.
    Future(Timestamp),
    /// Who gave it lies beyond what was fetched.
    NotFetched,
    /// Its commit is not signed.
    Unsigned,
    /// Its commit's signature proves nothing.
    BadSignature(String),
    /// Its commit is signed by a key of nobody.
    UnknownKey(String),
    /// Its author's address is nobody's.
    UnknownAuthor(String),
    /// The forge does not attest it.
    NotByForge,
    /// It came by no pull request.
    Pushed,
    /// The pull request of this number does not propose it, though it came with its merge.
    Beside(u64),
    /// Nobody is known to have merged or approved the pull request of this number.
    Nobody(u64),
    /// The forge has not answered yet.
    Awaited,
    /// The forge can't be asked, for this reason.
    Silent(String),
    /// Its account at the forge is nobody's.
    UnknownAccount(String),
    /// It is a review of an earlier head.
    EarlierHead,
    /// It is a review of nobody knows which head.
    UnknownHead,
    /// Others may.
    MayNot,
    /// It is of whoever asks for the change.
    Author,
    /// It isn't known who asks for the change, so nobody can be told from them.
    AuthorUnknown,
    /// The same person consents in another one.
    Duplicate,
}

/// What the evidence comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// How many persons must consent.
    pub required: usize,
    /// The consents that count, one a person, the oldest first.
    pub counted: Vec<Counted>,
    /// Those that don't, the oldest first.
    pub uncounted: Vec<Uncounted>,
    /// When the first of those that count expires, or the first that is dated after now counts.
    pub expires: Option<Timestamp>,
    /// Who may consent and has not.
    pub others: Vec<String>,
    /// Approvers that nobody is.
    pub unknown: Vec<String>,
}

impl Outcome {
    /// How many are missing.
    pub fn missing(&self) -> usize {
        self.required.saturating_sub(self.counted.len())
    }

    /// Whether some can't be judged before more of the history is here.
    pub fn lacks_history(&self) -> bool {
        self.uncounted.iter().any(|one| one.why == Why::NotFetched)
    }
}

/// Whose an act is, as far as that is proven as the rules ask.
fn person_of<'p>(
    identity: Identity,
    people: &'p People,
    by: &Attested,
) -> Result<(&'p Person, How), Why> {
    match (identity, by) {
        (_, Attested::Unknown) => Err(Why::NotFetched),
        (Identity::Forge, Attested::Forge(deed)) => by_forge(people, deed),
        (Identity::Forge, Attested::Unattested { gap, .. }) => Err(gap.into()),
        (Identity::Author | Identity::Signed, Attested::Commit(act)) => {
            by_commit(identity, people, act)
        }
        (Identity::Forge, Attested::Commit(_))
        | (_, Attested::Forge(_) | Attested::Unattested { .. }) => Err(Why::NotByForge),
    }
}

fn by_forge<'p>(people: &'p People, deed: &Deed) -> Result<(&'p Person, How), Why> {
    let how = match deed.did {
        Did::Opened | Did::Merged => How::Merge(deed.pull),
        Did::Approved | Did::ApprovedEarlier | Did::ApprovedUnknown => How::Review(deed.pull),
    };
    match people.of_forge(&deed.account) {
        Some(person) => Ok((person, how)),
        None => Err(Why::UnknownAccount(deed.account.clone())),
    }
}

fn by_commit<'p>(
    identity: Identity,
    people: &'p People,
    act: &Act,
) -> Result<(&'p Person, How), Why> {
    if identity == Identity::Author {
        return match people.of_email(&act.author) {
            Some(person) => Ok((person, How::Author)),
            None => Err(Why::UnknownAuthor(act.author.clone())),
        };
    }
    match &act.signature {
        Seal::Good(key) => match people.of_key(key) {
            Some(person) => Ok((person, How::Key(key.clone()))),
            None => Err(Why::UnknownKey(key.clone())),
        },
        Seal::None => Err(Why::Unsigned),
        Seal::Bad(why) => Err(Why::BadSignature(why.clone())),
    }
}

impl From<&Gap> for Why {
    fn from(gap: &Gap) -> Self {
        match gap {
            Gap::Pushed => Self::Pushed,
            Gap::Beside(pull) => Self::Beside(*pull),
            Gap::Nobody(pull) => Self::Nobody(*pull),
            Gap::Awaited => Self::Awaited,
            Gap::Silent(why) => Self::Silent(why.clone()),
        }
    }
}

/// Who asked for a change, where that excludes somebody.
enum Asked<'p> {
    /// Nobody is excluded.
    Nobody,
    /// These: whoever is proven, and whoever is claimed.
    These(Vec<&'p Person>),
    /// It can't be told.
    Unknown,
}

fn asked<'p>(rules: &Rules, people: &'p People, by: &[Attested]) -> Asked<'p> {
    if !rules.exclude_author || by.is_empty() {
        return Asked::Nobody;
    }
    let proven = by
        .iter()
        .filter_map(|by| person_of(rules.identity, people, by).ok());
    let mut these: Vec<&Person> = proven.map(|(person, _)| person).collect();
    if these.is_empty() {
        return Asked::Unknown;
    }
    these.extend(by.iter().filter_map(|by| match by {
        Attested::Commit(act) => people.of_email(&act.author),
        Attested::Unknown | Attested::Forge(_) | Attested::Unattested { .. } => None,
    }));
    Asked::These(these)
}

/// What `evidence` comes to for `subject` at `now`. Where the rules exclude who asks for a change, that is told
/// by `asking`, all of it about the same person; without any it is the service that asks.
pub fn judge(
    rules: &Rules,
    people: &People,
    subject: Subject<'_>,
    evidence: &[Evidence],
    asking: &[Attested],
    now: Timestamp,
) -> Outcome {
    let judge = Judge {
        rules,
        people,
        subject,
        evidence,
        asked: asked(rules, people, asking),
        now,
    };
    judge.outcome()
}

impl Subject<'_> {
    /// Why a consent is not of what is to change, or not of what that replaces, whoever gave it.
    pub fn refuses(&self, consent: &Evidence) -> Option<Why> {
        if !self.images.contains(&&consent.image) || consent.tag != *self.tag {
            return Some(Why::OtherReference);
        }
        match &consent.digest {
            None => return Some(Why::NoDigest),
            Some(other) if other != self.digest => return Some(Why::OtherDigest),
            Some(_) => {}
        }
        match &consent.says {
            Says::Approve { replaces: None } => Some(Why::NoReplaces),
            Says::Approve {
                replaces: Some(named),
            } if !self.replaces.contains(named) => Some(Why::OtherReplaces(named.clone())),
            Says::Approve { .. } | Says::Deploy | Says::Reject => None,
        }
    }
}

struct Judge<'a> {
    rules: &'a Rules,
    people: &'a People,
    subject: Subject<'a>,
    evidence: &'a [Evidence],
    asked: Asked<'a>,
    now: Timestamp,
}

impl Judge<'_> {
    fn outcome(&self) -> Outcome {
        let consents = self.evidence.iter().filter(|it| it.says != Says::Reject);
        let mut consents: Vec<&Evidence> = consents.collect();
        consents.sort_by_key(|it| (it.at, it.place, sure(it)));
        let (mut counted, mut uncounted): (Vec<Counted>, Vec<Uncounted>) = Default::default();
        // The newest of a person counts longest.
        for consent in consents.into_iter().rev() {
            match self.counts(consent) {
                Ok(found) if counted.iter().all(|other| other.person != found.person) => {
                    counted.push(found);
                }
                Ok(found) => {
                    uncounted.push(uncounted_of(consent, Some(found.person), Why::Duplicate))
                }
                Err(why) => {
                    let person = person_of(self.rules.identity, self.people, &consent.by);
                    let name = person.ok().map(|(person, _)| person.name.clone());
                    uncounted.push(uncounted_of(consent, name, why));
                }
            }
        }
        counted.reverse();
        uncounted.reverse();
        let given: BTreeSet<&str> = counted.iter().map(|one| one.person.as_str()).collect();
        let others = self
            .who_may()
            .into_iter()
            .filter(|name| !given.contains(name));
        let others = others.map(str::to_owned).collect();
        let unknown = self.rules.from.iter();
        let unknown = unknown.filter(|approver| self.people.behind(approver).is_none());
        let ends = counted.iter().filter_map(|one| self.ends(one.at));
        let begins = uncounted.iter().filter_map(|one| match one.why {
            Why::Future(at) => Some(at),
            _ => None,
        });
        Outcome {
            required: self.rules.required,
            expires: ends.chain(begins).min(),
            others,
            unknown: unknown.map(ToString::to_string).collect(),
            counted,
            uncounted,
        }
    }

    /// The names of those who may consent, each once, in the order of the rules.
    fn who_may(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let behind = self
            .rules
            .from
            .iter()
            .filter_map(|it| self.people.behind(it));
        for person in behind.flatten() {
            if !names.contains(&person.name.as_str()) && !self.is_asking(person) {
                names.push(&person.name);
            }
        }
        names
    }

    fn is_asking(&self, person: &Person) -> bool {
        match &self.asked {
            Asked::These(these) => these.iter().any(|it| it.name == person.name),
            Asked::Nobody | Asked::Unknown => false,
        }
    }

    /// When a consent of that time ends; a time beyond all times is never.
    fn ends(&self, at: Timestamp) -> Option<Timestamp> {
        at.checked_add(self.rules.expires?).ok()
    }

    fn counts(&self, consent: &Evidence) -> Result<Counted, Why> {
        if let Some(why) = self.subject.refuses(consent) {
            return Err(why);
        }
        if self.is_rejected(consent) {
            return Err(Why::Rejected);
        }
        if self.subject.left.is_some_and(|left| consent.at < left) {
            return Err(Why::Left);
        }
        let (person, how) = person_of(self.rules.identity, self.people, &consent.by)?;
        if let Attested::Forge(deed) = &consent.by {
            match deed.did {
                Did::Merged | Did::Approved => {}
                // Whoever opens a pull request consents to nothing.
                Did::Opened => return Err(Why::NotByForge),
                Did::ApprovedEarlier => return Err(Why::EarlierHead),
                Did::ApprovedUnknown => return Err(Why::UnknownHead),
            }
        }
        if self.is_asking(person) {
            return Err(Why::Author);
        }
        if !self.who_may().contains(&person.name.as_str()) {
            return Err(Why::MayNot);
        }
        if matches!(self.asked, Asked::Unknown) {
            return Err(Why::AuthorUnknown);
        }
        if let Some(ended) = self.ends(consent.at).filter(|ends| *ends <= self.now) {
            return Err(Why::Expired(ended));
        }
        // Whoever brings it to the branch dates it, and could have it count for ever.
        if self.rules.expires.is_some() && consent.at > self.now {
            return Err(Why::Future(consent.at));
        }
        Ok(Counted {
            person: person.name.clone(),
            at: consent.at,
            commit: consent.by.commit().ok_or(Why::NotFetched)?.to_owned(),
            how,
        })
    }

    /// Whether the reference of a consent was rejected after it, by its place or by its time.
    fn is_rejected(&self, consent: &Evidence) -> bool {
        self.evidence.iter().any(|other| {
            let same = other.tag == consent.tag
                && (other.digest.is_none() || other.digest == consent.digest);
            let later = other.at > consent.at
                || matches!((other.place, consent.place), (Some(theirs), Some(own)) if theirs > own);
            other.says == Says::Reject && same && later
        })
    }
}

/// Tells evidence of one time and place apart, so that its order does not matter. Of what a person did to a
/// pull request, what counts comes last.
fn sure(evidence: &Evidence) -> (Option<&str>, &str, Reverse<Option<Did>>) {
    match &evidence.by {
        Attested::Unknown => (None, "", Reverse(None)),
        Attested::Unattested { commit, .. } => (Some(commit), "", Reverse(None)),
        Attested::Commit(act) => (Some(&act.commit), &act.author, Reverse(None)),
        Attested::Forge(deed) => (Some(&deed.commit), &deed.account, Reverse(Some(deed.did))),
    }
}

fn uncounted_of(consent: &Evidence, person: Option<String>, why: Why) -> Uncounted {
    Uncounted {
        person,
        at: consent.at,
        commit: consent.by.commit().map(str::to_owned),
        why,
    }
}

#[cfg(test)]
mod tests;
