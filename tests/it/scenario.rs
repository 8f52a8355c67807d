//! One scenario: a registry that can misbehave, a real bare config repo, a clock moved by hand, and the
//! service's own reconciler between them, made from a configuration file as `serve` makes it.
//!
//! `HOST` in every text stands for the registry. A scenario says what a person or a registry does and
//! then runs passes; nothing happens in between by itself.

#![allow(
    dead_code,
    clippy::allow_attributes,
    reason = "each step is used by the scenarios that need it"
)]
#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::BTreeMap;
use std::path::Path;

use jiff::Timestamp;
use tagwright::clock::Clock;
use tagwright::config;
use tagwright::demo::registry::{ImageSpec, Registry};
use tagwright::driver;
use tagwright::forge::{Credentials, Kind};
use tagwright::git::CommitId;
use tagwright::image::Digest;
use tagwright::reconcile::given::Ledger;
use tagwright::reconcile::{Error, Freshness, Observation, Pass, PassResult, Reconciler};
use tagwright::secret::Secret;
use tagwright::state::State;
use tokio::runtime::Runtime;

use crate::forges::Fake;
use crate::repo::{Repo, Work};
pub use crate::shown::{assert_problem, assert_stage, stage, view};

/// When scenarios begin; the hand clock starts here.
pub const START: &str = "2026-03-02T09:30:00Z";

/// Every file of a commit, by path.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// An app `shop` whose one stage has everything under `apps/`.
pub const SHOP: (&str, &str) = (
    "policies/shop.yaml",
    "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - {name: staging, paths: [apps/**]}\n",
);

/// Another app beside [`SHOP`], so that a scenario can show that it goes on.
pub const CART: (&str, &str) = (
    "policies/cart.yaml",
    "version: 1\napp: cart\nimage: HOST/acme/cart\nstages:\n  - {name: staging, paths: [apps/**]}\n",
);

/// A manifest that runs cart 1.0.0.
pub const CART_POD: (&str, &str) = ("apps/cart.yaml", "image: HOST/acme/cart:1.0.0\n");

/// A registry, a config repo and a service between them.
pub struct Scenario {
    /// Where images are pushed.
    pub registry: Registry,
    /// The config repo.
    pub repo: Repo,
    /// The time.
    pub clock: Clock,
    /// The service under test.
    pub service: Service,
    /// The keys of its entry of the config repo, besides name and URL.
    keys: String,
    /// Two services that fetched one commit and all when they began, where what they see is compared.
    followers: Option<[Service; 2]>,
}

/// What separates the keys of the entry from those of the whole file.
pub const WHOLE: &str = "\n---\n";

/// The keys of an entry where nothing else is said.
const KEYS: &str = "policies: [policies/]";

/// One service: its cache folder and its reconciler.
pub struct Service {
    reconciler: Reconciler,
    runtime: Runtime,
    /// Holds the lock of the cache folder, which holds the mirror.
    state: State,
    _folder: tempfile::TempDir,
}

impl Scenario {
    /// A scenario whose config repo holds `files`; `None` where Git is missing.
    pub fn new(files: &[(&str, &str)]) -> Option<Self> {
        Self::configured(files, KEYS)
    }

