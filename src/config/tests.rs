//! The configuration as a whole: files in, values and diagnostics out.

mod approvals;
mod apps;
mod clouds;
mod conditions;
mod examples;
mod gates;
mod groups;
mod hostile;
mod presets;
mod promotion;
mod pulls;
mod service;
mod tags;
mod targets;
mod unsupported;

use super::{Apps, PoliciesEntry, PolicyFile, service::Service};
use crate::diag::{Diagnostic, Severity};

/// The diagnostics as printed, one below the other.
fn rendered(diagnostics: &[Diagnostic]) -> String {
    let texts: Vec<_> = diagnostics
        .iter()
        .map(|diagnostic| diagnostic.render(false))
        .collect();
    texts.join("\n\n")
}

/// The diagnostics as single lines.
fn lines(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics.iter().map(ToString::to_string).collect()
}

fn errors(diagnostics: &[Diagnostic]) -> usize {
    let error = |diagnostic: &&Diagnostic| diagnostic.severity == Severity::Error;
    diagnostics.iter().filter(error).count()
}

/// The service of a text without mistakes.
fn good_service(text: &str) -> Service {
    let loaded = super::service("tagwright.yaml", text);
    assert!(
        loaded.diagnostics.is_empty(),
        "{}",
        rendered(&loaded.diagnostics)
    );
    loaded.value.unwrap()
}

/// A policies entry as the service file states it.
fn entry(yaml: &str) -> PoliciesEntry {
    let text = format!(
        "version: 1\nrepositories: [{{name: r, url: /r.git, policies: [{yaml}]}}]\nregistries: [{{name: team-a, host: ghcr.io}}]\n"
    );
    good_service(&text)
        .repositories
        .remove(0)
        .policies
        .remove(0)
}

/// The apps of `policies/`, the files given by their path below it.
fn apps_of(entry: &PoliciesEntry, files: &[(&str, &str)]) -> Apps {
    let paths: Vec<_> = files
        .iter()
        .map(|(path, _)| format!("policies/{path}"))
        .collect();
    let files: Vec<_> = files
        .iter()
        .zip(&paths)
        .map(|((_, text), path)| PolicyFile {
            path,
            text,
            blob: "0123abc",
        })
        .collect();
    super::apps(entry, &files)
}
