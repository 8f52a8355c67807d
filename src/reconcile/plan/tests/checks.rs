//! Changes that wait for checks.

use super::*;
use crate::forge;
use crate::gate::Verdict;
use crate::reconcile::checks::Said;

const SLO: &str = "checks: [{gate: slo}]";

const WINDOW: &str = "windows: [{cron: 0 9 * * *, duration: 8h, timezone: UTC}]";

const OPEN: &str = "2026-03-02T09:00:00Z";

const CLOSED: &str = "2026-03-02T08:00:00Z";

/// A stage with these keys, at 1.0.0 with 1.1.0 to come, whose digest is known.
fn world(keys: &str, now: &str) -> World {
    let stages = format!("stages: [{{name: live, paths: ['**'], {keys}}}]\n");
    let mut world = World::new(&stages, &[&site("1.0.0")]).tags(&["1.0.0", "1.1.0"]);
    world.facts.now = now.parse().unwrap();
    world.found("1.1.0")
}

impl World {
    /// The same once everything that is asked has this answer, and the next question is due then.
    fn told(mut self, said: Option<Said>, again: Option<&str>) -> Self {
        let again = again.map(|again| again.parse().unwrap());
        for ask in self.plan().open.asks {
            let said = said.clone();
            self.facts.asked.insert(ask, Reply { said, again });
        }
        self
    }

    fn green(self) -> Self {
        self.told(Some(Said::Gate(Verdict::Green)), None)
    }

    /// What is asked, in a few words.
    fn asks(&self) -> Vec<String> {
        let plan = self.plan();
        let asks = plan.open.asks.iter().map(|ask| match ask {
            Ask::Gate(name, about) => {
                assert_eq!(about.digest, digest(about.tag.as_str()));
                format!("{name} {} {} {}", about.app, about.stage, about.tag)
            }
            Ask::Statuses(commit) | Ask::Merge(commit) => commit.to_string(),
        });
        asks.collect()
    }
}

fn no(status: u16, words: &str) -> Option<Said> {
    let words = words.to_owned();
    Some(Said::Gate(Verdict::No { status, words }))
}

fn statuses(each: &[(&str, forge::Verdict)]) -> Option<Said> {
    let each = each.iter();
    let each = each.map(|(name, verdict)| forge::Check {
        name: (*name).to_owned(),
        verdict: *verdict,
        words: None,
    });
    Some(Said::Statuses(forge::Checks {
        each: each.collect(),
    }))
}

#[test]
fn a_change_is_made_once_its_gate_says_yes() {
    let open = world(SLO, OPEN);
    assert_eq!(open.step(), "needs []");
    assert_eq!(open.asks(), ["slo shop live 1.1.0"]);

    let again = "2026-03-02T09:01:00Z";
    let green = open.told(Some(Said::Gate(Verdict::Green)), Some(again));
    assert_eq!(green.step(), "1.0.0 -> 1.1.0 at [0]");
    let plan = green.plan();
    assert!(plan.open.is_empty());
    assert_eq!(plan.expires, Some(again.parse().unwrap()));
}

#[test]
fn what_is_not_yes_is_waited_for_and_told() {
    let again = "2026-03-02T09:01:00Z";
    for (said, told, brief) in [
        (
            no(503, "error budget spent"),
            "check `slo` says no (HTTP 503: error budget spent)",
            "check `slo` says no (HTTP 503)",
        ),
        (
            no(503, ""),
            "check `slo` says no (HTTP 503)",
            "check `slo` says no (HTTP 503)",
        ),
        (
            Some(Said::Gate(Verdict::Silent(
                "no answer within 10 s".to_owned(),
            ))),
            "check `slo` can't be had: no answer within 10 s",
            "check `slo` can't be had",
        ),
        (
            Some(Said::Unable("no gate is called so".to_owned())),
            "check `slo` can't be had: no gate is called so",
            "check `slo` can't be had",
        ),
        (
            None,
            "check `slo`: asked, and not answered yet",
            "check `slo`: asked, and not answered yet",
        ),
        // An answer to another question is none.
        (
            statuses(&[("slo", forge::Verdict::Success)]),
            "check `slo`: asked, and not answered yet",
            "check `slo`: asked, and not answered yet",
        ),
    ] {
        let world = world(SLO, OPEN).told(said, Some(again));
        let wanted = format!("1.1.0 waits: {told}, asked again at {again}");
        assert_eq!(world.step(), wanted);
        let plan = world.plan();
        assert_eq!(plan.changes().count(), 0);
        assert_eq!(plan.expires, Some(again.parse().unwrap()));
        let Step::Waiting(waiting) = &plan.stages[0].step else {
            panic!("{told}");
        };
        assert_eq!(waiting.brief(), brief);
        assert!(!waiting.may_be_opened());
    }
}

