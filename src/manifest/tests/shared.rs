//! Values that several sites share by anchors, aliases and merges, case by case.

use super::*;

#[test]
fn a_scalar_whose_every_use_is_a_site_changes_once_for_all() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "web: {repository: a/web, tag: &v «1|2.0.0»}\nworker: {repository: a/worker, tag: *v}\n",
            "web:\n  repository: a/web\n  tag: &v \"«1|2.0.0»\" # c\nworker:\n  repository: a/worker\n  tag: *v # c\nthird: {repository: c, tag: *v}\n",
            "- image: &i «a/b:1|a/b:2.0.0»\n- image: *i\n",
            "- image: &i '«a/b:1|a/b:2.0.0»'\n- sidecarImage: *i\n- image: {reference: *i}\n",
            "t: &v «1|2.0.0» # tagwright: web:tag\nweb: {repository: a/web, tag: *v}\n",
            "web: {repository: &r a/b, tag: «1|2.0.0»}\njob: {repository: *r, tag: «1|2.0.0»}\n",
            "r: &r a/b\nweb: {repository: *r, tag: «1|2.0.0»}\n",
            "r: &r ghcr.io\nweb: {registry: *r, repository: a/b, tag: «1|2.0.0»}\n",
            "web: {repository: a/web, tag: &v «~|2.0.0»}\nworker: {repository: a/worker, tag: *v}\n",
        ],
    );
    let found = listed(
        Format::Yaml,
        "web: {repository: a/web, tag: &v 1}\nworker: {repository: a/worker, tag: *v}\n",
    );
    assert_eq!(found, ["helm 1:34 a/web:1", "helm 2:37 a/worker:1"]);
    let to = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    check(
        Format::Yaml,
        to,
        "a: {repository: a/b, tag: &t «1|2.0.0», digest: &d «=D|=E»}\nb: {repository: a/b, tag: *t, digest: *d}\n",
    );
    check(
        Format::Kustomization,
        tag("2.0.0"),
        "images:\n- name: a\n  newTag: &v «1|2.0.0»\n- name: b\n  newTag: *v\n",
    );
}

#[test]
fn a_use_that_is_no_site_keeps_the_value() {
    for (text, position, reason) in [
        (
            "t: &v 1\nweb: {repository: a/web, tag: *v}\n",
            "2:31",
            "anchored at 1:7 and used again at 2:31",
        ),
        (
            "web: {repository: a/web, tag: &v 1}\nversion: *v\n",
            "1:34",
            "anchored at 1:34 and used again at 2:10",
        ),
        (
            "web: &w {repository: a/web, tag: 1}\njob: *w\n",
            "1:34",
            "anchored at 1:9 and used again at 2:6",
        ),
        (
            "base: &b {repository: a/web, tag: 1}\njob: {<<: *b}\n",
            "1:35",
            "anchored at 1:10 and used again at 2:11",
        ),
        (
            "a: {repository: a/b, tag: &v 1, x: *v}\nb: {repository: a/b, tag: *v}\n",
            "1:30",
            "used again at 1:36",
        ),
    ] {
        refused(Format::Yaml, tag("2.0.0"), text, position, reason);
    }
}

/// Asks for `wanted` at the sites of `text`, by number, and shows what was refused.
fn some(text: &str, wanted: &[(usize, &str)]) -> (String, Vec<String>) {
    let found = index(Format::Yaml, text.as_bytes());
    let tags: Vec<Tag> = wanted.iter().map(|(_, tag)| tag.parse().unwrap()).collect();
    let changes: Vec<Change<'_>> = wanted
        .iter()
        .zip(&tags)
        .map(|((site, _), tag)| Change {
            site: *site,
            target: Target {
                rename: None,
                tag: Some(tag),
                digest: None,
                rule: DigestRule::WhereHeld,
            },
        })
        .collect();
    let done = rewrite(Format::Yaml, text.as_bytes(), &found, &changes);
    let refused = done.refused.iter();
    (
        String::from_utf8(done.bytes).unwrap(),
        refused
            .map(|refused| format!("{} {}", refused.position, refused.reason))
            .collect(),
    )
}

