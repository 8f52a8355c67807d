//! From a plan to pull requests: what each group proposes, and what becomes of what is there.
//!
//! Invariant: a proposal is prepared by itself on the head that was planned on, so that each pull request
//! can be merged whatever becomes of the others.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::consent::{self, Reviewed};
use super::fate::{self, Branch, Content, Fate, Open, Room, Situation, Wish, Words};
use super::inspect::{Standard, inspect, may_be_the_base_s};
use super::{Gate, Planned, Proposal, Seen, strays, words};
use crate::config::Signing;
use crate::diag;
use crate::forge::{Forge, Opinion, Pull};
use crate::git::{self, CommitId, Mirror};
use crate::policy::Verdict;
use crate::reconcile::plan::{Blocked, Plan, StagePlan, Step};
use crate::reconcile::snapshot::Snapshot;
use crate::reconcile::source::{self, Source};
use crate::reconcile::{Error, Reconciler, deeper, message, prepare_from};

impl Reconciler {
    /// The plan as reviews leave it, what becomes of the pull request of each group, and what is left out.
    ///
    /// # Errors
    /// When the mirror can't be read.
    pub(in crate::reconcile) async fn propose(
        &mut self,
        whole: Arc<Plan>,
        snapshot: &Arc<Snapshot>,
        head: CommitId,
        seen: Option<Seen>,
    ) -> Result<(Arc<Plan>, Vec<Planned>, Vec<diag::Diagnostic>), Error> {
        let (Some(seen), Ok(forge)) = (seen, &self.pulls.forge) else {
            return Ok((whole, Vec::new(), Vec::new()));
        };
        if seen.trouble.is_some() {
            return Ok((whole, Vec::new(), Vec::new()));
        }
        let forge = Arc::clone(forge);
        let (plan, now) = (&*whole, self.clock.now());
        let (mut answered, mut expires) = (Vec::new(), None);
        let groups = self.groups(plan, snapshot, &seen);
        let mut branches: BTreeSet<&String> = groups.keys().collect();
        branches.extend(seen.open.keys().chain(seen.heads.keys()));
        let mut room = self.room(&seen);
        let mut all = Vec::new();
        let mut refused = Vec::new();
        for branch in branches {
            let stages = groups.get(branch).map_or(&[][..], Vec::as_slice);
            let tip = seen.heads.get(branch).copied();
            let (proposal, left_out, mut at) = self.inspected(stages, snapshot, head, tip).await?;
            refused.extend(left_out);
            let pull = seen.open.get(branch);
            if let Some(stray) = pull.filter(|_| seen.strays.contains(branch)) {
                at = strays::branch(stray);
            }
            if pull.is_none() && self.is_done(&*forge, branch, tip).await {
                // Merged as it is, or closed by the service: whoever made its commits, they are done with.
                let content = Content::Outdated;
                at = tip.map_or(Branch::Absent, |tip| Branch::Ours { tip, content });
            } else if pull.is_none() && proposal.is_none() {
                continue;
            }
            let mut wish = wish(plan, snapshot, self, pull, branch, proposal.is_some());
            let frozen = match (&wish, at, pull) {
                (
                    Wished::Changes,
                    Branch::Ours {
                        content: Content::Outdated,
                        ..
                    },
                    Some(pull),
                ) => frozen(&*forge, pull).await.unwrap_or_else(|why| {
                    wish = Wished::Unsure(why);
                    None
                }),
                _ => None,
            };
            let open = pull.map(|pull| Open {
                words: match self.pulls.attempts.is_open(branch) {
                    true => Words::Outdated,
                    false => words_of(pull, proposal.as_ref(), at),
                },
                frozen: frozen.as_deref(),
            });
            let mut fate = fate::fate(&Situation {
                wish: wish.borrowed(),
                branch: at,
                open,
                supersede: self.repository.pulls.supersede,
                room: if room > 0 { Room::Enough } else { Room::None },
            });
            if fate == Fate::Open {
                match self.elsewhere(branch, proposal.as_ref(), &seen) {
                    Some(why) => fate = Fate::Left(why),
                    None => room -= 1,
                }
            }
            let people = &self.repository.people;
            let reviewed = consent::reviewed(&*forge, stages, (pull, at), people, now).await;
            let (own, unread) = match reviewed {
                Reviewed::Nothing => (Vec::new(), None),
                Reviewed::Unread(why) => (Vec::new(), Some(why)),
                Reviewed::Stages(stages, until) => {
                    expires = [expires, until].into_iter().flatten().min();
                    (stages, None)
                }
            };
            let gate = wish.gate().unwrap_or_else(|| {
                if let Some(why) = unread {
                    return Gate::Unsure(why);
                }
                let left = matches!(fate, Fate::Left(_));
                let unwanted = pull
                    .filter(|_| left)
                    .and_then(|pull| stale(plan, snapshot, pull));
                let why = unwanted.or_else(|| missing(stages, &own, snapshot));
                why.map_or(Gate::Open, Gate::Stopped)
            });
            answered.extend(own);
            if fate != Fate::None {
                all.push(Planned {
                    branch: branch.clone(),
                    proposal,
                    pull: pull.cloned(),
                    fate,
                    gate,
                    at,
                });
            }
        }
        let plan = consent::applied(whole, answered, expires);
        Ok((plan, all, refused))
    }

