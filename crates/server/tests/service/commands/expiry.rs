//! Notices of expiry come by themselves.

use std::time::Duration;

use grantbook_domain::{
    command::{Command, TokenCommand},
    event::Event,
    principal::Actor,
};
use tokio::time::sleep;

use crate::given::{Given, START, settle};

#[tokio::test(start_paused = true)]
async fn what_has_expired_is_noted_once() {
    let given = Given::settled().await;
    for n in 0..150 {
        let create = Command::Token(TokenCommand::Create {
            id: given.ids.id(),
            name: format!("t{n}"),
            description: None,
            external_id: None,
            expires_at: Some(START.plus_millis(1000)),
        });
        given.submit(create).await.unwrap();
    }
    given.hand.set(START.plus_millis(999));
    sleep(Duration::from_secs(3)).await;
    assert_eq!(given.frames().len(), 151, "nothing has expired yet");
    given.hand.set(START.plus_millis(1000));
    sleep(Duration::from_secs(3)).await;
    settle().await;
    let frames = given.frames();
    let notices: Vec<_> = frames.iter().flatten().filter(|record| record.actor == Actor::System).collect();
    assert_eq!(notices.iter().map(|record| record.events.len()).collect::<Vec<_>>(), [100, 50]);
    let expired = |event: &Event| matches!(event, Event::TokenExpired { .. });
    assert!(notices.iter().all(|record| record.events.iter().all(expired)));
    assert!(notices.iter().all(|record| record.at == START.plus_millis(1000)));
}
