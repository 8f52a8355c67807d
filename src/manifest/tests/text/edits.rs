//! What is edited, by kind of file.

use super::*;

#[track_caller]
fn all(name: &str, cases: &[&str]) {
    for case in cases {
        check(name, tag("2.0.0"), case);
    }
}

#[test]
fn dockerfiles() {
    all(
        "Dockerfile",
        &[
            "# Ow\nFROM «a/b:1|a/b:2.0.0»\n",
            "# Mw\nFROM «a/b:1|a/b:2.0.0»\n",
            "# Ow\nFROM «nginx|nginx:2.0.0»\n",
            "# Ow\nfrom «a:1|a:2.0.0» as build\n",
            "# Ow\nFROM --platform=linux/amd64 «a:1|a:2.0.0» AS build\n",
            "# Ow\nFROM --platform=$BUILDPLATFORM «a:1|a:2.0.0»\n",
            "# Ow\n  FROM   «a:1|a:2.0.0»   AS  b  \n",
            "#Ow\nFROM «localhost:5000/a:1|localhost:5000/a:2.0.0»\n",
            "## Ow\nFROM «a:1|a:2.0.0»\n",
            "# Ow (see the wiki)\nFROM «a:1|a:2.0.0»\n",
            "# syntax=docker/dockerfile:1\n# Ow\nFROM «a:1|a:2.0.0»\n",
            "# Ot\nARG TAG=«1.2|2.0.0»\n",
            "# Ot\nARG TAG=\"«1.2|2.0.0»\"\n",
            "# Ot\nARG TAG='«1.2|2.0.0»'\n",
            "# Ot\nARG TAG=«|2.0.0»\n",
            "# Ot\nARG TAG=\"«|2.0.0»\"\n",
            "# Ow\nARG BASE=«a/b:1|a/b:2.0.0»\n",
            "# Ow\nENV BASE=«a/b:1|a/b:2.0.0» \\\n    X=y\n",
            "# Ow\nCOPY --from=«a/b:1|a/b:2.0.0» /x /y\n",
            "# Ow\nRUN --mount=type=bind,from=«a/b:1|a/b:2.0.0»,target=/x make\n",
            "# Ot\nENV V=«1|2.0.0»\n# Mt\nLABEL version=\"«1|2.0.0»\"\n",
            "# On\nARG NAME=a/b\n# Ot\nARG TAG=«1.2|2.0.0»\n",
            "# Ow\nFROM «a:1|a:2.0.0» AS x\nFROM x\n# Ow\nFROM «a:1|a:2.0.0»\n",
            "RUN echo it's\n# Ow\nFROM «a:1|a:2.0.0»\n",
        ],
    );
    all("Containerfile", &["# Ow\nFROM «a:1|a:2.0.0»\n"]);
    all("web.dockerfile", &["# Ow\nFROM «a:1|a:2.0.0»\n"]);
}

