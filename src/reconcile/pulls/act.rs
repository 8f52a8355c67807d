//! Makes pull requests what they should be.
//!
//! Invariant: a branch is pushed before its pull request is opened or edited, and each step finds done what
//! an earlier pass did before it was cut off. One group that can't be settled keeps no other from it; it
//! waits longer each time.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::fate::Fate;
use super::{Gate, Planned, Proposal, words};
use crate::diag;
use crate::forge::{self, Check, Forge, Pull, State, Status, Verdict, Wanted};
use crate::git::{CommitId, PushOutcome};
use crate::reconcile::{Error, Observation, Reconciler};

/// The wait after the first failure of a group; it doubles.
pub(super) const FIRST_WAIT: SignedDuration = SignedDuration::from_mins(1);

/// The longest wait: permissions are mended by people, within hours.
pub(super) const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

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
    /// Pull requests that the forge won't merge by itself, until when it isn't asked again, and its words.
    pub(super) never: BTreeMap<u64, (Timestamp, String)>,
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

    /// What was last said of a commit.
    pub(super) fn last_said(&self, commit: &str) -> Option<Check> {
        let mut of_it = self.said.iter().filter(|((of, _), _)| of == commit);
        of_it.next().map(|(_, status)| Check {
            name: status.name.clone(),
            verdict: status.verdict,
            words: Some(status.description.clone()),
        })
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

/// Why a group could not be settled, in words for a person.
pub(super) struct Failure(pub(super) String);

impl From<forge::Error> for Failure {
    fn from(error: forge::Error) -> Self {
        Self(diag::chain(&error))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(diag::chain(&error))
    }
}

impl Reconciler {
    /// Settles every group of a pass.
    pub(in crate::reconcile) async fn settle(&mut self, observation: &Observation) -> Vec<Done> {
        let (Some(base), Ok(forge)) = (observation.base, &self.pulls.forge) else {
            return Vec::new();
        };
        let forge = Arc::clone(forge);
        let mut all = Vec::new();
        for planned in &observation.pulls {
            if self.is_overtaken(&observation.facts) {
                // Who held something nudged the next pass, which plans anew.
                break;
            }
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
                Err(Failure(why)) => {
                    self.pulls.attempts.fail(&planned.branch, &why, now);
                    done.did = Did::Failed(why);
                }
            }
            all.push(done);
        }
        all
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
                if let Some(pull) = &pull
                    && !self.is_as_seen(forge, planned, pull).await?
                {
                    let why = "it has changed meanwhile; the next pass looks again";
                    done.did = Did::Left(why.to_owned());
                    return Ok(());
                }
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
                let wanted = self.wanted(forge, planned, proposal, tip);
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
            (Fate::Sweep, _) => {
                self.remove(planned).await?;
                done.did = Did::Removed;
                return Ok(());
            }
            (Fate::Left(why), _) => done.did = Did::Left(why.clone()),
            _ => {}
        }
        if let Some(pull) = pull {
            done.number = Some(pull.number);
            done.url = Some(pull.url.clone());
            let Some(head) = head else {
                return Ok(());
            };
            if let Err(Failure(why)) = self.say(forge, planned, head).await {
                done.but = Some(format!("its status can't be set: {why}"));
            } else if pull.head == head.to_string() {
                done.but = self.merge_or_not(forge, planned, &pull).await?;
            }
        }
        Ok(())
    }

    /// Whether a pull request is still open, at the head that was looked at: a person may have closed it or
    /// pushed to it while the registries were read.
    async fn is_as_seen(
        &self,
        forge: &dyn Forge,
        planned: &Planned,
        pull: &Pull,
    ) -> Result<bool, Failure> {
        let all = forge.pulls_of(&pull.branch, &pull.base).await?;
        let now = all.iter().find(|now| now.number == pull.number);
        let tip = planned.at.tip().map(|tip| tip.to_string());
        Ok(
            now.is_some_and(|now| {
                now.state == State::Open && tip.is_none_or(|tip| now.head == tip)
            }),
        )
    }

    /// A proposal as its pull request should be; what people made of a draft stays.
    fn wanted(
        &self,
        forge: &dyn Forge,
        planned: &Planned,
        proposal: &Proposal,
        tip: CommitId,
    ) -> Wanted {
        let (pulls, able) = (&self.repository.pulls, forge.abilities());
        let owner = self.repository.name.as_str();
        let mut note = words::note(owner, proposal, tip, able.text);
        if planned.pull.as_ref().is_some_and(words::is_asked_for) {
            // The forge may go by what it was asked though the branch was made anew.
            note = words::asked_for(&note);
        }
        let note = forge.hiding().hide(&note);
        Wanted {
            branch: planned.branch.clone(),
            base: self.repository.branch.clone(),
            title: proposal.title.clone(),
            body: format!("{}\n{note}\n", proposal.body),
            draft: match &planned.pull {
                Some(pull) => pull.draft,
                None => pulls.draft && able.drafts,
            },
            labels: match able.labels {
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
            let note = words::closed(self.repository.name.as_str());
            let note = forge.hiding().hide(&note);
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
            forge
                .close(&pull, &format!("Closed: {}", words::code(why)))
                .await?;
        }
        self.remove(planned).await?;
        self.pulls.ended.forget(&planned.branch);
        done.did = Did::Closed(why.to_owned());
        Ok(())
    }

    /// Removes a branch; one that has moved meanwhile is left.
    async fn remove(&mut self, planned: &Planned) -> Result<(), Failure> {
        let Some(tip) = planned.at.tip() else {
            return Ok(());
        };
        let branch = planned.branch.clone();
        let removed = self.with_mirror(move |mirror| mirror.move_beside(&branch, Some(tip), None));
        match removed.await.map_err(|source| self.git_error(source))? {
            PushOutcome::Pushed | PushOutcome::UpToDate | PushOutcome::Moved => Ok(()),
            PushOutcome::Refused(words) | PushOutcome::Unknown(words) => Err(Failure(format!(
                "the branch `{}` can't be removed: {words}",
                planned.branch
            ))),
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
            verdict: match planned.gate {
                Gate::Open => Verdict::Success,
                Gate::Stopped(_) | Gate::Unsure(_) => Verdict::Pending,
            },
            description: match planned.gate.words() {
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
pub(super) fn without_note(text: &str) -> String {
    let lines = text
        .lines()
        .filter(|line| forge::body::hidden(line).is_none());
    lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
}
