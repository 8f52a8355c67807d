//! The service file as it is written: one mirror for each mapping.
//!
//! Invariant: every key of the file is here, also those whose work is not done, which are refused by
//! name. Each value is valid in itself; whether the values fit together is decided by `service`.

use schemars::{Schema, SchemaGenerator, json_schema};

use super::credential::{FilePath, Guarded, RawFile, RawGitCredentials, RawRegistryCredentials};
use super::duration::Interval;
use super::folder::FolderPath;
use super::glob::{ImageGlob, PathGlob};
use super::name::Name;
use super::read::{At, Field, Read, Reader, Scalar, Unsupported, Version, choice, mirror};
use super::report::Mistake;
use super::tree::{Node, Value};
use crate::registry::Api;

pub mod after_push;
pub mod commit;
pub mod gates;
pub mod holds;
pub mod people;
pub mod push;
pub mod server;
mod values;

use after_push::RawNudge;
use commit::RawCommit;
use gates::RawGate;
use holds::RawHold;
use people::{OfPeople, RawGroup, RawPerson};
use push::{RawForge, RawPush};
use server::RawServer;
use values::{Branch, Count, Depth, Host, MirrorPlace, RepositoryPath, Url};

mirror! {
    /// The configuration of the service.
    RawService requires ["version", "repositories"] {
        /// The version of this format.
        version = "version": Version,
        /// The config repos.
        repositories = "repositories": Vec<At<RawRepository>>,
        /// How registries are reached; one that is not listed is asked as nobody, over HTTPS.
        registries = "registries": Vec<At<RawRegistry>>,
        /// The service's own HTTP server.
        server = "server": RawServer,
        /// What is kept on disk between passes.
        cache = "cache": RawCache,
        /// What is not to be changed, in every config repo.
        holds = "holds": Vec<At<RawHold>>,
        /// Servers that are asked whether changes may be made, where a stage's `checks` name them.
        gates = "gates": Vec<At<RawGate>>,
        /// The people who may decide.
        people = "people": Vec<At<RawPerson>>,
        /// Not a key: keys are those of `people`.
        keys = "keys": OfPeople,
        /// Groups of people.
        groups = "groups": Vec<At<RawGroup>>,
        /// Not supported yet: where events are sent.
        notifiers = "notifiers": Unsupported,
    }
}

mirror! {
    /// A config repo: a URL and a branch.
    RawRepository requires ["name", "url", "policies"] {
        /// What it is called here.
        name = "name": Name,
        /// Where it is: `https://…`, `ssh://…`, `USER@HOST:PATH`, `file://…` or a path.
        url = "url": Url,
        /// The branch that is read and written; `main` if nothing is said.
        branch = "branch": Branch,
        /// How often Git is fetched, 1s to 7d; 1m if nothing is said.
        interval = "interval": Interval,
        /// The folders of app files; the entry that is listed first keeps an app's name.
        policies = "policies": Vec<At<RawPolicies>>,
        /// As whom it is reached.
        credentials = "credentials": Guarded<RawGitCredentials>,
        /// Certificate authorities trusted besides the system's: a PEM file.
        ca = "ca": FilePath,
        /// Whether `http://` may leave this machine.
        plain_http = "plainHttp": bool,
        /// How many commits of the branch's history are fetched at first, 1 to 1,000,000; all if nothing
        /// is said. More are fetched where they are needed.
        depth = "depth": Depth,
        /// How commits are made.
        commit = "commit": RawCommit,
        /// How changes are published.
        push = "push": RawPush,
        /// The forge that it is on.
        forge = "forge": RawForge,
        /// Who is told after a push.
        after_push = "afterPush": Vec<At<RawNudge>>,
        /// By whom what is fetched must be signed; nobody if nothing is said.
        verify = "verify": RawVerify,
        /// Bounds for a pass.
        limits = "limits": RawLimits,
        /// What is not to be changed.
        holds = "holds": Vec<At<RawHold>>,
    }
}

mirror! {
    /// By whom what is fetched must be signed.
    RawVerify requires ["allowedSigners"] {
        /// The SSH keys, in the format of OpenSSH's allowed signers.
        allowed_signers = "allowedSigners": RawFile,
    }
}

mirror! {
    /// Bounds for a pass.
    RawLimits requires [] {
        /// How many changes one pass makes, 1 to 10,000; the rest waits, the newest longest.
        changes_per_pass = "changesPerPass": Count,
    }
}

mirror! {
    /// A folder of app files and what its apps may do.
    RawEntry requires ["path"] {
        /// The folder.
        path = "path": FolderPath,
        /// The paths its apps may change; any if nothing is said.
        may_write = "mayWrite": Vec<At<PathGlob>>,
        /// The images its apps may watch; any if nothing is said.
        images = "images": Vec<At<ImageGlob>>,
        /// The registries, by name, whose credentials its apps may use; any if nothing is said.
        registries = "registries": Vec<At<Name>>,
    }
}

mirror! {
    /// How, and as whom, the repositories of one registry below one path are reached.
    RawRegistry requires ["host"] {
        /// What policies entries call it.
        name = "name": Name,
        /// The registry's host, with its port if it has one.
        host = "host": Host,
        /// The repositories it is for: `acme/a` is that one and all below, `acme/a/` those below.
        path = "path": RepositoryPath,
        /// Where its images are looked up instead, as `HOST` or `HOST/PATH`; manifests keep the name.
        mirror = "mirror": MirrorPlace,
        /// How its tags are listed; by the interface that it is known to have, if nothing is said.
        listing = "listing": Api,
        /// As whom.
        credentials = "credentials": Guarded<RawRegistryCredentials>,
        /// How often its images are looked at, 1s to 7d; 5m if nothing is said.
        interval = "interval": Interval,
        /// Whether it is spoken to without encryption.
        plain_http = "plainHttp": bool,
        /// Certificate authorities trusted besides the system's: a PEM file.
        ca = "ca": FilePath,
    }
}

mirror! {
    /// What is kept on disk between passes. It is safe to delete.
    RawCache requires [] {
        /// The folder.
        path = "path": FilePath,
    }
}

/// An entry of `policies`: a plain path, or a path with limits.
#[derive(Debug, Clone)]
pub struct RawPolicies(pub RawEntry);

impl Read for RawPolicies {
    fn read(node: &Node, reader: &mut Reader<'_, '_>) -> Option<Self> {
        if matches!(node.value, Value::Map(_)) {
            return RawEntry::read(node, reader).map(Self);
        }
        let spot = reader.spot(node.at);
        let value = FolderPath::read(node, reader)?;
        let path = Field::written(Some(At {
            value,
            spot,
            key: spot,
        }));
        Some(Self(RawEntry {
            path,
            ..RawEntry::default()
        }))
    }

    fn schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [<FolderPath as Read>::schema(generator), RawEntry::schema(generator)]})
    }
}

/// How a registry's tags are listed, as it is written.
const APIS: [(&str, Api); 8] = [
    ("auto", Api::Detect),
    ("plain", Api::Plain),
    ("dockerHub", Api::DockerHub),
    ("google", Api::Google),
    ("quay", Api::Quay),
    ("harbor", Api::Harbor),
    ("azure", Api::Azure),
    ("ghcr", Api::Ghcr),
];

impl Scalar for Api {
    fn parse(text: &str) -> Result<Self, Mistake> {
        choice(text, &APIS)
    }

    fn schema() -> Schema {
        json_schema!({"enum": APIS.map(|(word, _)| word), "default": "auto"})
    }
}
