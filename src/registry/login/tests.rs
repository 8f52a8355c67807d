//! Where a login comes from: secrets, Docker configurations and credential helpers.

use super::*;
use crate::registry::cloud::tests::Lab;

const LIMIT: Duration = Duration::from_secs(20);

/// Files in a folder that goes with the test.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A program in shell. Another process copies it into place, since a file that this process had
    /// open for writing may still be open in a child of another test, and then can't be run.
    fn program(&self, name: &str, script: &str) -> String {
        let source = self.write(&format!("{name}.source"), &format!("#!/bin/sh\n{script}\n"));
        let program = self.0.path().join(name);
        let status = std::process::Command::new("install")
            .args(["-m", "755"])
            .args([&source, &program])
            .status()
            .unwrap();
        assert!(status.success());
        program.to_str().unwrap().to_owned()
    }
}

fn image() -> Image {
    "ghcr.io/acme/shop".parse().unwrap()
}

/// The login as text, secret included, to compare with.
fn shown(login: &Login) -> String {
    match login {
        Login::Anonymous => "nobody".to_owned(),
        Login::Basic(user, password) => format!("{user}:{}", password.expose_secret()),
        Login::IdentityToken(token) => format!("token:{}", token.expose_secret()),
        Login::RegistryToken(token) => format!("registry token:{}", token.expose_secret()),
    }
}

async fn read_as(credentials: &Credentials) -> Result<String, LoginError> {
    let helpers = Helpers::default();
    let lab = Lab::new("ghcr.io", &[]);
    let sender = lab.sender();
    let counter = lab.counter(&sender);
    let login = read(credentials, &image(), &helpers, &counter, Reuse::Allowed).await?;
    Ok(shown(&login))
}

#[tokio::test]
async fn secrets_are_read_anew_at_each_use() {
    let folder = Folder::new();
    let path = folder.write("password", "one\n");
    let basic = Credentials::Basic {
        username: "bot".to_owned(),
        password: Secret::File(path.clone()),
    };
    assert_eq!(read_as(&basic).await.unwrap(), "bot:one");
    folder.write("password", "two");
    assert_eq!(read_as(&basic).await.unwrap(), "bot:two");
    std::fs::remove_file(path).unwrap();
    assert!(matches!(
        read_as(&basic).await,
        Err(LoginError::Password(_))
    ));
    assert_eq!(read_as(&Credentials::Anonymous).await.unwrap(), "nobody");
}