    /// The same, where the service's entry of the config repo has these keys besides name and URL.
    pub fn configured(files: &[(&str, &str)], keys: &str) -> Option<Self> {
        let registry = Registry::start().unwrap();
        let host = registry.host();
        let files: Vec<(&str, String)> = files
            .iter()
            .map(|(path, text)| (*path, text.replace("HOST", &host)))
            .collect();
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (*path, text.as_str()))
            .collect();
        let repo = Repo::bare(&files)?;
        let clock = Clock::by_hand(START.parse().unwrap());
        let service = Service::new(&registry, &repo, keys, &clock);
        Some(Self {
            registry,
            repo,
            clock,
            service,
            keys: keys.to_owned(),
            followers: None,
        })
    }

    /// From now on, at every pass that rests, services that began with a part of the history must see what
    /// those see that began with all of it.
    pub fn at_any_depth(mut self) -> Self {
        self.followers = Some([self.service_of_depth(1), self.another_service()]);
        self
    }

    /// Another service that fetches so many commits at first.
    pub fn service_of_depth(&self, depth: u32) -> Service {
        self.service_with(&format!("depth: {depth}\n{}", self.keys))
    }

    /// Services with and without a cache see the same, however much of the history they fetched at first.
    fn assert_same_at_any_depth(&mut self) {
        let Some(followers) = &mut self.followers else {
            return;
        };
        let [seen, wanted] = followers.each_mut().map(|service| told(&service.observe()));
        assert_same(&seen, &wanted, "a service that follows");
        let whole = self.another_service().observe();
        for depth in [1, 2] {
            let seen = told(&self.service_of_depth(depth).observe());
            let whose = format!("a new service of depth {depth}");
            assert_same(&seen, &told(&whole), &whose);
        }
    }

    /// A scenario whose config repo is on a forge of this kind, with these keys more in `push`.
    pub fn on_forge(kind: Kind, files: &[(&str, &str)], push: &str) -> Option<(Self, Fake)> {
        let mut scenario = Self::new(files)?;
        let fake = Fake::start(kind, scenario.repo.path());
        let Credentials::Token(Secret::File(token)) = fake.settings(&scenario.clock).credentials
        else {
            panic!("a token in a file");
        };
        let word = match kind {
            Kind::GitHub => "github",
            Kind::GitLab => "gitlab",
            Kind::Gitea => "gitea",
            Kind::BitbucketCloud => "bitbucketCloud",
            Kind::BitbucketDataCenter => "bitbucketDataCenter",
            Kind::AzureDevOps => "azureDevOps",
        };
        let repository = fake.hub().repository(kind);
        scenario.keys = format!(
            "{KEYS}\nforge: {{kind: {word}, api: '{}', repository: {repository}, credentials: {{token: \
             {{file: '{}'}}}}}}\npush: {{mode: pullRequest{push}}}",
            fake.api,
            token.display()
        );
        scenario.service = scenario.another_service();
        Some((scenario, fake))
    }

    /// The keys of the service's entry of the config repo.
    pub fn keys(&self) -> &str {
        &self.keys
    }

    /// The service begins anew, with these keys changed.
    pub fn reconfigured(&mut self, old: &str, new: &str) {
        assert!(self.keys.contains(old), "{}", self.keys);
        self.keys = self.keys.replace(old, new);
        self.service = self.another_service();
    }

    /// The service begins anew, with these keys in its file besides config repo and registry.
    pub fn serves_with(&mut self, file: &str) {
        let own = self.keys.split("\n---\n").next().unwrap_or_default();
        self.keys = format!("{own}\n---\n{file}");
        self.service = self.another_service();
    }

    /// The text with the registry's host.
    pub fn text(&self, text: &str) -> String {
        text.replace("HOST", &self.registry.host())
    }

    /// Pushes an image for every tag, each with content of its own.
    pub fn push(&self, repository: &str, tags: &[&str]) {
        for tag in tags {
            push(&self.registry, repository, tag);
        }
    }

    /// Points `tag` at the image that holds `content`.
    pub fn push_content(&self, repository: &str, tag: &str, content: &str) -> Digest {
        push_content(&self.registry, repository, tag, content)
    }

    /// The digest of a tag that was pushed.
    pub fn digest(&self, repository: &str, tag: &str) -> String {
        let digest = self.registry.digest(repository, tag);
        digest.unwrap().to_string()
    }

    /// A pass that must end without an error.
    pub fn pass(&mut self) -> Pass {
        self.try_pass().unwrap()
    }

    /// A pass, however it ends.
    pub fn try_pass(&mut self) -> Result<Pass, Error> {
        self.service.pass(Freshness::Anew)
    }

    /// A pass that lists only what its registry's interval makes due.
    pub fn pass_by_interval(&mut self) -> Pass {
        self.service.pass(Freshness::ByInterval).unwrap()
    }

    /// A pass that gathers changes, as those of `serve` do.
    pub fn gathering_pass(&mut self) -> Pass {
        let service = &mut self.service;
        let pass = service.reconciler.gathering_pass(Freshness::Anew);
        service.runtime.block_on(pass).unwrap()
    }

    /// A pass of another service on the same config repo.
    pub fn pass_of_another(&self) -> Pass {
        self.another_service().pass(Freshness::Anew).unwrap()
    }

    /// Another service on the same config repo, with a cache of its own.
    pub fn another_service(&self) -> Service {
        self.service_with(&self.keys)
    }

    /// The same, where the service's entry of the config repo has other keys.
    pub fn service_with(&self, keys: &str) -> Service {
        Service::new(&self.registry, &self.repo, keys, &self.clock)
    }

    /// The same, where the config repo is reached at another URL.
    pub fn service_at(&self, url: &str, keys: &str) -> Service {
        let text = configuration_at(&self.registry.host(), url, keys);
        Service::of(&text, &self.clock)
    }

    /// The service ends and starts again, with what it kept.
    pub fn restarts(&mut self) {
        driver::keep(&self.service.state, &self.service.reconciler);
        let text = configuration(&self.registry.host(), &self.repo, &self.keys);
        let service = config::service("tagwright.yaml", &text).value.unwrap();
        let mut made = driver::reconcilers(&service, &self.service.state, &self.clock).unwrap();
        self.service.reconciler = made.remove(0);
    }

    /// What a pass would do.
    pub fn observe(&mut self) -> Observation {
        self.service.observe()
    }

    /// What a pass would do with a working tree.
    pub fn observe_folder(&mut self, folder: &Path) -> Observation {
        let service = &mut self.service;
        let observation = service.reconciler.observe_folder(folder);
        service.runtime.block_on(observation).unwrap()
    }

    /// A pass that must land so many commits.
    ///
    /// # Panics
    /// When it ends in another way.
    pub fn lands(&mut self, commits: usize) -> Pass {
        let pass = self.pass();
        match &pass.result {
            PassResult::Landed(landed) if landed.len() == commits => {
                let last = landed.last().map(CommitId::to_string);
                assert_eq!(last, Some(self.repo.head()));
            }
            other => panic!("{other:?}\n{:#?}", view(&pass.observation)),
        }
        pass
    }

    /// A pass that must have nothing to commit, and leave the branch alone.
    ///
    /// # Panics
    /// When it commits.
    pub fn rests(&mut self) -> Pass {
        let before = self.repo.head();
        let pass = self.pass();
        assert_eq!(
            pass.result,
            PassResult::Nothing,
            "{:#?}",
            view(&pass.observation)
        );
        assert_eq!(self.repo.head(), before);
        self.assert_same_at_any_depth();
        pass
    }

    /// Passes until there is nothing to do: one that may land, and one that must rest; then shop must
    /// run `tag`.
    pub fn rests_at(&mut self, tag: &str) {
        self.pass();
        self.rests();
        let text = self.read("apps/shop.yaml");
        assert!(text.ends_with(&format!(":{tag}\n")), "{text}");
    }

    /// What a person changes: edits to a clone, committed and pushed.
    pub fn person(&self, message: &str, edit: impl FnOnce(&Work)) -> String {
        let work = self.repo.clone_to();
        edit(&work);
        let id = work.commit(message);
        work.push();
        id
    }

    /// A person writes one file.
    pub fn writes(&self, path: &str, text: &str) -> String {
        let text = self.text(text);
        self.person(&format!("Write {path}"), |work| work.write(path, &text))
    }

    /// Has a person's commit reach the branch during the service's next push: after the server has
    /// compared the branch with what the push expects, and before it moves it. `base` is what the
    /// person built on.
    pub fn races(&self, base: &str, edit: impl FnOnce(&Work)) -> String {
        let work = self.repo.clone_to();
        self.repo
            .git()
            .ok(work.path(), &["reset", "-q", "--hard", base]);
        edit(&work);
        let id = work.commit("A person's change");
        let aside = ["push", "-q", "--force", "origin", "HEAD:refs/heads/person"];
        self.repo.git().ok(work.path(), &aside);
        self.repo.hook(
            "update",
            "rm hooks/update && git update-ref refs/heads/main refs/heads/person",
        );
        id
    }

    /// Asserts that the branch is one line of commits and that Git finds no fault with the repository.
    pub fn assert_sound(&self) {
        let merges = ["rev-list", "--min-parents=2", "main"];
        assert_eq!(self.repo.git().text(self.repo.path(), &merges), "");
        let fsck = ["fsck", "--strict", "--no-dangling"];
        self.repo.git().ok(self.repo.path(), &fsck);
    }

    /// The service's changes on the branch as their commits state them, newest first:
    /// `app=… stage=… … to=TAG@DIGEST …`.
    pub fn changes(&self) -> Vec<String> {
        let format = "%(trailers:key=Tagwright-Change,valueonly)";
        let log = self.repo.log(format);
        let lines = log.lines().filter(|line| !line.is_empty());
        lines.map(str::to_owned).collect()
    }

    /// A file on the branch.
    pub fn read(&self, path: &str) -> String {
        String::from_utf8(self.repo.show(&format!("main:{path}"))).unwrap()
    }

    /// Every file on the branch.
    pub fn tree(&self) -> Tree {
        self.tree_of("main")
    }

    /// Every file of a commit.
    pub fn tree_of(&self, revision: &str) -> Tree {
        let list = ["ls-tree", "-r", "-z", "--full-tree", revision];
        let list = self.repo.git().ok(self.repo.path(), &list);
        list.split(|byte| *byte == 0)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let entry = String::from_utf8_lossy(entry);
                let (about, path) = entry.split_once('\t').unwrap();
                let (kind, id) = about.rsplit_once(' ').unwrap();
                // A submodule's commit isn't here; its id is all there is to compare.
                let content = match kind.ends_with("blob") {
                    true => self.repo.show(id),
                    false => id.as_bytes().to_vec(),
                };
                (path.to_owned(), content)
            })
            .collect()
    }

    /// Asserts that since `before` the branch has changed in these places and in no other byte: path,
    /// old text, new text. An old text must be there exactly once.
    pub fn assert_changed(&self, before: &Tree, changes: &[(&str, &str, &str)]) {
        let mut wanted = before.clone();
        for (path, old, new) in changes {
            let (old, new) = (self.text(old), self.text(new));
            let bytes = wanted.get_mut(*path).unwrap();
            let text = std::str::from_utf8(bytes).unwrap();
            assert_eq!(text.matches(&old).count(), 1, "{path}: {old}\n{text}");
            *bytes = text.replacen(&old, &new, 1).into_bytes();
        }
        let now = self.tree();
        for (path, wanted) in &wanted {
            let found = now.get(path).map(|bytes| String::from_utf8_lossy(bytes));
            assert_eq!(
                found,
                Some(String::from_utf8_lossy(wanted)),
                "{path} has other bytes than expected"
            );
        }
        assert_eq!(now, wanted);
    }

    /// How many commits the branch has.
    pub fn commits(&self) -> usize {
        self.repo.log("%H").lines().count()
    }
}

