//! A registry with one repository, the standard interface, and one of its own.

use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::clock::Clock;
use crate::image::Digest;
use crate::registry::Api;
use crate::registry::cloud::tests::fake::{Answer, Asked, Fake, plain};

/// How the registry's own interface fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// With this status.
    Status(u16),
    /// With a page for people.
    Page,
    /// With the oldest first.
    Order,
    /// With no tags.
    Empty,
    /// With a link to another server.
    Link,
    /// By losing a tag while it is walked.
    Deletion,
    /// By showing nothing to those who aren't signed in.
    Private,
}

#[derive(Debug, Clone)]
struct Stored {
    name: String,
    digest: Digest,
    pushed: Timestamp,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their creation.
    tags: Vec<Stored>,
    pushes: u32,
    trouble: Option<Trouble>,
}

pub(super) struct Registry {
    pub(super) host: String,
    api: Api,
    fake: Mutex<Option<Fake>>,
    state: Mutex<State>,
    clock: Clock,
    /// How far the registry's clock is behind.
    behind: Arc<Mutex<SignedDuration>>,
}

impl Registry {
    /// Sets the registry's clock back.
    pub(super) fn set_back(&self, behind: SignedDuration) {
        *self.behind.lock().unwrap() = behind;
    }

    pub(super) async fn start(api: Api, clock: Clock) -> Arc<Self> {
        let shared: Arc<Mutex<Option<Arc<Self>>>> = Arc::default();
        let answering = Arc::clone(&shared);
        let behind: Arc<Mutex<SignedDuration>> = Arc::default();
        let (own_clock, own_behind) = (clock.clone(), Arc::clone(&behind));
        let date = move || {
            let time = own_clock.now() - *own_behind.lock().unwrap();
            time.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
        };
        let fake = Fake::dated(Some(Arc::new(date)), move |asked| {
            let registry = answering.lock().unwrap().clone().unwrap();
            registry.answer(asked)
        })
        .await;
        let registry = Arc::new(Self {
            host: fake.host.clone(),
            api,
            fake: Mutex::new(Some(fake)),
            state: Mutex::default(),
            clock,
            behind,
        });
        *shared.lock().unwrap() = Some(Arc::clone(&registry));
        registry
    }

    /// Pushes a tag with a digest of its own, new or moved.
    pub(super) fn push(&self, name: &str) {
        let mut state = self.state.lock().unwrap();
        state.pushes += 1;
        let digest = Digest::of(&state.pushes.to_le_bytes());
        let pushed = self.clock.now() - *self.behind.lock().unwrap();
        match state.tags.iter_mut().find(|tag| tag.name == name) {
            Some(tag) => (tag.digest, tag.pushed) = (digest, pushed),
            None => state.tags.push(Stored {
                name: name.to_owned(),
                digest,
                pushed,
            }),
        }
    }

    /// Points a tag to what another one has.
    pub(super) fn copy(&self, from: &str, to: &str) {
        self.push(to);
        let mut state = self.state.lock().unwrap();
        let digest = state
            .tags
            .iter()
            .find(|tag| tag.name == from)
            .unwrap()
            .digest
            .clone();
        state
            .tags
            .iter_mut()
            .find(|tag| tag.name == to)
            .unwrap()
            .digest = digest;
    }

    pub(super) fn delete(&self, name: &str) {
        self.state
            .lock()
            .unwrap()
            .tags
            .retain(|tag| tag.name != name);
    }

    pub(super) fn trouble(&self, trouble: Option<Trouble>) {
        self.state.lock().unwrap().trouble = trouble;
    }

