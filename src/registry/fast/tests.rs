//! Each registry's own interface against a stand-in with tags that come, move and go.

mod laws;
mod registry;
mod vendors;

use std::sync::Arc;

use jiff::SignedDuration;

use super::*;
use crate::clock::Clock;
use crate::image::{Digest, Tag};
use crate::registry::{Access, Account, Client, Credentials, Limits, Scheme};
use registry::{Registry, Trouble};

/// A registry with one repository, and a client of it.
struct Lab {
    registry: Arc<Registry>,
    client: Client,
    clock: Clock,
    image: Image,
    api: Api,
    kept: Option<TagSet>,
}

impl Lab {
    /// A registry of this kind with so many tags, a minute apart.
    async fn new(api: Api, tags: usize) -> Self {
        Self::with(api, tags, Credentials::Anonymous).await
    }

    async fn with(api: Api, tags: usize, credentials: Credentials) -> Self {
        let clock = Clock::by_hand("2026-01-01T00:00:00Z".parse().unwrap());
        let registry = Registry::start(api, clock.clone()).await;
        for number in 0..tags {
            registry.push(&format!("1.{number}.0"));
            clock.advance(SignedDuration::from_mins(1));
        }
        clock.advance(SignedDuration::from_hours(1));
        let account = Account {
            scheme: Scheme::PlainHttp,
            api,
            credentials,
            ..Account::anonymous(&registry.host)
        };
        let limits = Limits {
            backoff: Duration::from_millis(1),
            ..Limits::default()
        };
        let client = Client::with_limits(vec![account], clock.clone(), limits).unwrap();
        let image = format!("{}/acme/shop", registry.host).parse().unwrap();
        Self {
            registry,
            client,
            clock,
            image,
            api,
            kept: None,
        }
    }

    /// Lists anew, on top of the last listing; returns the paths and queries that were asked for.
    async fn poll_for(&mut self, times: bool) -> Vec<String> {
        let before = self.registry.asked().len();
        let account = self.client.account_for(&self.image, Access::All);
        let ask = Ask {
            earlier: self.kept.as_ref(),
            times,
            company: &[],
        };
        let set = self.client.list(&self.image, account, &ask).await.unwrap();
        self.kept = Some(set);
        self.registry.asked().split_off(before)
    }

    async fn poll(&mut self) -> Vec<String> {
        self.poll_for(false).await
    }

    fn set(&self) -> &TagSet {
        self.kept.as_ref().unwrap()
    }

    fn names(&self) -> Vec<String> {
        let listed = self.set().listed().iter();
        listed.map(|listed| listed.tag.to_string()).collect()
    }

    /// What is kept of a tag: its digest and push time.
    fn record(&self, tag: &str) -> Option<(Digest, Timestamp)> {
        let listed = self.set().get(&tag.parse::<Tag>().unwrap())?;
        Some((listed.digest.clone()?, listed.pushed?))
    }

    fn assert_exact(&self) {
        assert_eq!(self.names(), self.registry.names(), "{:?}", self.api);
    }

    fn wait(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }
}

const NEWEST_FIRST: [Api; 3] = [Api::DockerHub, Api::Quay, Api::Azure];

#[tokio::test]
async fn one_request_shows_what_is_new() {
    for api in NEWEST_FIRST {
        let mut lab = Lab::new(api, 250).await;
        lab.poll().await;
        lab.assert_exact();
        lab.wait(5);
        lab.registry.push("2.0.0");
        lab.registry.push("1.7.0");
        lab.wait(5);
        let asked = lab.poll().await;
        assert_eq!(lab.registry.own(&asked), 1, "{api:?} {asked:?}");
        assert_eq!(lab.registry.plain(&asked), 0, "{api:?} {asked:?}");
        lab.assert_exact();
        for tag in ["2.0.0", "1.7.0"] {
            assert_eq!(lab.record(tag), lab.registry.record(tag), "{api:?} {tag}");
        }
        lab.wait(60);
        assert_eq!(lab.poll().await.len(), 1, "{api:?}");
        lab.assert_exact();
    }
}