#[test]
fn hcl_and_terraform() {
    all(
        "main.tf",
        &[
            "image = \"«a/b:1|a/b:2.0.0»\" # Ow\n",
            "image = \"«a/b:1|a/b:2.0.0»\" // Ow\n",
            "image = \"«a/b:1|a/b:2.0.0»\" /* Ow */\n",
            "/* Ow */ image = \"«a/b:1|a/b:2.0.0»\"\n",
            "image = /* Mw */ \"«a/b:1|a/b:2.0.0»\"\n",
            "# Mw\nimage = \"«a/b:1|a/b:2.0.0»\"\n",
            "/* Mw */\nimage = \"«a/b:1|a/b:2.0.0»\"\n",
            "// Ow\nimage    = \"«a/b:1|a/b:2.0.0»\"\n",
            "variable \"tag\" {\n  default = \"«1.2|2.0.0»\" # Ot\n}\n",
            "variable \"tag\" { default = \"«1.2|2.0.0»\" } # Ot\n",
            "images = { shop = \"«a/b:1|a/b:2.0.0»\" } // Ow\n",
            "tags = [\"«1.2|2.0.0»\"] # Ot\n",
            "  \"«1.2|2.0.0»\", # Ot\n",
            "image = {\n  name = \"a/b\" # On\n  tag  = \"«1.2|2.0.0»\" # Ot\n}\n",
            "image = \"«a/b:1|a/b:2.0.0»\" # Ow\r\nx = \"/*\"\r\n",
            "source = \"git::https://x/y?ref=v1\"\nimage = \"«a/b:1|a/b:2.0.0»\" # Ow\n",
            "container = jsonencode([{ image = \"«a/b:1|a/b:2.0.0»\", cpu = 5 }]) # Ow\n",
            "env = \"X=${var.x}\"\nimage = \"«a/b:1|a/b:2.0.0»\" # Ow\n",
            "user_data = <<EOF\ndocker run «a/b:1|a/b:2.0.0» # Ow\nEOF\n",
            "tag = \"«|2.0.0»\" # Ot\n",
        ],
    );
    all("prod.tfvars", &["image_tag = \"«v1.2|2.0.0»\" # Mt\n"]);
    all("job.nomad", &["image = \"«a:1|a:2.0.0»\" # Ow\n"]);
}

#[test]
fn toml_ini_and_properties() {
    all(
        "app.toml",
        &[
            "image = \"«a/b:1|a/b:2.0.0»\" # Ow\n",
            "image = '«a/b:1|a/b:2.0.0»' # Ow\n",
            "# Ot\nversion = \"«1.2|2.0.0»\"\n",
            "[image]\nname = \"a/b\" # On\ntag = \"«1|2.0.0»\" # Ot\n",
            "shop = { image = \"«a/b:1|a/b:2.0.0»\" } # Ow\n",
        ],
    );
    all(
        "app.ini",
        &[
            "[x]\nimage = «a/b:1|a/b:2.0.0» ; Ow\n",
            "; Ow\nimage=«a/b:1|a/b:2.0.0»\n",
            "# Ot\ntag = «1.2|2.0.0»\n",
            "tag = «1.2|2.0.0»   # Ot\n",
        ],
    );
    all(
        "app.properties",
        &[
            "# Ow\nshop.image=«a/b:1|a/b:2.0.0»\n",
            "! Ot\nshop.tag = «1.2|2.0.0»\n",
            "# Ot\nshop.tag: «1.2|2.0.0»\n",
            "# Ot\nshop.tag=«|2.0.0»\n",
        ],
    );
    all(
        "shop.container",
        &["[Container]\n# Ow\nImage=«a/b:1|a/b:2.0.0»\n"],
    );
}

#[test]
fn environment_files_scripts_and_makefiles() {
    all(
        ".env",
        &[
            "TAG=«1.2|2.0.0» # Ot\n",
            "# Ot\nTAG=«1.2|2.0.0»\n",
            "export TAG=«1.2|2.0.0» # Mt\n",
            "IMAGE=\"«a/b:1|a/b:2.0.0»\" # Ow\n",
            "IMAGE='«a/b:1|a/b:2.0.0»' # Ow",
            "# Ot\nTAG=«|2.0.0»\n",
            "TAG=«| 2.0.0» # Ot\n"
                .replace("«| 2.0.0»", "«|2.0.0»")
                .as_str(),
            "NAME=a/b # On\nTAG=«1|2.0.0» # Ot\n",
            "\u{feff}TAG=«1|2.0.0» # Ot\n",
            "# Ot\r\nTAG=«1|2.0.0»\r\n",
        ],
    );
    all(
        "deploy.sh",
        &[
            "#!/bin/sh\ndocker run -d «a/b:1|a/b:2.0.0» # Ow\n",
            "docker run --name=x «a/b:1|a/b:2.0.0» --flag # Ow\n",
            "TAG=«1.2|2.0.0» make build # Ot\n",
            "helm upgrade x . --set image.tag=«1.2|2.0.0» # Ot\n",
            "helm upgrade x . --set image.tag=«1.2|2.0.0» --wait # Ot\n",
            "IMAGE=\"«a/b:1|a/b:2.0.0»\"; echo don't # Ow\n",
            "readonly TAG='«1.2|2.0.0»' # Ot\n",
        ],
    );
    all(
        "Makefile",
        &[
            "TAG := «1.2|2.0.0» # Ot\n",
            "TAG ?= «1.2|2.0.0»\t# Ot\n",
            "# Ow\nIMAGE ::= «a/b:1|a/b:2.0.0»\n",
            "\tdocker run «a/b:1|a/b:2.0.0» # Ow\n",
        ],
    );
}

