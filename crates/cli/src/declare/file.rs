//! The file: what must be there. Read within limits, strictly, and without repeating secrets that do not belong in it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::File,
    io::Read,
    path::Path,
};

use anyhow::Context;
use grantbook_api::{
    nouns::grants::Effect,
    strict::{self, Fault},
    words::scope::Scope,
};
use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::{Map, Value};

use crate::shared::exit::Usage;

/// Largest file, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// Deepest nesting.
const DEPTH_MAX: usize = 32;
/// Most things in it, of any kind.
const NODES_MAX: usize = 200_000;

/// A whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Declared {
    /// People by e-mail; those who are there are left alone.
    pub(crate) users: Vec<UserEntry>,
    pub(crate) projects: Vec<ProjectEntry>,
    pub(crate) tokens: Vec<TokenEntry>,
    pub(crate) roles: Vec<RoleEntry>,
    pub(crate) groups: Vec<GroupEntry>,
    /// Grants that must be there, whatever else the grantee has.
    pub(crate) grants: Vec<GrantEntry>,
    /// Whether what is there already is left as it is, and only what is missing is added. Never said in a file.
    #[serde(skip)]
    pub(crate) only_adds: bool,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UserEntry {
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
}

/// A project.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ProjectEntry {
    pub(crate) name: String,
    /// Exactly these; left alone if absent.
    #[serde(default)]
    pub(crate) labels: Option<BTreeMap<String, String>>,
}

/// A service token; never its keys.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenEntry {
    pub(crate) name: String,
    /// Left alone if absent.
    #[serde(default)]
    pub(crate) description: Option<String>,
}

/// A role.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleEntry {
    pub(crate) name: String,
    /// `read`, or `update:dataset` on that type only.
    #[serde(default)]
    pub(crate) permissions: Vec<String>,
    /// Roles by name.
    #[serde(default)]
    pub(crate) includes: Vec<String>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupEntry {
    pub(crate) name: String,
    /// Left alone if absent.
    #[serde(default)]
    pub(crate) description: Option<String>,
    /// Exactly these; left alone if absent.
    #[serde(default)]
    pub(crate) members: Option<Vec<MemberEntry>>,
    /// Exactly these; left alone if absent.
    #[serde(default)]
    pub(crate) grants: Option<Vec<GrantEntry>>,
}

/// A member: `token:NAME`, `user:EMAIL` or `group:NAME`, or the same with an expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MemberEntry {
    pub(crate) member: String,
    /// `never` lifts an end; the end that a member has is left alone if absent.
    pub(crate) expires_at: Option<String>,
}

/// A grant.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantEntry {
    /// To whom; absent in a group's own list.
    #[serde(default)]
    pub(crate) to: Option<String>,
    #[serde(default)]
    pub(crate) role: Option<String>,
    #[serde(default)]
    pub(crate) permissions: Option<Vec<String>>,
    /// In the API's form, but with names in the place of ids.
    pub(crate) on: Scope,
    #[serde(default)]
    pub(crate) effect: Effect,
    #[serde(default)]
    pub(crate) object_type: Option<String>,
    #[serde(default)]
    pub(crate) expires_at: Option<String>,
    /// Compared only if it is given.
    #[serde(default)]
    pub(crate) reason: Option<String>,
}

impl<'de> Deserialize<'de> for MemberEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MemberVisitor)
    }
}

struct MemberVisitor;

impl<'de> Visitor<'de> for MemberVisitor {
    type Value = MemberEntry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token:NAME, user:EMAIL or group:NAME, or an object of `member` and `expires_at`")
    }

    fn visit_str<E>(self, member: &str) -> Result<MemberEntry, E> {
        Ok(MemberEntry { member: member.to_owned(), expires_at: None })
    }

    fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<MemberEntry, A::Error> {
        let LongMember { member, expires_at } = LongMember::deserialize(MapAccessDeserializer::new(object))?;
        Ok(MemberEntry { member, expires_at })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongMember {
    member: String,
    #[serde(default)]
    expires_at: Option<String>,
}

/// What a file says is not as it must be.
pub(super) fn fault(place: &str, what: impl std::fmt::Display) -> anyhow::Error {
    Usage(format!("{what} (at {place} in the file)")).into()
}

/// The bytes of a file, and what they say.
pub(super) fn read(path: &Path) -> anyhow::Result<(Vec<u8>, Declared)> {
    let mut bytes = Vec::new();
    let limit = BYTES_MAX as u64 + 1;
    if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).context("reading stdin")?;
    } else {
        let name = || format!("reading {}", path.display());
        File::open(path).with_context(name)?.take(limit).read_to_end(&mut bytes).with_context(name)?;
    }
    let declared = parse(&bytes)?;
    Ok((bytes, declared))
}

