//! The calls, one method each.

use reqwest::Method;

use crate::{
    client::{Answer, Client, ClientError},
    limits::LimitList,
    nouns::{
        batch::{Batch, BatchAnswer},
        catalog::{Catalog, ExtendCatalog},
        grants::{CreateGrant, Grant, GrantQuery},
        groups::{CreateGroup, Group, UpdateGroup},
        keys::{IssueKey, Key, RotateKey},
        members::{AddMember, Member, MemberOf},
        objects::{Object, ObjectProjectQuery, ObjectQuery, RegisterObject, UpdateObject},
        projects::{CreateProject, Project, UpdateProject},
        roles::{CreateRole, Role, UpdateRole},
        sessions::{Session, SessionQuery, StartSession},
        tokens::{CreateToken, Token, UpdateToken},
        users::{CreateUser, UpdateUser, User},
    },
    questions::{
        access::{Access, AccessQuery},
        audit::{AuditDays, AuditDaysQuery, AuditLog, AuditQuery},
        check::{CheckAnswer, CheckBatch, CheckBatchAnswer, CheckRequest, Reason},
        diff::{Diff, DiffQuery},
        explain::{ExplainQuery, Explanation},
        grant_history::{GrantHistoryQuery, GrantedItem},
        plan::Plan,
        readiness::Readiness,
        reverse::{Accessible, AccessibleQuery, Permissions, PermissionsQuery, WhoCan, WhoCanQuery},
        timeline::{Timeline, TimelineQuery},
    },
    whoami::Whoami,
    words::{
        list::{AsOfQuery, ListQuery, Page, PageQuery},
        reference::{GranteeRef, GranteeType, PrincipalRef, PrincipalType},
    },
};

/// What most calls give.
type Call<T> = Result<Answer<T>, ClientError>;

/// Nothing to ask for in the query.
const PLAIN: AsOfQuery = AsOfQuery { as_of: None };

/// Questions about access.
impl Client {
    /// Asks whether something is allowed; without `principal` and `key`, to the caller itself.
    pub async fn check(&self, request: &CheckRequest, query: &AsOfQuery) -> Call<CheckAnswer> {
        let url = self.url(&["v1", "check"], Some(query))?;
        let answer: Answer<CheckAnswer> = self.send_to(Method::POST, url, request).await?;
        consistent(answer.value.allowed, answer.value.reason)?;
        Ok(answer)
    }

    /// Asks several questions on one snapshot.
    pub async fn check_batch(&self, request: &CheckBatch) -> Call<CheckBatchAnswer> {
        let answer: Answer<CheckBatchAnswer> =
            self.send(Method::POST, &["v1", "check", "batch"], request).await?;
        if answer.value.results.len() != request.checks.len() {
            return Err(ClientError::Contradiction);
        }
        answer.value.results.iter().try_for_each(|result| consistent(result.allowed, result.reason))?;
        Ok(answer)
    }

    /// Asks for the answer to a check and what it rests on: the whole graph, and one page of paths.
    pub async fn explain(&self, request: &CheckRequest, query: &ExplainQuery) -> Call<Explanation> {
        let url = self.url(&["v1", "explain"], Some(query))?;
        let answer: Answer<Explanation> = self.send_to(Method::POST, url, request).await?;
        consistent(answer.value.allowed, answer.value.reason)?;
        Ok(answer)
    }

    /// Asks what a principal may do.
    pub async fn access(&self, query: &AccessQuery) -> Call<Access> {
        self.get(&["v1", "access"], query).await
    }

    /// One page of who may do something on an object.
    pub async fn who_can(&self, query: &WhoCanQuery) -> Call<WhoCan> {
        self.get(&["v1", "who-can"], query).await
    }

    /// One page of the objects of a type on which a principal has a permission.
    pub async fn accessible(&self, query: &AccessibleQuery) -> Call<Accessible> {
        self.get(&["v1", "accessible"], query).await
    }

    /// Asks which permissions a principal has on an object.
    pub async fn permissions(&self, query: &PermissionsQuery) -> Call<Permissions> {
        self.get(&["v1", "permissions"], query).await
    }