#[test]
fn jsonnet_and_its_kin() {
    all(
        "main.jsonnet",
        &[
            "{ image: '«a/b:1|a/b:2.0.0»' } // Ow\n",
            "  image: '«a/b:1|a/b:2.0.0»', // Ow\n",
            "  image:: \"«a/b:1|a/b:2.0.0»\", # Ow\n",
            "local tag = '«1.2|2.0.0»'; // Ot\n",
            "  /* Ot */\n  tag+: '«1.2|2.0.0»',\n",
            "  tag: \"«1.2|2.0.0»\", /* Ot */\n",
            "// Ow\ncontainer.new('x', '«a/b:1|a/b:2.0.0»')\n",
        ],
    );
    all("k.libsonnet", &["  tag: '«1.2|2.0.0»', // Ot\n"]);
    all(
        "x.json5",
        &["{\n  // Ow\n  \"image\": \"«a/b:1|a/b:2.0.0»\",\n}\n"],
    );
    all(
        "x.jsonc",
        &[
            "{\"tag\":\"«1.2|2.0.0»\"} // Ot\n",
            "{ \"tag\" : \"«1.2|2.0.0»\", // Ot\n",
        ],
    );
    all("x.cue", &["#X: tag: \"«1.2|2.0.0»\" // Ot\n"]);
    all(
        "main.py",
        &[
            "IMAGE = \"«a/b:1|a/b:2.0.0»\"  # Ow\n",
            "TAG = '«1.2|2.0.0»'  # Ot\n",
        ],
    );
    all("BUILD.bazel", &["    tag = \"«1.2|2.0.0»\", # Ot\n"]);
    all("main.go", &["const image = `«a/b:1|a/b:2.0.0»` // Ow\n"]);
}

#[test]
fn templates_that_do_not_parse() {
    all(
        "templates/deployment.yaml",
        &[
            "{{- if .Values.x }}\nimage: «a/b:1|a/b:2.0.0» # Ow\n{{- end }}\n",
            "{{- if .Values.x }}\n      {{- /* Ow */ -}}\n      image: «a/b:1|a/b:2.0.0»\n{{- end }}\n",
            "{{- if .Values.x }}\n{{/* Mw */}}\nimage: \"«a/b:1|a/b:2.0.0»\"\n{{ end }}\n",
            "{{- if .Values.x }}\n# Mw\nimage: «a/b:1|a/b:2.0.0»\n{{- end }}\n",
            "{{- if .Values.x }}\n- image: «a/b:1|a/b:2.0.0» {{/* Ow */}}\n{{- end }}\n",
            "{{- if .x }}\ntag: \"«1.2|2.0.0»\" # Ot\n{{- end }}\n",
            "{{- if .x }}\ntag: «1.2|2.0.0» # Ot\n{{- end }}\n",
            "{{- if .x }}\nargs: [\"--image=«a/b:1|a/b:2.0.0»\"] # Ow\n{{- end }}\n",
            "{{- if .x }}\n- --reloader=«a/b:1|a/b:2.0.0» # Ow\n{{- end }}\n",
            "a: [\nb: }\nimage: «a/b:1|a/b:2.0.0» # Mw\n",
        ],
    );
    all(
        "kustomization.yaml",
        &["{{ if }}\nnewTag: «1|2.0.0» # Ot\n"],
    );
    all("a.json", &["{\"image\": \"«a/b:1|a/b:2.0.0»\"} // Ow\n"]);
    all(
        "_helpers.tpl",
        &[
            "{{- define \"x\" }}\n{{- /* Ow */ -}}\n«a/b:1|a/b:2.0.0»\n{{- end }}\n",
            "{{- $image := \"a\" }}\nimage: «a/b:1|a/b:2.0.0» # Ow\n",
        ],
    );
    all(
        "values.yaml.gotmpl",
        &["tag: «1.2|2.0.0» # Ot\n", "image: «a:1|a:2.0.0» # Ow\n"],
    );
    all(
        "x.yaml.j2",
        &[
            "{# Ow #}\nimage: «a:1|a:2.0.0»\n",
            "image: «a:1|a:2.0.0» {#- Ow -#}\n",
        ],
    );
}

