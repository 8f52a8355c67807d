//! Files that can't be read, or only in part: what is sound is updated, what isn't is told with its
//! place if it names a watched image, and no wrong byte is committed.

use crate::scenario::{SHOP, Scenario, Tree, assert_problem, assert_stage, view};

const GOOD: (&str, &str) = ("apps/good.yaml", "image: HOST/acme/shop:1.0.0\n");

/// A scenario in which shop moves from 1.0.0 to 1.1.0, with more files.
fn scenario(files: &[(&str, &[u8])]) -> Option<Scenario> {
    let scenario = Scenario::new(&[SHOP, GOOD])?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    let host = scenario.registry.host();
    scenario.person("Add files", |work| {
        for (path, bytes) in files {
            work.write(path, replace(bytes, b"HOST", host.as_bytes()));
        }
    });
    Some(scenario)
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut made = Vec::with_capacity(bytes.len() + 64);
    let mut rest = bytes;
    while let Some(at) = rest.windows(from.len()).position(|window| window == from) {
        made.extend_from_slice(&rest[..at]);
        made.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    made.extend_from_slice(rest);
    made
}

/// Asserts that the good file alone has changed.
fn only_good_changed(scenario: &Scenario, before: &Tree) {
    let now = scenario.tree();
    for (path, bytes) in before {
        if path != GOOD.0 {
            assert!(now[path] == *bytes, "{path} has changed");
        }
    }
    assert_eq!(now.len(), before.len());
    assert!(scenario.read(GOOD.0).ends_with(":1.1.0\n"));
}

/// Unsound texts, the place where that shows, and words of the reason.
fn unsound() -> Vec<(&'static str, Vec<u8>, &'static str, &'static str)> {
    let deep = format!(
        "image: HOST/acme/shop:1.0.0\na: {}1{}\n",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let mut deep_blocks = String::from("image: HOST/acme/shop:1.0.0\n");
    for depth in 0..2_000 {
        deep_blocks.push_str(&format!("{}a:\n", " ".repeat(depth)));
    }
    let mut binary = b"image: HOST/acme/shop:1.0.0\n".to_vec();
    binary.extend([0, 1, 2, 0xff, 0xfe, 0]);
    vec![
        ("deep.yaml", deep.into_bytes(), ":2:", "deep"),
        ("blocks.yaml", deep_blocks.into_bytes(), ":", "deep"),
        ("binary.yaml", binary, ":2:1", "not UTF-8"),
        ("latin.yaml", b"# caf\xe9\nimage: HOST/acme/shop:1.0.0\n".to_vec(), ":1:1", "not UTF-8"),
        ("tabs.yaml", b"a:\n\timage: HOST/acme/shop:1.0.0\n".to_vec(), ":2:", ""),
        ("open.yaml", b"image: HOST/acme/shop:1.0.0\nb: [1, 2\n".to_vec(), ":", ""),
        ("template.yaml", b"{{- if .Values.on }}\nimage: HOST/acme/shop:1.0.0\n{{- end }}\n".to_vec(), ":1:", "template"),
        ("merge.yaml", b"<<<<<<< HEAD\nimage: HOST/acme/shop:1.0.0\n=======\nimage: HOST/acme/shop:1.0.1\n>>>>>>> x\n".to_vec(), ":", ""),
        ("broken.json", b"{\"image\": \"HOST/acme/shop:1.0.0\"".to_vec(), ":", ""),
    ]
}

#[test]
fn a_file_that_cannot_be_read_is_told_if_it_names_a_watched_image() {
    for (name, bytes, place, words) in unsound() {
        let path = format!("apps/{name}");
        let Some(mut scenario) = scenario(&[(&path, &bytes)]) else {
            return;
        };
        let before = scenario.tree();
        let pass = scenario.lands(1);
        only_good_changed(&scenario, &before);
        let place = format!("{path}{place}");
        assert_problem(
            &pass.observation,
            &place,
            &["error", "not read, so nothing in it is updated", words],
        );
        assert_eq!(view(&pass.observation).problems.len(), 1);

        // The same text with an image that nobody watches is nobody's concern.
        let foreign = replace(&bytes, b"acme/shop", b"acme/none");
        let host = scenario.registry.host();
        scenario.person("Name another image", |work| {
            work.write(&path, replace(&foreign, b"HOST", host.as_bytes()));
        });
        let pass = scenario.rests();
        assert!(view(&pass.observation).problems.is_empty(), "{name}");
    }
}

#[test]
fn a_huge_file_is_told_and_not_read() {
    let mut huge = b"image: HOST/acme/shop:1.0.0\n".to_vec();
    huge.resize(17 << 20, b'#');
    let Some(mut scenario) = scenario(&[("apps/huge.yaml", &huge)]) else {
        return;
    };
    let before = scenario.tree();
    let pass = scenario.lands(1);
    only_good_changed(&scenario, &before);
    assert_problem(
        &pass.observation,
        "apps/huge.yaml:1:1",
        &["larger than 16 MiB"],
    );
}

#[test]
fn an_alias_bomb_costs_nothing_and_hides_nothing() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..40 {
        let last = level - 1;
        let ten = vec![format!("*a{last}"); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{ten}]\n"));
    }
    bomb.push_str("image: HOST/acme/shop:1.0.0\n");
    let Some(mut scenario) = scenario(&[("apps/bomb.yaml", bomb.as_bytes())]) else {
        return;
    };
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            (GOOD.0, "1.0.0", "1.1.0"),
            ("apps/bomb.yaml", "shop:1.0.0", "shop:1.1.0"),
        ],
    );
}

