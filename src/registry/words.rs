//! What servers say, made fit for people's eyes.
//!
//! Invariant: text from outside has no control or direction-changing characters and a bounded length
//! once it has passed here, so it can't forge log lines, colour terminals or fill a page.

use reqwest::header::{HeaderMap, WARNING};
use serde::Deserialize;

use crate::diag;

/// Longest quotation of a server, in characters: a sentence or two.
const MAX_WORDS: usize = 200;

/// Most warnings kept of one reply; more would only repeat.
const MAX_WARNINGS: usize = 10;

/// `text` on one line, without characters that aren't for reading, cut to a bearable length.
pub(super) fn clean(text: &str) -> String {
    diag::quoted(text, MAX_WORDS)
}

/// What an error reply says, as `: words`, or nothing.
pub(super) fn said(body: &[u8]) -> String {
    let words = match serde_json::from_slice::<ErrorReply>(body) {
        Ok(reply) => reply.words(),
        Err(_) => String::from_utf8_lossy(body).into_owned(),
    };
    let words = clean(&words);
    if words.is_empty() || words.starts_with('<') || words.starts_with('{') {
        return String::new();
    }
    format!(": {words}")
}

/// The shapes that error replies take: the distribution spec's list, OAuth 2.0's pair (RFC 6749 section
/// 5.2), and single sentences.
#[derive(Deserialize)]
struct ErrorReply {
    #[serde(default)]
    errors: Vec<ListedError>,
    error_description: Option<String>,
    error: Option<String>,
    message: Option<String>,
    details: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize)]
struct ListedError {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl ErrorReply {
    fn words(self) -> String {
        if let Some(first) = self.errors.into_iter().next() {
            return match (first.code.as_str(), first.message.as_str()) {
                (words, "") | ("", words) => words.to_owned(),
                (code, message) => format!("{message} ({code})"),
            };
        }
        [
            self.error_description,
            self.message,
            self.details,
            self.detail,
            self.error,
        ]
        .into_iter()
        .flatten()
        .next()
        .unwrap_or_default()
    }
}

/// The texts of a reply's `Warning: 299 - "text"` headers (distribution spec, "Warnings").
pub(super) fn warnings(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(WARNING)
        .iter()
        .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
        .filter_map(|value| value.strip_prefix("299 "))
        .filter_map(|value| value.split_once('"'))
        .map(|(_, text)| text.rsplit_once('"').map_or(text, |(text, _)| text))
        .map(|text| clean(&text.replace("\\\"", "\"").replace("\\\\", "\\")))
        .filter(|text| !text.is_empty())
        .take(MAX_WARNINGS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_replies_are_quoted() {
        for (body, wanted) in [
            (
                r#"{"errors":[{"code":"DENIED","message":"no\nway"}]}"#,
                ": no way (DENIED)",
            ),
            (r#"{"errors":[{"code":"DENIED"}]}"#, ": DENIED"),
            (
                r#"{"details":"incorrect username or password"}"#,
                ": incorrect username or password",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"expired"}"#,
                ": expired",
            ),
            (r#"{"errors":[]}"#, ""),
            (r#"{"errors":"#, ""),
            (
                "You have reached your limit\n",
                ": You have reached your limit",
            ),
            ("<html>login</html>", ""),
            ("", ""),
        ] {
            assert_eq!(said(body.as_bytes()), wanted, "{body}");
        }
    }

    #[test]
    fn only_miscellaneous_warnings_are_shown() {
        let mut headers = HeaderMap::new();
        for value in [
            r#"299 - "Your auth token will expire in 30 seconds.""#,
            r#"299 - "a \"quoted\" word""#,
            r#"110 - "stale""#,
            "299 nonsense",
        ] {
            headers.append(WARNING, value.parse().unwrap());
        }
        let wanted = [
            "Your auth token will expire in 30 seconds.",
            "a \"quoted\" word",
        ];
        assert_eq!(warnings(&headers), wanted);
        for n in 0..100 {
            headers.append(WARNING, format!("299 - \"{n}\"").parse().unwrap());
        }
        assert_eq!(warnings(&headers).len(), MAX_WARNINGS);
    }
}
