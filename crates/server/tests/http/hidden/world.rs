//! An organization with one hidden thing of each kind, living and ended, and callers who may do little.

use serde_json::{Value, json};

use crate::given::Given;

/// The callers that exceptions are for.
pub(super) const ALL_ON_PROJECT: &str = "everything on a project";
pub(super) const MANAGER: &str = "manager of a group";
pub(super) const MANAGER_OF_DENIED: &str = "manager of a denied group";
pub(super) const AUDITOR: &str = "reads the audit log";
/// Of one project everything, and the audit log.
pub(super) const HISTORIAN: &str = "everything on a project, and its past";
pub(super) const PLANNER: &str = "plans on a project";
pub(super) const CREATOR: &str = "creates";

/// Everything that exists, by whom it is asked about.
pub(super) struct World {
    pub(super) given: Given,
    pub(super) hidden: Vec<Hidden>,
    pub(super) callers: Vec<Caller>,
    /// A position at which everything was there, and the last id and time of its making.
    pub(super) then: String,
    last: (String, String),
    /// Secrets of a key of another installation.
    foreign_secret: String,
    known: Known,
}

/// Something that the callers must not learn of.
#[derive(Debug, Clone)]
pub(super) struct Hidden {
    pub(super) what: &'static str,
    pub(super) form: Form,
    pub(super) value: String,
    /// A callers' name, for what is hidden from this one only.
    pub(super) only_from: Option<&'static str>,
}

/// What a value looks like, and so the value that nobody has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Form {
    Id,
    Object,
    Name,
    Label,
    Email,
    External,
    Secret,
}

pub(super) struct Caller {
    pub(super) name: &'static str,
    pub(super) key: String,
    principal: (&'static str, String),
    group: String,
    role: String,
}

/// What callers may know, and fill other holes with.
#[derive(Default)]
struct Known {
    project: String,
    group: String,
    /// A group that a hidden deny reaches.
    denied_group: String,
    user: String,
    token: String,
    key: String,
    role: String,
}

/// Permissions, a scope, and the only type of objects.
type Granted<'a> = (Value, Value, Option<&'a str>);

const VERBS: [&str; 9] = [
    "create",
    "read",
    "update",
    "delete",
    "create_acls",
    "read_acls",
    "update_acls",
    "delete_acls",
    "delegate",
];

impl Hidden {
    pub(super) fn is_from(&self, caller: &Caller) -> bool {
        self.only_from.is_none_or(|name| name == caller.name)
    }
}

impl World {
    pub(super) async fn new() -> Self {
        let (given, stranger) = Given::with_webhooks_and_stranger().await;
        let known = known(&given).await;
        let mut hidden = Vec::new();
        projects_and_objects(&given, &known, &mut hidden).await;
        groups_and_roles(&given, &known, &mut hidden).await;
        accounts(&given, &mut hidden).await;
        another_organization(&given, &stranger, &mut hidden).await;
        grants_and_webhooks(&given, &known, &mut hidden).await;
        let callers = callers(&given, &known, &mut hidden).await;
        let last = given.post("/v1/projects", json!({"name": "last"})).await.expect(201);
        let last = (last.id(), last.text_of("created_at"));
        let then = given.get("/v1/whoami").await.expect(200).header("grantbook-position").to_owned();
        let foreign_secret = Given::new().await.token().await.1;
        Self { given, hidden, callers, then, last, foreign_secret, known }
    }

    /// A value of the form that nobody has.
    pub(super) fn nobodys(&self, form: Form) -> &str {
        match form {
            Form::Id => "01890000-0000-7000-8000-000000000000",
            Form::Object => "nobodys-set",
            Form::Name | Form::Label => "nobodys-name",
            Form::Email => "nobody@example.com",
            Form::External => "nobodys-external",
            Form::Secret => &self.foreign_secret,
        }
    }

