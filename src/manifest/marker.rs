//! Comments that speak to an image automation: what one comment says.
//!
//! Two languages are read. Flux's (its guide "Configure image update for custom resources"): a JSON
//! object with the key `$imagepolicy` and the value `NAMESPACE:NAME[:tag|:name|:digest]`, or the older
//! `$ref` to a setter of that name. Ours: `tagwright: APP[/STAGE][:tag|:name|:digest]` and
//! `tagwright: ignore`. Either begins the comment; text after it is the author's.
//!
//! Invariant: a comment that evidently means to be a marker and isn't one gets a reason, never
//! silence. What comes before a marker makes it part of something else, such as a line that is
//! commented out, and then it says nothing. Where a comment belongs is `attach`'s work.

use serde_json::{Map, Value};

use super::{Marker, Part};
use crate::diag::suggest;

/// What every marker of Flux contains, and few other texts.
pub(super) const FLUX_NEEDLE: &str = "$imagepolicy";

/// What begins a comment of ours.
pub(super) const OWN_NEEDLE: &str = "tagwright:";

/// Where Flux's older form of a marker points.
const SETTER: &str = "#/definitions/io.k8s.cli.setters.";

/// What a comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing to us.
    Nothing,
    /// To leave the site alone.
    Ignore,
    /// Whose the value is.
    Marker(Marker),
    /// Something that isn't understood; why.
    Misspelt(String),
}

/// Reads a comment, from its `#`. Flux's older form counts only if the file is `flux`'s, that is,
/// has a marker of the newer form too.
pub(super) fn read(comment: &str, own_line: bool, flux: bool) -> Says {
    read_text(comment.trim_start_matches('#').trim(), own_line, flux)
}

/// Reads what a comment says after the sign that begins it.
pub(super) fn read_text(text: &str, own_line: bool, flux: bool) -> Says {
    if let Some(rest) = text.strip_prefix(OWN_NEEDLE) {
        return own(rest.trim_start());
    }
    let named = text.contains(FLUX_NEEDLE);
    let older = flux && text.contains(SETTER);
    let second = |sign: &str| text.contains(sign) && !own_line;
    if second("# tagwright:") || second("#tagwright:") {
        return Says::Misspelt("text precedes the marker; start the comment with it".to_owned());
    }
    if !named && !older {
        return Says::Nothing;
    }
    if text.starts_with('{') {
        return read_flux(text);
    }
    if own_line || !named {
        return Says::Nothing;
    }
    Says::Misspelt("text precedes the marker; start the comment with its `{`".to_owned())
}

fn read_flux(text: &str) -> Says {
    let parsed = serde_json::Deserializer::from_str(text)
        .into_iter::<Map<String, Value>>()
        .next();
    let Some(Ok(object)) = parsed else {
        let form = r#"{"$imagepolicy": "NAMESPACE:NAME"}"#;
        return Says::Misspelt(format!("the marker is not a JSON object such as `{form}`"));
    };
    let setter = || object.get("$ref")?.as_str()?.strip_prefix(SETTER);
    match object.get(FLUX_NEEDLE).map(Value::as_str) {
        Some(Some(value)) => flux_value(value),
        Some(None) => Says::Misspelt(format!("the value of `{FLUX_NEEDLE}` is not a string")),
        None => setter().map_or(Says::Nothing, flux_value),
    }
}

