//! Which file of a crate imports which: read from `use` declarations and paths, without a compiler.
//!
//! An import of a name that a module re-exports counts as an import of the file that the name comes from. Code of tests does not
//! count: it may look at everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, Result};

/// The path of a module within its crate; empty for the root.
pub(super) type Module = Vec<String>;

/// Most re-exports on the way to a file.
const REEXPORTS_MAX: usize = 8;

/// The modules of one crate, and what each imports.
pub(super) struct Imports {
    /// By module: the modules that its file imports.
    pub(super) edges: BTreeMap<Module, BTreeSet<Module>>,
}

/// A crate's sources while they are looked at.
#[derive(Default)]
struct Sources {
    texts: BTreeMap<Module, String>,
    /// Where a name that a module re-exports comes from.
    reexports: BTreeMap<(Module, String), Module>,
}

impl Imports {
    /// Of the crate with this source directory.
    pub(super) fn of(src: &Path) -> Result<Self> {
        let mut sources = Sources::default();
        let mut files = Vec::new();
        crate::project::tidy::find(src, "rs", &mut files)?;
        for file in files {
            let module = module_of(src, &file)?;
            let is_test = module.iter().any(|part| part == "tests" || part.ends_with("_test"));
            if !is_test {
                sources.texts.insert(module, without_tests(&std::fs::read_to_string(&file)?));
            }
        }
        sources.find_reexports();
        let edges = sources.texts.iter().map(|(module, text)| {
            let targets = paths(module, text, false).into_iter().chain(inline_paths(text));
            let files = targets.filter_map(|path| sources.file_of(&path, 0)).filter(|file| file != module);
            (module.clone(), files.collect())
        });
        Ok(Self { edges: edges.collect() })
    }

    /// The circles: files that import each other, however far around.
    pub(super) fn circles(&self) -> Vec<BTreeSet<Module>> {
        let mut circles: Vec<BTreeSet<Module>> = Vec::new();
        for module in self.edges.keys() {
            if circles.iter().any(|circle| circle.contains(module)) {
                continue;
            }
            let ahead = self.reached_from(module);
            let circle: BTreeSet<Module> =
                ahead.into_iter().filter(|other| self.reached_from(other).contains(module)).collect();
            if circle.len() > 1 {
                circles.push(circle);
            }
        }
        circles
    }

    fn reached_from(&self, module: &Module) -> BTreeSet<Module> {
        let mut seen = BTreeSet::new();
        let mut open = vec![module.clone()];
        while let Some(next) = open.pop() {
            for target in self.edges.get(&next).into_iter().flatten() {
                if seen.insert(target.clone()) {
                    open.push(target.clone());
                }
            }
        }
        seen
    }
}

impl Sources {
    fn find_reexports(&mut self) {
        for (module, text) in &self.texts {
            for path in paths(module, text, true) {
                if let Some(name) = path.last() {
                    self.reexports.insert((module.clone(), name.clone()), path);
                }
            }
        }
    }

    /// The file that a path leads to.
    fn file_of(&self, path: &[String], depth: usize) -> Option<Module> {
        for length in (0..=path.len()).rev() {
            let (head, rest) = path.split_at(length);
            if !self.texts.contains_key(head) {
                continue;
            }
            let reexported = rest.first().and_then(|name| {
                let source = self.reexports.get(&(head.to_vec(), name.clone()))?;
                let source = [source.as_slice(), rest.get(1..).unwrap_or_default()].concat();
                (depth < REEXPORTS_MAX).then(|| self.file_of(&source, depth + 1)).flatten()
            });
            return Some(reexported.unwrap_or_else(|| head.to_vec()));
        }
        None
    }
}

fn module_of(src: &Path, file: &Path) -> Result<Module> {
    let path = file.strip_prefix(src)?.with_extension("");
    let mut parts: Module = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().context("a file has a name")?.as_str(), "mod" | "lib" | "main") {
        parts.pop();
    }
    Ok(parts)
}

/// The code, without comments and without the module of tests at the end.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The paths that `use` declarations name, from the crate's root: those that re-export, or the others.
fn paths(module: &Module, text: &str, reexports: bool) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for statement in text.split(';') {
        let Some(start) = statement.rfind("use ").filter(|at| is_word_start(statement, *at)) else {
            continue;
        };
        let (before, tree) = statement.split_at(start);
        let line = before.rsplit('\n').next().unwrap_or_default();
        if line.trim_start().starts_with("pub") != reexports {
            continue;
        }
        let mut names = Vec::new();
        flatten(&tree.replace("use ", ""), &[], &mut names);
        found.extend(names.into_iter().filter_map(|name| from_root(module, name, reexports)));
    }
    found
}

fn is_word_start(text: &str, at: usize) -> bool {
    text.get(..at).and_then(|before| before.chars().last()).is_none_or(char::is_whitespace)
}

/// Writes out every name of a `use` tree.
fn flatten(tree: &str, prefix: &[String], found: &mut Vec<Vec<String>>) {
    let tree = tree.trim();
    let segments = |text: &str| -> Vec<String> {
        let parts = text.split("::").map(|part| part.split(" as ").next().unwrap_or_default().trim());
        parts.filter(|part| !part.is_empty() && *part != "self").map(str::to_owned).collect()
    };
    let Some((head, rest)) = tree.split_once('{') else {
        // A leading `self` stands for the module itself.
        let own = if prefix.is_empty() && tree.starts_with("self::") {
            vec!["self".to_owned()]
        } else {
            Vec::new()
        };
        found.push([prefix, &own, &segments(tree)].concat());
        return;
    };
    let own =
        if prefix.is_empty() && head.starts_with("self::") { vec!["self".to_owned()] } else { Vec::new() };
    let prefix = [prefix, &own, &segments(head)].concat();
    let inner = rest.rsplit_once('}').map_or(rest, |(inner, _)| inner);
    let (mut depth, mut item) = (0_usize, String::new());
    for letter in inner.chars().chain([',']) {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if letter == ',' && depth == 0 {
            if !item.trim().is_empty() {
                flatten(&item, &prefix, found);
            }
            item.clear();
        } else {
            item.push(letter);
        }
    }
}

/// A name from the crate's root; none if it is of another crate.
fn from_root(module: &Module, name: Vec<String>, reexports: bool) -> Option<Vec<String>> {
    let mut name = name.into_iter().peekable();
    let mut here = module.clone();
    match name.peek()?.as_str() {
        "crate" => {
            name.next();
            return Some(name.collect());
        }
        "self" => drop(name.next()),
        "super" => {
            while name.next_if(|part| part == "super").is_some() {
                here.pop();
            }
        }
        // `pub use child::Name`; a name of another crate leads to no file below this module.
        _ if reexports => {}
        _ => return None,
    }
    Some(here.into_iter().chain(name).collect())
}

/// Paths in code that begin with `crate::`.
fn inline_paths(text: &str) -> Vec<Vec<String>> {
    let path = |rest: &str| {
        let path: String = rest
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '_' | ':'))
            .collect();
        path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let outside = text.split(';').filter(|statement| !statement.contains("use crate"));
    outside.flat_map(|statement| statement.split("crate::").skip(1)).map(path).collect()
}
