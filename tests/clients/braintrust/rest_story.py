"""The administrator's part, with the REST client inside the braintrust SDK (0.47.0, by PYTHONPATH).

BASE is the address (http://host:port/braintrust), KEY an owner's key, ORG the organization (`acme` by default).

    setup NAME PROJECT...              a service account NAME, not yet there, whose token may use these projects; the line
                                       `result` has the ids and the key
    lists                              walks every list forwards and backwards
    revoke-key TOKEN                   then the four ways to take the access back, by the ids of `result`
    remove-member GROUP ACCOUNT
    remove-acl ACL...
    remove-account ACCOUNT

Each step prints one JSON line. Whatever differs from the expected reply ends the program with exit code 1.
"""

import os
import sys

import report
import requests
from braintrust.api.client import BraintrustClient
from braintrust.api.errors import BraintrustHTTPError

ORG = os.environ.get("ORG", "acme")

client = BraintrustClient(api_key=os.environ["KEY"], app_url=os.environ["BASE"])
rest = client.openapi


def expect(condition, what):
    if not condition:
        report.say("surprise", what=what)
        sys.exit(1)


def has(reply, *fields):
    """The reply, which must have these fields: the client itself checks none."""
    absent = [field for field in fields if reply.get(field) is None]
    expect(not absent, f"{absent} absent from {reply}")
    return reply


def said(step, reply):
    facts = {field: reply[field] for field in ("id", "name") if field in reply}
    report.say(step, **facts)
    return reply


def grant(group, object_type, object_id, **right):
    return {"object_type": object_type, "object_id": object_id, "group_id": group, **right}


def invite(service_account):
    body = {"invite_users": {"service_accounts": [service_account]}, "org_id": organization}
    done = has(rest.organizations.patch_organization_members(body=body), "status", "org_id", "added_users")
    expect(done["status"] == "success" and done["org_id"] == organization, f"{done}")
    return has(done["added_users"][0], "id")


def setup(name, *project_names):
    account = invite({"name": name})["id"]
    report.say("service account", id=account)
    both = has(invite({"name": f"{name}-both", "token_name": "first"}), "api_key", "token_name")
    remove_account(both["id"])

    body = {"name": f"{name}-token", "service_account_id": account, "org_name": ORG}
    token = said("service token", has(rest.service_tokens.post_service_token(body=body), "id", "name", "preview_name", "key"))
    spare = rest.service_tokens.post_service_token(body={**body, "name": f"{name}-spare"})
    replaced = said("token replaced", rest.service_tokens.put_service_token(body={**body, "name": f"{name}-spare"}))
    expect(replaced["key"] != spare["key"], "PUT /v1/service_token kept the secret")
    deleted = said("token deleted by body", rest.service_tokens.delete_service_token(body={"id": replaced["id"]}))
    expect(deleted["id"] == replaced["id"], "DELETE /v1/service_token deleted another one")
    expect("key" not in rest.service_tokens.get_service_token_id(token["id"]), "GET /v1/service_token shows the secret")

    group = said("group", has(rest.groups.post_group(body={"name": f"{name}-group"}), "id", "name", "org_id"))
    again = rest.groups.post_group(body={"name": f"{name}-group", "description": "ignored"})
    expect(again == group, "POST /v1/group of a name in use did not return the group unmodified")
    group_id = group["id"]

    projects = []
    for project in project_names:
        made = said("project", has(rest.projects.post_project(body={"name": project}), "id", "name", "org_id"))
        expect(rest.projects.get_project_id(made["id"])["name"] == project, "GET /v1/project/{id} names another one")
        projects.append(made["id"])
    project_group = said("project group", rest.project_groups.post_project_group(body={"name": f"{name}-projects"}))
    body = {"add_member_projects": projects}
    project_group = rest.project_groups.patch_project_group_id(project_group["id"], body=body)
    expect(project_group["member_projects"] == sorted(projects), f"members are {project_group['member_projects']}")

    permissions = [{"permission": "create"}, {"permission": "update"}]
    body = {"name": f"{name}-writer", "member_permissions": permissions}
    role = said("role", has(rest.roles.post_role(body=body), "id", "name"))

    # Reading is granted on each project, writing by the role on the project group: the story needs both.
    read = [grant(group_id, "project", project, permission="read") for project in projects]
    write = grant(group_id, "project_group", project_group["id"], role_id=role["id"])
    extra = grant(group_id, "project", projects[0], permission="update", restrict_object_type="project_log")
    one = has(rest.acls.post_acl(body=read[0]), "id", "object_type", "object_id", "_object_org_id")
    expect(rest.acls.post_acl(body=read[0])["id"] == one["id"], "the same POST /v1/acl made a second row")
    batch = rest.acls.acl_batch_update(body={"add_acls": [*read, write, extra]})
    expect(len(batch["added_acls"]) >= len(read) + 1 and batch["removed_acls"] == [], f"batch says {batch}")
    batch = rest.acls.acl_batch_update(body={"remove_acls": [extra]})
    expect([row["permission"] for row in batch["removed_acls"]] == ["update"], f"batch says {batch}")
    batch = rest.acls.acl_batch_update(body={"add_acls": [], "remove_acls": [extra]})
    expect(batch == {"added_acls": [], "removed_acls": []}, f"an empty batch says {batch}")
    rows = rest.acls.acl_list_org(group_id=group_id)
    expect(len(rows) == len(read) + 1, f"list_org says {rows}")
    reads = [row["id"] for row in rows if row.get("permission") == "read"]
    report.say("acls", ids=[row["id"] for row in rows])

    group = rest.groups.patch_group_id(group_id, body={"add_member_users": [account]})
    expect(group["member_users"] == [account], f"members are {group['member_users']}")
    user = said("user", rest.users.get_user_id(account))
    expect(user["id"] == account, "GET /v1/user/{id} shows another one")
    report.say(
        "result", account=account, token=token["id"], key=token["key"], group=group_id, role=role["id"],
        project_group=project_group["id"], projects=projects, read_acls=reads, acls=[row["id"] for row in rows],
    )


