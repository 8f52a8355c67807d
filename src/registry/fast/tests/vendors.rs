//! What is peculiar to each registry.

use super::*;
use crate::secret::Secret;

#[tokio::test]
async fn google_needs_one_request_always() {
    let mut lab = Lab::new(Api::Google, 1500).await;
    for _ in 0..3 {
        assert_eq!(lab.poll().await.len(), 1);
        lab.assert_exact();
        assert!(lab.set().is_timed());
        lab.registry.push("2.0.0");
        lab.registry.delete("1.3.0");
    }
    let listed = lab.set().get(&"1.0.0".parse().unwrap()).unwrap();
    assert_eq!(listed.created, None, "0 stands for no time");
}

#[tokio::test]
async fn quay_s_pages_move_while_they_are_read() {
    let mut lab = Lab::new(Api::Quay, 350).await;
    lab.registry.trouble(Some(Trouble::Deletion));
    let asked = lab.poll_for(true).await;
    assert!(lab.registry.own(&asked) > 1, "{asked:?}");
    lab.assert_exact();
    assert!(!lab.set().is_timed(), "the one that moved was not seen");
}

#[tokio::test]
async fn docker_hub_s_count_shows_that_pages_moved() {
    let mut lab = Lab::new(Api::DockerHub, 350).await;
    lab.registry.trouble(Some(Trouble::Deletion));
    let asked = lab.poll_for(true).await;
    assert_eq!(lab.registry.plain(&asked), 1, "{asked:?}");
    lab.assert_exact();
}

#[tokio::test]
async fn azure_s_pages_stay_on_its_host() {
    let mut lab = Lab::new(Api::Azure, 250).await;
    lab.registry.trouble(Some(Trouble::Link));
    let asked = lab.poll_for(true).await;
    assert_eq!(
        (lab.registry.own(&asked), lab.registry.plain(&asked)),
        (1, 1),
        "{asked:?}"
    );
    lab.assert_exact();
}

fn user(folder: &tempfile::TempDir, name: &str, password: &str) -> Credentials {
    let path = folder.path().join("password");
    std::fs::write(&path, password).unwrap();
    Credentials::Basic {
        username: name.to_owned(),
        password: Secret::File(path),
    }
}

#[tokio::test]
async fn docker_hub_shows_private_images_to_their_users() {
    let folder = tempfile::tempdir().unwrap();
    let bot = user(&folder, "bot", "s3cret");
    let mut lab = Lab::with(Api::DockerHub, 150, bot).await;
    lab.registry.trouble(Some(Trouble::Private));
    let asked = lab.poll_for(true).await;
    assert_eq!(lab.registry.plain(&asked), 0, "{asked:?}");
    lab.assert_exact();
    let tokens = asked.iter().filter(|uri| *uri == "/v2/auth/token");
    assert_eq!(tokens.count(), 1, "{asked:?}");

    let stranger = user(&folder, "bot", "wrong");
    let mut lab = Lab::with(Api::DockerHub, 150, stranger).await;
    let asked = lab.poll_for(true).await;
    assert_eq!(lab.registry.plain(&asked), 1, "{asked:?}");
    lab.assert_exact();
}

#[tokio::test]
async fn harbor_s_artifacts_are_all_read_for_their_times() {
    let folder = tempfile::tempdir().unwrap();
    let robot = user(&folder, "robot$acme+bot", "s3cret");
    let mut lab = Lab::with(Api::Harbor, 250, robot).await;
    let asked = lab.poll().await;
    assert_eq!(lab.registry.own(&asked), 0);
    lab.registry.copy("1.3.0", "stable");
    let asked = lab.poll_for(true).await;
    assert_eq!(lab.registry.own(&asked), 3, "{asked:?}");
    lab.assert_exact();
    assert_eq!(lab.record("stable"), lab.registry.record("stable"));
    assert!(lab.set().is_timed());
}

#[tokio::test]
async fn harbor_s_times_are_not_had_without_a_password() {
    let mut lab = Lab::new(Api::Harbor, 20).await;
    lab.poll_for(true).await;
    lab.assert_exact();
    assert!(!lab.set().is_timed());
}

#[tokio::test]
async fn github_s_new_tags_follow_the_old_ones() {
    let mut lab = Lab::new(Api::Ghcr, 2500).await;
    assert_eq!(lab.poll().await.len(), 3);
    assert_eq!(
        lab.poll().await,
        ["/v2/acme/shop/tags/list?n=1000&last=1.2498.0"]
    );
    for tag in ["9.0.0", "0.1.0"] {
        lab.registry.push(tag);
        assert_eq!(lab.poll().await.len(), 1);
        lab.assert_exact();
    }
    lab.registry.delete("0.1.0");
    lab.registry.push("9.1.0");
    assert_eq!(
        lab.poll().await.len(),
        4,
        "the last tag is gone: all is listed"
    );
    lab.assert_exact();
    lab.registry.delete("9.0.0");
    lab.registry.push("9.2.0");
    assert_eq!(lab.poll().await.len(), 4, "the place to go on from is gone");
    lab.assert_exact();
}

#[tokio::test]
async fn github_s_short_lists_are_read_whole() {
    let mut lab = Lab::new(Api::Ghcr, 20).await;
    for _ in 0..2 {
        assert_eq!(lab.poll().await, ["/v2/acme/shop/tags/list?n=1000"]);
    }
}

#[tokio::test]
async fn a_registry_is_known_by_its_name() {
    let client = Client::new(Vec::new(), Clock::system()).unwrap();
    for (image, api) in [
        ("nginx", Api::DockerHub),
        ("ghcr.io/acme/shop", Api::Ghcr),
        ("quay.io/acme/shop", Api::Quay),
        ("gcr.io/acme/shop", Api::Google),
        ("eu.gcr.io/acme/shop", Api::Google),
        ("europe-docker.pkg.dev/acme/shop/web", Api::Google),
        ("mirror.gcr.io/library/nginx", Api::Plain),
        ("acme.azurecr.io/shop", Api::Azure),
        ("registry.example.com/acme/shop", Api::Plain),
        ("docker.pkg.dev.example.com/a", Api::Plain),
    ] {
        let image: Image = image.parse().unwrap();
        let target = client.0.target(&image, AccountId::ANONYMOUS).await.unwrap();
        let session = client.0.session(&target).unwrap();
        assert_eq!(detect(&session), api, "{image}");
    }
}
