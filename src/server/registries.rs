//! The metrics of registries, taken from the poller when they are asked for.
//!
//! Invariant: labels hold the hosts that are asked and words of a fixed number, and hosts are bounded by
//! the poller, so the number of series is.

use std::sync::OnceLock;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;

use crate::registry::pace::{BreakerState, Class, HostReport, Kind};
use crate::registry::poller::{LaneReport, Poller};

/// What collects them, once there is a poller.
#[derive(Debug, Clone, Default)]
pub(super) struct Registries(std::sync::Arc<OnceLock<Poller>>);

impl Registries {
    /// From now on they are those of `poller`.
    pub fn watch(&self, poller: Poller) {
        // A service has one poller.
        let _ = self.0.set(poller);
    }
}

impl Collector for Registries {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(poller) = self.0.get() else {
            return Ok(());
        };
        let (hosts, lanes) = poller.reports();
        requests(&mut encoder, &hosts)?;
        breakers(&mut encoder, &hosts)?;
        for family in OF_HOSTS {
            let samples = hosts.iter().map(|host| (&host.host, (family.value)(host)));
            write(&mut encoder, family.about, samples)?;
        }
        for family in OF_LANES {
            let samples = lanes.iter().map(|lane| (&lane.host, (family.value)(lane)));
            write(&mut encoder, family.about, samples)?;
        }
        Ok(())
    }
}

/// A family with a sample for each host.
struct Family<T> {
    about: About,
    /// The sample, if there is one.
    value: fn(&T) -> Option<f64>,
}

#[derive(Debug, Clone, Copy)]
struct About {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
}

const OF_HOSTS: [Family<HostReport>; 5] = [
    Family {
        about: About {
            name: "registry_turn_wait_seconds",
            help: "How long requests waited for their turn, all together",
            kind: MetricType::Counter,
        },
        value: |host| Some(host.waited.as_secs_f64()),
    },
    Family {
        about: About {
            name: "registry_quota_remaining",
            help: "Requests that the registry's limit leaves, where it says so",
            kind: MetricType::Gauge,
        },
        value: |host| host.quota.map(|left| left as f64),
    },
    Family {
        about: About {
            name: "registry_rate_limit",
            help: "At how many requests a second the registry is asked at most now",
            kind: MetricType::Gauge,
        },
        value: |host| Some(host.per_second),
    },
    Family {
        about: About {
            name: "registry_paused_until_timestamp_seconds",
            help: "Until when the registry asked to be left alone, in Unix time",
            kind: MetricType::Gauge,
        },
        value: |host| host.paused.map(|until| until.as_second() as f64),
    },
    Family {
        about: About {
            name: "registry_last_success_timestamp_seconds",
            help: "When the registry last answered a request with success, in Unix time",
            kind: MetricType::Gauge,
        },
        value: |host| host.last_success.map(|at| at.as_second() as f64),
    },
];

const OF_LANES: [Family<LaneReport>; 5] = [
    Family {
        about: About {
            name: "registry_queue_wait_seconds",
            help: "How long images that were listed had been due, all together",
            kind: MetricType::Counter,
        },
        value: |lane| Some(lane.waited.as_secs_f64()),
    },
    Family {
        about: About {
            name: "registry_queue_length",
            help: "Images that are due to be listed",
            kind: MetricType::Gauge,
        },
        value: |lane| Some(lane.length as f64),
    },
    Family {
        about: About {
            name: "registry_queue_lag_seconds",
            help: "How long the first image in the queue has been due",
            kind: MetricType::Gauge,
        },
        value: |lane| Some(lane.lag.as_secs_f64()),
    },
    Family {
        about: About {
            name: "registry_images",
            help: "Images that are watched",
            kind: MetricType::Gauge,
        },
        value: |lane| Some(lane.images as f64),
    },
    Family {
        about: About {
            name: "registry_stale_images",
            help: "Images whose tags could not be listed lately",
            kind: MetricType::Gauge,
        },
        value: |lane| Some(lane.doubted as f64),
    },
];

fn family<'a>(
    encoder: &'a mut DescriptorEncoder<'_>,
    about: About,
) -> Result<MetricEncoder<'a>, std::fmt::Error> {
    encoder.encode_descriptor(about.name, about.help, None, about.kind)
}

fn write<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    about: About,
    samples: impl Iterator<Item = (&'a String, Option<f64>)>,
) -> Result<(), std::fmt::Error> {
    let mut metric = family(encoder, about)?;
    for (host, value) in samples {
        if let Some(value) = value {
            sample(&mut metric, &[("host", host)], about.kind, value)?;
        }
    }
    Ok(())
}

fn sample(
    metric: &mut MetricEncoder<'_>,
    labels: &[(&str, &str)],
    kind: MetricType,
    value: f64,
) -> Result<(), std::fmt::Error> {
    use prometheus_client::metrics::counter::ConstCounter;
    use prometheus_client::metrics::gauge::ConstGauge;
    let one = metric.encode_family(&labels)?;
    match kind {
        MetricType::Counter => ConstCounter::new(value).encode(one),
        _ => ConstGauge::new(value).encode(one),
    }
}

fn requests(
    encoder: &mut DescriptorEncoder<'_>,
    hosts: &[HostReport],
) -> Result<(), std::fmt::Error> {
    let about = About {
        name: "registry_requests",
        help: "Requests to a registry, by what they were for and how they ended",
        kind: MetricType::Counter,
    };
    let mut metric = family(encoder, about)?;
    for host in hosts {
        for (kind, counts) in Kind::ALL.iter().zip(host.requests) {
            for (class, count) in Class::ALL.iter().zip(counts) {
                if count > 0 {
                    let labels = [
                        ("host", host.host.as_str()),
                        ("kind", kind.word()),
                        ("status", class.word()),
                    ];
                    sample(&mut metric, &labels, about.kind, count as f64)?;
                }
            }
        }
    }
    Ok(())
}

fn breakers(
    encoder: &mut DescriptorEncoder<'_>,
    hosts: &[HostReport],
) -> Result<(), std::fmt::Error> {
    let about = About {
        name: "registry_breaker_state",
        help: "Whether the registry is asked: 1 for the state that holds, 0 for the others",
        kind: MetricType::Gauge,
    };
    let mut metric = family(encoder, about)?;
    for host in hosts {
        for (state, word) in [
            (BreakerState::Closed, "closed"),
            (BreakerState::HalfOpen, "half_open"),
            (BreakerState::Open, "open"),
        ] {
            let labels = [("host", host.host.as_str()), ("state", word)];
            let value = f64::from(u8::from(host.breaker == state));
            sample(&mut metric, &labels, about.kind, value)?;
        }
    }
    Ok(())
}
