//! Listing and resolving against Debian's docker-registry, filled with skopeo: open, with passwords,
//! with TLS, and with a token server.

#![expect(
    clippy::unwrap_used,
    reason = "what a test can't set up is a failure of that test"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tagwright::clock::Clock;
use tagwright::image::{Digest, Image};
use tagwright::registry::{
    Access, Account, As, Ask, Client, Credentials, Error, Fault, Resolved, Scheme,
};
use tagwright::secret::Secret;

use crate::parts;
use crate::token_server::{ISSUER, SERVICE, TokenServer};

/// A running registry with its storage, both gone at the end.
pub struct Registry {
    skopeo: PathBuf,
    /// Where it listens.
    pub host: String,
    folder: tempfile::TempDir,
    /// What skopeo needs to push.
    pub push: Vec<String>,
    _server: parts::Server,
}

impl Registry {
    /// Starts a registry with more settings: the lines of `http` and of the top level.
    pub fn start(folder: tempfile::TempDir, http: &str, top: &str) -> Option<Self> {
        let (registry, skopeo) = (parts::need("docker-registry")?, parts::need("skopeo")?);
        let host = format!("127.0.0.1:{}", parts::free_port());
        let at = folder.path().display();
        let config = folder.path().join("registry.yml");
        let text = format!(
            "version: 0.1\n\
             log: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: '{at}/storage'}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}\n\
             http: {{addr: '{host}', secret: x{http}}}\n{top}\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(registry);
        command
            .arg("serve")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let server = parts::Server::start(&mut command);
        parts::wait_until("the registry listens", || {
            std::net::TcpStream::connect(&host).is_ok()
        });
        Some(Self {
            skopeo,
            host,
            folder,
            push: Vec::new(),
            _server: server,
        })
    }

    fn image(&self, repository: &str) -> Image {
        format!("{}/{repository}", self.host).parse().unwrap()
    }

    /// Pushes an index of one image under each tag; its digest.
    pub fn push(&self, repository: &str, tags: &[&str]) -> Digest {
        let layout = self.folder.path().join("layout");
        let digest = write_layout(&layout);
        for tag in tags {
            let output = Command::new(&self.skopeo)
                .args(["--insecure-policy", "copy", "--quiet", "--all"])
                .args(&self.push)
                .arg(format!("oci:{}:index", layout.display()))
                .arg(format!("docker://{}/{repository}:{tag}", self.host))
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        digest
    }

    fn plain(&self, credentials: Credentials) -> Account {
        Account {
            scheme: Scheme::PlainHttp,
            credentials,
            ..Account::anonymous(&self.host)
        }
    }

    fn bot(&self, password: &str) -> Credentials {
        let path = self.folder.path().join(format!("password-{password}"));
        std::fs::write(&path, password).unwrap();
        Credentials::Basic {
            username: "bot".to_owned(),
            password: Secret::File(path),
        }
    }
}

/// A folder in the OCI image layout with an index of one image without layers; the index's digest.
fn write_layout(folder: &Path) -> Digest {
    let blobs = folder.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let blob = |kind: &str, value: serde_json::Value| {
        let bytes = value.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        std::fs::write(blobs.join(&digest.as_str()["sha256:".len()..]), &bytes).unwrap();
        let media_type = format!("application/vnd.oci.image.{kind}.v1+json");
        (
            digest.clone(),
            serde_json::json!({"mediaType": media_type, "digest": digest.as_str(), "size": bytes.len()}),
        )
    };
    let (_, config) = blob(
        "config",
        serde_json::json!({
            "architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []},
        }),
    );
    let (_, mut manifest) = blob(
        "manifest",
        serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [],
        }),
    );
    manifest["platform"] = serde_json::json!({"architecture": "amd64", "os": "linux"});
    let (digest, mut index) = blob(
        "index",
        serde_json::json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [manifest],
        }),
    );
    index["annotations"] = serde_json::json!({"org.opencontainers.image.ref.name": "index"});
    let top = serde_json::json!({"schemaVersion": 2, "manifests": [index]});
    std::fs::write(folder.join("index.json"), top.to_string()).unwrap();
    std::fs::write(
        folder.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
    digest
}

