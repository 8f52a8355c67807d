//! The images of the world: what is there at first, and what is released while one watches.
//!
//! Invariant: an image follows from its repository, its tag and its time alone. The tags are the mix
//! that real repositories hold: releases, pre-releases, floating tags, branch builds, signatures.

use jiff::{SignedDuration, Timestamp};

use crate::demo::registry::ImageSpec;
use crate::image::Digest;

/// A tag to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// The repository below the registry's host.
    pub repository: &'static str,
    /// The tag.
    pub tag: String,
    /// What it points at.
    pub image: ImageSpec,
}

/// A release that happens while one watches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Release {
    /// The repository below the registry's host.
    pub repository: &'static str,
    /// The new tag.
    pub tag: &'static str,
    /// One line on what happens and what to expect.
    pub story: &'static str,
    /// What staging does about it.
    pub outcome: Outcome,
}

/// What a release leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// One commit that moves staging to it.
    Commit,
    /// Nothing: no policy accepts it.
    Nothing,
}

impl Release {
    /// Its image, built at `created`.
    pub fn image(&self, created: Timestamp) -> ImageSpec {
        image(self.repository, self.tag, created)
    }
}

const SHOP: &str = "acme/shop";
const CART: &str = "acme/cart";
const WEB: &str = "acme/web";

/// Releases that are there at first, with their age in hours. Staging runs shop 6.1.8, so the first
/// pass has something to do.
const RELEASED: [(&str, &str, i64); 14] = [
    (SHOP, "6.1.7", 24 * 21),
    (SHOP, "6.1.8", 24 * 12),
    (SHOP, "6.1.9", 3),
    (SHOP, "6.2.0-rc.1", 2),
    (SHOP, "main-4f2a9c1", 1),
    (CART, "1.9.9", 24 * 300),
    (CART, "2.3.0", 24 * 90),
    (CART, "2.3.1", 24 * 60),
    (CART, "2.4.0", 24 * 9),
    (WEB, "1.13.2", 24 * 40),
    (WEB, "1.14.1", 24 * 20),
    (WEB, "1.14.2", 24 * 6),
    (WEB, "main-77b01de", 5),
    (WEB, "nightly", 9),
];

/// Tags that point at what another tag points at.
const FLOATING: [(&str, &str, &str); 5] = [
    (SHOP, "latest", "6.1.9"),
    (CART, "latest", "2.4.0"),
    (CART, "2", "2.4.0"),
    (CART, "2.4", "2.4.0"),
    (WEB, "latest", "1.14.2"),
];

/// A release whose signature lies beside it, as cosign 2 tags it.
const SIGNED: (&str, &str) = (SHOP, "6.1.9");

/// What happens while one watches.
pub(super) const SCHEDULE: [Release; 6] = [
    Release {
        repository: SHOP,
        tag: "6.2.0",
        story: "shop 6.2.0 is released; a Deployment, a CronJob and a HelmRelease move together",
        outcome: Outcome::Commit,
    },
    Release {
        repository: CART,
        tag: "2.4.1",
        story: "cart 2.4.1 is released; where staging pins a digest, the digest moves too",
        outcome: Outcome::Commit,
    },
    Release {
        repository: SHOP,
        tag: "7.0.0",
        story: "shop 7.0.0 is released; its policy ends before 7, so nothing moves",
        outcome: Outcome::Nothing,
    },
    Release {
        repository: WEB,
        tag: "1.15.0",
        story: "web 1.15.0 is released; a kustomization and a file with Windows line ends follow",
        outcome: Outcome::Commit,
    },
    Release {
        repository: CART,
        tag: "2.5.0-rc.1",
        story: "cart 2.5.0-rc.1 is pushed for a test; pre-releases are not asked for, so nothing moves",
        outcome: Outcome::Nothing,
    },
    Release {
        repository: SHOP,
        tag: "6.2.1",
        story: "shop 6.2.1 is released; staging goes on from 6.2.0",
        outcome: Outcome::Commit,
    },
];

/// What the registry of a world made at `time` holds at first.
pub(super) fn initial(time: Timestamp) -> Vec<Push> {
    let mut pushes: Vec<Push> = RELEASED
        .iter()
        .map(|(repository, tag, hours)| {
            let age = SignedDuration::from_hours(*hours);
            let created = time.saturating_sub(age).unwrap_or(time);
            push(repository, tag, image(repository, tag, created))
        })
        .collect();
    let find = |repository, tag| {
        let mut released = pushes.iter();
        let found = released.find(|push| (push.repository, push.tag.as_str()) == (repository, tag));
        found.map(|push| push.image.clone())
    };
    let mut more = Vec::new();
    for (repository, tag, target) in FLOATING {
        more.extend(find(repository, target).map(|image| push(repository, tag, image)));
    }
    let (repository, tag) = SIGNED;
    more.extend(find(repository, tag).map(|image| signature(repository, &image)));
    pushes.extend(more);
    pushes
}

fn push(repository: &'static str, tag: &str, image: ImageSpec) -> Push {
    Push {
        repository,
        tag: tag.to_owned(),
        image,
    }
}

/// The tag of a signature is the signed digest, with a `-` for the `:`.
fn signature(repository: &'static str, image: &ImageSpec) -> Push {
    let tag = format!("{}.sig", image.digest().as_str().replace(':', "-"));
    let content = format!("signature of {repository}@{}", image.digest());
    push(repository, &tag, ImageSpec::new(image.created, content))
}

fn image(repository: &str, tag: &str, created: Timestamp) -> ImageSpec {
    let name = format!("{repository}:{tag}");
    let revision = Digest::of(name.as_bytes());
    // A commit id has 40 hex digits.
    let revision: String = revision.as_str().chars().skip(7).take(40).collect();
    ImageSpec::new(created, name)
        .label("org.opencontainers.image.version", tag)
        .label("org.opencontainers.image.revision", revision)
        .label(
            "org.opencontainers.image.source",
            format!("https://git.example.com/{repository}"),
        )
}