    /// One page of who gained and lost what between two moments.
    pub async fn diff(&self, query: &DiffQuery) -> Call<Diff> {
        self.get(&["v1", "diff"], query).await
    }

    /// One page of how access changed.
    pub async fn timeline(&self, query: &TimelineQuery) -> Call<Timeline> {
        self.get(&["v1", "timeline"], query).await
    }

    /// One page of the projects that a grant covers.
    pub async fn projects_of_grant(&self, id: &str, query: &PageQuery) -> Call<Page<Project>> {
        self.get(&["v1", "grants", id, "projects"], query).await
    }

    /// How many records each day has.
    pub async fn audit_days(&self, query: &AuditDaysQuery) -> Call<AuditDays> {
        self.get(&["v1", "audit", "days"], query).await
    }

    /// One page of the audit log.
    pub async fn audit(&self, query: &AuditQuery) -> Call<AuditLog> {
        self.get(&["v1", "audit"], query).await
    }

    /// Who the caller is.
    pub async fn whoami(&self) -> Call<Whoami> {
        self.get(&["v1", "whoami"], &PLAIN).await
    }

    /// Whether the node answers; needs no key. Not ready is [`ClientError::Unexpected`] with status 503.
    pub async fn readiness(&self) -> Call<Readiness> {
        self.get(&["readyz"], &PLAIN).await
    }

    /// Any JSON document that the server gives at a path.
    pub async fn document(&self, path: &[&str]) -> Result<serde_json::Value, ClientError> {
        Ok(self.get(path, &PLAIN).await?.value)
    }

    /// Several writes, all or none.
    pub async fn batch(&self, batch: &Batch) -> Call<BatchAnswer> {
        self.send(Method::POST, &["v1", "batch"], batch).await
    }

    /// What the same would do, without doing it.
    pub async fn plan(&self, batch: &Batch) -> Call<Plan> {
        self.send(Method::POST, &["v1", "plan"], batch).await
    }
}

/// Projects, objects and the catalog.
impl Client {
    /// Makes a project.
    pub async fn create_project(&self, body: &CreateProject) -> Call<Project> {
        self.send(Method::POST, &["v1", "projects"], body).await
    }

    /// One page of the projects.
    pub async fn projects(&self, query: &ListQuery) -> Call<Page<Project>> {
        self.get(&["v1", "projects"], query).await
    }

    /// One project.
    pub async fn project(&self, id: &str) -> Call<Project> {
        self.get(&["v1", "projects", id], &PLAIN).await
    }

    /// Renames or relabels a project.
    pub async fn update_project(&self, id: &str, body: &UpdateProject) -> Call<Project> {
        self.send(Method::PATCH, &["v1", "projects", id], body).await
    }

    /// Ends a project with what lies below it.
    pub async fn delete_project(&self, id: &str) -> Call<Project> {
        self.delete(&["v1", "projects", id]).await
    }

    /// Registers an object under the caller's own id, or creates one that gets an id from Grantbook.
    pub async fn register_object(&self, body: &RegisterObject) -> Call<Object> {
        self.send(Method::POST, &["v1", "objects"], body).await
    }

    /// One page of the registered objects.
    pub async fn objects(&self, query: &ObjectQuery) -> Call<Page<Object>> {
        self.get(&["v1", "objects"], query).await
    }

    /// Removes a registered object.
    pub async fn remove_object(
        &self,
        (object_type, id): (&str, &str),
        of: &ObjectProjectQuery,
    ) -> Call<Object> {
        self.delete_with(&["v1", "objects", object_type, id], of).await
    }

    /// Changes a registered object's name.
    pub async fn update_object(
        &self,
        (object_type, id): (&str, &str),
        of: &ObjectProjectQuery,
        body: &UpdateObject,
    ) -> Call<Object> {
        self.patch_with(&["v1", "objects", object_type, id], of, body).await
    }

    /// The permissions and object types.
    pub async fn catalog(&self) -> Call<Catalog> {
        self.get(&["v1", "catalog"], &PLAIN).await
    }

    /// What the organization may hold, and what it holds.
    pub async fn limits(&self) -> Call<LimitList> {
        self.get(&["v1", "limits"], &PLAIN).await
    }

