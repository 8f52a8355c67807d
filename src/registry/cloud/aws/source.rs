//! Where AWS credentials come from.
//!
//! Invariant: the first source that is configured counts, in the order of AWS's own SDKs; if it fails,
//! that is the error. Tokens in files are read anew each time, since other programs keep them fresh.
//!
//! Sources: AWS SDKs and Tools reference guide, "Standardized credential providers", "Assume role
//! credential provider", "Container credential provider", "IMDS credential provider"; Amazon EC2 user
//! guide, "Use the Instance Metadata Service"; STS API reference, `AssumeRole`,
//! `AssumeRoleWithWebIdentity`.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use reqwest::header::HeaderMap;
use reqwest::{Method, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::super::desk::{self, Desk, Environment, MAX_ANSWER, xml_element};
use super::profile::{self, Base, Chain, Profiles, Role};
use super::sigv4::{Keys, Signer};
use super::{Ecr, Place};
use crate::registry::cloud::{CloudError, Endpoint, Vendor};
use crate::registry::exchange::{Content, Request};
use crate::secret::{self, Secret};

const STS: &str = "AWS STS";
const CONTAINER: &str = "the AWS container credentials endpoint";
const METADATA: &str = "the AWS instance metadata service";

/// The address of the instance metadata service.
const METADATA_ADDRESS: &str = "http://169.254.169.254/";

/// The address of the container credentials endpoint of ECS, which gives only paths.
const ECS_ADDRESS: &str = "http://169.254.170.2/";

/// How long a session of the metadata service lasts, in seconds; it is used at once.
const METADATA_SESSION: &str = "60";

/// What a session is called in AWS's logs where nothing is said.
const SESSION_NAME: &str = "tagwright";

/// Where AWS credentials come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum AwsSource {
    /// From where the platform puts them: the environment, a web identity, the shared files, the
    /// container's endpoint or the instance metadata service.
    #[default]
    Platform,
    /// An access key.
    Keys {
        /// Its id.
        id: Secret,
        /// Its secret.
        secret: Secret,
        /// What comes with temporary ones.
        session: Option<Secret>,
    },
    /// A profile of the shared files.
    Profile(String),
    /// A role, taken with a token of another identity provider.
    WebIdentity {
        /// The role's ARN.
        role: String,
        /// The file with the token.
        token: PathBuf,
    },
}

impl AwsSource {
    /// The files that hold what people give; tokens of the platform are renewed by the platform.
    pub(in crate::registry::cloud) fn files(&self, environment: &Environment) -> Vec<PathBuf> {
        match self {
            Self::WebIdentity { .. } => Vec::new(),
            Self::Platform | Self::Profile(_) => {
                let paths = profile::paths(environment);
                paths.map_or_else(Vec::new, |(config, credentials)| vec![config, credentials])
            }
            Self::Keys {
                id,
                secret,
                session,
            } => [Some(id), Some(secret), session.as_ref()]
                .into_iter()
                .flatten()
                .filter_map(Secret::file)
                .map(Path::to_owned)
                .collect(),
        }
    }
}

/// The credentials that `ecr` says, or that the platform has.
pub(super) async fn keys(ecr: &Ecr, place: &Place, desk: &Desk<'_>) -> Result<Keys, CloudError> {
    match &ecr.source {
        AwsSource::Platform => platform(ecr, place, desk).await,
        AwsSource::Keys {
            id,
            secret,
            session,
        } => {
            let id = desk.read("the AWS access key id", id).await?;
            let session = match session {
                Some(session) => Some(desk.read("the AWS session token", session).await?),
                None => None,
            };
            Ok(Keys {
                id: id.expose_secret().trim().to_owned(),
                secret: desk.read("the AWS secret access key", secret).await?,
                session,
            })
        }
        AwsSource::Profile(name) => {
            let profiles = shared(desk).await?;
            of_profile(&profiles.chain(name)?, ecr, place, desk).await
        }
        AwsSource::WebIdentity { role, token } => {
            assume_with_token(role, token, SESSION_NAME, place, desk).await
        }
    }
}

async fn platform(ecr: &Ecr, place: &Place, desk: &Desk<'_>) -> Result<Keys, CloudError> {
    let environment = desk.environment;
    if let Some(keys) = of_environment(desk) {
        return Ok(keys);
    }
    if let (Some(role), Some(token)) = (
        environment.text("AWS_ROLE_ARN"),
        environment.text("AWS_WEB_IDENTITY_TOKEN_FILE"),
    ) {
        let name = environment.text("AWS_ROLE_SESSION_NAME");
        let name = name.as_deref().unwrap_or(SESSION_NAME);
        return assume_with_token(&role, &PathBuf::from(token), name, place, desk).await;
    }
    let named = environment.text("AWS_PROFILE");
    let profiles = shared(desk).await?;
    let name = named.as_deref().unwrap_or(profile::DEFAULT);
    if named.is_some() || profiles.has_credentials(name) {
        return of_profile(&profiles.chain(name)?, ecr, place, desk).await;
    }
    if let Some(endpoint) = container_endpoint(desk)? {
        return container(&endpoint, desk).await;
    }
    let is_off = environment.text("AWS_EC2_METADATA_DISABLED");
    if is_off.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Err(not_found("the instance metadata service is disabled"));
    }
    instance(ecr, desk).await
}

