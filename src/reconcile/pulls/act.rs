//! Makes pull requests what they should be.
//!
//! Invariant: a branch is pushed before its pull request is opened or edited, and each step finds done what
//! an earlier pass did before it was cut off. One group that can't be settled keeps no other from it; it
//! waits longer each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::fate::{Branch, Content, Fate};
use super::{Planned, Proposal, words};
use crate::config::Signing;
use crate::diag;
use crate::forge::{self, Forge, Merge, Pull, Status, Verdict, Wanted};
use crate::git::{CommitId, PushOutcome};
use crate::reconcile::execute::{self, Landing, Maker};
use crate::reconcile::{Error, Observation, Reconciler, forged};

/// The wait after the first failure of a group; it doubles.
const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// The longest wait: permissions are mended by people, within hours.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// Statuses remembered; forgetting them costs a request each.
const MAX_SAID: usize = 10_000;

/// What was done for the pull request of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The branch.
    pub branch: String,
    /// The title.
    pub title: String,
    /// The number, once there is one.
    pub number: Option<u64>,
    /// Its page, once there is one.
    pub url: Option<String>,
    /// What was done.
    pub did: Did,
    /// What the forge would not do besides, in words for a person.
    pub but: Option<String>,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Did {
    /// It was as it should be.
    Nothing,
    /// It was opened.
    Opened,
    /// Its branch and words were made anew.
    Updated,
    /// It was closed, for this reason.
    Closed(String),
    /// A branch that nobody needs was removed.
    Removed,
    /// It was left as it is, for this reason.
    Left(String),
    /// It failed, for this reason.
    Failed(String),
}

impl Done {
    /// What was done, for the log.
    pub fn news(&self) -> Option<String> {
        let what = match &self.did {
            Did::Opened => "opened".to_owned(),
            Did::Updated => "updated".to_owned(),
            Did::Closed(why) => format!("closed, since {why}"),
            Did::Removed => "no longer there: its branch was removed".to_owned(),
            Did::Nothing | Did::Left(_) | Did::Failed(_) => return None,
        };
        Some(format!("{} {what}", self.name()))
    }

    /// What was left undone.
    pub fn left(&self) -> Option<String> {
        let why = match (&self.did, &self.but) {
            (Did::Left(why), _) => format!("is left as it is: {why}"),
            (Did::Failed(why), _) => format!("can't be made what it should be: {why}"),
            (_, Some(why)) => why.clone(),
            _ => return None,
        };
        Some(format!("{}: {why}", self.name()))
    }

    /// `pull request #12 (BRANCH: TITLE)`.
    fn name(&self) -> String {
        let number = self.number.map(|number| format!(" #{number}"));
        let (branch, title) = (&self.branch, &self.title);
        format!(
            "pull request{} ({branch}: {title})",
            number.unwrap_or_default()
        )
    }
}

/// What was tried and said before.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    failed: BTreeMap<String, (SignedDuration, Timestamp, String)>,
    /// The last status that was set on a commit, by the commit and the status's name.
    said: BTreeMap<(String, String), Status>,
    /// Pull requests that the forge won't merge by itself, with its words.
    never: BTreeMap<u64, String>,
}

impl Attempts {
    /// Why a branch is not tried at `now`.
    fn waits(&self, branch: &str, now: Timestamp) -> Option<String> {
        let (wait, since, why) = self.failed.get(branch)?;
        let until = since.saturating_add(*wait).ok()?;
        // One that lies in the future was noted before the clock was set back.
        (*since <= now && now < until).then(|| format!("{why}; tried again at {until}"))
    }

    /// Whether something failed half-way, so that it is not known what was done.
    pub(super) fn is_open(&self, branch: &str) -> bool {
        self.failed.contains_key(branch)
    }

    fn fail(&mut self, branch: &str, why: &str, now: Timestamp) {
        let wait = match self.failed.get(branch) {
            Some((wait, ..)) => (*wait * 2).min(LONGEST_WAIT),
            None => FIRST_WAIT,
        };
        self.failed
            .insert(branch.to_owned(), (wait, now, why.to_owned()));
    }
}

/// Why a group could not be settled.
enum Failure {
    /// For this group.
    Words(String),
    /// The config repo can't be written at all.
    Whole(Error),
}

