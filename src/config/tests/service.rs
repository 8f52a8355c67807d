//! The service file: defaults, what fits together, secrets, and all mistakes at once.

use std::time::Duration;

use super::*;
use crate::config::{Grouping, PushMode, Signing, service};
use crate::git::{Auth, GitHubApp, Identity, KeyFormat, PlainHttp, SigningKey};
use crate::notify::Kind;
use crate::registry::{Access, Credentials, Scheme};
use crate::secret::Secret;

/// A service file with one repository, `rest` added to its keys.
fn repository(url: &str, rest: &str) -> String {
    format!("version: 1\nrepositories:\n  - name: r\n    url: {url}\n    policies: [p]\n{rest}")
}

fn told(text: &str) -> Vec<String> {
    let loaded = service("tagwright.yaml", text);
    assert_eq!(loaded.value.is_none(), errors(&loaded.diagnostics) > 0);
    loaded
        .diagnostics
        .iter()
        .map(|found| found.message.clone())
        .collect()
}

#[test]
fn what_is_not_said_has_a_default() {
    let service = good_service(&repository("https://git.example.com/acme/fleet.git", ""));
    let fleet = &service.repositories[0];
    assert_eq!(fleet.branch, "main");
    assert_eq!(fleet.interval, Duration::from_secs(60));
    assert_eq!(fleet.push, PushMode::Direct);
    assert_eq!(fleet.commits.author.name, "Tagwright");
    assert_eq!(fleet.remote.auth, Auth::None);
    assert_eq!(fleet.remote.plain, PlainHttp::LoopbackOnly);
    assert_eq!(fleet.policies[0].path.as_str(), "p");
    assert_eq!(fleet.policies[0].access(), Access::All);
    assert!(fleet.policies[0].may_write.is_none() && fleet.policies[0].images.is_none());
    assert!(service.registries.is_empty());
    assert!(service.server.listen.is_none() && service.cache.is_none());
}

#[test]
fn callers_of_the_api_have_a_name_and_a_token_each() {
    let with = |tokens: &str| repository("/r.git", &format!("server: {{tokens: {tokens}}}\n"));
    let text = with("[{name: ci, token: {file: /t}}, {name: ops, token: {env: OPS}}]");
    let callers = good_service(&text).server.callers;
    let named: Vec<_> = callers.iter().map(|caller| caller.name.as_str()).collect();
    assert_eq!(named, ["ci", "ops"]);
    assert_eq!(callers[1].token, Secret::Env("OPS".to_owned()));
    for (tokens, wrong) in [
        (
            "[{name: ci, token: {file: /t}}, {name: ci, token: {file: /u}}]",
            "the caller `ci` is listed twice",
        ),
        ("[{name: ci}]", "`token` is missing"),
        ("[{token: {file: /t}}]", "`name` is missing"),
        (
            "[{name: ci, token: hunter2}]",
            "a secret can't be written into this file",
        ),
    ] {
        let messages = told(&with(tokens));
        let said = messages.iter().any(|message| message.contains(wrong));
        assert!(said, "{tokens}: {messages:?}");
        assert!(!format!("{messages:?}").contains("hunter2"));
    }
}

#[test]
fn registries_have_defaults_too() {
    let text = repository(
        "/r.git",
        "registries:\n  - host: Index.Docker.io\n  - {host: 'localhost:5000', plainHttp: true, interval: 10s}\n",
    );
    let registries = good_service(&text).registries;
    assert_eq!(registries[0].account.host, "docker.io");
    assert_eq!(registries[0].account.credentials, Credentials::Anonymous);
    assert_eq!(registries[0].account.scheme, Scheme::Https);
    assert_eq!(registries[0].interval, Duration::from_secs(300));
    assert_eq!(registries[1].account.scheme, Scheme::PlainHttp);
    assert_eq!(registries[1].interval, Duration::from_secs(10));
}

