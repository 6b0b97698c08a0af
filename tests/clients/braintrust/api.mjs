// The access resources of npm @braintrust/api 0.1.1, with its deprecated PUT of projects and ACLs.
//
// BASE is the address (http://host:port/braintrust), KEY an owner's key, the argument a prefix for the names that it makes. It
// removes what it made. Each step prints one JSON line; the exit code is 1 after a surprise.
import { counting, expect, finish, load, say } from "./report.mjs";

const { Braintrust, APIError } = load("@braintrust/api");
const prefix = process.argv[2] ?? "js";
const client = new Braintrust({
  apiKey: process.env.KEY,
  baseURL: process.env.BASE,
  maxRetries: 0,
  fetch: counting(load("node-fetch")), // its default: the built-in fetch would send `patch` in lower case
});

async function collect(pages) {
  const ids = [];
  for await (const row of pages) {
    ids.push(row.id);
  }
  return ids;
}

/** Lets the automatic pager run to its end in pages of two. */
async function walk(step, resource, query = {}) {
  const ids = await collect(resource.list({ limit: 2, ...query }));
  expect(new Set(ids).size === ids.length, `${step}: a row came twice`);
  const found = await collect(resource.list({ ids: ids.slice(0, 2), ...query }));
  expect(found.length === Math.min(ids.length, 2) && found.every((id) => ids.includes(id)), `${step}: ids= finds ${found}`);
  say(`list ${step}`, { rows: ids.length });
  return ids;
}

async function projects() {
  const project = await client.project.create({ name: `${prefix}-project` });
  expect((await client.project.create({ name: project.name })).id === project.id, "the same name made a second project");
  expect((await client.project.replace({ name: project.name })).id === project.id, "PUT made a second project");
  expect((await client.project.retrieve(project.id)).name === project.name, "another project");
  expect((await client.project.update(project.id, { name: `${prefix}-renamed` })).name === `${prefix}-renamed`, "not renamed");
  const named = await collect(client.project.list({ project_name: `${prefix}-renamed` }));
  expect(named.length === 1 && named[0] === project.id, `project_name= finds ${named}`);
  expect((await walk("project", client.project)).includes(project.id), "the project is not listed");
  say("projects", { id: project.id });
  return project.id;
}

async function groups(user) {
  const group = await client.group.create({ name: `${prefix}-group`, member_users: [user] });
  expect(group.member_users[0] === user, "POST lost the member");
  const replaced = await client.group.replace({ name: group.name, description: "replaced", member_users: [user] });
  expect(replaced.id === group.id && replaced.description === "replaced", "PUT did not replace the group");
  const patched = await client.group.update(group.id, { description: "patched" });
  expect(patched.description === "patched", "PATCH did not change the group");
  expect((await client.group.retrieve(group.id)).description === "patched", "PATCH was lost");
  expect((await walk("group", client.group)).includes(group.id), "the group is not listed");
  say("groups", { id: group.id });
  return group.id;
}

async function roles() {
  const permissions = [{ permission: "read" }];
  const role = await client.role.create({ name: `${prefix}-role`, member_permissions: permissions });
  const replaced = await client.role.replace({ name: role.name, member_permissions: permissions });
  expect(replaced.id === role.id, "PUT made a second role");
  expect((await client.role.update(role.id, { name: `${prefix}-writer` })).name === `${prefix}-writer`, "PATCH of the role");
  expect((await client.role.retrieve(role.id)).name === `${prefix}-writer`, "another role");
  expect((await walk("role", client.role)).includes(role.id), "the role is not listed");
  say("roles", { id: role.id });
  return role.id;
}

async function acls(project, group, role) {
  const on = { object_type: "project", object_id: project };
  const read = await client.acl.create({ ...on, group_id: group, permission: "read" });
  const byRole = await client.acl.create({ ...on, group_id: group, role_id: role });
  const again = await client.acl.replace({ ...on, group_id: group, permission: "read" });
  expect(again.object_id === project && again.permission === "read", `PUT says ${JSON.stringify(again)}`);
  expect((await client.acl.retrieve(byRole.id)).role_id === role, "another row");
  const listed = await walk("acl", client.acl, on);
  expect([again.id, byRole.id].every((id) => listed.includes(id)), "a row is not listed");
  for (const { id } of [again, byRole]) {
    expect((await client.acl.delete(id)).id === id, "another row was deleted");
  }
  say("acls", { id: read.id, same_after_put: again.id === read.id });
}

async function users() {
  const [user] = (await walk("user", client.user)).slice(-1);
  const { id, email } = await client.user.retrieve(user);
  expect(id === user, "another user");
  expect((await collect(client.user.list({ email: [email] })))[0] === user, "email= finds others");
  return user;
}

try {
  say("greeting", { text: await client.topLevel.helloWorld() });
  const user = await users();
  const project = await projects();
  const group = await groups(user);
  const role = await roles();
  await acls(project, group, role);
  for (const [resource, id] of [[client.group, group], [client.role, role], [client.project, project]]) {
    expect((await resource.delete(id)).id === id, "another one was deleted");
  }
  say("removed all");
} catch (error) {
  if (!(error instanceof APIError)) {
    throw error;
  }
  say("surprise", { status: error.status, error: error.constructor.name, what: error.message });
  process.exit(1);
}
finish("@braintrust/api");
