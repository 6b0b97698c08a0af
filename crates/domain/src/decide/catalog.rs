//! The catalog grows; nothing in it is ever removed or moved.

use crate::{
    catalog::{OBJECT_TYPES_MAX, PERMISSIONS_MAX, TypeDefinition},
    decide::{Events, Judge, text},
    event::Event,
    refusal::{Kind, Refusal},
    text::check_word,
};

impl Judge<'_> {
    /// Names that are there already are passed over, unless a type's parent would change.
    pub(super) fn extend_catalog(&self, types: &[TypeDefinition], permissions: &[String]) -> Events {
        let mut catalog = self.state.catalog().clone();
        let mut added = (Vec::new(), Vec::new());
        for (index, name) in permissions.iter().enumerate() {
            text(&format!("/permissions/{index}"), check_word(name))?;
            if catalog.permission(name).is_some() {
                continue;
            }
            if catalog.permissions().len() >= PERMISSIONS_MAX {
                return Err(Refusal::CatalogFull(Kind::Permission));
            }
            catalog.extend(&[], std::slice::from_ref(name));
            added.1.push(name.clone());
        }
        for (index, one) in types.iter().enumerate() {
            text(&format!("/object_types/{index}/name"), check_word(&one.name))?;
            let known = catalog.types().find(|(name, _)| *name == one.name);
            match known.map(|(_, parent)| parent == Some(one.parent.as_str())) {
                Some(true) => continue,
                Some(false) => return Err(Refusal::ParentFixed),
                None => {}
            }
            let pointer = format!("/object_types/{index}/parent");
            if catalog.object_type(&one.parent).is_none() {
                return Err(Refusal::no_such(Kind::ObjectType, &pointer));
            }
            if catalog.lineage_below(&one.parent).is_none() {
                return Err(Refusal::invalid(&pointer, "objects of this type have nothing below them"));
            }
            if catalog.types().count() >= OBJECT_TYPES_MAX {
                return Err(Refusal::CatalogFull(Kind::ObjectType));
            }
            catalog.extend(std::slice::from_ref(one), &[]);
            added.0.push(one.clone());
        }
        let (object_types, permissions) = added;
        if object_types.is_empty() && permissions.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![Event::CatalogExtended { object_types, permissions }])
    }
}
