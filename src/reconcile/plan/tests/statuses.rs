//! Changes that wait for statuses of the commits that brought them to the stages before.

use super::*;
use crate::forge::Verdict::{self, Failure, Pending, Success};
use crate::git::CommitId;
use crate::promotion::By;
use crate::promotion::Held;
use crate::promotion::tenure::{Tenure, Tenures, Turn};
use crate::reconcile::checks::{Reply, Said};

const CHECKS: &str = "checks: [{statuses: [ci/e2e, 'lint/*']}]";

/// The stages `a` and `b`, and `live` after those named, with its checks.
fn world(after: &str) -> World {
    let stages = format!(
        "stages:\n  - {{name: a, paths: [0.yaml]}}\n  - {{name: b, paths: [1.yaml]}}\n  - {{name: live, \
         paths: [2.yaml], {after}{CHECKS}}}\n"
    );
    let sites = [&site("1.1.0"), &site("1.1.0"), &site("1.0.0")];
    let mut world = World::new(&stages, &sites.map(String::as_str));
    world.facts.history = History::Known(BTreeMap::new());
    world
}

impl World {
    /// The same where a stage ran what has this digest since a commit of this digit.
    fn ran(mut self, stage: usize, ran: &str, digit: char) -> Self {
        let held = Held {
            tag: "1.1.0".parse().unwrap(),
            digest: Some(digest(ran)),
        };
        let tenure = Tenure {
            runs: Some(held),
            by: By {
                name: "Ada".to_owned(),
                at: Timestamp::UNIX_EPOCH,
                commit: digit.to_string().repeat(40),
            },
            turn: Turn::On,
            act: None,
        };
        let key = StageKey { app: 0, stage };
        self.facts.tenures.insert(key, Some(Tenures(vec![tenure])));
        self
    }

    /// The same where this is said of what is asked.
    fn says(mut self, said: Option<Said>) -> Self {
        for ask in self.enters().1.asks {
            let said = said.clone();
            self.facts.asked.insert(ask, Reply { said, again: None });
        }
        self
    }

    /// What becomes of the change of `live` to 1.1.0.
    fn enters(&self) -> (Step, Open) {
        let scene = Scene {
            apps: &self.apps,
            files: &self.files,
            claims: &self.claims,
            facts: &self.facts,
            records: Records::of(&self.files),
            feeds: vec![feed()],
        };
        let case = scene.case(StageKey { app: 0, stage: 2 });
        let change = Change {
            from: case.running(),
            tag: "1.1.0".parse().unwrap(),
            digest: digest("1.1.0"),
            write: Write::Tag,
            sites: Vec::new(),
            reason: String::new(),
            rejected: None,
            approved: Vec::new(),
            group: None,
        };
        let (step, open, _) = case.unless_missing(Step::Change(change), Open::default(), None);
        (step, open)
    }

    fn asked_of(&self) -> Vec<char> {
        let (step, open) = self.enters();
        assert_eq!(matches!(step, Step::Undecided), !open.asks.is_empty());
        let asks = open.asks.iter().map(|ask| match ask {
            Ask::Statuses(commit) => CommitId::to_string(commit).chars().next().unwrap(),
            Ask::Gate(..) | Ask::Merge(_) => panic!("{ask:?}"),
        });
        asks.collect()
    }

    fn waits_for(&self) -> String {
        match self.enters().0 {
            Step::Change(_) => "nothing".to_owned(),
            Step::Waiting(waiting) => waiting.words(),
            other => panic!("{other:?}"),
        }
    }
}

fn found(each: &[(&str, Verdict)]) -> Option<Said> {
    let each = each.iter();
    let each = each.map(|(name, verdict)| crate::forge::Check {
        name: (*name).to_owned(),
        verdict: *verdict,
        words: None,
    });
    Some(Said::Statuses(crate::forge::Checks {
        each: each.collect(),
    }))
}

#[test]
fn they_are_asked_of_the_commits_that_brought_the_change_to_the_stages_before() {
    let both = world("after: [a, b], ");
    for (world, commits) in [
        (world("after: a, ").ran(0, "1.1.0", 'c'), &['c'][..]),
        (both.ran(0, "1.1.0", 'c').ran(1, "1.1.0", 'd'), &['c', 'd']),
    ] {
        assert_eq!(world.asked_of(), commits);
    }
    let words = "its statuses can't be read: no earlier stage runs it, so there is no commit of it";
    for world in [
        world(""),
        world("after: a, "),
        world("after: a, ").ran(0, "another", 'c'),
        world("after: [a, b], ").ran(0, "1.1.0", 'c'),
        world("after: [a, b], ")
            .ran(0, "1.1.0", 'c')
            .ran(1, "another", 'd'),
    ] {
        assert!(world.asked_of().is_empty());
        assert_eq!(world.waits_for(), words);
    }
}

#[test]
fn all_of_them_must_be_green() {
    for (said, waits_for) in [
        (
            found(&[("ci/e2e", Success), ("lint/a", Success), ("x", Failure)]),
            "nothing",
        ),
        (
            found(&[("ci/e2e", Pending), ("lint/a", Failure)]),
            "statuses of cccccccccccc: `lint/a` has failed, `ci/e2e` is pending",
        ),
        (
            found(&[]),
            "statuses of cccccccccccc: `ci/e2e` is missing, `lint/*` is missing",
        ),
        (
            found(&[
                ("lint/a", Failure),
                ("lint/b", Failure),
                ("lint/c", Pending),
            ]),
            "statuses of cccccccccccc: `lint/a` has failed, `lint/b` has failed, `lint/c` is pending, \
             and 1 more",
        ),
        (
            found(&[("ci/e2e", Success), ("lint/\u{202e}a\n", Failure)]),
            "statuses of cccccccccccc: `lint/ a` has failed",
        ),
        (
            Some(Said::Unable("forge.example can't be reached".to_owned())),
            "statuses of cccccccccccc can't be had: forge.example can't be reached",
        ),
        (
            None,
            "statuses of cccccccccccc: asked, and not answered yet",
        ),
    ] {
        let world = world("after: a, ").ran(0, "1.1.0", 'c').says(said);
        assert_eq!(world.waits_for(), waits_for);
    }
}
