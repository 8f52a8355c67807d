//! `plan`: what `sync` would do, as reasons and a diff; touches nothing.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output};
use crate::cli::service;
use crate::cli::view::{self, PlanView};
use crate::clock::Clock;
use crate::driver::{self, Entry};
use crate::reconcile::{Freshness, Observation};
use crate::state::State;

/// Prints what `sync` would do, with reasons and a diff; touches nothing
#[derive(Debug, Args)]
pub struct Plan {
    /// Only this app
    #[arg(value_name = "APP")]
    app: Option<String>,
    /// Plan a working tree instead of the branch, to try a change before it is merged
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// The config repo to plan, where the configuration has several
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// Exit with 10 when changes are pending
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(Serialize)]
struct Plans {
    repositories: Vec<Planned>,
}

#[derive(Serialize)]
struct Planned {
    /// Why there is no plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(flatten)]
    plan: PlanView,
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be read or the cache can't be used. A config repo that fails is printed
/// and does not keep the others from being planned.
pub async fn run(
    arguments: &Plan,
    config: Option<&std::path::Path>,
    output: Output,
) -> anyhow::Result<Exit> {
    let Some(service) = service::load(config, output)? else {
        return Ok(Exit::Invalid);
    };
    let clock = Clock::system();
    let state = service::cache(&service)?;
    let mut entries = driver::entries(&service, &state, &clock)?;
    if let Some(name) = &arguments.repository {
        entries.retain(|entry| entry.repository().name.as_str() == name);
        anyhow::ensure!(!entries.is_empty(), "no config repo is named `{name}`");
    }
    if arguments.path.is_some() {
        anyhow::ensure!(
            entries.len() == 1,
            "--path plans one config repo: name it with --repository"
        );
    }
    let mut plans = Plans {
        repositories: Vec::new(),
    };
    let mut found = false;
    for entry in &entries {
        let name = entry.repository().name.as_str();
        let planned = match observe(entry, &state, arguments.path.as_deref()).await {
            Ok(mut observation) => {
                found |= focus(&mut observation, arguments.app.as_deref());
                Planned::of(name, &observation, output)
            }
            Err(error) => Planned::failed(name, &error, output),
        };
        plans.repositories.push(planned);
    }
    let failed = plans.repositories.iter().any(Planned::has_failed);
    let unread = plans.repositories.iter().any(|one| one.message.is_some());
    if let Some(app) = arguments.app.as_deref().filter(|_| !found && !unread) {
        anyhow::bail!("no config repo has an app named `{app}`");
    }
    if output.is_json() {
        output.json(&plans);
    }
    let mut plans = plans.repositories.iter().map(|planned| &planned.plan);
    let pending = plans.any(PlanView::is_pending);
    Ok(match (failed, pending && arguments.detailed_exitcode) {
        (true, _) => Exit::Failed,
        (false, true) => Exit::Pending,
        (false, false) => Exit::Done,
    })
}

async fn observe(
    entry: &Entry,
    state: &State,
    path: Option<&std::path::Path>,
) -> Result<Observation, String> {
    let opened = entry.open(state).map_err(|error| driver::words(&error));
    let mut reconciler = opened?;
    let observed = match path {
        Some(folder) => reconciler.observe_folder(folder).await,
        None => reconciler.observe(Freshness::Anew).await,
    };
    observed.map_err(|error| driver::words(&error))
}

impl Planned {
    fn of(name: &str, observation: &Observation, output: Output) -> Self {
        let plan = PlanView::of(name, observation);
        if !output.is_json() {
            print(&plan, observation, output);
        }
        Self {
            message: None,
            plan,
        }
    }

    fn failed(name: &str, error: &str, output: Output) -> Self {
        if !output.is_json() {
            output.note(format!("error: {error}"));
        }
        Self {
            message: Some(error.to_owned()),
            plan: PlanView::unknown(name),
        }
    }

    fn has_failed(&self) -> bool {
        self.message.is_some() || self.plan.exit() == Exit::Failed
    }
}

/// Leaves only `app` in the observation, and the commits that change it; says whether it is there.
fn focus(observation: &mut Observation, app: Option<&str>) -> bool {
    let Some(app) = app else {
        return true;
    };
    let snapshot = std::sync::Arc::clone(&observation.snapshot);
    std::sync::Arc::make_mut(&mut observation.plan)
        .stages
        .retain(|stage| snapshot.apps[stage.key.app].name.as_str() == app);
    std::sync::Arc::make_mut(&mut observation.preparation)
        .commits
        .retain(|commit| commit.changes.iter().any(|change| change.app == app));
    observation.pulls.retain(|pull| pull.is_about(app));
    !observation.plan.stages.is_empty()
}

fn print(view: &PlanView, observation: &Observation, output: Output) {
    view::print_heading(view, output);
    view::print_stages(view, output);
    view::print_unowned(view, output);
    output.line("");
    for prepared in &observation.preparation.commits {
        view::print_commit(prepared, None, output);
    }
    view::print_pulls(&view.pull_requests, &observation.pulls, output);
    output.diagnostics(&view.problems);
    output.diagnostics(&view.refused);
}
