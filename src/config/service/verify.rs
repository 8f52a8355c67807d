//! By whom what is fetched must be signed.
//!
//! Invariant: where that is asked for, the service's own commits can pass, too.

use super::commit::{Commits, Signing};
use crate::config::raw_service::RawVerify;
use crate::config::raw_service::push::PushMode;
use crate::config::read::{At, Field};
use crate::config::report::{Mistake, Report};
use crate::git::{AllowedSigners, KeyFormat};

/// The signers, if they matter; what is wrong is reported, and there may be no value.
pub(super) fn signers(
    field: &mut Field<RawVerify>,
    commits: &Commits,
    push: PushMode,
    report: &mut Report<'_>,
) -> Option<Option<AllowedSigners>> {
    let written = field.is_written();
    let Some(At {
        value: raw, key, ..
    }) = field.take()
    else {
        return (!written).then_some(None);
    };
    let mut raw = raw;
    let file = raw.allowed_signers.take()?.value.path()?;
    let signs = match &commits.signing {
        Some(Signing::Key(key)) => key.format == KeyFormat::Ssh,
        Some(Signing::Forge) | None => false,
    };
    if push == PushMode::Direct && !signs {
        let mistake = Mistake::new(
            "the service's own commits would not pass: it has no SSH key to sign with",
        );
        report.error(key, mistake.hint("give it one under `commit.signing.ssh`"));
        return None;
    }
    Some(Some(AllowedSigners { file }))
}
