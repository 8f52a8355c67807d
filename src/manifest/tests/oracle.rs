//! A second opinion: another reader of YAML must see the intended changes and no other.

use serde_json::Value;

use super::Edit;

/// Fails unless the values of `before` and `after` differ in exactly the edits' values. What that
/// reader can't read at all proves nothing either way; whether it could is returned.
#[track_caller]
pub(super) fn agrees(before: &str, after: &str, edits: &[Edit]) -> bool {
    let Ok(old) = serde_saphyr::from_multiple::<Value>(before) else {
        return false;
    };
    let new = serde_saphyr::from_multiple::<Value>(after).expect("an edited file still reads");
    let mut changed = Vec::new();
    differences(&Value::from(old), &Value::from(new), edits, &mut changed);
    let mut wanted: Vec<&str> = edits.iter().map(|edit| edit.new.as_str()).collect();
    changed.sort();
    wanted.sort_unstable();
    // That reader sees an anchored value again at each of its aliases.
    if before.contains('*') {
        assert!(changed.len() >= wanted.len(), "{after}");
        changed.dedup();
        wanted.dedup();
    }
    assert_eq!(changed, wanted, "{after}");
    true
}

fn differences(old: &Value, new: &Value, edits: &[Edit], changed: &mut Vec<String>) {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len());
            for (old, new) in old.iter().zip(new) {
                differences(old, new, edits, changed);
            }
        }
        (Value::Object(old), Value::Object(new)) => {
            assert!(old.keys().eq(new.keys()));
            for (old, new) in old.values().zip(new.values()) {
                differences(old, new, edits, changed);
            }
        }
        (old, new) if old == new => {}
        (Value::String(old), Value::String(new)) if inner(old, new).is_some() => {
            let (old, new) = inner(old, new).expect("both are YAML");
            differences(&old, &new, edits, changed);
        }
        (Value::String(old), Value::String(new)) if old.contains('\n') => {
            assert_eq!(old.lines().count(), new.lines().count());
            let lines = old.lines().zip(new.lines());
            for (old, new) in lines.filter(|(old, new)| old != new) {
                let told = |edit: &&Edit| old.replacen(&edit.old, &edit.new, 1) == new;
                // Another edit of a tag alone explains a reference's line as well.
                let edit = edits.iter().filter(told).max_by_key(|edit| edit.old.len());
                let edit = edit.expect("an edit explains the line");
                changed.push(edit.new.clone());
            }
        }
        (old, Value::String(new)) => {
            let kept = old.as_str().and_then(|old| old.split_once('='));
            let kept = kept.map_or("", |(kept, _)| &new[..=kept.len()]);
            assert!(kept.is_empty() || old.as_str().is_some_and(|old| old.starts_with(kept)));
            changed.push(new[kept.len()..].trim_end().to_owned());
        }
        (old, new) => panic!("{old} became {new}, which is no text"),
    }
}

/// The YAML in two texts, if it is more than a text and has the same shape in both. A line of
/// something else may read as a key with a value, and be edited in the key.
fn inner(old: &str, new: &str) -> Option<(Value, Value)> {
    let read = |text: &str| {
        let read = serde_saphyr::from_multiple::<Value>(text).ok()?;
        let value = Value::from(read);
        let collection = value[0].is_object() || value[0].is_array();
        collection.then_some(value)
    };
    let (old, new) = (read(old)?, read(new)?);
    (shape(&old) == shape(&new)).then_some((old, new))
}

/// A value without what its scalars say.
fn shape(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(shape).collect(),
        Value::Object(pairs) => pairs
            .iter()
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
        _ => Value::Null,
    }
}

#[test]
#[should_panic(expected = "an edit explains the line")]
fn a_line_of_a_text_that_no_edit_explains_is_seen() {
    agrees("a: |\n  b = 1\n  c\n", "a: |\n  b = 2\n  c\n", &[]);
}

#[test]
#[should_panic(expected = "left == right")]
fn a_change_that_no_edit_explains_is_seen() {
    agrees("image: a:1\nx: y\n", "image: a:1\nx: z\n", &[]);
}

#[test]
#[should_panic(expected = "which is no text")]
fn a_value_that_became_a_number_is_seen() {
    agrees("newTag: v1\n", "newTag: 1.10\n", &[]);
}
