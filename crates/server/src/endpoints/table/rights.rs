//! What is given, on what, and who hears of it.

use grantbook_api::{
    limits::LimitList,
    nouns::{
        batch::{Batch, BatchAnswer},
        catalog::{Catalog, ExtendCatalog},
        grants::{CreateGrant, Grant, GrantQuery},
        objects::{Object as Registered, ObjectProjectQuery, ObjectQuery, RegisterObject, UpdateObject},
        projects::{CreateProject, Project, UpdateProject},
        roles::{CreateRole, Role, UpdateRole},
        webhooks::{
            Attempt, CreateWebhook, DeadLetter, ReplayWebhook, RotateWebhook, UpdateWebhook, Webhook,
        },
    },
    questions::plan::Plan,
    words::list::{AsOfQuery, ListQuery, PageQuery},
};

use crate::{
    endpoints::{
        Endpoint,
        Verb::{Delete, Get, Patch, Post},
        row::{action, batch, command_question, plan, question, write},
    },
    read::nouns::{catalog, deliveries, grants, objects, projects, roles, webhooks},
    write::{limits, parse},
};

pub(crate) fn rows() -> Vec<Endpoint> {
    [
        roles_rows(),
        grants_rows(),
        projects_rows(),
        objects_rows(),
        catalog_rows(),
        limit_rows(),
        webhooks_rows(),
        deliveries_rows(),
        several_rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn roles_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_roles", Get, "/v1/roles", roles::list)
            .tag("roles")
            .says("The roles that the caller may read.")
            .query::<ListQuery>()
            .answers_page::<Role>(),
        write("create_role", Post, "/v1/roles", |it| parse::roles::create(it.body, it.context))
            .tag("roles")
            .says("Makes a role.")
            .body::<CreateRole>()
            .answers::<Role>(201, "Made."),
        question("get_role", Get, "/v1/roles/{id}", roles::get)
            .tag("roles")
            .says("One role.")
            .path("id", "Its id, or a built-in role's name.")
            .query::<AsOfQuery>()
            .answers::<Role>(200, "As it is."),
        write("update_role", Patch, "/v1/roles/{id}", |it| {
            parse::roles::update(it.at(0), it.body, it.context)
        })
        .tag("roles")
        .says("Changes a role; the lists replace the old ones.")
        .path("id", "Its id, or a built-in role's name.")
        .body::<UpdateRole>()
        .answers::<Role>(200, "As it is now."),
        write("delete_role", Delete, "/v1/roles/{id}", |it| parse::roles::delete(it.at(0), it.context))
            .tag("roles")
            .says("Permanently ends a role that nothing uses.")
            .path("id", "Its id, or a built-in role's name.")
            .answers::<Role>(200, "As it was at its end."),
    ])
}

fn grants_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_grants", Get, "/v1/grants", grants::list)
            .tag("grants")
            .says("The grants over whose whole scope the caller has `read_acls`.")
            .query::<GrantQuery>()
            .answers_page::<Grant>(),
        write("create_grant", Post, "/v1/grants", |it| parse::grants::create(it.body, it.context))
            .tag("grants")
            .says("Gives a grant. An identical one posted twice is a new grant.")
            .body::<CreateGrant>()
            .answers::<Grant>(201, "Given."),
        question("get_grant", Get, "/v1/grants/{id}", grants::get)
            .tag("grants")
            .says("One grant.")
            .path("id", "Its id.")
            .query::<AsOfQuery>()
            .answers::<Grant>(200, "As it is."),
        question("list_projects_of_grant", Get, "/v1/grants/{id}/projects", grants::projects)
            .tag("grants")
            .says("The projects that a grant covers, as far as the caller may read them.")
            .path("id", "The grant's id.")
            .query::<PageQuery>()
            .answers_page::<Project>(),
        write("revoke_grant", Delete, "/v1/grants/{id}", |it| parse::grants::revoke(it.at(0)))
            .tag("grants")
            .says("Permanently revokes a grant.")
            .path("id", "Its id.")
            .answers::<Grant>(200, "As it was at its end."),
    ])
}

