//! What receivers are sent.
//!
//! Invariant: pure; a body is bounded, however much was pushed.

use serde_json::json;

use super::Pushed;

/// Most files that are named. Argo CD refreshes all of a repository's applications where none is.
const MOST_FILES: usize = 3000;

/// `{repository, branch, before, after}`.
pub(super) fn plain(pushed: &Pushed) -> String {
    let Pushed {
        repository,
        branch,
        before,
        after,
        ..
    } = pushed;
    json!({"repository": repository, "branch": branch, "before": before, "after": after})
        .to_string()
}

/// What Argo CD reads of GitHub's push event ("Webhook events and payloads", docs.github.com).
pub(super) fn github_push(pushed: &Pushed) -> String {
    let url = web_url(&pushed.repository);
    let files: Vec<&str> = match pushed.files.len() {
        0..=MOST_FILES => pushed.files.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    };
    json!({
        "ref": format!("refs/heads/{}", pushed.branch),
        "before": pushed.before,
        "after": pushed.after,
        // The branch is compared with it; an application that follows the default branch by another
        // name than this one looks by itself.
        "repository": {"html_url": url, "default_branch": pushed.branch},
        "commits": [{"id": pushed.after, "added": [], "removed": [], "modified": files}],
    })
    .to_string()
}

/// A repository's page: Argo CD compares host and path with those of its applications, whatever the
/// scheme, user and ending.
fn web_url(repository: &str) -> String {
    let Some((_, rest)) = repository.split_once("://") else {
        return repository.to_owned();
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // A port of SSH is none of the web's.
    let host = match repository.starts_with("ssh:") {
        true => host.rsplit_once(':').map_or(host, |(host, _)| host),
        false => host,
    };
    format!("https://{host}/{}", path.trim_end_matches(".git"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(files: usize) -> Pushed {
        Pushed {
            repository: "ssh://git@git.example.com:2222/acme/fleet.git".to_owned(),
            branch: "main".to_owned(),
            before: "a".to_owned(),
            after: "b".to_owned(),
            files: (0..files).map(|n| format!("f{n}")).collect(),
        }
    }

    #[test]
    fn a_repository_has_a_page() {
        for (url, page) in [
            (
                "https://h.example/acme/fleet.git",
                "https://h.example/acme/fleet",
            ),
            ("http://h.example:3000/a/b", "https://h.example:3000/a/b"),
            ("ssh://git@h.example:2222/a/b.git", "https://h.example/a/b"),
            ("ssh://h.example/a/b", "https://h.example/a/b"),
            ("/srv/fleet.git", "/srv/fleet.git"),
        ] {
            assert_eq!(web_url(url), page);
        }
    }

    #[test]
    fn a_body_is_bounded() {
        let files = |count| {
            let body: serde_json::Value =
                serde_json::from_str(&github_push(&pushed(count))).unwrap();
            body["commits"][0]["modified"].as_array().unwrap().len()
        };
        assert_eq!(
            [files(2), files(MOST_FILES), files(MOST_FILES + 1)],
            [2, MOST_FILES, 0]
        );
    }

    #[test]
    fn two_pushes_are_one() {
        let later = Pushed {
            before: "b".to_owned(),
            after: "c".to_owned(),
            files: ["g".to_owned()].into(),
            ..pushed(0)
        };
        let both = pushed(1).and(later);
        assert_eq!((both.before.as_str(), both.after.as_str()), ("a", "c"));
        assert_eq!(both.files.len(), 2);
    }
}
