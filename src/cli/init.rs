//! `init PATH`: proposes app files for the images found in a repo, and writes them if asked.
//!
//! Invariant: a file that is there is never changed.

pub mod service;

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use serde::Serialize;

use crate::cli::output::{Exit, Output, has_errors};
use crate::cli::service::DEFAULT_CONFIG;
use crate::cli::walk;
use crate::config::{self, FolderPath, ImageGlobs, PoliciesEntry};
use crate::diag::Position;
use crate::reconcile::claims::{IndexedFile, SiteRef};
use crate::reconcile::propose::{self, Ground, LeftOut, Proposal, Proposed, Wanted};
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::Source;

/// Where app files go if nothing else is said, and where if other files are there.
const FOLDERS: [&str; 2] = ["policies", "tagwright/policies"];

/// Proposes app files for the images found in a repo
///
/// Guesses stages from the folders and policies from the tags that run (versions, dates, numbers,
/// commits), and shows what each app would manage and what is left out. Images that an app watches already are passed over.
#[derive(Debug, Args)]
pub struct Init {
    /// The root of a config repo's working tree
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Write the app files, and a tagwright.yaml to start from; existing files stay as they are
    #[arg(long)]
    write: bool,
    /// Take in images of public libraries too
    #[arg(long, conflicts_with = "images")]
    all: bool,
    /// Only these images, as globs such as `ghcr.io/acme/**`
    #[arg(long = "image", value_name = "GLOB", value_parser = image_glob)]
    images: Vec<String>,
    /// The policies folder in PATH [default: as configured in PATH, else policies/]
    #[arg(long, value_name = "DIR")]
    policies: Option<FolderPath>,
}

fn image_glob(text: &str) -> Result<String, String> {
    ImageGlobs::parse(&[text]).map(|_| text.to_owned())
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    apps: Vec<AppView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<FileView>,
    left_out: Vec<LeftOutView>,
}

#[derive(Serialize)]
struct AppView {
    app: String,
    image: String,
    #[serde(flatten)]
    file: FileView,
    notes: Vec<String>,
    stages: Vec<StageView>,
}

/// A file that is proposed.
#[derive(Serialize)]
struct FileView {
    file: String,
    text: String,
    written: bool,
    /// Whether a file is there already, which stays as it is.
    exists: bool,
}

#[derive(Serialize)]
struct StageView {
    name: String,
    paths: Vec<String>,
    sites: Vec<PlaceView>,
}

#[derive(Serialize)]
struct PlaceView {
    file: String,
    #[serde(flatten)]
    position: Position,
    reference: String,
    /// Why it can't be written as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
}

#[derive(Serialize)]
struct LeftOutView {
    reference: String,
    file: String,
    #[serde(flatten)]
    position: Position,
    places: usize,
    reason: String,
}

/// Runs the command.
///
/// # Errors
/// When a file or folder can't be read or written.
pub fn run(arguments: &Init, output: Output) -> anyhow::Result<Exit> {
    let root = &arguments.path;
    let wanted = wanted(arguments)?;
    let entries = entries(arguments)?;
    let waiting = walk::waiting(format!("reading {}", root.display()));
    let snapshot = Snapshot::take(Source::Folder(root), &entries, &mut Memory::default())?;
    waiting.finish_and_clear();
    let ground = Ground {
        apps: &snapshot.apps,
        entries: &entries,
        files: &snapshot.files,
    };
    let proposal = propose::propose(ground, &wanted);
    let report = report(arguments, &entries, &snapshot, proposal)?;
    if output.is_json() {
        output.json(&report);
    } else {
        print(&report, arguments.write, output);
    }
    hints(arguments, &report, output);
    let of_apps = snapshot.diagnostics.into_iter().filter(|told| {
        let in_policies = |entry: &PoliciesEntry| entry.path.contains(&told.file);
        entries.iter().any(in_policies)
    });
    let of_apps: Vec<_> = of_apps.collect();
    output.diagnostics(&of_apps);
    let files = report.apps.iter().map(|app| &app.file);
    let kept = files.filter(|file| file.exists).count();
    Ok(if has_errors(&of_apps) {
        Exit::Invalid
    } else if arguments.write && kept > 0 {
        Exit::Failed
    } else {
        Exit::Done
    })
}

