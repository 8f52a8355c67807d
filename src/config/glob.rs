//! Globs over paths of the config repo and over images.
//!
//! In a glob `*` and `?` do not cross `/`, `**` does, `{a,b}` is either, `[…]` is a set. A plain
//! path, with or without a final slash, is that file or everything below that folder.
//!
//! Invariant: a path glob stays inside the repository: relative, without `.` and `..`. Whether one
//! glob keeps within another is answered with yes only where that is certain.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use schemars::{Schema, json_schema};

use super::name::{APP, Name};
use super::read::{At, Scalar, shorten};
use super::report::Mistake;

/// Longest glob, in bytes; a path in Git is at most 4,096 on the systems it is checked out on, and a
/// glob is short for many.
const MAX_GLOB: usize = 1024;

/// A glob as written and checked: the name of the app may be left open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathGlob(String);

/// A glob over images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageGlob(String);

/// The paths that some globs name.
#[derive(Debug, Clone, Default)]
pub struct Globs {
    globs: Vec<String>,
    /// Folders of which everything below is named, each with a final slash: the commonest globs, and
    /// these are asked of every file of a repository.
    folders: Vec<String>,
    /// The other globs.
    set: GlobSet,
}

/// The paths of a stage.
#[derive(Debug, Clone)]
pub struct Paths {
    include: Globs,
    exclude: Globs,
}

/// The images that some globs name.
#[derive(Debug, Clone)]
pub struct ImageGlobs(Globs);

impl Paths {
    /// What `include` names and `exclude` does not.
    pub(super) fn new(include: Globs, exclude: Globs) -> Self {
        Self { include, exclude }
    }

    /// Whether a path, relative to the repository's root and without a leading `/`, is among them.
    pub fn matches(&self, path: &str) -> bool {
        self.include.matches(path) && !self.exclude.matches(path)
    }

    /// What is included, the app's name filled in.
    pub fn include(&self) -> &Globs {
        &self.include
    }

    /// What is left out, the app's name filled in.
    pub fn exclude(&self) -> &Globs {
        &self.exclude
    }
}

impl Globs {
    /// Every path.
    pub(super) fn everything() -> Result<Self, Mistake> {
        Self::build(vec!["**".to_owned()])
    }

    /// These globs, with `app` for the app's name.
    pub(super) fn of(globs: &[At<PathGlob>], app: Option<&Name>) -> Result<Self, Mistake> {
        let filled = |glob: &At<PathGlob>| match app {
            Some(app) => glob.value.0.replace(APP, app.as_str()),
            None => glob.value.0.clone(),
        };
        Self::build(globs.iter().map(filled).collect())
    }

    fn build(globs: Vec<String>) -> Result<Self, Mistake> {
        let mut folders = Vec::new();
        let mut set = GlobSetBuilder::new();
        for text in globs.iter().flat_map(|glob| expand(glob)) {
            match whole_folder(&text) {
                Some(folder) => folders.push(folder.to_owned()),
                None => drop(set.add(compile(&text)?)),
            }
        }
        let set = set
            .build()
            .map_err(|error| problem("these globs", &error))?;
        Ok(Self {
            globs,
            folders,
            set,
        })
    }

    /// Whether a path is among them.
    pub fn matches(&self, path: &str) -> bool {
        self.folders
            .iter()
            .any(|folder| path.starts_with(folder.as_str()))
            || self.set.is_match(path)
    }

    /// The globs as written, the app's name filled in.
    pub fn written(&self) -> &[String] {
        &self.globs
    }

    /// The folders or files below which all that they name is: each glob up to its first part that
    /// isn't plain.
    pub fn roots(&self) -> impl Iterator<Item = &str> {
        self.globs.iter().map(|glob| {
            let plain = glob.split('/').take_while(|part| is_plain(part));
            let length: usize = plain.map(|part| part.len() + 1).sum();
            glob.get(..length.saturating_sub(1)).unwrap_or_default()
        })
    }

    /// The first glob of `inner` that is not certain to stay within these.
    pub(super) fn left_by<'a>(&self, inner: &'a Self) -> Option<&'a str> {
        let within = |glob: &String| {
            expand(glob).iter().all(|inner| {
                let outer = self.globs.iter().flat_map(|outer| expand(outer));
                outer.into_iter().any(|outer| covers(&outer, inner))
            })
        };
        let left = inner.globs.iter().find(|glob| !within(glob));
        left.map(String::as_str)
    }
}

impl ImageGlobs {
    /// These globs.
    pub(super) fn of(globs: &[At<ImageGlob>]) -> Result<Self, Mistake> {
        Globs::build(globs.iter().map(|glob| glob.value.0.clone()).collect()).map(Self)
    }

    /// These globs, as a person types them.
    ///
    /// # Errors
    /// Why one of them can't be used, in a sentence.
    pub fn parse<T: AsRef<str>>(globs: &[T]) -> Result<Self, String> {
        let globs = globs
            .iter()
            .map(|glob| ImageGlob::parse(glob.as_ref()).map(|glob| glob.0))
            .collect::<Result<Vec<String>, Mistake>>();
        globs
            .and_then(Globs::build)
            .map(Self)
            .map_err(|mistake| mistake.message)
    }

    /// Whether an image is among them.
    pub fn matches(&self, image: &crate::image::Image) -> bool {
        self.0.matches(&image.to_string())
    }

    /// The globs in canonical form.
    pub fn written(&self) -> &[String] {
        self.0.written()
    }
}

