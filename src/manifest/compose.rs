//! What each scalar of a site must say for a target: the rules for names, tags and digests.
//!
//! Invariant: a digest never stays beside a tag or name that it wasn't written with, and no key is
//! added. Where the site has no place for what the target says, the whole site is refused; nothing is
//! written by halves. Texts only: where and how they are written is `edit`'s work.

use super::site::split_name;
use super::value::plain_or_quoted;
use super::{DigestRule, Field, Part, Refusal, Site, SiteKind, Target};
use crate::image::{DOCKER_HUB, Image};

/// The new value of a scalar of a site.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Put<'s> {
    pub(super) field: &'s Field,
    pub(super) text: String,
}

/// The scalars of `site` that differ from what `target` wants.
pub(super) fn compose<'s>(site: &'s Site, target: &Target<'_>) -> Result<Vec<Put<'s>>, Refusal> {
    if let Some(refusal) = &site.refusal {
        return Err(refusal.clone());
    }
    if site.ignored {
        return Err(Refusal::Ignored);
    }
    let renamed = rename(site, target)?;
    let rename = renamed.as_ref().map(|renamed| renamed.name.as_str());
    let mut puts = match &site.whole {
        Some(whole) => vec![put(whole, whole_text(site, whole, target, rename)?)],
        None => parts(site, target, rename)?,
    };
    puts.extend(renamed.and_then(|renamed| renamed.registry));
    puts.retain(|put| put.field.text != put.text);
    Ok(puts)
}

fn put(field: &Field, text: String) -> Put<'_> {
    Put { field, text }
}

/// Another image's name, as the scalars of a site hold it.
struct Renamed<'s> {
    /// What the name's own scalar is to say.
    name: String,
    /// What the registry's is to say, if there is one and it changes.
    registry: Option<Put<'s>>,
}

/// The name to write, if the site's is another image's.
fn rename<'s>(site: &'s Site, target: &Target<'_>) -> Result<Option<Renamed<'s>>, Refusal> {
    let Some(name) = target.rename else {
        return Ok(None);
    };
    let image: Image = name.parse().map_err(|_| Refusal::BadName {
        name: name.to_owned(),
    })?;
    if site.image() == Some(&image) {
        return Ok(None);
    }
    if let Some(refusal) = &site.name_refusal {
        return Err(refusal.clone());
    }
    // An empty registry is none, and then the name holds it.
    let registry = site
        .registry
        .as_ref()
        .filter(|field| !field.text.is_empty());
    Ok(Some(match registry {
        Some(field) => divide(field, name, &image),
        None => Renamed {
            name: name.to_owned(),
            registry: None,
        },
    }))
}

/// Divides a name into what the scalar `registry` is to say and the rest.
fn divide<'s>(registry: &'s Field, name: &str, image: &Image) -> Renamed<'s> {
    let held = registry.text.trim_end_matches('/');
    let below = name.strip_prefix(held);
    if let Some(rest) = below.and_then(|rest| rest.strip_prefix('/')) {
        return Renamed {
            name: rest.to_owned(),
            registry: None,
        };
    }
    let slash = &registry.text[held.len()..];
    // A name without a host belongs to Docker Hub.
    let (host, rest) = match name.split_once('/') {
        Some((host, rest)) if image.registry() != DOCKER_HUB || host.contains('.') => (host, rest),
        _ => (DOCKER_HUB, name),
    };
    Renamed {
        name: rest.to_owned(),
        registry: Some(put(registry, format!("{host}{slash}"))),
    }
}

fn whole_text(
    site: &Site,
    whole: &Field,
    target: &Target<'_>,
    rename: Option<&str>,
) -> Result<String, Refusal> {
    let named = site.image().is_some();
    let name = rename.or_else(|| named.then(|| split_name(&whole.text)));
    let name = name.ok_or(Refusal::NoName)?;
    let now = Now::of(site);
    let (tag, digest) = match target.rule {
        DigestRule::Exact => (
            target.tag.map(|tag| tag.as_str()),
            target.digest.map(|digest| digest.as_str()),
        ),
        DigestRule::WhereHeld => {
            let held = now.digest.is_some();
            let digest = now.digest_for(target, rename, held)?;
            if !held && target.tag.is_none() && target.digest.is_some() {
                return Err(Refusal::NoDigest);
            }
            (now.tag_for(target), digest)
        }
    };
    let mut text = name.to_owned();
    if let Some(tag) = tag {
        text.push(':');
        text.push_str(tag);
    }
    if let Some(digest) = digest {
        text.push('@');
        text.push_str(digest);
    }
    Ok(text)
}

/// What a site says before the change.
struct Now<'s> {
    tag: Option<&'s str>,
    digest: Option<&'s str>,
}

impl<'s> Now<'s> {
    fn of(site: &'s Site) -> Self {
        let inline = [&site.whole, &site.tag]
            .into_iter()
            .flatten()
            .find_map(|field| field.text.split_once('@'))
            .map(|(_, digest)| digest);
        let own = site.digest.as_ref().map(|field| field.text.as_str());
        Self {
            tag: site.tag_text(),
            digest: own.filter(|text| !text.is_empty()).or(inline),
        }
    }

