//! One integration binary: modules against fakes, whole scenarios, and the binary against real
//! parts.

mod chart;
mod demo_registry;
mod demo_world;
mod fake_server;
mod fuzz;
mod git_https;
mod git_local;
mod git_mirror;
mod git_race;
mod git_server;
mod git_ssh;
mod git_tree;
mod git_world;
mod parts;
mod registry_auth;
mod registry_faults;
mod registry_listing;
mod registry_real;
mod repo;
mod scenario;
mod scenario_basic;
mod scenario_tags;
mod tidy;
mod token_server;