fn projects_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_projects", Get, "/v1/projects", projects::list)
            .tag("projects")
            .says("The projects that the caller may read.")
            .query::<ListQuery>()
            .answers_page::<Project>(),
        write("create_project", Post, "/v1/projects", |it| parse::projects::create(it.body, it.context))
            .tag("projects")
            .says("Makes a project.")
            .body::<CreateProject>()
            .answers::<Project>(201, "Made."),
        question("get_project", Get, "/v1/projects/{id}", projects::get)
            .tag("projects")
            .says("One project.")
            .path("id", "Its id.")
            .query::<AsOfQuery>()
            .answers::<Project>(200, "As it is."),
        write("update_project", Patch, "/v1/projects/{id}", |it| parse::projects::update(it.at(0), it.body))
            .tag("projects")
            .says("Renames or relabels a project.")
            .path("id", "Its id.")
            .body::<UpdateProject>()
            .answers::<Project>(200, "As it is now."),
        write("delete_project", Delete, "/v1/projects/{id}", |it| parse::projects::delete(it.at(0)))
            .tag("projects")
            .says("Permanently ends a project and what lies below it.")
            .path("id", "Its id.")
            .answers::<Project>(200, "As it was at its end."),
    ])
}

fn objects_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_objects", Get, "/v1/objects", objects::list)
            .tag("objects")
            .says("The registered objects of one type that the caller may read.")
            .query::<ObjectQuery>()
            .answers_page::<Registered>(),
        write("register_object", Post, "/v1/objects", |it| parse::objects::register(it.body, it.context))
            .tag("objects")
            .says("Registers an object under the caller's id, or creates one that gets an id from Grantbook.")
            .body::<RegisterObject>()
            .answers::<Registered>(201, "Registered.")
            .answers::<Registered>(200, "Registered already, or used because it has the name."),
        write("update_object", Patch, "/v1/objects/{type}/{id}", |it| {
            parse::objects::update((it.at(0), it.at(1)), it.project, it.body)
        })
        .tag("objects")
        .says("Changes an object's name.")
        .path("type", "Its type.")
        .path("id", "Its id.")
        .query::<ObjectProjectQuery>()
        .body::<UpdateObject>()
        .answers::<Registered>(200, "As it is now."),
        write("remove_object", Delete, "/v1/objects/{type}/{id}", |it| {
            parse::objects::remove((it.at(0), it.at(1)), it.project)
        })
        .tag("objects")
        .says("Removes an object, and permanently ends the grants on it.")
        .path("type", "Its type.")
        .path("id", "Its id.")
        .query::<ObjectProjectQuery>()
        .answers::<Registered>(200, "As it was at its end."),
    ])
}

fn limit_rows() -> Vec<Endpoint> {
    Vec::from([command_question("get_limits", "/v1/limits", limits::get)
        .tag("catalog")
        .says(
            "What the organization may hold, and what it holds. Answered by a command service, as commands \
             are decided.",
        )
        .answers::<LimitList>(200, "Every limit, with its value and what is used of it.")])
}

fn catalog_rows() -> Vec<Endpoint> {
    Vec::from([
        question("get_catalog", Get, "/v1/catalog", catalog::get)
            .tag("catalog")
            .says("The whole catalog, in the order in which it grew.")
            .query::<AsOfQuery>()
            .answers::<Catalog>(200, "As it is."),
        write("extend_catalog", Post, "/v1/catalog", |it| parse::catalog::extend(it.body))
            .tag("catalog")
            .says("Adds names, which are never removed.")
            .body::<ExtendCatalog>()
            .answers::<Catalog>(201, "What was added.")
            .answers::<Catalog>(200, "All were there; the whole catalog."),
    ])
}