#[test]
fn other_texts() {
    all(
        "pom.xml",
        &[
            "<image>«a/b:1|a/b:2.0.0»</image> <!-- Ow -->\n",
            "<!-- Ot -->\n<version>«1.2|2.0.0»</version>\n",
            "  <image tag=\"«1.2|2.0.0»\"/> <!-- Ot -->\n",
        ],
    );
    all(
        "images.txt",
        &[
            "«a/b:1|a/b:2.0.0» # Ow\n",
            "«a/b:1|a/b:2.0.0»\t# Ow\nb/c:1\n",
            "# Ow\n«a/b:1|a/b:2.0.0»",
        ],
    );
    all(
        "VERSION",
        &[
            "# Ot\n«1.2.3|2.0.0»\n",
            "- «1.2.3|2.0.0» # Ot\n",
            "; Ot\nTAG=«1.2|2.0.0»\n",
        ],
    );
    all("nginx.conf", &["set $tag \"«1.2|2.0.0»\"; # Ot\n"]);
}

#[test]
fn digests_follow_the_rules_of_other_sites() {
    let both = To {
        digest: Some(E),
        ..tag("2.0.0")
    };
    for (name, case) in [
        ("Dockerfile", "# Ow\nFROM «a:1@D|a:2.0.0@E»\n"),
        ("Dockerfile", "# Ow\nFROM «a:1|a:2.0.0»\n"),
        (".env", "TAG=«1@D|2.0.0@E» # Ot\n"),
        (".env", "TAG=«1|2.0.0» # Ot\nDIGEST=«=D|=E» # Od\n"),
        (".env", "DIGEST=«|=E» # Od\n"),
        (
            "main.tf",
            "tag = \"«1|2.0.0»\" # Ot\ndigest = \"«=D|=E»\" # Od\n",
        ),
        ("main.tf", "digest = \"«=D|=E»\" # Md\n"),
    ] {
        check(name, both, case);
    }
    let (text, _) = split(&marked("TAG=1 # Ot\nDIGEST==D # Od\n").replace("==D", &format!("={D}")));
    let (found, rewritten) = write(format_of(".env").unwrap(), text.as_bytes(), tag("2"));
    assert_eq!(found.sites.len(), 1);
    assert_eq!(rewritten.edits, []);
    assert_eq!(rewritten.refused[0].reason, Refusal::DigestUnknown);
}

#[test]
fn names_are_written_where_asked_for() {
    let renamed = To {
        rename: Some("x.io/y"),
        ..tag("2.0.0")
    };
    for (name, case) in [
        ("Dockerfile", "# Ow\nFROM «a:1|x.io/y:2.0.0» AS b\n"),
        ("main.tf", "repo = \"«a/b|x.io/y»\" # On\n"),
        (
            "main.tf",
            "repo = \"«a/b|x.io/y»\" # On\ntag = \"«1|2.0.0»\" # Ot\n",
        ),
        (".env", "NAME=«a/b|x.io/y» # On\n"),
    ] {
        check(name, renamed, case);
    }
}

