//! Who may consent, and what counts, as tables and as laws.

use proptest::prelude::*;

use super::*;

fn time(hours: i64) -> Timestamp {
    Timestamp::from_second(hours * 3600).unwrap()
}

fn image() -> Image {
    "ghcr.io/acme/shop".parse().unwrap()
}

fn person(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        emails: vec![format!("{name}@example.com")],
        forge: Some(format!("{name}-at-forge")),
        keys: vec![format!("SHA256:{name}")],
    }
}

/// Ada, bob and eve; ada and bob are the platform.
fn people() -> People {
    People {
        people: ["ada", "bob", "eve"].map(person).to_vec(),
        groups: vec![Group {
            name: "platform".to_owned(),
            members: vec!["ada".to_owned(), "bob".to_owned()],
        }],
    }
}

fn rules(required: usize, identity: Identity) -> Rules {
    Rules {
        required,
        from: vec![
            Approver::Group("platform".to_owned()),
            Approver::Person("ada".to_owned()),
        ],
        exclude_author: false,
        expires: Some(Duration::from_secs(24 * 3600)),
        identity,
    }
}

/// A commit that `who` signed and made.
fn signed(who: &str) -> Attested {
    act(who, Seal::Good(format!("SHA256:{who}")))
}

fn act(who: &str, signature: Seal) -> Attested {
    Attested::Commit(Act {
        commit: format!("commit of {who}"),
        author: format!("{who}@example.com"),
        signature,
    })
}

fn says(says: Says, by: Attested) -> Evidence {
    Evidence {
        says,
        image: image(),
        tag: "2".parse().unwrap(),
        digest: Some(Digest::of(b"2")),
        at: time(1),
        place: Some(0),
        by,
    }
}

fn approves(by: Attested) -> Evidence {
    let replaces = Some("1".to_owned());
    says(Says::Approve { replaces }, by)
}

/// What `evidence` comes to for 2 in the place of 1 at hour 10.
fn judged(rules: &Rules, evidence: &[Evidence], author: Option<&Attested>) -> Outcome {
    let (image, tag, digest) = (image(), "2".parse().unwrap(), Digest::of(b"2"));
    let subject = Subject {
        images: &[&image],
        tag: &tag,
        digest: &digest,
        replaces: &["1".to_owned(), "1@sha256:1".to_owned()],
        left: Some(time(-20)),
    };
    let asking: Vec<Attested> = author.into_iter().cloned().collect();
    judge(rules, &people(), subject, evidence, &asking, time(10))
}

fn counted(outcome: &Outcome) -> Vec<&str> {
    let all = outcome.counted.iter();
    all.map(|one| one.person.as_str()).collect()
}

#[test]
fn one_consent_counts_or_says_why_not() {
    let ada = || approves(signed("ada"));
    let with = |change: &dyn Fn(&mut Evidence)| {
        let mut evidence = ada();
        change(&mut evidence);
        evidence
    };
    let replaces = |text: Option<&str>| Says::Approve {
        replaces: text.map(str::to_owned),
    };
    let bad = || Seal::Bad("why".to_owned());
    for (evidence, why) in [
        (ada(), None),
        (with(&|it| it.says = replaces(Some("1@sha256:1"))), None),
        (with(&|it| it.says = Says::Deploy), None),
        (with(&|it| it.says = replaces(None)), Some(Why::NoReplaces)),
        (
            with(&|it| it.says = replaces(Some("0"))),
            Some(Why::OtherReplaces("0".to_owned())),
        ),
        (with(&|it| it.digest = None), Some(Why::NoDigest)),
        (
            with(&|it| it.digest = Some(Digest::of(b"3"))),
            Some(Why::OtherDigest),
        ),
        (
            with(&|it| it.tag = "3".parse().unwrap()),
            Some(Why::OtherReference),
        ),
        (
            with(&|it| it.image = "ghcr.io/acme/cart".parse().unwrap()),
            Some(Why::OtherReference),
        ),
        (with(&|it| it.at = time(-14)), Some(Why::Expired(time(10)))),
        (with(&|it| it.at = time(-13)), None),
        (with(&|it| it.at = time(11)), Some(Why::Future(time(11)))),
        (with(&|it| it.at = time(-21)), Some(Why::Left)),
        (with(&|it| it.by = signed("eve")), Some(Why::MayNot)),
        (
            with(&|it| it.by = signed("zoe")),
            Some(Why::UnknownKey("SHA256:zoe".to_owned())),
        ),
        (
            with(&|it| it.by = act("ada", Seal::None)),
            Some(Why::Unsigned),
        ),
        (
            with(&|it| it.by = act("ada", bad())),
            Some(Why::BadSignature("why".to_owned())),
        ),
        (with(&|it| it.by = Attested::Unknown), Some(Why::NotFetched)),
    ] {
        let outcome = judged(
            &rules(1, Identity::Signed),
            std::slice::from_ref(&evidence),
            None,
        );
        let found = outcome.uncounted.first().map(|one| one.why.clone());
        assert_eq!(found, why, "{evidence:?}");
        assert_eq!(
            outcome.missing(),
            usize::from(why.is_some()),
            "{evidence:?}"
        );
        assert_eq!(outcome.lacks_history(), why == Some(Why::NotFetched));
        for one in &outcome.uncounted {
            assert!(one.to_string().contains("does not count: "), "{one}");
        }
    }
}

