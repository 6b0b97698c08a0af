//! The graph of an explanation as clients see it: what leads to a grant that they may not see is left out.

use std::collections::BTreeSet;

use grantbook_api::{
    questions::explain::{
        ExplanationGraph, GraphEdge, GraphEdgeType, GraphGrant, GraphNode, GraphNodeType, ObstacleCode,
    },
    words::reference::{GranteeType, NamedGrantee},
};
use grantbook_domain::{id::RoleId, principal::Grantee};
use grantbook_views::{self as views, Coverage, FoundGrant, FoundMembership, Obstacle};

use crate::{
    http::problem::Failure,
    read::questions::{explain::paths::PathWriter, scope_words},
    wire::render,
};

/// The graph of the grants that are shown, which are all that apply and others that the caller may see.
pub(super) fn graph(
    writer: &mut PathWriter<'_, '_>,
    story: &views::Explanation,
    is_shown: &[bool],
) -> Result<ExplanationGraph, Failure> {
    let is_shown = |index: usize| is_shown.get(index) == Some(&true);
    let part = story.graph(is_shown);
    let mut graph = ExplanationGraph::default();
    for grantee in &part.nodes {
        graph.nodes.push(grantee_node(writer, *grantee)?);
    }
    for membership in &part.memberships {
        graph.edges.push(membership_edge(writer, membership));
    }
    let grants: Vec<&FoundGrant> =
        story.grants.iter().enumerate().filter(|(index, _)| is_shown(*index)).map(|(_, one)| one).collect();
    for one in &grants {
        graph.nodes.push(grant_node(writer, one)?);
        graph.edges.push(edge(GraphEdgeType::Grant, id_of(one.grant.to), one.grant.id.to_string()));
    }
    roles(writer, story, &grants, &mut graph)?;
    Ok(graph)
}

/// Each role once, and each step from role to role.
fn roles(
    writer: &mut PathWriter<'_, '_>,
    story: &views::Explanation,
    grants: &[&FoundGrant],
    graph: &mut ExplanationGraph,
) -> Result<(), Failure> {
    let mut includes: BTreeSet<(RoleId, RoleId)> = BTreeSet::new();
    let mut shown: BTreeSet<RoleId> = BTreeSet::new();
    for one in grants {
        if let Some(first) = one.roles.first() {
            graph.edges.push(edge(GraphEdgeType::Role, one.grant.id.to_string(), first.to_string()));
        }
        shown.extend(&one.roles);
        includes.extend(one.roles.iter().copied().zip(one.roles.iter().skip(1).copied()));
    }
    for step in story.roles.values().filter(|step| shown.contains(&step.id)) {
        let named = writer.authorizer.role(step.id)?;
        graph.nodes.push(GraphNode {
            kind: GraphNodeType::Role,
            id: named.id,
            name: Some(named.name).filter(|name| !name.is_empty()),
            position: Some(position(writer, step.position)),
            grant: None,
        });
    }
    let includes = includes.into_iter();
    graph.edges.extend(
        includes.map(|(outer, inner)| edge(GraphEdgeType::Include, outer.to_string(), inner.to_string())),
    );
    Ok(())
}

fn grantee_node(writer: &mut PathWriter<'_, '_>, grantee: Grantee) -> Result<GraphNode, Failure> {
    let NamedGrantee { kind, id, name } = writer.authorizer.grantee(grantee)?;
    let kind = match kind {
        GranteeType::User => GraphNodeType::User,
        GranteeType::Token => GraphNodeType::Token,
        GranteeType::Group => GraphNodeType::Group,
    };
    Ok(GraphNode { kind, id, name, position: None, grant: None })
}

fn grant_node(writer: &mut PathWriter<'_, '_>, one: &FoundGrant) -> Result<GraphNode, Failure> {
    let (_, why) = scope_words::coverage(writer.authorizer, &one.grant.on, &one.coverage, writer.object)?;
    let shown = render::grant(&one.grant);
    let grant = GraphGrant {
        effect: shown.effect,
        applies: one.applies,
        obstacles: obstacles(one),
        object_type: shown.object_type,
        expires_at: shown.expires_at,
        scope: scope_words::brief(writer.authorizer, &one.grant.on)?,
        why,
    };
    let position = Some(position(writer, one.position));
    Ok(GraphNode { kind: GraphNodeType::Grant, id: shown.id, name: None, position, grant: Some(grant) })
}

fn obstacles(one: &FoundGrant) -> Vec<ObstacleCode> {
    let own = one.obstacles.iter().map(|obstacle| match obstacle {
        Obstacle::MembershipExpired(_) => ObstacleCode::MembershipExpired,
        Obstacle::GrantExpired(_) => ObstacleCode::GrantExpired,
        Obstacle::OtherType => ObstacleCode::ObjectType,
        Obstacle::NotCovered if matches!(one.coverage, Coverage::Excluded { .. }) => ObstacleCode::Excluded,
        Obstacle::NotCovered => ObstacleCode::NotCovered,
    });
    let way = (!one.is_reached).then_some(ObstacleCode::MembershipExpired);
    way.into_iter().chain(own).collect()
}

fn membership_edge(writer: &PathWriter<'_, '_>, found: &FoundMembership) -> GraphEdge {
    let membership = &found.step.membership;
    let (from, to) = (id_of(membership.member), membership.group.to_string());
    GraphEdge {
        position: Some(position(writer, found.step.position)),
        expires_at: render::time(membership.expires_at),
        expired: found.is_over,
        ..edge(GraphEdgeType::Membership, from, to)
    }
}

fn edge(kind: GraphEdgeType, from: String, to: String) -> GraphEdge {
    GraphEdge { kind, from, to, position: None, expires_at: None, expired: false }
}

fn id_of(grantee: Grantee) -> String {
    match grantee {
        Grantee::User(id) => id.to_string(),
        Grantee::Token(id) => id.to_string(),
        Grantee::Group(id) => id.to_string(),
    }
}

fn position(writer: &PathWriter<'_, '_>, position: grantbook_domain::position::Position) -> String {
    writer.permit.reading().web.position_text(position)
}
