//! The replies of `tags/list`, gathered into one set of tags.
//!
//! Invariant: memory is bounded by the limits on tags and bytes, whatever the pages hold: names go
//! from the reply into the set one by one, and names that are no tags are counted, with a sample.
//!
//! Which page comes next is not decided here.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr as _;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Listing, words};
use crate::image::Tag;

/// How many names that are no tags are kept for display.
const MAX_INVALID: usize = 20;

/// Longest name sent back as the place to go on from, in bytes; tags have 128.
const MAX_LAST: usize = 1024;

/// All names seen so far.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    tags: HashSet<Tag>,
    invalid: Vec<String>,
    invalid_count: usize,
    /// The last two names, in the registry's order; fewer while there are fewer.
    tail: [String; 2],
}

/// What one page held.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// How many names.
    pub(super) names: usize,
    /// How many tags that earlier pages didn't have.
    pub(super) new: usize,
    /// The last name, the place to go on from.
    pub(super) last: Option<String>,
}

/// Why a page is unusable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    /// The JSON ends early.
    Cut,
    /// It isn't the JSON of a tag list, for this reason.
    NotAList(&'static str),
    /// There are more tags than the limit.
    TooMany,
}

impl Gathered {
    /// Adds the names of a page. `{"tags": null}` and `{"tags": []}` are both an empty page.
    pub(super) fn add(&mut self, body: &[u8], most_tags: usize) -> Result<Page, Unusable> {
        let mut reader = Reader {
            gathered: self,
            most_tags,
            page: Page::default(),
            has_list: false,
            too_many: false,
        };
        let mut json = serde_json::Deserializer::from_slice(body);
        let read = Object(&mut reader)
            .deserialize(&mut json)
            .and_then(|()| json.end());
        match read {
            _ if reader.too_many => Err(Unusable::TooMany),
            Err(error) if error.is_eof() => Err(Unusable::Cut),
            Err(error) if error.is_syntax() => Err(Unusable::NotAList("the reply is not JSON")),
            Err(_) => Err(Unusable::NotAList("the reply is not a list of tags")),
            Ok(()) if !reader.has_list => Err(Unusable::NotAList("the reply has no `tags`")),
            Ok(()) => Ok(reader.page),
        }
    }

    /// Notes the name that came last; an overlong one leaves no place to go on from.
    fn note_last(&mut self, name: &str) {
        self.tail.rotate_left(1);
        let [_, last] = &mut self.tail;
        last.clear();
        if name.len() <= MAX_LAST {
            last.push_str(name);
        }
    }

    /// Everything that was gathered, the tags in bytewise order.
    pub(super) fn finish(self) -> Listing {
        let mut tags: Vec<Tag> = self.tags.into_iter().collect();
        tags.sort_unstable();
        let [before, last] = &self.tail;
        let has_tail = !before.is_empty() && !last.is_empty();
        Listing {
            tags,
            invalid: self.invalid,
            invalid_count: self.invalid_count,
            tail: has_tail.then_some(self.tail),
            ..Listing::default()
        }
    }
}

struct Reader<'a> {
    gathered: &'a mut Gathered,
    most_tags: usize,
    page: Page,
    has_list: bool,
    too_many: bool,
}

impl Reader<'_> {
    /// Takes a name; `false` once there are too many.
    fn take(&mut self, name: &str) -> bool {
        self.page.names += 1;
        self.gathered.note_last(name);
        if name.len() <= MAX_LAST {
            let last = self.page.last.get_or_insert_default();
            last.clear();
            last.push_str(name);
        } else {
            self.page.last = None;
        }
        match Tag::from_str(name) {
            Ok(tag) => {
                if self.gathered.tags.insert(tag) {
                    self.page.new += 1;
                }
            }
            Err(_) => {
                self.gathered.invalid_count += 1;
                if self.gathered.invalid.len() < MAX_INVALID {
                    self.gathered.invalid.push(words::clean(name));
                }
            }
        }
        self.too_many = self.gathered.tags.len() > self.most_tags;
        !self.too_many
    }
}