#[test]
fn the_key_decides_and_not_the_author_unless_that_will_do() {
    let forged = act("ada", Seal::Good("SHA256:eve".to_owned()));
    for (identity, by, expected) in [
        (Identity::Signed, signed("bob"), vec!["bob"]),
        (Identity::Signed, forged.clone(), vec![]),
        (Identity::Author, forged, vec!["ada"]),
        (Identity::Author, act("ADA", Seal::None), vec!["ada"]),
        (Identity::Author, act("eve", Seal::None), vec![]),
        (Identity::Forge, signed("ada"), vec![]),
    ] {
        let outcome = judged(&rules(1, identity), &[approves(by.clone())], None);
        assert_eq!(counted(&outcome), expected, "{identity:?} {by:?}");
    }
}

/// What an account at the forge did.
fn deed(account: &str, did: Did) -> Attested {
    Attested::Forge(Deed {
        account: account.to_owned(),
        did,
        pull: 7,
        commit: "the merge".to_owned(),
    })
}

#[test]
fn the_forge_attests_who_merged_and_approved_the_head() {
    let gap = |gap: Gap| Attested::Unattested {
        gap,
        commit: "it".to_owned(),
    };
    let ada = |did| deed("ada-at-forge", did);
    for (by, expected) in [
        (ada(Did::Merged), Ok(How::Merge(7))),
        (ada(Did::Approved), Ok(How::Review(7))),
        (deed("Bob-At-FORGE", Did::Approved), Ok(How::Review(7))),
        (ada(Did::ApprovedEarlier), Err(Why::EarlierHead)),
        (ada(Did::ApprovedUnknown), Err(Why::UnknownHead)),
        (ada(Did::Opened), Err(Why::NotByForge)),
        (deed("eve-at-forge", Did::Merged), Err(Why::MayNot)),
        // What people are called here is no account.
        (
            deed("ada", Did::Merged),
            Err(Why::UnknownAccount("ada".to_owned())),
        ),
        (
            deed("a-bot", Did::Merged),
            Err(Why::UnknownAccount("a-bot".to_owned())),
        ),
        (signed("ada"), Err(Why::NotByForge)),
        (Attested::Unknown, Err(Why::NotFetched)),
        (gap(Gap::Pushed), Err(Why::Pushed)),
        (gap(Gap::Beside(7)), Err(Why::Beside(7))),
        (gap(Gap::Nobody(7)), Err(Why::Nobody(7))),
        (gap(Gap::Awaited), Err(Why::Awaited)),
        (
            gap(Gap::Silent("down".to_owned())),
            Err(Why::Silent("down".to_owned())),
        ),
    ] {
        let outcome = judged(&rules(1, Identity::Forge), &[approves(by.clone())], None);
        let found = match (outcome.counted.first(), outcome.uncounted.first()) {
            (Some(one), None) => Ok(one.how.clone()),
            (None, Some(one)) => {
                assert!(one.to_string().contains("does not count: "), "{one}");
                Err(one.why.clone())
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(found, expected, "{by:?}");
        // To those who go by keys and addresses it is nothing.
        for identity in [Identity::Signed, Identity::Author] {
            if matches!(by, Attested::Forge(_) | Attested::Unattested { .. }) {
                let outcome = judged(&rules(1, identity), &[approves(by.clone())], None);
                assert_eq!(outcome.uncounted[0].why, Why::NotByForge, "{by:?}");
            }
        }
    }
}

#[test]
fn who_merges_and_approves_the_same_counts_once_and_by_the_merge() {
    let both = [Did::Approved, Did::Merged].map(|did| approves(deed("ada-at-forge", did)));
    let outcome = judged(&rules(2, Identity::Forge), &both, None);
    assert_eq!((counted(&outcome), outcome.missing()), (vec!["ada"], 1));
    assert_eq!(outcome.counted[0].how, How::Merge(7));
    let others = [
        ("ada-at-forge", Did::Merged),
        ("bob-at-forge", Did::Approved),
    ];
    let others = others.map(|(who, did)| approves(deed(who, did)));
    let outcome = judged(&rules(2, Identity::Forge), &others, None);
    assert_eq!(outcome.missing(), 0);
}

#[test]
fn who_opens_a_pull_request_asks_and_so_does_who_its_commit_is_said_to_be_of() {
    let excluding = Rules {
        exclude_author: true,
        ..rules(1, Identity::Forge)
    };
    let both = [
        ("ada-at-forge", Did::Merged),
        ("bob-at-forge", Did::Approved),
    ];
    let both = both.map(|(who, did)| approves(deed(who, did)));
    for (asking, expected) in [
        (vec![], vec!["ada", "bob"]),
        (vec![deed("ada-at-forge", Did::Opened)], vec!["bob"]),
        (
            vec![act("bob", Seal::None), deed("eve-at-forge", Did::Opened)],
            vec!["ada"],
        ),
        // An account of nobody's could be anybody's.
        (vec![deed("a-bot", Did::Opened)], vec![]),
        (vec![act("eve", Seal::None)], vec![]),
    ] {
        let (image, tag, digest) = (image(), "2".parse().unwrap(), Digest::of(b"2"));
        let subject = Subject {
            images: &[&image],
            tag: &tag,
            digest: &digest,
            replaces: &["1".to_owned()],
            left: None,
        };
        let outcome = judge(&excluding, &people(), subject, &both, &asking, time(10));
        let mut found = counted(&outcome);
        found.sort_unstable();
        assert_eq!(found, expected, "{asking:?}");
    }
}

#[test]
fn a_person_counts_once_by_what_lasts_longest() {
    let (mut old, new) = (approves(signed("ada")), approves(signed("ada")));
    old.at = time(-5);
    let outcome = judged(&rules(2, Identity::Signed), &[new, old], None);
    assert_eq!((counted(&outcome), outcome.missing()), (vec!["ada"], 1));
    assert_eq!(outcome.expires, Some(time(25)));
    assert_eq!(outcome.uncounted[0].why, Why::Duplicate);
    assert_eq!(outcome.others, ["bob"]);
}

#[test]
fn a_rejection_ends_what_was_before_it_by_place_or_by_time() {
    for (place, at, digest, expected) in [
        (1, 1, None, 0),
        (0, 2, None, 0),
        (1, 0, Some(Digest::of(b"2")), 0),
        (1, 1, Some(Digest::of(b"3")), 1),
        (0, 1, None, 1),
        (0, 0, None, 1),
    ] {
        let mut reject = says(Says::Reject, Attested::Unknown);
        (reject.place, reject.at) = (Some(place), time(at));
        reject.digest = digest.clone();
        let evidence = [approves(signed("ada")), reject];
        let outcome = judged(&rules(1, Identity::Signed), &evidence, None);
        assert_eq!(counted(&outcome).len(), expected, "{place} {at} {digest:?}");
        assert!(!outcome.lacks_history());
    }
}

#[test]
fn who_asks_is_excluded_by_proof_and_by_claim() {
    let excluding = Rules {
        exclude_author: true,
        ..rules(1, Identity::Signed)
    };
    let both = [approves(signed("ada")), approves(signed("bob"))];
    let claims_bob = act("bob", Seal::Good("SHA256:ada".to_owned()));
    for (author, expected) in [
        (None, vec!["ada", "bob"]),
        (Some(signed("ada")), vec!["bob"]),
        (Some(signed("eve")), vec!["ada", "bob"]),
        (Some(claims_bob), vec![]),
        (Some(act("ada", Seal::None)), vec![]),
        (Some(Attested::Unknown), vec![]),
    ] {
        let outcome = judged(&excluding, &both, author.as_ref());
        let mut found = counted(&outcome);
        found.sort_unstable();
        assert_eq!(found, expected, "{author:?}");
        let allowed = judged(&rules(1, Identity::Signed), &both, author.as_ref());
        assert_eq!(counted(&allowed).len(), 2, "{author:?}");
    }
}

#[test]
fn approvers_that_nobody_is_are_named() {
    let mut rules = rules(1, Identity::Signed);
    rules.from = vec![
        Approver::Group("ada".to_owned()),
        Approver::Person("platform".to_owned()),
        Approver::Person("bob".to_owned()),
    ];
    let outcome = judged(&rules, &[approves(signed("ada"))], None);
    assert_eq!(outcome.unknown, ["@ada", "platform"]);
    assert_eq!(outcome.others, ["bob"]);
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let who = prop::sample::select(vec!["ada", "bob", "eve", "zoe"]);
    let what = 0..8_u8;
    (who, what, -30..14_i64, 0..6_usize).prop_map(|(who, what, at, place)| {
        let by = match what {
            0 => act(who, Seal::None),
            1 => Attested::Unknown,
            _ => signed(who),
        };
        let mut evidence = approves(by);
        match what {
            2 => evidence.digest = Some(Digest::of(b"3")),
            3 => evidence.says = Says::Reject,
            4 => evidence.says = Says::Approve { replaces: None },
            _ => {}
        }
        (evidence.at, evidence.place) = (time(at), Some(place));
        evidence
    })
}

proptest! {
    #[test]
    fn the_order_of_the_evidence_does_not_matter(
        (evidence, shuffled) in prop::collection::vec(any_evidence(), 0..8)
            .prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
    ) {
        let rules = rules(2, Identity::Signed);
        let (a, b) = (judged(&rules, &evidence, None), judged(&rules, &shuffled, None));
        prop_assert_eq!(a.counted, b.counted);
        prop_assert_eq!((a.expires, a.others), (b.expires, b.others));
    }

    #[test]
    fn more_evidence_never_takes_a_consent_unless_it_rejects(
        evidence in prop::collection::vec(any_evidence(), 0..8),
        more in any_evidence(),
    ) {
        let rules = rules(2, Identity::Signed);
        let before = judged(&rules, &evidence, None);
        let with: Vec<Evidence> = evidence.iter().cloned().chain([more.clone()]).collect();
        let after = judged(&rules, &with, None);
        let alone = judged(&rules, std::slice::from_ref(&more), None);
        if more.says == Says::Reject {
            prop_assert!(after.counted.len() <= before.counted.len());
        } else if alone.counted.is_empty() {
            // What doesn't count by itself changes nothing for others.
            prop_assert_eq!(counted(&after), counted(&before));
        } else {
            prop_assert!(after.counted.len() >= before.counted.len());
            prop_assert!(after.counted.len() <= before.counted.len() + 1);
        }
    }

    #[test]
    fn only_distinct_persons_who_may_ever_count(
        evidence in prop::collection::vec(any_evidence(), 0..12),
    ) {
        let outcome = judged(&rules(2, Identity::Signed), &evidence, None);
        let mut names = counted(&outcome);
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        prop_assert_eq!(names.len(), all);
        prop_assert!(names.iter().all(|name| ["ada", "bob"].contains(name)));
        let consents = evidence.iter().filter(|it| it.says != Says::Reject).count();
        prop_assert_eq!(outcome.counted.len() + outcome.uncounted.len(), consents);
        let now = time(10);
        prop_assert!(outcome.expires.is_none_or(|ends| ends > now));
    }
}
