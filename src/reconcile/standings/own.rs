//! The service's own commits, told from what they changed alone.
//!
//! Invariant: a commit is taken for what its trailers say only if its author is the service and every site
//! that it changed got a reference that a trailer states. Then it left all other stages as they were, and
//! the rest of the config repo need not be read at that commit.

use std::sync::Arc;

use crate::git::Touched;
use crate::manifest::{FileIndex, Site};
use crate::promotion::Held;
use crate::reconcile::trailer::Trailer;

/// A file that a commit changed, as it was and as it is; none for what is no manifest.
pub(super) struct Pair {
    pub(super) old: Option<Arc<FileIndex>>,
    pub(super) new: Option<Arc<FileIndex>>,
}

/// Those of `trailers` that the changed sites bear out; `None` where a change is not explained by them.
pub(super) fn borne_out<'m>(
    trailers: &[Trailer<'m>],
    touched: &[Touched],
    pairs: &[Pair],
) -> Option<Vec<Trailer<'m>>> {
    if trailers.is_empty() || touched.len() != pairs.len() {
        return None;
    }
    let mut seen = vec![false; trailers.len()];
    for Pair { old, new } in pairs {
        let (old, new) = (old.as_ref()?, new.as_ref()?);
        if old.sites.len() != new.sites.len() || old.pulls != new.pulls {
            return None;
        }
        let changed = old.sites.iter().zip(&new.sites).filter(|(old, new)| {
            let text = |site: &Site| site.reference_text();
            text(old) != text(new) || old.name_text() != new.name_text()
        });
        for (_, site) in changed {
            let mut explained = false;
            for (trailer, seen) in trailers.iter().zip(&mut seen) {
                if states(&trailer.to, site) {
                    (explained, *seen) = (true, true);
                }
            }
            if !explained {
                return None;
            }
        }
    }
    let all = seen.iter().all(|seen| *seen);
    all.then(|| trailers.to_vec())
}

/// Whether a site holds what a trailer states.
fn states(to: &Held, site: &Site) -> bool {
    let tag = site.tag_text();
    let digest = site.digest();
    let same_digest = digest.is_none() || digest == to.digest;
    let same_tag = tag.is_none_or(|tag| tag == to.tag.as_str());
    same_digest && same_tag && (tag.is_some() || digest.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::BlobId;
    use crate::manifest::{Format, index};
    use crate::reconcile::trailer::trailers;

    fn borne(message: &str, files: &[(&str, &str)]) -> Option<usize> {
        let stated: Vec<Trailer<'_>> = trailers(message).collect();
        let index = |text: &str| {
            let there = !text.is_empty();
            there.then(|| Arc::new(index(Format::Yaml, text.as_bytes())))
        };
        let pairs: Vec<Pair> = files
            .iter()
            .map(|(old, new)| Pair {
                old: index(old),
                new: index(new),
            })
            .collect();
        let touched: Vec<Touched> = files
            .iter()
            .map(|(old, new)| Touched {
                path: "a.yaml".into(),
                before: Some(BlobId::of(old.as_bytes())),
                after: Some(BlobId::of(new.as_bytes())),
            })
            .collect();
        borne_out(&stated, &touched, &pairs).map(|found| found.len())
    }

    #[test]
    fn a_commit_is_ours_only_if_its_trailers_explain_all_of_it() {
        let (one, two) = ("image: acme/shop:1.0.0\n", "image: acme/shop:1.1.0\n");
        let shop = "Tagwright-Change: v1 app=shop stage=s image=acme/shop from=1.0.0 to=1.1.0\n";
        let cart = "Tagwright-Change: v1 app=cart stage=s image=acme/cart from=3.0.0 to=4.0.0\n";
        let both = format!("{shop}{cart}");
        for (message, files, expected) in [
            (shop, &[(one, two)][..], Some(1)),
            ("", &[(one, two)], None),
            (shop, &[(two, one)], None),
            (shop, &[(one, two), (one, "image: acme/shop:1.2.0\n")], None),
            (shop, &[(one, "")], None),
            (
                shop,
                &[(one, "image: acme/shop:1.1.0\nb: {image: acme/x:1.0.0}\n")],
                None,
            ),
            (shop, &[(one, "image: acme/other:1.0.0\n")], None),
            (&both, &[(one, two)], None),
            (
                &both,
                &[
                    (one, two),
                    ("image: acme/cart:3.0.0\n", "image: acme/cart:4.0.0\n"),
                ],
                Some(2),
            ),
        ] {
            assert_eq!(borne(message, files), expected, "{message} {files:?}");
        }
    }
}
