//! Branches of the service's own on the remote: made, moved and removed only from where they were seen.

use tagwright::git::PushOutcome;

use crate::git_world::{World, made};

#[test]
fn own_branches_are_made_moved_and_removed_from_where_they_were_seen() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    let base = mirror.fetch("main").unwrap();
    assert!(mirror.fetch_beside("bot/").unwrap().is_empty());
    let one = made(&mut mirror, base, &[("a", "2\n")], "Two");
    let two = made(&mut mirror, base, &[("a", "3\n")], "Three");
    let name = "bot/shop/staging";
    let go =
        |mirror: &mut tagwright::git::Mirror, from, to| mirror.move_beside(name, from, to).unwrap();

    assert_eq!(go(&mut mirror, None, Some(one)), PushOutcome::Pushed);
    assert_eq!(go(&mut mirror, None, Some(one)), PushOutcome::UpToDate);
    assert_eq!(
        go(&mut mirror, None, Some(two)),
        PushOutcome::Moved,
        "it is there by now"
    );
    let seen = mirror.fetch_beside("bot/").unwrap();
    assert_eq!(
        seen.into_iter().collect::<Vec<_>>(),
        [(name.to_owned(), one)]
    );

    // To what does not build on it.
    assert_eq!(go(&mut mirror, Some(one), Some(two)), PushOutcome::Pushed);
    assert_eq!(mirror.beyond(base, two, 10).unwrap(), [two]);

    // A person's commit is not pushed over.
    person.git(&["fetch", "-q", "origin"]);
    person.git(&["checkout", "-q", "-b", "theirs", &format!("origin/{name}")]);
    person.write("b", b"x\n");
    person.commit("Mine");
    person.git(&["push", "-q", "origin", &format!("HEAD:{name}")]);
    assert_eq!(go(&mut mirror, Some(two), Some(one)), PushOutcome::Moved);
    assert_eq!(go(&mut mirror, Some(two), None), PushOutcome::Moved);
    let theirs = mirror.fetch_beside("bot/").unwrap()[name];
    assert_eq!(mirror.beyond(base, theirs, 10).unwrap(), [theirs, two]);
    assert_eq!(
        mirror.beyond(base, theirs, 1).unwrap().len(),
        2,
        "one more tells that there are more"
    );

    assert_eq!(go(&mut mirror, Some(theirs), None), PushOutcome::Pushed);
    assert!(mirror.fetch_beside("bot/").unwrap().is_empty());
}

#[test]
fn a_branch_that_became_a_folder_is_fetched() {
    let Some((world, person)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let mut mirror = world.mirror("m");
    person.git(&["push", "-q", "origin", "main:bot/shop"]);
    assert_eq!(mirror.fetch_beside("bot/").unwrap().len(), 1);
    person.git(&["push", "-q", "origin", ":bot/shop"]);
    person.git(&[
        "push",
        "-q",
        "origin",
        "main:bot/shop/staging",
        "main:bot/other",
    ]);
    let seen = mirror.fetch_beside("bot/").unwrap();
    let names: Vec<&str> = seen.keys().map(String::as_str).collect();
    assert_eq!(names, ["bot/other", "bot/shop/staging"]);
}
