//! The bounds of everything that a registry can make this program do.
//!
//! Invariant: nothing a registry sends is read, followed or waited for without one of these bounds.
//! Tests lower them; users don't set them.

use std::time::Duration;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Largest reply of a token server, in bytes. Tokens must fit into a request header, which servers
/// cap at 8 to 32 KiB.
pub(super) const MAX_TOKEN_REPLY: usize = 64 * KIB;

/// Largest manifest or index read, in bytes; the size that registries must accept (distribution
/// spec, "Pushing manifests").
pub(super) const MAX_MANIFEST: usize = 4 * MIB;

/// Largest image configuration read, in bytes: they grow with the history of an image, to tens of
/// kilobytes.
pub(super) const MAX_CONFIG: usize = 4 * MIB;

/// How much of an error reply is read, in bytes: enough for the error list and any help page's head.
pub(super) const MAX_ERROR_REPLY: usize = 64 * KIB;

/// Tags asked for per page: the largest size that every registry serves. ECR and distribution 3.1.0
/// refuse more, and some cap it silently.
pub(super) const PAGE_SIZE: usize = 1000;

/// Times, sizes and counts that bound the work of a [`Client`](super::Client).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest time for one request, reply included.
    pub request: Duration,
    /// Longest time for a whole listing, or to resolve a tag, waits and retries included.
    pub image: Duration,
    /// Most pages of one listing.
    pub pages: u32,
    /// Most tags of one listing.
    pub tags: usize,
    /// Largest page, in bytes after decompression.
    pub page_bytes: usize,
    /// Largest listing, in bytes after decompression.
    pub listing_bytes: usize,
    /// How often a request is repeated after a failure that may pass.
    pub retries: usize,
    /// The first wait before a repeat; later ones double, all with jitter.
    pub backoff: Duration,
    /// The longest wait that a registry may ask for and still be waited for within one request.
    pub patience: Duration,
    /// Requests in flight at one registry.
    pub in_flight: usize,
    /// After so many failures in a row, without an answer or with 5xx, a host is left alone.
    pub failures: u32,
    /// How long it is then left alone at first, later longer; requests meanwhile fail at once.
    pub rest: Duration,
    /// Longest run of a credential helper.
    pub helper: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // A page of 1,000 tags takes a slow registry seconds; a proxy gives up after 60 s.
            request: Duration::from_secs(60),
            // 1,000 pages at a leisurely half second.
            image: Duration::from_secs(600),
            pages: 1000,
            // Ten times the longest public repositories.
            tags: 2_000_000,
            // Google's reply carries the manifests of all tags, about 500 bytes each.
            page_bytes: 32 * MIB,
            // The most tags above, at 60 bytes each.
            listing_bytes: 128 * MIB,
            // One lost packet or one restarting replica; more is the next poll's work.
            retries: 2,
            backoff: Duration::from_millis(250),
            // Longer waits would hold a pass; the caller schedules those.
            patience: Duration::from_secs(10),
            // What common clients open to one registry without being throttled (3 to 10).
            in_flight: 8,
            // One of them may be bad luck. All that are in flight at once end together.
            failures: 5,
            // What a registry takes to restart.
            rest: Duration::from_secs(10),
            // Cloud helpers make one or two requests of their own.
            helper: Duration::from_secs(20),
        }
    }
}