    fn tag_for<'t>(&self, target: &Target<'t>) -> Option<&'t str>
    where
        's: 't,
    {
        target.tag.map(|tag| tag.as_str()).or(self.tag)
    }

    /// The digest to write where one is `held`, or nothing where none is.
    fn digest_for<'t>(
        &self,
        target: &Target<'t>,
        rename: Option<&str>,
        held: bool,
    ) -> Result<Option<&'t str>, Refusal>
    where
        's: 't,
    {
        if !held {
            return Ok(None);
        }
        if let Some(digest) = target.digest {
            return Ok(Some(digest.as_str()));
        }
        // A tag is one image for good, so its digest may stay as long as tag and name do.
        let same = target.tag.is_none_or(|tag| Some(tag.as_str()) == self.tag);
        if same && rename.is_none() {
            return Ok(self.digest);
        }
        Err(Refusal::DigestUnknown)
    }
}

fn parts<'s>(
    site: &'s Site,
    target: &Target<'_>,
    rename: Option<&str>,
) -> Result<Vec<Put<'s>>, Refusal> {
    let mut puts = Vec::new();
    if let Some(name) = rename {
        match &site.name {
            Some(field) => puts.push(put(field, name.to_owned())),
            None if site.kind == SiteKind::Kustomize => return Err(missing("newName", name)),
            // A lone tag or digest leaves its name to whatever stands beside it.
            None => {}
        }
    }
    match target.rule {
        DigestRule::WhereHeld => where_held(site, target, rename, &mut puts)?,
        DigestRule::Exact => exact(site, target, &mut puts)?,
    }
    Ok(puts)
}

fn where_held<'s>(
    site: &'s Site,
    target: &Target<'_>,
    rename: Option<&str>,
    puts: &mut Vec<Put<'s>>,
) -> Result<(), Refusal> {
    let now = Now::of(site);
    let kustomize = site.kind == SiteKind::Kustomize;
    let asked = site.wants_digest && target.digest.is_some();
    let own = site
        .digest
        .as_ref()
        .filter(|field| !field.text.is_empty() || asked);
    let inline = site.tag.as_ref().is_some_and(|tag| tag.text.contains('@'));
    let wordless = target.tag.is_none() && target.digest.is_some();
    if wordless && own.is_none() && !inline && (site.tag.is_some() || kustomize) {
        return Err(Refusal::NoDigest);
    }
    let digest = now.digest_for(target, rename, own.is_some() || inline)?;
    match &site.tag {
        Some(field) => {
            if let Some(tag) = now.tag_for(target) {
                puts.push(put(field, tag_text(tag, digest.filter(|_| inline))));
            }
        }
        None => {
            if let Some(tag) = target.tag
                && kustomize
                && own.is_none()
            {
                return Err(missing("newTag", tag.as_str()));
            }
        }
    }
    if let (Some(field), Some(digest)) = (own, digest) {
        puts.push(put(field, digest.to_owned()));
    }
    Ok(())
}

fn exact<'s>(site: &'s Site, target: &Target<'_>, puts: &mut Vec<Put<'s>>) -> Result<(), Refusal> {
    let kustomize = site.kind == SiteKind::Kustomize;
    let digest = target.digest.map(|digest| digest.as_str());
    let inline = digest.filter(|_| site.digest.is_none());
    match (&site.tag, target.tag) {
        (Some(field), Some(tag)) => puts.push(put(field, tag_text(tag.as_str(), inline))),
        (Some(field), None) if !field.text.is_empty() => {
            return Err(Refusal::OwnKey { part: Part::Tag });
        }
        (None, Some(tag)) if kustomize => return Err(missing("newTag", tag.as_str())),
        (None, Some(tag)) if site.kind == SiteKind::Helm => {
            return Err(missing("tag", tag.as_str()));
        }
        (None, Some(tag)) if site.kind == SiteKind::Argocd => return Err(parameter(tag.as_str())),
        (_, None) if kustomize && let Some(digest) = inline => {
            return Err(missing("digest", digest));
        }
        (Some(_), None) if inline.is_some() => return Err(Refusal::NoDigest),
        _ => {}
    }
    match (&site.digest, digest) {
        (Some(field), Some(digest)) => puts.push(put(field, digest.to_owned())),
        (Some(field), None) if !field.text.is_empty() => {
            return Err(Refusal::OwnKey { part: Part::Digest });
        }
        _ => {}
    }
    Ok(())
}

fn tag_text(tag: &str, digest: Option<&str>) -> String {
    match digest {
        Some(digest) => format!("{tag}@{digest}"),
        None => tag.to_owned(),
    }
}

fn parameter(tag: &str) -> Refusal {
    Refusal::MissingKey {
        key: "parameter for the tag".to_owned(),
        line: format!("- {{name: PREFIX.tag, value: \"{tag}\"}}"),
    }
}

fn missing(key: &str, value: &str) -> Refusal {
    Refusal::MissingKey {
        key: key.to_owned(),
        line: format!("{key}: {}", plain_or_quoted(value)),
    }
}
