//! Whether a person's approval would count, as far as the person's clone shows it.
//!
//! Invariant: what could never count is refused with the way out; what might not is told, and goes ahead.
//! What counts in the end is decided by the service, by one function whatever the way in.

use anyhow::ensure;

use crate::config::Stage;
use crate::decision::Decision;
use crate::git::{self, Way};
use crate::promotion::approval::{Identity, People, Rules};

/// Who decides, and how.
#[derive(Clone, Copy)]
pub(super) struct Hand<'h> {
    /// How the decision goes to the remote.
    pub(super) way: Way,
    /// What the clone's commits show.
    pub(super) clone: &'h git::Hand,
}

/// What a stage asks for where `decision` is, or could be, a consent; `None` where nobody's is needed.
fn asked<'s>(decision: &Decision, stage: &'s Stage) -> Option<&'s Rules> {
    let asked = match decision {
        Decision::Approve { .. } => stage.consents.changes.as_ref(),
        Decision::Deploy { .. } => stage.consents.deploys.as_ref(),
        Decision::Reject { .. } | Decision::Hold { .. } | Decision::Release => None,
    };
    let rules = asked.map(|asked| &asked.rules);
    rules.filter(|rules| rules.required > 0)
}

/// Whether `decision` counts as a consent only if it comes by a pull request.
pub(super) fn goes_by_forge(decision: &Decision, stage: &Stage) -> bool {
    asked(decision, stage).is_some_and(|rules| rules.identity == Identity::Forge)
}

/// What there is to say before `decision` is made about `stage` by `hand`.
///
/// # Errors
/// When it names no digest, and approvals are bound to one.
pub(super) fn doubts(
    decision: &Decision,
    stage: &Stage,
    people: Option<&People>,
    hand: Hand<'_>,
) -> anyhow::Result<Vec<String>> {
    let (Some(rules), Some(what)) = (asked(decision, stage), decision.what()) else {
        return Ok(Vec::new());
    };
    ensure!(
        what.digest.is_some() || matches!(decision, Decision::Deploy { .. }),
        "an approval of `{}` is bound to a digest: give {}@DIGEST, as `tagwright explain` prints it",
        stage.name,
        what.tag
    );
    let mut told = Vec::new();
    if what.digest.is_none() {
        told.push("without a digest, this is not your own approval of it".to_owned());
    }
    if rules.identity == Identity::Forge {
        if hand.way == Way::Branch {
            told.push(
                "this counts as an approval only if it comes by a pull request, which whoever may approve \
                 merges or approves: leave out `--no-pull-request`"
                    .to_owned(),
            );
        }
        return Ok(told);
    }
    let hand = hand.clone;
    if rules.identity == Identity::Signed && !hand.signs_with_ssh {
        told.push(
            "this clone does not sign commits with an SSH key, so this does not count as an approval: set \
             `gpg.format` to ssh, `user.signingKey`, and `commit.gpgSign` to true"
                .to_owned(),
        );
    }
    let Some(people) = people else {
        return Ok(told);
    };
    let may: Vec<&str> = rules
        .from
        .iter()
        .filter_map(|approver| people.behind(approver))
        .flatten()
        .map(|person| person.name.as_str())
        .collect();
    let from: Vec<String> = rules.from.iter().map(ToString::to_string).collect();
    match people.of_email(&hand.email) {
        Some(person) if may.contains(&person.name.as_str()) => {}
        Some(person) => told.push(format!(
            "{} may not approve changes of `{}`: {} may",
            person.name,
            stage.name,
            from.join(", ")
        )),
        // A key may be somebody's whose address is not listed.
        None if rules.identity == Identity::Signed => {}
        None => told.push(format!(
            "<{}> is the address of nobody who is listed, so this does not count as an approval",
            hand.email
        )),
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, PoliciesEntry, PolicyFile};
    use crate::decision::Decided;
    use crate::image::Digest;
    use crate::promotion::approval::Person;

    fn stage(keys: &str) -> Stage {
        let text = format!(
            "version: 1\napp: shop\nimage: a/b\nstages: [{{name: live, paths: [a], {keys}}}]\n"
        );
        let file = PolicyFile {
            path: "policies/shop.yaml",
            text: &text,
            blob: "0123abc",
        };
        let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
        let mut apps = config::apps(&entry, &[file]).apps;
        apps.remove(0).stages.remove(0)
    }

    fn people() -> People {
        let person = |name: &str| Person {
            name: name.to_owned(),
            emails: vec![format!("{name}@x.org")],
            forge: None,
            keys: Vec::new(),
        };
        People {
            people: ["ada", "bob"].map(person).to_vec(),
            groups: Vec::new(),
        }
    }

    fn what(digest: Option<Digest>) -> Decided {
        Decided {
            image: "a/b".parse().unwrap(),
            tag: "2".parse().unwrap(),
            digest,
        }
    }

    #[test]
    fn what_might_not_count_is_told() {
        let approve = |digest| Decision::Approve {
            what: what(digest),
            replaces: None,
        };
        let full = || approve(Some(Digest::of(b"2")));
        let signed = "approvals: {required: 1, from: [ada]}";
        let author = "approvals: {required: 1, from: [ada], identity: author}";
        let forge = "approvals: {required: 1, from: [ada], identity: forge}";
        for (keys, decision, email, signs, expected) in [
            ("exclude: [b]", full(), "", false, vec![]),
            (signed, full(), "ada@x.org", true, vec![]),
            (signed, full(), "zoe@x.org", true, vec![]),
            (
                signed,
                full(),
                "ada@x.org",
                false,
                vec!["does not sign commits"],
            ),
            (
                signed,
                full(),
                "bob@x.org",
                true,
                vec!["bob may not approve"],
            ),
            (author, full(), "ada@x.org", false, vec![]),
            (
                author,
                full(),
                "zoe@x.org",
                false,
                vec!["nobody who is listed"],
            ),
            (
                signed,
                Decision::Deploy {
                    what: what(None),
                    reason: None,
                },
                "ada@x.org",
                true,
                vec!["without a digest"],
            ),
            (signed, Decision::Release, "", false, vec![]),
        ] {
            let clone = git::Hand {
                email: email.to_owned(),
                signs_with_ssh: signs,
            };
            let way = Way::Branch;
            let hand = Hand { way, clone: &clone };
            let found = doubts(&decision, &stage(keys), Some(&people()), hand).unwrap();
            assert_eq!(found.len(), expected.len(), "{keys} {email}: {found:?}");
            for (found, words) in found.iter().zip(expected) {
                assert!(found.contains(words), "{words}: {found}");
            }
        }
        let clone = git::Hand {
            email: String::new(),
            signs_with_ssh: true,
        };
        let [pushed, proposed] = [Way::Branch, Way::Aside].map(|way| Hand { way, clone: &clone });
        let forge = stage(forge);
        assert!(goes_by_forge(&full(), &forge) && !goes_by_forge(&Decision::Release, &forge));
        assert!(!goes_by_forge(&full(), &stage(signed)));
        assert!(
            doubts(&full(), &forge, Some(&people()), proposed)
                .unwrap()
                .is_empty()
        );
        let told = doubts(&full(), &forge, Some(&people()), pushed).unwrap();
        assert!(
            told[0].contains("only if it comes by a pull request"),
            "{told:?}"
        );
        let error = doubts(&approve(None), &stage(signed), None, pushed).unwrap_err();
        assert!(error.to_string().contains("give 2@DIGEST"), "{error}");
    }
}
