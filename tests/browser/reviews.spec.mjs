// Everybody reviews the changes that they may make, also without the right to see what a change does to others. A plan is made anew
// if the organization changed while somebody read it.
import { expect, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { email, keys } from "./env.mjs";
import { action, addMember, changing, heading, NAVIGATION, region, removeMember, row, signIn, visit } from "./pages.mjs";

const MOVED = /has changed since the plan was made/;

async function userId(who) {
  const users = await api.all("/v1/users", keys.owner);
  return users.find((one) => one.email === email(who)).id;
}

/** A group that may read everything, and its members. */
async function readers(name, ...tokens) {
  const group = await api.body(api.post("/v1/groups", keys.owner, { name }), 201);
  const to = { type: "group", id: group.id };
  await api.body(api.post("/v1/grants", keys.owner, { to, role: "Viewer", on: { organization: true } }), 201);
  const members = [];
  for (const token of tokens) {
    members.push(await api.body(api.post("/v1/tokens", keys.owner, { name: token }), 201));
    await api.body(api.post(`/v1/groups/${group.id}/members`, keys.owner, { member: { type: "token", id: members.at(-1).id } }), 201);
  }
  return { group, members };
}

test("who manages a group, and nothing else, adds to it and removes from it", async ({ page }) => {
  const groups = await api.all("/v1/groups", keys.owner);
  const team = groups.find((one) => one.name === "team");
  const viewer = await userId("viewer");
  await signIn(page, keys.manager, `/console/groups/${team.id}`);
  await addMember(page, `user:${viewer}`);
  await expect(region(page, "Members")).toContainText(viewer);
  await removeMember(page, viewer);
  await expect(region(page, "Members")).not.toContainText(viewer);
});

test("without the right to see access, a plan only counts who is affected", async ({ page }, { project }) => {
  const name = `hidden-${project.name}`;
  const { group, members: [token] } = await readers(`hidden ${project.name}`, name);
  const to = { type: "user", id: await userId("manager") };
  const on = { object: { type: "group", id: group.id } };
  await api.body(api.post("/v1/grants", keys.owner, { to, permissions: ["read", "update"], on }), 201);
  await signIn(page, keys.manager, `/console/groups/${group.id}`);
  await row(region(page, "Members"), token.id).getByRole("button", { name: /^Remove\b/ }).click();
  await expect(heading(page, "Plan")).toBeVisible();
  const main = page.getByRole("main");
  await expect(main).toContainText("1 user or service token gains or loses access");
  await expect(main).not.toContainText("Lost");
  await changing(page, () => action(page, "Apply").click());
  const members = await api.body(api.get(`/v1/groups/${group.id}/members`, keys.owner));
  expect(members.items).toEqual([]);
});

test("who has no rights at all revokes a key of their own", async ({ page }) => {
  const own = await userId("stranger");
  const key = await api.body(api.post(`/v1/users/${own}/keys`, keys.owner, { name: "spare" }), 201);
  await signIn(page, keys.stranger, NAVIGATION.Settings);
  await row(region(page, "My keys"), "spare").getByRole("button", { name: /^Revoke\b/ }).click();
  await expect(heading(page, "Plan")).toBeVisible();
  await changing(page, () => action(page, "Apply").click());
  await expect(row(region(page, "My keys"), "spare").filter({ hasText: "active" })).toHaveCount(0);
  expect((await api.get("/v1/whoami", key.secret)).status).toBe(401);
});

test("a plan is made anew where its outcome has become another, and applied where it has not", async ({ page }, { project }) => {
  const { group, members: [token] } = await readers(`moving ${project.name}`, `moving-${project.name}`);
  const left = async () => (await api.body(api.get(`/v1/groups/${group.id}/members`, keys.owner))).items.length;
  await signIn(page, keys.owner, `/console/groups/${group.id}`);
  await row(region(page, "Members"), token.name).getByRole("button", { name: /^Remove\b/ }).click();
  await expect(heading(page, "Plan")).toBeVisible();
  const main = page.getByRole("main");
  await expect(main).not.toContainText("update");
  // Now there is more to lose.
  const to = { type: "group", id: group.id };
  await api.body(api.post("/v1/grants", keys.owner, { to, permissions: ["update"], on: { organization: true } }), 201);
  await action(page, "Apply").click();
  await expect(page.getByRole("alert")).toContainText(MOVED);
  await expect(main).toContainText("update");
  expect(await left(), "nothing was written").toBe(1);
  // A project and somebody new make no difference: all but nothing is lost, and others keep what they have.
  await api.body(api.post("/v1/projects", keys.owner, { name: `elsewhere ${project.name}`, labels: { beside: "it" } }), 201);
  await api.body(api.post("/v1/tokens", keys.owner, { name: `beside-${project.name}` }), 201);
  await changing(page, () => action(page, "Apply").click());
  expect(await left()).toBe(0);
});

test("what others write beside it is no reason to plan anew", async ({ page }, { project }) => {
  const { group, members: [token] } = await readers(`still ${project.name}`, `still-${project.name}`);
  await signIn(page, keys.owner, `/console/groups/${group.id}`);
  await row(region(page, "Members"), token.name).getByRole("button", { name: /^Remove\b/ }).click();
  await expect(heading(page, "Plan")).toBeVisible();
  await api.body(api.patch(`/v1/groups/${group.id}`, keys.owner, { description: "described meanwhile" }));
  await changing(page, () => action(page, "Apply").click());
  const members = await api.body(api.get(`/v1/groups/${group.id}/members`, keys.owner));
  expect(members.items).toEqual([]);
  await visit(page, "Permission groups");
});
