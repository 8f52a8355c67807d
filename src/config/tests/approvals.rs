//! People, and whose consent stages need: what is read, what is inherited, and what is refused.

use std::time::Duration;

use super::*;
use crate::config::{Consents, Repository};
use crate::promotion::approval::{Approver, Identity};

/// Keys of three people, as `ssh-keygen` writes them.
const ADA: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";
const BOB: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc= bob@laptop";
const RSA: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==";

fn service(people: &str) -> crate::config::Loaded<Service> {
    let text = format!(
        "version: 1\nrepositories: [{{name: r, url: /r.git, policies: [policies/]}}]\n{people}"
    );
    crate::config::service("tagwright.yaml", &text)
}

fn refused(people: &str) -> Vec<String> {
    let loaded = service(people);
    assert!(loaded.value.is_none(), "{people}");
    let hinted = loaded.diagnostics.iter().all(|it| it.hint.is_some());
    assert!(hinted, "{}", rendered(&loaded.diagnostics));
    lines(&loaded.diagnostics)
}

fn app(stage: &str) -> String {
    format!(
        "version: 1\napp: shop\nimage: a/b\nstages:\n  - name: production\n    paths: [a]\n    {stage}\n"
    )
}

fn consents_in(entry: &PoliciesEntry, stage: &str) -> Consents {
    let mut apps = apps_of(entry, &[("shop.yaml", &app(stage))]);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    apps.apps.remove(0).stages.remove(0).consents
}

fn consents(stage: &str) -> Consents {
    consents_in(&entry("policies/"), stage)
}

fn mistakes_in(entry: &PoliciesEntry, stage: &str) -> Vec<String> {
    let apps = apps_of(entry, &[("shop.yaml", &app(stage))]);
    assert!(apps.apps.is_empty(), "{stage}");
    lines(&apps.diagnostics)
}

/// An entry of a config repo with a forge.
fn on_forge() -> PoliciesEntry {
    let text = "version: 1\nrepositories:\n  - name: r\n    url: https://github.com/acme/fleet\n    \
                policies: [policies/]\n    credentials: {token: {env: TOKEN}}\n    forge: {kind: github}\n";
    let Repository { mut policies, .. } = good_service(text).repositories.remove(0);
    policies.remove(0)
}

#[test]
fn people_and_groups_are_read() {
    let text = format!(
        "people:\n  - {{name: ada, emails: [Ada@example.com, a@x.org], forge: '@ada-l', keys: [{{ssh: \"{ADA}\"}}]}}\n  \
         - name: bob\n    keys:\n      - ssh: {BOB}\ngroups: [{{name: platform, members: [ada, bob, ada]}}]\n"
    );
    let loaded = service(&text);
    assert!(
        loaded.diagnostics.is_empty(),
        "{}",
        rendered(&loaded.diagnostics)
    );
    let people = loaded.value.unwrap().repositories.remove(0).people;
    let [ada, bob] = &people.people[..] else {
        panic!("{people:?}");
    };
    assert_eq!(ada.emails, ["Ada@example.com", "a@x.org"]);
    assert_eq!(ada.forge.as_deref(), Some("ada-l"));
    assert!(ada.keys[0].starts_with("SHA256:"), "{ada:?}");
    assert_ne!(ada.keys, bob.keys);
    assert_eq!(people.groups[0].members, ["ada", "bob"]);
    assert_eq!(people.of_email("ADA@example.com"), Some(ada));
    assert_eq!(people.of_key(&bob.keys[0]), Some(bob));
    let group = people.behind(&Approver::Group("platform".into()));
    assert_eq!(group, Some(vec![ada, bob]));
    assert_eq!(people.behind(&Approver::Group("ada".into())), None);
    assert_eq!(people.behind(&Approver::Person("platform".into())), None);
}

#[test]
fn what_two_people_share_is_refused() {
    let two = |a: &str, b: &str| format!("people: [{{name: ada, {a}}}, {{name: bob, {b}}}]\n");
    let key = format!("keys: [{{ssh: \"{ADA}\"}}]");
    let commented = format!("keys: [{{ssh: \"{ADA} a comment\"}}]");
    for (text, words) in [
        (two("emails: [a@x]", "emails: [b@x, A@X]"), "the address `A@X` is listed twice"),
        (two("forge: al", "forge: AL"), "the name `AL` at the forge is listed twice"),
        (two(&key, &commented), "this key is listed twice"),
        ("people: [{name: ada}, {name: ada}]\n".to_owned(), "the person `ada` is listed twice"),
        (
            "people: [{name: ada}]\ngroups: [{name: g, members: [ada]}, {name: g, members: [ada]}]\n".to_owned(),
            "the group `g` is listed twice",
        ),
        (
            "people: [{name: ada}]\ngroups: [{name: g, members: [adaa]}]\n".to_owned(),
            "no person is called `adaa`",
        ),
        ("groups: [{name: g, members: [ada]}]\n".to_owned(), "no person is called `ada`"),
    ] {
        let found = refused(&text);
        assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
    }
}

#[test]
fn keys_that_cannot_be_used_are_refused() {
    let person = |key: &str| format!("people: [{{name: ada, keys: [{key}]}}]\n");
    for (key, words) in [
        (format!("{{ssh: \"{RSA}\"}}"), "key"),
        (
            "{ssh: ssh-ed25519}".to_owned(),
            "this is not an OpenSSH public key",
        ),
        (
            "{openpgp: {file: a.asc}}".to_owned(),
            "`openpgp` is not supported yet",
        ),
        ("{}".to_owned(), "a key is of a kind"),
    ] {
        let found = refused(&person(&key));
        assert!(
            found.len() == 1 && found[0].contains(words),
            "{words}: {found:?}"
        );
    }
    let found = refused("people: [{name: ada, emails: [\"Ada <a@x>\"]}]\n");
    assert!(found[0].contains("is no address"), "{found:?}");
    let found = refused("keys: {ada: x}\n");
    assert!(
        found[0].contains("`keys` are those of a person"),
        "{found:?}"
    );
}

