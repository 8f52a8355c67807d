//! How the commits of a config repo are made.
//!
//! Invariant: at most one key signs, and this build can sign with it.

use std::time::Duration;

use crate::config::Template;
use crate::config::raw_service::commit::{Grouping, RawCommit, RawSigning};
use crate::config::read::At;
use crate::config::report::{Mistake, Report, Spot};
use crate::git::{KeyFormat, Signature, SigningKey};

use super::value;

/// The author of commits where nothing is said. `localhost` receives no mail from elsewhere, so the
/// address is nobody else's.
const DEFAULT_AUTHOR: (&str, &str) = ("Tagwright", "tagwright@localhost");

/// How commits are made.
#[derive(Debug, Clone)]
pub struct Commits {
    /// Author and committer.
    pub author: Signature,
    /// What signs them, if anything does.
    pub signing: Option<Signing>,
    /// The subject, where it is not the usual one.
    pub subject: Option<Template>,
    /// The body above the trailers, where it is not the usual one.
    pub body: Option<Template>,
    /// Whether a `Signed-off-by` line is added.
    pub sign_off: bool,
    /// Whether images are asked what they were built from, for links to what changed.
    pub links: bool,
    /// Which changes make one commit.
    pub group: Grouping,
    /// How long a service waits for more changes before it pushes, if it does.
    pub window: Option<Duration>,
}

/// What signs commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signing {
    /// A key.
    Key(SigningKey),
    /// The forge, which makes them.
    Forge,
}

impl Default for Commits {
    fn default() -> Self {
        Self {
            author: Signature {
                name: DEFAULT_AUTHOR.0.to_owned(),
                email: DEFAULT_AUTHOR.1.to_owned(),
            },
            signing: None,
            subject: None,
            body: None,
            sign_off: false,
            links: true,
            group: Grouping::default(),
            window: None,
        }
    }
}

/// The commits of a repository; what is wrong is reported, and there may be no value.
pub(super) fn commits(raw: Option<At<RawCommit>>, report: &mut Report<'_>) -> Option<Commits> {
    let at = raw.as_ref().map(|at| at.key);
    let mut raw = raw.map(|at| at.value).unwrap_or_default();
    let signing = match raw.signing.take() {
        Some(signing) => Some(signs(signing.value.0, signing.spot, report)?),
        None => None,
    };
    if signing == Some(Signing::Forge) && raw.author.get().is_none() {
        let mistake = Mistake::new("commits that the forge makes have its author");
        let hint = "say in `commit.author` as whom it makes them, as a commit of it shows";
        report.error(at?, mistake.hint(hint));
        return None;
    }
    let default = Commits::default();
    Some(Commits {
        author: value(&raw.author).map_or(default.author, |author| author.0),
        signing,
        subject: value(&raw.subject).map(|subject| subject.0),
        body: value(&raw.body).map(|body| body.0),
        sign_off: value(&raw.sign_off).unwrap_or(default.sign_off),
        links: value(&raw.links).unwrap_or(default.links),
        group: value(&raw.group).unwrap_or(default.group),
        window: value(&raw.window).map(|window| window.0),
    })
}

fn signs(raw: RawSigning, spot: Spot, report: &mut Report<'_>) -> Option<Signing> {
    let keys = [
        raw.ssh.is_written(),
        raw.openpgp.is_written(),
        raw.passphrase.is_written(),
    ];
    match (value(&raw.forge), keys) {
        (Some(true), [false, false, false]) => Some(Signing::Forge),
        (Some(true), _) => {
            let mistake = Mistake::new("commits that the forge signs need no key");
            report.error(spot, mistake);
            None
        }
        (Some(false) | None, _) => key(raw, spot, report).map(Signing::Key),
    }
}

fn key(mut raw: RawSigning, spot: Spot, report: &mut Report<'_>) -> Option<SigningKey> {
    let (format, key) = match (raw.ssh.is_written(), raw.openpgp.is_written()) {
        (true, false) => (KeyFormat::Ssh, raw.ssh.take()?.value),
        (false, true) => {
            let key = raw.openpgp.take()?;
            (openpgp(key.key, report)?, key.value)
        }
        _ => {
            let mistake = Mistake::new("commits are signed with one key: `ssh` or `openpgp`");
            report.error(spot, mistake);
            return None;
        }
    };
    let passphrase = raw.passphrase.is_written();
    let secret = raw.passphrase.take().map(|at| at.value);
    (!passphrase || secret.is_some()).then_some(SigningKey {
        format,
        key,
        passphrase: secret,
    })
}

#[cfg(feature = "openpgp")]
#[expect(
    clippy::unnecessary_wraps,
    reason = "a build without the feature has no such key"
)]
fn openpgp(_key: Spot, _report: &mut Report<'_>) -> Option<KeyFormat> {
    Some(KeyFormat::OpenPgp)
}

#[cfg(not(feature = "openpgp"))]
fn openpgp(key: Spot, report: &mut Report<'_>) -> Option<KeyFormat> {
    let hint = "build with `--features openpgp`, use a release, or sign with an SSH key";
    let mistake = Mistake::new("this build can't sign with OpenPGP keys");
    report.error(key, mistake.hint(hint));
    None
}
