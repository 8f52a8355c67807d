//! How the commits of a config repo are made.
//!
//! Invariant: at most one key signs, and this build can sign with it.

use crate::config::raw_service::commit::{RawCommit, RawSigning};
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
    /// The key that signs them, if one does.
    pub signing: Option<SigningKey>,
}

/// The commits of a repository; what is wrong is reported, and there may be no value.
pub(super) fn commits(raw: Option<At<RawCommit>>, report: &mut Report<'_>) -> Option<Commits> {
    let mut raw = raw.map(|at| at.value).unwrap_or_default();
    let signing = match raw.signing.take() {
        Some(signing) => Some(key(signing.value.0, signing.spot, report)?),
        None => None,
    };
    let author = value(&raw.author).map(|author| author.0);
    Some(Commits {
        author: author.unwrap_or_else(|| Signature {
            name: DEFAULT_AUTHOR.0.to_owned(),
            email: DEFAULT_AUTHOR.1.to_owned(),
        }),
        signing,
    })
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
