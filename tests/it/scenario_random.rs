//! Random sequences of what registries, people and machines do: whatever happens, nothing reaches production
//! but what it may, told from the branch by plain Git; and in the end nothing waits for ever.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use crate::repo::Work;
use crate::scenario::{Scenario, WHOLE, stage};

const IMAGE: &str = "HOST/acme/shop";
const DECISIONS: &str = ".tagwright/decisions/shop";

/// How long a reference has to run in staging, in hours.
const SOAK: i64 = 4;

/// When the window opens and closes, in hours of the day.
const WINDOW: (i64, i64) = (9, 17);

const STAGES: [&str; 2] = ["staging", "production"];

/// Those who may approve, and one who may not.
const PEOPLE: [&str; 3] = ["ada", "bob", "mallory"];

/// Something that happens.
#[derive(Debug, Clone)]
enum Event {
    Push { minor: bool },
    PushAgain(usize),
    Wait(i64),
    Pass,
    Approve { who: usize, digest_of_another: bool },
    WithdrawLast,
    Reject { who: usize },
    Hold { stage: usize },
    Release { stage: usize },
    Deploy { who: usize, tag: usize },
    GoBack { stage: usize },
    Rename { stage: usize },
    Restart,
    LoseCache,
}

fn event() -> impl Strategy<Value = Event> {
    let stage = 0..STAGES.len();
    prop_oneof![
        3 => any::<bool>().prop_map(|minor| Event::Push { minor }),
        1 => any::<prop::sample::Index>().prop_map(|it| Event::PushAgain(it.index(16))),
        6 => (1i64..9).prop_map(Event::Wait),
        8 => Just(Event::Pass),
        6 => (0..PEOPLE.len(), prop::bool::weighted(0.2)).prop_map(|(who, digest_of_another)| {
            Event::Approve { who, digest_of_another }
        }),
        1 => Just(Event::WithdrawLast),
        1 => (0..PEOPLE.len()).prop_map(|who| Event::Reject { who }),
        1 => stage.clone().prop_map(|stage| Event::Hold { stage }),
        2 => stage.clone().prop_map(|stage| Event::Release { stage }),
        1 => (0..PEOPLE.len(), 0usize..16).prop_map(|(who, tag)| Event::Deploy { who, tag }),
        1 => stage.clone().prop_map(|stage| Event::GoBack { stage }),
        1 => stage.prop_map(|stage| Event::Rename { stage }),
        1 => Just(Event::Restart),
        2 => Just(Event::LoseCache),
    ]
}

/// A scenario, and what was pushed.
struct World {
    scenario: Scenario,
    tags: Vec<(u32, u32)>,
    renamed: usize,
}

fn text_of((minor, patch): (u32, u32)) -> String {
    format!("1.{minor}.{patch}")
}

impl World {
    fn new(promote: &str) -> Option<Self> {
        let app = format!(
            "version: 1\napp: shop\nimage: {IMAGE}\nstages:\n  - name: staging\n    paths: [apps/staging/**]\n  \
             - name: production\n    paths: [apps/production/**]\n    after: staging\n    soak: {SOAK}h\n    \
             promote: {promote}\n    windows: [{{cron: 0 {} * * *, duration: {}h, timezone: UTC}}]\n    \
             approvals: {{required: 1, from: [\"@platform\"], identity: author}}\n",
            WINDOW.0,
            WINDOW.1 - WINDOW.0,
        );
        let people =
            PEOPLE.map(|name| format!("  - {{name: {name}, emails: [{name}@example.com]}}\n"));
        let keys = format!(
            "policies: [policies/]{WHOLE}people:\n{}groups: [{{name: platform, members: [ada, bob]}}]\n",
            people.concat()
        );
        let pod = format!("image: {IMAGE}:1.0.0\n");
        let files = [
            ("policies/shop.yaml", app.as_str()),
            ("apps/staging/shop.yaml", &pod),
            ("apps/production/shop.yaml", &pod),
        ];
        let scenario = Scenario::configured(&files, &keys)?;
        scenario.push("acme/shop", &["1.0.0"]);
        Some(Self {
            scenario,
            tags: vec![(0, 0)],
            renamed: 0,
        })
    }

    fn now(&self) -> Timestamp {
        self.scenario.clock.now()
    }