def pages(listing, direction, **query):
    """Every page of two, forwards from the start, or backwards from the oldest row."""
    while page := listing(limit=2, **query)["objects"]:
        expect(len(page) <= 2, f"a page of {len(page)} rows for limit=2")
        yield page
        query[direction] = page[-1 if direction == "starting_after" else 0]["id"]


def lists():
    named = rest.organizations.get_organization(org_name=ORG)["objects"]
    expect([row["id"] for row in named] == [organization], f"org_name={ORG} finds {named}")
    listings = {
        "project": rest.projects.get_project,
        "project_group": rest.project_groups.get_project_group,
        "group": rest.groups.get_group,
        "role": rest.roles.get_role,
        "service_token": rest.service_tokens.get_service_token,
        "api_key": rest.api_keys.get_api_key,
        "user": rest.users.get_user,
        "organization": rest.organizations.get_organization,
        "organization/api_keys": rest.organizations.get_organization_api_keys,
        "acl": lambda **query: rest.acls.get_acl("organization", organization, **query),
        "acl/list_org": lambda **query: {"objects": rest.acls.acl_list_org(**query)},
    }
    for name, listing in listings.items():
        rows = [row for page in pages(listing, "starting_after") for row in page]
        ids = [row["id"] for row in rows]
        expect(len(set(ids)) == len(ids), f"{name}: a row came twice")
        times = [row["created"] for row in rows if row.get("created")]
        expect(times == sorted(times, reverse=True), f"{name}: not newest first: {times}")
        if rows:
            back = [row["id"] for page in pages(listing, "ending_before", ending_before=ids[-1]) for row in reversed(page)]
            expect(back == ids[-2::-1], f"{name}: backwards {back}, forwards {ids}")
            expect({row["id"] for row in listing(ids=ids[:2])["objects"]} == set(ids[:2]), f"{name}: ids= finds others")
        report.say(f"list {name}", rows=len(rows))


def revoke_key(token):
    said("revoked key", rest.service_tokens.delete_service_token_id(token))


def remove_member(group, account):
    left = said("removed member", rest.groups.patch_group_id(group, body={"remove_member_users": [account]}))
    expect(account not in left["member_users"], "the member is still there")


def remove_acl(*acls):
    for acl in acls:
        expect(said("removed acl", rest.acls.delete_acl_id(acl))["id"] == acl, "another row was deleted")


def remove_account(account):
    done = rest.organizations.patch_organization_members(body={"remove_users": {"ids": [account]}, "org_name": ORG})
    expect(done["status"] == "success", f"{done}")
    report.say("removed account", id=account)


COMMANDS = {
    "setup": setup,
    "lists": lists,
    "revoke-key": revoke_key,
    "remove-member": remove_member,
    "remove-acl": remove_acl,
    "remove-account": remove_account,
}

report.count(requests.adapters.HTTPAdapter, "send")
command, *arguments = sys.argv[1:]
try:
    organization = client.auth.login(org_name=ORG).organization.id
    report.say("login", organization=organization)
    COMMANDS[command](*arguments)
except BraintrustHTTPError as error:
    report.say("surprise", status=error.status_code, error=type(error).__name__, what=str(error)[:500])
    sys.exit(1)
report.finish("braintrust")
