//! What a fake forge knows, whichever interface it has: pull requests, reviews, statuses, people.
//!
//! Heads and merges are those of a real bare Git repository.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use tagwright::forge::Kind;

use crate::git_world::{git, run};

/// What became of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nothing yet.
    Open,
    /// Closed, by whom and when.
    Closed(String, Timestamp),
    /// Merged, by whom, when, as which commit.
    Merged(String, Timestamp, String),
}

/// What a review says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opinion {
    /// Go on.
    Approved,
    /// Don't.
    Rejected,
    /// Just words.
    Commented,
    /// Taken back.
    Dismissed,
}

/// How a pull request is merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// With a commit of two parents.
    Merge,
    /// As one commit.
    Squash,
    /// As its commits anew.
    Rebase,
}

/// A review.
#[derive(Debug, Clone)]
pub struct Review {
    /// Its number among all reviews.
    pub id: u64,
    /// Whose it is.
    pub by: String,
    /// What it says.
    pub opinion: Opinion,
    /// The head at that time.
    pub commit: String,
    /// When.
    pub at: Timestamp,
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    /// What people call it.
    pub number: u64,
    /// Whose it is.
    pub author: String,
    /// From.
    pub branch: String,
    /// Whether its branch is one of a fork.
    pub is_fork: bool,
    /// To.
    pub base: String,
    /// In one line.
    pub title: String,
    /// The text.
    pub body: String,
    /// Whether it is a draft.
    pub draft: bool,
    /// Names of labels.
    pub labels: Vec<String>,
    /// Who is asked for a review.
    pub requested: Vec<String>,
    /// Oldest first.
    pub reviews: Vec<Review>,
    /// Who said what.
    pub comments: Vec<(String, String)>,
    /// How it is to be merged once all is there, and at which head.
    pub auto_merge: Option<(Method, String)>,
    /// What became of it.
    pub state: State,
    /// Its head, or what it was at the end.
    pub head: String,
    /// When it was opened.
    pub created: Timestamp,
    /// How often it was changed.
    pub version: u64,
}

impl Pull {
    /// What its branch was at, as far as anybody looked, oldest first, and from when on.
    pub fn heads(&self) -> Vec<(String, Timestamp)> {
        let mut heads: Vec<(String, Timestamp)> = Vec::new();
        let reviewed = self.reviews.iter();
        let reviewed = reviewed.map(|review| (&review.commit, review.at));
        let last = self.reviews.last().map_or(self.created, |review| review.at);
        let last = last + SignedDuration::from_millis(500);
        for (commit, at) in reviewed.chain([(&self.head, last)]) {
            if heads.last().is_none_or(|(known, _)| known != commit) {
                let at = if heads.is_empty() { self.created } else { at };
                heads.push((commit.clone(), at));
            }
        }
        heads
    }
}

/// What is said of a commit.
#[derive(Debug, Clone)]
pub struct Status {
    /// Of which.
    pub commit: String,
    /// By which name.
    pub name: String,
    /// `success`, `pending` or `failure`.
    pub verdict: String,
    /// In words.
    pub description: String,
    /// A page.
    pub url: Option<String>,
    /// By whom.
    pub by: String,
}

/// As whom the forge makes the commits of our account.
pub const AUTHOR: (&str, &str) = ("tagwright-bot", "bot@forge.example");

/// The forge.
pub struct Hub {
    bare: PathBuf,
    home: tempfile::TempDir,
    /// The pull requests; the first has the number 1.
    pub pulls: Vec<Pull>,
    /// What is said of commits, oldest first.
    pub statuses: Vec<Status>,
    /// The labels that there are.
    pub labels: BTreeSet<String>,
    /// Who may be asked for reviews: names and ids.
    pub people: BTreeMap<String, u64>,
    /// Statuses without which nothing is merged by itself.
    pub required: Vec<String>,
    /// Approvals without which nothing is merged by itself.
    pub approvals: usize,
    /// Whether a new head takes approvals back.
    pub dismisses_stale: bool,
    /// Whether it merges by itself when asked to.
    pub allows_auto_merge: bool,
    /// Whether our account may take others' approvals back.
    pub may_dismiss: bool,
    /// Whether it is still looking whether something can be merged.
    pub is_checking: bool,
    /// Whether only one reviewer is taken, and the others are dropped without a word.
    pub one_reviewer: bool,
    /// Most items of a page.
    pub largest_page: usize,
    /// Whether our account may only read.
    pub is_read_only: bool,
    /// Whether our account may not even see the repository.
    pub is_hidden: bool,
    now: Timestamp,
    reviews: u64,
}

impl Hub {
    /// A forge with a bare repository and nothing else.
    pub fn new(bare: &Path) -> Self {
        let people = ["ann", "bob", "cat", super::US];
        Self {
            bare: bare.to_owned(),
            home: tempfile::tempdir().unwrap(),
            pulls: Vec::new(),
            statuses: Vec::new(),
            labels: BTreeSet::new(),
            people: people.into_iter().map(str::to_owned).zip(11..).collect(),
            required: Vec::new(),
            approvals: 0,
            dismisses_stale: true,
            allows_auto_merge: true,
            may_dismiss: true,
            is_checking: false,
            one_reviewer: false,
            largest_page: 100,
            is_read_only: false,
            is_hidden: false,
            now: "2026-03-02T09:30:00Z".parse().unwrap(),
            reviews: 0,
        }
    }

