//! Compose files, case by case.

use super::*;

#[test]
fn services_are_edited_in_place() {
    all(
        Format::Yaml,
        tag("2.0.0"),
        &[
            "services:\n  web:\n    image: «ghcr.io/acme/shop:1.0.0|ghcr.io/acme/shop:2.0.0»\n    ports:\n      - \"80:80\"\n",
            "version: '3.8'\nservices:\n  web:\n    image: \"«nginx:1|nginx:2.0.0»\" # c\n    tag: x\n  db:\n    image: «postgres|postgres:2.0.0»\n",
            "x-base: &base\n  restart: always\nservices:\n  web:\n    <<: *base\n    image: «a:1|a:2.0.0»\n",
            "services:\r\n  web: {image: «a:1|a:2.0.0»}\r\n",
            "services:\n  web:\n    build: .\n    image: '«a:1|a:2.0.0»'\n    environment:\n      SIDECAR_IMAGE: «b:1|b:2.0.0»\n",
        ],
    );
    let text = "services:\n  web:\n    image: a:1\n---\nimage: b:1\n---\napiVersion: v1\nservices: {a: {image: c:1}}\n";
    assert_eq!(
        listed(Format::Yaml, text),
        [
            "compose 3:12 a:1",
            "kubernetes 5:8 b:1",
            "kubernetes 8:23 c:1"
        ]
    );
}

#[test]
fn a_version_that_is_a_variable_stays() {
    for version in ["${TAG:-1.2}", "${TAG}", "$TAG", "1.2-${X}"] {
        let text = format!("services:\n  web:\n    image: ghcr.io/acme/shop:{version}\n");
        let found = index(Format::Yaml, text.as_bytes());
        let image = found.sites[0].image().unwrap().to_string();
        assert_eq!(image, "ghcr.io/acme/shop");
        assert_eq!(found.sites[0].tag(), None);
        refused(Format::Yaml, tag("2"), &text, "3:12", "is a template");
    }
    for image in [
        "${IMAGE}",
        "${IMAGE:-nginx:1}",
        "${REG}/shop:1",
        "shop${X}:1",
        "registry:${PORT}/shop:1",
    ] {
        let text = format!("services:\n  web:\n    image: {image}\n");
        assert_eq!(listed(Format::Yaml, &text), [""; 0], "{text}");
    }
}
