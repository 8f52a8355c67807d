//! The address at which a forge shows what changed between two revisions.
//!
//! Invariant: it is made of an `https` address with a plain host and path and of two revisions in
//! hexadecimal, so nothing that an image says of itself can make it lead elsewhere or add to the message.
//! Where that can't be had there is no link, rather than one that may be wrong.
//!
//! Sources: the forges' own pages. GitHub and Gitea `compare/A...B`; GitLab `-/compare/A...B`; Bitbucket
//! Cloud `branches/compare/B%0DA`, the newer first; Bitbucket Data Center
//! `compare/commits?sourceBranch=B&targetBranch=A`; Azure DevOps
//! `branchCompare?baseVersion=GCA&targetVersion=GCB`.

use crate::reconcile::observe::BuiltFrom;

/// Most folders in an address.
const MAX_DEPTH: usize = 12;

/// Where to see what changed from `old` to `new`; `None` where they don't say, or say the same.
pub fn compare(old: &BuiltFrom, new: &BuiltFrom) -> Option<String> {
    let place = Place::of(new.source.as_deref()?)?;
    if let Some(before) = &old.source
        && Place::of(before)? != place
    {
        return None;
    }
    let (from, to) = (revision(old)?, revision(new)?);
    (from != to).then(|| place.compare(&from, &to))
}

/// A full or shortened commit id.
fn revision(built: &BuiltFrom) -> Option<String> {
    let text = built.revision.as_deref()?;
    let is_id = (7..=64).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_hexdigit());
    is_id.then(|| text.to_ascii_lowercase())
}

/// A repository on a forge.
#[derive(Debug, PartialEq, Eq)]
struct Place<'t> {
    host: &'t str,
    folders: Vec<&'t str>,
}

impl<'t> Place<'t> {
    fn of(source: &'t str) -> Option<Self> {
        let rest = source.strip_prefix("https://")?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let rest = rest.strip_suffix(".git").unwrap_or(rest);
        let mut parts = rest.split('/');
        let host = parts.next()?;
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        let label = |label: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
            !label.is_empty() && label.chars().all(plain)
        };
        let digits = (1..=5).contains(&port.len()) && port.bytes().all(|c| c.is_ascii_digit());
        let folders: Vec<&str> = parts.collect();
        let folder = |text: &&str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
            !text.is_empty() && !text.starts_with('.') && text.chars().all(plain)
        };
        let valid = name.split('.').all(label)
            && digits
            && (2..=MAX_DEPTH).contains(&folders.len())
            && folders.iter().all(folder);
        valid.then_some(Self { host, folders })
    }

    fn compare(&self, from: &str, to: &str) -> String {
        let Self { host, folders } = self;
        let path = folders.join("/");
        let is = |name: &str| host.split(['.', ':']).any(|label| label == name);
        match folders.as_slice() {
            [.., "_git", _] => format!(
                "https://{host}/{path}/branchCompare?baseVersion=GC{from}&targetVersion=GC{to}"
            ),
            ["scm", project, name] | ["projects", project, "repos", name] => format!(
                "https://{host}/projects/{project}/repos/{name}/compare/commits?sourceBranch={to}&targetBranch={from}"
            ),
            _ if *host == "bitbucket.org" => {
                format!("https://{host}/{path}/branches/compare/{to}%0D{from}")
            }
            _ if is("gitlab") => format!("https://{host}/{path}/-/compare/{from}...{to}"),
            _ => format!("https://{host}/{path}/compare/{from}...{to}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "0123456789012345678901234567890123456789";
    const NEW: &str = "ABCDEFabcdef0123456789012345678901234567";

    fn built(source: &str, revision: &str) -> BuiltFrom {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        BuiltFrom {
            source: text(source),
            revision: text(revision),
        }
    }

    #[test]
    fn each_forge_has_its_own_address() {
        let new = NEW.to_ascii_lowercase();
        for (source, expected) in [
            (
                "https://github.com/acme/shop",
                format!("https://github.com/acme/shop/compare/{OLD}...{new}"),
            ),
            (
                "https://github.com/acme/shop.git",
                format!("https://github.com/acme/shop/compare/{OLD}...{new}"),
            ),
            (
                "https://gitlab.com/acme/a/shop/",
                format!("https://gitlab.com/acme/a/shop/-/compare/{OLD}...{new}"),
            ),
            (
                "https://gitlab.example.com:8443/a/b",
                format!("https://gitlab.example.com:8443/a/b/-/compare/{OLD}...{new}"),
            ),
            (
                "https://codeberg.org/acme/shop",
                format!("https://codeberg.org/acme/shop/compare/{OLD}...{new}"),
            ),
            (
                "https://bitbucket.org/acme/shop",
                format!("https://bitbucket.org/acme/shop/branches/compare/{new}%0D{OLD}"),
            ),
            (
                "https://bitbucket.example.com/scm/ac/shop.git",
                format!(
                    "https://bitbucket.example.com/projects/ac/repos/shop/compare/commits?sourceBranch={new}&targetBranch={OLD}"
                ),
            ),
            (
                "https://dev.azure.com/acme/p/_git/shop",
                format!(
                    "https://dev.azure.com/acme/p/_git/shop/branchCompare?baseVersion=GC{OLD}&targetVersion=GC{new}"
                ),
            ),
        ] {
            let link = compare(&built(source, OLD), &built(source, NEW));
            assert_eq!(link.as_deref(), Some(&*expected), "{source}");
        }
        let source = "https://github.com/acme/shop";
        assert!(compare(&built("", OLD), &built(source, NEW)).is_some());
    }

    #[test]
    fn what_may_be_wrong_is_no_link() {
        let good = "https://github.com/acme/shop";
        for source in [
            "http://github.com/acme/shop",
            "git@github.com:acme/shop.git",
            "https://ada:secret@github.com/acme/shop",
            "https://github.com/acme/shop?x=1",
            "https://github.com/acme/shop#x",
            "https://github.com/acme/sh op",
            "https://github.com/acme/shop\nTagwright-Change: v1",
            "https://github.com/acme/%2e%2e/shop",
            "https://github.com/acme/../shop",
            "https://github.com/acme//shop",
            "https://github.com/acme",
            "https://github.com:x/acme/shop",
            "https://github..com/acme/shop",
            "https:///acme/shop",
            "https://g\u{202e}ithub.com/acme/shop",
            "",
        ] {
            assert_eq!(
                compare(&built(source, OLD), &built(source, NEW)),
                None,
                "{source}"
            );
        }
        for (old, new) in [
            (built(good, OLD), built(good, OLD)),
            (built(good, ""), built(good, NEW)),
            (built(good, OLD), built(good, "")),
            (built(good, "main"), built(good, NEW)),
            (built(good, OLD), built(good, "../../x")),
            (
                built("https://github.com/other/shop", OLD),
                built(good, NEW),
            ),
            (built(good, OLD), built("", NEW)),
        ] {
            assert_eq!(compare(&old, &new), None, "{old:?} {new:?}");
        }
    }
}
