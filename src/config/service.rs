//! The service file as validated values.
//!
//! Invariant: in a [`Service`] nothing can be wrong that the file alone shows: names are unique,
//! credentials fit their URL, and for every policies entry it is certain whose credentials are used.
//!
//! It opens no file: secrets and certificates are read where they are used, and a relative path starts
//! where the process runs.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::approvals::{ForgeKnown, Proof};
use super::duration::Interval;
use super::folder::FolderPath;
use super::glob::{Globs, ImageGlobs};
use super::name::Name;
use super::raw_service::push::PushMode;
use super::raw_service::{RawEntry, RawPolicies, RawRepository, RawService};
use super::read::{At, Field};
use super::report::{Mistake, Report, Spot};
use crate::forge::Credentials;
use crate::gate::Gate;
use crate::git::{AllowedSigners, Remote};
use crate::notify::Nudge;
use crate::promotion::approval::{Identity, People};
use crate::registry::Access;

mod after_push;
mod commit;
mod gates;
mod holds;
mod people;
mod push;
mod registries;
mod remote;
mod server;
mod verify;

use after_push::nudges;
use commit::commits;
pub use commit::{Commits, Signing};
use gates::gates;
pub use holds::Hold;
use holds::holds;
use people::people;
pub use push::{ForgeAccess, Pulls};
pub use registries::Registry;
use registries::{Registries, registries};
use remote::remote;
use server::server;
pub use server::{Caller, Server};
use verify::signers;

/// The branch that is read and written where nothing is said.
const DEFAULT_BRANCH: &str = "main";

/// The configuration of the service.
#[derive(Debug, Clone)]
pub struct Service {
    /// The config repos, at least one.
    pub repositories: Vec<Repository>,
    /// How registries are reached, in the order written.
    pub registries: Vec<Registry>,
    /// The service's own HTTP server.
    pub server: Server,
    /// The folder for what is kept between passes, if one is named.
    pub cache: Option<PathBuf>,
}

/// A config repo.
#[derive(Debug, Clone)]
pub struct Repository {
    /// What it is called.
    pub name: Name,
    /// Where it is and how to sign in.
    pub remote: Remote,
    /// The branch that is read and written.
    pub branch: String,
    /// How often it is fetched.
    pub interval: Duration,
    /// Its folders of app files, at least one; of two apps with one name the first entry keeps it.
    pub policies: Vec<PoliciesEntry>,
    /// How commits are made.
    pub commits: Commits,
    /// How changes are published, unless a stage is stricter.
    pub push: PushMode,
    /// How pull requests are made, where any are.
    pub pulls: Pulls,
    /// The forge that it is on, where that is known.
    pub forge: Option<ForgeAccess>,
    /// Who is told after a push.
    pub after_push: Vec<Nudge>,
    /// How many changes one pass makes, if that is limited.
    pub changes_per_pass: Option<NonZeroUsize>,
    /// By whom what is fetched must be signed, if that matters.
    pub signers: Option<AllowedSigners>,
    /// What is not to be changed, by the service file.
    pub holds: Vec<Hold>,
    /// Who may decide; the same people in every config repo.
    pub people: Arc<People>,
    /// The gates that stages may name; the same in all config repos.
    pub gates: Vec<Gate>,
}

/// A folder of app files and what its apps may do.
#[derive(Debug, Clone)]
pub struct PoliciesEntry {
    /// The folder.
    pub path: FolderPath,
    /// The paths that its apps may change, if that is limited.
    pub may_write: Option<Globs>,
    /// The images that its apps may watch, if that is limited.
    pub images: Option<ImageGlobs>,
    /// The registries whose credentials its apps may use, by name, if that is limited.
    pub registries: Option<Vec<String>>,
    /// How consents to changes of its apps are proven where their files say nothing.
    pub proof: Proof,
}

impl PoliciesEntry {
    /// An entry without limits.
    pub fn unlimited(path: FolderPath) -> Self {
        Self {
            path,
            may_write: None,
            images: None,
            registries: None,
            proof: Proof::default(),
        }
    }

    /// The accounts that its apps may use.
    pub fn access(&self) -> Access<'_> {
        match &self.registries {
            Some(names) => Access::Named(names),
            None => Access::All,
        }
    }

    fn admits(&self, registry: &Registry) -> bool {
        match (&self.registries, &registry.account.name) {
            (None, _) => true,
            (Some(names), Some(name)) => names.contains(name),
            (Some(_), None) => false,
        }
    }
}

