//! The bodies of the fuzz targets: what must hold for any bytes at all.
//!
//! Each takes raw bytes and panics when a promise is broken. The fuzzer calls them with what it
//! invents, and the tests with the committed corpora and a fixed number of mutations. Not part of the
//! public interface.

use std::cmp::Ordering;
use std::ops::Range;

use crate::http::link as links;
use crate::image::{Digest, Image, Reference, Tag};
use crate::manifest::TargetPath;
use crate::manifest::{
    self, Change, Dialect, DigestRule, Field, FileIndex, Format, Part, Site, Target,
};
use crate::policy::{
    self, Current, End, Evidence, Ignore, Order, Outcome, Pattern, Policy, Prereleases, Recorded,
    TimeOf, Verdict, select,
};
use crate::registry::challenge as challenges;

/// A text that is a reference prints as it was written and parses again to the same, and so does the
/// canonical name of its image.
///
/// # Panics
/// When it does not.
pub fn reference(data: &[u8]) {
    let Some(reference) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.parse::<Reference>().ok())
    else {
        return;
    };
    let printed = reference.to_string();
    assert_eq!(printed.as_bytes(), data);
    assert_eq!(printed.parse::<Reference>().as_ref(), Ok(&reference));
    let image = reference.image();
    assert_eq!(image.to_string().parse::<Image>().as_ref(), Ok(image));
}

/// The first line is a range, the others are tags. A range that parses keeps its text, so does its
/// spelling that admits pre-releases, and a selection by it does not depend on the order of the tags.
///
/// # Panics
/// When it does not.
pub fn range(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (range, tags) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(range) = range.parse::<policy::Range>() else {
        return;
    };
    assert!(range.as_str().parse::<policy::Range>().is_ok());
    if let Some(admitting) = range.admitting_prereleases() {
        let admitting = admitting.parse::<policy::Range>().expect("the hint parses");
        assert_eq!(admitting.admitting_prereleases(), None);
    }
    let policy = Policy {
        order: Order::Semver(range),
        ..Policy::default()
    };
    selects(&policy, tags, Current::Nothing);
}

/// The first line is a format of calendar versions, the others are tags. A format that parses keeps its
/// text, and a selection by it holds what all selections do.
///
/// # Panics
/// When it does not.
pub fn calver(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (format, tags) = text.split_once('\n').unwrap_or((text, ""));
    let Ok(format) = format.parse::<policy::Format>() else {
        return;
    };
    let again = format.to_string().parse::<policy::Format>();
    assert_eq!(
        again.map(|format| format.to_string()),
        Ok(format.to_string())
    );
    let policy = Policy {
        order: Order::Calver(format),
        prereleases: Prereleases::Allow,
        ..Policy::default()
    };
    selects(&policy, tags, Current::Nothing);
}

/// The first lines are an order (a word, and for some a text after a blank), `match`, its key or nothing,
/// a glob to ignore or nothing, and the tag that runs or nothing; the others are tags. A selection by what
/// parses holds what all selections do.
///
/// # Panics
/// When it does not.
pub fn selection(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.splitn(6, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (order, pattern, key, glob, current, tags) =
        (line(), line(), line(), line(), line(), line());
    let (Some(order), Ok(pattern)) = (order_of(order), pattern.parse::<Pattern>()) else {
        return;
    };
    let pattern = match key {
        "" => pattern,
        key => match pattern.with_key(key) {
            Ok(pattern) => pattern,
            Err(_) => return,
        },
    };
    let globs = [glob];
    let globs = globs.iter().filter(|glob| !glob.is_empty());
    let Ok(ignore) = Ignore::new(&globs.collect::<Vec<_>>()) else {
        return;
    };
    let policy = Policy {
        order,
        pattern: Some(pattern),
        ignore,
        ..Policy::default()
    };
    let current: Option<Tag> = current.parse().ok();
    let current = current.as_ref().map_or(Current::Nothing, Current::Tag);
    selects(&policy, tags, current);
}

fn order_of(text: &str) -> Option<Order> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let end = match rest {
        "lowest" => End::Lowest,
        _ => End::Highest,
    };
    match word {
        "semver" => rest.parse().ok().map(Order::Semver),
        "calver" => rest.parse().ok().map(Order::Calver),
        "numerical" => Some(Order::Numerical(end)),
        "alphabetical" => Some(Order::Alphabetical(end)),
        "newest" => Some(Order::Newest(TimeOf::Pushed)),
        "digest" => rest.parse().ok().map(Order::Digest),
        _ => None,
    }
}

/// What holds for every selection among the tags on these lines: it does not depend on their order, each has
/// one verdict, what is chosen is one of them and no lower than what runs, and the order is one.
fn selects(policy: &Policy, tags: &str, current: Current<'_>) {
    let mut tags: Vec<Tag> = tags.lines().filter_map(|tag| tag.parse().ok()).collect();
    tags.sort();
    tags.dedup();
    let choose = |tags: &[Tag]| {
        let evidence = Evidence::new(tags, current, jiff::Timestamp::UNIX_EPOCH);
        select(policy, &evidence)
    };
    let forwards = choose(&tags);
    tags.reverse();
    let backwards = choose(&tags);
    assert_eq!(forwards, backwards);
    assert_eq!(forwards.verdicts.len(), tags.len());
    let compare = |a: &Tag, b: &Tag| policy::compare(policy, a, b, Recorded::default());
    for pair in tags.windows(2) {
        let (there, back) = (compare(&pair[0], &pair[1]), compare(&pair[1], &pair[0]));
        assert_eq!(there, back.map(Ordering::reverse));
    }
    let chosen = forwards
        .verdicts
        .iter()
        .filter(|v| v.verdict == Verdict::Selected);
    let chosen: Vec<&Tag> = chosen.map(|v| &v.tag).collect();
    match (chosen.as_slice(), &forwards.outcome) {
        ([one], Outcome::Selected(tag) | Outcome::UpToDate(tag)) => assert_eq!(*one, tag),
        ([], Outcome::Selected(tag)) => panic!("{tag} is chosen and has no such verdict"),
        // What runs may be gone from the list.
        ([], _) => {}
        (several, _) => panic!("{several:?}"),
    }
    if let (Outcome::Selected(tag), Some(current)) = (&forwards.outcome, current.tag()) {
        assert_ne!(compare(tag, current), Some(Ordering::Less));
    }
}

