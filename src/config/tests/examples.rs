//! The examples and schemas that are shipped agree with the code.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::config::credential::cloud::{RawAzure, RawEcr, RawGcp};
use crate::config::credential::{RawGitCredentials, RawGitHubApp, RawRegistryCredentials};
use crate::config::raw_app::{RawApp, RawStage};
use crate::config::raw_service::after_push::{RawArgoCd, RawFlux, RawNudge};
use crate::config::raw_service::commit::{RawCommit, RawSigning};
use crate::config::raw_service::gates::RawGate;
use crate::config::raw_service::holds::RawHold;
use crate::config::raw_service::push::{RawForge, RawForgeCredentials, RawPush};
use crate::config::raw_service::server::{RawCaller, RawServer};
use crate::config::raw_service::{
    RawCache, RawEntry, RawLimits, RawRegistry, RawRepository, RawService, RawVerify,
};
use crate::config::raw_tags::{RawKeyed, RawTags};
use crate::config::read::Mirror;
use crate::config::{app_schema, service_schema};
use crate::registry::Credentials;

const SERVICE: &str = include_str!("../../../docs/examples/tagwright.yaml");
const SHOP: &str = include_str!("../../../docs/examples/policies/shop.yaml");
const DEFAULTS: &str = include_str!("../../../docs/examples/policies/defaults.yaml");

#[test]
fn the_example_service_loads() {
    let service = good_service(SERVICE);
    let fleet = &service.repositories[0];
    assert_eq!(fleet.branch, "main");
    assert_eq!(fleet.commits.author.email, "tagwright@example.com");
    assert_eq!(fleet.policies.len(), 2);
    assert_eq!(
        fleet.policies[1].registries.as_deref(),
        Some(&["team-a".to_owned()][..])
    );
    assert!(matches!(
        service.registries[0].account.credentials,
        Credentials::DockerConfig(_)
    ));
    assert_eq!(service.registries[1].account.path, "acme/a/");
    assert_eq!(service.server.listen.unwrap().port(), 8080);
}

#[test]
fn the_example_apps_load() {
    let files = [("shop.yaml", SHOP), ("defaults.yaml", DEFAULTS)];
    let apps = apps_of(&entry("policies/"), &files);
    assert!(
        apps.diagnostics.is_empty(),
        "{}",
        rendered(&apps.diagnostics)
    );
    let shop = &apps.apps[0];
    assert_eq!(
        shop.marker.as_ref().unwrap().to_string(),
        "flux-system:shop"
    );
    assert_eq!(shop.stages.len(), 2);
    assert!(
        shop.stages[1]
            .paths
            .matches("apps/production/shop/app.yaml")
    );
    assert!(
        !shop.stages[1]
            .paths
            .matches("apps/production/shop/migration.yaml")
    );
}

#[test]
fn examples_name_their_schema() {
    for (text, schema) in [
        (SERVICE, "../reference/schema/tagwright.schema.json"),
        (SHOP, "../../reference/schema/app.schema.json"),
        (DEFAULTS, "../../reference/schema/app.schema.json"),
    ] {
        assert_eq!(
            text.lines().next(),
            Some(crate::config::modeline(schema).as_str())
        );
    }
}

#[test]
fn committed_schemas_are_fresh() {
    for (committed, schema, command) in [
        (
            include_str!("../../../docs/reference/schema/tagwright.schema.json"),
            service_schema(),
            "tagwright schema service > docs/reference/schema/tagwright.schema.json",
        ),
        (
            include_str!("../../../docs/reference/schema/app.schema.json"),
            app_schema(),
            "tagwright schema app > docs/reference/schema/app.schema.json",
        ),
    ] {
        let committed: Value = serde_json::from_str(committed).unwrap();
        assert!(committed == schema, "out of date; run `{command}`");
    }
}

/// The schema of a mapping, by the name of its mirror.
fn mapping<'v>(schema: &'v Value, name: &str) -> &'v Value {
    schema["definitions"].get(name).unwrap_or(schema)
}

