//! The pages of forges on which people open a pull request by hand.
//!
//! Invariant: a page is of the host that the repository is fetched from, and has nothing secret in it.

use reqwest::Url;

use super::{Address, Kind};

impl Address {
    /// The page on which a pull request from `branch` to `base` is opened; `None` where no URL can be made.
    ///
    /// Sources: docs.github.com "Using query parameters to create a pull request"; docs.gitlab.com
    /// "Creating merge requests", "Create a merge request from a URL"; Gitea's and Forgejo's `compare`; the
    /// links that Bitbucket prints for a pushed branch; learn.microsoft.com "Create pull requests", whose
    /// page is `pullrequestcreate`.
    pub fn proposal(&self, kind: Kind, branch: &str, base: &str) -> Option<Url> {
        let repository = self.repository(kind);
        let root = self.root(kind)?;
        let parts: Vec<&str> = repository.split('/').collect();
        let (before, after): (&[&str], &[&str]) = match (kind, &parts[..]) {
            (Kind::GitLab, _) => (&parts, &["-", "merge_requests", "new"]),
            (Kind::BitbucketCloud, _) => (&parts, &["pull-requests", "new"]),
            (Kind::BitbucketDataCenter, [project, name]) => {
                (&["projects", project, "repos", name], &["pull-requests"])
            }
            (Kind::AzureDevOps, [organisation, project, name]) => (
                &[organisation, project, "_git", name],
                &["pullrequestcreate"],
            ),
            (Kind::GitHub | Kind::Gitea, _) => (&parts, &["compare"]),
            _ => return None,
        };
        let mut url = root;
        {
            let mut path = url.path_segments_mut().ok()?;
            path.pop_if_empty().extend(before).extend(after);
            if matches!(kind, Kind::GitHub | Kind::Gitea) {
                // Slashes of branches stay slashes there.
                path.extend(format!("{base}...{branch}").split('/'));
            }
        }
        let full = |name: &str| format!("refs/heads/{name}");
        let query: Vec<(&str, String)> = match kind {
            Kind::GitHub => vec![("expand", "1".to_owned())],
            Kind::Gitea => Vec::new(),
            Kind::GitLab => vec![
                ("merge_request[source_branch]", branch.to_owned()),
                ("merge_request[target_branch]", base.to_owned()),
            ],
            Kind::BitbucketCloud => vec![("source", branch.to_owned())],
            Kind::BitbucketDataCenter => vec![
                ("create", String::new()),
                ("sourceBranch", full(branch)),
                ("targetBranch", full(base)),
            ],
            Kind::AzureDevOps => vec![
                ("sourceRef", branch.to_owned()),
                ("targetRef", base.to_owned()),
            ],
        };
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Some(url)
    }

    /// Where the pages of a forge of this kind begin.
    fn root(&self, kind: Kind) -> Option<Url> {
        if kind == Kind::AzureDevOps && self.is_azure() {
            return Url::parse("https://dev.azure.com").ok();
        }
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let before = match kind {
            // The collection and the project are in the repository's path.
            Kind::AzureDevOps => String::new(),
            _ => self.before(kind),
        };
        Url::parse(&format!("{}://{}{port}{before}", self.scheme, self.host)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_forge_has_its_page() {
        use Kind::*;
        for (url, kind, page) in [
            (
                "git@github.com:acme/fleet.git",
                GitHub,
                "https://github.com/acme/fleet/compare/main...aside/shop-1?expand=1",
            ),
            (
                "https://gitlab.example.com:8443/acme/sub/fleet",
                GitLab,
                "https://gitlab.example.com:8443/acme/sub/fleet/-/merge_requests/new\
                 ?merge_request%5Bsource_branch%5D=aside%2Fshop-1&merge_request%5Btarget_branch%5D=main",
            ),
            (
                "https://ada:secret@codeberg.org/acme/fleet.git",
                Gitea,
                "https://codeberg.org/acme/fleet/compare/main...aside/shop-1",
            ),
            (
                "git@bitbucket.org:acme/fleet.git",
                BitbucketCloud,
                "https://bitbucket.org/acme/fleet/pull-requests/new?source=aside%2Fshop-1",
            ),
            (
                "https://stash.example.com/git/scm/ops/fleet.git",
                BitbucketDataCenter,
                "https://stash.example.com/git/projects/ops/repos/fleet/pull-requests\
                 ?create=&sourceBranch=refs%2Fheads%2Faside%2Fshop-1&targetBranch=refs%2Fheads%2Fmain",
            ),
            (
                "git@ssh.dev.azure.com:v3/acme/my%20shop/fleet",
                AzureDevOps,
                "https://dev.azure.com/acme/my%20shop/_git/fleet/pullrequestcreate\
                 ?sourceRef=aside%2Fshop-1&targetRef=main",
            ),
        ] {
            let address = Address::of(url).unwrap();
            let made = address.proposal(kind, "aside/shop-1", "main").unwrap();
            assert_eq!(made.as_str(), page);
        }
        let short = Address::of("https://bitbucket.example.com/fleet").unwrap();
        assert_eq!(short.proposal(BitbucketDataCenter, "a", "b"), None);
    }
}
