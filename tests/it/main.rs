//! One integration binary: modules against fakes, whole scenarios, and the binary against real
//! parts.

mod fake_server;
mod parts;
mod registry_auth;
mod registry_faults;
mod registry_listing;
mod registry_real;
mod token_server;