#[test]
fn there_are_a_few_ways_to_sign_in_to_git() {
    let auth = |url: &str, keys: &str| {
        let text = repository(url, &format!("    credentials: {keys}\n"));
        good_service(&text).repositories.remove(0).remote.auth
    };
    let ssh = "{sshKey: {file: k}, knownHosts: {file: h}}";
    assert_eq!(
        auth("git@git.example.com:acme/fleet.git", ssh),
        Auth::Ssh {
            identity: Identity::Key {
                key: Secret::File("k".into()),
                passphrase: None
            },
            known_hosts: "h".into()
        }
    );
    let ssh = "{sshKey: {file: k}, passphrase: {env: P}, knownHosts: {file: h}}";
    assert_eq!(
        auth("git@git.example.com:acme/fleet.git", ssh),
        Auth::Ssh {
            identity: Identity::Key {
                key: Secret::File("k".into()),
                passphrase: Some(Secret::Env("P".to_owned()))
            },
            known_hosts: "h".into()
        }
    );
    let ssh = "{sshAgent: /run/agent, knownHosts: {file: h}}";
    assert_eq!(
        auth("git@git.example.com:acme/fleet.git", ssh),
        Auth::Ssh {
            identity: Identity::Agent("/run/agent".into()),
            known_hosts: "h".into()
        }
    );
    assert_eq!(
        auth("https://h.example/r", "{username: u, password: {env: P}}"),
        Auth::Basic {
            username: "u".to_owned(),
            password: Secret::Env("P".to_owned())
        }
    );
    assert_eq!(
        auth(
            "https://h.example/r",
            "{githubApp: {id: Iv1.a, installation: 42, privateKey: {file: k}}}"
        ),
        Auth::GitHubApp(GitHubApp {
            id: "Iv1.a".to_owned(),
            installation: 42,
            key: Secret::File("k".into())
        })
    );
    assert_eq!(
        auth("https://h.example/r", "{token: {file: t}}"),
        Auth::Token(Secret::File("t".into()))
    );
}

#[test]
fn one_key_signs_commits() {
    let text = |signing: &str| repository("/r", &format!("    commit: {{signing: {signing}}}\n"));
    let key = |signing: &str| {
        let commits = good_service(&text(signing)).repositories.remove(0).commits;
        match commits.signing {
            Some(Signing::Key(key)) => Some(key),
            Some(Signing::Forge) | None => None,
        }
    };
    let file = |name: &str| Secret::File(name.into());
    let mut expected = SigningKey {
        format: KeyFormat::Ssh,
        key: file("k"),
        passphrase: None,
    };
    assert_eq!(key("{ssh: {file: k}}"), Some(expected.clone()));
    expected.passphrase = Some(Secret::Env("P".to_owned()));
    assert_eq!(
        key("{ssh: {file: k}, passphrase: {env: P}}"),
        Some(expected)
    );
    #[cfg(feature = "openpgp")]
    {
        let format = key("{openpgp: {file: k}}").unwrap().format;
        assert_eq!(format, KeyFormat::OpenPgp);
    }
    #[cfg(not(feature = "openpgp"))]
    {
        let messages = told(&text("{openpgp: {file: k}}"));
        assert_eq!(messages, ["this build can't sign with OpenPGP keys"]);
    }
    for (signing, words) in [
        ("{}", "one key"),
        ("{passphrase: {env: P}}", "one key"),
        ("{ssh: {file: k}, openpgp: {file: k}}", "one key"),
        ("{ssh: k}", "a secret can't be written"),
        (
            "{ssh: {file: k}, passphrase: swordfish}",
            "a secret can't be written",
        ),
        (
            "{ssh: {file: k}, passphrase: {env: 1}}",
            "name of an environment variable",
        ),
        ("{shh: swordfish}", "unknown key `shh`"),
        ("{forge: true, ssh: {file: k}}", "need no key"),
        ("{forge: true}", "have its author"),
        ("{forge: false}", "one key"),
    ] {
        let loaded = service("tagwright.yaml", &text(signing));
        assert!(loaded.value.is_none(), "{signing}");
        let shown = rendered(&loaded.diagnostics);
        assert!(shown.contains(words), "{signing}: {shown}");
        assert!(!shown.contains("swordfish"), "{shown}");
    }
}

