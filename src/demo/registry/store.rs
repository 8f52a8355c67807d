//! What the registry holds: repositories with blobs, manifests and tags, and uploads under way.
//!
//! Invariant: everything is filed under the SHA-256 of its bytes, and what the network stores is
//! counted against [`MAX_STORED`]. No I/O and no protocol: the handlers turn requests into calls.

use std::collections::{BTreeMap, HashMap};

use axum::http::StatusCode;
use bytes::{Bytes, BytesMut};

use super::reply::{Code, Problem};
use super::spec::Built;
use crate::image::Digest;

/// What the network may store in all, in bytes: room for a demo, not for filling the machine.
const MAX_STORED: usize = 512 * 1024 * 1024;

/// What a tag or a mounted blob counts, so that empty entries are bounded too.
const ENTRY: usize = 256;

/// Uploads under way at once; clients that vanish leave theirs behind, so the oldest goes first.
const MAX_UPLOADS: usize = 64;

/// A manifest or an index.
#[derive(Debug, Clone)]
pub(super) struct Manifest {
    pub(super) media_type: String,
    pub(super) digest: Digest,
    pub(super) body: Bytes,
}

impl Manifest {
    pub(super) fn new(media_type: &str, body: impl Into<Bytes>) -> Self {
        let body = body.into();
        Self {
            media_type: media_type.to_owned(),
            digest: Digest::of(&body),
            body,
        }
    }
}

/// One repository.
#[derive(Debug, Default)]
pub(super) struct Repository {
    blobs: HashMap<Digest, Bytes>,
    manifests: BTreeMap<Digest, Manifest>,
    /// In byte order, which is the listing's.
    tags: BTreeMap<String, Digest>,
}

impl Repository {
    pub(super) fn blob(&self, digest: &Digest) -> Option<Bytes> {
        self.blobs.get(digest).cloned()
    }

    pub(super) fn manifest(&self, digest: &Digest) -> Option<&Manifest> {
        self.manifests.get(digest)
    }

    pub(super) fn manifests(&self) -> impl Iterator<Item = &Manifest> {
        self.manifests.values()
    }

    pub(super) fn tagged(&self, tag: &str) -> Option<&Manifest> {
        self.manifests.get(self.tags.get(tag)?)
    }

    /// At most `limit` tags after `last`, and whether there are more.
    pub(super) fn page(&self, last: Option<&str>, limit: usize) -> (Vec<String>, bool) {
        use std::ops::Bound::{Excluded, Unbounded};
        let start = last.map_or(Unbounded, Excluded);
        let mut tags = self.tags.range::<str, _>((start, Unbounded));
        let page: Vec<String> = tags
            .by_ref()
            .take(limit)
            .map(|(tag, _)| tag.clone())
            .collect();
        (page, tags.next().is_some())
    }
}

/// All repositories, and what is on its way into them.
#[derive(Debug, Default)]
pub(super) struct Store {
    repositories: BTreeMap<String, Repository>,
    uploads: BTreeMap<u64, Upload>,
    last_upload: u64,
    stored: usize,
}

#[derive(Debug)]
struct Upload {
    name: String,
    body: BytesMut,
}

