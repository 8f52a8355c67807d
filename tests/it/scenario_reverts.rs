//! A person goes back from what the service chose: nothing up to and including it is chosen again, however
//! the person did it and whatever the service has forgotten; the next newer tag is.

use jiff::SignedDuration;

use crate::repo::Work;
use crate::scenario::{SHOP, Scenario, assert_stage};

/// How often the registry is looked at: a tag that is followed is asked for once after each look.
const INTERVAL: SignedDuration = SignedDuration::from_mins(5);

/// A manifest of the shop's one stage.
fn pod(tag: &str) -> String {
    format!("image: HOST/acme/shop:{tag}\n")
}

/// A scenario in which the service has brought shop from 1.0.0 to 1.1.0.
fn landed(more: &[(&str, &str)]) -> Option<Scenario> {
    let start = pod("1.0.0");
    let files = [&[SHOP, ("apps/shop.yaml", start.as_str())], more].concat();
    let mut scenario = Scenario::new(&files)?.at_any_depth();
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.lands(1);
    Some(scenario)
}

/// A person runs Git commands in a clone and pushes the result.
fn git(scenario: &Scenario, commands: &[&[&str]]) {
    let work = scenario.repo.clone_to();
    for command in commands {
        scenario.repo.git().ok(work.path(), command);
    }
    work.push();
}

/// Asserts that the service rests, now and having forgotten everything, and that it says why; then that
/// it takes the next newer tag, and rests there.
fn stands_back(scenario: &mut Scenario, words: &[&str]) {
    let text = scenario.read("apps/shop.yaml");
    for _ in 0..2 {
        let pass = scenario.rests();
        assert_stage(&pass.observation, "shop/staging", "upToDate", words);
    }
    let another = scenario.pass_of_another();
    assert_stage(&another.observation, "shop/staging", "upToDate", words);
    scenario.restarts();
    scenario.rests();
    std::fs::remove_dir_all(scenario.service.mirror()).expect("the mirror is there");
    scenario.rests();
    assert_eq!(scenario.read("apps/shop.yaml"), text);
    takes_the_next(scenario);
}

fn takes_the_next(scenario: &mut Scenario) {
    scenario.push("acme/shop", &["1.0.5", "1.2.0"]);
    scenario.lands(1);
    scenario.rests_at("1.2.0");
}

const WORDS: [&str; 3] = ["Ada Okafor went back from 1.1.0", "commit ", "by hand"];

#[test]
fn git_revert_stands() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    stands_back(&mut scenario, &WORDS);
}

#[test]
fn a_revert_of_a_range_stands() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    scenario.push("acme/shop", &["1.1.1"]);
    scenario.lands(1);
    git(&scenario, &[&["revert", "--no-edit", "HEAD~2..HEAD"]]);
    assert_eq!(scenario.commits(), 5);
    stands_back(&mut scenario, &["went back from 1.1.1", "commit "]);
}

#[test]
fn an_edit_by_hand_stands_among_others() {
    let Some(mut scenario) = landed(&[("notes.txt", "")]) else {
        return;
    };
    scenario.writes("notes.txt", "before\n");
    scenario.writes("apps/shop.yaml", &pod("1.0.0"));
    scenario.writes("notes.txt", "after\n");
    scenario.writes("apps/other.yaml", "image: nginx:1.29\n");
    stands_back(&mut scenario, &WORDS);
}

#[test]
fn a_squash_merge_and_a_merge_stand() {
    for merge in [
        &["merge", "--squash", "side"][..],
        &["merge", "--no-ff", "--no-edit", "side"],
    ] {
        let Some(mut scenario) = landed(&[("notes.txt", "")]) else {
            return;
        };
        let work = scenario.repo.clone_to();
        let run = |command: &[&str]| {
            scenario.repo.git().ok(work.path(), command);
        };
        run(&["checkout", "-q", "-b", "side"]);
        run(&["revert", "--no-edit", "HEAD"]);
        work.write("notes.txt", "more\n");
        work.commit("More");
        run(&["checkout", "-q", "main"]);
        run(merge);
        run(&["commit", "--allow-empty", "-q", "-m", "Merged"]);
        work.push();
        stands_back(&mut scenario, &WORDS);
    }
}

