//! Whether a person's approval would count, as far as the person's clone shows it.
//!
//! Invariant: what could never count is refused with the way out; what might not is told, and goes ahead.
//! What counts in the end is decided by the service, by one function whatever the way in.

use anyhow::ensure;

use crate::config::{Approvals, Stage};
use crate::decision::Decision;
use crate::git::Hand;
use crate::promotion::approval::{Identity, People};

/// What there is to say before `decision` is made about `stage` by `hand`.
///
/// # Errors
/// When it names no digest, and approvals are bound to one.
pub(super) fn doubts(
    decision: &Decision,
    stage: &Stage,
    people: Option<&People>,
    hand: &Hand,
) -> anyhow::Result<Vec<String>> {
    let (asked, what) = match decision {
        Decision::Approve { what, .. } => (stage.consents.changes.as_ref(), what),
        Decision::Deploy { what, .. } => (stage.consents.deploys.as_ref(), what),
        Decision::Reject { .. } | Decision::Hold { .. } | Decision::Release => {
            return Ok(Vec::new());
        }
    };
    let Some(Approvals { rules, .. }) = asked.filter(|asked| asked.rules.required > 0) else {
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
            let hand = Hand {
                email: email.to_owned(),
                signs_with_ssh: signs,
            };
            let found = doubts(&decision, &stage(keys), Some(&people()), &hand).unwrap();
            assert_eq!(found.len(), expected.len(), "{keys} {email}: {found:?}");
            for (found, words) in found.iter().zip(expected) {
                assert!(found.contains(words), "{words}: {found}");
            }
        }
        let hand = Hand {
            email: String::new(),
            signs_with_ssh: true,
        };
        let error = doubts(&approve(None), &stage(signed), None, &hand).unwrap_err();
        assert!(error.to_string().contains("give 2@DIGEST"), "{error}");
    }
}
