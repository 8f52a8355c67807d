//! Pull requests where it is the forge that matters: statuses, merging by itself, limits, rights, lost answers,
//! and commits that it makes.

use jiff::SignedDuration;

use tagwright::forge::Kind;

use crate::forges::Fake;
use crate::forges::hub;
use crate::scenario::{CART, assert_stage};
use crate::scenario_pulls::{BRANCH, KINDS, did, does, on, open, scenario};

#[test]
fn it_is_merged_by_the_forge_where_that_is_wanted() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, ", autoMerge: squash") else {
        return;
    };
    fake.hub().required = vec!["build".to_owned()];
    does(&mut scenario, "opened");
    assert!(open(&fake)[0].auto_merge.is_some());
    does(&mut scenario, "kept");
    let head = fake.hub().tip(BRANCH).expect("the branch is there");
    scenario.push("acme/shop", &["1.2.0"]);
    does(&mut scenario, "left: it is about to be merged");
    fake.check(&head, "build", "success");
    scenario.pass();
    assert!(scenario.read("apps/shop.yaml").ends_with("shop:1.1.0\n"));
}

#[test]
fn a_forge_that_won_t_merge_says_so_once() {
    let Some((mut scenario, fake)) = scenario(Kind::GitHub, ", autoMerge: squash") else {
        return;
    };
    fake.hub().allows_auto_merge = false;
    fake.hub().required = vec!["build".to_owned()];
    let pass = does(&mut scenario, "opened");
    let but = pass.pulls[0].but.clone().expect("words");
    assert!(but.contains("won't merge it by itself"), "{but}");
    fake.writes();
    does(&mut scenario, "kept");
    assert_eq!(fake.writes(), Vec::<String>::new());
}

#[test]
fn a_forge_that_wants_to_be_left_alone_delays_only_what_goes_through_it() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        let direct = CART
            .1
            .replace("paths: [apps/**]", "paths: [apps/**], push: direct");
        scenario.writes("policies/cart.yaml", &direct);
        fake.limit_next(SignedDuration::from_secs(90));
        let pass = scenario.rests();
        assert_stage(
            &pass.observation,
            "shop/staging",
            "failed",
            &["takes no more requests until"],
        );
        let asked = fake.requests().len();
        scenario.rests();
        assert_eq!(fake.requests().len(), asked, "it is not asked meanwhile");
        scenario.clock.advance(SignedDuration::from_secs(91));
        does(&mut scenario, "opened");
    }
}

#[test]
fn a_forge_that_does_not_let_us_is_asked_less_and_less() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        fake.hub().is_read_only = true;
        does(&mut scenario, "failed: ");
        let writes = |fake: &Fake| fake.writes().len();
        writes(&fake);
        does(&mut scenario, "failed: ");
        assert_eq!(writes(&fake), 0, "not tried again at once");
        scenario.clock.advance(SignedDuration::from_secs(61));
        does(&mut scenario, "failed: ");
        assert!(writes(&fake) > 0);
        fake.hub().is_read_only = false;
        scenario.clock.advance(SignedDuration::from_secs(121));
        does(&mut scenario, "opened");
        assert_eq!(fake.hub().pulls.len(), 1);
    }
}

#[test]
fn an_answer_that_is_lost_makes_no_second_one() {
    for kind in KINDS {
        // Whichever of the first pass's requests it is whose answer is lost.
        for at in 0..8 {
            let Some((mut scenario, fake)) = scenario(kind, ", labels: [images]") else {
                return;
            };
            fake.lose_at(at);
            for _ in 0..4 {
                scenario.pass();
                scenario.clock.advance(SignedDuration::from_hours(1));
            }
            let pulls = fake.hub().pulls.clone();
            assert_eq!(pulls.len(), 1, "{at}: {pulls:?}");
            if fake.open(&scenario.clock).abilities().labels {
                assert_eq!(pulls[0].labels, ["images"], "{at}");
            }
            does(&mut scenario, "kept");
        }
    }
}

#[test]
fn commits_that_the_forge_makes_land_and_are_known_again() {
    let author = format!("{} <{}>", hub::AUTHOR.0, hub::AUTHOR.1);
    for (kind, mode) in [
        (Kind::GitHub, "direct"),
        (Kind::GitHub, "pullRequest"),
        (Kind::GitLab, "pullRequest"),
        (Kind::Gitea, "direct"),
    ] {
        let push = format!("}}\ncommit: {{author: '{author}', signing: {{forge: true}}");
        let Some((mut scenario, fake)) = scenario(kind, &push) else {
            return;
        };
        if mode == "direct" {
            scenario.reconfigured("mode: pullRequest", "mode: direct");
            let pass = scenario.lands(1);
            assert_stage(&pass.observation, "shop/staging", "change", &["1.1.0"]);
            assert!(scenario.read("apps/shop.yaml").ends_with("shop:1.1.0\n"));
            assert_eq!(
                scenario.repo.log("%an <%ae>").lines().next(),
                Some(author.as_str())
            );
            let trailers = scenario.changes();
            assert!(
                trailers[0].contains("app=shop stage=staging"),
                "{trailers:?}"
            );
            scenario.rests();
            continue;
        }
        does(&mut scenario, "opened");
        assert!(on(&scenario, BRANCH).ends_with("shop:1.1.0"));
        does(&mut scenario, "kept");
        scenario.push("acme/shop", &["1.2.0"]);
        does(&mut scenario, "updated");
        assert_eq!(fake.hub().pulls.len(), 1);
    }
}

#[test]
fn a_forge_that_commits_as_somebody_else_says_as_whom() {
    let push = "}\ncommit: {author: T <t@example.com>, signing: {forge: true}";
    let Some((mut scenario, _fake)) = scenario(Kind::GitHub, push) else {
        return;
    };
    let pass = does(&mut scenario, "failed: the forge makes commits as `");
    let told = did(&pass);
    assert!(told[0].contains("set `commit.author` to that"), "{told:?}");
}

#[test]
fn the_status_says_whether_it_may_be_merged() {
    for kind in KINDS {
        let Some((mut scenario, fake)) = scenario(kind, "") else {
            return;
        };
        does(&mut scenario, "opened");
        let status = |fake: &Fake| {
            let hub = fake.hub();
            let head = hub.tip(BRANCH).expect("the branch is there");
            let status = hub.status_of(&head, BRANCH).cloned();
            status.map(|status| (status.verdict, status.description))
        };
        let (verdict, _) = status(&fake).expect("a status");
        assert_eq!(verdict, "success");
        let file = ".tagwright/decisions/shop/staging.yaml";
        scenario.writes(file, "- hold: incident 4711\n");
        does(&mut scenario, "left: shop in staging: held");
        let (verdict, description) = status(&fake).expect("a status");
        assert_eq!(verdict, "pending");
        assert!(description.contains("held"), "{description}");
        fake.writes();
        does(&mut scenario, "left: shop in staging: held");
        assert_eq!(fake.writes(), Vec::<String>::new(), "it is said once");
        scenario.writes(file, "- hold: incident 4711\n- release: true\n");
        does(&mut scenario, "kept");
        assert_eq!(status(&fake).expect("a status").0, "success");
    }
}
