//! The world hangs together: what runs is in the registry, and what is told comes true.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;

const REGISTRY: &str = "127.0.0.1:5000";

fn world() -> (tempfile::TempDir, World) {
    let folder = tempfile::tempdir().unwrap();
    let time = "2026-03-02T08:00:00Z".parse().unwrap();
    let world = World::create(folder.path(), REGISTRY, time).unwrap();
    (folder, world)
}

/// The content of `path` on the main branch.
fn read(world: &World, path: &str) -> String {
    let repo = git2::Repository::open_bare(world.repository()).unwrap();
    let object = repo.revparse_single(&format!("main:{path}")).unwrap();
    String::from_utf8(object.as_blob().unwrap().content().to_vec()).unwrap()
}

#[test]
fn one_person_made_one_commit_on_main() {
    let (_folder, world) = world();
    let repo = git2::Repository::open_bare(world.repository()).unwrap();
    let head = repo.head().unwrap();
    assert_eq!(head.name(), Ok("refs/heads/main"));
    let commit = head.peel_to_commit().unwrap();
    assert_eq!(commit.parent_count(), 0);
    assert_eq!(commit.time().seconds(), world.time.as_second());
    assert_eq!(commit.author().email(), Ok("ada@example.com"));
    assert_eq!(commit.author().to_string(), commit.committer().to_string());
}

#[test]
fn equal_worlds_have_equal_commits() {
    let id = |world: &World| {
        let repo = git2::Repository::open_bare(world.repository()).unwrap();
        repo.head().unwrap().target().unwrap()
    };
    let ((_one, first), (_two, second)) = (world(), world());
    assert_eq!(id(&first), id(&second));
}

#[test]
fn files_are_sound_and_name_the_registry() {
    let (_folder, world) = world();
    for (path, template) in FILES {
        let text = read(&world, path);
        assert!(!text.contains(HOST) && !text.contains(DIGEST), "{path}");
        assert_eq!(text.contains(REGISTRY), template.contains(HOST), "{path}");
        assert_eq!(text.contains('\r'), path == CRLF, "{path}");
        if path.ends_with(".json") {
            serde_json::from_str::<Value>(&text).unwrap();
        } else if path.ends_with(".yaml") {
            let documents = serde_saphyr::from_multiple::<Value>(&text);
            assert!(!documents.unwrap().is_empty(), "{path}");
        }
    }
}

#[test]
fn what_runs_is_in_the_registry() {
    let (_folder, world) = world();
    let pushed: BTreeSet<(String, String)> = world
        .images()
        .into_iter()
        .map(|push| (push.repository.to_owned(), push.tag))
        .collect();
    let field = regex::Regex::new(r#"(acme/\w+)(?::|\n +(?:newTag|tag): "?)([\w.-]+)"#).unwrap();
    let mut found = 0;
    for (path, text) in FILES.iter().filter(|(path, _)| path.starts_with("apps/")) {
        for site in field.captures_iter(text) {
            let site = (site[1].to_owned(), site[2].to_owned());
            assert!(pushed.contains(&site), "{path}: {site:?}");
            found += 1;
        }
    }
    assert_eq!(found, 14, "every site is seen by this test");
}

#[test]
fn the_pinned_site_has_the_digest_of_its_tag() {
    let (_folder, world) = world();
    let images = world.images();
    let push = images.iter().find(|push| push.tag == "2.4.0").unwrap();
    let pinned = format!("{REGISTRY}/acme/cart:2.4.0@{}'", push.image.digest());
    let text = read(&world, "apps/staging/cart/statefulset.yaml");
    assert!(text.contains(&pinned), "{text}");
}

#[test]
fn floating_tags_and_signatures_follow_their_release() {
    let (_folder, world) = world();
    let images = world.images();
    let digest = |tag: &str| {
        let push = images.iter().find(|push| push.tag == tag);
        push.map(|push| push.image.digest()).unwrap()
    };
    assert_eq!(digest("latest"), digest("6.1.9"));
    assert_eq!(digest("2.4"), digest("2.4.0"));
    let signature = format!("{}.sig", digest("6.1.9").as_str().replace(':', "-"));
    assert_ne!(digest(&signature), digest("6.1.9"));
    let names: BTreeSet<_> = images
        .iter()
        .map(|push| (push.repository, &push.tag))
        .collect();
    assert_eq!(names.len(), images.len(), "no tag is pushed twice");
}

#[test]
fn releases_are_new() {
    let (_folder, world) = world();
    let images = world.images();
    for release in world.releases() {
        let old =
            |push: &Push| (push.repository, push.tag.as_str()) == (release.repository, release.tag);
        assert!(!images.iter().any(old), "{}", release.story);
        assert!(
            images
                .iter()
                .any(|push| push.repository == release.repository)
        );
        assert!(release.story.contains(release.tag));
    }
    let commits = |release: &&Release| release.outcome == Outcome::Commit;
    assert!(world.releases().iter().filter(commits).count() >= 2);
}

#[test]
fn the_configuration_is_yaml_whatever_the_folder_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a: \"b\" # c");
    let world = World::create(&odd, REGISTRY, Timestamp::UNIX_EPOCH).unwrap();
    let config: Value = serde_saphyr::from_str(&world.service_config()).unwrap();
    let url = config["repositories"][0]["url"].as_str().unwrap();
    assert_eq!(Path::new(url), world.repository());
    assert_eq!(config["registries"][0]["host"], REGISTRY);
}

#[test]
fn nothing_is_written_over() {
    let (folder, world) = world();
    let again = World::create(folder.path(), REGISTRY, Timestamp::UNIX_EPOCH);
    assert!(matches!(again, Err(Error::Init { .. })));
    assert!(read(&world, "README.md").starts_with("# Fleet"));
    let bad = World::create(folder.path(), "not a host", Timestamp::UNIX_EPOCH);
    assert!(matches!(bad, Err(Error::Host(_))));
}
