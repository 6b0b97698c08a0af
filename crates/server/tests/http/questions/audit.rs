//! The audit log read forwards, backwards, from a place on, and as a stream that says when it is whole.

use serde_json::{Value, json};

use crate::given::{Answer, Given};

async fn page(given: &Given, query: &str) -> Value {
    given.get(&format!("/v1/audit?{query}")).await.expect(200).body
}

fn positions(items: &Value) -> Vec<String> {
    let items = items.as_array().unwrap().iter();
    items.map(|item| item["position"].as_str().unwrap().to_owned()).collect()
}

/// Pages there and back again, while others write.
#[tokio::test]
async fn a_cursor_works_in_both_directions_and_gives_the_same() {
    let given = Given::new().await;
    for _ in 0..5 {
        let group = given.group().await;
        let (token, _) = given.token().await;
        given.join(&group, &token).await;
    }
    for filter in
        ["", "event=MemberAdded&", "order=desc&", "order=desc&actor=operator&", "event=GroupDeleted&"]
    {
        for limit in [1, 2, 3, 1000] {
            let query = format!("{filter}limit={limit}");
            let first = page(&given, &query).await;
            assert_eq!(first["prev"], Value::Null, "{query}");
            let mut there = vec![positions(&first["items"])];
            let mut last = first;
            while let Some(next) = last["next"].as_str() {
                given.group().await;
                last = page(&given, &format!("{query}&cursor={next}")).await;
                there.push(positions(&last["items"]));
            }
            let mut back = vec![positions(&last["items"])];
            while let Some(prev) = last["prev"].as_str() {
                let before = page(&given, &format!("{query}&cursor={prev}")).await;
                let next = format!("{query}&cursor={}", before["next"].as_str().unwrap());
                let again = page(&given, &next).await["items"].clone();
                assert_eq!(positions(&again)[..1], positions(&last["items"])[..1], "{query}");
                last = before;
                back.push(positions(&last["items"]));
            }
            let (there, mut back) = (there.concat(), back.into_iter().rev().collect::<Vec<_>>().concat());
            assert_eq!(there, back, "{query}");
            back.dedup();
            assert_eq!(back.len(), there.len(), "{query}");
        }
    }
}

async fn stream(given: &Given, query: &str) -> Answer {
    let accept = [("accept", "application/x-ndjson")];
    given.send(&given.owner_key, ("GET", &format!("/v1/audit?{query}")), &accept, &Value::Null).await
}

#[tokio::test]
async fn a_stream_goes_on_behind_any_line_and_says_when_it_is_whole() {
    let given = Given::new().await;
    for _ in 0..4 {
        given.token().await;
    }
    for query in ["", "order=desc&", "event=KeyIssued&"] {
        let whole = stream(&given, &format!("{query}end=line")).await.expect(200);
        let lines: Vec<&str> = whole.text.lines().collect();
        let (end, records) = lines.split_last().unwrap();
        let end: Value = serde_json::from_str(end).unwrap();
        assert_eq!(end["end"]["count"], json!(records.len()));
        assert_eq!(end["end"]["position"], json!(whole.header("grantbook-position")));
        let plain = stream(&given, query).await.expect(200);
        assert_eq!(plain.text.lines().collect::<Vec<_>>(), records, "no such line unless asked for");
        for (index, line) in records.iter().enumerate() {
            let line: Value = serde_json::from_str(line).unwrap();
            let after = line["position"].as_str().unwrap();
            let rest = stream(&given, &format!("{query}after={after}")).await.expect(200);
            assert_eq!(rest.text.lines().collect::<Vec<_>>(), records[index + 1..], "{query}{index}");
            let paged = page(&given, &format!("{query}after={after}&limit=1000")).await;
            assert_eq!(paged["items"].as_array().unwrap().len(), records.len() - index - 1);
        }
    }
    let first = positions(&page(&given, "limit=3").await["items"]);
    let within = format!("from={}&to={}&after={}", first[1], first[1], first[2]);
    assert_eq!(page(&given, &within).await["items"], json!([]));
    assert_eq!(positions(&page(&given, &format!("{within}&order=desc")).await["items"]), first[1..2]);
    let before = format!("from={}&to={}&after={}", first[1], first[1], first[0]);
    assert_eq!(positions(&page(&given, &before).await["items"]), first[1..2]);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let given = Given::new().await;
    let foreign = Given::new().await.get("/v1/projects").await.header("grantbook-position").to_owned();
    for query in ["after=x", "after=2026-01-01T00:00:00Z", "end=x", "end=line", &format!("after={foreign}")] {
        assert_eq!(given.get(&format!("/v1/audit?{query}")).await.told(), (400, "invalid"), "{query}");
    }
}

/// How many records each day has: as many as the log lists with that date.
#[tokio::test]
async fn the_records_of_a_day_are_those_that_the_log_lists() {
    let given = Given::new().await;
    for _ in 0..3 {
        given.group().await;
    }
    let log = page(&given, "limit=1000").await;
    let dates = log["items"].as_array().unwrap().iter();
    let dates: Vec<_> = dates.map(|item| item["at"].as_str().unwrap()[..10].to_owned()).collect();
    let (first, last) = (dates.first().unwrap(), dates.last().unwrap());
    let mut listed: Vec<(String, u64)> = Vec::new();
    for date in &dates {
        match listed.last_mut().filter(|(day, _)| day == date) {
            Some((_, records)) => *records += 1,
            None => listed.push((date.clone(), 1)),
        }
    }
    let days: Vec<_> = listed.iter().map(|(day, records)| json!({"day": day, "records": records})).collect();
    let expected = json!({"first": first, "last": last, "days": days});
    let days_in = |query: String| {
        let path = format!("/v1/audit/days{query}");
        let given = &given;
        async move { given.get(&path).await.expect(200).body }
    };
    assert_eq!(days_in(String::new()).await, expected);
    assert_eq!(days_in(format!("?from={first}&to={last}")).await, expected);
    assert_eq!(days_in(format!("?from={first}")).await, expected);
    let none = json!({"first": first, "last": last, "days": []});
    assert_eq!(days_in("?from=2019-02-01&to=2020-02-01".to_owned()).await, none);
    assert_eq!(days_in("?to=2020-02-01".to_owned()).await, none);
    for query in [
        "from=2020-02-02&to=2020-02-01",
        "from=2019-01-31&to=2020-02-01",
        "from=2026-02-30",
        "from=today",
        "to=2026-2-1",
        "to=",
        "as_of=2026-01-01T00:00:00Z",
    ] {
        let refused = given.get(&format!("/v1/audit/days?{query}")).await;
        assert_eq!(refused.told(), (400, "invalid"), "{query}: {}", refused.text);
    }
}
