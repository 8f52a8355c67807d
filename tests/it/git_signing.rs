//! Commits signed with keys that ssh-keygen and gpg made, verified by Git itself.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use jiff::Timestamp;
use tagwright::git::sign::Error;
use tagwright::git::{
    CommitId, Committed, KeyFormat, Keyring, NewCommit, PushOutcome, Signature, SigningKey,
};
use tagwright::secret::Secret;

use crate::git_world::{World, files, git, run};
use crate::parts::need;

/// When the commits are made: after the keys.
const TIME: &str = "2026-02-02T00:00:00Z";

/// When the OpenPGP keys are made, as `gpg` wants it.
const MADE: &str = "20260101T000000!";

/// A key of ssh-keygen, locked with `passphrase` unless that is empty.
pub fn ssh_key(folder: &Path, name: &str, kind: &[&str], passphrase: &str) -> Option<PathBuf> {
    let file = folder.join(name);
    run(Command::new(need("ssh-keygen")?)
        .args(["-q", "-C", "", "-N", passphrase, "-t"])
        .args(kind)
        .arg("-f")
        .arg(&file));
    Some(file)
}

/// Writes the file of allowed signers, and has clones of `world` use it.
fn allow(world: &World, key: &Path) -> PathBuf {
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let file = world.path("allowed_signers");
    std::fs::write(&file, format!("tagwright@example.com {public}")).unwrap();
    file
}

fn keyring(format: KeyFormat, key: &Path, passphrase: Option<&Path>) -> Keyring {
    Keyring::new(SigningKey {
        format,
        key: Secret::File(key.to_owned()),
        passphrase: passphrase.map(|file| Secret::File(file.to_owned())),
    })
}

/// A file with a passphrase in it.
fn passphrase(world: &World, text: &str) -> PathBuf {
    let file = world.path("passphrase");
    std::fs::write(&file, format!("{text}\n")).unwrap();
    file
}

/// Makes a signed commit in a new mirror and pushes it.
fn push_signed(world: &World, keyring: &mut Keyring) -> CommitId {
    let folder = tempfile::tempdir_in(world.path("")).unwrap();
    let mut mirror = world.mirror(folder.path().join("m").to_str().unwrap());
    let parent = mirror.fetch("main").unwrap();
    let signer = keyring.signer().unwrap();
    let author = Signature {
        name: "Tagwright".into(),
        email: "tagwright@example.com".into(),
    };
    let new = NewCommit {
        files: &files(&[("a", parent.to_string().as_str())]),
        author: &author,
        time: TIME.parse().unwrap(),
        message: "shop: staging 1 -> 2\n\nA body with é.\n",
        signer: Some(&signer),
    };
    let [Committed::Made(id), Committed::Made(again)] =
        [(); 2].map(|()| mirror.commit(parent, &[new]).unwrap()[0])
    else {
        panic!("nothing changed")
    };
    assert_eq!(id, again, "a signed commit is deterministic, too");
    let pushed = mirror.push("main", parent, id).unwrap();
    assert_eq!(pushed, PushOutcome::Pushed);
    world.assert_sound();
    id
}

/// Git in the remote, trusting these signers and this folder of gpg's.
fn verifier(world: &World, signers: &Path) -> Command {
    let mut command = git(&world.path("home"));
    command
        .current_dir(world.remote())
        .env("GNUPGHOME", world.path("gpg"))
        .arg("-c")
        .arg(format!("gpg.ssh.allowedSignersFile={}", signers.display()));
    command
}

fn verifies(world: &World, signers: &Path, id: CommitId) -> bool {
    let mut command = verifier(world, signers);
    command.args(["verify-commit", &id.to_string()]);
    command.output().unwrap().status.success()
}

