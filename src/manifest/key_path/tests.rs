//! How paths of keys are written, and where they lead.

use super::*;

fn steps(text: &str) -> Result<Vec<Step>, KeyPathError> {
    text.parse::<KeyPath>().map(|path| path.steps)
}

fn key(text: &str) -> Step {
    Step::Key(text.to_owned())
}

fn holding(key: &str, value: &str) -> Step {
    Step::Where(key.to_owned(), value.to_owned())
}

#[test]
fn paths_are_keys_and_selectors() {
    for (text, wanted) in [
        ("a", vec![key("a")]),
        (
            "spec.values.image.tag",
            vec![key("spec"), key("values"), key("image"), key("tag")],
        ),
        (
            "images[0].newTag",
            vec![key("images"), Step::Item(0), key("newTag")],
        ),
        ("[3][12]", vec![Step::Item(3), Step::Item(12)]),
        ("a.\"b.c\".d", vec![key("a"), key("b.c"), key("d")]),
        ("\"a \\\"b\\\\\"", vec![key("a \"b\\")]),
        ("\"\"", vec![key("")]),
        (
            "c[name=app].image",
            vec![key("c"), holding("name", "app"), key("image")],
        ),
        ("c[a.b/c=v1.2]", vec![key("c"), holding("a.b/c", "v1.2")]),
        ("c[\"a=b\"=\"x]y\"]", vec![key("c"), holding("a=b", "x]y")]),
        ("c[name=a=b]", vec![key("c"), holding("name", "a=b")]),
        ("c[0x=1]", vec![key("c"), holding("0x", "1")]),
        ("a-b_c/d{e}", vec![key("a-b_c/d{e}")]),
        ("schlüssel.ключ", vec![key("schlüssel"), key("ключ")]),
        ("a.0.b", vec![key("a"), key("0"), key("b")]),
    ] {
        assert_eq!(steps(text), Ok(wanted), "{text}");
        assert_eq!(text.parse::<KeyPath>().unwrap().to_string(), text);
    }
}

#[test]
fn what_is_no_path_is_told_with_its_place() {
    for (text, error) in [
        ("", KeyPathError::Empty),
        (".", KeyPathError::NoKey(1)),
        (".a", KeyPathError::NoKey(1)),
        ("a.", KeyPathError::NoKey(3)),
        ("a..b", KeyPathError::NoKey(3)),
        ("é..b", KeyPathError::NoKey(3)),
        (" a", KeyPathError::NoKey(1)),
        ("a b", KeyPathError::Stray(2)),
        ("a\"b\"", KeyPathError::Stray(2)),
        ("a]", KeyPathError::Stray(2)),
        ("\"a\"b", KeyPathError::Stray(4)),
        ("[0]a", KeyPathError::Stray(4)),
        ("a[", KeyPathError::Open(2)),
        ("a[0", KeyPathError::Open(2)),
        ("a.\"b", KeyPathError::Open(3)),
        ("a.\"b\\n\"", KeyPathError::Open(3)),
        ("a[]", KeyPathError::Selector(2)),
        ("a[*]", KeyPathError::Selector(2)),
        ("a[-1]", KeyPathError::Selector(2)),
        ("a[=b]", KeyPathError::Selector(2)),
        ("a[b=]", KeyPathError::Selector(2)),
        ("a[99999999999999999999]", KeyPathError::Selector(2)),
    ] {
        assert_eq!(steps(text), Err(error), "{text}");
    }
    assert_eq!(steps(&"a".repeat(1025)), Err(KeyPathError::TooLong));
    assert_eq!(steps(&vec!["a"; 65].join(".")), Err(KeyPathError::TooLong));
}

#[test]
fn the_last_key_is_split_off_as_written() {
    for (text, wanted) in [
        ("a", Some(("", "a"))),
        ("a.b", Some(("a", "b"))),
        ("a[0].b", Some(("a[0]", "b"))),
        ("a.\"b.c\"", Some(("a", "b.c"))),
        ("a.\"b\\\"\\\\\"", Some(("a", "b\"\\"))),
        ("a[0]", None),
    ] {
        let path: KeyPath = text.parse().unwrap();
        assert_eq!(path.last_key(), wanted, "{text}");
    }
}

#[test]
fn a_path_leads_to_every_value_that_fits() {
    let text = "\
a: {b: 1}
c:
- {name: x, v: 2}
- {name: y, v: 3}
- {name: x, v: 4}
---
a: {b: 5, e: }
---
base: &base {b: 6}
a: {<<: *base}
f: &f {<<: *f}
g: {<<: [{h: 7}, *base]}
i: *base
";
    let tree = super::super::yaml::parse(text, false).unwrap();
    let lead = |path: &str| {
        let lead = path.parse::<KeyPath>().unwrap().follow(&tree);
        let texts: Vec<&str> = lead
            .nodes
            .iter()
            .map(|id| tree.scalar(*id).unwrap_or("{}"))
            .collect();
        let near = lead.nearest.map(|at| format!(" {at}")).unwrap_or_default();
        texts.join(",") + &near
    };
    for (path, wanted) in [
        ("a.b", "1,5,6"),
        ("c[name=x].v", "2,4"),
        ("c[1].v", "3"),
        ("c[3].v", ""),
        ("c[name=z].v", ""),
        ("a.e", ""),
        ("a", "{},{},{}"),
        ("a.z", " 1:4"),
        ("z", " 1:1"),
        ("z.b", ""),
        ("c.v", ""),
        ("a[0]", ""),
        ("f.b", " 11:7"),
        ("g.h", "7"),
        ("g.b", "6"),
        ("i.b", "6"),
    ] {
        assert_eq!(lead(path), wanted, "{path}");
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_a_path_that_prints_as_written_or_none(text in "[a.\\[\\]=\"\\\\0 é]{0,12}|.{0,20}") {
        if let Ok(path) = text.parse::<KeyPath>() {
            proptest::prop_assert_eq!(path.to_string(), text.as_str());
            if let Some((before, _)) = path.last_key() {
                proptest::prop_assert!(text.starts_with(before));
                proptest::prop_assert!(before.is_empty() || before.parse::<KeyPath>().is_ok());
            }
        }
    }
}