/// The service of a mirror; what is wrong is reported, and there may be no value.
pub(super) fn convert(mut raw: RawService, report: &mut Report<'_>) -> Option<Service> {
    let registries = registries(raw.registries.take(), report);
    let repositories = raw.repositories.take()?.value;
    report_repeated(&repositories, report);
    let everywhere = holds(&mut raw.holds, true, report);
    let gates = gates(&mut raw.gates, report);
    let people = people(&mut raw, report);
    let converted: Vec<_> = repositories
        .into_iter()
        .map(|raw| {
            let shared = (everywhere.as_deref()?, people.as_ref()?);
            let repository = repository(raw.value, &registries, shared, report);
            Some(Repository {
                gates: gates.clone()?,
                ..repository?
            })
        })
        .collect();
    let server = server(&mut raw.server, report);
    let cache = raw.cache.get().and_then(|cache| value(&cache.value.path));
    Some(Service {
        repositories: converted.into_iter().collect::<Option<_>>()?,
        registries: registries.list,
        server: server?,
        cache: cache.map(|path| path.0),
    })
}

fn value<T: Clone>(field: &Field<T>) -> Option<T> {
    field.get().map(|at| at.value.clone())
}

/// Two repositories of one name, or for one branch of one URL.
fn report_repeated(repositories: &[At<RawRepository>], report: &mut Report<'_>) {
    let mut names = HashMap::new();
    let mut branches = HashMap::new();
    for raw in repositories.iter().map(|raw| &raw.value) {
        if let Some(name) = raw.name.get() {
            let what = format!("the repository `{}`", name.value);
            report_second(&mut names, name.value.clone(), name.spot, &what, report);
        }
        if let Some(url) = raw.url.get() {
            let branch = branch_of(raw);
            let what = format!("the branch `{branch}` of this URL");
            let key = (url.value.0.clone(), branch);
            report_second(&mut branches, key, url.spot, &what, report);
        }
    }
}

/// Reports a key that `seen` holds already.
fn report_second<K: Eq + std::hash::Hash>(
    seen: &mut HashMap<K, Spot>,
    key: K,
    spot: Spot,
    what: &str,
    report: &mut Report<'_>,
) {
    if let Some(first) = seen.get(&key) {
        let hint = format!("it is already on line {}", first.at.line);
        report.error(
            spot,
            Mistake::new(format!("{what} is listed twice")).hint(hint),
        );
    } else {
        seen.insert(key, spot);
    }
}

fn branch_of(raw: &RawRepository) -> String {
    value(&raw.branch).map_or_else(|| DEFAULT_BRANCH.to_owned(), |branch| branch.0)
}

fn repository(
    mut raw: RawRepository,
    registries: &Registries,
    (everywhere, people): (&[Hold], &Arc<People>),
    report: &mut Report<'_>,
) -> Option<Repository> {
    let branch = branch_of(&raw);
    let has_forge = raw.forge.is_written();
    let mut policies = raw
        .policies
        .take()
        .map(|list| policies(list.value, registries, report));
    let remote = remote(&mut raw, report);
    let commit = raw.commit.get().map(|at| at.key);
    let commits = commits(raw.commit.take(), report);
    let after_push = nudges(&mut raw.after_push, report);
    let own = holds(&mut raw.holds, false, report);
    let needed = raw.push.get().and_then(|push| push.value.mode.get());
    let needed = needed.filter(|mode| mode.value == PushMode::PullRequest);
    let signed = commits
        .as_ref()
        .filter(|commits| commits.signing == Some(Signing::Forge));
    let needed = needed.map(|mode| mode.spot).or(signed.and(commit));
    let is_configured = has_forge || needed.is_some();
    let published = push::push(&mut raw.push);
    let remote = remote?;
    let forge = push::forge(&mut raw.forge, &remote, needed, report);
    let proof = proof(is_configured, forge.as_ref().and_then(Option::as_ref));
    for entry in policies.iter_mut().flatten().flatten() {
        entry.proof = proof;
    }
    let (push, pulls) = published?;
    let commits = commits?;
    Some(Repository {
        signers: signers(&mut raw.verify, &commits, push, report)?,
        name: raw.name.take()?.value,
        remote,
        branch,
        interval: value(&raw.interval).unwrap_or(Interval::REPOSITORY).0,
        policies: policies?.into_iter().collect::<Option<_>>()?,
        commits,
        push,
        pulls,
        forge: forge?,
        after_push: after_push?,
        changes_per_pass: changes_per_pass(&mut raw)?,
        holds: [everywhere, &own?].concat(),
        people: Arc::clone(people),
        gates: Vec::new(),
    })
}

