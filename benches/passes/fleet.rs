//! The config repo that is measured: clusters with one manifest per service, and an app per service.
//!
//! Everything follows from the numbers in [`Fleet`], so two runs measure the same bytes.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;
use jiff::Timestamp;
use tagwright::config::{self, Service};
use tagwright::demo::registry::{ImageSpec, Registry};

/// Tags of each image before anything is released; the last one runs everywhere.
pub const TAGS: usize = 20;

/// A config repo of a size.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// The registry, as image names spell it.
    pub host: String,
    /// Manifests of about 1.5 kB, one image each.
    pub manifests: usize,
    /// Images, each with its app; manifest `n` is of image `n` modulo this.
    pub images: usize,
    /// The paths of each app's one stage.
    pub paths: &'static str,
    /// Whether apps have two stages instead, a cluster each, the second after the first.
    pub promotes: bool,
}

impl Fleet {
    /// Apps that manage everything.
    pub fn new(host: impl Into<String>, manifests: usize, images: usize) -> Self {
        Self {
            host: host.into(),
            manifests,
            images,
            paths: "clusters/**",
            promotes: false,
        }
    }

    /// The name of image `number`, without its registry.
    pub fn repository(number: usize) -> String {
        format!("acme/svc-{number:04}")
    }

    /// The path of manifest `number`.
    pub fn path(&self, number: usize) -> String {
        let (cluster, service) = (number / self.images, number % self.images);
        format!("clusters/c{cluster:02}/svc-{service:04}/deployment.yaml")
    }

    /// The text of manifest `number`; `replicas` is what a person may change.
    pub fn manifest(&self, number: usize, replicas: usize) -> String {
        let service = number % self.images;
        let image = format!(
            "{}/{}:1.{}.0",
            self.host,
            Self::repository(service),
            TAGS - 1
        );
        MANIFEST
            .replace("NAME", &format!("svc-{service:04}"))
            .replace("CLUSTER", &format!("c{:02}", number / self.images))
            .replace("REPLICAS", &replicas.to_string())
            .replace("IMAGE", &image)
    }

    fn policy(&self, image: usize) -> String {
        let stages = match self.promotes {
            false => format!("  - name: fleet\n    paths: [{}]\n", self.paths),
            true => "  - {name: staging, paths: [clusters/c00/**]}\n  - {name: production, paths: \
                     [clusters/c01/**], after: staging, soak: 24h}\n"
                .to_owned(),
        };
        format!(
            "version: 1\napp: svc-{image:04}\nimage: {}/{}\ntags:\n  semver: \">=1.0.0 <2.0.0\"\n\
             stages:\n{stages}",
            self.host,
            Self::repository(image),
        )
    }

    fn files(&self) -> impl Iterator<Item = (String, String)> {
        let manifests = (0..self.manifests).map(|n| (self.path(n), self.manifest(n, 1)));
        let policies =
            (0..self.images).map(|n| (format!("policies/svc-{n:04}.yaml"), self.policy(n)));
        manifests.chain(policies)
    }

    /// A bare repository with all files in one commit, `fleet.git` in `folder`.
    pub fn bare(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let bare = folder.join("fleet.git");
        git(
            folder,
            &[
                "init",
                "--quiet",
                "--bare",
                "--initial-branch=main",
                "fleet.git",
            ],
        )?;
        let mut import = Command::new("git")
            .args(["fast-import", "--quiet", "--done"])
            .current_dir(&bare)
            .stdin(Stdio::piped())
            .spawn()
            .context("git is needed")?;
        let stdin = import.stdin.take().context("git takes no input")?;
        let mut stream = std::io::BufWriter::new(stdin);
        stream.write_all(
            b"commit refs/heads/main\n\
              committer Ada Okafor <ada@example.com> 1767225600 +0000\ndata 6\nfleet\n\n",
        )?;
        for (path, text) in self.files() {
            write!(
                stream,
                "M 100644 inline {path}\ndata {}\n{text}\n",
                text.len()
            )?;
        }
        stream.write_all(b"done\n")?;
        drop(stream.into_inner()?);
        anyhow::ensure!(import.wait()?.success(), "git fast-import failed");
        Ok(bare)
    }

    /// All files in `folder`.
    pub fn folder(&self, folder: &Path) -> anyhow::Result<()> {
        for (path, text) in self.files() {
            let path = folder.join(path);
            std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
            std::fs::write(path, text)?;
        }
        Ok(())
    }

    /// Fills the registry with the tags that the manifests and policies speak of.
    pub fn fill(&self, registry: &Registry) {
        for image in 0..self.images {
            for minor in 0..TAGS {
                release(registry, image, &format!("1.{minor}.0"));
            }
        }
    }

    /// The text of a service file for this fleet.
    pub fn service_text(&self, bare: &Path, cache: &Path) -> String {
        let mut text = String::from("version: 1\n");
        // A JSON string is a YAML string, whatever is in it.
        let quoted = |path: &Path| serde_json::Value::from(path.to_string_lossy()).to_string();
        let _ = write!(
            text,
            "repositories:\n  - name: fleet\n    url: {}\n    branch: main\n    interval: 1m\n    \
             policies: [policies/]\n    push: {{mode: direct}}\n\
             registries:\n  - {{host: \"{}\", plainHttp: true, interval: 1h}}\n\
             cache: {{path: {}}}\n",
            quoted(bare),
            self.host,
            quoted(cache)
        );
        text
    }

    /// The service of that file.
    pub fn service(&self, bare: &Path, cache: &Path) -> anyhow::Result<Service> {
        service(&self.service_text(bare, cache))
    }
}

/// Reads the text of a service file.
pub fn service(text: &str) -> anyhow::Result<Service> {
    let loaded = config::service("tagwright.yaml", text);
    let words = || format!("the service file has mistakes: {:?}", loaded.diagnostics);
    loaded.value.with_context(words)
}

/// Pushes one more tag of an image.
pub fn release(registry: &Registry, image: usize, tag: &str) {
    // One image for all tags: what is polled are names.
    let spec = ImageSpec::new(Timestamp::UNIX_EPOCH, "payload");
    registry.push(&Fleet::repository(image), tag, &spec);
}

/// A person's commit to a bare repository that changes one file.
pub fn commit(bare: &Path, path: &str, text: &str) -> anyhow::Result<()> {
    let repository = git2::Repository::open_bare(bare)?;
    let parent = repository
        .find_reference("refs/heads/main")?
        .peel_to_commit()?;
    let blob = repository.blob(text.as_bytes())?;
    let tree = git2::build::TreeUpdateBuilder::new()
        .upsert(path, blob, git2::FileMode::Blob)
        .create_updated(&repository, &parent.tree()?)?;
    let tree = repository.find_tree(tree)?;
    let person = git2::Signature::new(
        "Ada Okafor",
        "ada@example.com",
        &git2::Time::new(1_767_225_600, 0),
    )?;
    repository.commit(
        Some("refs/heads/main"),
        &person,
        &person,
        "scale",
        &tree,
        &[&parent],
    )?;
    Ok(())
}

/// Runs Git, which must succeed.
pub fn git(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let status = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .status()
        .context("git is needed")?;
    anyhow::ensure!(status.success(), "git {} failed", arguments.join(" "));
    Ok(())
}

/// A Deployment as people write them.
const MANIFEST: &str = include_str!("deployment.yaml");
