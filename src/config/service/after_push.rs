//! Who is told after a push.
//!
//! Invariant: an entry is one receiver.

use crate::config::raw_service::after_push::RawNudge;
use crate::config::read::{At, Field};
use crate::config::report::{Mistake, Report};
use crate::notify::{Kind, Nudge};
use crate::secret::Secret;

/// The receivers; what is wrong is reported, and there may be no value.
pub(super) fn nudges(
    field: &mut Field<Vec<At<RawNudge>>>,
    report: &mut Report<'_>,
) -> Option<Vec<Nudge>> {
    let Some(list) = field.take() else {
        return (!field.is_written()).then(Vec::new);
    };
    let all: Vec<Option<Nudge>> = list
        .value
        .into_iter()
        .map(|entry| nudge(entry, report))
        .collect();
    all.into_iter().collect()
}

fn nudge(entry: At<RawNudge>, report: &mut Report<'_>) -> Option<Nudge> {
    let mut raw = entry.value;
    let written = [
        raw.flux.is_written(),
        raw.argocd.is_written(),
        raw.url.is_written(),
    ];
    let lone_secret = raw.secret.is_written() && !raw.url.is_written();
    if written.iter().filter(|written| **written).count() != 1 || lone_secret {
        let mistake = Mistake::new("an entry is one receiver: `flux`, `argocd` or `url`");
        report.error(
            entry.spot,
            mistake.hint("`secret` beside them is for `url` alone"),
        );
        return None;
    }
    let (kind, url, secret) = match written {
        [true, ..] => {
            let mut flux = raw.flux.take()?.value.0;
            (Kind::Flux, flux.url.take()?, Some(flux.token.take()?.value))
        }
        [_, true, _] => {
            let mut argocd = raw.argocd.take()?.value.0;
            (
                Kind::ArgoCd,
                argocd.url.take()?,
                optional(&mut argocd.secret)?,
            )
        }
        _ => (Kind::Any, raw.url.take()?, optional(&mut raw.secret)?),
    };
    Some(Nudge {
        kind,
        url: url.value.0,
        secret,
    })
}

/// A secret that need not be there; none at all if it could not be read.
fn optional(field: &mut Field<Secret>) -> Option<Option<Secret>> {
    let secret = field.take().map(|at| at.value);
    (secret.is_some() || !field.is_written()).then_some(secret)
}
