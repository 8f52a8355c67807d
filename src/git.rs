//! A config repo as seen through Git: a persistent bare mirror, its trees and blobs, commits made
//! from blobs, and pushes that are compare-and-swap.
//!
//! Invariant: the mirror is a cache of the remote. Nothing here decides what to write, nothing is
//! ever forced onto the remote, and a mirror that is damaged is thrown away and fetched again.
//! All methods block; call them from a blocking thread.
//!
//! It refuses to guess: an old id that the remote reports and that is not the expected one is
//! [`PushOutcome::Moved`], whatever the reason.
//!
//! Reading order: [`remote`] (where), [`mirror`] (fetch), [`tree`] (read), [`history`] (read back),
//! [`commit`] (write), [`mod@sign`] (sign), [`push`] (publish), [`mod@origin`] and [`mod@clone`] (a person's clone);
//! `transport` carries bytes for fetch and push.

pub mod clone;
pub mod commit;
pub mod error;
pub mod history;
pub mod id;
mod merge;
pub mod mirror;
pub mod origin;
pub mod push;
pub mod remote;
pub mod seal;
pub mod sign;
pub mod signers;
mod transport;
pub mod tree;
mod words;

pub use crate::http::PlainHttp;
pub use crate::secret::GitHubApp;
pub use clone::{CloneError, Errand, Hand, PersonsClone, Published, Way};
pub use commit::{Committed, NewCommit, Signature};
pub use error::{Error, hint_of};
pub use history::{Past, Touched};
pub use id::{BlobId, CommitId};
pub use mirror::{History, Mirror};
pub use origin::{Origin, origin};
pub use push::PushOutcome;
pub use remote::{Auth, Identity, Remote, RemoteUrl};
pub use seal::{KeyError, PublicKey, Sealed, sealed};
pub use sign::{KeyFormat, Keyring, Signer, SigningKey};
pub use signers::AllowedSigners;
pub use tree::{Blob, Changes, CommitInfo, FileEntry, FileKind, Files, Reader};
