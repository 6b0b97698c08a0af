//! 100 racing writers on one name: one winner, 99 clear conflicts.

use std::{sync::Barrier, thread};

use anyhow::Result;
use grantbook_tests::server::Server;
use serde_json::{Value, json};

const WRITERS: usize = 100;

#[test]
fn of_a_hundred_racing_writers_one_gets_the_name() -> Result<()> {
    let server = Server::start()?;
    let barrier = Barrier::new(WRITERS);
    let replies: Vec<_> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| {
                scope.spawn(|| -> Result<(u16, Value)> {
                    let mut http = server.http()?.as_bearer(&server.owner_key);
                    barrier.wait();
                    let reply = http.send("POST", "/v1/tokens", &json!({"name": "only-one"}))?;
                    Ok((reply.status, reply.json()))
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().expect("no panic")).collect::<Result<_>>()
    })?;
    let winners = replies.iter().filter(|(status, _)| *status == 201).count();
    let refused =
        replies.iter().filter(|(status, body)| *status == 409 && body["code"] == "name_taken").count();
    assert_eq!((winners, refused), (1, WRITERS - 1), "{replies:?}");
    let listed = server.call("GET", "/v1/tokens?name=only-one", &Value::Null)?.expect(200)?;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    Ok(())
}
