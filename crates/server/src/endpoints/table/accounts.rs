//! Accounts and groups.

use grantbook_api::{
    nouns::{
        groups::{CreateGroup, Group, UpdateGroup},
        keys::{IssueKey, Key, KeyQuery, RotateKey},
        members::{AddMember, Member, MemberOf},
        sessions::{Session, SessionQuery, StartSession},
        tokens::{CreateToken, Token, UpdateToken},
        users::{CreateUser, UpdateUser, User},
    },
    words::list::{AsOfQuery, ListQuery, PageQuery},
};

use crate::{
    endpoints::{
        Endpoint,
        Verb::{Delete, Get, Patch, Post},
        row::{question, write},
    },
    read::nouns::{groups, keys, members, sessions, tokens, users},
    wire::reference::{token_in_path, user_in_path},
    write::parse,
};

pub(crate) fn rows() -> Vec<Endpoint> {
    [users_rows(), tokens_rows(), keys_rows(), sessions_rows(), groups_rows(), members_rows()]
        .into_iter()
        .flatten()
        .collect()
}

fn users_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_users", Get, "/v1/users", users::list)
            .tag("users")
            .says("The active users that the caller may read; itself always. `name` filters by e-mail.")
            .query::<ListQuery>()
            .answers_page::<User>(),
        write("create_user", Post, "/v1/users", |it| parse::users::create(it.body, it.context))
            .tag("users")
            .says("Makes a user.")
            .body::<CreateUser>()
            .answers::<User>(201, "Made."),
        question("get_user", Get, "/v1/users/{id}", users::get)
            .tag("users")
            .says("One user.")
            .path("id", "Its id.")
            .query::<AsOfQuery>()
            .answers::<User>(200, "As it is."),
        write("update_user", Patch, "/v1/users/{id}", |it| parse::users::update(it.at(0), it.body))
            .tag("users")
            .says("Changes a user.")
            .path("id", "Its id.")
            .body::<UpdateUser>()
            .answers::<User>(200, "As it is now."),
        write("deactivate_user", Delete, "/v1/users/{id}", |it| parse::users::deactivate(it.at(0)))
            .tag("users")
            .says("Permanently deactivates a user, with its keys, memberships and grants.")
            .path("id", "Its id.")
            .answers::<User>(200, "As it was at its end."),
    ])
}

fn tokens_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_tokens", Get, "/v1/tokens", tokens::list)
            .tag("tokens")
            .says("The service tokens that the caller may read; itself always.")
            .query::<ListQuery>()
            .answers_page::<Token>(),
        write("create_token", Post, "/v1/tokens", |it| parse::tokens::create(it.body, it.context))
            .tag("tokens")
            .says("Makes a service token: an account without a key.")
            .body::<CreateToken>()
            .answers::<Token>(201, "Made."),
        question("get_token", Get, "/v1/tokens/{id}", tokens::get)
            .tag("tokens")
            .says("One service token.")
            .path("id", "Its id.")
            .query::<AsOfQuery>()
            .answers::<Token>(200, "As it is."),
        write("update_token", Patch, "/v1/tokens/{id}", |it| parse::tokens::update(it.at(0), it.body))
            .tag("tokens")
            .says("Changes a service token.")
            .path("id", "Its id.")
            .body::<UpdateToken>()
            .answers::<Token>(200, "As it is now."),
        write("delete_token", Delete, "/v1/tokens/{id}", |it| parse::tokens::delete(it.at(0)))
            .tag("tokens")
            .says("Permanently ends a service token, with its keys, memberships and grants.")
            .path("id", "Its id.")
            .answers::<Token>(200, "As it was at its end."),
    ])
}

fn keys_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_token_keys", Get, "/v1/tokens/{id}/keys", keys::list_of_token)
            .tag("keys")
            .says("The keys of a service token that were not revoked, without their secrets.")
            .path("id", "The token's id.")
            .query::<KeyQuery>()
            .answers_page::<Key>(),
        question("list_user_keys", Get, "/v1/users/{id}/keys", keys::list_of_user)
            .tag("keys")
            .says("The keys of a user that were not revoked, without their secrets.")
            .path("id", "The user's id.")
            .query::<KeyQuery>()
            .answers_page::<Key>(),
        write("issue_token_key", Post, "/v1/tokens/{id}/keys", |it| {
            parse::keys::issue(token_in_path(it.at(0))?, it.body, it.context)
        })
        .tag("keys")
        .says(
            "Issues a key to a service token. The answer is the only one that ever holds the \
                 secret.",
        )
        .path("id", "The token's id.")
        .body::<IssueKey>()
        .answers::<Key>(201, "Issued."),
        write("issue_user_key", Post, "/v1/users/{id}/keys", |it| {
            parse::keys::issue(user_in_path(it.at(0))?, it.body, it.context)
        })
        .tag("keys")
        .says("Issues a key to a user. The answer is the only one that ever holds the secret.")
        .path("id", "The user's id.")
        .body::<IssueKey>()
        .answers::<Key>(201, "Issued."),
        write("rotate_key", Post, "/v1/keys/{id}/rotate", |it| {
            parse::keys::rotate(it.at(0), it.body, it.context)
        })
        .tag("keys")
        .says(
            "Replaces a key by a new one with the same narrowing and expiry; the old one works on \
                 for the grace.",
        )
        .path("id", "The old key's id.")
        .body::<RotateKey>()
        .answers::<Key>(201, "The new key."),
        question("get_key", Get, "/v1/keys/{id}", keys::get)
            .tag("keys")
            .says("A key that was not revoked, without its secret.")
            .path("id", "Its id.")
            .query::<AsOfQuery>()
            .answers::<Key>(200, "As it is."),
        write("revoke_key", Delete, "/v1/keys/{id}", |it| parse::keys::revoke(it.at(0)))
            .tag("keys")
            .says("Permanently revokes a key.")
            .path("id", "Its id.")
            .answers::<Key>(200, "As it was at its end."),
    ])
}

