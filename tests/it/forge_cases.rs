//! What every forge must do alike, each case told once: the client against the fake of its kind.
//!
//! A case is called with the kind of forge; what only one forge has is in that forge's own tests.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod commits;
mod notes;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tagwright::clock::Clock;
use tagwright::forge::{
    Error, Forge, Kind, Merge, Method, Opinion, Pull, State, Status, Verdict, Wanted,
};

use crate::forges::{self, Fake, US};
use crate::git_world::{Person, World};

pub use commits::*;
pub use notes::*;

/// The branch that most cases are about.
pub const BRANCH: &str = "tagwright/shop/production";

/// A repository with `main` and one branch of ours ahead of it, on a forge.
pub struct Site {
    pub world: World,
    pub person: Person,
    pub fake: Fake,
    pub clock: Clock,
    pub forge: Arc<dyn Forge>,
}

impl Site {
    /// A site; `None` without git, after saying so.
    pub fn new(kind: Kind) -> Option<Self> {
        let (world, person) = World::seeded(&[("apps/shop.yaml", "image: shop:1.0.0\n")])?;
        let fake = Fake::start(kind, &world.remote());
        let clock = Clock::by_hand("2026-03-02T09:30:00Z".parse::<Timestamp>().unwrap());
        let forge = fake.open(&clock);
        let site = Self {
            world,
            person,
            fake,
            clock,
            forge,
        };
        site.push(BRANCH, "1.1.0");
        Some(site)
    }

    /// Makes a branch have one commit on top of `main`; its id.
    pub fn push(&self, branch: &str, tag: &str) -> String {
        let person = &self.person;
        person.git(&["fetch", "-q"]);
        person.git(&["checkout", "-q", "-B", "work", "origin/main"]);
        let file = format!("apps/{}.yaml", branch.replace('/', "-"));
        person.write(&file, format!("image: shop:{tag}\n").as_bytes());
        let id = person.commit(&format!("shop {tag}"));
        person.git(&[
            "push",
            "-q",
            "-f",
            "origin",
            &format!("HEAD:refs/heads/{branch}"),
        ]);
        id.to_string()
    }

    /// The commit that a branch is at.
    pub fn tip(&self, branch: &str) -> String {
        self.world.tip(branch).to_string()
    }

    /// Opens the pull request of [`BRANCH`].
    pub async fn opened(&self) -> Pull {
        self.forge.open(&wanted()).await.unwrap()
    }

    /// The pull requests of [`BRANCH`].
    pub async fn found(&self) -> Vec<Pull> {
        self.forge.pulls_of(BRANCH, "main").await.unwrap()
    }
}

/// The pull request of [`BRANCH`].
pub fn wanted() -> Wanted {
    Wanted {
        branch: BRANCH.to_owned(),
        base: "main".to_owned(),
        title: "shop production 1.1.0".to_owned(),
        body: "| image | from | to |\n| --- | --- | --- |\n\n<!-- tagwright: 1 -->".to_owned(),
        draft: false,
        labels: Vec::new(),
        reviewers: Vec::new(),
    }
}

fn status(verdict: Verdict) -> Status {
    Status {
        name: "tagwright/shop/production".to_owned(),
        verdict,
        description: "waits for the window".to_owned(),
        url: Some("https://tagwright.example/apps/shop".to_owned()),
    }
}

/// A pull request is opened once, however often that is asked, and is found by its branch.
pub async fn opens_once(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    assert_eq!(site.found().await, []);
    let opened = site.opened().await;
    assert_eq!(opened.state, State::Open);
    assert_eq!(opened.head, site.tip(BRANCH));
    assert_eq!(
        (opened.branch.as_str(), opened.base.as_str()),
        (BRANCH, "main")
    );
    assert_eq!(
        (opened.title.clone(), opened.body.clone()),
        (wanted().title, wanted().body)
    );
    assert!(!opened.draft && !opened.auto_merge);
    // Already there, as after a crash: found, and nothing is written but the try.
    site.fake.writes();
    assert_eq!(site.opened().await.number, opened.number);
    assert!(site.fake.writes().len() <= 1);
    assert_eq!(site.fake.hub().pulls.len(), 1);
    assert_eq!(site.found().await, std::slice::from_ref(&opened));
    assert_eq!(site.forge.open_pulls("tagwright/").await.unwrap(), [opened]);
    assert_eq!(site.forge.open_pulls("other/").await.unwrap(), []);
}