#[test]
fn approvals_are_read_and_are_those_of_deploys() {
    assert_eq!(consents(""), Consents::default());
    let both = consents(
        "approvals: {required: 2, from: [\"@platform\", ada], excludeAuthor: true, expires: 7d, identity: author}",
    );
    let rules = &both.changes.as_ref().unwrap().rules;
    assert_eq!((rules.required, rules.exclude_author), (2, true));
    assert_eq!(rules.expires, Some(Duration::from_secs(7 * 86_400)));
    assert_eq!(rules.identity, Identity::Author);
    let from = [
        Approver::Group("platform".into()),
        Approver::Person("ada".into()),
    ];
    assert_eq!(rules.from, from);
    assert_eq!(both.deploys, both.changes);
    let place = both
        .changes
        .map(|it| format!("{}:{}", it.file, it.position));
    assert_eq!(place.as_deref(), Some("policies/shop.yaml:7:5"));

    let fast =
        consents("approvals: {required: 1, from: [ada]}\n    fastLane: {approvals: {required: 0}}");
    let rules = fast.changes.unwrap().rules;
    assert_eq!(
        (rules.identity, rules.expires, rules.exclude_author),
        (Identity::Signed, None, false)
    );
    assert_eq!(fast.deploys.unwrap().rules.required, 0);
    let lone = consents("fastLane: {approvals: {required: 1, from: [ada]}}");
    assert!(lone.changes.is_none() && lone.deploys.is_some());
}

#[test]
fn approvals_that_say_too_little_or_too_much_are_refused() {
    for (stage, words) in [
        ("approvals: {from: [ada]}", "`required` is missing"),
        ("approvals: {required: 1}", "`from` is missing"),
        ("approvals: {required: 1, from: []}", "this list is empty"),
        (
            "approvals: {required: 0, from: [ada]}",
            "`required: 0` is for a `fastLane` alone",
        ),
        (
            "approvals: {required: -1, from: [ada]}",
            "`-1` is no number of persons",
        ),
        (
            "approvals: {required: 101, from: [ada]}",
            "`101` is no number of persons",
        ),
        (
            "approvals: {required: two, from: [ada]}",
            "expected a number",
        ),
        (
            "approvals: {required: 1, from: [\"@\"]}",
            "`` is not a name",
        ),
        (
            "approvals: {required: 1, from: [Ada]}",
            "`Ada` is not a name",
        ),
        (
            "approvals: {required: 1, from: [ada], expires: 30s}",
            "`30s` is out of range",
        ),
        (
            "approvals: {required: 1, from: [ada], identity: key}",
            "`key` is not known here",
        ),
        ("fastLane: {approvals: {required: 1}}", "`from` is missing"),
        ("fastLane: {}", "`approvals` is missing"),
    ] {
        let found = mistakes_in(&entry("policies/"), stage);
        assert!(
            found.iter().any(|it| it.contains(words)),
            "{words}: {found:?}"
        );
    }
}

#[test]
fn on_a_forge_the_forge_attests_if_nothing_is_said() {
    let forge = on_forge();
    let identity = |entry: &PoliciesEntry, said: &str| {
        let stage = format!("approvals: {{required: 1, from: [ada]{said}}}");
        consents_in(entry, &stage).deploys.unwrap().rules.identity
    };
    assert_eq!(identity(&forge, ""), Identity::Forge);
    assert_eq!(identity(&forge, ", identity: signed"), Identity::Signed);
    let none = consents_in(&forge, "fastLane: {approvals: {required: 0}}");
    assert_eq!(none.deploys.unwrap().rules.required, 0);
    // Where no service file is at hand, it isn't known that there is no forge.
    let offline = PoliciesEntry::unlimited("policies/".parse().unwrap());
    assert_eq!(identity(&offline, ""), Identity::Signed);
    assert_eq!(identity(&offline, ", identity: forge"), Identity::Forge);
}

#[test]
fn a_forge_that_is_known_and_can_be_asked_may_attest_where_that_is_said() {
    let entry_of = |url: &str, keys: &str| {
        let text = format!(
            "version: 1\nrepositories: [{{name: r, url: \"{url}\", policies: [policies/]{keys}}}]\n"
        );
        good_service(&text)
            .repositories
            .remove(0)
            .policies
            .remove(0)
    };
    let stage = "approvals: {required: 1, from: [ada], identity: forge}";
    let token = ", credentials: {token: {env: TOKEN}}";
    let told = entry_of("https://github.com/acme/fleet", token);
    let consents = consents_in(&told, stage);
    assert_eq!(consents.changes.unwrap().rules.identity, Identity::Forge);
    let plain = consents_in(&told, "approvals: {required: 1, from: [ada]}");
    assert_eq!(plain.changes.unwrap().rules.identity, Identity::Signed);
    for (url, keys) in [("/r.git", ""), ("https://github.com/acme/fleet", "")] {
        let found = mistakes_in(&entry_of(url, keys), stage);
        assert!(
            found.len() == 1 && found[0].contains("goes by the forge"),
            "{url}: {found:?}"
        );
    }
}
