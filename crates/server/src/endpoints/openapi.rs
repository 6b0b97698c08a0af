//! The `OpenAPI` document: what the rows say, and what is so of every operation of a kind.

use grantbook_api::words::{header, problem::MEDIA_TYPE};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Paths, Ref, ResponseBuilder,
        SecurityRequirement,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{Schema, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

use crate::endpoints::{Handling, TABLE};

/// What is said of the demand on a read.
const AT_LEAST: &str = "Wait until the node has reached this position, at most 2 s; `latest`: every write that was acknowledged before, by any client.";

/// Name of the one way to present a key.
const SCHEME: &str = "key";

/// The whole document.
pub(crate) fn document() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Grantbook")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Who may do what, who granted it, when and why. The organization follows from the key. A read node passes writes, plans and limits on to its command service, or answers 421 `wrong_role` if it has none; 503 `command_unreachable`: nothing was written; 503 `outcome_unknown`: send the same request again with the same Idempotency-Key.",
        ))
        .build();
    let mut components = Components::new();
    let scheme =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("gb_st_... or gb_pk_...").build();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    let problem = grantbook_api::words::problem::Problem::name().into_owned();
    components.schemas.insert(problem, grantbook_api::words::problem::Problem::schema());
    let mut paths = Paths::new();
    for endpoint in TABLE.iter() {
        components.schemas.extend(endpoint.description.schemas.iter().cloned());
        let mut operation = endpoint.description.operation.clone();
        complete(&mut operation, &endpoint.handling);
        paths.add_path_operation(endpoint.path, vec![endpoint.http_method()], operation);
    }
    OpenApiBuilder::new()
        .info(info)
        .paths(paths)
        .components(Some(components))
        .security(Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]))
        .build()
}

/// Says which headers an operation takes, and that it may fail.
fn complete(operation: &mut Operation, handling: &Handling) {
    say(operation, header::REQUEST_ID, "Repeated in the answer and in the log.");
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description("A problem.").content(MEDIA_TYPE, content).build();
    operation.responses.responses.insert("default".to_owned(), response.into());
    let if_position = "409 `moved` if the organization has a record after this position.";
    match handling {
        Handling::Write(_) | Handling::Batch => {
            say(operation, header::IF_POSITION, if_position);
            say(
                operation,
                header::IDEMPOTENCY_KEY,
                "A repeated request with the same id returns the first answer and changes nothing.",
            );
            say(operation, header::REASON, "Why; kept with the record.");
        }
        Handling::Plan => say(operation, header::IF_POSITION, if_position),
        Handling::CommandQuestion(_) => {}
        Handling::Question(_) | Handling::Action(_) => say(operation, header::AT_LEAST, AT_LEAST),
        // They need no key, and so they know no organization whose position could be meant.
        Handling::Operator(_) => operation.security = Some(vec![SecurityRequirement::default()]),
    }
}

fn say(operation: &mut Operation, name: &str, description: &str) {
    let text = Schema::Object(utoipa::openapi::schema::Object::with_type(Type::String));
    let parameter: Parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(description))
        .schema(Some(text))
        .build();
    operation.parameters.get_or_insert_with(Vec::new).push(parameter.into());
}