impl Service {
    fn new(registry: &Registry, repo: &Repo, keys: &str, clock: &Clock) -> Self {
        Self::of(&configuration(&registry.host(), repo, keys), clock)
    }

    fn of(text: &str, clock: &Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let loaded = config::service("tagwright.yaml", text);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        let service = loaded.value.unwrap();
        let state = State::own(folder.path()).unwrap();
        let mut reconcilers = driver::reconcilers(&service, &state, clock).unwrap();
        Self {
            reconciler: reconcilers.remove(0),
            runtime: runtime(),
            state,
            _folder: folder,
        }
    }

    /// What is held through its API.
    pub fn given(&self) -> &Ledger {
        self.reconciler.given()
    }

    /// The folder of its mirror.
    pub fn mirror(&self) -> std::path::PathBuf {
        self.state.mirror("fleet")
    }

    /// One pass.
    pub fn pass(&mut self, freshness: Freshness) -> Result<Pass, Error> {
        self.runtime.block_on(self.reconciler.pass(freshness))
    }

    /// What a pass would do.
    pub fn observe(&mut self) -> Observation {
        let observation = self.reconciler.observe(Freshness::Anew);
        self.runtime.block_on(observation).unwrap()
    }

    /// One pass, which may give up on a branch that others keep moving.
    ///
    /// # Panics
    /// When it fails for another reason.
    pub fn pass_or_busy(&mut self) {
        match self.pass(Freshness::Anew) {
            Ok(_) | Err(Error::Busy { .. }) => {}
            Err(error) => panic!("{}", driver::words(&error)),
        }
    }
}