/// `{"name": …, "tags": [ … ], …}`
struct Object<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Object<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if key == "tags" {
                self.0.has_list = true;
                map.next_value_seed(List(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// `[ … ]` or `null`
struct List<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of tags or null")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(Name(self.0))?.is_some() {}
        Ok(())
    }
}

/// One name.
struct Name<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Name<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tag")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<(), E> {
        if self.0.take(name) {
            Ok(())
        } else {
            Err(E::custom("too many tags"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLENTY: usize = 1000;

    #[test]
    fn pages_add_up_to_a_sorted_set() {
        let mut gathered = Gathered::default();
        let first = gathered.add(
            br#"{"name":"a","tags":["b","a","b"],"manifest":{"x":[1]}}"#,
            PLENTY,
        );
        let last = Some("b".to_owned());
        assert_eq!(
            first,
            Ok(Page {
                names: 3,
                new: 2,
                last
            })
        );
        let second = gathered.add(br#"{"tags":["c","no tag","\u0063"]}"#, PLENTY);
        let last = Some("c".to_owned());
        assert_eq!(
            second,
            Ok(Page {
                names: 3,
                new: 1,
                last
            })
        );
        for empty in [r#"{"tags":null}"#, r#"{"tags":[]}"#] {
            assert_eq!(gathered.add(empty.as_bytes(), PLENTY), Ok(Page::default()));
        }
        let Listing {
            tags,
            invalid,
            invalid_count: count,
            ..
        } = gathered.finish();
        let tags: Vec<_> = tags.iter().map(Tag::as_str).collect();
        assert_eq!(
            (tags, invalid, count),
            (vec!["a", "b", "c"], vec!["no tag".to_owned()], 1)
        );
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        let not = Unusable::NotAList;
        for (body, wanted) in [
            ("", Unusable::Cut),
            (r#"{"tags":["a","b"#, Unusable::Cut),
            ("<html>", not("the reply is not JSON")),
            (r#"{"tags":["a"]} x"#, not("the reply is not JSON")),
            ("[]", not("the reply is not a list of tags")),
            (
                r#"{"tags":{"a":1}}"#,
                not("the reply is not a list of tags"),
            ),
            (
                r#"{"tags":["a",1]}"#,
                not("the reply is not a list of tags"),
            ),
            (r#"{"name":"a"}"#, not("the reply has no `tags`")),
        ] {
            assert_eq!(
                Gathered::default().add(body.as_bytes(), PLENTY),
                Err(wanted),
                "{body}"
            );
        }
    }

    #[test]
    fn the_number_of_tags_and_of_samples_is_bounded() {
        let mut gathered = Gathered::default();
        assert!(gathered.add(br#"{"tags":["a","b"]}"#, 2).is_ok());
        assert_eq!(
            gathered.add(br#"{"tags":["b","c"]}"#, 2),
            Err(Unusable::TooMany)
        );
        let many = vec!["\"/\""; 500].join(",");
        let mut gathered = Gathered::default();
        gathered
            .add(format!("{{\"tags\":[{many}]}}").as_bytes(), 2)
            .unwrap();
        let Listing {
            invalid,
            invalid_count: count,
            ..
        } = gathered.finish();
        assert_eq!((invalid.len(), count), (MAX_INVALID, 500));
    }

    #[test]
    fn a_long_last_name_is_no_place_to_go_on_from() {
        let name = "x".repeat(MAX_LAST + 1);
        let body = format!("{{\"tags\":[\"a\",\"{name}\"]}}");
        let page = Gathered::default().add(body.as_bytes(), PLENTY).unwrap();
        assert_eq!(page.last, None);
    }

    #[test]
    fn deep_json_is_refused_rather_than_followed() {
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        assert!(Gathered::default().add(deep.as_bytes(), PLENTY).is_err());
    }
}
