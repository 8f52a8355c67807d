//! Refusals, case by case.

use super::*;

#[test]
fn values_that_are_shared_stay() {
    for (text, position, reason) in [
        (
            "a: &i x:1\nb: {image: *i}\n",
            "2:12",
            "anchored at 1:7 and used again at 2:12",
        ),
        (
            "image: &i a:1\nb: *i\n",
            "1:11",
            "anchored at 1:11 and used again at 2:4",
        ),
        (
            "base: &b\n  image: a:1\nweb:\n  <<: *b\n",
            "2:10",
            "anchored at 2:3 and used again at 4:7",
        ),
        ("a: &l [{image: a:1}]\nb: *l\n", "1:16", "anchored at 1:7"),
        (
            "a: &l\n- b:\n    image: a:1\nc: [*l]\n",
            "3:12",
            "used again at 4:5",
        ),
        ("image: &i a:1 # tagwright: x/y\nb: *i\n", "1:11", "shared"),
        (
            "image: &i a:1 # tagwright: x\nb: *i # tagwright: x:tag\n",
            "1:11",
            "shared",
        ),
        (
            "image: &i a:1 # tagwright: x\nb: *i # tagwright: ignore\n",
            "1:11",
            "shared",
        ),
        (
            "x: &i a:1\nb: *i # tagwright: x\n",
            "2:4",
            "anchored at 1:7",
        ),
    ] {
        refused(Format::Yaml, tag("2"), text, position, reason);
    }
    let text = "t: &t 1\nimages:\n- name: a\n  newTag: *t\n";
    refused(Format::Kustomization, tag("2"), text, "4:11", "shared");
}

#[test]
fn keys_that_are_there_twice_stay() {
    for (text, position, reason) in [
        (
            "image: a:1\nimage: b:1\n",
            "1:8",
            "`image` is written twice, at 1:1 and 2:1",
        ),
        ("image: a:1\n\"image\": b\n", "1:8", "at 1:1 and 2:1"),
        (
            "spec:\n  image: a:1\nx: y\nspec: {}\n",
            "2:10",
            "`spec` is written twice",
        ),
    ] {
        refused(Format::Yaml, tag("2"), text, position, reason);
    }
    let text = "images:\n- name: a\n  newTag: 1\n  newTag: 3\n";
    refused(
        Format::Kustomization,
        tag("2"),
        text,
        "3:11",
        "`newTag` is written twice",
    );
    // Keys beside the way to the site don't matter.
    check(Format::Yaml, tag("2"), "x: 1\nimage: «a:1|a:2»\nx: 2\n");
}

#[test]
fn encrypted_documents_stay() {
    let sops = "sops:\n  mac: ENC[AES256_GCM,data:x]\n  version: 3.9.0\n";
    refused(
        Format::Yaml,
        tag("2"),
        &format!("image: a:1\n{sops}"),
        "1:8",
        "SOPS",
    );
    let json = "{\"image\": \"a:1\", \"sops\": {\"mac\": \"x\"}}";
    refused(Format::Json, tag("2"), json, "1:11", "SOPS");
    check(
        Format::Yaml,
        tag("2"),
        &format!("x: y\n{sops}---\nimage: «a:1|a:2»\n"),
    );
    check(Format::Yaml, tag("2"), "image: «a:1|a:2»\nsops: yes\n");
}

#[test]
fn a_missing_key_is_named_with_the_line_to_add() {
    let to = To {
        rename: Some("ghcr.io/x/y"),
        ..tag("1.10")
    };
    let pinned = To {
        tag: None,
        digest: Some(E),
        rule: DigestRule::Exact,
        rename: None,
    };
    for (to, text, line) in [
        (tag("1.10"), "images:\n- name: a\n", "`newTag: \"1.10\"`"),
        (
            tag("1.2.3"),
            "images:\n- name: a\n  newName: b\n",
            "`newTag: 1.2.3`",
        ),
        (
            to,
            "images:\n- name: a\n  newTag: 1\n",
            "`newName: ghcr.io/x/y`",
        ),
        (
            pinned,
            "images:\n- name: a\n",
            "add the line `digest: sha256:2222",
        ),
    ] {
        let position = if text.contains("newName") {
            "3:12"
        } else if text.contains("newTag") {
            "3:11"
        } else {
            "2:3"
        };
        refused(Format::Kustomization, to, text, position, line);
    }
}

#[test]
fn a_digest_never_stays_beside_another_tag() {
    for text in [
        "image: a:1@D\n",
        "image: a@D\n",
        "t: 1@D # tagwright: a:tag\n",
    ] {
        let (_, rewritten) = write(Format::Yaml, split(text).0.as_bytes(), tag("2"));
        assert_eq!(
            rewritten.refused[0].reason,
            Refusal::DigestUnknown,
            "{text}"
        );
    }
    let text = "images:\n- name: a\n  newTag: 1\n  digest: =D\n";
    refused(
        Format::Kustomization,
        tag("2"),
        text,
        "3:11",
        "holds a digest",
    );
    let renamed = To {
        rename: Some("x/y"),
        ..tag("1")
    };
    refused(
        Format::Yaml,
        renamed,
        "image: a:1@D\n",
        "1:8",
        "holds a digest",
    );
    let digest_only = To {
        tag: None,
        digest: Some(E),
        ..tag("1")
    };
    refused(
        Format::Yaml,
        digest_only,
        "image: a:1\n",
        "1:8",
        "no digest to replace",
    );
    refused(
        Format::Yaml,
        digest_only,
        "t: 1 # tagwright: a:tag\n",
        "1:4",
        "no digest to replace",
    );
}

