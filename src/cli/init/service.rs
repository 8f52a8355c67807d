//! The service file that `init` writes: enough to plan with, writing nothing yet.
//!
//! Invariant: what is written is a valid configuration.

use std::collections::BTreeSet;
use std::path::Path;

use crate::config::{self, Name, SERVICE_MODELINE};
use crate::git;
use crate::reconcile::propose::scalar;

/// What stands for a URL that isn't known.
const PLACEHOLDER: &str = "https://git.example.com/acme/fleet.git";

/// A service file for the repo at `root`, whose app files are in `policies` and watch images of
/// `registries`.
pub fn text(root: &Path, policies: &str, registries: &BTreeSet<&str>) -> String {
    let origin = git::origin(root);
    let url = origin
        .as_ref()
        .and_then(|origin| origin.url.as_ref())
        .map(ToString::to_string);
    let branch = origin.and_then(|origin| origin.branch);
    let branch = branch.as_deref().unwrap_or("main");
    url.map(|url| written(&url, branch, policies, registries))
        .filter(|text| config::service("tagwright.yaml", text).value.is_some())
        .unwrap_or_else(|| written(PLACEHOLDER, "main", policies, registries))
}

fn written(url: &str, branch: &str, policies: &str, registries: &BTreeSet<&str>) -> String {
    let name = url.trim_end_matches('/').rsplit(['/', ':']).next();
    let name = name.unwrap_or_default().trim_end_matches(".git");
    let name = match name.to_ascii_lowercase().parse::<Name>() {
        Ok(name) => name.to_string(),
        Err(_) => "fleet".to_owned(),
    };
    let known = match url {
        PLACEHOLDER => "    # Where this repository is.\n",
        _ => "",
    };
    let ssh = url.starts_with("ssh://") || !url.contains("://") && url.contains('@');
    let credentials = if ssh {
        "    credentials:\n      sshKey: {file: /etc/tagwright/id_ed25519}\n      \
         knownHosts: {file: /etc/tagwright/known_hosts}\n"
    } else {
        "    # credentials: {token: {file: /etc/tagwright/token}}\n"
    };
    let hosts: String = registries
        .iter()
        .map(|host| {
            let host = scalar(host);
            format!(
                "#   - {{host: {host}, credentials: {{dockerConfig: {{file: \
                 /etc/tagwright/.dockerconfigjson}}}}}}\n"
            )
        })
        .collect();
    let policies = format!("{policies}/");
    let [name, url, branch, policies] = [&name, url, branch, &policies].map(scalar);
    format!(
        "{SERVICE_MODELINE}\nversion: 1\nrepositories:\n  - name: {name}\n{known}    \
         url: {url}\n    branch: {branch}\n    policies: [{policies}]\n{credentials}    \
         # Plans and shows, and writes nothing; `direct` pushes to the branch.\n    \
         push: {{mode: off}}\n# Registries are asked as nobody unless they are listed:\n\
         # registries:\n{hosts}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_url_gives_a_valid_file() {
        for (url, name) in [
            ("https://git.example.com/acme/fleet.git", "fleet"),
            ("git@git.example.com:acme/Apps.git", "apps"),
            ("ssh://git@git.example.com/acme/my_repo.git", "fleet"),
            ("/srv/config.git", "config"),
        ] {
            let hosts = BTreeSet::from(["ghcr.io", "localhost:5000"]);
            let text = written(url, "feature/x", "policies", &hosts);
            let loaded = config::service("tagwright.yaml", &text);
            assert_eq!(loaded.diagnostics, [], "{text}");
            let service = loaded.value.unwrap();
            assert_eq!(service.repositories[0].name.as_str(), name);
            assert_eq!(service.repositories[0].push, config::PushMode::Off);
            // The commented lines are what they say.
            let all = text
                .replace("# registries:", "registries:")
                .replace("#   - ", "  - ");
            let loaded = config::service("tagwright.yaml", &all);
            assert_eq!(loaded.value.unwrap().registries.len(), 2, "{all}");
        }
    }

    #[test]
    fn a_folder_that_is_no_clone_gets_a_placeholder() {
        let folder = tempfile::tempdir().unwrap();
        let text = text(folder.path(), "policies", &BTreeSet::new());
        assert!(text.contains(PLACEHOLDER), "{text}");
        assert!(config::service("tagwright.yaml", &text).value.is_some());
    }
}
