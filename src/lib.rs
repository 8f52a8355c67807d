//! Newest acceptable image, committed to Git, with a reason for every decision.

pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod diag;
pub mod driver;
#[doc(hidden)]
pub mod fuzz;
pub mod git;
pub mod http;
pub mod image;
pub mod manifest;
pub mod policy;
pub mod reconcile;
pub mod registry;
pub mod secret;
pub mod server;
pub mod state;