#[test]
fn what_has_its_own_key_is_not_removed() {
    let exact = To {
        rule: DigestRule::Exact,
        ..tag("2")
    };
    let text = "images:\n- name: a\n  newTag: 1\n  digest: =D\n";
    refused(
        Format::Kustomization,
        exact,
        text,
        "3:11",
        "no digest, but a key of its own",
    );
    let digest_only = To {
        tag: None,
        digest: Some(E),
        ..exact
    };
    refused(
        Format::Kustomization,
        digest_only,
        text,
        "3:11",
        "no tag, but a key of its own",
    );
    let marked = "t: 1 # tagwright: a:tag\nd: =D # tagwright: a:digest\n";
    refused(
        Format::Yaml,
        exact,
        marked,
        "1:4",
        "no digest, but a key of its own",
    );
}

#[test]
fn a_value_that_is_not_what_its_marker_says_stays() {
    for (text, reason) in [
        (
            "image: a/b:1 # tagwright: x:tag\n",
            "take `:tag` out of the marker",
        ),
        ("tag: 1 # tagwright: x\n", "add `:tag` to the marker"),
        (
            "digest: abc # tagwright: x\n",
            "add `:digest` to the marker",
        ),
        (
            "x: a b # tagwright: x:tag\n",
            "a tag belongs here, and `a b` is not one",
        ),
        ("x: a:1 # tagwright: x:name\n", "a name belongs here"),
        ("x: abc # tagwright: x:digest\n", "a digest belongs here"),
        ("x: ${TAG} # tagwright: x:tag\n", "`${TAG}` is a template"),
        ("image: a:${TAG} # tagwright: x\n", "is a template"),
        (
            "# tagwright: y:tag\nx: 1 # tagwright: x:tag\n",
            "two markers",
        ),
        ("image: # tagwright: x\n", "names no image"),
        ("x: A B # tagwright: x\n", "names no image"),
        ("x: !foo 1 # tagwright: x:tag\n", "not a string"),
        ("x: |- # tagwright: x:tag\n\ny: z\n", "can't be filled"),
        ("x: &a # tagwright: x:tag\n", "can't be filled"),
        ("- # tagwright: x:tag\n- b\n", "can't be filled"),
    ] {
        let (_, rewritten) = write(Format::Yaml, text.as_bytes(), tag("2"));
        assert_eq!(rewritten.bytes, text.as_bytes(), "{text}");
        let shown: Vec<String> = rewritten
            .refused
            .iter()
            .map(|r| r.reason.to_string())
            .collect();
        assert!(
            shown.len() == 1 && shown[0].contains(reason),
            "{text}: {shown:?}"
        );
    }
}

#[test]
fn an_ignored_site_is_refused_and_others_are_written() {
    let text = "- image: a:1 # tagwright: ignore\n- image: b:1\n";
    let (_, rewritten) = write(Format::Yaml, text.as_bytes(), tag("2"));
    assert_eq!(rewritten.bytes, text.replace("b:1", "b:2").as_bytes());
    assert_eq!(rewritten.refused.len(), 1);
    assert_eq!(rewritten.refused[0].reason, Refusal::Ignored);
    assert_eq!(rewritten.refused[0].site, 0);
    assert_eq!(rewritten.edits.len(), 1);
    assert_eq!(
        (rewritten.edits[0].old.as_str(), rewritten.edits[0].site),
        ("b:1", 1)
    );
}

#[test]
fn json_that_is_no_text_stays() {
    let text = "{\"kind\":\"Kustomization\",\"images\":[{\"name\":\"a\",\"newTag\":1.1}]}";
    refused(Format::Json, tag("2"), text, "1:56", "not a string");
}

#[test]
fn a_bad_name_or_index_changes_nothing() {
    let bad = To {
        rename: Some("a b: c"),
        ..tag("2")
    };
    refused(
        Format::Yaml,
        bad,
        "image: a:1\n",
        "1:8",
        "`a b: c` is not an image name",
    );

    let (one, two): (Tag, Tag) = ("2".parse().unwrap(), "3".parse().unwrap());
    let target = |tag| Target {
        rename: None,
        tag: Some(tag),
        digest: None,
        rule: DigestRule::WhereHeld,
    };
    let text = b"image: a:1\n";
    let found = index(Format::Yaml, text);
    let change = |site, tag| Change {
        site,
        target: target(tag),
    };
    let reasons = |bytes: &[u8], changes: &[Change<'_>]| -> Vec<Refusal> {
        let refused = rewrite(Format::Yaml, bytes, &found, changes).refused;
        refused.into_iter().map(|refused| refused.reason).collect()
    };
    assert_eq!(
        reasons(b"image: b:1\n", &[change(0, &one)]),
        [Refusal::Stale]
    );
    assert_eq!(reasons(b"x: y\n", &[change(0, &one)]), [Refusal::Stale]);
    assert_eq!(reasons(text, &[change(7, &one)]), [Refusal::Stale]);
    assert_eq!(reasons(text, &[change(0, &one), change(0, &one)]), []);
    assert_eq!(
        reasons(text, &[change(0, &one), change(0, &two)]),
        [Refusal::Conflict]
    );
}
