//! The service's own HTTP server.
//!
//! Invariant: no two callers have one name, so what is told of one is about one.

use std::collections::HashMap;
use std::net::SocketAddr;

use super::{report_second, value};
use crate::config::credential::Guarded;
use crate::config::name::Name;
use crate::config::raw_service::server::{RawCaller, RawServer};
use crate::config::read::{At, Field};
use crate::config::report::Report;
use crate::secret::Secret;

/// The service's own HTTP server.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// The address and port; nothing is served without one.
    pub listen: Option<SocketAddr>,
    /// Who may give and release holds through the API.
    pub callers: Vec<Caller>,
}

/// Somebody who may give and release holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name by which what is done is told.
    pub name: Name,
    /// The Bearer token.
    pub token: Secret,
}

/// The server; what is wrong is reported, and there may be no value.
pub(super) fn server(field: &mut Field<RawServer>, report: &mut Report<'_>) -> Option<Server> {
    let Some(raw) = field.take() else {
        return Some(Server::default());
    };
    let mut raw = raw.value;
    Some(Server {
        listen: value(&raw.listen),
        callers: callers(&mut raw.tokens, report)?,
    })
}

fn callers(
    field: &mut Field<Vec<At<Guarded<RawCaller>>>>,
    report: &mut Report<'_>,
) -> Option<Vec<Caller>> {
    let Some(list) = field.take() else {
        return (!field.is_written()).then(Vec::new);
    };
    let mut names = HashMap::new();
    let all: Vec<Option<Caller>> = list
        .value
        .into_iter()
        .map(|entry| {
            let mut raw = entry.value.0;
            let name = raw.name.take()?;
            let what = format!("the caller `{}`", name.value);
            report_second(&mut names, name.value.clone(), name.spot, &what, report);
            Some(Caller {
                name: name.value,
                token: raw.token.take()?.value,
            })
        })
        .collect();
    all.into_iter().collect()
}
