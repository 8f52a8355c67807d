//! A small company's config repo and images, for the demo and for tests of the whole.
//!
//! Invariant: everything follows from the folder, the registry's host and one time, so two worlds of
//! the same three are equal, down to commit ids and digests. Files come from `world/`, where images
//! are under a placeholder host; [`World::create`] puts the real one in.
//!
//! It refuses to write over a repository that is there, and pushes nothing by itself: when a release
//! happens is for the caller to say.

mod person;
mod releases;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use git2::build::TreeUpdateBuilder;
use jiff::Timestamp;

use crate::image::Image;

pub use releases::{Outcome, Push, Release};

/// Where images are in the templates.
const HOST: &str = "registry.example.com";

/// Stands in the templates for the digest of [`PINNED`].
const DIGEST: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// The one image that a template pins, as repository and tag.
const PINNED: (&str, &str) = ("acme/cart", "2.4.0");

/// The branch that the sync agent deploys from.
const BRANCH: &str = "refs/heads/main";

/// The person who keeps the config repo.
const PERSON: (&str, &str) = ("Ada Okafor", "ada@example.com");

/// The file that someone saved with Windows line ends; kept with plain ones here, because tools that
/// touch line ends would change it unseen.
const CRLF: &str = "apps/staging/web/preview.yaml";

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        [$(($path, include_str!(concat!("world/", $path)))),*]
    };
}

/// Every file of the config repo, by its path there.
const FILES: [(&str, &str); 18] = files![
    "README.md",
    "apps/base/web/deployment.yaml",
    "apps/base/web/kustomization.yaml",
    "apps/production/cart/statefulset.yaml",
    "apps/production/shop/cronjob.yaml",
    "apps/production/shop/deployment.yaml",
    "apps/production/web/kustomization.yaml",
    "apps/staging/cart/statefulset.yaml",
    "apps/staging/cart/warm-cache.json",
    "apps/staging/shop/cronjob.yaml",
    "apps/staging/shop/deployment.yaml",
    "apps/staging/shop/worker.yaml",
    "apps/staging/web/kustomization.yaml",
    "apps/staging/web/preview.yaml",
    "policies/cart.yaml",
    "policies/defaults.yaml",
    "policies/shop.yaml",
    "policies/web.yaml",
];

/// Why a world could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The registry's host cannot stand in an image name.
    #[error("`{0}` is not a registry host")]
    Host(String),
    /// The service's configuration can only name folders that are UTF-8.
    #[error("the folder {} is not UTF-8", .0.display())]
    Folder(PathBuf),
    /// The bare repository could not be made.
    #[error("no bare repository could be made in {}", path.display())]
    Init {
        /// Where it was to be.
        path: PathBuf,
        /// What libgit2 says.
        source: git2::Error,
    },
    /// A person's commit could not be written.
    #[error("a person's commit could not be written to {}", path.display())]
    Commit {
        /// The repository.
        path: PathBuf,
        /// What libgit2 says.
        source: git2::Error,
    },
}

/// A config repo on disk, and the images that go with it.
#[derive(Debug, Clone)]
pub struct World {
    repository: PathBuf,
    url: String,
    registry: String,
    time: Timestamp,
}

impl World {
    /// Makes the bare repository `fleet.git` in `folder`, with one commit of a person at `time`, whose
    /// manifests run images of the registry at `registry_host`.
    ///
    /// # Errors
    /// When the host or the folder cannot be used, `fleet.git` is there, or Git fails.
    pub fn create(folder: &Path, registry_host: &str, time: Timestamp) -> Result<Self, Error> {
        if format!("{registry_host}/acme/shop")
            .parse::<Image>()
            .is_err()
        {
            return Err(Error::Host(registry_host.to_owned()));
        }
        let repository = folder.join("fleet.git");
        let url = match repository.to_str() {
            Some(url) => url.to_owned(),
            None => return Err(Error::Folder(folder.to_owned())),
        };
        let world = Self {
            repository,
            url,
            registry: registry_host.to_owned(),
            time,
        };
        let repo = world.init().map_err(|source| Error::Init {
            path: world.repository.clone(),
            source,
        })?;
        world.commit(&repo).map_err(|source| Error::Commit {
            path: world.repository.clone(),
            source,
        })?;
        Ok(world)
    }

    /// The bare repository, which people and the service push to.
    pub fn repository(&self) -> &Path {
        &self.repository
    }

    /// What the registry holds before anything happens.
    pub fn images(&self) -> Vec<Push> {
        releases::initial(self.time)
    }

    /// What is released while one watches, in order.
    pub fn releases(&self) -> &'static [Release] {
        &releases::SCHEDULE
    }

    /// The service's configuration for this world: both sides are looked at every second, and the
    /// page is on a loopback port of the system's choosing.
    pub fn service_config(&self) -> String {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        format!(
            "version: 1
repositories:
  - name: fleet
    url: {url}
    branch: main
    interval: 1s
    policies: [policies/]
    commit: {{author: Tagwright <tagwright@example.com>}}
    push: {{mode: direct}}
registries:
  - {{host: {host}, plainHttp: true, interval: 1s}}
server: {{listen: 127.0.0.1:0}}
people: [{{name: ada, emails: [{mail}]}}]
groups: [{{name: platform, members: [ada]}}]
",
            // A JSON string is a YAML string, whatever is in it.
            url = quoted(&self.url),
            host = quoted(&self.registry),
            mail = PERSON.1,
        )
    }

    fn init(&self) -> Result<git2::Repository, git2::Error> {
        let mut options = git2::RepositoryInitOptions::new();
        options
            .bare(true)
            .mkpath(true)
            .no_reinit(true)
            .external_template(false)
            .initial_head(BRANCH);
        git2::Repository::init_opts(&self.repository, &options)
    }

    fn commit(&self, repo: &git2::Repository) -> Result<(), git2::Error> {
        let mut tree = TreeUpdateBuilder::new();
        for (path, text) in self.files() {
            tree.upsert(path, repo.blob(text.as_bytes())?, git2::FileMode::Blob);
        }
        let empty = repo.find_tree(repo.treebuilder(None)?.write()?)?;
        let tree = repo.find_tree(tree.create_updated(repo, &empty)?)?;
        let (name, email) = PERSON;
        let time = git2::Time::new(self.time.as_second(), 0);
        let person = git2::Signature::new(name, email, &time)?;
        let message = "Staging and production as they run today\n";
        repo.commit(Some(BRANCH), &person, &person, message, &tree, &[])?;
        Ok(())
    }

    /// Every file as it is committed.
    fn files(&self) -> impl Iterator<Item = (&'static str, String)> {
        let pinned = self.images().into_iter().find_map(|push| {
            ((push.repository, push.tag.as_str()) == PINNED).then(|| push.image.digest())
        });
        let pinned = pinned.expect("the pinned image is among the initial ones");
        FILES.into_iter().map(move |(path, text)| {
            let text = text
                .replace(HOST, &self.registry)
                .replace(DIGEST, pinned.as_str());
            let text = match path {
                CRLF => text.replace('\n', "\r\n"),
                _ => text,
            };
            (path, text)
        })
    }
}
