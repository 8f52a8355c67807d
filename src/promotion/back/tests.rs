//! What is a move back, case by case, and laws that hold for all lists.

use proptest::prelude::*;

use super::*;

fn held(number: u32) -> Held {
    Held {
        tag: number.to_string().parse().unwrap(),
        digest: None,
    }
}

fn list(numbers: &[u32]) -> Vec<Held> {
    numbers.iter().copied().map(held).collect()
}

fn number(held: &Held) -> u32 {
    held.tag.as_str().parse().unwrap()
}

fn back(before: &[u32], after: &[u32]) -> Option<u32> {
    let (before, after) = (list(before), list(after));
    let by_number = |a: &Held, b: &Held| number(a).cmp(&number(b));
    moved_back(&before, &after, by_number).map(number)
}

#[test]
fn only_a_lower_value_is_a_move_back() {
    for (before, after, expected) in [
        (&[5][..], &[5][..], None),
        (&[5], &[6], None),
        (&[5], &[4], Some(5)),
        (&[5, 5], &[5, 4], Some(5)),
        (&[5, 3], &[5, 2], Some(3)),
        (&[5, 3], &[4, 2], Some(5)),
        // Added, whatever the new sites hold.
        (&[], &[1], None),
        (&[5], &[5, 1], None),
        (&[5], &[1, 1], Some(5)),
        // Deleted.
        (&[5], &[], None),
        (&[5, 3], &[3], None),
        (&[5, 3], &[5], None),
        (&[5, 5], &[4], Some(5)),
        (&[5, 3, 3], &[3, 2], Some(3)),
        // One site forward, one back.
        (&[5, 4], &[6, 3], Some(4)),
        // Swapped.
        (&[5, 4], &[4, 5], None),
    ] {
        assert_eq!(back(before, after), expected, "{before:?} {after:?}");
    }
}

fn numbers() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0..8_u32, 0..6)
}

proptest! {
    #[test]
    fn order_has_no_part_in_it(before in numbers(), after in numbers()) {
        let mirrored = |list: &[u32]| list.iter().rev().copied().collect::<Vec<_>>();
        prop_assert_eq!(
            back(&before, &after),
            back(&mirrored(&before), &mirrored(&after))
        );
    }

    #[test]
    fn what_stays_has_no_part_in_it(before in numbers(), after in numbers(), stays in numbers()) {
        let with = |list: &[u32]| [list, &stays].concat();
        prop_assert_eq!(back(&before, &after), back(&with(&before), &with(&after)));
    }

    #[test]
    fn adding_and_deleting_is_none(before in numbers(), other in numbers()) {
        let both = [&before[..], &other].concat();
        prop_assert_eq!(back(&before, &both), None);
        prop_assert_eq!(back(&both, &before), None);
    }

    #[test]
    fn forward_is_none_and_undoing_it_is_one(steps in prop::collection::vec((0..8_u32, 0..3_u32), 1..6)) {
        let before: Vec<u32> = steps.iter().map(|(at, _)| *at).collect();
        let after: Vec<u32> = steps.iter().map(|(at, by)| at + by).collect();
        prop_assert_eq!(back(&before, &after), None);
        let mut sorted = [before.clone(), after.clone()];
        sorted.iter_mut().for_each(|list| list.sort_unstable_by(|a, b| b.cmp(a)));
        let raised = sorted[1].iter().zip(&sorted[0]).find(|(new, old)| new > old);
        prop_assert_eq!(back(&after, &before), raised.map(|(new, _)| *new));
    }
}