    /// The answer's ids and times that were made for it.
    pub(super) fn without_new(&self, answer: &mut Value) {
        match answer {
            Value::String(text) => {
                let (id, time) = &self.last;
                if (text.len() == id.len() && *text > *id && text.starts_with("01"))
                    || (text.len() == time.len() && *text > *time && text.ends_with('Z'))
                {
                    "<new>".clone_into(text);
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.without_new(item)),
            Value::Object(members) => members.values_mut().for_each(|member| self.without_new(member)),
            _ => {}
        }
    }

    /// What the caller may well fill a hole with.
    pub(super) fn good(&self, caller: &Caller, hole: &str) -> String {
        let Known { project, user, token, key, role, .. } = &self.known;
        let own = |kind: &str, other: &String| {
            if caller.principal.0 == kind { caller.principal.1.clone() } else { other.clone() }
        };
        match hole {
            "project" => project.clone(),
            "group" | "inner" => caller.group.clone(),
            "user" => own("user", user),
            "token" | "subject" => own("token", token),
            "key" | "secret" => key.clone(),
            "role" => caller.role.clone(),
            "included" => role.clone(),
            "object" => "seen-set".to_owned(),
            "name" => "seen-name".to_owned(),
            "label" => "seen-label".to_owned(),
            "email" => "seen@example.com".to_owned(),
            "external" => "seen-external".to_owned(),
            // Nothing of these kinds is seen.
            "grant" | "webhook" | "session" | "message" => self.nobodys(Form::Id).to_owned(),
            _ => panic!("nothing known fills {hole}"),
        }
    }

    /// Whether a hole is meant for this kind of things.
    pub(super) fn is_meant(hidden: &Hidden, hole: &str) -> bool {
        let kinds: &[&str] = match hole {
            "inner" => &["group"],
            "included" => &["role"],
            "key" | "session" | "secret" => &["key", "session"],
            "subject" => &["user", "token"],
            _ => &[hole],
        };
        hidden.form != Form::Id || kinds.iter().any(|kind| hidden.what.ends_with(kind))
    }

    /// Whether it is put into holes that are meant for others: one of each kind is.
    pub(super) fn is_sample(hidden: &Hidden) -> bool {
        ["project", "group", "role", "user", "token", "grant"].contains(&hidden.what)
    }

    /// What is hidden from the caller that can be put into a hole.
    pub(super) fn fitting<'w>(&'w self, caller: &'w Caller, hole: &str) -> impl Iterator<Item = &'w Hidden> {
        let forms: &'static [Form] = match hole {
            "object" => &[Form::Object, Form::Id],
            "role" | "included" => &[Form::Id, Form::Name],
            "secret" => &[Form::Secret, Form::Id],
            "subject" => &[Form::External, Form::Id],
            "name" => &[Form::Name],
            "label" => &[Form::Label],
            "email" => &[Form::Email],
            "external" => &[Form::External, Form::Id],
            _ => &[Form::Id],
        };
        self.hidden.iter().filter(move |one| forms.contains(&one.form) && one.is_from(caller))
    }
}

async fn known(given: &Given) -> Known {
    let project = given.made("/v1/projects", json!({"name": "seen", "labels": {"env": "seen-label"}})).await;
    let object = json!({"type": "dataset", "id": "seen-set", "project": project});
    given.post("/v1/objects", object).await.expect(201);
    let (token, _) = given.token().await;
    let keys = given.get(&format!("/v1/tokens/{token}/keys")).await.expect(200).body;
    let role = json!({"name": "kept", "permissions": [{"permission": "read", "object_type": "dataset"}]});
    Known {
        project,
        group: given.made("/v1/groups", json!({"name": "kept"})).await,
        denied_group: given.made("/v1/groups", json!({"name": "denied"})).await,
        user: given.made("/v1/users", json!({"email": "known@example.com"})).await,
        key: keys["items"][0]["id"].as_str().unwrap().to_owned(),
        token,
        role: given.made("/v1/roles", role).await,
    }
}

fn put(hidden: &mut Vec<Hidden>, what: &'static str, form: Form, value: &str) {
    hidden.push(Hidden { what, form, value: value.to_owned(), only_from: None });
}

async fn projects_and_objects(given: &Given, known: &Known, hidden: &mut Vec<Hidden>) {
    let project = json!({"name": "hidden-project", "labels": {"env": "hidden-label"}});
    let project = given.made("/v1/projects", project).await;
    let ended = given.made("/v1/projects", json!({"name": "ended-project"})).await;
    for (id, home) in [("hidden-set", &project), ("ended-set", &project), ("set-of-ended", &ended)] {
        let object = json!({"type": "dataset", "id": id, "project": home, "name": format!("name of {id}")});
        given.post("/v1/objects", object).await.expect(201);
    }
    // An id that the seen project has, too.
    given
        .post("/v1/objects", json!({"type": "dataset", "id": "seen-set", "project": project}))
        .await
        .expect(201);
    given.delete(&format!("/v1/objects/dataset/ended-set?project={project}")).await.expect(200);
    given.delete(&format!("/v1/projects/{ended}")).await.expect(200);
    put(hidden, "project", Form::Id, &project);
    put(hidden, "ended project", Form::Id, &ended);
    put(hidden, "project's name", Form::Name, "hidden-project");
    put(hidden, "project's label", Form::Label, "hidden-label");
    for (what, id) in [
        ("object", "hidden-set"),
        ("ended object", "ended-set"),
        ("object of an ended project", "set-of-ended"),
    ] {
        put(hidden, what, Form::Object, id);
    }
    assert_ne!(project, known.project);
}

