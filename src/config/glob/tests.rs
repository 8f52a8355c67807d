//! Tables of what globs match, refuse and keep within.

use super::super::report::{Report, Spot};
use super::*;
use crate::diag::Position;

fn at<T>(value: T) -> At<T> {
    let source = Report::default().source("a.yaml", "");
    let spot = Spot {
        source,
        at: Position { line: 1, column: 1 },
    };
    At {
        value,
        spot,
        key: spot,
    }
}

fn globs(texts: &[&str]) -> Globs {
    let parsed: Vec<_> = texts
        .iter()
        .map(|text| at(PathGlob::parse(text).unwrap()))
        .collect();
    Globs::of(&parsed, Some(&"shop".parse().unwrap())).unwrap()
}

#[test]
fn stars_stay_in_their_folder() {
    for (glob, path, matched) in [
        ("apps/staging/**", "apps/staging/a.yaml", true),
        ("apps/staging/**", "apps/staging/x/y/a.yaml", true),
        ("apps/staging/**", "apps/staging", false),
        ("apps/staging/**", "apps/production/a.yaml", false),
        ("apps/staging/", "apps/staging/x/a.yaml", true),
        ("apps/staging", "apps/staging/x/a.yaml", true),
        ("apps/staging", "apps/staging-eu/a.yaml", false),
        ("apps/a.yaml", "apps/a.yaml", true),
        ("apps/*", "apps/a.yaml", true),
        ("apps/*", "apps/x/a.yaml", false),
        ("apps/*/", "apps/x/y/a.yaml", true),
        ("**/values.yaml", "values.yaml", true),
        ("**/values.yaml", "a/b/values.yaml", true),
        ("**/staging/**", "a/staging/b.yaml", true),
        ("**", "a/b/c.yaml", true),
        ("*.yaml", "a.yaml", true),
        ("*.yaml", "x/a.yaml", false),
        ("apps/{staging,test}/**", "apps/test/a.yaml", true),
        ("apps/{app}/**", "apps/shop/a.yaml", true),
        ("apps/{app}/**", "apps/app/a.yaml", false),
        ("apps/[ab]?.yaml", "apps/ax.yaml", true),
        ("apps/[!ab].yaml", "apps/c.yaml", true),
    ] {
        assert_eq!(globs(&[glob]).matches(path), matched, "{glob} on {path}");
    }
}

#[test]
fn a_whole_folder_is_what_its_glob_matches() {
    let paths = [
        "a", "a/", "a/b", "a/b/c", "ab", "ab/c", "A/b", "/a/b", "a//b", "a/.b", "b/a/c", ".",
        "a\\b/c",
    ];
    for glob in ["**", "a/**", "a/b/**", "./**", "a.b/**", "a,b/**", "!a/**"] {
        assert!(whole_folder(glob).is_some(), "{glob}");
        let fast = Globs::build(vec![glob.to_owned()]).unwrap();
        let compiled = compile(glob).unwrap().compile_matcher();
        for path in paths {
            assert_eq!(
                fast.matches(path),
                compiled.is_match(path),
                "{glob} on {path}"
            );
        }
    }
    for glob in [
        "a**", "a/*/**", "{a,b}/**", "a/**/b", "**/a/**", "[a]/**", "a\\b/**",
    ] {
        assert_eq!(whole_folder(glob), None, "{glob}");
    }
}

#[test]
fn exclusion_wins() {
    let paths = Paths::new(globs(&["apps/**"]), globs(&["apps/{app}/old", "**/*.json"]));
    for (path, matched) in [
        ("apps/shop/a.yaml", true),
        ("apps/shop/old/a.yaml", false),
        ("apps/shop/a.json", false),
        ("other/a.yaml", false),
    ] {
        assert_eq!(paths.matches(path), matched, "{path}");
    }
    assert_eq!(paths.exclude().written(), ["apps/shop/old", "**/*.json"]);
}

