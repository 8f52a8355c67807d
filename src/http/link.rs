//! The `Link` header (RFC 8288 section 3): where the next page is.
//!
//! Invariant: linear in the length of the header, and no text makes it panic. A header that can't be
//! understood is an error rather than no link, because no link means that the listing has ended.
//!
//! It doesn't resolve the target: what may be followed is for the caller to decide.

/// The header isn't what RFC 8288 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a malformed Link header")]
pub struct Malformed;

/// The target of the first link whose relation is `next`, as written, among the values of all `Link`
/// headers of a reply.
///
/// # Errors
/// When a value is not a list of links; links before it still count.
pub fn next<'a>(headers: impl IntoIterator<Item = &'a str>) -> Result<Option<&'a str>, Malformed> {
    for header in headers {
        let mut rest = separators(header);
        while !rest.is_empty() {
            let (link, after) = link(rest)?;
            if link.is_next {
                return Ok(Some(link.target));
            }
            rest = separators(after);
        }
    }
    Ok(None)
}

struct Link<'a> {
    target: &'a str,
    is_next: bool,
}

/// One `<target>; name=value; …`, and what follows it.
fn link(text: &str) -> Result<(Link<'_>, &str), Malformed> {
    let (target, mut rest) = text
        .strip_prefix('<')
        .and_then(|text| text.split_once('>'))
        .ok_or(Malformed)?;
    // Only the first `rel` counts (RFC 8288 section 3.3).
    let mut is_next = None;
    loop {
        rest = blanks(rest);
        let Some(after) = rest.strip_prefix(';') else {
            break;
        };
        let (name, value, after) = parameter(blanks(after))?;
        if name.eq_ignore_ascii_case("rel") && is_next.is_none() {
            is_next = Some(
                value
                    .split_ascii_whitespace()
                    .any(|relation| relation.eq_ignore_ascii_case("next")),
            );
        }
        rest = after;
    }
    if !rest.is_empty() && !rest.starts_with(',') {
        return Err(Malformed);
    }
    let is_next = is_next.unwrap_or(false);
    Ok((Link { target, is_next }, rest))
}

/// One `name`, `name=token` or `name="quoted"`, with its value still escaped, and what follows it. An
/// empty one, as after a trailing semicolon, is allowed.
fn parameter(text: &str) -> Result<(&str, &str, &str), Malformed> {
    let end = text.find([';', ',', '=', ' ', '\t']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(rest) = blanks(rest).strip_prefix('=') else {
        return Ok((name, "", rest));
    };
    let rest = blanks(rest);
    let Some(quoted) = rest.strip_prefix('"') else {
        let end = rest.find([';', ',', ' ', '\t']).unwrap_or(rest.len());
        return Ok((name, &rest[..end], &rest[end..]));
    };
    let mut escaped = false;
    for (at, byte) in quoted.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Ok((name, &quoted[..at], &quoted[at + 1..])),
            _ => {}
        }
    }
    Err(Malformed)
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

    #[test]
    fn the_next_link_is_found_in_every_form() {
        let next_of = |headers: &[&'static str]| next(headers.iter().copied());
        for (header, wanted) in [
            (
                "</v2/a/tags/list?last=b&n=2>; rel=\"next\"",
                "/v2/a/tags/list?last=b&n=2",
            ),
            (
                "<https://r.example/v2/a?x=1,2>; rel=next",
                "https://r.example/v2/a?x=1,2",
            ),
            ("<?last=b>;rel=\"next\"", "?last=b"),
            (
                "<b> ; title=\"a, \\\"b\\\"; rel=next\" ; REL = \"prev Next\"",
                "b",
            ),
            ("<a>; rel=prev, <b>; rel=next", "b"),
            (", ,<a>,<b>; rel=next;", "b"),
            ("<a>; rel=next, nonsense", "a"),
            ("<>; rel=next", ""),
        ] {
            assert_eq!(next_of(&[header]), Ok(Some(wanted)), "{header}");
        }
        assert_eq!(next_of(&["<a>; rel=prev", "<b>; rel=next"]), Ok(Some("b")));
    }

    #[test]
    fn other_links_are_no_next_page() {
        for header in [
            "",
            " , ",
            "<a>",
            "<a>; rel=prev; rel=next",
            "<a>; rel=\"nextish\"",
            "<a>; next",
        ] {
            assert_eq!(next([header]), Ok(None), "{header}");
        }
    }

    #[test]
    fn what_is_no_link_is_not_taken_for_the_end() {
        for header in [
            "/v2/a?last=b; rel=next",
            "<a",
            "<a>; rel=\"next",
            "<a> rel=next",
            "<a>; rel=prev x",
        ] {
            assert_eq!(next([header]), Err(Malformed), "{header}");
        }
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(header in "[<>;,= \"\\\\a-erlnxt/?é]{0,60}") {
            let _ = next([header.as_str()]);
        }

        #[test]
        fn what_is_written_is_read(target in "[a-z0-9/?=&:.,;]{0,40}", title in "[a-z,;<> =]{0,20}") {
            let header = format!("<x>; rel=\"last\", <{target}>; title=\"{title}\"; rel=\"next\"");
            prop_assert_eq!(next([header.as_str()]), Ok(Some(target.as_str())));
        }
    }
}
