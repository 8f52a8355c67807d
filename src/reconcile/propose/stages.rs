//! Stages from the folders that files are in.
//!
//! A folder names an environment if it is a word for one (`staging`, `prod`), such a word with a
//! region or the app's name (`prod-eu-west-1`, `shop-staging`), or if it is below a folder of
//! environments (`overlays/canary`, `clusters/tools`). Where no folder does, the file's own name may
//! (`values-staging.yaml`).
//!
//! Invariant: the paths of two stages have no file in common, since each is the first folder of a
//! file's path that names an environment, with all below it, or a file in none of them.

use std::collections::{BTreeMap, BTreeSet};

use super::DraftStage;
use super::name::name_of;
use crate::reconcile::claims::SiteRef;

/// Words for environments, with their place on the way to production; those that also mean other
/// things count only by themselves.
const WORDS: [(&str, u8, Means); 28] = [
    ("local", 0, Means::Alone),
    ("sandbox", 0, Means::Alone),
    ("dev", 0, Means::Always),
    ("develop", 0, Means::Alone),
    ("development", 0, Means::Always),
    ("ci", 1, Means::Alone),
    ("int", 1, Means::Alone),
    ("integration", 1, Means::Alone),
    ("preview", 1, Means::Alone),
    ("test", 1, Means::Always),
    ("testing", 1, Means::Always),
    ("tst", 1, Means::Always),
    ("qa", 1, Means::Always),
    ("acc", 2, Means::Alone),
    ("acceptance", 2, Means::Always),
    ("uat", 2, Means::Always),
    ("stage", 2, Means::Always),
    ("staging", 2, Means::Always),
    ("stg", 2, Means::Always),
    ("preprod", 3, Means::Always),
    ("preproduction", 3, Means::Always),
    ("canary", 3, Means::Alone),
    ("demo", 3, Means::Alone),
    ("live", 4, Means::Alone),
    ("prd", 4, Means::Always),
    ("prod", 4, Means::Always),
    ("production", 4, Means::Always),
    ("dr", 5, Means::Alone),
];

/// Where a word counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Also among other words.
    Always,
    /// By itself only.
    Alone,
}

/// The place of an environment whose name is no known word: before production.
const UNKNOWN: u8 = 3;

/// Folders of environments.
const HOLDERS: [&str; 8] = [
    "overlays",
    "overlay",
    "environments",
    "environment",
    "envs",
    "env",
    "clusters",
    "stages",
];

/// Words that may stand beside one for an environment.
const BESIDES: [&str; 22] = [
    "pre",
    "non",
    "us",
    "eu",
    "ap",
    "asia",
    "uk",
    "emea",
    "apac",
    "east",
    "west",
    "north",
    "south",
    "central",
    "northeast",
    "southeast",
    "cluster",
    "env",
    "values",
    "k8s",
    "blue",
    "green",
];

/// The stages of an app, and the sites outside all of them.
#[derive(Debug, Default)]
pub(super) struct Guess {
    pub(super) stages: Vec<DraftStage>,
    pub(super) rest: Vec<SiteRef>,
}

/// The stages of the app `app`, whose sites are in these files.
pub(super) fn guess<'p>(app: &str, sites: impl Iterator<Item = (&'p str, SiteRef)>) -> Guess {
    let mut stages: BTreeMap<(u8, String), BTreeSet<String>> = BTreeMap::new();
    let mut rest = Vec::new();
    for (path, site) in sites {
        match environment(app, path) {
            Some(found) => {
                let stage = stages.entry((found.place, found.name)).or_default();
                stage.insert(found.glob);
            }
            None => rest.push(site),
        }
    }
    if stages.is_empty() {
        // One stage over the whole repo, whatever its folders are.
        return Guess {
            stages: vec![DraftStage {
                name: "default".to_owned(),
                ..DraftStage::default()
            }],
            rest: Vec::new(),
        };
    }
    let stages = stages
        .into_iter()
        .map(|((_, name), paths)| DraftStage {
            name,
            paths,
            ..DraftStage::default()
        })
        .collect();
    Guess { stages, rest }
}

