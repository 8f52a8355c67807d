//! An app as validated values.
//!
//! Invariant: an [`App`] keeps within the limits of its policies entry, and its stages have different
//! names and at least one path each.
//!
//! It knows one app at a time; that names differ between apps is decided by `apps`.

use std::collections::HashMap;

use super::approvals::Proof;
use super::approvals::{self, Consents};
use super::checks::{self, Check};
use super::conditions::{self, Freeze};
use super::glob::{Globs, Paths};
use super::group::Group;
use super::name::{FluxMarker, Name};
use super::promotion::{self, Entry, Wanted};
use super::raw_app::{RawApp, RawStage, RawTarget};
use super::raw_service::push::PushMode;
use super::read::{At, Field};
use super::report::{Mistake, Report, Spot};
use super::service::PoliciesEntry;
use super::tags;
use super::target::{self, Target};
use crate::image::Image;
use crate::policy::{Policy, Unordered, Write};
use crate::promotion::windows::Window;

/// An image, its policy and its stages.
#[derive(Debug, Clone)]
pub struct App {
    /// What it is called, once in a config repo.
    pub name: Name,
    /// The app file, as a path from the repository's root.
    pub file: String,
    /// The id of the app file's blob, as text.
    pub blob: String,
    /// The place of its policies entry in the list.
    pub entry: usize,
    /// The image.
    pub image: Image,
    /// Other names of it, which manifests may have; only `image` is looked up.
    pub aliases: Vec<Image>,
    /// Which tags are acceptable, for stages that say nothing else.
    pub policy: Policy,
    /// Whether sites are found by the image's name.
    pub detect: Detect,
    /// The Flux marker it answers to, if it names one.
    pub marker: Option<FluxMarker>,
    /// The values that it names by file and key.
    pub targets: Vec<Target>,
    /// The apps that it moves together with, if any.
    pub group: Option<Group>,
    /// Its stages, at least one, in the order written.
    pub stages: Vec<Stage>,
}

impl App {
    /// The names that the image has in manifests.
    pub fn names(&self) -> impl Iterator<Item = &Image> {
        std::iter::once(&self.image).chain(&self.aliases)
    }
}

/// Whether sites are found by the image's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detect {
    /// By name, by marker and by target.
    #[default]
    ByName,
    /// By marker and by target only.
    MarkersOnly,
}

/// An environment of an app.
#[derive(Debug, Clone)]
pub struct Stage {
    /// What it is called, once in an app.
    pub name: Name,
    /// Where its sites are.
    pub paths: Paths,
    /// Which tags are acceptable: its own policy, or the app's.
    pub policy: Policy,
    /// What is written of a choice.
    pub write: Write,
    /// How its changes are published, if that is stricter than the repository's.
    pub push: PushMode,
    /// When changes may be made; always without any.
    pub windows: Vec<Window>,
    /// When none are made.
    pub freezes: Vec<Freeze>,
    /// What it takes from the stages before it; whatever its policy accepts without.
    pub entry: Option<Entry>,
    /// Whose consent its changes need.
    pub consents: Consents,
    /// What must be green before a change.
    pub checks: Vec<Check>,
}

/// The file an app comes from, and the entry whose limits hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub file: &'a str,
    pub blob: &'a str,
    pub entry: &'a PoliciesEntry,
    pub index: usize,
}

/// The app of a mirror; what is wrong is reported, and there may be no value.
pub(super) fn convert(mut raw: RawApp, origin: Origin<'_>, report: &mut Report<'_>) -> Option<App> {
    let name = raw.app.take();
    let image = raw.image.take();
    let group = raw.group.take().map(|at| Group::of(at.value));
    let of = Whose {
        app: name.as_ref().map(|name| &name.value),
        proof: origin.entry.proof,
    };
    let parts = parts(&mut raw, of, report);
    let (name, image, parts) = (name?, image?, parts?);
    report_outside(&image, name.spot, &parts.stages, origin.entry, report);
    Some(App {
        name: name.value,
        file: origin.file.to_owned(),
        blob: origin.blob.to_owned(),
        entry: origin.index,
        aliases: parts.aliases,
        image: image.value,
        policy: parts.policy,
        detect: parts.detect,
        marker: parts.marker,
        targets: parts.targets,
        group,
        stages: parts.stages,
    })
}

/// What may also be a default.
pub(super) struct Shared {
    aliases: Vec<Image>,
    policy: Policy,
    detect: Detect,
    marker: Option<FluxMarker>,
    targets: Vec<Target>,
    stages: Vec<Stage>,
}

/// Whose values are converted.
#[derive(Clone, Copy)]
pub(super) struct Whose<'a> {
    /// The app; without a name, `{app}` stays open.
    pub(super) app: Option<&'a Name>,
    /// How consents are proven where nothing is said.
    pub(super) proof: Proof,
}

/// Converts what may also be a default.
pub(super) fn parts(raw: &mut RawApp, of: Whose<'_>, report: &mut Report<'_>) -> Option<Shared> {
    let app = of.app;
    let unordered = raw.unordered.take().map(|at| at.value).unwrap_or_default();
    let policy = tags::convert(raw.tags.take().map(|tags| tags.value), unordered, report);
    let write = raw.write.take().map(|at| (at.value, at.spot));
    let marker = raw.marker.take().zip(app);
    let targets = match raw.targets.take() {
        Some(targets) => targets_of(targets.value, app, report),
        None => Some(Vec::new()),
    };
    let stages = match raw.stages.take() {
        Some(stages) => {
            let above = Above {
                app,
                proof: of.proof,
                policy: policy.as_ref(),
                unordered,
                write: write.as_ref(),
            };
            stages_of(stages.value, above, report)
        }
        None => whole_repository(policy.as_ref(), write.as_ref(), report),
    };
    let aliases = raw.aliases.take().map(|list| list.value);
    let aliases = aliases.into_iter().flatten();
    Some(Shared {
        aliases: aliases.map(|at| at.value).collect(),
        policy: policy?,
        detect: match raw.detect.take().map(|detect| detect.value) {
            Some(false) => Detect::MarkersOnly,
            Some(true) | None => Detect::ByName,
        },
        marker: marker.map(|(marker, app)| marker.value.of(app)),
        targets: targets?,
        stages: stages?,
    })
}

