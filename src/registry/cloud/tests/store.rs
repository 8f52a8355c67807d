//! What is kept, renewed, shared and remembered.

use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::registry::cloud::store::Store;

const HOUR: Duration = Duration::from_secs(3600);

/// A cloud whose credentials have a number each, and that can be down.
#[derive(Default)]
struct Numbered {
    store: Store,
    made: AtomicU32,
    is_down: std::sync::atomic::AtomicBool,
}

impl Numbered {
    async fn get(&self, target: &str, reuse: Reuse, now: Instant) -> Result<String, String> {
        let key = (Cloud::Gcp(Gcp::default()), target.to_owned());
        let mint = || async {
            tokio::task::yield_now().await;
            let number = self.made.fetch_add(1, Ordering::SeqCst);
            if self.is_down.load(Ordering::SeqCst) {
                return Err(CloudError::BadReply {
                    service: "it",
                    reason: format!("failure {number}"),
                });
            }
            Ok(Minted {
                login: Login::IdentityToken(number.to_string().into()),
                lifetime: HOUR,
            })
        };
        match self.store.get(key, reuse, now, mint).await {
            Ok(Login::IdentityToken(token)) => Ok(token.expose_secret().to_owned()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn at(&self, now: Instant) -> Result<String, String> {
        self.get("", Reuse::Allowed, now).await
    }
}

fn ok(number: u32) -> Result<String, String> {
    Ok(number.to_string())
}

#[tokio::test]
async fn a_credential_is_asked_for_once_by_all_who_wait() {
    let cloud = Numbered::default();
    let now = Instant::now();
    let (a, b, c) = tokio::join!(cloud.at(now), cloud.at(now), cloud.at(now));
    assert_eq!([a, b, c], [ok(0), ok(0), ok(0)]);
    let other = cloud.get("eu-west-1", Reuse::Allowed, now).await;
    assert_eq!(other, ok(1), "another target has its own");
}

#[tokio::test]
async fn it_is_renewed_before_it_ends() {
    let cloud = Numbered::default();
    let start = Instant::now();
    assert_eq!(cloud.at(start).await, ok(0));
    assert_eq!(cloud.at(start + HOUR * 69 / 100).await, ok(0));
    assert_eq!(cloud.at(start + HOUR * 86 / 100).await, ok(1));
}

#[tokio::test]
async fn an_old_one_is_used_while_no_new_one_can_be_had() {
    let cloud = Numbered::default();
    let start = Instant::now();
    assert_eq!(cloud.at(start).await, ok(0));
    cloud.is_down.store(true, Ordering::SeqCst);
    let late = start + HOUR * 86 / 100;
    assert_eq!(cloud.at(late).await, ok(0));
    assert_eq!(cloud.at(late + Duration::from_secs(29)).await, ok(0));
    assert_eq!(
        cloud.made.load(Ordering::SeqCst),
        2,
        "asked once for a while"
    );
    assert_eq!(cloud.at(late + Duration::from_secs(31)).await, ok(0));
    assert_eq!(cloud.made.load(Ordering::SeqCst), 3);
    let end = start + HOUR;
    assert!(cloud.at(end).await.unwrap_err().contains("failure 3"));
    assert!(cloud.at(end).await.unwrap_err().contains("failure 3"));
    cloud.is_down.store(false, Ordering::SeqCst);
    assert_eq!(cloud.at(end + Duration::from_secs(31)).await, ok(4));
}

#[tokio::test]
async fn what_a_registry_refuses_is_made_anew_unless_it_is_new() {
    let cloud = Numbered::default();
    let start = Instant::now();
    assert_eq!(cloud.at(start).await, ok(0));
    let refused = |after| {
        let at = start + Duration::from_secs(after);
        cloud.get("", Reuse::Since(at), at)
    };
    assert_eq!(refused(59).await, ok(0));
    assert_eq!(refused(61).await, ok(1));
    let before = Reuse::Since(start + Duration::from_secs(60));
    let late = start + Duration::from_secs(600);
    assert_eq!(cloud.get("", before, late).await, ok(1), "it is newer");
}