#[test]
fn messages_and_groups_are_checked() {
    let text = |commit: &str| repository("/r", &format!("    commit: {{{commit}}}\n"));
    let commits = |commit: &str| good_service(&text(commit)).repositories.remove(0).commits;
    let plain = commits("author: A <a@b>");
    assert!(plain.subject.is_none() && plain.body.is_none() && !plain.sign_off);
    assert_eq!((plain.group, plain.window), (Grouping::AppStage, None));
    let window = commits("window: 10s").window;
    assert_eq!(window, Some(Duration::from_secs(10)));
    let all = commits("subject: '{app}', body: '{changes}', signOff: true, group: pass");
    assert!(all.subject.is_some() && all.body.is_some() && all.sign_off);
    assert_eq!(all.group, Grouping::Pass);
    for (commit, words) in [
        ("subject: '{ap}'", "`{ap}` is not known here"),
        ("subject: '{places}'", "may be several lines"),
        ("body: 'Tagwright-Change: v1'", "not yours to write"),
        ("group: app", "`app` is not known here"),
        ("signOff: yes please", "expected true or false"),
        ("window: 2h", "`2h` is out of range"),
        ("window: soon", "`soon` is not a duration"),
    ] {
        let messages = told(&text(commit));
        assert_eq!(messages.len(), 1, "{commit}: {messages:?}");
        assert!(messages[0].contains(words), "{commit}: {messages:?}");
    }
}

#[test]
fn holds_are_of_what_they_name_until_their_time() {
    let own = "    holds:\n      - {apps: [shop], stages: [live], reason: own, until: '2026-12-01T09:00:00Z'}\n";
    let text = format!("{}holds: [{{reason: all}}]\n", repository("/r", own));
    let holds = good_service(&text).repositories.remove(0).holds;
    let in_force = |app: &str, stage: &str, now: &str| -> Vec<&str> {
        let now = now.parse().unwrap();
        let found = holds.iter().filter(|hold| hold.holds(app, stage, now));
        found.map(|hold| hold.reason.as_str()).collect()
    };
    let (before, after) = ("2026-12-01T08:59:59Z", "2026-12-01T09:00:00Z");
    assert_eq!(in_force("shop", "live", before), ["all", "own"]);
    assert_eq!(in_force("shop", "staging", before), ["all"]);
    assert_eq!(in_force("cart", "live", before), ["all"]);
    assert_eq!(in_force("shop", "live", after), ["all"]);
    assert_eq!((holds[1].position.column, holds[1].everywhere), (9, false));
    for (hold, words) in [
        ("{}", "`reason` is missing"),
        ("{reason: ''}", "empty"),
        ("{reason: x, until: tomorrow}", "`tomorrow` is not a time"),
        ("{reason: x, untill: x}", "unknown key `untill`"),
        ("{reason: x, apps: []}", "empty"),
        ("{reason: x, stages: [Live]}", "Live"),
    ] {
        let messages = told(&repository("/r", &format!("    holds: [{hold}]\n")));
        assert_eq!(messages.len(), 1, "{hold}: {messages:?}");
        assert!(messages[0].contains(words), "{hold}: {messages:?}");
    }
}

#[test]
fn what_must_be_signed_can_be_signed_by_the_service_too() {
    let verify = "    verify: {allowedSigners: {file: s}}\n";
    let signing = "    commit: {signing: {ssh: {file: k}}}\n";
    let off = "    push: {mode: off}\n";
    for more in [signing, off] {
        let text = repository("/r", &format!("{verify}{more}"));
        let signers = good_service(&text).repositories.remove(0).signers;
        assert_eq!(signers.map(|signers| signers.file), Some("s".into()));
    }
    for (more, words) in [
        (verify, "no SSH key to sign with"),
        ("    verify: {}\n", "`allowedSigners` is missing"),
        ("    verify: {allowedSigners: s}\n", "mapping"),
    ] {
        let messages = told(&repository("/r", more));
        assert_eq!(messages.len(), 1, "{more}: {messages:?}");
        assert!(messages[0].contains(words), "{more}: {messages:?}");
    }
}

