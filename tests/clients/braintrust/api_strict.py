"""Every access resource of braintrust-api 0.6.0 (by PYTHONPATH), with strict validation of each reply against its models.

BASE is the address (http://host:port/braintrust), KEY an owner's key, ORG the organization (`acme` by default), the argument a
prefix for the names that it makes. It removes what it made. Each step prints one JSON line; the exit code is 1 after a surprise.
"""

import os
import sys

import httpx
import report
from braintrust_api import APIResponseValidationError, APIStatusError, Braintrust

ORG = os.environ.get("ORG", "acme")
PREFIX = sys.argv[1] if len(sys.argv) > 1 else "strict"
GONE = (400, 403, 404)

client = Braintrust(api_key=os.environ["KEY"], base_url=os.environ["BASE"], _strict_response_validation=True, max_retries=0)


def expect(condition, what):
    if not condition:
        report.say("surprise", what=what)
        sys.exit(1)


def refused(statuses, call, *arguments, **named):
    """The call must fail with one of these statuses."""
    try:
        reply = call(*arguments, **named)
    except APIStatusError as error:
        expect(error.status_code in statuses, f"{statuses} expected, but: {error.status_code} {error.body}")
        report.say("refused", status=error.status_code, error=type(error).__name__, body=error.body)
    else:
        expect(False, f"{statuses} expected, but: {reply}")


def walk(step, resource, **query):
    """Lets the automatic pager run to its end in pages of two, forwards and backwards."""
    ids = [row.id for row in resource.list(limit=2, **query)]
    expect(len(set(ids)) == len(ids), f"{step}: a row came twice")
    if ids:
        backwards = resource.list(limit=2, ending_before=ids[-1], **query)
        back = [row.id for page in backwards.iter_pages() for row in reversed(page.objects)]
        expect(back == ids[-2::-1], f"{step}: backwards {back}, forwards {ids}")
        found = {row.id for row in resource.list(ids=ids[:2], **query)}
        expect(found == set(ids[:2]), f"{step}: ids= finds others")
    report.say(f"list {step}", rows=len(ids))
    return ids


def top_level():
    greeting = client.top_level.hello_world()
    expect(isinstance(greeting, str) and greeting, "GET /v1 has no greeting")
    report.say("greeting", text=greeting)


def projects():
    made = [client.projects.create(name=f"{PREFIX}-{number}", org_name=ORG) for number in range(3)]
    project = made[0]
    expect(client.projects.create(name=project.name).id == project.id, "the same name made a second project")
    expect(client.projects.retrieve(project.id).name == project.name, "another project")
    expect(client.projects.update(project.id, name=f"{PREFIX}-renamed").name == f"{PREFIX}-renamed", "not renamed")
    named = [row.id for row in client.projects.list(project_name=f"{PREFIX}-renamed", org_name=ORG)]
    expect(named == [project.id], f"project_name= finds {named}")
    expect(set(row.id for row in made) <= set(walk("project", client.projects)), "a project is not listed")
    for row in made[1:]:
        expect(client.projects.delete(row.id).id == row.id, "another project was deleted")
    refused(GONE, client.projects.retrieve, made[1].id)
    report.say("projects", id=project.id)
    return project.id


def groups(user):
    inner = client.groups.create(name=f"{PREFIX}-inner", org_name=ORG, member_users=[user])
    outer = client.groups.create(name=f"{PREFIX}-outer", description="outer", member_groups=[inner.id])
    expect(outer.member_groups == [inner.id] and inner.member_users == [user], "members were lost")
    same = client.groups.create(name=outer.name, description="ignored")
    expect((same.id, same.description) == (outer.id, "outer"), "POST of a name in use changed the group")
    replaced = client.groups.replace(name=outer.name, description="replaced", member_groups=[inner.id])
    expect((replaced.id, replaced.description) == (outer.id, "replaced"), f"PUT says {replaced}")
    patched = client.groups.update(outer.id, add_member_users=[user], remove_member_groups=[inner.id])
    expect((patched.member_users, patched.member_groups or []) == ([user], []), f"PATCH says {patched}")
    patched = client.groups.update(outer.id, description="patched", add_member_groups=[inner.id], remove_member_users=[user])
    expect((patched.member_users or [], patched.member_groups) == ([], [inner.id]), f"PATCH says {patched}")
    expect(client.groups.retrieve(outer.id).description == "patched", "PATCH lost the description")
    expect([row.id for row in client.groups.list(group_name=outer.name)] == [outer.id], "group_name= finds others")
    walk("group", client.groups, org_name=ORG)
    report.say("groups", inner=inner.id, outer=outer.id)
    return inner.id, outer.id


