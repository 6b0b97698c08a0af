//! What the API's description says of every route alike: its title, keys, headers and problems.

use grantbook_api::{header, problem::MEDIA_TYPE};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, ContentBuilder, InfoBuilder, OpenApi, Ref, ResponseBuilder, SecurityRequirement,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{Schema, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// What is said of the demand on a read.
const AT_LEAST: &str = "Wait until the node has reached this position, at most 2 s; `latest`: everything that was acknowledged before, by whomever.";

/// Name of the one way to present a key.
const SCHEME: &str = "key";

/// The document with what the routes do not say themselves.
pub(crate) fn completed(mut document: OpenApi) -> OpenApi {
    document.info = InfoBuilder::new()
        .title("Grantbook")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Who may do what, who granted it, when and why. The organization follows from the key.",
        ))
        .build();
    let components = document.components.get_or_insert_with(Components::new);
    let scheme =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("gb_st_... or gb_pk_...").build();
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    let problem = grantbook_api::problem::Problem::name().into_owned();
    components.schemas.insert(problem, grantbook_api::problem::Problem::schema());
    document.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    for item in document.paths.paths.values_mut() {
        complete(item);
    }
    document
}

fn complete(item: &mut PathItem) {
    let reads = [&mut item.get];
    for operation in reads.into_iter().flatten() {
        say_common(operation);
        if operation.security.is_some() {
            // Operators' routes: they need no key, and so they know no organization whose position could be meant.
            continue;
        }
        say(operation, header::AT_LEAST, AT_LEAST);
    }
    for operation in [&mut item.post, &mut item.patch, &mut item.delete].into_iter().flatten() {
        say_common(operation);
        let id = operation.operation_id.as_deref().unwrap_or_default();
        let asks = matches!(id, "check" | "check_batch" | "explain") || id.starts_with("authzen_");
        if asks {
            say(operation, header::AT_LEAST, AT_LEAST);
        } else if id == "plan" {
            say(
                operation,
                header::IF_POSITION,
                "409 `moved` if the organization's head is another position.",
            );
        } else {
            say(
                operation,
                header::IF_POSITION,
                "409 `moved` if the organization's head is another position.",
            );
            say(
                operation,
                header::IDEMPOTENCY_KEY,
                "The same id again, for ever, gives the first answer and has no second effect.",
            );
            say(operation, header::REASON, "Why; kept with the record.");
        }
    }
}

fn say_common(operation: &mut Operation) {
    say(operation, header::REQUEST_ID, "Repeated in the answer and in the log.");
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let response = ResponseBuilder::new().description("A problem.").content(MEDIA_TYPE, content).build();
    operation.responses.responses.insert("default".to_owned(), response.into());
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