    /// Whether a branch without an open pull request is needed no more, by what became of its last one.
    async fn is_done(&mut self, forge: &dyn Forge, branch: &str, tip: Option<CommitId>) -> bool {
        let Some(tip) = tip else {
            return false;
        };
        if !self.pulls.ended.is_known(branch) {
            match forge.pulls_of(branch, &self.repository.branch).await {
                Ok(pulls) => self.pulls.ended.learn(branch.to_owned(), pulls),
                // Asked again in the next pass.
                Err(_) => return false,
            }
        }
        let owner = self.repository.name.as_str();
        self.pulls.ended.is_done(branch, &tip.to_string(), owner)
    }

    /// Why a proposal is not opened yet though there is room: it is proposed elsewhere, or it is not known
    /// what people said of it before.
    fn elsewhere(&self, branch: &str, proposal: Option<&Proposal>, seen: &Seen) -> Option<String> {
        if seen.others.contains(branch) {
            return Some(
                "another entry of the configuration, or another service, has a pull request from its \
                 branch: give each a name and a `push.branchPrefix` of its own"
                    .to_owned(),
            );
        }
        if !self.pulls.ended.is_known(branch) {
            return Some("its earlier pull requests are asked for first".to_owned());
        }
        let commits = proposal.map_or(&[][..], |proposal| &proposal.commits);
        seen.open
            .values()
            .filter(|pull| pull.branch != branch)
            .find_map(|pull| {
                let noted = words::of(pull)?.changes;
                let same = words::changes(commits).any(|change| {
                    let named = |(app, stage, _): &(String, String, _)| {
                        *app == change.app && *stage == change.stage
                    };
                    noted.iter().any(named)
                });
                same.then(|| format!("pull request #{} proposes some of it still", pull.number))
            })
    }

    /// What a group proposes, the sites that had to be left out, and what its branch holds.
    async fn inspected(
        &self,
        stages: &[&StagePlan],
        snapshot: &Arc<Snapshot>,
        head: CommitId,
        tip: Option<CommitId>,
    ) -> Result<(Option<Proposal>, Vec<diag::Diagnostic>, Branch), Error> {
        let plan = Plan {
            stages: stages.iter().copied().map(due).collect(),
            ..Plan::default()
        };
        let snapshot = Arc::clone(snapshot);
        let style = self.repository.commits.clone();
        let rebuild = self.repository.pulls.rebuild;
        let branch = self.repository.branch.clone();
        self.with_mirror(move |mirror| -> Result<_, source::Error> {
            let prepared = match plan.stages.is_empty() {
                true => Default::default(),
                false => prepare_from(Source::Commit(mirror, head), &plan, &snapshot, &style)?,
            };
            let commits = prepared.commits;
            let standard = Standard {
                base: head,
                author: &style.author,
                wanted: (!commits.is_empty()).then_some(&commits),
                rebuild,
                forged: style.signing == Some(Signing::Forge),
            };
            let at = match tip {
                Some(tip) => {
                    let look = |mirror: &Mirror| {
                        let at = inspect(mirror, tip, &standard)?;
                        // What the base has beyond what was fetched looks like a person's.
                        let lacks = matches!(at, Branch::Theirs { .. })
                            && may_be_the_base_s(mirror, tip, head)?;
                        Ok::<_, git::Error>((at, lacks))
                    };
                    let (at, _) =
                        deeper::looking(mirror, (&branch, head), look, |(_, lacks)| *lacks)?;
                    at
                }
                None => Branch::Absent,
            };
            let changes: Vec<_> = words::changes(&commits).cloned().collect();
            let proposal = (!commits.is_empty()).then(|| Proposal {
                title: message::subject(&changes, &style),
                body: words::body(&commits),
                commits,
            });
            Ok((proposal, prepared.refused, at))
        })
        .await
        .map_err(|source| self.source_error(source))
    }
}

