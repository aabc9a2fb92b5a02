//! JSON schemas as grammars take them, and what a schema says about a tool's parameter.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// White space between the parts of a JSON value: a space, or a new line and its indentation.
/// Without a bound, an answer could go on with white space forever.
const WHITE_SPACE: &str = r"\x20|\x0A[\x20\x09]{0,40}";
/// References that are followed in a row.
const MAX_REFERENCES: usize = 16;
/// Parts of a schema that are looked at to tell what kind of value it takes: alternatives that refer to
/// themselves have no end of them.
const MAX_PARTS: usize = 1000;
/// Parameters of a tool that are held to their schemas.
const MAX_NAMED: usize = 1000;
/// Values in all copies of a tool's schema, one for each parameter with references, that its grammar
/// may hold.
const MAX_COPIED: usize = 100_000;

/// A schema as the text of a grammar, with our way of writing JSON. `lenient` passes over what
/// cannot be held to.
pub(super) fn compact(schema: Value, lenient: bool) -> Value {
    let mut schema = match schema {
        Value::Object(schema) => schema,
        // `true` and `false` are schemas too, but have no room for options.
        other => Map::from_iter([("allOf".to_owned(), Value::Array(vec![other]))]),
    };
    let mut options = json!({ "whitespace_pattern": WHITE_SPACE });
    if lenient {
        options["lenient"] = true.into();
    }
    schema.insert("x-guidance".to_owned(), options);
    Value::Object(schema)
}

/// A parameter of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) required: bool,
    pub(super) value: ParameterValue,
}

/// How a parameter's value may be written.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ParameterValue {
    /// As it is, with `string="true"`.
    pub(super) text: Option<Text>,
    /// As JSON of a schema, with `string="false"`.
    pub(super) json: Option<Value>,
}

/// What a string may be.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Text {
    /// Anything.
    Free,
    /// One of these.
    OneOf(BTreeSet<String>),
}

/// The parameters of a tool.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Parameters {
    /// Those that the schema names, as it orders them.
    pub(super) named: Vec<Parameter>,
    /// What parameters of other names may be; `None` if there may be none.
    pub(super) others: Option<ParameterValue>,
    /// Names that the markup cannot write.
    pub(super) unwritable: Vec<String>,
    /// Whether some or all were left open, since there are too many.
    pub(super) is_large: bool,
}

impl Parameters {
    /// Reads the schema of a tool's arguments.
    ///
    /// Names are those in `properties`. Others are possible where the schema says so explicitly,
    /// names no properties at all, or says more than `properties` do.
    pub(super) fn of(schema: &Value) -> Self {
        let root = follow(schema, schema);
        let properties = root.get("properties").and_then(Value::as_object);
        let n_referring =
            properties.into_iter().flat_map(Map::values).filter(|it| refers(it)).count();
        // Behind too many references may be anything.
        let is_large = n_referring.saturating_mul(n_values(schema)) > MAX_COPIED;
        let value_of = |property: &Value| match property {
            property if is_large && refers(property) => {
                ParameterValue::of(&Value::Bool(true), schema)
            }
            property => ParameterValue::of(property, schema),
        };
        let required: BTreeSet<&str> = root
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let anything = || Some(ParameterValue::of(&Value::Bool(true), schema));
        if properties.is_some_and(|properties| properties.len() > MAX_NAMED) {
            return Self { is_large: true, others: anything(), ..Self::default() };
        }
        let mut parameters = Self { is_large, ..Self::default() };
        for (name, property) in properties.into_iter().flatten() {
            if !is_writable(name) {
                parameters.unwritable.push(name.clone());
                continue;
            }
            parameters.named.push(Parameter {
                name: name.clone(),
                required: required.contains(name.as_str()),
                value: value_of(property),
            });
        }
        let says_more = ["anyOf", "oneOf", "allOf", "patternProperties", "if"]
            .iter()
            .any(|key| root.get(key).is_some());
        parameters.others = match root.get("additionalProperties") {
            Some(Value::Bool(false)) => None,
            Some(Value::Object(other)) if !other.is_empty() => {
                Some(ParameterValue::of(&Value::Object(other.clone()), schema))
            }
            Some(_) => anything(),
            None if says_more || properties.is_none_or(Map::is_empty) => anything(),
            None => None,
        };
        parameters
    }
}

