//! The demo's registry against clients that we did not write.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

use std::path::Path;
use std::process::{Command, Output};

use oci_client::client::{Client, ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::secrets::RegistryAuth;
use serde_json::{Value, json};
use tagwright::demo::registry::{Auth, Faults, ImageSpec, Login, Registry};
use tagwright::image::Digest;

use crate::parts;

/// An OCI image layout (image spec v1.1) holding one two-platform image, tagged `6.2.0`.
struct Layout(tempfile::TempDir);

impl Layout {
    fn new() -> Self {
        let layout = Self(tempfile::tempdir().unwrap());
        layout.file("oci-layout", br#"{"imageLayoutVersion": "1.0.0"}"#);
        let manifests: Vec<Value> = ["amd64", "arm64"].map(|arch| layout.image(arch)).into();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": manifests,
        });
        let mut entry = layout.blob("application/vnd.oci.image.index.v1+json", &index);
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": "6.2.0"});
        let top = json!({"schemaVersion": 2, "manifests": [entry]});
        layout.file("index.json", top.to_string().as_bytes());
        layout
    }

    /// Writes a platform's parts and returns its entry in the index.
    fn image(&self, arch: &str) -> Value {
        let layer = format!("the layer of {arch}");
        let digest = self.bytes(layer.as_bytes());
        let config = self.blob(
            "application/vnd.oci.image.config.v1+json",
            &json!({
                "architecture": arch,
                "os": "linux",
                "created": "2026-03-01T12:00:00Z",
                "config": {"Labels": {"team": "shop"}},
                "rootfs": {"type": "layers", "diff_ids": [digest.as_str()]},
            }),
        );
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config,
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": digest.as_str(),
                "size": layer.len(),
            }],
        });
        let mut entry = self.blob("application/vnd.oci.image.manifest.v1+json", &manifest);
        entry["platform"] = json!({"os": "linux", "architecture": arch});
        entry
    }

    /// Writes a JSON blob and returns its descriptor.
    fn blob(&self, media_type: &str, body: &Value) -> Value {
        let body = body.to_string();
        let digest = self.bytes(body.as_bytes());
        json!({"mediaType": media_type, "digest": digest.as_str(), "size": body.len()})
    }

    fn bytes(&self, body: &[u8]) -> Digest {
        let digest = Digest::of(body);
        let hex = digest.as_str().trim_start_matches("sha256:");
        self.file(&format!("blobs/sha256/{hex}"), body);
        digest
    }

    fn file(&self, path: &str, body: &[u8]) {
        let file = self.0.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, body).unwrap();
    }

    fn source(&self) -> String {
        format!("oci:{}:6.2.0", self.0.path().display())
    }

    /// The digest that the layout gives its image.
    fn digest(&self) -> String {
        let top = std::fs::read(self.0.path().join("index.json")).unwrap();
        let top: Value = serde_json::from_slice(&top).unwrap();
        top["manifests"][0]["digest"].as_str().unwrap().to_owned()
    }
}

