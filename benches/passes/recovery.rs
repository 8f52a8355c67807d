//! A new machine: only the service's configuration is there, and a branch with a history of promotions. How
//! long until the plan is the same again.

use anyhow::Context as _;
use jiff::SignedDuration;
use tagwright::clock::Clock;
use tagwright::demo::registry::Registry;
use tagwright::driver;
use tagwright::reconcile::{Freshness, Observation, PassResult, Reconciler};
use tagwright::state::State;
use tokio::runtime::Runtime;

use crate::fleet::{self, Fleet, TAGS};
use crate::measure::{Row, Samples, timed};

/// Apps, each with a staging and a production.
const APPS: usize = 500;

/// Releases of every app that the history holds, half of which production got as well.
const RELEASES: usize = 6;

/// New machines.
const RUNS: usize = 3;

/// The rows of the table.
pub fn rows() -> anyhow::Result<Vec<Row>> {
    let registry = Registry::start()?;
    // A manifest in each of two clusters for an app.
    let fleet = Fleet {
        promotes: true,
        ..Fleet::new(registry.host(), 2 * APPS, APPS)
    };
    fleet.fill(&registry);
    let folder = tempfile::tempdir()?;
    let bare = fleet.bare(folder.path())?;
    let clock = Clock::by_hand("2026-03-02T09:30:00Z".parse()?);
    let runtime = Runtime::new()?;
    let machine = |name: &str| -> anyhow::Result<(State, Reconciler)> {
        let service = fleet.service(&bare, &folder.path().join(name))?;
        let state = State::own(service.cache.as_deref().context("no cache folder")?)?;
        let reconcilers = driver::reconcilers(&service, &state, &clock)?;
        let first = reconcilers.into_iter().next();
        Ok((state, first.context("no config repo")?))
    };
    let (_state, mut first) = machine("first")?;
    let mut commits = 0;
    for release in 0..RELEASES {
        for app in 0..APPS {
            fleet::release(&registry, app, &format!("1.{}.0", TAGS + release));
        }
        // Every other one soaks and is promoted before the next.
        for hours in [0, if release % 2 == 0 { 30 } else { 1 }] {
            clock.advance(SignedDuration::from_hours(hours));
            let pass = runtime.block_on(first.pass(Freshness::Anew))?;
            if let PassResult::Landed(landed) = pass.result {
                commits += landed.len();
            }
        }
    }
    let wanted = runtime.block_on(first.observe(Freshness::Anew))?;
    let wanted = steps(&wanted);
    let took = Samples::take(RUNS, |run| {
        let (_state, mut new) = machine(&format!("new-{run}"))?;
        let (plan, took) = timed(|| runtime.block_on(new.observe(Freshness::Anew)));
        let same = steps(&plan?) == wanted;
        anyhow::ensure!(same, "another plan than the one before");
        Ok(took)
    })?;
    let what = format!(
        "recovery from nothing: {APPS} apps with staging and production, {commits} commits of history"
    );
    Ok(vec![Row::new(what, took)])
}

/// What each stage runs, and what happens to it.
fn steps(observation: &Observation) -> Vec<String> {
    let stages = observation.plan.stages.iter();
    let each = stages.map(|stage| format!("{:?}: {} {:?}", stage.key, stage.running, stage.step));
    each.collect()
}
