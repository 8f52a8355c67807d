//! Asking cloud services, and reading what the machine has for them.
//!
//! Invariant: every exchange goes through the registry client's own limits and gates. Servers that
//! hand out a machine's credentials are asked directly, all others through the proxy if there is one,
//! and never at an internal address.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use jiff::Timestamp;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;

use super::{CloudError, Clouds, Endpoint, Vendor};
use crate::http::is_internal;
use crate::registry::exchange::{Reply, Request, Sender};
use crate::registry::words;
use crate::secret::{self, Secret};

/// Largest answer of a service, in bytes: a few tokens, of 16 KiB at most each.
pub(super) const MAX_ANSWER: usize = 256 * 1024;

type Lookup = dyn Fn(&str) -> Option<SecretString> + Send + Sync;

/// Where environment variables come from.
#[derive(Clone)]
pub(super) struct Environment(Arc<Lookup>);

impl Environment {
    /// Those of the process.
    pub(super) fn of_process() -> Self {
        Self(Arc::new(|name| Secret::Env(name.to_owned()).read().ok()))
    }

    /// These.
    #[cfg(test)]
    pub(super) fn of(variables: &[(&str, &str)]) -> Self {
        let variables: std::collections::HashMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        Self(Arc::new(move |name| {
            Some(SecretString::from(variables.get(name)?.as_str()))
        }))
    }

    /// A variable that is set and not empty.
    pub(super) fn secret(&self, name: &str) -> Option<SecretString> {
        (self.0)(name).filter(|value| !value.expose_secret().is_empty())
    }

    /// The same of one that is no secret.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        Some(self.secret(name)?.expose_secret().to_owned())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment")
    }
}

/// What a provider works with.
pub(super) struct Desk<'a> {
    outside: Sender<'a>,
    inside: Sender<'a>,
    pub(super) environment: &'a Environment,
}

impl<'a> Desk<'a> {
    pub(super) fn new(clouds: &'a Clouds, sender: &'a Sender<'a>) -> Self {
        let with = |connections, limits| Sender {
            connections,
            limits,
            clock: sender.clock,
            gates: sender.gates,
            pace: sender.pace,
            sent: AtomicU32::new(0),
        };
        Self {
            outside: with(&clouds.outside, sender.limits),
            inside: with(&clouds.inside, &clouds.inside_limits),
            environment: &clouds.environment,
        }
    }

    /// The wall clock's time.
    pub(super) fn now(&self) -> Timestamp {
        self.outside.clock.now()
    }

    /// Counts what was sent here as sent by `sender`.
    pub(super) fn report(&self, sender: &Sender<'_>) {
        for own in [&self.outside, &self.inside] {
            let sent = own.sent.swap(0, Ordering::Relaxed);
            sender.sent.fetch_add(sent, Ordering::Relaxed);
        }
    }

    /// Sends a request to a service.
    pub(super) async fn send(
        &self,
        service: &'static str,
        request: &Request,
    ) -> Result<Reply, CloudError> {
        let host = request.url.host_str().unwrap_or_default();
        let sender = if is_internal(host) {
            &self.inside
        } else {
            &self.outside
        };
        let reply = sender.send(request).await;
        reply.map_err(|source| CloudError::Asked {
            service,
            source: Box::new(source),
        })
    }

    /// The JSON of a successful answer.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        vendor: Vendor,
        service: &'static str,
        request: &Request,
    ) -> Result<T, CloudError> {
        let reply = self.send(service, request).await?;
        if !reply.status.is_success() {
            return Err(refused(vendor, service, &reply));
        }
        serde_json::from_slice(&reply.body).map_err(|_| CloudError::BadReply {
            service,
            // Not serde's words, which may quote a token.
            reason: "it is not the JSON that was asked for".to_owned(),
        })
    }

    /// Reads a secret, off the threads that serve the network.
    pub(super) async fn read(
        &self,
        what: &'static str,
        secret: &Secret,
    ) -> Result<SecretString, CloudError> {
        let secret = secret.clone();
        tokio::task::spawn_blocking(move || secret.read())
            .await
            .map_err(CloudError::Stopped)?
            .map_err(|source: secret::Error| CloudError::Secret { what, source })
    }

    /// Reads a token that another program keeps fresh in a file.
    pub(super) async fn token_file(
        &self,
        what: &'static str,
        path: impl AsRef<Path>,
    ) -> Result<SecretString, CloudError> {
        let secret = Secret::File(path.as_ref().to_owned());
        let text = self.read(what, &secret).await?;
        Ok(SecretString::from(text.expose_secret().trim()))
    }
}