#[test]
fn all_sites_of_a_scalar_change_or_none() {
    const SHARED: &str = "the value is shared: anchored at 1:28 and used again at 2:25";
    let text = "a: {repository: a, tag: &v 1.0.0}\nb: {repository: b, tag: *v}\nc: {repository: c, tag: 1}\n";
    let both = text.replace("&v 1.0.0", "&v 2.0.0");
    assert_eq!(some(text, &[(0, "2.0.0"), (1, "2.0.0")]), (both, vec![]));
    let third = text.replace("c, tag: 1", "c, tag: 2.0.0");
    assert_eq!(
        some(text, &[(0, "2.0.0"), (2, "2.0.0")]),
        (third.clone(), vec![format!("1:28 {SHARED}")])
    );
    assert_eq!(
        some(text, &[(1, "2.0.0"), (2, "2.0.0")]),
        (third.clone(), vec![format!("2:25 {SHARED}")])
    );
    assert_eq!(
        some(text, &[(1, "2.0.0"), (0, "3.0.0"), (2, "2.0.0")]),
        (
            third,
            vec![format!("2:25 {SHARED}"), format!("1:28 {SHARED}")]
        )
    );
    // Nothing changes, so nobody need be asked.
    assert_eq!(some(text, &[(0, "1.0.0")]), (text.to_owned(), vec![]));
}

#[test]
fn a_refused_site_holds_back_what_it_shares() {
    // The second is ignored, and the third shares another scalar with the first.
    let text = "a: {repository: a, tag: &v 1, digest: ''}\n\
                b: {repository: b, tag: *v} # tagwright: ignore\n\
                c: {repository: c, tag: *v}\n";
    let (after, refused) = some(text, &[(0, "2.0.0"), (1, "2.0.0"), (2, "2.0.0")]);
    assert_eq!(after, text);
    assert_eq!(refused.len(), 3);
    assert!(refused[0].contains("anchored at 1:28 and used again at 2:25"));
    assert!(refused[1].contains("ignore"));
}

#[test]
fn a_name_is_taken_from_a_merge() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "d: &d {repository: ghcr.io/a/b, pullPolicy: Always}\nweb:\n  image:\n    <<: *d\n    tag: «1|2.0.0»\n",
            "d: &d {registry: ghcr.io, repository: a/b}\nx: {<<: *d, tag: «1|2.0.0»}\ny: {<<: *d, tag: '«1|2.0.0»'}\n",
            "d: &d {repository: a/b}\ne: &e {x: y}\nx: {<<: [*e, *d], tag: «1|2.0.0»}\n",
        ],
    );
    let text = "d: &d {registry: ghcr.io, repository: a/b}\nx: {<<: *d, tag: 1}\n";
    assert_eq!(listed(Format::Yaml, text), ["helm 2:18 ghcr.io/a/b:1"]);
    let to = To {
        rename: Some("x/y"),
        ..tag("2.0.0")
    };
    refused(
        Format::Yaml,
        to,
        text,
        "2:18",
        "anchored at 1:7 and used again at 2:9",
    );
    // The tag is the base's, so it is everyone's.
    let text = "d: &d {repository: a/b, tag: 1}\nx: {<<: *d, a: b}\n";
    refused(Format::Yaml, tag("2.0.0"), text, "1:30", "shared");
}

#[test]
fn a_shared_name_changes_for_all_or_none() {
    let to = To {
        rename: Some("x/y"),
        ..tag("2.0.0")
    };
    check(
        Format::Yaml,
        to,
        "a: {repository: &r «a/b|x/y», tag: «1|2.0.0»}\nb: {repository: *r, tag: «1|2.0.0»}\n",
    );
    refused(
        Format::Yaml,
        to,
        "r: &r a/b\na: {repository: *r, tag: 1}\n",
        "2:26",
        "anchored at 1:7 and used again at 2:17",
    );
    refused(
        Format::Yaml,
        to,
        "r: &r ghcr.io\na: {registry: *r, repository: a/b, tag: 1}\n",
        "2:41",
        "anchored at 1:7 and used again at 2:15",
    );
}