/// How it is known who consents in a config repo with this forge: what the forge attests is asked of it only
/// where it is said that it is one, or where it is asked for something else too.
fn proof(is_configured: bool, forge: Option<&ForgeAccess>) -> Proof {
    let can_be_asked = forge.is_some_and(|forge| forge.credentials != Credentials::None);
    Proof {
        default: match is_configured {
            true => Identity::Forge,
            false => Identity::Signed,
        },
        forge: match can_be_asked {
            true => ForgeKnown::MayBe,
            false => ForgeKnown::No,
        },
    }
}

/// The limit of changes, if there is one; none at all where it could not be read.
fn changes_per_pass(raw: &mut RawRepository) -> Option<Option<NonZeroUsize>> {
    let written = raw.limits.is_written();
    let Some(limits) = raw.limits.take() else {
        return (!written).then_some(None);
    };
    let count = value(&limits.value.changes_per_pass);
    let unreadable = limits.value.changes_per_pass.is_written() && count.is_none();
    (!unreadable).then_some(count.map(|count| count.0))
}

fn policies(
    raw: Vec<At<RawPolicies>>,
    registries: &Registries,
    report: &mut Report<'_>,
) -> Vec<Option<PoliciesEntry>> {
    let mut folders: Vec<(FolderPath, Spot)> = Vec::new();
    let mut entries = Vec::new();
    for raw in raw {
        let spot = raw.spot;
        let entry = entry(raw.value.0, registries, report);
        if let Some(entry) = &entry {
            report_overlap(&entry.path, spot, &folders, report);
            report_ambiguous(entry, spot, registries, report);
            folders.push((entry.path.clone(), spot));
        }
        entries.push(entry);
    }
    entries
}

fn entry(
    mut raw: RawEntry,
    registries: &Registries,
    report: &mut Report<'_>,
) -> Option<PoliciesEntry> {
    let named = raw.registries.take().map(|list| list.value);
    for name in named.iter().flatten() {
        if !registries.names.contains_key(&name.value) {
            let mistake = Mistake::new(format!("no registry is called `{}`", name.value));
            let known = registries.names.keys().map(Name::as_str);
            let near = crate::diag::suggest(name.value.as_str(), known);
            report.error(
                name.spot,
                match near {
                    Some(near) => mistake.hint(format!("did you mean `{near}`?")),
                    None => mistake.hint("give the registry a `name` under `registries`"),
                },
            );
        }
    }
    let may_write = limit(&raw.may_write, |globs| Globs::of(globs, None), report);
    let images = limit(&raw.images, ImageGlobs::of, report);
    let names = named.map(|list| list.iter().map(|name| name.value.to_string()).collect());
    Some(PoliciesEntry {
        path: raw.path.take()?.value,
        may_write: may_write?,
        images: images?,
        registries: names,
        proof: Proof::default(),
    })
}

/// A limit that is written, built; `Some(None)` where none is.
fn limit<T, L>(
    field: &Field<Vec<At<T>>>,
    build: impl Fn(&[At<T>]) -> Result<L, Mistake>,
    report: &mut Report<'_>,
) -> Option<Option<L>> {
    let Some(list) = field.get() else {
        // A limit that could not be read must not turn into no limit.
        return (!field.is_written()).then_some(None);
    };
    match build(&list.value) {
        Ok(limit) => Some(Some(limit)),
        Err(mistake) => {
            report.error(list.spot, mistake);
            None
        }
    }
}

/// A file would belong to two entries, and it would be unclear whose limits hold.
fn report_overlap(
    path: &FolderPath,
    spot: Spot,
    others: &[(FolderPath, Spot)],
    report: &mut Report<'_>,
) {
    let overlaps = |(other, _): &&(FolderPath, Spot)| {
        other == path || other.contains(path.as_str()) || path.contains(other.as_str())
    };
    if let Some((other, first)) = others.iter().find(overlaps) {
        let message = format!("`{path}` and `{other}` on line {} overlap", first.at.line);
        let hint = "an app file must belong to one entry";
        report.error(spot, Mistake::new(message).hint(hint));
    }
}

/// Two registries of one host and path leave open whose credentials are used.
fn report_ambiguous(
    entry: &PoliciesEntry,
    spot: Spot,
    registries: &Registries,
    report: &mut Report<'_>,
) {
    let mut seen = HashSet::new();
    for registry in registries
        .list
        .iter()
        .filter(|registry| entry.admits(registry))
    {
        let account = &registry.account;
        let place = (account.host.as_str(), account.path.as_str());
        if !seen.insert(place) {
            let message = format!(
                "two registries for `{}/{}` could be used by the apps of this entry",
                place.0, place.1
            );
            let hint = "name the ones to use under the entry's `registries`";
            report.error(spot, Mistake::new(message).hint(hint));
        }
    }
}
