//! How a row of the table is written down.

use std::sync::Arc;

use axum::{
    handler::Handler,
    routing::{MethodRouter, on},
};
use grantbook_api::words::list::{DryRunQuery, Page};
use utoipa::{
    IntoParams, PartialSchema, ToSchema,
    openapi::{
        ContentBuilder, Ref, RefOr, Required, ResponseBuilder,
        path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
        request_body::RequestBodyBuilder,
        schema::{ArrayItems, Object, Schema, SchemaType, Type},
    },
};

use crate::{
    endpoints::{Endpoint, Handling, Verb},
    state::Web,
    write::parse::Parse,
};

const JSON: &str = "application/json";

/// What the `OpenAPI` document says of an operation, and the schemas that this needs, by name.
pub(crate) struct Description {
    pub(crate) operation: Operation,
    pub(crate) schemas: Schemas,
}

/// Schemas by name, as they are collected.
pub(crate) type Schemas = Vec<(String, RefOr<Schema>)>;
/// The schema of a body; those that it needs are collected.
pub(crate) type Shape = fn(&mut Schemas) -> RefOr<Schema>;

/// A type of the API, by reference.
pub(crate) fn schema<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    T::schemas(schemas);
    let reference = Ref::from_schema_name(T::name());
    schemas.push((T::name().into_owned(), T::schema()));
    reference.into()
}

/// A page of a list, with what it lists written out in its place.
fn page<T: ToSchema>(schemas: &mut Schemas) -> RefOr<Schema> {
    schema::<T>(schemas);
    let name = format!("{}_{}", Page::<T>::name(), T::name());
    let mut page = Page::<T>::schema();
    if let RefOr::T(Schema::Object(members)) = &mut page
        && let Some(RefOr::T(Schema::Array(items))) = members.properties.get_mut("items")
    {
        items.items = ArrayItems::RefOrSchema(Box::new(T::schema()));
    }
    let reference = Ref::from_schema_name(&name);
    schemas.push((name, page));
    reference.into()
}

/// Text without a schema.
pub(crate) fn text(_: &mut Schemas) -> RefOr<Schema> {
    String::schema()
}

/// Any JSON.
pub(crate) fn any(_: &mut Schemas) -> RefOr<Schema> {
    Schema::Object(Object::with_type(SchemaType::AnyValue)).into()
}

/// A command.
pub(crate) fn write(id: &str, method: Verb, path: &'static str, parse: Parse) -> Endpoint {
    Endpoint::new(id, method, path, Handling::Write(parse)).query::<DryRunQuery>()
}

/// Several commands.
pub(crate) fn batch(id: &str, path: &'static str) -> Endpoint {
    Endpoint::new(id, Verb::Post, path, Handling::Batch).query::<DryRunQuery>()
}

/// What several commands would do.
pub(crate) fn plan(id: &str, path: &'static str) -> Endpoint {
    Endpoint::new(id, Verb::Post, path, Handling::Plan)
}

/// A question.
pub(crate) fn question<T: 'static, H: Handler<T, Arc<Web>>>(
    id: &str,
    method: Verb,
    path: &'static str,
    handler: H,
) -> Endpoint {
    Endpoint::new(id, method, path, Handling::Question(served(method, handler)))
}

/// A question that a command service answers.
pub(crate) fn command_question<T: 'static, H: Handler<T, Arc<Web>>>(
    id: &str,
    path: &'static str,
    handler: H,
) -> Endpoint {
    Endpoint::new(id, Verb::Get, path, Handling::CommandQuestion(served(Verb::Get, handler)))
}

/// What the node itself does.
pub(crate) fn action<T: 'static, H: Handler<T, Arc<Web>>>(
    id: &str,
    path: &'static str,
    handler: H,
) -> Endpoint {
    Endpoint::new(id, Verb::Post, path, Handling::Action(served(Verb::Post, handler)))
}

