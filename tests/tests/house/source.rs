//! The project's own sources, read and parsed for the house rules.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot read the sources should say where"
)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::LazyLock,
};

use proc_macro2::{LineColumn, TokenStream, TokenTree};
use syn::{Attribute, Item, ItemMod, Meta, spanned::Spanned, visit::Visit};

/// One Rust file, and what the rules ask about it.
pub(crate) struct Source {
    /// Its path from the project's root.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) text: String,
    /// Whether all of it is test code.
    pub(crate) is_test: bool,
    /// How many lines there are, tests at the end apart.
    pub(crate) lines: usize,
    /// Its functions, those of tests apart.
    pub(crate) functions: Vec<Function>,
    /// Every word of its code; strings and comments do not count.
    pub(crate) words: BTreeSet<String>,
    /// The macros that it uses.
    pub(crate) macros: BTreeSet<String>,
    /// The attributes that stand in it.
    pub(crate) attributes: BTreeSet<String>,
    /// The files, without their endings, that it declares as modules of tests.
    test_modules: Vec<String>,
}

/// One function.
pub(crate) struct Function {
    /// What it is called.
    pub(crate) name: String,
    /// From its `fn` to its closing brace.
    pub(crate) lines: usize,
}

/// Directories that hold no sources of the project.
const NOT_OURS: [&str; 3] = ["target", ".git", "node_modules"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_owned()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().unwrap().to_str().unwrap_or_default();
        if path.is_symlink() || NOT_OURS.contains(&name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Every file of the project that is text, by its name.
pub(crate) fn texts() -> Vec<(String, String)> {
    let root = root();
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    paths
        .into_iter()
        .filter_map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str()?.to_owned();
            Some((name, String::from_utf8(fs::read(&path).ok()?).ok()?))
        })
        .collect()
}

/// Every Rust file of the project.
pub(crate) fn all() -> &'static [Source] {
    static ALL: LazyLock<Vec<Source>> = LazyLock::new(read_all);
    &ALL
}

fn read_all() -> Vec<Source> {
    let rust = texts()
        .into_iter()
        .filter(|(name, _)| name.ends_with(".rs"));
    let mut sources: Vec<Source> = rust.map(|(name, text)| Source::read(name, text)).collect();
    let declared: BTreeSet<String> = sources
        .iter()
        .flat_map(|s| s.test_modules.clone())
        .collect();
    for source in &mut sources {
        let stem = source.name.trim_end_matches(".rs").trim_end_matches("/mod");
        let below = |d: &String| stem == d || stem.starts_with(&format!("{d}/"));
        source.is_test |= declared.iter().any(below);
    }
    sources
}

/// What a crate depends on outside its tests, by its manifest.
pub(crate) fn dependencies(directory: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(directory).join("Cargo.toml")).unwrap();
    let section = text
        .split("\n[")
        .find(|s| s.starts_with("dependencies]"))
        .unwrap_or_default();
    let names = section
        .lines()
        .skip(1)
        .filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|n| !n.is_empty()).map(str::to_owned).collect()
}

impl Source {
    fn read(name: String, text: String) -> Self {
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut found = Found::default();
        found.visit_file(&parsed);
        let tests = parsed.items.iter().filter(|item| is_test(attributes(item)));
        let theirs: usize = tests.map(|item| height(item.span())).sum();
        let (words, macros) = words(&text);
        Self {
            is_test: Path::new(&name)
                .components()
                .any(|c| c.as_os_str() == "tests"),
            lines: text.lines().count().saturating_sub(theirs),
            functions: found.functions,
            attributes: found.attributes,
            test_modules: test_modules(&name, &parsed),
            words,
            macros,
            name,
            text,
        }
    }
}