/// A stage as if nothing of its change were missing: it is proposed meanwhile.
fn due(stage: &StagePlan) -> StagePlan {
    let mut stage = stage.clone();
    if let Step::Waiting(waiting) = stage.step {
        stage.step = Step::Change(waiting.change);
    }
    stage
}

/// What the changes of a group still wait for, so that it may not be merged yet; `own` are those of its stages that
/// wait otherwise, by the reviews of its pull request.
fn missing(stages: &[&StagePlan], own: &[StagePlan], snapshot: &Snapshot) -> Option<String> {
    let waiting = stages.iter().filter_map(|stage| {
        let stage = own.iter().find(|own| own.key == stage.key).unwrap_or(stage);
        let Step::Waiting(waiting) = &stage.step else {
            return None;
        };
        let (app, name) = snapshot.names(stage.key);
        Some(format!("{app} in {name}: {}", waiting.brief()))
    });
    let waiting: Vec<String> = waiting.collect();
    (!waiting.is_empty()).then(|| waiting.join("; "))
}

/// What a group should propose, with words of its own.
enum Wished {
    Changes,
    Nothing(String),
    /// What it has, which a person keeps from going on.
    Stopped(String),
    Unsure(String),
}

impl Wished {
    fn borrowed(&self) -> Wish<'_> {
        match self {
            Self::Changes => Wish::Changes,
            Self::Nothing(why) => Wish::Nothing(why),
            Self::Stopped(why) | Self::Unsure(why) => Wish::Unsure(why),
        }
    }

    /// Whether it may be merged, where that follows from it alone.
    fn gate(&self) -> Option<Gate> {
        match self {
            Self::Changes => None,
            Self::Nothing(why) | Self::Stopped(why) => Some(Gate::Stopped(why.clone())),
            Self::Unsure(why) => Some(Gate::Unsure(why.clone())),
        }
    }
}