#[tokio::test]
async fn many_changes_take_as_many_pages() {
    for api in NEWEST_FIRST {
        let mut lab = Lab::new(api, 250).await;
        lab.poll().await;
        lab.wait(5);
        for number in 0..250 {
            lab.registry.push(&format!("2.{number}.0"));
        }
        let asked = lab.poll().await;
        assert!(lab.registry.own(&asked) >= 3, "{api:?} {asked:?}");
        lab.assert_exact();
        assert_eq!(lab.record("2.0.0"), lab.registry.record("2.0.0"), "{api:?}");
        assert_eq!(
            lab.record("2.249.0"),
            lab.registry.record("2.249.0"),
            "{api:?}"
        );
    }
}

#[tokio::test]
async fn times_of_all_tags_are_had_when_wanted() {
    for api in [Api::DockerHub, Api::Quay, Api::Azure, Api::Google] {
        let mut lab = Lab::new(api, 250).await;
        lab.poll_for(true).await;
        lab.assert_exact();
        assert!(lab.set().is_timed(), "{api:?}");
        for tag in lab.names() {
            assert_eq!(lab.record(&tag), lab.registry.record(&tag), "{api:?} {tag}");
        }
        if NEWEST_FIRST.contains(&api) {
            lab.wait(60);
            lab.registry.push("1.100.0");
            assert_eq!(lab.poll_for(true).await.len(), 1, "{api:?}");
            assert!(lab.set().is_timed(), "{api:?}");
            assert_eq!(lab.record("1.100.0"), lab.registry.record("1.100.0"));
        }
    }
}

#[tokio::test]
async fn what_was_deleted_is_gone_after_a_day() {
    for api in NEWEST_FIRST {
        let mut lab = Lab::new(api, 250).await;
        lab.poll().await;
        lab.registry.delete("1.5.0");
        lab.wait(30);
        lab.poll().await;
        // Docker Hub says how many there are.
        assert_eq!(
            lab.names().contains(&"1.5.0".to_owned()),
            api != Api::DockerHub
        );
        lab.wait(24 * 60);
        lab.poll().await;
        lab.assert_exact();
        lab.wait(-60);
        lab.registry.delete("1.6.0");
        lab.poll().await;
        lab.assert_exact();
    }
}

#[tokio::test]
async fn a_way_that_fails_is_left_for_a_while() {
    for api in [Api::DockerHub, Api::Quay, Api::Azure, Api::Google] {
        for trouble in [
            Trouble::Status(401),
            Trouble::Status(403),
            Trouble::Status(404),
            Trouble::Status(500),
            Trouble::Page,
            Trouble::Order,
        ] {
            if api == Api::Google && trouble == Trouble::Order {
                continue;
            }
            let mut lab = Lab::new(api, 120).await;
            lab.poll().await;
            lab.registry.trouble(Some(trouble));
            lab.registry.push("2.0.0");
            let asked = lab.poll().await;
            assert!(
                lab.registry.plain(&asked) >= 1,
                "{api:?} {trouble:?} {asked:?}"
            );
            lab.assert_exact();
            lab.registry.trouble(None);
            lab.registry.push("2.1.0");
            let asked = lab.poll().await;
            assert_eq!(asked.len(), 1, "{api:?} {trouble:?} {asked:?}");
            assert_eq!(lab.registry.own(&asked), 0, "{api:?} {trouble:?} {asked:?}");
            lab.assert_exact();
        }
    }
}

#[tokio::test]
async fn what_hides_its_tags_is_not_believed() {
    for api in [Api::DockerHub, Api::Quay, Api::Azure, Api::Google] {
        let mut lab = Lab::new(api, 20).await;
        lab.registry.trouble(Some(Trouble::Empty));
        lab.poll_for(true).await;
        lab.assert_exact();
    }
}

#[tokio::test]
async fn a_registry_whose_clock_is_wrong_is_listed_the_plain_way() {
    for api in NEWEST_FIRST {
        let mut lab = Lab::new(api, 250).await;
        lab.poll().await;
        lab.registry.set_back(SignedDuration::from_hours(1));
        lab.wait(5);
        // New ones first, so that the first page holds only moved ones that look old.
        for number in 0..30 {
            lab.registry.push(&format!("2.{number}.0"));
        }
        lab.wait(1);
        for number in 0..120 {
            lab.registry.push(&format!("1.{number}.0"));
        }
        let asked = lab.poll().await;
        assert_eq!(lab.registry.plain(&asked), 1, "{api:?} {asked:?}");
        lab.assert_exact();
    }
}
