//! docs/reference/output.md against what the binary prints: every field that a command prints is in
//! its table, and every field of a table is printed by some run here. The same for metrics.
//!
//! Where a table gives a field the type `[NAME](#NAME)`, the fields of that section's table are meant.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tagwright::demo::registry::{ImageSpec, Registry};
use tagwright::forge::Kind;
use tagwright::image::Digest;

use crate::forges::{self, Fake};
use crate::git_signing::ssh_key;
use crate::markdown::Document;
use crate::parts::{self, Server};
use crate::repo::Repo;

const DOCUMENT: &str = "docs/reference/output.md";

/// A window that is hardly ever open, before the key `paths`.
const LATE: &str = "windows: [{cron: 0 0 29 2 *, duration: 1m, timezone: UTC}], paths: ";

/// Sections of the document that hold no fields.
const OTHERS: [&str; 2] = ["Rules", "Exit codes"];

/// The fields of one section, each with the section that its type names.
type Fields = BTreeMap<String, Option<String>>;

/// What the document says, and what was seen of it.
struct Reference {
    sections: BTreeMap<String, Fields>,
    seen: BTreeSet<(String, String)>,
    /// Fields that were printed and are in no table.
    unknown: BTreeSet<(String, String)>,
}

impl Reference {
    fn read() -> Self {
        let tables = Document::read(DOCUMENT).tables();
        let sections = tables
            .into_iter()
            .filter(|(name, _)| !OTHERS.contains(&name.as_str()))
            .map(|(name, rows)| {
                let fields = rows.iter().map(|row| {
                    let link = row[1].split_once("](#").map(|(_, rest)| rest);
                    let target = link.map(|rest| rest.trim_end_matches(')').to_owned());
                    (row[0].trim_matches('`').to_owned(), target)
                });
                (name, fields.collect())
            });
        Self {
            sections: sections.collect(),
            seen: BTreeSet::new(),
            unknown: BTreeSet::new(),
        }
    }

    /// Notes every field of `value`, whose own place is `path` in `section`.
    fn note(&mut self, section: &str, path: &str, value: &Value) {
        for (key, value) in value.as_object().into_iter().flatten() {
            let mut field = match path {
                "" => key.clone(),
                _ => format!("{path}.{key}"),
            };
            if value.is_array() {
                field.push_str("[]");
            }
            self.note_field(section, &field, value);
        }
    }

    fn note_field(&mut self, section: &str, field: &str, value: &Value) {
        let (section, field) = self.home(section, field);
        if !self.sections[&section].contains_key(&field) {
            self.unknown.insert((section, field));
            return;
        }
        self.seen.insert((section.clone(), field.clone()));
        // A schema is documented as a schema.
        if section == "schema" {
            return;
        }
        let one = std::slice::from_ref(value);
        for element in value.as_array().map_or(one, Vec::as_slice) {
            self.note(&section, &field, element);
        }
    }

    /// The section whose table has `field`: this one, or the one that a field above it links to.
    fn home(&self, section: &str, field: &str) -> (String, String) {
        let fields = &self.sections[section];
        if fields.contains_key(field) {
            return (section.to_owned(), field.to_owned());
        }
        for (above, target) in fields {
            let below = field
                .strip_prefix(above.as_str())
                .and_then(|rest| rest.strip_prefix('.'));
            if let (Some(target), Some(below)) = (target, below) {
                return self.home(target, below);
            }
        }
        (section.to_owned(), field.to_owned())
    }

    fn unseen(&self) -> Vec<(&str, &str)> {
        let all = self.sections.iter().flat_map(|(section, fields)| {
            fields
                .keys()
                .map(move |field| (section.as_str(), field.as_str()))
        });
        all.filter(|(section, field)| {
            let pair = ((*section).to_owned(), (*field).to_owned());
            !self.seen.contains(&pair)
        })
        .collect()
    }
}

