//! Mirrors as a GitHub App: its tokens are asked for, used, and renewed before they end.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Value, json};
use tagwright::clock::Clock;
use tagwright::git::{Auth, Error, GitHubApp, Mirror, PlainHttp, PushOutcome, Remote};
use tagwright::secret::Secret;

use crate::git_server::{GitServer, Interface};
use crate::git_world::{World, made, run};
use crate::parts::need;

const APP: &str = "Iv1.0123456789abcdef";

/// GitHub, as far as the App `APP` is concerned, whose installation 42 is for `remote` alone.
struct Forge {
    public_key: Vec<u8>,
    /// How long tokens are good.
    life: Mutex<SignedDuration>,
    issued: Mutex<Vec<String>>,
}

impl Forge {
    /// The claims of a token of the App, if its key signed it and it is good now.
    fn claims(&self, jwt: &str) -> Option<Value> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public_key)
            .verify(signed.as_bytes(), &decode(signature)?)
            .ok()?;
        let (header, claims) = signed.split_once('.')?;
        let header: Value = serde_json::from_slice(&decode(header)?).ok()?;
        let claims: Value = serde_json::from_slice(&decode(claims)?).ok()?;
        let now = now().as_second();
        let (from, to) = (claims["iat"].as_i64()?, claims["exp"].as_i64()?);
        let good = header["alg"] == "RS256" && from <= now && now < to && to <= now + 600;
        (good && claims["iss"] == APP).then_some(claims)
    }
}

fn now() -> Timestamp {
    Clock::system().now()
}

impl Interface for Forge {
    fn answer(&self, target: &str, bearer: &str, body: &[u8]) -> (&'static str, String) {
        let told = |message: &str| json!({"message": message}).to_string();
        if self.claims(bearer).is_none() {
            let message = "A JSON web token could not be decoded";
            return ("401 Unauthorized", told(message));
        }
        if target != "/api/v3/app/installations/42/access_tokens" {
            return ("404 Not Found", told("Not Found"));
        }
        let body: Value = serde_json::from_slice(body).unwrap();
        if body["repositories"] != json!(["remote"]) {
            let message = "There is at least one repository that does not exist";
            return ("422 Unprocessable Entity", told(message));
        }
        assert_eq!(body["permissions"], json!({"contents": "write"}));
        let mut issued = self.issued.lock().unwrap();
        let token = format!("ghs_{}", issued.len());
        issued.push(token.clone());
        let expires_at = (now() + *self.life.lock().unwrap()).to_string();
        let answer = json!({"token": token, "expires_at": expires_at});
        ("201 Created", answer.to_string())
    }

    fn lets_in(&self, basic: &str) -> bool {
        let text = String::from_utf8(STANDARD.decode(basic).unwrap()).unwrap();
        let token = text.strip_prefix("x-access-token:");
        token.is_some() && token == self.issued.lock().unwrap().last().map(String::as_str)
    }
}

/// A remote on the forge, and the App's key.
struct Hosted {
    world: World,
    server: GitServer,
    forge: Arc<Forge>,
}

impl Hosted {
    fn start(life: SignedDuration) -> Option<Self> {
        let openssl = need("openssl")?;
        let (world, _) = World::seeded(&[("a", "1\n")])?;
        world.in_remote(&["config", "http.receivepack", "true"]);
        let [key, public] = ["app.pem", "app.pub"].map(|name| world.path(name));
        let quiet = |command: &mut Command| {
            run(command);
        };
        quiet(
            Command::new(&openssl)
                .args(["genrsa", "-traditional", "-out"])
                .arg(&key)
                .arg("2048"),
        );
        quiet(
            Command::new(&openssl)
                .args(["rsa", "-RSAPublicKey_out", "-outform", "DER", "-in"])
                .arg(&key)
                .arg("-out")
                .arg(&public),
        );
        let forge = Arc::new(Forge {
            public_key: std::fs::read(public).unwrap(),
            life: Mutex::new(life),
            issued: Mutex::default(),
        });
        let server = GitServer::start_with(&world.path(""), forge.clone());
        Some(Self {
            world,
            server,
            forge,
        })
    }

    fn mirror(&self, key: PathBuf, installation: u64) -> Mirror {
        let remote = Remote {
            url: self.server.url.parse().unwrap(),
            auth: Auth::GitHubApp(GitHubApp {
                id: APP.to_owned(),
                installation,
                key: Secret::File(key),
            }),
            ca_pem: None,
            plain: PlainHttp::LoopbackOnly,
            depth: None,
        };
        Mirror::open(&self.world.path("m"), remote).unwrap()
    }

    fn issued(&self) -> usize {
        self.forge.issued.lock().unwrap().len()
    }
}

#[test]
fn an_app_fetches_and_pushes_with_one_token() {
    let Some(hosted) = Hosted::start(SignedDuration::from_hours(1)) else {
        return;
    };
    let mut mirror = hosted.mirror(hosted.world.path("app.pem"), 42);
    let parent = mirror.fetch("main").unwrap();
    let id = made(&mut mirror, parent, &[("a", "2\n")], "m");
    let pushed = mirror.push("main", parent, id).unwrap();
    assert_eq!(pushed, PushOutcome::Pushed);
    assert_eq!(hosted.world.tip("main"), id);
    assert_eq!(hosted.issued(), 1);
}

#[test]
fn a_token_is_renewed_before_it_ends() {
    let Some(hosted) = Hosted::start(SignedDuration::from_mins(5)) else {
        return;
    };
    let mut mirror = hosted.mirror(hosted.world.path("app.pem"), 42);
    mirror.fetch("main").unwrap();
    *hosted.forge.life.lock().unwrap() = SignedDuration::from_hours(1);
    for _ in 0..3 {
        mirror.fetch("main").unwrap();
    }
    assert_eq!(hosted.issued(), 2);
}

#[test]
fn what_github_says_is_told() {
    let Some(hosted) = Hosted::start(SignedDuration::from_hours(1)) else {
        return;
    };
    let right = hosted.world.path("app.pem");
    let error =
        |key: PathBuf, installation| hosted.mirror(key, installation).fetch("main").unwrap_err();
    let elsewhere = error(right, 43);
    assert!(matches!(elsewhere, Error::NotFound { .. }), "{elsewhere}");
    let other = hosted.world.path("other.pem");
    run(Command::new("openssl")
        .args(["genrsa", "-out"])
        .arg(&other)
        .arg("2048"));
    let forged = error(other, 42);
    assert!(matches!(forged, Error::Auth { .. }), "{forged}");
    assert!(
        forged.to_string().contains("could not be decoded"),
        "{forged}"
    );
    let nonsense = hosted.world.path("nonsense.pem");
    std::fs::write(&nonsense, "nothing").unwrap();
    let unusable = error(nonsense, 42);
    assert!(matches!(unusable, Error::Credentials { .. }), "{unusable}");
    assert_eq!(hosted.issued(), 0);
}
