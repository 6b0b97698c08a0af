//! The requests that are sent, with holes (`@project`) where a reference to a thing can stand, and what holds no reference.

/// Requests of every operation: method and path with its query, then the body. In each only one hole is filled with something
/// hidden at a time, the others with what the caller knows.
pub(super) const REQUESTS: &[(&str, &str)] = &[
    // Projects.
    ("GET /v1/projects?name=@name", ""),
    ("GET /v1/projects?search=@name", ""),
    ("POST /v1/projects", r#"{"name":"@name","labels":{"env":"@label"}}"#),
    ("GET /v1/projects/@project", ""),
    ("PATCH /v1/projects/@project", r#"{"name":"@name"}"#),
    ("PATCH /v1/projects/@project", r#"{"labels":{"env":"@label"}}"#),
    ("DELETE /v1/projects/@project", ""),
    // Registered objects.
    ("POST /v1/objects", r#"{"type":"dataset","id":"@object","project":"@project","name":"@name"}"#),
    ("POST /v1/objects", r#"{"type":"dataset","project":"@project","name":"@name"}"#),
    ("POST /v1/objects", r#"{"type":"dataset","project":"@project","name":"@name","if_taken":"use"}"#),
    ("GET /v1/objects?type=dataset&project=@project&name=@name", ""),
    // The id of a hidden object, in one's own project or elsewhere.
    ("POST /v1/objects", r#"{"type":"dataset","id":"hidden-set","project":"@project"}"#),
    ("POST /v1/objects", r#"{"type":"dataset","id":"@object"}"#),
    ("POST /v1/objects", r#"{"type":"project","id":"@object"}"#),
    ("PATCH /v1/objects/dataset/@object", r#"{"name":"@name"}"#),
    ("PATCH /v1/objects/dataset/@object?project=@project", r#"{"name":"@name"}"#),
    ("PATCH /v1/objects/dataset/hidden-set?project=@project", r#"{"name":"n"}"#),
    ("DELETE /v1/objects/dataset/@object", ""),
    ("DELETE /v1/objects/dataset/@object?project=@project", ""),
    ("DELETE /v1/objects/dataset/hidden-set?project=@project", ""),
    // Groups.
    ("GET /v1/groups?name=@name", ""),
    ("GET /v1/groups?search=@name", ""),
    ("POST /v1/groups", r#"{"name":"@name"}"#),
    ("GET /v1/groups/@group", ""),
    ("PATCH /v1/groups/@group", r#"{"name":"@name"}"#),
    ("DELETE /v1/groups/@group", ""),
    ("GET /v1/groups/@group/members", ""),
    ("POST /v1/groups/@group/members", r#"{"member":{"type":"user","id":"@user"}}"#),
    ("POST /v1/groups/@group/members", r#"{"member":{"type":"token","id":"@token"}}"#),
    ("POST /v1/groups/@group/members", r#"{"member":{"type":"group","id":"@inner"}}"#),
    ("DELETE /v1/groups/@group/members/user/@user", ""),
    ("DELETE /v1/groups/@group/members/token/@token", ""),
    ("DELETE /v1/groups/@group/members/group/@inner", ""),
    // Roles.
    ("GET /v1/roles?name=@name", ""),
    ("GET /v1/roles?search=@name", ""),
    ("POST /v1/roles", r#"{"name":"@name","permissions":[{"permission":"read"}],"includes":["@included"]}"#),
    ("GET /v1/roles/@role", ""),
    ("PATCH /v1/roles/@role", r#"{"name":"@name"}"#),
    ("PATCH /v1/roles/@role", r#"{"includes":["@included"]}"#),
    ("DELETE /v1/roles/@role", ""),
    // Users, tokens, keys, sessions.
    ("GET /v1/users?name=@email", ""),
    ("GET /v1/users?search=@email", ""),
    ("POST /v1/users", r#"{"email":"@email","name":"@name","external_id":"@external"}"#),
    ("GET /v1/users/@user", ""),
    ("PATCH /v1/users/@user", r#"{"email":"@email"}"#),
    ("PATCH /v1/users/@user", r#"{"name":"@name","external_id":"@external"}"#),
    ("DELETE /v1/users/@user", ""),
    ("GET /v1/groups/@group/groups", ""),
    ("GET /v1/users/@user/groups", ""),
    ("GET /v1/tokens/@token/groups", ""),
    ("GET /v1/users/@user/keys", ""),
    ("POST /v1/users/@user/keys", r#"{"narrow":{"on":{"object":{"type":"group","id":"@group"}}}}"#),
    ("GET /v1/tokens?name=@name", ""),
    ("GET /v1/tokens?search=@name", ""),
    ("POST /v1/tokens", r#"{"name":"@name","external_id":"@external"}"#),
    ("GET /v1/tokens/@token", ""),
    ("PATCH /v1/tokens/@token", r#"{"name":"@name","external_id":"@external"}"#),
    ("DELETE /v1/tokens/@token", ""),
    ("GET /v1/tokens/@token/keys", ""),
    ("POST /v1/tokens/@token/keys", "{}"),
    ("GET /v1/keys/@key", ""),
    ("DELETE /v1/keys/@key", ""),
    ("POST /v1/keys/@key/rotate", "{}"),
    ("GET /v1/sessions?user=@user", ""),
    ("DELETE /v1/sessions/@session", ""),
    // Grants.
    ("GET /v1/grants?to=user:@user", ""),
    ("GET /v1/grants?to=token:@token", ""),
    ("GET /v1/grants?to=group:@group", ""),
    ("GET /v1/grants?role=@role", ""),
    ("GET /v1/grants?project=@project", ""),
    ("GET /v1/grants/history?by=user:@user", ""),
    ("GET /v1/grants/history?by=token:@token", ""),
    ("GET /v1/grants/history?to=group:@group", ""),
    ("GET /v1/grants/history?project=@project", ""),
    ("GET /v1/grants/@grant", ""),
    ("GET /v1/grants/@grant/projects", ""),
    ("DELETE /v1/grants/@grant", ""),
    // Webhooks.
    ("GET /v1/webhooks/@webhook", ""),
    ("PATCH /v1/webhooks/@webhook", r#"{"enabled":false}"#),
    ("DELETE /v1/webhooks/@webhook", ""),
    ("GET /v1/webhooks/@webhook/dead-letters", ""),
    ("POST /v1/webhooks/@webhook/dead-letters/@message/retry", ""),
    ("POST /v1/webhooks/@webhook/replay", r#"{"from":"2020-01-01T00:00:00Z"}"#),
    ("POST /v1/webhooks/@webhook/rotate", r#"{"grace_seconds":0}"#),
    ("POST /v1/webhooks/@webhook/test", ""),
    // Questions.
    ("GET /v1/access?principal=user:@user", ""),
    ("GET /v1/access?principal=token:@token", ""),
    ("GET /v1/accessible?principal=user:@user&permission=read&type=dataset", ""),
    ("GET /v1/accessible?principal=token:@token&permission=read&type=project", ""),
    ("GET /v1/audit?actor=user:@user", ""),
    ("GET /v1/audit?actor=token:@token", ""),
    ("GET /v1/audit?credential=@key", ""),
    ("GET /v1/audit?principal=user:@user", ""),
    ("GET /v1/audit?principal=token:@token", ""),
    ("GET /v1/audit?group=@group", ""),
    ("GET /v1/audit?project=@project", ""),
    ("GET /v1/audit?object=dataset:@object", ""),
    ("GET /v1/audit?object=dataset:@object&object_project=@project", ""),
    ("GET /v1/diff?from=2020-01-01T00:00:00Z&principal=user:@user", ""),
    ("GET /v1/diff?from=2020-01-01T00:00:00Z&principal=token:@token", ""),
    ("GET /v1/diff?from=2020-01-01T00:00:00Z&project=@project", ""),
    ("GET /v1/permissions?principal=user:@user&object=dataset:@object&project=@project", ""),
    ("GET /v1/permissions?principal=token:@token&object=dataset:@object", ""),
    ("GET /v1/permissions?principal=token:@token&object=dataset:hidden-set&project=@project", ""),
    ("GET /v1/permissions?principal=token:@token&object=project:@project", ""),
    ("GET /v1/permissions?principal=token:@token&object=group:@group", ""),
    ("GET /v1/permissions?principal=token:@token&object=role:@role", ""),
    ("GET /v1/report?principal=user:@user", ""),
    ("GET /v1/report?principal=token:@token", ""),
    ("GET /v1/report?group=@group", ""),
    ("GET /v1/report?project=@project", ""),
    ("GET /v1/timeline?principal=user:@user", ""),
    ("GET /v1/timeline?principal=token:@token", ""),
    ("GET /v1/timeline?project=@project", ""),
    ("GET /v1/watch?principal=user:@user", ""),
    ("GET /v1/watch?principal=token:@token&kind=change", ""),
    ("GET /v1/watch?project=@project&kind=change", ""),
    ("GET /v1/watch?project=@project&kind=record", ""),
    ("GET /v1/who-can?permission=read&object=dataset:@object&project=@project", ""),
    ("GET /v1/who-can?permission=read&object=dataset:@object", ""),
    ("GET /v1/who-can?permission=read&object=project:@project", ""),
    ("GET /v1/who-can?permission=read&object=project:@project&ways=shared", ""),
    ("GET /v1/who-can?permission=read&object=group:@group", ""),
    ("GET /v1/who-can?permission=read&object=role:@role", ""),
];

/// Requests that name nothing: their answers speak of nothing hidden. (`GET /metrics` is the operator's: it counts by webhook.)
pub(super) const LISTS: &[&str] = &[
    "GET /v1/projects",
    "GET /v1/objects?type=dataset",
    "GET /v1/groups",
    "GET /v1/roles",
    "GET /v1/users",
    "GET /v1/tokens",
    "GET /v1/sessions",
    "GET /v1/grants",
    "GET /v1/grants/history",
    "GET /v1/webhooks",
    "GET /v1/audit",
    "GET /v1/diff?from=2020-01-01T00:00:00Z",
    "GET /v1/report",
    "GET /v1/catalog",
    "GET /v1/whoami",
    "GET /readyz",
];

/// Scopes, wherever one stands.
pub(super) const SCOPES: &[&str] = &[
    r#"{"projects":{"include":[{"id":"@project"},{"id":"@project"}],"exclude":[{"id":"@project"}]}}"#,
    r#"{"projects":{"include":[{"id":"@project"}],"exclude":[{"name":"@name"},{"label":{"env":"@label"}}]}}"#,
    r#"{"projects":{"include":[{"name":"@name"},{"label":{"env":"@label"}}]}}"#,
    r#"{"projects":{"include":"all","exclude":[{"id":"@project"}]}}"#,
    r#"{"object":{"type":"project","id":"@project"}}"#,
    r#"{"object":{"type":"project","id":"@project","project":"@project"}}"#,
    r#"{"object":{"type":"group","id":"@group"}}"#,
    r#"{"object":{"type":"role","id":"@role"}}"#,
    r#"{"object":{"type":"dataset","id":"@object"}}"#,
    r#"{"object":{"type":"dataset","id":"@object","project":"@project"}}"#,
    r#"{"object":{"type":"dataset","id":"hidden-set","project":"@project"}}"#,
    r#"{"object":{"type":"org_member","id":"@object"}}"#,
    r#"{"object":{"type":"organization","id":"@object"}}"#,
];

/// Requests that hold a scope, at `SCOPE`.
pub(super) const SCOPED: &[(&str, &str)] = &[
    ("POST /v1/grants", r#"{"to":{"type":"token","id":"@token"},"permissions":["read"],"on":SCOPE}"#),
    ("POST /v1/grants", r#"{"to":{"type":"user","id":"@user"},"role":"@role","on":SCOPE}"#),
    (
        "POST /v1/grants",
        r#"{"to":{"type":"group","id":"@group"},"permissions":["read"],"effect":"deny","on":SCOPE}"#,
    ),
    ("POST /v1/tokens/@token/keys", r#"{"narrow":{"permissions":["read"],"on":SCOPE}}"#),
    ("POST /v1/users/@user/keys", r#"{"narrow":{"permissions":["read"],"on":SCOPE}}"#),
];

/// Objects of checks, wherever one stands.
pub(super) const OBJECTS: &[&str] = &[
    r#"{"type":"project","id":"@project"}"#,
    r#"{"type":"group","id":"@group"}"#,
    r#"{"type":"role","id":"@role"}"#,
    r#"{"type":"dataset","id":"@object"}"#,
    r#"{"type":"dataset","id":"@object","project":"@project"}"#,
    r#"{"type":"dataset","id":"hidden-set","project":"@project"}"#,
    r#"{"type":"project","id":"@project","project":"@project"}"#,
    r#"{"type":"org_member","id":"@object"}"#,
];

/// Checks of an object at `OBJECT`, alone and among others.
pub(super) const CHECKS: &[&str] = &[
    r#"{"permission":"read","object":OBJECT}"#,
    r#"{"permission":"read","principal":{"type":"user","id":"@user"},"object":OBJECT}"#,
    r#"{"permission":"read","principal":{"type":"token","id":"@token"},"object":OBJECT}"#,
    r#"{"permission":"read","key":"@secret","object":OBJECT}"#,
];

/// The same in the words of AuthZEN: what asks about a resource at `RESOURCE`.
pub(super) const AUTHZEN: &[(&str, &str)] = &[
    (
        "POST /access/v1/evaluation",
        r#"{"subject":{"type":"token","id":"@subject"},"action":{"name":"read"},"resource":RESOURCE,
            "context":{"grantbook":{"explain":true}}}"#,
    ),
    (
        "POST /access/v1/evaluation",
        r#"{"subject":{"type":"user","id":"@subject"},"action":{"name":"read"},"resource":RESOURCE}"#,
    ),
    (
        "POST /access/v1/evaluations",
        r#"{"subject":{"type":"token","id":"@subject"},"action":{"name":"read"},"resource":RESOURCE,
            "evaluations":[{"context":{"grantbook":{"explain":true}}},
                {"resource":RESOURCE},{"subject":{"type":"user","id":"@subject"}}]}"#,
    ),
    // Without a list of evaluations the members of the request are the question.
    (
        "POST /access/v1/evaluations",
        r#"{"subject":{"type":"token","id":"@subject"},"action":{"name":"read"},"resource":RESOURCE}"#,
    ),
    (
        "POST /access/v1/search/subject",
        r#"{"subject":{"type":"token"},"action":{"name":"read"},"resource":RESOURCE}"#,
    ),
    (
        "POST /access/v1/search/resource",
        r#"{"subject":{"type":"token","id":"@subject"},"action":{"name":"read"},"resource":{"type":"project"}}"#,
    ),
    (
        "POST /access/v1/search/resource",
        r#"{"subject":{"type":"user","id":"@subject"},"action":{"name":"read"},"resource":{"type":"dataset"}}"#,
    ),
    ("POST /access/v1/search/action", r#"{"subject":{"type":"token","id":"@subject"},"resource":RESOURCE}"#),
];

/// Resources of AuthZEN.
pub(super) const RESOURCES: &[&str] = &[
    r#"{"type":"project","id":"@project"}"#,
    r#"{"type":"group","id":"@group"}"#,
    r#"{"type":"dataset","id":"@object"}"#,
    r#"{"type":"dataset","id":"@object","properties":{"project":"@project"}}"#,
];

/// Operations in which no reference can stand.
pub(super) const WITHOUT_REFERENCE: &[&str] = &[
    "GET /.well-known/authzen-configuration",
    "GET /healthz",
    "GET /metrics",
    "GET /openapi.json",
    "GET /readyz",
    "GET /v1/limits",
    // Numbers of a day.
    "GET /v1/audit/days",
    "GET /v1/catalog",
    // Names of types and permissions, which are the catalog's and no things of their own.
    "POST /v1/catalog",
    // The key presented.
    "POST /v1/sessions",
    "GET /v1/webhooks",
    // An address and names of events.
    "POST /v1/webhooks",
    "GET /v1/whoami",
];

/// Parameters that hold no reference, of all operations.
pub(super) const PLAIN_PARAMETERS: &[&str] = &[
    "ways",
    "issued_with",
    "limit",
    "cursor",
    "as_of",
    "dry_run",
    "permission",
    "type",
    "event",
    "from",
    "order",
    "after",
    "end",
    "kind",
    "format",
];

/// The same, of one.
pub(super) const PLAIN_PARAMETERS_OF: &[(&str, &str)] =
    &[("GET /v1/audit", "to"), ("GET /v1/diff", "to"), ("GET /v1/timeline", "to")];

/// Texts in bodies that hold no reference: the schema and its member.
pub(super) const PLAIN_TEXTS: &[(&str, &str)] = &[
    // Names of permissions and types.
    ("ActionName", "name"),
    ("CheckObject", "type"),
    ("CheckRequest", "permission"),
    ("CreateGrant", "object_type"),
    ("CreateGrant", "permissions"),
    ("Entity", "type"),
    ("EntityKind", "type"),
    ("Narrowing", "permissions"),
    ("ObjectRef", "type"),
    ("RegisterObject", "type"),
    ("RolePermission", "object_type"),
    ("RolePermission", "permission"),
    // Times.
    ("AddMember", "expires_at"),
    ("CreateGrant", "expires_at"),
    ("CreateToken", "expires_at"),
    ("IssueKey", "expires_at"),
    ("ReplayWebhook", "from"),
    ("UpdateToken", "expires_at"),
    // Texts of the caller's own, which need not be unique.
    ("CreateGrant", "reason"),
    ("CreateGroup", "description"),
    ("CreateToken", "description"),
    ("UpdateGroup", "description"),
    ("UpdateToken", "description"),
    ("UpdateWebhook", "description"),
    ("IssueKey", "name"),
    ("PageRequest", "token"),
    ("UpdateWebhook", "events"),
    ("UpdateWebhook", "url"),
];