/// Runs the binary in `folder`; returns its object and how it ended.
fn tagwright(folder: &Path, arguments: &[&str]) -> (Value, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_tagwright"))
        .args(arguments)
        .args(["-o", "json"])
        .current_dir(folder)
        .env("HOME", folder)
        .env("NO_PROXY", "*")
        .env_remove("TAGWRIGHT_CONFIG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stderr);
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {words}"));
    (value, output.status.code().unwrap())
}

/// A config repo with something of everything, its registry, and the configuration that joins them.
struct World {
    folder: tempfile::TempDir,
    repo: Repo,
    _registry: Registry,
}

impl World {
    fn new() -> Option<Self> {
        let registry = Registry::start().unwrap();
        let host = registry.host();
        let created = "2026-03-02T08:00:00Z".parse().unwrap();
        for (tag, content) in [("1.0.0", "one"), ("1.1.0", "two"), ("latest", "two")] {
            let image = ImageSpec::new(created, content)
                .label(
                    "org.opencontainers.image.source",
                    "https://github.com/acme/shop",
                )
                .label(
                    "org.opencontainers.image.revision",
                    format!("{}", Digest::of(content.as_bytes())).split_off(40),
                );
            registry.push("acme/shop", tag, &image);
        }
        let app = |name: &str, more: &str| {
            format!(
                "version: 1\napp: {name}\nimage: {host}/acme/shop\nstages:\n  - {{name: live, paths: [{name}/**]}}\n{more}"
            )
        };
        let image = |tag: &str| format!("image: {host}/acme/shop:{tag}\n");
        let sealed = format!("{}sops: {{mac: x, version: 3.9.0}}\n", image("1.0.0"));
        let files = [
            ("policies/shop.yaml", app("shop", "")),
            ("policies/split.yaml", app("split", "")),
            ("policies/float.yaml", app("float", "")),
            ("policies/empty.yaml", app("empty", "")),
            (
                "policies/late.yaml",
                app("late", "").replace("paths: ", LATE),
            ),
            ("policies/wrong.yaml", app("wrong", "semvr: 1\n")),
            ("shop/a.yaml", image("1.0.0")),
            ("shop/sealed.yaml", sealed),
            ("split/a.yaml", image("1.0.0")),
            ("split/b.yaml", image("1.1.0")),
            ("split/c.yaml", "tag: 1 # tagwright: shop:tags\n".to_owned()),
            ("float/a.yaml", image("latest")),
            ("late/a.yaml", image("1.0.0")),
        ];
        let borrowed: Vec<(&str, &str)> = files.iter().map(|(p, t)| (*p, t.as_str())).collect();
        let repo = Repo::bare(&borrowed)?;
        Some(Self::of(registry, repo))
    }

    /// A config repo with one change to make.
    fn pending() -> Option<Self> {
        let registry = Registry::start().unwrap();
        let host = registry.host();
        let created = "2026-03-02T08:00:00Z".parse().unwrap();
        registry.push("acme/shop", "1.1.0", &ImageSpec::new(created, "two"));
        let app = format!("version: 1\napp: shop\nimage: {host}/acme/shop\n");
        let image = format!("image: {host}/acme/shop:1.0.0\n");
        let files = [
            ("policies/shop.yaml", app.as_str()),
            ("a.yaml", image.as_str()),
            ("b.yaml", "image: ghcr.io/others/thing:1\n"),
        ];
        let repo = Repo::bare(&files)?;
        Some(Self::of(registry, repo))
    }

    /// What is printed while its change goes by a pull request: opened, left for a hold, and kept.
    fn proposed(&self, reference: &mut Reference) -> Vec<Value> {
        let fake = Fake::start(Kind::GitHub, self.repo.path());
        let at = self.folder.path();
        std::fs::write(at.join("token"), forges::TOKEN).unwrap();
        let config = std::fs::read_to_string(at.join("tagwright.yaml")).unwrap();
        let api = &fake.api;
        let keys = format!(
            "policies: [policies/], push: {{mode: pullRequest}}, forge: {{kind: github, api: '{api}', \
             repository: acme/fleet, credentials: {{token: {{file: token}}}}}}"
        );
        let config = config.replace("policies: [policies/]", &keys);
        std::fs::write(at.join("tagwright.yaml"), config).unwrap();
        let pass = |state: &str| {
            let (value, ended) = tagwright(at, &["sync"]);
            assert_eq!(ended, 0, "{value}");
            let pull = &value["repositories"][0]["pullRequests"][0];
            assert_eq!(pull["state"], state, "{pull}");
            value
        };
        let opened = pass("opened");
        let work = self.repo.clone_to();
        work.write(".tagwright/decisions/shop/default.yaml", "- hold: x\n");
        work.commit("Hold");
        work.push();
        for value in self.decided() {
            reference.note("decision", "", &value);
        }
        let left = pass("left");
        // Whoever may merges it all the same.
        fake.merge(1, "bob");
        let (merged, _) = tagwright(at, &["plan"]);
        let told = &merged["repositories"][0]["stages"][0];
        assert_eq!(told["ungated"]["by"], "bob", "{merged}");
        assert_eq!(told["states"][0]["kind"], "ungated", "{merged}");
        reference.note("plan", "", &merged);
        vec![opened, left]
    }

    /// What a decision prints where the branch refuses it: with a pull request, once there is a token for the
    /// configured forge, and without.
    fn decided(&self) -> Vec<Value> {
        let work = self.repo.clone_to();
        let git = self.repo.git();
        let url = "https://codeberg.org/acme/fleet.git";
        let bare = self.repo.path().display();
        for (key, value) in [
            ("user.name", "Ada"),
            ("user.email", "ada@example.com"),
            ("remote.origin.url", url),
            (&format!("url.{bare}.insteadOf"), url),
        ] {
            git.ok(work.path(), &["config", key, value]);
        }
        let protect = "[ \"$1\" != refs/heads/main ]";
        self.repo.hook("update", protect);
        let mut told = Vec::new();
        for (at, ends) in [(self.folder.path(), 0), (work.path(), 1)] {
            let path = work.path().to_str().unwrap();
            let (value, ended) = tagwright(at, &["release", "shop", "default", "--path", path]);
            assert_eq!(ended, ends, "{value}");
            told.push(value);
        }
        self.repo.hook("update", "exit 0");
        told
    }

    /// Notes what is printed while its change waits for approvals, once it has them, and of its history.
    fn consented(&self, reference: &mut Reference) -> Option<()> {
        let at = self.folder.path();
        let mut people = String::from("people:\n");
        for name in ["ada", "bob", "eve"] {
            let key = ssh_key(at, name, &["ed25519"], "")?.with_extension("pub");
            let key = std::fs::read_to_string(key).unwrap();
            people.push_str(&format!(
                "  - {{name: {name}, keys: [{{ssh: '{}'}}]}}\n",
                key.trim()
            ));
        }
        let file = at.join("tagwright.yaml");
        let config = std::fs::read_to_string(&file).unwrap() + &people;
        std::fs::write(file, config).unwrap();
        let work = self.repo.clone_to();
        let app = work.read("policies/shop.yaml");
        let two = "approvals: {required: 2, from: [ada, bob]}";
        let stage = format!("stages: [{{name: default, paths: ['**'], {two}}}]\n");
        work.write("policies/shop.yaml", app + &stage);
        let mut entries = String::new();
        let mut approves = |who: Option<&str>| {
            let (plan, _) = tagwright(at, &["plan"]);
            reference.note("plan", "", &plan);
            let Some(who) = who else {
                return;
            };
            let stage = &plan["repositories"][0]["stages"][0];
            entries.push_str(stage["waits"][0]["entry"].as_str().unwrap());
            for (key, value) in [
                ("gpg.format", "ssh"),
                ("user.signingKey", at.join(who).to_str().unwrap()),
                ("commit.gpgSign", "true"),
            ] {
                self.repo.git().ok(work.path(), &["config", key, value]);
            }
            work.write(".tagwright/decisions/shop/default.yaml", &entries);
            work.commit("Approve");
            work.push();
        };
        work.commit("Ask for approvals");
        work.push();
        for who in ["eve", "ada", "bob"] {
            approves(Some(who));
        }
        approves(None);
        let (landed, ended) = tagwright(at, &["sync"]);
        assert_eq!(
            (&landed["repositories"][0]["result"], ended),
            (&"landed".into(), 0)
        );
        let (history, _) = tagwright(at, &["history"]);
        reference.note("history", "", &history);
        Some(())
    }

    fn of(registry: Registry, repo: Repo) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (url, host) = (repo.path().display(), registry.host());
        let config = format!(
            "version: 1\nrepositories:\n  - {{name: fleet, url: {url}, policies: [policies/], holds: [{{apps: [empty], reason: x}}]}}\nregistries:\n  - {{host: '{host}', plainHttp: true}}\n"
        );
        std::fs::write(folder.path().join("tagwright.yaml"), config).unwrap();
        Self {
            folder,
            repo,
            _registry: registry,
        }
    }
}

