//! The second half of the demo: production waits for an approval, moves, and is taken back.
//!
//! Invariant: whoever watches may approve from another terminal, as in any config repo; the demo's person does
//! it where nobody else has.

use std::time::Duration;

use anyhow::Context as _;

use super::{Heard, PATIENCE, PAUSE, Show};
use crate::cli::view::StageView;
use crate::reconcile::Observation;

/// The app and stage that ask for an approval.
const GATED: (&str, &str) = ("shop", "production");

/// How long somebody at another terminal may take, before the demo's person approves.
const FOR_A_PERSON: Duration = Duration::from_secs(180);

/// What the stage that asks for approvals comes to.
pub(super) fn view_of(observation: &Observation) -> Option<StageView> {
    let stages = observation.plan.stages.iter();
    let mut views = stages.map(|plan| StageView::of(observation, plan));
    views.find(|view| (view.app.as_str(), view.stage.as_str()) == GATED)
}

/// Whether an approval of `tag` is all that a stage waits for.
fn asks(view: &StageView, tag: &str) -> bool {
    let next = view.next.as_deref().unwrap_or_default();
    let alone = matches!(&view.waits[..], [wait] if wait.approvals.is_some());
    alone && next.split('@').next() == Some(tag)
}

impl Show<'_> {
    /// Has production move once it is approved, and go back by a revert.
    pub(super) async fn promote(&mut self, once: bool) -> anyhow::Result<()> {
        let mut releases = self.world.releases().iter();
        let last = releases.rfind(|release| release.repository.ends_with(GATED.0));
        let last = last.context("the app has releases")?.tag;
        let soaked = |view: &StageView| asks(view, last);
        let view = self.hear_production("the soak", soaked).await?;
        let wait = view.waits.first().and_then(|wait| wait.approvals.as_ref());
        let asked = wait.context("an approval is asked for")?;
        self.tell("33", "waits", &view.reason);
        let approved = match once {
            true => None,
            false => {
                self.invite(&asked.command);
                let moved = self.hear_landed();
                tokio::time::timeout(FOR_A_PERSON, moved).await.ok()
            }
        };
        let landed = match approved {
            Some(landed) => landed?,
            None => {
                let (name, _) = self.world.person();
                let entry = format!("{name} adds to {}:\n{}", asked.file, asked.entry);
                self.tell("1;34", "approved", entry.trim_end());
                let now = self.clock.now();
                self.world.decide(&asked.file, &asked.entry, now)?;
                tokio::time::timeout(PATIENCE, self.hear_landed())
                    .await
                    .context("the approval was not dealt with")??
            }
        };
        if !once {
            tokio::time::sleep(PAUSE).await;
        }
        let (name, _) = self.world.person();
        let story = format!("{name} takes production back with `git revert`, and that stands");
        self.tell("1;34", "reverted", &story);
        self.world.revert(&landed, self.clock.now())?;
        let back = |view: &StageView| view.went_back.is_some();
        let view = self.hear_production("the revert", back).await?;
        self.tell("33", "not taken:", &view.reason);
        Ok(())
    }

    /// How to approve from another terminal.
    fn invite(&self, command: &str) {
        let (name, mail) = self.world.person();
        let repository = self.world.repository().display();
        self.output.line(format!(
            "Approve it from another terminal, as the demo's person:\n\n    \
             git clone {repository} fleet && cd fleet\n    \
             git config user.name \"{name}\" && git config user.email {mail}\n    \
             {command}\n\n\
             or wait for {} minutes, and {name} does.\n",
            FOR_A_PERSON.as_secs() / 60,
        ));
    }

    fn tell(&self, style: &str, word: &str, text: &str) {
        let text = text.replace('\n', "\n         ");
        let word = self.output.paint(style, word);
        self.output.line(format!("{word} {text}\n"));
    }

    /// Prints passes until production is as wanted.
    async fn hear_production(
        &mut self,
        what: &str,
        wanted: impl Fn(&StageView) -> bool,
    ) -> anyhow::Result<StageView> {
        let found = async {
            loop {
                let heard = self.hear(what).await?;
                self.print(&heard);
                if let Some(view) = heard.production.filter(&wanted) {
                    return anyhow::Ok(view);
                }
            }
        };
        tokio::time::timeout(PATIENCE, found)
            .await
            .with_context(|| format!("{what} was not dealt with in {} s", PATIENCE.as_secs()))?
    }

    /// Prints passes until production has moved; returns the commit.
    async fn hear_landed(&mut self) -> anyhow::Result<String> {
        loop {
            // A pass is heard each second, whatever it did.
            let heard = self.hear("production").await?;
            self.print(&heard);
            if let Some(commit) = landed(&heard) {
                return Ok(commit);
            }
        }
    }
}

/// The commit that moved production, if one did.
fn landed(heard: &Heard) -> Option<String> {
    let mut all = heard.landed.iter();
    let moved = all.find(|(_, prepared)| {
        let mut changes = prepared.changes.iter();
        changes.any(|change| (change.app.as_str(), change.stage.as_str()) == GATED)
    });
    moved.map(|(commit, _)| commit.to_string())
}