fn targets_of(
    raw: Vec<At<RawTarget>>,
    app: Option<&Name>,
    report: &mut Report<'_>,
) -> Option<Vec<Target>> {
    let targets: Vec<Option<Target>> = raw
        .into_iter()
        .map(|raw| target::convert(raw, app, report))
        .collect();
    targets.into_iter().collect()
}

/// The one stage of an app that lists none.
fn whole_repository(
    policy: Option<&Policy>,
    write: Option<&(Write, Spot)>,
    report: &mut Report<'_>,
) -> Option<Vec<Stage>> {
    let everything = Globs::everything().ok()?;
    Some(vec![Stage {
        name: Name::default_stage(),
        paths: Paths::new(everything, Globs::default()),
        policy: policy?.clone(),
        write: tags::write(write, policy?, report)?,
        push: PushMode::default(),
        windows: Vec::new(),
        freezes: Vec::new(),
        entry: None,
        consents: Consents::default(),
        checks: Vec::new(),
    }])
}

/// What a stage has from its app.
#[derive(Clone, Copy)]
struct Above<'a> {
    app: Option<&'a Name>,
    proof: Proof,
    policy: Option<&'a Policy>,
    unordered: Unordered,
    write: Option<&'a (Write, Spot)>,
}

fn stages_of(
    raw: Vec<At<RawStage>>,
    above: Above<'_>,
    report: &mut Report<'_>,
) -> Option<Vec<Stage>> {
    let mut names: HashMap<Name, Spot> = HashMap::new();
    let mut stages = Vec::new();
    for raw in raw {
        if let Some(name) = raw.value.name.get()
            && let Some(first) = names.insert(name.value.clone(), name.spot)
        {
            let message = format!("the stage `{}` is listed twice", name.value);
            let hint = format!("it is already on line {}", first.at.line);
            report.error(name.spot, Mistake::new(message).hint(hint));
        }
        stages.push(stage(raw.value, above, report));
    }
    let (mut stages, wanted): (Vec<Stage>, Vec<Wanted>) = stages
        .into_iter()
        .collect::<Option<Vec<_>>>()?
        .into_iter()
        .unzip();
    let names: Vec<&Name> = stages.iter().map(|stage| &stage.name).collect();
    let entries = promotion::resolve(wanted, &names, report)?;
    for (stage, entry) in stages.iter_mut().zip(entries) {
        stage.entry = entry;
    }
    Some(stages)
}

/// The stage, and the stages before it as they are named.
fn stage(mut raw: RawStage, above: Above<'_>, report: &mut Report<'_>) -> Option<(Stage, Wanted)> {
    let include = globs(&raw.paths, above.app, report);
    let exclude = globs(&raw.exclude, above.app, report);
    let policy = match raw.tags.take() {
        Some(tags) => tags::convert(Some(tags.value), above.unordered, report),
        None => above.policy.cloned(),
    };
    let windows = conditions::windows(&mut raw.windows, report);
    let freezes = conditions::freezes(&mut raw.freezes, report);
    let wanted = promotion::wanted(&mut raw, report);
    let consents = approvals::consents(&mut raw, above.proof, report);
    let checks = checks::checks(&mut raw.checks, report);
    let policy = policy?;
    let push = match raw.push.take() {
        Some(push) => Some(push.value),
        None => (!raw.push.is_written()).then(PushMode::default),
    };
    let stage = Stage {
        write: tags::write(above.write, &policy, report)?,
        name: raw.name.take()?.value,
        push: push?,
        windows: windows?,
        freezes: freezes?,
        consents: consents?,
        checks: checks?,
        paths: Paths::new(include?, exclude?),
        entry: None,
        policy,
    };
    Some((stage, wanted?))
}

fn globs(
    field: &Field<Vec<At<super::glob::PathGlob>>>,
    app: Option<&Name>,
    report: &mut Report<'_>,
) -> Option<Globs> {
    let Some(list) = field.get() else {
        return Some(Globs::default());
    };
    Globs::of(&list.value, app)
        .map_err(|mistake| report.error(list.spot, mistake))
        .ok()
}

/// Reports what the entry does not allow, in the app's own file: a default that is outside for one
/// app is not wrong for the others.
fn report_outside(
    image: &At<Image>,
    app: Spot,
    stages: &[Stage],
    entry: &PoliciesEntry,
    report: &mut Report<'_>,
) {
    if let Some(images) = &entry.images
        && !images.matches(&image.value)
    {
        let message = format!("apps of `{}` may not watch `{}`", entry.path, image.value);
        let hint = format!("allowed are {}", images.written().join(", "));
        report.error(image.spot, Mistake::new(message).hint(hint));
    }
    let Some(may_write) = &entry.may_write else {
        return;
    };
    for stage in stages {
        if let Some(glob) = may_write.left_by(stage.paths.include()) {
            let message = format!(
                "the paths `{glob}` of the stage `{}` may reach beyond what apps of `{}` may change",
                stage.name, entry.path
            );
            let hint = format!("keep `paths` within {}", may_write.written().join(", "));
            report.error(app, Mistake::new(message).hint(hint));
        }
    }
}
