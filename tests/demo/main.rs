//! `make demo`: the four-step story through the real binary, on the embedded journal, in a directory that goes away.
//! With `--nats` (`make demo-nats`): on a real nats-server, with command service and read node as two processes.

use anyhow::{Context, Result, ensure};
use grantbook_tests::{nats::Nats, server::Server};

fn main() -> Result<()> {
    let color = std::env::var_os("NO_COLOR").is_none();
    if std::env::args().any(|argument| argument == "--nats") {
        return over_nats(color);
    }
    tell(&Teller { server: Server::start()?, color })
}

fn over_nats(color: bool) -> Result<()> {
    let nats = Nats::single()?;
    let first = Server::init_over(&nats.url())?;
    let command = first.another("command")?;
    let mut server = first.another("read")?;
    server.set_env("GRANTBOOK_COMMAND_URL", command.base());
    let teller = Teller { server, color };
    teller.say(&format!(
        "A nats-server keeps the journal at {}. A command service at {} takes the writes; the read node below answers.",
        nats.url(),
        command.base()
    ));
    tell(&teller)
}

fn tell(teller: &Teller) -> Result<()> {
    teller.say(&format!(
        "Grantbook runs at {} with organization acme; ada@example.com owns it.\n\
         Ada wants an application to work everywhere except in production. Every line after $ is a real command.",
        teller.server.base()
    ));
    let key = set_up(teller)?;
    use_the_key(teller, &key)?;
    explain(teller)?;
    revoke(teller, &key)?;
    teller.say(
        "That was the whole path: each command became a record in the journal, a projector turned the records into\n\
         a view, and every answer came from the view. Next: README.md, then docs/ARCHITECTURE.md.",
    );
    Ok(())
}

fn set_up(teller: &Teller) -> Result<String> {
    teller.say("Two projects. Production carries a label.");
    teller.run(&["project", "create", "staging", "--label", "env=staging"], 0)?;
    teller.run(&["project", "create", "production", "--label", "env=production"], 0)?;
    teller.step("1. A service token: an account of its own, not a copy of Ada. So far it may do nothing.");
    teller.run(&["token", "create", "deploy-bot"], 0)?;
    teller.step("2. A permission group that may work on all projects except those labelled production.");
    teller.run(&["group", "create", "non-production"], 0)?;
    teller.run(
        &[
            "grant",
            "create",
            "--to",
            "group:non-production",
            "--role",
            "Engineer",
            "--projects",
            "all",
            "--except",
            "label:env=production",
            "--reason",
            "apps must not touch production",
        ],
        0,
    )?;
    teller.step("3. The service token joins the group.");
    teller.run(&["group", "add", "non-production", "token:deploy-bot"], 0)?;
    teller
        .step("4. The application gets a key of the token. It is shown this once; only its hash is stored.");
    let key = teller.run(&["token", "key", "deploy-bot"], 0)?.trim().to_owned();
    ensure!(key.starts_with("gb_st_"), "a key of a service token begins with gb_st_");
    Ok(key)
}

fn use_the_key(teller: &Teller, key: &str) -> Result<()> {
    teller.say("The application uses its key. Staging works; production is refused (exit code 3).");
    teller.run_as(key, &["whoami"], 0)?;
    teller.run_as(key, &["check", "me", "update", "project:staging"], 0)?;
    teller.run_as(key, &["check", "me", "update", "project:production"], 3)?;
    teller.say("A project that is created tomorrow falls under the same rule, without another grant.");
    teller.run(&["project", "create", "tomorrow"], 0)?;
    teller.run(&["check", "token:deploy-bot", "update", "project:tomorrow"], 0)?;
    Ok(())
}

fn explain(teller: &Teller) -> Result<()> {
    teller.say("Why? Every answer names the records behind it: who granted it, when and for what reason.");
    teller.run(&["why", "token:deploy-bot", "update", "project:staging"], 0)?;
    teller.run(&["why", "token:deploy-bot", "update", "project:production"], 0)?;
    teller.run(&["access", "token:deploy-bot"], 0)?;
    teller.say("And the audit log lists who granted what.");
    teller.run(&["audit", "--limit", "20"], 0)?;
    Ok(())
}

fn revoke(teller: &Teller, key: &str) -> Result<()> {
    teller.say(
        "The key leaks? Revoke it: the next request with it is refused, and the token's other keys go on.",
    );
    let id = teller.quiet(&["--json", "key", "list", "token:deploy-bot"])?;
    let keys: serde_json::Value = serde_json::from_str(&id).context("key list --json prints JSON")?;
    let id = keys.pointer("/items/0/id").or_else(|| keys.pointer("/0/id")).or_else(|| keys.get("id"));
    let id = id.and_then(serde_json::Value::as_str).context("the key is listed")?;
    teller.run(&["key", "revoke", id, "--reason", "found in a public log"], 0)?;
    teller.run_as(key, &["whoami"], 1)?;
    Ok(())
}

struct Teller {
    server: Server,
    color: bool,
}

impl Teller {
    fn step(&self, text: &str) {
        self.say(text);
    }

    fn say(&self, text: &str) {
        let (on, off) = if self.color { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
        print(&format!("\n{on}{text}{off}"));
    }

    fn run(&self, args: &[&str], expected: i32) -> Result<String> {
        self.run_as(&self.server.owner_key, args, expected)
    }

    fn run_as(&self, key: &str, args: &[&str], expected: i32) -> Result<String> {
        let who = if key == self.server.owner_key { "" } else { "GRANTBOOK_KEY=gb_st_... " };
        print(&format!(
            "\n$ {who}grantbook {}",
            args.iter().map(|arg| quoted(arg)).collect::<Vec<_>>().join(" ")
        ));
        let (out, err, code) = self.server.cli_as(key, args)?;
        print(format!("{out}{err}").trim_end());
        if code != 0 {
            print(&format!("(exit code {code})"));
        }
        ensure!(code == expected, "expected exit code {expected}, got {code}");
        Ok(out)
    }

    fn quiet(&self, args: &[&str]) -> Result<String> {
        let (out, err, code) = self.server.cli(args)?;
        ensure!(code == 0, "{args:?} ended with {code}: {err}");
        Ok(out)
    }
}

fn quoted(arg: &str) -> String {
    if arg.contains(' ') { format!("'{arg}'") } else { arg.to_owned() }
}

#[expect(clippy::print_stdout, reason = "telling the story is what this program is for")]
fn print(text: &str) {
    println!("{text}");
}