async fn groups_and_roles(given: &Given, known: &Known, hidden: &mut Vec<Hidden>) {
    let role = |name: &str| json!({"name": name, "permissions": [{"permission": "read"}]});
    let (group, ended_group) = (
        given.made("/v1/groups", json!({"name": "hidden-group"})).await,
        given.made("/v1/groups", json!({"name": "ended-group"})).await,
    );
    let (hidden_role, ended_role) = (
        given.made("/v1/roles", role("hidden-role")).await,
        given.made("/v1/roles", role("ended-role")).await,
    );
    // The group that a caller manages lies in a hidden one, and so do the group and the role hidden here.
    let member = json!({"member": {"type": "group", "id": known.group}});
    given.post(&format!("/v1/groups/{group}/members"), member).await.expect(201);
    given.delete(&format!("/v1/groups/{ended_group}")).await.expect(200);
    given.delete(&format!("/v1/roles/{ended_role}")).await.expect(200);
    put(hidden, "group", Form::Id, &group);
    put(hidden, "ended group", Form::Id, &ended_group);
    put(hidden, "group's name", Form::Name, "hidden-group");
    put(hidden, "role", Form::Id, &hidden_role);
    put(hidden, "ended role", Form::Id, &ended_role);
    put(hidden, "role's name", Form::Name, "hidden-role");
}

async fn accounts(given: &Given, hidden: &mut Vec<Hidden>) {
    let user = json!({"email": "hidden@example.com", "external_id": "hidden-external"});
    let user = given.made("/v1/users", user).await;
    let ended_user = given.made("/v1/users", json!({"email": "ended@example.com"})).await;
    let token = json!({"name": "hidden-token", "external_id": "hidden-app"});
    let token = given.made("/v1/tokens", token).await;
    let ended_token = given.made("/v1/tokens", json!({"name": "ended-token"})).await;
    let keys = format!("/v1/tokens/{token}/keys");
    let key = given.post(&keys, json!({})).await.expect(201);
    let ended_key = given.post(&keys, json!({})).await.expect(201).id();
    let of_user = given.post(&format!("/v1/users/{user}/keys"), json!({})).await.expect(201);
    let session =
        given.send(&of_user.text_of("secret"), ("POST", "/v1/sessions"), &[], &json!({})).await.expect(201);
    for path in [
        format!("/v1/users/{ended_user}"),
        format!("/v1/tokens/{ended_token}"),
        format!("/v1/keys/{ended_key}"),
    ] {
        given.delete(&path).await.expect(200);
    }
    put(hidden, "user", Form::Id, &user);
    put(hidden, "ended user", Form::Id, &ended_user);
    put(hidden, "user's e-mail", Form::Email, "hidden@example.com");
    put(hidden, "user's external id", Form::External, "hidden-external");
    put(hidden, "token", Form::Id, &token);
    put(hidden, "ended token", Form::Id, &ended_token);
    put(hidden, "token's name", Form::Name, "hidden-token");
    put(hidden, "token's external id", Form::External, "hidden-app");
    put(hidden, "token's key", Form::Id, &key.id());
    put(hidden, "key's secret", Form::Secret, &key.text_of("secret"));
    put(hidden, "ended key", Form::Id, &ended_key);
    put(hidden, "user's key", Form::Id, &of_user.id());
    put(hidden, "session", Form::Id, &session.id());
}

/// What another organization has.
async fn another_organization(given: &Given, stranger: &str, hidden: &mut Vec<Hidden>) {
    for (what, path, body) in [
        ("another organization's project", "/v1/projects", json!({"name": "foreign"})),
        ("another organization's group", "/v1/groups", json!({"name": "foreign"})),
        ("another organization's token", "/v1/tokens", json!({"name": "foreign"})),
    ] {
        let made = given.send(stranger, ("POST", path), &[], &body).await.expect(201);
        put(hidden, what, Form::Id, &made.id());
    }
}

