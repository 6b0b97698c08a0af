//! Access in words: where something may be done.

use crate::{
    questions::access::{ProjectChoice, TypeChoice},
    words::reference::{Named, NamedObject},
};

/// Object types.
pub fn types(choice: &TypeChoice) -> String {
    match choice {
        TypeChoice::Only(names) => listed(names),
        TypeChoice::AllBut(names) if names.is_empty() => "all".to_owned(),
        TypeChoice::AllBut(names) => format!("all but {}", names.join(", ")),
    }
}

/// Projects.
pub fn projects(choice: &ProjectChoice) -> String {
    let names = |list: &[Named]| list.iter().map(|project| project.name.clone()).collect::<Vec<_>>();
    match choice {
        ProjectChoice::Only(list) => listed(&names(list)),
        ProjectChoice::AllBut(list) if list.is_empty() => "all".to_owned(),
        ProjectChoice::AllBut(list) => format!("all but {}", names(list).join(", ")),
    }
}

/// Single objects.
pub fn objects(only: &[NamedObject], except: &[NamedObject]) -> String {
    let name = |object: &NamedObject| {
        format!("{}:{}", object.object_type, object.name.as_ref().unwrap_or(&object.id))
    };
    let only: Vec<String> = only.iter().map(name).collect();
    let except: Vec<String> = except.iter().map(name).collect();
    if except.is_empty() { listed(&only) } else { format!("{}; not {}", listed(&only), except.join(", ")) }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() { "-".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_none_and_exceptions_are_told_apart() {
        let project = |name: &str| Named { id: "i".into(), name: name.into() };
        assert_eq!(projects(&ProjectChoice::AllBut(vec![])), "all");
        assert_eq!(projects(&ProjectChoice::AllBut(vec![project("production")])), "all but production");
        assert_eq!(projects(&ProjectChoice::Only(vec![])), "-");
        assert_eq!(projects(&ProjectChoice::Only(vec![project("a"), project("b")])), "a, b");
        assert_eq!(types(&TypeChoice::AllBut(vec!["group".into()])), "all but group");
    }
}
