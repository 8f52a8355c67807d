//! What is doubtful about whose approvals stages ask for.
//!
//! Invariant: pure. That a stage can't be approved at all is told before anybody waits for it.

use crate::config::{App, Approvals, Stage};
use crate::diag::{Diagnostic, suggest};
use crate::promotion::approval::{Approver, Identity, People, Person};

/// What is doubtful in these apps, whose approvers are among `people`; where those are not known, what can be
/// told without them.
pub(super) fn doubts(apps: &[App], people: Option<&People>) -> Vec<Diagnostic> {
    let stages = apps.iter().flat_map(|app| &app.stages);
    let all = stages.flat_map(|stage| {
        let (changes, deploys) = (&stage.consents.changes, &stage.consents.deploys);
        // What a stage asks for deploys is mostly what it asks for changes.
        let own = deploys
            .iter()
            .filter(|lane| Some(lane) != changes.as_ref().as_ref());
        changes.iter().chain(own).map(move |rules| (stage, rules))
    });
    all.filter(|(_, asked)| asked.rules.required > 0)
        .flat_map(|(stage, asked)| {
            let known = people.into_iter();
            let known = known.flat_map(|people| of_people(stage, asked, people));
            believed(stage, asked)
                .into_iter()
                .chain(known)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn warning(asked: &Approvals, message: String) -> Diagnostic {
    Diagnostic::warning(&asked.file, message).at_bare(asked.position)
}

fn believed(stage: &Stage, asked: &Approvals) -> Option<Diagnostic> {
    (asked.rules.identity == Identity::Author).then(|| {
        let message = format!(
            "who approves changes of the stage `{}` is believed, not proven: anybody who can push may write \
             any author into a commit",
            stage.name
        );
        warning(asked, message).hint("`identity: signed` goes by the keys that sign commits")
    })
}

fn of_people(stage: &Stage, asked: &Approvals, people: &People) -> Vec<Diagnostic> {
    let rules = &asked.rules;
    let mut told = Vec::new();
    let mut who: Vec<&Person> = Vec::new();
    for approver in &rules.from {
        match people.behind(approver) {
            Some(behind) => who.extend(behind),
            None => told.push(nobody(asked, approver, people)),
        }
    }
    who.sort_by_key(|person| &person.name);
    who.dedup();
    if who.len() < rules.required {
        let message = format!(
            "the stage `{}` needs approvals of {}, and there are {} who may give one: it never changes",
            stage.name,
            rules.required,
            who.len()
        );
        told.push(warning(asked, message).hint("lower `required`, or name more in `from`"));
    }
    told.extend(who.iter().filter_map(|person| unprovable(asked, person)));
    told
}

fn nobody(asked: &Approvals, approver: &Approver, people: &People) -> Diagnostic {
    let (what, name, hint) = match approver {
        Approver::Person(name) => ("person", name, "list it under `people` in the service file"),
        Approver::Group(name) => ("group", name, "list it under `groups` in the service file"),
    };
    let known: Vec<&str> = match approver {
        Approver::Person(_) => people.people.iter().map(|one| one.name.as_str()).collect(),
        Approver::Group(_) => people.groups.iter().map(|one| one.name.as_str()).collect(),
    };
    let near = suggest(name, known);
    let warning = warning(asked, format!("no {what} is called `{name}`"));
    match near {
        Some(near) => warning.hint(format!("did you mean `{near}`?")),
        None => warning.hint(hint),
    }
}

/// What is said of a person whose approvals could never count.
fn unprovable(asked: &Approvals, person: &Person) -> Option<Diagnostic> {
    let (lacks, hint) = match asked.rules.identity {
        Identity::Signed => (
            person.keys.is_empty(),
            "add `keys` to the person in the service file",
        ),
        Identity::Author => (
            person.emails.is_empty(),
            "add `emails` to the person in the service file",
        ),
        Identity::Forge => (
            person.forge.is_none(),
            "add `forge` to the person in the service file",
        ),
    };
    let what = match asked.rules.identity {
        Identity::Signed => "key",
        Identity::Author => "address",
        Identity::Forge => "name at the forge",
    };
    lacks.then(|| {
        let message = format!(
            "`{}` has no {what}, so no approval by that person counts",
            person.name
        );
        warning(asked, message).hint(hint)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, PoliciesEntry, PolicyFile};
    use crate::promotion::approval::Group;

    fn told(stage: &str, people: Option<&People>) -> Vec<String> {
        let text = format!(
            "version: 1\napp: shop\nimage: a/b\nstages: [{{name: live, paths: [a], {stage}}}]\n"
        );
        let file = PolicyFile {
            path: "policies/shop.yaml",
            text: &text,
            blob: "0123abc",
        };
        let entry = PoliciesEntry::unlimited("policies/".parse().unwrap());
        let apps = config::apps(&entry, &[file]);
        assert!(apps.diagnostics.is_empty(), "{:?}", apps.diagnostics);
        let doubts = doubts(&apps.apps, people);
        assert!(doubts.iter().all(|it| it.hint.is_some()), "{doubts:?}");
        doubts.iter().map(ToString::to_string).collect()
    }

    /// Ada, with a key and an address, and bob with neither; both are the platform.
    fn people() -> People {
        let person = |name: &str, with: &[&str]| Person {
            name: name.to_owned(),
            emails: with.iter().map(|it| format!("{it}@x.org")).collect(),
            forge: None,
            keys: with.iter().map(|it| (*it).to_owned()).collect(),
        };
        People {
            people: vec![person("ada", &["ada"]), person("bob", &[])],
            groups: vec![Group {
                name: "platform".to_owned(),
                members: vec!["ada".to_owned(), "bob".to_owned()],
            }],
        }
    }

    #[test]
    fn what_can_never_be_approved_is_told() {
        let people = people();
        for (stage, expected) in [
            ("approvals: {required: 1, from: [ada]}", vec![]),
            ("fastLane: {approvals: {required: 0, from: [zoe]}}", vec![]),
            (
                "approvals: {required: 1, from: [bob, ada]}",
                vec!["`bob` has no key"],
            ),
            (
                "approvals: {required: 1, from: [bob, ada], identity: author}",
                vec!["is believed, not proven", "`bob` has no address"],
            ),
            (
                "approvals: {required: 2, from: [ada, adda, \"@plattform\"]}",
                vec![
                    "no person is called `adda`",
                    "no group is called `plattform`",
                    "needs approvals of 2, and there are 1 who may give one",
                ],
            ),
            (
                "approvals: {required: 1, from: [ada]}, fastLane: {approvals: {required: 1, from: [zoe]}}",
                vec!["no person is called `zoe`", "there are 0 who may"],
            ),
        ] {
            let found = told(stage, Some(&people));
            assert_eq!(found.len(), expected.len(), "{stage}: {found:?}");
            for (found, words) in found.iter().zip(expected) {
                assert!(found.contains(words), "{words}: {found}");
            }
        }
        let unknown = told("approvals: {required: 2, from: [zoe]}", None);
        assert_eq!(unknown, Vec::<String>::new());
    }
}
