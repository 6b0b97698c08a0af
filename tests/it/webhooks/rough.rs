//! Receivers that are slow, endless or busy: each is given up or waited for within bounds, and none delays another one.

use std::time::Duration;

use anyhow::{Context, Result};
use grantbook_domain::time::Timestamp;
use grantbook_tests::{
    hooks::{Answer, Receiver},
    server::Server,
};
use serde_json::{Value, json};

use crate::webhooks::{delivering, hook, shown_until};

fn answering(server: &Server, answer: Answer) -> Result<(Receiver, String)> {
    let receiver = Receiver::start()?;
    receiver.answer(move |_| answer.clone());
    let id = to(server, &receiver.url("/"))?;
    Ok((receiver, id))
}

fn to(server: &Server, url: &str) -> Result<String> {
    Ok(hook(server, &json!({"url": url, "kinds": ["record"], "events": ["ProjectCreated"]}))?.0)
}

#[test]
fn slow_and_endless_answers_are_cut_off_and_delay_nobody() -> Result<()> {
    let (server, _place) = delivering("1h")?;
    let pause = Duration::from_millis(100);
    let no_pause = Duration::ZERO;
    let (dripping, drips) = answering(&server, Answer::Endless("HTTP/1.1 200 OK\r\nx: ", "y", pause))?;
    let (_, floods) =
        answering(&server, Answer::Endless("HTTP/1.1 200 OK\r\nx: ", "yyyyyyyyyyyyyyyyyyyyyyyy", no_pause))?;
    let (_, nonsense) =
        answering(&server, Answer::Endless("220 smtp.example.com ESMTP\r\n", "250 OK\r\n", pause))?;
    let (_, interim) = answering(&server, Answer::Endless("", "HTTP/1.1 100 Continue\r\n\r\n", pause))?;
    let body = Answer::Endless("HTTP/1.1 202 Accepted\r\n\r\n", "0123456789abcdef0123456789abcdef", no_pause);
    let (_, endless) = answering(&server, body)?;
    let slow_body = Answer::Endless("HTTP/1.1 202 Accepted\r\ncontent-length: 4000\r\n\r\n", "z", pause);
    let (_, slowly) = answering(&server, slow_body)?;
    let port = { std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port() };
    let dead = to(&server, &format!("http://127.0.0.1:{port}/"))?;
    let (good, _) = answering(&server, Answer::Status(204, ""))?;

    for number in 0..20 {
        server.call("POST", "/v1/projects", &json!({"name": format!("p{number}")}))?.expect(201)?;
    }
    good.wait("twenty messages", |received| received.len() == 20)?;
    assert_eq!(dripping.received().len(), 1, "the attempt at the slow one still lasts");
    let failed = |id: &str, words: &str| -> Result<()> {
        let shown = shown_until(&server, id, |shown| shown["delivery"]["state"] == "failing")?;
        let said = shown["delivery"]["last_attempt"]["error"].as_str().unwrap_or_default().to_owned();
        assert!(said.contains(words), "{words}: {said}");
        Ok(())
    };
    failed(&dead, "no connection")?;
    failed(&floods, "no answer")?;
    failed(&nonsense, "no answer")?;
    // That it was accepted counts, not what else is said.
    for id in [&endless, &slowly] {
        shown_until(&server, id, |shown| shown["delivery"]["last_attempt"]["status"] == 202)?;
    }
    failed(&drips, "no answer in time")?;
    failed(&interim, "no answer in time")?;
    Ok(())
}

#[test]
fn a_receiver_is_not_asked_again_before_it_said() -> Result<()> {
    let (server, _place) = delivering("50ms,50ms,50ms,50ms,50ms,50ms,50ms,50ms,50ms")?;
    let answers = [
        (Answer::Status(503, "retry-after: 3600"), 3600, 3600),
        (Answer::Status(429, "retry-after: Tue, 31 Dec 2999 23:59:59 GMT"), 86_400, 86_400),
        (Answer::Status(503, "retry-after: 18446744073709551615"), 86_400, 86_400),
    ];
    let waiting: Vec<_> =
        answers.iter().map(|(answer, ..)| answering(&server, answer.clone())).collect::<Result<_>>()?;
    let (past, _) = answering(&server, Answer::Status(503, "retry-after: Thu, 01 Jan 1970 00:00:00 GMT"))?;
    let (nonsense, _) = answering(&server, Answer::Status(503, "retry-after: -1"))?;
    let busy = Receiver::start()?;
    busy.answer({
        let mut count = 0;
        move |_| {
            count += 1;
            if count == 1 { Answer::Status(503, "retry-after: 2") } else { Answer::Status(204, "") }
        }
    });
    to(&server, &busy.url("/"))?;
    server.call("POST", "/v1/projects", &json!({"name": "p"}))?.expect(201)?;
    let second = |value: &Value| -> Result<i64> {
        let at = Timestamp::parse_rfc3339(value.as_str().context("an instant")?).context("an instant")?;
        Ok(at.millis().div_euclid(1000))
    };
    for ((_, id), (answer, least, most)) in waiting.iter().zip(&answers) {
        let shown = shown_until(&server, id, |shown| shown["delivery"]["state"] == "failing")?;
        let delivery = &shown["delivery"];
        let wait = second(&delivery["next_attempt_at"])? - second(&delivery["last_attempt"]["at"])?;
        assert!((*least..=*most + 1).contains(&wait), "{answer:?}: {delivery}");
    }
    for receiver in [&past, &nonsense] {
        receiver.wait("another attempt", |received| received.len() >= 2)?;
    }
    let twice = busy.wait("another attempt", |received| received.len() == 2)?;
    let at = |index: usize| -> Result<i64> { Ok(twice[index].timestamp.parse()?) };
    assert!(at(1)? - at(0)? >= 2, "{twice:?}");
    assert!(waiting.iter().all(|(receiver, _)| receiver.received().len() == 1));
    Ok(())
}