#[test]
fn whoever_the_author_is_said_to_be() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    // A bot that commits as the service does, and copies its trailer.
    let message = scenario.repo.log("%B");
    let author = scenario.repo.log("%an <%ae>");
    let author = author.lines().next().unwrap();
    let work = scenario.repo.clone_to();
    work.write("apps/shop.yaml", scenario.text(&pod("1.0.0")));
    let commit = ["commit", "-q", "-a", "--author", author, "-m", &message];
    scenario.repo.git().ok(work.path(), &commit);
    work.push();
    stands_back(&mut scenario, &["went back from 1.1.0"]);
}

#[test]
fn a_partial_revert_counts_for_the_stage() {
    let start = pod("1.0.0");
    let Some(mut scenario) = landed(&[("apps/worker.yaml", start.as_str())]) else {
        return;
    };
    scenario.writes("apps/worker.yaml", &pod("1.0.0"));
    let worker = scenario.read("apps/worker.yaml");
    for _ in 0..2 {
        let pass = scenario.rests();
        let words = ["other sites stay as they are", WORDS[0]];
        assert_stage(&pass.observation, "shop/staging", "waiting", &words);
    }
    assert_eq!(scenario.read("apps/worker.yaml"), worker);
    takes_the_next(&mut scenario);
    assert!(scenario.read("apps/worker.yaml").ends_with(":1.2.0\n"));
}

#[test]
fn a_revert_of_the_revert_ends_it() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    scenario.rests();
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    scenario.rests_at("1.1.0");
    // A site that is added lags behind, and follows as ever.
    scenario.writes("apps/worker.yaml", &pod("1.0.0"));
    scenario.lands(1);
    assert!(scenario.read("apps/worker.yaml").ends_with(":1.1.0\n"));
    // The third one stands.
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    let pass = scenario.rests();
    let words = ["other sites stay", "went back from 1.1.0"];
    assert_stage(&pass.observation, "shop/staging", "waiting", &words);
}

#[test]
fn a_commit_of_ours_that_a_person_picks_again_is_the_persons_wish() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    let ours = scenario.repo.head();
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    scenario.rests();
    git(&scenario, &[&["cherry-pick", &ours]]);
    scenario.rests_at("1.1.0");
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    stands_back(&mut scenario, &WORDS);
}

#[test]
fn a_renamed_folder_hides_no_revert() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    let moves = |work: &Work| {
        let policy = work
            .read("policies/shop.yaml")
            .replace("apps/**", "envs/**");
        work.write("policies/shop.yaml", policy);
        std::fs::rename(work.path().join("apps"), work.path().join("envs")).unwrap();
    };
    scenario.person("Rename the folder", moves);
    for _ in 0..2 {
        let pass = scenario.rests();
        assert_stage(&pass.observation, "shop/staging", "upToDate", &WORDS);
    }
    let another = scenario.pass_of_another();
    assert_stage(&another.observation, "shop/staging", "upToDate", &WORDS);
    scenario.push("acme/shop", &["1.2.0"]);
    scenario.lands(1);
    assert!(scenario.read("envs/shop.yaml").ends_with(":1.2.0\n"));
}

#[test]
fn renaming_deleting_and_adding_sites_is_no_move_back() {
    let start = pod("1.0.0");
    let Some(mut scenario) = landed(&[("apps/worker.yaml", start.as_str())]) else {
        return;
    };
    scenario.person(
        "Rename a file, delete one, add one that is behind",
        |work| {
            let path = |name: &str| work.path().join(name);
            std::fs::rename(path("apps/shop.yaml"), path("apps/web.yaml")).unwrap();
            std::fs::remove_file(path("apps/worker.yaml")).unwrap();
            work.write("apps/shop.yaml", scenario.text(&pod("1.1.0")));
            work.write("apps/new.yaml", scenario.text(&pod("1.0.0")));
        },
    );
    scenario.lands(1);
    assert!(scenario.read("apps/new.yaml").ends_with(":1.1.0\n"));
}

#[test]
fn an_app_file_that_was_broken_meanwhile_hides_nothing() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    let valid = scenario.read(SHOP.0);
    scenario.writes(SHOP.0, "version: 1\napp: [\n");
    scenario.writes("apps/shop.yaml", &pod("1.0.0"));
    scenario.writes(SHOP.0, &valid);
    stands_back(&mut scenario, &WORDS);
}

