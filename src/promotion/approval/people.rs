//! The people who may consent, and their groups.
//!
//! Invariant: a name, an address and a key are one person's; whoever makes a [`People`] sees to it.

use std::fmt;

/// Who may consent, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approver {
    /// A person.
    Person(String),
    /// The members of a group.
    Group(String),
}

impl fmt::Display for Approver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => f.write_str(name),
            Self::Group(name) => write!(f, "@{name}"),
        }
    }
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The name, once among all people.
    pub name: String,
    /// The addresses of the person's commits, each of one person only.
    pub emails: Vec<String>,
    /// The name at the forge.
    pub forge: Option<String>,
    /// The fingerprints of the person's keys, each of one person only.
    pub keys: Vec<String>,
}

/// Persons under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name, once among all groups.
    pub name: String,
    /// The names of its members.
    pub members: Vec<String>,
}

/// The people that are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct People {
    /// Each person.
    pub people: Vec<Person>,
    /// Each group.
    pub groups: Vec<Group>,
}

impl People {
    fn find(&self, is: impl Fn(&Person) -> bool) -> Option<&Person> {
        self.people.iter().find(|person| is(person))
    }

    /// Whose key has this fingerprint.
    pub fn of_key(&self, key: &str) -> Option<&Person> {
        self.find(|person| person.keys.iter().any(|own| own == key))
    }

    /// Whose address this is.
    pub fn of_email(&self, email: &str) -> Option<&Person> {
        self.find(|person| {
            person
                .emails
                .iter()
                .any(|own| own.eq_ignore_ascii_case(email))
        })
    }

    /// Whose account at the forge this is. Forges tell no case apart in the names of accounts.
    pub fn of_forge(&self, account: &str) -> Option<&Person> {
        self.find(|person| {
            let own = person.forge.as_deref();
            own.is_some_and(|own| own.eq_ignore_ascii_case(account))
        })
    }

    /// The persons that an approver stands for; `None` where nobody is called that.
    pub fn behind(&self, approver: &Approver) -> Option<Vec<&Person>> {
        let named = |name: &str| self.find(|person| person.name == name);
        match approver {
            Approver::Person(name) => named(name).map(|person| vec![person]),
            Approver::Group(name) => {
                let group = self.groups.iter().find(|group| group.name == *name)?;
                let members = group.members.iter();
                Some(members.filter_map(|name| named(name)).collect())
            }
        }
    }
}
