//! A second opinion: another reader of YAML must see the intended changes and no other.

use serde_json::Value;

use super::Edit;

/// Fails unless the values of `before` and `after` differ in exactly the edits' values. What that
/// reader can't read at all proves nothing either way.
#[track_caller]
pub(super) fn agrees(before: &str, after: &str, edits: &[Edit]) {
    let Ok(old) = serde_saphyr::from_multiple::<Value>(before) else {
        return;
    };
    let new = serde_saphyr::from_multiple::<Value>(after).expect("an edited file still reads");
    let mut changed = Vec::new();
    differences(&Value::from(old), &Value::from(new), &mut changed);
    let mut wanted: Vec<&str> = edits.iter().map(|edit| edit.new.as_str()).collect();
    changed.sort();
    wanted.sort_unstable();
    assert_eq!(changed, wanted, "{after}");
}

fn differences(old: &Value, new: &Value, changed: &mut Vec<String>) {
    match (old, new) {
        (Value::Array(old), Value::Array(new)) => {
            assert_eq!(old.len(), new.len());
            for (old, new) in old.iter().zip(new) {
                differences(old, new, changed);
            }
        }
        (Value::Object(old), Value::Object(new)) => {
            assert!(old.keys().eq(new.keys()));
            for (old, new) in old.values().zip(new.values()) {
                differences(old, new, changed);
            }
        }
        (old, new) if old == new => {}
        (_, Value::String(new)) => changed.push(new.trim_end().to_owned()),
        (old, new) => panic!("{old} became {new}, which is no text"),
    }
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