#[test]
fn what_was_before_the_app_file_is_not_held_against_anything() {
    let start = pod("1.3.0");
    let Some(mut scenario) = Scenario::new(&[("apps/shop.yaml", start.as_str())]) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0", "1.3.0"]);
    scenario.writes("apps/shop.yaml", &pod("1.0.0"));
    scenario.writes(SHOP.0, SHOP.1);
    scenario.rests_at("1.3.0");
}

#[test]
fn a_policy_that_excludes_what_was_left_frees_what_is_below() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    scenario.push("acme/shop", &["1.0.5"]);
    let pass = scenario.rests();
    assert_stage(&pass.observation, "shop/staging", "upToDate", &WORDS);
    let policy = format!("{}tags: {{semver: ~1.0}}\n", SHOP.1);
    scenario.writes(SHOP.0, &policy);
    scenario.rests_at("1.0.5");
}

#[test]
fn a_revert_that_is_far_back_is_found_in_the_pass_after() {
    let Some(mut scenario) = landed(&[("notes.txt", "")]) else {
        return;
    };
    git(&scenario, &[&["revert", "--no-edit", "HEAD"]]);
    // More than one pass fetches that begins with one commit.
    let mut script = String::new();
    for number in 0..5_000 {
        let from = if number == 0 {
            "from refs/heads/main^0\n"
        } else {
            ""
        };
        script += &format!(
            "commit refs/heads/main\ncommitter Ada <a@example.com> 1772440000 +0000\ndata 1\n.\n{from}\
             M 100644 inline notes.txt\ndata 5\n{number:04}\n\n"
        );
    }
    let path = scenario.repo.path().to_owned();
    let file = path.join("script");
    std::fs::write(&file, script).unwrap();
    let mut import = scenario.repo.git().command(&path);
    let import = import.args(["fast-import", "--quiet"]);
    let import = import.stdin(std::fs::File::open(file).unwrap());
    assert!(import.status().unwrap().success());
    let mut service = scenario.service_of_depth(1);
    let words = ["not enough of the branch's history"];
    assert_stage(&service.observe(), "shop/staging", "waiting", &words);
    assert_stage(&service.observe(), "shop/staging", "upToDate", &WORDS);
    let pass = scenario.pass();
    assert_stage(&pass.observation, "shop/staging", "upToDate", &WORDS);
}

#[test]
fn what_is_followed_by_digest_is_not_taken_again() {
    let policy = format!("{}tags: {{digest: main}}\nwrite: digest\n", SHOP.1);
    let Some(mut scenario) = Scenario::new(&[(SHOP.0, policy.as_str())]) else {
        return;
    };
    let digests: Vec<String> = ["one", "two", "three"]
        .map(|content| {
            scenario
                .push_content("acme/shop", "main", content)
                .to_string()
        })
        .into();
    scenario.push_content("acme/shop", "main", "one");
    scenario.writes(
        "apps/shop.yaml",
        &format!("image: HOST/acme/shop:main@{}\n", digests[0]),
    );
    let runs = |scenario: &Scenario, digest: &str| {
        let text = scenario.read("apps/shop.yaml");
        assert!(text.ends_with(&format!("@{digest}\n")), "{text}");
    };
    for (content, digest) in [("two", &digests[1]), ("three", &digests[2])] {
        scenario.push_content("acme/shop", "main", content);
        scenario.clock.advance(INTERVAL);
        scenario.lands(1);
        runs(&scenario, digest);
    }
    git(&scenario, &[&["revert", "--no-edit", "HEAD~2..HEAD"]]);
    for _ in 0..2 {
        scenario.clock.advance(INTERVAL);
        scenario.rests();
        scenario.pass_of_another();
    }
    runs(&scenario, &digests[0]);
    let newest = scenario
        .push_content("acme/shop", "main", "four")
        .to_string();
    scenario.clock.advance(INTERVAL);
    scenario.lands(1);
    runs(&scenario, &newest);
}

#[test]
fn commit_times_of_slow_and_fast_clocks_change_nothing() {
    let Some(mut scenario) = landed(&[]) else {
        return;
    };
    let work = scenario.repo.clone_to();
    work.write("apps/shop.yaml", scenario.text(&pod("1.0.0")));
    work.commit_at("Back", "1990-01-01T00:00:00+00:00");
    work.push();
    stands_back(
        &mut scenario,
        &["went back from 1.1.0", "2026-03-02T09:30:00Z"],
    );
}