/// A header whose value is not logged.
pub(super) fn header(
    what: &'static str,
    name: &'static str,
    value: &str,
) -> Result<(HeaderName, HeaderValue), CloudError> {
    let mut value = HeaderValue::from_str(value).map_err(|_| CloudError::Unusable {
        what,
        reason: "it has characters that no header may have".to_owned(),
    })?;
    value.set_sensitive(true);
    Ok((HeaderName::from_static(name), value))
}

/// The address that an environment variable or a file names.
pub(super) fn endpoint(what: &'static str, text: &str) -> Result<Endpoint, CloudError> {
    text.parse().map_err(|reason: &str| CloudError::Unusable {
        what,
        reason: format!("its address: {reason}"),
    })
}

/// A refusal, with the service's name for it and its words.
pub(super) fn refused(vendor: Vendor, service: &'static str, reply: &Reply) -> CloudError {
    let (code, message) = refusal(&reply.body);
    let said = match (words::clean(&code), words::clean(&message)) {
        (code, message) if code.is_empty() && message.is_empty() => reply.said(),
        (code, message) if message.is_empty() => format!(": {code}"),
        (code, message) if code.is_empty() => format!(": {message}"),
        (code, message) => format!(": {message} ({code})"),
    };
    CloudError::Refused {
        vendor,
        service,
        status: reply.status.as_u16(),
        code: words::clean(&code),
        said,
    }
}

/// The code and message of an error in the forms of AWS (JSON 1.1: `__type`; query protocol: XML), of
/// Google's APIs (`error.status`), and of OAuth 2.0 (RFC 6749 section 5.2).
fn refusal(body: &[u8]) -> (String, String) {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else {
        let text = String::from_utf8_lossy(body);
        let element = |name| xml_element(&text, name).unwrap_or_default();
        return (element("Code"), element("Message"));
    };
    let text = |pointers: &[&str]| {
        let found = pointers.iter().find_map(|at| json.pointer(at)?.as_str());
        found.unwrap_or_default().to_owned()
    };
    let code = text(&[
        "/__type",
        "/error/status",
        "/error",
        "/errors/0/code",
        "/code",
        "/Code",
    ]);
    let message = text(&[
        "/message",
        "/Message",
        "/error/message",
        "/error_description",
        "/errors/0/message",
    ]);
    // AWS may put the model's name before the error's.
    let code = code.rsplit('#').next().unwrap_or_default().to_owned();
    (code, message)
}

/// The text of the first element of this name in a document of an AWS query service: such elements
/// have no attributes and no children.
pub(super) fn xml_element(xml: &str, name: &str) -> Option<String> {
    let start = xml.split_once(&format!("<{name}>"))?.1;
    let (text, _) = start.split_once(&format!("</{name}>"))?;
    let text = text.trim();
    let plain = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&apos;", "'"),
        // Last, so that nothing is unescaped twice.
        ("&amp;", "&"),
    ];
    (!text.contains('<')).then(|| {
        plain
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_read_in_every_form() {
        for (body, code, message) in [
            (
                r#"{"__type":"com.amazonaws.ecr#AccessDeniedException","Message":"no"}"#,
                "AccessDeniedException",
                "no",
            ),
            (
                r#"{"__type":"UnrecognizedClientException","message":"bad token"}"#,
                "UnrecognizedClientException",
                "bad token",
            ),
            (
                "<ErrorResponse><Error><Type>Sender</Type><Code>ExpiredToken</Code><Message>a &amp;lt; b</Message></Error></ErrorResponse>",
                "ExpiredToken",
                "a &lt; b",
            ),
            (
                r#"{"error":{"code":403,"message":"denied","status":"PERMISSION_DENIED"}}"#,
                "PERMISSION_DENIED",
                "denied",
            ),
            (
                r#"{"error":"invalid_grant","error_description":"expired"}"#,
                "invalid_grant",
                "expired",
            ),
            (
                r#"{"errors":[{"code":"UNAUTHORIZED","message":"who?"}]}"#,
                "UNAUTHORIZED",
                "who?",
            ),
            ("<html>", "", ""),
            ("", "", ""),
            ("[]", "", ""),
        ] {
            let wanted = (code.to_owned(), message.to_owned());
            assert_eq!(refusal(body.as_bytes()), wanted, "{body}");
        }
    }

    #[test]
    fn elements_are_taken_from_xml() {
        for (xml, wanted) in [
            ("<A> x </A>", Some("x")),
            ("<B><A>1&gt;0</A></B>", Some("1>0")),
            ("<A><C>x</C></A>", None),
            ("<A>x", None),
            ("<AB>x</AB>", None),
            ("", None),
        ] {
            assert_eq!(xml_element(xml, "A").as_deref(), wanted, "{xml}");
        }
    }
}