/// Files for the commands that need neither a config repo nor a registry.
fn offline() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::create_dir_all(path.join("policies")).unwrap();
    std::fs::create_dir_all(path.join("apps")).unwrap();
    std::fs::write(path.join("policies/a.yaml"), "version: 1\nnmae: a\n").unwrap();
    let text = "a: {image: acme/shop:1.0.0} # tagwright: shop\nb:\n  image: acme/shop:1.0.0 # tagwright: ignore\nc: 1 # tagwright: Shop\n";
    std::fs::write(path.join("apps/a.yaml"), text).unwrap();
    let sealed = "image: acme/shop:1.0.0\nsops: {mac: x, version: 3.9.0}\n";
    std::fs::write(path.join("apps/b.yaml"), sealed).unwrap();
    std::fs::write(path.join("apps/c.yaml"), "image: nginx:1.27.0\n").unwrap();
    folder
}

fn select(folder: &Path) -> Value {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tagwright"))
        .args(["select", "--semver", "^1", "-o", "json"])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"1.0.0\n2.0.0\n").unwrap();
    drop(input);
    serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn fields_are_those_of_the_tables() {
    let mut reference = Reference::read();
    let folder = offline();
    let at = folder.path();
    let shop = "acme/shop=acme/shop:2.0.0";
    for (arguments, ends) in [
        (&["images", "apps"][..], 0),
        (&["check"], 2),
        (&["set", "--dry-run", shop, "apps"], 1),
        (&["schema"], 0),
    ] {
        let (value, ended) = tagwright(at, arguments);
        assert_eq!(ended, ends, "{arguments:?}");
        reference.note(arguments[0], "", &value);
    }
    reference.note("select", "", &select(at));
    std::fs::remove_dir_all(at.join("policies")).unwrap();
    let (proposed, ended) = tagwright(at, &["init", "--image", "acme/*"]);
    assert_eq!(ended, 0);
    reference.note("init", "", &proposed);

    let Some(world) = World::new() else {
        return;
    };
    let at = world.folder.path();
    for (arguments, ends) in [
        (&["plan"][..], 1),
        (&["explain", "split"], 0),
        (&["explain", "float"], 0),
    ] {
        let (value, ended) = tagwright(at, arguments);
        assert_eq!(ended, ends, "{arguments:?}");
        reference.note(arguments[0], "", &value);
    }
    world
        .repo
        .hook("pre-receive", "echo 'not on Fridays' >&2; exit 1");
    let (refused, ended) = tagwright(at, &["sync"]);
    assert_eq!(
        (refused["repositories"][0]["result"].as_str(), ended),
        (Some("refused"), 1)
    );
    reference.note("sync", "", &refused);
    world.repo.hook("pre-receive", "exit 0");
    let (landed, _) = tagwright(at, &["sync"]);
    assert_eq!(landed["repositories"][0]["result"], "landed");
    reference.note("sync", "", &landed);
    let gone = "version: 1\nrepositories: [{name: gone, url: /nowhere/gone.git, policies: [p/]}]\n";
    std::fs::write(at.join("gone.yaml"), gone).unwrap();
    let (unread, ended) = tagwright(at, &["plan", "--config", "gone.yaml"]);
    assert_eq!(ended, 1);
    reference.note("plan", "", &unread);

    let work = world.repo.clone_to();
    for (key, value) in [("user.name", "Ada"), ("user.email", "ada@example.com")] {
        let git = world.repo.git();
        git.ok(work.path(), &["config", key, value]);
    }
    let clone = work.path().to_str().unwrap();
    for (script, ends) in [("exit 0", 0), ("exit 1", 1)] {
        world.repo.hook("pre-receive", script);
        let (value, ended) = tagwright(at, &["release", "shop", "live", "--path", clone]);
        assert_eq!(ended, ends, "{value}");
        reference.note("decision", "", &value);
    }
    world.repo.hook("pre-receive", "exit 0");
    world.repo.git().ok(work.path(), &["pull", "--quiet"]);
    for file in ["split/a.yaml", "split/b.yaml"] {
        work.write(file, work.read(file).replace("1.1.0", "1.0.0"));
    }
    work.commit("Go back");
    work.push();
    let (value, _) = tagwright(at, &["plan"]);
    reference.note("plan", "", &value);
    let until = ["--reason", "x", "--until", "2100-01-01T00:00:00Z"];
    let hold = [&["hold", "shop", "live", "--path", clone], &until[..]].concat();
    tagwright(at, &hold);
    let reject = ["reject", "shop", "live", "1.0.0", "--path", clone];
    tagwright(at, &reject);
    let freeze = [
        &["hold", "--all", "--stage", "live", "--path", clone],
        &until[..],
    ]
    .concat();
    let (value, _) = tagwright(at, &freeze);
    reference.note("decision", "", &value);
    world.repo.git().ok(work.path(), &["pull", "--quiet"]);
    work.write(
        ".tagwright/freezes.yaml",
        "- {from: 2000-01-01T00:00:00Z}\n",
    );
    work.commit("Freeze");
    work.push();
    let (value, _) = tagwright(at, &["plan"]);
    reference.note("plan", "", &value);
    let (history, ended) = tagwright(at, &["history"]);
    assert_eq!(ended, 0);
    reference.note("history", "", &history);

    let Some(world) = World::pending() else {
        return;
    };
    for value in world.proposed(&mut reference) {
        reference.note("sync", "", &value);
    }

    let Some(world) = World::pending() else {
        return;
    };
    if world.consented(&mut reference).is_none() {
        return;
    }

    let unknown = &reference.unknown;
    assert!(unknown.is_empty(), "in no table: {unknown:#?}");
    let unseen = reference.unseen();
    assert!(unseen.is_empty(), "printed by no run: {unseen:#?}");
}

