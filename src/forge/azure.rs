//! Azure DevOps Services and Server, REST API 7.0.
//!
//! Invariant: an answer that is a page to sign in is no answer, though it has a status of success.
//!
//! It can't sign commits: those made through the API bear no signature.
//!
//! Source: the reference of Azure DevOps' REST API, learn.microsoft.com/rest/api/azure/devops/git.

mod answers;
mod find;
mod opinions;
mod people;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use reqwest::Method as Http;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::call::{Access, Ask, Caller, Means, Page, Reply, Rules};
use super::strangers::Strangers;
use super::{
    Abilities, Answer, Checks, Committed, Credentials, Error, Forge, Merge, Method, NewCommit,
    Pull, Review, Settings, Status, Wanted, Which,
};
use answers::{Label, Listing, RawPull};

/// The newest version that Azure DevOps Server 2022 has.
const VERSION: &str = "7.0";

/// Whose version has a name of its own, since it is not final.
const PREVIEW: &str = "7.0-preview";

/// Things on a page.
const TOP: usize = 100;

/// The identity of nobody, which takes back that a pull request completes by itself.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// Asks for a refusal rather than for being sent to a page to sign in.
const NO_SIGN_IN: (HeaderName, HeaderValue) = (
    HeaderName::from_static("x-tfs-fedauthredirect"),
    HeaderValue::from_static("Suppress"),
);

/// A repository on Azure DevOps.
struct AzureDevOps {
    caller: Caller,
    strangers: Strangers,
    root: Url,
    organisation: String,
    project: String,
    repository: String,
}

/// The repository `ORGANISATION/PROJECT/NAME`; a personal access token is the password of a user
/// without a name.
///
/// # Errors
/// When no HTTP client can be made.
pub(super) fn open(settings: &Settings) -> Result<Arc<dyn Forge>, Error> {
    Ok(Arc::new(AzureDevOps::new(settings)?))
}

impl AzureDevOps {
    fn new(settings: &Settings) -> Result<Self, Error> {
        let access = match settings.credentials.clone() {
            Credentials::None => Access::Anonymous,
            Credentials::Token(token) => Access::Basic(String::new(), token),
            Credentials::Basic { username, password } => Access::Basic(username, password),
            Credentials::GitHubApp(_) => return Err(settings.no_app()),
        };
        let caller = Caller::new(Means {
            base: settings.api.clone(),
            access,
            headers: HeaderMap::from_iter([NO_SIGN_IN]),
            ca_pem: &settings.ca_pem,
            clock: settings.clock.clone(),
            paces: &settings.paces,
            rules: Rules::OTHERS,
        })?;
        let mut parts = settings.repository.split('/').map(str::to_owned);
        let mut part = || parts.next().unwrap_or_default();
        Ok(Self {
            caller,
            strangers: Strangers::default(),
            root: settings.api.clone(),
            organisation: part(),
            project: part(),
            repository: part(),
        })
    }