def roles():
    read = {"permission": "read"}
    log = {"permission": "update", "restrict_object_type": "project_log"}
    inner = client.roles.create(name=f"{PREFIX}-reader", org_name=ORG, member_permissions=[read])
    outer = client.roles.create(name=f"{PREFIX}-writer", member_permissions=[log], member_roles=[inner.id])
    expect(outer.member_permissions[0].restrict_object_type == "project_log", f"POST says {outer}")
    replaced = client.roles.replace(name=outer.name, member_permissions=[log], member_roles=[inner.id])
    expect(replaced.id == outer.id, f"PUT says {replaced}")
    patched = client.roles.update(
        outer.id, add_member_permissions=[read], remove_member_permissions=[log], remove_member_roles=[inner.id]
    )
    expect([row.permission for row in patched.member_permissions] == ["read"], f"PATCH says {patched}")
    expect(client.roles.retrieve(outer.id).name == outer.name, "another role")
    expect([row.id for row in client.roles.list(role_name=outer.name)] == [outer.id], "role_name= finds others")
    walk("role", client.roles)
    report.say("roles", inner=inner.id, outer=outer.id)
    return inner.id, outer.id


def acls(project, group, role):
    on = {"object_type": "project", "object_id": project}
    read = {**on, "group_id": group, "permission": "read"}
    log = {**on, "group_id": group, "permission": "update", "restrict_object_type": "project_log"}
    by_role = {**on, "group_id": group, "role_id": role}
    first = client.acls.create(**read)
    expect(client.acls.create(**read).id == first.id, "the same row was made twice")
    expect(client.acls.retrieve(first.id).object_id == project, "another row")
    batch = client.acls.batch_update(add_acls=[read, log, by_role])
    expect(len(batch.added_acls) in (2, 3) and not batch.removed_acls, f"batch says {batch}")
    expect(len(walk("acl", client.acls, **on)) >= 3, "a row is not listed")
    mine = {row.permission or row.role_id for row in client.acls.list(**on, extra_query={"group_id": group})}
    expect(mine == {"read", "update", role}, f"group_id= finds {mine}")
    expect(client.acls.find_and_delete(**read).id == first.id, "DELETE with a body deleted another row")
    batch = client.acls.batch_update(remove_acls=[log, read])
    expect([row.permission for row in batch.removed_acls] == ["update"] and not batch.added_acls, f"batch says {batch}")
    left = [row.id for row in client.acls.list(**on, extra_query={"group_id": group})]
    expect(len(left) == 1, f"{left} are left")
    expect(client.acls.delete(left[0]).role_id == role, "DELETE of the row by id")
    refused(GONE, client.acls.retrieve, first.id)
    refused((400,), client.acls.create, **on, group_id=group)
    report.say("acls", first=first.id)


def users():
    ids = walk("user", client.users, org_name=ORG)
    people = [row for row in client.users.list() if row.email]
    expect(people and client.users.retrieve(people[-1].id).email == people[-1].email, "another user")
    emails = [row.email for row in people[:2]]
    found = {row.email for row in client.users.list(email=emails)}
    expect(found == set(emails), f"email={emails} finds {found}")
    return ids[-1]


def organizations(group):
    organization = next(iter(client.organizations.list(org_name=ORG)))
    expect(client.organizations.retrieve(organization.id).name == ORG, "another organization")
    expect(client.organizations.update(organization.id, name=ORG).name == ORG, "PATCH of the organization")
    walk("organization", client.organizations)
    email = f"{PREFIX}@example.com"
    done = client.organizations.members.update(
        org_name=ORG, invite_users={"emails": [email], "group_ids": [group], "send_invite_emails": False}
    )
    expect(done.org_id == organization.id, f"members says {done}")
    invited = next(iter(client.users.list(email=email)))
    expect(invited.id in client.groups.retrieve(group).member_users, "the invited user is not in the group")
    client.organizations.members.update(org_id=organization.id, remove_users={"emails": [email]})
    expect(not list(client.users.list(email=email)), "the removed user is still listed")
    report.say("organization", id=organization.id, invited=invited.id)


def api_keys():
    made = client.api_keys.create(name=f"{PREFIX}-key", org_name=ORG)
    expect(made.key and made.preview_name != made.key, "no secret, or a preview that shows it")
    other = Braintrust(api_key=made.key, base_url=os.environ["BASE"], _strict_response_validation=True, max_retries=0)
    expect(list(other.organizations.list()), "the new key sees no organization")
    expect(client.api_keys.retrieve(made.id).name == made.name, "another key")
    expect(made.id in walk("api_key", client.api_keys), "the key is not listed")
    expect(client.api_keys.delete(made.id).id == made.id, "another key was deleted")
    refused((401,), other.organizations.list)
    report.say("api_keys", id=made.id)


report.count(httpx.HTTPTransport, "handle_request")
try:
    top_level()
    user = users()
    project = projects()
    inner, outer = groups(user)
    reader, writer = roles()
    acls(project, outer, writer)
    organizations(inner)
    api_keys()
    for resource, ids in (client.groups, (outer, inner)), (client.roles, (writer, reader)), (client.projects, (project,)):
        for made in ids:
            expect(resource.delete(made).id == made, "another one was deleted")
    report.say("removed all")
except (APIStatusError, APIResponseValidationError) as error:
    request = f"{error.request.method} {error.request.url}"
    report.say("surprise", status=error.status_code, error=type(error).__name__, request=request, what=str(error)[:500])
    sys.exit(1)
report.finish("braintrust-api")
