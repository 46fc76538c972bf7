//! Files that schemas import without naming them as references: every registry and compiler has them.

/// The text of such a file; those of `google/protobuf` are known to the compiler.
pub fn source(name: &str) -> Option<&'static str> {
    Some(match name {
        "confluent/meta.proto" => META,
        "confluent/type/decimal.proto" => DECIMAL,
        "google/type/date.proto" => DATE,
        "google/type/timeofday.proto" => TIME_OF_DAY,
        _ => return None,
    })
}

const META: &str = r#"syntax = "proto3"; package confluent;
import "google/protobuf/descriptor.proto";
message Meta { string doc = 1; map<string, string> params = 2; repeated string tags = 3; }
extend google.protobuf.FileOptions { Meta file_meta = 1088; }
extend google.protobuf.MessageOptions { Meta message_meta = 1088; }
extend google.protobuf.FieldOptions { Meta field_meta = 1088; }
extend google.protobuf.EnumOptions { Meta enum_meta = 1088; }
extend google.protobuf.EnumValueOptions { Meta enum_value_meta = 1088; }
"#;

const DECIMAL: &str = r#"syntax = "proto3"; package confluent.type;
message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
"#;

const DATE: &str = r#"syntax = "proto3"; package google.type;
message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
"#;

const TIME_OF_DAY: &str = r#"syntax = "proto3"; package google.type;
message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
"#;