/// Whether the parser of tool calls reads a parameter's name back as it was.
fn is_writable(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_control() || matches!(c, ' ' | '"' | '\\'))
}

impl ParameterValue {
    /// Reads the schema of one parameter; `root` is what its references refer to.
    fn of(schema: &Value, root: &Value) -> Self {
        let (text, other) = kinds(schema, root, MAX_REFERENCES, &mut MAX_PARTS.clone());
        let json = other.then(|| closed(schema, root));
        match text {
            None if json.is_none() => Self { text: None, json: Some(closed(schema, root)) },
            text => Self { text, json },
        }
    }
}

/// What a reference refers to, or the schema itself if it is none that we know.
fn follow<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut found = schema;
    for _ in 0..MAX_REFERENCES {
        let target = found.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| target.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => found = target,
            None => return found,
        }
    }
    found
}

/// Which strings a schema takes, and whether it takes anything else.
fn kinds(
    schema: &Value,
    root: &Value,
    depth: usize,
    n_parts_left: &mut usize,
) -> (Option<Text>, bool) {
    let anything = (Some(Text::Free), true);
    let schema = follow(schema, root);
    let (Some(depth), Some(left)) = (depth.checked_sub(1), n_parts_left.checked_sub(1)) else {
        return anything;
    };
    *n_parts_left = left;
    let Value::Object(map) = schema else { return anything };
    if let Some(value) = map.get("const") {
        return of_values(std::slice::from_ref(value));
    }
    if let Some(Value::Array(values)) = map.get("enum") {
        return of_values(values);
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(Value::Array(branches)) = map.get(key) {
            let (mut text, mut other) = (None, false);
            for branch in branches {
                let (more, also) = kinds(branch, root, depth, n_parts_left);
                text = union(text, more);
                other |= also;
            }
            return (text, other);
        }
    }
    if let Some(Value::Array(parts)) = map.get("allOf")
        && let [only] = parts.as_slice()
    {
        return kinds(only, root, depth, n_parts_left);
    }
    match map.get("type") {
        Some(Value::String(kind)) if kind == "string" => (Some(Text::Free), false),
        Some(Value::String(_)) => (None, true),
        Some(Value::Array(kinds)) => {
            let string = kinds.iter().any(|kind| kind == "string");
            (string.then_some(Text::Free), kinds.iter().any(|kind| kind != "string"))
        }
        _ => anything,
    }
}

/// The kinds of listed values. Texts that contain the end of a tag stay possible as JSON.
fn of_values(values: &[Value]) -> (Option<Text>, bool) {
    let texts: BTreeSet<String> =
        values.iter().filter_map(|value| value.as_str().map(str::to_owned)).collect();
    let other = values.iter().any(|value| !value.is_string());
    ((!texts.is_empty()).then_some(Text::OneOf(texts)), other)
}

fn union(a: Option<Text>, b: Option<Text>) -> Option<Text> {
    match (a, b) {
        (Some(Text::OneOf(mut a)), Some(Text::OneOf(b))) => {
            a.extend(b);
            Some(Text::OneOf(a))
        }
        (None, one) | (one, None) => one,
        _ => Some(Text::Free),
    }
}

/// A part of a schema that stands on its own: what its references refer to comes along.
fn closed(schema: &Value, root: &Value) -> Value {
    let mut closed = schema.clone();
    if !refers(&closed) {
        return closed;
    }
    let mut whole = root.clone();
    // Definitions of its own come along inside.
    for schema in [&mut closed, &mut whole] {
        move_references(schema, "#/$defs/arguments");
    }
    if let Some(map) = closed.as_object_mut() {
        map.insert("$defs".to_owned(), json!({ "arguments": whole }));
    }
    closed
}

/// How many values a document is made of.
fn n_values(document: &Value) -> usize {
    1 + match document {
        Value::Object(map) => map.values().map(n_values).sum(),
        Value::Array(items) => items.iter().map(n_values).sum(),
        _ => 0,
    }
}

fn refers(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            map.get("$ref").is_some_and(Value::is_string) || map.values().any(refers)
        }
        Value::Array(items) => items.iter().any(refers),
        _ => false,
    }
}

