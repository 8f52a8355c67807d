//! Whom a name means on Azure DevOps, and asking them for a review.
//!
//! Invariant: nobody is asked by a display name that two have.
//!
//! It refuses to fail for a reviewer who isn't found: the pull request counts, and the log says so.
//!
//! Source: "Teams" under "Core" and "Pull Request Reviewers" in the reference of Azure DevOps' REST API.

use reqwest::Method as Http;
use serde::Deserialize;
use serde_json::json;

use super::answers::{Identity, Listing, RawPull, is_id, team};
use super::{AzureDevOps, VERSION};
use crate::forge::{Error, Wanted};

/// Most teams whose members are looked at: each costs a request.
const MAX_TEAMS: usize = 50;

/// Teams and members on a page: more than a project's teams have.
const TOP: &str = "500";

#[derive(Debug, Clone, Deserialize)]
struct Team {
    id: String,
    name: String,
}

#[derive(Debug, Deserialize)]
struct Member {
    identity: Identity,
}

impl AzureDevOps {
    /// Asks the people and teams for a review that are wanted and not there; whether there was anybody to
    /// ask.
    pub(super) async fn invite(&self, raw: &RawPull, wanted: &Wanted) -> Result<bool, Error> {
        let mut names = raw.missing(wanted);
        names.retain(|name| !self.strangers.has(name));
        if names.is_empty() {
            return Ok(false);
        }
        let number = raw.id;
        for (name, id) in self.ids(&names).await? {
            match id {
                Some(id) => self.ask_for_review(number, name, &id).await?,
                None => self
                    .strangers
                    .add(name, "no member of the project's teams is called so"),
            }
        }
        Ok(true)
    }

    async fn ask_for_review(&self, number: u64, name: &str, id: &str) -> Result<(), Error> {
        let text = number.to_string();
        let ask = self
            .ask(
                Http::PUT,
                "ask for a review",
                &["pullrequests", &text, "reviewers", id],
            )
            .accept(&[400, 404])
            .body(json!({"vote": 0}));
        let reply = self.send(&ask).await?;
        if reply.status >= 300 {
            self.strangers.add(name, &reply.words());
        }
        Ok(())
    }

    /// The id that each name means: it may be one, a team's name, or the unique or display name of a
    /// member of the project's teams.
    async fn ids<'a>(&self, names: &[&'a str]) -> Result<Vec<(&'a str, Option<String>)>, Error> {
        let direct = |name: &&'a str| (*name, is_id(name).then(|| (*name).to_owned()));
        let mut ids: Vec<_> = names.iter().map(direct).collect();
        if ids.iter().all(|(_, id)| id.is_some()) {
            return Ok(ids);
        }
        let teams = self.teams().await?;
        for (name, id) in ids.iter_mut().filter(|(_, id)| id.is_none()) {
            let wanted = team(name).to_lowercase();
            let found = teams.iter().find(|team| team.name.to_lowercase() == wanted);
            *id = found.map(|team| team.id.clone());
        }
        if ids.iter().all(|(_, id)| id.is_some()) {
            return Ok(ids);
        }
        let members = self.members(&teams).await?;
        for (name, id) in ids.iter_mut().filter(|(_, id)| id.is_none()) {
            *id = only(&members, name);
        }
        Ok(ids)
    }

    async fn teams(&self) -> Result<Vec<Team>, Error> {
        let place = ["_apis", "projects", &self.project, "teams"];
        let ask = self.ask_organisation(Http::GET, "read teams", &place, VERSION);
        let teams: Listing<Team> = self.read(&ask.query("$top", TOP)).await?;
        Ok(teams.value)
    }

    async fn members(&self, teams: &[Team]) -> Result<Vec<Identity>, Error> {
        let mut members = Vec::new();
        for team in teams.iter().take(MAX_TEAMS) {
            let place = [
                "_apis",
                "projects",
                &self.project,
                "teams",
                &team.id,
                "members",
            ];
            let ask = self.ask_organisation(Http::GET, "read a team", &place, VERSION);
            let listing: Listing<Member> = self.read(&ask.query("$top", TOP)).await?;
            members.extend(listing.value.into_iter().map(|member| member.identity));
        }
        Ok(members)
    }
}

/// The id of the only one of this name.
fn only(members: &[Identity], name: &str) -> Option<String> {
    let mut named = members.iter().filter(|member| member.is(name));
    let first = named.next()?;
    named
        .all(|other| other.id == first.id)
        .then(|| first.id.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_two_have_means_nobody() {
        let member = |id: &str, name: &str| json!({"id": id, "displayName": name});
        let members: Vec<Identity> = serde_json::from_value(json!([
            member("1", "Ann"),
            member("2", "Bob"),
            member("1", "Ann"),
            member("3", "bob"),
        ]))
        .unwrap();
        assert_eq!(only(&members, "ann").as_deref(), Some("1"));
        assert_eq!(only(&members, "Bob"), None);
        assert_eq!(only(&members, "Eve"), None);
    }
}
