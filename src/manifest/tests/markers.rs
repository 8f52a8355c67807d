//! Markers and where they belong, case by case.

use super::*;

/// `M` in a case is a Flux marker of `ns:app`, `Mt`, `Mn` and `Md` ask for a part.
pub(super) fn flux(case: &str) -> String {
    let marker = |part: &str| format!("{{\"$imagepolicy\": \"ns:app{part}\"}}");
    case.replace("Mt", &marker(":tag"))
        .replace("Mn", &marker(":name"))
        .replace("Md", &marker(":digest"))
        .replace("Mw", &marker(""))
}

#[test]
fn markers_that_flux_reads_work() {
    for case in [
        "image: «a/b:1|a/b:2.0.0» # Mw\n",
        "image: «a/b:1|a/b:2.0.0» #Mw\n",
        "image: «a/b:1|a/b:2.0.0» ## Mw\n",
        "image: '«a/b:1|a/b:2.0.0»' # Mw\r\n",
        "image: &i \"«a/b:1|a/b:2.0.0»\" # Mw\n",
        "image: | # Mw\n  «a/b:1|a/b:2.0.0»\n",
        "image: >- # Mw\n  «a/b:1|a/b:2.0.0»\nx: y\n",
        "x: «a/b:1|a/b:2.0.0» # Mw\n",
        "- «a/b:1|a/b:2.0.0» # Mw\n- c\n",
        "# Mw\n- «a/b:1|a/b:2.0.0»\n- c\n",
        "tag: «1.0|2.0.0» # Mt\n",
        "tag: «1.0|2.0.0» # Mt",
        "tag: \"«1.0|2.0.0»\" # Mt\n",
        "a: {\n  repo: x, # Mn\n  tag: «1|2.0.0» # Mt\n}\n",
        "kind: List\nitems:\n- image: «a:1|a:2.0.0» # Mw\n",
        "VERSION: «1|2.0.0» # Mt\nNAME: a/b # Mn\n",
        "spec:\n  values:\n    image:\n      repository: a/b # Mn\n      tag: «v1|2.0.0» # Mt\n",
        "tag: «1|2.0.0» # {\"$ref\":\"#/definitions/io.k8s.cli.setters.ns:app:tag\"}\nn: a # Mn\n",
        "tag: «~|2.0.0» # Mt\n",
        "tag:«| 2.0.0» # Mt\n",
    ] {
        check(Format::Yaml, tag("2.0.0"), &flux(case));
    }
    for case in [
        "images:\n- name: a\n  newName: a/b # Mn\n  newTag: «1|2.0.0» # Mt\n",
        "images:\n- name: a\n  newTag: «1|2.0.0» # Mt\n",
        "images:\n- name: a\n  newName: a/b # Mn\n  newTag: 1\n",
    ] {
        check(Format::Kustomization, tag("2.0.0"), &flux(case));
    }
}