#[test]
fn the_examples_are_of_the_shapes() {
    let mut reference = Reference::read();
    let mut section = String::new();
    let document = Document::read(DOCUMENT);
    let mut count = 0;
    for block in document.blocks() {
        let above = document.text.lines().take(block.line);
        for line in above {
            if let Some(heading) = line.strip_prefix("## ") {
                section = heading.to_owned();
            }
        }
        if block.info == "json" {
            count += 1;
            let value: Value = serde_json::from_str(&block.text).unwrap();
            assert_eq!(value["version"], 1);
            reference.note(&section, "", &value);
        }
    }
    assert_eq!(count, 3, "of plan, sync and explain");
    assert!(reference.unknown.is_empty(), "{:#?}", reference.unknown);
}

#[test]
fn pending_changes_have_an_exit_code_of_their_own() {
    let Some(world) = World::pending() else {
        return;
    };
    let at = world.folder.path();
    let plan = |more: &[&str]| tagwright(at, &[&["plan"], more].concat()).1;
    assert_eq!(plan(&[]), 0);
    assert_eq!(plan(&["--detailed-exitcode"]), 10);
    let (_, ended) = tagwright(at, &["sync"]);
    assert_eq!(ended, 0);
    assert_eq!(plan(&["--detailed-exitcode"]), 0);
}

