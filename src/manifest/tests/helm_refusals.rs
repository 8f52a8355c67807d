//! Helm values that are found and stay, case by case, with what their author is told.

use super::*;

#[test]
fn a_tag_of_several_images_stays() {
    for (text, position) in [
        (
            "repository: a/web\nworkerRepository: a/worker\ntag: 1\n",
            "3:6",
        ),
        ("image: a/web\nworkerImage: a/worker\ntag: 1\n", "3:6"),
        (
            "image: {repository: a/web, initRepository: a/init, tag: 1}\n",
            "1:57",
        ),
        (
            "registry: ghcr.io\nrepository: a/web\nimage: a/worker\ntag: 1\n",
            "4:6",
        ),
        (
            "repository: ghcr.io/a/web\nimage: ghcr.io/a/worker\ntag: 1\n",
            "3:6",
        ),
    ] {
        refused(
            Format::Yaml,
            tag("2"),
            text,
            position,
            "one tag for several images",
        );
        assert_eq!(listed(Format::Yaml, text).len(), 2, "{text}");
    }
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            // Each has its own.
            "repository: a/web\ntag: «1|2.0.0»\nworkerRepository: a/worker\nworkerTag: 1\n",
            "image: a/web\ntag: «1|2.0.0»\nworkerImage: «a/worker:1|a/worker:2.0.0»\n",
            // Not an image's name.
            "repository: a/web\ntag: «1|2.0.0»\nchartRepository: https://example.com\n",
            // Somebody said whose it is.
            "image: a/web\nworkerImage: a/worker\ntag: «1|2.0.0» # tagwright: web:tag\n",
        ],
    );
}

#[test]
fn a_tag_that_is_left_to_global_stays() {
    for (text, position, reason) in [
        (
            "global: {tag: 1.2}\nweb:\n  image: {repository: a/web, tag: \"\"}\n",
            "3:35",
            "left to `global` at 1:15",
        ),
        (
            "global:\n  image:\n    tag: 1.2\nimage: {repository: a/web, tag: }\n",
            "4:31",
            "left to `global` at 3:10",
        ),
        (
            "spec:\n  values:\n    image: {repository: a, tag: ''}\n    global: {imageTag: 1}\n",
            "3:33",
            "left to `global` at 4:24",
        ),
    ] {
        refused(Format::Yaml, tag("2"), text, position, reason);
    }
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "global: {tag: 1.2}\nweb: {repository: a/web, tag: «1|2.0.0»}\n",
            "global: {repository: a/web, tag: \"«|2.0.0»\"}\n",
            "global: {registry: x}\nweb: {repository: a/web, tag: \"«|2.0.0»\"}\n",
            "a: {global: {tag: 1}}\nweb: {repository: a/web, tag: \"«|2.0.0»\"}\n",
            "global: {tag: «1|2.0.0»} # tagwright: web:tag\n",
        ],
    );
}

#[test]
fn a_digest_never_stays_beside_another_tag() {
    for (to, text, position, reason) in [
        (
            tag("2"),
            "image: {repository: a/b, tag: 1, digest: =D}\n",
            "1:31",
            "the digest of the new tag isn't known",
        ),
        (
            tag("2"),
            "image:\n  repository: a/b\n  tag: 1@D\n",
            "3:8",
            "the digest of the new tag isn't known",
        ),
        (
            tag("2"),
            "image: a/b:1\ndigest: =D\n",
            "1:8",
            "a digest stands beside the reference, at 2:9",
        ),
        (
            To {
                rule: DigestRule::Exact,
                ..tag("2")
            },
            "image: {repository: a/b, tag: 1, digest: =D}\n",
            "1:31",
            "no digest, but a key of its own",
        ),
        (
            To {
                rule: DigestRule::Exact,
                digest: Some(E),
                ..tag("1.10")
            },
            "image: {repository: a/b, digest: =D}\n",
            "1:34",
            "add the line `tag: \"1.10\"`",
        ),
        (
            To {
                digest: Some(E),
                tag: None,
                ..tag("2")
            },
            "image: {repository: a/b, tag: 1}\n",
            "1:31",
            "no digest to replace",
        ),
        (
            To {
                digest: Some(E),
                ..tag("2")
            },
            "image: {repository: a/b, tag: 1, digest: abc}\n",
            "1:31",
            "a digest belongs here, and `abc` is not one",
        ),
    ] {
        refused(Format::Yaml, to, text, position, reason);
    }
}

