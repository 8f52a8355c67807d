//! An entry on its way to its file: to the branch, or by a pull request, or printed to be pasted.
//!
//! Invariant: whatever becomes of it, the entry is printed, and the exit code says whether anything is left
//! for the person to do.

use serde::Serialize;

use super::Proposing;
use super::propose::{self, Opened};
use crate::cli::output::{Exit, Output};
use crate::config::ForgeAccess;
use crate::decision;
use crate::git::{Errand, PersonsClone, Published, Way};

/// Where a decision leaves from.
pub(super) struct Outlet {
    /// The person's clone.
    pub(super) clone: PersonsClone,
    /// What is said of pull requests.
    pub(super) proposing: Proposing,
    /// The URL of the config repo and its forge, as the configuration has them.
    pub(super) forge: Option<(String, ForgeAccess)>,
}

/// An entry to be added.
pub(super) struct Letter<'d> {
    pub(super) app: Option<String>,
    pub(super) stages: Vec<String>,
    pub(super) file: String,
    pub(super) entry: String,
    pub(super) subject: String,
    pub(super) reason: Option<&'d str>,
    pub(super) way: Way,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    /// `pushed`, `proposed`, `branched` or `refused`.
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stages: Option<Vec<String>>,
    file: String,
    entry: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    /// The branch that has the commit, if it is not the remote's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pull_request: Option<Opened>,
    /// Why there is no pull request.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_pull_request: Option<String>,
    /// Where a person opens one.
    #[serde(skip_serializing_if = "Option::is_none")]
    page: Option<String>,
    /// The remote's words, where it refused something.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Letter<'_> {
    pub(super) fn publish(mut self, outlet: &Outlet, output: Output) -> anyhow::Result<Exit> {
        let message = match self.reason {
            Some(reason) => format!("{}\n\n{reason}", self.subject),
            None => self.subject.clone(),
        };
        let name = match (&self.app, self.stages.first()) {
            (Some(app), Some(stage)) => format!("{app}-{stage}"),
            _ => "freezes".to_owned(),
        };
        let errand = Errand {
            path: &self.file,
            message: &message,
            name: &name,
            way: self.way,
        };
        let change = |before: &str| decision::append(before, &self.entry);
        let published = outlet.clone.publish(errand, change)?;
        let stage = self.app.as_ref().and_then(|_| self.stages.pop());
        let mut report = Report {
            stages: self.app.is_none().then_some(self.stages),
            app: self.app,
            stage,
            file: self.file,
            entry: self.entry,
            ..Report::default()
        };
        match published {
            Published::Pushed(id) => (report.result, report.commit) = ("pushed", Some(id)),
            Published::Refused(words) => (report.result, report.message) = ("refused", Some(words)),
            Published::Aside {
                branch,
                commit,
                refusal,
            } => {
                report.message = refusal;
                report.commit = Some(commit);
                report.propose(outlet, branch, self.subject)?;
            }
        }
        if output.is_json() {
            output.json(&report);
        } else {
            report.print(output);
        }
        Ok(match report.result {
            "pushed" | "proposed" => Exit::Done,
            _ => Exit::Failed,
        })
    }
}

impl Report {
    /// Opens a pull request for the commit that is on `branch`.
    fn propose(&mut self, outlet: &Outlet, branch: String, title: String) -> anyhow::Result<()> {
        // No line of an entry is a fence: each begins with a dash or blanks.
        let body = format!("Adds to `{}`:\n\n```yaml\n{}```\n", self.file, self.entry);
        let forge = propose::Forge::of(outlet);
        match forge.open(outlet.clone.branch(), &branch, title, body)? {
            Ok(opened) => (self.result, self.pull_request) = ("proposed", Some(opened)),
            Err(why) => {
                (self.result, self.no_pull_request) = ("branched", Some(why));
                self.page = forge.page(outlet.clone.branch(), &branch);
            }
        }
        self.branch = Some(branch);
        Ok(())
    }

    fn print(&self, output: Output) {
        let file = &self.file;
        if let Some(words) = &self.message {
            output.note(match self.branch {
                Some(_) => format!("the branch refuses the commit: {words}"),
                None => format!("the remote refused it: {words}"),
            });
        }
        match (&self.pull_request, &self.branch, &self.commit) {
            (Some(pull), _, _) => {
                output.note(format!("pull request {}: {}", pull.number, pull.url));
            }
            (None, Some(branch), _) => {
                let why = self.no_pull_request.as_deref().unwrap_or_default();
                output.note(format!("pushed to the branch `{branch}`"));
                output.note(format!("no pull request is opened for it: {why}"));
                match &self.page {
                    Some(page) => output.note(format!("open one: {page}")),
                    None => output.note(format!(
                        "open one, or add this at the end of {file} in another way:"
                    )),
                }
            }
            (None, None, Some(commit)) => output.note(format!("pushed as commit {commit}")),
            (None, None, None) => {
                output.note(format!("add this at the end of {file} in another way:"));
            }
        }
        output.raw(&self.entry);
    }
}

impl Proposing {
    pub(super) fn way(&self) -> Way {
        match (self.pull_request, self.no_pull_request) {
            (true, _) => Way::Aside,
            (false, true) => Way::Branch,
            (false, false) => Way::BranchOrAside,
        }
    }
}