#[test]
fn receivers_are_told_after_a_push() {
    let text = |nudges: &str| repository("/r", &format!("    afterPush: [{nudges}]\n"));
    let nudges = |list: &str| good_service(&text(list)).repositories.remove(0).after_push;
    assert!(
        good_service(&repository("/r", "")).repositories[0]
            .after_push
            .is_empty()
    );
    let all = "{flux: {url: 'http://f/hook/x', token: {env: T}}}, \
               {argocd: {url: 'https://a/api/webhook', secret: {file: s}}}, {url: 'https://b/?c'}";
    let secret = |name: &str| Some(Secret::Env(name.to_owned()));
    let file = Some(Secret::File("s".into()));
    let found: Vec<_> = nudges(all)
        .into_iter()
        .map(|nudge| (nudge.kind, nudge.url.to_string(), nudge.secret))
        .collect();
    assert_eq!(
        found,
        [
            (Kind::Flux, "http://f/hook/x".to_owned(), secret("T")),
            (Kind::ArgoCd, "https://a/api/webhook".to_owned(), file),
            (Kind::Any, "https://b/?c".to_owned(), None),
        ]
    );
    for (list, words) in [
        ("{}", "one receiver"),
        (
            "{url: 'https://a/', flux: {url: 'https://a/', token: {env: T}}}",
            "one receiver",
        ),
        (
            "{secret: {env: T}, argocd: {url: 'https://a/'}}",
            "one receiver",
        ),
        ("{flux: {url: 'https://a/'}}", "`token` is missing"),
        ("{url: 'ftp://a/'}", "not the URL of a receiver"),
        (
            "{url: 'https://a:swordfish@b/'}",
            "not the URL of a receiver",
        ),
        (
            "{flux: {url: 'https://a/', token: swordfish}}",
            "a secret can't be written",
        ),
        (
            "{argocd: {url: 'https://a/', sekret: swordfish}}",
            "unknown key `sekret`",
        ),
    ] {
        let loaded = service("tagwright.yaml", &text(list));
        assert!(loaded.value.is_none(), "{list}");
        let shown = rendered(&loaded.diagnostics);
        assert!(shown.contains(words), "{list}: {shown}");
    }
}

#[test]
fn a_pass_can_be_limited() {
    let text = |limits: &str| repository("/r", &format!("    limits: {limits}\n"));
    let most = |limits: &str| {
        let repository = good_service(&text(limits)).repositories.remove(0);
        repository.changes_per_pass.map(std::num::NonZeroUsize::get)
    };
    assert_eq!(most("{changesPerPass: 50}"), Some(50));
    assert_eq!(most("{}"), None);
    for (limits, words) in [
        ("{changesPerPass: 0}", "`0` is out of range"),
        ("{changesPerPass: 10001}", "out of range"),
        ("{changesPerPass: 1.5}", "out of range"),
        ("{changesPerPass: many}", "expected a number"),
        ("{changes: 1}", "unknown key"),
    ] {
        let messages = told(&text(limits));
        assert_eq!(messages.len(), 1, "{limits}: {messages:?}");
        assert!(messages[0].contains(words), "{limits}: {messages:?}");
    }
}

