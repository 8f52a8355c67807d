//! Pull requests that are found by their notes, and wishes to merge that are taken back.

use tagwright::forge::{Kind, Merge, Method, State, Which};

use crate::forges as fake;

use super::{BRANCH, Site, wanted};

/// What bears a note is found whatever its branch is called, open or closed.
pub async fn notes_are_found(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    site.push("feature", "1.0.0");
    let mut plain = wanted();
    plain.branch = "feature".to_owned();
    plain.body = "no note".to_owned();
    let plain = site.forge.open(&plain).await.unwrap();
    let noted = async |base: &'static str, which| {
        let found = site.forge.noted(base, which).await.unwrap();
        found
            .into_iter()
            .map(|pull| pull.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(noted("main", Which::Open).await, [opened.number]);
    assert_eq!(noted("other", Which::Open).await, [0; 0]);
    assert_eq!(noted("main", Which::Closed).await, [0; 0]);
    assert_eq!(noted("main", Which::Merged).await, [0; 0]);
    site.fake.close(opened.number, "bob");
    site.fake.close(plain.number, "bob");
    assert_eq!(noted("main", Which::Open).await, [0; 0]);
    assert_eq!(noted("other", Which::Closed).await, [0; 0]);
    let closed = site.forge.noted("main", Which::Closed).await.unwrap();
    assert_eq!(closed, site.found().await);
    assert!(matches!(&closed[0].state, State::Closed { by: Some(by), .. } if by == "bob"));
    assert_eq!(noted("main", Which::Merged).await, [0; 0]);
    site.fake.hub().pulls[0].state = fake::State::Open;
    site.fake.merge(opened.number, "bob");
    assert_eq!(noted("main", Which::Closed).await, [0; 0]);
    let merged = site.forge.noted("main", Which::Merged).await.unwrap();
    assert_eq!(merged.len(), 1);
    assert_eq!(merged[0].body, opened.body);
    assert!(opened.head.starts_with(&merged[0].head) && merged[0].head.len() >= 12);
    assert!(matches!(merged[0].state, State::Merged { .. }));
}

/// What is to be merged by the forge is not, once that is taken back; it can be asked for anew.
pub async fn a_merge_is_taken_back(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    site.fake.hub().required = vec!["build".to_owned()];
    let opened = site.opened().await;
    site.forge.cancel_merge(&opened).await.unwrap();
    let head = site.tip(BRANCH);
    for _ in 0..2 {
        let found = site.found().await.remove(0);
        let merge = site.forge.merge_when_ready(&found, Method::Squash).await;
        assert_eq!(merge.unwrap(), Merge::Scheduled);
        let found = site.found().await.remove(0);
        site.forge.cancel_merge(&found).await.unwrap();
        assert!(site.fake.hub().pulls[0].auto_merge.is_none());
        // Asked again, as after a lost answer, there is nothing to do.
        site.forge.cancel_merge(&found).await.unwrap();
    }
    site.fake.check(&head, "build", "success");
    let found = site.found().await.remove(0);
    assert_eq!(
        (found.state.clone(), found.auto_merge),
        (State::Open, false)
    );
    site.fake.merge(found.number, "bob");
    site.forge.cancel_merge(&found).await.unwrap();
}