fn tempdir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

async fn tags(account: Account, image: &Image) -> Result<Vec<String>, Error> {
    let client = Client::new(vec![account], Clock::system())?;
    let listing = client
        .tags(image, client.account_for(image, Access::All))
        .await?;
    Ok(listing.tags.iter().map(ToString::to_string).collect())
}

async fn resolve(account: Account, image: &Image, tag: &str) -> Result<Resolved, Error> {
    let client = Client::new(vec![account], Clock::system())?;
    let account = client.account_for(image, Access::All);
    client.resolve(image, account, &tag.parse().unwrap()).await
}

#[tokio::test]
async fn an_open_registry_is_listed_and_resolved() {
    let Some(mut registry) = Registry::start(tempdir(), "", "") else {
        return;
    };
    registry.push = vec!["--dest-tls-verify=false".to_owned()];
    let digest = registry.push("acme/shop", &["1.10.0", "1.9.0", "latest"]);
    let (image, unknown) = (registry.image("acme/shop"), registry.image("acme/none"));
    let account = || registry.plain(Credentials::Anonymous);
    assert_eq!(
        tags(account(), &image).await.unwrap(),
        ["1.10.0", "1.9.0", "latest"]
    );
    let found = resolve(account(), &image, "1.9.0").await.unwrap();
    assert_eq!(found, Resolved::Found(digest));
    assert_eq!(
        resolve(account(), &image, "2.0.0").await.unwrap(),
        Resolved::Missing
    );
    let error = tags(account(), &unknown).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::NotFound { .. })),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_registry_with_passwords_admits_the_right_one() {
    let Some(htpasswd) = parts::need("htpasswd") else {
        return;
    };
    let folder = tempdir();
    let file = folder.path().join("htpasswd");
    let output = Command::new(htpasswd)
        .args(["-Bbn", "bot", "s3cret"])
        .output()
        .unwrap();
    std::fs::write(&file, output.stdout).unwrap();
    let auth = format!(
        "auth: {{htpasswd: {{realm: r, path: '{}'}}}}",
        file.display()
    );
    let Some(mut registry) = Registry::start(folder, "", &auth) else {
        return;
    };
    registry.push = ["--dest-tls-verify=false", "--dest-creds=bot:s3cret"]
        .map(str::to_owned)
        .into();
    let digest = registry.push("acme/shop", &["1.0.0"]);
    let image = registry.image("acme/shop");
    let bot = || registry.plain(registry.bot("s3cret"));
    assert_eq!(tags(bot(), &image).await.unwrap(), ["1.0.0"]);
    assert_eq!(
        resolve(bot(), &image, "1.0.0").await.unwrap(),
        Resolved::Found(digest)
    );
    for (credentials, wanted) in [
        (Credentials::Anonymous, As::Nobody),
        (registry.bot("wrong"), As::User("bot".to_owned())),
    ] {
        let error = tags(registry.plain(credentials), &image).await.unwrap_err();
        assert!(
            matches!(error.fault(), Some(Fault::Unauthorized { who, .. }) if *who == wanted),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_registry_with_its_own_authority_is_trusted_when_configured() {
    let folder = tempdir();
    let at = folder.path().display().to_string();
    write_certificates(folder.path());
    let tls = format!(", tls: {{certificate: '{at}/server.crt', key: '{at}/server.key'}}");
    let Some(mut registry) = Registry::start(folder, &tls, "") else {
        return;
    };
    registry.push = vec![format!("--dest-cert-dir={at}/trusted")];
    let digest = registry.push("acme/shop", &["1.0.0"]);
    let image = registry.image("acme/shop");
    let untrusted = || Account::anonymous(&registry.host);
    let trusted = || Account {
        ca_pem: Some(format!("{at}/trusted/ca.crt").into()),
        ..untrusted()
    };
    assert_eq!(tags(trusted(), &image).await.unwrap(), ["1.0.0"]);
    assert_eq!(
        resolve(trusted(), &image, "1.0.0").await.unwrap(),
        Resolved::Found(digest)
    );
    let error = tags(untrusted(), &image).await.unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::Tls { .. })),
        "{error:?}"
    );
    assert!(!error.is_retryable() && error.hint().unwrap().contains("certificate authority"));
}