#[test]
fn markers_that_flux_overlooks_work_too() {
    for case in [
        "# Mw\nimage: «a/b:1|a/b:2.0.0»\n",
        "a:\n  x: y\n  # Mt\n  tag: «1|2.0.0»\n",
        "image: «a/b:1|a/b:2.0.0» # Mw since May\n",
        "{repo: a, tag: \"«1|2.0.0»\"} # Mt\n",
        "v: {replicas: 3, tag: \"«1|2.0.0»\"} # Mt\n",
        "# Mt\nv: {replicas: 3, tag: \"«1|2.0.0»\"}\n",
        "image: # Mw\n  «a/b:1|a/b:2.0.0»\n",
        "- # Mw\n  «a/b:1|a/b:2.0.0»\n",
        "- «a:1|a:2.0.0» # Mw\n",
        "image: «a:1|a:2.0.0» # tagwright: app\n",
        "# tagwright: app/live\nimage: «a:1|a:2.0.0»\n",
        "x: «1|2.0.0» # tagwright: app:tag\n",
    ] {
        check(Format::Yaml, tag("2.0.0"), &flux(case));
    }
    for case in [
        "images:\n- name: a\n  newTag: «1|2.0.0» # tagwright: app\n",
        "images:\n# tagwright: app\n- name: x.y/a\n  newTag: «1|2.0.0»\n",
        "images:\n- name: a\n  # tagwright: app\n  newTag: «1|2.0.0»\n",
        "images:\n# tagwright: app\n- {name: a, newName: x/y, newTag: «1|2.0.0»}\n",
        "images:\n- name: a # tagwright: app\n  newTag: «1|2.0.0»\n",
    ] {
        check(Format::Kustomization, tag("2.0.0"), &flux(case));
        let (before, _) = split(&flux(case));
        let found = index(Format::Kustomization, before.as_bytes());
        assert_eq!(found.sites.len(), 1, "{case}");
        assert_eq!(found.sites[0].kind, SiteKind::Kustomize, "{case}");
        assert!(found.sites[0].marker.is_some(), "{case}");
    }
}

#[test]
fn a_marker_makes_no_second_site() {
    for (format, text, wanted) in [
        (Format::Yaml, "image: a:1 # Mw\n", "kubernetes ns:app a:1"),
        (Format::Yaml, "x: a:1 # Mw\n", "marker ns:app a:1"),
        (Format::Yaml, "tag: 1 # Mt\n", "marker ns:app:tag 1"),
        (
            Format::Yaml,
            "n: a/b # Mn\nt: 1 # Mt\n",
            "marker ns:app a/b:1",
        ),
        (
            Format::Yaml,
            "t: 1 # Mt\nd: =D # Md\n",
            "marker ns:app:tag 1@=D",
        ),
        (
            Format::Yaml,
            "image: a/b # Mn\ntag: 1 # Mt\n",
            "helm ns:app a/b:1",
        ),
        (
            Format::Kustomization,
            "images:\n- name: a\n  newName: a/b # Mn\n  newTag: 1 # Mt\n",
            "kustomize ns:app a/b:1",
        ),
        (
            Format::Kustomization,
            "images:\n- name: a\n  newTag: 1 # Mt\n",
            "kustomize ns:app:tag a:1",
        ),
        (
            Format::Kustomization,
            "images:\n- name: a\n  newName: a/b # Mn\n  newTag: 1\n",
            "marker ns:app:name a/b",
        ),
        (
            Format::Yaml,
            "t: 1 # Mt\nu: 1 # Mt\n",
            "marker ns:app:tag 1, marker ns:app:tag 1",
        ),
        (
            Format::Yaml,
            "t: 1 # Mt\nn: a/b # tagwright: web:name\n",
            "marker ns:app:tag 1, marker web:name a/b",
        ),
    ] {
        let (text, _) = split(&flux(text));
        let found = index(format, text.as_bytes());
        let shown: Vec<String> = found
            .sites
            .iter()
            .map(|site| {
                let marker = site.marker.as_ref().unwrap();
                format!("{} {marker} {}", site.kind, site.reference_text())
            })
            .collect();
        assert_eq!(shown.join(", "), wanted.replace("=D", D), "{text}");
        assert_eq!(found.notes, [], "{text}");
    }
}

