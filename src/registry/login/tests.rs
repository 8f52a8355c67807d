//! Where a login comes from: secrets, Docker configurations and credential helpers.

use super::*;

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
    }
}

async fn read_as(credentials: &Credentials) -> Result<String, LoginError> {
    let helpers = Helpers::default();
    let login = read(credentials, &image(), &helpers, Reuse::Allowed, LIMIT).await?;
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
async fn a_kept_answer_is_used_until_it_is_refused() {
    let helpers = Helpers::default();
    let kept = Login::Basic("kept".to_owned(), "x".into());
    let until = Instant::now() + HELPER_ANSWER;
    let key = (
        "docker-credential-none-such".to_owned(),
        "ghcr.io".to_owned(),
    );
    helpers.lock().insert(key, (kept, until));
    let ask = |reuse| helpers.ask("none-such", "ghcr.io".to_owned(), reuse, LIMIT);
    assert_eq!(shown(&ask(Reuse::Allowed).await.unwrap()), "kept:x");
    let error = ask(Reuse::Refused).await.unwrap_err();
    assert!(
        error.to_string().contains("docker-credential-none-such"),
        "{error}"
    );
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
    ];
    let mut seen: Vec<_> = logins.iter().map(Login::fingerprint).collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), logins.len());
    assert_eq!(basic("a", "b").fingerprint(), basic("a", "b").fingerprint());
    assert!(!format!("{:?}", basic("a", "hunter2")).contains("hunter2"));
}
