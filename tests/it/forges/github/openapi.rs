//! Requests and answers held against an extract of GitHub's published OpenAPI description.
//!
//! `openapi.json` is made by `extract.py` from the description in the npm package `@octokit/openapi` (MIT).
//! GraphQL is not part of it.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::forges::{Asked, Said};

/// Whether a request is one that GitHub describes; else why not.
pub fn check(asked: &Asked) -> Result<(), String> {
    if asked.path == ["graphql"] {
        return Ok(());
    }
    let operation = operation(asked)?;
    for (name, value) in &asked.query {
        let schema = operation["query"].get(name);
        let schema = schema.ok_or_else(|| format!("no query parameter {name}"))?;
        let value = match schema["type"].as_str() {
            Some("integer") => value.parse::<i64>().map(Value::from).unwrap_or_default(),
            _ => value.as_str().into(),
        };
        fits(&value, schema).map_err(|why| format!("{name}: {why}"))?;
    }
    match (operation.get("body"), asked.body.is_null()) {
        (Some(schema), false) => fits(&asked.body, schema),
        (None, true) => Ok(()),
        (Some(_), true) => Err("no body".to_owned()),
        (None, false) => Err("a body where there is none".to_owned()),
    }
}

/// Whether an answer of success is one that GitHub describes; refusals are not described field by field.
pub fn check_answer(asked: &Asked, said: &Said) -> Result<(), String> {
    if asked.path == ["graphql"] || said.status >= 400 {
        return Ok(());
    }
    let operation = operation(asked)?;
    let statuses = operation["statuses"].as_array().unwrap();
    if !statuses.contains(&said.status.to_string().into()) {
        return Err(format!("no status {}", said.status));
    }
    fits(&said.body, &operation["answer"])
}

fn description() -> &'static Value {
    static DESCRIPTION: OnceLock<Value> = OnceLock::new();
    let text = include_str!("openapi.json");
    DESCRIPTION.get_or_init(|| serde_json::from_str(text).unwrap())
}

fn operation(asked: &Asked) -> Result<&'static Value, String> {
    let paths = description()["paths"].as_object().unwrap();
    let template = paths.keys().find(|template| is_of(template, &asked.path));
    let operation = template.and_then(|found| paths[found].get(asked.method.to_lowercase()));
    operation.ok_or_else(|| format!("nothing at {}", asked.line()))
}

/// Whether a path is of a template; the last parameter may hold slashes, as the names of references do.
fn is_of(template: &str, path: &[String]) -> bool {
    let parts: Vec<&str> = template.trim_start_matches('/').split('/').collect();
    let is_open = template.ends_with("/{ref}");
    let is_same = |(part, segment): (&&str, &String)| part.starts_with('{') || part == segment;
    let is_long_enough = path.len() == parts.len() || is_open && path.len() > parts.len();
    is_long_enough && parts.iter().zip(path).all(is_same)
}

fn fits(value: &Value, schema: &Value) -> Result<(), String> {
    if let Some(choices) = schema.get("oneOf").or_else(|| schema.get("anyOf")) {
        let choices = choices.as_array().unwrap();
        return match choices.iter().any(|choice| fits(value, choice).is_ok()) {
            true => Ok(()),
            false => Err(format!("{value} is none of the choices")),
        };
    }
    if value.is_null() && schema["nullable"] == true {
        return Ok(());
    }
    let is_right = match schema["type"].as_str() {
        Some("string") => value.is_string(),
        Some("integer" | "number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        _ => true,
    };
    if !is_right {
        return Err(format!("{value} is no {}", schema["type"]));
    }
    if let Some(choices) = schema["enum"].as_array()
        && !choices.contains(value)
    {
        return Err(format!("{value} is none of {choices:?}"));
    }
    match value {
        Value::Array(items) => {
            let enough = schema["minItems"].as_u64().unwrap_or(0);
            if (items.len() as u64) < enough {
                return Err("too few items".to_owned());
            }
            items
                .iter()
                .try_for_each(|item| fits(item, &schema["items"]))
        }
        Value::Object(fields) => fields_fit(fields, schema),
        _ => Ok(()),
    }
}

fn fields_fit(fields: &Map<String, Value>, schema: &Value) -> Result<(), String> {
    for name in schema["required"].as_array().into_iter().flatten() {
        if !fields.contains_key(name.as_str().unwrap()) {
            return Err(format!("{name} is missing"));
        }
    }
    for (name, value) in fields {
        let schema = schema["properties"].get(name);
        let schema = schema.ok_or_else(|| format!("no field {name}"))?;
        fits(value, schema).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(method: &str, path: &str, query: &[(&str, &str)], body: Value) -> Asked {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Asked {
            method: method.to_owned(),
            path: path.split('/').map(str::to_owned).collect(),
            query: query.iter().map(owned).collect(),
            headers: Vec::new(),
            body,
        }
    }

    #[test]
    fn what_github_does_not_describe_is_found() {
        let pulls = "repos/acme/fleet/pulls";
        let good = json!({"title": "t", "head": "h", "base": "b", "draft": true});
        let merge = "repos/acme/fleet/pulls/7/merge";
        for (asked, wanted) in [
            (asked("POST", pulls, &[], good), None),
            (
                asked(
                    "GET",
                    pulls,
                    &[("state", "all"), ("per_page", "5")],
                    Value::Null,
                ),
                None,
            ),
            (
                asked("GET", "repos/a/b/git/ref/heads/x/y", &[], Value::Null),
                None,
            ),
            (
                asked("PUT", merge, &[], json!({"merge_method": "squash"})),
                None,
            ),
            (
                asked("PUT", merge, &[], json!({"merge_method": "fast"})),
                Some("none of"),
            ),
            (
                asked("GET", pulls, &[("state", "merged")], Value::Null),
                Some("none of"),
            ),
            (
                asked("GET", pulls, &[("per_page", "x")], Value::Null),
                Some("is no"),
            ),
            (
                asked("GET", pulls, &[("sha", "1")], Value::Null),
                Some("query parameter"),
            ),
            (
                asked("POST", pulls, &[], json!({"head": "h"})),
                Some("missing"),
            ),
            (
                asked("POST", pulls, &[], json!({"head": 1, "base": "b"})),
                Some("is no"),
            ),
            (
                asked(
                    "POST",
                    pulls,
                    &[],
                    json!({"head": "h", "base": "b", "labels": []}),
                ),
                Some("no field labels"),
            ),
            (asked("POST", pulls, &[], Value::Null), Some("no body")),
            (asked("DELETE", pulls, &[], Value::Null), Some("nothing at")),
        ] {
            let found = check(&asked).err();
            let is_right = match wanted {
                None => found.is_none(),
                Some(words) => found.as_ref().is_some_and(|found| found.contains(words)),
            };
            assert!(is_right, "{}: {found:?}", asked.line());
        }
    }
}
