//! Push times that come with a list reach the policy.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use tagwright::clock::Clock;
use tagwright::image::{Digest, Image, Tag};
use tagwright::policy::{Datum, TimeSource};
use tagwright::reconcile::observe::{Look, Missing, Observer};
use tagwright::registry::poller::Patience;
use tagwright::registry::{Access, Account, Api, Client, Scheme};

use crate::fake_server::{Reply, Server};

#[tokio::test]
async fn push_times_of_the_list_are_told_where_they_are_wanted() {
    let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
    let list = json!({
        "name": "acme/shop",
        "tags": ["1.0.0", "1.1.0"],
        "manifest": {
            (one.as_str()): {"tag": ["1.0.0"], "timeUploadedMs": "1700000000000", "timeCreatedMs": "0"},
            (two.as_str()): {"tag": ["1.1.0"], "timeUploadedMs": "1700000060000", "timeCreatedMs": "0"},
        },
    });
    let server = Server::start(move |_, _| Reply::json(200, list.to_string())).await;
    let account = Account {
        scheme: Scheme::PlainHttp,
        api: Api::Google,
        ..Account::anonymous(server.host())
    };
    let client = Client::new(vec![account], Clock::system()).unwrap();
    let image: Image = format!("{}/acme/shop", server.host()).parse().unwrap();
    let feed = (image.clone(), client.account_for(&image, Access::All));
    let mut observer = Observer::new(client, Clock::system(), Missing::default());
    for times in [true, false] {
        let look = Look {
            interval: Duration::from_secs(300),
            times,
        };
        let facts = observer
            .list(BTreeMap::from([(feed.clone(), look)]), Patience::Anew)
            .await;
        let told = facts.times.get(&feed).map(|tags| {
            let tag: Tag = "1.1.0".parse().unwrap();
            match tags[&tag].pushed {
                Datum::Known(time) => (time.at.as_second(), time.source),
                other => panic!("{other:?}"),
            }
        });
        let wanted = times.then_some((1_700_000_060, TimeSource::Registry));
        assert_eq!(told, wanted);
    }
}
