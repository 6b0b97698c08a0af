// Where the servers are, and the keys with which the suite signs in.
function wanted(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: tests/harness/browser says what the suite needs`);
  }
  return value;
}

/** The address of the first node; all nodes. */
export const base = () => wanted("BASE");
export const bases = () => [base(), ...(process.env.SECOND_BASE ? [process.env.SECOND_BASE] : [])];

/** The keys of people, by who they are. */
export const keys = {
  get owner() { return wanted("OWNER_KEY"); },
  get engineer() { return wanted("ENGINEER_KEY"); },
  get viewer() { return wanted("VIEWER_KEY"); },
  get manager() { return wanted("MANAGER_KEY"); },
  get stranger() { return wanted("STRANGER_KEY"); },
  /** Of a service token, which has no business here. */
  get token() { return wanted("TOKEN_KEY"); },
};

/** The e-mail address of a person. */
export const email = (who) => (who === "owner" ? "ada@example.com" : `${who}@example.com`);