#[test]
fn all_checks_must_be_green_and_all_are_asked_at_once() {
    let both = world("checks: [{gate: slo}, {gate: load}]", OPEN);
    assert_eq!(both.asks().len(), 2);
    let red = no(409, "").unwrap();
    for (slo, load, step) in [
        (true, true, "1.0.0 -> 1.1.0"),
        (false, true, "1.1.0 waits: check `slo` says no"),
        (true, false, "1.1.0 waits: check `load` says no"),
        (
            false,
            false,
            "1.1.0 waits: check `slo` says no (HTTP 409); and check `load`",
        ),
    ] {
        let mut world = world("checks: [{gate: slo}, {gate: load}]", OPEN).green();
        for (ask, told) in &mut world.facts.asked {
            let Ask::Gate(name, _) = ask else {
                panic!("{ask:?}")
            };
            if !(if name == "slo" { slo } else { load }) {
                told.said = Some(red.clone());
            }
        }
        assert!(world.step().starts_with(step), "{}", world.step());
    }
}

#[test]
fn an_answer_counts_for_one_change() {
    let mut world = world(SLO, OPEN).green();
    world = world.tags(&["1.0.0", "1.1.0", "1.2.0"]).found("1.2.0");
    assert_eq!(world.asks(), ["slo shop live 1.2.0"]);
    let moved = ManifestFact::Found(digest("moved").into());
    let asked = std::mem::take(&mut world.facts.asked);
    let mut world = self::world(SLO, OPEN).fact("1.1.0", moved);
    world.facts.asked = asked;
    assert_eq!(world.step(), "needs []");
    assert_eq!(world.plan().open.asks.len(), 1);
}

#[test]
fn nothing_is_asked_while_something_else_is_missing() {
    let keys = format!("{WINDOW}, {SLO}");
    let closed = world(&keys, CLOSED);
    assert!(closed.step().starts_with("1.1.0 waits: window opens"));
    assert_eq!(closed.asks(), [""; 0]);
    assert_eq!(world(&keys, OPEN).asks().len(), 1);
    for (keys, tags) in [
        (
            format!("freezes: [{{from: {CLOSED}}}], {SLO}"),
            &["1.0.0", "1.1.0"][..],
        ),
        (SLO.to_owned(), &["1.0.0"]),
    ] {
        assert_eq!(world(&keys, OPEN).tags(tags).asks(), [""; 0], "{keys}");
    }
}

#[test]
fn where_a_pull_request_is_to_be_opened_it_is_asked_all_the_same() {
    let keys = format!("{WINDOW}, {SLO}");
    let proposed = |keys: &str| {
        let mut world = world(keys, CLOSED);
        world
            .facts
            .unopened
            .insert(world.claims.stages.keys().next().copied().unwrap());
        world
    };
    let closed = proposed(&keys);
    assert_eq!(closed.asks(), ["slo shop live 1.1.0"]);
    for (said, may_be_opened, told) in [
        (Some(Said::Gate(Verdict::Green)), true, "at once"),
        (
            no(503, ""),
            false,
            "at once; and check `slo` says no (HTTP 503)",
        ),
    ] {
        let world = proposed(&keys).told(said, None);
        let plan = world.plan();
        let Step::Waiting(waiting) = &plan.stages[0].step else {
            panic!("{}", world.step());
        };
        assert_eq!(waiting.may_be_opened(), may_be_opened);
        assert!(waiting.words().ends_with(told), "{}", waiting.words());
    }
}