async fn grants_and_webhooks(given: &Given, known: &Known, hidden: &mut Vec<Hidden>) {
    let of = |what: &str| hidden.iter().find(|one| one.what == what).unwrap().value.clone();
    let (project, group, role, token) = (of("project"), of("group"), of("role"), of("token"));
    let on = json!({"object": {"type": "project", "id": project}});
    let grant = |to: Value| json!({"to": to, "permissions": ["read", "update"], "on": on});
    let kept = given.made("/v1/grants", grant(json!({"type": "token", "id": token}))).await;
    let ended = given.made("/v1/grants", grant(json!({"type": "token", "id": token}))).await;
    given.delete(&format!("/v1/grants/{ended}")).await.expect(200);
    let by_role = json!({"to": {"type": "group", "id": group}, "role": role, "on": on});
    let by_role = given.made("/v1/grants", by_role).await;
    // What the managed group has, and what is denied to it, its manager does not see.
    let of_managed = given.made("/v1/grants", grant(json!({"type": "group", "id": known.group}))).await;
    let deny = json!({"to": {"type": "group", "id": known.denied_group}, "permissions": ["delete"], "on": on, "effect": "deny"});
    let deny = given.made("/v1/grants", deny).await;
    let webhook = given.made("/v1/webhooks", json!({"url": "https://hooks.example.com/"})).await;
    put(hidden, "grant", Form::Id, &kept);
    put(hidden, "ended grant", Form::Id, &ended);
    put(hidden, "role grant", Form::Id, &by_role);
    put(hidden, "managed group's grant", Form::Id, &of_managed);
    put(hidden, "deny grant", Form::Id, &deny);
    put(hidden, "webhook", Form::Id, &webhook);
}

async fn callers(given: &Given, known: &Known, hidden: &mut Vec<Hidden>) -> Vec<Caller> {
    let all = || json!({"organization": true});
    let on_project = || json!({"projects": {"include": [{"id": known.project}]}});
    let object = |kind: &str, id: &str| json!({"object": {"type": kind, "id": id}});
    let wide = (json!(VERBS), on_project(), None::<&str>);
    let audit_log = (json!(["read"]), object("org_audit_logs", &given.org), None::<&str>);
    let create = |kind| (json!(["create"]), all(), Some(kind));
    let sets: Vec<(&'static str, Vec<Granted<'_>>)> = vec![
        ("nothing", Vec::new()),
        (ALL_ON_PROJECT, vec![wide.clone()]),
        (MANAGER, vec![(json!(["read", "update"]), object("group", &known.group), None)]),
        (MANAGER_OF_DENIED, vec![(json!(["read", "update"]), object("group", &known.denied_group), None)]),
        ("updates members", vec![(json!(["update"]), all(), Some("org_member"))]),
        (AUDITOR, vec![audit_log.clone()]),
        (HISTORIAN, vec![wide.clone(), audit_log]),
        (PLANNER, vec![wide, (json!(["read_acls"]), all(), Some("organization"))]),
        (CREATOR, ["role", "group", "org_project", "org_member"].map(create).to_vec()),
        ("keeps a role", vec![(json!(["read", "update", "delete"]), object("role", &known.role), None)]),
    ];
    let mut callers = Vec::new();
    for (name, grants) in sets {
        let (token, key) = given.token().await;
        for (permissions, on, object_type) in grants {
            let mut body =
                json!({"to": {"type": "token", "id": token}, "permissions": permissions, "on": on});
            if let Some(object_type) = object_type {
                body["object_type"] = json!(object_type);
            }
            given.made("/v1/grants", body).await;
        }
        let role = if name == PLANNER { "Viewer".to_owned() } else { known.role.clone() };
        let denied = name == MANAGER_OF_DENIED;
        let group = if denied { known.denied_group.clone() } else { known.group.clone() };
        callers.push(Caller { name, key, principal: ("token", token), group, role });
    }
    let keys = format!("/v1/users/{}/keys", given.owner);
    let main = given.get(&keys).await.expect(200).body["items"][0]["id"].as_str().unwrap().to_owned();
    for (name, verb) in [("narrowed to read", "read"), ("narrowed to delegate", "delegate")] {
        let narrow = json!({"narrow": {"permissions": [verb], "on": on_project()}});
        let key = given.post(&keys, narrow).await.expect(201).text_of("secret");
        let principal = ("user", given.owner.clone());
        let (group, role) = (known.group.clone(), known.role.clone());
        callers.push(Caller { name, key, principal, group, role });
        // What the owner has, and this key does not reach.
        let value = main.clone();
        hidden.push(Hidden { what: "owner's main key", form: Form::Id, value, only_from: Some(name) });
    }
    callers
}
