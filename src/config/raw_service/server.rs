//! The service's own HTTP server, as it is written.
//!
//! Invariant: a token written into the file is refused without being quoted.

use std::net::SocketAddr;

use super::super::credential::{Guard, Guarded};
use super::super::name::Name;
use super::super::read::{At, mirror};
use crate::secret::Secret;

mirror! {
    /// The service's own HTTP server.
    RawServer requires [] {
        /// The address and port, such as `0.0.0.0:8080`; nothing is served if nothing is said.
        listen = "listen": SocketAddr,
        /// Who may give and release holds through the API; nobody if nothing is said.
        tokens = "tokens": Vec<At<Guarded<RawCaller>>>,
    }
}

mirror! {
    /// Somebody who may give and release holds.
    RawCaller requires ["name", "token"] {
        /// The name by which what is done is told.
        name = "name": Name,
        /// The Bearer token.
        token = "token": Secret,
    }
}

impl Guard for RawCaller {
    const SHOWN: &'static [&'static str] = &["name"];
}
