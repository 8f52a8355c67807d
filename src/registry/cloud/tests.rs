//! The clouds' token flows against local stand-ins that check what a cloud checks.

mod aws;
mod azure;
pub(in crate::registry) mod fake;
mod google;
mod store;

use secrecy::ExposeSecret as _;

use super::*;
use crate::clock::Clock;
use crate::registry::exchange::Gates;
use crate::registry::pace::Pace;
use fake::Fake;

/// Half past twelve on the day of AWS's published signatures.
const NOW: &str = "2015-08-30T12:30:00Z";

/// A client of clouds with a clock and an environment of its own.
pub(in crate::registry) struct Lab {
    clouds: Clouds,
    clock: Clock,
    limits: Limits,
    gates: Gates,
    pace: Pace,
    host: &'static str,
    origin: Url,
    folder: tempfile::TempDir,
}

impl Lab {
    pub(in crate::registry) fn new(host: &'static str, variables: &[(&str, &str)]) -> Self {
        let limits = Limits {
            backoff: Duration::from_millis(1),
            ..Limits::default()
        };
        let clouds = Clouds::new(&limits).unwrap();
        Self {
            clouds: clouds.with_environment(Environment::of(variables)),
            clock: Clock::by_hand(NOW.parse().unwrap()),
            limits,
            gates: Gates::default(),
            pace: Pace::new(Limits::default()),
            host,
            origin: Url::parse(&format!("https://{host}/")).unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    pub(in crate::registry) fn sender(&self) -> Sender<'_> {
        Sender {
            connections: &self.clouds.outside,
            limits: &self.limits,
            clock: &self.clock,
            gates: &self.gates,
            pace: &self.pace,
            sent: std::sync::atomic::AtomicU32::new(0),
        }
    }

    pub(in crate::registry) fn counter<'a>(&'a self, sender: &'a Sender<'a>) -> Counter<'a> {
        Counter {
            clouds: &self.clouds,
            sender,
            host: self.host,
            origin: &self.origin,
        }
    }

    async fn ask(&self, cloud: &Cloud, reuse: Reuse) -> Result<String, Arc<CloudError>> {
        let sender = self.sender();
        let counter = self.counter(&sender);
        Ok(match counter.login(cloud, reuse).await? {
            Login::Anonymous => "nobody".to_owned(),
            Login::Basic(user, password) => format!("{user}:{}", password.expose_secret()),
            Login::IdentityToken(token) | Login::RegistryToken(token) => {
                format!("token:{}", token.expose_secret())
            }
        })
    }

    async fn login(&self, cloud: &Cloud) -> Result<String, Arc<CloudError>> {
        self.ask(cloud, Reuse::Allowed).await
    }

    /// An error's words with those of its causes, and its hint.
    async fn refusal(&self, cloud: &Cloud) -> String {
        let error = self.login(cloud).await.unwrap_err();
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&*error);
        while let Some(source) = cause {
            text += &format!(": {source}");
            cause = source.source();
        }
        format!("{text} ({})", error.hint().unwrap_or("no hint"))
    }
}

fn assert_says(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "`{word}` is not in: {text}");
    }
}
