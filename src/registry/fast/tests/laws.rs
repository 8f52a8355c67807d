//! Whatever happens between two listings: nothing that is there is missed, and what is said of a tag is
//! so.

use proptest::prelude::*;

use super::*;

/// What happens in a registry.
#[derive(Debug, Clone)]
enum Event {
    Push(u8),
    Delete(u8),
    Minutes(u8),
    Poll(bool),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        3 => any::<u8>().prop_map(Event::Push),
        1 => any::<u8>().prop_map(Event::Delete),
        2 => any::<u8>().prop_map(Event::Minutes),
        2 => any::<bool>().prop_map(Event::Poll),
    ];
    prop::collection::vec(event, 1..40)
}

async fn happen(api: Api, events: Vec<Event>) {
    let mut lab = Lab::new(api, 230).await;
    for event in events {
        match event {
            Event::Push(number) => lab.registry.push(&format!("1.{number}.0")),
            Event::Delete(number) => lab.registry.delete(&format!("1.{number}.0")),
            Event::Minutes(minutes) => lab.wait(i64::from(minutes)),
            Event::Poll(times) => {
                lab.poll_for(times).await;
                let names = lab.names();
                for name in lab.registry.names() {
                    assert!(names.contains(&name), "{api:?}: {name} is missed");
                    // A record that is not there may be asked for; one that is there must be right.
                    if let Some(record) = lab.record(&name) {
                        assert_eq!(Some(record), lab.registry.record(&name), "{api:?} {name}");
                    }
                }
            }
        }
    }
    lab.wait(24 * 60);
    lab.poll().await;
    lab.assert_exact();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn nothing_is_missed_and_nothing_is_wrong(
        events in events(),
        api in prop::sample::select(vec![
            Api::DockerHub, Api::Quay, Api::Azure, Api::Google, Api::Ghcr, Api::Harbor,
        ]),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(happen(api, events));
    }
}
