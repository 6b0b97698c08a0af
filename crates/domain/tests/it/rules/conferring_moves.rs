//! Nobody gives what he does not hold, continued: a relabelling moves a project in and out of live scopes.

use grantbook_domain::{
    command::{Command, ProjectCommand},
    id::ProjectId,
    principal::{Grantee, Principal},
    scope::Scope,
};

use crate::{
    given::{Give, Org, all, all_but, as_user, label, labelled, labels, named, on_project, one_of, within},
    rules::conferring::{Case, SECOND},
};

fn relabel(id: ProjectId, key: &str, value: &str) -> Command {
    Command::Project(ProjectCommand::Update { id, name: None, labels: Some(labels(&[(key, value)])) })
}

#[test]
fn a_relabelling_confers_each_allow_that_newly_covers_the_project() {
    let mut case = Case::new();
    let (staging, dev) =
        (case.org.project("s", &[("env", "staging")]), case.org.project("d", &[("env", "dev")]));
    case.org.give(Give::allow(case.token, &["delete"], labelled("env", "prod")));
    case.org.give(Give::allow(case.token, &["delete"], labelled("env", "brief")).until(SECOND));
    case.asks(relabel(staging, "env", "prod"), "ok");
    case.asks(relabel(dev, "env", "prod"), "not_held");
    case.asks(relabel(dev, "env", "brief"), "ok");
    case.org.give(Give::allow(case.token, &["delete"], one_of(vec![named("live*")])));
    let rename =
        |id| Command::Project(ProjectCommand::Update { id, name: Some("live-1".to_owned()), labels: None });
    case.asks(rename(staging), "ok");
    case.asks(rename(dev), "not_held");
    case.org.give(Give::allow(case.token, &["delete"], all_but(vec![label("env", "dev")])));
    case.asks(relabel(dev, "env", "none"), "not_held");
}

#[test]
fn a_relabelling_out_of_a_deny_needs_delegate_there() {
    let mut case = Case::new();
    let project = case.org.project("p", &[("env", "prod")]);
    case.org.give(Give::deny(case.token, &["delete"], labelled("env", "prod")));
    case.org.give(Give::deny(case.token, &["delete"], labelled("env", "worse")));
    case.asks(relabel(project, "env", "none"), "needs_delegate");
    case.asks(relabel(project, "more", "label"), "needs_delegate");
    case.org.relabel(project, &[]);
    case.asks(relabel(project, "env", "worse"), "ok");
    case.org.relabel(project, &[("env", "prod")]);
    let case = case.delegating(on_project(project));
    case.asks(relabel(project, "env", "none"), "ok");
}

/// Whatever moves in or out, an allow, a deny or a narrowing: `update` alone is not enough.
#[test]
fn a_relabelling_that_changes_what_is_covered_needs_update_acls() {
    let covered: [fn(&mut Org, Principal); 3] = [
        |org, to| _ = org.give(Give::allow(to, &["read"], labelled("env", "prod"))),
        |org, to| _ = org.give(Give::deny(to, &["read"], labelled("env", "other"))),
        |org, to| _ = org.narrowed(to, None, Some(labelled("env", "prod"))),
    ];
    for cover in covered {
        let mut org = Org::founded();
        let (token, eve) = (Principal::Token(org.token("t")), org.user("eve@x.y"));
        let project = org.project("p", &[("env", "prod")]);
        org.give(Give::allow(Principal::User(eve), &["read", "update"], Scope::Organization));
        assert!(org.decide(as_user(eve), relabel(project, "env", "other")).is_ok(), "nothing is moved yet");
        cover(&mut org, token);
        let refused = org.decide(as_user(eve), relabel(project, "env", "other"));
        assert_eq!(refused.expect_err("no update_acls").code(), "forbidden");
        org.give(Give::allow(Principal::User(eve), &["update_acls"], on_project(project)));
        assert!(org.decide(as_user(eve), relabel(project, "env", "other")).is_ok());
    }
}

/// Selectors were authorised for every possible project, and the creator gets nothing.
#[test]
fn a_project_is_created_with_create_on_org_project_only() {
    let mut org = Org::founded();
    let eve = org.user("eve@x.y");
    let id = org.id();
    let create = Command::Project(ProjectCommand::Create {
        id,
        name: "prod".into(),
        labels: labels(&[("env", "prod")]),
    });
    org.give(Give::allow(Grantee::User(eve), &["create"], all()));
    let token = Principal::Token(org.token("t"));
    org.give(Give::allow(token, &["read", "delete"], labelled("env", "prod")));
    assert_eq!(org.decide(as_user(eve), create.clone()).expect_err("only in projects").code(), "forbidden");
    let everywhere = within("org_project", &org.own_id());
    org.give(Give::allow(Grantee::User(eve), &["create"], everywhere).only("org_project"));
    org.act(as_user(eve), create).expect("it may");
    let target = crate::given::project_object(id);
    for permission in ["read", "update", "delete", "delegate"] {
        assert!(!org.ask(Principal::User(eve), permission, &target, None).allows());
    }
}