fn test_modules(name: &str, parsed: &syn::File) -> Vec<String> {
    let path = Path::new(name);
    let directory = path.parent().unwrap();
    let stem = path.file_stem().unwrap().to_str().unwrap();
    let below = match stem {
        "mod" | "lib" | "main" => directory.to_owned(),
        _ => directory.join(stem),
    };
    let modules = parsed.items.iter().filter_map(|item| match item {
        Item::Mod(module) if module.content.is_none() && is_test(&module.attrs) => Some(module),
        _ => None,
    });
    modules
        .map(|module| match file_of(module) {
            Some(file) => directory.join(file.trim_end_matches(".rs")),
            None => below.join(module.ident.to_string()),
        })
        .map(|path| path.to_str().unwrap().to_owned())
        .collect()
}

/// All words, and those of them that are used as macros.
fn words(text: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut words, mut macros) = (BTreeSet::new(), BTreeSet::new());
    let mut last = String::new();
    for token in flat(text.parse().unwrap()) {
        match token {
            TokenTree::Ident(ident) => {
                last = ident.to_string();
                words.insert(last.clone());
            }
            TokenTree::Punct(punct) if punct.as_char() == '!' => {
                macros.insert(std::mem::take(&mut last));
            }
            _ => last.clear(),
        }
    }
    (words, macros)
}

/// The file that `#[path = "…"]` names.
fn file_of(module: &ItemMod) -> Option<String> {
    let attribute = module.attrs.iter().find(|a| a.path().is_ident("path"))?;
    let Meta::NameValue(pair) = &attribute.meta else {
        return None;
    };
    let syn::Expr::Lit(literal) = &pair.value else {
        return None;
    };
    let syn::Lit::Str(text) = &literal.lit else {
        return None;
    };
    Some(text.value())
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Mod(module) => &module.attrs,
        Item::Fn(function) => &function.attrs,
        Item::Impl(block) => &block.attrs,
        _ => &[],
    }
}

/// `#[test]`, or `#[cfg(test)]` in any of its forms.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) if list.path.is_ident("cfg") => flat(list.tokens.clone())
            .iter()
            .any(|t| matches!(t, TokenTree::Ident(i) if i == "test")),
        meta => meta
            .path()
            .segments
            .last()
            .is_some_and(|s| s.ident == "test"),
    })
}

#[derive(Default)]
struct Found {
    functions: Vec<Function>,
    attributes: BTreeSet<String>,
    in_tests: bool,
}

impl Visit<'_> for Found {
    fn visit_attribute(&mut self, attribute: &Attribute) {
        self.attributes
            .extend(attribute.path().get_ident().map(ToString::to_string));
    }

    fn visit_item_mod(&mut self, module: &ItemMod) {
        let before = self.in_tests;
        self.in_tests |= is_test(&module.attrs);
        syn::visit::visit_item_mod(self, module);
        self.in_tests = before;
    }

    fn visit_item_fn(&mut self, function: &syn::ItemFn) {
        if !is_test(&function.attrs) {
            self.note(&function.sig, &function.block);
        }
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &syn::ImplItemFn) {
        self.note(&function.sig, &function.block);
        syn::visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &syn::TraitItemFn) {
        if let Some(block) = &function.default {
            self.note(&function.sig, block);
        }
        syn::visit::visit_trait_item_fn(self, function);
    }
}

impl Found {
    fn note(&mut self, signature: &syn::Signature, block: &syn::Block) {
        if !self.in_tests {
            let lines = between(signature.span().start(), block.span().end());
            self.functions.push(Function {
                name: signature.ident.to_string(),
                lines,
            });
        }
    }
}

fn between(from: LineColumn, to: LineColumn) -> usize {
    to.line - from.line + 1
}

fn height(span: proc_macro2::Span) -> usize {
    between(span.start(), span.end())
}

fn flat(stream: TokenStream) -> Vec<TokenTree> {
    let each = stream.into_iter().flat_map(|tree| match tree {
        TokenTree::Group(group) => flat(group.stream()),
        other => vec![other],
    });
    each.collect()
}
