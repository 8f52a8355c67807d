//! The module as its users see it: tables of edits, refusals and sites.
//!
//! In a case, `«old|new»` marks what must change; everything outside is the same before and after by
//! the way the case is written, so each one proves that no other byte moved.

mod argocd;
mod compose;
mod edits;
mod helm;
mod helm_refusals;
mod hostile;
mod kustomize;
mod markers;
mod oracle;
mod properties;
mod quoting;
mod refusals;
mod shared;
mod sites;
mod targets;
mod text;

use super::*;

/// A digest for cases; `D` and `E` stand for these in their texts.
const D: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const E: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

/// What a table's cases write everywhere.
#[derive(Debug, Clone, Copy)]
struct To {
    rename: Option<&'static str>,
    tag: Option<&'static str>,
    digest: Option<&'static str>,
    rule: DigestRule,
}

/// The tag alone, as the service writes it.
fn tag(tag: &'static str) -> To {
    To {
        rename: None,
        tag: Some(tag),
        digest: None,
        rule: DigestRule::WhereHeld,
    }
}

/// A case as the text before and the text after.
fn split(case: &str) -> (String, String) {
    let case = case
        .replace("@D", &format!("@{D}"))
        .replace("@E", &format!("@{E}"));
    let case = case.replace("=D", D).replace("=E", E);
    let (mut before, mut after) = (String::new(), String::new());
    let mut rest = case.as_str();
    while let Some((head, tail)) = rest.split_once('«') {
        let (change, tail) = tail.split_once('»').expect("a change ends");
        let (old, new) = change.split_once('|').expect("a change has two sides");
        for (text, part) in [(&mut before, old), (&mut after, new)] {
            text.push_str(head);
            text.push_str(part);
        }
        rest = tail;
    }
    before.push_str(rest);
    after.push_str(rest);
    (before, after)
}

/// Writes `to` to every site of `text`.
fn write(format: Format, text: &[u8], to: To) -> (FileIndex, Rewritten) {
    let found = index(format, text);
    let tag: Option<Tag> = to.tag.map(|tag| tag.parse().unwrap());
    let digest: Option<Digest> = to.digest.map(|digest| digest.parse().unwrap());
    let target = Target {
        rename: to.rename,
        tag: tag.as_ref(),
        digest: digest.as_ref(),
        rule: to.rule,
    };
    let changes: Vec<Change<'_>> = (0..found.sites.len())
        .map(|site| Change { site, target })
        .collect();
    let rewritten = rewrite(format, text, &found, &changes);
    (found, rewritten)
}

/// Proves all `cases` of a table.
#[track_caller]
fn all(format: Format, to: To, cases: &[&str]) {
    for case in cases {
        check(format, to, case);
    }
}

/// The sites of a text: kind, position and reference of each.
fn listed(format: Format, text: &str) -> Vec<String> {
    let (text, _) = split(text);
    let line = |site: &Site| format!("{} {} {}", site.kind, site.position, site.reference_text());
    index(format, text.as_bytes())
        .sites
        .iter()
        .map(line)
        .collect()
}

/// Writes `to` and proves that every site is refused with `reason`, at `position`, and no byte moved.
#[track_caller]
fn refused(format: Format, to: To, text: &str, position: &str, reason: &str) {
    let (text, _) = split(text);
    let (_, rewritten) = write(format, text.as_bytes(), to);
    assert_eq!(rewritten.bytes, text.as_bytes(), "{text}");
    assert_eq!(rewritten.edits, [], "{text}");
    let first = rewritten
        .refused
        .first()
        .unwrap_or_else(|| panic!("not refused: {text}"));
    let shown = first.reason.to_string();
    assert!(shown.contains(reason), "{text}: {shown}");
    assert_eq!(first.position.to_string(), position, "{text}");
}

/// Proves a case: the bytes, that a second time changes nothing, and that another parser agrees.
#[track_caller]
fn check(format: Format, to: To, case: &str) {
    let (before, after) = split(case);
    let (found, rewritten) = write(format, before.as_bytes(), to);
    assert_eq!(found.problem, None, "{case}");
    let shown = String::from_utf8(rewritten.bytes.clone()).unwrap();
    assert_eq!(shown, after, "{case}\n{:?}", rewritten.refused);
    assert_eq!(rewritten.refused, [], "{case}");
    let (_, again) = write(format, &rewritten.bytes, to);
    assert_eq!(again.edits, [], "{case}");
    assert_eq!(again.bytes, rewritten.bytes, "{case}");
    oracle::agrees(&before, &shown, &rewritten.edits);
}

#[test]
fn formats_come_from_the_path() {
    for (path, format) in [
        ("a/b.yaml", Some(Format::Yaml)),
        ("b.YML", Some(Format::Yaml)),
        ("b.json", Some(Format::Json)),
        ("x/kustomization.yaml", Some(Format::Kustomization)),
        ("kustomization.yml", Some(Format::Kustomization)),
        ("Kustomization", Some(Format::Kustomization)),
        ("my-kustomization.yaml", Some(Format::Yaml)),
        ("a/Dockerfile", Some(Format::Text(Dialect::Docker))),
        ("yaml", Some(Format::Text(Dialect::Any))),
        ("a.yaml/b", Some(Format::Text(Dialect::Any))),
        ("main.tf", Some(Format::Text(Dialect::Code))),
        ("a.md", None),
        ("README.MD", None),
    ] {
        assert_eq!(format_of(path), format, "{path}");
    }
}

#[test]
fn an_index_survives_its_cache() {
    let text = "images:\n- name: nginx\n  newTag: 1 # tagwright: web\n- name: b\n  newTag: ${T}\n";
    let found = index(Format::Kustomization, text.as_bytes());
    assert_eq!(found.sites.len(), 2);
    let kept = serde_json::to_vec(&found).unwrap();
    assert_eq!(serde_json::from_slice::<FileIndex>(&kept).unwrap(), found);
}