impl From<forge::Error> for Failure {
    fn from(error: forge::Error) -> Self {
        Self::Words(diag::chain(&error))
    }
}

impl Reconciler {
    /// Settles every group of a pass.
    ///
    /// # Errors
    /// When commits can't be signed or written.
    pub(in crate::reconcile) async fn settle(
        &mut self,
        observation: &Observation,
    ) -> Result<Vec<Done>, Error> {
        let (Some(base), Ok(forge)) = (observation.base, &self.pulls.forge) else {
            return Ok(Vec::new());
        };
        let forge = Arc::clone(forge);
        let mut all = Vec::new();
        for planned in &observation.pulls {
            let now = self.clock.now();
            let mut done = done(planned);
            if let Some(why) = self.pulls.attempts.waits(&planned.branch, now) {
                done.did = Did::Failed(why);
                all.push(done);
                continue;
            }
            match self.settle_one(&*forge, planned, base, &mut done).await {
                Ok(()) => {
                    self.pulls.attempts.failed.remove(&planned.branch);
                }
                Err(Failure::Whole(error)) => return Err(error),
                Err(Failure::Words(why)) => {
                    self.pulls.attempts.fail(&planned.branch, &why, now);
                    done.did = Did::Failed(why);
                }
            }
            all.push(done);
        }
        Ok(all)
    }

    async fn settle_one(
        &mut self,
        forge: &dyn Forge,
        planned: &Planned,
        base: CommitId,
        done: &mut Done,
    ) -> Result<(), Failure> {
        let mut head = planned.at.tip();
        let mut pull = planned.pull.clone();
        match (&planned.fate, &planned.proposal) {
            (Fate::Open | Fate::Update | Fate::Supersede | Fate::Reword, Some(proposal)) => {
                if let (Fate::Supersede, Some(pull)) = (&planned.fate, &pull) {
                    let why = format!("Something newer takes its place: {}", proposal.title);
                    match forge.dismiss(pull, &why).await {
                        Err(forge::Error::Unable { host, .. }) => {
                            done.did = Did::Left(format!(
                                "it is approved, and {host} has no way to take approvals of others back, so \
                                 something newer waits until it is merged or closed"
                            ));
                            return Ok(());
                        }
                        other => other?,
                    }
                }
                let Some(tip) = self.publish(planned, proposal, base, done).await? else {
                    return Ok(());
                };
                let wanted = self.wanted(forge, &planned.branch, proposal, tip);
                let made = match &pull {
                    Some(pull) => forge.edit(pull, &wanted).await?,
                    None => forge.open(&wanted).await?,
                };
                done.did = match planned.pull {
                    Some(_) => Did::Updated,
                    None => Did::Opened,
                };
                self.pulls.ended.opened(&planned.branch);
                (head, pull) = (Some(tip), Some(made));
            }
            (Fate::Close(why), _) => return self.close(forge, planned, why, done).await,
            (Fate::Sweep, _) => return self.sweep(forge, planned, done).await,
            (Fate::Left(why), _) => done.did = Did::Left(why.clone()),
            _ => {}
        }
        if let Some(pull) = pull {
            done.number = Some(pull.number);
            done.url = Some(pull.url.clone());
            if let Some(head) = head {
                self.say(forge, planned, head).await?;
            }
            done.but = self.merge(forge, planned, &pull).await?;
        }
        Ok(())
    }

    /// Makes the commits of a proposal and moves its branch there; `None` if it was not where it was seen.
    async fn publish(
        &mut self,
        planned: &Planned,
        proposal: &Proposal,
        base: CommitId,
        done: &mut Done,
    ) -> Result<Option<CommitId>, Failure> {
        if let Branch::Ours {
            tip,
            content: Content::Wanted,
        } = planned.at
        {
            return Ok(Some(tip));
        }
        if self.repository.commits.signing == Some(Signing::Forge) {
            return self.publish_forged(planned, proposal, base, done).await;
        }
        let signer = self.signer().await.map_err(Failure::Whole)?;
        let author = self.repository.commits.author.clone();
        let time = self.clock.now();
        let commits = proposal.commits.clone();
        let (branch, seen) = (planned.branch.clone(), planned.at.tip());
        let pushed = self.with_mirror(move |mirror| {
            let maker = Maker {
                author: &author,
                signer: signer.as_deref(),
                time,
            };
            let made = execute::chain(mirror, base, &commits, maker)?;
            match made.last() {
                Some(&tip) => mirror
                    .move_beside(&branch, seen, Some(tip))
                    .map(|told| (tip, told)),
                None => Ok((
                    base,
                    PushOutcome::Refused("it would change nothing".to_owned()),
                )),
            }
        });
        let (tip, outcome) = pushed
            .await
            .map_err(|source| Failure::Whole(self.git_error(source)))?;
        arrived(planned, outcome, tip, done)
    }