fn log(world: &World, signers: &Path) -> String {
    let mut command = verifier(world, signers);
    command.args(["log", "-1", "--show-signature", "main"]);
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn git_verifies_commits_signed_with_ssh_keys() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let folder = world.path("");
    let locked = passphrase(&world, "open sesame");
    for (name, kind, words) in [
        ("ed25519", &["ed25519"][..], ""),
        ("ecdsa", &["ecdsa", "-b", "256"], ""),
        ("locked", &["ed25519"], "open sesame"),
    ] {
        let Some(key) = ssh_key(&folder, name, kind, words) else {
            return;
        };
        let signers = allow(&world, &key);
        let mut keyring = keyring(KeyFormat::Ssh, &key, Some(&locked));
        let id = push_signed(&world, &mut keyring);
        assert!(verifies(&world, &signers, id), "{name}");
        let log = log(&world, &signers);
        assert!(
            log.contains("Good \"git\" signature for tagwright@example.com"),
            "{log}"
        );
        assert!(log.contains("    A body with é."), "{log}");
        let Some(other) = ssh_key(&folder, &format!("{name}-other"), &["ed25519"], "") else {
            return;
        };
        let signers = allow(&world, &other);
        assert!(!verifies(&world, &signers, id), "another key's signature");
    }
}

/// A home of gpg, and gpg with it.
fn gpg(world: &World) -> Option<impl Fn(&[&str]) -> Vec<u8>> {
    let program = need("gpg")?;
    let home = world.path("gpg");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::set_permissions(&home, PermissionsExt::from_mode(0o700)).unwrap();
    Some(move |arguments: &[&str]| {
        let output = Command::new(&program)
            .env("GNUPGHOME", &home)
            .args(["--batch", "--quiet", "--pinentry-mode", "loopback"])
            .args(["--faked-system-time", MADE])
            .args(arguments)
            .output()
            .unwrap();
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {words}");
        output.stdout
    })
}

/// Ends the agent that gpg starts for a home.
struct Agent(PathBuf);

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf")
            .env("GNUPGHOME", &self.0)
            .args(["--kill", "all"])
            .status();
    }
}

#[test]
fn git_verifies_commits_signed_with_openpgp_keys() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let Some(gpg) = gpg(&world) else { return };
    let _agent = Agent(world.path("gpg"));
    let locked = passphrase(&world, "open sesame");
    for (name, kind, words) in [
        ("plain", "ed25519", ""),
        ("locked", "ed25519", "open sesame"),
        ("rsa", "rsa2048", "open sesame"),
    ] {
        let person = format!("{name} <tagwright@example.com>");
        let make = ["--passphrase", words, "--quick-gen-key", &person, kind];
        gpg(&[&make[..], &["sign", "never"]].concat());
        let export = ["--passphrase", words, "--armor", "--export-secret-keys"];
        let text = gpg(&[&export[..], &[&person]].concat());
        let key = world.path(name);
        std::fs::write(&key, text).unwrap();
        let mut keyring = keyring(KeyFormat::OpenPgp, &key, Some(&locked));
        let id = push_signed(&world, &mut keyring);
        assert!(verifies(&world, Path::new("/dev/null"), id), "{name}");
        let log = log(&world, Path::new("/dev/null"));
        assert!(
            log.contains(&format!("gpg: Good signature from \"{person}\"")),
            "{log}"
        );
    }
}

#[test]
fn a_subkey_signs_while_the_primary_key_stays_elsewhere() {
    let Some((world, _)) = World::seeded(&[("a", "1\n")]) else {
        return;
    };
    let Some(gpg) = gpg(&world) else { return };
    let _agent = Agent(world.path("gpg"));
    let make = |rest: &[&str]| gpg(&[&["--passphrase", ""], rest].concat());
    make(&["--quick-gen-key", "bot <b@example.com>", "ed25519", "cert"]);
    let list = make(&["--with-colons", "--list-keys", "bot"]);
    let list = String::from_utf8(list).unwrap();
    let line = list.lines().find(|line| line.starts_with("fpr:")).unwrap();
    let primary = line.split(':').nth(9).unwrap();
    make(&["--quick-add-key", primary, "ed25519", "sign"]);
    let key = world.path("subkey");
    let export = make(&["--armor", "--export-secret-subkeys", primary]);
    std::fs::write(&key, export).unwrap();
    let id = push_signed(&world, &mut keyring(KeyFormat::OpenPgp, &key, None));
    assert!(verifies(&world, Path::new("/dev/null"), id));

    std::fs::write(&key, make(&["--armor", "--export", primary])).unwrap();
    let error = keyring(KeyFormat::OpenPgp, &key, None).signer();
    assert!(matches!(error, Err(Error::NotOpenPgp(_))), "{error:?}");
}

