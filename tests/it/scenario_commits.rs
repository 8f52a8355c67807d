//! How commits are made: signed, as the service file says.

use crate::git_signing::ssh_key;
use crate::scenario::{SHOP, Scenario};

const POD: (&str, &str) = ("apps/pod.yaml", "image: HOST/acme/shop:1.0.0\n");

#[test]
fn commits_are_signed_or_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let Some(key) = ssh_key(folder.path(), "key", &["ed25519"], "") else {
        return;
    };
    let keys = format!(
        "policies: [policies/]\ncommit: {{signing: {{ssh: {{file: {}}}}}}}",
        key.display()
    );
    let Some(mut scenario) = Scenario::configured(&[SHOP, POD], &keys) else {
        return;
    };
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.lands(1);
    let command = ["cat-file", "commit", "main"];
    let commit = scenario.repo.git().text(scenario.repo.path(), &command);
    assert!(
        commit.contains("\ngpgsig -----BEGIN SSH SIGNATURE-----\n"),
        "{commit}"
    );

    std::fs::write(&key, "nothing\n").unwrap();
    let before = scenario.repo.head();
    scenario.push("acme/shop", &["1.2.0"]);
    let error = scenario.try_pass().unwrap_err();
    let words = tagwright::driver::words(&error);
    assert!(words.contains("commits can't be signed"), "{words}");
    assert!(words.contains("ssh-keygen -t ed25519"), "{words}");
    assert_eq!(scenario.repo.head(), before);
    // Looking on needs no key.
    assert_eq!(scenario.observe().preparation.commits.len(), 1);
}
