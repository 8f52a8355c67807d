//! Everything on one machine with nothing installed: a registry and a config repo of a small company.
//!
//! [`registry`] is a real HTTP server on loopback that speaks the OCI distribution API; [`world`]
//! fills it and lays out a config repo with staging and production. The tests use both.
//!
//! Nothing here is reached by a service that watches real registries, and nothing here leaves
//! loopback or writes outside the folder it is given.

pub mod registry;
pub mod world;
