//! Marked values in texts that are neither YAML nor JSON, case by case.

mod blocks;
mod edits;
mod hostile;
mod properties;
mod told;

use super::*;

/// `Mw` in a case is a Flux marker of `ns:app`, `Mt`, `Mn` and `Md` ask for a part; `Ow`, `Ot`, `On`
/// and `Od` are ours of `app`.
fn marked(case: &str) -> String {
    let mut case = markers::flux(case);
    for (sign, part) in [
        ("Ow", ""),
        ("Ot", ":tag"),
        ("On", ":name"),
        ("Od", ":digest"),
    ] {
        case = case.replace(sign, &format!("tagwright: app{part}"));
    }
    case
}

/// Proves a case in the file `name`: the bytes, and that a second time changes nothing.
#[track_caller]
fn check(name: &str, to: To, case: &str) {
    let format = format_of(name).unwrap();
    let (before, after) = split(&marked(case));
    let (found, rewritten) = write(format, before.as_bytes(), to);
    assert_eq!(found.notes, [], "{name}: {case}");
    let shown = String::from_utf8(rewritten.bytes.clone()).unwrap();
    assert_eq!(shown, after, "{name}: {case}\n{:?}", rewritten.refused);
    assert_eq!(rewritten.refused, [], "{name}: {case}");
    assert!(!found.sites.is_empty(), "{name}: {case}");
    for site in &found.sites {
        assert_eq!(site.kind, SiteKind::Text, "{name}: {case}");
        assert!(site.marker.is_some(), "{name}: {case}");
    }
    let (_, again) = write(format, &rewritten.bytes, to);
    assert_eq!(again.edits, [], "{name}: {case}");
    assert_eq!(again.bytes, rewritten.bytes, "{name}: {case}");
}
