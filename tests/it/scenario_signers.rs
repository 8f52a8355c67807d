//! What is fetched is acted on only if its head is signed by an allowed key.

use std::path::{Path, PathBuf};

use crate::git_signing::ssh_key;
use crate::repo::Work;
use crate::scenario::{SHOP, Scenario};

const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

/// A scenario in which only the service and Ada's key `ada` count; keys are in the folder.
fn scenario(folder: &Path) -> Option<Scenario> {
    let own = ssh_key(folder, "own", &["ed25519"], "")?;
    for name in ["ada", "mallory"] {
        ssh_key(folder, name, &["ed25519"], "")?;
    }
    let ada = std::fs::read_to_string(folder.join("ada.pub")).expect("it was made");
    let list = format!("# people\n\nada@example.com namespaces=\"git\" {ada}");
    std::fs::write(signers(folder), list).expect("the folder can be written");
    let keys = format!(
        "policies: [policies/]\nverify: {{allowedSigners: {{file: {}}}}}\ncommit: {{signing: {{ssh: {{file: {}}}}}}}",
        signers(folder).display(),
        own.display()
    );
    let scenario = Scenario::configured(&[SHOP, POD], &keys)?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    Some(scenario)
}

fn signers(folder: &Path) -> PathBuf {
    folder.join("allowed_signers")
}

/// A person's commit, signed with this key.
fn signed(scenario: &Scenario, key: &Path, edit: impl FnOnce(&Work)) {
    let work = scenario.repo.clone_to();
    for (name, value) in [
        ("gpg.format", "ssh"),
        (
            "user.signingKey",
            key.to_str().expect("paths are UTF-8 here"),
        ),
        ("commit.gpgSign", "true"),
    ] {
        let git = scenario.repo.git();
        git.ok(work.path(), &["config", name, value]);
    }
    edit(&work);
    work.commit("Signed");
    work.push();
}

/// What a pass says that doesn't act.
fn refused(scenario: &mut Scenario) -> String {
    let before = scenario.repo.head();
    let error = scenario.try_pass().expect_err("nothing is acted on");
    assert_eq!(scenario.repo.head(), before);
    tagwright::driver::words(&error)
}

#[test]
fn only_what_is_signed_by_an_allowed_key_is_acted_on() {
    let folder = tempfile::tempdir().expect("there is room");
    let Some(mut scenario) = scenario(folder.path()) else {
        return;
    };
    let words = refused(&mut scenario);
    let head = scenario.repo.head();
    for word in [
        &head[..],
        "is not acted on",
        "it is not signed",
        "vouches for all before it",
    ] {
        assert!(words.contains(word), "{word}: {words}");
    }
    signed(&scenario, &folder.path().join("mallory"), |work| {
        work.write("a", "1\n")
    });
    let words = refused(&mut scenario);
    assert!(
        words.contains("a key that is not allowed, SHA256:"),
        "{words}"
    );
    signed(&scenario, &folder.path().join("ada"), |work| {
        work.write("a", "2\n")
    });
    scenario.lands(1);
    // The service's own commit passes by its own key.
    scenario.rests();
    scenario.writes("a", "3\n");
    assert!(refused(&mut scenario).contains("it is not signed"));
    signed(&scenario, &folder.path().join("ada"), |work| {
        work.write("a", "4\n")
    });
    scenario.rests();
}

#[test]
fn a_signature_counts_for_its_own_commit_and_its_time() {
    let folder = tempfile::tempdir().expect("there is room");
    let Some(mut scenario) = scenario(folder.path()) else {
        return;
    };
    signed(&scenario, &folder.path().join("ada"), |work| {
        work.write("a", "1\n")
    });
    scenario.lands(1);
    // The same signature under another content.
    let work = scenario.repo.clone_to();
    let git = scenario.repo.git();
    let commit = git.text(work.path(), &["cat-file", "commit", "HEAD~1"]);
    let parent = git.text(work.path(), &["rev-parse", "HEAD~2"]);
    let file = folder.path().join("forged");
    let head = git.text(work.path(), &["rev-parse", "HEAD"]);
    let forged = commit.replace(&format!("parent {parent}"), &format!("parent {head}"));
    assert_ne!(forged, commit);
    std::fs::write(&file, forged + "\n").expect("the folder can be written");
    let path = file.to_str().expect("paths are UTF-8 here");
    let id = git.text(work.path(), &["hash-object", "-t", "commit", "-w", path]);
    git.ok(work.path(), &["reset", "--quiet", "--hard", &id]);
    work.push();
    let words = refused(&mut scenario);
    assert!(words.contains("its signature is not valid"), "{words}");

    signed(&scenario, &folder.path().join("ada"), |work| {
        work.write("a", "2\n")
    });
    scenario.rests();
    let list = std::fs::read_to_string(signers(folder.path())).expect("it is there");
    let over = list.replace("namespaces=\"git\"", "valid-before=\"20200101Z\"");
    std::fs::write(signers(folder.path()), over).expect("it can be written");
    let words = refused(&mut scenario);
    assert!(words.contains("was not allowed at"), "{words}");
    std::fs::write(signers(folder.path()), "ada\n").expect("it can be written");
    let words = refused(&mut scenario);
    assert!(words.contains("line 1 of the allowed signers"), "{words}");
}
