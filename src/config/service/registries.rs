//! Registries, and as whom they are asked.
//!
//! Invariant: names are unique, and each registry has one way to sign in.

use std::collections::HashMap;
use std::time::Duration;

use crate::config::credential::RawRegistryCredentials;
use crate::config::duration::Interval;
use crate::config::name::Name;
use crate::config::raw_service::RawRegistry;
use crate::config::read::At;
use crate::config::report::{Mistake, Report, Spot};
use crate::registry::{Account, Credentials, Mirror, Scheme};

mod cloud;

use super::{report_second, value};

/// A registry, or a part of one.
#[derive(Debug, Clone)]
pub struct Registry {
    /// How, and as whom, it is reached.
    pub account: Account,
    /// How often its images are looked at.
    pub interval: Duration,
}

/// The registries, and the names of all that are written, also of those with mistakes.
#[derive(Debug, Default)]
pub(super) struct Registries {
    /// Those without a mistake.
    pub list: Vec<Registry>,
    /// The names of all.
    pub names: HashMap<Name, Spot>,
}

/// The registries of the file; what is wrong is reported.
pub(super) fn registries(
    raw: Option<At<Vec<At<RawRegistry>>>>,
    report: &mut Report<'_>,
) -> Registries {
    let mut registries = Registries::default();
    for raw in raw.into_iter().flat_map(|list| list.value) {
        if let Some(name) = raw.value.name.get() {
            let what = format!("the registry `{}`", name.value);
            let names = &mut registries.names;
            report_second(names, name.value.clone(), name.spot, &what, report);
        }
        registries.list.extend(registry(raw.value, report));
    }
    registries
}

fn registry(mut raw: RawRegistry, report: &mut Report<'_>) -> Option<Registry> {
    let mirror = value(&raw.mirror);
    let asked = mirror.as_ref().map(|mirror| mirror.host.clone());
    let asked = asked.or_else(|| value(&raw.host).map(|host| host.0));
    let credentials = match raw.credentials.take() {
        Some(raw) => login(raw.value.0, raw.spot, asked.as_deref(), report)?,
        None => Credentials::Anonymous,
    };
    let scheme = match value(&raw.plain_http) {
        Some(true) => Scheme::PlainHttp,
        Some(false) | None => Scheme::Https,
    };
    if let (Scheme::PlainHttp, Some(ca)) = (scheme, raw.ca.get()) {
        let message = "`ca` has no meaning beside `plainHttp: true`";
        report.error(ca.key, Mistake::new(message));
    }
    Some(Registry {
        account: Account {
            name: raw.name.take().map(|name| name.value.to_string()),
            host: raw.host.take()?.value.0,
            path: raw.path.take().map(|path| path.value.0).unwrap_or_default(),
            mirror: mirror.map(|mirror| Mirror {
                host: mirror.host,
                path: mirror.path,
            }),
            api: value(&raw.listing).unwrap_or_default(),
            scheme,
            credentials,
            ca_pem: raw.ca.take().map(|ca| ca.value.0),
        },
        interval: value(&raw.interval).unwrap_or(Interval::REGISTRY).0,
    })
}

/// `asked` is the host that is asked, if it could be read.
fn login(
    mut raw: RawRegistryCredentials,
    spot: Spot,
    asked: Option<&str>,
    report: &mut Report<'_>,
) -> Option<Credentials> {
    let written = [
        raw.username.is_written() || raw.password.is_written(),
        raw.docker_config.is_written(),
        raw.ecr.is_written(),
        raw.gcp.is_written(),
        raw.azure.is_written(),
    ];
    match written {
        [true, false, false, false, false]
            if raw.username.is_written() && raw.password.is_written() =>
        {
            Some(Credentials::Basic {
                username: raw.username.take()?.value.0,
                password: raw.password.take()?.value,
            })
        }
        [false, true, false, false, false] => {
            let file = raw.docker_config.take()?.value.path()?;
            Some(Credentials::DockerConfig(file))
        }
        [false, false, true, false, false] => {
            let raw = raw.ecr.take()?;
            cloud::ecr(raw.value.0, raw.spot, asked?, report)
        }
        [false, false, false, true, false] => {
            let raw = raw.gcp.take()?;
            cloud::gcp(raw.value.0, raw.key, asked?, report)
        }
        [false, false, false, false, true] => {
            let raw = raw.azure.take()?;
            cloud::azure(raw.value.0, raw.spot, asked?, report)
        }
        _ => {
            let hint = "write `username` and `password`, or one of `dockerConfig`, `ecr`, `gcp` and `azure`";
            let mistake = Mistake::new("these credentials are not one way to sign in");
            report.error(spot, mistake.hint(hint));
            None
        }
    }
}
