//! What is done about holds, by what is in Git; and what the ledger takes in.

use super::settle::{Files, Next, next};
use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn wanted(of: Of, until: Option<Timestamp>) -> Wanted {
    Wanted {
        of,
        reason: "incident".to_owned(),
        until,
    }
}

fn live() -> Of {
    Of::Stage {
        app: "shop".to_owned(),
        stage: "live".to_owned(),
    }
}

fn given(of: Of, durable: bool, released: bool) -> Given {
    let ledger = Ledger::default();
    let (given, new) = ledger.give("fleet", wanted(of, None), "ci", at(0)).unwrap();
    assert!(new);
    Given {
        commit: durable.then(|| "c0ffee".to_owned()),
        released: released.then(|| "ops".to_owned()),
        ..given
    }
}

fn of_file(given: &Given, text: &str) -> Next {
    let files: Files = [(given.file(), Some(text.to_owned()))].into();
    next(given, &files, at(10))
}

#[test]
fn an_entry_is_added_once_and_ended_alone() {
    let add = |text: &str| Next::Add(text.to_owned());
    let hold = "- hold: incident\n";
    let release = "- release: true\n";
    for (durable, released, text, expected) in [
        (false, false, "", add(hold)),
        (false, false, "- hold: other\n", add(hold)),
        (false, false, hold, Next::There),
        (
            false,
            false,
            "- hold: incident\n- release: true\n",
            add(hold),
        ),
        (false, true, "", Next::Forget),
        (false, true, hold, add(release)),
        (true, false, hold, Next::Nothing),
        (true, true, hold, add(release)),
        (
            true,
            false,
            "- hold: incident\n- release: true\n",
            Next::Forget,
        ),
        (
            true,
            true,
            "- hold: incident\n- hold: other\n",
            Next::Forget,
        ),
        (true, true, "", Next::Forget),
    ] {
        let given = given(live(), durable, released);
        assert_eq!(
            of_file(&given, text),
            expected,
            "{durable} {released} {text}"
        );
    }
}

#[test]
fn a_freeze_is_released_only_where_that_ends_no_other() {
    let named = || Of::All(Some("live".to_owned()));
    let ours = "- stages: [live]\n  reason: incident\n";
    let more = |text: &str| format!("{ours}{text}");
    for (of, released, text, expected) in [
        (named(), false, String::new(), Next::Add(ours.to_owned())),
        (named(), false, ours.to_owned(), Next::There),
        (
            named(),
            true,
            ours.to_owned(),
            Next::Add("- release: true\n  stages: [live]\n".to_owned()),
        ),
        (
            named(),
            true,
            more("- {stages: [test], reason: x}\n"),
            Next::Add("- release: true\n  stages: [live]\n".to_owned()),
        ),
        (named(), true, more("- release: true\n"), Next::Forget),
        (
            Of::All(None),
            false,
            String::new(),
            Next::Add("- reason: incident\n".to_owned()),
        ),
        (
            Of::All(None),
            true,
            "- reason: incident\n".to_owned(),
            Next::Add("- release: true\n".to_owned()),
        ),
        (
            Of::All(None),
            true,
            "- reason: incident\n- release: true\n  stages: [live]\n".to_owned(),
            Next::Add("- release: true\n".to_owned()),
        ),
    ] {
        let given = given(of, false, released);
        assert_eq!(of_file(&given, &text), expected, "{released} {text}");
    }
    for other in [
        "- {stages: [live, test], reason: x}\n",
        "- {reason: x}\n",
        "- {from: 1970-01-01T00:01:00Z, reason: later}\n",
    ] {
        let next = of_file(&given(named(), true, true), &more(other));
        assert!(
            matches!(&next, Next::Wait(why) if why.contains("would end that too")),
            "{next:?}"
        );
    }
    let over = "- {until: 1970-01-01T00:00:05Z, reason: x}\n";
    let next = of_file(&given(named(), true, true), &more(over));
    assert!(matches!(next, Next::Add(_)), "{next:?}");
}

#[test]
fn what_is_over_is_forgotten_and_what_cannot_be_read_waits() {
    let mut hold = given(live(), false, false);
    hold.until = Some(at(10));
    assert_eq!(of_file(&hold, ""), Next::Forget);
    hold.until = Some(at(11));
    let entry = "- hold: incident\n  until: 1970-01-01T00:00:11Z\n";
    assert_eq!(of_file(&hold, ""), Next::Add(entry.to_owned()));
    let files: Files = [(hold.file(), None)].into();
    assert!(matches!(next(&hold, &files, at(0)), Next::Wait(_)));
}

#[test]
fn a_hold_is_in_force_from_the_moment_it_is_taken_in() {
    let ledger = Ledger::default();
    let (first, new) = ledger
        .give("fleet", wanted(live(), Some(at(100))), "ci", at(0))
        .unwrap();
    assert!(new && first.holds("shop", "live", at(99)));
    assert!(!first.holds("shop", "live", at(100)), "it ends by itself");
    assert!(!first.holds("shop", "test", at(0)) && !first.holds("cart", "live", at(0)));
    let (same, new) = ledger
        .give("fleet", wanted(live(), Some(at(100))), "ops", at(5))
        .unwrap();
    assert!(!new, "it is there");
    assert_eq!(same, first);
    assert_eq!(ledger.pending().len(), 1);
    assert_eq!(ledger.release("nothing", "ops"), None);
    let released = ledger.release(&first.id, "ops").unwrap();
    assert!(!released.holds("shop", "live", at(0)));
    assert!(ledger.pending().is_empty());
    let (again, new) = ledger
        .give("fleet", wanted(live(), Some(at(100))), "ci", at(6))
        .unwrap();
    assert!(
        new && again.id != first.id,
        "one that was released is another"
    );
}

#[test]
fn stages_that_are_not_there_and_too_many_holds_are_refused() {
    let ledger = Ledger::default();
    let give = |of: Of| ledger.give("fleet", wanted(of, None), "ci", at(0));
    assert!(give(live()).is_ok(), "nobody has looked yet");
    ledger.know(&Snapshot::default());
    assert!(
        matches!(give(live()), Ok((_, false))),
        "it is there already"
    );
    for of in [
        Of::All(Some("live".to_owned())),
        Of::Stage {
            app: "shop".to_owned(),
            stage: "lvie".to_owned(),
        },
    ] {
        assert!(matches!(give(of), Err(Refusal::Unknown(_))));
    }
    for until in 1..MOST {
        let until = i64::try_from(until).ok().map(at);
        let given = ledger.give("fleet", wanted(Of::All(None), until), "ci", at(0));
        assert!(given.is_ok());
    }
    assert_eq!(give(Of::All(None)), Err(Refusal::Full));
}

#[test]
fn what_is_kept_is_read_back() {
    let hold = given(live(), true, true);
    let text = serde_json::to_string(&hold).unwrap();
    let back: Given = serde_json::from_str(&text).unwrap();
    assert_eq!(back, hold);
}
