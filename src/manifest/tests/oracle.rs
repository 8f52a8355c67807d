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
    differences(&Value::from(old), &Value::from(new), &mut changed);
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
        (Value::String(old), Value::String(new)) if inner(old).is_some() => {
            let (old, new) = inner(old).zip(inner(new)).expect("both are YAML");
            differences(&old, &new, changed);
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

/// The YAML in a text, if it is more than a text.
fn inner(text: &str) -> Option<Value> {
    let read = serde_saphyr::from_multiple::<Value>(text).ok()?;
    let value = Value::from(read);
    let collection = value[0].is_object() || value[0].is_array();
    collection.then_some(value)
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

/// As [`agrees`] for edits inside text values: the values differ only in the edits' tokens.
#[track_caller]
#[allow(
    dead_code,
    clippy::allow_attributes,
    reason = "the corpus reads this file too and has no use for it"
)]
pub(super) fn agrees_on_blocks(before: &str, after: &str, edits: &[Edit]) {
    let old: Vec<Value> = serde_saphyr::from_multiple(before).expect("the file reads");
    let new: Vec<Value> = serde_saphyr::from_multiple(after).expect("an edited file still reads");
    let mut shown = Value::from(old).to_string();
    for edit in edits {
        let at = shown.find(&edit.old).expect("the old value is there");
        shown.replace_range(at..at + edit.old.len(), &edit.new);
    }
    // Tokens that are unchanged elsewhere may be hit first, so counts are compared, not places.
    let mut letters: Vec<char> = shown.chars().collect();
    let mut wanted: Vec<char> = Value::from(new).to_string().chars().collect();
    letters.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(letters, wanted, "{after}");
}