/// For those who run the process.
pub(crate) fn operator<T: 'static, H: Handler<T, Arc<Web>>>(
    id: &str,
    path: &'static str,
    handler: H,
) -> Endpoint {
    Endpoint::new(id, Verb::Get, path, Handling::Operator(served(Verb::Get, handler)))
}

fn served<T: 'static, H: Handler<T, Arc<Web>>>(method: Verb, handler: H) -> MethodRouter<Arc<Web>> {
    on(method.filter(), handler)
}

impl Endpoint {
    fn new(id: &str, method: Verb, path: &'static str, handling: Handling) -> Self {
        let operation = OperationBuilder::new().operation_id(Some(id)).build();
        Self { method, path, handling, description: Description { operation, schemas: Schemas::new() } }
    }

    /// Which chapter of the document it is in.
    pub(crate) fn tag(mut self, tag: &str) -> Self {
        self.description.operation.tags = Some(vec![tag.to_owned()]);
        self
    }

    /// What it does.
    pub(crate) fn says(mut self, summary: &str) -> Self {
        self.description.operation.summary = Some(summary.to_owned());
        self
    }

    /// A variable segment of its path.
    pub(crate) fn path(self, name: &str, description: &str) -> Self {
        self.parameter(name, ParameterIn::Path, Required::True, description)
    }

    /// A header that it alone takes.
    pub(crate) fn header(self, name: &str, description: &str) -> Self {
        self.parameter(name, ParameterIn::Header, Required::False, description)
    }

    fn parameter(mut self, name: &str, place: ParameterIn, required: Required, description: &str) -> Self {
        let kind = match required {
            Required::True => Type::String.into(),
            Required::False => SchemaType::Array(vec![Type::String, Type::Null]),
        };
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(description))
            .schema(Some(Schema::Object(Object::with_type(kind))))
            .build();
        self.parameters().push(parameter.into());
        self
    }

    /// The parameters of its query.
    pub(crate) fn query<T: IntoParams>(mut self) -> Self {
        self.parameters().extend(T::into_params(|| Some(ParameterIn::Query)).into_iter().map(RefOr::T));
        self
    }

    fn parameters(&mut self) -> &mut Vec<RefOr<Parameter>> {
        self.description.operation.parameters.get_or_insert_default()
    }

    /// What it takes.
    pub(crate) fn body<T: ToSchema>(mut self) -> Self {
        let schema = schema::<T>(&mut self.description.schemas);
        let content = ContentBuilder::new().schema(Some(schema)).build();
        let body = RequestBodyBuilder::new().content(JSON, content).required(Some(Required::True)).build();
        self.description.operation.request_body = Some(body.into());
        self
    }

    /// What it answers, and with which status.
    pub(crate) fn answers<T: ToSchema>(self, status: u16, description: &str) -> Self {
        self.answers_in(status, description, &[(JSON, schema::<T>)])
    }

    /// It answers a page of these.
    pub(crate) fn answers_page<T: ToSchema>(self) -> Self {
        self.answers_in(200, "One page.", &[(JSON, page::<T>)])
    }

    /// What it answers in several media types.
    pub(crate) fn answers_in(mut self, status: u16, description: &str, bodies: &[(&str, Shape)]) -> Self {
        let mut response = ResponseBuilder::new().description(description);
        for (media_type, shape) in bodies {
            let schema = shape(&mut self.description.schemas);
            response = response.content(*media_type, ContentBuilder::new().schema(Some(schema)).build());
        }
        let responses = &mut self.description.operation.responses.responses;
        responses.insert(status.to_string(), response.build().into());
        self
    }

    pub(crate) const fn http_method(&self) -> HttpMethod {
        match self.method {
            Verb::Get => HttpMethod::Get,
            Verb::Post => HttpMethod::Post,
            Verb::Patch => HttpMethod::Patch,
            Verb::Delete => HttpMethod::Delete,
        }
    }
}
