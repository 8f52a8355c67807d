//! Object ids as values that can be kept, compared and printed without a repository.
//!
//! Invariant: an id is 20 bytes (SHA-1); its text is 40 lower-case hex digits.
//!
//! Repositories with SHA-256 ids are refused by the mirror, not here.

use std::fmt;
use std::str::FromStr;

/// Text that is not an object id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an object id is 40 hexadecimal digits")]
pub struct IdError;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 20]);

        impl $name {
            /// The id with these bytes.
            pub const fn new(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }

            /// The id's bytes.
            pub const fn bytes(&self) -> &[u8; 20] {
                &self.0
            }

            pub(in crate::git) fn from_git(id: git2::Oid) -> Self {
                let mut bytes = [0; 20];
                bytes.copy_from_slice(id.as_bytes());
                Self(bytes)
            }

            pub(in crate::git) fn to_git(self) -> git2::Oid {
                git2::Oid::from_bytes(&self.0).expect("20 bytes are an id")
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(
    /// The id of a commit.
    CommitId
);
id!(
    /// The id of a file's contents.
    BlobId
);

impl CommitId {
    /// No commit, as Git's protocol writes it: what a branch is at that is not there.
    pub const NONE: Self = Self([0; 20]);
}

impl BlobId {
    /// The id that Git gives these contents.
    pub fn of(contents: &[u8]) -> Self {
        git2::Oid::hash_object(git2::ObjectType::Blob, contents)
            .map(Self::from_git)
            .expect("hashing bytes in memory can't fail")
    }
}

fn parse(text: &str) -> Result<[u8; 20], IdError> {
    let digits = text.as_bytes();
    if digits.len() != 40 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(IdError);
    }
    let mut bytes = [0; 20];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    Ok(bytes)
}

/// The value of one hexadecimal digit.
fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_id_is_gits() {
        // `printf 'hello\n' | git hash-object --stdin`
        assert_eq!(
            BlobId::of(b"hello\n").to_string(),
            "ce013625030ba8dba906f756967f9e9ca394464a"
        );
    }

    #[test]
    fn an_id_prints_as_it_was_read() {
        let text = "00112233445566778899aabbccddeeff0a1b2c3d";
        let id: CommitId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(CommitId::from_git(id.to_git()), id);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<CommitId>(&json).unwrap(), id);
        assert_eq!(text.to_uppercase().parse::<CommitId>().unwrap(), id);
    }

    #[test]
    fn other_text_is_no_id() {
        for text in [
            "",
            "0011",
            &"g".repeat(40),
            &"a".repeat(41),
            &"é".repeat(20),
        ] {
            assert_eq!(text.parse::<BlobId>(), Err(IdError), "{text}");
        }
    }
}
