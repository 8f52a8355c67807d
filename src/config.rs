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
mod apps;
mod credential;
mod defaults;
mod duration;
mod folder;
mod glob;
mod name;
mod raw_app;
mod raw_service;
mod read;
mod report;
mod schema;
mod service;
mod target;
mod tree;

#[cfg(test)]
mod tests;

pub use app::{App, Detect, Stage};
pub use apps::{Apps, Broken, PolicyFile, all, apps, looks_like_app_file};
pub use folder::FolderPath;
pub use glob::{Globs, ImageGlobs, Paths};
pub use name::{FluxMarker, InvalidName, Name};
pub use raw_service::PushMode;
pub use schema::{APP_MODELINE, SERVICE_MODELINE, app_schema, modeline, service_schema};
pub use service::{PoliciesEntry, Registry, Repository, Server, Service};
pub use target::Target;
pub use tree::MAX_FILE;

use std::time::Duration;

use crate::diag::Diagnostic;
use raw_service::RawService;
use read::Read as _;
use report::Report;

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
