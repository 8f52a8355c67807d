//! The trailer of a change: what a commit of the service says beyond what its values show.
//!
//! Invariant: what is written here is read back the same. A trailer is a claim: whoever reads one checks
//! that the commit is the service's and that its values match.

use std::fmt::Write as _;

use crate::git::CommitId;
use crate::image::{Digest, Tag};
use crate::promotion::approval::{Counted, How};
use crate::promotion::{Bound, Held};

/// The trailer's key, with the version of its form.
const KEY: &str = "Tagwright-Change: v1 ";

/// The key of the trailer of a consent.
const APPROVED: &str = "Tagwright-Approved-By: ";

/// More changes than one commit of the service carries; what a commit holds beyond is not looked at.
const MAX_TRAILERS: usize = 10_000;

/// One change as its trailer states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trailer<'m> {
    /// The app.
    pub app: &'m str,
    /// The stage.
    pub stage: &'m str,
    /// What it ran, if that was a tag.
    pub from: Option<Held>,
    /// What it got.
    pub to: Held,
    /// What a person had gone back from, and by which commit, if that was still in force.
    pub rejected: Option<(Held, Option<CommitId>)>,
}

/// The end of a trailer that says what a person had gone back from; empty where nothing is in force.
pub fn rejected(bound: Option<&Bound>) -> String {
    let mut text = String::new();
    if let Some(Bound { from, by }) = bound {
        let _ = write!(text, " rejected={from}");
        if by.commit.parse::<CommitId>().is_ok() {
            let _ = write!(text, " back={}", by.commit);
        }
    }
    text
}

/// The trailer of a consent: to the only change of a commit, or to that of this app and stage.
pub fn approved(consent: &Counted, of: Option<(&str, &str)>) -> String {
    let Counted {
        person,
        commit,
        how,
        ..
    } = consent;
    let mut text = format!("{APPROVED}{person} commit={commit}");
    match how {
        How::Key(key) => _ = write!(text, " key={key}"),
        How::Author => text.push_str(" by=author"),
        How::Merge(pull) => _ = write!(text, " by=merge pull={pull}"),
        How::Review(pull) => _ = write!(text, " by=review pull={pull}"),
    }
    if let Some((app, stage)) = of {
        let _ = write!(text, " app={app} stage={stage}");
    }
    text
}

/// The persons who consented to the change of a stage, as a commit's message states them.
pub fn approvers<'m>(
    message: &'m str,
    app: &'m str,
    stage: &'m str,
) -> impl Iterator<Item = &'m str> {
    let lines = message
        .lines()
        .filter_map(|line| line.strip_prefix(APPROVED));
    lines.take(MAX_TRAILERS).filter_map(move |text| {
        let mut words = text.split(' ');
        let person = words.next().filter(|name| !name.is_empty())?;
        let of_others = words
            .filter_map(|word| word.split_once('='))
            .any(|(key, value)| key == "app" && value != app || key == "stage" && value != stage);
        (!of_others).then_some(person)
    })
}

/// The changes that a commit's message states.
pub fn trailers(message: &str) -> impl Iterator<Item = Trailer<'_>> {
    let lines = message.lines().filter_map(|line| line.strip_prefix(KEY));
    lines.take(MAX_TRAILERS).filter_map(read)
}

fn read(text: &str) -> Option<Trailer<'_>> {
    let value = |key: &str| {
        let mut words = text.split(' ').filter_map(|word| word.split_once('='));
        words.find(|(name, _)| *name == key).map(|(_, value)| value)
    };
    let rejected = value("rejected").and_then(held);
    let back = value("back").and_then(|id| id.parse().ok());
    Some(Trailer {
        app: value("app")?,
        stage: value("stage")?,
        from: value("from").and_then(held),
        to: value("to").and_then(held)?,
        rejected: rejected.map(|held| (held, back)),
    })
}

/// A tag, with its digest if there is one.
fn held(text: &str) -> Option<Held> {
    let (tag, digest) = match text.split_once('@') {
        Some((tag, digest)) => (tag, Some(digest.parse::<Digest>().ok()?)),
        None => (text, None),
    };
    let tag = tag.parse::<Tag>().ok()?;
    Some(Held { tag, digest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promotion::By;

    #[test]
    fn what_is_written_is_read_back() {
        let digest = Digest::of(b"x");
        let id = "00112233445566778899aabbccddeeff0a1b2c3d";
        let bound = Bound {
            from: Held {
                tag: "6.2.0".parse().unwrap(),
                digest: Some(digest.clone()),
            },
            by: By {
                name: "Ada".into(),
                at: jiff::Timestamp::UNIX_EPOCH,
                commit: id.into(),
            },
        };
        let message = format!(
            "shop: staging\n\nTagwright-Change: v1 app=shop stage=staging image=ghcr.io/acme/shop \
             from=6.1.8 to=6.1.9@{digest} policy=abc{}\n",
            rejected(Some(&bound))
        );
        let found: Vec<_> = trailers(&message).collect();
        assert_eq!(
            found,
            [Trailer {
                app: "shop",
                stage: "staging",
                from: held("6.1.8"),
                to: held(&format!("6.1.9@{digest}")).unwrap(),
                rejected: Some((bound.from.clone(), id.parse().ok())),
            }]
        );
        assert_eq!(rejected(None), "");
    }

    #[test]
    fn consents_are_read_back_for_their_change() {
        let consent = |person: &str, how| Counted {
            person: person.to_owned(),
            at: jiff::Timestamp::UNIX_EPOCH,
            commit: "0123".to_owned(),
            how,
        };
        let (ada, bob) = (
            consent("ada", How::Key("SHA256:x".into())),
            consent("bob", How::Author),
        );
        let lone = approved(&ada, None);
        assert_eq!(lone, "Tagwright-Approved-By: ada commit=0123 key=SHA256:x");
        let message = format!(
            "s\n\n{}\n{}\n",
            approved(&ada, Some(("shop", "live"))),
            approved(&bob, Some(("cart", "live")))
        );
        let of = |message: &str, app: &str, stage: &str| {
            let all = approvers(message, app, stage);
            all.map(str::to_owned).collect::<Vec<_>>()
        };
        for (how, words) in [
            (How::Merge(7), "by=merge pull=7"),
            (How::Review(7), "by=review pull=7"),
        ] {
            let lone = approved(&consent("ada", how), None);
            assert_eq!(
                lone,
                format!("Tagwright-Approved-By: ada commit=0123 {words}")
            );
            assert_eq!(of(&lone, "shop", "live"), ["ada"]);
        }
        assert_eq!(of(&lone, "shop", "live"), ["ada"]);
        assert_eq!(of(&message, "shop", "live"), ["ada"]);
        assert_eq!(of(&message, "cart", "live"), ["bob"]);
        assert_eq!(of(&message, "cart", "test"), Vec::<String>::new());
        assert!(
            message.contains("bob commit=0123 by=author app=cart"),
            "{message}"
        );
    }

    #[test]
    fn what_is_no_trailer_says_nothing() {
        for line in [
            "Tagwright-Change: v2 app=a stage=b to=1",
            "Tagwright-Change: v1 app=a stage=b",
            "Tagwright-Change: v1 app=a stage=b to=1@sha256:zz",
            "> Tagwright-Change: v1 app=a stage=b to=1",
        ] {
            assert_eq!(trailers(line).next(), None, "{line}");
        }
    }
}
