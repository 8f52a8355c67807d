//! A scenario whose people have keys: who may approve, who may not, and who is nobody.

use std::path::Path;

use jiff::Timestamp;

use tagwright::forge::Kind;
use tagwright::reconcile::Pass;

use crate::forges::Fake;
use crate::git_signing::ssh_key;
use crate::repo::Work;
use crate::scenario::{CART, CART_POD, Scenario, WHOLE, assert_stage};

pub const FILE: &str = ".tagwright/decisions/shop/staging.yaml";

pub const POD: (&str, &str) = ("apps/shop.yaml", "image: HOST/acme/shop:1.0.0\n");

pub const ONE: &str = "approvals: {required: 1, from: [\"@platform\"]}";

/// People with a key each; eve is nobody.
const PEOPLE: [&str; 4] = ["ada", "bob", "mallory", "eve"];

/// The app file of shop, whose stage has these keys.
pub fn shop(keys: &str) -> String {
    format!(
        "version: 1\napp: shop\nimage: HOST/acme/shop\nstages:\n  - name: staging\n    paths: [apps/**]\n    {keys}\n"
    )
}

/// A scenario, and the keys of its people.
pub struct Town {
    /// The scenario.
    pub scenario: Scenario,
    /// The folder of the keys.
    pub keys: tempfile::TempDir,
}

/// Shop at 1.0.0 with 1.1.0 to come, under these conditions; ada and bob are the platform, mallory is not.
pub fn town(keys: &str) -> Option<Town> {
    town_of(keys, |files, people| {
        let keys = format!("policies: [policies/]{WHOLE}{people}");
        Scenario::configured(files, &keys)
    })
}

/// The same on a forge, with these keys of `push`.
pub fn town_on(kind: Kind, keys: &str, push: &str) -> Option<(Town, Fake)> {
    let mut forge = None;
    let town = town_of(keys, |files, people| {
        let (mut scenario, fake) = Scenario::on_forge(kind, files, "")?;
        scenario.reconfigured(
            "push: {mode: pullRequest}",
            &format!("push: {{{push}}}{WHOLE}{people}"),
        );
        let accounts = PEOPLE.map(|name| format!("{name}-f"));
        fake.hub().people.extend(accounts.into_iter().zip(21..));
        forge = Some(fake);
        Some(scenario)
    })?;
    Some((town, forge?))
}

/// The same, in a scenario that is made of the files and the people.
pub fn town_of(
    keys: &str,
    make: impl FnOnce(&[(&str, &str)], &str) -> Option<Scenario>,
) -> Option<Town> {
    let folder = tempfile::tempdir().expect("there is room");
    let mut people = String::from("people:\n");
    for name in PEOPLE {
        let key = ssh_key(folder.path(), name, &["ed25519"], "")?;
        let public = std::fs::read_to_string(key.with_extension("pub")).expect("it was made");
        if name != "eve" {
            let key = public.trim();
            people.push_str(&format!(
                "  - {{name: {name}, emails: [{name}@example.com], forge: {name}-f, keys: [{{ssh: \"{key}\"}}]}}\n"
            ));
        }
    }
    let people = format!("{people}groups: [{{name: platform, members: [ada, bob]}}]\n");
    let file = shop(keys);
    let files = [("policies/shop.yaml", file.as_str()), POD, CART, CART_POD];
    let scenario = make(&files, &people)?;
    scenario.push("acme/shop", &["1.0.0", "1.1.0"]);
    scenario.push("acme/cart", &["1.0.0"]);
    Some(Town {
        scenario,
        keys: folder,
    })
}

impl Town {
    /// From now on, services that began with a part of the history must see the same.
    pub fn at_any_depth(mut self) -> Self {
        self.scenario = self.scenario.at_any_depth();
        self
    }

    /// The entry that approves `tag` in the place of 1.0.0.
    pub fn approval(&self, tag: &str) -> String {
        let digest = self.scenario.digest("acme/shop", tag);
        format!("- approve: HOST/acme/shop:{tag}@{digest}\n  replaces: 1.0.0\n")
    }

    /// Has a clone sign with the key of `who`.
    pub fn signs(&self, work: &Work, who: &str) {
        let key = self.keys.path().join(who);
        sign(&self.scenario, work, &key);
    }

    /// `who` adds entries to the stage's decisions, in a signed commit.
    pub fn says(&self, who: &str, entries: &str) -> String {
        self.says_at(who, entries, crate::repo::TIME)
    }

    pub fn says_at(&self, who: &str, entries: &str, time: &str) -> String {
        let work = self.scenario.repo.clone_to();
        self.signs(&work, who);
        add(&work, &self.scenario.text(entries));
        let id = work.commit_at("Decide", time);
        work.push();
        id
    }

    /// What a pass that changes nothing says, now, after a restart, and having forgotten everything.
    pub fn waits(&mut self, words: &[&str]) {
        let mut passes = vec![self.scenario.rests()];
        self.scenario.restarts();
        passes.push(self.scenario.rests());
        passes.push(self.scenario.pass_of_another());
        for pass in passes {
            assert_stage(&pass.observation, "shop/staging", "waiting", words);
        }
    }

    /// A pass that makes the change.
    pub fn lands(&mut self) -> Pass {
        let pass = self.scenario.lands(1);
        assert!(self.scenario.read("apps/shop.yaml").ends_with(":1.1.0\n"));
        pass
    }

    pub fn at(&self, text: &str) {
        let by = time(text).duration_since(self.scenario.clock.now());
        self.scenario.clock.advance(by);
    }

    /// The trailers of approvals of the branch's last commit.
    pub fn trailers(&self) -> String {
        let format = "%(trailers:key=Tagwright-Approved-By,valueonly)";
        let work = self.scenario.repo.path();
        let arguments = ["log", "-1", &format!("--format={format}"), "main"];
        self.scenario.repo.git().text(work, &arguments)
    }
}

fn sign(scenario: &Scenario, work: &Work, key: &Path) {
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
}

pub fn add(work: &Work, entries: &str) {
    let path = work.path().join(FILE);
    let before = std::fs::read_to_string(path).unwrap_or_default();
    work.write(FILE, before + entries);
}

pub fn time(text: &str) -> Timestamp {
    text.parse().expect("a time")
}
