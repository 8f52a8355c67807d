//! One request to a forge, before it is sent.
//!
//! Invariant: what is put into the path or the query is escaped, so that no name can lead elsewhere.

use reqwest::{Method, Url};
use serde_json::Value;

use super::pace::Effort;

/// One request.
#[derive(Debug, Clone)]
pub(in crate::forge) struct Ask<'a> {
    /// What is asked, as after "does not allow to".
    pub(super) what: &'a str,
    pub(super) method: Method,
    segments: Vec<&'a str>,
    query: Vec<(&'a str, String)>,
    pub(super) body: Option<Value>,
    pub(super) accepted: &'a [u16],
    pub(super) effort: Effort,
    /// A query that replaces this one's: that of another page.
    pub(super) page: Option<String>,
    /// Whether the place is beside the last part of the base's path rather than below it.
    is_beside: bool,
}

impl<'a> Ask<'a> {
    /// A request to the place that the path segments name below the base; each is escaped.
    pub(in crate::forge) fn new(method: Method, what: &'a str, segments: &[&'a str]) -> Self {
        let effort = match method {
            Method::GET => Effort::Read,
            Method::POST => Effort::Create,
            _ => Effort::Write,
        };
        Self {
            what,
            method,
            segments: segments.to_vec(),
            query: Vec::new(),
            body: None,
            accepted: &[],
            effort,
            page: None,
            is_beside: false,
        }
    }

    /// Beside the last part of the base's path rather than below it.
    pub(in crate::forge) fn beside(mut self) -> Self {
        self.is_beside = true;
        self
    }

    /// With a query parameter.
    pub(in crate::forge) fn query(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a JSON body.
    pub(in crate::forge) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    /// These statuses are answers too, besides those of success.
    pub(in crate::forge) fn accept(mut self, statuses: &'a [u16]) -> Self {
        self.accepted = statuses;
        self
    }

    /// It costs this, rather than what its method says.
    pub(in crate::forge) fn effort(mut self, effort: Effort) -> Self {
        self.effort = effort;
        self
    }

    pub(super) fn url(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty();
            if self.is_beside {
                path.pop();
            }
            path.extend(&self.segments);
        }
        if let Some(page) = &self.page {
            url.set_query(Some(page));
        } else if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }
}
