//! Targets: where they lead, what they outrank and what outranks them, and what is written there.

use super::*;

/// The target `APP PATH PART` of a case.
fn target(text: &str) -> TargetPath {
    let mut words = text.split(' ');
    let mut word = || words.next().unwrap();
    TargetPath {
        app: word().to_owned(),
        path: word().parse().unwrap(),
        part: match word() {
            "tag" => Part::Tag,
            "name" => Part::Name,
            "digest" => Part::Digest,
            "reference" => Part::Whole,
            other => panic!("{other}"),
        },
    }
}

fn targets(texts: &[&str]) -> Vec<TargetPath> {
    texts.iter().map(|text| target(text)).collect()
}

/// Writes `to` to every site that a target made or took.
fn write_targets(
    format: Format,
    text: &[u8],
    targets: &[TargetPath],
    to: To,
) -> (FileIndex, Rewritten) {
    let found = index_with(format, text, targets);
    let tag: Option<Tag> = to.tag.map(|tag| tag.parse().unwrap());
    let digest: Option<Digest> = to.digest.map(|digest| digest.parse().unwrap());
    let target = Target {
        rename: to.rename,
        tag: tag.as_ref(),
        digest: digest.as_ref(),
        rule: to.rule,
    };
    let aimed = |site: &Site| matches!(site.marker, Some(Marker::Target { .. }));
    let sites = found.sites.iter().enumerate();
    let changes: Vec<Change<'_>> = sites
        .filter(|(_, site)| aimed(site))
        .map(|(site, _)| Change { site, target })
        .collect();
    let rewritten = rewrite_with(format, text, targets, &found, &changes);
    (found, rewritten)
}

#[track_caller]
fn check_targets(format: Format, to: To, texts: &[&str], case: &str) {
    let targets = targets(texts);
    let (before, after) = split(case);
    let (found, rewritten) = write_targets(format, before.as_bytes(), &targets, to);
    assert_eq!(found.problem, None, "{case}");
    let shown = String::from_utf8(rewritten.bytes.clone()).unwrap();
    assert_eq!(shown, after, "{case}\n{:?}", rewritten.refused);
    assert_eq!(rewritten.refused, [], "{case}");
    let (_, again) = write_targets(format, &rewritten.bytes, &targets, to);
    assert_eq!(again.edits, [], "{case}");
    oracle::agrees(&before, &shown, &rewritten.edits);
}

#[test]
fn values_are_written_where_a_path_leads() {
    let yaml = |texts: &[&str], case: &str| {
        check_targets(Format::Yaml, tag("2.0.0"), texts, case);
    };
    yaml(
        &["a spec.version tag"],
        "spec:\n  version: «1|2.0.0» # pinned\n  x: 1\n",
    );
    yaml(
        &["a v tag"],
        "v: «1|2.0.0»\n---\nx: 1\n---\nv: '«1|2.0.0»'\r\n...\n",
    );
    yaml(
        &["a c[name=app].version tag"],
        "c:\n- {name: web, version: 1}\n- {name: app, version: «1|2.0.0»}\n",
    );
    yaml(
        &["a c[1].version tag"],
        "c:\n- {name: web, version: 1}\n- {name: app, version: «1|2.0.0»}\n",
    );
    yaml(
        &["a a.\"b.c\".d tag"],
        "a: {b.c: {d: \"«1|2.0.0»\"}, b: {c: {d: 1}}}\n",
    );
    yaml(&["a [0].v tag"], "- v: «1|2.0.0»\n- v: 1\n");
    yaml(&["a v tag"], "v:«| 2.0.0»\n");
    yaml(&["a v tag"], "v: «|2.0.0»\n");
    yaml(&["a v tag"], "v: |\n  «1|2.0.0»\n");
    yaml(
        &["a v reference"],
        "v: «reg.example/a/b:1|reg.example/a/b:2.0.0»\n",
    );
    yaml(
        &["a run.image reference"],
        "run:\n  image: «a/b:1|a/b:2.0.0»\nimage: a/b:1\n",
    );
    check_targets(
        Format::Json,
        tag("2.0.0"),
        &["a a[0].v tag"],
        "{\"a\": [{\"v\": \"«1|2.0.0»\"}], \"v\": \"1\"}",
    );
    let types = tag("1.10");
    check_targets(Format::Yaml, types, &["a v tag"], "v: «1.9|\"1.10\"»\n");
    let renamed = To {
        rename: Some("new/name"),
        ..tag("2.0.0")
    };
    check_targets(
        Format::Yaml,
        renamed,
        &["a r name", "a t tag"],
        "r: «old/name|new/name»\nt: «1|2.0.0»\n",
    );
}