impl Scalar for PathGlob {
    fn parse(text: &str) -> Result<Self, Mistake> {
        if text.starts_with('/') {
            let hint = "paths are relative to the repository's root";
            return Err(wrong(text, "starts with `/`").hint(hint));
        }
        if text.contains('\\') {
            return Err(wrong(text, "has a `\\`").hint("write `/` between folders"));
        }
        if text
            .strip_suffix('/')
            .unwrap_or(text)
            .split('/')
            .any(|part| matches!(part, "" | "." | ".."))
        {
            return Err(wrong(text, "has an empty, `.` or `..` part"));
        }
        check(text)?;
        Ok(Self(text.to_owned()))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_GLOB})
    }
}

impl Scalar for ImageGlob {
    fn parse(text: &str) -> Result<Self, Mistake> {
        let tail = text.rsplit('/').next().unwrap_or(text);
        if text.contains('@') || (tail.contains(':') && text.contains('/')) {
            return Err(wrong(text, "has a tag or digest").hint("name images only"));
        }
        if text.contains(APP) {
            return Err(wrong(text, "has `{app}`").hint("`{app}` has a meaning in paths only"));
        }
        check(text)?;
        let glob = canonical(text);
        check(&glob)?;
        Ok(Self(glob))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_GLOB})
    }
}

/// As [`crate::image::Image`] prints names: those without a registry belong to Docker Hub.
fn canonical(glob: &str) -> String {
    let hub = crate::image::DOCKER_HUB;
    match glob.split_once('/') {
        _ if glob.starts_with("**") => glob.to_owned(),
        None => format!("{hub}/library/{glob}"),
        Some((first, _)) if first.contains(['.', ':', '*', '?', '[', '{']) => glob.to_owned(),
        Some(("localhost", _)) => glob.to_owned(),
        Some(_) => format!("{hub}/{glob}"),
    }
}

fn wrong(text: &str, what: &str) -> Mistake {
    Mistake::new(format!("the glob `{}` {what}", shorten(text)))
}

/// Checks what the syntax allows and we do not, then the syntax.
fn check(text: &str) -> Result<(), Mistake> {
    if text.is_empty() {
        return Err(Mistake::new("this glob is empty"));
    }
    if text.len() > MAX_GLOB {
        return Err(wrong(text, &format!("has more than {MAX_GLOB} bytes")));
    }
    if let Some(placeholder) = placeholder(&text.replace(APP, "app")) {
        let what = format!("has the unknown placeholder `{placeholder}`");
        return Err(wrong(text, &what).hint("only `{app}` is known; alternatives have a comma"));
    }
    compile(&text.replace(APP, "app")).map(|_| ())
}

/// The first `{word}`: an alternative of one is a misspelt placeholder.
fn placeholder(text: &str) -> Option<&str> {
    let start = text.find('{')?;
    let end = start + text[start..].find('}')? + 1;
    let inside = &text[start + 1..end - 1];
    if inside.contains([',', '{']) {
        return placeholder(&text[end..]);
    }
    Some(&text[start..end])
}

fn compile(text: &str) -> Result<globset::Glob, Mistake> {
    GlobBuilder::new(text)
        .literal_separator(true)
        .build()
        .map_err(|error| problem(&format!("`{}`", shorten(text)), &error))
}

fn problem(what: &str, error: &globset::Error) -> Mistake {
    Mistake::new(format!("{what} can't be used as a glob: {}", error.kind()))
}

/// The globs for the set: a plain path is itself and all below, a final slash means all below.
fn expand(glob: &str) -> Vec<String> {
    match glob.strip_suffix('/') {
        Some(folder) => vec![format!("{folder}/**")],
        None if is_plain(glob) => vec![glob.to_owned(), format!("{glob}/**")],
        None => vec![glob.to_owned()],
    }
}

/// The folder, with its slash, of a glob that names everything below one folder; empty for all.
fn whole_folder(glob: &str) -> Option<&str> {
    let folder = glob.strip_suffix("**")?;
    let whole = folder.is_empty() || folder.ends_with('/');
    // A backslash takes the meaning from what follows it, which is the set's to know.
    (whole && is_plain(folder) && !folder.contains('\\')).then_some(folder)
}

fn is_plain(text: &str) -> bool {
    !text.contains(['*', '?', '[', ']', '{', '}'])
}

/// Whether everything that `inner` matches is sure to be matched by `outer`, both part by part.
fn covers(outer: &str, inner: &str) -> bool {
    let outer: Vec<&str> = outer.split('/').collect();
    let inner: Vec<&str> = inner.split('/').collect();
    covers_parts(&outer, &inner)
}

fn covers_parts(outer: &[&str], inner: &[&str]) -> bool {
    match (outer, inner) {
        ([], []) => true,
        // A final `**` matches at least one part, so something must be left to match.
        (["**"], rest) => !rest.is_empty(),
        ([first, outer @ ..], [part, inner @ ..]) => {
            let same = first == part && *first != "**" && is_closed(first);
            let any = *first == "*" && *part != "**" && is_closed(part);
            let matched = is_plain(part)
                && *first != "**"
                && compile(first).is_ok_and(|glob| glob.compile_matcher().is_match(part));
            (same || any || matched) && covers_parts(outer, inner)
        }
        _ => false,
    }
}

/// Whether a part between slashes is a glob of its own, with no alternative that reaches beyond it.
fn is_closed(part: &str) -> bool {
    !part.contains("**") && part.matches('{').count() == part.matches('}').count()
}

#[cfg(test)]
mod tests;
