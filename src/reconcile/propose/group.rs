//! Which sites go to which app: one for each image, or one for each Flux marker where an image has
//! several.
//!
//! Invariant: every site that no existing app manages is in one group or left out with the reason.

use std::collections::{BTreeMap, BTreeSet};

use super::left::{Left, OVERRIDDEN};
use super::name::name_of;
use super::{Ground, Wanted};
use crate::config::FluxMarker;
use crate::image::Image;
use crate::manifest::{Marker, Site};
use crate::reconcile::claims::SiteRef;
use crate::reconcile::reach::Reach;

/// Hosts whose images are libraries for everybody. Docker's official images count too; whether an
/// image with a name of its own on a shared host is one's own can't be told.
const PUBLIC_HOSTS: [&str; 5] = [
    "registry.k8s.io",
    "k8s.gcr.io",
    "mcr.microsoft.com",
    "public.ecr.aws",
    "registry.access.redhat.com",
];

/// Where Docker's official images are.
const OFFICIAL: &str = "library/";

/// The sites of one app.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) image: Image,
    /// What a marker calls the app.
    pub(super) name: Option<String>,
    pub(super) marker: Option<FluxMarker>,
    pub(super) marked_only: bool,
    pub(super) sites: Vec<SiteRef>,
}

/// The groups of a repo, by image.
pub(super) fn groups(
    ground: Ground<'_>,
    wanted: &Wanted,
    reach: &Reach<'_>,
    left_out: &mut Vec<Left>,
) -> Vec<Group> {
    let images = images_of_markers(ground);
    let mut by_image: BTreeMap<Image, Vec<SiteRef>> = BTreeMap::new();
    for (reference, site) in open_sites(ground) {
        let marked = site
            .marker
            .as_ref()
            .and_then(|marker| images.get(&key(marker)));
        match site.image().or(marked.copied()) {
            Some(image)
                if ground
                    .apps
                    .iter()
                    .any(|app| app.names().any(|name| name == image)) => {}
            Some(_) if is_overridden(reach, reference, site) => {
                left_out.push(Left::new(reference, OVERRIDDEN));
            }
            Some(image) => by_image.entry(image.clone()).or_default().push(reference),
            None => {
                let reason = "nothing says which image it is; name the image in an app file, and \
                              give it this marker";
                left_out.push(Left::new(reference, reason));
            }
        }
    }
    let mut groups = Vec::new();
    for (image, sites) in by_image {
        match unwanted(&image, wanted, ground, &sites) {
            Some(reason) => {
                left_out.extend(sites.into_iter().map(|site| Left::new(site, reason)));
            }
            None => split(ground, image, sites, &mut groups, left_out),
        }
    }
    groups
}

fn is_overridden(reach: &Reach<'_>, reference: SiteRef, site: &Site) -> bool {
    reach.is_pulled(reference.file) && reach.routes(reference.file, site).is_overridden()
}

/// The sites that no existing app answers for by a marker or target.
fn open_sites<'a>(ground: Ground<'a>) -> impl Iterator<Item = (SiteRef, &'a Site)> {
    let files = ground.files.iter().enumerate();
    let sites = files
        .filter(|(_, file)| !file.index.ignored)
        .flat_map(|(number, file)| {
            let sites = file.index.sites.iter().enumerate();
            sites.map(move |(place, site)| {
                (
                    SiteRef {
                        file: number,
                        site: place,
                    },
                    site,
                )
            })
        });
    let answered = move |marker: &Marker| match marker {
        Marker::Own { app, .. } | Marker::Target { app, .. } => {
            ground.apps.iter().any(|known| known.name.as_str() == app)
        }
        Marker::Flux {
            namespace, name, ..
        } => ground.apps.iter().any(|app| match &app.marker {
            Some(marker) => marker.namespace == *namespace && marker.name == *name,
            None => app.name.as_str() == name,
        }),
    };
    sites.filter(move |(_, site)| !site.ignored && !site.marker.as_ref().is_some_and(answered))
}

