//! The one owner of several scalars that make one site.
//!
//! Invariant: markers of one owner that ask for the parts they stand on are one marker; where they
//! disagree, or ask for less than the site, the scalars are left to their markers one by one.

use super::attach::{Mark, Marks};
use super::yaml::Id;
use super::{Marker, Part};

/// The marker of a site that is made of `parts`: `Some(None)` if nothing is marked, `None` if the
/// markers are to be taken one by one.
pub(super) fn owner(marks: &Marks, parts: &[(Option<Id>, Part)]) -> Option<Option<Mark>> {
    let marked: Vec<(&Mark, Part)> = parts
        .iter()
        .filter_map(|(id, part)| Some((marks.of((*id)?)?, *part)))
        .collect();
    let tagged = parts
        .iter()
        .any(|(id, part)| *part == Part::Tag && id.is_some());
    let Some((first, first_part)) = marked.first() else {
        return Some(None);
    };
    let whole = |mark: &Mark| mark.marker.part() == Part::Whole;
    // Ours may leave the part to the key it stands on; in Flux it then means a whole reference.
    let sound = marked.iter().all(|(mark, part)| {
        let own = matches!(mark.marker, Marker::Own { .. });
        mark.marker.same_owner(&first.marker)
            && (mark.marker.part() == *part || own && whole(mark))
            && mark.rival.is_none()
    });
    let enough = marked
        .iter()
        .any(|(mark, part)| whole(mark) || *part == Part::Tag || *part == Part::Digest && !tagged);
    if !sound || !enough {
        return None;
    }
    let part = match marked.as_slice() {
        [(mark, _)] if !whole(mark) => *first_part,
        _ if marked.iter().any(|(_, part)| *part == Part::Name) => Part::Whole,
        _ => Part::Tag,
    };
    Some(Some(Mark {
        marker: first.marker.with_part(part),
        ..(*first).clone()
    }))
}
