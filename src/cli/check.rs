//! `check [PATH]`: everything that is wrong or left out, found without any registry.

mod approvals;
mod checks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use self::checks::Answering;
use crate::cli::output::{Exit, Output, count, has_errors};
use crate::cli::service;
use crate::cli::walk;
use crate::config::{self, FolderPath, ForgeAccess, PoliciesEntry};
use crate::diag::{self, Diagnostic, Severity};
use crate::promotion::approval::People;
use crate::reconcile::plan::Blocked;
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::Source;
use crate::reconcile::states::{self, Why};

/// Checks the configuration, the app files, and what they make of a working tree
#[derive(Debug, Args)]
pub struct Check {
    /// The working tree of a config repo
    #[arg(default_value = ".")]
    path: PathBuf,
    /// The config repo that PATH is a tree of, where the configuration has several
    #[arg(long, value_name = "NAME")]
    repository: Option<String>,
    /// A policies folder in PATH, where there is no configuration
    #[arg(long, value_name = "DIR", default_value = "policies/")]
    policies: String,
    /// Exit with 1 on warnings
    #[arg(long)]
    strict: bool,
}

#[derive(Serialize)]
struct Report {
    diagnostics: Vec<Diagnostic>,
    apps: usize,
    sites: usize,
}

/// Runs the command.
///
/// # Errors
/// When a file or folder can't be read.
pub fn run(arguments: &Check, config: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let mut diagnostics = Vec::new();
    let tree = Tree {
        path: &arguments.path,
        repository: arguments.repository.as_deref(),
        policies: &arguments.policies,
    };
    let known = configured(&tree, config, &mut diagnostics)?;
    let mut report = Report {
        diagnostics,
        apps: 0,
        sites: 0,
    };
    if let Some(Configured {
        policies,
        people,
        answering,
        ..
    }) = known
    {
        let source = Source::Folder(&arguments.path);
        let waiting = walk::waiting(format!("reading {}", arguments.path.display()));
        let snapshot = Snapshot::take(source, &policies, &mut Memory::default())?;
        waiting.finish_and_clear();
        report.apps = snapshot.apps.len();
        report.sites = snapshot.claims.stages.values().map(Vec::len).sum();
        let found = snapshot
            .diagnostics
            .iter()
            .cloned()
            .chain(siteless(&snapshot))
            .chain(nobody_s(&snapshot))
            .chain(approvals::doubts(&snapshot.apps, people.as_deref()))
            .chain(answering.map_or_else(Vec::new, |it| it.unanswered(&snapshot)))
            .collect();
        report
            .diagnostics
            .extend(with_sources(found, &arguments.path));
    }
    report
        .diagnostics
        .sort_by(|a, b| (&a.file, a.position, &a.message).cmp(&(&b.file, b.position, &b.message)));
    if output.is_json() {
        output.json(&report);
    } else {
        print(&report, output);
    }
    let warned = report
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity == Severity::Warning);
    Ok(if has_errors(&report.diagnostics) {
        Exit::Invalid
    } else if arguments.strict && warned {
        Exit::Failed
    } else {
        Exit::Done
    })
}

/// A working tree of a config repo, as commands name it.
pub(super) struct Tree<'a> {
    /// Where it is.
    pub(super) path: &'a Path,
    /// The config repo that it is of.
    pub(super) repository: Option<&'a str>,
    /// Its policies folder, where there is no configuration.
    pub(super) policies: &'a str,
}

/// What the configuration says of a tree.
pub(super) struct Configured {
    /// The policies entries that hold for it.
    pub(super) policies: Vec<PoliciesEntry>,
    /// The URL of its config repo, and the forge that this is on, as far as they are known.
    pub(super) forge: Option<(String, ForgeAccess)>,
    /// Who may decide, where there is a configuration.
    pub(super) people: Option<Arc<People>>,
    /// What answers the checks of stages, where there is a configuration.
    answering: Option<Answering>,
}

/// What is known of the tree; `None` if the configuration can't be used.
pub(super) fn configured(
    arguments: &Tree<'_>,
    config: Option<&Path>,
    diagnostics: &mut Vec<Diagnostic>,
) -> anyhow::Result<Option<Configured>> {
    let Some(path) = find_config(arguments, config) else {
        let folder: FolderPath = arguments
            .policies
            .parse()
            .with_context(|| format!("`--policies {}`", arguments.policies))?;
        return Ok(Some(Configured {
            policies: vec![PoliciesEntry::unlimited(folder)],
            forge: None,
            people: None,
            answering: None,
        }));
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("the configuration {} can't be read", path.display()))?;
    let loaded = config::service(&path.display().to_string(), &text);
    diagnostics.extend(loaded.diagnostics);
    let Some(service) = loaded.value else {
        return Ok(None);
    };
    let named = |name: &str| {
        let wanted = arguments.repository;
        wanted.is_none_or(|wanted| wanted == name)
    };
    let mut matching = service
        .repositories
        .into_iter()
        .filter(|repository| named(repository.name.as_str()));
    let Some(repository) = matching.next() else {
        anyhow::bail!(
            "no config repo is named `{}`",
            arguments.repository.unwrap_or_default()
        );
    };
    anyhow::ensure!(
        matching.next().is_none(),
        "the configuration has several config repos: name the one of this tree with --repository"
    );
    let url = repository.remote.url.to_string();
    let gates = repository.gates.into_iter().map(|gate| gate.name);
    let answering = Answering::new(gates.collect(), repository.forge.as_ref());
    Ok(Some(Configured {
        policies: repository.policies,
        people: Some(repository.people),
        forge: repository.forge.map(|forge| (url, forge)),
        answering: Some(answering),
    }))
}

