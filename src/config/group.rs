//! Groups of apps that move together.
//!
//! Invariant: a group's apps are all of one policies entry, so that no team's app can hold up another
//! team's. An app of a group knows whether the file of another one can't be used.
//!
//! What moving together means is not decided here.

use std::collections::{HashMap, HashSet};

use super::app::App;
use super::folder::FolderPath;
use super::name::Name;
use super::report::{Mistake, Report, SourceId, Spot};

/// The group of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What it is called, once in a config repo.
    pub name: Name,
    /// The file of one of its apps that can't be used, if there is one.
    pub broken: Option<String>,
}

impl Group {
    /// The group of this name.
    pub(super) fn of(name: Name) -> Self {
        Self { name, broken: None }
    }
}

/// An app file that names a group.
pub(super) struct Member<'c> {
    /// The name.
    pub group: &'c Name,
    /// Where it is written, which may be in defaults.
    pub spot: Spot,
    /// The place of its policies entry in the list.
    pub entry: usize,
    /// The folder of that entry.
    pub folder: &'c FolderPath,
    /// The app file.
    pub file: SourceId,
    /// The app, or the file whose mistake stops it.
    pub app: &'c mut Result<App, SourceId>,
}

/// Refuses groups whose name an entry that is listed before has, warns of those that have one app or no stage in
/// common, and has the apps know of those that can't be used. `members` are in the order of the entries.
pub(super) fn bind(mut members: Vec<Member<'_>>, report: &mut Report<'_>) {
    let mut owners: HashMap<&Name, (usize, &FolderPath)> = HashMap::new();
    let mut count: HashMap<&Name, usize> = HashMap::new();
    let mut broken: HashMap<&Name, SourceId> = HashMap::new();
    for member in &mut members {
        let own = (member.entry, member.folder);
        let (owner, folder) = *owners.entry(member.group).or_insert(own);
        if owner != member.entry {
            let message = format!("the group `{}` is that of apps of `{folder}`", member.group);
            let hint =
                "apps of different `policies` entries don't move together; give it another name";
            report.error(member.spot, Mistake::new(message).hint(hint));
            *member.app = Err(member.spot.source);
            continue;
        }
        *count.entry(member.group).or_default() += 1;
        if member.app.is_err() {
            broken.entry(member.group).or_insert(member.file);
        }
    }
    let strangers = strangers(&members, &broken);
    for (place, member) in members.into_iter().enumerate() {
        if strangers.contains(&place) {
            let message = format!(
                "no other app of the group `{}` has a stage of the same name as one of this app",
                member.group
            );
            let hint = "apps of a group move together in the stages that have one name";
            report.warning(member.spot, Mistake::new(message).hint(hint));
        }
        if count.get(member.group) == Some(&1) && owners[member.group].0 == member.entry {
            let message = format!("no other app is of the group `{}`", member.group);
            let hint = "an app by itself needs no `group`";
            report.warning(member.spot, Mistake::new(message).hint(hint));
        }
        if let (Ok(app), Some(file)) = (member.app, broken.get(member.group))
            && let Some(group) = &mut app.group
        {
            group.broken = Some(report.file(*file).to_owned());
        }
    }
}

/// The places of apps that share no stage's name with another of their group, where all of those are known.
fn strangers(members: &[Member<'_>], broken: &HashMap<&Name, SourceId>) -> HashSet<usize> {
    let mut apps: HashMap<&Name, Vec<(usize, HashSet<&Name>)>> = HashMap::new();
    for (place, member) in members.iter().enumerate() {
        if let Ok(app) = &member.app
            && !broken.contains_key(member.group)
        {
            let stages = app.stages.iter().map(|stage| &stage.name).collect();
            apps.entry(member.group).or_default().push((place, stages));
        }
    }
    let mut strangers = HashSet::new();
    for apps in apps.values().filter(|apps| apps.len() > 1) {
        for (place, stages) in apps {
            let mut others = apps.iter().filter(|(other, _)| other != place);
            if others.all(|(_, other)| stages.is_disjoint(other)) {
                strangers.insert(*place);
            }
        }
    }
    strangers
}