/// Runs skopeo without any of the machine's own configuration.
fn skopeo(program: &Path, home: &Path, arguments: &[&str]) -> Output {
    Command::new(program)
        .env_clear()
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", home)
        .arg("--insecure-policy")
        .args(arguments)
        .output()
        .unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn skopeo_pushes_lists_inspects_and_deletes() {
    let Some(program) = parts::need("skopeo") else {
        return;
    };
    let layout = Layout::new();
    let home = layout.0.path();
    let registry = Registry::start().unwrap();
    let image = format!("docker://{}/acme/shop:6.2.0", registry.host());
    let copy = [
        "copy",
        "--all",
        "--preserve-digests",
        "--dest-tls-verify=false",
    ];
    let copied = skopeo(
        program.as_path(),
        home,
        &[&copy[..], &[&layout.source(), &image]].concat(),
    );
    let errors = String::from_utf8_lossy(&copied.stderr);
    assert!(copied.status.success(), "{errors}");
    let digest = registry.digest("acme/shop", "6.2.0").unwrap();
    assert_eq!(digest.as_str(), layout.digest());

    let seen = json_of(&skopeo(
        &program,
        home,
        &["inspect", "--tls-verify=false", &image],
    ));
    assert_eq!(seen["Digest"], digest.as_str());
    assert_eq!(seen["Labels"]["team"], "shop");
    assert_eq!(seen["Created"], "2026-03-01T12:00:00Z");
    assert_eq!(seen["RepoTags"], json!(["6.2.0"]));

    let deleted = skopeo(&program, home, &["delete", "--tls-verify=false", &image]);
    assert!(deleted.status.success());
    assert_eq!(registry.digest("acme/shop", "6.2.0"), None);
}

#[test]
fn skopeo_reads_our_images_and_copies_them_out_again() {
    let Some(program) = parts::need("skopeo") else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let registry = Registry::start().unwrap();
    let created = "2026-03-01T12:00:00Z".parse().unwrap();
    let spec = ImageSpec::new(created, "6.1.9").label("team", "shop");
    registry.push("acme/shop", "6.1.9", &spec);
    let image = format!("docker://{}/acme/shop:6.1.9", registry.host());
    let seen = json_of(&skopeo(
        &program,
        home.path(),
        &["inspect", "--tls-verify=false", &image],
    ));
    assert_eq!(seen["Digest"], spec.digest().as_str());
    assert_eq!(seen["Created"], "2026-03-01T12:00:00Z");
    assert_eq!(seen["Labels"]["team"], "shop");

    let target = format!("oci:{}:x", home.path().join("out").display());
    let copied = skopeo(
        &program,
        home.path(),
        &["copy", "--all", "--src-tls-verify=false", &image, &target],
    );
    let errors = String::from_utf8_lossy(&copied.stderr);
    assert!(copied.status.success(), "{errors}");
}

#[test]
fn skopeo_signs_in() {
    let Some(program) = parts::need("skopeo") else {
        return;
    };
    let layout = Layout::new();
    let registry = Registry::start().unwrap();
    let image = format!("docker://{}/acme/shop:6.2.0", registry.host());
    let login = || Login::new("bot", "s3cret");
    let bearer = Auth::Bearer {
        login: login(),
        anonymous: false,
        lifetime: jiff::SignedDuration::from_mins(5),
        clock: tagwright::clock::Clock::system(),
    };
    for auth in [Auth::Basic(login()), bearer] {
        registry.set_faults(Faults {
            auth,
            ..Faults::default()
        });
        for (credentials, accepted) in [("bot:wrong", false), ("bot:s3cret", true)] {
            let copied = skopeo(
                &program,
                layout.0.path(),
                &[
                    "copy",
                    "--all",
                    "--preserve-digests",
                    "--dest-tls-verify=false",
                    "--dest-creds",
                    credentials,
                    &layout.source(),
                    &image,
                ],
            );
            assert_eq!(copied.status.success(), accepted, "{credentials}");
        }
    }
}

#[tokio::test]
async fn an_oci_client_fills_it() {
    let registry = Registry::start().unwrap();
    // The client's builder needs a TLS provider even for plain HTTP; ours installs it.
    tagwright::http::client(&tagwright::http::Options::default()).unwrap();
    let client = Client::try_from(ClientConfig {
        protocol: ClientProtocol::Http,
        ..ClientConfig::default()
    })
    .unwrap();
    let image = format!("{}/acme/cart:2.4.1", registry.host());
    let image = image.parse().unwrap();
    let layers = [ImageLayer::oci_v1("layer", None)];
    let config = Config::oci_v1(
        br#"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
            .to_vec(),
        None,
    );
    let auth = RegistryAuth::Anonymous;
    client
        .push(&image, &layers, config, &auth, None)
        .await
        .unwrap();
    let digest = client.fetch_manifest_digest(&image, &auth).await.unwrap();
    let stored = registry.digest("acme/cart", "2.4.1").unwrap();
    assert_eq!(digest, stored.as_str());
    let tags = client.list_tags(&image, &auth, Some(10), None).await;
    assert_eq!(tags.unwrap().tags, ["2.4.1"]);
    let referrers = client
        .pull_referrers(&image.clone_with_digest(digest), None)
        .await;
    assert!(referrers.unwrap().manifests.is_empty());
}
