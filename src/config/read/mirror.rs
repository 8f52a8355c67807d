//! Mirrors: structs with one field for each key of a mapping.
//!
//! Invariant: the fields, the keys that are known and those that must be there, the merge with
//! defaults and the JSON Schema come from one list of keys, so they cannot disagree.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::{At, Read, Reader};
use crate::config::tree::Node;

/// A mapping read key by key.
pub trait Mirror: Read {
    /// Its keys.
    const KEYS: Keys;

    /// Reads it with other demands than [`Mirror::KEYS`].
    fn read_with(node: &Node, reader: &mut Reader<'_, '_>, keys: Keys) -> Option<Self>;
}

/// The keys of a mirror.
#[derive(Debug, Clone, Copy)]
pub struct Keys {
    /// All of them.
    pub known: &'static [&'static str],
    /// Those that must be there.
    pub required: &'static [&'static str],
}

/// The field of a mirror: a key that may be written, with its value if that could be read.
#[derive(Debug, Clone)]
pub struct Field<T> {
    value: Option<At<T>>,
    written: bool,
}

impl<T> Default for Field<T> {
    fn default() -> Self {
        Self {
            value: None,
            written: false,
        }
    }
}

impl<T> Field<T> {
    /// The field of a key that is written.
    pub fn written(value: Option<At<T>>) -> Self {
        Self {
            value,
            written: true,
        }
    }

    /// Whether the key is written, even with a value that could not be read.
    pub fn is_written(&self) -> bool {
        self.written
    }

    /// The value, if it is written and could be read.
    pub fn get(&self) -> Option<&At<T>> {
        self.value.as_ref()
    }

    /// Takes the value, if it is written and could be read.
    pub fn take(&mut self) -> Option<At<T>> {
        self.value.take()
    }
}

impl<T: Read> Field<T> {
    /// What is written over what is the default.
    #[must_use]
    pub fn over(self, default: Self) -> Self {
        match (self.value, default.value) {
            (Some(own), Some(default)) => Self::written(Some(At {
                value: own.value.over(default.value),
                ..own
            })),
            (own, _) if self.written => Self::written(own),
            (_, value) => Self {
                value,
                written: default.written,
            },
        }
    }
}

/// The schema of a field is that of its value; which fields are required, the mirror says.
impl<T: Read> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        std::any::type_name::<T>().into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::schema(generator)
    }
}

/// A struct that mirrors a mapping of the file, with its reader, merge and schema. `beneath` names a
/// function from what is written and what is the default to what of the default still counts.
macro_rules! mirror {
    (
        $(#[$meta:meta])*
        $name:ident requires [$($required:literal),*] $(beneath $beneath:ident)? {
            $( $(#[$field_meta:meta])* $field:ident = $key:literal: $type:ty, )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, schemars::JsonSchema)]
        #[schemars(deny_unknown_fields, extend("required" = [$($required),*]))]
        pub struct $name {
            $(
                $(#[$field_meta])*
                #[schemars(rename = $key)]
                pub $field: $crate::config::read::Field<$type>,
            )*
        }

        impl $crate::config::read::Mirror for $name {
            const KEYS: $crate::config::read::Keys = $crate::config::read::Keys {
                known: &[$($key),*],
                required: &[$($required),*],
            };

            fn read_with(
                node: &$crate::config::tree::Node,
                reader: &mut $crate::config::read::Reader<'_, '_>,
                keys: $crate::config::read::Keys,
            ) -> Option<Self> {
                let mut mirror = Self::default();
                for entry in reader.entries(node, keys)? {
                    match entry.key.as_str() {
                        $( $key => {
                            let value = $crate::config::read::Read::read_entry(entry, reader);
                            mirror.$field = $crate::config::read::Field::written(value);
                        } )*
                        _ => {}
                    }
                }
                Some(mirror)
            }
        }

        impl $crate::config::read::Read for $name {
            fn read(
                node: &$crate::config::tree::Node,
                reader: &mut $crate::config::read::Reader<'_, '_>,
            ) -> Option<Self> {
                use $crate::config::read::Mirror as _;
                Self::read_with(node, reader, Self::KEYS)
            }

            fn over(self, default: Self) -> Self {
                $( let default = $beneath(&self, default); )?
                Self {
                    $( $field: self.$field.over(default.$field), )*
                }
            }

            fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
                generator.subschema_for::<Self>()
            }
        }
    };
}
pub(in crate::config) use mirror;