#[test]
fn targets_of_one_app_in_one_mapping_are_one_site() {
    let both = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    let texts = ["a i.repo name", "a i.version tag", "a i.sum digest"];
    let case = "i: {repo: a/b, version: \"«1|2.0.0»\", sum: «=D|=E»}\n";
    check_targets(Format::Yaml, both, &texts, case);
    let found = index_with(Format::Yaml, split(case).0.as_bytes(), &targets(&texts));
    assert_eq!(found.sites.len(), 1);
    assert_eq!(found.sites[0].kind, SiteKind::Target);
    assert_eq!(found.sites[0].reference_text(), format!("a/b:1@{D}"));
    let apart = ["a i.repo name", "b i.version tag"];
    let found = index_with(Format::Yaml, split(case).0.as_bytes(), &targets(&apart));
    assert_eq!(found.sites.len(), 2);
}

#[test]
fn a_target_takes_the_whole_of_what_it_hits() {
    let both = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    let case = "images:\n- name: a/b\n  newTag: «1|2.0.0»\n  digest: «=D|=E»\n";
    let texts = ["x images[name=a/b].newTag tag"];
    check_targets(Format::Kustomization, both, &texts, case);
    let found = index_with(
        Format::Kustomization,
        split(case).0.as_bytes(),
        &targets(&texts),
    );
    assert_eq!(found.sites.len(), 1);
    assert_eq!(found.sites[0].kind, SiteKind::Kustomize);
}

#[test]
fn markers_outrank_targets_and_targets_outrank_names() {
    let text = "image: a/b:1 # tagwright: web\n";
    let of = |texts: &[&str]| index_with(Format::Yaml, text.as_bytes(), &targets(texts));
    let found = of(&["x image reference"]);
    assert_eq!(found.sites.len(), 1);
    assert_eq!(found.sites[0].marker.as_ref().unwrap().to_string(), "web");
    assert!(matches!(found.sites[0].marker, Some(Marker::Own { .. })));
    assert_eq!(found.aims, [Aim::Hit]);
    assert_eq!(found.notes.len(), 1);
    assert_eq!(
        found.notes[0].reason,
        "this marker outranks the target of x"
    );
    // The marker of the app itself says the same.
    assert_eq!(of(&["web image reference"]).notes, []);

    let plain = "image: a/b:1\n";
    let found = index_with(
        Format::Yaml,
        plain.as_bytes(),
        &targets(&["x image reference"]),
    );
    assert_eq!(found.sites.len(), 1);
    assert_eq!(found.sites[0].kind, SiteKind::Kubernetes);
    assert!(matches!(found.sites[0].marker, Some(Marker::Target { .. })));
}

