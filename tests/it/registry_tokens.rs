//! One token for several images: how many requests that takes, and what becomes of registries that
//! can't, or say nothing of it.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tagwright::clock::Clock;
use tagwright::image::Image;
use tagwright::registry::poller::{self, KeptTimes, Patience, Poller, Seen};
use tagwright::registry::{Access, Account, AccountId, Client, Limits, Scheme};

use crate::fake_server::{Reply, Request, Server};

/// As many images as a small team has.
const IMAGES: usize = 120;

/// Most scopes that are asked for at once.
const MOST: usize = 20;

/// What a token server makes of several scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grants {
    /// A token for all of them, which says so.
    All,
    /// The same of a token that says nothing.
    AllSilently,
    /// A token for the first, which says so.
    First,
    /// The same of a token that says nothing.
    FirstSilently,
    /// None at all.
    None,
}

/// A registry with its token server: a token names the repositories that it is good for, in its claims or
/// in a way of the registry's own.
async fn registry(grants: Grants) -> Server {
    Server::start(move |request, _| match request.path() {
        "/token" => token(grants, request),
        path => {
            let repository = path.strip_prefix("/v2/").unwrap();
            let repository = repository.strip_suffix("/tags/list").unwrap();
            let sent = request.header("authorization");
            let good = sent.map(|sent| good_for(sent.strip_prefix("Bearer ").unwrap()));
            match good.map(|good| good.contains(repository)) {
                Some(true) => Reply::tags(&["1.0.0"]),
                // As some do for tokens of other repositories.
                Some(false) => Reply::json(403, "{}"),
                None => {
                    let realm = format!("http://{}/token", request.header("host").unwrap());
                    let challenge = format!("Bearer realm=\"{realm}\",service=\"reg\"");
                    Reply::json(401, "{}").header("www-authenticate", challenge)
                }
            }
        }
    })
    .await
}

fn token(grants: Grants, request: &Request) -> Reply {
    let mut names = names(request);
    match grants {
        Grants::None if names.len() > 1 => return Reply::json(400, "{}"),
        Grants::First | Grants::FirstSilently => names.truncate(1),
        _ => {}
    }
    let silent = matches!(grants, Grants::AllSilently | Grants::FirstSilently);
    let claims = match silent {
        true => serde_json::json!(names),
        false => {
            let access = names.iter().map(
                |name| serde_json::json!({"type": "repository", "name": name, "actions": ["pull"]}),
            );
            serde_json::json!({"access": access.collect::<Vec<_>>()})
        }
    };
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    let token = match silent {
        true => claims,
        false => format!("e30.{claims}.c2ln"),
    };
    Reply::json(200, format!(r#"{{"token":"{token}","expires_in":300}}"#))
}

/// The repositories that a token is asked for.
fn names(request: &Request) -> Vec<String> {
    let scopes = request.queries("scope");
    let decoded = scopes
        .iter()
        .map(|scope| scope.replace("%3A", ":").replace("%2F", "/"));
    decoded
        .map(|scope| scope.split(':').nth(1).unwrap().to_owned())
        .collect()
}

fn good_for(token: &str) -> BTreeSet<String> {
    let claims = token.split('.').nth(1).unwrap_or(token);
    let claims = URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    let names = match claims.get("access") {
        Some(access) => access
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["name"])
            .collect(),
        None => claims.as_array().unwrap().iter().collect::<Vec<_>>(),
    };
    let names = names
        .into_iter()
        .map(|name| name.as_str().unwrap().to_owned());
    names.collect()
}

/// What a sweep over all images sends: requests for tokens, and others.
struct Lab {
    server: Server,
    poller: Poller,
    images: Vec<poller::Image>,
    seen: usize,
}

impl Lab {
    async fn new(grants: Grants) -> Self {
        let server = registry(grants).await;
        let account = Account {
            scheme: Scheme::PlainHttp,
            ..Account::anonymous(server.host())
        };
        let limits = Limits {
            backoff: Duration::from_millis(1),
            ..Limits::default()
        };
        let client = Client::with_limits(vec![account], Clock::system(), limits).unwrap();
        let image = |number: usize| -> Image {
            let name = format!("{}/acme/app-{number:03}", server.host());
            name.parse().unwrap()
        };
        let images: Vec<Image> = (0..IMAGES).map(image).collect();
        let account: AccountId = client.account_for(&images[0], Access::All);
        let images = images.into_iter().map(|image| poller::Image {
            key: (image, account),
            interval: Duration::from_secs(300),
            times: false,
        });
        Self {
            images: images.collect(),
            poller: Poller::new(client, Clock::system(), KeptTimes::default(), []),
            server,
            seen: 0,
        }
    }

    /// Lists all images anew; the number of requests for tokens, and of others.
    async fn sweep(&mut self) -> (usize, usize) {
        let seen = self
            .poller
            .list("fleet", &self.images, Patience::Anew)
            .await;
        for (image, seen) in self.images.iter().zip(seen) {
            assert!(
                matches!(seen, Seen::Listed { .. }),
                "{}: {seen:?}",
                image.key.0
            );
        }
        let all = self.server.seen();
        let (tokens, others): (Vec<_>, Vec<_>) = all[self.seen..]
            .iter()
            .partition(|request| request.path() == "/token");
        self.seen = all.len();
        (tokens.len(), others.len())
    }

    fn most_scopes(&self) -> usize {
        let all = self.server.seen();
        let tokens = all.iter().filter(|request| request.path() == "/token");
        tokens.map(|request| names(request).len()).max().unwrap()
    }
}

#[tokio::test]
async fn a_token_is_for_many_images_where_the_registry_allows_it() {
    for grants in [Grants::All, Grants::AllSilently] {
        let mut lab = Lab::new(grants).await;
        let (tokens, others) = lab.sweep().await;
        // The first ones are asked for side by side, before it is known how to sign in.
        let most = IMAGES / MOST + 16;
        assert!(tokens <= most, "{grants:?}: {tokens} for {IMAGES}");
        // At first some are asked for to learn how to sign in, but not those with a token by then.
        assert!(others < 2 * IMAGES - IMAGES / MOST, "{grants:?}: {others}");
        assert!((2..=MOST).contains(&lab.most_scopes()));
        assert_eq!(lab.sweep().await, (0, IMAGES), "{grants:?}");
    }
}

#[tokio::test]
async fn a_registry_that_grants_one_image_is_asked_for_one() {
    for grants in [Grants::First, Grants::FirstSilently, Grants::None] {
        let mut lab = Lab::new(grants).await;
        let (tokens, _) = lab.sweep().await;
        // A few are asked for in vain before it is known.
        assert!(
            tokens <= IMAGES + 2 * 16,
            "{grants:?}: {tokens} for {IMAGES}"
        );
        assert_eq!(lab.sweep().await, (0, IMAGES), "{grants:?}");
    }
}