impl Store {
    pub(super) fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.get(name)
    }

    /// Stores an image from inside the process, uncounted.
    pub(super) fn insert(&mut self, name: &str, tag: &str, image: Built) {
        let repository = self.repositories.entry(name.to_owned()).or_default();
        for blob in image.blobs {
            repository.blobs.insert(blob.digest, blob.body);
        }
        let index = image.index.digest.clone();
        for manifest in image.manifests.into_iter().chain([image.index]) {
            repository
                .manifests
                .insert(manifest.digest.clone(), manifest);
        }
        repository.tags.insert(tag.to_owned(), index);
    }

    pub(super) fn digest(&self, name: &str, tag: &str) -> Option<Digest> {
        self.repositories.get(name)?.tags.get(tag).cloned()
    }

    /// Removes a tag; says whether it was there.
    pub(super) fn untag(&mut self, name: &str, tag: &str) -> bool {
        let repository = self.repositories.get_mut(name);
        repository.is_some_and(|repository| repository.tags.remove(tag).is_some())
    }

    /// Removes a manifest and the tags that point at it; says whether it was there.
    pub(super) fn remove_manifest(&mut self, name: &str, digest: &Digest) -> bool {
        let Some(repository) = self.repositories.get_mut(name) else {
            return false;
        };
        repository.tags.retain(|_, target| target != digest);
        repository.manifests.remove(digest).is_some()
    }

    /// Removes a blob; says whether it was there.
    pub(super) fn remove_blob(&mut self, name: &str, digest: &Digest) -> bool {
        let repository = self.repositories.get_mut(name);
        repository.is_some_and(|repository| repository.blobs.remove(digest).is_some())
    }

    /// Stores a manifest, and points `tag` at it.
    pub(super) fn put_manifest(
        &mut self,
        name: &str,
        tag: Option<&str>,
        manifest: Manifest,
    ) -> Result<(), Problem> {
        self.charge(manifest.body.len() + ENTRY)?;
        let repository = self.repositories.entry(name.to_owned()).or_default();
        if let Some(tag) = tag {
            let digest = manifest.digest.clone();
            repository.tags.insert(tag.to_owned(), digest);
        }
        repository
            .manifests
            .insert(manifest.digest.clone(), manifest);
        Ok(())
    }

    /// Makes a blob of `from` one of `name` too; `false` if it is not there.
    pub(super) fn mount(
        &mut self,
        name: &str,
        from: &str,
        digest: &Digest,
    ) -> Result<bool, Problem> {
        let source = self.repositories.get(from);
        let Some(body) = source.and_then(|source| source.blob(digest)) else {
            return Ok(false);
        };
        self.charge(ENTRY)?;
        let repository = self.repositories.entry(name.to_owned()).or_default();
        repository.blobs.insert(digest.clone(), body);
        Ok(true)
    }

    /// Starts an upload and returns its number.
    pub(super) fn start_upload(&mut self, name: &str) -> u64 {
        if self.uploads.len() == MAX_UPLOADS
            && let Some((_, abandoned)) = self.uploads.pop_first()
        {
            self.stored -= abandoned.body.len();
        }
        self.last_upload += 1;
        let upload = Upload {
            name: name.to_owned(),
            body: BytesMut::new(),
        };
        self.uploads.insert(self.last_upload, upload);
        self.last_upload
    }

    /// The bytes that an upload holds so far.
    pub(super) fn uploaded(&self, name: &str, id: u64) -> Result<usize, Problem> {
        match self.uploads.get(&id) {
            Some(upload) if upload.name == name => Ok(upload.body.len()),
            _ => Err(no_upload()),
        }
    }

    /// Adds to an upload and returns the bytes that it holds now.
    pub(super) fn append(&mut self, name: &str, id: u64, chunk: &[u8]) -> Result<usize, Problem> {
        self.uploaded(name, id)?;
        self.charge(chunk.len())?;
        let upload = self.uploads.get_mut(&id).ok_or_else(no_upload)?;
        upload.body.extend_from_slice(chunk);
        Ok(upload.body.len())
    }

    /// Turns an upload into a blob. One whose bytes have another digest is dropped.
    pub(super) fn finish(&mut self, name: &str, id: u64, digest: &Digest) -> Result<(), Problem> {
        self.uploaded(name, id)?;
        let upload = self.uploads.remove(&id).ok_or_else(no_upload)?;
        if Digest::of(&upload.body) != *digest {
            self.stored -= upload.body.len();
            let message = "the bytes have another digest";
            return Err(Problem::new(Code::DigestInvalid, message));
        }
        let repository = self.repositories.entry(name.to_owned()).or_default();
        repository
            .blobs
            .insert(digest.clone(), upload.body.freeze());
        Ok(())
    }

    /// Gives an upload up.
    pub(super) fn cancel(&mut self, name: &str, id: u64) -> Result<(), Problem> {
        self.stored -= self.uploaded(name, id)?;
        self.uploads.remove(&id);
        Ok(())
    }

    /// Counts bytes that the network stores. What is deleted later stays counted: the bound is on
    /// what a client can make us take in.
    fn charge(&mut self, bytes: usize) -> Result<(), Problem> {
        let stored = self.stored.saturating_add(bytes);
        if stored > MAX_STORED {
            let problem = Problem::new(Code::Denied, "this registry is full");
            return Err(problem.status(StatusCode::INSUFFICIENT_STORAGE));
        }
        self.stored = stored;
        Ok(())
    }
}

fn no_upload() -> Problem {
    Problem::new(Code::BlobUploadUnknown, "no such upload")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_in_byte_order_and_start_after_any_name() {
        let mut repository = Repository::default();
        for tag in ["1.9", "1.10", "latest", "V1", "1.2"] {
            repository.tags.insert(tag.to_owned(), Digest::of(b""));
        }
        let all = ["1.10", "1.2", "1.9", "V1", "latest"].map(str::to_owned);
        assert_eq!(repository.page(None, 9), (all.to_vec(), false));
        assert_eq!(repository.page(None, 5), (all.to_vec(), false));
        assert_eq!(repository.page(None, 2), (all[..2].to_vec(), true));
        assert_eq!(repository.page(Some("1.2"), 2), (all[2..4].to_vec(), true));
        assert_eq!(repository.page(Some("1.3"), 9), (all[2..].to_vec(), false));
        assert_eq!(repository.page(None, 0), (vec![], true));
        assert_eq!(repository.page(Some("z"), 9), (vec![], false));
    }

    #[test]
    fn an_upload_becomes_a_blob_only_under_its_digest() {
        let mut store = Store::default();
        let id = store.start_upload("a");
        assert_eq!(store.append("a", id, b"one").unwrap(), 3);
        assert!(store.append("b", id, b"two").is_err(), "another's upload");
        assert!(store.finish("a", id, &Digest::of(b"else")).is_err());
        assert!(store.uploaded("a", id).is_err(), "dropped");
        assert_eq!(store.stored, 0);

        let id = store.start_upload("a");
        store.append("a", id, b"one").unwrap();
        store.finish("a", id, &Digest::of(b"one")).unwrap();
        let blob = store.repository("a").unwrap().blob(&Digest::of(b"one"));
        assert_eq!(blob.as_deref(), Some(b"one".as_slice()));
    }

    #[test]
    fn abandoned_uploads_make_room() {
        let mut store = Store::default();
        let first = store.start_upload("a");
        store.append("a", first, b"one").unwrap();
        for _ in 0..MAX_UPLOADS {
            store.start_upload("a");
        }
        assert!(store.uploaded("a", first).is_err());
        assert_eq!((store.uploads.len(), store.stored), (MAX_UPLOADS, 0));
    }

    #[test]
    fn a_full_store_refuses() {
        let mut store = Store {
            stored: MAX_STORED - 1,
            ..Store::default()
        };
        let id = store.start_upload("a");
        assert!(store.append("a", id, b"1").is_ok());
        assert!(store.append("a", id, b"2").is_err());
        let manifest = Manifest::new("text/plain", "x");
        assert!(store.put_manifest("a", Some("1"), manifest).is_err());
        assert!(store.digest("a", "1").is_none());
    }
}