/// Asserts that two long texts are the same, showing where they are not.
fn assert_same(seen: &str, wanted: &str, whose: &str) {
    let differs = |(seen, wanted): (&str, &str)| seen != wanted;
    let at = seen.lines().zip(wanted.lines()).position(differs);
    if let Some(at) = at {
        let around = |text: &str| {
            text.lines()
                .skip(at.saturating_sub(12))
                .take(30)
                .collect::<Vec<_>>()
                .join("\n")
        };
        panic!(
            "{whose}:\n{}\n--- instead of\n{}",
            around(seen),
            around(wanted)
        );
    }
    assert_eq!(seen.lines().count(), wanted.lines().count(), "{whose}");
}

/// What an observation planned, and all that was read from the branch for it.
fn told(observation: &Observation) -> String {
    let (plan, facts) = (&observation.plan, &observation.facts);
    let planned = (&plan.stages, &plan.refused, plan.expires);
    let read = (&facts.takings, &facts.history, &facts.decided);
    format!("{planned:#?}\n{read:#?}")
}

/// Pushes an image with content of its own.
pub fn push(registry: &Registry, repository: &str, tag: &str) {
    push_content(registry, repository, tag, tag);
}

fn push_content(registry: &Registry, repository: &str, tag: &str, content: &str) -> Digest {
    let payload = format!("{repository} {content}");
    let image = ImageSpec::new(Timestamp::UNIX_EPOCH, payload);
    registry.push(repository, tag, &image)
}

/// The configuration of a service for one config repo and one registry. What follows a line of `---` in
/// `keys` are keys of the file itself.
pub fn configuration(host: &str, repo: &Repo, keys: &str) -> String {
    configuration_at(host, &repo.path().display().to_string(), keys)
}

fn configuration_at(host: &str, url: &str, keys: &str) -> String {
    let (keys, whole) = keys.split_once(WHOLE).unwrap_or((keys, ""));
    let keys: String = keys
        .lines()
        .map(|line| format!("    {}\n", line.replace("HOST", host)))
        .collect();
    format!(
        "version: 1
repositories:
  - name: fleet
    url: {url}
{keys}registries:
  - {{host: \"{host}\", plainHttp: true, interval: 5m}}
{whole}"
    )
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}