    /// A person commits now.
    fn commits(&self, who: &str, edit: impl FnOnce(&Work)) {
        let work = self.scenario.repo.clone_to();
        edit(&work);
        let git = self.scenario.repo.git();
        git.ok(work.path(), &["add", "--all"]);
        let mail = format!("{who}@example.com");
        let time = self.now().to_string();
        let mut command = git.command(work.path());
        for (role, name, value) in [
            ("AUTHOR", "NAME", who),
            ("AUTHOR", "EMAIL", &mail),
            ("AUTHOR", "DATE", &time),
            ("COMMITTER", "DATE", &time),
        ] {
            command.env(format!("GIT_{role}_{name}"), value);
        }
        command.args(["commit", "--quiet", "--allow-empty", "-m", "By hand"]);
        let output = command.output().expect("git runs");
        assert!(output.status.success(), "{output:?}");
        work.push();
    }

    fn decides(&self, who: &str, stage: &str, entry: &str) {
        let entry = self.scenario.text(entry);
        self.commits(who, |work| {
            let path = format!("{DECISIONS}/{stage}.yaml");
            let before = std::fs::read_to_string(work.path().join(&path)).unwrap_or_default();
            work.write(&path, before + &entry);
        });
    }

    /// The only file of a stage, and what it runs.
    fn file(&self, stage: &str) -> (String, (u32, u32)) {
        let tree = self.scenario.tree();
        let folder = format!("apps/{stage}/");
        let mut files = tree.iter().filter(|(path, _)| path.starts_with(&folder));
        let (path, bytes) = files.next().expect("a file");
        (path.clone(), tag_in(&String::from_utf8_lossy(bytes)))
    }

    fn happens(&mut self, event: &Event) {
        match event {
            Event::Push { minor } => {
                let (last, patch) = *self.tags.last().expect("one was pushed");
                let next = match minor {
                    true => (last + 1, 0),
                    false => (last, patch + 1),
                };
                self.tags.push(next);
                self.scenario.push("acme/shop", &[&text_of(next)]);
            }
            Event::PushAgain(place) => {
                let tag = text_of(self.tags[place % self.tags.len()]);
                let content = format!("again at {}", self.now());
                self.scenario.push_content("acme/shop", &tag, &content);
            }
            Event::Wait(hours) => self
                .scenario
                .clock
                .advance(SignedDuration::from_hours(*hours)),
            Event::Pass => drop(self.scenario.pass()),
            Event::Approve {
                who,
                digest_of_another,
            } => self.approve(PEOPLE[*who], *digest_of_another),
            Event::WithdrawLast => self.commits("ada", |work| {
                let path = format!("{DECISIONS}/production.yaml");
                let text = std::fs::read_to_string(work.path().join(&path)).unwrap_or_default();
                if let Some(at) = text.rfind("- ") {
                    work.write(&path, &text[..at]);
                }
            }),
            Event::Reject { who } => {
                let tag = text_of(self.file("staging").1);
                let entry = format!("- reject: {IMAGE}:{tag}\n");
                self.decides(PEOPLE[*who], "production", &entry);
            }
            Event::Hold { stage } => self.decides("ada", STAGES[*stage], "- hold: a reason\n"),
            Event::Release { stage } => self.decides("ada", STAGES[*stage], "- release: true\n"),
            Event::Deploy { who, tag } => {
                let tag = text_of(self.tags[tag % self.tags.len()]);
                let digest = self.scenario.digest("acme/shop", &tag);
                let entry = format!("- deploy: {IMAGE}:{tag}@{digest}\n");
                self.decides(PEOPLE[*who], "production", &entry);
            }
            Event::GoBack { stage } => {
                let (path, runs) = self.file(STAGES[*stage]);
                let mut lower = self.tags.iter().rev().filter(|tag| **tag < runs);
                if let Some(tag) = lower.next() {
                    let text = self
                        .scenario
                        .text(&format!("image: {IMAGE}:{}\n", text_of(*tag)));
                    self.commits("mallory", |work| work.write(&path, &text));
                }
            }
            Event::Rename { stage } => {
                self.renamed += 1;
                let (path, _) = self.file(STAGES[*stage]);
                let other = format!("apps/{}/shop-{}.yaml", STAGES[*stage], self.renamed);
                self.commits("bob", |work| {
                    let (from, to) = (work.path().join(&path), work.path().join(&other));
                    std::fs::rename(from, to).expect("the file is there");
                });
            }
            Event::Restart => self.scenario.restarts(),
            Event::LoseCache => self.scenario.service = self.scenario.another_service(),
        }
    }

    /// Somebody gives the approval that production waits for, if it waits for one.
    fn approve(&mut self, who: &str, digest_of_another: bool) {
        let view = stage(&self.scenario.observe(), "shop/production");
        let asked = view.waits.iter().find_map(|wait| wait.approvals.as_ref());
        let Some(asked) = asked else { return };
        let mut entry = asked.entry.clone();
        if digest_of_another {
            let at = entry.find("sha256:").expect("a digest");
            let other = self.scenario.digest("acme/shop", "1.0.0");
            entry.replace_range(at..at + other.len(), &other);
        }
        self.decides(who, "production", &entry);
    }

