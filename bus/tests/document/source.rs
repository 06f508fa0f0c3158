//! What the model's source says of its types: fields, their types, and the comments on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) of: String,
    pub(crate) meaning: String,
}

#[derive(Debug, Default)]
pub(crate) struct Source {
    structs: BTreeMap<String, Vec<Field>>,
    /// Enumerations: the words, with what they mean.
    words: BTreeMap<String, Vec<(String, String)>>,
    meanings: BTreeMap<String, String>,
    messages: BTreeSet<String>,
}

impl Source {
    pub(crate) fn read() -> Self {
        let mut source = Self::default();
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../model/src");
        for file in files(&root) {
            source.add(&fs::read_to_string(file).unwrap());
        }
        source
    }

    pub(crate) fn messages(&self) -> BTreeSet<String> {
        self.messages.clone()
    }

    pub(crate) fn fields(&self, name: &str) -> &[Field] {
        self.structs.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn words(&self, name: &str) -> &[(String, String)] {
        self.words.get(name).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn meaning(&self, name: &str) -> &str {
        self.meanings.get(name).map_or("", String::as_str)
    }

    /// Every type that is described here and used in the fields of these, at any depth.
    pub(crate) fn parts(&self, of: &[&str]) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut look: Vec<String> = of.iter().map(|name| (*name).to_owned()).collect();
        while let Some(name) = look.pop() {
            for field in self.fields(&name) {
                for part in field.of.split(|c: char| !c.is_alphanumeric()) {
                    let known = self.structs.contains_key(part) || self.words.contains_key(part);
                    if known && found.insert(part.to_owned()) {
                        look.push(part.to_owned());
                    }
                }
            }
        }
        found
    }

    fn add(&mut self, text: &str) {
        let mut comment = String::new();
        let mut case = "";
        let mut in_attribute = false;
        let mut open: Option<(String, Kind)> = None;
        for line in text.lines().map(str::trim) {
            if let Some(more) = line.strip_prefix("///") {
                if !comment.is_empty() {
                    comment.push(' ');
                }
                comment.push_str(more.trim());
                continue;
            }
            if let Some(message) = line.strip_prefix("impl Message for ") {
                self.messages
                    .insert(message.trim_end_matches(" {").to_owned());
            }
            if line.contains("rename_all = \"snake_case\"") {
                case = "_";
            } else if line.contains("rename_all = \"kebab-case\"") {
                case = "-";
            }
            if in_attribute || line.starts_with("#[") {
                in_attribute = !line.ends_with(']');
                continue;
            }
            match &open {
                None => open = self.begin(line, &comment),
                Some((_, _)) if line == "}" => {
                    open = None;
                    case = "";
                }
                Some((name, kind)) => self.line(name, kind, line, &comment, case),
            }
            comment.clear();
        }
    }

    fn begin(&mut self, line: &str, comment: &str) -> Option<(String, Kind)> {
        let (kind, rest) = if let Some(rest) = line.strip_prefix("pub struct ") {
            (Kind::Struct, rest)
        } else if let Some(rest) = line.strip_prefix("pub enum ") {
            (Kind::Enum, rest)
        } else {
            // A block of `words!`: a bare name and a brace.
            let name = line.strip_suffix(" {")?;
            let bare =
                name.chars().all(char::is_alphanumeric) && name.starts_with(char::is_uppercase);
            return bare.then(|| self.opened(name, Kind::Words, comment));
        };
        if let Some(name) = rest.strip_suffix(" {}") {
            self.meanings.insert(name.to_owned(), comment.to_owned());
        }
        rest.strip_suffix(" {")
            .map(|name| self.opened(name, kind, comment))
    }

    fn opened(&mut self, name: &str, kind: Kind, comment: &str) -> (String, Kind) {
        self.meanings.insert(name.to_owned(), comment.to_owned());
        (name.to_owned(), kind)
    }

    fn line(&mut self, name: &str, kind: &Kind, line: &str, comment: &str, case: &str) {
        match kind {
            Kind::Struct => {
                let Some((field, of)) = line
                    .strip_prefix("pub ")
                    .and_then(|line| line.split_once(": "))
                else {
                    return;
                };
                self.structs
                    .entry(name.to_owned())
                    .or_default()
                    .push(Field {
                        name: field.to_owned(),
                        of: of.trim_end_matches(',').to_owned(),
                        meaning: comment.to_owned(),
                    });
            }
            Kind::Words => {
                let Some((_, word)) = line.split_once(" = ") else {
                    return;
                };
                let word = word.trim_matches(|c| c == '"' || c == ',').to_owned();
                self.words
                    .entry(name.to_owned())
                    .or_default()
                    .push((word, comment.to_owned()));
            }
            Kind::Enum => {
                if comment.is_empty() || !line.starts_with(char::is_uppercase) {
                    return;
                }
                let variant: String = line.chars().take_while(|c| c.is_alphanumeric()).collect();
                let word = written(&variant, case);
                self.words
                    .entry(name.to_owned())
                    .or_default()
                    .push((word, comment.to_owned()));
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Struct,
    Enum,
    Words,
}

fn written(variant: &str, separator: &str) -> String {
    if separator.is_empty() {
        return variant.to_owned();
    }
    let mut word = String::new();
    for (n, letter) in variant.char_indices() {
        if letter.is_uppercase() && n > 0 {
            word.push_str(separator);
        }
        word.extend(letter.to_lowercase());
    }
    word
}

fn files(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(below).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