#[test]
fn an_expired_or_locked_openpgp_key_is_refused() {
    let Some(world) = World::empty() else { return };
    let Some(gpg) = gpg(&world) else { return };
    let _agent = Agent(world.path("gpg"));
    let words = ["--passphrase", "words"];
    let made = |name: &str, usage: &str, until: &str| {
        let person = format!("{name} <{name}@example.com>");
        let make = ["--quick-gen-key", &person, "ed25519", usage, until];
        gpg(&[&words[..], &make].concat());
        let export = ["--armor", "--export-secret-keys", &person];
        let file = world.path(name);
        std::fs::write(&file, gpg(&[&words[..], &export].concat())).unwrap();
        file
    };
    let short = made("short", "sign", "20260110T000000");
    let right = passphrase(&world, "words");
    let signer = keyring(KeyFormat::OpenPgp, &short, Some(&right)).signer();
    let error = signer.unwrap().sign(b"x", TIME.parse().unwrap());
    let end: Timestamp = "2026-01-10T00:00:00Z".parse().unwrap();
    assert!(
        matches!(error, Err(Error::Expired(at)) if at == end),
        "{error:?}"
    );

    let error = keyring(KeyFormat::OpenPgp, &short, None).signer();
    assert!(matches!(error, Err(Error::Locked)), "{error:?}");
    let wrong = passphrase(&world, "other words");
    let error = keyring(KeyFormat::OpenPgp, &short, Some(&wrong)).signer();
    assert!(matches!(error, Err(Error::Passphrase)), "{error:?}");
    let certifier = made("certifier", "cert", "never");
    let error = keyring(KeyFormat::OpenPgp, &certifier, Some(&right)).signer();
    assert!(matches!(error, Err(Error::NoSigningPart)), "{error:?}");
}

#[test]
fn an_ssh_key_that_can_t_be_used_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let made = |name: &str, kind: &[&str], words: &str| ssh_key(folder.path(), name, kind, words);
    let Some(locked) = made("locked", &["ed25519"], "words") else {
        return;
    };
    let rsa = made("rsa", &["rsa", "-b", "2048"], "").unwrap();
    // Locked, so that its kind is told before its parts are read: a short secret number of this curve
    // is written in a way that the reader doesn't know.
    let wide = made("wide", &["ecdsa", "-b", "521"], "words").unwrap();
    let wrong = folder.path().join("wrong");
    std::fs::write(&wrong, "other words").unwrap();
    let nonsense = folder.path().join("nonsense");
    std::fs::write(&nonsense, "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n").unwrap();
    let missing = folder.path().join("missing");
    for (key, passphrase, expected) in [
        (&locked, None, "has a passphrase, and none is configured"),
        (&locked, Some(&wrong), "the passphrase does not unlock"),
        (&rsa, None, "of the kind ssh-rsa"),
        (&wide, None, "of the kind ecdsa-sha2-nistp521"),
        (&nonsense, None, "not an OpenSSH private key"),
        (&missing, None, "can't be read"),
    ] {
        let error = keyring(KeyFormat::Ssh, key, passphrase.map(PathBuf::as_path)).signer();
        let error = error.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some() || *key == missing, "{error}");
    }
}

#[test]
fn a_key_is_unlocked_once_and_again_after_a_change() {
    let folder = tempfile::tempdir().unwrap();
    let Some(key) = ssh_key(folder.path(), "k", &["ed25519"], "") else {
        return;
    };
    let mut keyring = keyring(KeyFormat::Ssh, &key, None);
    let first = keyring.signer().unwrap();
    assert!(Arc::ptr_eq(&first, &keyring.signer().unwrap()));
    let Some(other) = ssh_key(folder.path(), "other", &["ed25519"], "") else {
        return;
    };
    std::fs::rename(other, &key).unwrap();
    let second = keyring.signer().unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    let time = TIME.parse().unwrap();
    let [old, new] = [first, second].map(|signer| signer.sign(b"x", time).unwrap());
    assert_ne!(old, new, "a rotated key counts at once");
}
