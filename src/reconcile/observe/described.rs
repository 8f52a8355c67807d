//! What manifests say of their images, kept by digest.
//!
//! Invariant: a digest stands for one content, so what was read once is never asked for again; what
//! was not asked for yet is told apart from what a manifest does not say. That a registry does not have
//! a manifest is believed for an hour. Losing it costs requests.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::Digest;
use crate::policy::{Datum, Platform, Platforms, Time, TimeSource};
use crate::registry::{CreatedFrom, Described, Detail};

use super::refused::CONTENT;

/// Most manifests remembered. At a few hundred bytes each this is some tens of megabytes in the worst
/// case; an installation reads a few for each image.
const MOST: usize = 100_000;

/// What is known of manifests; clones are one.
#[derive(Debug, Clone, Default)]
pub struct Manifests(Arc<Mutex<Descriptions>>);

/// The same as it is kept for the next process, by digest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptions(BTreeMap<String, Description>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Description {
    /// `None` where the registry has no such manifest any more.
    platforms: Option<Vec<BuiltFor>>,
    created: Known,
    /// Since when the registry has no such manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    missing: Option<Timestamp>,
    /// `None` where nobody asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    origin: Option<BuiltFrom>,
}

impl Description {
    /// Whether it is to be believed at the time `now`.
    fn holds(&self, now: Timestamp) -> bool {
        match (&self.platforms, self.missing) {
            (Some(_), _) => true,
            (None, None) => false,
            (None, Some(since)) => {
                let age = now.duration_since(since);
                // A clock that was set back makes it no older.
                !age.is_negative() && age < CONTENT
            }
        }
    }
}

/// What an image was built from, as far as it says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuiltFrom {
    /// Where the sources are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// At which revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct BuiltFor {
    os: String,
    architecture: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    variant: String,
    digest: String,
}

/// A build time, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Known {
    Unasked,
    Absent,
    Config(Timestamp),
    Annotation(Timestamp),
}

impl Manifests {
    /// What an earlier process kept.
    pub fn new(kept: Descriptions) -> Self {
        Self(Arc::new(Mutex::new(kept)))
    }

    /// What to keep for the next process.
    pub fn kept(&self) -> Descriptions {
        self.lock().clone()
    }

    /// The platforms of a manifest, as far as they are known at the time `now`.
    pub fn platforms(&self, digest: &Digest, now: Timestamp) -> Datum<Platforms> {
        let all = self.lock();
        let known = all.0.get(digest.as_str());
        let Some(description) = known.filter(|it| it.holds(now)) else {
            return Datum::Unasked;
        };
        let platforms = description.platforms.iter().flatten();
        let platforms: Platforms = platforms
            .filter_map(|built| {
                let platform = Platform::new(&built.os, &built.architecture, &built.variant);
                Some((platform, built.digest.parse().ok()?))
            })
            .collect();
        match platforms.is_empty() {
            true => Datum::Absent,
            false => Datum::Known(platforms),
        }
    }

    /// When the image of a manifest was built, as far as that is known at the time `now`.
    pub fn created(&self, digest: &Digest, now: Timestamp) -> Datum<Time> {
        let all = self.lock();
        let known = |at, source| Datum::Known(Time { at, source });
        let description = all.0.get(digest.as_str()).filter(|it| it.holds(now));
        match description.map(|it| it.created) {
            None | Some(Known::Unasked) => Datum::Unasked,
            Some(Known::Absent) => Datum::Absent,
            Some(Known::Config(at)) => known(at, TimeSource::Config),
            Some(Known::Annotation(at)) => known(at, TimeSource::Annotation),
        }
    }

    /// What the image of a manifest was built from; `None` where nobody asked.
    pub fn origin(&self, digest: &Digest) -> Option<BuiltFrom> {
        self.lock().0.get(digest.as_str())?.origin.clone()
    }

    /// Notes what a registry said at the time `now` when asked for `detail`.
    pub(super) fn note(
        &self,
        digest: &Digest,
        described: Described,
        detail: Detail,
        now: Timestamp,
    ) {
        let noted = match described {
            Described::Missing => Description {
                platforms: None,
                created: Known::Absent,
                missing: Some(now),
                origin: Some(BuiltFrom::default()),
            },
            Described::Found(found) => Description {
                platforms: Some(found.platforms.into_iter().map(BuiltFor::from).collect()),
                created: match (found.created, detail) {
                    (None, Detail::Platforms) => Known::Unasked,
                    (None, Detail::Created | Detail::Origin) => Known::Absent,
                    (Some(created), _) => match created.from {
                        CreatedFrom::Config => Known::Config(created.at),
                        CreatedFrom::Annotation => Known::Annotation(created.at),
                    },
                },
                missing: None,
                origin: (detail == Detail::Origin).then_some(BuiltFrom {
                    source: found.origin.source,
                    revision: found.origin.revision,
                }),
            },
        };
        let mut all = self.lock();
        // Which one goes matters little: it is read again when it is needed.
        while all.0.len() >= MOST {
            all.0.pop_first();
        }
        all.0.insert(digest.to_string(), noted);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Descriptions> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<crate::registry::BuiltFor> for BuiltFor {
    fn from(built: crate::registry::BuiltFor) -> Self {
        Self {
            os: built.os,
            architecture: built.architecture,
            variant: built.variant,
            digest: built.digest.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Created, Description as Said};

    #[test]
    fn what_was_not_asked_for_is_told_from_what_is_not_there() {
        let manifests = Manifests::default();
        let now = Timestamp::from_second(2_000_000_000).unwrap();
        let digest = Digest::of(b"x");
        assert_eq!(manifests.platforms(&digest, now), Datum::Unasked);

        let built = crate::registry::BuiltFor {
            os: "linux".to_owned(),
            architecture: "arm64".to_owned(),
            variant: "v8".to_owned(),
            digest: Digest::of(b"y"),
        };
        let mut said = Said {
            platforms: vec![built],
            ..Said::default()
        };
        manifests.note(
            &digest,
            Described::Found(said.clone()),
            Detail::Platforms,
            now,
        );
        let Datum::Known(platforms) = manifests.platforms(&digest, now) else {
            panic!("they are known");
        };
        assert!(platforms.contains_key(&"linux/arm64".parse().unwrap()));
        assert_eq!(manifests.created(&digest, now), Datum::Unasked);

        manifests.note(
            &digest,
            Described::Found(said.clone()),
            Detail::Created,
            now,
        );
        assert_eq!(manifests.created(&digest, now), Datum::Absent);
        let at = Timestamp::from_second(1_000_000_000).unwrap();
        let from = CreatedFrom::Annotation;
        said.created = Some(Created { at, from });
        manifests.note(&digest, Described::Found(said), Detail::Created, now);
        let time = Time {
            at,
            source: TimeSource::Annotation,
        };
        assert_eq!(manifests.created(&digest, now), Datum::Known(time));

        let gone = Digest::of(b"z");
        manifests.note(&gone, Described::Missing, Detail::Platforms, now);
        assert_eq!(manifests.platforms(&gone, now), Datum::Absent);
        assert_eq!(manifests.created(&gone, now), Datum::Absent);

        let later = now.saturating_add(CONTENT).unwrap();
        assert_eq!(manifests.platforms(&gone, later), Datum::Unasked);
        assert_eq!(manifests.created(&gone, later), Datum::Unasked);
        assert_eq!(manifests.created(&digest, later), Datum::Known(time));

        let text = serde_json::to_string(&manifests.kept()).unwrap();
        let again = Manifests::new(serde_json::from_str(&text).unwrap());
        assert_eq!(again.kept(), manifests.kept());
    }
}