    /// Lets everything happen that is waited for, until production runs what staging does.
    fn comes_to_rest(&mut self) {
        for stage in STAGES {
            self.decides("ada", stage, "- release: true\n");
        }
        // A decision to deploy something else stands until somebody ends it.
        for tag in self.tags.clone() {
            let entry = format!("- reject: {IMAGE}:{}\n", text_of(tag));
            self.decides("ada", "production", &entry);
        }
        let newest = *self.tags.last().expect("one was pushed");
        let next = (newest.0 + 1, 0);
        self.tags.push(next);
        self.scenario.push("acme/shop", &[&text_of(next)]);
        for _ in 0..120 {
            self.scenario.pass();
            self.approve("bob", false);
            self.scenario.pass();
            if self.file("production").1 == next {
                return;
            }
            self.scenario.clock.advance(SignedDuration::from_hours(1));
        }
        let plan = crate::scenario::view(&self.scenario.observe());
        panic!("production waits for ever: {plan:#?}");
    }
}

fn tag_in(text: &str) -> (u32, u32) {
    let (_, rest) = text.split_once(":1.").expect("a tag of 1.x.y");
    let digits = |text: &str| -> u32 {
        let end = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        text[..end].parse().expect("a number")
    };
    let (minor, patch) = rest.split_once('.').expect("two numbers");
    (digits(minor), digits(patch))
}

/// A commit of the branch, read by plain Git.
struct Commit {
    at: Timestamp,
    is_ours: bool,
    author: String,
    runs: [(u32, u32); 2],
    /// The entries of production's decisions.
    entries: Vec<String>,
    held: bool,
    /// `STAGE TO` of each change stated.
    stated: BTreeMap<String, String>,
}

fn branch(scenario: &Scenario) -> Vec<Commit> {
    let (repo, git) = (&scenario.repo, scenario.repo.git());
    let ids = repo.log("%H");
    let mut all: Vec<Commit> = ids
        .lines()
        .map(|id| {
            let show = |format: &str| {
                git.text(
                    repo.path(),
                    &["log", "-1", &format!("--format={format}"), id],
                )
            };
            let about = show("%ct%n%an%n%ae");
            let mut about = about.lines();
            let seconds = about
                .next()
                .and_then(|line| line.parse().ok())
                .expect("a time");
            let name = about.next().expect("a name");
            let author = about.next().expect("an address").to_owned();
            let tree = scenario.tree_of(id);
            let runs = STAGES.map(|stage| {
                let folder = format!("apps/{stage}/");
                let mut files = tree.iter().filter(|(path, _)| path.starts_with(&folder));
                let (_, bytes) = files.next().expect("a file");
                tag_in(&String::from_utf8_lossy(bytes))
            });
            let file = tree.get(&format!("{DECISIONS}/production.yaml"));
            let text = file.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            let text = text.unwrap_or_default();
            let entries: Vec<String> = text.split_inclusive("\n- ").map(str::to_owned).collect();
            let words: Vec<&str> = text.lines().collect();
            let last = words
                .iter()
                .rev()
                .find(|line| line.starts_with("- hold") || line.starts_with("- release"));
            let trailers = show("%(trailers:key=Tagwright-Change,valueonly)");
            let value = |line: &str, key: &str| {
                let mut words = line.split(' ').filter_map(|word| word.split_once('='));
                words
                    .find(|(name, _)| *name == key)
                    .map(|(_, value)| value.to_owned())
            };
            let stated = trailers
                .lines()
                .filter_map(|line| Some((value(line, "stage")?, value(line, "to")?)));
            Commit {
                at: Timestamp::from_second(seconds).expect("a time"),
                is_ours: name == "Tagwright",
                author,
                runs,
                held: last.is_some_and(|line| line.starts_with("- hold")),
                entries,
                stated: stated.collect(),
            }
        })
        .collect();
    all.reverse();
    all
}