fn parse(bytes: &[u8]) -> anyhow::Result<Declared> {
    if bytes.len() > BYTES_MAX {
        return Err(Usage(format!("the file is too large: at most {BYTES_MAX} bytes are read")).into());
    }
    let text =
        std::str::from_utf8(bytes).map_err(|error| Usage(format!("the file is not UTF-8: {error}")))?;
    // Before anything of the file is repeated in a complaint.
    if let Some((line, _)) = (1..).zip(text.lines()).find(|(_, line)| holds_secret(line)) {
        let detail =
            "holds what looks like a key: keys never belong in this file, and this one should be revoked";
        return Err(Usage(format!("line {line} {detail}")).into());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_aliases: 1000,
            max_documents: 1,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    let value: Value = serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| Usage(format!("the file is no YAML that can be used: {error}")))?;
    if value.is_null() || value.as_object().is_some_and(Map::is_empty) {
        return Err(Usage("the file is empty: it asks for nothing".to_owned()).into());
    }
    refuse_blanks_and_references(&value, "")?;
    let declared: Declared = strict::read(&value).map_err(|Fault { pointer, detail }| {
        let place = pointer.filter(|pointer| !pointer.is_empty()).unwrap_or_else(|| "/".to_owned());
        fault(&place, detail)
    })?;
    declared.check()?;
    Ok(declared)
}