#[test]
fn values_that_are_no_tags_stay() {
    for (text, position, reason) in [
        (
            "image: {repository: a/b, tag: \"${TAG}\"}\n",
            "1:31",
            "`${TAG}` is a template",
        ),
        (
            "image: {repository: a/b, tag: '{{ .Values.tag }}'}\n",
            "1:31",
            "is a template",
        ),
        (
            "image:\n  repository: a/b\n  tag: ghcr.io/a/b:1\n",
            "3:8",
            "a tag belongs here, and `ghcr.io/a/b:1` is not one",
        ),
        (
            "image: {repository: a/b, tag: !!float 1.10}\n",
            "1:39",
            "not a string",
        ),
        (
            "image:\n  repository: a/b\n  tag: |\n    1\n    2\n",
            "4:5",
            "a tag belongs here",
        ),
        (
            "image: {repository: 'a/b:1', tag: 2}\n",
            "1:35",
            "a name belongs here, and `a/b:1` is not one",
        ),
    ] {
        refused(Format::Yaml, tag("2"), text, position, reason);
    }
    let (_, rewritten) = write(
        Format::Yaml,
        b"image:\n  repository: a/b\n  tag: ghcr.io/a/b:1\n",
        tag("2"),
    );
    assert!(!rewritten.refused[0].reason.to_string().contains("marker"));
    refused(
        Format::Json,
        tag("2"),
        "{\"image\": {\"repository\": \"a/b\", \"tag\": 1.1}}",
        "1:40",
        "not a string",
    );
    refused(
        Format::Json,
        tag("2"),
        "{\"image\": {\"repository\": \"a/b\", \"tag\": null}}",
        "1:40",
        "not a string",
    );
}

#[test]
fn what_surrounds_a_site_counts_against_it() {
    let sops = "sops:\n  mac: ENC[AES256_GCM,data:x]\n";
    refused(
        Format::Yaml,
        tag("2"),
        &format!("image: {{repository: a/b, tag: 1}}\n{sops}"),
        "1:31",
        "SOPS",
    );
    refused(
        Format::Yaml,
        tag("2"),
        "image:\n  repository: a/b\n  repository: a/c\n  tag: 1\n",
        "4:8",
        "`repository` is written twice",
    );
    refused(
        Format::Yaml,
        tag("2"),
        "image:\n  repository: a/b\n  tag: 1\n  tag: 1\n",
        "3:8",
        "`tag` is written twice",
    );
    for text in [
        "image:\n  repository: a/b\n  tag: 1 # tagwright: ignore\n",
        "image:\n  # tagwright: ignore\n  repository: a/b\n  tag: 1\n",
        "# tagwright: ignore\nimage: {repository: a/b, tag: 1}\n",
    ] {
        refused(
            Format::Yaml,
            tag("2"),
            text,
            &index(Format::Yaml, text.as_bytes()).sites[0]
                .position
                .to_string(),
            "tagwright: ignore",
        );
    }
}

#[test]
fn what_names_no_image_is_no_site() {
    for text in [
        "image: {repository: https://example.com/a, tag: 1}\n",
        "image: {repository: \"{{ .Values.x }}\", tag: 1}\n",
        "image: {repository: ${REPO}, tag: 1}\n",
        "image: {repository: Acme/Shop, tag: 1}\n",
        "image: {repository: \"\", tag: 1}\n",
        "image: {repository: , tag: 1}\n",
        "image: {repository: [a], tag: 1}\n",
        "image: {repository: a/b}\n",
        "image: {repository: a/b, tag: [1]}\n",
        "image: {repository: a/b, tag: {a: b}}\n",
        "image: {registry: '${REG}', repository: a/b, tag: 1}\n",
        "{registry: '${REG}', image: 'a/b:1'}\n",
        "{registry: ghcr.io, image: acme/shop}\n",
        "image: {tag: 1}\n",
        "image: {repository: a/b, digest: \"\"}\n",
        "image: {name: a/b}\n",
        "repository: a/b\nimage: {tag: 1}\n",
        "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nspec: {image: ghcr.io/a/b}\n",
    ] {
        assert_eq!(listed(Format::Yaml, text), [""; 0], "{text}");
    }
}