    /// The same, with commits that the forge makes on the branch once it is at the base.
    async fn publish_forged(
        &mut self,
        planned: &Planned,
        proposal: &Proposal,
        base: CommitId,
        done: &mut Done,
    ) -> Result<Option<CommitId>, Failure> {
        let (branch, seen) = (planned.branch.clone(), planned.at.tip());
        let moved = self
            .with_mirror(move |mirror| mirror.move_beside(&branch, seen, Some(base)))
            .await
            .map_err(|source| Failure::Whole(self.git_error(source)))?;
        if arrived(planned, moved, base, done)?.is_none() {
            return Ok(None);
        }
        let landing = self.land_forged(&planned.branch, base, &proposal.commits);
        match landing.await.map_err(Failure::Whole)? {
            Landing::Landed(commits) => {
                let tip = commits.last().copied().unwrap_or(base);
                let stranger = self.stranger(&planned.branch, tip).await;
                match stranger.map_err(Failure::Whole)? {
                    Some(author) => Err(Failure::Words(forged::as_stranger(&author))),
                    None => Ok(Some(tip)),
                }
            }
            Landing::Moved => arrived(planned, PushOutcome::Moved, base, done),
            Landing::Refused(words) => Err(Failure::Words(words)),
        }
    }

    fn wanted(
        &self,
        forge: &dyn Forge,
        branch: &str,
        proposal: &Proposal,
        tip: CommitId,
    ) -> Wanted {
        let pulls = &self.repository.pulls;
        let Proposal {
            title,
            body,
            commits,
        } = proposal;
        let note = forge.hiding().hide(&words::note(title, body, commits, tip));
        Wanted {
            branch: branch.to_owned(),
            base: self.repository.branch.clone(),
            title: title.clone(),
            body: format!("{body}\n{note}\n"),
            draft: pulls.draft && forge.abilities().drafts,
            labels: match forge.abilities().labels {
                true => pulls.labels.clone(),
                false => Vec::new(),
            },
            reviewers: pulls.reviewers.clone(),
        }
    }

    /// Closes a pull request, noting first that it is the service that does, and removes its branch.
    async fn close(
        &mut self,
        forge: &dyn Forge,
        planned: &Planned,
        why: &str,
        done: &mut Done,
    ) -> Result<(), Failure> {
        if let Some(pull) = &planned.pull {
            done.number = Some(pull.number);
            done.url = Some(pull.url.clone());
            let note = forge.hiding().hide(words::CLOSED);
            let marked = Wanted {
                branch: pull.branch.clone(),
                base: pull.base.clone(),
                title: pull.title.clone(),
                body: format!("{}\n\n{note}\n", without_note(&pull.body)),
                draft: pull.draft,
                labels: Vec::new(),
                reviewers: Vec::new(),
            };
            let pull = forge.edit(pull, &marked).await?;
            forge.close(&pull, &format!("Closed, since {why}.")).await?;
        }
        self.remove(planned).await?;
        self.pulls.ended.forget(&planned.branch);
        done.did = Did::Closed(why.to_owned());
        Ok(())
    }

    /// Removes a branch without a pull request, unless a person may open that again.
    async fn sweep(
        &mut self,
        forge: &dyn Forge,
        planned: &Planned,
        done: &mut Done,
    ) -> Result<(), Failure> {
        if !self.pulls.ended.is_known(&planned.branch) {
            let pulls = forge
                .pulls_of(&planned.branch, &self.repository.branch)
                .await?;
            self.pulls.ended.learn(planned.branch.clone(), pulls);
        }
        if !self.pulls.ended.is_closed(&planned.branch) {
            self.remove(planned).await?;
            done.did = Did::Removed;
        }
        Ok(())
    }