    fn ask<'a>(&'a self, method: Http, what: &'a str, rest: &[&'a str]) -> Ask<'a> {
        let mut segments = vec![
            self.project.as_str(),
            "_apis",
            "git",
            "repositories",
            &self.repository,
        ];
        segments.extend(rest);
        self.ask_organisation(method, what, &segments, VERSION)
    }

    fn ask_organisation<'a>(
        &'a self,
        method: Http,
        what: &'a str,
        rest: &[&'a str],
        version: &str,
    ) -> Ask<'a> {
        let mut segments = vec![self.organisation.as_str()];
        segments.extend(rest);
        Ask::new(method, what, &segments).query("api-version", version)
    }

    async fn send(&self, ask: &Ask<'_>) -> Result<Reply, Error> {
        let reply = self.caller.ask(ask).await?;
        self.check(&reply)?;
        Ok(reply)
    }

    async fn read<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, Error> {
        self.send(ask).await?.json()
    }

    /// A bad token is answered with status 203 and a page to sign in.
    fn check(&self, reply: &Reply) -> Result<(), Error> {
        if reply.status != 203 {
            return Ok(());
        }
        Err(Error::Unauthorized {
            host: self.caller.host().to_owned(),
            what: "sign in".to_owned(),
            words: "it answers with a page to sign in".to_owned(),
        })
    }

    /// All of a listing, page by page; a page that is not full is the last one.
    async fn all<T: DeserializeOwned>(
        &self,
        ask: Ask<'_>,
        query: &[(&'static str, &str)],
    ) -> Result<Vec<T>, Error> {
        let seen = AtomicUsize::new(0);
        let top = TOP.to_string();
        let page = |reply: &Reply| {
            self.check(reply)?;
            let listing: Listing<T> = reply.json()?;
            let count = listing.value.len();
            let skip = (seen.fetch_add(count, Ordering::Relaxed) + count).to_string();
            let place = [("api-version", VERSION), ("$top", &top), ("$skip", &skip)];
            Ok(Page {
                next: (count >= TOP).then(|| self.caller.query(query.iter().copied().chain(place))),
                items: listing.value,
            })
        };
        let ask = query
            .iter()
            .fold(ask, |ask, (name, value)| ask.query(name, *value));
        self.caller
            .all(&ask.query("$top", top.as_str()), page)
            .await
    }

    fn url(&self, number: u64) -> String {
        let mut url = self.root.clone();
        let number = number.to_string();
        let parts = [
            &self.organisation,
            &self.project,
            "_git",
            &self.repository,
            "pullrequest",
            &number,
        ];
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url.into()
    }

    fn pull(&self, raw: RawPull) -> Pull {
        let url = self.url(raw.id);
        raw.pull(url)
    }

    async fn opened(&self, wanted: &Wanted) -> Result<Pull, Error> {
        let ask = self
            .ask(Http::POST, "open a pull request", &["pullrequests"])
            .accept(&[409])
            .body(answers::new_pull(wanted));
        let reply = self.send(&ask).await?;
        if reply.status == 409 {
            // TF401179: there is one for these branches.
            let found = self.find(&wanted.branch, &wanted.base, "active").await?;
            return found.into_iter().next().ok_or_else(|| reply.refusal());
        }
        let raw: RawPull = reply.json()?;
        let number = raw.id;
        if self.invite(&raw, wanted).await? {
            return Ok(self.pull(self.raw(number).await?));
        }
        Ok(self.pull(raw))
    }

    async fn edited(&self, pull: &Pull, wanted: &Wanted) -> Result<Pull, Error> {
        let mut raw = self.raw(pull.number).await?;
        if !raw.is_open() {
            return Ok(self.pull(raw));
        }
        let change = raw.change(wanted);
        if !change.is_empty() {
            raw = self
                .patch(pull.number, "edit a pull request", Value::Object(change))
                .await?;
        }
        if self.invite(&raw, wanted).await? {
            raw = self.raw(raw.id).await?;
        }
        if !wanted.labels.is_empty() {
            raw.labels = self.labelled(raw.id, wanted).await?;
        }
        Ok(self.pull(raw))
    }

    async fn patch(&self, number: u64, what: &str, change: Value) -> Result<RawPull, Error> {
        let number = number.to_string();
        let ask = self
            .ask(Http::PATCH, what, &["pullrequests", &number])
            .body(change);
        self.read(&ask).await
    }

    /// Adds the labels that are missing; all that there are then.
    async fn labelled(&self, number: u64, wanted: &Wanted) -> Result<Vec<Label>, Error> {
        let number = number.to_string();
        let place = ["pullrequests", &number, "labels"];
        let ask = self.ask(Http::GET, "read labels", &place);
        let mut labels: Listing<Label> = self.read(&ask).await?;
        let there = answers::names(&labels.value);
        for name in &wanted.labels {
            if !there
                .iter()
                .any(|known| known.to_lowercase() == name.to_lowercase())
            {
                let ask = self
                    .ask(Http::POST, "label a pull request", &place)
                    .body(json!({ "name": name }));
                labels.value.push(self.read(&ask).await?);
            }
        }
        Ok(labels.value)
    }

    /// The comment comes last: one that fails is never doubled by another try.
    async fn abandoned(&self, pull: &Pull, comment: &str) -> Result<(), Error> {
        if !self.raw(pull.number).await?.is_open() {
            return Ok(());
        }
        let change = json!({"status": "abandoned"});
        self.patch(pull.number, "abandon a pull request", change)
            .await?;
        self.comment(pull.number, comment).await
    }

    /// A thread that is closed from the start, since some policies ask for open ones to be resolved.
    async fn comment(&self, number: u64, text: &str) -> Result<(), Error> {
        let number = number.to_string();
        let ask = self
            .ask(
                Http::POST,
                "comment on a pull request",
                &["pullrequests", &number, "threads"],
            )
            .body(json!({
                "comments": [{"parentCommentId": 0, "content": text, "commentType": "text"}],
                "status": "closed",
            }));
        self.send(&ask).await.map(drop)
    }

    /// Completing by itself is in the name of whoever asks for it.
    async fn merged(&self, pull: &Pull, method: Method) -> Result<Merge, Error> {
        let raw = self.raw(pull.number).await?;
        if raw.is_merged() {
            return Ok(Merge::Done);
        }
        if !raw.is_open() {
            return Ok(Merge::Never("it was abandoned".to_owned()));
        }
        if raw.head() != pull.head {
            return Ok(Merge::NotYet("its branch has moved".to_owned()));
        }
        if raw.conflicts() {
            return Ok(Merge::NotYet("it conflicts with its base".to_owned()));
        }
        if raw.merges_itself() {
            return Ok(Merge::Scheduled);
        }
        let strategy = match method {
            Method::Merge => "noFastForward",
            Method::Squash => "squash",
            Method::Rebase => "rebase",
        };
        let me = self.myself().await?;
        let number = pull.number.to_string();
        let ask = self
            .ask(
                Http::PATCH,
                "merge a pull request",
                &["pullrequests", &number],
            )
            .accept(&[400, 409])
            .body(json!({
                "autoCompleteSetBy": {"id": me},
                "completionOptions": {"mergeStrategy": strategy},
            }));
        let reply = self.send(&ask).await?;
        if reply.status >= 300 {
            return Ok(Merge::Never(reply.words()));
        }
        // Where no policy is in the way, it may be completed by now.
        let raw = self.raw(pull.number).await?;
        Ok(match () {
            () if raw.is_merged() => Merge::Done,
            () if raw.merges_itself() => Merge::Scheduled,
            () => Merge::NotYet("it does not complete by itself yet".to_owned()),
        })
    }

    async fn unscheduled(&self, pull: &Pull) -> Result<(), Error> {
        let raw = self.raw(pull.number).await?;
        if !raw.is_open() || !raw.merges_itself() {
            return Ok(());
        }
        let number = pull.number.to_string();
        let what = "have a pull request not merged";
        let ask = self
            .ask(Http::PATCH, what, &["pullrequests", &number])
            .body(json!({"autoCompleteSetBy": {"id": NOBODY}}));
        self.send(&ask).await.map(drop)
    }

    /// The id of whoever asks.
    async fn myself(&self) -> Result<String, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Connection {
            authenticated_user: answers::Identity,
        }
        let place = ["_apis", "connectionData"];
        let ask = self.ask_organisation(Http::GET, "read who asks", &place, PREVIEW);
        let connection: Connection = self.read(&ask).await?;
        Ok(connection.authenticated_user.id)
    }
}

