//! Kustomize entries, case by case.

use super::*;

#[test]
fn entries_are_edited_in_place() {
    for case in [
        "images:\n- name: a\n  newTag: «1.0.0|2.0.0»\n",
        "images:\n  - newTag: «1.0.0|2.0.0» # c\n    name: a\n\n  - name: b\n    newTag: '«1|2.0.0»'\n",
        "images: [{name: a, newTag: «1.0.0|2.0.0»}, {newTag: \"«1|2.0.0»\", name: b}]\n",
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nimages:\n- name: a\n  newTag: «1.10|2.0.0»\n",
        "images:\n- name: a\n  newTag: |-\n    «1.0.0|2.0.0»\n",
        "images:\n- name: a\n  newTag: &t «1.0.0|2.0.0»\n",
        "images:\n- name: a\n  newTag: «1.0.0|2.0.0»\n- name: a\n  newTag: «1.0.0|2.0.0»\n",
        "resources: [x.yaml]\nimages:\n- name: a\n  newTag: «1.0.0|2.0.0»\nlabels: []\n",
        "images:\n- name: localhost:5000/a\n  newTag: «1.0.0|2.0.0»\n",
    ] {
        check(Format::Kustomization, tag("2.0.0"), case);
    }
    for case in [
        "kind: Kustomization\nimages:\n- name: a\n  newTag: «1|2.0.0»\n",
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nimages:\n- name: a\n  newTag: «1|2.0.0»\n",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec:\n  images:\n  - name: a\n    newTag: «1|2.0.0»\n",
        "kind: Deployment\nimages:\n- name: a\n  newTag: 1\n",
        "images:\n- name: a\n  newTag: 1\n",
        "apiVersion: example.com/v1\nkind: Kustomization\nimages:\n- name: a\n  newTag: 1\n",
    ] {
        check(Format::Yaml, tag("2.0.0"), case);
    }
}

#[test]
fn the_image_is_the_new_name() {
    let text = "images:\n- name: a\n  newName: ghcr.io/b/c\n  newTag: 1@D\n- name: d\n- name: e\n  newName: \"\"\n  digest: =D\n";
    let (text, _) = split(text);
    let found = index(Format::Kustomization, text.as_bytes());
    let shown: Vec<String> = found.sites.iter().map(Site::reference_text).collect();
    assert_eq!(
        shown,
        [format!("ghcr.io/b/c:1@{D}"), "d".into(), format!("e@{D}")]
    );
    let images: Vec<String> = found
        .sites
        .iter()
        .filter_map(|site| site.image().map(ToString::to_string))
        .collect();
    assert_eq!(
        images,
        ["ghcr.io/b/c", "docker.io/library/d", "docker.io/library/e"]
    );
    assert_eq!(found.sites[0].tag_text(), Some("1"));
    assert_eq!(found.sites[0].digest().unwrap().as_str(), D);
    assert_eq!(found.sites[2].digest().unwrap().as_str(), D);
    assert_eq!(found.sites[0].position.to_string(), "4:11");
    assert_eq!(found.sites[1].position.to_string(), "5:3");
}

#[test]
fn what_is_no_entry_is_no_site() {
    for text in [
        "images: *x\n",
        "images: x\n",
        "images:\n- x\n",
        "images:\n- newTag: 1\n",
        "images:\n- name: A B\n  newTag: 1\n",
        "images:\n- name: a\n  newName: ${REPO}\n  newTag: 1\n",
        "images:\n- name: a:1\n  newTag: 1\n",
        "images: {name: a, newTag: 1}\n",
        "- images:\n  - name: a\n    newTag: 1\n",
    ] {
        assert_eq!(
            index(Format::Kustomization, text.as_bytes()).sites,
            [],
            "{text}"
        );
    }
}