#[test]
fn unusual_but_sound_files_are_written_byte_for_byte() {
    let files: [(&str, &[u8]); 6] = [
        (
            "apps/crlf.yaml",
            b"a: 1\r\nimage: HOST/acme/shop:1.0.0\r\n# end\r\n",
        ),
        (
            "apps/bom.yaml",
            b"\xef\xbb\xbfimage: HOST/acme/shop:1.0.0\n",
        ),
        ("apps/no-end.yaml", b"image: HOST/acme/shop:1.0.0"),
        (
            "apps/tabs.json",
            b"{\n\t\"image\":\t\"HOST/acme/shop:1.0.0\"\n}\n",
        ),
        (
            "apps/quotes.yaml",
            "name: 'café ☕'\nimage: \"HOST/acme/shop:1.0.0\"\n".as_bytes(),
        ),
        (
            "apps/documents.yaml",
            b"---\nx: 1\n...\n---\nimage: HOST/acme/shop:1.0.0 # here\n",
        ),
    ];
    let Some(mut scenario) = scenario(&files) else {
        return;
    };
    let before = scenario.tree();
    let pass = scenario.lands(1);
    assert!(view(&pass.observation).problems.is_empty());
    let mut changes = vec![(GOOD.0, "1.0.0", "1.1.0")];
    changes.extend(
        files
            .iter()
            .map(|(path, _)| (*path, "shop:1.0.0", "shop:1.1.0")),
    );
    scenario.assert_changed(&before, &changes);
    scenario.rests();
}

#[test]
fn a_key_written_twice_keeps_its_site_and_is_refused_with_both_places() {
    let twice = b"spec:\n  image: HOST/acme/shop:1.0.0\n  image: HOST/acme/shop:1.0.0\n";
    let Some(mut scenario) = scenario(&[("apps/twice.yaml", twice)]) else {
        return;
    };
    let before = scenario.tree();
    let pass = scenario.lands(1);
    only_good_changed(&scenario, &before);
    let refused: Vec<String> = view(&pass.observation)
        .refused
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(!refused.is_empty());
    for told in refused {
        assert!(told.starts_with("apps/twice.yaml:"), "{told}");
        assert!(told.contains("at 2:3 and 3:3"), "{told}");
    }
}

