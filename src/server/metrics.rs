//! The service's metrics, in the OpenMetrics text format.
//!
//! Invariant: names follow the Prometheus conventions (base units, `_total` for counters), and labels
//! hold only what the configuration names, so their number is bounded by it.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use crate::diag::Severity;
use crate::reconcile::plan::Step;
use crate::reconcile::states::Kind;
use crate::reconcile::{Pass, PassResult};
use crate::registry::poller::Poller;
use crate::server::registries::Registries;

/// Bounds of pass durations, in seconds: an idle pass takes milliseconds, a first one over a slow
/// network minutes.
const SECONDS: [f64; 10] = [0.01, 0.05, 0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRepository {
    repository: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    repository: String,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    repository: String,
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfSeverity {
    repository: String,
    severity: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStage {
    repository: String,
    app: String,
    stage: String,
}

/// All metrics.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    passes: Family<OfResult, Counter>,
    changes: Family<OfStage, Counter>,
    duration: Family<OfRepository, Histogram, fn() -> Histogram>,
    last_success: Family<OfRepository, Gauge>,
    sites: Family<OfRepository, Gauge>,
    stages: Family<OfState, Gauge>,
    states: Family<OfState, Gauge>,
    unowned: Family<OfRepository, Gauge>,
    problems: Family<OfSeverity, Gauge>,
    registries: Registries,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("tagwright"),
            passes: Family::default(),
            changes: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            last_success: Family::default(),
            sites: Family::default(),
            stages: Family::default(),
            states: Family::default(),
            unowned: Family::default(),
            problems: Family::default(),
            registries: Registries::default(),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let registry = &mut self.registry;
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        registry.register(
            "passes",
            "Passes over a config repo, by how they ended",
            self.passes.clone(),
        );
        registry.register(
            "changes",
            "Changes of a stage that landed on the branch",
            self.changes.clone(),
        );
        registry.register(
            "pass_duration_seconds",
            "How long a pass takes",
            self.duration.clone(),
        );
        registry.register(
            "last_success_timestamp_seconds",
            "When a pass last ended without an error, in Unix time",
            self.last_success.clone(),
        );
        registry.register(
            "sites",
            "Places in the config repo that apps manage",
            self.sites.clone(),
        );
        registry.register(
            "stages",
            "Stages by what the last pass decided",
            self.stages.clone(),
        );
        registry.register(
            "stage_states",
            "Stages that something is to be known of besides, by what it is",
            self.states.clone(),
        );
        registry.register(
            "unowned_sites",
            "Places in the config repo that nobody manages",
            self.unowned.clone(),
        );
        registry.register(
            "problems",
            "Things left out by the last pass, by severity",
            self.problems.clone(),
        );
        registry.register_collector(Box::new(self.registries.clone()));
    }

    /// From now on the metrics of registries are those of `poller`.
    pub fn watch(&self, poller: Poller) {
        self.registries.watch(poller);
    }

    /// Counts a pass that ended.
    pub fn passed(&self, repository: &str, pass: &Pass, took: Duration, unix_seconds: i64) {
        let of = OfRepository {
            repository: repository.to_owned(),
        };
        self.count(repository, result_word(&pass.result), took);
        self.last_success.get_or_create(&of).set(unix_seconds);
        let claims = &pass.observation.snapshot.claims;
        let sites: usize = claims.stages.values().map(Vec::len).sum();
        self.sites.get_or_create(&of).set(whole(sites));
        let unowned = claims.unmanaged.len() + claims.unreached.len();
        self.unowned.get_or_create(&of).set(whole(unowned));
        self.count_stages(repository, pass);
        self.count_states(repository, pass);
        self.count_problems(repository, pass);
        if let PassResult::Landed(_) = pass.result {
            let commits = &pass.observation.preparation.commits;
            for change in commits.iter().flat_map(|commit| &commit.changes) {
                self.changes
                    .get_or_create(&OfStage {
                        repository: repository.to_owned(),
                        app: change.app.clone(),
                        stage: change.stage.clone(),
                    })
                    .inc();
            }
        }
    }

    /// Counts a pass that could not be made.
    pub fn failed(&self, repository: &str, took: Duration) {
        self.count(repository, "error", took);
    }

    fn count(&self, repository: &str, result: &'static str, took: Duration) {
        self.passes
            .get_or_create(&OfResult {
                repository: repository.to_owned(),
                result,
            })
            .inc();
        self.duration
            .get_or_create(&OfRepository {
                repository: repository.to_owned(),
            })
            .observe(took.as_secs_f64());
    }

    fn count_stages(&self, repository: &str, pass: &Pass) {
        for state in ["up_to_date", "changing", "waiting", "failed"] {
            let matching = pass
                .observation
                .plan
                .stages
                .iter()
                .filter(|stage| state_word(&stage.step) == state)
                .count();
            self.stages
                .get_or_create(&OfState {
                    repository: repository.to_owned(),
                    state,
                })
                .set(whole(matching));
        }
    }

    fn count_states(&self, repository: &str, pass: &Pass) {
        let observation = &pass.observation;
        let stages = observation.plan.stages.iter();
        let states = stages.flat_map(|stage| observation.states(stage));
        let found: Vec<Kind> = states.map(|state| state.kind).collect();
        for kind in Kind::ALL {
            let of = OfState {
                repository: repository.to_owned(),
                state: kind.label(),
            };
            let count = found.iter().filter(|found| **found == kind).count();
            self.states.get_or_create(&of).set(whole(count));
        }
    }

    fn count_problems(&self, repository: &str, pass: &Pass) {
        let problems = pass.observation.problems();
        let all = || problems.iter().chain(&pass.observation.preparation.refused);
        for (word, severity) in [("error", Severity::Error), ("warning", Severity::Warning)] {
            let count = all().filter(|d| d.severity == severity).count();
            self.problems
                .get_or_create(&OfSeverity {
                    repository: repository.to_owned(),
                    severity: word,
                })
                .set(whole(count));
        }
    }

    /// All metrics as text.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}

/// OpenMetrics in Prometheus' own text format, where the name of a counter and of an information holds
/// its ending, and nothing says what is the end ("Exposition formats", "Text-based format").
pub(super) fn plain(open_metrics: &str) -> String {
    let mut plain = String::with_capacity(open_metrics.len());
    // A family is described before its kind is told.
    let mut help = None;
    for line in open_metrics.lines() {
        if let Some(text) = line.strip_prefix("# HELP ") {
            help = text.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|text| text.split_once(' '))
        {
            let (ending, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, text)) = help.filter(|(described, _)| *described == name) {
                plain.push_str(&format!("# HELP {name}{ending} {text}\n"));
            }
            plain.push_str(&format!("# TYPE {name}{ending} {kind}\n"));
        } else if !line.starts_with('#') {
            plain.push_str(line);
            plain.push('\n');
        }
    }
    plain
}

/// The word for how a pass ended, as metrics and logs say it.
pub fn result_word(result: &PassResult) -> &'static str {
    match result {
        PassResult::Nothing => "nothing",
        PassResult::Landed(_) => "landed",
        PassResult::Off => "off",
        PassResult::Refused(_) => "refused",
        PassResult::Gathering(_) => "gathering",
    }
}

fn state_word(step: &Step) -> &'static str {
    match step {
        Step::UpToDate => "up_to_date",
        Step::Change(_) => "changing",
        Step::Waiting(_) | Step::Undecided => "waiting",
        Step::Blocked(blocked) if blocked.is_failure() => "failed",
        Step::Blocked(_) => "waiting",
    }
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