fn not_found(last: &str) -> CloudError {
    CloudError::NotFound {
        vendor: Vendor::Aws,
        tried: format!(
            "no access key, web identity or container endpoint is in the environment, no profile in the shared files, and {last}"
        ),
    }
}

fn of_environment(desk: &Desk<'_>) -> Option<Keys> {
    let environment = desk.environment;
    Some(Keys {
        id: environment.text("AWS_ACCESS_KEY_ID")?,
        secret: environment.secret("AWS_SECRET_ACCESS_KEY")?,
        session: environment.secret("AWS_SESSION_TOKEN"),
    })
}

/// The profiles of the shared files, those that there are.
async fn shared(desk: &Desk<'_>) -> Result<Profiles, CloudError> {
    let Some((config, credentials)) = profile::paths(desk.environment) else {
        return Ok(Profiles::default());
    };
    let read = async |path: PathBuf| {
        let text = desk.read("an AWS shared file", &Secret::File(path)).await;
        match text {
            Err(CloudError::Secret {
                source: secret::Error::File { source, .. },
                ..
            }) if source.kind() == ErrorKind::NotFound => Ok(SecretString::default()),
            text => text,
        }
    };
    let (config, credentials) = (read(config).await?, read(credentials).await?);
    Ok(Profiles::read(
        config.expose_secret(),
        credentials.expose_secret(),
    ))
}

async fn of_profile(
    chain: &Chain,
    ecr: &Ecr,
    place: &Place,
    desk: &Desk<'_>,
) -> Result<Keys, CloudError> {
    let missing = |source: &str| CloudError::Unusable {
        what: "the AWS profile",
        reason: format!("its `credential_source` is {source}, which has no credentials"),
    };
    let mut keys = match &chain.base {
        Base::Keys(keys) => keys.clone(),
        Base::Environment => of_environment(desk).ok_or_else(|| missing("Environment"))?,
        Base::Container => {
            let endpoint = container_endpoint(desk)?;
            container(&endpoint.ok_or_else(|| missing("EcsContainer"))?, desk).await?
        }
        Base::Instance => instance(ecr, desk).await?,
        Base::WebIdentity {
            role,
            token,
            session,
        } => {
            let name = session.as_deref().unwrap_or(SESSION_NAME);
            assume_with_token(role, token, name, place, desk).await?
        }
    };
    for role in &chain.roles {
        keys = assume(role, &keys, place, desk).await?;
    }
    Ok(keys)
}

/// Takes `role` with `keys`.
async fn assume(
    role: &Role,
    keys: &Keys,
    place: &Place,
    desk: &Desk<'_>,
) -> Result<Keys, CloudError> {
    let session = role.session.as_deref().unwrap_or(SESSION_NAME);
    let mut fields = vec![
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", session),
    ];
    fields.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
    fields.extend(
        role.seconds
            .as_deref()
            .map(|text| ("DurationSeconds", text)),
    );
    let body = Content::form(&fields);
    let signer = Signer {
        keys,
        region: &place.region,
        service: "sts",
        at: desk.now(),
    };
    let headers = signer.headers(&place.sts, &body, &[])?;
    given(body, headers, place, desk).await
}

/// Takes `role` with the token in a file.
async fn assume_with_token(
    role: &str,
    token: &PathBuf,
    name: &str,
    place: &Place,
    desk: &Desk<'_>,
) -> Result<Keys, CloudError> {
    let token = desk.token_file("the web identity token", token).await?;
    let body = Content::form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", role),
        ("RoleSessionName", name),
        ("WebIdentityToken", token.expose_secret()),
    ]);
    given(body, HeaderMap::new(), place, desk).await
}

/// The credentials that STS gives for this.
async fn given(
    body: Content,
    headers: HeaderMap,
    place: &Place,
    desk: &Desk<'_>,
) -> Result<Keys, CloudError> {
    let request = Request {
        body: Some(body),
        headers,
        accept: "application/xml",
        ..Request::new(Method::POST, place.sts.clone(), STS, MAX_ANSWER)
    };
    let reply = desk.send(STS, &request).await?;
    if !reply.status.is_success() {
        return Err(desk::refused(Vendor::Aws, STS, &reply));
    }
    let xml = String::from_utf8_lossy(&reply.body);
    let element = |name: &str| {
        xml_element(&xml, name).ok_or_else(|| CloudError::BadReply {
            service: STS,
            reason: format!("it has no `{name}`"),
        })
    };
    Ok(Keys {
        id: element("AccessKeyId")?,
        secret: SecretString::from(element("SecretAccessKey")?),
        session: Some(SecretString::from(element("SessionToken")?)),
    })
}

