//! Where a person's clone comes from.
//!
//! Invariant: nothing in the clone is changed, and a URL with credentials in it is none.

use std::path::Path;

use git2::Repository;

use super::RemoteUrl;

/// Where a clone comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The URL of its remote `origin`, if it has one that a service could use.
    pub url: Option<RemoteUrl>,
    /// The branch that is checked out, born or not.
    pub branch: Option<String>,
}

/// Where the clone at `folder` comes from; `None` if it is none.
pub fn origin(folder: &Path) -> Option<Origin> {
    let repository = Repository::open(folder).ok()?;
    let remote = repository.find_remote("origin").ok();
    let url = remote.and_then(|remote| remote.url().ok()?.parse().ok());
    let head = repository.find_reference("HEAD").ok();
    let branch = head.and_then(|head| {
        let target = head.symbolic_target().ok()??;
        target.strip_prefix("refs/heads/").map(str::to_owned)
    });
    Some(Origin { url, branch })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_tells_its_remote_and_branch() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(origin(folder.path()), None);
        let repository = Repository::init(folder.path()).unwrap();
        repository.set_head("refs/heads/trunk").unwrap();
        let branch = Some("trunk".to_owned());
        let alone = Origin { url: None, branch };
        assert_eq!(origin(folder.path()), Some(alone.clone()));
        for (url, usable) in [
            ("https://git.example.com/acme/fleet.git", true),
            ("git@git.example.com:acme/fleet.git", true),
            ("https://ada:secret@git.example.com/acme/fleet.git", false),
        ] {
            repository.remote_delete("origin").ok();
            repository.remote("origin", url).unwrap();
            let found = origin(folder.path()).unwrap();
            assert_eq!(found.url.is_some(), usable, "{url}");
        }
    }
}