fn sessions_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_sessions", Get, "/v1/sessions", sessions::list)
            .tag("keys")
            .says(
                "The sessions of a user that work, without their secrets. One's own are always seen, \
                 but by a narrowed key only itself.",
            )
            .query::<SessionQuery>()
            .answers_page::<Session>(),
        write("start_session", Post, "/v1/sessions", |it| parse::sessions::start(it.body, it.context))
            .tag("keys")
            .says(
                "Starts a session with the user's key that is presented. The answer is the only one \
                 that ever holds its secret.",
            )
            .body::<StartSession>()
            .answers::<Session>(201, "Started."),
        write("end_session", Delete, "/v1/sessions/{id}", |it| parse::sessions::end(it.at(0)))
            .tag("keys")
            .says("Ends a session: one's own, or anybody's with the right to revoke keys.")
            .path("id", "Its id.")
            .answers::<Key>(200, "The session's key as it was at its end."),
    ])
}

fn groups_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_groups", Get, "/v1/groups", groups::list)
            .tag("groups")
            .says("The groups that the caller may read.")
            .query::<ListQuery>()
            .answers_page::<Group>(),
        write("create_group", Post, "/v1/groups", |it| parse::groups::create(it.body, it.context))
            .tag("groups")
            .says("Makes a group.")
            .body::<CreateGroup>()
            .answers::<Group>(201, "Made."),
        question("get_group", Get, "/v1/groups/{id}", groups::get)
            .tag("groups")
            .says("One group.")
            .path("id", "Its id.")
            .query::<AsOfQuery>()
            .answers::<Group>(200, "As it is."),
        write("update_group", Patch, "/v1/groups/{id}", |it| parse::groups::update(it.at(0), it.body))
            .tag("groups")
            .says("Changes a group's name or description.")
            .path("id", "Its id.")
            .body::<UpdateGroup>()
            .answers::<Group>(200, "As it is now."),
        write("delete_group", Delete, "/v1/groups/{id}", |it| parse::groups::delete(it.at(0)))
            .tag("groups")
            .says("Permanently ends a group, with its memberships both ways and the grants to it.")
            .path("id", "Its id.")
            .answers::<Group>(200, "As it was at its end."),
    ])
}

fn members_rows() -> Vec<Endpoint> {
    Vec::from([
        question("list_members", Get, "/v1/groups/{id}/members", members::list)
            .tag("members")
            .says("The direct members of a group.")
            .path("id", "The group's id.")
            .query::<PageQuery>()
            .answers_page::<Member>(),
        question("list_groups_of_token", Get, "/v1/tokens/{id}/groups", members::groups_of_token)
            .tag("members")
            .says("The groups that a service token is directly in, as far as the caller may read them.")
            .path("id", "The token's id.")
            .query::<PageQuery>()
            .answers_page::<MemberOf>(),
        question("list_groups_of_user", Get, "/v1/users/{id}/groups", members::groups_of_user)
            .tag("members")
            .says("The groups that a user is directly in, as far as the caller may read them.")
            .path("id", "The user's id.")
            .query::<PageQuery>()
            .answers_page::<MemberOf>(),
        question("list_groups_of_group", Get, "/v1/groups/{id}/groups", members::groups_of_group)
            .tag("members")
            .says("The groups that a group is directly in, as far as the caller may read them.")
            .path("id", "The group's id.")
            .query::<PageQuery>()
            .answers_page::<MemberOf>(),
        write("add_member", Post, "/v1/groups/{id}/members", |it| parse::members::add(it.at(0), it.body))
            .tag("members")
            .says("Adds a member; for one already in, another expiry replaces the present one.")
            .path("id", "The group's id.")
            .body::<AddMember>()
            .answers::<Member>(201, "Added.")
            .answers::<Member>(200, "In already, until then."),
        write("remove_member", Delete, "/v1/groups/{id}/members/{type}/{mid}", |it| {
            parse::members::remove(it.at(0), it.at(1), it.at(2))
        })
        .tag("members")
        .says("Removes a member.")
        .path("id", "The group's id.")
        .path("type", "`user`, `token` or `group`.")
        .path("mid", "The member's id.")
        .answers::<Member>(200, "As it was at its end."),
    ])
}
