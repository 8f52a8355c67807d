//! Places that are left out, and how they are told.
//!
//! Invariant: a place that a proposed app manages after all isn't told, and each other one is told
//! once, with the first reason that was found.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ground, LeftOut};
use crate::image::Image;
use crate::reconcile::claims::{IndexedFile, SiteRef};

/// Why a site isn't managed whose value doesn't count.
pub(super) const OVERRIDDEN: &str =
    "overridden by whatever brings it in, so its value doesn't count";

/// A site that is left out.
#[derive(Debug)]
pub(super) struct Left {
    site: SiteRef,
    reason: String,
}

impl Left {
    pub(super) fn new(site: SiteRef, reason: impl Into<String>) -> Self {
        Self {
            site,
            reason: reason.into(),
        }
    }
}

/// What is told of the files that can't be read and the sites in `left` that aren't `claimed`: those
/// of one image and reason together, at the first.
pub(super) fn told(
    ground: Ground<'_>,
    left: Vec<Left>,
    claimed: &BTreeSet<SiteRef>,
) -> Vec<LeftOut> {
    let mut seen = claimed.clone();
    let mut by_reason: BTreeMap<(Option<&Image>, String), Vec<SiteRef>> = BTreeMap::new();
    for Left { site, reason } in left {
        if seen.insert(site) {
            let image = ground.files[site.file].index.sites[site.site].image();
            by_reason.entry((image, reason)).or_default().push(site);
        }
    }
    let sites = by_reason
        .into_iter()
        .filter_map(|((image, reason), sites)| one(ground, image, reason, &sites));
    let files = ground.files.iter().filter_map(unreadable);
    let mut told: Vec<LeftOut> = sites.chain(files).collect();
    told.sort_by(|a, b| (&a.file, a.position).cmp(&(&b.file, b.position)));
    told
}

fn one(
    ground: Ground<'_>,
    image: Option<&Image>,
    reason: String,
    sites: &[SiteRef],
) -> Option<LeftOut> {
    let first = sites.iter().min()?;
    let site = &ground.files[first.file].index.sites[first.site];
    Some(LeftOut {
        what: match (sites.len(), image) {
            (2.., Some(image)) => image.to_string(),
            _ => site.reference_text(),
        },
        file: ground.files[first.file].path.clone(),
        position: site.position,
        count: sites.len(),
        reason,
    })
}

fn unreadable(file: &IndexedFile) -> Option<LeftOut> {
    let problem = file.index.problem.as_ref()?;
    Some(LeftOut {
        what: "the whole file".to_owned(),
        file: file.path.clone(),
        position: problem.position,
        count: 1,
        reason: format!("not read: {}", problem.reason),
    })
}