/// Puts `place` in front of every reference inside a document.
fn move_references(schema: &mut Value, place: &str) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get_mut("$ref")
                && let Some(pointer) = target.strip_prefix('#')
            {
                *target = format!("{place}{pointer}");
            }
            map.values_mut().for_each(|value| move_references(value, place));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_references(item, place)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameter(schema: &Value) -> ParameterValue {
        let schema = json!({ "type": "object", "properties": { "x": schema },
            "$defs": { "Color": { "type": "string", "enum": ["red", "blue"] } } });
        let parameters = Parameters::of(&schema);
        parameters.named.first().expect("it has one").value.clone()
    }

    fn texts(texts: &[&str]) -> Text {
        Text::OneOf(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn strings_are_text_and_the_rest_is_json() {
        let number = json!({ "type": "integer" });
        assert_eq!(parameter(&number), ParameterValue { text: None, json: Some(number) });
        let string = json!({ "type": "string", "minLength": 2 });
        assert_eq!(parameter(&string), ParameterValue { text: Some(Text::Free), json: None });
        let chosen = parameter(&json!({ "enum": ["a", "b"] }));
        assert_eq!(chosen, ParameterValue { text: Some(texts(&["a", "b"])), json: None });
        let optional = json!({ "anyOf": [{ "type": "string" }, { "type": "null" }] });
        let value = ParameterValue { text: Some(Text::Free), json: Some(optional.clone()) };
        assert_eq!(parameter(&optional), value);
        let color = parameter(&json!({ "$ref": "#/$defs/Color" }));
        assert_eq!(color, ParameterValue { text: Some(texts(&["red", "blue"])), json: None });
        let one = parameter(&json!({ "allOf": [{ "$ref": "#/$defs/Color" }], "default": "red" }));
        assert_eq!(one, ParameterValue { text: Some(texts(&["red", "blue"])), json: None });
    }

    #[test]
    fn references_come_along() {
        let value = parameter(&json!({ "type": "array", "items": { "$ref": "#/$defs/Color" } }));
        let json = value.json.expect("an array is no string");
        assert_eq!(json["items"]["$ref"], "#/$defs/arguments/$defs/Color");
        let found = json.pointer("/$defs/arguments/$defs/Color/enum").expect("it came along");
        assert_eq!(found, &json!(["red", "blue"]));
    }

    #[test]
    fn other_names_are_possible_where_the_schema_says_so() {
        let open = |schema| Parameters::of(&schema).others.is_some();
        let one = json!({ "x": { "type": "string" } });
        assert!(!open(json!({ "type": "object", "properties": one })));
        assert!(!open(json!({ "type": "object", "additionalProperties": false })));
        assert!(open(json!({ "type": "object" })));
        assert!(open(json!({ "type": "object", "properties": one, "additionalProperties": true })));
        assert!(open(json!({ "type": "object", "properties": one, "anyOf": [] })));
    }

    #[test]
    fn alternatives_that_refer_to_themselves_end() {
        let itself = json!({ "$ref": "#/$defs/a" });
        let a = json!({ "anyOf": vec![itself.clone(); 9] });
        let schema = json!({ "properties": { "x": itself }, "$defs": { "a": a } });
        assert_eq!(Parameters::of(&schema).named[0].value.text, Some(Text::Free));
    }

    #[test]
    fn a_schema_is_not_copied_without_end() {
        let schema = |n: usize| {
            let property = json!({ "type": "array", "items": { "$ref": "#/$defs/a" } });
            let properties: Map<String, Value> =
                (0..n).map(|i| (format!("x{i}"), property.clone())).collect();
            json!({ "properties": properties, "$defs": { "a": { "type": "integer" } } })
        };
        assert!(!Parameters::of(&schema(50)).is_large);
        let large = Parameters::of(&schema(500));
        assert!(large.is_large);
        assert_eq!(large.named[0].value.json, Some(json!(true)));
        let larger = Parameters::of(&schema(5000));
        assert!(larger.is_large && larger.named.is_empty() && larger.others.is_some());
    }

    #[test]
    fn a_reference_to_itself_ends() {
        let schema =
            json!({ "type": "object", "properties": { "x": { "$ref": "#/properties/x" } } });
        let value = Parameters::of(&schema).named.remove(0).value;
        assert_eq!(value.text, Some(Text::Free));
    }
}
