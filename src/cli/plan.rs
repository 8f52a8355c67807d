//! `plan`: what `sync` would do, as reasons and a diff; touches nothing.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output};
use crate::cli::service;
use crate::cli::view::{self, PlanView};
use crate::clock::Clock;
use crate::reconcile::{Freshness, Observation, Reconciler};

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
    repositories: Vec<PlanView>,
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be read, or a config repo can't be fetched.
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
    let mut reconcilers = service::reconcilers(&service, &state, &clock)?;
    if let Some(name) = &arguments.repository {
        reconcilers.retain(|reconciler| reconciler.repository().name.as_str() == name);
        anyhow::ensure!(!reconcilers.is_empty(), "no config repo is named `{name}`");
    }
    if arguments.path.is_some() {
        anyhow::ensure!(
            reconcilers.len() == 1,
            "--path plans one config repo: name it with --repository"
        );
    }
    let mut plans = Plans {
        repositories: Vec::new(),
    };
    let mut exit = Exit::Done;
    let mut found = false;
    for reconciler in &mut reconcilers {
        let mut observation = observe(reconciler, arguments.path.as_deref()).await?;
        found |= focus(&mut observation, arguments.app.as_deref());
        let view = PlanView::of(reconciler.repository().name.as_str(), &observation);
        if view.exit() == Exit::Failed {
            exit = Exit::Failed;
        }
        if !output.is_json() {
            print(&view, &observation, output);
        }
        plans.repositories.push(view);
    }
    if let Some(app) = arguments.app.as_deref().filter(|_| !found) {
        anyhow::bail!("no config repo has an app named `{app}`");
    }
    if output.is_json() {
        output.json(&plans);
    }
    let pending = plans
        .repositories
        .iter()
        .any(|plan| !plan.changes.is_empty());
    if exit == Exit::Done && pending && arguments.detailed_exitcode {
        exit = Exit::Pending;
    }
    Ok(exit)
}

async fn observe(
    reconciler: &mut Reconciler,
    path: Option<&std::path::Path>,
) -> anyhow::Result<Observation> {
    let observed = match path {
        Some(folder) => reconciler.observe_folder(folder).await,
        None => reconciler.observe(Freshness::Anew).await,
    };
    Ok(observed?)
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
    !observation.plan.stages.is_empty()
}

fn print(view: &PlanView, observation: &Observation, output: Output) {
    view::print_heading(view, output);
    view::print_stages(view, output);
    output.line("");
    for prepared in &observation.preparation.commits {
        view::print_commit(prepared, None, output);
    }
    output.diagnostics(&view.problems);
    output.diagnostics(&view.refused);
}