#[test]
fn credentials_fit_together_and_fit_the_url() {
    let ssh = "{sshKey: {file: k}, knownHosts: {file: h}}";
    for (url, credentials, words) in [
        ("https://h/r", "{username: u}", "not one way"),
        (
            "https://h/r",
            "{username: u, password: {env: P}, token: {env: T}}",
            "not one way",
        ),
        (
            "https://h/r",
            "{username: 'a:b', password: {env: P}}",
            "not a user name",
        ),
        ("ssh://git@h/r", "{sshKey: {file: k}}", "not one way"),
        (
            "ssh://git@h/r",
            "{sshAgent: s, passphrase: {env: P}, knownHosts: {file: h}}",
            "not one way",
        ),
        ("https://h/r", "{}", "not one way"),
        (
            "https://h/r",
            "{githubApp: {id: a, installation: b, privateKey: {file: k}}}",
            "not the id of an installation",
        ),
        ("https://h/r", ssh, "`password` or `token`"),
        ("ssh://git@h/r", "{token: {env: T}}", "`sshKey`"),
        ("/srv/r.git", "{token: {env: T}}", "needs no credentials"),
        ("https://h/r", "x", "expected a mapping"),
    ] {
        let messages = told(&repository(
            url,
            &format!("    credentials: {credentials}\n"),
        ));
        assert_eq!(messages.len(), 1, "{url} {credentials}: {messages:?}");
        assert!(
            messages[0].contains(words),
            "{url} {credentials}: {messages:?}"
        );
    }
    assert!(told(&repository("ssh://git@h/r", ""))[0].contains("needs a key"));
    assert!(told(&repository("/r.git", "    ca: x.pem\n"))[0].contains("http and https only"));
    let colon =
        "registries:\n  - host: r.example\n    credentials: {username: a:b, password: {env: P}}\n";
    assert!(told(&repository("/r.git", colon))[0].contains("not a user name"));
    let registry = "registries: [{host: r.example, plainHttp: true, ca: x.pem}]\n";
    assert!(told(&repository("/r.git", registry))[0].contains("no meaning"));
}

#[test]
fn names_and_branches_are_listed_once() {
    let text = "version: 1
repositories:
  - {name: a, url: /r.git, policies: [p]}
  - {name: a, url: /s.git, policies: [p]}
  - {name: b, url: /r.git, branch: main, policies: [p]}
  - {name: c, url: /r.git, branch: next, policies: [p]}
registries:
  - {name: x, host: a.example}
  - {name: x, host: b.example}
";
    assert_eq!(
        told(text),
        [
            "the repository `a` is listed twice",
            "the branch `main` of this URL is listed twice",
            "the registry `x` is listed twice",
        ]
    );
}

#[test]
fn it_is_certain_whose_credentials_are_used() {
    let text = |policies: &str| {
        format!(
            "version: 1\nrepositories: [{{name: r, url: /r, policies: [{policies}]}}]\nregistries: [{{name: a, host: h.example}}, {{name: b, host: h.example}}, {{name: c, host: h.example, path: x}}]\n"
        )
    };
    assert!(told(&text("p"))[0].contains("could be used"));
    assert!(told(&text("{path: p, registries: [a, b]}"))[0].contains("could be used"));
    assert!(told(&text("{path: p, registries: [d]}"))[0].contains("no registry is called `d`"));
    let service = good_service(&text("{path: p, registries: [a, c]}"));
    let names = ["a".to_owned(), "c".to_owned()];
    assert_eq!(
        service.repositories[0].policies[0].access(),
        Access::Named(&names)
    );
}

#[test]
fn a_policies_file_has_one_entry() {
    for (policies, overlap) in [
        ("p, q", false),
        ("p, pq", false),
        ("p, p/", true),
        ("p, p/a", true),
        ("p/a, {path: p}", true),
    ] {
        let text =
            format!("version: 1\nrepositories: [{{name: r, url: /r, policies: [{policies}]}}]\n");
        let messages = told(&text);
        assert_eq!(
            messages.iter().any(|found| found.contains("overlap")),
            overlap,
            "{policies}"
        );
    }
}

#[test]
fn a_limit_with_a_mistake_is_no_missing_limit() {
    for limit in [
        "mayWrite: 1",
        "mayWrite: []",
        "images: ['[']",
        "registries: x",
        "mayWrite:",
    ] {
        let policies = format!("{{path: p, {limit}}}");
        let text =
            format!("version: 1\nrepositories: [{{name: r, url: /r, policies: [{policies}]}}]\n");
        assert_eq!(told(&text).len(), 1, "{limit}");
    }
}