    pub(super) fn names(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let mut names: Vec<String> = state.tags.iter().map(|tag| tag.name.clone()).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn record(&self, name: &str) -> Option<(Digest, Timestamp)> {
        let state = self.state.lock().unwrap();
        let found = state.tags.iter().find(|tag| tag.name == name)?;
        Some((found.digest.clone(), found.pushed))
    }

    /// Everything that was asked for so far, signing in left out.
    pub(super) fn asked(&self) -> Vec<String> {
        self.seen()
            .iter()
            .filter(|asked| !(self.api == Api::Azure && asked.is_bare()))
            .map(|asked| asked.uri.to_string())
            .collect()
    }

    pub(super) fn seen(&self) -> Vec<Asked> {
        self.fake.lock().unwrap().as_ref().unwrap().seen()
    }

    /// How many of these were for the registry's own interface.
    pub(super) fn own(&self, asked: &[String]) -> usize {
        asked.len() - self.plain(asked)
    }

    /// How many of these were for the standard interface.
    pub(super) fn plain(&self, asked: &[String]) -> usize {
        let standard = asked
            .iter()
            .filter(|uri| uri.starts_with("/v2/acme/shop/tags/list"));
        // Google's is at the same place, without a page's size.
        standard
            .filter(|uri| self.api != Api::Google || uri.contains("n="))
            .count()
    }

    fn answer(&self, asked: &Asked) -> Answer {
        let mut state = self.state.lock().unwrap();
        let is_own = asked.uri.path() != "/v2/acme/shop/tags/list"
            || (self.api == Api::Google && asked.query("n").is_empty());
        if asked.uri.path() == "/token" {
            let scope = asked.query("scope");
            return plain(200, json!({"token": scope.replace(':', "_")}).to_string());
        }
        if !is_own {
            return self.list(&state, asked);
        }
        match state.trouble {
            Some(Trouble::Status(status)) => return plain(status, "{}"),
            Some(Trouble::Page) => return plain(200, "<html>"),
            Some(Trouble::Deletion) if asked.query("page") == "2" => {
                // The newest one, so that all that follow move up.
                let newest = state.tags.iter().max_by_key(|tag| tag.pushed).unwrap();
                let name = newest.name.clone();
                state.tags.retain(|tag| tag.name != name);
            }
            _ => {}
        }
        let mut tags = state.tags.clone();
        tags.sort_by_key(|tag| std::cmp::Reverse(tag.pushed));
        match state.trouble {
            Some(Trouble::Order) => tags.reverse(),
            Some(Trouble::Empty) => tags.clear(),
            _ => {}
        }
        match self.api {
            Api::DockerHub if asked.uri.path() == "/v2/auth/token" => hub_token(asked),
            Api::DockerHub
                if state.trouble == Some(Trouble::Private)
                    && asked.header("authorization") != "Bearer hub" =>
            {
                plain(404, r#"{"message":"object not found"}"#)
            }
            Api::DockerHub => docker_hub(&tags, asked),
            Api::Quay => quay(&tags, asked),
            Api::Azure => azure(&tags, asked, state.trouble),
            Api::Harbor => harbor(&tags, asked),
            Api::Google => google(&tags),
            _ => plain(404, "{}"),
        }
    }

    /// The standard listing, in the registry's order.
    fn list(&self, state: &State, asked: &Asked) -> Answer {
        let mut names: Vec<&str> = state.tags.iter().map(|tag| tag.name.as_str()).collect();
        if self.api != Api::Ghcr {
            names.sort_unstable();
        }
        let last = asked.query("last");
        let from = match (self.api, last.as_str()) {
            (_, "") => 0,
            (Api::Ghcr, last) => names
                .iter()
                .position(|name| *name == last)
                .map_or(0, |at| at + 1),
            (_, last) => names.partition_point(|name| *name <= last),
        };
        let n: usize = asked.query("n").parse().unwrap_or(100);
        let page = &names[from..names.len().min(from + n)];
        let body = json!({"name": "acme/shop", "tags": page}).to_string();
        let link = (from + n < names.len()).then(|| {
            let last = page.last().unwrap();
            let next = format!("</v2/acme/shop/tags/list?n={n}&last={last}>; rel=\"next\"");
            ("link", next)
        });
        (200, body, link)
    }
}

impl Asked {
    /// Whether it asks for a token, or how to sign in to Azure's own interface.
    fn is_bare(&self) -> bool {
        let is_azure = self.uri.path().starts_with("/acr/");
        self.uri.path() == "/token" || is_azure && self.header("authorization").is_empty()
    }
}

/// The tags of a page by number, and whether more follow.
fn numbered<'t>(tags: &'t [Stored], asked: &Asked, size: &str) -> (&'t [Stored], bool) {
    let size: usize = asked.query(size).parse().unwrap();
    let page: usize = asked.query("page").parse().unwrap();
    let from = tags.len().min((page - 1) * size);
    let to = tags.len().min(from + size);
    (&tags[from..to], to < tags.len())
}

fn hub_token(asked: &Asked) -> Answer {
    let body: Value = serde_json::from_str(&asked.body).unwrap();
    match (body["identifier"].as_str(), body["secret"].as_str()) {
        (Some("bot"), Some("s3cret")) => plain(200, json!({"access_token": "hub"}).to_string()),
        _ => plain(401, r#"{"message":"incorrect authentication credentials"}"#),
    }
}

fn docker_hub(tags: &[Stored], asked: &Asked) -> Answer {
    if asked.uri.path() != "/v2/repositories/acme/shop/tags" {
        return plain(404, "{}");
    }
    assert_eq!(asked.query("ordering"), "last_updated");
    let (page, more) = numbered(tags, asked, "page_size");
    let results: Vec<Value> = page
        .iter()
        .map(|tag| {
            json!({
                "name": tag.name, "digest": tag.digest.as_str(), "tag_status": "active",
                "last_updated": tag.pushed.to_string(), "tag_last_pushed": tag.pushed.to_string(),
                "images": [{"architecture": "amd64", "digest": "sha256:0"}],
            })
        })
        .collect();
    let next = more.then_some("https://hub.docker.com/v2/…");
    plain(
        200,
        json!({"count": tags.len(), "next": next, "results": results}).to_string(),
    )
}

fn quay(tags: &[Stored], asked: &Asked) -> Answer {
    if asked.uri.path() != "/api/v1/repository/acme/shop/tag/" {
        return plain(404, "{}");
    }
    assert_eq!(asked.query("onlyActiveTags"), "true");
    let (page, more) = numbered(tags, asked, "limit");
    let page: Vec<Value> = page
        .iter()
        .map(|tag| {
            json!({
                "name": tag.name, "manifest_digest": tag.digest.as_str(), "reversion": false,
                "start_ts": tag.pushed.as_second(), "is_manifest_list": true, "size": 1,
                "last_modified": "Thu, 06 Jun 2024 13:33:00 -0000",
            })
        })
        .collect();
    let number: u32 = asked.query("page").parse().unwrap();
    plain(
        200,
        json!({"tags": page, "page": number, "has_additional": more}).to_string(),
    )
}

fn azure(tags: &[Stored], asked: &Asked, trouble: Option<Trouble>) -> Answer {
    if asked.uri.path() != "/acr/v1/acme/shop/_tags" {
        return plain(404, "{}");
    }
    // Only a token for this action sees the metadata.
    if asked.header("authorization") != "Bearer repository_acme/shop_pull,metadata_read" {
        let realm = format!("http://{}/token", asked.header("host"));
        let challenge = format!("Bearer realm=\"{realm}\",service=\"acr\"");
        return (401, "{}".to_owned(), Some(("www-authenticate", challenge)));
    }
    assert_eq!(asked.query("orderby"), "timedesc");
    let n: usize = asked.query("n").parse().unwrap();
    let last = asked.query("last");
    let after = tags.iter().position(|tag| tag.name == last);
    let from = after.map_or(0, |at| at + 1);
    let page = &tags[from..tags.len().min(from + n)];
    let listed: Vec<Value> = page
        .iter()
        .map(|tag| {
            json!({
                "name": tag.name, "digest": tag.digest.as_str(), "signed": false,
                "createdTime": "2020-01-01T00:00:00.1234567Z",
                "lastUpdateTime": tag.pushed.to_string(),
            })
        })
        .collect();
    let body = json!({"registry": "acr", "imageName": "acme/shop", "tags": listed});
    let link = (from + n < tags.len()).then(|| {
        let host = match trouble {
            Some(Trouble::Link) => "http://elsewhere.example",
            _ => "",
        };
        let last = &page.last().unwrap().name;
        let target = format!("{host}/acr/v1/acme/shop/_tags?last={last}&n={n}&orderby=timedesc");
        ("link", format!("<{target}>; rel=\"next\""))
    });
    (200, body.to_string(), link)
}

fn harbor(tags: &[Stored], asked: &Asked) -> Answer {
    if asked.uri.path() != "/api/v2.0/projects/acme/repositories/shop/artifacts" {
        return plain(404, "{}");
    }
    // `robot$acme+bot:s3cret`
    if asked.header("authorization") != "Basic cm9ib3QkYWNtZStib3Q6czNjcmV0" {
        return plain(
            401,
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"unauthorized"}]}"#,
        );
    }
    assert_eq!(
        (asked.query("q"), asked.query("with_tag")),
        ("tags=*".to_owned(), "true".to_owned())
    );
    let mut artifacts: Vec<(Digest, Vec<&Stored>)> = Vec::new();
    for tag in tags.iter().rev() {
        match artifacts
            .iter_mut()
            .find(|(digest, _)| *digest == tag.digest)
        {
            Some((_, own)) => own.push(tag),
            None => artifacts.push((tag.digest.clone(), vec![tag])),
        }
    }
    artifacts.reverse();
    let size: usize = asked.query("page_size").parse().unwrap();
    let page: usize = asked.query("page").parse().unwrap();
    let page: Vec<Value> = artifacts
        .iter()
        .skip((page - 1) * size)
        .take(size)
        .map(|(digest, tags)| {
            let tags: Vec<Value> = tags
                .iter()
                .map(|tag| json!({"name": tag.name, "push_time": tag.pushed.to_string(), "immutable": false}))
                .collect();
            json!({"digest": digest.as_str(), "push_time": "2020-01-01T00:00:00.000Z", "tags": tags})
        })
        .collect();
    plain(200, Value::from(page).to_string())
}

fn google(tags: &[Stored]) -> Answer {
    let mut names: Vec<&str> = tags.iter().map(|tag| tag.name.as_str()).collect();
    names.sort_unstable();
    let manifests: serde_json::Map<String, Value> = tags
        .iter()
        .map(|tag| {
            let manifest = json!({
                "imageSizeBytes": "1", "layerId": "", "tag": [tag.name],
                "mediaType": "application/vnd.oci.image.index.v1+json",
                "timeCreatedMs": "0",
                "timeUploadedMs": tag.pushed.as_millisecond().to_string(),
            });
            (tag.digest.to_string(), manifest)
        })
        .collect();
    plain(
        200,
        json!({"child": [], "manifest": manifests, "name": "acme/shop", "tags": names}).to_string(),
    )
}
