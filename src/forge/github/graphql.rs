//! What GitHub offers by GraphQL only.
//!
//! Invariant: values go as variables, never into the text of a query.
//!
//! An answer of 200 may hold errors, which carry a type besides their words.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method as Verb;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GitHub, shape};
use crate::forge::call::{Ask, Effort, Reply};
use crate::forge::{Committed, Error, Merge, Method, NewCommit, Pull, words};

#[derive(Deserialize)]
struct Answer {
    data: Option<Value>,
    #[serde(default)]
    errors: Vec<Failure>,
}

#[derive(Deserialize)]
struct Failure {
    #[serde(default, rename = "type")]
    kind: String,
    message: String,
}

/// What became of the wish to merge later.
pub(super) enum Scheduled {
    /// It will be merged.
    Yes,
    /// There is nothing to wait for.
    NothingMissing,
    /// Neither.
    No(Merge),
}

impl GitHub {
    pub(super) async fn set_draft(&self, pull: &Pull, draft: bool) -> Result<(), Error> {
        let name = match draft {
            true => "convertPullRequestToDraft",
            false => "markPullRequestReadyForReview",
        };
        let input = json!({"pullRequestId": pull.handle});
        let (reply, answer) = self
            .mutate(
                "make a draft of a pull request, or none",
                name,
                "clientMutationId",
                input,
                Effort::Write,
            )
            .await?;
        match answer.errors.first() {
            Some(failure) => Err(self.failed(&reply, failure)),
            None => Ok(()),
        }
    }

    pub(super) async fn schedule(&self, pull: &Pull, method: Method) -> Result<Scheduled, Error> {
        let input = json!({
            "pullRequestId": pull.handle,
            "mergeMethod": shape::method(method).to_uppercase(),
            "expectedHeadOid": pull.head,
        });
        let (reply, answer) = self
            .mutate(
                "have a pull request merged",
                "enablePullRequestAutoMerge",
                "clientMutationId",
                input,
                Effort::Write,
            )
            .await?;
        let Some(failure) = answer.errors.first() else {
            return Ok(Scheduled::Yes);
        };
        match failure.kind.as_str() {
            "UNPROCESSABLE" if failure.message.contains("is in clean status") => {
                Ok(Scheduled::NothingMissing)
            }
            // The head is another meanwhile.
            "STALE_DATA" => Ok(Scheduled::No(Merge::NotYet(words::clean(&failure.message)))),
            "UNPROCESSABLE" => Ok(Scheduled::No(shape::obstacle(words::clean(
                &failure.message,
            )))),
            _ => Err(self.failed(&reply, failure)),
        }
    }

    /// What is not to be merged by itself any more is refused as what can't be processed, so what is there is
    /// looked at again then.
    pub(super) async fn unschedule(&self, pull: &Pull) -> Result<(), Error> {
        const WHAT: &str = "have a pull request not merged";
        if !pull.auto_merge {
            return Ok(());
        }
        let (reply, answer) = self
            .mutate(
                WHAT,
                "disablePullRequestAutoMerge",
                "clientMutationId",
                json!({"pullRequestId": pull.handle}),
                Effort::Write,
            )
            .await?;
        let Some(failure) = answer.errors.first() else {
            return Ok(());
        };
        match self.one(WHAT, pull.number).await?.into_pull().auto_merge {
            true => Err(self.failed(&reply, failure)),
            false => Ok(()),
        }
    }

    pub(super) async fn make(&self, commit: &NewCommit) -> Result<Committed, Error> {
        const WHAT: &str = "make a commit";
        if !self.is_at(WHAT, &commit.branch, &commit.parent).await? {
            return Ok(Committed::Moved);
        }
        let (headline, rest) = commit
            .message
            .split_once('\n')
            .unwrap_or((&commit.message, ""));
        let additions = commit
            .files
            .iter()
            .map(|(path, contents)| json!({"path": path, "contents": STANDARD.encode(contents)}));
        let input = json!({
            "branch": {
                "repositoryNameWithOwner": format!("{}/{}", self.owner, self.name),
                "branchName": commit.branch,
            },
            "message": {"headline": headline, "body": rest.trim_start_matches('\n')},
            "expectedHeadOid": commit.parent,
            "fileChanges": {"additions": additions.collect::<Vec<_>>()},
        });
        let (reply, answer) = self
            .mutate(
                WHAT,
                "createCommitOnBranch",
                "commit { oid }",
                input,
                Effort::Create,
            )
            .await?;
        match answer.errors.first() {
            Some(failure) if failure.kind == "STALE_DATA" => Ok(Committed::Moved),
            Some(failure) => Err(self.failed(&reply, failure)),
            None => {
                let data = answer.data.unwrap_or_default();
                let id = data["createCommitOnBranch"]["commit"]["oid"].as_str();
                let id = id.ok_or_else(|| reply.garbled("no commit id"))?;
                Ok(Committed::At(id.to_owned()))
            }
        }
    }

    /// Whether a branch is at a commit, after making it there if there is none.
    async fn is_at(&self, what: &str, branch: &str, commit: &str) -> Result<bool, Error> {
        let mut place = vec!["git", "ref", "heads"];
        place.extend(branch.split('/'));
        let ask = self.at(Verb::GET, what, &place).accept(&[404]);
        let reply = self.caller.ask(&ask).await?;
        if reply.status != 404 {
            return Ok(reply.json::<Reference>()?.object.sha == commit);
        }
        let ask = self.at(Verb::POST, what, &["git", "refs"]);
        let ask = ask.body(json!({"ref": format!("refs/heads/{branch}"), "sha": commit}));
        self.caller.ask(&ask.effort(Effort::Write)).await?;
        Ok(true)
    }

    async fn mutate(
        &self,
        what: &str,
        name: &str,
        found: &str,
        input: Value,
        effort: Effort,
    ) -> Result<(Reply, Answer), Error> {
        let kind = format!("{}{}Input!", name[..1].to_uppercase(), &name[1..]);
        let query = format!("mutation($input: {kind}) {{ {name}(input: $input) {{ {found} }} }}");
        // Beside `/api/v3` on servers of one's own: `/api/graphql`.
        let ask = Ask::new(Verb::POST, what, &["graphql"])
            .beside()
            .effort(effort);
        let ask = ask.body(json!({"query": query, "variables": {"input": input}}));
        let reply = self.caller.ask(&ask).await?;
        let answer = reply.json()?;
        Ok((reply, answer))
    }

    fn failed(&self, reply: &Reply, failure: &Failure) -> Error {
        let words = words::clean(&failure.message);
        match failure.kind.as_str() {
            "RATE_LIMITED" => self.caller.exhausted(),
            "FORBIDDEN" | "NOT_FOUND" | "INSUFFICIENT_SCOPES" => reply.as_if(403, words),
            _ => reply.as_if(422, words),
        }
    }
}

#[derive(Deserialize)]
struct Reference {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    sha: String,
}