fn find_config(arguments: &Tree<'_>, config: Option<&Path>) -> Option<PathBuf> {
    if let Some(named) = config {
        return Some(named.to_owned());
    }
    let beside = PathBuf::from(reached(arguments.path, service::DEFAULT_CONFIG));
    [beside, PathBuf::from(service::DEFAULT_CONFIG)]
        .into_iter()
        .find(|path| path.is_file())
}

/// Stages that no site belongs to.
fn siteless(snapshot: &Snapshot) -> Vec<Diagnostic> {
    snapshot
        .claims
        .stages
        .iter()
        .filter(|(_, sites)| sites.is_empty())
        .map(|(key, _)| {
            let app = &snapshot.apps[key.app];
            let stage = &app.stages[key.stage];
            if snapshot.claims.contested.contains(key) {
                let message = format!("the stage `{}` has {}", stage.name, Blocked::Contested);
                return Diagnostic::error(&app.file, message);
            }
            Diagnostic::error(
                &app.file,
                format!(
                    "no site for the stage `{}`: no file under {} names {}",
                    stage.name,
                    stage.paths.include().written().join(", "),
                    app.image
                ),
            )
            .hint("correct `paths` or `image`, or mark a site with `# tagwright: APP`")
        })
        .collect()
}

/// Images that nobody manages, one diagnostic each, at their first site.
fn nobody_s(snapshot: &Snapshot) -> Vec<Diagnostic> {
    let unowned = states::unowned(snapshot).into_iter();
    let told = unowned.map(|unowned| {
        let image = unowned.image;
        let others = match unowned.sites {
            1 => String::new(),
            sites => format!(", here and at {}", count(sites - 1, "other place")),
        };
        let (words, hint) = match unowned.why {
            Why::Unwatched => (
                format!("nobody manages {image}{others}"),
                "add an app file for it, or `# tagwright: ignore` at the site",
            ),
            Why::Unreached => (
                format!(
                    "nobody manages {image}{others}: no stage of an app that watches it reaches the \
                     file"
                ),
                "add the file to the `paths` of a stage, or `# tagwright: ignore` at the site",
            ),
        };
        Diagnostic::warning(unowned.file, words)
            .at_bare(unowned.position)
            .hint(hint)
    });
    told.collect()
}

/// Adds the source lines to diagnostics about files of the tree, reading each file once, and names the
/// files as reached from here.
fn with_sources(mut diagnostics: Vec<Diagnostic>, root: &Path) -> Vec<Diagnostic> {
    let mut by_file: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (number, diagnostic) in diagnostics.iter().enumerate() {
        if diagnostic.position.is_some() {
            let file = diagnostic.file.clone();
            by_file.entry(file).or_default().push(number);
        }
    }
    for (file, numbers) in by_file {
        let Ok(text) = std::fs::read_to_string(root.join(file)) else {
            continue;
        };
        let positions = numbers.iter().filter_map(|at| diagnostics[*at].position);
        let lines = diag::lines_at(&text, positions);
        for number in numbers {
            let diagnostic = &mut diagnostics[number];
            if let Some(position) = diagnostic.position {
                let line = lines.get(&position.line).copied();
                *diagnostic = diagnostic.clone().at_line(line, position);
            }
        }
    }
    for diagnostic in &mut diagnostics {
        diagnostic.file = reached(root, &diagnostic.file);
    }
    diagnostics
}

fn reached(root: &Path, file: &str) -> String {
    if root == Path::new(".") {
        return file.to_owned();
    }
    root.join(file).display().to_string()
}

fn print(report: &Report, output: Output) {
    for diagnostic in &report.diagnostics {
        output.line(diagnostic.render(output.color()));
        output.line("");
    }
    let of = |severity| {
        let same = |diagnostic: &&Diagnostic| diagnostic.severity == severity;
        report.diagnostics.iter().filter(same).count()
    };
    output.note(format!(
        "{}, {}; {}, {}",
        count(report.apps, "app"),
        count(report.sites, "managed site"),
        count(of(Severity::Error), "error"),
        count(of(Severity::Warning), "warning")
    ));
}