#[test]
fn parts_of_one_owner_on_neighbouring_lines_are_one_site() {
    for (name, text, wanted) in [
        (".env", "N=a/b # On\nT=1 # Ot\n", "app a/b:1"),
        (".env", "N=a/b # On\nX=y\nT=1 # Ot\n", "app a/b:1"),
        (
            ".env",
            "N=a/b # On\n\nT=1 # Ot\n",
            "app:name a/b, app:tag 1",
        ),
        (
            ".env",
            "N=a/b # On\nT=1 # tagwright: web:tag\n",
            "app:name a/b, web:tag 1",
        ),
        (".env", "T=1 # Ot\nT=2 # Ot\n", "app:tag 1, app:tag 2"),
        (".env", "# On\nN=a/b\n# Ot\nT=1\n", "app a/b:1"),
        (
            "a.toml",
            "n = \"a/b\" # On\n[x]\nt = \"1\" # Ot\n",
            "app:name a/b, app:tag 1",
        ),
        (
            "a.tf",
            "x {\n  n = \"a/b\" # On\n}\n  t = \"1\" # Ot\n",
            "app:name a/b, app:tag 1",
        ),
        (
            "a.tf",
            "n = \"a/b\" # On\n  t = \"1\" # Ot\n",
            "app:name a/b, app:tag 1",
        ),
        (".env", "I=a:1 # Ow\nT=1 # Ot\n", "app a:1, app:tag 1"),
    ] {
        let found = index(format_of(name).unwrap(), marked(text).as_bytes());
        let shown: Vec<String> = found
            .sites
            .iter()
            .map(|site| {
                format!(
                    "{} {}",
                    site.marker.as_ref().unwrap(),
                    site.reference_text()
                )
            })
            .collect();
        assert_eq!(shown.join(", "), wanted, "{text}");
    }
}

#[test]
fn a_comment_takes_a_site_out() {
    for (name, text, ignored) in [
        (".env", "# Ow\nI=a:1 # tagwright: ignore\n", true),
        (".env", "X=y\n# tagwright: ignore\nI=a:1 # Ow\n", true),
        (".env", "# tagwright: ignore\n\nX=y\nI=a:1 # Ow\n", true),
        (
            ".env",
            "\n# tagwright: ignore until May\nI=a:1 # Ow\n",
            true,
        ),
        (".env", "#!/x\n# tagwright: ignore\n\nI=a:1 # Ow\n", true),
        (
            "Dockerfile",
            "# syntax=x\n# tagwright: ignore\n\n# Ow\nFROM a:1\n",
            true,
        ),
        (
            ".env",
            "# first\n# tagwright: ignore\n\nI=a:1 # Ow\n",
            false,
        ),
        (".env", "X=y\n# tagwright: ignore\n\nI=a:1 # Ow\n", false),
        (".env", "X=y # tagwright: ignore\nI=a:1 # Ow\n", false),
        (
            "a.xml",
            "<?xml?>\n<!-- tagwright: ignore -->\n\n<i>a:1</i> <!-- Ow -->\n",
            true,
        ),
    ] {
        let found = index(format_of(name).unwrap(), marked(text).as_bytes());
        assert_eq!(found.sites.len(), 1, "{text}");
        assert_eq!(found.sites[0].ignored, ignored, "{text}");
    }
}

#[test]
fn positions_are_those_of_an_editor() {
    for (name, text, wanted) in [
        (".env", "\u{feff}I=a:1 # Ow\n", "1:3"),
        (".env", "ж=1\r\nж=a:1 # Ow\r\n", "2:3"),
        ("Dockerfile", "# Ow\nFROM a:1\n", "2:6"),
        ("a.tf", "/* ж */ i = \"a:1\" # Ow\n", "1:14"),
    ] {
        let found = index(format_of(name).unwrap(), marked(text).as_bytes());
        assert_eq!(found.sites[0].position.to_string(), wanted, "{text}");
    }
}
