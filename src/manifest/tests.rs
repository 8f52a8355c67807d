//! The module as its users see it: tables of edits, refusals and sites.
//!
//! In a case, `«old|new»` marks what must change; everything outside is the same before and after by
//! the way the case is written, so each one proves that no other byte moved.

mod edits;
mod hostile;
mod kustomize;
mod markers;
mod oracle;
mod properties;
mod quoting;
mod refusals;
mod sites;

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
        ("Dockerfile", None),
        ("yaml", None),
        ("a.yaml/b", None),
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
