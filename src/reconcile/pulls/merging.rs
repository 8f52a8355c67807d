//! Has the forge merge pull requests by itself, and takes that back when something comes to stand against it.
//!
//! Invariant: only what the service asked for is taken back. That it did stands in the pull request's note, so
//! that another process knows it too; what a person asks the forge for is the person's.
//!
//! It refuses to take anything back on doubt: a registry that is down for a minute turns the status to pending,
//! and no more.

use super::act::{FIRST_WAIT, Failure, LONGEST_WAIT, without_note};
use super::fate::Branch;
use super::{Gate, Planned, words};
use crate::forge::{Forge, Merge, Method, Pull, Wanted, body};
use crate::reconcile::Reconciler;

impl Reconciler {
    /// Has the forge merge a pull request, or no longer, as it should be; what it says if it won't.
    pub(super) async fn merge_or_not(
        &mut self,
        forge: &dyn Forge,
        planned: &Planned,
        pull: &Pull,
    ) -> Result<Option<String>, Failure> {
        let method = self.repository.pulls.auto_merge;
        let is_stopped = method.is_none() || matches!(planned.gate, Gate::Stopped(_));
        if is_stopped && words::is_asked_for(pull) {
            forge.cancel_merge(pull).await?;
            return self.note(forge, pull, words::not_asked_for).await;
        }
        let is_theirs = matches!(planned.at, Branch::Theirs { .. });
        let is_open = matches!(planned.gate, Gate::Open);
        match method {
            Some(method) if is_open && !pull.auto_merge && !pull.draft && !is_theirs => {
                self.merge(forge, pull, method).await
            }
            _ => Ok(None),
        }
    }

    async fn merge(
        &mut self,
        forge: &dyn Forge,
        pull: &Pull,
        method: Method,
    ) -> Result<Option<String>, Failure> {
        let now = self.clock.now();
        let never = self.pulls.attempts.never.get(&pull.number);
        if let Some((until, words)) = never.filter(|(until, _)| now < *until) {
            tracing::debug!(number = pull.number, %until, "the forge is not asked to merge again yet");
            return Ok(Some(words.clone()));
        }
        let (wait, words) = match forge.merge_when_ready(pull, method).await? {
            Merge::Done => return Ok(None),
            Merge::Scheduled if words::is_asked_for(pull) => return Ok(None),
            Merge::Scheduled => return self.note(forge, pull, words::asked_for).await,
            Merge::NotYet(words) => (
                FIRST_WAIT,
                format!("it is not merged by itself yet: {words}"),
            ),
            Merge::Never(words) => (
                LONGEST_WAIT,
                format!("the forge won't merge it by itself: {words}"),
            ),
        };
        let until = now.saturating_add(wait).unwrap_or(now);
        let never = (until, words.clone());
        self.pulls.attempts.never.insert(pull.number, never);
        Ok(Some(words))
    }

    /// Changes the note of a pull request, and nothing that people see.
    async fn note(
        &self,
        forge: &dyn Forge,
        pull: &Pull,
        change: fn(&str) -> String,
    ) -> Result<Option<String>, Failure> {
        let Some(note) = body::hidden(&pull.body) else {
            return Ok(None);
        };
        let note = forge.hiding().hide(&change(&note));
        let wanted = Wanted {
            branch: pull.branch.clone(),
            base: pull.base.clone(),
            title: pull.title.clone(),
            body: format!("{}\n\n{note}\n", without_note(&pull.body)),
            draft: pull.draft,
            labels: Vec::new(),
            reviewers: Vec::new(),
        };
        forge.edit(pull, &wanted).await?;
        Ok(None)
    }
}