impl Forge for AzureDevOps {
    fn open_pulls<'a>(&'a self, prefix: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.find_open(prefix))
    }

    fn pulls_of<'a>(&'a self, branch: &'a str, base: &'a str) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.find(branch, base, "all"))
    }

    fn noted<'a>(&'a self, base: &'a str, which: Which) -> Answer<'a, Vec<Pull>> {
        Box::pin(self.find_noted(base, which))
    }

    fn open<'a>(&'a self, wanted: &'a Wanted) -> Answer<'a, Pull> {
        Box::pin(self.opened(wanted))
    }

    fn edit<'a>(&'a self, pull: &'a Pull, wanted: &'a Wanted) -> Answer<'a, Pull> {
        Box::pin(self.edited(pull, wanted))
    }

    fn close<'a>(&'a self, pull: &'a Pull, comment: &'a str) -> Answer<'a, ()> {
        Box::pin(self.abandoned(pull, comment))
    }

    fn reviews<'a>(&'a self, pull: &'a Pull) -> Answer<'a, Vec<Review>> {
        Box::pin(self.opinions(pull))
    }

    fn dismiss<'a>(&'a self, pull: &'a Pull, why: &'a str) -> Answer<'a, ()> {
        Box::pin(self.dismissed(pull, why))
    }

    fn merge_when_ready<'a>(&'a self, pull: &'a Pull, method: Method) -> Answer<'a, Merge> {
        Box::pin(self.merged(pull, method))
    }

    fn cancel_merge<'a>(&'a self, pull: &'a Pull) -> Answer<'a, ()> {
        Box::pin(self.unscheduled(pull))
    }

    fn set_status<'a>(&'a self, commit: &'a str, status: &'a Status) -> Answer<'a, ()> {
        Box::pin(self.say(commit, status))
    }

    fn checks<'a>(&'a self, commit: &'a str, but: &'a str) -> Answer<'a, Checks> {
        Box::pin(self.said(commit, but))
    }

    fn merged_by<'a>(&'a self, commit: &'a str, base: &'a str) -> Answer<'a, Option<Pull>> {
        Box::pin(self.origin(commit, base))
    }

    fn commit<'a>(&'a self, _: &'a NewCommit) -> Answer<'a, Committed> {
        Box::pin(async { Err(self.caller.unable("make commits that it signs")) })
    }

    fn abilities(&self) -> Abilities {
        Abilities {
            signs: false,
            merges: true,
            labels: true,
            drafts: true,
            text: answers::MAX_BODY,
        }
    }
}
