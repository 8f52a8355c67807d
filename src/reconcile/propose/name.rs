//! Names for apps.
//!
//! Invariant: each name is valid and given once, and none is that of an app that is there already.

use std::collections::BTreeSet;

use crate::config::Name;
use crate::image::Image;

/// Longest name that is proposed, in characters: room is left for what tells it from others.
const MAX_LENGTH: usize = 50;

/// The names that are gone.
pub(super) struct Names(BTreeSet<String>);

impl Names {
    /// These names are taken.
    pub(super) fn taken<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self(names.map(str::to_owned).collect())
    }

    /// A name for an app of `image`: the wanted one, or the last part of the repository with as much
    /// before it as tells it from others.
    pub(super) fn pick(&mut self, wanted: Option<&str>, image: &Image) -> String {
        let parts: Vec<&str> = std::iter::once(image.registry())
            .chain(image.repository().split('/'))
            .collect();
        let longer = (1..=parts.len()).map(|count| parts[parts.len() - count..].join("-"));
        let candidates = wanted.map(str::to_owned).into_iter().chain(longer);
        let mut candidates = candidates.map(|text| name_of(&text)).collect::<Vec<_>>();
        let last = candidates.last().cloned().unwrap_or_default();
        // Names are finite, so one of these is free.
        candidates.extend((2..=self.0.len() + 2).map(|number| format!("{last}-{number}")));
        let free = candidates.into_iter().find(|name| !self.0.contains(name));
        let name = free.unwrap_or(last);
        self.0.insert(name.clone());
        name
    }
}

/// A text as a name: what can't be in one is a dash.
pub(super) fn name_of(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        let c = c.to_ascii_lowercase();
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(MAX_LENGTH);
    let name = name.trim_end_matches('-');
    match name.parse::<Name>() {
        Ok(name) => name.to_string(),
        Err(_) => "app".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_valid_and_given_once() {
        let mut names = Names::taken(["cart"].into_iter());
        for (wanted, image, name) in [
            (None, "ghcr.io/acme/shop", "shop"),
            (None, "ghcr.io/other/shop", "other-shop"),
            (None, "quay.io/other/shop", "quay-io-other-shop"),
            (None, "ghcr.io/acme/cart", "acme-cart"),
            (Some("checkout"), "ghcr.io/acme/pay", "checkout"),
            (Some("checkout"), "ghcr.io/acme/bill", "bill"),
            (None, "nginx", "nginx"),
            (None, "reg.example:5000/a_b.c/d__e", "d-e"),
            (None, "reg.example:5000/a_b.c/d-e", "a-b-c-d-e"),
            (Some("shop"), "ghcr.io/acme/shop", "acme-shop"),
            (Some("shop"), "ghcr.io/acme/shop", "ghcr-io-acme-shop"),
            (Some("shop"), "ghcr.io/acme/shop", "ghcr-io-acme-shop-2"),
            (Some("shop"), "ghcr.io/acme/shop", "ghcr-io-acme-shop-3"),
        ] {
            let image: Image = image.parse().unwrap();
            assert_eq!(names.pick(wanted, &image), name, "{wanted:?} {image}");
        }
        let long = "a".repeat(200);
        assert_eq!(name_of(&long).len(), MAX_LENGTH);
        assert_eq!(name_of("--"), "app");
        assert_eq!(name_of("Prod_EU"), "prod-eu");
    }
}
