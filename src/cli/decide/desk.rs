//! Where a person's decision is made: a clone of the config repo, and the file that gets the entry.
//!
//! Invariant: nothing of the clone but what a commit through it needs is touched.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, anyhow, bail, ensure};

use super::consent::{self, Hand};
use super::letter::{Letter, Outlet};
use super::{Place, Stage};
use crate::cli::check;
use crate::cli::output::{Exit, Output, has_errors};
use crate::config::App;
use crate::decision::freeze::{Freezing, Stages};
use crate::decision::{self, Decided, Decision};
use crate::git::{PersonsClone, Way, origin};
use crate::image::Reference;
use crate::policy::Recorded;
use crate::promotion::approval::People;
use crate::reconcile::claims::StageKey;
use crate::reconcile::running::Running;
use crate::reconcile::snapshot::{Memory, Snapshot};
use crate::reconcile::source::Source;
use crate::reconcile::trailer::trailers;

/// A person's clone, and the stage that is decided about.
pub(super) struct Desk {
    snapshot: Snapshot,
    key: StageKey,
    outlet: Outlet,
    people: Option<Arc<People>>,
}

impl Desk {
    pub(super) fn open(stage: &Stage, config: Option<&Path>) -> anyhow::Result<Self> {
        let (snapshot, outlet, people) = open(&stage.place, config)?;
        let key = stage_of(&snapshot, &stage.app, &stage.stage)?;
        Ok(Self {
            snapshot,
            key,
            outlet,
            people,
        })
    }

    fn app(&self) -> &App {
        &self.snapshot.apps[self.key.app]
    }

    /// `TAG` or `TAG@DIGEST` of the app's image.
    pub(super) fn decided(&self, text: &str) -> anyhow::Result<Decided> {
        let image = &self.app().image;
        let reference: Reference = format!("{image}:{text}")
            .parse()
            .with_context(|| format!("`{text}` is no tag"))?;
        let tag = reference
            .tag()
            .with_context(|| format!("`{text}` is no tag"))?;
        Ok(Decided {
            image: image.clone(),
            tag: tag.clone(),
            digest: reference.digest().cloned(),
        })
    }

    fn running(&self) -> Running {
        let stage = &self.app().stages[self.key.stage];
        let claims = &self.snapshot.claims;
        let sites: Vec<_> = claims.stages[&self.key]
            .iter()
            .filter(|site| !claims.overridden.contains(site))
            .map(|site| {
                (
                    *site,
                    &self.snapshot.files[site.file].index.sites[site.site],
                )
            })
            .collect();
        Running::of(&stage.policy, &sites, Recorded::default())
    }

    /// The tag that the stage runs, as the clone's files say.
    pub(super) fn runs(&self) -> Option<String> {
        match self.running() {
            Running::One(version)
            | Running::Split {
                highest: version, ..
            } => Some(version.tag.to_string()),
            Running::Unordered(_) => Some(self.running().to_string()),
            Running::Nothing => None,
        }
    }

    /// What the stage ran before the service's latest change to it, if that is what it runs.
    pub(super) fn previous(&self) -> anyhow::Result<String> {
        let (app, stage) = self.snapshot.names(self.key);
        let line = format!("Tagwright-Change: v1 app={app} stage={stage} ");
        let message = self.outlet.clone.latest_message(&line)?;
        let own = trailers(&message).find(|trailer| (trailer.app, trailer.stage) == (app, stage));
        let runs = self.runs();
        own.filter(|trailer| Some(trailer.to.tag.as_str()) == runs.as_deref())
            .and_then(|trailer| trailer.from)
            .map(|from| from.to_string())
            .ok_or_else(|| anyhow!("it isn't known what the stage ran before: name the tag"))
    }

