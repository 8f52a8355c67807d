//! What forges say, made fit for people's eyes.
//!
//! Invariant: text from outside has no control or direction-changing characters and a bounded length
//! once it has passed here. A page of HTML says nothing.

use serde_json::Value;

use crate::diag;

/// Longest quotation of a forge, in characters: a sentence or two.
const MAX_WORDS: usize = 300;

/// Most details of one error: the first ones say it.
const MAX_DETAILS: usize = 3;

/// `text` on one line, fit to be shown.
pub(super) fn clean(text: &str) -> String {
    diag::quoted(text, MAX_WORDS)
}

/// A name that somebody is known by: two that differ stay two, whatever is hidden in them.
pub(super) fn name(text: &str) -> String {
    diag::visible(text).into_owned()
}

/// What an error reply says, in the shapes that forges use: GitHub's `message` with `errors` of texts or
/// objects, GitLab's `message` of a text, a list or lists by field, its `error` and `error_description`
/// (RFC 6749 section 5.2), Bitbucket's `error.message` and `errors[].message`, Azure's `message`.
pub(super) fn said(body: &[u8]) -> String {
    let text = match serde_json::from_slice::<Value>(body) {
        Ok(reply) => told(&reply),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let is_markup = text.trim_start().starts_with(['<', '{', '[']);
            if is_markup {
                String::new()
            } else {
                text.into_owned()
            }
        }
    };
    match clean(&text) {
        words if words.is_empty() => "it says no more".to_owned(),
        words => words,
    }
}

fn told(reply: &Value) -> String {
    let mut parts: Vec<String> = Vec::new();
    for name in ["message", "error_description", "error", "errors"] {
        let value = &reply[name];
        let is_covered = name == "error" && !parts.is_empty();
        if !is_covered {
            details(value, &mut parts);
        }
    }
    parts.dedup();
    parts.join("; ")
}

/// The texts of a value, few of them.
fn details(value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::String(text) => parts.push(text.trim().to_owned()),
        Value::Array(list) => list
            .iter()
            .take(MAX_DETAILS)
            .for_each(|item| details(item, parts)),
        Value::Object(fields) => match (fields.get("message"), fields.get("code")) {
            (Some(message), _) => details(message, parts),
            (None, Some(code)) => parts.push(coded(code, fields)),
            (None, None) => {
                for (name, value) in fields.iter().take(MAX_DETAILS) {
                    let mut of = Vec::new();
                    details(value, &mut of);
                    parts.push(format!("{name}: {}", of.join(", ")));
                }
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// GitHub's validation error without words: a code and the field it is about.
fn coded(code: &Value, fields: &serde_json::Map<String, Value>) -> String {
    let of = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = code.as_str().unwrap_or_default();
    format!("{} {} {code}", of("resource"), of("field"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_replies_are_quoted() {
        for (body, wanted) in [
            (
                r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","code":"custom","message":"A pull request already exists for acme:b."}]}"#,
                "Validation Failed; A pull request already exists for acme:b.",
            ),
            (
                r#"{"message":"Validation Failed","errors":[{"resource":"PullRequest","field":"head","code":"invalid"}]}"#,
                "Validation Failed; PullRequest head invalid",
            ),
            (r#"{"message":"Not\nFound\u001b[1m"}"#, "Not Found [1m"),
            (
                r#"{"message":["Another open merge request already exists"]}"#,
                "Another open merge request already exists",
            ),
            (
                r#"{"message":{"title":["is too long"]}}"#,
                "title: is too long",
            ),
            (
                r#"{"error":"insufficient_scope","error_description":"needs api"}"#,
                "needs api",
            ),
            (
                r#"{"type":"error","error":{"message":"no","detail":"x"}}"#,
                "no",
            ),
            (
                r#"{"errors":[{"context":null,"message":"one"},{"message":"two"}]}"#,
                "one; two",
            ),
            (r#""text""#, "it says no more"),
            ("<html>502</html>", "it says no more"),
            (r#"{"message":"#, "it says no more"),
            ("", "it says no more"),
            ("try later\n", "try later"),
        ] {
            assert_eq!(said(body.as_bytes()), wanted, "{body}");
        }
    }

    #[test]
    fn a_long_error_is_cut() {
        let body = serde_json::json!({"message": "é".repeat(100_000)}).to_string();
        assert_eq!(said(body.as_bytes()).chars().count(), MAX_WORDS + 1);
    }
}