/// A member without a value could be meant as an empty one, or as none at all, which asks for something else. And in a batch,
/// a text such as `$0.id` stands for the id of another thing: no name may be one.
fn refuse_blanks_and_references(value: &Value, place: &str) -> anyhow::Result<()> {
    match value {
        Value::Null => Err(fault(place, "there is no value: leave the member out, or give it one")),
        Value::String(text)
            if text.strip_prefix('$').is_some_and(|rest| rest.strip_suffix(".id").is_some()) =>
        {
            Err(fault(place, format!("`{text}` is no text that can be sent")))
        }
        Value::Array(items) => {
            let mut numbered = items.iter().enumerate();
            numbered
                .try_for_each(|(index, item)| refuse_blanks_and_references(item, &format!("{place}/{index}")))
        }
        Value::Object(members) => {
            let mut each = members.iter();
            each.try_for_each(|(name, member)| {
                refuse_blanks_and_references(member, &(place.to_owned() + &strict::escape_pointer(name)))
            })
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

fn holds_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("gb_st_") || text.contains("gb_pk_")
}

impl Declared {
    /// What can be said without asking the server.
    fn check(&self) -> anyhow::Result<()> {
        unique("users", self.users.iter().map(|user| user.email.as_str()))?;
        unique("projects", self.projects.iter().map(|one| one.name.as_str()))?;
        unique("tokens", self.tokens.iter().map(|one| one.name.as_str()))?;
        unique("roles", self.roles.iter().map(|one| one.name.as_str()))?;
        unique("groups", self.groups.iter().map(|one| one.name.as_str()))?;
        for (index, group) in self.groups.iter().enumerate() {
            for (number, grant) in group.grants.iter().flatten().enumerate() {
                let place = format!("/groups/{index}/grants/{number}");
                if grant.to.is_some() {
                    return Err(fault(&format!("{place}/to"), "a grant in a group's list is to that group"));
                }
                grant.check(&place)?;
            }
        }
        for (index, grant) in self.grants.iter().enumerate() {
            let place = format!("/grants/{index}");
            if grant.to.is_none() {
                return Err(fault(&place, "a grant needs `to`: token:NAME, user:EMAIL or group:NAME"));
            }
            grant.check(&place)?;
        }
        Ok(())
    }
}

impl GrantEntry {
    fn check(&self, place: &str) -> anyhow::Result<()> {
        if self.role.is_some() == self.permissions.is_some() {
            return Err(fault(place, "a grant gives either a `role` or `permissions`"));
        }
        Ok(())
    }
}

fn unique<'a>(kind: &str, names: impl Iterator<Item = &'a str>) -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for (index, name) in names.enumerate() {
        if !seen.insert(name) {
            return Err(fault(&format!("/{kind}/{index}/name"), format!("`{name}` is listed twice")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        parse(text.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_file_is_read() {
        let text = "
users: [{email: ada@example.com, name: Ada}, {email: eve@example.com}]
projects:
  - name: staging
    labels: {env: staging}
tokens: [{name: ci-bot}]
roles: [{name: deployer, permissions: [read, 'update:dataset'], includes: [Viewer]}]
groups:
  - name: not-production
    members: [token:ci-bot, {member: user:ada@example.com, expires_at: 2030-01-01T00:00:00Z}]
    grants:
      - role: Engineer
        on: {projects: {include: all, exclude: [{label: {env: production}}]}}
grants:
  - {to: token:ci-bot, permissions: [read], on: {object: {type: project, id: staging}}, effect: deny}
";
        let declared = parse(text.as_bytes()).unwrap();
        let members = declared.groups[0].members.as_ref().unwrap();
        assert_eq!(members[0].member, "token:ci-bot");
        assert_eq!(members[1].expires_at.as_deref(), Some("2030-01-01T00:00:00Z"));
        assert_eq!(declared.grants[0].effect, Effect::Deny);
    }

    #[test]
    fn complaints_name_the_place() {
        for (text, place) in [
            ("groups: [{name: a, colour: red}]", "/groups/0"),
            ("groups: [{name: a}, {name: a}]", "/groups/1/name"),
            ("projects: [{name: 7}]", "/projects/0/name"),
            ("projects: [{name: a, labels: {env: 1}}]", "/projects/0/labels/env"),
            ("tokens: [{name: a, key: x}]", "/tokens/0"),
            ("secrets: []", "/secrets"),
            ("tokens: [{name: $0.id}]", "/tokens/0/name"),
            ("grants: [{role: Viewer, on: {organization: true}}]", "/grants/0"),
            ("grants: [{to: token:x, on: {organization: true}}]", "/grants/0"),
            (
                "grants: [{to: token:x, role: Viewer, on: {projects: {include: []}}}]",
                "/grants/0/on/projects/include",
            ),
            ("groups: [{name: a, members: [7]}]", "/groups/0/members/0"),
            (
                "groups: [{name: a, grants: [{to: token:x, role: V, on: {organization: true}}]}]",
                "/groups/0/grants/0/to",
            ),
        ] {
            let complaint = complaint(text);
            assert!(complaint.contains(&format!("at {place}")), "{text}: {complaint}");
        }
    }

    #[test]
    fn what_is_blank_is_neither_empty_nor_left_out() {
        for (text, place) in [
            ("groups: [{name: a, members: }]", "/groups/0/members"),
            ("groups:\n  - name: a\n    grants:\n", "/groups/0/grants"),
            (
                "groups: [{name: a, members: [{member: token:x, expires_at: }]}]",
                "/groups/0/members/0/expires_at",
            ),
            ("groups: [{name: a, members: [~]}]", "/groups/0/members/0"),
            ("projects: [{name: a, labels: }]", "/projects/0/labels"),
            ("projects: [{name: a, labels: {a/b: null}}]", "/projects/0/labels/a~1b"),
            ("tokens:", "/tokens"),
            ("tokens: [{name: a, description: }]", "/tokens/0/description"),
            (
                "grants: [{to: token:x, role: V, on: {projects: {include: all, exclude: }}}]",
                "/grants/0/on/projects/exclude",
            ),
            (
                "grants: [{to: token:x, role: V, on: {organization: true}, object_type: }]",
                "/grants/0/object_type",
            ),
            (
                "grants: [{to: token:x, role: V, on: {organization: true}, expires_at: }]",
                "/grants/0/expires_at",
            ),
        ] {
            let complaint = complaint(text);
            assert_eq!(
                complaint,
                format!("there is no value: leave the member out, or give it one (at {place} in the file)")
            );
        }
        for text in ["", "# nothing\n", "---\n", "~", "{}"] {
            assert!(complaint(text).contains("the file is empty"), "{text}");
        }
        assert_eq!(parse(b"groups: [{name: a, members: []}]").unwrap().groups[0].members, Some(Vec::new()));
    }

    #[test]
    fn an_array_is_no_object_at_any_depth() {
        for (text, place) in [
            ("[[]]", "/"),
            ("projects: [[staging]]", "/projects/0"),
            ("projects: [{name: a, labels: [env]}]", "/projects/0/labels"),
            ("groups: [[a, b, [], []]]", "/groups/0"),
            ("grants: [[token:x, V]]", "/grants/0"),
            ("grants: [{to: token:x, role: V, on: {projects: [all]}}]", "/grants/0/on/projects"),
            ("groups: [{name: a, members: [[token:x]]}]", "/groups/0/members/0"),
        ] {
            let complaint = complaint(text);
            assert!(complaint.contains(&format!("at {place} in")), "{text}: {complaint}");
            for word in ["struct", "sequence", "expected", "invalid type"] {
                assert!(!complaint.contains(word), "{text}: {complaint}");
            }
        }
    }

    #[test]
    fn what_is_deep_huge_or_doubtful_is_refused() {
        let deep = format!("projects: {}{}", "[".repeat(5000), "]".repeat(5000));
        let deep_block: Vec<String> = (0..200).map(|depth| format!("{}a:", " ".repeat(depth))).collect();
        let deep_block = deep_block.join("\n");
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
            d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
        let many = format!("tokens: [{}]", "{name: x},".repeat(90_000));
        for text in [
            deep.as_str(),
            &deep_block,
            bomb,
            &many,
            "projects: []\nprojects: []",
            "a: [",
            "--- {}\n--- {}\n",
        ] {
            assert!(complaint(text).len() < 500);
        }
        let huge = format!("# {}", "x".repeat(BYTES_MAX));
        assert!(complaint(&huge).contains("too large"));
        assert!(parse(b"\xff").unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn a_key_is_found_and_not_repeated() {
        let told = complaint("tokens:\n  - name: x\n    description: gb_st_abcdef\n");
        assert!(told.contains("line 3") && !told.contains("abcdef"), "{told}");
    }
}
