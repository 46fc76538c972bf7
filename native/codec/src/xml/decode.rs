//! Elements into columns.

use arrow_array::BinaryArray;
use arrow_schema::{DataType, Fields};

use super::scan::{Element, document};
use crate::batch::{Decoded, Target};
use crate::column::{Column, Values};
use crate::csv;
use crate::fault::{Fault, Result, Unsupported};
use crate::projection::Path;
use crate::text::Scalar;

/// The field that takes the text of an element which has fields.
const TEXT: &str = "_text";

/// Decodes documents into the fields of a type; the name of the outermost element does not count.
pub struct Decoder {
    target: Target,
    fields: Vec<Field>,
}

struct Field {
    name: String,
    form: Form,
}

enum Form {
    Scalar(Scalar),
    List(Box<Form>),
    Record(Vec<Field>),
}

impl Decoder {
    pub fn new(data_type: &DataType, paths: &[Path]) -> std::result::Result<Self, Unsupported> {
        let target = Target::new(data_type, paths)?;
        let DataType::Struct(fields) = target.data_type() else {
            return Err(Unsupported::new("XML holds records, not single values"));
        };
        let fields = forms(fields)?;
        Ok(Self { target, fields })
    }

    pub fn decode(&self, data: &BinaryArray) -> Decoded {
        self.target.decode(data, |bytes, column| {
            let root = document(bytes)?;
            record(&root, &self.fields, column)
        })
    }
}

fn forms(fields: &Fields) -> std::result::Result<Vec<Field>, Unsupported> {
    let one = |field: &arrow_schema::FieldRef| {
        let form = form(field.data_type())
            .map_err(|error| Unsupported::new(format!("field `{}`: {error}", field.name())))?;
        Ok(Field {
            name: field.name().clone(),
            form,
        })
    };
    fields.iter().map(one).collect()
}

fn form(data_type: &DataType) -> std::result::Result<Form, Unsupported> {
    match data_type {
        DataType::Struct(fields) => Ok(Form::Record(forms(fields)?)),
        DataType::List(item) => match form(item.data_type())? {
            Form::List(_) => Err(Unsupported::new("XML has no arrays of arrays")),
            item => Ok(Form::List(Box::new(item))),
        },
        other => Scalar::of(other)
            .map(Form::Scalar)
            .ok_or_else(|| Unsupported::new(format!("XML has no type {other}"))),
    }
}

fn record(element: &Element<'_>, fields: &[Field], column: &mut Column) -> Result<()> {
    let Values::Struct(children) = &mut column.values else {
        unreachable!("the program fits the column");
    };
    for (field, child) in fields.iter().zip(children) {
        member(element, field, child).map_err(|fault| fault.within(&field.name))?;
    }
    column.present();
    Ok(())
}

fn member(element: &Element<'_>, field: &Field, column: &mut Column) -> Result<()> {
    let mut found = element.children.iter().filter(|one| one.name == field.name);
    if let Form::List(form) = &field.form {
        let Values::List { item, .. } = &mut column.values else {
            unreachable!("the program fits the column");
        };
        for one in found {
            value(one, form, item)?;
        }
        return column.end_list();
    }
    match (found.next(), found.next()) {
        (Some(one), None) => value(one, &field.form, column),
        (Some(_), Some(_)) => Err(Fault::new("several elements where one is expected")),
        (None, _) => {
            let attribute = element
                .attributes
                .iter()
                .find(|(name, _)| *name == field.name);
            let text = attribute
                .map(|(_, text)| text.as_ref())
                .or_else(|| (field.name == TEXT).then_some(element.text.as_str()));
            match (text, &field.form) {
                (Some(text), Form::Scalar(kind)) => scalar(text, *kind, column),
                _ => {
                    column.push_null();
                    Ok(())
                }
            }
        }
    }
}

fn value(element: &Element<'_>, form: &Form, column: &mut Column) -> Result<()> {
    let nil = |(name, text): &(&str, std::borrow::Cow<'_, str>)| *name == "nil" && text == "true";
    if element.attributes.iter().any(nil) {
        column.push_null();
        return Ok(());
    }
    match form {
        Form::Record(fields) => record(element, fields, column),
        Form::Scalar(_) if !element.children.is_empty() => {
            Err(Fault::new("elements where a single value is expected"))
        }
        Form::Scalar(kind) => scalar(&element.text, *kind, column),
        Form::List(_) => unreachable!("a list is no item"),
    }
}

/// Text is kept as it is; nothing else begins or ends with white space, or is empty.
fn scalar(text: &str, kind: Scalar, column: &mut Column) -> Result<()> {
    if kind == Scalar::Text {
        return column.push_bytes(text.as_bytes());
    }
    csv::push(column, kind, text.trim().as_bytes(), false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use arrow_array::{Array, make_array};
    use arrow_schema::Field as Arrow;

    use super::*;

    #[test]
    fn elements_and_attributes_are_fields() {
        let item = DataType::Struct(Fields::from(vec![
            Arrow::new("id", DataType::Int64, true),
            Arrow::new("_text", DataType::Utf8, true),
        ]));
        let kind = DataType::Struct(Fields::from(vec![
            Arrow::new("n", DataType::Int64, true),
            Arrow::new(
                "item",
                DataType::List(Arc::new(Arrow::new("item", item, true))),
                true,
            ),
        ]));
        let decoder = Decoder::new(&kind, &[vec!["n".into()], vec!["item".into()]]).unwrap();
        let rows = BinaryArray::from_iter_values([
            "<r n='5'><item id='1'>a</item><other/><item id=' 2 '>b</item></r>",
            "<r><n>x</n></r>",
            "<r><n/></r>",
            "<r><n>1</n><n>2</n></r>",
            "<r><n><m/></n></r>",
        ]);
        let found = decoder.decode(&rows);
        let bad: Vec<usize> = found.errors.iter().map(|(row, _)| *row).collect();
        assert_eq!(bad, [1, 3, 4]);
        let columns: Vec<_> = found.columns.into_iter().map(make_array).collect();
        assert_eq!(columns[0].as_primitive::<Int64Type>().value(0), 5);
        assert!(columns[0].is_null(2));
        let items = columns[1].as_list::<i32>().value(0);
        let ids = items.as_struct().column(0).as_primitive::<Int64Type>();
        assert_eq!(ids.values(), &[1, 2]);
    }
}
