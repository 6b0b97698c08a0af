//! What stands around the content of every page.

use grantbook_api::words::reference::NamedPrincipal;

/// The parts of the console, as the navigation names them.
pub(crate) const PARTS: [(&str, &str); 11] = [
    ("/console/tokens", "Service tokens"),
    ("/console/groups", "Permission groups"),
    ("/console/roles", "Roles"),
    ("/console/grants", "Grants"),
    ("/console/people", "People"),
    ("/console/projects", "Projects"),
    ("/console/ask", "Ask"),
    ("/console/audit", "Audit"),
    ("/console/live", "Live"),
    ("/console/webhooks", "Webhooks"),
    ("/console/settings", "Settings"),
];

/// Who looks at a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Viewer {
    /// The name of the organization.
    pub(crate) organization: String,
    /// Type and id, as the API names principals: `user:ID`.
    pub(crate) id: String,
    /// The e-mail.
    pub(crate) name: String,
}

impl Viewer {
    pub(crate) fn new(organization: String, principal: &NamedPrincipal) -> Self {
        let id = format!("{}:{}", principal.kind, principal.id);
        let name = principal.name.clone().unwrap_or_else(|| principal.id.clone());
        Self { organization, id, name }
    }
}

/// The frame of a page.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    /// What the page is about.
    pub(crate) title: String,
    /// Nobody, where nobody has signed in.
    pub(crate) viewer: Option<Viewer>,
    /// Whether the navigation is shown although it is not known who looks at the page.
    pub(crate) is_inside: bool,
    /// The path of the part that it belongs to.
    pub(crate) part: &'static str,
    /// What was done, said with the position of its record.
    pub(crate) done: Option<Done>,
    /// What went wrong with what was sent.
    pub(crate) trouble: Option<String>,
    /// The command that says the same.
    pub(crate) command: String,
    /// The position at which the page holds.
    pub(crate) position: Option<String>,
}

/// Something that was done.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    /// In words.
    pub(crate) text: String,
    /// The position of its record.
    pub(crate) position: String,
}

impl Frame {
    /// All parts, and whether each is this page's.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&'static str, &'static str, bool)> {
        let own = self.part;
        PARTS.into_iter().map(move |(path, name)| (path, name, path == own))
    }
}