#[test]
fn a_secret_in_the_file_is_refused_and_not_shown() {
    for credentials in [
        "{username: bot, password: hunter2}",
        "{username: bot, password: hunter2, port: 1, more: hunter2}",
        "{username: bot, pasword: hunter2}",
        "{username: bot, password: [hunter2]}",
        "{username: bot, password: {value: hunter2}}",
        "{username: bot, password: {env: 'hunter2!'}}",
        "hunter2",
        "{username: bot, password: @hunter2}",
        "{username: bot, password: *hunter2}",
        "{username: bot, password: hunter2: x}",
        "{username: bot, password: !hunter2}",
        "{username: bot, password: !hunter2 x, port: 1}",
        "{username: bot, password: &hunter2}",
        "{username: bot, password: {env: &hunter2}}",
        "{username: bot, password: {value: &hunter2 x}}",
        "{username: bot:hunter2}",
        "!hunter2",
        "&hunter2 x",
        "\n      password:\n        @hunter2",
        "\n      password:\n        !hunter2 x",
        "{dockerConfig: hunter2}",
        "|\n-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----",
        "\n      username: bot\n      password: hunter2\n      bad: 1",
        "\n      username: bot\n      password: |\n        hunter2\n        hunter2",
    ] {
        let text = repository(
            "/r.git",
            &format!("registries:\n  - host: h.example\n    credentials: {credentials}\n"),
        );
        let loaded = service("tagwright.yaml", &text);
        assert!(loaded.value.is_none(), "{credentials}");
        let shown = format!(
            "{}{:?}",
            rendered(&loaded.diagnostics),
            lines(&loaded.diagnostics)
        );
        assert!(!shown.contains("hunter"), "{credentials}\n{shown}");
    }
    let misplaced = repository("https://bot:hunter2@h.example/r", "    password: hunter2\n");
    let misspelt = repository("/r.git", "    crdentials: {token: hunter2}\n");
    let scrambled = repository("/r.git", "    cedentials: hunter2\n");
    let asked = repository("https://h.example/r?token=hunter2", "");
    let broken =
        "version: 1\nrepositories:\n  ? url: https://bot:hunter2@h.example/r\n    name: a\n";
    for (text, wanted) in [
        (misplaced.as_str(), "credentials do not belong"),
        (misspelt.as_str(), "did you mean `credentials`?"),
        (scrambled.as_str(), "did you mean `credentials`?"),
        (asked.as_str(), "no `?` or `#`"),
        (broken, "not valid YAML"),
    ] {
        let loaded = service("tagwright.yaml", text);
        let shown = rendered(&loaded.diagnostics);
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains(wanted), "{shown}");
    }
}

#[test]
fn an_inline_secret_is_answered_with_advice() {
    let text = repository("https://h.example/r", "    credentials: {token: abc}\n");
    let loaded = service("tagwright.yaml", &text);
    let hint = loaded.diagnostics[0].hint.as_deref().unwrap();
    assert!(
        hint.contains("{file: PATH}") && hint.contains("{env: NAME}"),
        "{hint}"
    );
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = "repositories:
  - name: Fleet
    url: git://git.example.com/acme/fleet.git
    branch: a..b
    intervall: 1m
    interval: 0s
    policies:
      - /policies
      - {path: teams/a/, mayWrite: [../b], images: ['ghcr.io/a:1'], registries: [team-b]}
    credentials: {sshKey: {file: k}, knownHosts: {path: h}}
    commit: {author: Tagwright, signing: {ssh: {file: k}}}
    push: {mode: pullRequest}
    limits: {changesPerPass: 50}
  - {}
registries:
  - {name: team-a, host: 'https://ghcr.io', path: /acme, interval: soon}
  - {host: ghcr.io, credentials: {username: bot}}
server: {listen: 'localhost:8080'}
cache: /var/cache
notifiers: []
";
    let loaded = service("tagwright.yaml", text);
    assert!(loaded.value.is_none());
    assert!(errors(&loaded.diagnostics) >= 12);
    insta::assert_snapshot!(rendered(&loaded.diagnostics));
}