/// An answer that is lost leads to no second pull request.
pub async fn a_lost_answer_opens_no_second(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    site.fake.lose_next();
    let error = site.forge.open(&wanted()).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    site.opened().await;
    assert_eq!(site.fake.hub().pulls.len(), 1);
}

/// An open pull request becomes as wanted, in place; what is as wanted is not written.
pub async fn edits_in_place(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    let newer = site.push(BRANCH, "1.2.0");
    site.fake.writes();
    let mut wanted = wanted();
    wanted.title = "shop production 1.2.0".to_owned();
    wanted.body = "newer".to_owned();
    let edited = site.forge.edit(&opened, &wanted).await.unwrap();
    assert_eq!(edited.number, opened.number);
    assert_eq!(site.fake.writes().len(), 1);
    let found = site.found().await.remove(0);
    assert_eq!(
        (found.title.as_str(), found.body.as_str()),
        ("shop production 1.2.0", "newer")
    );
    assert_eq!(found.head, newer);
    site.forge.edit(&found, &wanted).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

/// A draft is one, its title is not changed by that, and it can become ready.
pub async fn drafts_become_ready(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    assert!(site.forge.abilities().drafts);
    let mut wanted = wanted();
    wanted.draft = true;
    let opened = site.forge.open(&wanted).await.unwrap();
    assert!(opened.draft);
    let found = site.found().await.remove(0);
    assert!(found.draft);
    assert_eq!(found.title, wanted.title);
    wanted.draft = false;
    site.forge.edit(&found, &wanted).await.unwrap();
    let found = site.found().await.remove(0);
    assert!(!found.draft);
    assert_eq!(found.title, wanted.title);
    wanted.draft = true;
    site.forge.edit(&found, &wanted).await.unwrap();
    assert!(site.found().await.remove(0).draft);
}

/// Labels are made and added, and people's stay.
pub async fn labels_are_added(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let mut wanted = wanted();
    wanted.labels = vec!["deploy".to_owned(), "shop".to_owned()];
    let opened = site.forge.open(&wanted).await.unwrap();
    assert_eq!(opened.labels, wanted.labels);
    {
        let mut hub = site.fake.hub();
        hub.labels.insert("mine".to_owned());
        let labels = &mut hub.pull(opened.number).unwrap().labels;
        labels.retain(|label| label != "shop");
        labels.push("mine".to_owned());
    }
    let found = site.found().await.remove(0);
    site.forge.edit(&found, &wanted).await.unwrap();
    let mut labels = site.found().await.remove(0).labels;
    labels.sort();
    assert_eq!(labels, ["deploy", "mine", "shop"]);
}

/// Reviewers are asked once; one that the repository does not have keeps no other from being asked, and is
/// not asked for again.
pub async fn reviewers_are_asked(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let mut wanted = wanted();
    wanted.reviewers = ["ann", "nobody", "bob"].map(str::to_owned).to_vec();
    let opened = site.forge.open(&wanted).await.unwrap();
    let asked = |site: &Site| {
        let mut asked = site.fake.hub().pull(1).unwrap().requested.clone();
        asked.sort();
        asked
    };
    assert_eq!(asked(&site), ["ann", "bob"]);
    site.fake.approve(opened.number, "ann");
    site.fake.writes();
    let found = site.found().await.remove(0);
    site.forge.edit(&found, &wanted).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
    assert!(!asked(&site).contains(&"ann".to_owned()) || kind != Kind::GitHub);
}

/// We close with a comment, once.
pub async fn closes_with_one_comment(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    site.forge.close(&opened, "overtaken").await.unwrap();
    site.forge.close(&opened, "overtaken").await.unwrap();
    let comments = site.fake.hub().pull(1).unwrap().comments.clone();
    assert_eq!(comments, [(US.to_owned(), "overtaken".to_owned())]);
    let found = site.found().await.remove(0);
    assert!(
        matches!(&found.state, State::Closed { by, .. } if by.as_deref() == Some(US)),
        "{found:?}"
    );
    // A new one may follow.
    let again = site.opened().await;
    assert_ne!(again.number, opened.number);
    assert_eq!(site.found().await.len(), 2);
    assert_eq!(site.found().await[0].number, again.number);
}

/// A person who closes is told from us, with the head that there was then.
pub async fn a_person_s_close_is_seen(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    let head = site.tip(BRANCH);
    site.fake.close(opened.number, "bob");
    let found = site.found().await.remove(0);
    let State::Closed { by, .. } = &found.state else {
        panic!("{found:?}");
    };
    assert_eq!(by.as_deref(), Some("bob"));
    site.push(BRANCH, "1.2.0");
    assert_eq!(site.found().await[0].head, head);
    assert_eq!(site.forge.open_pulls("").await.unwrap(), []);
}

/// A person's merge is seen, by whom and as which commit, from both its sides.
pub async fn a_person_s_merge_is_seen(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    let merge = site.fake.merge(opened.number, "bob");
    let found = site.found().await.remove(0);
    let State::Merged { by, commit, at } = &found.state else {
        panic!("{found:?}");
    };
    assert_eq!(by.as_deref(), Some("bob"));
    assert_eq!(commit.as_deref(), Some(merge.as_str()));
    assert!(at.is_some());
    let of_merge = site.forge.merged_by(&merge, "main").await.unwrap().unwrap();
    assert_eq!(of_merge.number, opened.number);
    assert!(matches!(of_merge.state, State::Merged { by: Some(by), .. } if by == "bob"));
    assert_eq!(site.forge.merged_by(&merge, "other").await.unwrap(), None);
    let pushed = site.push("main", "9.9.9");
    assert_eq!(site.forge.merged_by(&pushed, "main").await.unwrap(), None);
}

/// Opinions are those of the newest reviews, with the head that they are about.
pub async fn opinions_are_read(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    assert_eq!(site.forge.reviews(&opened).await.unwrap(), []);
    site.fake.hub().dismisses_stale = false;
    site.fake.approve(opened.number, "ann");
    let reviews = site.forge.reviews(&opened).await.unwrap();
    assert_eq!(reviews.len(), 1);
    assert_eq!(
        (reviews[0].by.as_str(), reviews[0].opinion),
        ("ann", Opinion::Approved)
    );
    let commit = reviews[0].commit.as_deref();
    assert!(commit.is_none() || commit == Some(&site.tip(BRANCH)));
}

/// An approval lapses with a new head where the forge does that.
pub async fn an_approval_lapses(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    site.fake.approve(opened.number, "ann");
    site.push(BRANCH, "1.2.0");
    let found = site.found().await.remove(0);
    let reviews = site.forge.reviews(&found).await.unwrap();
    assert!(
        reviews
            .iter()
            .all(|review| review.opinion != Opinion::Approved),
        "{reviews:?}"
    );
}

/// A status is set, changed, and not said twice.
pub async fn a_status_is_said_once(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let head = site.tip(BRANCH);
    site.opened().await;
    site.fake.writes();
    for (verdict, writes) in [
        (Verdict::Pending, 1),
        (Verdict::Pending, 0),
        (Verdict::Success, 1),
    ] {
        site.forge
            .set_status(&head, &status(verdict))
            .await
            .unwrap();
        assert_eq!(site.fake.writes().len(), writes, "{verdict:?}");
    }
    let mut long = status(Verdict::Failure);
    long.description = "é".repeat(5000);
    site.forge.set_status(&head, &long).await.unwrap();
    site.fake.writes();
    site.forge.set_status(&head, &long).await.unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

/// What others say of a commit is read, all pages of it, without what we say.
pub async fn checks_of_others_are_read(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    site.fake.hub().largest_page = 2;
    let head = site.tip(BRANCH);
    site.opened().await;
    site.forge
        .set_status(&head, &status(Verdict::Pending))
        .await
        .unwrap();
    assert_eq!(
        site.forge.checks(&head, "tagwright/").await.unwrap().each,
        []
    );
    let own = site.forge.checks(&head, "").await.unwrap().each;
    let told = status(Verdict::Pending);
    let own: Vec<_> = own
        .into_iter()
        .map(|check| (check.name, check.verdict, check.words))
        .collect();
    assert_eq!(own, [(told.name, told.verdict, Some(told.description))]);
    for (name, verdict) in [
        ("a", "success"),
        ("b", "pending"),
        ("c", "failure"),
        ("d", "success"),
        ("b", "success"),
    ] {
        site.fake.check(&head, name, verdict);
    }
    let mut each = site.forge.checks(&head, "tagwright/").await.unwrap().each;
    each.sort_by(|one, other| one.name.cmp(&other.name));
    let verdicts: Vec<_> = each
        .iter()
        .map(|check| (check.name.as_str(), check.verdict))
        .collect();
    let (good, bad) = (Verdict::Success, Verdict::Failure);
    assert_eq!(
        verdicts,
        [("a", good), ("b", good), ("c", bad), ("d", good)]
    );
}

/// All pages of a listing are read.
pub async fn all_pages_are_read(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    site.fake.hub().largest_page = 2;
    for n in 0..5 {
        let branch = format!("tagwright/app{n}/production");
        site.push(&branch, "1.1.0");
        let mut wanted = wanted();
        wanted.branch = branch;
        site.forge.open(&wanted).await.unwrap();
    }
    assert_eq!(site.forge.open_pulls("tagwright/").await.unwrap().len(), 5);
}

/// It is merged by the forge once all is there, and only then.
pub async fn merges_when_ready(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let gate = status(Verdict::Pending).name;
    site.fake.hub().required = vec![gate];
    let opened = site.opened().await;
    let head = site.tip(BRANCH);
    site.forge
        .set_status(&head, &status(Verdict::Pending))
        .await
        .unwrap();
    let merge = site
        .forge
        .merge_when_ready(&opened, Method::Squash)
        .await
        .unwrap();
    assert_eq!(merge, Merge::Scheduled);
    let found = site.found().await.remove(0);
    assert_eq!(found.state, State::Open);
    // Gitea does not tell.
    assert_eq!(found.auto_merge, kind != Kind::Gitea);
    // Asked again, it is still so.
    let again = site
        .forge
        .merge_when_ready(&found, Method::Squash)
        .await
        .unwrap();
    assert_eq!(again, Merge::Scheduled);
    site.forge
        .set_status(&head, &status(Verdict::Success))
        .await
        .unwrap();
    let found = site.found().await.remove(0);
    assert!(matches!(found.state, State::Merged { .. }), "{found:?}");
}

/// Where nothing is missing, it is merged at once, at the head that was looked at only.
pub async fn merges_at_once_where_nothing_is_missing(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    site.push(BRANCH, "1.2.0");
    let merge = site
        .forge
        .merge_when_ready(&opened, Method::Merge)
        .await
        .unwrap();
    assert!(matches!(merge, Merge::NotYet(_)), "{merge:?}");
    assert_eq!(site.found().await[0].state, State::Open);
    let found = site.found().await.remove(0);
    let merge = site
        .forge
        .merge_when_ready(&found, Method::Merge)
        .await
        .unwrap();
    assert_eq!(merge, Merge::Done);
    assert!(matches!(site.found().await[0].state, State::Merged { .. }));
}

/// Approvals are taken back.
pub async fn approvals_are_dismissed(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    site.fake.approve(opened.number, "ann");
    site.fake.reject(opened.number, "bob");
    site.forge
        .dismiss(&opened, "something newer came")
        .await
        .unwrap();
    let reviews = site.forge.reviews(&opened).await.unwrap();
    assert!(
        reviews
            .iter()
            .all(|review| review.opinion != Opinion::Approved),
        "{reviews:?}"
    );
    assert!(
        reviews
            .iter()
            .any(|review| review.opinion == Opinion::Rejected),
        "{reviews:?}"
    );
    site.fake.writes();
    site.forge
        .dismiss(&opened, "something newer came")
        .await
        .unwrap();
    assert_eq!(site.fake.writes(), [""; 0]);
}

/// Asked too much, it says until when, and nothing is sent until then.
pub async fn a_limit_is_kept(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let wait = SignedDuration::from_secs(40);
    site.fake.limit_next(wait);
    let error = site.forge.open(&wanted()).await.unwrap_err();
    let Error::Limited { until, .. } = error else {
        panic!("{error}");
    };
    assert_eq!(until, site.clock.now() + wait);
    let asked = site.fake.requests().len();
    let again = site.forge.open(&wanted()).await.unwrap_err();
    assert!(matches!(again, Error::Limited { .. }) && again.is_retryable());
    assert_eq!(site.fake.requests().len(), asked);
    site.clock.advance(wait);
    site.opened().await;
}

/// Lacking rights are told as such, and retried by nobody.
pub async fn lacking_rights_are_told(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    site.fake.hub().is_read_only = true;
    let error = site.forge.open(&wanted()).await.unwrap_err();
    assert!(
        matches!(error, Error::Forbidden { .. }) && !error.is_retryable(),
        "{error}"
    );
    site.fake.hub().is_hidden = true;
    let error = site.forge.open_pulls("").await.unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error}");
    let mut settings = site.fake.settings(&site.clock);
    settings.credentials = tagwright::forge::Credentials::None;
    let stranger = tagwright::forge::open(settings).unwrap();
    let error = stranger.open_pulls("").await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    assert!(!error.to_string().contains(forges::TOKEN));
}

/// A failure of the forge may pass.
pub async fn a_failure_may_pass(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    site.fake.fail_next(503);
    let error = site.forge.open_pulls("").await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    assert_eq!(site.forge.open_pulls("").await.unwrap(), []);
}

/// A pull request of a fork is none of ours, though its branch be called like ours.
pub async fn forks_are_not_ours(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    {
        let mut hub = site.fake.hub();
        hub.open("mallory", BRANCH, "main", "shop", "").is_fork = true;
    }
    assert_eq!(site.found().await, []);
    assert_eq!(site.forge.open_pulls("tagwright/").await.unwrap(), []);
}

/// Approvals that our account may not take back stay, and that is told.
pub async fn approvals_that_must_stay_stay(kind: Kind) {
    let Some(site) = Site::new(kind) else { return };
    let opened = site.opened().await;
    site.fake.approve(opened.number, "ann");
    site.fake.hub().may_dismiss = false;
    let error = site.forge.dismiss(&opened, "newer").await.unwrap_err();
    assert!(matches!(error, Error::Forbidden { .. }), "{error}");
}

/// Tests of the cases that a kind of forge has, by their names.
macro_rules! cases {
    ($kind:ident: $($case:ident)+) => {
        $(
            #[tokio::test]
            async fn $case() {
                crate::forge_cases::$case(tagwright::forge::Kind::$kind).await;
            }
        )+
    };
}
pub(crate) use cases;
