//! Avro schemas from their JSON text, with all names resolved.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::TimeUnit;
use serde_json::{Map, Value};

use crate::fault::Unsupported;

pub type Result<T> = std::result::Result<T, Unsupported>;

/// How deep types may lie in one another, definitions followed.
pub const MAX_DEPTH: usize = 128;

#[derive(Debug, Clone)]
pub struct Schema {
    pub kind: Kind,
    pub logical: Option<Logical>,
}

#[derive(Debug, Clone)]
pub enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Record(Arc<Record>),
    Enum(Arc<Enum>),
    Fixed(Arc<Fixed>),
    Array(Arc<Schema>),
    Map(Arc<Schema>),
    Union(Arc<[Schema]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logical {
    Decimal(u8, i8),
    Date,
    Time(TimeUnit),
    Timestamp(TimeUnit),
    Uuid,
}

/// A full name and the other names under which a writer may know the type.
#[derive(Debug)]
pub struct Name {
    pub full: String,
    pub aliases: Vec<String>,
}

#[derive(Debug)]
pub struct Record {
    pub name: Name,
    pub fields: Vec<Field>,
}

#[derive(Debug)]
pub struct Field {
    pub name: String,
    pub aliases: Vec<String>,
    pub schema: Schema,
    pub default: Option<Value>,
}

#[derive(Debug)]
pub struct Enum {
    pub name: Name,
    pub symbols: Vec<String>,
    pub default: Option<String>,
}

#[derive(Debug)]
pub struct Fixed {
    pub name: Name,
    pub size: usize,
}

impl Name {
    /// The name without its namespace.
    pub fn short(&self) -> &str {
        short(&self.full)
    }

    /// Whether a writer's name means this type: equal without namespace, or an alias.
    pub fn matches(&self, writer: &Name) -> bool {
        self.short() == writer.short()
            || self
                .aliases
                .iter()
                .any(|alias| *alias == writer.full || short(alias) == writer.short())
    }
}

fn short(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

impl Schema {
    pub fn parse(text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)
            .map_err(|error| Unsupported::new(format!("the schema is not JSON: {error}")))?;
        let mut parser = Parser {
            known: HashMap::new(),
        };
        let schema = parser.schema(&value, None, 0)?;
        schema.check_depth(0, &mut 0)?;
        Ok(schema)
    }

    fn plain(kind: Kind) -> Self {
        Self {
            kind,
            logical: None,
        }
    }

    /// Refuse schemas that are small as text and immense when every name is followed.
    fn check_depth(&self, depth: usize, nodes: &mut usize) -> Result<()> {
        *nodes += 1;
        if depth > MAX_DEPTH || *nodes > 100_000 {
            return Err(Unsupported::new(
                "the schema is too large or nested too deep",
            ));
        }
        match &self.kind {
            Kind::Record(record) => record
                .fields
                .iter()
                .try_for_each(|field| field.schema.check_depth(depth + 1, nodes)),
            Kind::Array(item) | Kind::Map(item) => item.check_depth(depth + 1, nodes),
            Kind::Union(branches) => branches
                .iter()
                .try_for_each(|branch| branch.check_depth(depth + 1, nodes)),
            _ => Ok(()),
        }
    }

    /// The name of the type as a branch of a union has it.
    pub fn branch_name(&self) -> &str {
        match &self.kind {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Int => "int",
            Kind::Long => "long",
            Kind::Float => "float",
            Kind::Double => "double",
            Kind::Bytes => "bytes",
            Kind::String => "string",
            Kind::Array(_) => "array",
            Kind::Map(_) => "map",
            Kind::Union(_) => "union",
            Kind::Record(record) => record.name.short(),
            Kind::Enum(one) => one.name.short(),
            Kind::Fixed(fixed) => fixed.name.short(),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// The fewest bytes that a value takes.
    pub fn least_size(&self) -> usize {
        match &self.kind {
            Kind::Null => 0,
            Kind::Float => 4,
            Kind::Double => 8,
            Kind::Fixed(fixed) => fixed.size,
            Kind::Record(record) => record.fields.iter().fold(0, |sum: usize, field| {
                sum.saturating_add(field.schema.least_size())
            }),
            _ => 1,
        }
    }
}

/// For a union: the branches that are not null, with the names that their columns have; the full name where short ones clash.
pub fn branch_columns(branches: &[Schema]) -> Vec<(usize, String)> {
    let named: Vec<(usize, &Schema)> = branches
        .iter()
        .enumerate()
        .filter(|(_, branch)| !branch.is_null())
        .collect();
    named
        .iter()
        .map(|(index, branch)| {
            let name = branch.branch_name();
            let clashes = named
                .iter()
                .filter(|(_, other)| other.branch_name() == name)
                .count()
                > 1;
            let full = match &branch.kind {
                Kind::Record(record) => &record.name.full,
                Kind::Enum(one) => &one.name.full,
                Kind::Fixed(fixed) => &fixed.name.full,
                _ => name,
            };
            let name = if clashes { full } else { name };
            (*index, name.to_owned())
        })
        .collect()
}

struct Parser {
    /// None while the definition is being read: a reference to it is recursion.
    known: HashMap<String, Option<Schema>>,
}

impl Parser {
    fn schema(&mut self, value: &Value, namespace: Option<&str>, depth: usize) -> Result<Schema> {
        if depth > MAX_DEPTH {
            return Err(Unsupported::new("the schema is nested too deep"));
        }
        match value {
            Value::String(name) => self.named(name, namespace),
            Value::Array(branches) => self.union(branches, namespace, depth),
            Value::Object(object) => self.object(object, namespace, depth),
            _ => Err(Unsupported::new(
                "the schema holds something that is no type",
            )),
        }
    }

    fn named(&self, name: &str, namespace: Option<&str>) -> Result<Schema> {
        if let Some(kind) = primitive(name) {
            return Ok(Schema::plain(kind));
        }
        let full = full_name(name, namespace);
        match self.known.get(&full).or_else(|| self.known.get(name)) {
            Some(Some(schema)) => Ok(schema.clone()),
            Some(None) => Err(Unsupported::new(format!(
                "the schema is recursive: `{full}` contains itself"
            ))),
            None => Err(Unsupported::new(format!("the schema has no type `{full}`"))),
        }
    }

    fn union(
        &mut self,
        branches: &[Value],
        namespace: Option<&str>,
        depth: usize,
    ) -> Result<Schema> {
        let branches = branches
            .iter()
            .map(|branch| self.schema(branch, namespace, depth + 1))
            .collect::<Result<Vec<_>>>()?;
        if branches.is_empty() {
            return Err(Unsupported::new("the schema has a union without branches"));
        }
        if branches
            .iter()
            .any(|branch| matches!(branch.kind, Kind::Union(_)))
        {
            return Err(Unsupported::new(
                "the schema has a union directly in a union",
            ));
        }
        Ok(Schema::plain(Kind::Union(branches.into())))
    }

    fn object(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
        depth: usize,
    ) -> Result<Schema> {
        let kind = match object.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            // {"type": {…}} and {"type": […]} wrap another schema.
            Some(inner) => return self.schema(inner, namespace, depth + 1),
            None => return Err(Unsupported::new("the schema has a type without `type`")),
        };
        let schema = match kind {
            "record" | "error" | "enum" | "fixed" => {
                return self.definition(kind, object, namespace, depth);
            }
            "array" => Schema::plain(Kind::Array(Arc::new(
                self.inner(object, "items", namespace, depth)?,
            ))),
            "map" => Schema::plain(Kind::Map(Arc::new(
                self.inner(object, "values", namespace, depth)?,
            ))),
            name => self.named(name, namespace)?,
        };
        let logical = logical(object, &schema.kind)?;
        Ok(Schema {
            logical: logical.or(schema.logical),
            kind: schema.kind,
        })
    }

    fn inner(
        &mut self,
        object: &Map<String, Value>,
        key: &str,
        namespace: Option<&str>,
        depth: usize,
    ) -> Result<Schema> {
        let value = object
            .get(key)
            .ok_or_else(|| Unsupported::new(format!("the schema lacks `{key}`")))?;
        self.schema(value, namespace, depth + 1)
    }

    fn definition(
        &mut self,
        kind: &str,
        object: &Map<String, Value>,
        namespace: Option<&str>,
        depth: usize,
    ) -> Result<Schema> {
        let name = text(object, "name")
            .ok_or_else(|| Unsupported::new(format!("the schema has a {kind} without a name")))?;
        let namespace = match name.rsplit_once('.') {
            Some((namespace, _)) => Some(namespace),
            None => text(object, "namespace").or(namespace),
        }
        .filter(|namespace| !namespace.is_empty());
        let full = full_name(name, namespace);
        if self.known.insert(full.clone(), None).is_some() {
            return Err(Unsupported::new(format!(
                "the schema defines `{full}` twice"
            )));
        }
        let aliases = strings(object, "aliases")
            .iter()
            .map(|alias| full_name(alias, namespace))
            .collect();
        let name = Name {
            full: full.clone(),
            aliases,
        };
        let kind = match kind {
            "enum" => Kind::Enum(Arc::new(Enum {
                name,
                symbols: strings(object, "symbols"),
                default: text(object, "default").map(str::to_owned),
            })),
            "fixed" => {
                let size = object.get("size").and_then(Value::as_u64);
                let size = size
                    .and_then(|size| usize::try_from(size).ok())
                    .filter(|size| *size <= i32::MAX as usize)
                    .ok_or_else(|| Unsupported::new(format!("`{full}` has no valid size")))?;
                Kind::Fixed(Arc::new(Fixed { name, size }))
            }
            _ => Kind::Record(Arc::new(Record {
                name,
                fields: self.fields(object, namespace, depth)?,
            })),
        };
        let logical = logical(object, &kind)?;
        let schema = Schema { kind, logical };
        self.known.insert(full, Some(schema.clone()));
        Ok(schema)
    }

    fn fields(
        &mut self,
        object: &Map<String, Value>,
        namespace: Option<&str>,
        depth: usize,
    ) -> Result<Vec<Field>> {
        let Some(Value::Array(fields)) = object.get("fields") else {
            return Err(Unsupported::new("the schema has a record without fields"));
        };
        let mut known: Vec<Field> = Vec::with_capacity(fields.len());
        for field in fields {
            let Value::Object(field) = field else {
                return Err(Unsupported::new("the schema has a field that is no object"));
            };
            let name = text(field, "name")
                .ok_or_else(|| Unsupported::new("the schema has a field without a name"))?;
            if known.iter().any(|other| other.name == name) {
                return Err(Unsupported::new(format!(
                    "the schema has the field `{name}` twice in one record"
                )));
            }
            known.push(Field {
                name: name.to_owned(),
                aliases: strings(field, "aliases"),
                schema: self.inner(field, "type", namespace, depth)?,
                default: field.get("default").cloned(),
            });
        }
        Ok(known)
    }
}

fn primitive(name: &str) -> Option<Kind> {
    Some(match name {
        "null" => Kind::Null,
        "boolean" => Kind::Boolean,
        "int" => Kind::Int,
        "long" => Kind::Long,
        "float" => Kind::Float,
        "double" => Kind::Double,
        "bytes" => Kind::Bytes,
        "string" => Kind::String,
        _ => return None,
    })
}

/// A logical type that does not fit the type below it, or that nobody knows, is passed over, as the specification says.
fn logical(object: &Map<String, Value>, kind: &Kind) -> Result<Option<Logical>> {
    let Some(name) = text(object, "logicalType") else {
        return Ok(None);
    };
    Ok(match (name, kind) {
        ("decimal", Kind::Bytes | Kind::Fixed(_)) => {
            let precision = object.get("precision").and_then(Value::as_u64).unwrap_or(0);
            let scale = object.get("scale").and_then(Value::as_u64).unwrap_or(0);
            if precision == 0 || scale > precision {
                return Ok(None);
            }
            if precision > 38 {
                return Err(Unsupported::new(format!(
                    "a decimal of {precision} digits; at most 38 are supported"
                )));
            }
            Some(Logical::Decimal(precision as u8, scale as i8))
        }
        ("date", Kind::Int) => Some(Logical::Date),
        ("time-millis", Kind::Int) => Some(Logical::Time(TimeUnit::Millisecond)),
        ("time-micros", Kind::Long) => Some(Logical::Time(TimeUnit::Microsecond)),
        ("timestamp-millis" | "local-timestamp-millis", Kind::Long) => {
            Some(Logical::Timestamp(TimeUnit::Millisecond))
        }
        ("timestamp-micros" | "local-timestamp-micros", Kind::Long) => {
            Some(Logical::Timestamp(TimeUnit::Microsecond))
        }
        ("timestamp-nanos" | "local-timestamp-nanos", Kind::Long) => {
            Some(Logical::Timestamp(TimeUnit::Nanosecond))
        }
        ("uuid", Kind::String) => Some(Logical::Uuid),
        ("uuid", Kind::Fixed(fixed)) if fixed.size == 16 => Some(Logical::Uuid),
        _ => None,
    })
}

fn full_name(name: &str, namespace: Option<&str>) -> String {
    match namespace {
        Some(namespace) if !name.contains('.') => format!("{namespace}.{name}"),
        _ => name.to_owned(),
    }
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    object.get(key).and_then(Value::as_str)
}

fn strings(object: &Map<String, Value>, key: &str) -> Vec<String> {
    object
        .get(key)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}
