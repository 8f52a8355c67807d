//! Gates, as they are written.
//!
//! Invariant: a URL that can't be read is refused without being quoted, since it may hold a secret.

use schemars::{Schema, json_schema};

use super::super::credential::FilePath;
use super::super::duration::{GateInterval, GateTimeout};
use super::super::name::Name;
use super::super::read::{Scalar, mirror};
use super::super::report::Mistake;
use crate::gate::{Address, InvalidAddress};
use crate::secret::Secret;

mirror! {
    /// A server that is asked whether a change may be made: an answer of 2xx is yes.
    RawGate requires ["name", "url"] {
        /// What stages call it.
        name = "name": Name,
        /// Where it is asked, with `{app}`, `{stage}`, `{image}`, `{tag}` and `{digest}` behind the host.
        url = "url": Address,
        /// A bearer token for it.
        token = "token": Secret,
        /// Certificate authorities trusted besides the system's: a PEM file.
        ca = "ca": FilePath,
        /// How long it may take to answer, 1s to 1m; 10s if nothing is said.
        timeout = "timeout": GateTimeout,
        /// For how long an answer counts, 1s to 1d; 1m if nothing is said.
        interval = "interval": GateInterval,
    }
}

impl Scalar for Address {
    fn parse(text: &str) -> Result<Self, Mistake> {
        text.parse()
            .map_err(|error: InvalidAddress| Mistake::new(error.to_string()).hint(error.hint()))
    }

    fn schema() -> Schema {
        json_schema!({"type": "string", "pattern": "^https?://"})
    }
}