/// What the container endpoint and the metadata service answer with.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Given {
    access_key_id: String,
    secret_access_key: String,
    token: String,
}

impl Given {
    fn keys(self) -> Keys {
        Keys {
            id: self.access_key_id,
            secret: SecretString::from(self.secret_access_key),
            session: Some(SecretString::from(self.token)),
        }
    }
}

/// The container credentials endpoint that the environment names, if any.
fn container_endpoint(desk: &Desk<'_>) -> Result<Option<Endpoint>, CloudError> {
    let what = "the AWS container credentials endpoint";
    if let Some(path) = desk
        .environment
        .text("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
    {
        let base = Url::parse(ECS_ADDRESS).ok();
        let url = base.and_then(|base| base.join(&path).ok());
        let url = url.filter(|url| url.host_str() == Some("169.254.170.2"));
        let url = url.ok_or_else(|| CloudError::Unusable {
            what,
            reason: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not a path".to_owned(),
        })?;
        return desk::endpoint(what, url.as_str()).map(Some);
    }
    match desk.environment.text("AWS_CONTAINER_CREDENTIALS_FULL_URI") {
        Some(text) => desk::endpoint(what, &text).map(Some),
        None => Ok(None),
    }
}

async fn container(endpoint: &Endpoint, desk: &Desk<'_>) -> Result<Keys, CloudError> {
    let what = "the container's authorization token";
    let environment = desk.environment;
    let token = match environment.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE") {
        Some(path) => Some(desk.token_file(what, path).await?),
        None => environment.secret("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
    };
    let url = endpoint.url().clone();
    let mut request = Request::new(Method::GET, url, CONTAINER, MAX_ANSWER);
    if let Some(token) = token {
        let header = desk::header(what, "authorization", token.expose_secret())?;
        request.headers.extend([header]);
    }
    let given: Given = desk.json(Vendor::Aws, CONTAINER, &request).await?;
    Ok(given.keys())
}

/// The credentials of the machine's role, by version 2 of the metadata service's protocol.
async fn instance(ecr: &Ecr, desk: &Desk<'_>) -> Result<Keys, CloudError> {
    let named = desk.environment.text("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    let endpoint = match (&ecr.metadata_endpoint, named) {
        (Some(endpoint), _) => endpoint.clone(),
        (None, Some(text)) => desk::endpoint("AWS_EC2_METADATA_SERVICE_ENDPOINT", &text)?,
        (None, None) => desk::endpoint(METADATA, METADATA_ADDRESS)?,
    };
    let get = |path: &str, headers: HeaderMap| Request {
        headers,
        ..Request::new(Method::GET, endpoint.join(path), METADATA, MAX_ANSWER)
    };
    let mut session = Request {
        method: Method::PUT,
        ..get("latest/api/token", HeaderMap::new())
    };
    session.headers.extend([desk::header(
        METADATA,
        "x-aws-ec2-metadata-token-ttl-seconds",
        METADATA_SESSION,
    )?]);
    let session = match text(&session, desk).await {
        Ok(session) => session,
        Err(CloudError::Asked { source, .. }) if source.is_silence() => {
            return Err(not_found(&format!(
                "of the instance metadata service, {source}"
            )));
        }
        Err(error) => return Err(error),
    };
    let session: HeaderMap = [desk::header(
        METADATA,
        "x-aws-ec2-metadata-token",
        &session,
    )?]
    .into_iter()
    .collect();
    let path = "latest/meta-data/iam/security-credentials/";
    let role = match text(&get(path, session.clone()), desk).await {
        Err(CloudError::Refused { status: 404, .. }) => {
            return Err(not_found("this machine has no role (instance profile)"));
        }
        role => role?,
    };
    let role = role.lines().next().unwrap_or_default().trim();
    let request = get(&format!("{path}{role}"), session);
    let given: Given = desk.json(Vendor::Aws, METADATA, &request).await?;
    Ok(given.keys())
}

async fn text(request: &Request, desk: &Desk<'_>) -> Result<String, CloudError> {
    let reply = desk.send(METADATA, request).await?;
    if !reply.status.is_success() {
        return Err(desk::refused(Vendor::Aws, METADATA, &reply));
    }
    Ok(String::from_utf8_lossy(&reply.body).into_owned())
}