    /// The path by which the interface knows the repository.
    pub fn repository(&self, kind: Kind) -> String {
        match kind {
            Kind::AzureDevOps => "acme/shop/fleet".to_owned(),
            Kind::BitbucketDataCenter => "ACME/fleet".to_owned(),
            _ => "acme/fleet".to_owned(),
        }
    }

    /// A time later than all before.
    pub fn tick(&mut self) -> Timestamp {
        self.now += SignedDuration::from_secs(1);
        self.now
    }

    /// Runs git in the bare repository.
    pub fn git(&self, arguments: &[&str]) -> String {
        run(git(self.home.path())
            .current_dir(&self.bare)
            .args(arguments))
    }

    /// What git prints, if it succeeds.
    pub fn try_git(&self, arguments: &[&str]) -> Option<String> {
        let mut command = git(self.home.path());
        let output = command.current_dir(&self.bare).args(arguments).output();
        let output = output.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// The commit that a branch is at.
    pub fn tip(&self, branch: &str) -> Option<String> {
        let name = format!("refs/heads/{branch}^{{commit}}");
        self.try_git(&["rev-parse", "--verify", "-q", &name])
    }

    /// Whether there is such a commit.
    pub fn has(&self, commit: &str) -> bool {
        self.try_git(&["cat-file", "-e", &format!("{commit}^{{commit}}")])
            .is_some()
    }

    /// Whether all of `commit` is in `of`.
    pub fn is_in(&self, commit: &str, of: &str) -> bool {
        self.try_git(&["merge-base", "--is-ancestor", commit, of])
            .is_some()
    }

    /// Does what a forge does in the background: heads follow branches, approvals of older heads lapse, what
    /// was merged by a push counts as merged, and what is ready and to be merged by itself is merged.
    pub fn refresh(&mut self) {
        for at in 0..self.pulls.len() {
            let pull = self.pulls[at].clone();
            if pull.state != State::Open {
                continue;
            }
            let Some(head) = self.tip(&pull.branch) else {
                self.close(pull.number, "ghost");
                continue;
            };
            if head != pull.head {
                self.move_head(at, head.clone());
            }
            let base = self.tip(&pull.base).unwrap();
            if self.is_in(&head, &base) {
                let time = self.tick();
                self.pulls[at].state = State::Merged("ghost".to_owned(), time, head);
                continue;
            }
            if let Some((method, wanted)) = self.pulls[at].auto_merge.clone()
                && wanted == head
                && self.missing(pull.number).is_empty()
            {
                // A conflict leaves it open.
                let _ = self.merge(pull.number, super::US, method);
            }
        }
    }

    fn move_head(&mut self, at: usize, head: String) {
        let lapse = self.dismisses_stale;
        let pull = &mut self.pulls[at];
        pull.head = head;
        pull.version += 1;
        if lapse {
            let approved = |review: &&mut Review| review.opinion == Opinion::Approved;
            for review in pull.reviews.iter_mut().filter(approved) {
                review.opinion = Opinion::Dismissed;
            }
        }
    }

    /// A pull request by its number.
    pub fn pull(&mut self, number: u64) -> Option<&mut Pull> {
        self.pulls.iter_mut().find(|pull| pull.number == number)
    }

    /// The open pull request of two branches.
    pub fn open_of(&self, branch: &str, base: &str) -> Option<&Pull> {
        let mut open = self.pulls.iter().filter(|pull| pull.state == State::Open);
        open.find(|pull| pull.branch == branch && pull.base == base)
    }

    /// Opens a pull request; what it is to have besides is set by the caller.
    pub fn open(
        &mut self,
        author: &str,
        branch: &str,
        base: &str,
        title: &str,
        body: &str,
    ) -> &mut Pull {
        let pull = Pull {
            number: self.pulls.len() as u64 + 1,
            author: author.to_owned(),
            branch: branch.to_owned(),
            is_fork: false,
            base: base.to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            draft: false,
            labels: Vec::new(),
            requested: Vec::new(),
            reviews: Vec::new(),
            comments: Vec::new(),
            auto_merge: None,
            state: State::Open,
            head: self.tip(branch).unwrap(),
            created: self.tick(),
            version: 0,
        };
        self.pulls.push(pull);
        self.pulls.last_mut().unwrap()
    }

    /// Somebody gives an opinion on the present head.
    pub fn review(&mut self, number: u64, by: &str, opinion: Opinion) {
        self.reviews += 1;
        let (id, at) = (self.reviews, self.tick());
        let pull = self.pull(number).unwrap();
        pull.requested.retain(|asked| asked != by);
        let commit = pull.head.clone();
        pull.reviews.push(Review {
            id,
            by: by.to_owned(),
            opinion,
            commit,
            at,
        });
        self.refresh();
    }

    /// The newest opinion of each reviewer that is more than words.
    pub fn opinions(&self, number: u64) -> BTreeMap<String, Review> {
        let pull = self
            .pulls
            .iter()
            .find(|pull| pull.number == number)
            .unwrap();
        let said = |review: &&Review| review.opinion != Opinion::Commented;
        let pairs = pull.reviews.iter().filter(said);
        pairs
            .map(|review| (review.by.clone(), review.clone()))
            .collect()
    }

    /// What is still missing for a pull request to be merged by itself, in words.
    pub fn missing(&self, number: u64) -> Vec<String> {
        let pull = self
            .pulls
            .iter()
            .find(|pull| pull.number == number)
            .unwrap();
        let mut missing = Vec::new();
        for name in &self.required {
            let newest = self.status_of(&pull.head, name);
            if newest.is_none_or(|status| status.verdict != "success") {
                missing.push(format!("Required status check \"{name}\" is expected."));
            }
        }
        let opinions = self.opinions(number);
        let count = |wanted| {
            opinions
                .values()
                .filter(|review| review.opinion == wanted)
                .count()
        };
        if count(Opinion::Approved) < self.approvals {
            missing.push(format!(
                "At least {} approving review is required.",
                self.approvals
            ));
        }
        if count(Opinion::Rejected) > 0 {
            missing.push("Changes are requested.".to_owned());
        }
        if pull.draft {
            missing.push("The pull request is a draft.".to_owned());
        }
        missing
    }

    /// The newest status of a commit by a name.
    pub fn status_of(&self, commit: &str, name: &str) -> Option<&Status> {
        let mut newest = self.statuses.iter().rev();
        newest.find(|status| status.commit == commit && status.name == name)
    }

    /// The newest status of a commit by each name.
    pub fn statuses_of(&self, commit: &str) -> Vec<Status> {
        let of: BTreeSet<&str> = self
            .statuses
            .iter()
            .filter(|status| status.commit == commit)
            .map(|status| status.name.as_str())
            .collect();
        let newest = of
            .into_iter()
            .filter_map(|name| self.status_of(commit, name));
        newest.cloned().collect()
    }

    /// Something is said of a commit.
    pub fn set_status(
        &mut self,
        commit: &str,
        name: &str,
        verdict: &str,
        description: &str,
        url: Option<&str>,
        by: &str,
    ) {
        self.statuses.push(Status {
            commit: commit.to_owned(),
            name: name.to_owned(),
            verdict: verdict.to_owned(),
            description: description.to_owned(),
            url: url.map(str::to_owned),
            by: by.to_owned(),
        });
        self.refresh();
    }

    /// Somebody closes a pull request.
    pub fn close(&mut self, number: u64, by: &str) {
        let at = self.tick();
        let pull = self.pull(number).unwrap();
        if pull.state == State::Open {
            pull.state = State::Closed(by.to_owned(), at);
            pull.auto_merge = None;
        }
    }

    /// Somebody merges a pull request; the new commit on the base, or why there is none. Rebased, it is one
    /// commit too.
    pub fn merge(&mut self, number: u64, by: &str, method: Method) -> Result<String, String> {
        let pull = self.pull(number).unwrap().clone();
        let base = self.tip(&pull.base).unwrap();
        let tree = self
            .try_git(&["merge-tree", "--write-tree", &base, &pull.head])
            .ok_or("There are conflicts.")?;
        let message = format!("{} (#{number})", pull.title);
        let mut make = vec!["commit-tree", &tree, "-m", &message, "-p", &base];
        if method == Method::Merge {
            make.extend(["-p", &pull.head]);
        }
        let commit = self.git(&make);
        let name = format!("refs/heads/{}", pull.base);
        self.git(&["update-ref", &name, &commit, &base]);
        let at = self.tick();
        let pull = self.pull(number).unwrap();
        pull.state = State::Merged(by.to_owned(), at, commit.clone());
        Ok(commit)
    }

    /// Makes a commit with files' whole contents on top of `parent`, without moving any branch.
    pub fn commit(&self, parent: &str, message: &str, files: &[(String, Vec<u8>)]) -> String {
        let index = self.home.path().join("index");
        let _ = std::fs::remove_file(&index);
        let with_index = |arguments: &[&str]| {
            let mut command = git(self.home.path());
            command
                .current_dir(&self.bare)
                .env("GIT_INDEX_FILE", &index);
            run(command.args(arguments))
        };
        with_index(&["read-tree", parent]);
        let blob = self.home.path().join("blob");
        for (path, contents) in files {
            std::fs::write(&blob, contents).unwrap();
            let id = self.git(&["hash-object", "-w", blob.to_str().unwrap()]);
            let entry = format!("100644,{id},{path}");
            with_index(&["update-index", "--add", "--cacheinfo", &entry]);
        }
        let tree = with_index(&["write-tree"]);
        let mut command = git(self.home.path());
        command
            .current_dir(&self.bare)
            .env("GIT_AUTHOR_NAME", AUTHOR.0)
            .env("GIT_AUTHOR_EMAIL", AUTHOR.1);
        run(command.args(["commit-tree", &tree, "-p", parent, "-m", message]))
    }
}
