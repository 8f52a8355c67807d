//! The `WWW-Authenticate` header (RFC 9110 section 11.6.1): how a registry wants to be signed in to.
//!
//! Invariant: linear in the length of the header, and no text makes it panic. Several challenges in
//! one header, and several headers, are all read. What follows something unreadable is left out, so
//! that a broken challenge doesn't hide a sound one before it.

/// One challenge: an authentication scheme with its parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// Whether it is for this scheme; schemes have no case.
    pub fn is(&self, scheme: &str) -> bool {
        self.scheme.eq_ignore_ascii_case(scheme)
    }

    /// The first parameter of this name; names have no case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// The challenges in one header's value, in its order.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    let mut rest = separators(header);
    while !rest.is_empty() {
        if let Some(challenge) = challenges.last_mut()
            && let Some((name, value, after)) = parameter(rest)
        {
            challenge.parameters.push((name.to_owned(), value));
            rest = separators(after);
            continue;
        }
        let (scheme, after) = token(rest);
        // A scheme is followed by a blank, a comma or the end.
        if scheme.is_empty() || !(after.is_empty() || after.starts_with([' ', '\t', ','])) {
            break;
        }
        challenges.push(Challenge {
            scheme: scheme.to_owned(),
            parameters: Vec::new(),
        });
        rest = after_token68(after).unwrap_or_else(|| separators(after));
    }
    challenges
}

/// What follows the one opaque value that stands for parameters in some schemes
/// (`Negotiate YII=`), if there is one.
fn after_token68(text: &str) -> Option<&str> {
    let start = blanks(text);
    if start.len() == text.len() {
        return None;
    }
    let value = start.trim_start_matches(|c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/')
    });
    let after = blanks(value.trim_start_matches('='));
    let is_value = value.len() < start.len() && (after.is_empty() || after.starts_with(','));
    is_value.then(|| separators(after))
}

/// One `name=value` or `name="quoted"`, unescaped, and what follows it.
fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = token(text);
    let rest = blanks(rest).strip_prefix('=')?;
    if name.is_empty() {
        return None;
    }
    let rest = blanks(rest);
    if let Some(quoted) = rest.strip_prefix('"') {
        let (value, after) = unquote(quoted);
        return Some((name, value, after));
    }
    // More than a token, since some registries don't quote their URLs.
    let end = rest.find([',', ' ', '\t']).unwrap_or(rest.len());
    Some((name, rest[..end].to_owned(), &rest[end..]))
}

/// The text up to the closing quote, unescaped; an unclosed one ends with the header.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                value.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return (value, &text[at + 1..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// A token (RFC 9110 section 5.6.2), perhaps empty, and what follows it.
fn token(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)))
        .unwrap_or(text.len());
    text.split_at(end)
}

fn blanks(text: &str) -> &str {
    text.trim_start_matches([' ', '\t'])
}

fn separators(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', ','])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `Scheme a=1 b=2|Scheme …`, to compare with.
    fn shown(header: &str) -> String {
        let shown = |challenge: &Challenge| {
            let parameters = challenge
                .parameters
                .iter()
                .map(|(name, value)| format!(" {name}={value}"));
            challenge.scheme.clone() + &parameters.collect::<String>()
        };
        let all: Vec<_> = parse(header).iter().map(shown).collect();
        all.join("|")
    }

    #[test]
    fn challenges_are_read_in_every_form() {
        for (header, wanted) in [
            (
                r#"Bearer realm="https://a.example/token",service="a",scope="repository:x/y:pull,push""#,
                "Bearer realm=https://a.example/token service=a scope=repository:x/y:pull,push",
            ),
            (
                r#"Bearer realm="https://c.example/v2/token",service="x" , Basic realm="c""#,
                "Bearer realm=https://c.example/v2/token service=x|Basic realm=c",
            ),
            (
                r#"basic Realm = "a \"b\", c\\d""#,
                r#"basic Realm=a "b", c\d"#,
            ),
            ("Negotiate, Basic realm=x", "Negotiate|Basic realm=x"),
            (
                "Negotiate YII/+a==, Bearer realm=\"r\"",
                "Negotiate|Bearer realm=r",
            ),
            ("Negotiate abc", "Negotiate"),
            (
                "Bearer realm=https://a.example/t,service=s",
                "Bearer realm=https://a.example/t service=s",
            ),
            ("Bearer", "Bearer"),
            ("Bearer realm=\"open", "Bearer realm=open"),
            ("Basic realm=\"\"", "Basic realm="),
            (" ,, Basic ,, realm=a", "Basic realm=a"),
            ("", ""),
            ("realm=\"x\"", ""),
            ("Basic realm=a, (junk), Bearer realm=b", "Basic realm=a"),
        ] {
            assert_eq!(shown(header), wanted, "{header}");
        }
    }

    #[test]
    fn names_have_no_case() {
        let challenge = &parse("BEARER REALM=\"x\"")[0];
        assert!(challenge.is("Bearer") && !challenge.is("Basic"));
        assert_eq!(challenge.get("realm"), Some("x"));
        assert_eq!(challenge.get("service"), None);
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in "[\"\\\\,= \ta-cB/é+]{0,60}") {
            let _ = parse(&header);
        }

        #[test]
        fn what_is_written_is_read(realm in "[ -~]{0,30}") {
            let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
            let header = format!("Basic realm=\"x\", Bearer realm=\"{escaped}\", service=s");
            let challenges = parse(&header);
            prop_assert_eq!(challenges.len(), 2);
            prop_assert_eq!(challenges[1].get("realm"), Some(realm.as_str()));
        }
    }
}