    pub(super) fn publish(&self, decisions: &[Decision], output: Output) -> anyhow::Result<Exit> {
        let declared = &self.app().stages[self.key.stage];
        for decision in decisions {
            let hand = Hand {
                way: self.outlet.proposing.way(),
                clone: &self.outlet.clone.hand(),
            };
            for doubt in consent::doubts(decision, declared, self.people.as_deref(), hand)? {
                output.note(format!("warning: {doubt}"));
            }
        }
        let mut each = decisions.iter();
        let goes_by_forge = each.any(|decision| consent::goes_by_forge(decision, declared));
        let (app, stage) = self.snapshot.names(self.key);
        let words: Vec<&str> = decisions.iter().map(Decision::word).collect();
        let letter = Letter {
            app: Some(app.to_owned()),
            stages: vec![stage.to_owned()],
            file: decision::file_of(app, stage),
            entry: decisions.iter().map(Decision::entry).collect(),
            subject: format!("{app}: {} {stage}", words.join(" and ")),
            reason: decisions.iter().rev().find_map(Decision::reason),
            way: match self.outlet.proposing.way() {
                Way::BranchOrAside if goes_by_forge => Way::Aside,
                way => way,
            },
        };
        letter.publish(&self.outlet, output)
    }
}

/// Adds an entry to the freezes file.
pub(super) fn freeze(
    place: &Place,
    freezing: &Freezing,
    config: Option<&Path>,
    output: Output,
) -> anyhow::Result<Exit> {
    let (snapshot, outlet, _) = open(place, config)?;
    let named = match freezing.stages() {
        Stages::All => Vec::new(),
        Stages::Named(names) => names.clone(),
    };
    let known: BTreeSet<&str> = snapshot
        .apps
        .iter()
        .flat_map(|app| &app.stages)
        .map(|stage| stage.name.as_str())
        .collect();
    for name in &named {
        let all = || known.iter().copied().collect::<Vec<_>>().join(", ");
        ensure!(
            known.contains(name.as_str()),
            "no app has a stage `{name}`, but {}",
            all()
        );
    }
    let what = match named.is_empty() {
        true => "all stages".to_owned(),
        false => named.join(", "),
    };
    let (word, reason) = match freezing {
        Freezing::Freeze { reason, .. } => ("freeze", reason.as_deref()),
        Freezing::Release(_) => ("release", None),
    };
    let letter = Letter {
        app: None,
        stages: named,
        file: decision::FREEZES.to_owned(),
        entry: freezing.entry(),
        subject: format!("{word} {what}"),
        reason,
        way: outlet.proposing.way(),
    };
    letter.publish(&outlet, output)
}

/// What a clone holds, the clone as something to publish from, and the people who are known.
fn open(
    place: &Place,
    config: Option<&Path>,
) -> anyhow::Result<(Snapshot, Outlet, Option<Arc<People>>)> {
    let origin =
        origin(&place.path).with_context(|| format!("{} is no Git clone", place.path.display()))?;
    let branch = place.branch.clone().or(origin.branch);
    let branch = branch.context("no branch is checked out: name the remote's with --branch")?;
    let mut diagnostics = Vec::new();
    let known = check::configured(
        &check::Tree {
            path: &place.path,
            repository: place.repository.as_deref(),
            policies: &place.policies,
        },
        config,
        &mut diagnostics,
    )?
    .context("the configuration can't be used; `tagwright check` tells why")?;
    let source = Source::Folder(&place.path);
    let snapshot = Snapshot::take(source, &known.policies, &mut Memory::default())?;
    let outlet = Outlet {
        clone: PersonsClone::new(&place.path, &place.remote, &branch),
        proposing: place.proposing.clone(),
        forge: known.forge,
    };
    Ok((snapshot, outlet, known.people))
}

fn stage_of(snapshot: &Snapshot, app: &str, stage: &str) -> anyhow::Result<StageKey> {
    let mut apps = snapshot.apps.iter();
    let Some(place) = apps.position(|known| known.name.as_str() == app) else {
        let why = match has_errors(&snapshot.diagnostics) {
            true => "; `tagwright check` tells what is wrong with app files",
            false => "",
        };
        bail!("the clone has no valid app named `{app}`{why}");
    };
    let stages = &snapshot.apps[place].stages;
    let named = stages.iter().position(|known| known.name.as_str() == stage);
    let known = || {
        stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect::<Vec<_>>()
    };
    let stage = named
        .with_context(|| format!("`{app}` has no stage `{stage}`, but {}", known().join(", ")))?;
    Ok(StageKey { app: place, stage })
}
