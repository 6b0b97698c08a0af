//! The wire forms that a reader of the contract relies on.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    nouns::{
        batch::{Batch, BatchMethod},
        grants::{CreateGrant, Effect},
        keys::{IssueKey, Key},
        projects::UpdateProject,
        tokens::UpdateToken,
    },
    questions::{
        access::{ProjectChoice, TypeChoice},
        check::{CheckRequest, Reason},
    },
    words::reference::GranteeType,
};

fn reads<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

#[test]
fn a_patch_tells_absent_from_null_from_value() {
    let change: UpdateToken = reads(json!({"description": null, "external_id": "x"})).unwrap();
    assert_eq!(change.description, Some(None));
    assert_eq!(change.external_id, Some(Some("x".to_owned())));
    assert_eq!(change.expires_at, None);
    assert_eq!(serde_json::to_value(&change).unwrap(), json!({"description": null, "external_id": "x"}));
}

#[test]
fn what_cannot_be_cleared_refuses_null() {
    assert!(reads::<UpdateToken>(json!({"name": null})).is_err());
    assert!(reads::<UpdateProject>(json!({"labels": null})).is_err());
}

#[test]
fn requests_refuse_unknown_members_at_every_depth() {
    let on = json!({"organization": true});
    let grant = |to: Value, extra: bool| {
        let mut body = json!({"to": to, "role": "Viewer", "on": on});
        if extra {
            body["created_at"] = json!("2020-01-01T00:00:00.000Z");
        }
        reads::<CreateGrant>(body)
    };
    let plain = grant(json!({"type": "group", "id": "g"}), false).unwrap();
    assert_eq!((plain.to.kind, plain.effect), (GranteeType::Group, Effect::Allow));
    assert!(grant(json!({"type": "group", "id": "g"}), true).is_err());
    assert!(grant(json!({"type": "group", "id": "g", "name": "n"}), false).is_err());
    assert!(grant(json!({"type": "project", "id": "g"}), false).is_err());
    assert!(reads::<IssueKey>(json!({"narrow": {"permission": ["read"]}})).is_err());
}

#[test]
fn a_secret_is_there_withheld_or_absent() {
    let key = |secret: Option<Value>| {
        let mut body = json!({"id": "k", "principal": {"type": "token", "id": "t"}, "name": null, "preview": "p",
            "expires_at": null, "narrow": null, "created_at": "2020-01-01T00:00:00.000Z"});
        if let Some(secret) = secret {
            body["secret"] = secret;
        }
        let key: Key = reads(body.clone()).unwrap();
        assert_eq!(serde_json::to_value(&key).unwrap(), body);
        key
    };
    assert_eq!(key(None).secret, None);
    assert_eq!(key(Some(json!(null))).secret, Some(None));
    let issued = key(Some(json!("gb_st_text")));
    assert!(!format!("{issued:?}").contains("gb_st_text"));
}

#[test]
fn a_key_in_a_question_is_not_shown_by_debug() {
    let question: CheckRequest =
        reads(json!({"key": "gb_st_text", "permission": "read", "object": {"type": "project", "id": "p"}}))
            .unwrap();
    assert!(!format!("{question:?}").contains("gb_st_text"));
}

#[test]
fn reasons_are_the_words_of_the_contract() {
    for word in [
        "granted",
        "unknown_key",
        "key_revoked",
        "key_expired",
        "key_mismatch",
        "unknown_principal",
        "inactive_principal",
        "unknown_permission",
        "unknown_object_type",
        "unknown_object",
        "object_project_mismatch",
        "key_narrowed",
        "denied_by_grant",
        "no_grant",
        "denied",
    ] {
        let reason: Reason = reads(json!(word)).unwrap();
        assert_eq!(reason.as_str(), word);
    }
}

#[test]
fn a_batch_command_may_have_no_body() {
    let batch: Batch = reads(json!({"commands": [{"method": "DELETE", "path": "/v1/keys/k"}]})).unwrap();
    assert_eq!(batch.commands[0].method, BatchMethod::Delete);
    assert_eq!(batch.commands[0].body, Value::Null);
}

#[test]
fn choices_name_their_side() {
    assert_eq!(serde_json::to_value(ProjectChoice::AllBut(vec![])).unwrap(), json!({"all_but": []}));
    assert_eq!(
        serde_json::to_value(TypeChoice::Only(vec!["role".into()])).unwrap(),
        json!({"only": ["role"]})
    );
}
