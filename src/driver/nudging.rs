//! Telling receivers of pushes, beside the passes.
//!
//! Invariant: a pass never waits for a receiver. While receivers are being told, later pushes are put
//! together into one, so however slow a receiver is, one push waits at most.

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::notify::{self, Nudge, Pushed};
use crate::reconcile::{Pass, PassResult, Reconciler};

/// Tells the receivers of one config repo; stops when dropped.
pub(super) struct Nudger {
    latest: watch::Sender<Option<Pushed>>,
    _task: JoinSet<()>,
}

impl Nudger {
    /// One for these receivers.
    pub(super) fn new(nudges: Vec<Nudge>) -> Self {
        let latest = watch::Sender::new(None);
        let mut task = JoinSet::new();
        if !nudges.is_empty() {
            task.spawn(tell(nudges, latest.clone()));
        }
        Self {
            latest,
            _task: task,
        }
    }

    /// Has them told of what a pass pushed, if it did.
    pub(super) fn passed(&self, reconciler: &Reconciler, pass: &Pass) {
        let Some(pushed) = pushed(reconciler, pass) else {
            return;
        };
        self.latest.send_modify(|latest| {
            *latest = Some(match latest.take() {
                Some(before) => before.and(pushed),
                None => pushed,
            });
        });
    }
}

async fn tell(nudges: Vec<Nudge>, latest: watch::Sender<Option<Pushed>>) {
    let mut news = latest.subscribe();
    // Never closed: this task has a sender itself, and ends with its owner.
    while news.wait_for(Option::is_some).await.is_ok() {
        let mut pushed = None;
        latest.send_if_modified(|latest| {
            pushed = latest.take();
            false
        });
        if let Some(pushed) = pushed {
            notify::tell(&nudges, &pushed).await;
        }
    }
}

/// What a pass pushed, if it did.
pub fn pushed(reconciler: &Reconciler, pass: &Pass) -> Option<Pushed> {
    let PassResult::Landed(commits) = &pass.result else {
        return None;
    };
    let repository = reconciler.repository();
    let commits_made = &pass.observation.preparation.commits;
    let files = commits_made.iter().flat_map(|commit| &commit.files);
    Some(Pushed {
        repository: repository.remote.url.to_string(),
        branch: repository.branch.clone(),
        before: pass.observation.base?.to_string(),
        after: commits.last()?.to_string(),
        files: files.map(|file| file.path.clone()).collect(),
    })
}
