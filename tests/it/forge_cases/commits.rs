//! Commits that the forge makes.

use tagwright::forge::{Committed, Kind, NewCommit};

use super::Site;

/// The forge makes a commit, on the expected head only, and a branch for it where there is none.
pub async fn commits_on_the_expected_head(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    assert!(site.forge.abilities().signs);
    let parent = site.tip("main");
    let branch = "tagwright/cart/production";
    let mut commit = NewCommit {
        branch: branch.to_owned(),
        parent: parent.clone(),
        message: "cart 2.0.0\n\nbody\n\nTagwright-App: cart".to_owned(),
        files: vec![
            ("apps/shop.yaml".to_owned(), b"image: shop:2.0.0\n".to_vec()),
            ("apps/new.yaml".to_owned(), vec![0, 159, 255]),
        ],
    };
    let Committed::At(id) = site.forge.commit(&commit).await.unwrap() else {
        panic!("the branch was where it was expected");
    };
    assert_eq!(site.tip(branch), id);
    let of = |what: &str| {
        site.world
            .in_remote(&["log", "-1", &format!("--format={what}"), &id])
    };
    assert_eq!(of("%P"), parent);
    assert_eq!(of("%B"), commit.message);
    assert_eq!(
        site.world
            .in_remote(&["show", &format!("{id}:apps/shop.yaml")]),
        "image: shop:2.0.0"
    );
    assert_eq!(site.forge.commit(&commit).await.unwrap(), Committed::Moved);
    commit.branch = "main".to_owned();
    let moved = site.push("main", "9.9.9");
    assert_eq!(site.forge.commit(&commit).await.unwrap(), Committed::Moved);
    commit.parent = moved;
    assert!(
        matches!(site.forge.commit(&commit).await.unwrap(), Committed::At(id) if id == site.tip("main"))
    );
}

/// A commit that somebody else makes in between, in the same file, is not overwritten.
pub async fn a_push_in_between_is_not_overwritten(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let parent = site.tip("main");
    let request = match kind {
        Kind::GitHub => "POST graphql",
        Kind::GitLab => "POST commits",
        _ => "POST contents",
    };
    site.fake.before(request, |hub| {
        let base = hub.tip("main").unwrap();
        let theirs = [("apps/shop.yaml".to_owned(), b"image: shop:3.0.0\n".to_vec())];
        let id = hub.commit(&base, "by hand", &theirs);
        hub.git(&["update-ref", "refs/heads/main", &id]);
    });
    let commit = NewCommit {
        branch: "main".to_owned(),
        parent,
        message: "shop 2.0.0".to_owned(),
        files: vec![("apps/shop.yaml".to_owned(), b"image: shop:2.0.0\n".to_vec())],
    };
    assert_eq!(site.forge.commit(&commit).await.unwrap(), Committed::Moved);
    let there = site.world.in_remote(&["show", "main:apps/shop.yaml"]);
    assert_eq!(there, "image: shop:3.0.0");
}
