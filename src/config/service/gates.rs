//! Gates of the service.
//!
//! Invariant: each has a name of its own, a token of one that has one stays secret on its way, and an answer
//! counts for at least twice as long as it may take, so that one can be renewed in time.

use std::collections::HashMap;

use crate::config::duration::{GateInterval, GateTimeout};
use crate::config::name::Name;
use crate::config::raw_service::gates::RawGate;
use crate::config::read::{At, Field};
use crate::config::report::{Mistake, Report, Spot};
use crate::gate::Gate;

/// The gates; what is wrong is reported, and there may be no value.
pub(super) fn gates(
    field: &mut Field<Vec<At<RawGate>>>,
    report: &mut Report<'_>,
) -> Option<Vec<Gate>> {
    let Some(list) = field.take() else {
        return (!field.is_written()).then(Vec::new);
    };
    let mut names: HashMap<Name, Spot> = HashMap::new();
    let all: Vec<Option<Gate>> = list
        .value
        .into_iter()
        .map(|entry| {
            if let Some(name) = entry.value.name.get() {
                let what = format!("the gate `{}`", name.value);
                super::report_second(&mut names, name.value.clone(), name.spot, &what, report);
            }
            gate(entry, report)
        })
        .collect();
    all.into_iter().collect()
}

fn gate(entry: At<RawGate>, report: &mut Report<'_>) -> Option<Gate> {
    let mut raw = entry.value;
    let address = raw.url.take()?.value;
    if let Some(token) = raw.token.get()
        && !address.is_private()
    {
        let mistake = Mistake::new("the token would go over plain HTTP");
        report.error(token.key, mistake.hint("give the gate an `https://` URL"));
        return None;
    }
    let timeout = or(&mut raw.timeout, GateTimeout::USUAL)?;
    let interval = or(&mut raw.interval, GateInterval::USUAL)?;
    if interval.0 < timeout.0 * 2 {
        let message = "the `interval` of a gate is at least twice its `timeout`";
        report.error(
            entry.spot,
            Mistake::new(message).hint(format!(
                "here `interval` is {} s and `timeout` is {} s",
                interval.0.as_secs(),
                timeout.0.as_secs()
            )),
        );
        return None;
    }
    Some(Gate {
        name: raw.name.take()?.value.to_string(),
        address,
        token: optional(&mut raw.token)?,
        ca_pem: optional(&mut raw.ca)?.map(|ca| ca.0),
        timeout: timeout.0,
        interval: interval.0,
    })
}

/// The value, or what is usual where none is written; none at all where it could not be read.
fn or<T>(field: &mut Field<T>, usual: T) -> Option<T> {
    Some(optional(field)?.unwrap_or(usual))
}

fn optional<T>(field: &mut Field<T>) -> Option<Option<T>> {
    match field.take() {
        Some(at) => Some(Some(at.value)),
        None => (!field.is_written()).then_some(None),
    }
}
