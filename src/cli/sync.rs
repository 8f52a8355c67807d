//! `sync`: one pass over every config repo, then exit; for CI and cron.

use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output};
use crate::cli::service;
use crate::cli::view::{self, PlanView};
use crate::clock::Clock;
use crate::driver::{self, Entry};
use crate::notify;
use crate::reconcile::{Freshness, Pass, PassResult};
use crate::server::metrics::result_word;
use crate::state::State;

/// Makes one pass over every config repo and exits
#[derive(Debug, Args)]
pub struct Sync {}

#[derive(Serialize)]
struct Passes {
    repositories: Vec<PassView>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PassView {
    /// `nothing`, `landed`, `off`, `refused` or `error`.
    result: &'static str,
    /// The remote's words, or the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(flatten)]
    plan: PlanView,
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be read or the cache can't be used. A config repo that fails is
/// printed and does not keep the others from their pass.
pub async fn run(_: &Sync, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let Some(service) = service::load(config, output)? else {
        return Ok(Exit::Invalid);
    };
    let clock = Clock::system();
    let state = service::cache(&service)?;
    let mut passes = Passes {
        repositories: Vec::new(),
    };
    let mut exit = Exit::Done;
    for entry in driver::entries(&service, &state, &clock)? {
        let view = pass(&entry, &state, output).await;
        if view.exit() == Exit::Failed {
            exit = Exit::Failed;
        }
        passes.repositories.push(view);
    }
    if output.is_json() {
        output.json(&passes);
    }
    Ok(exit)
}

async fn pass(entry: &Entry, state: &State, output: Output) -> PassView {
    let name = entry.repository().name.as_str();
    let mut reconciler = match entry.open(state) {
        Ok(reconciler) => reconciler,
        Err(error) => return PassView::failed(name, driver::words(&error), output),
    };
    let ended = reconciler.pass(Freshness::Anew).await;
    driver::keep(state, &reconciler);
    match ended {
        Ok(pass) => {
            if let Some(pushed) = driver::pushed(&reconciler, &pass) {
                notify::tell(&reconciler.repository().after_push, &pushed).await;
            }
            PassView::of(name, &pass, output)
        }
        Err(error) => PassView::failed(name, driver::words(&error), output),
    }
}

impl PassView {
    fn of(name: &str, pass: &Pass, output: Output) -> Self {
        let mut plan = PlanView::of(name, &pass.observation);
        let mut message = None;
        match &pass.result {
            PassResult::Landed(commits) => {
                plan.landed(&pass.observation.preparation.commits, commits);
            }
            PassResult::Refused(words) => message = Some(words.clone()),
            PassResult::Nothing | PassResult::Off | PassResult::Gathering(_) => {}
        }
        for (view, done) in plan.pull_requests.iter_mut().zip(&pass.pulls) {
            view.done(done);
        }
        let view = Self {
            result: result_word(&pass.result),
            message,
            plan,
        };
        if !output.is_json() {
            view.print(pass, output);
        }
        view
    }

    fn failed(name: &str, message: String, output: Output) -> Self {
        if !output.is_json() {
            output.note(format!("error: {message}"));
        }
        Self {
            result: "error",
            message: Some(message),
            plan: PlanView::unknown(name),
        }
    }

    fn print(&self, pass: &Pass, output: Output) {
        view::print_heading(&self.plan, output);
        view::print_stages(&self.plan, output);
        output.line("");
        let landed: &[_] = match &pass.result {
            PassResult::Landed(commits) => commits,
            _ => &[],
        };
        for (number, prepared) in pass.observation.preparation.commits.iter().enumerate() {
            view::print_commit(prepared, landed.get(number).copied(), output);
        }
        view::print_pulls(&self.plan.pull_requests, &pass.observation.pulls, output);
        output.diagnostics(&self.plan.problems);
        output.diagnostics(&self.plan.refused);
        if pass.result == PassResult::Off {
            output.note("nothing was written: `push.mode` is `off`");
        }
        if let Some(words) = &self.message {
            output.note(format!(
                "error: the remote of `{}` refuses the push: {words}",
                self.plan.repository
            ));
        }
    }

    fn exit(&self) -> Exit {
        match self.result {
            "refused" | "error" => Exit::Failed,
            _ => self.plan.exit(),
        }
    }
}