#[tokio::test]
async fn a_changed_docker_configuration_counts_at_once() {
    let folder = Folder::new();
    let path = folder.write("config.json", r#"{"auths": {"ghcr.io": {"auth": "YTpi"}}}"#);
    let config = Credentials::DockerConfig(path.clone());
    assert_eq!(read_as(&config).await.unwrap(), "a:b");
    folder.write(
        "config.json",
        r#"{"auths": {"ghcr.io": {"identitytoken": "t"}}}"#,
    );
    assert_eq!(read_as(&config).await.unwrap(), "token:t");
    folder.write(
        "config.json",
        r#"{"auths": {"*.io": {"registrytoken": "t"}}}"#,
    );
    assert_eq!(read_as(&config).await.unwrap(), "registry token:t");
    folder.write("config.json", "{}");
    assert_eq!(read_as(&config).await.unwrap(), "nobody");
    folder.write("config.json", "{");
    assert!(matches!(
        read_as(&config).await,
        Err(LoginError::Malformed { .. })
    ));
    std::fs::remove_file(path).unwrap();
    assert!(matches!(
        read_as(&config).await,
        Err(LoginError::File { .. })
    ));
}

#[tokio::test]
async fn helpers_speak_their_protocol() {
    let folder = Folder::new();
    for (script, wanted) in [
        (
            r#"read server; [ "$1" = get ] && printf '{"ServerURL":"x","Username":"u","Secret":"%s"}' "$server""#,
            Ok("u:ghcr.io"),
        ),
        (
            r#"echo '{"Username":"<token>","Secret":"idt"}'"#,
            Ok("token:idt"),
        ),
        (
            "echo credentials not found in native keychain; exit 1",
            Ok("nobody"),
        ),
        (
            "echo credentials not found in native keychain >&2; exit 1",
            Ok("nobody"),
        ),
        ("echo s3cret >&2; exit 3", Err("exit status: 3")),
        (
            "echo s3cret",
            Err("it printed something else than a user name and a secret"),
        ),
        // More than is read: cut off by a closed pipe.
        ("exec head -c 1000000 /dev/zero", Err("")),
    ] {
        let program = folder.program("helper", script);
        let result = helper::ask(&program, "ghcr.io", LIMIT).await;
        match (result, wanted) {
            (Ok(login), Ok(wanted)) => assert_eq!(shown(&login), wanted, "{script}"),
            (Err(said), Err(wanted)) => {
                assert!(said.contains(wanted), "{script}: {said}");
                assert!(!said.contains("s3cret"), "{said}");
            }
            (result, _) => panic!("{script}: {result:?}"),
        }
    }
    let missing = helper::ask("/no/such/helper", "ghcr.io", LIMIT).await;
    assert!(missing.is_err());
}

#[tokio::test]
async fn a_helper_that_hangs_is_given_up() {
    let folder = Folder::new();
    let program = folder.program("helper", "exec cat /dev/zero > /dev/null");
    let said = helper::ask(&program, "x", Duration::from_millis(50)).await;
    assert!(said.unwrap_err().contains("50ms"));
}

#[test]
fn a_helper_is_a_plain_word() {
    assert_eq!(
        helper::program("ecr-login").unwrap(),
        "docker-credential-ecr-login"
    );
    for name in ["../x", "a/b", "a b", "$(x)"] {
        assert!(helper::program(name).is_err(), "{name}");
    }
}

#[tokio::test]
async fn a_helper_runs_once_until_its_answer_is_refused() {
    let folder = Folder::new();
    // Each run prints a user of one more `x`.
    let script = r#"runs="$0.runs"; printf x >>"$runs"; printf '{"Username":"%s","Secret":"s"}' "$(cat "$runs")""#;
    let program = folder.program("helper", script);
    let helpers = Helpers::default();
    let ask = |reuse| helpers.answer(&program, "ghcr.io".to_owned(), reuse, LIMIT);
    let first = Instant::now();
    let (a, b, c) = tokio::join!(
        ask(Reuse::Allowed),
        ask(Reuse::Allowed),
        ask(Reuse::Allowed)
    );
    for login in [a, b, c] {
        assert_eq!(shown(&login.unwrap()), "x:s");
    }
    assert_eq!(shown(&ask(Reuse::Since(first)).await.unwrap()), "x:s");
    let refused = Reuse::Since(Instant::now());
    let (a, b) = tokio::join!(ask(refused), ask(refused));
    for login in [a, b] {
        assert_eq!(
            shown(&login.unwrap()),
            "xx:s",
            "once for all who were refused"
        );
    }
    std::fs::remove_file(&program).unwrap();
    assert_eq!(shown(&ask(Reuse::Allowed).await.unwrap()), "xx:s");
    assert!(ask(Reuse::Since(Instant::now())).await.is_err());
    assert!(
        ask(Reuse::Allowed).await.is_err(),
        "what was refused is gone"
    );
}

#[tokio::test]
async fn a_helper_that_fails_is_named() {
    let helpers = Helpers::default();
    let ask = helpers.ask("none-such", "ghcr.io".to_owned(), Reuse::Allowed, LIMIT);
    let error = ask.await.unwrap_err().to_string();
    assert!(error.contains("docker-credential-none-such"), "{error}");
}

#[test]
fn fingerprints_tell_logins_apart() {
    let basic = |user: &str, password: &str| Login::Basic(user.to_owned(), password.into());
    let logins = [
        Login::Anonymous,
        basic("", ""),
        basic("a", "bc"),
        basic("ab", "c"),
        Login::IdentityToken("".into()),
        Login::IdentityToken("abc".into()),
        Login::RegistryToken("abc".into()),
    ];
    let mut seen: Vec<_> = logins.iter().map(Login::fingerprint).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), logins.len());
    assert_eq!(basic("a", "b").fingerprint(), basic("a", "b").fingerprint());
    assert!(!format!("{:?}", basic("a", "hunter2")).contains("hunter2"));
}