fn wanted(arguments: &Init) -> anyhow::Result<Wanted> {
    if arguments.all {
        return Ok(Wanted::All);
    }
    if arguments.images.is_empty() {
        return Ok(Wanted::Own);
    }
    match ImageGlobs::parse(&arguments.images) {
        Ok(globs) => Ok(Wanted::These(globs)),
        Err(why) => anyhow::bail!("--image: {why}"),
    }
}

/// The policies folders of the tree: as named, as configured, or where there is room for one.
fn entries(arguments: &Init) -> anyhow::Result<Vec<PoliciesEntry>> {
    let root = &arguments.path;
    if let Some(folder) = &arguments.policies {
        return Ok(vec![PoliciesEntry::unlimited(folder.clone())]);
    }
    let path = root.join(DEFAULT_CONFIG);
    if let Ok(text) = std::fs::read_to_string(&path) {
        let loaded = config::service(&path.display().to_string(), &text);
        let repositories = loaded.value.map(|service| service.repositories);
        if let Some([one]) = repositories.as_deref() {
            return Ok(one.policies.clone());
        }
    }
    let mut folders = FOLDERS.into_iter();
    let free = folders.find(|folder| !holds_others(&root.join(folder)));
    let folder: FolderPath = free.unwrap_or(FOLDERS[0]).parse()?;
    Ok(vec![PoliciesEntry::unlimited(folder)])
}

/// Whether a folder has YAML files that are no app files, as where another tool keeps its policies.
fn holds_others(folder: &Path) -> bool {
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        let Ok(found) = std::fs::read_dir(&folder) else {
            continue;
        };
        for entry in found.flatten() {
            let path = entry.path();
            let kind = entry.file_type();
            if kind.as_ref().is_ok_and(std::fs::FileType::is_dir) {
                waiting.push(path);
            } else if path
                .extension()
                .is_some_and(|extension| extension == "yaml")
                && path.file_name().is_some_and(|name| name != "defaults.yaml")
                && !std::fs::read_to_string(&path)
                    .is_ok_and(|text| config::looks_like_app_file(&text))
            {
                return true;
            }
        }
    }
    false
}

fn report(
    arguments: &Init,
    entries: &[PoliciesEntry],
    snapshot: &Snapshot,
    proposal: Proposal,
) -> anyhow::Result<Report> {
    let root = &arguments.path;
    let registries: BTreeSet<&str> = proposal
        .apps
        .iter()
        .map(|app| app.image.registry())
        .collect();
    let service = match entries.first() {
        Some(entry) if !proposal.apps.is_empty() && !root.join(DEFAULT_CONFIG).exists() => {
            let text = service::text(root, entry.path.as_str(), &registries);
            Some(file(arguments, DEFAULT_CONFIG, text)?)
        }
        _ => None,
    };
    let apps = proposal
        .apps
        .iter()
        .map(|app| view(arguments, &snapshot.files, app))
        .collect::<anyhow::Result<_>>()?;
    Ok(Report {
        apps,
        service,
        left_out: proposal.left_out.into_iter().map(left_out).collect(),
    })
}

fn view(arguments: &Init, files: &[IndexedFile], app: &Proposed) -> anyhow::Result<AppView> {
    let place = |reference: &SiteRef| {
        let file = &files[reference.file];
        let site = &file.index.sites[reference.site];
        PlaceView {
            file: file.path.clone(),
            position: site.position,
            reference: site.reference_text(),
            refusal: site.refusal.as_ref().map(ToString::to_string),
        }
    };
    let stages = app.stages.iter().map(|stage| StageView {
        name: stage.name.clone(),
        paths: stage.paths.clone(),
        sites: stage.sites.iter().map(place).collect(),
    });
    Ok(AppView {
        app: app.name.clone(),
        image: app.image.to_string(),
        file: file(arguments, &app.file, app.text.clone())?,
        notes: app.notes.clone(),
        stages: stages.collect(),
    })
}