/// What the group of `branch` should propose.
fn wish(
    plan: &Plan,
    snapshot: &Snapshot,
    reconciler: &Reconciler,
    pull: Option<&Pull>,
    branch: &str,
    has_changes: bool,
) -> Wished {
    let noted = pull.and_then(words::of);
    let prefix = &reconciler.repository.pulls.prefix;
    let named = || {
        let rest = branch.strip_prefix(prefix.as_str())?;
        let (app, stage) = rest.split_once('/')?;
        (!app.starts_with('_')).then(|| vec![(app.to_owned(), stage.to_owned())])
    };
    let stages = match noted {
        Some(note) => note
            .changes
            .into_iter()
            .map(|(app, stage, _)| (app, stage))
            .collect(),
        None => named().unwrap_or_default(),
    };
    let (mut nothing, mut unsure) = (None, None);
    for (app, stage) in &stages {
        let found = plan
            .stages
            .iter()
            .find(|plan| snapshot.names(plan.key) == (app, stage));
        let why = match found.map(|found| &found.step) {
            None if snapshot.has_broken_apps => {
                unsure.get_or_insert("an app file can't be used; see the errors".to_owned());
                continue;
            }
            None => format!("no app file speaks of the stage {stage} of {app} any more"),
            Some(Step::Waiting(waiting)) if !waiting.may_be_proposed() => {
                unsure.get_or_insert(format!("{app} in {stage}: {}", waiting.brief()));
                continue;
            }
            Some(Step::Change(_) | Step::Waiting(_)) => continue,
            Some(Step::UpToDate) => format!("{app} in {stage} runs the choice by now"),
            Some(Step::Undecided) => {
                unsure.get_or_insert(format!("{app} in {stage}: not decided yet"));
                continue;
            }
            Some(Step::Blocked(blocked)) => {
                let words = format!("{app} in {stage}: {blocked}");
                match blocked {
                    blocked if blocked.is_over() => words,
                    Blocked::Held(_) if has_changes => words,
                    // What can't be understood may be meant to stop it.
                    Blocked::Held(_) | Blocked::Decisions(_) => return Wished::Stopped(words),
                    _ => {
                        unsure.get_or_insert(words);
                        continue;
                    }
                }
            }
        };
        nothing.get_or_insert(why);
    }
    if let Some(why) = unsure {
        return Wished::Unsure(why);
    }
    match (has_changes, nothing) {
        (true, _) => Wished::Changes,
        (false, Some(why)) => Wished::Nothing(why),
        (false, None) if stages.is_empty() && pull.is_some() => {
            Wished::Unsure("its note can't be read, so what it proposes is not known".to_owned())
        }
        (false, None) => {
            let proposed = plan.stages.iter().filter(|plan| {
                let (app, stage) = snapshot.names(plan.key);
                let mut named = stages.iter();
                named.any(|named| (named.0.as_str(), named.1.as_str()) == (app, stage))
                    && reconciler.is_proposed(snapshot, plan)
            });
            let proposed: Vec<String> = proposed
                .map(|plan| reconciler.branch_of(snapshot, plan))
                .collect();
            if proposed.iter().any(|own| own == branch) {
                let why = "what it proposes can't be written now; see the errors";
                return Wished::Unsure(why.to_owned());
            }
            Wished::Nothing(match proposed.is_empty() {
                false => "what it proposed is proposed elsewhere now".to_owned(),
                true => "what it proposed is pushed without a pull request now".to_owned(),
            })
        }
    }
}

/// Why what a pull request proposes is no longer wanted, where something else is; it stays as it is, and must
/// not be merged.
fn stale(plan: &Plan, snapshot: &Snapshot, pull: &Pull) -> Option<String> {
    let noted = words::of(pull)?.changes;
    noted.into_iter().find_map(|(app, stage, what)| {
        let plan = plan
            .stages
            .iter()
            .find(|plan| snapshot.names(plan.key) == (app.as_str(), stage.as_str()))?;
        let verdicts = &plan.selection.as_ref()?.verdicts;
        let verdict = verdicts.iter().find(|verdict| verdict.tag == what.tag)?;
        (verdict.verdict == Verdict::Rejected).then(|| {
            format!(
                "{} is not acceptable any more: {}",
                what.tag, verdict.reason
            )
        })
    })
}

/// Whether the words of a pull request are those that the service would write now.
fn words_of(pull: &Pull, proposal: Option<&Proposal>, at: Branch) -> Words {
    let Some(proposal) = proposal else {
        return Words::Right;
    };
    let note = words::of(pull);
    let text = words::fingerprint(&proposal.title, &proposal.commits);
    match note {
        Some(note) if note.text == text && Some(note.head) == at.tip() => Words::Right,
        _ => Words::Outdated,
    }
}

/// Why a pull request may not be changed under those who approved it.
async fn frozen(forge: &dyn Forge, pull: &Pull) -> Result<Option<String>, String> {
    if pull.auto_merge {
        return Ok(Some("it is about to be merged by the forge".to_owned()));
    }
    let reviews = forge
        .reviews(pull)
        .await
        .map_err(|error| diag::chain(&error))?;
    let approval = reviews
        .iter()
        .find(|review| review.opinion == Opinion::Approved);
    Ok(approval.map(|review| format!("{} has approved it", diag::visible(&review.by))))
}
