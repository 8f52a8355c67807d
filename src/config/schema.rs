//! JSON Schemas of the files, and the line that points an editor to them.
//!
//! Invariant: a schema comes from the same mirror that reads the file, so it knows the same keys. It
//! may accept a value that the reader refuses, never the other way round.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

use super::raw_app::RawApp;
use super::raw_service::RawService;

/// The start of the comment by which editors with the YAML language server find a file's schema.
const MODELINE: &str = "# yaml-language-server: $schema=";

/// The first line of a service file whose schema lies beside it.
pub const SERVICE_MODELINE: &str = "# yaml-language-server: $schema=tagwright.schema.json";

/// The first line of an app file whose schema lies beside it.
pub const APP_MODELINE: &str = "# yaml-language-server: $schema=app.schema.json";

/// The first line of a file whose schema is at `schema`, a URL or a path from the file's own folder.
pub fn modeline(schema: &str) -> String {
    format!("{MODELINE}{schema}")
}

/// The JSON Schema of the service file.
pub fn service_schema() -> Value {
    schema::<RawService>("Tagwright service configuration")
}

/// The JSON Schema of app files and of `defaults.yaml`, which is an app file without an app.
pub fn app_schema() -> Value {
    let mut schema = schema::<RawApp>("Tagwright app file, or defaults.yaml");
    if let Some(root) = schema.as_object_mut() {
        root.insert("required".to_owned(), json!(["version"]));
        let together = json!({"app": ["image"], "image": ["app"]});
        root.insert("dependencies".to_owned(), together);
    }
    schema
}

/// Draft 7, which editors know best.
fn schema<T: JsonSchema>(title: &str) -> Value {
    let generator = SchemaSettings::draft07().into_generator();
    let mut schema: Schema = generator.into_root_schema_for::<T>();
    schema.insert("title".to_owned(), json!(title));
    schema.to_value()
}