#[test]
fn schemas_know_the_keys_of_the_reader() {
    let (service, app) = (service_schema(), app_schema());
    for (schema, name, keys) in [
        (&service, "RawService", RawService::KEYS),
        (&service, "RawRepository", RawRepository::KEYS),
        (&service, "RawCommit", RawCommit::KEYS),
        (&service, "RawSigning", RawSigning::KEYS),
        (&service, "RawPush", RawPush::KEYS),
        (&service, "RawForge", RawForge::KEYS),
        (&service, "RawForgeCredentials", RawForgeCredentials::KEYS),
        (&service, "RawLimits", RawLimits::KEYS),
        (&service, "RawHold", RawHold::KEYS),
        (&service, "RawGate", RawGate::KEYS),
        (&service, "RawVerify", RawVerify::KEYS),
        (&service, "RawNudge", RawNudge::KEYS),
        (&service, "RawFlux", RawFlux::KEYS),
        (&service, "RawArgoCd", RawArgoCd::KEYS),
        (&service, "RawEntry", RawEntry::KEYS),
        (&service, "RawRegistry", RawRegistry::KEYS),
        (
            &service,
            "RawRegistryCredentials",
            RawRegistryCredentials::KEYS,
        ),
        (&service, "RawGitCredentials", RawGitCredentials::KEYS),
        (&service, "RawGitHubApp", RawGitHubApp::KEYS),
        (&service, "RawEcr", RawEcr::KEYS),
        (&service, "RawGcp", RawGcp::KEYS),
        (&service, "RawAzure", RawAzure::KEYS),
        (&service, "RawServer", RawServer::KEYS),
        (&service, "RawCaller", RawCaller::KEYS),
        (&service, "RawCache", RawCache::KEYS),
        (&app, "RawApp", RawApp::KEYS),
        (&app, "RawTags", RawTags::KEYS),
        (&app, "RawKeyed", RawKeyed::KEYS),
        (&app, "RawStage", RawStage::KEYS),
    ] {
        let schema = mapping(schema, name);
        let properties = schema["properties"].as_object().unwrap();
        let in_schema: BTreeSet<_> = properties.keys().map(String::as_str).collect();
        let read: BTreeSet<_> = keys.known.iter().copied().collect();
        assert_eq!(in_schema, read, "{name}");
        assert_eq!(schema["additionalProperties"], false, "{name}");
        for (key, property) in properties {
            assert!(property["description"].is_string(), "{name}.{key}");
        }
    }
}

#[test]
fn schemas_demand_what_the_reader_demands() {
    let service = service_schema();
    for (name, required) in [
        ("RawService", RawService::KEYS.required),
        ("RawRepository", RawRepository::KEYS.required),
        ("RawRegistry", RawRegistry::KEYS.required),
        ("RawPush", RawPush::KEYS.required),
    ] {
        let in_schema = mapping(&service, name)["required"].as_array().unwrap();
        let in_schema: Vec<_> = in_schema.iter().filter_map(Value::as_str).collect();
        assert_eq!(in_schema, required, "{name}");
    }
    assert_eq!(app_schema()["dependencies"]["app"][0], "image");
}

/// Each key that a schema knows has a place in the reference.
#[test]
fn the_reference_names_every_key() {
    let reference = include_str!("../../../docs/reference/configuration.md");
    for keys in [
        RawService::KEYS,
        RawRepository::KEYS,
        RawCommit::KEYS,
        RawSigning::KEYS,
        RawPush::KEYS,
        RawLimits::KEYS,
        RawHold::KEYS,
        RawGate::KEYS,
        RawVerify::KEYS,
        RawNudge::KEYS,
        RawFlux::KEYS,
        RawArgoCd::KEYS,
        RawEntry::KEYS,
        RawRegistry::KEYS,
        RawRegistryCredentials::KEYS,
        RawGitCredentials::KEYS,
        RawGitHubApp::KEYS,
        RawEcr::KEYS,
        RawGcp::KEYS,
        RawAzure::KEYS,
        RawServer::KEYS,
        RawCaller::KEYS,
        RawCache::KEYS,
        RawApp::KEYS,
        RawTags::KEYS,
        RawKeyed::KEYS,
        RawStage::KEYS,
    ] {
        for key in keys.known {
            assert!(reference.contains(&format!("`{key}`")), "{key}");
        }
    }
}
