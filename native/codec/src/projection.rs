//! Which part of a type is read for a set of paths, and where each path lies in it.

use arrow_schema::{DataType, Fields};

use crate::fault::Unsupported;

/// Field names from the root; empty for the whole value.
pub type Path = Vec<String>;

/// Give the type without the struct fields that no path leads into.
pub fn prune<P: AsRef<[String]>>(
    data_type: &DataType,
    paths: &[P],
) -> Result<DataType, Unsupported> {
    if paths.iter().any(|path| path.as_ref().is_empty()) {
        return Ok(data_type.clone());
    }
    let DataType::Struct(fields) = data_type else {
        return match paths.first() {
            None => Ok(data_type.clone()),
            Some(path) => Err(absent(&path.as_ref()[0])),
        };
    };
    for path in paths {
        let head = &path.as_ref()[0];
        if !fields.iter().any(|field| field.name() == head) {
            return Err(absent(head));
        }
    }
    let mut kept = Vec::new();
    for field in fields {
        let inner: Vec<&[String]> = paths
            .iter()
            .filter(|path| path.as_ref()[0] == *field.name())
            .map(|path| &path.as_ref()[1..])
            .collect();
        if inner.is_empty() {
            continue;
        }
        let data_type = prune(field.data_type(), &inner)?;
        kept.push(field.as_ref().clone().with_data_type(data_type));
    }
    Ok(DataType::Struct(Fields::from(kept)))
}

/// Give the child indexes that lead along a path.
pub fn place(data_type: &DataType, path: &[String]) -> Result<Vec<usize>, Unsupported> {
    let mut at = data_type;
    let mut indexes = Vec::with_capacity(path.len());
    for name in path {
        let DataType::Struct(fields) = at else {
            return Err(absent(name));
        };
        let (index, field) = fields.find(name).ok_or_else(|| absent(name))?;
        indexes.push(index);
        at = field.data_type();
    }
    Ok(indexes)
}

fn absent(name: &str) -> Unsupported {
    Unsupported::new(format!("there is no field `{name}`"))
}
