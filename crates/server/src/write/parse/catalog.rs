//! `/v1/catalog`: which permissions and object types there are

use grantbook_api::nouns::catalog::{ExtendCatalog, NewObjectType};
use grantbook_domain::{catalog::TypeDefinition, command::Command};
use serde_json::Value;

use crate::{
    http::{body::shape, problem::Failure},
    write::parse::ParsedWrite,
};

pub(crate) fn extend(body: &Value) -> Result<ParsedWrite, Failure> {
    let ExtendCatalog { object_types, permissions } = shape(body)?;
    let definition = |NewObjectType { name, parent }| TypeDefinition { name, parent };
    let object_types = object_types.into_iter().map(definition).collect();
    Ok(ParsedWrite::new(Command::ExtendCatalog { object_types, permissions }, "catalog"))
}