    /// Removes a branch; one that has moved meanwhile is left.
    async fn remove(&mut self, planned: &Planned) -> Result<(), Failure> {
        let Some(tip) = planned.at.tip() else {
            return Ok(());
        };
        let branch = planned.branch.clone();
        let removed = self.with_mirror(move |mirror| mirror.move_beside(&branch, Some(tip), None));
        match removed
            .await
            .map_err(|source| Failure::Whole(self.git_error(source)))?
        {
            PushOutcome::Pushed | PushOutcome::UpToDate | PushOutcome::Moved => Ok(()),
            PushOutcome::Refused(words) | PushOutcome::Unknown(words) => Err(Failure::Words(
                format!("the branch `{}` can't be removed: {words}", planned.branch),
            )),
        }
    }

    /// Says of the head whether it may be merged, unless that was said already.
    async fn say(
        &mut self,
        forge: &dyn Forge,
        planned: &Planned,
        head: CommitId,
    ) -> Result<(), Failure> {
        let rest = planned
            .branch
            .strip_prefix(self.repository.pulls.prefix.as_str());
        let status = Status {
            name: super::group::status(rest.unwrap_or(&planned.branch)),
            verdict: match planned.waits {
                None => Verdict::Success,
                Some(_) => Verdict::Pending,
            },
            description: match &planned.waits {
                None => "nothing stands against it".to_owned(),
                Some(why) => diag::visible(why).into_owned(),
            },
            url: None,
        };
        let key = (head.to_string(), status.name.clone());
        if self.pulls.attempts.said.get(&key) == Some(&status) {
            return Ok(());
        }
        forge.set_status(&key.0, &status).await?;
        let said = &mut self.pulls.attempts.said;
        if said.len() >= MAX_SAID {
            said.clear();
        }
        said.insert(key, status);
        Ok(())
    }

    /// Has the forge merge a pull request by itself, where that is wanted and nothing stands against it;
    /// what it says if it won't.
    async fn merge(
        &mut self,
        forge: &dyn Forge,
        planned: &Planned,
        pull: &Pull,
    ) -> Result<Option<String>, Failure> {
        let Some(method) = self.repository.pulls.auto_merge else {
            return Ok(None);
        };
        let is_theirs = matches!(planned.at, Branch::Theirs { .. });
        if pull.auto_merge || pull.draft || planned.waits.is_some() || is_theirs {
            return Ok(None);
        }
        if let Some(words) = self.pulls.attempts.never.get(&pull.number) {
            return Ok(Some(words.clone()));
        }
        match forge.merge_when_ready(pull, method).await? {
            Merge::Scheduled | Merge::Done => Ok(None),
            Merge::NotYet(words) => Ok(Some(format!("it is not merged by itself yet: {words}"))),
            Merge::Never(words) => {
                let words = format!("the forge won't merge it by itself: {words}");
                self.pulls.attempts.never.insert(pull.number, words.clone());
                Ok(Some(words))
            }
        }
    }
}

/// What a push of a group's branch to `tip` means: the tip, or none where it is looked at again.
fn arrived(
    planned: &Planned,
    outcome: PushOutcome,
    tip: CommitId,
    done: &mut Done,
) -> Result<Option<CommitId>, Failure> {
    match outcome {
        PushOutcome::Pushed | PushOutcome::UpToDate => Ok(Some(tip)),
        PushOutcome::Moved => {
            let why = "its branch has moved meanwhile; the next pass looks again";
            done.did = Did::Left(why.to_owned());
            Ok(None)
        }
        PushOutcome::Refused(words) | PushOutcome::Unknown(words) => Err(Failure::Words(format!(
            "the branch `{}` can't be pushed: {words}",
            planned.branch
        ))),
    }
}

fn done(planned: &Planned) -> Done {
    Done {
        branch: planned.branch.clone(),
        title: planned.title(),
        number: planned.pull.as_ref().map(|pull| pull.number),
        url: planned.pull.as_ref().map(|pull| pull.url.clone()),
        did: Did::Nothing,
        but: None,
    }
}

/// A text without the lines that hide a note.
fn without_note(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| forge::body::hidden(line).is_none());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