    /// Adds names to the catalog.
    pub async fn extend_catalog(&self, body: &ExtendCatalog) -> Call<Catalog> {
        self.send(Method::POST, &["v1", "catalog"], body).await
    }
}

/// Accounts and their keys.
impl Client {
    /// Makes a user.
    pub async fn create_user(&self, body: &CreateUser) -> Call<User> {
        self.send(Method::POST, &["v1", "users"], body).await
    }

    /// One page of the users.
    pub async fn users(&self, query: &ListQuery) -> Call<Page<User>> {
        self.get(&["v1", "users"], query).await
    }

    /// One user.
    pub async fn user(&self, id: &str) -> Call<User> {
        self.get(&["v1", "users", id], &PLAIN).await
    }

    /// Changes a user.
    pub async fn update_user(&self, id: &str, body: &UpdateUser) -> Call<User> {
        self.send(Method::PATCH, &["v1", "users", id], body).await
    }

    /// Ends a user for ever.
    pub async fn deactivate_user(&self, id: &str) -> Call<User> {
        self.delete(&["v1", "users", id]).await
    }

    /// Makes a service token.
    pub async fn create_token(&self, body: &CreateToken) -> Call<Token> {
        self.send(Method::POST, &["v1", "tokens"], body).await
    }

    /// One page of the service tokens.
    pub async fn tokens(&self, query: &ListQuery) -> Call<Page<Token>> {
        self.get(&["v1", "tokens"], query).await
    }

    /// One service token.
    pub async fn token(&self, id: &str) -> Call<Token> {
        self.get(&["v1", "tokens", id], &PLAIN).await
    }

    /// Changes a service token.
    pub async fn update_token(&self, id: &str, body: &UpdateToken) -> Call<Token> {
        self.send(Method::PATCH, &["v1", "tokens", id], body).await
    }

    /// Ends a service token for ever.
    pub async fn delete_token(&self, id: &str) -> Call<Token> {
        self.delete(&["v1", "tokens", id]).await
    }

    /// Issues a key; its text is in this answer and in no other.
    pub async fn issue_key(&self, principal: &PrincipalRef, body: &IssueKey) -> Call<Key> {
        let path = ["v1", collection(principal.kind), &principal.id, "keys"];
        self.send(Method::POST, &path, body).await
    }

    /// One page of a principal's keys.
    pub async fn keys(&self, principal: &PrincipalRef, query: &PageQuery) -> Call<Page<Key>> {
        self.get(&["v1", collection(principal.kind), &principal.id, "keys"], query).await
    }

    /// Replaces a key; the new one's text is in this answer and in no other.
    pub async fn rotate_key(&self, id: &str, body: &RotateKey) -> Call<Key> {
        self.send(Method::POST, &["v1", "keys", id, "rotate"], body).await
    }

    /// Revokes a key.
    pub async fn revoke_key(&self, id: &str) -> Call<Key> {
        self.delete(&["v1", "keys", id]).await
    }

    /// Starts a session with the client's key, which must be a user's; its text is in this answer and in no other.
    pub async fn start_session(&self) -> Call<Session> {
        self.send(Method::POST, &["v1", "sessions"], &StartSession {}).await
    }

    /// One page of the sessions of a user.
    pub async fn sessions(&self, query: &SessionQuery) -> Call<Page<Session>> {
        self.get(&["v1", "sessions"], query).await
    }

    /// Ends a session; its key as it was.
    pub async fn end_session(&self, id: &str) -> Call<Key> {
        self.delete(&["v1", "sessions", id]).await
    }

    /// One page of the groups that somebody is directly in.
    pub async fn groups_of(&self, member: &GranteeRef, query: &PageQuery) -> Call<Page<MemberOf>> {
        let collection = match member.kind {
            GranteeType::User => "users",
            GranteeType::Token => "tokens",
            GranteeType::Group => "groups",
        };
        self.get(&["v1", collection, &member.id, "groups"], query).await
    }
}

/// Groups, roles and grants.
impl Client {
    /// Makes a group.
    pub async fn create_group(&self, body: &CreateGroup) -> Call<Group> {
        self.send(Method::POST, &["v1", "groups"], body).await
    }