#[test]
fn a_template_is_no_site_unless_somebody_says_so() {
    let plain =
        b"a: {image: HOST/acme/shop:1.0.0}\nb:\n  image: HOST/acme/shop:{{ .Values.tag }}\n";
    let Some(mut scenario) = scenario(&[("apps/half.yaml", plain)]) else {
        return;
    };
    let before = scenario.tree();
    scenario.lands(1);
    scenario.assert_changed(
        &before,
        &[
            (GOOD.0, "1.0.0", "1.1.0"),
            ("apps/half.yaml", "shop:1.0.0", "shop:1.1.0"),
        ],
    );
    // A marked one belongs to the stage, and nobody knows what runs there.
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.writes(
        "apps/env.yaml",
        "image: HOST/acme/shop:${TAG} # tagwright: shop\n",
    );
    let pass = scenario.rests();
    assert_stage(
        &pass.observation,
        "shop/staging",
        "waiting",
        &["unordered", "${TAG}"],
    );
}

#[test]
fn links_and_submodules_are_never_followed() {
    let Some(mut scenario) = scenario(&[("elsewhere/real.yaml", b"image: HOST/acme/shop:1.0.0\n")])
    else {
        return;
    };
    let head = scenario.repo.head();
    scenario.person("Add a link and a submodule", |work| {
        let link = work.path().join("apps/link.yaml");
        std::os::unix::fs::symlink("../elsewhere/real.yaml", link).expect("links can be made");
        let outside = work.path().join("apps/passwd.yaml");
        std::os::unix::fs::symlink("/etc/passwd", outside).expect("links can be made");
        let module = format!("160000,{head},apps/module");
        let add = ["update-index", "--add", "--cacheinfo", &module];
        scenario.repo.git().ok(work.path(), &add);
        std::fs::create_dir(work.path().join("apps/module")).expect("folders can be made");
    });
    let before = scenario.tree();
    let pass = scenario.lands(1);
    only_good_changed(&scenario, &before);
    for link in ["apps/link.yaml", "apps/passwd.yaml"] {
        assert_problem(&pass.observation, link, &["symlink", "never followed"]);
    }
    let modes = scenario
        .repo
        .git()
        .text(scenario.repo.path(), &["ls-tree", "-r", "main", "apps/"]);
    assert!(
        modes.contains("120000 blob") && modes.contains("160000 commit"),
        "{modes}"
    );
}

#[test]
fn modes_and_unusual_names_survive() {
    let names = [
        "apps/with blank.yaml",
        "apps/-dash.yaml",
        "apps/日本.yaml",
        "apps/a\\b.yaml",
        "apps/q'\".yaml",
    ];
    let text: &[u8] = b"image: HOST/acme/shop:1.0.0\n";
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (*name, text)).collect();
    let Some(mut scenario) = scenario(&files) else {
        return;
    };
    scenario.person("Make one executable, and name one in Latin-1", |work| {
        use std::os::unix::ffi::OsStrExt as _;
        use std::os::unix::fs::PermissionsExt as _;
        let file = work.path().join(names[0]);
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        let latin = std::ffi::OsStr::from_bytes(b"apps/caf\xe9.yaml");
        std::fs::write(work.path().join(latin), "image: x\n").expect("any name can be written");
    });
    let pass = scenario.lands(1);
    for name in names {
        assert!(scenario.read(name).ends_with(":1.1.0\n"), "{name}");
    }
    let modes = scenario
        .repo
        .git()
        .text(scenario.repo.path(), &["ls-tree", "main", names[0]]);
    assert!(modes.starts_with("100755 "), "{modes}");
    assert_problem(&pass.observation, "apps/caf", &["is not UTF-8"]);
    assert_stage(&pass.observation, "shop/staging", "change", &[]);
}
