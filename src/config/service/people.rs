//! The people who may decide, and their groups.
//!
//! Invariant: a name is one person's, and so are an address, a key and a name at the forge; the members of a
//! group are people. What nobody can be told from is a mistake.

use std::collections::HashMap;
use std::sync::Arc;

use super::report_second;
use crate::config::name::Name;
use crate::config::raw_service::RawService;
use crate::config::raw_service::people::{RawGroup, RawKey, RawPerson};
use crate::config::read::{At, Field};
use crate::config::report::{Mistake, Report, Spot};
use crate::diag::suggest;
use crate::promotion::approval::{Group, People, Person};

/// What is already one person's, by what it is.
#[derive(Default)]
struct Taken {
    names: HashMap<String, Spot>,
    emails: HashMap<String, Spot>,
    forge: HashMap<String, Spot>,
    keys: HashMap<String, Spot>,
}

/// The people; what is wrong is reported, and there may be no value.
pub(super) fn people(raw: &mut RawService, report: &mut Report<'_>) -> Option<Arc<People>> {
    let mut taken = Taken::default();
    let people = list(&mut raw.people)?;
    let people = people
        .into_iter()
        .map(|raw| person(raw.value, &mut taken, report));
    let people: Vec<Option<Person>> = people.collect();
    let people: Vec<Person> = people.into_iter().collect::<Option<_>>()?;
    let mut names = HashMap::new();
    let groups = list(&mut raw.groups)?;
    let groups = groups
        .into_iter()
        .map(|raw| group(raw.value, &people, &mut names, report));
    let groups: Vec<Option<Group>> = groups.collect();
    Some(Arc::new(People {
        groups: groups.into_iter().collect::<Option<_>>()?,
        people,
    }))
}

/// What is written; none at all where it could not be read.
fn list<T>(field: &mut Field<Vec<At<T>>>) -> Option<Vec<At<T>>> {
    match field.take() {
        Some(list) => Some(list.value),
        None => (!field.is_written()).then(Vec::new),
    }
}

fn person(mut raw: RawPerson, taken: &mut Taken, report: &mut Report<'_>) -> Option<Person> {
    let name = raw.name.take()?;
    let what = format!("the person `{}`", name.value);
    report_second(
        &mut taken.names,
        name.value.to_string(),
        name.spot,
        &what,
        report,
    );
    let emails = list(&mut raw.emails)?;
    for email in &emails {
        // Mail hosts and most users tell no case apart, and nobody is to gain by it.
        let key = email.value.0.to_ascii_lowercase();
        let what = format!("the address `{}`", email.value.0);
        report_second(&mut taken.emails, key, email.spot, &what, report);
    }
    let forge = raw.forge.take();
    if let Some(forge) = &forge {
        let what = format!("the name `{}` at the forge", forge.value);
        let key = account(&forge.value).to_ascii_lowercase();
        report_second(&mut taken.forge, key, forge.spot, &what, report);
    } else if raw.forge.is_written() {
        return None;
    }
    let mut keys = Vec::new();
    for raw in list(&mut raw.keys)? {
        let spot = raw.spot;
        let key = key(raw, report)?;
        report_second(&mut taken.keys, key.clone(), spot, "this key", report);
        keys.push(key);
    }
    Some(Person {
        name: name.value.to_string(),
        emails: emails.into_iter().map(|email| email.value.0).collect(),
        forge: forge.map(|forge| account(&forge.value).to_owned()),
        keys,
    })
}

/// The name of an account, which people also write with an `@` before it.
fn account(text: &str) -> &str {
    text.strip_prefix('@').unwrap_or(text)
}

/// The fingerprint of a key.
fn key(mut raw: At<RawKey>, report: &mut Report<'_>) -> Option<String> {
    if !raw.value.ssh.is_written() && !raw.value.openpgp.is_written() {
        let mistake = Mistake::new("a key is of a kind");
        report.error(
            raw.spot,
            mistake.hint("write `{ssh: \"ssh-ed25519 AAAA…\"}`"),
        );
    }
    Some(raw.value.ssh.take()?.value.fingerprint().to_owned())
}

fn group(
    mut raw: RawGroup,
    people: &[Person],
    names: &mut HashMap<Name, Spot>,
    report: &mut Report<'_>,
) -> Option<Group> {
    let name = raw.name.take()?;
    let what = format!("the group `{}`", name.value);
    report_second(names, name.value.clone(), name.spot, &what, report);
    let mut members: Vec<String> = Vec::new();
    for member in raw.members.take()?.value {
        let text = member.value.as_str();
        if !people.iter().any(|person| person.name == text) {
            let mistake = Mistake::new(format!("no person is called `{text}`"));
            let near = suggest(text, people.iter().map(|person| person.name.as_str()));
            report.error(
                member.spot,
                match near {
                    Some(near) => mistake.hint(format!("did you mean `{near}`?")),
                    None => mistake.hint("list the person under `people`"),
                },
            );
            return None;
        }
        if !members.iter().any(|known| known == text) {
            members.push(text.to_owned());
        }
    }
    Some(Group {
        name: name.value.to_string(),
        members,
    })
}