#[test]
fn what_a_target_cannot_write_is_refused() {
    for (texts, text, reason) in [
        (
            &["x v reference", "y v reference"][..],
            "v: a/b:1\n",
            "targets of `x` and `y` claim this value; nobody writes it",
        ),
        (
            &["x v reference", "x v tag"],
            "v: a:1\n",
            "targets of `x` claim this value",
        ),
        (
            &["x v tag"],
            "v: a/b:1\n",
            "a tag belongs here, and `a/b:1` is not one; correct `write`",
        ),
        (
            &["x tag reference"],
            "tag: 1.0\n",
            "correct `write` of the target",
        ),
        (&["x v digest"], "v: 1.0\n", "a digest belongs here"),
        (&["x v tag"], "v: &v 1\nw: *v\n", "shared: anchored at 1:7"),
        (&["x w tag"], "v: &v 1\nw: *v\n", "shared: anchored at 1:7"),
        (
            &["x b.v tag"],
            "a: &a {v: 1}\nb: {<<: *a}\n",
            "shared: anchored at 1:7",
        ),
        (&["x v tag"], "v: 1\nv: 2\n", "`v` is written twice"),
        (&["x v tag"], "v: ${TAG}\n", "is a template"),
        (&["x v tag"], "v: 1\nsops: {mac: x}\n", "SOPS"),
    ] {
        let (found, rewritten) =
            write_targets(Format::Yaml, text.as_bytes(), &targets(texts), tag("2.0.0"));
        assert_eq!(rewritten.bytes, text.as_bytes(), "{text}");
        assert!(found.aims.iter().all(|aim| *aim == Aim::Hit), "{text}");
        let shown = rewritten.refused.first().map(|one| one.reason.to_string());
        let shown = shown.unwrap_or_else(|| panic!("not refused: {text}"));
        assert!(shown.contains(reason), "{text}: {shown}");
    }
    let json = write_targets(
        Format::Json,
        b"{\"v\": 1}",
        &targets(&["x v tag"]),
        tag("2.0.0"),
    );
    assert!(
        json.1.refused[0]
            .reason
            .to_string()
            .contains("not a string")
    );
}

#[test]
fn a_target_that_leads_nowhere_is_told() {
    let at = |line, column| Position { line, column };
    for (path, text, aim) in [
        ("a.b", "a: {b: 1}\n", Aim::Hit),
        ("a.b", "a: {c: 1}\n", Aim::NoKey(at(1, 4))),
        ("a.b", "a:\n  c: 1\n", Aim::NoKey(at(2, 3))),
        ("a.b", "a: {b: {c: 1}}\n", Aim::Collection(at(1, 8))),
        ("a.b", "a: {b: [1]}\n", Aim::Collection(at(1, 8))),
        ("a.b", "a: 1\n", Aim::Nowhere),
        ("a.b", "x: 1\n", Aim::Nowhere),
        ("a.b", "", Aim::Nowhere),
        ("a[n=x]", "a: [{n: y}]\n", Aim::Nowhere),
        ("a.b", "a: {c: 1}\n---\na: {b: 1}\n", Aim::Hit),
    ] {
        let texts = [format!("x {path} tag")];
        let found = index_with(Format::Yaml, text.as_bytes(), &[target(&texts[0])]);
        assert_eq!(found.aims, [aim], "{path} {text}");
    }
}

#[test]
fn an_index_is_good_for_its_targets_only() {
    let text = b"v: 1\n";
    let found = index_with(Format::Yaml, text, &targets(&["x v tag"]));
    assert_eq!(found.sites.len(), 1);
    assert_eq!(index(Format::Yaml, text), FileIndex::default());
    let tag: Tag = "2".parse().unwrap();
    let target = Target {
        rename: None,
        tag: Some(&tag),
        digest: None,
        rule: DigestRule::WhereHeld,
    };
    let change = Change { site: 0, target };
    let rewritten = rewrite(Format::Yaml, text, &found, &[change]);
    assert_eq!(rewritten.bytes, text);
    assert_eq!(rewritten.refused[0].reason, Refusal::Stale);
}

#[test]
fn what_flux_watches_is_no_site() {
    let text = "apiVersion: image.toolkit.fluxcd.io/v1beta2\nkind: ImageRepository\nspec:\n  \
                image: a/b\n---\nimage: a/b:1\n";
    let found = index(Format::Yaml, text.as_bytes());
    let lines: Vec<u32> = found.sites.iter().map(|site| site.position.line).collect();
    assert_eq!(lines, [6]);
}