/// A marker without the part it asks for.
fn key(marker: &Marker) -> (String, String) {
    match marker {
        Marker::Own { app, .. } | Marker::Target { app, .. } => (String::new(), app.clone()),
        Marker::Flux {
            namespace, name, ..
        } => (namespace.clone(), name.clone()),
    }
}

/// The image of each marker: that of the first site that has both, else the only one that an app of
/// the marker's name would be called after.
fn images_of_markers<'a>(ground: Ground<'a>) -> BTreeMap<(String, String), &'a Image> {
    let mut images = BTreeMap::new();
    let mut named: BTreeMap<String, BTreeSet<&Image>> = BTreeMap::new();
    for (_, site) in open_sites(ground) {
        let Some(image) = site.image() else {
            continue;
        };
        let last = image.repository().rsplit('/').next().unwrap_or_default();
        named.entry(name_of(last)).or_default().insert(image);
        if let Some(marker) = &site.marker {
            images.entry(key(marker)).or_insert(image);
        }
    }
    for marker in open_sites(ground).filter_map(|(_, site)| site.marker.as_ref()) {
        let key = key(marker);
        let called = named.get(&name_of(&key.1));
        if let Some((image, true)) = called.and_then(|all| Some((all.first()?, all.len() == 1))) {
            images.entry(key).or_insert(image);
        }
    }
    images
}

fn unwanted(
    image: &Image,
    wanted: &Wanted,
    ground: Ground<'_>,
    sites: &[SiteRef],
) -> Option<&'static str> {
    match wanted {
        Wanted::All => None,
        Wanted::These(globs) if globs.matches(image) => None,
        Wanted::These(_) => Some("not named by --image"),
        Wanted::Own => {
            let marked = sites
                .iter()
                .any(|site| site_of(ground, *site).marker.is_some());
            let public = PUBLIC_HOSTS.contains(&image.registry())
                || image.registry() == "docker.io" && image.repository().starts_with(OFFICIAL);
            (public && !marked)
                .then_some("an image of a public library; `--image GLOB` or `--all` takes it in")
        }
    }
}

/// One group, or one for each Flux marker where there are several.
fn split(
    ground: Ground<'_>,
    image: Image,
    sites: Vec<SiteRef>,
    groups: &mut Vec<Group>,
    left_out: &mut Vec<Left>,
) {
    let mut by_marker: BTreeMap<(String, String), Vec<SiteRef>> = BTreeMap::new();
    let mut unmarked = Vec::new();
    let mut own = None;
    for site in &sites {
        match &site_of(ground, *site).marker {
            Some(marker @ Marker::Flux { .. }) => {
                by_marker.entry(key(marker)).or_default().push(*site);
            }
            Some(Marker::Own { app, .. }) => own = own.or(Some(app.clone())),
            Some(Marker::Target { .. }) | None => unmarked.push(*site),
        }
    }
    if by_marker.len() < 2 {
        let marker = by_marker.into_keys().next();
        groups.push(Group {
            image,
            name: own.or_else(|| marker.as_ref().map(|(_, name)| name.clone())),
            marker: marker.map(flux),
            marked_only: false,
            sites,
        });
        return;
    }
    let reason = "the image has markers of several policies, and this place has none; mark it";
    left_out.extend(unmarked.into_iter().map(|site| Left::new(site, reason)));
    groups.extend(by_marker.into_iter().map(|(marker, sites)| Group {
        image: image.clone(),
        name: Some(marker.1.clone()),
        marker: Some(flux(marker)),
        marked_only: true,
        sites,
    }));
}

fn flux((namespace, name): (String, String)) -> FluxMarker {
    FluxMarker { namespace, name }
}

fn site_of<'a>(ground: Ground<'a>, reference: SiteRef) -> &'a Site {
    &ground.files[reference.file].index.sites[reference.site]
}