/// The body of an answer over plain HTTP/1.0, empty while nobody listens.
fn get(port: u16, path: &str) -> String {
    let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)) else {
        return String::new();
    };
    let mut answer = String::new();
    write!(
        connection,
        "GET {path} HTTP/1.0\r\nAccept: application/openmetrics-text\r\n\r\n"
    )
    .unwrap();
    connection.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_guide_has_every_metric() {
    let Some(world) = World::pending() else {
        return;
    };
    let port = parts::free_port();
    let config = world.folder.path().join("tagwright.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let served = format!("{text}server: {{listen: '127.0.0.1:{port}'}}\n");
    std::fs::write(&config, served).unwrap();
    let _server = Server::start(
        Command::new(env!("CARGO_BIN_EXE_tagwright"))
            .arg("serve")
            .current_dir(world.folder.path())
            .env("HOME", world.folder.path())
            .env("NO_PROXY", "*")
            .env_remove("TAGWRIGHT_CONFIG")
            .stderr(Stdio::null()),
    );
    let mut metrics = String::new();
    parts::wait_until("the change lands", || {
        metrics = get(port, "/metrics");
        metrics.contains("tagwright_changes_total{")
    });
    let guide = Document::read("docs/guide/operating.md").text;
    let types = metrics.lines().filter_map(|l| l.strip_prefix("# TYPE "));
    let mut count = 0;
    for (name, kind) in types.filter_map(|line| line.split_once(' ')) {
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let row = format!("| `{name}{suffix}` | {kind} |");
        assert!(guide.contains(&row), "{row}");
        count += 1;
    }
    assert_eq!(count, guide.matches("\n| `tagwright_").count());
}