/// Asserts of every change of production by the service that it was allowed, looking at nothing but the
/// branch.
fn judge(all: &[Commit]) {
    // What a person went back from in production.
    let mut left: Option<(u32, u32)> = None;
    let mut changed = 0;
    for at in 1..all.len() {
        let (before, after) = (&all[at - 1], &all[at]);
        let (from, to) = (before.runs[1], after.runs[1]);
        if from == to {
            continue;
        }
        if !after.is_ours {
            left = (to < from).then_some(from).max(left);
            changed = at;
            continue;
        }
        let since = &all[changed..at];
        changed = at;
        if deployed(since, to) {
            left = None;
            continue;
        }
        assert!(to > from, "lower than what ran: {from:?} -> {to:?}");
        assert!(left.is_none_or(|left| to > left), "over a move back");
        left = None;
        assert!(!before.held, "while it was held");
        let hour = after.at.to_zoned(jiff::tz::TimeZone::UTC).hour();
        assert!(
            (WINDOW.0..WINDOW.1).contains(&i64::from(hour)),
            "outside the window"
        );
        assert!(
            soaked(&all[..at], to, after.at),
            "{to:?} has not soaked at {}",
            after.at
        );
        let stated = after.stated.get("production").expect("a trailer");
        approved(&all[..at], from, stated);
        let staged = all[..at].iter().rev().filter(|commit| commit.is_ours);
        let tag = format!("{}@", text_of(to));
        let mut staged = staged.filter_map(|commit| commit.stated.get("staging"));
        if let Some(staged) = staged.find(|staged| staged.starts_with(&tag)) {
            assert_eq!(staged, stated, "another image than the one that soaked");
        }
    }
}

/// Whether somebody who may had decided since the last change to run this at once.
fn deployed(since: &[Commit], to: (u32, u32)) -> bool {
    let tag = format!(":{}@", text_of(to));
    let count = |commit: &Commit, what: &str| {
        let all = commit.entries.iter();
        all.filter(|entry| entry.contains(what) && entry.contains(&tag))
            .count()
    };
    let came = |what: &'static str, by_right_people: bool| {
        since.windows(2).any(|pair| {
            let right = !by_right_people || may_approve(&pair[1]);
            right && count(&pair[1], what) > count(&pair[0], what)
        })
    };
    came("deploy: ", true) || came("deploy: ", false) && came("approve: ", true)
}

fn may_approve(commit: &Commit) -> bool {
    ["ada@example.com", "bob@example.com"].contains(&commit.author.as_str())
}

/// Whether staging ran this for long enough without a break, and never anything lower since.
fn soaked(all: &[Commit], to: (u32, u32), at: Timestamp) -> bool {
    let ends = all.iter().skip(1).map(|commit| commit.at).chain([at]);
    let stretches: Vec<_> = all.iter().zip(ends).collect();
    let mut ran = SignedDuration::ZERO;
    let mut best = false;
    for (commit, end) in stretches {
        match commit.runs[0].cmp(&to) {
            std::cmp::Ordering::Equal => {
                ran += end.duration_since(commit.at);
                best |= ran >= SignedDuration::from_hours(SOAK);
            }
            std::cmp::Ordering::Less => (ran, best) = (SignedDuration::ZERO, false),
            std::cmp::Ordering::Greater => ran = SignedDuration::ZERO,
        }
    }
    best
}

/// Asserts that an entry of somebody who may approves this in the place of what ran, and is there.
fn approved(all: &[Commit], from: (u32, u32), stated: &str) {
    let fits = |entry: &String| {
        let replaces = entry.split_once("replaces:").map(|(_, rest)| rest.trim());
        let replaces = replaces.map(|rest| rest.trim_matches(['"', '\'', '-', ' ', '\n']));
        let replaces = replaces.map(|rest| rest.split(['"', '\n', '@']).next().unwrap_or_default());
        entry.contains("approve: ")
            && entry.contains(&format!(":{stated}"))
            && replaces == Some(&text_of(from))
    };
    let now = all.last().expect("a commit");
    assert!(
        now.entries.iter().any(fits),
        "nobody approved {stated}: {:?}",
        now.entries
    );
    let count = |commit: &Commit| commit.entries.iter().filter(|entry| fits(entry)).count();
    let by_right_people = all.windows(2).any(|pair| {
        let came = count(&pair[1]) > count(&pair[0]);
        came && may_approve(&pair[1])
    });
    assert!(by_right_people, "approved by the wrong person");
    let tag = format!(":{}", text_of(tag_in(&format!(":{stated}"))));
    let last = now.entries.iter().rev().find(|entry| entry.contains(&tag));
    let rejected = last.is_some_and(|entry| entry.contains("reject: "));
    assert!(!rejected, "over a rejection");
}

proptest! {
    // Each is some dozens of passes and commits; more are for a night.
    #![proptest_config(ProptestConfig {
        cases: 12,
        max_shrink_iters: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn nothing_reaches_production_but_what_may(
        events in prop::collection::vec(event(), 15..45),
        queue in any::<bool>(),
    ) {
        let Some(mut world) = World::new(if queue { "queue" } else { "newest" }) else {
            return Ok(());
        };
        for event in &events {
            world.happens(event);
        }
        judge(&branch(&world.scenario));
        world.comes_to_rest();
        judge(&branch(&world.scenario));
        world.scenario.assert_sound();
    }
}