fn left_out(left: LeftOut) -> LeftOutView {
    LeftOutView {
        reference: left.what,
        file: left.file,
        position: left.position,
        places: left.count,
        reason: left.reason,
    }
}

/// A file, written if that is asked for and none is there.
fn file(arguments: &Init, name: &str, text: String) -> anyhow::Result<FileView> {
    let path = arguments.path.join(name);
    let exists = path.symlink_metadata().is_ok();
    let mut view = FileView {
        file: name.to_owned(),
        text,
        written: false,
        exists,
    };
    if arguments.write && !exists {
        let failed = || format!("{} can't be written", path.display());
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(failed)?;
        }
        // Never over a file that came to be meanwhile.
        let mut file = std::fs::File::create_new(&path).with_context(failed)?;
        file.write_all(view.text.as_bytes()).with_context(failed)?;
        view.written = true;
    }
    Ok(view)
}

fn print(report: &Report, write: bool, output: Output) {
    let files = report.service.iter();
    let apps = report.apps.iter();
    let of_apps = apps.map(|app| (&app.file, Some(app)));
    for (file, app) in files.map(|file| (file, None)).chain(of_apps) {
        let state = match (file.written, file.exists) {
            (true, _) => " (written)",
            (_, true) => " (is there already, and stays as it is)",
            (false, false) => "",
        };
        output.line(output.paint("1", &format!("# {}{state}", file.file)));
        if !write {
            output.raw(&file.text);
        }
        for stage in app.iter().flat_map(|app| &app.stages) {
            print_stage(stage, output);
        }
        output.line(if write { "" } else { "---" });
    }
    if !report.left_out.is_empty() {
        output.line(output.paint("1", "# Left out"));
    }
    for left in &report.left_out {
        let more = match left.places {
            1 => String::new(),
            places => format!(" and at {} other places", places - 1),
        };
        output.line(format!(
            "#   {}:{}: {}{more}: {}",
            left.file, left.position, left.reference, left.reason
        ));
    }
}

fn print_stage(stage: &StageView, output: Output) {
    for site in &stage.sites {
        let refusal = match &site.refusal {
            Some(why) => format!("  (can't be written: {why})"),
            None => String::new(),
        };
        output.line(format!(
            "#   {}  {}:{}: {}{refusal}",
            stage.name, site.file, site.position, site.reference
        ));
    }
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// What to do next, to stderr.
fn hints(arguments: &Init, report: &Report, output: Output) {
    let root = &arguments.path;
    let apps = report.apps.len();
    let sites = |stage: &StageView| stage.sites.len();
    let sites: usize = report
        .apps
        .iter()
        .flat_map(|app| &app.stages)
        .map(sites)
        .sum();
    let places: usize = report.left_out.iter().map(|left| left.places).sum();
    output.note(format!(
        "{} would manage {}; left out: {}",
        count(apps, "app"),
        count(sites, "site"),
        count(places, "place")
    ));
    let inside = std::path::absolute(root).is_ok_and(|root| {
        let mut above = root.ancestors().skip(1);
        above.any(|folder| folder.join(".git").exists())
    });
    if inside && !root.join(".git").exists() {
        output.note("paths in app files start at the root of the repository: give PATH as that");
    }
    if apps == 0 {
        return;
    }
    let path = root.display();
    output.note(if arguments.write {
        format!(
            "next: `tagwright check {path}`, then commit; `tagwright schema app` prints the schema \
             that editors look for beside the files"
        )
    } else {
        format!("`tagwright init {path} --write` writes them")
    });
}