#[test]
fn what_is_no_path_glob_is_refused() {
    let long = "a".repeat(MAX_GLOB + 1);
    for (glob, word) in [
        ("", "empty"),
        ("/apps", "starts with"),
        ("a\\b", "has a"),
        ("../a", "part"),
        ("a/./b", "part"),
        ("a//b", "part"),
        ("/", "starts with"),
        ("a/[", "glob"),
        ("a/{b", "glob"),
        ("a/{ap}/**", "placeholder"),
        ("a/{b,c}/{name}", "placeholder"),
        (&long, "bytes"),
    ] {
        let mistake = PathGlob::parse(glob).unwrap_err();
        assert!(
            mistake.message.contains(word),
            "{glob}: {}",
            mistake.message
        );
    }
}

#[test]
fn image_globs_know_docker_hub() {
    for (glob, image, matched) in [
        ("ghcr.io/acme/a/**", "ghcr.io/acme/a/shop", true),
        ("ghcr.io/acme/a/**", "ghcr.io/acme/a/x/shop", true),
        ("ghcr.io/acme/a/**", "ghcr.io/acme/b", false),
        ("ghcr.io/acme/*", "ghcr.io/acme/x/shop", false),
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop", true),
        ("nginx", "nginx", true),
        ("nginx", "docker.io/library/nginx", true),
        ("grafana/*", "grafana/grafana", true),
        ("localhost/*", "localhost/a", true),
        ("localhost:5000/*", "localhost:5000/a", true),
        ("*.example.com/**", "r.example.com/a", true),
        ("**", "nginx", true),
        ("**/shop", "ghcr.io/acme/shop", true),
    ] {
        let set = ImageGlobs::of(&[at(ImageGlob::parse(glob).unwrap())]).unwrap();
        let image = image.parse().unwrap();
        assert_eq!(set.matches(&image), matched, "{glob} on {image}");
    }
    for glob in [
        "",
        "ghcr.io/acme/shop:1",
        "nginx@sha256:0",
        "ghcr.io/{app}",
        "a/[",
    ] {
        assert!(ImageGlob::parse(glob).is_err(), "{glob}");
    }
}

#[test]
fn keeping_within_is_only_affirmed_where_certain() {
    for (outer, inner, within) in [
        ("teams/a/**", "teams/a/x.yaml", true),
        ("teams/a/**", "teams/a/**", true),
        ("teams/a/**", "teams/a/x/**", true),
        ("teams/a/**", "teams/a/*/x/**", true),
        ("teams/a/**", "teams/a/{x,y}/**", true),
        ("teams/a/**", "teams/a/", true),
        ("teams/a/", "teams/a/**", true),
        ("teams/a", "teams/a/**", true),
        ("teams/a", "teams/a", true),
        ("teams/*/apps/**", "teams/b/apps/x", true),
        ("teams/*/apps/**", "teams/*/apps/x", true),
        ("teams/{a,b}/**", "teams/b/x", true),
        ("teams/{app}/**", "teams/shop/x", true),
        ("**", "anything/**", true),
        ("**", "**", true),
        ("teams/a/**", "teams/b/**", false),
        ("teams/a/**", "teams/ab/**", false),
        ("teams/a/**", "teams/**", false),
        ("teams/a/**", "teams/*/x", false),
        ("teams/a/**", "teams/{a,b}/x", false),
        ("teams/a/**", "teams/{a/x,b/y}", false),
        ("teams/a/**", "**", false),
        ("teams/a/*", "teams/a/**", false),
        ("teams/*/x", "teams/**/x", false),
        ("teams/*/x", "teams/*{a,b/c}/x", false),
        ("teams/a/**", "teams/a", false),
        ("*", "a/b", false),
    ] {
        let (outer_set, inner_set) = (globs(&[outer]), globs(&[inner]));
        let left = outer_set.left_by(&inner_set);
        assert_eq!(left.is_none(), within, "{inner} within {outer}");
    }
}
