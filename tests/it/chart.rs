//! The Helm chart, linted and rendered by the real helm.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::parts;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/tagwright");

/// Every value set to something other than its default.
const FULL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/chart/full.yaml");

/// The real helm with folders of its own, so that it neither reads nor writes the user's.
struct Helm {
    program: PathBuf,
    home: tempfile::TempDir,
}

impl Helm {
    fn find() -> Option<Self> {
        Some(Self {
            program: parts::need("helm")?,
            home: tempfile::tempdir().expect("a temporary folder"),
        })
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(&self.program)
            .args(arguments)
            .env("HELM_CONFIG_HOME", self.home.path())
            .env("HELM_CACHE_HOME", self.home.path())
            .env("HELM_DATA_HOME", self.home.path())
            .output()
            .expect("helm runs")
    }

    /// What `arguments` print.
    fn stdout(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{}", stderr(&output));
        String::from_utf8(output.stdout).expect("helm prints UTF-8")
    }

    /// The rendered objects of a release named `tagwright`.
    fn template(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.stdout(&[&["template", "tagwright", CHART], arguments].concat());
        serde_saphyr::from_multiple(&text).expect("helm renders YAML")
    }

    /// What helm says about values that it refuses.
    fn refusal(&self, values: &str) -> String {
        let file = self.home.path().join("values.yaml");
        std::fs::write(&file, values).expect("the values can be written");
        let output = self.run(&["template", "tagwright", CHART, "-f", path(&file)]);
        assert!(!output.status.success(), "helm took {values}");
        stderr(&output)
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("temporary paths are UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The one object of `kind`.
fn object<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let found: Vec<_> = objects.iter().filter(|o| o["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found[0]
}

/// `tagwright.yaml` as the pod gets it, from the full values.
fn rendered_config(helm: &Helm) -> String {
    let objects = helm.template(&["-f", FULL]);
    object(&objects, "ConfigMap")["data"]["tagwright.yaml"]
        .as_str()
        .expect("the file is text")
        .to_owned()
}

#[test]
fn lint_finds_nothing() {
    let Some(helm) = Helm::find() else { return };
    helm.stdout(&["lint", "--strict", CHART]);
    helm.stdout(&["lint", "--strict", CHART, "-f", FULL]);
}

#[test]
fn a_default_pod_has_no_rights() {
    let Some(helm) = Helm::find() else { return };
    let objects = helm.template(&[]);
    let kinds: Vec<_> = objects.iter().map(|o| o["kind"].as_str()).collect();
    assert_eq!(
        kinds,
        ["ServiceAccount", "ConfigMap", "Service", "Deployment"].map(Some)
    );
    let account = object(&objects, "ServiceAccount");
    assert_eq!(account["automountServiceAccountToken"], false);

    let deployment = &object(&objects, "Deployment")["spec"];
    assert_eq!(deployment["replicas"], 1);
    assert_eq!(deployment["strategy"]["type"], "Recreate");
    let pod = &deployment["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(
        pod["securityContext"]["seccompProfile"]["type"],
        "RuntimeDefault"
    );
    assert_eq!(
        pod["containers"][0]["securityContext"],
        json!({
            "allowPrivilegeEscalation": false,
            "readOnlyRootFilesystem": true,
            "capabilities": {"drop": ["ALL"]},
        })
    );
}

#[test]
fn the_pod_is_wired_to_what_it_needs() {
    let Some(helm) = Helm::find() else { return };
    let objects = helm.template(&["-f", FULL]);
    let pod = &object(&objects, "Deployment")["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    assert_eq!(container["args"], json!(["serve"]));
    assert_eq!(
        container["image"],
        format!(
            "registry.example.com/tools/tagwright@sha256:{}",
            "0123456789abcdef".repeat(4)
        )
    );
    for (probe, path) in [("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")] {
        assert_eq!(
            container[probe]["httpGet"],
            json!({"path": path, "port": "http"})
        );
    }
    assert_eq!(container["ports"][0]["containerPort"], 8080);

    let mounts = container["volumeMounts"].as_array().expect("mounts");
    let source = |place: &str| {
        let mount = mounts.iter().find(|m| m["mountPath"] == place);
        let name = &mount.unwrap_or_else(|| panic!("nothing at {place}"))["name"];
        let volumes = pod["volumes"].as_array().expect("volumes");
        volumes.iter().find(|v| v["name"] == *name).expect("volume")
    };
    assert_eq!(
        source("/etc/tagwright/git")["secret"]["secretName"],
        "tagwright-git"
    );
    assert_eq!(
        source("/etc/tagwright/registries")["secret"]["secretName"],
        "tagwright-registries"
    );
    assert_eq!(
        source("/var/cache/tagwright")["persistentVolumeClaim"]["claimName"],
        "tagwright-cache"
    );
    assert_eq!(
        source("/etc/tagwright-config")["configMap"]["name"],
        "acme-images"
    );
    assert!(source("/tmp")["emptyDir"].is_object());
    let variables = container["env"].as_array().expect("variables");
    assert!(variables.contains(&json!({
        "name": "TEAM_A",
        "valueFrom": {"secretKeyRef": {"name": "team-a", "key": "password"}},
    })));
}

#[test]
fn the_config_is_that_of_the_values() {
    let Some(helm) = Helm::find() else { return };
    let rendered: Value =
        serde_saphyr::from_str(&rendered_config(&helm)).expect("tagwright.yaml is YAML");
    let full = std::fs::read_to_string(FULL).expect("the values can be read");
    let values: Value = serde_saphyr::from_str(&full).expect("the values are YAML");
    let mut expected = values["config"].clone();
    // Beside what else is said of the server.
    expected["server"]["listen"] = json!("0.0.0.0:8080");
    expected["cache"] = json!({"path": "/var/cache/tagwright"});
    assert_eq!(rendered, expected);
}

#[test]
fn another_config_is_another_pod() {
    let Some(helm) = Helm::find() else { return };
    let checksum = |arguments: &[&str]| {
        let objects = helm.template(arguments);
        let template = &object(&objects, "Deployment")["spec"]["template"];
        template["metadata"]["annotations"]["checksum/config"].clone()
    };
    assert!(checksum(&[]).is_string());
    assert_ne!(checksum(&[]), checksum(&["-f", FULL]));
}

#[test]
fn what_is_switched_off_is_not_rendered() {
    let Some(helm) = Helm::find() else { return };
    let objects = helm.template(&["--set", "service.enabled=false,serviceAccount.create=false"]);
    let kinds: Vec<_> = objects.iter().filter_map(|o| o["kind"].as_str()).collect();
    assert_eq!(kinds, ["ConfigMap", "Deployment"]);
    let pod = &object(&objects, "Deployment")["spec"]["template"]["spec"];
    assert_eq!(pod["serviceAccountName"], "default");
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let Some(helm) = Helm::find() else { return };
    for (values, names) in [
        ("service: {port: http}", "port"),
        ("service: {prot: 80}", "prot"),
        ("image: {digest: latest}", "digest"),
        ("image: {repository: 1}", "repository"),
        ("secrets: [tagwright-git]", "secrets"),
        ("secrets: [{name: a, mountPath: etc}]", "mountPath"),
        ("config: {version: 2, repositories: []}", "version"),
        ("config: {version: 1, repositories: {}}", "repositories"),
        ("config: {server: {listen: 0.0.0.0:1}}", "server"),
        ("config: {cache: {path: /tmp}}", "cache"),
        ("replicas: 2", "replicas"),
    ] {
        let words = helm.refusal(values);
        assert!(words.contains(names), "{values}: {words}");
    }
}