/// `server.crt` and `server.key` for loopback, signed by `trusted/ca.crt`.
pub fn write_certificates(folder: &Path) {
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "tests");
    let ca_key = rcgen::KeyPair::generate().unwrap();
    let ca = params.self_signed(&ca_key).unwrap();
    let issuer = rcgen::Issuer::new(params, ca_key);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let server = rcgen::CertificateParams::new(names).unwrap();
    let server = server.signed_by(&key, &issuer).unwrap();
    std::fs::create_dir(folder.join("trusted")).unwrap();
    std::fs::write(folder.join("trusted/ca.crt"), ca.pem()).unwrap();
    std::fs::write(folder.join("server.crt"), server.pem()).unwrap();
    std::fs::write(folder.join("server.key"), key.serialize_pem()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_with_a_token_server_gives_what_the_token_allows() {
    let Some(openssl) = parts::need("openssl") else {
        return;
    };
    let folder = tempdir();
    let tokens = TokenServer::start(&openssl, folder.path()).await;
    let auth = format!(
        "auth: {{token: {{realm: 'http://{}/token', service: {SERVICE}, issuer: {ISSUER}, rootcertbundle: '{}'}}}}",
        tokens.server.host(),
        tokens.certificate.display()
    );
    let Some(mut registry) = Registry::start(folder, "", &auth) else {
        return;
    };
    registry.push = ["--dest-tls-verify=false", "--dest-creds=bot:s3cret"]
        .map(str::to_owned)
        .into();
    let digest = registry.push("acme/shop", &["1.0.0", "1.1.0"]);
    registry.push("public/web", &["2.0.0"]);
    let (private, public) = (registry.image("acme/shop"), registry.image("public/web"));
    let bot = || registry.plain(registry.bot("s3cret"));
    let nobody = || registry.plain(Credentials::Anonymous);
    assert_eq!(tags(bot(), &private).await.unwrap(), ["1.0.0", "1.1.0"]);
    assert_eq!(
        resolve(bot(), &private, "1.1.0").await.unwrap(),
        Resolved::Found(digest)
    );
    assert_eq!(tags(nobody(), &public).await.unwrap(), ["2.0.0"]);
    let error = tags(nobody(), &private).await.unwrap_err();
    assert!(
        matches!(
            error.fault(),
            Some(Fault::Unauthorized {
                who: As::Nobody,
                ..
            })
        ),
        "{error:?}"
    );
    let error = tags(registry.plain(registry.bot("wrong")), &private)
        .await
        .unwrap_err();
    assert!(
        matches!(error.fault(), Some(Fault::TokenRefused { .. })),
        "{error:?}"
    );
    let before = tokens.server.seen().len();
    let client = Client::new(vec![bot()], Clock::system()).unwrap();
    for _ in 0..3 {
        let account = client.account_for(&private, Access::All);
        client.tags(&private, account).await.unwrap();
        client
            .resolve(&private, account, &"1.0.0".parse().unwrap())
            .await
            .unwrap();
    }
    assert_eq!(tokens.server.seen().len(), before + 1);

    let names = ["acme/a", "acme/b", "acme/c", "acme/d", "acme/e"];
    for name in names {
        registry.push(name, &["1.0.0"]);
    }
    let client = Client::new(vec![bot()], Clock::system()).unwrap();
    let company = names.map(|name| registry.image(name));
    let before = tokens.server.seen().len();
    for image in &company {
        let ask = Ask {
            company: &company,
            ..Ask::default()
        };
        let account = client.account_for(image, Access::All);
        let set = client.list(image, account, &ask).await.unwrap();
        assert_eq!(set.listed().len(), 1);
    }
    assert_eq!(tokens.server.seen().len(), before + 1, "one token for all");
}