fn flux_value(value: &str) -> Says {
    let mut parts = value.splitn(3, ':');
    let (Some(namespace), Some(name)) = (parts.next(), parts.next()) else {
        return Says::Misspelt(format!("`{value}` is not of the form NAMESPACE:NAME"));
    };
    let sound = |name: &str| {
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    if !sound(namespace) || !sound(name) {
        return Says::Misspelt(format!("`{value}` is not of the form NAMESPACE:NAME"));
    }
    match part(parts.next()) {
        Ok(part) => Says::Marker(Marker::Flux {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            part,
        }),
        Err(reason) => Says::Misspelt(reason),
    }
}

fn own(text: &str) -> Says {
    let word = text.split_whitespace().next().unwrap_or_default();
    if word == "ignore" {
        return Says::Ignore;
    }
    let (target, wanted) = match word.split_once(':') {
        Some((target, part)) => (target, Some(part)),
        None => (word, None),
    };
    let (app, stage) = match target.split_once('/') {
        Some((app, stage)) => (app, Some(stage)),
        None => (target, None),
    };
    if !is_name(app) || !stage.is_none_or(is_name) {
        return Says::Misspelt(format!(
            "`{word}` is not of the form APP[/STAGE][:tag|:name|:digest], or `ignore`"
        ));
    }
    match part(wanted) {
        Ok(part) => Says::Marker(Marker::Own {
            app: app.to_owned(),
            stage: stage.map(str::to_owned),
            part,
        }),
        Err(reason) => Says::Misspelt(reason),
    }
}

/// Names of apps and stages: `[a-z0-9][a-z0-9-]*`.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && text
            .bytes()
            .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

fn part(text: Option<&str>) -> Result<Part, String> {
    match text {
        None => Ok(Part::Whole),
        Some("tag") => Ok(Part::Tag),
        Some("name") => Ok(Part::Name),
        Some("digest") => Ok(Part::Digest),
        Some(other) => Err(match suggest(other, ["tag", "name", "digest"]) {
            Some(near) => {
                format!("`:{other}` is not a part of a reference; did you mean `:{near}`?")
            }
            None => format!("`:{other}` is not a part of a reference (`:tag`, `:name`, `:digest`)"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flux(namespace: &str, name: &str, part: Part) -> Says {
        Says::Marker(Marker::Flux {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            part,
        })
    }

    fn ours(app: &str, stage: Option<&str>, part: Part) -> Says {
        Says::Marker(Marker::Own {
            app: app.to_owned(),
            stage: stage.map(str::to_owned),
            part,
        })
    }

    #[test]
    fn markers_are_read() {
        for (comment, wanted) in [
            (
                r##"# {"$imagepolicy": "ns:p"}"##,
                flux("ns", "p", Part::Whole),
            ),
            (
                r##"#{"$imagepolicy":"ns:p:tag"}"##,
                flux("ns", "p", Part::Tag),
            ),
            (
                r##"## {"$imagepolicy": "ns:p:name"}"##,
                flux("ns", "p", Part::Name),
            ),
            (
                r##"# {"a": "b", "$imagepolicy": "ns:p:digest"}"##,
                flux("ns", "p", Part::Digest),
            ),
            (
                r##"# {"$imagepolicy": "ns:p", "n": 5} since May"##,
                flux("ns", "p", Part::Whole),
            ),
            (
                r##"# {"$ref":"#/definitions/io.k8s.cli.setters.ns:p:tag"}"##,
                flux("ns", "p", Part::Tag),
            ),
            ("# tagwright: shop", ours("shop", None, Part::Whole)),
            (
                "#tagwright:shop/live:tag",
                ours("shop", Some("live"), Part::Tag),
            ),
            (
                "# tagwright: shop:digest  (see the wiki)",
                ours("shop", None, Part::Digest),
            ),
            ("# tagwright: ignore", Says::Ignore),
            (
                "# tagwright: ignore, until May",
                Says::Misspelt(String::new()),
            ),
            ("# tagwright: ignore until May", Says::Ignore),
            ("# managed by tagwright: see the wiki", Says::Nothing),
            ("# an $image", Says::Nothing),
            (r##"# {"x": "$imagepolicy"}"##, Says::Nothing),
        ] {
            let says = read(comment, false, true);
            match wanted {
                Says::Misspelt(_) => assert!(matches!(says, Says::Misspelt(_)), "{comment}"),
                wanted => assert_eq!(says, wanted, "{comment}"),
            }
        }
    }

    #[test]
    fn what_is_nearly_a_marker_gets_a_reason() {
        for (comment, reason) in [
            (r##"# managed {"$imagepolicy": "ns:p"}"##, "precedes"),
            (r##"# {'$imagepolicy': 'ns:p'}"##, "not a JSON object"),
            (r##"# {"$imagepolicy": 5}"##, "not a string"),
            (r##"# {"$imagepolicy": "ns/p"}"##, "NAMESPACE:NAME"),
            (r##"# {"$imagepolicy": "ns:"}"##, "NAMESPACE:NAME"),
            (
                r##"# {"$imagepolicy": "ns:p:tags"}"##,
                "did you mean `:tag`?",
            ),
            (r##"# {"$imagepolicy": "ns:p:xyz"}"##, "`:digest`"),
            ("# tagwright:", "APP[/STAGE]"),
            ("# tagwright: Shop", "APP[/STAGE]"),
            ("# tagwright: shop/", "APP[/STAGE]"),
            ("# tagwright: shop:nam", "did you mean `:name`?"),
        ] {
            match read(comment, false, false) {
                Says::Misspelt(text) => assert!(text.contains(reason), "{comment}: {text}"),
                says => panic!("{comment}: {says:?}"),
            }
        }
    }

    #[test]
    fn a_line_that_is_commented_out_says_nothing() {
        let line = r##"# image: nginx:1 # {"$imagepolicy": "ns:p"}"##;
        assert_eq!(read(line, true, true), Says::Nothing);
    }

    #[test]
    fn the_older_form_needs_the_newer_one_in_the_file() {
        let line = r##"# {"$ref":"#/definitions/io.k8s.cli.setters.ns:p"}"##;
        assert_eq!(read(line, false, false), Says::Nothing);
    }
}