#[test]
fn a_marker_on_nothing_is_told() {
    for (text, position, reason) in [
        ("spec: # Mw\n  image: a:1\n", "1:7", "on no value"),
        (
            "image: # Mw\n  repository: a\n  tag: b\n",
            "1:8",
            "on no value",
        ),
        ("# Mw\n- name: app\n  image: a:1\n", "1:1", "above no value"),
        ("# Mw\n\nimage: a:1\n", "1:1", "above no value"),
        ("image: a:1\n# Mw\n", "2:1", "above no value"),
        ("image: a:1\n# Mt", "2:1", "above no value"),
        ("--- # Mw\nimage: a:1\n", "1:5", "on no value"),
        ("x: [a:1, b:1] # Mw\n", "1:15", "several"),
        ("x: {tag: 1, imageTag: 2} # Mt\n", "1:26", "several"),
        ("x: a # see Mw\n", "1:6", "precedes"),
        (
            "x: a # {\"$imagepolicy\": \"ns/p\"}\n",
            "1:6",
            "NAMESPACE:NAME",
        ),
        ("x: a # tagwright: shop:tga\n", "1:6", "`:tag`"),
        ("ж: a # tagwright: shop:tga\n", "1:6", "`:tag`"),
        ("data: >\n  image: a:1 # Mw\n", "2:3", "inside a text value"),
        (
            "data: 'image: a:1\n\n  # Mw'\n",
            "1:7",
            "inside a text value",
        ),
        ("x: a # b # tagwright: app\n", "1:6", "text precedes"),
        (
            "x: &m {a: b}\ny: *m # tagwright: app\n",
            "2:7",
            "on no value",
        ),
    ] {
        let text = flux(text);
        let found = index(Format::Yaml, text.as_bytes());
        let notes: Vec<String> = found
            .notes
            .iter()
            .map(|note| format!("{} {}", note.position, note.reason))
            .collect();
        assert_eq!(notes.len(), 1, "{text}: {notes:?}");
        assert!(
            notes[0].starts_with(position) && notes[0].contains(reason),
            "{text}: {notes:?}"
        );
        let marked = found.sites.iter().filter(|site| site.marker.is_some());
        assert_eq!(marked.count(), 0, "{text}");
    }
}

#[test]
fn a_line_that_is_commented_out_marks_nothing() {
    let text = flux("# image: a:1 # Mw\nimage: a:2\n");
    let found = index(Format::Yaml, text.as_bytes());
    assert_eq!(found.notes, []);
    assert_eq!(found.sites.len(), 1);
    assert_eq!(found.sites[0].marker, None);
}

#[test]
fn aliases_follow_a_marked_value() {
    for case in [
        "image: &i «a:1|a:2.0.0» # Mw\nb: {image: *i}\nc: [*i]\n",
        "image: &i «a:1|a:2.0.0» # tagwright: app\nb:\n  image: *i # tagwright: app\n",
        "tag: &t \"«1|2.0.0»\" # Mt\nweb: {tag: *t}\n",
        "base: &b\n  image: «a:1|a:2.0.0» # Mw\nweb:\n  <<: *b\n",
        "x: &l\n- image: «a:1|a:2.0.0» # Mw\ny: *l\n",
    ] {
        let (before, after) = split(&flux(case));
        let found = index(Format::Yaml, before.as_bytes());
        assert_eq!(found.notes, [], "{case}");
        // The marked site alone is asked to change; what is found by name follows it.
        let marked = found.sites.iter().position(|site| site.marker.is_some());
        let new: Tag = "2.0.0".parse().unwrap();
        let change = Change {
            site: marked.unwrap(),
            target: Target {
                rename: None,
                tag: Some(&new),
                digest: None,
                rule: DigestRule::WhereHeld,
            },
        };
        let rewritten = rewrite(Format::Yaml, before.as_bytes(), &found, &[change]);
        assert_eq!(rewritten.refused, [], "{case}");
        assert_eq!(rewritten.edits.len(), 1, "{case}");
        assert_eq!(String::from_utf8(rewritten.bytes).unwrap(), after);
        // What is found by name alone doesn't lead.
        for site in (0..found.sites.len()).filter(|site| Some(*site) != marked) {
            if found.sites[site].marker.is_none() {
                let change = Change { site, ..change };
                let rewritten = rewrite(Format::Yaml, before.as_bytes(), &found, &[change]);
                assert_eq!(rewritten.bytes, before.as_bytes(), "{case}");
                assert_eq!(rewritten.refused.len(), 1, "{case}");
            }
        }
    }
}