    /// One page of the groups.
    pub async fn groups(&self, query: &ListQuery) -> Call<Page<Group>> {
        self.get(&["v1", "groups"], query).await
    }

    /// One group.
    pub async fn group(&self, id: &str) -> Call<Group> {
        self.get(&["v1", "groups", id], &PLAIN).await
    }

    /// Changes a group's name or description.
    pub async fn update_group(&self, id: &str, body: &UpdateGroup) -> Call<Group> {
        self.send(Method::PATCH, &["v1", "groups", id], body).await
    }

    /// Ends a group with its memberships and the grants to it.
    pub async fn delete_group(&self, id: &str) -> Call<Group> {
        self.delete(&["v1", "groups", id]).await
    }

    /// Adds a member, or replaces its expiry.
    pub async fn add_member(&self, group: &str, body: &AddMember) -> Call<Member> {
        self.send(Method::POST, &["v1", "groups", group, "members"], body).await
    }

    /// One page of a group's members.
    pub async fn members(&self, group: &str, query: &PageQuery) -> Call<Page<Member>> {
        self.get(&["v1", "groups", group, "members"], query).await
    }

    /// Removes a member.
    pub async fn remove_member(&self, group: &str, member: &GranteeRef) -> Call<Member> {
        let kind = member.kind.to_string();
        self.delete(&["v1", "groups", group, "members", &kind, &member.id]).await
    }

    /// Makes a role.
    pub async fn create_role(&self, body: &CreateRole) -> Call<Role> {
        self.send(Method::POST, &["v1", "roles"], body).await
    }

    /// One page of the roles.
    pub async fn roles(&self, query: &ListQuery) -> Call<Page<Role>> {
        self.get(&["v1", "roles"], query).await
    }

    /// One role.
    pub async fn role(&self, id: &str) -> Call<Role> {
        self.get(&["v1", "roles", id], &PLAIN).await
    }

    /// Changes a role.
    pub async fn update_role(&self, id: &str, body: &UpdateRole) -> Call<Role> {
        self.send(Method::PATCH, &["v1", "roles", id], body).await
    }

    /// Ends a role that nothing uses.
    pub async fn delete_role(&self, id: &str) -> Call<Role> {
        self.delete(&["v1", "roles", id]).await
    }

    /// Gives a grant.
    pub async fn create_grant(&self, body: &CreateGrant) -> Call<Grant> {
        self.send(Method::POST, &["v1", "grants"], body).await
    }

    /// One page of the grants.
    pub async fn grants(&self, query: &GrantQuery) -> Call<Page<Grant>> {
        self.get(&["v1", "grants"], query).await
    }

    /// One page of what was ever granted.
    pub async fn grant_history(&self, query: &GrantHistoryQuery) -> Call<Page<GrantedItem>> {
        self.get(&["v1", "grants", "history"], query).await
    }

    /// One grant.
    pub async fn grant(&self, id: &str) -> Call<Grant> {
        self.get(&["v1", "grants", id], &PLAIN).await
    }

    /// Revokes a grant.
    pub async fn revoke_grant(&self, id: &str) -> Call<Grant> {
        self.delete(&["v1", "grants", id]).await
    }
}

/// The part of the path that holds accounts of a kind.
pub(super) fn collection(kind: PrincipalType) -> &'static str {
    match kind {
        PrincipalType::User => "users",
        PrincipalType::Token => "tokens",
    }
}

/// An "allowed" for any other reason than "granted" is no answer to build on.
fn consistent(allowed: bool, reason: Reason) -> Result<(), ClientError> {
    if allowed == (reason == Reason::Granted) { Ok(()) } else { Err(ClientError::Contradiction) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_contradicts_itself_is_an_error() {
        assert!(consistent(true, Reason::Granted).is_ok());
        assert!(consistent(false, Reason::NoGrant).is_ok());
        assert!(matches!(consistent(true, Reason::NoGrant), Err(ClientError::Contradiction)));
        assert!(matches!(consistent(false, Reason::Granted), Err(ClientError::Contradiction)));
    }
}