/// An environment that a path names.
#[derive(Debug, PartialEq, Eq)]
struct Environment {
    place: u8,
    name: String,
    glob: String,
}

fn environment(app: &str, path: &str) -> Option<Environment> {
    let parts: Vec<&str> = path.split('/').collect();
    let (file, folders) = parts.split_last()?;
    for (depth, folder) in folders.iter().enumerate() {
        let held = depth > 0 && HOLDERS.contains(&folders[depth - 1]);
        let named = named(app, folder).or_else(|| held.then(|| (UNKNOWN, name_of(folder))));
        if let Some((place, name)) = named {
            let below = folders[..=depth].join("/");
            let glob = format!("{}/**", literal(&below));
            return Some(Environment { place, name, glob });
        }
    }
    let stem = file.rsplit_once('.').map_or(*file, |(stem, _)| stem);
    let (place, name) = named(app, stem)?;
    let glob = literal(path);
    Some(Environment { place, name, glob })
}

/// The place and name of the environment that a word, or several with dashes between them, names.
fn named(app: &str, text: &str) -> Option<(u8, String)> {
    let text = text.to_ascii_lowercase();
    if let Some((_, place, _)) = WORDS.iter().find(|(word, ..)| *word == text) {
        return Some((*place, name_of(&text)));
    }
    let of_app: Vec<&str> = app.split('-').collect();
    let mut place = None;
    let mut kept = Vec::new();
    for token in text.split(['-', '_', '.']) {
        let word = WORDS
            .iter()
            .find(|(word, _, means)| *word == token && *means == Means::Always);
        if let Some((_, found, _)) = word {
            // `pre-prod` comes before `prod`.
            let before = u8::from(kept.last() == Some(&"pre"));
            place = place.max(Some(found - before));
            kept.push(token);
        } else if is_beside(token) {
            if !matches!(token, "values" | "env" | "cluster") {
                kept.push(token);
            }
        } else if !of_app.contains(&token) {
            return None;
        }
    }
    Some((place?, name_of(&kept.join("-"))))
}

/// A region, a number, or another word that says which environment of a kind.
fn is_beside(token: &str) -> bool {
    let letters = token.trim_end_matches(|c: char| c.is_ascii_digit());
    let region = token.len() <= 5 && letters.len() < token.len() && letters.len() <= 4;
    BESIDES.contains(&letters) || region
}

/// A path as a glob that names it alone.
pub(super) fn literal(path: &str) -> String {
    path.replace(['*', '?', '[', ']', '{', '}', '\\'], "?")
}

/// What to leave out with a file that can't be read: a chart's templates as a whole, else the file.
pub(super) fn around(path: &str) -> String {
    match path.find("/templates/") {
        Some(at) => format!("{}/templates/**", literal(&path[..at])),
        None => literal(path),
    }
}

