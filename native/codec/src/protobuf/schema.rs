//! From the text of a schema, and of what it imports, to its messages.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::prost::Message as _;
use protox::prost_reflect::prost_types::FileDescriptorProto;
use protox::prost_reflect::{FileDescriptor, MessageDescriptor};

use super::builtin;
use crate::fault::Unsupported;

pub type Result<T> = std::result::Result<T, Unsupported>;

/// The name that the schema itself has among the files; what it imports has its own.
const MAIN: &str = "headrace.main.proto";
/// Begins the head of each imported file, behind the schema itself: a form feed, the name, a line end.
const PART: char = '\u{c}';

/// A schema with everything that it imports.
pub struct Schema {
    file: FileDescriptor,
}

impl Schema {
    /// Parse a schema: the text of a `.proto` file, or the Base64 text of its descriptor, and behind it the files that it
    /// imports, each after a form feed and a line with its name.
    pub fn parse(text: &str) -> Result<Self> {
        let mut parts = text.split(PART);
        let main = parts.next().unwrap_or_default();
        let mut files = HashMap::from([(MAIN.to_owned(), main.to_owned())]);
        for part in parts {
            let (name, text) = part.split_once('\n').unwrap_or((part, ""));
            files.insert(name.to_owned(), text.to_owned());
        }
        let mut chain = ChainFileResolver::new();
        chain.add(Given(files));
        chain.add(GoogleFileResolver::new());
        chain.add(BuiltIn);
        let mut compiler = Compiler::with_file_resolver(chain);
        compiler.include_source_info(true);
        compiler.include_imports(true);
        compiler
            .open_file(MAIN)
            .map_err(|error| Unsupported::new(error.to_string().replace(MAIN, "the schema")))?;
        let file = compiler
            .descriptor_pool()
            .get_file_by_name(MAIN)
            .ok_or_else(|| Unsupported::new("the schema is empty"))?;
        Ok(Self { file })
    }

    pub fn file(&self) -> &FileDescriptor {
        &self.file
    }

    /// Give a message of the schema by its full name.
    pub fn message(&self, name: &str) -> Result<MessageDescriptor> {
        self.messages()
            .into_iter()
            .find(|(_, message)| message.full_name() == name)
            .map(|(_, message)| message)
            .ok_or_else(|| Unsupported::new(format!("the schema has no message `{name}`")))
    }

    /// Give all messages of the schema itself, with the indexes that lead to each, outer before inner.
    pub fn messages(&self) -> Vec<(Vec<i32>, MessageDescriptor)> {
        let mut found = Vec::new();
        for (index, message) in self.file.messages().enumerate() {
            collect(vec![index as i32], message, &mut found);
        }
        found
    }
}

fn collect(
    path: Vec<i32>,
    message: MessageDescriptor,
    found: &mut Vec<(Vec<i32>, MessageDescriptor)>,
) {
    // Entries of maps have an index as well, though nobody writes them alone.
    let children: Vec<_> = message.child_messages().collect();
    if !message.is_map_entry() {
        found.push((path.clone(), message));
    }
    for (index, child) in children.into_iter().enumerate() {
        collect([&path[..], &[index as i32]].concat(), child, found);
    }
}

struct Given(HashMap<String, String>);

impl FileResolver for Given {
    fn open_file(&self, name: &str) -> std::result::Result<File, protox::Error> {
        let text = self
            .0
            .get(name)
            .ok_or_else(|| protox::Error::file_not_found(name))?;
        match descriptor(text) {
            Some(mut descriptor) => {
                descriptor.name = Some(name.to_owned());
                Ok(File::from_file_descriptor_proto(descriptor))
            }
            None => File::from_source(name, text),
        }
    }
}

/// Some clients register the descriptor itself, as Base64 text.
fn descriptor(text: &str) -> Option<FileDescriptorProto> {
    let bytes = STANDARD.decode(text.trim()).ok()?;
    if bytes.is_empty() {
        return None;
    }
    FileDescriptorProto::decode(&bytes[..]).ok()
}

struct BuiltIn;

impl FileResolver for BuiltIn {
    fn open_file(&self, name: &str) -> std::result::Result<File, protox::Error> {
        let text = builtin::source(name).ok_or_else(|| protox::Error::file_not_found(name))?;
        File::from_source(name, text)
    }
}
