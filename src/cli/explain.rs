//! `explain APP`: every tag with its verdict, and what each stage runs and waits for.

use std::collections::BTreeSet;
use std::path::Path;

use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output};
use crate::cli::service;
use crate::cli::view::{self, StageView};
use crate::clock::Clock;
use crate::config::App;
use crate::decision;
use crate::diag::{Diagnostic, Position};
use crate::driver::{self, Entry};
use crate::image::Tag;
use crate::policy::Verdict;
use crate::reconcile::plan::{Blocked, StagePlan, Step};
use crate::reconcile::{Freshness, Observation, Reconciler};
use crate::state::State;

/// Prints every tag of an app with its verdict, and what each stage runs and waits for
#[derive(Debug, Args)]
pub struct Explain {
    /// The app
    app: String,
    /// Only this stage
    #[arg(long, value_name = "STAGE")]
    stage: Option<String>,
    /// How many tags to print per stage, the best first; 0 for all
    #[arg(long, value_name = "N", default_value_t = 20)]
    tags: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    app: String,
    file: String,
    policy: String,
    policy_in_full: String,
    stages: Vec<StageExplanation>,
    problems: Vec<Diagnostic>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StageExplanation {
    #[serde(flatten)]
    stage: StageView,
    policy_in_full: String,
    places: Vec<Place>,
    /// Acceptable tags that are the very image that runs under a tag that can't be ordered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    same_digest: Vec<String>,
    verdicts: Vec<TagRow>,
}

#[derive(Serialize)]
struct Place {
    file: String,
    #[serde(flatten)]
    position: Position,
    reference: String,
}

#[derive(Serialize)]
struct TagRow {
    tag: String,
    verdict: Verdict,
    reason: String,
}

/// Runs the command.
///
/// # Errors
/// When the configuration can't be read, or no app has the name. A config repo that can't be read is
/// printed, and the app is looked for in the others.
pub async fn run(
    arguments: &Explain,
    config: Option<&Path>,
    output: Output,
) -> anyhow::Result<Exit> {
    let Some(service) = service::load(config, output)? else {
        return Ok(Exit::Invalid);
    };
    let state = service::cache(&service)?;
    let mut exit = Exit::Done;
    for entry in &driver::entries(&service, &state, &Clock::system())? {
        let (mut reconciler, observation) = match observe(entry, &state).await {
            Ok(observed) => observed,
            Err(error) => {
                output.note(format!("error: {error}"));
                exit = Exit::Failed;
                continue;
            }
        };
        let apps = &observation.snapshot.apps;
        let Some(app) = apps
            .iter()
            .position(|app| app.name.as_str() == arguments.app)
        else {
            continue;
        };
        let explanation = explain(arguments, app, &mut reconciler, &observation).await;
        anyhow::ensure!(
            !explanation.stages.is_empty(),
            "`{}` has no stage `{}`",
            arguments.app,
            arguments.stage.as_deref().unwrap_or_default()
        );
        if output.is_json() {
            output.json(&explanation);
        } else {
            print(&explanation, arguments.tags, output);
        }
        return Ok(exit);
    }
    if exit == Exit::Failed {
        return Ok(exit);
    }
    anyhow::bail!(
        "no config repo has a valid app named `{}`; `tagwright check` tells what is wrong with app files",
        arguments.app
    )
}

async fn observe(entry: &Entry, state: &State) -> Result<(Reconciler, Observation), String> {
    let opened = entry.open(state).map_err(|error| driver::words(&error));
    let mut reconciler = opened?;
    match reconciler.observe(Freshness::Anew).await {
        Ok(observation) => Ok((reconciler, observation)),
        Err(error) => Err(driver::words(&error)),
    }
}

async fn explain(
    arguments: &Explain,
    app: usize,
    reconciler: &mut Reconciler,
    observation: &Observation,
) -> Explanation {
    let declared = &observation.snapshot.apps[app];
    let mut stages = Vec::new();
    for plan in &observation.plan.stages {
        let name = declared.stages[plan.key.stage.min(declared.stages.len() - 1)]
            .name
            .as_str();
        let wanted = arguments.stage.as_deref().is_none_or(|stage| stage == name);
        if plan.key.app == app && wanted {
            let same_digest = same_digest(reconciler, observation, plan).await;
            stages.push(stage(observation, plan, same_digest));
        }
    }
    let file = &declared.file;
    let places: Vec<&str> = stages
        .iter()
        .flat_map(|stage| stage.places.iter().map(|place| place.file.as_str()))
        .collect();
    let concerned = concerned(observation, declared);
    let all = observation.problems().into_iter();
    let problems = all
        .chain(observation.preparation.refused.iter().cloned())
        .filter(|problem| {
            let file = problem.file.as_str();
            let about = decision::about(file).is_some_and(|(app, _)| app == arguments.app);
            places.contains(&file) || concerned.contains(file) || about
        })
        .collect();
    Explanation {
        app: declared.name.to_string(),
        file: file.clone(),
        policy: declared.policy.order.to_string(),
        policy_in_full: declared.policy.to_string(),
        stages,
        problems,
    }
}

/// The files whose problems are the app's: its own, those of its targets, the freezes, and every file that
/// names its image.
fn concerned<'o>(observation: &'o Observation, app: &'o App) -> BTreeSet<&'o str> {
    let naming = observation.snapshot.files.iter().filter(|file| {
        let mut sites = file.index.sites.iter();
        sites.any(|site| app.names().any(|name| site.image() == Some(name)))
    });
    let targets = app.targets.iter().map(|target| target.at.0.as_str());
    naming
        .map(|file| file.path.as_str())
        .chain(targets)
        .chain([app.file.as_str(), decision::FREEZES])
        .collect()
}

fn stage(observation: &Observation, plan: &StagePlan, same_digest: Vec<Tag>) -> StageExplanation {
    let places = plan
        .sites
        .iter()
        .map(|reference| {
            let file = &observation.snapshot.files[reference.file];
            let site = &file.index.sites[reference.site];
            Place {
                file: file.path.clone(),
                position: site.position,
                reference: site.reference_text(),
            }
        })
        .collect();
    let verdicts = plan
        .selection
        .iter()
        .flat_map(|selection| &selection.verdicts)
        .map(|verdict| TagRow {
            tag: verdict.tag.to_string(),
            verdict: verdict.verdict,
            reason: verdict.words(),
        })
        .collect();
    let app = &observation.snapshot.apps[plan.key.app];
    StageExplanation {
        stage: StageView::of(observation, plan),
        policy_in_full: app.stages[plan.key.stage].policy.to_string(),
        places,
        same_digest: same_digest.iter().map(ToString::to_string).collect(),
        verdicts,
    }
}

/// For a stage whose tag can't be ordered: the acceptable tags that are the same image.
async fn same_digest(
    reconciler: &mut Reconciler,
    observation: &Observation,
    plan: &StagePlan,
) -> Vec<Tag> {
    /// Candidates looked up, the best first: a floating tag points at one of the newest.
    const LOOKED_UP: usize = 20;
    let (Step::Blocked(Blocked::Unordered(_)), Some(selection)) = (&plan.step, &plan.selection)
    else {
        return Vec::new();
    };
    let sites = &observation.snapshot.files;
    let Some(current) = plan
        .sites
        .iter()
        .find_map(|reference| sites[reference.file].index.sites[reference.site].tag())
    else {
        return Vec::new();
    };
    let candidates: Vec<Tag> = selection
        .verdicts
        .iter()
        .filter(|verdict| verdict.verdict != Verdict::Rejected)
        .map(|verdict| verdict.tag.clone())
        .take(LOOKED_UP)
        .collect();
    let app = &observation.snapshot.apps[plan.key.app];
    reconciler.same_digest(app, &current, candidates).await
}

fn print(explanation: &Explanation, limit: usize, output: Output) {
    output.line(format!(
        "{}  {} ({})",
        output.paint("1", &explanation.app),
        explanation.policy_in_full,
        explanation.file
    ));
    for explained in &explanation.stages {
        let stage = &explained.stage;
        output.line("");
        output.line(format!(
            "{}  runs {}: {}",
            output.paint("1", &stage.stage),
            stage.current.as_deref().unwrap_or("nothing"),
            stage.reason
        ));
        if explained.policy_in_full != explanation.policy_in_full {
            output.line(format!("  by {}", explained.policy_in_full));
        }
        view::print_states(stage, output);
        if !explained.same_digest.is_empty() {
            output.line(format!(
                "  the same image as {}: write that tag, or set `unordered: replace`",
                explained.same_digest.join(", ")
            ));
        }
        for approvals in stage
            .waits
            .iter()
            .filter_map(|wait| wait.approvals.as_ref())
        {
            output.line(format!("  at the end of {}:", approvals.file));
            for line in approvals.entry.lines() {
                output.line(format!("    {line}"));
            }
        }
        for place in &explained.places {
            output.line(format!(
                "  {}:{}  {}",
                place.file, place.position, place.reference
            ));
        }
        print_verdicts(&explained.verdicts, limit, output);
    }
    output.diagnostics(&explanation.problems);
}

fn print_verdicts(verdicts: &[TagRow], limit: usize, output: Output) {
    /// A column wider than this pushes the reasons off the screen; signatures have long tags.
    const MAX_WIDTH: usize = 40;
    let limit = if limit == 0 { usize::MAX } else { limit };
    let shown = || verdicts.iter().take(limit);
    let longest = shown().map(|row| row.tag.len()).max().unwrap_or(0);
    let width = longest.min(MAX_WIDTH);
    for row in shown() {
        let (word, style) = match row.verdict {
            Verdict::Selected => ("selected", "32"),
            Verdict::Acceptable => ("acceptable", "36"),
            Verdict::Rejected => ("rejected", "2"),
        };
        let word = output.paint(style, &format!("{word:<10}"));
        output.line(format!("    {word}  {:<width$}  {}", row.tag, row.reason));
    }
    let more = verdicts.len().saturating_sub(limit);
    if more > 0 {
        output.line(format!("    and {more} more (--tags 0 prints all)"));
    }
}