/// A name like `wanted` that none of the stages has.
pub(super) fn unused(wanted: &str, stages: &[DraftStage]) -> String {
    let taken = |name: &str| stages.iter().any(|stage| stage.name == name);
    let others = (2..=stages.len() + 2).map(|number| format!("{wanted}-{number}"));
    std::iter::once(wanted.to_owned())
        .chain(others)
        .find(|name| !taken(name))
        .unwrap_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_and_files_name_environments() {
        for (path, wanted) in [
            ("apps/staging/shop/d.yaml", "2 staging apps/staging/**"),
            ("staging/d.yaml", "2 staging staging/**"),
            (
                "apps/shop/overlays/production/k.yaml",
                "4 production apps/shop/overlays/production/**",
            ),
            (
                "clusters/prod/apps/staging/x.yaml",
                "4 prod clusters/prod/**",
            ),
            ("clusters/tools/x.yaml", "3 tools clusters/tools/**"),
            ("overlays/canary/x.yaml", "3 canary overlays/canary/**"),
            ("envs/Demo_1/x.yaml", "3 demo-1 envs/Demo_1/**"),
            (
                "prod-eu-west-1/x.yaml",
                "4 prod-eu-west-1 prod-eu-west-1/**",
            ),
            ("eu_prod/x.yaml", "4 eu-prod eu_prod/**"),
            ("x/prod2/y.yaml", ""),
            ("x/prod-2/y.yaml", "4 prod-2 x/prod-2/**"),
            ("x/prod-euw1/y.yaml", "4 prod-euw1 x/prod-euw1/**"),
            ("x/pre-prod/y.yaml", "3 pre-prod x/pre-prod/**"),
            ("x/preprod/y.yaml", "3 preprod x/preprod/**"),
            ("apps/shop-staging/d.yaml", "2 staging apps/shop-staging/**"),
            ("apps/web-api-prod/d.yaml", ""),
            (
                "charts/shop/values-staging.yaml",
                "2 staging charts/shop/values-staging.yaml",
            ),
            (
                "charts/shop/values.prod-eu.yaml",
                "4 prod-eu charts/shop/values.prod-eu.yaml",
            ),
            ("charts/shop/values.yaml", ""),
            ("env/prod.json", "4 prod env/prod.json"),
            ("apps/shop/prod.yaml", "4 prod apps/shop/prod.yaml"),
            ("dev-tools/x.yaml", ""),
            ("apps/test-runner/x.yaml", ""),
            ("apps/live-view/x.yaml", ""),
            ("apps/live/x.yaml", "4 live apps/live/**"),
            ("PROD/x.yaml", "4 prod PROD/**"),
            ("a[1]/prod/x.yaml", "4 prod a?1?/prod/**"),
            ("base/d.yaml", ""),
            ("overlays/x.yaml", ""),
            ("d.yaml", ""),
        ] {
            let found = environment("shop", path);
            let shown = found.map(|e| format!("{} {} {}", e.place, e.name, e.glob));
            assert_eq!(shown.unwrap_or_default(), wanted, "{path}");
        }
    }

    #[test]
    fn stages_are_in_the_order_of_the_way_to_production() {
        let paths = [
            "base/d.yaml",
            "live/d.yaml",
            "qa/d.yaml",
            "overlays/x/d.yaml",
            "dev/d.yaml",
            "stage/d.yaml",
            "more/stage/d.yaml",
        ];
        let sites = paths.iter().enumerate();
        let guess = guess(
            "shop",
            sites.map(|(file, path)| (*path, SiteRef { file, site: 0 })),
        );
        let shown: Vec<String> = guess
            .stages
            .iter()
            .map(|stage| {
                let paths: Vec<&str> = stage.paths.iter().map(String::as_str).collect();
                format!("{} {}", stage.name, paths.join(" "))
            })
            .collect();
        assert_eq!(
            shown,
            [
                "dev dev/**",
                "qa qa/**",
                "stage more/stage/** stage/**",
                "x overlays/x/**",
                "live live/**",
            ]
        );
        assert_eq!(guess.rest, [SiteRef { file: 0, site: 0 }]);
    }

    #[test]
    fn without_environments_there_is_one_stage() {
        let site = SiteRef { file: 0, site: 0 };
        let guess = guess("shop", [("apps/shop/d.yaml", site)].into_iter());
        assert_eq!(guess.stages.len(), 1);
        assert_eq!(guess.stages[0].name, "default");
        assert!(guess.stages[0].paths.is_empty() && guess.rest.is_empty());
    }

    #[test]
    fn unreadable_templates_are_left_out_together() {
        assert_eq!(
            around("charts/shop/templates/x/d.yaml"),
            "charts/shop/templates/**"
        );
        assert_eq!(around("apps/d.yaml"), "apps/d.yaml");
    }
}
