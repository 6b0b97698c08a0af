// The four steps by clicks, with and without script: a permission group that excludes production, a service token in it, its key,
// and the questions; then a project of tomorrow, and what is taken away.
import { expect, test } from "./hygiene.mjs";
import * as api from "./api.mjs";
import { bases, keys } from "./env.mjs";
import {
  action, addGrant, addMember, ask, changing, createGroup, createProject, createToken, heading, open, region, removeMember, row,
  signIn, storedKey,
} from "./pages.mjs";

const EXCEPT = "label:env=production";

/** What the program with this key may do, on every node. */
async function mayUpdate(key, project) {
  const answers = [];
  for (const at of bases()) {
    const body = { permission: "update", object: { type: "project", id: project } };
    const answer = await api.post("/v1/check", key, body, at);
    answers.push(answer.status === 200 ? (await answer.json()).allowed : answer.status);
  }
  expect(new Set(answers).size, `the nodes agree: ${answers}`).toBe(1);
  return answers[0];
}

test("the four steps", async ({ page, javaScriptEnabled }, { project }) => {
  test.setTimeout(240_000);
  const [group, token] = [`apps ${project.name}`, `bot-${project.name}`];
  const scripted = javaScriptEnabled !== false;
  const principal = `token:${token}`;
  await signIn(page, keys.owner);
  const staging = await api.projectId("staging", keys.owner);
  const production = await api.projectId("production", keys.owner);

  await test.step("Access control: a permission group that excludes production", async () => {
    await createGroup(page, group, "applications, everywhere but in production");
    for (const name of ["Permissions", "Members", "Who manages this group"]) {
      await expect(heading(page, name)).toBeVisible();
    }
    await addGrant(page, "Engineer", EXCEPT);
    await expect(region(page, "Permissions")).toContainText("Engineer");
    await expect(region(page, "Permissions")).toContainText("env=production");
  });

  const key = await test.step("Service tokens: create one in that group; its key is shown once", async () => {
    const wanted = { name: token, group, reaches: "all but production", scripted };
    const shown = await createToken(page, wanted);
    if (scripted) {
      await expect(action(page, "Copy")).toBeVisible();
    }
    await storedKey(page);
    await expect(page.getByRole("heading", { level: 1, name: token })).toBeVisible();
    expect(await page.content()).not.toContain(shown);
    await page.reload();
    expect(await page.content()).not.toContain(shown);
    await expect(region(page, "Groups")).toContainText(group);
    return shown;
  });

  await test.step("it is allowed on staging, and denied on production", async () => {
    expect(await mayUpdate(key, staging)).toBe(true);
    expect(await mayUpdate(key, production)).toBe(false);
    expect(await ask(page, principal, "update", "project:staging")).toBe("Allowed");
    expect(await ask(page, principal, "update", "project:production")).toBe("Denied");
  });

  await test.step("a project of tomorrow is covered, one of tomorrow's production is not", async () => {
    const [covered, excluded] = [`tomorrow-${project.name}`, `tomorrow-live-${project.name}`];
    await createProject(page, covered);
    await createProject(page, excluded, "env=production");
    expect(await ask(page, principal, "update", `project:${covered}`)).toBe("Allowed");
    expect(await ask(page, principal, "update", `project:${excluded}`)).toBe("Denied");
    expect(await mayUpdate(key, await api.projectId(covered, keys.owner))).toBe(true);
  });

  await test.step("removed from the group it is denied, added again it is allowed", async () => {
    await open(page, "Permission groups", group);
    await removeMember(page, token);
    expect(await ask(page, principal, "update", "project:staging")).toBe("Denied");
    expect(await mayUpdate(key, staging)).toBe(false);
    await open(page, "Permission groups", group);
    await addMember(page, principal);
    expect(await ask(page, principal, "update", "project:staging")).toBe("Allowed");
    expect(await mayUpdate(key, staging)).toBe(true);
  });

  await test.step("with its key revoked it is nobody", async () => {
    await open(page, "Service tokens", token);
    await row(region(page, "Keys"), "active").getByRole("button", { name: /^Revoke\b/ }).click();
    await changing(page, () => action(page, "Apply").click());
    await expect(region(page, "Keys")).not.toContainText("active");
    expect(await mayUpdate(key, staging)).toBe(401);
  });
});

