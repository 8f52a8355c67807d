//! Configuration: the service file, and the app files and defaults of a config repo.
//!
//! Text becomes a tree with places (`tree`), the tree a mirror of the file whose values are valid one
//! by one (`read`, `raw_service`, `raw_app`), and mirrors become values that fit together
//! (`service`, `app`, `apps`). Each step reports what is wrong and goes on (`report`), so one run
//! tells every mistake of a file, with its line.
//!
//! Invariant: no key is ignored. One that is unknown is refused with a suggestion, and one whose work
//! is not done is refused as not supported yet. A secret is never read from a file of ours nor quoted.
//!
//! It reads no file and asks nobody: texts come in, values and diagnostics go out.

mod app;
mod approvals;
mod apps;
mod checks;
mod conditions;
mod credential;
mod defaults;
mod duration;
mod folder;
mod glob;
mod group;
mod name;
mod presets;
mod promotion;
mod raw_app;
mod raw_service;
mod raw_tags;
mod read;
mod report;
mod schema;
mod service;
mod tags;
mod target;
mod template;
mod tree;

#[cfg(test)]
mod tests;

pub use app::{App, Detect, Stage};
pub use approvals::{Approvals, Consents, ForgeKnown, Proof};
pub use apps::{Apps, Broken, PolicyFile, all, apps, looks_like_app_file};
pub use checks::{Check, CheckOf, StatusGlob};
pub use conditions::Freeze;
pub use duration::duration;
pub use folder::FolderPath;
pub use glob::{Globs, ImageGlobs, Paths};
pub use group::Group;
pub use name::{FluxMarker, InvalidName, Name};
pub use presets::names as preset_names;
pub use promotion::Entry;
pub use raw_app::Promote;
pub use raw_service::commit::Grouping;
pub use raw_service::push::{PullGrouping, PushMode, Rebuild};
pub use schema::{APP_MODELINE, SERVICE_MODELINE, app_schema, modeline, service_schema};
pub use service::{
    Caller, Commits, ForgeAccess, Hold, PoliciesEntry, Pulls, Registry, Repository, Server,
    Service, Signing,
};
pub use target::Target;
pub use template::{Blank, Template};
pub use tree::MAX_FILE;

use std::time::Duration;

use crate::diag::Diagnostic;
use crate::policy::Policy;
use raw_app::RawApp;
use raw_service::RawService;
use read::{Keys, Mirror as _, Read as _};
use report::{Mistake, Report};

/// How often the images of a registry are looked at where no entry says.
pub const REGISTRY_INTERVAL: Duration = duration::Interval::REGISTRY.0;

/// What became of a file.
#[derive(Debug, Clone)]
pub struct Loaded<T> {
    /// The value, if the file has no mistake.
    pub value: Option<T>,
    /// What is wrong, and what may be.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the text of the service file; `file` is its name for messages.
///
/// Paths of secrets and certificates are taken as written: a relative one starts where the process
/// runs, not where the file is.
pub fn service(file: &str, text: &str) -> Loaded<Service> {
    let mut report = Report::default();
    let source = report.source(file, text);
    let raw = read::read_text(source, &mut report, RawService::read);
    let value = raw.and_then(|raw| service::convert(raw, &mut report));
    Loaded {
        value: value.filter(|_| report.errors(source) == 0),
        diagnostics: report.finish(),
    }
}

/// Reads the policy of an app file, a `defaults.yaml` or a ready-made policy, to be tried on tags by
/// itself: no defaults are laid under it, and keys whose work is not done elsewhere are read. Of
/// stages, nothing counts.
pub fn policy(file: &str, text: &str) -> Loaded<Policy> {
    let mut report = Report::default();
    let source = report.source(file, text);
    let keys = Keys {
        required: &["version"],
        ..RawApp::KEYS
    };
    let raw = read::read_text(source, &mut report, |node, reader| {
        RawApp::read_with(node, reader, keys)
    });
    let value = raw.and_then(|raw| {
        for stage in raw.stages.get().into_iter().flat_map(|list| &list.value) {
            if let Some(tags) = stage.value.tags.get() {
                let mistake = Mistake::new("the `tags` of a stage are not looked at here");
                report.warning(tags.key, mistake.hint("the app's `tags` are"));
            }
        }
        let mut raw = presets::lay(raw, std::iter::empty(), &mut report);
        let unordered = raw.unordered.take().map(|at| at.value).unwrap_or_default();
        tags::convert(raw.tags.take().map(|at| at.value), unordered, &mut report)
    });
    Loaded {
        value: value.filter(|_| report.errors(source) == 0),
        diagnostics: report.finish(),
    }
}
