//! What an image is made of: a description in, content-addressed blobs and manifests out.
//!
//! Invariant: [`ImageSpec::build`] is a pure function, so equal descriptions have equal digests, on
//! every machine. Bodies follow the OCI image spec v1.1: an index, one manifest and one config for
//! each platform, and one uncompressed tar layer that they share.

use std::collections::BTreeMap;

use bytes::Bytes;
use jiff::Timestamp;
use oci_client::manifest::{
    IMAGE_CONFIG_MEDIA_TYPE, IMAGE_LAYER_MEDIA_TYPE, ImageIndexEntry, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageIndex, OciImageManifest, Platform,
};
use serde_json::json;

use super::store::Manifest;
use crate::image::Digest;

/// A tar file is made of blocks of this size (POSIX.1-2017, pax, "ustar Interchange Format").
const TAR_BLOCK: usize = 512;

/// The one file in the layer.
const PAYLOAD_NAME: &[u8] = b"payload";

/// An image to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageSpec {
    /// When it was built, as its config says.
    pub created: Timestamp,
    /// `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`, in the index's order.
    pub platforms: Vec<String>,
    /// The config's labels.
    pub labels: BTreeMap<String, String>,
    /// The content of the one file in its layer.
    pub payload: Vec<u8>,
}

impl ImageSpec {
    /// An image for the two usual platforms, without labels; `payload` tells it from others.
    pub fn new(created: Timestamp, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            created,
            platforms: vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()],
            labels: BTreeMap::new(),
            payload: payload.into(),
        }
    }

    /// The same image with one more label.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The digest of its index: what a registry answers for its tag.
    pub fn digest(&self) -> Digest {
        self.build().index.digest
    }

    pub(super) fn build(&self) -> Built {
        let layer = Blob::new(tar(&self.payload));
        let mut blobs = Vec::new();
        let mut manifests = Vec::new();
        let mut entries = Vec::new();
        for name in &self.platforms {
            let platform = platform(name);
            let config = Blob::new(self.config(&platform, &layer.digest));
            let manifest = image_manifest(&config, &layer);
            entries.push(entry(&manifest, platform));
            manifests.push(manifest);
            blobs.push(config);
        }
        blobs.push(layer);
        let index = OciImageIndex {
            schema_version: 2,
            media_type: Some(OCI_IMAGE_INDEX_MEDIA_TYPE.to_owned()),
            manifests: entries,
            artifact_type: None,
            annotations: None,
        };
        Built {
            index: Manifest::new(OCI_IMAGE_INDEX_MEDIA_TYPE, json_bytes(&index)),
            manifests,
            blobs,
        }
    }

    fn config(&self, platform: &Platform, layer: &Digest) -> Vec<u8> {
        json_bytes(&json!({
            "created": self.created.to_string(),
            "architecture": platform.architecture,
            "os": platform.os,
            "variant": platform.variant,
            "config": {"Labels": self.labels},
            "rootfs": {"type": "layers", "diff_ids": [layer.as_str()]},
        }))
    }
}

/// Everything to store for one image.
pub(super) struct Built {
    pub(super) index: Manifest,
    pub(super) manifests: Vec<Manifest>,
    pub(super) blobs: Vec<Blob>,
}

/// A blob and its digest.
pub(super) struct Blob {
    pub(super) digest: Digest,
    pub(super) body: Bytes,
}

impl Blob {
    fn new(body: Vec<u8>) -> Self {
        Self {
            digest: Digest::of(&body),
            body: body.into(),
        }
    }
}

fn image_manifest(config: &Blob, layer: &Blob) -> Manifest {
    let manifest = OciImageManifest {
        media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
        config: descriptor(IMAGE_CONFIG_MEDIA_TYPE, config),
        layers: vec![descriptor(IMAGE_LAYER_MEDIA_TYPE, layer)],
        ..OciImageManifest::default()
    };
    Manifest::new(OCI_IMAGE_MEDIA_TYPE, json_bytes(&manifest))
}

fn descriptor(media_type: &str, blob: &Blob) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: blob.digest.to_string(),
        size: size(&blob.body),
        ..OciDescriptor::default()
    }
}

fn entry(manifest: &Manifest, platform: Platform) -> ImageIndexEntry {
    ImageIndexEntry {
        media_type: manifest.media_type.clone(),
        digest: manifest.digest.to_string(),
        size: size(&manifest.body),
        platform: Some(platform),
        annotations: None,
        artifact_type: None,
    }
}

/// A descriptor's size in bytes; bodies are far below 2^63.
pub(super) fn size(body: &Bytes) -> i64 {
    i64::try_from(body.len()).unwrap_or(i64::MAX)
}

fn platform(name: &str) -> Platform {
    let mut parts = name.splitn(3, '/');
    Platform {
        os: parts.next().unwrap_or_default().into(),
        architecture: parts.next().unwrap_or_default().into(),
        variant: parts.next().map(str::to_owned),
        os_version: None,
        os_features: None,
        features: None,
    }
}

fn json_bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).expect("maps with text keys always serialise")
}

/// A tar file of one file (ustar header, fields as POSIX.1-2017 lays them out).
fn tar(content: &[u8]) -> Vec<u8> {
    let mut header = [0u8; TAR_BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, PAYLOAD_NAME);
    put(100, b"0000644\0"); // mode
    put(108, b"0000000\0"); // owner
    put(116, b"0000000\0"); // group
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"00000000000\0"); // modification time
    put(148, b"        "); // the checksum counts itself as spaces
    put(156, b"0"); // a regular file
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());

    let mut file = header.to_vec();
    file.extend_from_slice(content);
    file.resize(file.len().next_multiple_of(TAR_BLOCK), 0);
    // Two empty blocks end the archive.
    file.resize(file.len() + 2 * TAR_BLOCK, 0);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_descriptions_have_equal_digests() {
        let time = Timestamp::UNIX_EPOCH;
        let labels = |keys: [&str; 3]| {
            keys.iter()
                .fold(ImageSpec::new(time, "a"), |spec, key| spec.label(*key, "x"))
        };
        assert_eq!(
            labels(["a", "b", "c"]).digest(),
            labels(["c", "b", "a"]).digest()
        );
        let later = Timestamp::from_second(1).unwrap();
        let plain = ImageSpec::new(time, "a").digest();
        assert_ne!(plain, ImageSpec::new(time, "b").digest());
        assert_ne!(plain, ImageSpec::new(later, "a").digest());
        assert_ne!(plain, labels(["a", "b", "c"]).digest());
    }

    #[test]
    fn the_index_names_its_platforms() {
        let mut spec = ImageSpec::new(Timestamp::UNIX_EPOCH, "a");
        spec.platforms.push("linux/arm/v7".to_owned());
        let built = spec.build();
        let index: OciImageIndex = serde_json::from_slice(&built.index.body).unwrap();
        let variants: Vec<_> = index
            .manifests
            .iter()
            .map(|entry| entry.platform.as_ref().unwrap().variant.as_deref())
            .collect();
        assert_eq!(variants, [None, None, Some("v7")]);
        assert_eq!(built.blobs.len(), 4, "three configs and the shared layer");
    }

    #[test]
    fn the_layer_is_whole_blocks() {
        for length in [0, 1, 511, 512, 513] {
            let file = tar(&vec![b'x'; length]);
            let content = length.div_ceil(TAR_BLOCK) * TAR_BLOCK;
            assert_eq!(file.len(), TAR_BLOCK + content + 2 * TAR_BLOCK);
        }
    }
}