fn webhooks_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_webhooks", Get, "/v1/webhooks", webhooks::list)
            .tag("webhooks")
            .says("The webhooks.")
            .query::<PageQuery>()
            .answers_page::<Webhook>(),
        write("create_webhook", Post, "/v1/webhooks", |it| parse::webhooks::create(it.body, it.context))
            .tag("webhooks")
            .says("Makes a webhook. The answer is the only one that ever holds its signing secret.")
            .body::<CreateWebhook>()
            .answers::<Webhook>(201, "Made."),
        question("get_webhook", Get, "/v1/webhooks/{id}", webhooks::get)
            .tag("webhooks")
            .says("One webhook; from a node that delivers, with how that goes.")
            .path("id", "Its id.")
            .query::<AsOfQuery>()
            .answers::<Webhook>(200, "As it is."),
        write("update_webhook", Patch, "/v1/webhooks/{id}", |it| {
            parse::webhooks::update(it.at(0), it.body, it.context)
        })
        .tag("webhooks")
        .says("Changes a webhook. What was not sent yet is sent as it says from then on.")
        .path("id", "Its id.")
        .body::<UpdateWebhook>()
        .answers::<Webhook>(200, "As it is now."),
        write("delete_webhook", Delete, "/v1/webhooks/{id}", |it| parse::webhooks::delete(it.at(0)))
            .tag("webhooks")
            .says("Permanently ends a webhook.")
            .path("id", "Its id.")
            .answers::<Webhook>(200, "As it was at its end."),
        write("rotate_webhook", Post, "/v1/webhooks/{id}/rotate", |it| {
            parse::webhooks::rotate(it.at(0), it.body, it.context)
        })
        .tag("webhooks")
        .says("Gives a webhook a new signing secret. The answer is the only one that ever holds it.")
        .path("id", "Its id.")
        .body::<RotateWebhook>()
        .answers::<Webhook>(201, "With its new secret."),
    ])
}

fn deliveries_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_dead_letters", Get, "/v1/webhooks/{id}/dead-letters", deliveries::dead_letters)
            .tag("webhooks")
            .says(
                "Messages that were given up, in the order of their records. Each page is of the \
                 moment: what is retried leaves the list.",
            )
            .path("id", "The webhook's id.")
            .query::<PageQuery>()
            .answers_page::<DeadLetter>(),
        action("retry_dead_letter", "/v1/webhooks/{id}/dead-letters/{message}/retry", deliveries::retry)
            .tag("webhooks")
            .says(
                "Tries a dead letter once more, now and whatever else is in turn; if it is accepted \
                 it leaves the list.",
            )
            .path("id", "The webhook's id.")
            .path("message", "The message's id.")
            .answers::<Attempt>(200, "How it went."),
        action("replay_webhook", "/v1/webhooks/{id}/replay", deliveries::replay)
            .tag("webhooks")
            .says(
                "Sends the messages of records after a position, again or for the first time, each \
                 with the id that it had before.",
            )
            .path("id", "The webhook's id.")
            .body::<ReplayWebhook>()
            .answers::<Webhook>(200, "As it stands then."),
        action("test_webhook", "/v1/webhooks/{id}/test", deliveries::test)
            .tag("webhooks")
            .says("Sends a test message, `WebhookTest`, once, also to a webhook that is not enabled.")
            .path("id", "The webhook's id.")
            .answers::<Attempt>(200, "How it went."),
    ])
}

fn several_rows() -> Vec<Endpoint> {
    Vec::from([
        batch("batch", "/v1/batch")
            .tag("batch")
            .says(
                "Several writes, all or none. A segment of a path or a text of a body that is `$0.id` \
                 stands for the id made by command 0.",
            )
            .body::<Batch>()
            .answers::<BatchAnswer>(200, "All were accepted."),
        plan("plan", "/v1/plan")
            .tag("batch")
            .says(
                "What a batch would do at the organization's head, and who would gain and lose what. \
                 Nothing is written.",
            )
            .body::<Batch>()
            .answers::<Plan>(200, "All would be accepted."),
    ])
}