/// Each line is a `Link` header. A link to another page before them changes nothing, and what is found
/// is a part of one of them.
///
/// # Panics
/// When it does.
pub fn link(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let found = links::next(text.lines());
    let more = std::iter::once("</p>; rel=\"prev\"").chain(text.lines());
    assert_eq!(found, links::next(more));
    if let Ok(Some(target)) = found {
        assert!(
            text.lines()
                .any(|line| line.contains(&format!("<{target}>")))
        );
    }
}

/// Each line is a `WWW-Authenticate` header. Whatever follows it, a sound challenge is read.
///
/// # Panics
/// When it is not.
pub fn challenge(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for line in text.lines() {
        // One challenge takes at least one byte.
        assert!(challenges::parse(line).len() <= line.len());
        let all = challenges::parse(&format!("Basic realm=\"r\", {line}"));
        let first = all.first().expect("the sound one");
        assert!(
            first.is("basic") && first.get("realm") == Some("r"),
            "{line}"
        );
    }
}

/// Every site and target is set to one reference, in YAML and in one other format: what is outside the
/// sites' scalars stays (but for quotes and blanks at their edges), there are as many sites as before,
/// and doing it again changes nothing.
///
/// # Panics
/// When it is not so.
pub fn yaml(data: &[u8]) {
    let tag: Tag = "9.9.9".parse().expect("a tag");
    let digest = Digest::of(b"");
    let rules = [
        (DigestRule::Exact, None),
        (DigestRule::WhereHeld, Some(&digest)),
    ];
    let targets = targets();
    // One of the others in turn, since each costs as much as the first.
    let others = [
        (Format::Yaml, &targets[..0]),
        (Format::Kustomization, &[]),
        (Format::Chart, &[]),
        (Format::Json, &targets),
        (Format::Text(Dialect::Any), &[]),
        (Format::Text(Dialect::Docker), &[]),
        (Format::Text(Dialect::Code), &[]),
        (Format::Text(Dialect::Properties), &[]),
        (Format::Text(Dialect::Markup), &[]),
    ];
    let other = others[data.len() % others.len()];
    for (format, targets) in [(Format::Yaml, &targets[..]), other] {
        let index = manifest::index_with(format, data, targets);
        for (rule, digest) in rules {
            let target = Target {
                rename: None,
                tag: Some(&tag),
                digest,
                rule,
            };
            let sites = 0..index.sites.len();
            let changes: Vec<Change<'_>> = sites.map(|site| Change { site, target }).collect();
            let rewrite =
                |bytes, index| manifest::rewrite_with(format, bytes, targets, index, &changes);
            let done = rewrite(data, &index);
            if done.edits.is_empty() {
                assert_eq!(done.bytes, data);
            }
            let after = manifest::index_with(format, &done.bytes, targets);
            assert_eq!(after.sites.len(), index.sites.len());
            assert_eq!(around(data, &index), around(&done.bytes, &after));
            let again = rewrite(&done.bytes, &after);
            assert_eq!(again.bytes, done.bytes);
        }
    }
}

/// Paths with each kind of step, over keys that the corpus has.
fn targets() -> Vec<TargetPath> {
    let paths = [
        ("image.tag", Part::Tag),
        ("images[0].newTag", Part::Tag),
        ("spec.containers[name=app].image", Part::Whole),
        ("[0].image", Part::Name),
        ("image.digest", Part::Digest),
    ];
    let target = |(path, part): (&str, Part)| TargetPath {
        app: "shop".to_owned(),
        path: path.parse().expect("a path"),
        part,
    };
    paths.into_iter().map(target).collect()
}

/// The pieces between the scalars of all sites, without quotes and blanks at their edges.
fn around<'a>(data: &'a [u8], index: &FileIndex) -> Vec<&'a [u8]> {
    let fields = |site: &Site| {
        let all = [&site.name, &site.tag, &site.digest, &site.whole];
        all.into_iter()
            .flatten()
            .map(Field::span)
            .collect::<Vec<_>>()
    };
    let mut spans: Vec<Range<usize>> = index.sites.iter().flat_map(fields).collect();
    spans.sort_by_key(|span| (span.start, span.end));
    let mut start = 0;
    let mut pieces = Vec::new();
    for span in spans {
        pieces.push(trim(&data[start..span.start.max(start)]));
        start = span.end.max(start);
    }
    pieces.push(trim(&data[start..]));
    pieces
}

/// Without quotes and blanks at both ends.
fn trim(mut piece: &[u8]) -> &[u8] {
    while let [b' ' | b'"' | b'\'', rest @ ..] | [rest @ .., b' ' | b'"' | b'\''] = piece {
        piece = rest;
    }
    piece
}