test("a second key, rotation, and the headings of a token's page", async ({ page }, { project }) => {
  const name = `rotating-${project.name}`;
  await api.body(api.post("/v1/tokens", keys.owner, { name }), 201);
  await signIn(page, keys.owner);
  await open(page, "Service tokens", name);
  for (const part of ["Access", "Groups", "Keys", "Timeline"]) {
    await expect(heading(page, part)).toBeVisible();
  }
  await changing(page, () => action(page, "Issue key").click());
  await storedKey(page);
  await changing(page, () => region(page, "Keys").getByRole("button", { name: /^Rotate\b/ }).click());
  await storedKey(page);
  const rows = region(page, "Keys").getByRole("row");
  await expect(rows).toHaveCount(3); // the head, the old one in its grace, the new one
  await expect(rows.getByRole("img", { name: /per cent of its grace are left/ })).toHaveCount(1);
  await rows.getByRole("button", { name: /^End now/ }).click();
  await changing(page, () => action(page, "Apply").click());
  await expect(rows).toHaveCount(2);
  await expect(rows.nth(1)).toContainText("active");
});

test("what was typed is kept when it is refused", async ({ page, hygiene }, { project }) => {
  hygiene.expects(/status of 4\d\d/);
  const [name, description] = [`taken ${project.name}`, "typed with care"];
  await api.body(api.post("/v1/groups", keys.owner, { name }), 201);
  await signIn(page, keys.owner, "/console/groups");
  await action(page, "Create permission group").click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Description", { exact: true }).fill(description);
  await action(page, "Create").click();
  await expect(page.getByRole("alert")).toContainText("name is taken");
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue(name);
  await expect(page.getByLabel("Description", { exact: true })).toHaveValue(description);
});

test("a double click makes one", async ({ page }, { project }) => {
  const name = `once ${project.name}`;
  await signIn(page, keys.owner, "/console/tokens");
  await action(page, "Create service token").click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await changing(page, () => action(page, "Create").dblclick());
  const made = (await api.all("/v1/tokens", keys.owner)).filter((token) => token.name === name);
  expect(made).toHaveLength(1);
  expect((await api.body(api.get(`/v1/tokens/${made[0].id}/keys`, keys.owner))).items).toHaveLength(1);
});

test("the matrix of a group is ticked anew, and the plan says what that changes", async ({ page }, { project }) => {
  const name = `ticked ${project.name}`;
  const group = await api.body(api.post("/v1/groups", keys.owner, { name }), 201);
  const token = await api.body(api.post("/v1/tokens", keys.owner, { name: `ticked-${project.name}` }), 201);
  await api.body(api.post(`/v1/groups/${group.id}/members`, keys.owner, { member: { type: "token", id: token.id } }), 201);
  const to = { type: "group", id: group.id };
  const all = { projects: { include: "all" } };
  await api.body(api.post("/v1/grants", keys.owner, { to, permissions: ["read", "update"], on: all }), 201);
  await signIn(page, keys.owner, `/console/groups/${group.id}`);
  await action(page, "Edit permissions").click();
  const box = (permission) => page.getByRole("checkbox", { name: `${permission} on all projects`, exact: true });
  await expect(box("read")).toBeChecked();
  await box("update").uncheck();
  await box("delete").check();
  // What somebody else grants in the meantime is not in the form, and stays.
  await api.body(api.post("/v1/grants", keys.owner, { to, permissions: ["create"], on: all }), 201);
  await action(page, "Review changes").click();
  const main = page.getByRole("main");
  await expect(main).toContainText("Gained");
  await expect(main).toContainText("Lost");
  await changing(page, () => action(page, "Apply").click());
  const principal = { type: "token", id: token.id };
  const id = await api.projectId("staging", keys.owner);
  for (const [permission, allowed] of [["read", true], ["update", false], ["delete", true], ["create", true]]) {
    const body = { principal, permission, object: { type: "project", id } };
    expect((await api.body(api.post("/v1/check", keys.owner, body))).allowed, permission).toBe(allowed);
  }
});
