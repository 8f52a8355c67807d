//! The program between real parts only: Debian's docker-registry filled by skopeo on one side, Git
//! over HTTPS or SSH on the other.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use crate::binary::Place;
use crate::git_server::GitServer;
use crate::git_ssh::Sshd;
use crate::git_world::World;
use crate::parts;
use crate::registry_real::{Registry, write_certificates};

/// `x-access-token:t0ken` in Base64.
const TOKEN: &str = "eC1hY2Nlc3MtdG9rZW46dDBrZW4=";

/// A docker-registry that asks for the password of `bot`.
fn registry_with_passwords() -> Option<Registry> {
    let htpasswd = parts::need("htpasswd")?;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("htpasswd");
    let mut command = std::process::Command::new(htpasswd);
    let output = command.args(["-Bbn", "bot", "s3cret"]).output().unwrap();
    std::fs::write(&file, output.stdout).unwrap();
    let auth = format!(
        "auth: {{htpasswd: {{realm: r, path: '{}'}}}}",
        file.display()
    );
    let mut registry = Registry::start(folder, "", &auth)?;
    let push = ["--dest-tls-verify=false", "--dest-creds=bot:s3cret"];
    registry.push = push.map(str::to_owned).into();
    Some(registry)
}

/// Has a person put an app and its manifest on the branch.
fn seed(world: &World, host: &str) {
    let person = world.person("seeder");
    let policy = format!("version: 1\napp: shop\nimage: {host}/acme/shop\ntags: {{semver: ^1}}\n");
    person.write("policies/shop.yaml", policy.as_bytes());
    person.write("apps/shop.yaml", manifest(host, "1.0.0").as_bytes());
    person.commit("Add shop");
    person.git(&["push", "-q", "origin", "main"]);
}

fn manifest(host: &str, version: &str) -> String {
    format!("spec:\n  - name: shop  # runs everywhere\n    image: \"{host}/acme/shop:{version}\"\n")
}

/// The manifest on the branch.
fn running(world: &World) -> String {
    world.in_remote(&["cat-file", "blob", "main:apps/shop.yaml"]) + "\n"
}

/// Two passes, each after a release, and one in which nothing is left to do.
fn assert_updates(place: &Place, world: &World, registry: &Registry, variables: &[(&str, &str)]) {
    let sync = |code: i32| {
        let mut command = place.command(&["sync"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        crate::binary::Ran::of(output).exits(code)
    };
    registry.push("acme/shop", &["1.0.0", "1.0.1", "2.0.0"]);
    sync(0);
    assert_eq!(running(world), manifest(&registry.host, "1.0.1"));
    registry.push("acme/shop", &["1.2.0"]);
    let ran = sync(0);
    assert_eq!(running(world), manifest(&registry.host, "1.2.0"));
    assert!(
        ran.stdout.contains("shop: default 1.0.1 -> 1.2.0"),
        "{}",
        ran.stdout
    );
    let tip = world.tip("main");
    sync(0);
    assert_eq!(world.tip("main"), tip);
    let subjects = world.subjects();
    let ours = subjects
        .iter()
        .filter(|subject| subject.starts_with("shop: default "));
    assert_eq!(ours.count(), 2, "{subjects:?}");
    world.assert_sound();
}

#[test]
fn from_a_registry_with_passwords_to_a_remote_over_https() {
    let (Some(registry), Some(world)) = (registry_with_passwords(), World::empty()) else {
        return;
    };
    seed(&world, &registry.host);
    world.in_remote(&["config", "http.receivepack", "true"]);
    let server = GitServer::start(&world.path(""), true, Some(TOKEN));
    std::fs::write(world.path("token"), "t0ken\n").unwrap();
    let config = format!(
        "version: 1
repositories:
  - name: fleet
    url: {}
    policies: [policies/]
    ca: {}
    credentials: {{token: {{file: {}}}}}
registries:
  - host: {}
    plainHttp: true
    credentials: {{username: bot, password: {{env: REGISTRY_PASSWORD}}}}
",
        server.url,
        world.path("ca.pem").display(),
        world.path("token").display(),
        registry.host,
    );
    let place = Place::new(&[("tagwright.yaml", &config)]);
    let ran = place.run(&["sync"]).exits(1);
    assert!(
        ran.stdout.contains("REGISTRY_PASSWORD"),
        "{}\n{}",
        ran.stdout,
        ran.stderr
    );
    assert_updates(
        &place,
        &world,
        &registry,
        &[("REGISTRY_PASSWORD", "s3cret")],
    );
}

#[test]
fn from_a_registry_with_its_own_authority_to_a_remote_over_ssh() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    write_certificates(folder.path());
    let tls = format!(", tls: {{certificate: '{at}/server.crt', key: '{at}/server.key'}}");
    let (Some(mut registry), Some(sshd)) = (Registry::start(folder, &tls, ""), Sshd::start())
    else {
        return;
    };
    registry.push = vec![format!("--dest-cert-dir={at}/trusted")];
    seed(&sshd.world, &registry.host);
    let config = format!(
        "version: 1
repositories:
  - name: fleet
    url: {}
    policies: [policies/]
    credentials:
      sshKey: {{file: {}}}
      knownHosts: {{file: \"{}\"}}
registries:
  - {{host: \"{}\", ca: {at}/trusted/ca.crt}}
",
        sshd.url(&sshd.world.remote()),
        sshd.world.path("user").display(),
        sshd.world.path("known hosts").display(),
        registry.host,
    );
    let place = Place::new(&[("tagwright.yaml", &config)]);
    assert_updates(&place, &sshd.world, &registry, &[]);
}
