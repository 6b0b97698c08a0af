//! POSTs that write nothing to the journal. Clients send them to a node; the server's table of endpoints is held against this.

/// Questions with a body: they may be asked as of an earlier moment. AuthZEN's are not among them, as this client does not ask
/// them.
pub const QUESTIONS: [&str; 3] = ["/v1/check", "/v1/check/batch", "/v1/explain"];

/// What the node that is asked does itself.
pub const ACTIONS: [&str; 3] =
    ["/v1/webhooks/{id}/dead-letters/{message}/retry", "/v1/webhooks/{id}/replay", "/v1/webhooks/{id}/test"];

/// Whether the path is that of a question.
pub fn is_question(path: &[&str]) -> bool {
    QUESTIONS.iter().any(|template| is_of(template, path))
}

/// Whether the path is that of an action.
pub fn is_action(path: &[&str]) -> bool {
    ACTIONS.iter().any(|template| is_of(template, path))
}

fn is_of(template: &str, path: &[&str]) -> bool {
    let mut segments = template.split('/').skip(1);
    path.iter().all(|own| segments.next().is_some_and(|segment| segment.starts_with('{') || segment == *own))
        && segments.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_in_braces_are_any() {
        assert!(is_question(&["v1", "check", "batch"]) && !is_question(&["v1", "batch"]));
        assert!(is_action(&["v1", "webhooks", "w", "test"]) && !is_action(&["v1", "webhooks", "w"]));
        assert!(is_action(&["v1", "webhooks", "w", "dead-letters", "m", "retry"]));
        assert!(
            !is_action(&["v1", "webhooks", "w", "rotate"])
                && !is_action(&["v1", "webhooks", "w", "test", "x"])
        );
    }
}
